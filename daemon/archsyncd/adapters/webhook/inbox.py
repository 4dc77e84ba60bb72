"""Calls that were verified and wait to be stored: a bounded number, each answered once. Knows no HTTP and no store."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from archsyncd.wire.webhook_body import Told


class Fate(Enum):
    """What became of a call. NOT_NOW: nothing was promised, and the sender is to try again."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    NOT_NOW = "not_now"


@dataclass(slots=True, eq=False)
class Call:
    """One verified call. `sent_ms`: when, in UTC milliseconds. `fate` is settled once."""

    id: str
    sent_ms: int
    told: Told
    size_bytes: int
    fate: asyncio.Future[Fate] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def settle(self, fate: Fate) -> None:
        """Tell whoever waits, unless it was told before."""
        if not self.fate.done():
            self.fate.set_result(fate)


class Inbox:
    """Calls on their way into the store, in the order of their coming."""

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._queue: deque[Call] = deque()
        self._known: dict[str, Call] = {}
        self._bytes = 0
        self._came = asyncio.Event()
        self._readers = 0

    @property
    def is_read(self) -> bool:
        """Whether somebody takes calls out to store them."""
        return self._readers > 0

    def has_room(self, size_bytes: int = 0) -> bool:
        """Whether another call of this size may come in."""
        return len(self._known) < self._limit and self._bytes + size_bytes <= self._limit_bytes

    def find(self, call_id: str) -> Call | None:
        """The call of this id that is on its way already."""
        return self._known.get(call_id)

    def enter(self, call: Call) -> None:
        """Take a call in. It stays known until its fate is settled."""
        self._known[call.id] = call
        self._bytes += call.size_bytes
        call.fate.add_done_callback(lambda _: self._leave(call))
        self._queue.append(call)
        self._came.set()

    def _leave(self, call: Call) -> None:
        if self._known.get(call.id) is call:
            del self._known[call.id]
            self._bytes -= call.size_bytes

    def open(self) -> None:
        """Somebody begins to take calls out."""
        self._readers += 1

    def close(self, taken: Iterable[Call]) -> None:
        """The one who took them out stops: nothing is known of those whose commit was not told, nor of those that wait."""
        self._readers -= 1
        waiting = [*taken, *self._queue]
        self._queue.clear()
        for call in waiting:
            call.settle(Fate.NOT_NOW)

    async def take(self, records: int, idle_seconds: float) -> list[Call]:
        """The calls that wait, up to about so many records; none after so long without any."""
        if not self._queue:
            self._came.clear()
            try:
                async with asyncio.timeout(idle_seconds):
                    await self._came.wait()
            except TimeoutError:
                return []
        taken: list[Call] = []
        count = 0
        while self._queue and (not taken or count + self._queue[0].told.items <= records):
            call = self._queue.popleft()
            if not call.fate.done():
                taken.append(call)
                count += call.told.items
        return taken
