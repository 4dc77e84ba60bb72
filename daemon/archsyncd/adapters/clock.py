"""The machine's clocks and chance, the one place that reads them. Decides nothing."""

from __future__ import annotations

import asyncio
import random
import time


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


class SystemChance:
    """A number in [0, 1) at each call, seeded by the system. For jitter, never for secrets."""

    def __init__(self) -> None:
        self._source = random.Random()

    def __call__(self) -> float:
        """Draw one."""
        return self._source.random()
