"""Steps taken at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from archsyncd.engine.ports import FencedOff, StoreFull
from archsyncd.engine.together import together


async def test_every_step_comes_to_its_end_and_the_gravest_error_is_told() -> None:
    """One that fails takes nothing from the others, and no group hides what a loop waits for."""
    done: list[str] = []

    async def step(name: str, error: Exception | None = None) -> None:
        if error is not None:
            raise error
        done.append(name)

    steps = [step("a"), step("b", ValueError("odd")), step("c", StoreFull("no room")), step("d")]
    with pytest.raises(StoreFull):
        await together(steps, 2)
    assert done == ["a", "d"]
    with pytest.raises(FencedOff):
        await together([step("e", StoreFull("no room")), step("f", FencedOff("newer"))], 8)
    with pytest.raises(ValueError, match="odd"):
        await together([step("g", ValueError("odd"))], 1)
    await together([step("h")], 1)
    assert done[-1] == "h"


async def test_what_was_not_begun_when_all_is_cancelled_was_never_made() -> None:
    """A step that nobody awaits would be warned of; none is even made before its turn."""
    made: list[int] = []

    async def step() -> None:
        await asyncio.Event().wait()

    def steps() -> Iterator[Coroutine[Any, Any, None]]:
        for number in range(5):
            made.append(number)
            yield step()

    task = asyncio.ensure_future(together(steps(), 2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert made == [0, 1]
