"""Several steps at once, each to its end: what one of them fails with takes nothing from the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from archsyncd.engine.limiter import Quiesced
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull

# What a loop must hear of first when several steps fail at once.
GRAVEST_FIRST = (FencedOff, StoreBroken, StoreFull, Quiesced)


async def together(steps: Iterable[Awaitable[None]], at_once: int) -> None:
    """Take all steps, so many at once, and wait for every one. Raises the gravest of their errors, and not in a group."""
    places = asyncio.Semaphore(at_once)

    async def placed(step: Awaitable[None]) -> None:
        async with places:
            await step

    ends = await asyncio.gather(*(placed(step) for step in steps), return_exceptions=True)
    errors = [end for end in ends if isinstance(end, BaseException)]
    for kind in GRAVEST_FIRST:
        for error in errors:
            if isinstance(error, kind):
                others = [each for each in errors if not isinstance(each, GRAVEST_FIRST)]
                raise error from (others[0] if others else None)
    if errors:
        raise errors[0]
