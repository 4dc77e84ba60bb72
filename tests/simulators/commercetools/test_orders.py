"""Shoppers' orders: what they take from the stock, when a reader sees it, and what the API shows of them."""

import asyncio
from typing import Any

import pytest

from archsyncd.simulators.commercetools import ApiError, OrderLine
from tests.simulators.commercetools.caller import Caller


def _stocked(quantity: int = 5, **config: Any) -> Caller:
    caller = Caller(**config)
    caller.simulator.add_channel("wh-1")
    caller.simulator.add_entry("A", "wh-1", quantity)
    return caller


def test_f084_order_takes_stock_at_once_and_readers_see_it_within_the_lag() -> None:
    """Admission follows the true stock, the entry as read follows up to ten seconds later."""
    caller = _stocked()
    before = caller.simulator.entry_document("A", "wh-1")
    caller.order(("A", 3, "wh-1"))
    assert caller.simulator.true_stock("A", "wh-1") == 2
    assert caller.simulator.entry_document("A", "wh-1") == before
    with pytest.raises(ApiError, match="OutOfStock"):
        caller.order(("A", 3, "wh-1"))
    caller.clock.advance(10)
    after = caller.simulator.entry_document("A", "wh-1")
    assert (after["quantityOnStock"], after["availableQuantity"]) == (2, 2)
    assert after["version"] > before["version"]
    assert after["lastModifiedBy"] == before["lastModifiedBy"]


async def test_increment_inside_the_lag_commutes_with_the_order() -> None:
    """A write during the lag answers with the stock a reader sees; both effects are there in the end."""
    caller = _stocked()
    caller.order(("A", 3, "wh-1"))
    entry = caller.simulator.entry_document("A", "wh-1")
    written = await caller.update(entry, {"action": "addQuantity", "quantity": 10})
    assert written["quantityOnStock"] == 15
    assert caller.simulator.true_stock("A", "wh-1") == 12
    caller.clock.advance(10)
    assert caller.simulator.entry_document("A", "wh-1")["quantityOnStock"] == 12


async def test_order_becoming_visible_conflicts_with_a_write_from_an_older_version() -> None:
    """The version rises when the effect shows; it can also be configured not to."""
    caller = _stocked()
    entry = caller.simulator.entry_document("A", "wh-1")
    caller.order(("A", 1, "wh-1"))
    caller.clock.advance(10)
    body = {"version": entry["version"], "actions": [{"action": "addQuantity", "quantity": 1}]}
    assert await caller.refused("POST", f"/inventory/{entry['id']}", body) == (409, "ConcurrentModification")
    quiet = _stocked(order_effect_raises_version=False)
    entry = quiet.simulator.entry_document("A", "wh-1")
    quiet.order(("A", 1, "wh-1"))
    quiet.clock.advance(10)
    assert (await quiet.update(entry, {"action": "addQuantity", "quantity": 1}))["quantityOnStock"] == 5


async def test_absolute_write_erases_an_order_not_yet_seen() -> None:
    """The action changeQuantity sets the true stock: the hazard of pushing absolute figures is there."""
    caller = _stocked()
    caller.order(("A", 3, "wh-1"))
    entry = caller.simulator.entry_document("A", "wh-1")
    written = await caller.update(entry, {"action": "changeQuantity", "quantity": 5})
    assert written["quantityOnStock"] == 5
    caller.clock.advance(10)
    assert caller.simulator.true_stock("A", "wh-1") == 5
    assert caller.simulator.entry_document("A", "wh-1")["quantityOnStock"] == 5


@pytest.mark.parametrize(
    ("mode", "admitted", "stock"),
    [("None", True, 1), ("TrackOnly", True, -1), ("ReserveOnOrder", False, 1), ("ReserveOnCart", False, 1)],
)
def test_f092_inventory_mode_decides_admission_and_effect(mode: str, admitted: bool, stock: int) -> None:
    """None ignores the entry, TrackOnly drives it below zero, reserving modes refuse."""
    caller = _stocked(1)
    if admitted:
        caller.order(("A", 2, "wh-1"), mode=mode)
    else:
        with pytest.raises(ApiError, match="OutOfStock"):
            caller.order(("A", 2, "wh-1"), mode=mode)
    assert caller.simulator.true_stock("A", "wh-1") == stock
    assert caller.simulator.journal.oversold_units() == (1 if mode == "TrackOnly" else 0)


def test_order_is_admitted_whole_or_not_at_all() -> None:
    """Lines of one SKU are added up and one short line refuses all."""
    caller = _stocked(3)
    caller.simulator.add_entry("B", "wh-1", 9)
    with pytest.raises(ApiError, match="OutOfStock") as refusal:
        caller.order(("B", 1, "wh-1"), ("A", 2, "wh-1"), ("A", 2, "wh-1"))
    assert refusal.value.extra["skus"] == ["A", "A"]
    assert caller.simulator.true_stock("B", "wh-1") == 9
    caller.order(("B", 1, "wh-1"), ("A", 2, "wh-1"), ("A", 1, "wh-1"))
    assert caller.simulator.true_stock("A", "wh-1") == 0


def test_tracked_order_needs_an_entry_of_its_channel() -> None:
    """Stock of another channel, or of none, does not serve a line; mode None needs no entry."""
    caller = _stocked()
    for mode in ("TrackOnly", "ReserveOnOrder"):
        with pytest.raises(ApiError, match="OutOfStock"):
            caller.order(("A", 1), mode=mode)
    caller.order(("A", 1), mode="None")


def test_f090_restockable_in_days_sells_without_stock_even_at_zero() -> None:
    """The oversell hole: ReserveOnOrder admits what is not there."""
    caller = _stocked(0)
    caller.simulator.update_entry("A", "wh-1", {"action": "setRestockableInDays", "restockableInDays": 0})
    caller.order(("A", 2, "wh-1"))
    assert caller.simulator.true_stock("A", "wh-1") == -2
    assert caller.simulator.journal.oversold_units() == 2


def test_cart_reservation_lowers_available_quantity_only() -> None:
    """R is taken from availableQuantity at once and from no order's stock."""
    caller = _stocked(5)
    caller.simulator.reserve("A", "wh-1", 4)
    document = caller.simulator.entry_document("A", "wh-1")
    assert (document["quantityOnStock"], document["availableQuantity"]) == (5, 1)
    with pytest.raises(ApiError, match="OutOfStock"):
        caller.order(("A", 2, "wh-1"))
    caller.simulator.reserve("A", "wh-1", -4)
    caller.order(("A", 2, "wh-1"))


@pytest.mark.parametrize(
    ("causes", "stock"), [((), 2), (("cancel",), 5), (("delete",), 5), (("cancel", "delete"), 5)]
)
def test_stock_comes_back_once_where_the_capability_says_so(causes: tuple[str, ...], stock: int) -> None:
    """Cancelling and then deleting one order restores its units at most once."""
    caller = _stocked(restores_stock_on=frozenset(causes))
    order_id = caller.order(("A", 3, "wh-1"))
    caller.simulator.cancel_order(order_id)
    caller.simulator.delete_order(order_id)
    assert caller.simulator.true_stock("A", "wh-1") == stock


async def test_order_documents_of_every_kind_fit_the_vendors_description() -> None:
    """Checkout, import, recurring, multiple shipping, custom and digital lines: each has its fixture."""
    caller = _stocked(50)
    kinds: list[dict[str, Any]] = [
        {"order_number": "N-1", "payment_state": "Paid"},
        {"kind": "import"},
        {"kind": "recurring"},
        {"shipping_mode": "Multiple"},
        {"custom_lines": (("gift-wrap", 1),), "shipping_method": False},
    ]
    for details in kinds:
        order_id = caller.order(
            ("A", 1, "wh-1"), ("A", 2, "wh-1", None, "line-2"), (None, 1, None, "None"), **details
        )
        order = await caller.get(f"/orders/{order_id}")
        expected = "None" if details.get("kind") == "import" else "ReserveOnOrder"
        assert order["lineItems"][0]["inventoryMode"] == order["inventoryMode"] == expected
    assert (await caller.get("/orders/order-number=N-1"))["paymentState"] == "Paid"
    assert (await caller.get("/orders", limit=500))["count"] == len(kinds)
    with pytest.raises(ApiError, match="DuplicateField"):
        caller.order(("A", 1, "wh-1"), order_number="N-1")


async def test_f085_order_list_lags_behind_by_id() -> None:
    """A new order is readable by id at once and listed within the lag; its changes lag in the list as well."""
    caller = _stocked(order_list_lag_seconds=30.0)
    order_id = caller.order(("A", 1, "wh-1"))
    await caller.get(f"/orders/{order_id}")
    assert (await caller.get("/orders"))["count"] == 0
    caller.clock.advance(30)
    assert (await caller.get("/orders"))["count"] == 1
    caller.simulator.cancel_order(order_id)
    assert (await caller.get("/orders"))["results"][0]["orderState"] == "Open"
    caller.clock.advance(30)
    assert (await caller.get("/orders"))["results"][0]["orderState"] == "Cancelled"
    caller.simulator.delete_order(order_id)
    assert await caller.refused("GET", f"/orders/{order_id}") == (404, "ResourceNotFound")
    caller.clock.advance(30)
    assert (await caller.get("/orders"))["count"] == 0


async def test_f146_sweep_over_created_at_walks_all_orders() -> None:
    """A keyset on (createdAt, id) visits every order once though many share a moment."""
    caller = _stocked(100)
    placed = set()
    for number in range(20):
        placed.add(caller.order(("A", 1, "wh-1")))
        caller.clock.advance(number % 3 * 0.5)
    seen: list[str] = []
    where = 'createdAt >= "2020-01-01T00:00:00.000Z"'
    while True:
        page = await caller.get(
            "/orders", where=where, sort=["createdAt asc", "id asc"], limit=3, withTotal="false"
        )
        seen += [order["id"] for order in page["results"]]
        if not page["results"]:
            break
        last = page["results"][-1]
        where = f'createdAt > "{last["createdAt"]}" or (createdAt = "{last["createdAt"]}" and id > "{last["id"]}")'
    assert len(seen) == len(set(seen)) == 20
    assert set(seen) == placed


async def test_f143_delete_needs_the_version_and_leaves_a_message() -> None:
    """DELETE /orders/{id} without or with a wrong version is refused."""
    caller = _stocked()
    order_id = caller.order(("A", 1, "wh-1"))
    order = await caller.get(f"/orders/{order_id}")
    path = f"/orders/{order_id}"
    assert await caller.refused("DELETE", path) == (400, "InvalidInput")
    assert await caller.refused("DELETE", path, query="version=99") == (409, "ConcurrentModification")
    status, _ = await caller.call("DELETE", path, query=f"version={order['version']}&dataErasure=true")
    assert status == 200
    kinds = [message["type"] for message in (await caller.get("/messages", sort="createdAt asc"))["results"]]
    assert "OrderDeleted" in kinds


async def test_f142_applied_edit_changes_lines_stock_and_tells() -> None:
    """More units are taken like an order's, fewer come back only where the capability says so."""
    caller = _stocked(5)
    order_id = caller.order(("A", 2, "wh-1"), ("A", 1, "wh-1"))
    first, second = caller.simulator.order(order_id)["lineItems"]
    caller.simulator.edit_order(order_id, {first["id"]: 4, second["id"]: 0})
    order = await caller.get(f"/orders/{order_id}")
    assert [line["quantity"] for line in order["lineItems"]] == [4]
    assert caller.simulator.true_stock("A", "wh-1") == 0
    with pytest.raises(ApiError, match="OutOfStock"):
        caller.simulator.edit_order(order_id, {first["id"]: 5})
    told = await caller.get("/messages", where='type = "OrderEditApplied"')
    assert told["results"][0]["resource"]["id"] == order_id


def test_unknown_mode_is_a_mistake_of_the_test() -> None:
    """A mode that does not exist is refused loudly."""
    with pytest.raises(ValueError, match="unknown inventory mode"):
        _stocked().simulator.place_order([OrderLine("A", 1, "wh-1", "Reserve")])


async def test_concurrent_requests_of_one_version_apply_once() -> None:
    """Of many writes from one version exactly one lands."""
    caller = _stocked()
    await caller.token()
    entry = caller.simulator.entry_document("A", "wh-1")
    body = {"version": entry["version"], "actions": [{"action": "addQuantity", "quantity": 1}]}
    answers = await asyncio.gather(
        *(caller.call("POST", f"/inventory/{entry['id']}", body) for _ in range(8))
    )
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert caller.simulator.true_stock("A", "wh-1") == 6
