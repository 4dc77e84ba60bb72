"""Steps taken at once."""

from __future__ import annotations

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
