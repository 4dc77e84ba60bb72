"""Booking dispatches: never above the order, never twice, never backwards (P1, P2, P4), and told when it does not fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.booking import (
    AddDelivery,
    AddParcel,
    Booking,
    ChangeShipmentState,
    Dispatch,
    SetTracking,
    book,
)
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import DispatchedParcel, LineShare
from archsyncd.domain.packing import ParcelDraft, clean_text, wire_key
from archsyncd.domain.whole_order import Delivery, LineDetail, Parcel, WholeOrder
from tests.domain.nouns import line, order

STATES = (None, "Pending", "Ready", "Partial", "Shipped", "Delivered")


def whole(*lines: object, **more: object) -> WholeOrder:
    bought = order(*(lines or (line(3), line(2, "B", "n2"))))  # type: ignore[arg-type]
    details = {each.line_id: LineDetail(each.line_id, f"key-{each.line_id}") for each in bought.lines}
    return replace(WholeOrder(bought, "2026-01-01T00:00:00.000Z", "EUR", details=details), **more)  # type: ignore[arg-type]


def sent(name: str, *lines: LineShare, parcels: Iterable[DispatchedParcel] = ()) -> Dispatch:
    return Dispatch(name, lines, tuple(parcels))


def after(before: WholeOrder, booking: Booking) -> WholeOrder:
    """The order once commercetools has done what was asked; it refuses keys that are taken."""
    deliveries = {delivery.key: delivery for delivery in before.deliveries}
    state = before.order.shipment_state
    for action in booking.actions:
        match action:
            case AddDelivery():
                assert action.key not in deliveries
                parcels = tuple(map(_stored, action.parcels))
                deliveries[action.key] = Delivery(f"id-{action.key}", action.key, action.pieces, parcels)
            case AddParcel():
                there = deliveries[action.delivery_key]
                deliveries[action.delivery_key] = replace(
                    there, parcels=(*there.parcels, _stored(action.parcel))
                )
            case SetTracking():
                for key, there in deliveries.items():
                    deliveries[key] = replace(
                        there, parcels=tuple(_tracked(each, action) for each in there.parcels)
                    )
            case ChangeShipmentState():
                state = action.state
    keys = [parcel.key for delivery in deliveries.values() for parcel in delivery.parcels]
    assert len(keys) == len(set(keys))
    return replace(
        before, deliveries=tuple(deliveries.values()), order=replace(before.order, shipment_state=state)
    )


def _stored(draft: ParcelDraft) -> Parcel:
    return Parcel(f"id-{draft.key}", draft.key, draft.tracking, draft.carrier)


def _tracked(parcel: Parcel, action: SetTracking) -> Parcel:
    if parcel.key != action.parcel_key:
        return parcel
    return replace(parcel, tracking_id=action.tracking, carrier=action.carrier)


def delivered(order_: WholeOrder) -> dict[str, int]:
    total: dict[str, int] = {}
    for delivery in order_.deliveries:
        for line_id, count in delivery.pieces.items():
            total[line_id] = total.get(line_id, 0) + count
    return total


def kinds(booking: Booking) -> list[CaseKind]:
    return [finding.kind for finding in booking.findings]


def test_f151_parts_are_partial_until_the_last_piece() -> None:
    """A delivery for each dispatch, with its key; then Shipped, in the same request."""
    bought = whole()
    first = book(bought, sent("F-1", LineShare("A", 3, "n1")), {})
    assert first.actions == (AddDelivery("F-1", {"n1": 3}, ()), ChangeShipmentState("Partial"))
    bought = after(bought, first)
    second = book(bought, sent("F-2", LineShare("B", 2, "key-n2")), {})
    assert second.actions == (AddDelivery("F-2", {"n2": 2}, ()), ChangeShipmentState("Shipped"))


def test_f149_the_same_dispatch_told_again_changes_nothing() -> None:
    """It finds its own delivery."""
    dispatch = sent("F-1", LineShare("A", 3, "n1"), parcels=[DispatchedParcel("P1", "DPD", "t1", {"A": 3})])
    bought = after(whole(), book(whole(), dispatch, {}))
    assert book(bought, dispatch, {}).actions == ()


def test_f149_the_same_dispatch_with_other_pieces_is_told_and_not_booked_over() -> None:
    """What is on the order stays; a person compares."""
    bought = after(whole(), book(whole(), sent("F-1", LineShare("A", 1, "n1")), {}))
    again = book(bought, sent("F-1", LineShare("A", 2, "n1")), {})
    assert (again.actions, kinds(again)) == ((), [CaseKind.FULFILMENT_MISMATCH])


def test_tracking_that_comes_later_is_added_to_its_parcel() -> None:
    """A newer record of the same dispatch: parcels and tracking are corrected, pieces are not."""
    line_ = LineShare("A", 3, "n1")
    bought = after(whole(), book(whole(), sent("F-1", line_, parcels=[DispatchedParcel("P1")]), {}))
    newer = sent(
        "F-1", line_, parcels=[DispatchedParcel("P1", "DPD", "t1"), DispatchedParcel("P2", "DPD", "t2")]
    )
    found = book(bought, newer, {})
    assert found.actions == (
        SetTracking("P1", "t1", "DPD"),
        AddParcel("F-1", ParcelDraft("P2", "t2", "DPD", {})),
    )
    assert book(after(bought, found), newer, {}).actions == ()


def test_parcels_that_two_dispatches_call_the_same_are_told_apart() -> None:
    """`P1` of each: commercetools takes a parcel's key once an order."""
    bought = whole()
    for name, told in (("F-1", LineShare("A", 3, "n1")), ("F-2", LineShare("B", 2, "n2"))):
        dispatch = sent(name, told, parcels=[DispatchedParcel("P1")])
        bought = after(bought, book(bought, dispatch, {}))
        assert book(bought, dispatch, {}).actions == ()
    assert [parcel.key for each in bought.deliveries for parcel in each.parcels] == ["P1", "F-2_P1"]


def test_more_than_was_ordered_is_booked_within_the_order_and_told() -> None:
    """Commercetools would take it all."""
    found = book(whole(), sent("F-1", LineShare("A", 5, "n1")), {})
    assert found.actions[0] == AddDelivery("F-1", {"n1": 3}, ())
    assert kinds(found) == [CaseKind.OVER_SHIPMENT]


@pytest.mark.parametrize("strange", [LineShare("Z", 1), LineShare("B", 1, "n1")])
def test_f156_another_sku_than_was_ordered_is_not_booked(strange: LineShare) -> None:
    """A substitution is for a person, and so is all that came with it."""
    found = book(whole(), sent("F-1", LineShare("A", 1, "n1"), strange), {})
    assert (found.actions, kinds(found)) == ((), [CaseKind.FULFILMENT_MISMATCH])


def test_f155_a_line_that_is_closed_short_keeps_no_order_open() -> None:
    """Shipped once all that will ever be sent was sent."""
    found = book(whole(line(3)), sent("F-1", LineShare("A", 2, "n1")), {"n1": 1})
    assert found.state == "Shipped"


def test_f160_a_dispatch_of_a_cancelled_order_is_a_fact_and_no_change_of_state() -> None:
    """The goods are on their way: the delivery is booked, a person decides on the rest."""
    gone = whole(order=order(line(3), state="Cancelled"))
    found = book(gone, sent("F-1", LineShare("A", 3, "n1")), {})
    assert found.actions == (AddDelivery("F-1", {"n1": 3}, ()),)
    assert kinds(found) == [CaseKind.STATUS_CONFLICT]


def test_an_order_that_ships_apart_has_a_delivery_for_each_part() -> None:
    """Under the shipping key of the pieces."""
    apart = whole(shipping_mode="Multiple")
    apart = replace(
        apart,
        details={
            "n1": LineDetail("n1", shippings={"s1": 1, "s2": 2}),
            "n2": LineDetail("n2", shippings={"s2": 2}),
        },
    )
    found = book(apart, sent("F-1", LineShare("A", 3, "n1"), LineShare("B", 2, "n2")), {})
    assert found.actions[:2] == (
        AddDelivery("F-1__1", {"n1": 1}, (), "s1"),
        AddDelivery("F-1__2", {"n1": 2, "n2": 2}, (), "s2"),
    )
    assert book(after(apart, found), sent("F-1", LineShare("A", 3), LineShare("B", 2)), {}).actions == ()


def test_without_shipping_info_nothing_is_booked_and_it_is_told() -> None:
    """Commercetools would refuse the whole request."""
    found = book(whole(can_deliver=False), sent("F-1", LineShare("A", 1, "n1")), {})
    assert (found.actions, kinds(found)) == ((), [CaseKind.FULFILMENT_MISMATCH])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (None, None),
        ("", None),
        ("\x00\x1b", None),
        (" t1 ", "t1"),
        ("x" * 5_000, "x" * 256),
        ("<b>t</b>\n", "<b>t</b>"),
    ],
)
def test_f158_a_tracking_text_is_text(text: str | None, kept: str | None) -> None:
    """Optional, of reasonable length, without control characters; markup is text like any other."""
    assert clean_text(text) == kept


@given(st.text(max_size=300))
def test_every_name_of_archeans_can_be_a_key(name: str) -> None:
    """Within commercetools' alphabet and length, and the same each time."""
    key = wire_key(name)
    assert 2 <= len(key) <= 256
    assert all(each.isascii() and (each.isalnum() or each in "-_") for each in key)
    assert key == wire_key(name)


LINES = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(1, 4), st.sampled_from([None, "n1", "n2", "n3"])),
    min_size=1,
    max_size=3,
)


@given(
    st.lists(st.tuples(st.sampled_from(["F-1", "F-2", "F 3"]), LINES), max_size=8), st.sampled_from(STATES)
)
def test_p1_p2_p4_whatever_is_told_the_order_stays_right(
    told: list[tuple[str, list[tuple[str, int, str | None]]]], state: str | None
) -> None:
    """Never above the ordered pieces; a repeat changes nothing; the state goes forward only."""
    bought = whole(line(3), line(2, "B", "n2"), line(2, "A", "n3"))
    bought = replace(bought, order=replace(bought.order, shipment_state=state))
    ordered = {each.line_id: each.quantity for each in bought.order.lines}
    for name, lines in told:
        dispatch = sent(
            name, *(LineShare(*each) for each in lines), parcels=[DispatchedParcel("P1", None, name)]
        )
        before, found = bought, book(bought, dispatch, {})
        bought = after(before, found)
        assert all(count <= ordered[line_id] for line_id, count in delivered(bought).items())
        assert STATES.index(bought.order.shipment_state) >= STATES.index(before.order.shipment_state)
        assert book(bought, dispatch, {}).actions == ()
        if bought.order.shipment_state == "Shipped" != state and state != "Delivered":
            assert delivered(bought) == ordered
