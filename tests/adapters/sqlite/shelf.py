"""A store in a directory, with the words the tests speak to it in. Knows no SQL."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from archsyncd.adapters.sqlite.store import open_store
from archsyncd.domain.cases import Case
from archsyncd.domain.feed import Batch, Outcome, Record, Reject, SnapshotEnd, SnapshotHead, SnapshotPage
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.inventory import Entry, Marker, Order, StockKey
from archsyncd.domain.ledger import Base, Figures
from archsyncd.domain.outbox import Lease, OutboxRow
from archsyncd.domain.rules import DrainLimits, LearnRules, Rules, SettleRules
from archsyncd.domain.settlement import Booked, Settled, Settlement
from archsyncd.domain.snapshot import Snapshot
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.ports import Clock
from archsyncd.engine.store import Store
from tests.domain.nouns import BORN_MS, key, learn_rules, rules

LEDGER = "ledger-1"
CONFIRM_MS = 90_000
LAG_MS = 10_000
QUIET = SettleRules(0, CONFIRM_MS, 0)


@dataclass
class HandClock:
    """Time moved by hand; the wall clock may be set apart from the monotonic one."""

    now_ms: int = BORN_MS
    seconds: float = 1_000.0

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.now_ms += int(seconds * 1000)

    def jump_wall(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)


class ClosingStore(Store, Protocol):
    """A store that can be closed."""

    def close(self) -> Awaitable[None]:
        """Close it."""
        ...


class OpenStore(Protocol):
    """Opens the store of a directory, creating it where there is none."""

    async def __call__(self, directory: Path, clock: Clock, rules: Rules) -> ClosingStore:
        """Open it."""
        ...


async def open_sqlite(directory: Path, clock: Clock, rules: Rules) -> ClosingStore:
    """The SQLite store of a directory."""
    return await open_store(directory, clock, rules, project="p", host="h", new_ledger_id=LEDGER)


def entry(
    stock: int = 0,
    at: StockKey | None = None,
    *,
    version: int = 1,
    marker: Marker | None = None,
    born_ms: int = BORN_MS,
    read_ms: int = BORN_MS,
    name: str = "E",
    **more: Any,
) -> Entry:
    """An entry as read, by default without a marker."""
    type_id = None if marker is None else "type"
    return Entry(
        name, version, at or key(), stock, stock, marker or Marker(), type_id, born_ms, read_ms, **more
    )


@dataclass
class Shelf:
    """The store with its clock, and short ways to feed it and to look at it."""

    opener: OpenStore
    directory: Path
    store: ClosingStore
    clock: HandClock
    fence: int = 1
    checkpoints: int = 0
    settle_rules: SettleRules = QUIET
    learn_rules: LearnRules = field(default_factory=learn_rules)

    @classmethod
    async def open(cls, opener: OpenStore, directory: Path, use: Rules | None = None) -> Shelf:
        clock = HandClock()
        store = await opener(directory, clock, use or rules())
        fence = store.ledger.run  # every opening has a newer one
        shelf = cls(opener, directory, store, clock, fence)
        await store.take_tenure(Tenure("host", fence, store.ledger.id))
        return shelf

    async def again(self, use: Rules | None = None) -> None:
        """Close and open anew under a newer fence, as after a restart."""
        await self.store.close()
        self.store = await self.opener(self.directory, self.clock, use or self.store.rules)
        self.fence = self.store.ledger.run
        await self.store.take_tenure(Tenure("host", self.fence, self.store.ledger.id))

    async def close(self) -> None:
        await self.store.close()

    async def read(
        self,
        *records: Record,
        feed: str = "main",
        epoch: str = "e1",
        rejects: Sequence[Reject] = (),
        checkpoint: str | None = None,
    ) -> Outcome:
        self.checkpoints += 1
        mark = checkpoint or f"c{self.checkpoints}"
        return await self.store.feeds.record(Batch(feed, epoch, records, tuple(rejects), mark))

    async def learn(self, *orders: Order, use: LearnRules | None = None) -> int:
        return await self.store.orders.learn(orders, use or self.learn_rules)

    async def row(self, at: StockKey | None = None) -> OutboxRow:
        found = await self.store.outbox.rows([at or key()])
        return found[at or key()]

    async def has_row(self, at: StockKey) -> bool:
        return at in await self.store.outbox.rows([at])

    async def figures(self, at: StockKey | None = None) -> Figures:
        row = await self.row(at)
        return Figures(row.f, row.refl, row.ntrk, row.known)

    async def based(self, stock: int, at: StockKey | None = None, **more: Any) -> OutboxRow:
        """Give a key its base from an entry and prove it by a clean read."""
        found = entry(stock, at, **more)
        await self.store.outbox.book_lookups([found], (), (), self.settle_rules)
        self.clock.pass_by(CONFIRM_MS / 1000)
        read = replace(found, read_at_ms=self.clock.now_ms)
        await self.store.outbox.book_reads([read], ())
        await self.store.outbox.judge_reads(self.clock.now_ms + LAG_MS, LAG_MS, 100)
        row = await self.row(found.key)
        assert row.base is Base.PROVEN
        return row

    async def lease(self, limit: int = 10, **limits: Any) -> list[Lease]:
        return await self.store.outbox.lease(DrainLimits(**limits), limit)

    async def settle(self, lease: Lease, settlement: Settlement, use: SettleRules | None = None) -> OutboxRow:
        settled = Settled(lease.key, lease.operation.op_id, settlement)
        await self.store.outbox.settle([settled], use or self.settle_rules)
        return await self.row(lease.key)

    async def drain(self) -> list[Lease]:
        """Send whatever is due, every write taking effect."""
        done: list[Lease] = []
        while leases := await self.lease():
            for lease in leases:
                version = (lease.version or 0) + 1
                await self.settle(lease, Booked(lease.entry_id or f"E-{lease.key.sku}", version))
            done.extend(leases)
            self.clock.pass_by(10)
        return done

    async def cases(self, kind: str = "", state: str = "open") -> list[Case]:
        return await self.store.cases.listed(state=state, kind=kind, limit=10_000)

    async def kinds(self) -> list[str]:
        return [case.kind.value for case in await self.cases()]

    async def snapshot(
        self,
        *items: Any,
        seq_at: int = 50,
        epoch: str = "e1",
        locations: tuple[str, ...] = ("WH1",),
        end: SnapshotEnd | None = None,
        limits: GuardLimits | None = None,
        absent: str = "report",
        feed: str = "main",
        keeps_place: bool = False,
    ) -> Snapshot:
        """Stage a snapshot and have it judged; whoever wants it applied asks for that."""
        head = SnapshotHead(feed, epoch, "s-9", seq_at, f"after-{seq_at}", "2026-01-01T00:00:00Z", locations)
        name = await self.store.snapshots.begin(head)
        for start in range(0, len(items), 100):
            page = SnapshotPage(tuple(items[start : start + 100]))
            await self.store.snapshots.stage(feed, name, page)
        return await self.store.snapshots.assess(
            name,
            end or SnapshotEnd(complete=True, records=len(items)),
            len(items),
            0,
            limits or GuardLimits(),
            resumes=True,
            absent=absent,
            keeps_place=keeps_place,
        )
