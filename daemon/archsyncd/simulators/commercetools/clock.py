"""The simulator's time: UTC seconds told from outside; it must not know who moves them."""

import asyncio
import heapq
import time
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from itertools import count
from typing import Protocol


class Clock(Protocol):
    """UTC seconds since 1970, and a wait measured on the same clock."""

    def now(self) -> float:
        """Return UTC seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` have passed on this clock."""
        ...


class SystemClock:
    """The machine's clock, for the demo and for a standalone simulator."""

    def now(self) -> float:
        """Return UTC seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(seconds)


class HandClock:
    """A clock moved by hand: nothing waits for real time, sleepers wake when their moment is passed."""

    def __init__(self, start: float = 1_785_000_000.0) -> None:
        self._now = start
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Return UTC seconds."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved the clock far enough."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiter))
        await waiter

    def advance(self, seconds: float) -> None:
        """Move forward and wake every sleeper whose moment has come, earliest first."""
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, waiter = heapq.heappop(self._sleepers)
            if not waiter.done():
                waiter.set_result(None)


@lru_cache(maxsize=4096)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def stamp(seconds: float) -> str:
    """Write UTC seconds as the platform does: ISO 8601 with milliseconds and Z."""
    whole, thousandth = divmod(int(seconds * 1000 + 0.5), 1000)
    return f"{_second(whole)}.{thousandth:03d}Z"


@lru_cache(maxsize=256)
def http_date(whole: int) -> str:
    """Write whole UTC seconds as an HTTP date."""
    return formatdate(whole, usegmt=True)
