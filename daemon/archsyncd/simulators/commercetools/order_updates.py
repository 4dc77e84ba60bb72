"""The order update actions the daemon uses: deliveries, parcels, states, returns, sync info; all or none.

Delivered quantity is not checked against ordered quantity, as the platform does not check it either.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, cast

from archsyncd.simulators.commercetools.channels import Channels
from archsyncd.simulators.commercetools.clock import stamp
from archsyncd.simulators.commercetools.errors import (
    ApiError,
    conflict,
    duplicate_field,
    invalid_field,
    invalid_json,
    invalid_operation,
    required_field,
)
from archsyncd.simulators.commercetools.journal import Place
from archsyncd.simulators.commercetools.orders import Orders
from archsyncd.simulators.commercetools.records import Actor, Document, Surroundings, reference
from archsyncd.simulators.commercetools.shapes import (
    OPTIONAL,
    REQUIRED,
    Shape,
    date_time,
    fields,
    filled,
    flag,
    key,
    list_of,
    long,
    natural,
    object_of,
    one_of,
    reference_to,
    text,
)

ORDER_STATES = ("Open", "Confirmed", "Complete", "Cancelled")
SHIPMENT_STATES = ("Shipped", "Delivered", "Ready", "Pending", "Delayed", "Partial", "Backorder", "Canceled")
PAYMENT_STATES = ("BalanceDue", "Failed", "Pending", "CreditOwed", "Paid")
RETURN_STATES = ("Advised", "Returned", "BackInStock", "Unusable")
RETURN_FOLLOWS = {"Advised": {"Returned"}, "Returned": {"BackInStock", "Unusable"}}

ITEMS = list_of(object_of({"id": (filled, REQUIRED), "quantity": (natural, REQUIRED)}))
TRACKING = object_of(
    {
        "trackingId": (text, OPTIONAL),
        "carrier": (text, OPTIONAL),
        "provider": (text, OPTIONAL),
        "providerTransaction": (text, OPTIONAL),
        "isReturn": (flag, OPTIONAL),
    }
)
PARCEL: Shape = {"key": (key, OPTIONAL), "trackingData": (TRACKING, OPTIONAL), "items": (ITEMS, OPTIONAL)}
RETURN_ITEM: Shape = {
    "key": (key, OPTIONAL),
    "quantity": (natural, REQUIRED),
    "lineItemId": (filled, REQUIRED),
    "comment": (text, OPTIONAL),
    "shipmentState": (one_of("Advised", "Returned"), REQUIRED),
}
NAME: Shape = {"action": (text, REQUIRED)}
SHAPES: dict[str, Shape] = {
    "changeOrderState": {**NAME, "orderState": (one_of(*ORDER_STATES), REQUIRED)},
    "changeShipmentState": {**NAME, "shipmentState": (one_of(*SHIPMENT_STATES), REQUIRED)},
    "changePaymentState": {**NAME, "paymentState": (one_of(*PAYMENT_STATES), REQUIRED)},
    "setOrderNumber": {**NAME, "orderNumber": (filled, OPTIONAL)},
    "updateSyncInfo": {
        **NAME,
        "channel": (reference_to("channel"), REQUIRED),
        "externalId": (text, OPTIONAL),
        "syncedAt": (date_time, OPTIONAL),
    },
    "addDelivery": {
        **NAME,
        "deliveryKey": (key, OPTIONAL),
        "shippingKey": (key, OPTIONAL),
        "items": (ITEMS, OPTIONAL),
        "parcels": (list_of(object_of(PARCEL)), OPTIONAL),
    },
    "addParcelToDelivery": {
        **NAME,
        "deliveryId": (filled, OPTIONAL),
        "deliveryKey": (key, OPTIONAL),
        "parcelKey": (key, OPTIONAL),
        "trackingData": (TRACKING, OPTIONAL),
        "items": (ITEMS, OPTIONAL),
    },
    "setParcelTrackingData": {
        **NAME,
        "parcelId": (filled, OPTIONAL),
        "parcelKey": (key, OPTIONAL),
        "trackingData": (TRACKING, OPTIONAL),
    },
    "addReturnInfo": {
        **NAME,
        "returnTrackingId": (text, OPTIONAL),
        "items": (list_of(object_of(RETURN_ITEM)), REQUIRED),
        "returnDate": (date_time, OPTIONAL),
    },
    "setReturnShipmentState": {
        **NAME,
        "returnItemId": (filled, OPTIONAL),
        "returnItemKey": (key, OPTIONAL),
        "shipmentState": (one_of(*RETURN_STATES), REQUIRED),
    },
}
Told = list[tuple[str, Mapping[str, Any]]]


def _check_actions(value: Any, field: str) -> None:
    list_of(lambda *_: None)(value, field)
    for action in value:
        name = action.get("action") if isinstance(action, dict) else None
        if not isinstance(name, str) or name not in SHAPES:
            raise invalid_json(f"{field}: '{name}' is not an update action of orders known here")
        fields(action, field, SHAPES[name])


UPDATE: Shape = {"version": (long, REQUIRED), "actions": (_check_actions, REQUIRED)}


class OrderUpdates:
    """Applies OrderUpdate requests."""

    def __init__(self, around: Surroundings, channels: Channels, orders: Orders) -> None:
        self._around = around
        self._channels = channels
        self._orders = orders
        self._apply: dict[str, Callable[[Document, Document, Told], None]] = {
            "changeOrderState": self._change_order_state,
            "changeShipmentState": self._change_shipment_state,
            "changePaymentState": self._change_payment_state,
            "setOrderNumber": self._set_order_number,
            "updateSyncInfo": self._update_sync_info,
            "addDelivery": self._add_delivery,
            "addParcelToDelivery": self._add_parcel,
            "setParcelTrackingData": self._set_tracking,
            "addReturnInfo": self._add_return,
            "setReturnShipmentState": self._set_return_state,
        }

    def apply(self, order: Document, request: Any, actor: Actor) -> Document:
        """Apply all actions to an order or none. Raises ApiError 400 or 409."""
        fields(request, "body", UPDATE)
        if request["version"] != order["version"]:
            raise conflict(request["version"], order["version"])
        changed = deepcopy(order)
        told: Told = []
        for action in request["actions"]:
            self._apply[action["action"]](changed, action, told)
        if changed == order:
            return order
        document = self._orders.replace(order["id"], changed, actor, told)
        self._restock(document, order)
        return document

    def _state(self, order: Document, action: Document, told: Told, field: str, message: str) -> None:
        old, new = order.get(field), action[field]
        if old == new:
            return
        order[field] = new
        payload = {field: new}
        if old is not None:
            payload[f"old{field[0].upper()}{field[1:]}"] = old
        told.append((message, payload))

    def _change_order_state(self, order: Document, action: Document, told: Told) -> None:
        self._state(order, action, told, "orderState", "OrderStateChanged")

    def _change_shipment_state(self, order: Document, action: Document, told: Told) -> None:
        self._state(order, action, told, "shipmentState", "OrderShipmentStateChanged")

    def _change_payment_state(self, order: Document, action: Document, told: Told) -> None:
        self._state(order, action, told, "paymentState", "OrderPaymentStateChanged")

    def _set_order_number(self, order: Document, action: Document, _: Told) -> None:
        number = action.get("orderNumber")
        if order.get("orderNumber") is not None and number != order["orderNumber"]:
            raise invalid_operation("The order number is set and cannot be changed.")
        if number is not None and self._orders.number_holder(number) not in (None, order["id"]):
            raise duplicate_field("orderNumber", number)
        if number is not None:
            order["orderNumber"] = number

    def _update_sync_info(self, order: Document, action: Document, _: Told) -> None:
        channel = self._channels.find(action["channel"])
        if "OrderExport" not in channel["roles"]:
            named = {"typeId": "channel", "id": channel["id"]}
            message = f"The channel '{channel['key']}' lacks the role OrderExport."
            raise ApiError(400, "MissingRoleOnChannel", message, channel=named, missingRole="OrderExport")
        now = stamp(self._around.clock.now())
        info = {"channel": reference("channel", channel["id"]), "syncedAt": action.get("syncedAt") or now}
        if action.get("externalId") is not None:
            info["externalId"] = action["externalId"]
        others = [known for known in order["syncInfo"] if known["channel"]["id"] != channel["id"]]
        order["syncInfo"] = [*others, info]

    def _shipping_info(self, order: Document, shipping_key: str | None) -> Document:
        if order["shippingMode"] == "Multiple":
            if shipping_key is None:
                raise required_field("shippingKey")
            for part in order["shipping"]:
                if part["shippingKey"] == shipping_key:
                    return cast("Document", part["shippingInfo"])
            raise invalid_field("shippingKey", shipping_key, "The order has no such shipping.")
        if "shippingInfo" not in order:
            raise invalid_operation("The order has no shipping info.")
        return cast("Document", order["shippingInfo"])

    def _deliveries(self, order: Document) -> list[Document]:
        parts = [order, *order["shipping"]]
        return [some for part in parts for some in part.get("shippingInfo", {}).get("deliveries", [])]

    def _check_items(self, order: Document, items: list[Document]) -> None:
        lines = {line["id"] for line in order["lineItems"] + order["customLineItems"]}
        for item in items:
            if item["id"] not in lines:
                raise invalid_field("items", item["id"], "The order has no such line item.")

    def _parcel(self, order: Document, draft: Document) -> Document:
        parcel_key, items = draft.get("key"), draft.get("items") or []
        self._check_items(order, items)
        parcels = [parcel for delivery in self._deliveries(order) for parcel in delivery["parcels"]]
        if parcel_key is not None and any(parcel.get("key") == parcel_key for parcel in parcels):
            raise duplicate_field("key", parcel_key)
        parcel = {"id": self._around.new_id(), "createdAt": stamp(self._around.clock.now()), "items": items}
        given = {name: draft[name] for name in ("key", "trackingData") if draft.get(name) is not None}
        return parcel | given

    def _add_delivery(self, order: Document, action: Document, told: Told) -> None:
        info = self._shipping_info(order, action.get("shippingKey"))
        delivery_key, items = action.get("deliveryKey"), action.get("items") or []
        if delivery_key is not None and any(
            known.get("key") == delivery_key for known in self._deliveries(order)
        ):
            raise duplicate_field("deliveryKey", delivery_key)
        self._check_items(order, items)
        delivery: Document = {
            "id": self._around.new_id(),
            "createdAt": stamp(self._around.clock.now()),
            "items": items,
            "parcels": [],
        }
        if delivery_key is not None:
            delivery["key"] = delivery_key
        info["deliveries"].append(delivery)
        for draft in action.get("parcels") or ():
            delivery["parcels"].append(self._parcel(order, draft))
        told.append(("DeliveryAdded", {"delivery": deepcopy(delivery)}))

    def _add_parcel(self, order: Document, action: Document, told: Told) -> None:
        delivery = _named(self._deliveries(order), "delivery", action)
        parcel = self._parcel(order, {**action, "key": action.get("parcelKey")})
        delivery["parcels"].append(parcel)
        told.append(("ParcelAddedToDelivery", {"delivery": deepcopy(delivery), "parcel": deepcopy(parcel)}))

    def _set_tracking(self, order: Document, action: Document, _: Told) -> None:
        parcels = [parcel for delivery in self._deliveries(order) for parcel in delivery["parcels"]]
        parcel = _named(parcels, "parcel", action)
        parcel.pop("trackingData", None)
        if action.get("trackingData") is not None:
            parcel["trackingData"] = action["trackingData"]

    def _add_return(self, order: Document, action: Document, told: Told) -> None:
        now = stamp(self._around.clock.now())
        self._check_items(order, [{"id": item["lineItemId"]} for item in action["items"]])
        known = {item.get("key") for info in order["returnInfo"] for item in info["items"]} - {None}
        items = []
        for draft in action["items"]:
            if draft.get("key") in known:
                raise duplicate_field("key", draft["key"])
            fixed = {"id": self._around.new_id(), "type": "LineItemReturnItem", "paymentState": "Initial"}
            given = {name: value for name, value in draft.items() if value is not None}
            items.append({**fixed, **given, "createdAt": now, "lastModifiedAt": now})
        optional = {name: action[name] for name in ("returnTrackingId", "returnDate") if action.get(name)}
        order["returnInfo"].append({"items": items, **optional})
        told.append(("ReturnInfoAdded", {"returnInfo": deepcopy(order["returnInfo"][-1])}))

    def _set_return_state(self, order: Document, action: Document, told: Told) -> None:
        items = [item for info in order["returnInfo"] for item in info["items"]]
        item, state = _named(items, "returnItem", action), action["shipmentState"]
        if state == item["shipmentState"]:
            return
        if state not in RETURN_FOLLOWS.get(item["shipmentState"], set()):
            raise invalid_operation(f"A return item does not go from {item['shipmentState']} to {state}.")
        item["shipmentState"], item["lastModifiedAt"] = state, stamp(self._around.clock.now())
        payload = {"returnItemId": item["id"], "returnShipmentState": state}
        told.append(("OrderReturnShipmentStateChanged", payload))

    def _restock(self, after: Document, before: Document) -> None:
        def states(order: Document) -> dict[str, Document]:
            return {item["id"]: item for info in order["returnInfo"] for item in info["items"]}

        old = states(before)
        lines = {line["id"]: line for line in after["lineItems"]}
        for item_id, item in states(after).items():
            line = lines.get(item["lineItemId"])
            fresh = old.get(item_id, {}).get("shipmentState") != "BackInStock"
            if item["shipmentState"] == "BackInStock" and fresh and line and line["inventoryMode"] != "None":
                channel = line.get("supplyChannel")
                place: Place = (line["variant"].get("sku", ""), channel["id"] if channel else None)
                self._orders.back_in_stock(after["id"], item_id, {place: item["quantity"]})


def _named(items: list[Document], what: str, action: Document) -> Document:
    by_id, by_key = action.get(f"{what}Id"), action.get(f"{what}Key")
    if (by_id is None) == (by_key is None):
        raise invalid_json(f"actions: give either {what}Id or {what}Key")
    for item in items:
        if (by_id is not None and item["id"] == by_id) or (by_key is not None and item.get("key") == by_key):
            return item
    raise invalid_field(f"{what}Id" if by_id else f"{what}Key", by_id or by_key, "The order has none such.")
