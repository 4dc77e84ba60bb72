"""What a probe needs of the simulator: imported orders, types that go, and behaviour either way."""

from typing import Any

import pytest

from tests.simulators.commercetools.caller import MARKER_TYPE, Caller, Json

MONEY = {"currencyCode": "EUR", "centAmount": 100}


def draft(sku: str, quantity: int, **more: Any) -> Json:
    line = {
        "name": {"en": sku},
        "variant": {"sku": sku},
        "quantity": quantity,
        "price": {"value": MONEY},
        "supplyChannel": {"typeId": "channel", "key": "north"},
    }
    return {"lineItems": [line], "totalPrice": MONEY, "inventoryMode": "ReserveOnOrder"} | more


def shop(**config: Any) -> Caller:
    caller = Caller(**config)
    caller.simulator.add_channel("north")
    caller.simulator.add_entry("A", "north", 3)
    return caller


async def test_an_imported_order_takes_stock_in_the_mode_it_names() -> None:
    """In a reserving mode it takes stock or is refused; without a mode it takes nothing."""
    caller = shop(stock_lag_seconds=0.0)
    order = await caller.post("/orders/import", draft("A", 2))
    assert order["inventoryMode"] == "ReserveOnOrder"
    assert caller.simulator.entry_document("A", "north")["quantityOnStock"] == 1
    assert await caller.refused("POST", "/orders/import", draft("A", 2)) == (400, "OutOfStock")
    await caller.post("/orders/import", draft("A", 2, inventoryMode="None"))
    assert caller.simulator.entry_document("A", "north")["quantityOnStock"] == 1
    assert (await caller.get(f"/orders/{order['id']}"))["lineItems"][0]["variant"]["sku"] == "A"


async def test_an_import_may_need_a_product() -> None:
    """Where the project wants one, an unknown SKU is refused."""
    caller = shop(import_needs_product=True)
    assert (await caller.refused("POST", "/orders/import", draft("A", 1)))[0] == 400
    caller.simulator.add_product("A")
    await caller.post("/orders/import", draft("A", 1))


async def test_a_type_goes_once_nothing_has_it() -> None:
    """While an entry references it, it stays; a stale version is refused."""
    caller = shop()
    made = await caller.post("/types", MARKER_TYPE)
    entry = caller.simulator.entry_document("A", "north")
    setting = {"action": "setCustomType", "type": {"typeId": "type", "key": MARKER_TYPE["key"]}}
    entry = await caller.update(entry, setting)
    path = f"/types/{made['id']}"
    assert (await caller.refused("DELETE", path, query={"version": 1}))[1] == "ReferenceExists"
    await caller.update(entry, {"action": "setCustomType"})
    assert (await caller.refused("DELETE", path, query={"version": 9}))[0] == 409
    assert (await caller.call("DELETE", path, query={"version": 1}))[0] == 200
    assert (await caller.refused("GET", path))[0] == 404


@pytest.mark.parametrize("strict", [True, False])
async def test_a_stale_version_without_a_change_is_refused_or_not(strict: bool) -> None:
    """One that would change something is refused in any case."""
    caller = shop(stale_version_refused_without_change=strict)
    entry = caller.simulator.entry_document("A", "north")
    await caller.update(entry, {"action": "changeQuantity", "quantity": 5})
    same = {"version": entry["version"], "actions": [{"action": "changeQuantity", "quantity": 5}]}
    status, _ = await caller.call("POST", f"/inventory/{entry['id']}", same)
    assert status == (409 if strict else 200)
    other = {"version": entry["version"], "actions": [{"action": "changeQuantity", "quantity": 6}]}
    assert (await caller.refused("POST", f"/inventory/{entry['id']}", other))[0] == 409


@pytest.mark.parametrize("sells", [True, False])
async def test_restockable_in_days_sells_without_stock_or_not(sells: bool) -> None:
    """Either way an entry without it is refused."""
    caller = shop(restockable_sells_without_stock=sells)
    entry = caller.simulator.entry_document("A", "north")
    await caller.update(entry, {"action": "setRestockableInDays", "restockableInDays": 7})
    status, _ = await caller.call("POST", "/orders/import", draft("A", 4))
    assert status == (201 if sells else 400)


async def test_an_order_may_drop_the_marker() -> None:
    """As nobody promises that it does not."""
    caller = shop(order_effect_drops_marker=True, stock_lag_seconds=0.0)
    await caller.post("/types", MARKER_TYPE)
    entry = caller.simulator.entry_document("A", "north")
    setting = {"action": "setCustomType", "type": {"typeId": "type", "key": MARKER_TYPE["key"]}}
    await caller.update(entry, setting)
    await caller.post("/orders/import", draft("A", 1))
    assert "custom" not in caller.simulator.entry_document("A", "north")
