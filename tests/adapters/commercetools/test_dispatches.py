"""Dispatches booked through the client against the simulator: what the domain plans, commercetools takes, and shows again."""

from __future__ import annotations

from typing import Any

import pytest

from archsyncd.domain.booking import Dispatch, book
from archsyncd.domain.feed import DispatchedParcel, LineShare
from archsyncd.domain.inventory import Conflict, Missing, Refused
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.simulators.commercetools import OrderLine
from tests.adapters.commercetools.test_simulator import NORTH, SKU, Shop, open_shop

DISPATCH = Dispatch(
    "F-1", (LineShare(SKU, 2),), (DispatchedParcel("P1", "DPD", "t1", {SKU: 2}), DispatchedParcel("P2"))
)


async def ordered(shop: Shop, pieces: int = 3, **purchase: Any) -> WholeOrder:
    """An order as the client reads it."""
    order_id = shop.simulator.place_order([OrderLine(SKU, pieces, NORTH)], mode="None", **purchase)
    order = await shop.client.whole_order(order_id)
    assert isinstance(order, WholeOrder)
    return order


async def booked(shop: Shop, order: WholeOrder, dispatch: Dispatch) -> WholeOrder:
    booking = book(order, dispatch, {})
    assert booking.actions
    done = await shop.client.book_dispatch(order.order.id, order.order.version, booking.actions)
    assert isinstance(done, WholeOrder)
    return done


@pytest.mark.parametrize("mode", ["Single", "Multiple"])
async def test_f151_what_was_booked_is_found_again_and_changes_nothing(mode: str) -> None:
    """Deliveries, parcels, tracking and state in one request, in both shipping modes."""
    async with open_shop() as shop:
        order = await booked(shop, await ordered(shop, shipping_mode=mode), DISPATCH)
        assert order.order.shipment_state == "Partial"
        assert [parcel.tracking_id for parcel in order.deliveries[0].parcels] == ["t1", None]
        assert book(order, DISPATCH, {}).actions == ()
        order = await booked(shop, order, Dispatch("F-2", (LineShare(SKU, 1),)))
        assert order.order.shipment_state == "Shipped"
        assert sum(count for each in order.deliveries for count in each.pieces.values()) == 3


async def test_tracking_that_comes_later_is_booked_on_its_parcel() -> None:
    """And a parcel that was forgotten."""
    async with open_shop() as shop:
        order = await booked(shop, await ordered(shop), DISPATCH)
        newer = Dispatch(
            "F-1",
            DISPATCH.lines,
            (*DISPATCH.parcels[:1], DispatchedParcel("P2", "DPD", "t2"), DispatchedParcel("P3")),
        )
        order = await booked(shop, order, newer)
        assert [parcel.tracking_id for parcel in order.deliveries[0].parcels] == ["t1", "t2", None]
        assert book(order, newer, {}).actions == ()


async def test_an_order_that_changed_meanwhile_is_a_conflict_and_nothing_is_booked() -> None:
    """The booking is planned anew from what it is now."""
    async with open_shop() as shop:
        order = await ordered(shop)
        shop.simulator.update_order(order.order.id, {"action": "changeOrderState", "orderState": "Confirmed"})
        actions = book(order, DISPATCH, {}).actions
        answer = await shop.client.book_dispatch(order.order.id, order.order.version, actions)
        assert isinstance(answer, Conflict)
        again = await shop.client.whole_order(order.order.id)
        assert isinstance(again, WholeOrder)
        assert again.deliveries == ()


async def test_an_order_without_shipping_info_is_known_before_it_is_asked_for() -> None:
    """Commercetools refuses a delivery for it."""
    async with open_shop() as shop:
        order = await ordered(shop, shipping_method=False)
        assert not order.can_deliver
        assert book(order, DISPATCH, {}).actions == ()


async def test_a_number_is_noted_only_in_a_channel_for_that() -> None:
    """Its role says so; an order that is gone is missing."""
    async with open_shop() as shop:
        order = await ordered(shop)
        refused = await shop.client.note_source_order(order.order.id, order.order.version, NORTH, "SO-1")
        assert isinstance(refused, Refused)
        shop.simulator.add_channel("archean", ["OrderExport"])
        noted = await shop.client.note_source_order(order.order.id, order.order.version, "archean", "SO-1")
        assert isinstance(noted, WholeOrder)
        assert list(noted.synced.values()) == ["SO-1"]
        shop.simulator.delete_order(order.order.id)
        assert isinstance(await shop.client.whole_order(order.order.id), Missing)
