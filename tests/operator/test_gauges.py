"""Figures that cost something: read rarely, and shared."""

from __future__ import annotations

import asyncio

from archsyncd.operator.gauges import Kept, Meter
from archsyncd.operator.looking import Saturation
from tests.support.virtual_time import VirtualClock, virtual


class Counter:
    """A figure that takes a while to read and tells how often it was."""

    def __init__(self, clock: VirtualClock, cost_seconds: float) -> None:
        self.clock = clock
        self.cost_seconds = cost_seconds
        self.reads = 0

    async def read(self) -> int:
        self.reads += 1
        await self.clock.sleep(self.cost_seconds)
        return self.reads


@virtual
async def test_three_watchers_share_one_reading() -> None:
    """Whoever asks at the same time waits for the same reading, and later ones within its time get it too."""
    clock = VirtualClock()
    figure = Counter(clock, 0.001)
    kept = Kept(clock, figure.read, 1.0)
    assert set(await asyncio.gather(kept.get(), kept.get(), kept.get())) == {1}
    await clock.sleep(0.5)
    assert await kept.get() == 1
    await clock.sleep(0.6)
    assert await kept.get() == 2


@virtual
async def test_a_dear_figure_is_read_one_hundredth_of_the_time_at_most() -> None:
    """What takes 200 ms to read is read again after 20 s, whatever was asked for."""
    clock = VirtualClock()
    figure = Counter(clock, 0.2)
    kept = Kept(clock, figure.read, 1.0)
    for _ in range(100):
        await kept.get()
        await clock.sleep(1.0)
    assert figure.reads <= 5


@virtual
async def test_a_reading_that_waited_long_is_not_kept_for_minutes() -> None:
    """Five seconds on a busy machine do not make the next figure come after eight minutes."""
    clock = VirtualClock()
    figure = Counter(clock, 5.0)
    kept = Kept(clock, figure.read, 1.0)
    assert await kept.get() == 1
    await clock.sleep(19.0)
    assert await kept.get() == 1
    await clock.sleep(1.5)
    assert await kept.get() == 2


@virtual
async def test_what_is_made_of_kept_parts_is_as_fresh_as_it_is_asked_for() -> None:
    """The whole is read anew after its own time, whatever reading it took."""
    clock = VirtualClock()
    figure = Counter(clock, 0.5)
    kept = Kept(clock, figure.read, 1.0, cost_share=0)
    assert await kept.get() == 1
    await clock.sleep(1.1)
    assert await kept.get() == 2


@virtual
async def test_a_reading_that_fails_is_tried_again() -> None:
    """A fault reaches whoever asked and is not kept."""
    clock = VirtualClock()
    told: list[int] = []

    async def read() -> int:
        told.append(1)
        if len(told) == 1:
            raise OSError("not now")
        return 7

    kept = Kept(clock, read, 5.0)
    (fault,) = await asyncio.gather(kept.get(), return_exceptions=True)
    assert isinstance(fault, OSError)
    assert await kept.get() == 7


def test_the_rate_is_that_of_the_last_samples() -> None:
    """The meter tells the slope over its window, 0 before there are two samples, and ignores one at the same moment."""
    meter = Meter()
    assert meter.per_second == 0.0
    meter.sample(10.0, 100)
    meter.sample(10.0, 500)
    assert meter.per_second == 0.0
    for second in range(1, 30):
        meter.sample(10.0 + second, 100 + 20 * second)
    assert meter.per_second == 20.0
    for second in range(30, 41):
        meter.sample(10.0 + second, 680)
    assert meter.per_second == 0.0


@virtual
async def test_who_is_content_with_an_old_figure_costs_no_reading() -> None:
    """A line a second that tells how many keys there are does not have a million of them counted."""
    clock = VirtualClock()
    figure = Counter(clock, 0.001)
    kept = Kept(clock, figure.read, 5.0)
    assert await kept.get(300.0) == 1
    await clock.sleep(200)
    assert await kept.get(300.0) == 1
    assert await kept.get() == 2
    await clock.sleep(301)
    assert await kept.get(300.0) == 3


def test_requests_are_scarce_in_the_share_of_seconds_in_which_they_were() -> None:
    """Within the first minute nobody can tell; looks in between count once; what is five minutes ago is forgotten."""
    found = Saturation()
    for second in range(59):
        found.sample(second, scarce=True)
        found.sample(second + 0.1, scarce=False)
    assert [found.share] == [None]
    found.sample(59, scarce=False)
    assert found.share == 59 / 60
    for second in range(60, 360):
        found.sample(second, scarce=second % 4 == 0)
    assert found.share == 0.25
