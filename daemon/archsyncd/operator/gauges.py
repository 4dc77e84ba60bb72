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
# A reading that only waited for its turn on a busy machine looks dear as well: figures of minutes ago help nobody.
KEPT_LIMIT_SECONDS = 20.0


class Kept(Generic[T]):
    """A figure that is read again only when it is old, and, as far as it does not grow too old, 1 % of the time at most."""

    def __init__(
        self,
        clock: Clock,
        read: Callable[[], Awaitable[T]],
        keep_seconds: float,
        *,
        cost_share: int = COST_SHARE,
    ) -> None:
        """`cost_share`: for how many times what it took a reading is kept; 0 for one whose dear parts are kept themselves."""
        self._clock = clock
        self._read = read
        self._keep_seconds = keep_seconds
        self._cost_share = cost_share
        self._again_at = self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self._values: list[T] = []
        self.cost_seconds = 0.0

    async def get(self, old_seconds: float = 0.0) -> T:
        """The figure, at most `keep_seconds` old, or a hundred times what reading it took, up to 20 s.

        `old_seconds`: for whom one of that age will do as well.
        """
        async with self._lock:
            began = self._clock.monotonic()
            if not self._values or began >= max(self._again_at, self._read_at + old_seconds):
                self._values = [await self._read()]
                now = self._read_at = self._clock.monotonic()
                self.cost_seconds = now - began
                dear_seconds = min(self._cost_share * self.cost_seconds, KEPT_LIMIT_SECONDS)
                self._again_at = now + max(self._keep_seconds, dear_seconds)
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
