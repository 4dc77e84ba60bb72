"""Figures that cost something to read, read rarely, and the rate of requests. Knows no verb and no socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from archsyncd.engine.ports import Clock

T = TypeVar("T")

METER_SAMPLES = 11
COST_SHARE = 100


class Kept(Generic[T]):
    """A figure that is read again only when it is old, and so that reading takes 1 % of the time at most."""

    def __init__(self, clock: Clock, read: Callable[[], Awaitable[T]], keep_seconds: float) -> None:
        self._clock = clock
        self._read = read
        self._keep_seconds = keep_seconds
        self._again_at = float("-inf")
        self._lock = asyncio.Lock()
        self._values: list[T] = []

    async def get(self) -> T:
        """The figure, at most `keep_seconds` old, or a hundred times what reading it took."""
        async with self._lock:
            began = self._clock.monotonic()
            if not self._values or began >= self._again_at:
                self._values = [await self._read()]
                now = self._clock.monotonic()
                self._again_at = now + max(self._keep_seconds, COST_SHARE * (now - began))
            return self._values[0]


class Meter:
    """The rate of a counter that only grows, over the last ten samples."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque(maxlen=METER_SAMPLES)

    def sample(self, at: float, total: int) -> None:
        """Note the counter at a monotonic time."""
        if not self._samples or at > self._samples[-1][0]:
            self._samples.append((at, total))

    @property
    def per_second(self) -> float:
        """The rate; 0 while there are not two samples."""
        if len(self._samples) < 2:  # noqa: PLR2004 - a rate needs two
            return 0.0
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_at - first_at)
