"""The shape in which a source is told of an order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from archsyncd.wire.foreign.shapes import persons_in, render
from tests.wire.foreign.sections import WHOLE, source

ORDER: dict[str, Any] = {
    "schema": "r247/1",
    "orderId": "o-1",
    "orderNumber": None,
    "version": 3,
    "createdAt": "2026-11-23T10:15:02.120Z",
    "currency": "EUR",
    "lines": [
        {
            "lineId": "l1",
            "sku": "X",
            "quantity": 2,
            "location": "WH1",
            "unitPrice": {"centAmount": 1999, "fractionDigits": 2},
        },
        {"lineId": "l2", "sku": "Y", "quantity": 1, "location": None, "unitPrice": None},
    ],
    "shipTo": {"lastName": "Brontë", "address": {"city": "Haworth"}},
    "shippingMethod": "DHL",
    "notes": None,
}
SHAPE: dict[str, Any] = {
    "Ref": "/orderId",
    "No": "/orderNumber",
    "Site": {"const": "UK1"},
    "Express": True,
    "Head": {"At": {"path": "/createdAt", "format": "dd/MM/yyyy HH:mm", "tz": "Europe/Berlin"}},
    "To": {"Name": "/shipTo/lastName", "City": "/shipTo/address/city", "Fax": "/shipTo/fax"},
    "Lines": {
        "each": "/lines",
        "as": {
            "Sku": "/sku",
            "Qty": "/quantity",
            "Site": "/location",
            "Price": {"path": "/unitPrice", "as": "decimal"},
        },
    },
}


def shape_of(order: dict[str, Any]) -> Any:
    place = {"path": "/o/{order}", "order": order}
    orders = source(WHOLE | {"orders": {"place": place}}).requests.orders
    assert orders is not None
    return orders.place.body


def test_an_order_is_written_in_the_source_s_own_names() -> None:
    """What is not stated is left out; prices are decimal texts and never floats; times are local."""
    assert render(shape_of(SHAPE), ORDER) == {
        "Ref": "o-1",
        "Site": "UK1",
        "Express": True,
        "Head": {"At": "23/11/2026 11:15"},
        "To": {"Name": "Brontë", "City": "Haworth"},
        "Lines": [{"Sku": "X", "Qty": 2, "Site": "WH1", "Price": "19.99"}, {"Sku": "Y", "Qty": 1}],
    }


def test_a_kits_component_says_in_the_source_s_names_what_it_was_sold_in() -> None:
    """Lines of no kit leave that out."""
    kit = {
        "lineId": "l1",
        "sku": "KIT",
        "quantity": 2,
        "unitPrice": {"centAmount": 4990, "fractionDigits": 2},
    }
    part = {"lineId": "l1+X", "sku": "X", "quantity": 6, "location": "WH1", "unitPrice": None, "kit": kit}
    shape = {
        "Lines": {
            "each": "/lines",
            "as": {
                "Id": "/lineId",
                "Set": "/kit/sku",
                "Sets": "/kit/quantity",
                "SetPrice": {"path": "/kit/unitPrice", "as": "decimal"},
            },
        }
    }
    assert render(shape_of(shape), ORDER | {"lines": [part, ORDER["lines"][1]]}) == {
        "Lines": [{"Id": "l1+X", "Set": "KIT", "Sets": 2, "SetPrice": "49.90"}, {"Id": "l2"}]
    }


@given(st.integers(-(10**15), 10**15), st.integers(0, 8))
def test_a_price_keeps_every_digit(cent_amount: int, digits: int) -> None:
    """As a decimal, whatever the currency's digits."""
    shape = shape_of({"P": {"path": "/currency", "as": "decimal"}})
    price = {"centAmount": cent_amount, "fractionDigits": digits}
    written = render(shape, {"currency": price})["P"]
    assert Decimal(written) == Decimal(cent_amount).scaleb(-digits)


def test_who_receives_the_order_is_found_in_what_was_sent() -> None:
    """By the shape; all texts where it was sent in another shape."""
    shape = shape_of(SHAPE)
    assert set(persons_in(shape, render(shape, ORDER))) == {"Brontë", "Haworth"}
    assert set(persons_in(shape, {"Lines": 5, "To": {"Name": "A"}})) == {"A"}
    assert set(persons_in(shape, ["a", {"b": "c"}])) == {"a", "c"}
    whole = shape_of({"To": "/shipTo"})
    assert set(persons_in(whole, render(whole, ORDER))) == {"Brontë", "Haworth"}
