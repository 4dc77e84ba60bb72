"""Snapshots in the store: staged apart, judged whole, applied by position, held for a person (faults 97 to 102, 110, 167)."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Level, Reject, SnapshotEnd, SnapshotHead, SnapshotPage
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.snapshot import Snapshot
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import ON_HAND, channel, key, level, movement, place, rules

LOOSE = GuardLimits(0, 100, 100, 100)


def full(count: int, quantity: int = 5, seq: int = 50, location: str = "WH1") -> list[Level]:
    return [level(seq, quantity, location, f"S{number:03d}") for number in range(count)]


async def stocked(shelf: Shelf, count: int = 100) -> None:
    """A feed that stands at 10 with `count` SKUs of 5 pieces, and one accepted full of as many."""
    await shelf.read(*full(count, seq=10))
    snapshot = await shelf.snapshot(*full(count, seq=20), seq_at=20)
    assert snapshot.state == "applying"
    await shelf.store.snapshots.apply(snapshot, "report")


async def applied(shelf: Shelf, snapshot: Snapshot, absent: str = "report") -> list[str]:
    """Apply a snapshot; the states of all, newest first."""
    await shelf.store.snapshots.apply(snapshot, absent)
    return [found.state for found in await shelf.store.snapshots.listed()]


async def test_f097_a_snapshot_resumes_the_feed_from_its_own_cursor(shelf: Shelf) -> None:
    """Levels at or before its position lose, later ones win, whatever comes first (F7)."""
    await shelf.read(level(60, 9, sku="S001"), checkpoint="gone")
    await shelf.store.feeds.needs_snapshot("main", "cursor_expired")
    snapshot = await shelf.snapshot(*full(3), level(70, 8, sku="S009"), seq_at=60)
    state = await shelf.store.feeds.state("main")
    assert (snapshot.state, state.checkpoint, state.snapshot_due) == ("applying", "after-60", None)
    assert not await shelf.has_row(key("S000"))
    assert await applied(shelf, snapshot) == ["applied"]
    assert ((await shelf.row(key("S000"))).f, (await shelf.row(key("S001"))).f) == (5, 9)
    assert (await shelf.read(level(40, 1, sku="S000"), level(50, 1, sku="S000"))).stale == 2
    await shelf.read(movement(61, -2, sku="S000"))
    assert (await shelf.row(key("S000"))).f == 3


async def test_f097_a_broken_snapshot_and_a_held_one_after_it_lose_no_record_between_them(
    shelf: Shelf,
) -> None:
    """What came since the first was asked for can be read: neither has told of it."""
    await stocked(shelf)
    await shelf.store.feeds.needs_snapshot("main", "cursor_expired")
    broken = await shelf.snapshot(*full(3), seq_at=60, end=SnapshotEnd(complete=False))
    assert broken.state == "rejected"
    again = await shelf.snapshot(*full(3), seq_at=65, end=SnapshotEnd(complete=False))
    assert again.state == "rejected"
    held = await shelf.snapshot(*full(3, seq=70), seq_at=70)
    assert (held.state, (await shelf.store.feeds.state("main")).checkpoint) == ("held", "after-60")
    await shelf.store.feeds.needs_snapshot("main", "cursor_expired")
    later = await shelf.snapshot(*full(3, seq=80), seq_at=80)
    assert (later.state, (await shelf.store.feeds.state("main")).checkpoint) == ("held", "after-80")


@pytest.mark.parametrize(
    ("cause", "epoch", "goes_on"),
    [
        ("an operator asked for it", "e1", "here"),
        ("aliases_changed", "e1", "here"),
        ("epoch_changed", "e1", "here"),
        ("epoch_changed", "e2", "after-60"),
        ("cursor_expired", "e1", "after-60"),
        ("gap", "e1", "after-60"),
    ],
)
@pytest.mark.parametrize("held", [False, True])
async def test_f097_a_feed_that_has_lost_no_place_reads_on_from_there(
    shelf: Shelf, cause: str, epoch: str, goes_on: str, *, held: bool
) -> None:
    """What was told between its place and a snapshot that somebody asked for may be a dispatch: it is not left out."""
    await shelf.read(*full(9, seq=20), checkpoint="here")
    await shelf.store.feeds.needs_snapshot("main", cause)
    items = [level(60, 0 if held else 5, sku=f"S{number:03}") for number in range(9)]
    snapshot = await shelf.snapshot(*items, seq_at=60, epoch=epoch, keeps_place=True)
    state = await shelf.store.feeds.state("main")
    assert snapshot.state == ("held" if held else "applying")
    assert (state.checkpoint, state.snapshot_due) == (goes_on, None)


async def test_f012_a_snapshot_half_applied_is_applied_again(shelf: Shelf) -> None:
    """Killed in the middle or after its end: positions make the repetition harmless, and nothing is zeroed."""
    await shelf.read(level(1, 2, sku="S001"))
    snapshot = await shelf.snapshot(*full(5, seq=30), seq_at=50, limits=LOOSE)
    await shelf.again()
    (left,) = await shelf.store.snapshots.listed()
    assert left.state == "applying"
    await shelf.store.snapshots.apply(left, "report")
    digest = await shelf.store.report.digest()
    await shelf.store.snapshots.apply(snapshot, "zero")
    assert await shelf.store.report.digest() == digest


async def test_f012_a_snapshot_that_was_not_read_to_its_end_changes_nothing(shelf: Shelf) -> None:
    """The next one begins anew; what was staged is dropped."""
    await shelf.read(level(1, 9, sku="S000"))
    head = SnapshotHead("main", "e1", "s-1", 50, "c", None, ("WH1",))
    name = await shelf.store.snapshots.begin(head)
    await shelf.store.snapshots.stage("main", name, SnapshotPage(tuple(full(3))))
    await shelf.again()
    assert (await shelf.row(key("S000"))).f == 9
    snapshot = await shelf.snapshot(*full(2))
    assert [found.id for found in await shelf.store.snapshots.listed()] == [snapshot.id]
    assert snapshot.records == 2


@pytest.mark.parametrize(
    ("end", "word"),
    [
        (SnapshotEnd(complete=False), "complete"),
        (SnapshotEnd(complete=True, records=4), "counts 4"),
        (SnapshotEnd(complete=True, records=3, sum_on_hand=11), "sums 11"),
    ],
)
async def test_f100_a_cut_off_or_miscounted_snapshot_is_rejected_whole(
    shelf: Shelf, end: SnapshotEnd, word: str
) -> None:
    """No trailer, another count, another sum: not one item of it is applied, the checkpoint stays."""
    await shelf.read(level(1, 9, sku="S000"), checkpoint="c-1")
    items = [level(50, 5, sku=f"S{number:03d}", on_hand=5) for number in range(3)]
    snapshot = await shelf.snapshot(*items, end=end)
    assert snapshot.state == "rejected"
    assert word in snapshot.reasons[0]
    assert (await shelf.store.feeds.state("main")).checkpoint == "c-1"
    assert await applied(shelf, snapshot) == ["rejected"]
    assert (await shelf.row(key("S000"))).f == 9


async def test_f100_matching_check_figures_are_accepted(shelf: Shelf) -> None:
    """The count includes what could not be read; the sum is compared only when all was read."""
    items = [level(50, 5, sku=f"S{number:03d}", on_hand=5) for number in range(3)]
    end = SnapshotEnd(complete=True, records=3, sum_on_hand=15)
    assert (await shelf.snapshot(*items, end=end)).state == "applying"
    head = SnapshotHead("main", "e1", "s-2", 60, "c", None, ("WH1",))
    name = await shelf.store.snapshots.begin(head)
    reject = Reject("not_an_integer", "must be a JSON integer", sku="S009", location="WH1")
    await shelf.store.snapshots.stage("main", name, SnapshotPage(tuple(items[:2]), (reject,)))
    end = SnapshotEnd(complete=True, records=3, sum_on_hand=15)
    judged = await shelf.store.snapshots.assess(name, end, 3, 1, LOOSE, resumes=True)
    assert (judged.state, judged.records, judged.rejected) == ("applying", 2, 1)
    assert await shelf.kinds() == [CaseKind.INVALID_RECORD]


@pytest.mark.parametrize(
    ("items", "word"),
    [
        ([], "empty"),
        (full(79), "79 records"),
        (
            full(69) + full(31, quantity=0)[:0] + [level(50, 0, sku=f"S{n:03d}") for n in range(69, 100)],
            "zero",
        ),
        ([level(50, 6, sku=f"S{n:03d}") for n in range(100)], "would change"),
        (full(100) + full(6, location="WH7"), "unmapped"),
    ],
    ids=["empty", "short", "zeroing", "changing", "unmapped"],
)
async def test_f102_a_full_beyond_the_guards_is_held_and_publishes_nothing(
    shelf: Shelf, items: list[Level], word: str
) -> None:
    """S15: it waits for a person; deltas go on from its cursor meanwhile."""
    await stocked(shelf)
    before = await shelf.store.report.digest()
    snapshot = await shelf.snapshot(*items)
    assert snapshot.state == "held"
    assert word in " ".join(snapshot.reasons)
    assert await shelf.store.report.digest() == before
    assert await shelf.kinds() == [CaseKind.HELD_SNAPSHOT]
    await shelf.read(level(51, 4, sku="S000"))
    assert (await shelf.row(key("S000"))).f == 4


async def test_f102_an_approved_full_applies_where_nothing_newer_came(shelf: Shelf) -> None:
    """By position: a key that the deltas have moved on is left alone; the decision is made once."""
    await stocked(shelf)
    held = await shelf.snapshot(*(level(50, 9, sku=f"S{number:03d}") for number in range(100)))
    await shelf.read(level(51, 4, sku="S000"))
    assert await shelf.store.snapshots.decide(held, "checked with the warehouse", approve=True)
    assert not await shelf.store.snapshots.decide(held, "again", approve=False)
    assert await shelf.cases() == []
    await applied(shelf, held)
    assert ((await shelf.row(key("S000"))).f, (await shelf.row(key("S001"))).f) == (4, 9)


async def test_f102_a_refused_full_is_gone(shelf: Shelf) -> None:
    """A person said no: its items are dropped."""
    await stocked(shelf)
    shelf.clock.pass_by(1)
    held = await shelf.snapshot()
    assert await shelf.store.snapshots.decide(held, "an export error", approve=False)
    assert (await applied(shelf, held, "zero"))[0] == "rejected"
    assert (await shelf.row(key("S000"))).f == 5


async def test_f102_a_newer_full_takes_the_place_of_a_held_one(shelf: Shelf) -> None:
    """Nobody can approve what is out of date."""
    await stocked(shelf)
    held = await shelf.snapshot()
    shelf.clock.pass_by(1)
    newer = await shelf.snapshot(*full(100, seq=60), seq_at=60)
    assert newer.state == "applying"
    assert not await shelf.store.snapshots.decide(held, "too late", approve=True)
    assert await shelf.cases() == []


async def test_a_digest_names_the_content_whatever_its_order(shelf: Shelf) -> None:
    """What a person approves is exactly what was shown."""
    first = await shelf.snapshot(*full(5))
    shelf.clock.pass_by(1)
    second = await shelf.snapshot(*reversed(full(5)))
    shelf.clock.pass_by(1)
    third = await shelf.snapshot(*full(4), level(50, 6, sku="S004"))
    assert first.digest == second.digest != third.digest


async def test_f110_a_full_older_than_what_was_applied_is_rejected(shelf: Shelf) -> None:
    """By its position, or by a retired epoch; one of the position itself is welcome."""
    await shelf.read(level(60, 9))
    assert (await shelf.snapshot(*full(3), seq_at=59)).state == "rejected"
    assert (await shelf.snapshot(*full(3), seq_at=60)).state == "applying"
    await shelf.read(level(1, 9), epoch="e2")
    assert (await shelf.snapshot(*full(3), seq_at=99, epoch="e1")).state == "rejected"


async def test_f110_the_numbers_of_a_retired_epoch_do_not_age_a_full(shelf: Shelf) -> None:
    """A late batch of the old epoch has big numbers; they mean nothing in the new one."""
    await shelf.read(level(900, 9))
    await shelf.read(level(1, 9), epoch="e2")
    await shelf.read(level(901, 9), epoch="e1")
    assert (await shelf.snapshot(*full(3), seq_at=5, epoch="e2")).state == "applying"


async def test_f110_a_feed_resumed_in_a_new_epoch_does_not_stand_at_a_number_of_the_old_one(
    shelf: Shelf,
) -> None:
    """A source that was restored is read on from its full; a later full has small numbers as well, and is as good."""
    await shelf.read(level(900, 9))
    await applied(shelf, await shelf.snapshot(*full(3, seq=5), seq_at=5, epoch="e2", limits=LOOSE))
    await shelf.read(level(7, 4, sku="S000"), epoch="e2")
    assert (await shelf.store.feeds.state("main")).seq == 7
    assert (await shelf.snapshot(*full(3, seq=8), seq_at=8, epoch="e2", limits=LOOSE)).state == "applying"


@pytest.mark.parametrize(("absent", "quantity", "kinds"), [("report", 5, 1), ("keep", 5, 0), ("zero", 0, 0)])
async def test_f101_absent_is_what_the_configuration_says(
    shelf: Shelf, absent: str, quantity: int, kinds: int
) -> None:
    """Reported, kept, or removed; never zero unless it is told so."""
    await stocked(shelf)
    snapshot = await shelf.snapshot(*full(99), absent=absent)
    assert snapshot.state == "applying"
    assert snapshot.figures is not None
    assert snapshot.figures.absent == 1
    await applied(shelf, snapshot, absent)
    assert (await shelf.row(key("S099"))).f == quantity
    assert len(await shelf.cases()) == kinds


async def test_f101_absent_spares_keys_that_are_newer_or_out_of_scope(shelf: Shelf) -> None:
    """A level that came after the snapshot, another location, another feed: none of its business."""
    await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    await stocked(shelf, 10)
    await shelf.read(level(60, 7, sku="later"), level(11, 7, "WH2", "there"))
    await shelf.read(level(1, 7, sku="other"), feed="north")
    snapshot = await shelf.snapshot(*full(10, seq=61), seq_at=61)
    assert snapshot.state == "applying"
    await shelf.read(level(62, 3, sku="S000"), level(62, 7, sku="later"))
    await applied(shelf, snapshot, "zero")
    found = [(await shelf.row(key(sku))).f for sku in ("later", "there", "other", "S000")]
    assert found == [7, 7, 7, 3]


async def test_f167_zeroing_by_absence_meets_the_same_guard(shelf: Shelf) -> None:
    """What a full does not name would fall to zero as surely as what it names so."""
    await stocked(shelf)
    items = [*full(55), *(level(50, 0, sku=f"S{number:03d}") for number in range(55, 82))]
    assert (await shelf.snapshot(*items, absent="zero")).state == "held"
    shelf.clock.pass_by(1)
    assert (await shelf.snapshot(*items, absent="report")).state == "applying"


async def test_f167_the_figure_that_is_sold_is_the_one_that_is_guarded(shelf: Shelf) -> None:
    """Where on hand is sold, on hand falling to zero counts, whatever is said to be available."""
    await shelf.store.use_rules(rules(channel(place("WH1", sells=ON_HAND))))
    before = [level(10, 5, sku=f"S{number}", on_hand=5) for number in range(10)]
    await shelf.read(*before)
    after = [level(50, 5, sku=f"S{number}", on_hand=0) for number in range(4)]
    kept = [level(50, 5, sku=f"S{number}", on_hand=5) for number in range(4, 10)]
    held = await shelf.snapshot(*after, *kept)
    assert held.state == "held"
    assert "zero" in held.reasons[0]


async def test_f167_a_full_is_compared_with_the_last_one_of_its_own_locations(shelf: Shelf) -> None:
    """A small shop's full after the big warehouse's is no short full; an approved one becomes the measure."""
    await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    await stocked(shelf)
    shelf.clock.pass_by(1)
    shop = await shelf.snapshot(*full(10, seq=30, location="WH2"), seq_at=30, locations=("WH2",))
    assert shop.state == "applying"
    await applied(shelf, shop)
    shelf.clock.pass_by(1)
    short = await shelf.snapshot(*full(60, seq=40), seq_at=40)
    assert short.state == "held"
    await shelf.store.snapshots.decide(short, "we closed a hall", approve=True)
    await applied(shelf, short)
    assert (await shelf.store.feeds.state("main")).last_full_records == 60
    shelf.clock.pass_by(1)
    assert (await shelf.snapshot(*full(58, seq=50), seq_at=50, absent="keep")).state == "applying"


async def test_a_snapshot_beyond_one_step_is_applied_whole(shelf: Shelf) -> None:
    """More items than one transaction takes, in pages of a hundred."""
    snapshot = await shelf.snapshot(*full(4_500, seq=50))
    outcome = await shelf.store.snapshots.apply(snapshot, "report")
    assert (outcome.read, outcome.applied) == (4_500, 4_500)
    assert (await shelf.store.report.key_counts()).total == 4_500


async def test_f102_a_full_of_a_new_epoch_older_than_what_was_applied_is_held(shelf: Shelf) -> None:
    """A source restored from an old backup: its positions begin anew, its figures are of last week."""
    shelf.clock.pass_by(9 * 86_400)
    await shelf.read(level(9, 7, sku="S000", as_of="2026-01-09T00:00:00Z"))
    snapshot = await shelf.snapshot(level(1, 9, sku="S000"), epoch="e2", seq_at=1, limits=LOOSE)
    assert snapshot.state == "held"
    assert "2026-01-09T00:00:00.000Z" in snapshot.reasons[0]
    assert (await shelf.row(key("S000"))).f == 7


async def test_f102_the_order_in_which_locations_are_named_means_nothing(shelf: Shelf) -> None:
    """A tenth of the records is as suspicious when the manifest names the locations the other way round."""
    await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    both = [*full(50), *full(50, location="WH2")]
    await applied(shelf, await shelf.snapshot(*both, locations=("WH1", "WH2"), limits=LOOSE))
    few = [*full(5, seq=60), *full(5, seq=60, location="WH2")]
    snapshot = await shelf.snapshot(*few, locations=("WH2", "WH1"), seq_at=60)
    assert (snapshot.state, "10 records" in snapshot.reasons[0]) == ("held", True)
