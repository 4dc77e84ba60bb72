"""Fulls that are held, broken, half applied or hostile, beside the records that go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, cast

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import (
    Batch,
    KeyReading,
    Level,
    OrderLookup,
    Outcome,
    Record,
    Reject,
    SnapshotDue,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
)
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.snapshot import Snapshot
from archsyncd.engine.ports import FeedFault, SnapshotSource, StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Snapshots, Store
from archsyncd.engine.tail import Keeper, Tail, TailOptions
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import channel, key, level, movement, place, rules
from tests.review.shop import half

LOOSE = GuardLimits(0, 100, 100, 100)
TIGHT = GuardLimits(100, 0, 0, 0)


async def head(
    shelf: Shelf,
    *items: Level,
    seq_at: int,
    rejects: Sequence[Reject] = (),
    limits: GuardLimits = LOOSE,
    locations: tuple[str, ...] = ("WH1",),
    over_gap: bool = False,
    absent: str = "report",
    end: SnapshotEnd | None = None,
) -> Snapshot:
    """Stage a full and have it judged as the tail does."""
    told = SnapshotHead("main", "e1", "s", seq_at, f"after-{seq_at}", None, locations, over_gap)
    name = await shelf.store.snapshots.begin(told)
    await shelf.store.snapshots.stage("main", name, SnapshotPage(items, tuple(rejects)))
    read = len(items) + len(rejects)
    return await shelf.store.snapshots.assess(
        name,
        end or SnapshotEnd(complete=True, records=read),
        read,
        len(rejects),
        limits,
        resumes=not over_gap,
        absent=absent,
    )


async def approve(shelf: Shelf, snapshot: Snapshot, absent: str = "report") -> None:
    assert await shelf.store.snapshots.decide(snapshot, "looked at", approve=True)
    (found,) = await shelf.store.snapshots.unfinished()
    await shelf.store.snapshots.apply(found, absent)


async def test_f097_behind_a_held_full_movements_wait_for_a_level(shelf: Shelf) -> None:
    """What the expired cursor missed is in the held full alone: a figure from before it must not be moved on."""
    await shelf.read(level(50, 10), level(50, 10, sku="B"))
    await shelf.store.feeds.needs_snapshot("main", "cursor_expired")
    held = await head(shelf, level(100, 4), level(100, 1, sku="B"), seq_at=100, limits=TIGHT)
    assert held.state == "held"
    await shelf.read(movement(101, -1), level(102, 7, sku="B"))
    assert ((await shelf.row()).f, (await shelf.row(key("B"))).f) == (10, 7)
    assert [case.subject for case in await shelf.cases(CaseKind.NEEDS_RESYNC.value)] == ["A at WH1"]
    await shelf.read(movement(103, -2, sku="B"))
    assert (await shelf.row(key("B"))).f == 5
    await approve(shelf, held)
    await shelf.read(level(104, 3))
    await shelf.read(movement(105, -1), movement(106, -1, sku="B"))
    assert ((await shelf.row()).f, (await shelf.row(key("B"))).f) == (2, 4)


async def test_a_held_full_in_sequence_holds_up_no_movement(shelf: Shelf) -> None:
    """Nothing was missed: held fulls do not stop what comes after them (r247/1, section 7)."""
    await shelf.read(level(50, 10))
    assert (await head(shelf, level(100, 4), seq_at=100, limits=TIGHT)).state == "held"
    await shelf.read(movement(101, -1))
    assert (await shelf.row()).f == 9


async def test_a_full_over_a_gap_lets_reading_go_on_only_once_it_is_applied(shelf: Shelf) -> None:
    """Held, it has made up for nothing yet: to read on would leave the missing file out without a word (F1)."""
    await shelf.read(level(50, 10), checkpoint="before the gap")
    held = await head(shelf, level(100, 4), seq_at=100, limits=TIGHT, over_gap=True)
    assert held.state == "held"
    assert (await shelf.store.feeds.state("main")).checkpoint == "before the gap"
    await approve(shelf, held)
    assert (await shelf.store.feeds.state("main")).checkpoint == "after-100"


async def test_a_full_over_a_gap_approved_late_does_not_lead_back(shelf: Shelf) -> None:
    """The missing file came after all and reading has passed the full."""
    await shelf.read(level(50, 10), checkpoint="before the gap")
    held = await head(shelf, level(100, 4), seq_at=100, limits=TIGHT, over_gap=True)
    await shelf.read(level(120, 6), checkpoint="beyond")
    await approve(shelf, held)
    assert (await shelf.store.feeds.state("main")).checkpoint == "beyond"
    assert (await shelf.row()).f == 6


async def test_a_full_of_other_locations_leaves_a_held_one_to_its_decision(shelf: Shelf) -> None:
    """It says nothing of their stock, so it cannot take its place."""
    await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    await shelf.read(level(50, 10), level(51, 5, "WH2"))
    held = await head(shelf, level(100, 4), seq_at=100, limits=TIGHT)
    other = await head(shelf, level(110, 5, "WH2"), seq_at=110, locations=("WH2",))
    await shelf.store.snapshots.apply(other, "report")
    await approve(shelf, held)
    assert (await shelf.row()).f == 9


async def test_s8_what_could_not_be_read_in_a_full_is_not_taken_for_absent(shelf: Shelf) -> None:
    """Nobody knows which keys its unreadable items are about: nothing is set to zero by it."""
    await shelf.read(level(50, 10), level(50, 10, sku="B"))
    bad = Reject("not_an_integer", "must be a JSON integer", record_id="x", sku="B", location="WH1")
    full = await head(shelf, level(100, 4), seq_at=100, rejects=[bad], absent="zero")
    await shelf.store.snapshots.apply(full, "zero")
    assert ((await shelf.row()).f, (await shelf.row(key("B"))).f) == (4, 10)


async def test_f120_sums_beyond_64_bits_are_no_error_of_the_store(shelf: Shelf) -> None:
    """Each figure is an int64; their sum is none, and must not make the store unusable at every try (F5)."""
    most = 2**63 - 1
    await shelf.read(level(1, 3), level(1, 3, sku="B"), level(1, 3, sku="C"))
    items = [level(9, most, sku=sku, on_hand=most) for sku in ("A", "B")]
    end = SnapshotEnd(complete=True, records=3, sum_on_hand=2 * most)
    full = await head(shelf, *items, level(9, 5, sku="C"), seq_at=9, end=end)
    assert full.state == "applying"
    await shelf.store.snapshots.apply(full, "report")
    assert [(await shelf.row(key(sku))).f for sku in ("A", "B", "C")] == [3, 3, 5]
    assert await shelf.kinds() == ["invalid_record", "invalid_record"]


async def test_f100_a_full_that_was_not_used_is_a_case_until_one_is(shelf: Shelf) -> None:
    """A file that is refused leaves no other trace than its receipt."""
    for seq_at in (10, 11):
        broken = await head(shelf, level(seq_at, 4), seq_at=seq_at, end=SnapshotEnd(complete=False))
        assert broken.state == "rejected"
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD.value)
    assert case.count == 2
    await shelf.store.snapshots.apply(await head(shelf, level(12, 4), seq_at=12), "report")
    assert await shelf.kinds() == []


async def test_a_source_that_goes_on_in_an_epoch_it_had_left_is_told(shelf: Shelf) -> None:
    """All it says is old, so its feed would look alive while nothing of it is used (fault 118)."""
    await shelf.read(level(1, 10))
    await shelf.read(level(1, 9), epoch="e2")
    assert (await shelf.read(level(2, 8), epoch="e1")).stale == 1
    (case,) = await shelf.cases(CaseKind.STALE_FEED.value)
    assert "e1" in case.reason
    await shelf.read(level(2, 7), epoch="e2")
    assert await shelf.cases(CaseKind.STALE_FEED.value) == []


async def test_f110_an_old_file_dropped_again_is_no_such_case(shelf: Shelf) -> None:
    """It is read without moving the place reached, and changes nothing."""
    await shelf.read(level(1, 10))
    await shelf.read(level(1, 9), epoch="e2", checkpoint="here")
    await shelf.read(level(2, 8), epoch="e1", checkpoint="here")
    assert await shelf.kinds() == []


class Source:
    """A full of two items."""

    def __init__(self) -> None:
        self.finished: list[str] = []

    async def head(self) -> SnapshotHead:
        return SnapshotHead("main", "e1", "s", 100, "after-100", None, ("WH1",))

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        yield SnapshotPage((level(100, 4), level(100, 6, sku="B")))

    def end(self) -> SnapshotEnd:
        return SnapshotEnd(complete=True, records=2)

    async def finish(self, status: str, outcome: Outcome, reasons: Sequence[str]) -> None:
        del outcome, reasons
        self.finished.append(status)


class Told:
    """A feed that says a list of events once, and is silent afterwards."""

    name = "main"
    offers_lookup = True
    step_seconds = 0.0

    def __init__(self, *events: Any) -> None:
        self.events = list(events)
        self.asked: list[str] = []
        self.over = asyncio.Event()

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        del after
        while self.events:
            yield self.events.pop(0)
        self.over.set()
        await asyncio.Event().wait()

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        pass

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        del locations
        return None

    async def read_key(self, sku: str) -> KeyReading | None:
        self.asked.append(sku)
        raise FeedFault("this way is closed")

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        del reference
        return None

    async def close(self) -> None:
        pass


class ShortOfRoom:
    """Snapshots that find no room on the disk at their first application."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self.failures = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshots, name)

    async def apply(self, snapshot: Snapshot, absent: str, beat: Any) -> Outcome:
        if self.failures:
            self.failures -= 1
            raise StoreFull("no room")
        return await self._snapshots.apply(snapshot, absent, beat)


class ShortStore:
    """A store with such snapshots."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.snapshots = ShortOfRoom(store.snapshots)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class QuickShared(Shared):
    """Rests of no length."""

    async def rest(self, seconds: float) -> None:
        del seconds
        await asyncio.sleep(0)


async def tailed(store: Store, shelf: Shelf, feed: Told) -> Shared:
    """Run a tail until its feed has said everything."""
    shared = QuickShared(shelf.clock)
    options = TailOptions(15.0, ("WH1",), LOOSE, "report")
    tail = Tail(cast("Any", feed), store, shared, options, half, lambda: None)
    running = asyncio.create_task(tail.run())
    over = asyncio.create_task(feed.over.wait())
    await asyncio.wait({running, over}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    shared.begin_stop()
    tail.stop()
    over.cancel()
    await asyncio.wait_for(running, 10)
    return shared


def batch(*records: Record, checkpoint: str = "on") -> Batch:
    return Batch("main", "e1", records, (), checkpoint)


async def test_f024_a_full_that_found_no_room_is_applied_before_anything_after_it(shelf: Shelf) -> None:
    """The checkpoint stands behind it already: left half applied, its levels would be missing until a restart."""
    await shelf.read(level(50, 10), level(50, 10, sku="B"))
    feed = Told(Source(), batch(movement(101, -1)))
    await tailed(cast("Store", ShortStore(shelf.store)), shelf, feed)
    assert ((await shelf.row()).f, (await shelf.row(key("B"))).f) == (3, 6)
    assert await shelf.store.snapshots.unfinished() == []


async def test_f012_what_a_crash_left_half_applied_comes_before_what_followed(shelf: Shelf) -> None:
    """A movement behind the full belongs onto the full's figure, not onto the one before."""
    await shelf.read(level(50, 10))
    assert (await head(shelf, level(100, 4), seq_at=100)).state == "applying"
    await shelf.again()
    await tailed(shelf.store, shelf, Told(batch(movement(101, -1))))
    assert (await shelf.row()).f == 3


async def test_f005_a_key_that_cannot_be_read_singly_delays_no_other(shelf: Shelf) -> None:
    """The feed is read on in one go; the key waits for a level or for the next try."""
    feed = Told(batch(movement(1, -1)), batch(level(2, 5, sku="B")), batch(level(3, 6, sku="C")))
    shared = await tailed(shelf.store, shelf, feed)
    assert feed.asked == ["A"]
    assert ((await shelf.row(key("B"))).f, (await shelf.row(key("C"))).f) == (5, 6)
    assert "A cannot be read" in shared.notes["resync main"]


@pytest.mark.parametrize("later", [1, 60])
async def test_an_approved_full_is_applied_however_many_came_after_it(shelf: Shelf, later: int) -> None:
    """A source whose fulls are broken asks for a new one every minute; they do not bury the one that was approved."""
    await shelf.read(level(50, 10))
    held = await head(shelf, level(100, 4), seq_at=100, limits=TIGHT)
    for number in range(later):
        shelf.clock.pass_by(60)
        await head(shelf, level(200 + number, 1), seq_at=200, end=SnapshotEnd(complete=False))
    keeper = Keeper(shelf.store, Shared(shelf.clock), ("main",), "report", lambda: None)
    assert await shelf.store.snapshots.decide(held, "looked at", approve=True)
    keeper.approve(held.id)
    await keeper.apply_all()
    assert (await shelf.row()).f == 4


async def test_f012_what_a_feed_left_half_applied_that_is_gone_is_finished_all_the_same(shelf: Shelf) -> None:
    """Nobody reads that feed any more; no key could be looked up for as long as its full stands half applied."""
    await shelf.read(level(50, 10))
    assert (await head(shelf, level(100, 4), seq_at=100)).state == "applying"
    await shelf.again()
    shared = Shared(shelf.clock)
    keeper = Keeper(shelf.store, shared, ("another",), "report", lambda: None)
    running = asyncio.create_task(keeper.run())
    while await shelf.store.snapshots.unfinished():
        await asyncio.sleep(0)
        assert not running.done()
    shared.begin_stop()
    await running
    assert (await shelf.row()).f == 4
