"""A shop and a warehouse in memory around the real store: one SKU, every race the ledger must survive. Judges itself.

The shop is commercetools as documented: increments and markers under a version, orders that debit at creation and show up
to 10 s later, requests whose answer is lost and that may land until the platform ends them. The warehouse sells by itself,
imports orders, and tells of all of it in one sequence. What the store decides is checked against what is true.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from archsyncd.domain.feed import Batch, Level, LineShare, OrderAccepted, OrderLookup, Record
from archsyncd.domain.inventory import Entry, LineMode, Marker, MessageCursor, Order, WriteKind
from archsyncd.domain.ledger import Base, Finding, judge, signature
from archsyncd.domain.outbox import Lease, OutboxRow
from archsyncd.domain.report import Cursor
from archsyncd.domain.rules import DrainLimits, SettleRules
from archsyncd.domain.settlement import (
    Booked,
    Doubted,
    Foreign,
    GivenUp,
    LandedLate,
    PutBack,
    Settled,
    Settlement,
    Vanished,
)
from archsyncd.domain.tenure import Tenure
from tests.adapters.sqlite.shelf import ClosingStore, HandClock, open_sqlite
from tests.domain import nouns
from tests.domain.nouns import channel, key, learn_rules, level, place, rules

LAG_MS = 10_000
REQUEST_LIMIT_MS = 60_000
CONFIRM_MS = 90_000
KEY = key()
Sabotage = Literal[
    "", "absolute push", "blind retry", "adopting a foreign marker", "unproven raise", "early ack"
]
Proof = Literal["record", "nowhere", "level", "look-up"]
Fate = Literal["answered", "lost", "late"]
PROOFS: tuple[Proof, ...] = ("record", "nowhere", "level", "look-up")
FATES: tuple[Fate, ...] = ("answered", "answered", "lost", "late")


@dataclass
class Bought:
    """An order as the world has it. `debited`: it shows on the entry. `imported`: the position from which it is out."""

    order: Order
    pieces: int
    tracked: bool
    debited: bool
    proof: Proof
    imported: int | None = None


@dataclass
class Document:
    """The entry as commercetools keeps it; orders that do not show yet are not in its stock."""

    stock: int
    version: int
    marker: Marker
    born_ms: int
    typed: bool


@dataclass
class Request:
    """A write on its way, what it was decided on, and until when it may land."""

    lease: Lease
    marker: Marker
    bound: int
    until_ms: int


class Oversold(AssertionError):
    """A raise offered more than the warehouse had where the store stood."""


@dataclass
class Trade:
    """The world and the store in it. Every public step is one thing that may happen."""

    directory: Path
    sabotage: Sabotage = ""
    opening_stock: int | None = None
    foreign: bool = False
    clock: HandClock = field(default_factory=HandClock)
    document: Document | None = None
    floating: list[Request] = field(default_factory=list)
    orders: list[Bought] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    available: int = 0
    history: dict[int, int] = field(default_factory=dict)
    landed: set[str] = field(default_factory=set)
    acknowledged: int = 0
    store: ClosingStore = field(init=False)
    fence: int = 0
    since_ms: int = 0
    copied: bool = False

    async def start(self) -> None:
        """Open the store for the first time; the warehouse has six pieces.

        The entry may be there already, and `foreign`: with the marker of another ledger that counted three pieces more.
        """
        if self.opening_stock is not None:
            marker = Marker("another", "0.1", self.opening_stock - 3, "0.1", 0) if self.foreign else Marker()
            self.document = Document(self.opening_stock, 1, marker, self.clock.now_ms - 10**6, self.foreign)
        await self._open()
        self._tell(6)

    async def _open(self) -> None:
        self.store = await open_sqlite(self.directory, self.clock, rules(channel(place("WH1"))))
        self.fence += 1
        self.since_ms = self.clock.now_ms
        await self.store.take_tenure(Tenure("host", self.fence, self.store.ledger.id))

    async def stop(self) -> None:
        await self.store.close()

    # The world

    def _tell(self, available: int, included: tuple[str, ...] = ()) -> int:
        seq = len(self.records) + 1
        self.available = available
        self.history[seq] = available
        self.records.append(level(seq, available, orders_included=included))
        return seq

    def warehouse_moves(self, pieces: int) -> None:
        """A receipt, or a sale over another counter."""
        self._tell(self.available + pieces)

    def sell(self, pieces: int, proof: Proof, *, tracked: bool = True) -> bool:
        """A customer orders; a tracked order is admitted only where the stock covers it."""
        if tracked:
            hidden = sum(bought.pieces for bought in self.orders if bought.tracked and not bought.debited)
            if self.document is None or self.document.stock - hidden < pieces:
                return False
        mode = LineMode.RESERVE_ON_ORDER if tracked else LineMode.NONE
        name = f"o{len(self.orders)}"
        made = nouns.order(nouns.line(pieces, mode=mode), name=name, created_ms=self.clock.now_ms)
        self.orders.append(Bought(made, pieces, tracked, debited=not tracked, proof=proof))
        return True

    def shows(self) -> None:
        """The oldest order that does not show yet now does."""
        for bought in self.orders:
            if not bought.debited and self.document is not None:
                self.document.stock -= bought.pieces
                self.document.version += 1
                bought.debited = True
                return

    def imports(self) -> None:
        """The warehouse takes its oldest open order and tells of it the way this site tells."""
        for bought in self.orders:
            if bought.imported is not None:
                continue
            left = self.available - bought.pieces
            name = bought.order.id
            if bought.proof == "level":
                bought.imported = self._tell(left, (name,))
                return
            seq = bought.imported = len(self.records) + 1
            if bought.proof == "look-up":
                self._tell(left)
                return
            where = "WH1" if bought.proof == "record" else None
            shares = (LineShare("A", bought.pieces, "n1", where),) if where else ()
            self.records.append(OrderAccepted(f"a{seq}", seq, name, None, "SO", shares))
            self._tell(left)
            return

    def passes(self, seconds: float) -> None:
        """Time goes by: orders show within their lag, requests end at the platform's limit."""
        self.clock.pass_by(seconds)
        while any(
            not bought.debited and self.clock.now_ms - bought.order.created_at_ms >= LAG_MS
            for bought in self.orders
        ):
            self.shows()
        self.floating = [sent for sent in self.floating if sent.until_ms > self.clock.now_ms]

    # The daemon's steps, each one call of the store's public methods

    async def lists(self, *, lagging: bool = False) -> None:
        """Read the orders completely up to now, or a little before."""
        complete = self.clock.now_ms - (5_000 if lagging else 0)
        found = [bought.order for bought in self.orders if bought.order.created_at_ms <= complete]
        cursor = Cursor("sweep", MessageCursor("", ""), complete)
        await self.store.orders.learn(found, learn_rules(), cursor)

    async def reads(self, count: int, back: int = 0) -> None:
        """Read the feed on from the checkpoint, or from a little before it; then acknowledge."""
        state = await self.store.feeds.state("main")
        start = max((self.acknowledged if self.sabotage == "early ack" else state.seq) - back, 0)
        part = self.records[start : start + count]
        if not part:
            return
        if self.sabotage == "early ack":
            self.acknowledged = max(self.acknowledged, part[-1].seq)
            if self.acknowledged % 3 == 0:
                await self.crashes()
                return
        await self.store.feeds.record(Batch("main", "e1", tuple(part), (), f"c{part[-1].seq}"))

    async def asks(self) -> None:
        """Look up orders whose acceptance nothing has told of."""
        for bought in self.orders:
            if bought.proof == "look-up" and bought.imported is not None:
                found = OrderLookup("accepted", "SO", "e1", bought.imported)
                await self.store.orders.book_order_lookups([(bought.order.id, "main", found)])

    async def bases(self) -> None:
        """Look up entries that were never looked at."""
        for row in await self.store.outbox.unknown_bases(None, 10):
            entries = [self._entry()] if self.document is not None else []
            creatable = [] if entries else [row.key]
            await self.store.outbox.book_lookups(entries, creatable, (), await self._rules())
        if self.sabotage == "unproven raise":
            await self.checks()

    def _entry(self) -> Entry:
        assert self.document is not None
        found = self.document
        marker = found.marker
        if self.sabotage == "adopting a foreign marker" and marker.ledger is not None:
            marker = replace(marker, ledger=self.store.ledger.id)
        return Entry(
            "E",
            found.version,
            KEY,
            found.stock,
            found.stock,
            marker,
            "type" if found.typed else None,
            found.born_ms,
            self.clock.now_ms,
        )

    async def _rules(self) -> SettleRules:
        complete = (await self.store.orders.cursor("sweep")).complete_ms
        if self.sabotage == "adopting a foreign marker":
            complete = self.clock.now_ms
        wait_ms = 0 if self.sabotage == "unproven raise" else CONFIRM_MS
        return SettleRules(0, wait_ms, complete, self.since_ms, wait_ms)

    async def sends(self, fate: Fate) -> None:
        """Lease and send one operation: answered, applied with its answer lost, or still under way when given up."""
        leases = await self.store.outbox.lease(DrainLimits(), 1)
        for lease in leases:
            row = (await self.store.outbox.rows([KEY]))[KEY]
            assert row.op_id == lease.operation.op_id, "the intent is not durable"
            sent = await self._request(lease)
            if fate == "late":
                self.floating.append(sent)
                await self._settle(lease.operation.op_id, Doubted())
            elif self._lands(sent):
                answer = self._written(lease)
                await self._settle(lease.operation.op_id, answer if fate == "answered" else Doubted())
            else:
                await self._settle(lease.operation.op_id, Doubted())

    async def _request(self, lease: Lease) -> Request:
        marker = Marker(
            self.store.ledger.id,
            lease.operation.op_id,
            lease.operation.x_after,
            lease.operation.op_id,
            self.fence,
        )
        return Request(lease, marker, await self._bound(), self.clock.now_ms + REQUEST_LIMIT_MS)

    async def _bound(self) -> int:
        """What the warehouse had at the level the store stands on, less untracked pieces that it knows and nobody took."""
        read = (await self.store.feeds.state("main")).seq
        at = max((record.seq for record in self.records[:read] if isinstance(record, Level)), default=0)
        known = await self.store.orders.known_orders([bought.order.id for bought in self.orders])
        untracked = [bought for bought in self.orders if not bought.tracked and bought.order.id in known]
        unseen = sum(bought.pieces for bought in untracked if not self._out(bought, at))
        return self.history.get(at, 0) - unseen + self._tracked_out(at)

    def _out(self, bought: Bought, seq: int) -> bool:
        return bought.imported is not None and bought.imported <= seq

    def _tracked_out(self, seq: int) -> int:
        return sum(bought.pieces for bought in self.orders if bought.tracked and self._out(bought, seq))

    def _written(self, lease: Lease) -> Booked:
        assert self.document is not None
        born = self.document.born_ms if lease.kind is WriteKind.CREATE else None
        return Booked("E", self.document.version, born)

    def _lands(self, sent: Request) -> bool:
        """Apply a request under its version, once; a raise is judged here."""
        lease, found = sent.lease, self.document
        if lease.kind is WriteKind.CREATE:
            if found is not None:
                return False
            self.document = Document(lease.quantity, 1, sent.marker, self.clock.now_ms, typed=True)
        else:
            if found is None or found.version != lease.version:
                return False
            if self.sabotage == "absolute push":
                found.stock = self.history.get(len(self.history), self.available)
            else:
                found.stock += lease.quantity
            found.version += 1
            found.marker, found.typed = sent.marker, True
        op = f"{sent.marker.ledger}/{sent.marker.op_id}"
        assert op not in self.landed, "an operation took effect twice"
        self.landed.add(op)
        if lease.increases:
            self._judge_raise(sent)
        return True

    def _judge_raise(self, sent: Request) -> None:
        """S2: S plus what tracked orders took out of it never exceeds W plus what of them W excludes, less N."""
        assert self.document is not None
        offered = self.document.stock + self._debits()
        if offered > sent.bound:
            raise Oversold(f"{offered} are offered in all, the bound is {sent.bound}")

    def _debits(self) -> int:
        """What orders have taken out of this entry so far."""
        assert self.document is not None
        born = self.document.born_ms
        own = (b for b in self.orders if b.tracked and b.debited and b.order.created_at_ms >= born)
        return sum(bought.pieces for bought in own)

    async def lands_late(self) -> None:
        """A request that everybody had given up takes effect after all, or turns out to be refused."""
        if self.floating:
            self._lands(self.floating.pop(0))

    async def resolves(self) -> None:
        """Read the entries of operations in doubt and settle them, as the resolver does."""
        for row in await self.store.outbox.in_doubt(10):
            assert row.op_id is not None
            await self._settle(row.op_id, self._verdict(row))

    def _verdict(self, row: OutboxRow) -> Settlement:
        operation = row.operation
        if self.sabotage == "blind retry":
            return PutBack(version=self.document.version if self.document else None)
        if self.document is None or operation is None:
            return GivenUp(0) if row.op_kind is WriteKind.CREATE else Vanished()
        entry = self._entry()
        finding = judge(entry.marker, self.store.ledger.id, self.fence, operation, row.superseded, row.seen)
        created = entry.created_at_ms if row.op_kind is WriteKind.CREATE else None
        assert finding is not Finding.FENCED, "nobody has a newer fence here"
        if finding is Finding.APPLIED:
            return Booked(entry.id, entry.version, created)
        if finding is Finding.LATE_OWN and entry.marker.x is not None:
            return LandedLate(entry.marker.x, entry.id, entry.version, entry.marker.op_id or "", created)
        if finding is Finding.NOT_APPLIED and row.op_kind is not WriteKind.CREATE:
            if row.version is not None and entry.version != row.version and not row.superseded:
                return PutBack(version=entry.version)
            return GivenUp(entry.version)
        return Foreign(entry)

    async def _settle(self, op_id: str, settlement: Settlement) -> None:
        await self.store.outbox.settle([Settled(KEY, op_id, settlement)], await self._rules())

    async def checks(self) -> None:
        """Read entries whose check is due, and judge earlier reads that the order list covers."""
        due = await self.store.outbox.checks_due(10)
        if due:
            found = [self._entry()] if self.document is not None else []
            await self.store.outbox.book_reads(found, [] if found else [KEY])
        complete = (await self.store.orders.cursor("sweep")).complete_ms
        if self.sabotage == "unproven raise":
            await self.store.outbox.judge_reads(self.clock.now_ms, 0, 10)
        else:
            await self.store.outbox.judge_reads(complete, LAG_MS, 10)

    async def crashes(self) -> None:
        """Die without settling anything, and start again under a newer fence."""
        await self.store.close()
        await self._open()

    async def copies(self) -> None:
        """Take a backup of the file."""
        await self.store.close()
        shutil.copytree(self.directory, self._copy(), dirs_exist_ok=True)
        self.copied = True
        await self._open()

    async def restores(self) -> None:
        """Somebody puts the old copy of the file back."""
        if not self.copied:
            return
        await self.store.close()
        shutil.rmtree(self.directory)
        shutil.copytree(self._copy(), self.directory)
        await self._open()

    def _copy(self) -> Path:
        return self.directory.with_name(f"{self.directory.name}-copy")

    async def warms_up(self) -> None:
        """Give the key a proven base and bring it in step, as after a quiet first hour."""
        for _ in range(3):
            await self.reads(10)
            await self.bases()
            await self.sends("answered")
            await self.checks()
            self.passes(120)
            await self.lists()
            await self.checks()

    # The end

    async def check_row(self) -> None:
        """S4, S14: with nothing in flight, what is applied is the archX of our last write, and all that orders left of it.

        Told of a proven base whose marker is the one we left there; what was put back from a copy has yet to find out.
        """
        row = (await self.store.outbox.rows([KEY])).get(KEY)
        await self._check_history(row)
        if row is None or self.document is None or row.base is not Base.PROVEN:
            return
        marker = self.document.marker
        if row.op_id is not None or row.superseded or row.seen != signature(marker):
            return
        assert row.x_applied == self.document.stock + self._debits()
        if marker.ledger == self.store.ledger.id and not (marker.op_id or "").endswith("p"):
            assert row.x_applied == marker.x

    async def _check_history(self, row: OutboxRow | None) -> None:
        """Opening and deltas come to what is applied, and each row of the history leads from the one before to its own."""
        told = await self.store.history.after(KEY, 0, 10_000)
        assert told.current == (row.applied if row else None)
        assert told.adds_up, f"{told.opened_with} {told.deltas:+d} is not {told.current}"
        stands = told.opened_with
        for change in told.changes:
            stands += change.delta
            assert stands == (change.x_after or 0), change

    async def folds(self) -> None:
        """The history's keeper takes a step, a short one: pages end within keys."""
        await self.store.history.fold(10**6, 3)

    async def comes_to_rest(self) -> None:
        """Everything is sold, imported, told, proven and drained; then S must be what the warehouse has (S1)."""
        for _ in range(len(self.orders)):
            self.imports()
        for _ in range(12):
            self.passes(200)
            await self.lists()
            await self.reads(1_000)
            await self.asks()
            await self.bases()
            await self.resolves()
            await self.checks()
            for _ in range(3):
                await self.sends("answered")
                await self.resolves()
        await self._judge_rest()

    async def _judge_rest(self) -> None:
        row = (await self.store.outbox.rows([KEY])).get(KEY)
        assert row is not None
        assert self.document is not None
        assert (row.op_id, row.base, row.x_applied) == (None, Base.PROVEN, row.x_target)
        assert self.document.stock == self.available == row.x_target - row.known
        before = await self.store.report.digest()
        state = await self.store.feeds.state("main")
        await self.reads(1_000, back=state.seq)
        await self.lists()
        assert await self.store.report.digest() == before


async def walk(directory: Path, seed: int, steps: int, sabotage: Sabotage = "") -> None:
    """One life of a key by chance, to its end at rest. Raises AssertionError where the ledger failed."""
    chance = random.Random(seed)
    opening = chance.choice((None, 0, 6, 9))
    trade = Trade(directory, sabotage, opening, foreign=opening is not None and chance.random() < 0.4)
    await trade.start()
    try:
        if chance.random() < 0.7:
            await trade.warms_up()
        for _ in range(steps):
            await happens(trade, chance)
        await trade.comes_to_rest()
    finally:
        await trade.stop()


Step: TypeAlias = Callable[[Trade, random.Random], Awaitable[object] | object]
STEPS: tuple[tuple[int, Step], ...] = (
    (
        14,
        lambda trade, chance: trade.sell(
            chance.randint(1, 3), chance.choice(PROOFS), tracked=chance.random() < 0.85
        ),
    ),
    (8, lambda trade, chance: trade.warehouse_moves(chance.choice((-2, -1, 1, 2, 4)))),
    (8, lambda trade, _: trade.imports()),
    (6, lambda trade, chance: trade.passes(chance.choice((1, 4, 11, 30, 95)))),
    (4, lambda trade, _: trade.shows()),
    (8, lambda trade, chance: trade.lists(lagging=chance.random() < 0.5)),
    (12, lambda trade, chance: trade.reads(chance.randint(1, 4), chance.choice((0, 0, 0, 2)))),
    (3, lambda trade, _: trade.asks()),
    (5, lambda trade, _: trade.bases()),
    (12, lambda trade, chance: trade.sends(chance.choice(FATES))),
    (3, lambda trade, _: trade.lands_late()),
    (7, lambda trade, _: trade.resolves()),
    (5, lambda trade, _: trade.checks()),
    (3, lambda trade, _: trade.crashes()),
    (1, lambda trade, _: trade.copies()),
    (2, lambda trade, _: trade.folds()),
    (2, lambda trade, _: trade.restores()),
)
WEIGHTS = tuple(weight for weight, _ in STEPS)


async def happens(trade: Trade, chance: random.Random) -> None:
    """One step by chance."""
    (_, step), *_rest = chance.choices(STEPS, WEIGHTS)
    done = step(trade, chance)
    if isinstance(done, Awaitable):
        await done
    await trade.check_row()
