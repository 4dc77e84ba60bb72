"""Several steps at once, each to its end: what one of them fails with takes nothing from the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

from archsyncd.engine.limiter import Quiesced
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull

# What a loop must hear of first when several steps fail at once.
GRAVEST_FIRST = (FencedOff, StoreBroken, StoreFull, Quiesced)


async def together(steps: Iterable[Awaitable[None]], at_once: int) -> None:
    """Take all steps, so many at once, and wait for every one. Raises the gravest of their errors, and not in a group.

    A step is made when its turn comes: when all of it is cancelled, none is left that was never begun.
    """
    waiting = iter(steps)
    errors: list[BaseException] = []

    async def take() -> None:
        for step in waiting:
            try:
                await step
            except Exception as error:  # noqa: BLE001 - it is raised once all have come to their end
                errors.append(error)

    ends = await asyncio.gather(*(take() for _ in range(at_once)), return_exceptions=True)
    errors += [end for end in ends if isinstance(end, BaseException)]
    for kind in GRAVEST_FIRST:
        for error in errors:
            if isinstance(error, kind):
                others = [each for each in errors if not isinstance(each, GRAVEST_FIRST)]
                raise error from (others[0] if others else None)
    if errors:
        raise errors[0]
