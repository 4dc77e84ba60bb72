"""One key of a shop whose lists and entries lag, our writes in flight, people who edit, and pages that are judged late.

The store and the rules of the ledger are the daemon's own; what stands between them and the world is written out here, so that
the unguarded forms of a comparison can be put in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from archsyncd.adapters.sqlite.codec import put_outbox_rows
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.inventory import Entry, Marker
from archsyncd.domain.ledger import drift, rebased
from archsyncd.domain.outbox import Lease, OutboxRow, scheduled
from archsyncd.domain.reconciling import Listing, Mode, RunState, Wanted
from archsyncd.domain.settlement import Booked, PutBack
from tests.adapters.sqlite.shelf import LEDGER, Shelf, open_sqlite
from tests.domain.nouns import key, level, line, order
from tests.system.truth import hold

LAG_MS = 10_000
LIST_LAG_MS = 10_000
FIRST_PIECES = 12


@dataclass
class Sold:
    """An order: when it was placed, and from when on the entry and the list show it."""

    name: str
    pieces: int
    created_ms: int
    visible_ms: int
    listed_ms: int
    learnt: bool = False


class Guarded:
    """The daemon's own comparison: a page waits for the orders, and what differs is read once more."""

    async def judge(self, plant: ReconcilePlant, page: Listing) -> bool:
        """Judge a page; False while it must wait."""
        if plant.complete_ms < page.server_ms + LAG_MS:
            return False
        run = await plant.shelf.store.reconciles.begin(Wanted(Mode.APPLY))
        assert run is not None
        await plant.shelf.store.reconciles.judge(run, page, LAG_MS)
        await plant.shelf.store.reconciles.end(run, RunState.DONE)
        return True


class Unguarded(Guarded):
    """A control: corrects by the page itself, with one guard of three left out."""

    def __init__(self, without: str) -> None:
        self.without = without

    async def judge(self, plant: ReconcilePlant, page: Listing) -> bool:
        if self.without != "complete orders" and plant.complete_ms < page.server_ms + LAG_MS:
            return False
        entry, row = page.entries[0], await plant.shelf.row()
        if self.without != "the newest version" and (
            row.op_id is not None or entry.version < (row.version or 0)
        ):
            return True
        start, stop = entry.read_at_ms - LAG_MS, entry.read_at_ms + LAG_MS
        if self.without != "a quiet window" and any(
            one.learnt and start <= one.created_ms <= stop for one in plant.sold
        ):
            return True
        later = sum(one.pieces for one in plant.sold if one.learnt and one.created_ms > entry.read_at_ms)
        known = row.known - later
        if row.x_applied is not None and drift(entry.quantity_on_stock, row.x_applied, known):
            now_ms = plant.shelf.clock.now_ms
            after = scheduled(replace(row, x_applied=rebased(entry.quantity_on_stock, known)), now_ms)
            await plant.put(after)
        return True


class ReconcilePlant:
    """The world of one key. `moves_version`: an order raises the entry's version when it begins to show."""

    def __init__(self, judging: Guarded, *, moves_version: bool) -> None:
        self.judging = judging
        self.moves_version = moves_version
        self.pieces = self.stock = FIRST_PIECES
        self.version = 1
        self.marker = Marker()
        self.sold: list[Sold] = []
        self.raised_by_hand = 0
        self.pages: list[Listing] = []
        self.flying: list[Lease] = []
        self.complete_ms = 0
        self.seq = 1

    async def open(self, directory: Path) -> None:
        """A store that knows the key, with its base proven."""
        self.shelf = await Shelf.open(open_sqlite, directory)
        await self.shelf.read(level(1, self.pieces))
        await self.shelf.based(self.stock)

    async def close(self) -> None:
        """Nothing of it is left."""
        await self.shelf.close()

    @property
    def now_ms(self) -> int:
        return self.shelf.clock.now_ms

    @property
    def excess(self) -> int:
        """By how much the entry offers more than there is."""
        return self.stock - (self.pieces - sum(one.pieces for one in self.sold))

    async def put(self, row: OutboxRow) -> None:
        """Keep a row as a control wants it."""

        async def step(scope: Scope) -> None:
            await put_outbox_rows(scope, [row])

        await cast("SqliteStore", self.shelf.store)._session.write(step)

    def entry(self) -> Entry:
        """The entry as a reader sees it now; the time of a read has no fraction of a second."""
        hidden = [one for one in self.sold if one.visible_ms > self.now_ms]
        shown = self.stock + sum(one.pieces for one in hidden)
        moved = len(self.sold) - len(hidden) if self.moves_version else 0
        read_ms = self.now_ms // 1000 * 1000
        return Entry("E", self.version + moved, key(), shown, shown, self.marker, "type", 0, read_ms)

    # What happens

    def sells(self, pieces: int, entry_ms: int, list_ms: int) -> None:
        """A shopper orders what is for sale."""
        if self.stock >= pieces:
            self.stock -= pieces
            now = self.now_ms
            self.sold.append(Sold(f"o{len(self.sold)}", pieces, now, now + entry_ms, now + list_ms))

    def edits(self, pieces: int) -> None:
        """A person changes the entry."""
        self.stock += pieces
        self.version += 1
        self.raised_by_hand += max(pieces, 0)

    async def receives(self, pieces: int) -> None:
        """Goods arrive, and Archean tells of them."""
        self.pieces += pieces
        self.seq += 1
        # What was sold is not imported: the warehouse's figure holds it still.
        await self.shelf.read(level(self.seq, self.pieces))

    async def learns(self) -> None:
        """The list of orders is read up to what it can show."""
        found = [one for one in self.sold if not one.learnt and one.listed_ms <= self.now_ms]
        await self.shelf.learn(
            *(
                order(line(one.pieces, line_id=f"n-{one.name}"), name=one.name, created_ms=one.created_ms)
                for one in found
            )
        )
        for one in found:
            one.learnt = True
        self.complete_ms = self.now_ms - LIST_LAG_MS

    def lists(self) -> None:
        """The walk reads its page."""
        entry = self.entry()
        page = Listing("", (entry,), (), (), "E", full=False, ordered=True, server_ms=entry.read_at_ms)
        self.pages.append(page)

    async def judges(self) -> None:
        """The oldest page is compared, if it may be."""
        if self.pages and await self.judging.judge(self, self.pages[0]):
            self.pages.pop(0)

    async def checks(self) -> None:
        """What is due is read by its id, and earlier reads are judged."""
        if await self.shelf.store.outbox.checks_due(10):
            await self.shelf.store.outbox.book_reads([self.entry()], ())
        await self.shelf.store.outbox.judge_reads(self.complete_ms, LAG_MS, 10)

    async def sends(self) -> None:
        """What is due goes out and takes effect, or meets a newer version; the answer is under way."""
        for lease in await self.shelf.lease():
            if lease.version != self.entry().version:
                await self.shelf.settle(lease, PutBack(0, self.entry().version, check=False, needs_type=None))
                continue
            self.stock += lease.quantity
            self.version += 1
            op = lease.operation
            self.marker = Marker(LEDGER, op.op_id, op.x_after, op.op_id, 1)
            self.flying.append(lease)
            if lease.increases:
                told = f"{self.excess} pieces too many are for sale, {self.raised_by_hand} of them by hand"
                hold("S11", self.excess <= self.raised_by_hand, told)

    async def answers(self) -> None:
        """The oldest answer comes in."""
        if self.flying:
            await self.shelf.settle(self.flying.pop(0), Booked("E", self.entry().version))

    def passes(self, milliseconds: int) -> None:
        """Time goes by."""
        self.shelf.clock.pass_by(milliseconds / 1000)

    async def comes_to_rest(self) -> None:
        """Nobody does anything any more: two walks, and whatever they set going."""
        for _ in range(2):
            self.lists()
            for _ in range(12):
                self.passes(7_000)
                await self.learns()
                await self.judges()
                await self.checks()
                await self.sends()
                await self.answers()
        row = await self.shelf.row()
        hold("S1", self.excess == 0, f"{self.excess} pieces off at rest: {row}")
