"""Orders on their way and what Archean advises, in the store: each step once, in the transaction of what it rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.domain.advice import AdviceKind, AdviceStage
from archsyncd.domain.booking import Finding
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Disposition, OrderLookup, ReturnedLine, ReturnReceived
from archsyncd.domain.handover import (
    NOTHING_TO_SHIP,
    CancelAnswer,
    Carried,
    Flaw,
    Hand,
    Objection,
    Stage,
    asked_for,
)
from archsyncd.domain.inventory import Order
from archsyncd.domain.ledger import Base
from archsyncd.domain.rules import Carrying
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import (
    BORN_MS,
    ON_HAND,
    accepted,
    channel,
    key,
    learn_rules,
    level,
    line,
    order,
    place,
    rules,
    share,
    shipped,
)

HANDED = replace(learn_rules(), hand_over_since_ms=BORN_MS - 1_000)
FAR_MS = BORN_MS + 10**9


async def carrying(shelf: Shelf, *bought: Order) -> None:
    """A store that carries orders, and these orders learnt."""
    shelf.store.carry(Carrying())
    await shelf.learn(*(bought or (order(line(3)),)), use=HANDED)


async def only(shelf: Shelf) -> Carried:
    story = await shelf.store.handovers.story("o1")
    assert story is not None
    return story.carried


async def sending(shelf: Shelf, body: str = "to Ada") -> Carried:
    (due,) = await shelf.store.handovers.due(9)
    found = await shelf.store.handovers.ready(due, body, asked_for(order(line(3))), 1)
    assert found is not None
    return found


async def taken(shelf: Shelf) -> None:
    """Archean has the order."""
    answer = OrderLookup("accepted", "SO-1")
    await shelf.store.handovers.answered(await sending(shelf), "main", answer, FAR_MS)
    assert (await only(shelf)).stage is Stage.ACCEPTED


async def test_an_order_is_carried_from_the_transaction_in_which_it_is_learnt(shelf: Shelf) -> None:
    """O6: there is no moment in which it counts and is nobody's to carry; Archean is not asked for it yet."""
    await carrying(shelf)
    (due,) = await shelf.store.handovers.due(9)
    assert (due.order_id, due.stage, due.foreign_hand) == ("o1", Stage.LEARNED, Hand.OURS)
    shelf.clock.pass_by(3_600)
    assert await shelf.store.orders.lookups_due(9) == []


async def test_o2_the_intent_is_durable_and_a_restart_asks_before_it_sends(shelf: Shelf) -> None:
    """What was being sent may have arrived."""
    await carrying(shelf)
    await sending(shelf)
    await shelf.again()
    assert await shelf.store.handovers.recover() == 1
    found = await only(shelf)
    assert (found.stage, found.sent) == (Stage.IN_DOUBT, 1)
    assert await shelf.store.handovers.recover() == 0


async def test_a_step_with_an_order_that_stands_elsewhere_by_now_is_not_taken(shelf: Shelf) -> None:
    """An answer that comes late finds the order moved on, and moves nothing."""
    await carrying(shelf)
    on_its_way = await sending(shelf)
    await shelf.read(accepted(1))
    assert (await only(shelf)).stage is Stage.ACCEPTED
    await shelf.store.handovers.doubted(on_its_way, "its answer was lost", FAR_MS)
    await shelf.store.handovers.refused(on_its_way, "main", Objection("unknown_sku"))
    assert (await only(shelf)).stage is Stage.ACCEPTED
    assert await shelf.store.cases.listed() == []


async def test_f142_what_was_written_down_and_did_not_arrive_is_written_anew_after_an_edit(
    shelf: Shelf,
) -> None:
    """It goes as the order is then, and that is no conflict."""
    await carrying(shelf)
    await shelf.store.handovers.unsent(await sending(shelf), "not reached", FAR_MS)
    await shelf.learn(order(line(1), version=2), use=HANDED)
    (due,) = await shelf.store.handovers.due(9)
    assert (due.stage, due.body, due.version) == (Stage.READY, None, 2)
    assert await shelf.store.cases.listed() == []


async def test_f142_what_changed_since_it_was_read_is_not_sent_as_it_was(shelf: Shelf) -> None:
    """Neither a judgement of an older version, nor a body that an edit has withdrawn."""
    await carrying(shelf)
    (due,) = await shelf.store.handovers.due(9)
    await shelf.learn(order(line(1), version=2), use=HANDED)
    assert await shelf.store.handovers.ready(due, "as it was", "", 1) is None
    (due,) = await shelf.store.handovers.due(9)
    on_its_way = await shelf.store.handovers.ready(due, "as it is", "", 2)
    assert on_its_way is not None
    await shelf.store.handovers.unsent(on_its_way, "not reached", BORN_MS)
    (due,) = await shelf.store.handovers.due(9)
    await shelf.learn(order(line(2), version=3), use=HANDED)
    assert await shelf.store.handovers.ready(due, "", "", 0) is None
    assert (await only(shelf)).stage is Stage.READY


async def test_f142_an_edit_after_the_hand_over_is_a_conflict_once(shelf: Shelf) -> None:
    """Other changes are none."""
    await carrying(shelf)
    await taken(shelf)
    await shelf.learn(order(line(3), version=2, state="Confirmed"), use=HANDED)
    assert await shelf.store.cases.listed() == []
    await shelf.learn(order(line(2), version=3), use=HANDED)
    (case,) = await shelf.store.cases.listed()
    assert (case.kind, case.code) == (CaseKind.STATUS_CONFLICT, "edited")


async def test_f142_no_word_of_archean_is_about_pieces_that_an_edit_added(shelf: Shelf) -> None:
    """S4: it has the order as it was. A level that names it proves what was handed over, and nothing of a new line."""
    await carrying(shelf)
    await shelf.read(level(1, 10))
    await taken(shelf)
    await shelf.learn(order(line(5), line(1, line_id="n2"), version=2), use=HANDED)
    await shelf.read(level(2, 7, orders_included=("o1",)))
    assert (await shelf.figures()).stock_target == 4
    assert await shelf.store.orders.settle_lookups(["o1"]) == {"o1"}
    shelf.clock.pass_by(3_600)
    await shelf.read(level(2, 7, orders_included=("o1",)))
    assert await shelf.store.orders.lookups_due(9) == [], "nobody can tell more"
    await shelf.read(accepted(3, "o1", share(4, "WH1", line="n1")), level(4, 6, orders_included=("o1",)))
    assert (await shelf.figures()).stock_target == 4, "what it tells line by line counts"
    assert await shelf.store.handovers.as_it_is("o1")
    assert not await shelf.store.handovers.as_it_is("o1")
    assert (await shelf.figures()).stock_target == 6
    await shelf.learn(order(line(4), version=3), use=HANDED)
    await shelf.read(level(5, 7, orders_included=("o1",)))
    assert (await shelf.figures()).stock_target == 7
    await shelf.learn(order(line(5), version=4), use=HANDED)
    await shelf.read(level(6, 7, orders_included=("o1",)))
    assert (await shelf.figures()).stock_target == 6
    await shelf.learn(order(line(3), version=5), use=HANDED)
    assert (await shelf.figures()).stock_target == 7


@pytest.mark.parametrize("answer", [CancelAnswer.CANCELLED, CancelAnswer.UNKNOWN_THERE])
async def test_s13_pieces_are_free_with_archeans_word_alone(shelf: Shelf, answer: CancelAnswer) -> None:
    """Cancelled in commercetools they stay counted until Archean has cancelled, too."""
    await carrying(shelf)
    await shelf.read(level(1, 10))
    await taken(shelf)
    await shelf.learn(order(line(3), version=2, state="Cancelled"), use=HANDED)
    assert (await shelf.figures()).stock_target == 7
    (due,) = await shelf.store.handovers.due(9)
    cancelling = await shelf.store.handovers.cancelling(due)
    assert cancelling is not None
    await shelf.store.handovers.cancel_answered(cancelling, "main", answer)
    assert (await only(shelf)).stage is Stage.CANCELLED
    assert (await shelf.figures()).stock_target == 10


async def test_f140_an_unsent_order_frees_its_pieces_with_its_cancellation(shelf: Shelf) -> None:
    """Nobody can have imported it."""
    await carrying(shelf)
    await shelf.read(level(1, 10))
    await shelf.learn(order(line(3), version=2, state="Cancelled"), use=HANDED)
    (due,) = await shelf.store.handovers.due(9)
    await shelf.store.handovers.cancelled_unsent(due, "cancelled")
    assert (await shelf.figures()).stock_target == 10


async def test_f148_the_body_is_gone_with_the_acceptance(shelf: Shelf) -> None:
    """And in no story at any time."""
    await carrying(shelf)
    on_its_way = await sending(shelf, "to Ada Lovelace")
    assert (await only(shelf)).body is None
    assert "Ada" not in repr(on_its_way)
    await shelf.store.handovers.answered(on_its_way, "main", OrderLookup("accepted", "SO-1"), FAR_MS)
    assert [each.body for each in await shelf.store.handovers.to_note(9)] == [None]


async def test_orders_of_before_are_carried_from_the_first_start_that_hands_over(shelf: Shelf) -> None:
    """Those that Archean is known to have go on from there; of the others it is asked."""
    await shelf.learn(order(line(1)), replace(order(line(1)), id="o2"))
    await shelf.read(accepted(1, "o2"))
    shelf.store.carry(Carrying())
    await shelf.store.handovers.recover()
    found = {each.order_id: each for each in await shelf.store.handovers.listed(Stage.LEARNED, 9)}
    assert [(each.order_id, each.foreign_hand) for each in found.values()] == [("o1", Hand.ANOTHER_SYSTEM)]
    assert [each.order_id for each in await shelf.store.handovers.listed(Stage.ACCEPTED, 9)] == ["o2"]


async def test_a_person_lets_go_of_a_held_order_and_archeans_word_still_counts(shelf: Shelf) -> None:
    """Dismissed it is not due; accepted another way it is."""
    await carrying(shelf)
    (due,) = await shelf.store.handovers.due(9)
    await shelf.store.handovers.hold(due, Flaw(CaseKind.ORDER_UNMAPPED_LINE, "no place"), 1)
    assert await shelf.store.handovers.dismiss("o1", "by phone")
    assert not await shelf.store.handovers.dismiss("o1", "again")
    assert await shelf.store.handovers.due(9) == []
    await shelf.read(accepted(1))
    assert (await only(shelf)).stage is Stage.ACCEPTED


async def test_an_order_that_gets_its_first_goods_goes_and_what_a_person_let_go_does_not(
    shelf: Shelf,
) -> None:
    """An edit may add goods to an order of downloads."""
    await carrying(shelf, order(), order(name="o2"))
    first, second = await shelf.store.handovers.due(9)
    await shelf.store.handovers.not_ours(first, NOTHING_TO_SHIP)
    assert await shelf.store.handovers.dismiss(second.order_id, "by phone")
    more = [order(line(1), name=name, version=2) for name in ("o1", "o2")]
    await shelf.learn(*more, use=HANDED)
    (due,) = await shelf.store.handovers.due(9)
    assert (due.order_id, due.stage, due.version) == (first.order_id, Stage.WAITING, 2)


async def test_an_order_is_late_from_when_it_could_go(shelf: Shelf) -> None:
    """Paid after hours it is not late at once; what nobody kept from going is, from its placing."""
    await carrying(shelf, order(line(1)), order(line(1), name="o2"))
    first, second = await shelf.store.handovers.due(9)
    await shelf.store.handovers.wait(first, "its payment", 1, FAR_MS)
    shelf.clock.pass_by(7_200)
    paid_ms = shelf.clock.wall_ms()
    (waits,) = await shelf.store.handovers.listed(Stage.WAITING, 9)
    assert await shelf.store.handovers.ready(waits, "to Ada", asked_for(order(line(1))), 1) is not None
    await shelf.store.handovers.tell_stalled(paid_ms - 60_000, 0)
    assert [case.subject for case in await shelf.store.cases.listed()] == [second.order_id]
    await shelf.store.handovers.tell_stalled(paid_ms + 1, 0)
    assert {case.subject for case in await shelf.store.cases.listed()} == {"o1", "o2"}


# What Archean advises


async def test_f153_a_dispatch_is_kept_with_the_checkpoint_and_goes_on_when_its_order_is_learnt(
    shelf: Shelf,
) -> None:
    """P5: parked under whatever name the record has for the order."""
    shelf.store.carry(Carrying())
    await shelf.read(replace(shipped(1, share(3)), order_id=None, order_number="CT-1"))
    (parked,) = await shelf.store.advices.due(9)
    assert parked.stage is AdviceStage.PARKED
    await shelf.learn(replace(order(line(3)), number="CT-1"), use=HANDED)
    (due,) = await shelf.store.advices.due(9)
    assert (due.stage, due.order_id) == (AdviceStage.DUE, "o1")


async def test_f153_an_order_that_gets_its_number_later_is_found_by_it(shelf: Shelf) -> None:
    """The number is write-once and may come late."""
    await carrying(shelf)
    await shelf.read(replace(shipped(1, share(3)), order_id=None, order_number="CT-1"))
    (parked,) = await shelf.store.advices.due(9)
    assert parked.stage is AdviceStage.PARKED
    await shelf.learn(replace(order(line(3), version=2), number="CT-1"), use=HANDED)
    (due,) = await shelf.store.advices.due(9)
    assert due.stage is AdviceStage.DUE


async def test_a_dispatch_says_that_archean_has_the_order(shelf: Shelf) -> None:
    """Whatever became of the answer to the hand-over."""
    await carrying(shelf)
    await shelf.store.handovers.doubted(await sending(shelf), "its answer was lost", FAR_MS)
    await shelf.read(shipped(1, share(3), status="allocated"))
    assert (await only(shelf)).stage is Stage.ACCEPTED


async def test_an_order_that_is_marked_as_shipped_before_it_is_learnt_is_carried_all_the_same(
    shelf: Shelf,
) -> None:
    """Archean's dispatch of it is booked: somebody's word came before it."""
    await carrying(shelf, order(line(3), shipment="Shipped"))
    await shelf.read(shipped(1, share(3)))
    (due,) = await shelf.store.advices.due(9)
    assert (due.stage, (await only(shelf)).stage) == (AdviceStage.DUE, Stage.ACCEPTED)


async def test_dispatches_of_orders_that_another_system_carries_are_not_ours(shelf: Shelf) -> None:
    """Known, and met before we began: nothing is kept."""
    await shelf.learn(order(line(3)))
    shelf.store.carry(Carrying())
    await shelf.read(shipped(1, share(3)))
    assert await shelf.store.advices.of_order("o1") == []
    assert await shelf.store.advices.due(9) == []


async def test_a_record_of_a_retired_epoch_advises_nothing(shelf: Shelf) -> None:
    """It is old whatever its numbers say."""
    await carrying(shelf)
    await shelf.read(level(1, 10), epoch="e1")
    await shelf.read(level(1, 10), epoch="e2")
    await shelf.read(shipped(99, share(3)), epoch="e1")
    assert await shelf.store.advices.of_order("o1") == []


async def test_a_booking_of_an_older_record_leaves_the_newer_one_due(shelf: Shelf) -> None:
    """What came meanwhile is looked at by itself."""
    await carrying(shelf)
    await shelf.read(shipped(1, share(1)))
    (due,) = await shelf.store.advices.due(9)
    await shelf.read(shipped(2, share(2)))
    await shelf.store.advices.booked(
        due, order(line(3), version=2), HANDED, (), Stage.PART_SHIPPED, "F1", "now"
    )
    (newer,) = await shelf.store.advices.due(9)
    assert (newer.position.seq, newer.stage, newer.delivery_key) == (2, AdviceStage.DUE, None)
    assert (await only(shelf)).stage is Stage.ACCEPTED


async def test_the_circle_closes_with_the_last_acknowledgement(shelf: Shelf) -> None:
    """P1: shipped is booked first, then Archean knows, then it is over."""
    await carrying(shelf)
    await taken(shelf)
    await shelf.read(shipped(1, share(3)))
    (due,) = await shelf.store.advices.due(9)
    sent = order(line(3), version=2, shipment="Shipped")
    await shelf.store.advices.booked(due, sent, HANDED, (), Stage.SHIPPED, "F1", "now")
    assert (await only(shelf)).stage is Stage.SHIPPED
    (booked,) = await shelf.store.advices.due(9)
    assert (booked.stage, booked.shipment_state) == (AdviceStage.BOOKED, "Shipped")
    await shelf.store.advices.acknowledged(booked)
    assert (await only(shelf)).stage is Stage.CLOSED
    assert await shelf.store.handovers.check_claims(FAR_MS) == 0


async def test_f155_pieces_closed_short_are_as_good_as_gone_and_a_restatement_takes_that_back(
    shelf: Shelf,
) -> None:
    """By the piece, at a location that sells on hand: what was not there is owed no more; found after all, it is."""
    await shelf.store.use_rules(rules(channel(place("WH1", sells=ON_HAND))))
    await carrying(shelf)
    await shelf.read(level(1, None, on_hand=10))
    assert (await shelf.figures()).stock_target == 7
    short = replace(share(2), short_quantity=1)
    await shelf.read(shipped(2, short), level(3, None, on_hand=7))
    assert (await shelf.figures()).stock_target == 6
    (due,) = await shelf.store.advices.due(9)
    await shelf.store.advices.close_shorts(due)
    assert (await shelf.figures()).stock_target == 7
    await shelf.read(shipped(4, share(3)), level(5, None, on_hand=6))
    assert (await shelf.figures()).stock_target == 6


async def test_f157_the_base_of_a_returned_line_is_read_anew(shelf: Shelf) -> None:
    """Whether commercetools moves the entry with it nobody says."""
    await carrying(shelf)
    await shelf.read(level(1, 10), accepted(2), level(3, 7))
    await shelf.based(7)
    assert (await shelf.row()).base is Base.PROVEN
    back = ReturnReceived("r", 4, "R-1", "o1", None, (ReturnedLine("A", 1, Disposition.SELLABLE),))
    await shelf.read(back)
    (due,) = await shelf.store.advices.due(9)
    assert due.kind is AdviceKind.RETURN
    await shelf.store.advices.booked(due, order(line(3), version=2), HANDED, (), None, None, "now")
    row = await shelf.row(key())
    assert (row.base, row.check_due_ms is not None) == (Base.PROVISIONAL, True)
    assert (await shelf.store.advices.of_order("o1"))[0].stage is AdviceStage.DONE


async def test_what_is_held_is_tried_again_or_settled_by_a_person(shelf: Shelf) -> None:
    """And its exception closes when it is booked."""
    await carrying(shelf)
    await shelf.read(shipped(1, share(3)))
    (due,) = await shelf.store.advices.due(9)
    await shelf.store.advices.hold(
        due, (Finding(CaseKind.FULFILMENT_MISMATCH, "mismatch", "it does not fit"),)
    )
    assert await shelf.store.advices.due(9) == []
    assert await shelf.store.advices.again("F1")
    assert not await shelf.store.advices.again("F1")
    (due,) = await shelf.store.advices.due(9)
    assert await shelf.store.cases.listed()
    await shelf.store.advices.booked(due, order(line(3), version=2), HANDED, (), Stage.SHIPPED, "F1", "now")
    assert await shelf.store.cases.listed() == []
    (booked,) = await shelf.store.advices.due(9)
    await shelf.store.advices.hold(booked, (Finding(CaseKind.FULFILMENT_MISMATCH, "odd", "not taken"),))
    assert await shelf.store.advices.dismiss("F1", "by phone")
    assert (await only(shelf)).stage is Stage.CLOSED


async def test_two_people_who_have_a_forgotten_order_sent_again_have_it_sent_once(shelf: Shelf) -> None:
    """Both were told that Archean does not know it; by the second word the first one's sending has been answered."""
    await carrying(shelf)
    received = OrderLookup("received")
    await shelf.store.handovers.answered(await sending(shelf), "main", received, FAR_MS)
    first = second = await only(shelf)
    assert await shelf.store.handovers.forgotten(first, "the first")
    await shelf.store.handovers.answered(await sending(shelf), "main", received, FAR_MS)
    assert not await shelf.store.handovers.forgotten(second, "the second")
    assert (await only(shelf)).stage is Stage.RECEIVED
