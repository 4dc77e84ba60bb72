"""A dear figure is told at once, as it was lately; a quick one as it is."""

from __future__ import annotations

import asyncio

import pytest

from archsyncd.engine.ports import StoreBroken
from archsyncd.operator.lately import Lately
from tests.support.virtual_time import VirtualClock, virtual


class Counter:
    """Counts how often it is read; each reading takes a while."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.readings = 0
        self.failure: Exception | None = None

    async def __call__(self) -> int:
        self.readings += 1
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        return self.readings


@virtual
async def test_a_quick_figure_is_always_the_one_of_now() -> None:
    """Each question is answered by a reading of its own."""
    figure = Lately(VirtualClock(), Counter(0.01))
    assert [await figure.get() for _ in range(3)] == [1, 2, 3]


@virtual
async def test_a_dear_figure_is_told_at_once_and_read_meanwhile() -> None:
    """Nobody but the first waits for it, and it is read for 1 % of the time at most."""
    clock, counter = VirtualClock(), Counter(0.15)
    figure = Lately(clock, counter)
    assert await figure.get() == 1
    began = clock.monotonic()
    while clock.monotonic() < began + 60:
        asked = clock.monotonic()
        await figure.get()
        assert clock.monotonic() - asked < 0.04
        await clock.sleep(0.1)
    assert counter.readings in {4, 5}
    assert await figure.get() == counter.readings


@virtual
async def test_a_figure_is_ready_before_the_first_question() -> None:
    """Where it is warmed nobody waits at all; and it is not read in vain more than once a minute."""
    clock, counter = VirtualClock(), Counter(5.0)
    figure = Lately(clock, counter)
    for _ in range(200):
        figure.warm()
        await clock.sleep(1)
    asked = clock.monotonic()
    assert counter.readings == 3
    assert await figure.get() == 3
    assert clock.monotonic() - asked < 0.04
    await figure.close()


@virtual
async def test_several_that_ask_share_a_reading_and_its_failure() -> None:
    """One of them may leave; the next question is answered when it can be read again."""
    counter = Counter(1.0)
    counter.failure = StoreBroken("gone")
    figure = Lately(VirtualClock(), counter)
    gone, stays = asyncio.create_task(figure.get()), asyncio.create_task(figure.get())
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(StoreBroken):
        await stays
    assert counter.readings == 1
    counter.failure = None
    assert await figure.get() == 2
    await figure.close()
