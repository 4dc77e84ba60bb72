"""Lines that cannot be counted: one case an order, only while something is still to happen with it. And which orders are open."""

from __future__ import annotations

from dataclasses import replace

from archsyncd.domain.cases import Case, CaseKind
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import CancelAnswer, Flaw, Stage, asked_for
from archsyncd.domain.inventory import Order
from archsyncd.domain.rules import Carrying
from tests.adapters.sqlite.shelf import Shelf
from tests.adapters.sqlite.test_handing import FAR_MS, HANDED, carrying, only, sending, taken
from tests.domain.nouns import accepted, line, order

FOREIGN = "id-foreign"


def astray(version: int = 1, **more: str) -> Order:
    """An order of two lines whose supply channel no location is mapped to."""
    lines = (line(3, at=FOREIGN), line(1, line_id="n2", at=FOREIGN))
    return order(*lines, version=version, **more)  # type: ignore[arg-type]


async def uncounted(shelf: Shelf) -> list[Case]:
    return await shelf.cases(CaseKind.ORDER_UNMAPPED_LINE.value)


async def test_an_order_has_one_case_however_many_of_its_lines_cannot_be_counted(shelf: Shelf) -> None:
    """Seen again it is the same case, and it closes itself when all of them can."""
    await shelf.learn(astray(), use=HANDED)
    (case,) = await uncounted(shelf)
    assert case.subject == "o1"
    assert case.reason.endswith("(and 1 more of its lines)")
    await shelf.learn(astray(2), use=HANDED)
    assert [(each.id, each.count) for each in await uncounted(shelf)] == [(case.id, 2)]
    await shelf.learn(order(line(3), line(1, line_id="n2"), version=3), use=HANDED)
    assert await uncounted(shelf) == []


async def test_what_has_been_shipped_or_is_over_has_no_case(shelf: Shelf) -> None:
    """A mapping that slips makes no cases of what left long ago, and what is over closes what was open."""
    await shelf.learn(replace(astray(), shipment_state="Shipped"))
    assert await uncounted(shelf) == []
    await shelf.learn(astray(2))
    assert len(await uncounted(shelf)) == 1
    await shelf.learn(replace(astray(3), order_state="Cancelled"))
    assert await uncounted(shelf) == []


async def test_what_archean_has_already_has_no_case(shelf: Shelf) -> None:
    """Nobody can do anything about the order itself: it goes on by itself, and counts again when the mapping is back."""
    await carrying(shelf)
    await taken(shelf)
    await shelf.learn(order(line(3, at=FOREIGN), version=2), use=HANDED)
    assert await uncounted(shelf) == []


async def test_a_held_order_keeps_its_one_case_until_it_can_go(shelf: Shelf) -> None:
    """That its lines count again is not all that it may wait for."""
    await carrying(shelf, order(line(3, at=FOREIGN)))
    assert len(await uncounted(shelf)) == 1
    (due,) = await shelf.store.handovers.due(9)
    await shelf.store.handovers.hold(due, Flaw(CaseKind.ORDER_UNMAPPED_LINE, "no place"), 1)
    assert [case.reason for case in await uncounted(shelf)] == ["no place"]
    await shelf.learn(order(line(3), version=2), use=HANDED)
    assert len(await uncounted(shelf)) == 1
    (due,) = await shelf.store.handovers.due(9)
    assert await shelf.store.handovers.ready(due, "{}", asked_for(order(line(3))), 2) is not None
    assert await uncounted(shelf) == []


async def test_open_are_the_orders_that_are_not_done(shelf: Shelf) -> None:
    """What the hand-over has finished is not open, though commercetools calls it so; nor is what was shipped before it began."""
    await carrying(shelf)
    assert (await shelf.store.report.order_counts())[0] == 1
    (due,) = await shelf.store.handovers.due(9)
    await shelf.store.handovers.not_ours(due, "no goods")
    assert await shelf.store.report.order_counts() == (0, None)
    shelf.store.carry(Carrying())
    await shelf.learn(order(line(1), name="o2"))
    assert (await shelf.store.report.order_counts())[0] == 1
    await shelf.learn(replace(order(line(1), name="o2", version=2), shipment_state="Shipped"))
    assert await shelf.store.report.order_counts() == (0, None)


async def conflicts(shelf: Shelf) -> list[str]:
    return [case.code for case in await shelf.cases(CaseKind.STATUS_CONFLICT.value)]


async def test_an_acceptance_that_is_read_after_archeans_word_of_the_cancellation_is_old(
    shelf: Shelf,
) -> None:
    """It had the order, was asked, and has cancelled it; its records tell both, later."""
    await carrying(shelf)
    await taken(shelf)
    await shelf.learn(replace(order(line(3), version=2), order_state="Cancelled"), use=HANDED)
    cancelling = await shelf.store.handovers.cancelling(await only(shelf))
    assert cancelling is not None
    await shelf.store.handovers.cancel_answered(cancelling, "main", CancelAnswer.CANCELLED)
    assert (await only(shelf)).stage is Stage.CANCELLED
    await shelf.read(accepted(5))
    assert await conflicts(shelf) == []


async def test_an_order_that_arrives_late_is_a_conflict_until_archean_has_cancelled_it_too(
    shelf: Shelf,
) -> None:
    """It did not know the order when it was asked to cancel it, and has it now."""
    await carrying(shelf)
    doubtful = await sending(shelf)
    await shelf.store.handovers.doubted(doubtful, "lost", FAR_MS)
    await shelf.learn(replace(order(line(3), version=2), order_state="Cancelled"), use=HANDED)
    await shelf.store.handovers.cancel_answered(await only(shelf), "main", CancelAnswer.UNKNOWN_THERE)
    assert (await only(shelf)).stage is Stage.CANCELLED
    await shelf.read(accepted(5))
    assert await conflicts(shelf) == ["accepted_late"]
    answer = OrderLookup("cancelled", None)
    await shelf.store.orders.book_order_lookups([("o1", "main", answer)])
    assert await conflicts(shelf) == []
