"""The real drain, limiter and store before a commercetools of a test's making, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.feed import Batch, Level
from archsyncd.domain.inventory import Entry, EntryWrite, Failure, Marker, StockKey, WriteAnswer, Written
from archsyncd.domain.rules import Rules
from archsyncd.domain.stock import ChannelPolicy, LocationPolicy, Policies
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Outbox, Store
from tests.bench.stock import ADOPTING, AS_OF, EPOCH, FEED, LEDGER, opened
from tests.support.virtual_time import VirtualClock

# Each channel sells from the one location of its name.
CHANNELS = ("web", "shop")
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """One write as it was taken; `wave` tells which ones shared a request."""

    at: float
    sku: str
    pieces: int
    wave: int


@dataclass(slots=True)
class Till:
    """Takes writes after a latency. `answer` and `whole` may answer otherwise, by the write or by the batch."""

    clock: VirtualClock
    latency_seconds: float = 0.05
    sent: list[Sent] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)
    answer: Callable[[EntryWrite], WriteAnswer | None] = lambda _write: None
    whole: Callable[[Sequence[EntryWrite]], Failure | None] = lambda _writes: None

    async def write(self, write: EntryWrite) -> WriteAnswer:
        self.requests.append(self.clock.monotonic())
        answered = self.answer(write) or self._taken(write)
        await self.clock.sleep(self.latency_seconds)
        return answered

    async def write_many(self, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
        self.requests.append(self.clock.monotonic())
        self.batches.append(len(writes))
        refused = self.whole(writes)
        answered = refused or tuple(self.answer(write) or self._taken(write) for write in writes)
        await self.clock.sleep(self.latency_seconds)
        return answered

    def _taken(self, write: EntryWrite) -> WriteAnswer:
        self.sent.append(Sent(self.clock.monotonic(), write.key.sku, write.quantity, len(self.requests)))
        return Written(write.entry_id or "", (write.version or 0) + 1, 0)

    @property
    def skus(self) -> list[str]:
        """What was taken, in order."""
        return [one.sku for one in self.sent]


class Swayed:
    """The store with another outbox in the place of its own."""

    def __init__(self, store: SqliteStore, outbox: Outbox) -> None:
        self._store = store
        self.outbox = outbox

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


@dataclass(slots=True)
class Rig:
    """What a test of the drain moves."""

    clock: VirtualClock
    store: SqliteStore
    shared: Shared
    limiter: Limiter
    till: Till
    options: DrainOptions
    drain: Drain
    seq: int = 0

    async def tell(self, figures: Mapping[str, int], channel: str = "web") -> None:
        """The warehouse's figures change."""
        levels = tuple(
            Level(f"l{seq}", seq, sku, channel, None, pieces, AS_OF)
            for seq, (sku, pieces) in enumerate(figures.items(), self.seq + 1)
        )
        self.seq += len(levels)
        await self.store.feeds.record(Batch(FEED, EPOCH, levels, (), str(self.seq)))
        self.shared.work.set()

    async def adopt(self, stock: Mapping[str, int], channel: str = "web") -> None:
        """Entries that show these figures beyond doubt: nothing is due."""
        await self.tell(stock, channel)
        entries = [
            Entry(
                f"{channel}-{sku}",
                3,
                StockKey(channel, sku),
                pieces,
                pieces,
                Marker(LEDGER, f"1.{place}", pieces, "1", 1),
                "type-1",
                1,
                1,
            )
            for place, (sku, pieces) in enumerate(stock.items())
        ]
        await self.store.outbox.book_lookups(entries, (), (), ADOPTING)

    def use(self, outbox: Outbox) -> None:
        """Drain by another outbox."""
        store = cast("Store", Swayed(self.store, outbox))
        client = cast("Commercetools", self.till)
        self.drain = Drain(store, client, self.limiter, self.shared, self.options, lambda: None)

    @asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """The drain runs for the length of the block, and must not fail."""
        running = asyncio.create_task(self.drain.run())
        try:
            yield
            assert not running.done(), "the drain ended"
        finally:
            self.shared.begin_stop()
            self.limiter.quiesce()
            await asyncio.wait_for(running, 60)

    async def until(self, holds: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        """Wait for a condition, so long at most."""
        end = self.clock.monotonic() + seconds
        while not holds():
            assert self.clock.monotonic() < end, f"not within {seconds:g} s: {what}"
            await self.clock.sleep(LOOK_SECONDS)


@asynccontextmanager
async def rig(
    directory: Path,
    *,
    rate: float = 1_000.0,
    burst: float = 1_000.0,
    places: int = 16,
    batch: int = 1,
    batch_cost: float = 1.0,
    interval_seconds: float = 0.0,
) -> AsyncIterator[Rig]:
    """A drain that stands still, before a till that takes everything."""
    clock = VirtualClock()
    policies = {name: ChannelPolicy(name, {name: LocationPolicy(name, name)}) for name in CHANNELS}
    async with opened(directory, clock, Rules(Policies(policies))) as store:
        shared = Shared(clock)
        limiter = Limiter(rate, burst, places, clock, lambda: 0.5)
        till = Till(clock)
        options = DrainOptions(
            batch, batch_cost, interval_seconds, 1.0, tracked=True, writes=True, ledger=LEDGER, fence=1
        )
        drain = Drain(store, cast("Commercetools", till), limiter, shared, options, lambda: None)
        yield Rig(clock, store, shared, limiter, till, options, drain)
