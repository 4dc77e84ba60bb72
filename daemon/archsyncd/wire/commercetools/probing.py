"""The requests of a probe: entries, orders and a type of its own making, all named by its prefix. No sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archsyncd.wire.commercetools.exchange import Request, path_segment, post, query_of
from archsyncd.wire.commercetools.predicates import quoted

FIELD = "archProbe"
_MONEY = {"currencyCode": "EUR", "centAmount": 100}


def make_type(key: str) -> Request:
    """A type for inventory entries with one text field."""
    field = {
        "name": FIELD,
        "label": {"en": FIELD},
        "required": False,
        "type": {"name": "String"},
        "inputHint": "SingleLine",
    }
    draft = {
        "key": key,
        "name": {"en": key},
        "resourceTypeIds": ["inventory-entry"],
        "fieldDefinitions": [field],
    }
    return post("/types", draft)


def make_entry(sku: str, channel: str, quantity: int, type_key: str, **more: Any) -> Request:
    """An entry with the probe's mark on it, under a key that is its SKU."""
    custom = {"type": {"typeId": "type", "key": type_key}, "fields": {FIELD: sku}}
    draft = {
        "key": sku,
        "sku": sku,
        "supplyChannel": {"typeId": "channel", "key": channel},
        "quantityOnStock": quantity,
        "custom": custom,
    }
    return post("/inventory", draft | more)


def read(path: str) -> Request:
    """One resource."""
    return Request("GET", path, addresses_one=True)


def change(path: str, version: int, actions: Sequence[Mapping[str, Any]]) -> Request:
    """Update actions on one resource."""
    return post(path, {"version": version, "actions": list(actions)}, addresses_one=True)


def remove(path: str, version: int) -> Request:
    """Delete one resource."""
    return Request("DELETE", path, query_of([("version", str(version))]), writes=True, addresses_one=True)


def import_order(number: str, sku: str, channel: str, quantity: int) -> Request:
    """An order of one line that reserves its stock."""
    line = {
        "name": {"en": sku},
        "variant": {"sku": sku},
        "quantity": quantity,
        "price": {"value": _MONEY},
        "supplyChannel": {"typeId": "channel", "key": channel},
        "inventoryMode": "ReserveOnOrder",
    }
    draft = {
        "orderNumber": number,
        "lineItems": [line],
        "totalPrice": _MONEY,
        "inventoryMode": "ReserveOnOrder",
        "shippingAddress": {"country": "DE"},
    }
    return post("/orders/import", draft)


def listed_order(number: str) -> Request:
    """The order by its number, through the query endpoint."""
    return Request(
        "GET", "/orders", query_of([("where", f"orderNumber = {quoted(number)}"), ("withTotal", "false")])
    )


def messages_of(order_id: str) -> Request:
    """The messages about an order."""
    return Request(
        "GET",
        "/messages",
        query_of([("where", f"resource(id = {quoted(order_id)})"), ("withTotal", "false")]),
    )


def by_key(resource: str, key: str) -> str:
    """The path of a resource by its key."""
    return f"/{resource}/key={path_segment(key)}"


def by_number(number: str) -> str:
    """The path of an order by its number."""
    return f"/orders/order-number={path_segment(number)}"
