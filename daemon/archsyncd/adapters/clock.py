"""The machine's clocks and chance, the one place that reads them. Decides nothing."""

from __future__ import annotations

import asyncio
import random
import time

from archsyncd.engine.ports import Clock

SLEW = 0.1


class SystemClock:
    """`ports.Clock` on this machine. Waits are the event loop's own, monotonic time does not count a suspend."""

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970; may jump."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait so long (0 gives way once)."""
        await asyncio.sleep(max(0.0, seconds))


def booted_seconds() -> float:
    """When this machine was started, in UTC seconds since 1970."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class SteadyClock:
    """Another clock without the jumps of its wall time: due times and ages that are stored stay right through them.

    It goes on in monotonic time and turns towards the wall clock by at most a tenth of the time that passes, so that what
    people see comes right in the end after a start with a wrong clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ms = float(clock.wall_ms())
        self._at = clock.monotonic()

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970; never jumps, never goes back."""
        now = self._clock.monotonic()
        passed_ms = max(0.0, now - self._at) * 1000
        behind_ms = self._clock.wall_ms() - (self._ms + passed_ms)
        turn_ms = passed_ms * SLEW
        self._ms += passed_ms + max(-turn_ms, min(turn_ms, behind_ms))
        self._at = now
        return round(self._ms)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait so long (0 gives way once)."""
        await self._clock.sleep(seconds)


class SystemChance:
    """A number in [0, 1) at each call, seeded by the system. For jitter, never for secrets."""

    def __init__(self) -> None:
        self._source = random.Random()

    def __call__(self) -> float:
        """Draw one."""
        return self._source.random()
