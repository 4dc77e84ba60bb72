"""Kits on their way: split into components, and whole again only when all of their pieces are told, whatever came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.booking import (
    KIT_DISPATCHED,
    AddDelivery,
    Beside,
    Booking,
    ChangeShipmentState,
    Dispatch,
    book,
    book_progress,
    closed_pieces,
    stands,
)
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import DispatchedParcel, LineShare
from archsyncd.domain.handover import Stage
from archsyncd.domain.inventory import OrderLine
from archsyncd.domain.kit_lines import NAME_LIMIT_CHARACTERS, component_name, kit_line
from archsyncd.domain.kit_orders import KitOrder, gather, split
from archsyncd.domain.kits import Kit
from archsyncd.domain.whole_order import WholeOrder
from tests.domain.nouns import line, order
from tests.domain.test_booking import after, delivered, kinds, whole

KIT = Kit("KIT", (("A", 1), ("B", 2)))
K, A, B = "n1", component_name("n1", "A"), component_name("n1", "B")
KITS = {K: KIT}
Record = tuple[str, Sequence[LineShare]]


def bought(kits: int = 2, *more: OrderLine) -> WholeOrder:
    return whole(line(kits, "KIT", K), *more)


def told(a: int = 0, b: int = 0, *, named: bool = True) -> list[LineShare]:
    shares = [LineShare("A", a, A if named else None), LineShare("B", b, B if named else None)]
    return [share for share in shares if share.quantity]


class Booked:
    """An order, and its dispatches as they are booked one after the other."""

    def __init__(self, order_: WholeOrder, kits: dict[str, Kit] | None = None) -> None:
        self.order = order_
        self.kits = KITS if kits is None else kits
        self.before: dict[str, Dispatch] = {}

    def beside(self, name: str = "") -> Beside:
        return Beside(self.kits, tuple(each for other, each in self.before.items() if other != name))

    def book(
        self,
        name: str,
        shares: Sequence[LineShare],
        *parcels: DispatchedParcel,
        closed: dict[str, int] | None = None,
    ) -> Booking:
        dispatch = Dispatch(name, tuple(shares), parcels)
        booking = book(self.order, dispatch, closed or {}, self.beside(name))
        if not booking.refused:
            self.order = after(self.order, booking)
            self.before[name] = dispatch
        return booking

    @property
    def pieces(self) -> dict[str, int]:
        return delivered(self.order)


def test_a_kits_line_is_split_into_lines_that_name_it() -> None:
    """Each component with its pieces for all kits, under a name of its own."""
    kit_line_ = OrderLine("n1", "KIT", 3, "c-web", order(line(1)).lines[0].mode)
    parts = split(kit_line_, KIT)
    assert [(each.line_id, each.sku, each.quantity) for each in parts] == [("n1+A", "A", 3), ("n1+B", "B", 6)]
    assert {kit_line(each.line_id) for each in parts} == {"n1"}


@pytest.mark.parametrize("sku", ["A", "A+B", "A/B", "100%", "%2B", "X" * 256, "+" * 256])
def test_names_of_components_are_short_enough_and_of_one_component(sku: str) -> None:
    """Whatever an SKU is made of: within what a record may name, with the kit's line in it, and nobody else's."""
    name = component_name("n1", sku)
    assert len(name) <= NAME_LIMIT_CHARACTERS
    assert kit_line(name) == "n1"
    assert "/" not in name
    others = ["A", "A+B", "A/B", "100%", "%2B", "A%2FB", "X" * 255, "X" * 256, "+" * 255, "+" * 256]
    assert name not in {component_name("n1", other) for other in others if other != sku}


def test_a_kit_is_delivered_with_its_last_piece() -> None:
    """The first dispatch is a delivery without items, and Partial; the second brings the kits whole."""
    its = Booked(bought())
    first = its.book("F-1", told(a=2), DispatchedParcel("P1", "DPD", "t1", {"A": 2}))
    assert [type(each) for each in first.actions] == [AddDelivery, ChangeShipmentState]
    assert (its.pieces, its.order.order.shipment_state) == ({}, "Partial")
    assert its.order.deliveries[0].parcels[0].tracking_id == "t1"
    assert stands(its.order, {}) is Stage.PART_SHIPPED
    second = its.book("F-2", told(b=4), DispatchedParcel("P2", "DPD", "t2", {"B": 4}))
    (delivery, state) = second.actions
    assert isinstance(delivery, AddDelivery)
    assert (delivery.pieces, delivery.parcels[0].pieces) == ({K: 2}, {K: 2})
    assert state == ChangeShipmentState("Shipped")
    assert stands(its.order, {}) is Stage.SHIPPED


def test_a_kit_lies_in_the_parcel_of_its_last_piece() -> None:
    """Three parcels of one dispatch: one kit is whole with the second of them, the other with the third."""
    its = Booked(bought())
    parcels = [
        DispatchedParcel(f"P{n}", None, None, inside)
        for n, inside in enumerate([{"A": 2}, {"B": 3}, {"B": 1}])
    ]
    booking = its.book("F-1", told(a=2, b=4), *parcels)
    delivery = booking.actions[0]
    assert isinstance(delivery, AddDelivery)
    assert [parcel.pieces for parcel in delivery.parcels] == [{}, {K: 1}, {K: 1}]


def test_pieces_that_are_sold_singly_too_are_told_apart_by_their_line() -> None:
    """The line that is named has left, and not the kit's component of the same SKU."""
    its = Booked(bought(1, line(1, "A", "n2")))
    its.book("F-1", [LineShare("B", 2, B), LineShare("A", 1, "n2")])
    assert its.pieces == {"n2": 1}
    its.book("F-2", [LineShare("A", 1, A)])
    assert its.pieces == {"n2": 1, K: 1}


def test_pieces_told_by_sku_alone_fill_what_was_ordered_by_that_sku_first() -> None:
    """Then kits; told again, the first dispatch finds what it has booked."""
    its = Booked(bought(1, line(1, "A", "n2")))
    its.book("F-1", [LineShare("A", 1)])
    assert its.pieces == {"n2": 1}
    its.book("F-2", [LineShare("A", 1), LineShare("B", 2)])
    assert its.pieces == {"n2": 1, K: 1}
    assert its.book("F-1", [LineShare("A", 1)]).actions == ()
    assert its.book("F-2", [LineShare("B", 2), LineShare("A", 1)]).actions == ()


def test_a_kit_may_be_told_as_itself() -> None:
    """By its line and SKU, or by its SKU alone, where Archean takes it apart by itself."""
    its = Booked(bought(3))
    its.book("F-1", [LineShare("KIT", 1, K)])
    booking = its.book("F-2", [LineShare("KIT", 1)], DispatchedParcel("P1", None, None, {"KIT": 1}))
    assert its.pieces == {K: 2}
    assert isinstance(booking.actions[0], AddDelivery)
    assert booking.actions[0].parcels[0].pieces == {K: 1}
    its.book("F-3", [LineShare("A", 1, K), LineShare("B", 2, K)])
    assert its.pieces == {K: 3}


@pytest.mark.parametrize(
    ("share", "part"),
    [
        (LineShare("B", 1, A), "it holds B for a line about A"),
        (LineShare("X", 1, K), "it holds X for a line about the kit KIT"),
        (LineShare("X", 1), "which nobody ordered"),
    ],
)
def test_what_is_nobodys_is_held(share: LineShare, part: str) -> None:
    """It is not guessed whose it is."""
    booking = book(bought(), Dispatch("F-1", (share,)), {}, Beside(KITS))
    assert booking.refused
    assert part in booking.findings[0].reason


def test_more_pieces_than_were_ordered_are_told_and_the_rest_is_booked() -> None:
    """Three A for two kits: two kits, and an exception about the third A."""
    its = Booked(bought())
    booking = its.book("F-1", told(a=3, b=4))
    assert (its.pieces, kinds(booking)) == ({K: 2}, [CaseKind.OVER_SHIPMENT])
    assert "holds 1 pieces beyond" in booking.findings[0].reason
    assert book(its.order, Dispatch("F-2", (LineShare("A", 1, A),)), {}, its.beside()).refused


def test_fewer_pieces_than_kits_stand_as_delivered_are_held() -> None:
    """What is on the order stays; a person compares."""
    its = Booked(bought())
    its.book("F-1", told(a=2))
    its.book("F-2", told(b=4))
    again = book(its.order, Dispatch("F-1", tuple(told(a=1))), {}, its.beside("F-1"))
    assert (again.refused, kinds(again)) == (True, [CaseKind.FULFILMENT_MISMATCH])
    assert "1 of the kit KIT stand as delivered" in again.findings[0].reason


def test_what_will_never_be_whole_is_closed_and_its_other_pieces_are_told() -> None:
    """One B of four is missing: one kit is delivered, the other closed, and nobody overlooks its pieces that left."""
    its = Booked(bought())
    short = LineShare("B", 3, B, short_quantity=1)
    dispatch = Dispatch("F-1", (LineShare("A", 2, A), short))
    planned = book(its.order, dispatch, {}, its.beside()).actions
    closed = closed_pieces(its.order, [short], planned, Beside(KITS, (dispatch,)))
    assert closed == {K: 1}
    booking = its.book("F-1", dispatch.lines, closed=closed)
    assert (its.pieces, its.order.order.shipment_state) == ({K: 1}, "Shipped")
    assert stands(its.order, closed) is Stage.CLOSED_SHORT
    (finding,) = booking.findings
    assert (finding.kind, finding.code) == (CaseKind.KIT_INCOMPLETE, KIT_DISPATCHED)
    assert "1 of A, 1 of B for the kit KIT" in finding.reason


def test_pieces_that_left_before_their_kit_was_closed_are_told_too() -> None:
    """Nothing is dispatched by what closes it."""
    its = Booked(bought())
    its.book("F-1", told(a=2, b=2))
    short = LineShare("B", 0, B, short_quantity=2)
    closed = closed_pieces(its.order, [short], (), its.beside())
    assert closed == {K: 1}
    booking = book_progress(its.order, closed, ready=False, beside=its.beside())
    assert booking.actions == (ChangeShipmentState("Shipped"),)
    assert [finding.kind for finding in booking.findings] == [CaseKind.KIT_INCOMPLETE]
    assert book_progress(its.order, {}, ready=False, beside=its.beside()).findings == ()


shares = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 4), st.sampled_from(["line", "kit", "sku"])).map(
        lambda each: LineShare(each[0], each[1], {"line": component_name(K, each[0]), "kit": K}.get(each[2]))
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(st.integers(1, 3), st.lists(shares, max_size=5), st.randoms(use_true_random=False))
def test_so_many_kits_are_delivered_as_all_components_make(
    kits: int, dispatches: list[list[LineShare]], chance: object
) -> None:
    """After every dispatch, in any order, told again or not: the floor of the scarcest component, never more (P1, P3)."""
    its = Booked(bought(kits))
    for number, dispatch in enumerate(dispatches):
        its.book(f"F-{number}", dispatch)
        count = {
            sku: sum(
                share.quantity for each in its.before.values() for share in each.lines if share.sku == sku
            )
            for sku in "AB"
        }
        assert its.pieces.get(K, 0) == min(kits, count["A"], count["B"] // 2)
        assert (its.order.order.shipment_state == "Shipped") == (its.pieces.get(K, 0) == kits)
    names = list(its.before)
    chance.shuffle(names)  # type: ignore[attr-defined]
    for name in names:
        assert not its.book(name, its.before[name].lines).actions


@settings(max_examples=60)
@given(
    st.integers(1, 2),
    st.integers(0, 2),
    st.lists(st.tuples(st.sampled_from(["A", "B", "n2"]), st.integers(1, 3), st.booleans()), max_size=6),
)
def test_nothing_told_of_pieces_is_lost_or_made_up(
    kits: int, single: int, dispatched: list[tuple[str, int, bool]]
) -> None:
    """Single pieces and kits together: what is delivered and what waits for a whole kit comes to what was told."""
    lines = (OrderLine(K, "KIT", kits, "c", line(1).mode), OrderLine("n2", "A", single, "c", line(1).mode))
    own = KitOrder(lines, KITS)
    mine = [
        LineShare(
            "A" if what == "n2" else what,
            count,
            None if not named else "n2" if what == "n2" else component_name(K, what),
        )
        for what, count, named in dispatched
    ]
    found = gather(own, mine, (), {})
    total = sum(found.parts.values()) + sum(count for name, count in found.pieces.items() if name == "n2")
    assert total == sum(share.quantity for share in mine)
    assert found.pieces.get(K, 0) == min(kits, found.parts[A], found.parts[B] // 2)


def test_two_lines_of_one_kit_are_filled_one_after_the_other() -> None:
    """By SKU alone; by line each by itself."""
    its = Booked(bought(1, line(1, "KIT", "n2")), {K: KIT, "n2": KIT})
    its.book("F-1", [LineShare("A", 1), LineShare("B", 3)])
    assert its.pieces == {K: 1}
    its.book("F-2", [LineShare("KIT", 1, "n2")])
    assert its.pieces == {K: 1, "n2": 1}


def test_a_delivery_without_items_goes_with_the_first_of_several_shippings() -> None:
    """Where the order ships apart, commercetools wants to know with which."""
    apart = replace(bought(), shipping_mode="Multiple", shipping_keys=("s1", "s2"))
    booking = book(apart, Dispatch("F-1", tuple(told(a=1))), {}, Beside(KITS))
    assert booking.actions[0] == AddDelivery("F-1", {}, (), "s1")
