"""Orders in the store: learnt before and after what is said of them, given back, edited, deleted, folded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import KeyReading, LineShare, OrderLookup, OrderRecord
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.inventory import LineMode, MessageCursor
from archsyncd.domain.ledger import Base
from archsyncd.domain.report import Cursor
from tests.adapters.sqlite.shelf import LAG_MS, Shelf, entry
from tests.domain.nouns import (
    BORN_MS,
    ON_HAND,
    accepted,
    cancelled,
    channel,
    key,
    learn_rules,
    level,
    line,
    movement,
    order,
    place,
    rejected,
    rules,
    share,
    shipped,
)

NONE = LineMode.NONE


async def test_f008_orders_and_the_cursor_move_together(shelf: Shelf) -> None:
    """What was read up to the cursor is known; learning the same again is nothing new (O6)."""
    cursor = Cursor("messages", MessageCursor("2026-01-01T00:00:00Z", "m1"), 500)
    assert await shelf.store.orders.learn([order(line(3))], shelf.learn_rules, cursor) == 1
    assert await shelf.store.orders.cursor("messages") == cursor
    back = Cursor("messages", MessageCursor("2026-01-02T00:00:00Z", "m2"), 400)
    assert await shelf.store.orders.learn([order(line(3))], shelf.learn_rules, back) == 0
    assert (await shelf.store.orders.cursor("messages")).complete_ms == 500
    assert await shelf.store.orders.known_orders(["o1", "o2"]) == {"o1": 1}
    assert (await shelf.store.orders.cursor("sweep")).complete_ms == 0


async def test_an_order_counts_before_any_level_of_its_sku_is_known(shelf: Shelf) -> None:
    """Nothing is published for it then; once a level comes the order counts."""
    await shelf.learn(order(line(3)))
    assert not await shelf.has_row(key())
    await shelf.read(level(1, 10))
    assert (await shelf.figures()).known == 3


@pytest.mark.parametrize("learnt_first", [True, False])
@pytest.mark.parametrize(
    "proof",
    [
        accepted(4),
        accepted(4, "o1", share(3)),
        accepted(4, "o1", share(3, "WH1", line="n1")),
        level(4, 7, orders_included=("o1",)),
        shipped(4, share(3, line="n1")),
    ],
    ids=["accepted", "by-sku", "by-line", "carried", "shipped"],
)
async def test_f153_a_proof_holds_whether_it_came_before_or_after_its_order(
    shelf: Shelf, proof: object, learnt_first: bool
) -> None:
    """Early proofs are kept and taken when the order is learnt: the same figures either way (P5)."""
    bought = order(line(3), number="CT-1")
    if learnt_first:
        await shelf.learn(bought)
    await shelf.read(level(1, 10), proof, level(5, 7))  # type: ignore[arg-type]
    if not learnt_first:
        assert (await shelf.figures()).known == 0
        await shelf.learn(bought)
    result = await shelf.figures()
    assert (result.f, result.refl, result.known) == (7, 3, 3)


async def test_f153_a_source_may_call_an_order_by_its_number(shelf: Shelf) -> None:
    """Id or number, early or late."""
    await shelf.read(accepted(1, "CT-1"), level(2, 7))
    await shelf.learn(order(line(3), number="CT-1"))
    assert (await shelf.figures()).refl == 3


@pytest.mark.parametrize("learnt_first", [True, False])
@pytest.mark.parametrize("shares", [(), (share(3),)], ids=["whole", "by-sku"])
async def test_f153_archean_s_number_for_an_order_is_kept_whichever_comes_first(
    shelf: Shelf, shares: tuple[LineShare, ...], learnt_first: bool
) -> None:
    """The number, or the reason for refusing, is not lost because the order was learnt a moment later."""
    await shelf.read(level(1, 10))
    said: tuple[OrderRecord, ...] = (accepted(2, "o1", *shares), rejected(3, "o2"))
    for number, told in enumerate(said, 1):
        bought = order(line(3), name=f"o{number}")
        if learnt_first:
            await shelf.learn(bought)
        await shelf.read(told)
        if not learnt_first:
            await shelf.learn(bought)
    heads = (await shelf.store.report.story("A")).heads
    assert {head[0]: head[7] for head in heads} == {"o1": "SO-o1", "o2": None}
    (case,) = await shelf.store.cases.listed(kind=CaseKind.ORDER_REJECTED.value)
    assert "unknown_sku" in case.reason


async def test_f153_an_early_shipment_restated_counts_as_it_was_last(shelf: Shelf) -> None:
    """Each record restates the whole fulfilment."""
    await shelf.read(shipped(1, share(1, line="n1")), shipped(2, share(2, line="n1")), level(3, 8))
    await shelf.learn(order(line(3)))
    assert (await shelf.figures()).refl == 2


async def test_orders_through_covers_accepted_orders_created_up_to_its_time(shelf: Shelf) -> None:
    """And only those that were known as accepted before the level came."""
    await shelf.learn(order(line(3)), order(line(2), name="late", created_ms=BORN_MS + 10_000))
    await shelf.read(level(1, 10, orders_through_ms=BORN_MS + 5_000))
    assert (await shelf.figures()).refl == 0
    for name in ("o1", "late"):
        await shelf.store.orders.book_order_lookups([(name, "main", OrderLookup("accepted", "SO-1"))])
    assert (await shelf.figures()).refl == 0
    shelf.clock.pass_by(1)
    await shelf.read(level(2, 7, orders_through_ms=BORN_MS + 5_000))
    assert (await shelf.figures()).refl == 3


async def test_the_configured_wait_proves_a_level_captured_late_enough(shelf: Shelf) -> None:
    """`accepted+90`, the weaker form, only where it is configured."""
    await shelf.store.use_rules(rules(reflection_seconds=90))
    await shelf.learn(order(line(3)))
    await shelf.store.orders.book_order_lookups([("o1", "main", OrderLookup("accepted"))])
    shelf.clock.pass_by(200)
    await shelf.read(level(1, 7, as_of="2026-01-01T00:01:29Z"))
    assert (await shelf.figures()).refl == 0
    await shelf.read(level(2, 7, as_of="2026-01-01T00:01:30Z"))
    assert (await shelf.figures()).refl == 3


async def test_a_look_up_with_a_position_is_a_proof_from_there_on(shelf: Shelf) -> None:
    """In an epoch that the feed has told of."""
    await shelf.learn(order(line(3)))
    await shelf.read(level(5, 10))
    await shelf.store.orders.book_order_lookups([("o1", "main", OrderLookup("accepted", "SO", "e1", 6))])
    assert (await shelf.figures()).refl == 0
    await shelf.read(level(6, 7))
    assert (await shelf.figures()).refl == 3


async def test_f095_a_look_up_of_an_order_of_an_older_epoch_retires_no_epoch(shelf: Shelf) -> None:
    """A new database has seen only the epoch of today; the order was imported in one before. Levels go on being merged."""
    await shelf.read(level(1, 10), epoch="today")
    await shelf.learn(order(line(3)))
    answer = OrderLookup("accepted", "SO", "last year", 77)
    await shelf.store.orders.book_order_lookups([("o1", "main", answer)])
    assert (await shelf.read(level(2, 4), epoch="today")).stale == 0
    assert (await shelf.figures()).f == 4
    assert (await shelf.figures()).refl == 0
    assert (await shelf.store.feeds.state("main")).snapshot_due is None


async def test_f095_a_look_up_that_is_ahead_of_its_feed_counts_once_the_feed_is_there(shelf: Shelf) -> None:
    """Its epoch is not known yet: the order is accepted, and asked for again."""
    await shelf.learn(order(line(3)))
    await shelf.read(level(5, 10))
    answer = [("o1", "main", OrderLookup("accepted", "SO", "e2", 1))]
    await shelf.store.orders.book_order_lookups(answer)
    await shelf.read(level(2, 7), epoch="e2")
    assert (await shelf.figures()).refl == 0
    await shelf.store.orders.book_order_lookups(answer)
    assert (await shelf.figures()).refl == 3


async def test_a_fresh_read_begun_after_the_acceptance_is_a_proof(shelf: Shelf) -> None:
    """A linearizable read excludes the order from its own position on."""
    await shelf.learn(order(line(3)))
    await shelf.read(level(5, 10))
    reading = KeyReading("main", "e1", 8, (level(8, 7),))
    await shelf.store.feeds.record_reading(reading)
    await shelf.store.orders.book_fresh_read({"o1": True}, reading)
    assert (await shelf.figures()).refl == 3


async def test_f031_a_new_epoch_withdraws_what_was_only_accepted(shelf: Shelf) -> None:
    """A restored source may have forgotten imports: X falls until they are proven again, and they are asked for at once."""
    await shelf.learn(order(line(3)))
    await shelf.read(accepted(1), level(2, 7))
    await shelf.store.orders.settle_lookups(["o1"])
    assert (await shelf.figures()).x_target == 10
    await shelf.read(level(1, 7), epoch="e2")
    assert (await shelf.figures()).x_target == 7
    assert [due.order_id for due in await shelf.store.orders.lookups_due(10)] == ["o1"]
    assert [due.accepted_ms for due in await shelf.store.orders.lookups_due(10)] == [None]
    shelf.clock.pass_by(600)
    await shelf.read(level(2, 7, orders_through_ms=BORN_MS + 99_000), epoch="e2")
    assert (await shelf.figures()).refl == 0
    await shelf.read(accepted(3), level(4, 7), epoch="e2")
    assert (await shelf.figures()).x_target == 10


async def test_f031_an_approved_snapshot_of_a_new_epoch_withdraws_as_a_batch_does(shelf: Shelf) -> None:
    """By whatever way an epoch is entered, its feed's proofs are sought anew."""
    await shelf.learn(order(line(3)))
    await shelf.read(accepted(1), level(2, 7))
    snapshot = await shelf.snapshot(level(9, 7), seq_at=9, epoch="e2")
    await shelf.store.snapshots.apply(snapshot, "keep")
    assert (await shelf.figures()).refl == 0
    assert [due.order_id for due in await shelf.store.orders.lookups_due(10)] == ["o1"]


async def test_f136_a_rejected_order_stays_subtracted_while_it_stands(shelf: Shelf) -> None:
    """Archean's refusal gives nothing back: the customer still has the order. Its cancellation does."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3)))
    await shelf.read(rejected(2))
    assert (await shelf.figures()).stock_target == 7
    assert await shelf.kinds() == [CaseKind.ORDER_REJECTED]
    await shelf.learn(order(line(3), version=2, state="Cancelled"))
    assert (await shelf.figures()).stock_target == 10
    assert await shelf.cases() == []


async def test_f136_an_order_accepted_after_all_is_no_longer_refused(shelf: Shelf) -> None:
    """The exception closes, and a later cancellation waits for Archean's word."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3)))
    await shelf.read(rejected(2), accepted(3))
    assert await shelf.cases() == []
    await shelf.learn(order(line(3), version=2, state="Cancelled"))
    assert (await shelf.figures()).stock_target == 7
    assert (await shelf.figures()).refl == 0


async def test_f140_a_cancelled_order_is_given_back_on_archeans_word(shelf: Shelf) -> None:
    """Cancelled in commercetools proves nothing of the warehouse; `order.cancelled` does."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3), line(2, line_id="n2", mode=NONE)))
    await shelf.learn(order(line(3), line(2, line_id="n2", mode=NONE), version=2, state="Cancelled"))
    before = await shelf.figures()
    assert (before.x_target, before.stock_target) == (8, 5)
    await shelf.read(cancelled(2))
    after = await shelf.figures()
    assert (after.x_target, after.stock_target) == (13, 10)


async def test_f140_what_was_given_back_is_never_counted_again(shelf: Shelf) -> None:
    """A later version of the order brings no line back, tracked or not."""
    bought = order(line(3), line(2, line_id="n2", mode=NONE))
    await shelf.read(level(1, 10))
    await shelf.learn(bought)
    await shelf.read(cancelled(2))
    await shelf.learn(replace(bought, version=2, order_state="Cancelled"))
    await shelf.learn(replace(bought, version=3, order_state="Cancelled"))
    assert (await shelf.figures()).stock_target == 10


async def test_f140_where_commercetools_gives_stock_back_the_lines_go(shelf: Shelf) -> None:
    """The capability flag: S rises by itself, so X may not; the base is looked at anew."""
    restoring = learn_rules(restores=True)
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.learn(order(line(3)), use=restoring)
    await shelf.learn(order(line(3), version=2, state="Cancelled"), use=restoring)
    row = await shelf.row()
    assert (row.x_target, row.known, row.base) == (10, 0, Base.PROVISIONAL)
    await shelf.learn(order(line(3), version=3, state="Cancelled"), use=restoring)
    assert (await shelf.figures()).known == 0


async def test_f142_an_order_edit_makes_the_base_provisional_until_its_effect_must_show(shelf: Shelf) -> None:
    """Nobody says what an edit did to the entry; a read within the lag of its effect would prove nonsense."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.learn(order(line(3)))
    assert (await shelf.row()).base is Base.PROVEN
    await shelf.learn(order(line(5), line(1, "B", "n2"), version=2))
    row = await shelf.row()
    assert (row.known, row.base) == (5, Base.PROVISIONAL)
    shelf.clock.pass_by(14)
    assert await shelf.store.outbox.checks_due(10) == []
    shelf.clock.pass_by(1)
    assert [found.key for found in await shelf.store.outbox.checks_due(10)] == [key()]


async def test_f142_an_edit_discards_a_read_that_was_made_before_it(shelf: Shelf) -> None:
    """Also where the base was provisional already: the read shows the entry without the edit."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3)))
    await shelf.store.outbox.book_lookups([entry(7)], (), (), shelf.settle_rules)
    await shelf.store.outbox.book_reads([entry(7, read_ms=shelf.clock.now_ms)], ())
    await shelf.learn(order(line(5), version=2))
    assert (await shelf.store.outbox.judge_reads(shelf.clock.now_ms + 99_000, LAG_MS, 10)) == (0, 0)
    assert (await shelf.row()).base is Base.PROVISIONAL


async def test_f143_a_deleted_order_stays_subtracted_until_archean_speaks(shelf: Shelf) -> None:
    """Ids and quantities are kept: it may be on its way out of the warehouse."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.learn(order(line(3)))
    await shelf.store.orders.forget("o1")
    row = await shelf.row()
    assert (row.x_target - row.known, row.base) == (7, Base.PROVISIONAL)
    (due,) = await shelf.store.orders.lookups_due(10)
    assert due.order_state == "Deleted"
    await shelf.store.orders.release("o1")
    assert (await shelf.figures()).stock_target == 10


async def test_f143_a_deletion_found_again_doubts_the_base_once(shelf: Shelf) -> None:
    """Else a key could never be proven while its deleted order is still open."""
    await shelf.read(level(1, 10))
    await shelf.based(10)
    await shelf.learn(order(line(3)))
    await shelf.store.orders.forget("o1")
    shelf.clock.pass_by(60)
    await shelf.store.outbox.book_reads([entry(7, read_ms=shelf.clock.now_ms)], ())
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10)
    assert (await shelf.row()).base is Base.PROVEN
    await shelf.store.orders.forget("o1")
    await shelf.store.orders.forget("never-known")
    assert (await shelf.row()).base is Base.PROVEN


async def test_f144_untracked_lines_count_at_once_and_are_told(shelf: Shelf) -> None:
    """Imports and mode None: subtracted here until the warehouse has taken them."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3, mode=NONE)))
    assert (await shelf.figures()).x_target == 7
    assert await shelf.kinds() == [CaseKind.UNTRACKED_DEMAND]
    await shelf.read(accepted(2), level(3, 7))
    assert (await shelf.figures()).x_target == 7


async def test_a_cut_over_statement_counts_old_orders_as_reflected(shelf: Shelf) -> None:
    """`reflected_before`: tracked lines are given back, untracked ones count nowhere, also in later versions."""
    stated = learn_rules(reflected_before_ms=BORN_MS + 1)
    old = order(line(3), line(2, line_id="n2", mode=NONE))
    await shelf.read(level(1, 10))
    await shelf.learn(old, order(line(1), name="new", created_ms=BORN_MS + 1), use=stated)
    assert (await shelf.figures()).stock_target == 9
    await shelf.learn(replace(old, version=2), use=stated)
    assert (await shelf.figures()).stock_target == 9
    assert [due.order_id for due in await shelf.store.orders.lookups_due(10)] == []


async def test_an_order_done_before_the_history_begins_counts_nowhere(shelf: Shelf) -> None:
    """Its units are in the base that the entry is given, and in Archean's figures; an open one counts whatever its age."""
    old = learn_rules(settled_before_ms=BORN_MS + 1)
    await shelf.read(level(1, 10))
    assert await shelf.learn(order(line(3), state="Complete"), use=old) == 1
    assert (await shelf.figures()).known == 0
    await shelf.learn(order(line(3), state="Complete", version=9), use=old)
    assert (await shelf.figures()).known == 0
    await shelf.learn(order(line(2), name="open"), use=old)
    assert (await shelf.figures()).known == 2


async def test_folding_keeps_the_target_and_forgets_the_lines(shelf: Shelf) -> None:
    """Closed lines keep their proof for good: one number a key, whatever epochs come."""
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3)), order(line(2), name="open"))
    await shelf.read(accepted(2), level(3, 7))
    before = await shelf.figures()
    assert await shelf.store.orders.fold(["o1", "open"], shelf.clock.now_ms) == 0
    await shelf.learn(order(line(3), state="Complete", version=2))
    assert await shelf.store.orders.fold(["o1", "open"], shelf.clock.now_ms) == 1
    assert await shelf.figures() == before
    assert await shelf.store.report.order_counts() == (1, BORN_MS)
    await shelf.read(level(1, 7), epoch="e2")
    after = await shelf.figures()
    assert (after.refl, after.x_target, after.stock_target) == (3, 10, 5)


async def test_a_folded_order_is_not_learnt_again(shelf: Shelf) -> None:
    """The sweep meets it for days: its units are in the number already."""
    await shelf.read(level(1, 10), accepted(2), level(3, 7))
    await shelf.learn(order(line(3), state="Complete"))
    assert await shelf.store.orders.fold(["o1"], 0) == 1
    assert await shelf.learn(order(line(3), state="Complete", version=7)) == 0
    assert (await shelf.figures()).known == 3
    assert (await shelf.store.orders.known_orders(["o1"]))["o1"] > 7
    await shelf.read(accepted(2))
    await shelf.store.orders.tidy(BORN_MS + 1)
    assert await shelf.store.orders.known_orders(["o1"]) == {}


async def test_an_order_is_folded_when_every_piece_was_shipped(shelf: Shelf) -> None:
    """Archean has let it go: nothing of it can come back by an import."""
    await shelf.store.use_rules(rules(channel(place("WH1", sells=ON_HAND))))
    await shelf.learn(order(line(3)))
    await shelf.read(shipped(1, share(2, line="n1")), level(2, None, on_hand=8))
    assert await shelf.store.orders.fold(["o1"], 0) == 0
    await shelf.read(shipped(3, share(1, line="n1"), fulfilment="F2"), level(4, None, on_hand=7))
    assert await shelf.store.orders.fold(["o1"], 0) == 1
    assert (await shelf.figures()).stock_target == 7


async def test_nothing_is_folded_under_a_read_that_waits_to_be_judged(shelf: Shelf) -> None:
    """The lines it is judged by must be those that were there."""
    await shelf.read(level(1, 10), accepted(2), level(3, 7))
    await shelf.learn(order(line(3), state="Complete"))
    await shelf.store.outbox.book_lookups([entry(7)], (), (), shelf.settle_rules)
    await shelf.store.outbox.book_reads([entry(7, read_ms=shelf.clock.now_ms)], ())
    assert await shelf.store.orders.fold(["o1"], 0) == 0
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10)
    shelf.clock.pass_by(60)
    await shelf.store.outbox.book_reads([entry(7, read_ms=shelf.clock.now_ms)], ())
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10)
    assert await shelf.store.orders.fold(["o1"], 0) == 1
    row = await shelf.row()
    assert (row.base, row.x_applied, row.x_target) == (Base.PROVEN, 10, 10)


async def test_unproven_lines_are_told_by_key(shelf: Shelf) -> None:
    """Until the last piece is reflected, per key."""
    await shelf.learn(order(line(3), line(1, "B", "n2")))
    await shelf.read(level(1, 10), level(2, 10, sku="B"), accepted(3, "o1", share(3)), level(4, 7))
    assert await shelf.store.orders.unproven_lines(["o1"]) == {"o1": [key("B")]}
    await shelf.read(accepted(5, "o1", share(1, sku="B")), level(6, 9, sku="B"))
    assert await shelf.store.orders.unproven_lines(["o1"]) == {}


async def test_an_order_is_asked_for_once_it_is_unproven_for_long(shelf: Shelf) -> None:
    """From the configured wait on, until somebody says when next."""
    await shelf.learn(order(line(3)))
    assert await shelf.store.orders.lookups_due(10) == []
    shelf.clock.pass_by(30)
    assert [due.order_id for due in await shelf.store.orders.lookups_due(10)] == ["o1"]
    await shelf.store.orders.next_lookups({"o1": shelf.clock.now_ms + 1})
    assert await shelf.store.orders.lookups_due(10) == []
    shelf.clock.pass_by(300)
    assert await shelf.store.orders.refresh_due(10) == ["o1"]


async def test_s10_an_order_of_one_key_changes_no_other(shelf: Shelf) -> None:
    """S10: what happens to key a never moves key b."""
    await shelf.store.use_rules(rules(channel(place("WH1")), channel(place("SH1", "shop"), name="shop")))
    await shelf.read(level(1, 10), level(2, 20, sku="B"), level(3, 30, "SH1"))
    others = [key("B"), key(channel="shop")]
    before = [await shelf.row(at) for at in others]
    await shelf.learn(order(line(3)))
    await shelf.read(accepted(4), level(5, 7), movement(6, -1), cancelled(7))
    assert [await shelf.row(at) for at in others] == before


async def on_the_shelf(shelf: Shelf) -> None:
    """Two locations that sell what lies on the shelf, and an order of three pieces of the ten at WH1."""
    places = (place("WH1", sells=ON_HAND), place("WH2", sells=ON_HAND))
    await shelf.store.use_rules(rules(channel(*places, order_location="WH1")))
    await shelf.learn(order(line(3)))
    await shelf.read(level(1, None, on_hand=10), level(2, None, "WH2", on_hand=0))


@pytest.mark.parametrize("early", [False, True])
async def test_s12_a_fulfilment_that_is_cancelled_after_all_proves_nothing_any_more(
    shelf: Shelf, early: bool
) -> None:
    """Its pieces lie on the shelf again and are owed again; the older record told once more changes nothing."""
    if early:
        await shelf.store.use_rules(rules(channel(place("WH1", sells=ON_HAND))))
        await shelf.read(level(1, None, on_hand=10))
    else:
        await on_the_shelf(shelf)
        await shelf.read(shipped(3, share(3)), level(4, None, on_hand=7))
        assert (await shelf.figures()).stock_target == 7
    await shelf.read(shipped(5, share(3)), shipped(6, share(3), status="cancelled"))
    await shelf.read(level(7, None, on_hand=10))
    if early:
        await shelf.learn(order(line(3)))
    assert (await shelf.figures()).stock_target == 7
    await shelf.read(shipped(3, share(3)))
    assert (await shelf.figures()).stock_target == 7


@pytest.mark.parametrize("early", [False, True])
async def test_s12_a_fulfilment_restated_with_fewer_pieces_proves_only_those(
    shelf: Shelf, early: bool
) -> None:
    """One of three was shipped after all: nine lie there, two are owed."""
    await shelf.store.use_rules(rules(channel(place("WH1", sells=ON_HAND))))
    if not early:
        await shelf.learn(order(line(3)))
    await shelf.read(level(1, None, on_hand=10))
    await shelf.read(shipped(2, share(3)), level(3, None, on_hand=7))
    await shelf.read(shipped(4, share(1)), level(5, None, on_hand=9))
    if early:
        await shelf.learn(order(line(3)))
    assert (await shelf.figures()).stock_target == 7
    await shelf.read(shipped(6, share(3)), level(7, None, on_hand=7))
    assert (await shelf.figures()).stock_target == 7


async def test_s12_a_fulfilment_restated_at_another_location_is_proven_by_that_one(shelf: Shelf) -> None:
    """What came back to one shelf is owed no more than what left the other."""
    await on_the_shelf(shelf)
    await shelf.read(level(3, None, "WH2", on_hand=5))
    await shelf.read(shipped(4, share(1)), level(5, None, on_hand=9))
    assert (await shelf.figures()).stock_target == 12
    await shelf.read(shipped(6, share(1), location="WH2"))
    await shelf.read(level(7, None, on_hand=10), level(8, None, "WH2", on_hand=4))
    assert (await shelf.figures()).stock_target == 12


@pytest.mark.parametrize("told_again", [False, True])
async def test_f097_a_dispatch_may_have_been_taken_back_in_records_that_were_lost(
    shelf: Shelf, told_again: bool
) -> None:
    """A snapshot shows the shelf as it is, and nothing follows that record: its pieces are owed until it is told anew."""
    await on_the_shelf(shelf)
    await shelf.read(shipped(3, share(3)), level(4, None, on_hand=7))
    assert (await shelf.figures()).stock_target == 7
    await shelf.store.feeds.needs_snapshot("main", "cursor_expired")
    back = 7 if told_again else 10
    snapshot = await shelf.snapshot(
        level(60, None, on_hand=back), seq_at=60, limits=GuardLimits(0, 100, 100, 100)
    )
    await shelf.store.snapshots.apply(snapshot, "report")
    assert (await shelf.figures()).stock_target == back - 3
    if told_again:
        await shelf.read(shipped(61, share(3)), level(62, None, on_hand=7))
        assert (await shelf.figures()).stock_target == 7
