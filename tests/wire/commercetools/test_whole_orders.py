"""Reading an order whole, and the updates of orders: nothing guessed, nothing of a person in a representation."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.wire.commercetools.strict import MalformedAnswer
from archsyncd.wire.commercetools.whole_orders import note_action, update_request, whole_order_of

LINE: dict[str, Any] = {
    "id": "n1",
    "key": "first",
    "variant": {"sku": "A"},
    "quantity": 2,
    "supplyChannel": {"typeId": "channel", "id": "c1"},
    "inventoryMode": "ReserveOnOrder",
    "price": {"value": {"centAmount": 1999, "currencyCode": "EUR", "fractionDigits": 2}},
    "shippingDetails": {
        "targets": [
            {"addressKey": "home", "quantity": 1, "shippingMethodKey": "s1"},
            {"addressKey": "work", "quantity": 1, "shippingMethodKey": "s1"},
        ]
    },
}
ORDER: dict[str, Any] = {
    "id": "o1",
    "version": 7,
    "orderNumber": "CT-1",
    "createdAt": "2026-11-27T10:00:00.000Z",
    "orderState": "Open",
    "paymentState": "Paid",
    "shippingMode": "Single",
    "totalPrice": {"centAmount": 3998, "currencyCode": "EUR", "fractionDigits": 2},
    "store": {"typeId": "store", "key": "de"},
    "custom": {"type": {"id": "t"}, "fields": {"free": True, "note": "x", "list": [1], "ref": {"id": "y"}}},
    "lineItems": [LINE],
    "shippingAddress": {"firstName": "Ann", "streetName": "Sesame", "country": "DE", "custom": {"x": 1}},
    "shippingInfo": {
        "shippingMethodName": "DHL",
        "deliveries": [
            {
                "id": "d1",
                "key": "F-1",
                "items": [{"id": "n1", "quantity": 1}, {"id": "n1", "quantity": 1}],
                "parcels": [{"id": "p1", "key": "P1", "trackingData": {"trackingId": "t", "carrier": "DPD"}}],
            }
        ],
    },
    "syncInfo": [{"channel": {"typeId": "channel", "id": "c9"}, "externalId": "SO-1", "syncedAt": "x"}],
    "returnInfo": [
        {
            "items": [
                {"id": "r1", "key": "R-1", "lineItemId": "n1", "quantity": 1, "shipmentState": "Returned"}
            ]
        }
    ],
}


def test_an_order_is_read_whole() -> None:
    """Everything that the hand-over and the booking of a dispatch rest on."""
    order = whole_order_of(ORDER)
    assert (order.name, order.order.version, order.currency, order.payment_state, order.store) == (
        "CT-1",
        7,
        "EUR",
        "Paid",
        "de",
    )
    assert order.custom == {"free": True, "note": "x"}
    detail = order.details["n1"]
    assert detail.price is not None
    assert (detail.key, detail.price.cent_amount, detail.shippings) == ("first", 1999, {"s1": 2})
    assert order.ship_to == {"firstName": "Ann", "streetName": "Sesame", "country": "DE"}
    (delivery,) = order.deliveries
    assert (delivery.key, delivery.pieces, delivery.parcels[0].tracking_id) == ("F-1", {"n1": 2}, "t")
    assert order.synced == {"c9": "SO-1"}
    assert (order.returns[0].key, order.returns[0].state, order.can_deliver) == ("R-1", "Returned", True)
    assert "Sesame" not in repr(order)


def test_an_order_that_ships_apart_has_the_deliveries_of_every_part() -> None:
    """Shipping mode Multiple: the shipping infos stand in a list."""
    parts: list[dict[str, Any]] = [
        {
            "shippingKey": key,
            "shippingInfo": {"shippingMethodName": key, "deliveries": [{"id": key, "items": []}]},
        }
        for key in ("s1", "s2")
    ]
    order = whole_order_of({**ORDER, "shippingMode": "Multiple", "shipping": parts, "shippingInfo": None})
    assert [delivery.id for delivery in order.deliveries] == ["s1", "s2"]
    assert order.shipping_mode == "Multiple"
    assert (order.ship_to, order.destinations) == (None, 0)


@pytest.mark.parametrize(("streets", "destinations"), [(["Sesame", "Sesame"], 1), (["Sesame", "Main"], 2)])
def test_an_order_that_ships_apart_goes_to_as_many_addresses_as_differ(
    streets: list[str], destinations: int
) -> None:
    """Archean takes one: with several the order is for a person."""
    parts = [
        {"shippingKey": f"s{number}", "shippingInfo": {}, "shippingAddress": {"streetName": street}}
        for number, street in enumerate(streets)
    ]
    order = whole_order_of({**ORDER, "shippingMode": "Multiple", "shipping": parts, "shippingInfo": None})
    assert (order.ship_to, order.destinations) == ({"streetName": "Sesame"}, destinations)


@pytest.mark.parametrize("name", ["id", "version", "createdAt", "orderState", "totalPrice", "lineItems"])
def test_half_an_order_is_none(name: str) -> None:
    """What it rests on must be there."""
    with pytest.raises(MalformedAnswer):
        whole_order_of({key: value for key, value in ORDER.items() if key != name})


def test_an_order_without_the_rest_is_one() -> None:
    """No address, no shipping, no price, no custom fields: nothing is made up."""
    bare = {name: ORDER[name] for name in ("id", "version", "createdAt", "orderState", "totalPrice")}
    order = whole_order_of({**bare, "lineItems": [{key: LINE[key] for key in ("id", "variant", "quantity")}]})
    assert (order.ship_to, order.can_deliver, order.deliveries, order.synced) == (None, False, (), {})
    assert order.details["n1"].price is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(sorted(ORDER)),
)
def test_whatever_stands_in_a_field_it_is_read_or_refused(value: object, name: str) -> None:
    """Nothing but MalformedAnswer leaves."""
    with contextlib.suppress(MalformedAnswer):
        assert whole_order_of({**ORDER, name: value}).order.lines is not None


def test_a_number_is_noted_under_the_version_that_was_read() -> None:
    """All actions or none; the outcome of a lost answer is unknown."""
    request = update_request("o1", 7, [note_action("archean", "SO-1")])
    assert (request.method, request.path, request.writes) == ("POST", "/orders/o1", True)
    assert orjson.loads(request.body or b"") == {
        "version": 7,
        "actions": [
            {
                "action": "updateSyncInfo",
                "channel": {"typeId": "channel", "key": "archean"},
                "externalId": "SO-1",
            }
        ],
    }
