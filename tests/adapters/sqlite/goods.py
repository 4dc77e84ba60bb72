"""A store behind a source whose names and units are translated, and a person who changes how. Knows no SQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from archsyncd.adapters.sqlite.name_store import NameStore
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.aliases import Aliases
from archsyncd.domain.feed import (
    Batch,
    KeyReading,
    Level,
    OrderLookup,
    Outcome,
    Record,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
    SnapshotStatus,
)
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.snapshot import Snapshot
from archsyncd.domain.units import Units
from archsyncd.engine.named_feed import NamedFeed, NamedSnapshot
from archsyncd.engine.naming import Naming, Terms
from archsyncd.engine.ports import SnapshotSource
from archsyncd.engine.renaming import Permission, Renaming
from tests.adapters.sqlite.shelf import Shelf, open_sqlite
from tests.domain.nouns import key, rules

ANYTHING = GuardLimits(maximum_changed_percent=100, maximum_to_zero_percent=100)


def terms(listed: Mapping[str, str] | None = None, factors: Mapping[str, int] | None = None) -> Terms:
    """Aliases (Archean's SKU to commercetools') and pieces by unit."""
    return Terms(
        Aliases(listed or {}), Units({unit: Fraction(pieces) for unit, pieces in (factors or {}).items()})
    )


@dataclass
class Paper:
    """A snapshot in the source's terms."""

    items: Sequence[Level]
    seq_at: int
    paging: int = 100

    async def head(self) -> SnapshotHead:
        return SnapshotHead(
            "main", "e1", "s", self.seq_at, f"after-{self.seq_at}", "2026-01-01T00:00:00Z", ("WH1",)
        )

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        for start in range(0, len(self.items), self.paging):
            yield SnapshotPage(tuple(self.items[start : start + self.paging]))

    def end(self) -> SnapshotEnd:
        return SnapshotEnd(complete=True, records=len(self.items))

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Nobody is told."""


@dataclass
class Mouth:
    """A source that tells what it is given."""

    name: str = "main"
    step_seconds: float = 1.0
    offers_lookup: bool = False
    says: list[Batch] = field(default_factory=list)
    shows: tuple[Level, ...] = ()
    shown_at: int = 0

    async def batches(self, after: str | None) -> AsyncIterator[Batch]:  # noqa: ARG002 - the port's
        while self.says:
            yield self.says.pop(0)

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Nothing is kept of it."""

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:  # noqa: ARG002
        return None

    async def read_key(self, sku: str) -> KeyReading | None:
        found = tuple(each for each in self.shows if each.sku == sku)
        return KeyReading(self.name, "e1", self.shown_at, found)

    async def look_up_order(self, reference: str) -> OrderLookup | None:  # noqa: ARG002 - the port's
        return None

    async def close(self) -> None:
        """Nothing is open."""


class Goods:
    """The store, the source and the terms between them."""

    def __init__(self, shelf: Shelf, use: Terms) -> None:
        self.shelf = shelf
        self.mouth = Mouth()
        self._begin(use)

    def _begin(self, use: Terms) -> None:
        self.naming = Naming(use)
        self.naming.book = self.book
        self.feed = NamedFeed(self.mouth, self.naming)
        self.renaming = Renaming(self.shelf.store, self.book, self.naming, lambda: None)

    @property
    def book(self) -> NameStore:
        """The names, as the store has them open now."""
        assert isinstance(self.shelf.store, SqliteStore)
        return self.shelf.store.names

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, use: Terms) -> AsyncIterator[Goods]:
        shelf = await Shelf.open(open_sqlite, path, rules())
        try:
            await shelf.store.use_rules(shelf.store.rules)
            goods = cls(shelf, use)
            await goods.renaming.put_in_force(use)
            yield goods
        finally:
            await shelf.close()

    async def again(self, use: Terms) -> bool:
        """Start anew with these terms, as after a stop or a crash; whether sources must tell anew."""
        await self.shelf.again()
        self._begin(use)
        await self.renaming.check(use, Permission(100))
        return await self.renaming.put_in_force(use)

    async def change(self, use: Terms) -> bool:
        """Put other terms in force, as a reload does."""
        return await self.renaming.put_in_force(use)

    async def translated(self, *records: Record, **more: Any) -> Batch:
        """A batch in our terms, as they are now."""
        self.shelf.checkpoints += 1
        self.mouth.says = [Batch("main", "e1", records, (), f"c{self.shelf.checkpoints}", **more)]
        found = [each async for each in self.feed.batches(None)]
        assert isinstance(found[0], Batch)
        return found[0]

    async def told(self, *records: Record, **more: Any) -> Outcome:
        return await self.shelf.store.feeds.record(await self.translated(*records, **more))

    async def shown(self, sku: str, seq_at: int, *levels: Level) -> Outcome:
        """One of our SKUs is read singly."""
        self.mouth.shows, self.mouth.shown_at = levels, seq_at
        reading = await self.feed.read_key(sku)
        assert reading is not None
        return await self.shelf.store.feeds.record_reading(reading)

    async def judged(self, seq_at: int, *items: Level, limits: GuardLimits = ANYTHING) -> Snapshot:
        """Stage a full and have it judged."""
        source = NamedSnapshot(Paper(items, seq_at), "main", self.naming)
        snapshots = self.shelf.store.snapshots
        name = await snapshots.begin(await source.head())
        async for page in source.pages():
            await snapshots.stage("main", name, page)
        return await snapshots.assess(name, source.end(), len(items), 0, limits, resumes=True)

    async def full(self, seq_at: int, *items: Level, absent: str = "report") -> Outcome:
        """Stage a full, and apply it."""
        snapshot = await self.judged(seq_at, *items)
        assert snapshot.state == "applying", snapshot.reasons
        return await self.shelf.store.snapshots.apply(snapshot, absent)

    async def finish_left(self) -> None:
        """Apply what was judged and not applied yet, as a tail does first of all."""
        for snapshot in await self.shelf.store.snapshots.unfinished():
            await self.shelf.store.snapshots.apply(snapshot, "report")

    async def f(self, *skus: str) -> tuple[int | None, ...]:
        """What the levels of these SKUs come to, None where there is no row."""
        rows = await self.shelf.store.outbox.rows([key(sku) for sku in skus])
        return tuple(rows[key(sku)].f if key(sku) in rows else None for sku in skus)
