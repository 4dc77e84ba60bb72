"""What is true on both sides of the daemon, and what must hold by the stock ledger; knows the file and both simulators.

`Truth.check` holds at any moment, `Truth.off` is empty at rest. A Violation carries the ledger's name of what is broken.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore
from archsyncd.domain.feed import Batch
from archsyncd.simulators.commercetools.exchange import Request
from archsyncd.simulators.r247 import Commitment, FaultKind, Judge, OrderStatus
from archsyncd.simulators.r247.faults import SNAPSHOT_KINDS
from tests.process.site import Site

SKUS = ("A", "B", "C")
# Two locations of one channel, and one of another.
LOCATIONS = {"WH1": "warehouse-1", "WH2": "warehouse-2", "WH3": "warehouse-1"}
CHANNELS = tuple(dict.fromkeys(LOCATIONS.values()))
FEED = "main"
# A decrease is on the entry by then, faults on its way included.
DRAIN_SECONDS = 6.0
NEVER_ENDS_MS = 10**9
OPERATION = re.compile(rb"\b([0-9a-f]{16})/(\d+\.\d+p?)")
OURS = "archsyncd@"
Pool: TypeAlias = tuple[str, str]
# An epoch as the source counts them, and a number of it.
Place: TypeAlias = tuple[int, int]
# What stands there before its first record.
BEGINNING = -1
NOWHERE = (0, BEGINNING - 1)
# After these the feed goes on behind what was not read, be the full in its place good or not.
LOSSES = frozenset({FaultKind.EXPIRED, FaultKind.GAP} | SNAPSHOT_KINDS)


class Violation(AssertionError):
    """Something that must hold did not; `name` is the stock ledger's."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}")
        self.name = name


def hold(name: str, holds: object, what: str) -> None:
    """Raise a Violation unless it holds."""
    if not holds:
        raise Violation(name, what)


@dataclass
class Sold:
    """An order as the world has it; lines as (id, SKU, location, pieces). `cuts`: pieces that an edit took off, and when."""

    id: str
    tracked: bool
    at_ms: int
    lines: list[tuple[str, str, str, int]]
    told: bool = False
    cancelled_ms: int | None = None
    grown: list[tuple[int, str, str, int]] = field(default_factory=list)
    cuts: list[tuple[int, str, str, int]] = field(default_factory=list)

    def commitments(self) -> Iterator[Commitment]:
        """What was promised by it, for the judge."""
        added = {(sku, location): 0 for _, sku, location, _ in self.lines}
        for at_ms, sku, location, pieces in self.grown:
            added[sku, location] += pieces
            yield Commitment(self.id, at_ms, sku, LOCATIONS[location], pieces, self.cancelled_ms)
        for at_ms, sku, location, pieces in self.cuts:
            # Nobody imports what was cut off: it stands for itself, and ended with the edit.
            yield Commitment(f"{self.id} cut", self.at_ms, sku, LOCATIONS[location], pieces, at_ms)
        for _, sku, location, pieces in self.lines:
            first = pieces - added[sku, location]
            yield Commitment(self.id, self.at_ms, sku, LOCATIONS[location], first, self.cancelled_ms)


class Writer(Protocol):
    """The daemon that writes now, as far as it can be looked at."""

    name: str
    ledger: str
    dead: bool
    fenced: bool
    batches: list[Batch]
    first: dict[str, float]
    opened: SqliteStore

    def look(self, question: str, *values: object) -> list[Any]:
        """Ask its file."""
        ...


class Truth:
    """The books of one world. `outages`: when no daemon could act; `tainted`: pools that S2 is not asked of any more.

    `on_hand`: the location that sells by that figure, "" for none.
    """

    def __init__(self, site: Site, pieces: dict[Pool, int], seed: int, on_hand: str = "") -> None:
        self._site = site
        self.on_hand = on_hand
        self._chance = random.Random(seed)
        self.sold: list[Sold] = []
        self.outages: list[tuple[int, int]] = []
        self.tainted: set[Pool] = set()
        self.edited: set[Pool] = set()
        self.poisons: set[Place] = set()
        # Orders that the site has said to be in the warehouse's figures: a ledger that was told so need not know them.
        self.stated: set[str] = set()
        self.lacking = False
        self.excused_until_ms = 0
        self._epochs: dict[str, int] = {}
        self._figures: dict[Pool, list[tuple[Place, tuple[int, int]]]] = {key: [] for key in pieces}
        self._dispatches: dict[str, list[tuple[Place, dict[str, int]]]] = {}
        self._imports: dict[str, set[Place]] = {}
        self._taken_back: dict[Pool, int] = {}
        self._unread_since_ms: int | None = None
        self._wanted: dict[Pool, Place] | None = None
        self._read_through = 0
        self._lines_seen: dict[Pool, int] = {}
        self._last: dict[Pool, tuple[int, int]] = {}
        self._landed: set[str] = set()
        self._refl: dict[tuple[str, str, str, int], int] = {}
        self._found: list[Violation] = []
        self._begin()

    @property
    def _now_ms(self) -> int:
        return int(self._site.clock.now() * 1000)

    def epoch_ends(self) -> None:
        """The source is about to come back under a new epoch: what it told in this one is gone afterwards."""
        self._read_feed()
        self._note_imports()

    def epoch_begins(self) -> None:
        """It is back."""
        self._begin()
        self.loses_records()

    def loses_records(self) -> None:
        """What the source has told and nobody has read may be gone.

        S2 is excused for falls of W alone, which are the only residue (stock ledger, "Why it is safe"): one that nobody could
        read is known when its key is told of again, by a full, which may be held for a person, or by a level.
        """
        self._unread_since_ms = self._unread_since_ms or self._now_ms
        self._wanted = None

    def _begin(self) -> None:
        log = self._site.house.log
        self._epochs[log.epoch] = log.epoch_ordinal
        self._read_through = log.head_seq
        for key, told in self._figures.items():
            holding = self._site.house.warehouse.room.holding(*key)
            told.append(((log.epoch_ordinal, BEGINNING), (holding.on_hand, holding.available)))

    @property
    def loses_more(self) -> bool:
        """Whether something is still to be lost."""
        return any(fault.kind in LOSSES for fault in self._site.house.script.waiting)

    def takes_back(self, sku: str, location: str, pieces: int) -> None:
        """Pieces that were told to have left have not."""
        pool = (sku, LOCATIONS[location])
        self._taken_back[pool] = self._taken_back.get(pool, 0) + pieces

    def asked(self, writer: Writer, request: Request) -> None:
        """A request is about to take effect. What is violated is kept for the next check: here it would end a request only."""
        with self._kept():
            self._check_intents(writer, request)

    def answered(self, writer: Writer) -> None:
        """A request took effect."""
        with self._kept():
            self._check_journal()
            self._check_offers(writer)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Violation as found:
            self._found.append(found)

    def _check_intents(self, writer: Writer, request: Request) -> None:
        """S6, D1: an operation is durable as the one in flight of its key before its first byte."""
        if request.method != "POST":
            return
        for ledger, op_id in OPERATION.findall(request.body):
            if ledger.decode() == writer.ledger:
                rows = writer.look("SELECT sku FROM outbox WHERE op_id = ?", op_id.decode())
                hold("S6", len(rows) == 1, f"{op_id.decode()} is sent and not in flight in the file")

    def check(self, writer: Writer) -> None:
        """Everything that must hold at any moment."""
        if self._found:
            raise self._found[0]
        self._site.shop.settle()
        self._check_journal()
        self._check_offers(writer)
        if not writer.dead and not writer.fenced:
            self._read_feed()
            self._check_levels(writer)
            self._check_records(writer)
            self._check_lines(writer)
            self._check_rows(writer)
        if self._found:
            raise self._found[0]

    def _check_journal(self) -> None:
        """S3, S5: markers on an entry strictly increase, and an operation moves stock once."""
        for pool in self._pools():
            lines = self._site.shop.stock_lines(*pool)
            order = self._last.get(pool, (0, 0))
            for line in lines[self._lines_seen.get(pool, 0) :]:
                if line.operation is not None and line.who.startswith(OURS):
                    hold("S5", line.operation not in self._landed, f"{line.operation} moved {pool} twice")
                    self._landed.add(line.operation)
                    fence, _, number = line.operation.rpartition("/")[2].rstrip("p").partition(".")
                    new = (int(fence), int(number))
                    hold("S3", new > order and int(line.fence) == new[0], f"{new} after {order} on {pool}")
                    order = new
            self._lines_seen[pool] = len(lines)
            self._last[pool] = order

    def _pools(self) -> list[Pool]:
        return [
            (sku, channel) for sku in SKUS for channel in CHANNELS if self._site.shop.has_entry(sku, channel)
        ]

    def commitments(self) -> list[Commitment]:
        """Everything promised by tracked orders."""
        return [one for sold in self.sold if sold.tracked for one in sold.commitments()]

    def _check_offers(self, writer: Writer) -> None:
        """S2: no more is for sale than the warehouse had, less what is promised, where a daemon could know it by now."""
        if self._now_ms < self.excused_until_ms:
            return
        room = self._judge(writer).headroom(self.commitments(), self._now_ms)
        for pool in self._pools():
            offered = self._site.shop.true_stock(*pool)
            if pool not in self.tainted:
                hold(
                    "S2",
                    offered <= room.get(pool, 0),
                    f"{offered} of {pool} for sale, {room.get(pool)} may be",
                )

    def _judge(self, writer: Writer) -> Judge:
        return Judge(
            self._site.house.warehouse,
            drain_seconds=DRAIN_SECONDS,
            outages=self._blind(writer),
            on_hand={self.on_hand} - {""},
        )

    def _blind(self, writer: Writer) -> list[tuple[int, int]]:
        for_ever_ms = self._now_ms + NEVER_ENDS_MS
        if self._unread_since_ms is not None and not writer.dead and self._has_caught_up(writer):
            self.outages.append((self._unread_since_ms, self._now_ms))
            self._unread_since_ms = None
        found = list(self.outages)
        if self._unread_since_ms is not None:
            found.append((self._unread_since_ms, for_ever_ms))
        if writer.dead:
            found.append((self._now_ms, for_ever_ms))
        return found

    def _has_caught_up(self, writer: Writer) -> bool:
        """Whether every key is known again as it was told when nothing was to be lost any more."""
        if self.loses_more:
            return False
        if self._wanted is None:
            self._read_feed()
            self._wanted = {key: told[-1][0] for key, told in self._figures.items()}
        kept = self._kept_places(writer)
        return all(kept.get(key, NOWHERE) >= place for key, place in self._wanted.items())

    def _kept_places(self, writer: Writer) -> dict[Pool, Place]:
        """Where the stored levels stand in the feed."""
        epochs = self._ordinals(writer)
        return {
            (row["sku"], row["location"]): (epochs[row["epoch"]], row["seq"])
            for row in writer.look("SELECT sku, location, epoch, seq FROM level")
        }

    def _ordinals(self, writer: Writer) -> dict[int, int]:
        """The source's count of epochs by the writer's own, which counts those that it has seen."""
        rows = writer.look("SELECT ordinal, name FROM feed_epoch WHERE feed = ?", FEED)
        return {row["ordinal"]: self._epochs[row["name"]] for row in rows}

    def _read_feed(self) -> None:
        """Take what the source has told, as it told it: the truth that stored levels are held against."""
        log = self._site.house.log
        for record in log.after(self._read_through, 10**6, None, None).records:
            place = (log.epoch_ordinal, record.seq)
            self._read_through = record.seq
            if place in self.poisons or record.type not in {"stock.level", "fulfilment"}:
                continue
            body = json.loads(record.body)
            if record.type == "stock.level":
                figures = (body["onHand"], body["available"])
                self._figures[body["sku"], body["location"]].append((place, figures))
            else:
                left = body["lines"] if body["status"] == "shipped" else []
                pieces = {line["lineRef"]: line["quantity"] for line in left}
                self._dispatches.setdefault(body["fulfilmentId"], []).append((place, pieces))

    def _note_imports(self) -> None:
        for order_id, order in self._site.house.warehouse.book.orders.items():
            if order.imported and order.position is not None:
                epoch, seq = order.position
                self._imports.setdefault(order_id, set()).add((self._epochs[epoch], seq))

    def _check_levels(self, writer: Writer) -> None:
        """S8, S9, S10: every stored level is what the warehouse had of that very key there; debts are not clamped."""
        epochs = self._ordinals(writer)
        for row in writer.look("SELECT sku, location, epoch, seq, on_hand, available FROM level"):
            place = (epochs[row["epoch"]], row["seq"])
            true = [told for at, told in self._figures[row["sku"], row["location"]] if at <= place][-1]
            stored = (row["on_hand"], row["available"])
            hold("S8", stored == true, f"{tuple(row)} is stored, {true} was told")

    def _check_records(self, writer: Writer) -> None:
        """F1, F2: what is behind the checkpoint is merged, superseded, or a case."""
        if writer.look("SELECT 1 FROM snapshot WHERE state = 'held'"):
            return
        through = self._through(writer, "AND snapshot_due IS NULL")
        if through is None:
            return
        levels = self._kept_places(writer)
        for key, told in self._figures.items():
            last = max(at for at, _ in told if at <= through)
            kept = levels.get(key, NOWHERE)
            lost = last[0] == through[0] and last[1] > 0 and kept < last
            # A new ledger has nothing to hold a full against: keys that it lacks are not known before they are told of.
            lost = lost and not (self.lacking and kept == NOWHERE)
            hold("F1", not lost, f"{last} of {key} is lost behind {through}")
        first = {self._epochs[name]: seq for name, seq in writer.first.items()}
        rejected = [
            (epoch, seq)
            for epoch, seq in self.poisons
            if epoch == through[0] and first.get(epoch, float("inf")) <= seq <= through[1]
        ]
        cases = writer.look("SELECT 1 FROM exception_case") if rejected else []
        hold("F2", not rejected or cases, f"the records {rejected} are neither merged nor cases")

    def _through(self, writer: Writer, more: str = "") -> Place | None:
        """Up to where the feed is merged; None where it was not read yet."""
        stored = writer.look(f"SELECT epoch, seq FROM feed WHERE name = ? {more}", FEED)
        epoch = self._ordinals(writer).get(stored[0]["epoch"]) if stored else None
        return None if epoch is None else (epoch, stored[0]["seq"])

    def _check_lines(self, writer: Writer) -> None:
        """S12: what is taken for subtracted was; S13: 0 ≤ reflected ≤ committed, and it only grows."""
        self._note_imports()
        epochs = self._ordinals(writer)
        for row in writer.look("SELECT * FROM line_proof WHERE quantity > 0"):
            place = (epochs[row["epoch"]], row["seq"])
            if row["figure"] == "available":
                true = any(at[0] == place[0] and at <= place for at in self._imports.get(row["order_id"], ()))
                hold("S12", true, f"{tuple(row)}: it was not imported by {place}")
            else:
                left = self._left(writer, row["source"], row["line_id"], place)
                hold("S12", left >= row["quantity"], f"{tuple(row)}: {left} have left by {place}")
        book = self._site.house.warehouse.book.orders
        for row in writer.look("SELECT DISTINCT order_id FROM order_line WHERE released = 1"):
            order = book.get(row["order_id"])
            kept = order is not None and order.status is OrderStatus.ACCEPTED
            hold("S12", not kept, f"{row['order_id']} is released and stands in the warehouse")
        for row in writer.look("SELECT channel, sku, refl, known FROM outbox"):
            key = (writer.name, row["channel"], row["sku"], max(epochs, default=0))
            hold("S13", 0 <= row["refl"] <= row["known"], f"{tuple(row)}")
            # A correction of a dispatch, which takes back what was told, is the one thing that lowers it.
            before = self._refl.get(key, 0)
            floor = before - self._taken_back.get((row["sku"], row["channel"]), 0)
            hold("S13", row["refl"] >= floor, f"{tuple(row)} fell from {before}")
            self._refl[key] = max(before, row["refl"])

    def _left(self, writer: Writer, fulfilment: str, line: str, place: Place) -> int:
        """Pieces of a line that a dispatch had taken by a place, as far as nothing merged since then took them back."""
        told = [(at, pieces) for at, pieces in self._dispatches.get(fulfilment, []) if at[0] == place[0]]
        through = self._through(writer)
        then = [pieces.get(line, 0) for at, pieces in told if at <= place][-1:] or [0]
        since = [pieces.get(line, 0) for at, pieces in told if through is not None and place < at <= through]
        return min(then + since)

    def _check_rows(self, writer: Writer) -> None:
        """S4, S14: with nothing in flight x_applied is the archX left there, and what is there with all orders undone."""
        unknown = self._unknown(writer)
        question = "SELECT * FROM outbox WHERE base = 'proven' AND op_id IS NULL AND superseded = ''"
        for row in writer.look(question):
            pool = (row["sku"], row["channel"])
            lines = self._site.shop.stock_lines(*pool) if pool in self._pools() else []
            if not lines or row["seen"] != lines[-1].operation or row["late"]:
                continue
            fence = lines[-1].operation or ""
            if fence.startswith(f"{writer.ledger}/") and not fence.endswith("p") and not row["read_at_ms"]:
                hold(
                    "S14",
                    row["x_applied"] == lines[-1].x or pool in self._doubtful(),
                    f"{pool}: {tuple(row)}",
                )
            if pool not in self._doubtful() and unknown is not None:
                undone = lines[-1].stock_after + row["known"] + unknown.get(pool, 0)
                hold("S4", row["x_applied"] == undone, f"{pool}: {row['x_applied']} booked, {undone} there")

    def _doubtful(self) -> set[Pool]:
        return self.tainted | self.edited

    def _unknown(self, writer: Writer) -> dict[Pool, int] | None:
        """Pieces of tracked orders that the daemon has not learnt yet; None when it is not sure to learn of all of them."""
        question = "SELECT order_id FROM order_head UNION SELECT order_id FROM order_closed"
        known = {row["order_id"] for row in writer.look(question)}
        found: dict[Pool, int] = {}
        for sold in self.sold:
            if sold.id in known or sold.id in self.stated or not sold.tracked:
                continue
            if sold.cancelled_ms is not None:
                return None
            for _, sku, location, pieces in sold.lines:
                pool = (sku, LOCATIONS[location])
                found[pool] = found.get(pool, 0) + pieces
        return found

    def off(self, writer: Writer) -> dict[object, object]:
        """Keys that are not what they must come to: (there, wanted); operations in flight; bases not proven."""
        self._site.shop.settle()
        house = self._site.house.warehouse
        promised = [one for sold in self.sold for one in sold.commitments()]
        waiting = self._judge(writer).unimported(promised)
        wrong: dict[object, object] = {}
        for sku in SKUS:
            for channel in CHANNELS:
                places = [place for place, key in LOCATIONS.items() if key == channel]
                held = {place: house.room.holding(sku, place) for place in places}
                there = sum(
                    one.on_hand if place == self.on_hand else one.available for place, one in held.items()
                )
                wanted = there - waiting.get((sku, channel), 0)
                stock = self._site.stock(sku, channel)
                if stock != wanted:
                    wrong[sku, channel] = (stock, wanted)
        rows = {
            (row["sku"], row["channel"]): (row["base"], row["op_id"])
            for row in writer.look("SELECT channel, sku, base, op_id FROM outbox")
        }
        for sku in SKUS:
            for channel in CHANNELS:
                row = rows.get((sku, channel))
                if row != ("proven", None):
                    wrong[sku, channel, "row"] = row
        return wrong

    async def check_replay(self, writer: Writer) -> None:
        """F3, F4: what was told, told again in another order, changes nothing."""
        store, before = writer.opened, await writer.opened.report.digest()
        state = await store.feeds.state(FEED)
        told = list(writer.batches)
        self._chance.shuffle(told)
        for batch in told:
            await store.feeds.record(replace(batch, checkpoint=state.checkpoint or ""))
        hold(
            "F3",
            await store.report.digest() == before,
            "told again in another order, it came to another state",
        )


def check_image(directory: Path) -> None:
    """D2: the files that a killed process left open, and pass SQLite's own check. Looked at as a copy."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as room:
        for path in directory.iterdir():
            shutil.copy(path, room)
        with contextlib.closing(sqlite3.connect(Path(room) / DATABASE_NAME)) as database:
            found = database.execute("PRAGMA integrity_check").fetchall()
    hold("D2", found == [("ok",)], f"the crash image is damaged: {found}")
