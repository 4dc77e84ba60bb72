"""The order update actions that carry fulfilment back."""

from typing import Any

import pytest

from tests.simulators.commercetools.caller import Caller, Json


async def _ordered(**details: Any) -> tuple[Caller, Json]:
    caller = Caller(restores_stock_on=frozenset({"back_in_stock"}))
    caller.simulator.add_channel("wh-1", ["InventorySupply"])
    caller.simulator.add_channel("archean", ["OrderExport"])
    caller.simulator.add_entry("A", "wh-1", 9)
    order_id = caller.order(("A", 4, "wh-1"), **details)
    return caller, await caller.get(f"/orders/{order_id}")


async def _update(caller: Caller, order: Json, *actions: Json) -> Json:
    body = {"version": order["version"], "actions": list(actions)}
    return await caller.post(f"/orders/{order['id']}", body)


async def _refusal(caller: Caller, order: Json, *actions: Json) -> tuple[int, str]:
    body = {"version": order["version"], "actions": list(actions)}
    return await caller.refused("POST", f"/orders/{order['id']}", body)


def _delivery(order: Json, quantity: int, key: str = "ship-1", **more: Any) -> Json:
    line = order["lineItems"][0]["id"]
    parcel = {
        "key": f"{key}-p1",
        "trackingData": {"trackingId": "T1", "carrier": "DHL"},
        "items": [{"id": line, "quantity": quantity}],
    }
    items = [{"id": line, "quantity": quantity}]
    return {"action": "addDelivery", "deliveryKey": key, "items": items, "parcels": [parcel], **more}


async def test_f151_delivery_state_and_sync_info_in_one_request() -> None:
    """addDelivery, changeShipmentState and updateSyncInfo apply together and tell their messages."""
    caller, order = await _ordered()
    sync = {
        "action": "updateSyncInfo",
        "channel": {"typeId": "channel", "key": "archean"},
        "externalId": "W1",
    }
    shipped = {"action": "changeShipmentState", "shipmentState": "Partial"}
    changed = await _update(caller, order, _delivery(order, 2), shipped, sync)
    delivery = changed["shippingInfo"]["deliveries"][0]
    assert (delivery["key"], delivery["parcels"][0]["trackingData"]["trackingId"]) == ("ship-1", "T1")
    assert changed["shipmentState"] == "Partial"
    assert changed["syncInfo"][0]["externalId"] == "W1"
    told = await caller.get("/messages", where=f'resource(id="{order["id"]}")', sort="sequenceNumber asc")
    kinds = [message["type"] for message in told["results"]]
    assert kinds == ["OrderCreated", "DeliveryAdded", "OrderShipmentStateChanged"]
    assert [message["sequenceNumber"] for message in told["results"]] == [1, 2, 3]


async def test_f149_delivery_key_is_unique_and_nothing_of_the_request_stays() -> None:
    """A repeated deliveryKey or parcel key refuses the request whole."""
    caller, order = await _ordered()
    order = await _update(caller, order, _delivery(order, 1))
    shipped = {"action": "changeShipmentState", "shipmentState": "Shipped"}
    assert await _refusal(caller, order, shipped, _delivery(order, 1)) == (400, "DuplicateField")
    assert caller.simulator.order(order["id"]) == order


async def test_delivered_quantity_is_not_checked_against_ordered_quantity() -> None:
    """The platform takes a delivery of more than was ordered: that guard is the client's."""
    caller, order = await _ordered()
    changed = await _update(caller, order, _delivery(order, 400))
    assert changed["shippingInfo"]["deliveries"][0]["items"][0]["quantity"] == 400


async def test_parcels_are_added_and_tracked_later() -> None:
    """The actions addParcelToDelivery and setParcelTrackingData find their targets by key."""
    caller, order = await _ordered()
    order = await _update(caller, order, _delivery(order, 1))
    add = {"action": "addParcelToDelivery", "deliveryKey": "ship-1", "parcelKey": "late"}
    track = {"action": "setParcelTrackingData", "parcelKey": "late", "trackingData": {"trackingId": "T2"}}
    changed = await _update(caller, order, add, track)
    assert changed["shippingInfo"]["deliveries"][0]["parcels"][1]["trackingData"] == {"trackingId": "T2"}


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"action": "setCustomerEmail", "email": "x"}, "InvalidJsonInput"),
        ({"action": "changeShipmentState", "shipmentState": "Gone"}, "InvalidField"),
        ({"action": "changeShipmentState"}, "RequiredField"),
        (
            {"action": "updateSyncInfo", "channel": {"typeId": "channel", "key": "wh-1"}},
            "MissingRoleOnChannel",
        ),
        (
            {"action": "updateSyncInfo", "channel": {"typeId": "channel", "key": "?"}},
            "ReferencedResourceNotFound",
        ),
        ({"action": "addDelivery", "items": [{"id": "none", "quantity": 1}]}, "InvalidField"),
        ({"action": "addParcelToDelivery", "deliveryKey": "none"}, "InvalidField"),
        ({"action": "addParcelToDelivery"}, "InvalidJsonInput"),
        (
            {
                "action": "addReturnInfo",
                "items": [{"quantity": 1, "lineItemId": "x", "shipmentState": "BackInStock"}],
            },
            "InvalidField",
        ),
    ],
)
async def test_f081_bad_order_action_is_refused(action: Json, code: str) -> None:
    """Unknown actions, states and targets are refused with their code."""
    caller, order = await _ordered()
    assert await _refusal(caller, order, action) == (400, code)


async def test_delivery_needs_shipping_info_or_a_shipping_key() -> None:
    """Single mode without a shipping method has no place for deliveries; Multiple mode wants the key."""
    caller, order = await _ordered(shipping_method=False)
    assert await _refusal(caller, order, _delivery(order, 1)) == (400, "InvalidOperation")
    caller, order = await _ordered(shipping_mode="Multiple")
    assert await _refusal(caller, order, _delivery(order, 1)) == (400, "RequiredField")
    changed = await _update(caller, order, _delivery(order, 1, shippingKey="home"))
    assert len(changed["shipping"][0]["shippingInfo"]["deliveries"]) == 1


async def test_f157_return_comes_back_in_stock_by_capability() -> None:
    """A return item goes Returned, then BackInStock once; the stock follows where the project restores it."""
    caller, order = await _ordered()
    item = {
        "key": "ret-1",
        "quantity": 2,
        "lineItemId": order["lineItems"][0]["id"],
        "shipmentState": "Returned",
    }
    order = await _update(caller, order, {"action": "addReturnInfo", "items": [item]})
    assert await _refusal(caller, order, {"action": "addReturnInfo", "items": [item]}) == (
        400,
        "DuplicateField",
    )
    back = {"action": "setReturnShipmentState", "returnItemKey": "ret-1", "shipmentState": "BackInStock"}
    order = await _update(caller, order, back)
    assert caller.simulator.true_stock("A", "wh-1") == 7
    assert (await _update(caller, order, back))["version"] == order["version"]
    unusable = {**back, "shipmentState": "Unusable"}
    assert await _refusal(caller, order, unusable) == (400, "InvalidOperation")
    assert caller.simulator.true_stock("A", "wh-1") == 7


async def test_order_number_is_write_once_and_unique() -> None:
    """A set number stays; a taken one is a duplicate."""
    caller, order = await _ordered(order_number="N-1")
    other_id = caller.order(("A", 1, "wh-1"))
    other = await caller.get(f"/orders/{other_id}")
    assert await _refusal(caller, other, {"action": "setOrderNumber", "orderNumber": "N-1"}) == (
        400,
        "DuplicateField",
    )
    assert await _refusal(caller, order, {"action": "setOrderNumber", "orderNumber": "N-2"}) == (
        400,
        "InvalidOperation",
    )
    await _update(caller, other, {"action": "setOrderNumber", "orderNumber": "N-2"})
    assert (await caller.get("/orders/order-number=N-2"))["id"] == other_id


async def test_stale_order_version_conflicts() -> None:
    """409 tells the current version."""
    caller, order = await _ordered()
    await _update(caller, order, {"action": "changePaymentState", "paymentState": "Paid"})
    stale = {"action": "changePaymentState", "paymentState": "Failed"}
    assert await _refusal(caller, order, stale) == (409, "ConcurrentModification")
