"""Feeds in the store: a batch is all or nothing, positions decide, and what cannot be applied waits visibly."""

from __future__ import annotations

import random
from typing import Any

import pytest

from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.cases import CLOSED_LIMIT_CASES, FOLD_LIMIT_CASES, CaseKind, CaseNews, NewCase
from archsyncd.domain.feed import Batch, Heartbeat, KeyReading, Reject
from archsyncd.domain.report import KeyCounts
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import (
    AVAILABLE,
    ON_HAND,
    channel,
    key,
    level,
    line,
    movement,
    order,
    place,
    removal,
    rules,
)

HOSTILE_SKUS = (
    'it\'s "quoted" and `ticked`',
    "'; DROP TABLE outbox; --",
    "[1,2]",
    '{"a":1}',
    "100%_*?",
    "a\\u0000b",
    "é",
    "e\u0301",
    "ＡＢＣ",
    "a",
    "A",
    " A",
    "A ",
    "٣",
    "🧦" * 64,
    "x" * 256,
    "A/B",
    "../../etc/passwd",
    "null",
    "-0",
    "00",
    "0",
    "\u202eABC",
)


async def test_f002_records_rejects_and_checkpoint_are_one(shelf: Shelf) -> None:
    """A batch that fails on its last step leaves nothing of itself (F1)."""
    await shelf.read(level(1, 10), checkpoint="c-1")
    reject = Reject("not_an_integer", "must be a JSON integer", sku="B", location="WH1", seq=3)
    failing = Batch("main", "e1", (level(2, 4),), (reject,), "c-2", head_seq=2**70)
    with pytest.raises(OverflowError):
        await shelf.store.feeds.record(failing)
    state = await shelf.store.feeds.state("main")
    assert (state.checkpoint, state.seq, state.read_total, state.rejected_total) == ("c-1", 1, 1, 0)
    assert (await shelf.row()).f == 10
    assert await shelf.cases() == []


async def test_f104_a_poison_record_is_set_aside_and_the_feed_goes_on(shelf: Shelf) -> None:
    """The reject, its case and the checkpoint behind it are in the same commit; the value before it stays (S8)."""
    await shelf.read(level(1, 10))
    reject = Reject(
        "not_an_integer", "must be a JSON integer", "/available", "3.7", sku="A", location="WH1", seq=2
    )
    outcome = await shelf.read(level(3, 9, sku="B"), rejects=[reject], checkpoint="c-3")
    assert (outcome.read, outcome.applied, outcome.rejected) == (2, 1, 1)
    assert outcome.faults[0].code == "not_an_integer"
    assert (await shelf.store.feeds.state("main")).checkpoint == "c-3"
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD)
    assert "3.7" in case.reason
    assert (await shelf.row()).f == 10


async def test_f096_a_movement_after_an_unreadable_record_of_its_key_waits_for_a_level(shelf: Shelf) -> None:
    """What the poison record moved is unknown: applying the next movement to the level before it would oversell."""
    await shelf.read(level(1, 10))
    poison = Reject("not_an_integer", "must be a JSON integer", sku="A", location="WH1", seq=2)
    await shelf.read(movement(3, +1), movement(4, 2, sku="B"), rejects=[poison])
    assert (await shelf.row()).f == 10
    await shelf.read(movement(5, +1))
    assert (await shelf.row()).f == 10
    due = await shelf.store.feeds.resyncs("main", 0, 10)
    assert {(wanted.sku, wanted.location) for wanted in due} == {("A", "WH1"), ("B", "WH1")}
    await shelf.read(level(6, 4), movement(7, -1))
    assert (await shelf.row()).f == 3
    assert [case.subject for case in await shelf.cases(CaseKind.NEEDS_RESYNC)] == ["B at WH1"]


async def test_f096_a_movement_before_the_unreadable_record_still_applies(shelf: Shelf) -> None:
    """Only what comes after the gap has nothing to stand on."""
    await shelf.read(level(1, 10))
    poison = Reject("not_an_integer", "must be a JSON integer", sku="A", location="WH1", seq=3)
    await shelf.read(movement(2, -4), movement(4, +9), rejects=[poison])
    assert (await shelf.row()).f == 6


async def test_f121_a_movement_after_a_held_level_waits_too(shelf: Shelf) -> None:
    """It is relative to the level that a person has not allowed yet."""
    await shelf.store.use_rules(rules(channel(place("WH1"), maximum=100)))
    await shelf.read(level(1, 10))
    await shelf.read(level(2, 500))
    await shelf.read(movement(3, -1))
    assert (await shelf.row()).f == 10


async def test_f095_late_levels_and_retired_epochs_are_stale(shelf: Shelf) -> None:
    """Epochs are numbered by first sight; an older one is old whatever its numbers say."""
    await shelf.read(level(5, 10))
    assert (await shelf.read(level(4, 99))).stale == 1
    await shelf.read(level(1, 7), epoch="e2")
    assert (await shelf.read(level(900, 99), level(901, 50, sku="B"), epoch="e1")).stale == 2
    assert (await shelf.row()).f == 7
    assert not await shelf.has_row(key("B"))
    state = await shelf.store.feeds.state("main")
    assert (state.epoch, state.seq, state.snapshot_due) == (2, 1, "epoch_changed")


async def test_f095_a_reading_opens_an_epoch_as_a_batch_does(shelf: Shelf) -> None:
    """Once any answer told of the new epoch, the old one is retired for every key."""
    await shelf.read(level(5, 10))
    await shelf.store.feeds.record_reading(KeyReading("main", "e2", 3, (level(3, 4),)))
    assert (await shelf.read(level(6, 9, sku="B"), epoch="e1")).stale == 1
    assert (await shelf.row()).f == 4
    assert (await shelf.store.feeds.state("main")).snapshot_due == "epoch_changed"


async def test_f095_bare_movements_wait_in_a_new_epoch(shelf: Shelf) -> None:
    """Levels of the new epoch apply, bare movements wait for one (r247/1, section 1, rule 5)."""
    await shelf.read(level(5, 10))
    await shelf.read(movement(1, -1), epoch="e2")
    assert (await shelf.row()).f == 10
    assert [case.kind for case in await shelf.cases()] == [CaseKind.NEEDS_RESYNC]
    await shelf.store.feeds.record_reading(KeyReading("main", "e2", 2, (level(2, 8),)))
    assert (await shelf.row()).f == 8
    assert await shelf.store.feeds.resyncs("main", 0, 10) == []
    assert await shelf.cases() == []


async def test_f096_a_level_settles_what_its_own_key_waits_for_and_nothing_else(shelf: Shelf) -> None:
    """However many keys wait; the case of each closes with it."""
    await shelf.read(movement(1, -1), movement(2, -1, sku="B"))
    await shelf.read(level(3, 5, sku="C"))
    assert len(await shelf.store.feeds.resyncs("main", 0, 10)) == 2
    await shelf.read(level(4, 5, sku="B"))
    assert [wanted.sku for wanted in await shelf.store.feeds.resyncs("main", 0, 10)] == ["A"]
    assert [case.subject for case in await shelf.cases(CaseKind.NEEDS_RESYNC)] == ["A at WH1"]


async def test_f096_an_unreadable_record_older_than_the_level_leaves_nothing_to_wait_for(
    shelf: Shelf,
) -> None:
    """The level that is kept was told after it; no other record of the key need come to settle that."""
    await shelf.read(level(5, 10))
    await shelf.read(
        rejects=[Reject("not_an_integer", "must be a JSON integer", sku="A", location="WH1", seq=4)]
    )
    assert await shelf.store.feeds.resyncs("main", 0, 10) == []


async def test_f096_a_key_is_asked_for_again_only_after_a_while(shelf: Shelf) -> None:
    """What was asked for is remembered with its time."""
    await shelf.read(movement(1, -1))
    assert len(await shelf.store.feeds.resyncs("main", 0, 10)) == 1
    await shelf.store.feeds.resync_asked("main", "A")
    assert await shelf.store.feeds.resyncs("main", shelf.clock.now_ms - 1, 10) == []
    shelf.clock.pass_by(60)
    assert len(await shelf.store.feeds.resyncs("main", shelf.clock.now_ms - 60_000, 10)) == 1


async def test_a_movement_with_its_balance_is_a_level(shelf: Shelf) -> None:
    """The delta is only audited then; without a balance it moves the baseline."""
    await shelf.read(movement(1, -3, balance_available=40))
    assert (await shelf.row()).f == 40
    await shelf.read(movement(2, -3))
    assert (await shelf.row()).f == 37
    assert (await shelf.read(movement(2, -3))).stale == 1
    assert (await shelf.row()).f == 37


async def test_f129_a_sku_the_source_drops_is_lowered_to_nothing(shelf: Shelf) -> None:
    """Renamed or removed: the old key falls by an ordinary decrease, and its tombstone keeps it down."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.read(removal(2), level(3, 10, sku="A-NEW"))
    (lease,) = await shelf.lease()
    assert (lease.key, lease.quantity) == (key(), -10)
    assert (await shelf.read(level(1, 10))).stale == 1
    assert (await shelf.row()).f == 0


async def test_f126_an_unmapped_locations_levels_are_kept_until_the_rules_map_it(shelf: Shelf) -> None:
    """One case tells of the location; once mapped, its levels count without being sent again."""
    await shelf.read(level(1, 10), level(2, 5, "WH2"), level(3, 6, "WH2", "B"))
    assert (await shelf.row()).f == 10
    assert not await shelf.has_row(key("B"))
    (case,) = await shelf.cases(CaseKind.LOCATION_UNMAPPED)
    assert "2 levels" in case.reason
    changed = await shelf.store.use_rules(rules(channel(place("WH1"), place("WH2"))))
    assert changed == 2
    assert (await shelf.row()).f == 15
    assert (await shelf.row(key("B"))).f == 6
    assert await shelf.cases() == []


async def test_f126_a_location_mapped_elsewhere_leaves_its_old_channel(shelf: Shelf) -> None:
    """Its pieces are never for sale in two channels."""
    await shelf.read(level(1, 10), level(2, 5, "WH2"))
    both = channel(place("WH1"), place("WH2"))
    await shelf.store.use_rules(rules(both))
    assert (await shelf.row()).f == 15
    await shelf.store.use_rules(rules(channel(place("WH1")), channel(place("WH2", "shop"), name="shop")))
    assert ((await shelf.row()).f, (await shelf.row(key(channel="shop"))).f) == (10, 5)
    await shelf.store.use_rules(rules(channel(place("WH1"))))
    assert (await shelf.row()).f == 10
    await shelf.store.use_rules(rules(channel(place("WH2"))))
    assert (await shelf.row()).f == 5


async def test_an_ignored_location_is_read_and_not_told(shelf: Shelf) -> None:
    """Read, kept, not sold, and no case."""
    await shelf.store.use_rules(rules(channel(place("WH1")), ignored=frozenset({"RET"})))
    await shelf.read(level(1, 10, "RET"))
    assert await shelf.cases() == []
    assert not await shelf.has_row(key())


async def test_f117_a_withheld_location_counts_nothing_until_it_is_released(shelf: Shelf) -> None:
    """Failing closed is a rule like any other: put in force, recomputed, taken back."""
    await shelf.read(level(1, 10))
    await shelf.store.use_rules(rules(withheld=frozenset({"WH1"})))
    assert (await shelf.row()).f == 0
    await shelf.store.use_rules(rules())
    assert (await shelf.row()).f == 10


async def test_f121_a_level_above_the_maximum_is_held_and_applied_as_it_came_once_approved(
    shelf: Shelf,
) -> None:
    """The level before stays until a person has decided; the approved one keeps its own position."""
    await shelf.store.use_rules(rules(channel(place("WH1"), maximum=100)))
    await shelf.read(level(1, 10))
    outcome = await shelf.read(level(2, 500))
    assert (outcome.applied, outcome.rejected) == (0, 1)
    assert (await shelf.row()).f == 10
    (case,) = await shelf.cases(CaseKind.HELD_LEVEL)
    assert await shelf.store.cases.apply_held_level(case)
    assert (await shelf.row()).f == 500
    assert (await shelf.read(level(2, 3))).stale == 1
    assert await shelf.cases(CaseKind.HELD_LEVEL) == []


async def test_f121_an_approved_level_that_was_overtaken_changes_nothing(shelf: Shelf) -> None:
    """A newer level has taken its place: approving the old one is no way back."""
    await shelf.store.use_rules(rules(channel(place("WH1"), maximum=100)))
    await shelf.read(level(2, 500))
    (case,) = await shelf.cases(CaseKind.HELD_LEVEL)
    await shelf.read(level(3, 7))
    assert not await shelf.store.cases.apply_held_level(case)
    assert (await shelf.row()).f == 7


async def test_f121_a_leap_is_held_and_can_be_approved(shelf: Shelf) -> None:
    """The case says by how much; approved, it is applied though it leaps."""
    await shelf.store.use_rules(rules(channel(place("WH1"), maximum_factor=10)))
    await shelf.read(level(1, 12), level(2, 144))
    (case,) = await shelf.cases(CaseKind.HELD_LEVEL)
    assert case.reason.startswith("144 pieces of A at WH1 are more than 10 times the 12 pieces of before")
    assert await shelf.store.cases.apply_held_level(case)
    assert (await shelf.row()).f == 144


async def test_f121_a_held_level_is_not_closed_by_another_location_and_keeps_all_it_said(
    shelf: Shelf,
) -> None:
    """A level of the SKU elsewhere makes up for nothing; the orders it named are proven once it is approved."""
    both = rules(channel(place("WH1"), place("WH2"), maximum=100))
    await shelf.store.use_rules(both)
    await shelf.learn(order(line(3)))
    await shelf.read(level(1, 10), level(2, 500, orders_included=("o1",), as_of="2026-01-02T03:04:05Z"))
    await shelf.read(level(3, 7, "WH2"))
    (case,) = await shelf.cases(CaseKind.HELD_LEVEL)
    assert await shelf.store.cases.apply_held_level(case)
    figures = await shelf.figures()
    assert (figures.f, figures.refl) == (507, 3)


async def test_f104_an_unreadable_record_is_made_up_for_at_its_own_location_only(shelf: Shelf) -> None:
    """The case names the place; where none is known, any newer record of the SKU will do."""
    at = Reject("not_an_integer", "must be a JSON integer", sku="A", location="WH1", seq=2)
    await shelf.read(level(1, 10), rejects=[at, Reject("no_location", "states no location", sku="A", seq=3)])
    assert len(await shelf.cases(CaseKind.INVALID_RECORD)) == 2
    await shelf.read(level(4, 7, "WH2"))
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD)
    assert case.subject == "A at WH1 not_an_integer"
    await shelf.read(level(5, 7))
    assert await shelf.cases(CaseKind.INVALID_RECORD) == []


async def test_d4_cases_that_were_closed_are_bounded_by_their_kind_not_by_records(shelf: Shelf) -> None:
    """A source that spoils a record a minute for months leaves a list of a bounded length."""
    for number in range(30):
        case = NewCase(CaseKind.INVALID_RECORD, "main", f"S{number} at WH1 x", "bad", code="x")
        await shelf.store.cases.open(case)
        await shelf.store.cases.resolve(case.kind, case.scope, case.subject, "made up for")
    await shelf.store.orders.tidy(0)
    assert len(await shelf.cases(state="resolved")) == 30
    for number in range(CLOSED_LIMIT_CASES):
        case = NewCase(CaseKind.INVALID_RECORD, "main", f"T{number} at WH1 x", "bad", code="x")
        await shelf.store.cases.open(case)
        await shelf.store.cases.resolve(case.kind, case.scope, case.subject, "made up for")
    await shelf.store.orders.tidy(0)
    kept = await shelf.cases(state="resolved")
    assert len(kept) == CLOSED_LIMIT_CASES
    assert all(case.subject.startswith("T") for case in kept)


async def test_a_case_that_a_person_closes_is_told_with_what_it_was_about(shelf: Shelf) -> None:
    """Whoever follows one SKU in the journal sees its end, too."""
    await shelf.store.cases.open(NewCase(CaseKind.SKU_NOT_FOUND, "web", "A", "no product"))
    (case,) = await shelf.store.cases.listed()
    told: list[CaseNews] = []
    assert isinstance(shelf.store, SqliteStore)
    shelf.store.listen(told.append)
    assert await shelf.store.cases.close(case.id, "dismissed", "by phone")
    assert not await shelf.store.cases.close(case.id, "dismissed", "by phone")
    assert told == [CaseNews(case.id, CaseKind.SKU_NOT_FOUND, "web", "A", "", "by phone")]


async def test_what_was_folded_closes_with_the_last_that_is_known_by_name(shelf: Shelf) -> None:
    """A folded case names nobody; it cannot wait for ever for a subject that nobody knows."""
    names = [f"S{number} at WH1 x" for number in range(FOLD_LIMIT_CASES + 3)]
    for name in names:
        await shelf.store.cases.open(NewCase(CaseKind.INVALID_RECORD, "main", name, "bad", code="x"))
    assert len(await shelf.cases()) == FOLD_LIMIT_CASES + 1
    for name in names[:-4]:
        await shelf.store.cases.resolve(CaseKind.INVALID_RECORD, "main", name, "made up for")
    assert len(await shelf.cases()) == 2
    await shelf.store.cases.resolve(CaseKind.INVALID_RECORD, "main", names[-4], "made up for")
    assert await shelf.cases() == []


async def test_f126_an_unmapped_location_that_is_ignored_now_is_told_no_more(shelf: Shelf) -> None:
    """As its case says: map it or ignore it."""
    await shelf.read(level(1, 10), level(2, 5, "RET"))
    assert await shelf.kinds() == [CaseKind.LOCATION_UNMAPPED]
    await shelf.store.use_rules(rules(ignored=frozenset({"RET"})))
    assert await shelf.cases() == []


async def test_f121_a_fall_is_never_held(shelf: Shelf) -> None:
    """Not even one from above the maximum to above the maximum."""
    await shelf.read(level(1, 900))
    await shelf.store.use_rules(rules(channel(place("WH1"), maximum=100)))
    await shelf.read(level(2, 500))
    assert (await shelf.row()).f == 500
    assert await shelf.cases() == []


@pytest.mark.parametrize("quantity", [-(10**15), -7, -1])
async def test_f119_a_negative_quantity_goes_through_unclamped(shelf: Shelf, quantity: int) -> None:
    """A debt of the warehouse is published as one (S9)."""
    await shelf.read(level(1, quantity))
    await shelf.based(0)
    (lease,) = await shelf.lease()
    assert lease.operation.x_after == quantity


@pytest.mark.parametrize("quantity", [2**63 - 1, -(2**63), 10**15 + 1])
async def test_f120_a_quantity_beyond_reason_is_set_aside_and_stops_nobody(
    shelf: Shelf, quantity: int
) -> None:
    """Whatever the wire lets through, the sums stay within 64 bits and the feed goes on."""
    await shelf.store.use_rules(rules(channel(place("WH1", buffer=5), place("WH2"), safety_stock=9)))
    outcome = await shelf.read(
        level(1, 10), level(2, quantity), level(3, quantity, "WH2"), level(4, 8, sku="B")
    )
    assert (outcome.applied, outcome.rejected) == (2, 2)
    assert await shelf.kinds() == [CaseKind.INVALID_RECORD, CaseKind.INVALID_RECORD]


async def test_f124_hostile_skus_stay_themselves_through_the_whole_store(shelf: Shelf) -> None:
    """Quotes, brackets, signs of JSON and SQL, look-alikes and 256 characters: each is its own key and nobody else's."""
    await shelf.read(*(level(number, number, sku=sku) for number, sku in enumerate(HOSTILE_SKUS, start=1)))
    keys = [key(sku) for sku in HOSTILE_SKUS]
    rows = await shelf.store.outbox.rows(keys)
    assert [rows[at].f for at in keys] == list(range(1, len(HOSTILE_SKUS) + 1))
    unknown = await shelf.store.outbox.unknown_bases(None, 100)
    await shelf.store.outbox.book_lookups([], [row.key for row in unknown], (), shelf.settle_rules)
    sent = await shelf.drain()
    assert {(lease.key.sku, lease.quantity) for lease in sent} == {
        (sku, number) for number, sku in enumerate(HOSTILE_SKUS, start=1)
    }
    for sku in HOSTILE_SKUS:
        story = await shelf.store.report.story(sku)
        assert [row.key.sku for row in story.rows] == [sku]
        assert len(story.levels) == 1


async def test_f105_a_flood_of_levels_costs_one_row_a_key(shelf: Shelf) -> None:
    """A hundred levels of one key in one batch are one target, the newest."""
    outcome = await shelf.read(*(level(number, number) for number in range(1, 101)))
    assert (outcome.applied, (await shelf.row()).f) == (100, 100)
    assert await shelf.store.report.key_counts() == KeyCounts(1, to_read=1)


async def test_cases_fold_beyond_a_thousand_of_a_kind(shelf: Shelf) -> None:
    """A mapping error in a big file is one page of exceptions and a count, not a million rows."""
    rejects = [
        Reject("unknown_type", "unknown type", record_id=f"r{number}", seq=number)
        for number in range(FOLD_LIMIT_CASES + 500)
    ]
    await shelf.read(rejects=rejects)
    cases = await shelf.cases(CaseKind.INVALID_RECORD)
    assert len(cases) == FOLD_LIMIT_CASES + 1
    assert cases[-1].count == 500
    await shelf.read(rejects=[Reject("not_an_integer", "must be an integer", record_id="x", seq=1)])
    assert len(await shelf.cases(CaseKind.INVALID_RECORD)) == FOLD_LIMIT_CASES + 2


async def test_f095_the_digest_knows_neither_order_nor_repetition(shelf: Shelf) -> None:
    """F3, F4: shuffled and told twice, levels come to the same state."""
    chance = random.Random(7)
    levels = [level(seq, seq * 3, sku=f"S{seq % 7}") for seq in range(1, 60)]
    await shelf.read(*levels)
    straight = await shelf.store.report.digest()
    shuffled = [*levels, *levels]
    chance.shuffle(shuffled)
    for start in range(0, len(shuffled), 13):
        await shelf.read(*shuffled[start : start + 13], feed="main")
    assert await shelf.store.report.digest() == straight


async def test_f042_the_digest_does_not_depend_on_the_wall_clock(shelf: Shelf) -> None:
    """D8: in 1970, a year ahead and back again, the same records come to the same state."""
    await shelf.read(level(1, 10))
    straight = await shelf.store.report.digest()
    for seconds in (-56 * 365 * 86_400, 57 * 365 * 86_400, 3_600, -3_600):
        shelf.clock.jump_wall(seconds)
        await shelf.read(level(1, 10))
        await shelf.again()
        assert await shelf.store.report.digest() == straight


async def test_an_empty_batch_is_a_sign_of_life(shelf: Shelf) -> None:
    """Quiet is not dead: the checkpoint and the sign move, the last record's time does not."""
    await shelf.read(level(1, 10))
    before = await shelf.store.feeds.state("main")
    shelf.clock.pass_by(30)
    await shelf.read(checkpoint="c-quiet")
    await shelf.read(Heartbeat("h", 2, "2026-01-01T00:00:00Z"), checkpoint="c-beat")
    after = await shelf.store.feeds.state("main")
    assert (after.checkpoint, after.record_ms) == ("c-beat", before.record_ms)
    assert after.sign_ms == shelf.clock.now_ms


async def test_f118_what_is_read_again_is_no_sign_of_life(shelf: Shelf) -> None:
    """A source that stands still answers a replay: its records count, and nobody takes it for fresh by them."""
    await shelf.read(level(1, 10), checkpoint="c-1")
    before = await shelf.store.feeds.state("main")
    shelf.clock.now_ms += 60_000
    await shelf.store.feeds.record_again(Batch("main", "e1", (level(1, 10),), (), "c-0"))
    after = await shelf.store.feeds.state("main")
    assert (after.sign_ms, after.record_ms) == (before.sign_ms, before.record_ms)
    assert (after.checkpoint, after.read_total) == ("c-1", 2)


async def test_the_need_of_a_snapshot_survives_a_restart(shelf: Shelf) -> None:
    """Also for a feed that was never heard of."""
    await shelf.store.feeds.needs_snapshot("north", "cursor_expired")
    await shelf.again()
    assert (await shelf.store.feeds.state("north")).snapshot_due == "cursor_expired"
    assert (await shelf.store.feeds.state("unheard")).checkpoint is None


@pytest.mark.parametrize(
    ("sells", "more", "expected"),
    [(AVAILABLE, {"on_hand": 9}, 4), (ON_HAND, {"on_hand": 9}, 9)],
)
async def test_a_location_sells_the_figure_it_is_configured_to(
    shelf: Shelf, sells: Any, more: Any, expected: int
) -> None:
    """One level, two figures."""
    await shelf.store.use_rules(rules(channel(place("WH1", sells=sells))))
    await shelf.read(level(1, 4, **more))
    assert (await shelf.row()).f == expected
