"""A figure that may be dear to read: told anew while that is quick, else as it was lately, and read anew meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from archsyncd.engine.ports import Clock
from archsyncd.operator.gauges import COST_SHARE, KEPT_LIMIT_SECONDS

T = TypeVar("T")

PATIENCE_SECONDS = 0.03
QUICK_SECONDS = 0.1
WARM_SECONDS = 60.0


class Lately(Generic[T]):
    """Asked for, it answers within 30 ms once it was read a first time. Reading takes 1 % of the time at most, or is quick."""

    def __init__(self, clock: Clock, read: Callable[[], Awaitable[T]]) -> None:
        self._clock = clock
        self._read = read
        self._again_at = float("-inf")
        self._task: asyncio.Task[T] | None = None
        self._values: list[T] = []

    async def get(self) -> T:
        """The figure; what it raises is what reading raises."""
        task = self._begin()
        if task is None:
            return self._values[0]
        # Whoever asks may go away: others wait for the same reading.
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS if self._values else None)
        return task.result() if task.done() else self._values[0]

    def warm(self) -> None:
        """Have a figure ready before anybody asks: it is read in the background, about once a minute."""
        if not self._values or self._clock.monotonic() >= self._again_at + WARM_SECONDS:
            self._begin()

    async def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> asyncio.Task[T] | None:
        """The reading that is under way or due; None where the last one will do."""
        if self._task is not None and not self._task.done():
            return self._task
        if self._values and self._clock.monotonic() < self._again_at:
            return None
        self._task = asyncio.create_task(self._once(), name="figure")
        self._task.add_done_callback(_heard)
        return self._task

    async def _once(self) -> T:
        began = self._clock.monotonic()
        value = await self._read()
        self._values = [value]
        now = self._clock.monotonic()
        cost = now - began
        self._again_at = now if cost < QUICK_SECONDS else now + min(COST_SHARE * cost, KEPT_LIMIT_SECONDS)
        return value


def _heard(task: asyncio.Task[T]) -> None:
    """Whoever waits is told of a failure; where nobody does it is no news: the next reading fails as well."""
    if not task.cancelled():
        task.exception()
