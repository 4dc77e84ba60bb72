"""An order whole, and the updates of orders that the daemon makes. Knows no sockets and no rule of orders.

Source: commercetools' HTTP API, "Orders" (Order, Delivery, Parcel, ReturnInfo, SyncInfo and the update actions).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from archsyncd.domain.booking import (
    AddDelivery,
    AddParcel,
    AddReturn,
    ChangeShipmentState,
    OrderAction,
    SetReturnState,
    SetTracking,
)
from archsyncd.domain.packing import ParcelDraft
from archsyncd.domain.whole_order import (
    MODE_MULTIPLE,
    Delivery,
    LineDetail,
    Parcel,
    Price,
    ReturnItem,
    WholeOrder,
    WholePage,
)
from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.exchange import Request, path_segment
from archsyncd.wire.commercetools.orders import order_of

FRACTION_DIGITS_LIMIT = 20
# What Archean needs to find a door; the rest of commercetools' address (custom fields, ids) stays there.
ADDRESS_FIELDS = (
    "title",
    "salutation",
    "firstName",
    "lastName",
    "company",
    "department",
    "streetName",
    "streetNumber",
    "additionalStreetInfo",
    "building",
    "apartment",
    "pOBox",
    "postalCode",
    "city",
    "region",
    "state",
    "country",
    "phone",
    "mobile",
    "email",
    "additionalAddressInfo",
)
_SCALARS = (str, int, float, bool)


def update_request(order_id: str, version: int, actions: Sequence[Mapping[str, Any]]) -> Request:
    """Change an order by some actions, all or none, if it still has this version."""
    body = orjson.dumps({"version": version, "actions": list(actions)})
    return Request("POST", f"/orders/{path_segment(order_id)}", body=body, writes=True, addresses_one=True)


def note_action(channel_key: str, source_order: str) -> Mapping[str, Any]:
    """Note under which number another system knows the order; the channel has the role OrderExport."""
    channel = {"typeId": "channel", "key": channel_key}
    return {"action": "updateSyncInfo", "channel": channel, "externalId": source_order}


def booking_actions(actions: Sequence[OrderAction]) -> list[Mapping[str, Any]]:
    """A booking's actions in commercetools' words, in their order."""
    return [_action(action) for action in actions]


def _action(action: OrderAction) -> Mapping[str, Any]:
    match action:
        case AddDelivery(key, pieces, parcels, shipping_key):
            drafts = [{"key": each.key, **_parcel_draft(each)} for each in parcels]
            apart = {} if shipping_key is None else {"shippingKey": shipping_key}
            delivery = {"deliveryKey": key, "items": _items(pieces), "parcels": drafts}
            return {"action": "addDelivery", **delivery, **apart}
        case AddParcel(delivery_key, parcel):
            named = {"deliveryKey": delivery_key, "parcelKey": parcel.key}
            return {"action": "addParcelToDelivery", **named, **_parcel_draft(parcel)}
        case SetTracking(parcel_key, tracking, carrier):
            data = _tracking(tracking, carrier)
            return {"action": "setParcelTrackingData", "parcelKey": parcel_key, "trackingData": data}
        case ChangeShipmentState(state):
            return {"action": "changeShipmentState", "shipmentState": state}
        case AddReturn(items):
            returned = [
                {
                    "key": item.key,
                    "lineItemId": item.line_id,
                    "quantity": item.pieces,
                    "shipmentState": "Returned",
                }
                for item in items
            ]
            return {"action": "addReturnInfo", "items": returned}
        case SetReturnState(item_key, state):
            named = {"returnItemKey": item_key, "shipmentState": state}
            return {"action": "setReturnShipmentState", **named}


def _parcel_draft(parcel: ParcelDraft) -> Mapping[str, Any]:
    tracking = _tracking(parcel.tracking, parcel.carrier)
    told = {"trackingData": tracking} if tracking else {}
    return told | ({"items": _items(parcel.pieces)} if parcel.pieces else {})


def _tracking(tracking: str | None, carrier: str | None) -> dict[str, str]:
    told = {"trackingId": tracking, "carrier": carrier}
    return {name: value for name, value in told.items() if value is not None}


def _items(pieces: Mapping[str, int]) -> list[Mapping[str, Any]]:
    return [{"id": line_id, "quantity": count} for line_id, count in pieces.items()]


def whole_page(tree: Any) -> WholePage:
    """Read a list of orders whole; those that cannot be read are told by id. Raises MalformedAnswer."""
    orders: list[WholeOrder] = []
    faults: list[str] = []
    for row in strict.sequence(strict.mapping(tree, "body").get("results"), "results"):
        try:
            orders.append(whole_order_of(row))
        except strict.MalformedAnswer:
            name = row.get("id") if isinstance(row, dict) else None
            faults.append(name if isinstance(name, str) else "")
    return WholePage(tuple(orders), tuple(faults))


def whole_order_of(tree: Any) -> WholeOrder:
    """Read one order whole. Raises MalformedAnswer."""
    item = strict.mapping(tree, "order")
    lines = strict.sequence(item.get("lineItems"), "lineItems")
    mode = strict.optional_text(item, "shippingMode") or "Single"
    infos = _shipping_infos(item, mode)
    addresses = _addresses(item, mode)
    return WholeOrder(
        order=order_of(item),
        created_at=strict.timestamp_text(item, "createdAt"),
        currency=_currency(item),
        payment_state=strict.optional_text(item, "paymentState"),
        store=_store(item),
        custom=_custom(item),
        details={detail.line_id: detail for detail in map(_detail, lines)},
        ship_to=addresses[0] if addresses else None,
        destinations=len(addresses),
        shipping_method=_method(infos),
        shipping_mode=mode,
        shipping_keys=_shipping_keys(item) if mode == MODE_MULTIPLE else (),
        can_deliver=bool(infos),
        deliveries=tuple(_delivery(each) for info in infos for each in _optional_list(info, "deliveries")),
        returns=tuple(
            _return_item(each)
            for info in _optional_list(item, "returnInfo")
            for each in strict.sequence(strict.mapping(info, "returnInfo").get("items"), "items")
        ),
        synced=dict(_synced(each) for each in _optional_list(item, "syncInfo")),
    )


def _optional_list(tree: Mapping[str, Any], name: str) -> Sequence[Any]:
    return () if tree.get(name) is None else strict.sequence(tree[name], name)


def _currency(item: Mapping[str, Any]) -> str:
    return strict.text(strict.mapping(item.get("totalPrice"), "totalPrice"), "currencyCode")


def _store(item: Mapping[str, Any]) -> str | None:
    return None if item.get("store") is None else strict.text(strict.mapping(item["store"], "store"), "key")


def _custom(item: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    if item.get("custom") is None:
        return {}
    fields = strict.mapping(strict.mapping(item["custom"], "custom").get("fields"), "custom.fields")
    return {name: value for name, value in fields.items() if isinstance(value, _SCALARS)}


def _shipping_infos(item: Mapping[str, Any], mode: str) -> list[Mapping[str, Any]]:
    if mode == MODE_MULTIPLE:
        parts = [strict.mapping(each, "shipping") for each in _optional_list(item, "shipping")]
        return [strict.mapping(part.get("shippingInfo"), "shippingInfo") for part in parts]
    return [] if item.get("shippingInfo") is None else [strict.mapping(item["shippingInfo"], "shippingInfo")]


def _shipping_keys(item: Mapping[str, Any]) -> tuple[str, ...]:
    parts = [strict.mapping(each, "shipping") for each in _optional_list(item, "shipping")]
    return tuple(strict.text(part, "shippingKey") for part in parts)


def _method(infos: Sequence[Mapping[str, Any]]) -> str | None:
    return strict.optional_text(infos[0], "shippingMethodName") if infos else None


def _addresses(item: Mapping[str, Any], mode: str) -> list[dict[str, str]]:
    """The different addresses that the order goes to: the order's own, or those of its shippings."""
    parts = [strict.mapping(each, "shipping") for each in _optional_list(item, "shipping")]
    holders = parts if mode == MODE_MULTIPLE else [item]
    found: list[dict[str, str]] = []
    for holder in holders:
        if holder.get("shippingAddress") is None:
            continue
        address = strict.mapping(holder["shippingAddress"], "shippingAddress")
        kept = {name: address[name] for name in ADDRESS_FIELDS if isinstance(address.get(name), str)}
        if kept not in found:
            found.append(kept)
    return found


def _detail(tree: Any) -> LineDetail:
    item = strict.mapping(tree, "lineItem")
    shippings: dict[str, int] = {}
    details = item.get("shippingDetails")
    if details is not None:
        for target in strict.sequence(strict.mapping(details, "shippingDetails").get("targets"), "targets"):
            part = strict.mapping(target, "target")
            key = strict.optional_text(part, "shippingMethodKey")
            if key is not None:
                shippings[key] = shippings.get(key, 0) + strict.integer(part, "quantity")
    return LineDetail(strict.text(item, "id"), strict.optional_text(item, "key"), _price(item), shippings)


def _price(item: Mapping[str, Any]) -> Price | None:
    if item.get("price") is None:
        return None
    value = strict.mapping(strict.mapping(item["price"], "price").get("value"), "price.value")
    digits = strict.integer(value, "fractionDigits")
    if not 0 <= digits <= FRACTION_DIGITS_LIMIT:
        raise strict.MalformedAnswer("fractionDigits", "is out of range")
    return Price(strict.integer(value, "centAmount"), digits)


def _delivery(tree: Any) -> Delivery:
    item = strict.mapping(tree, "delivery")
    pieces: dict[str, int] = {}
    for each in _optional_list(item, "items"):
        part = strict.mapping(each, "item")
        line_id = strict.text(part, "id")
        pieces[line_id] = pieces.get(line_id, 0) + strict.integer(part, "quantity")
    parcels = tuple(_parcel(each) for each in _optional_list(item, "parcels"))
    return Delivery(strict.text(item, "id"), strict.optional_text(item, "key"), pieces, parcels)


def _parcel(tree: Any) -> Parcel:
    item = strict.mapping(tree, "parcel")
    tracking = (
        {} if item.get("trackingData") is None else strict.mapping(item["trackingData"], "trackingData")
    )
    return Parcel(
        strict.text(item, "id"),
        strict.optional_text(item, "key"),
        strict.optional_text(tracking, "trackingId"),
        strict.optional_text(tracking, "carrier"),
    )


def _return_item(tree: Any) -> ReturnItem:
    item = strict.mapping(tree, "returnItem")
    return ReturnItem(
        strict.text(item, "id"),
        strict.optional_text(item, "key"),
        strict.optional_text(item, "lineItemId") or "",
        strict.integer(item, "quantity"),
        strict.text(item, "shipmentState"),
    )


def _synced(tree: Any) -> tuple[str, str | None]:
    item = strict.mapping(tree, "syncInfo")
    channel = strict.mapping(item.get("channel"), "channel")
    return strict.text(channel, "id"), strict.optional_text(item, "externalId")
