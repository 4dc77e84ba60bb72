"""The machine's clocks and chance behind the ports."""

from __future__ import annotations

import asyncio
import time

from archsyncd.adapters.clock import SystemChance, SystemClock
from archsyncd.engine.ports import Clock


async def test_the_system_clock_tells_the_machines_times() -> None:
    """Wall time is UTC milliseconds, monotonic time is the event loop's, and a negative wait gives way once."""
    clock: Clock = SystemClock()
    assert abs(clock.wall_ms() - time.time() * 1000) < 5_000
    assert abs(clock.monotonic() - asyncio.get_running_loop().time()) < 5
    began = clock.monotonic()
    await clock.sleep(-5)
    await clock.sleep(0)
    assert began <= clock.monotonic() < began + 5


def test_chance_lies_between_nothing_and_one_and_differs() -> None:
    """Two processes started together do not draw the same jitter."""
    first, second = SystemChance(), SystemChance()
    drawn = [first() for _ in range(100)]
    assert all(0 <= number < 1 for number in drawn)
    assert drawn != [second() for _ in range(100)]
