"""Advices that tell goods by another SKU than they were ordered by."""

from __future__ import annotations

from archsyncd.domain.advice import Advice, AdviceKind
from archsyncd.domain.booking import AddDelivery, Dispatch, book
from archsyncd.domain.feed import DispatchedParcel, Disposition, LineShare, Position, ReturnedLine
from archsyncd.domain.same_goods import as_ordered, strange_skus
from archsyncd.domain.whole_order import LineDetail, WholeOrder
from tests.domain.nouns import line, order

GOODS = {"OLD": "X", "NEW": "X", "B": "B", "C": "C"}
BOUGHT = order(line(3, "OLD"), line(2, "B", "n2"))
DETAILS = {each.line_id: LineDetail(each.line_id, f"key-{each.line_id}") for each in BOUGHT.lines}
ORDER = WholeOrder(BOUGHT, "2026-01-01T00:00:00.000Z", "EUR", details=DETAILS)


def advice(*lines: LineShare | ReturnedLine, **parcel: int) -> Advice:
    parcels = (DispatchedParcel("P1", pieces=parcel),) if parcel else ()
    kind = AdviceKind.RETURN if lines and isinstance(lines[0], ReturnedLine) else AdviceKind.FULFILMENT
    return Advice("main", kind, "F1", Position(1, 1), "o1", "o1", "shipped", lines, parcels)  # type: ignore[arg-type]


def test_goods_bear_the_sku_that_they_were_ordered_by() -> None:
    told = advice(LineShare("NEW", 3, short_quantity=1), LineShare("B", 2, "key-n2"), NEW=3, B=2)
    assert strange_skus(ORDER, [told]) == {"NEW"}
    found = as_ordered(ORDER, told, GOODS)
    assert [(each.sku, each.quantity) for each in found.shares] == [("OLD", 3), ("B", 2)]
    assert [each.sku for each in found.shorts] == ["OLD"]
    assert found.parcels[0].pieces == {"OLD": 3, "B": 2}
    booking = book(ORDER, Dispatch(found.name, found.shares, found.parcels), {})
    assert not booking.refused
    (delivery,) = (each for each in booking.actions if isinstance(each, AddDelivery))
    assert delivery.pieces == {"n1": 3, "n2": 2}
    assert delivery.parcels[0].pieces == {"n1": 3, "n2": 2}


def test_a_return_is_of_the_line_that_it_was_ordered_by() -> None:
    told = advice(ReturnedLine("NEW", 1, Disposition.SELLABLE))
    assert [each.sku for each in as_ordered(ORDER, told, GOODS).returned] == ["OLD"]


def test_other_goods_stay_what_they_are() -> None:
    """What nobody ordered, and another article on a line of its own, is still a mismatch."""
    told = advice(LineShare("C", 1), LineShare("B", 1, "n1"))
    assert strange_skus(ORDER, [told]) == {"B", "C"}
    found = as_ordered(ORDER, told, GOODS)
    assert [each.sku for each in found.shares] == ["C", "B"]
    assert book(ORDER, Dispatch(found.name, found.shares), {}).refused


def test_an_order_with_both_names_has_each_line_by_its_own() -> None:
    """A line that is named decides; without one, the name that was told."""
    bought = order(line(3, "OLD"), line(2, "NEW", "n2"))
    both = WholeOrder(bought, "2026-01-01T00:00:00.000Z", "EUR")
    told = advice(LineShare("NEW", 3, "n1"), LineShare("NEW", 2))
    assert strange_skus(both, [told]) == {"NEW"}
    assert [each.sku for each in as_ordered(both, told, GOODS).shares] == ["OLD", "NEW"]
    assert strange_skus(both, [advice(LineShare("OLD", 3, "n1"), LineShare("NEW", 2))]) == frozenset()
