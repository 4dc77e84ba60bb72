"""Inventory entries over REST: the writes, their refusals and what a reader sees."""

from typing import Any

import pytest

from tests.simulators.commercetools.caller import MARKER_TYPE, Caller


async def _entry(caller: Caller, **draft: Any) -> Any:
    return await caller.post("/inventory", {"sku": "A", "quantityOnStock": 5, **draft})


async def test_entry_is_created_with_its_channel_by_key() -> None:
    """A draft may name the channel by key; the entry refers to it by id."""
    caller = Caller()
    channel_id = caller.simulator.add_channel("wh-1")
    entry = await _entry(caller, supplyChannel={"typeId": "channel", "key": "wh-1"}, key="A-wh-1")
    assert entry["supplyChannel"] == {"typeId": "channel", "id": channel_id}
    assert (entry["quantityOnStock"], entry["availableQuantity"], entry["version"]) == (5, 5, 1)
    assert await caller.get("/inventory/key=A-wh-1") == entry
    assert await caller.get(f"/inventory/{entry['id']}") == entry


async def test_second_entry_for_sku_and_channel_is_a_duplicate_field() -> None:
    """(SKU, channel) is unique and no channel is a value of its own."""
    caller = Caller()
    caller.simulator.add_channel("wh-1")
    await _entry(caller)
    await _entry(caller, supplyChannel={"typeId": "channel", "key": "wh-1"})
    status, answer = await caller.call("POST", "/inventory", {"sku": "A", "quantityOnStock": 0})
    assert status == 400
    assert (answer["errors"][0]["code"], answer["errors"][0]["field"]) == ("DuplicateField", "sku")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"quantityOnStock": "5"}, "InvalidJsonInput"),
        ({"quantityOnStock": 5.0}, "InvalidJsonInput"),
        ({"quantityOnStock": True}, "InvalidJsonInput"),
        ({"quantityOnStock": 2**63}, "InvalidJsonInput"),
        ({"quantityOnStock": None}, "RequiredField"),
        ({"sku": ""}, "InvalidField"),
        ({"key": "a"}, "InvalidField"),
        ({"key": "with space"}, "InvalidField"),
        ({"key": "x" * 257}, "InvalidField"),
        ({"availableQuantity": 5}, "InvalidJsonInput"),
        ({"supplyChannel": {"typeId": "channel", "key": "none"}}, "ReferencedResourceNotFound"),
        ({"supplyChannel": {"typeId": "store", "key": "none"}}, "InvalidField"),
        ({"supplyChannel": {"typeId": "channel"}}, "InvalidJsonInput"),
        ({"supplyChannel": {"typeId": "channel", "key": "shop"}}, "MissingRoleOnChannel"),
        ({"minCartQuantity": 3, "maxCartQuantity": 2}, "InvalidField"),
        ({"expectedDelivery": "tomorrow"}, "InvalidJsonInput"),
        ({"custom": {"type": {"typeId": "type", "key": "none"}}}, "ReferencedResourceNotFound"),
    ],
)
async def test_f081_draft_with_one_fault_is_refused_with_its_code(change: dict[str, Any], code: str) -> None:
    """Nothing is created from a draft the API does not take."""
    caller = Caller()
    caller.simulator.add_channel("shop", ["ProductDistribution"])
    refusal = await caller.refused("POST", "/inventory", {"sku": "A", "quantityOnStock": 5, **change})
    assert refusal == (400, code)
    assert not caller.simulator.has_entry("A")


async def test_actions_apply_in_order_and_negative_stock_is_legal() -> None:
    """changeQuantity, addQuantity, removeQuantity one after another give the arithmetic result."""
    caller = Caller()
    entry = await caller.update(
        await _entry(caller),
        {"action": "changeQuantity", "quantity": 2},
        {"action": "addQuantity", "quantity": 3},
        {"action": "removeQuantity", "quantity": 9},
    )
    assert entry["quantityOnStock"] == entry["availableQuantity"] == -4
    assert entry["version"] > 1


async def test_one_bad_action_undoes_the_whole_request() -> None:
    """A request is applied whole or not at all."""
    caller = Caller()
    entry = await _entry(caller)
    actions = [
        {"action": "addQuantity", "quantity": 3},
        {"action": "setCustomField", "name": "archX", "value": 1},
    ]
    refusal = await caller.refused("POST", f"/inventory/{entry['id']}", {"version": 1, "actions": actions})
    assert refusal == (400, "InvalidOperation")
    assert await caller.get(f"/inventory/{entry['id']}") == entry


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"action": "fly"}, "InvalidJsonInput"),
        ({}, "InvalidJsonInput"),
        ("addQuantity", "InvalidJsonInput"),
        ({"action": "addQuantity"}, "RequiredField"),
        ({"action": "addQuantity", "quantity": -1}, "InvalidField"),
        ({"action": "addQuantity", "quantity": 1, "why": "x"}, "InvalidJsonInput"),
        ({"action": "addQuantity", "quantity": 1.5}, "InvalidJsonInput"),
        ({"action": "addQuantity", "quantity": 2**63 - 1}, "InvalidField"),
        ({"action": "setKey", "key": "?"}, "InvalidField"),
        ({"action": "setRestockableInDays", "restockableInDays": -1}, "InvalidField"),
        ({"action": "setCustomField"}, "RequiredField"),
    ],
)
async def test_f081_bad_action_is_refused(action: Any, code: str) -> None:
    """Unknown actions, fields, types and values are refused with their code."""
    caller = Caller()
    entry = await _entry(caller)
    refusal = await caller.refused("POST", f"/inventory/{entry['id']}", {"version": 1, "actions": [action]})
    assert refusal == (400, code)


async def test_501_actions_are_too_many() -> None:
    """500 actions pass, one more is refused."""
    caller = Caller()
    entry = await _entry(caller)
    actions = [{"action": "addQuantity", "quantity": 1}] * 500
    assert (await caller.update(entry, *actions))["quantityOnStock"] == 505
    body = {"version": 2, "actions": [*actions, actions[0]]}
    assert await caller.refused("POST", f"/inventory/{entry['id']}", body) == (400, "InvalidField")


async def test_f072_stale_version_conflicts_and_tells_the_current_one() -> None:
    """409 ConcurrentModification carries currentVersion and changes nothing."""
    caller = Caller()
    entry = await _entry(caller)
    current = await caller.update(entry, {"action": "addQuantity", "quantity": 1})
    body = {"version": 1, "actions": [{"action": "addQuantity", "quantity": 1}]}
    status, answer = await caller.call("POST", f"/inventory/{entry['id']}", body)
    assert status == 409
    assert answer["errors"][0]["code"] == "ConcurrentModification"
    assert answer["errors"][0]["currentVersion"] == current["version"]
    assert caller.simulator.true_stock("A") == 6


async def test_update_without_effect_keeps_the_version() -> None:
    """Setting what is there already does not raise the version."""
    caller = Caller()
    entry = await _entry(caller)
    assert (await caller.update(entry, {"action": "changeQuantity", "quantity": 5}))["version"] == 1


async def test_version_is_opaque_and_rises_without_a_change() -> None:
    """Versions may rise by more than one, and by the platform's own doing."""
    caller = Caller(largest_version_step=5)
    entry = await _entry(caller)
    versions = []
    for _ in range(12):
        entry = await caller.update(entry, {"action": "addQuantity", "quantity": 1})
        versions.append(entry["version"])
    assert versions == sorted(set(versions))
    assert versions[-1] > 13
    caller.simulator.touch_entry("A")
    body = {"version": entry["version"], "actions": []}
    assert await caller.refused("POST", f"/inventory/{entry['id']}", body) == (409, "ConcurrentModification")


async def test_writer_is_named_in_last_modified_by() -> None:
    """The client id and X-External-User-ID of a write land in lastModifiedBy."""
    caller = Caller()
    caller.headers["X-External-User-ID"] = "archsyncd@host"
    caller.simulator.add_entry("A", None, 5)
    entry = caller.simulator.entry_document("A")
    changed = await caller.update(entry, {"action": "addQuantity", "quantity": 1})
    assert changed["lastModifiedBy"] == {"clientId": "archsyncd", "externalUserId": "archsyncd@host"}
    assert changed["createdBy"] == entry["createdBy"] != changed["lastModifiedBy"]


async def test_correlation_id_and_server_time_are_in_the_answer() -> None:
    """X-Correlation-ID comes back and Date is the simulator's clock."""
    caller = Caller()
    await caller.token()
    headers = {**caller.headers, "x-correlation-id": "abc-1"}
    _, answered, _ = await caller.simulator.handle("GET", "/demo/channels", "", headers, b"")
    assert answered["X-Correlation-ID"] == "abc-1"
    assert answered["Date"] == "Sat, 25 Jul 2026 17:20:00 GMT"


async def test_f070_deleted_entry_is_gone_and_may_come_back() -> None:
    """DELETE needs the version; afterwards reads say 404 and the place is free."""
    caller = Caller()
    entry = await _entry(caller, key="A-1")
    path = f"/inventory/{entry['id']}"
    assert await caller.refused("DELETE", path) == (400, "InvalidInput")
    assert await caller.refused("DELETE", path, query="version=7") == (409, "ConcurrentModification")
    status, _ = await caller.call("DELETE", path, query="version=1")
    assert status == 200
    assert await caller.refused("GET", path) == (404, "ResourceNotFound")
    assert await caller.refused("GET", "/inventory/key=A-1") == (404, "ResourceNotFound")
    await _entry(caller, key="A-1")


async def test_marker_type_is_set_and_its_fields_are_checked() -> None:
    """Custom fields follow the type: unknown names and wrong types are refused, null removes."""
    caller = Caller()
    await caller.post("/types", MARKER_TYPE)
    entry = await _entry(caller)
    custom = {
        "action": "setCustomType",
        "type": {"typeId": "type", "key": "archsyncd"},
        "fields": {"archX": 5},
    }
    entry = await caller.update(entry, custom, {"action": "setCustomField", "name": "archOp", "value": "l/1"})
    assert entry["custom"]["fields"] == {"archX": 5, "archOp": "l/1"}
    for name, value in (("archX", "5"), ("archX", True), ("archOp", 5), ("other", 1)):
        body = {
            "version": entry["version"],
            "actions": [{"action": "setCustomField", "name": name, "value": value}],
        }
        assert await caller.refused("POST", f"/inventory/{entry['id']}", body) == (400, "InvalidField")
    entry = await caller.update(entry, {"action": "setCustomField", "name": "archOp", "value": None})
    assert entry["custom"]["fields"] == {"archX": 5}
    assert "custom" not in await caller.update(entry, {"action": "setCustomType"})


async def test_f091_marker_cleared_by_a_person_raises_the_version() -> None:
    """A cleared marker is seen as an entry without custom fields at a higher version."""
    caller = Caller()
    await caller.post("/types", MARKER_TYPE)
    entry = await _entry(
        caller,
        custom={"type": {"typeId": "type", "key": "archsyncd"}, "fields": {"archX": 5, "archOp": "l/1"}},
    )
    caller.simulator.clear_marker("A")
    seen = await caller.get(f"/inventory/{entry['id']}")
    assert "custom" not in seen
    assert seen["version"] > entry["version"]


async def test_set_supply_channel_moves_the_entry_unless_the_place_is_taken() -> None:
    """An entry may change its channel; a taken (SKU, channel) is a DuplicateField."""
    caller = Caller()
    channel_id = caller.simulator.add_channel("wh-1")
    entry = await _entry(caller)
    move = {"action": "setSupplyChannel", "supplyChannel": {"typeId": "channel", "key": "wh-1"}}
    moved = await caller.update(entry, move)
    assert moved["supplyChannel"]["id"] == channel_id
    other = await _entry(caller)
    body = {"version": other["version"], "actions": [move]}
    assert await caller.refused("POST", f"/inventory/{other['id']}", body) == (400, "DuplicateField")


async def test_settings_are_shown_and_removed() -> None:
    """restockableInDays, expectedDelivery and limits appear when set and vanish when cleared."""
    caller = Caller()
    entry = await caller.update(
        await _entry(caller),
        {"action": "setRestockableInDays", "restockableInDays": 0},
        {"action": "setExpectedDelivery", "expectedDelivery": "2026-09-01T00:00:00.000Z"},
        {"action": "setInventoryLimits", "minCartQuantity": 1, "maxCartQuantity": 9},
    )
    assert (entry["restockableInDays"], entry["minCartQuantity"], entry["maxCartQuantity"]) == (0, 1, 9)
    cleared = await caller.update(entry, {"action": "setRestockableInDays"}, {"action": "setInventoryLimits"})
    assert not {"restockableInDays", "minCartQuantity"} & set(cleared)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"version":1}', b'{"version":1,"actions":{}}', b"null"])
async def test_body_that_is_no_update_is_refused(body: bytes) -> None:
    """Broken JSON and JSON of another shape get 400."""
    caller = Caller()
    entry_id = caller.simulator.add_entry("A", None, 1)
    await caller.token()
    status, _, _ = await caller.simulator.handle(
        "POST", f"/demo/inventory/{entry_id}", "", caller.headers, body
    )
    assert status == 400


@pytest.mark.parametrize(
    "path",
    ["/demo/inventor", "/other/inventory", "/demo/inventory/x/y", "/", "/demo/product-projections/search"],
)
async def test_unknown_path_is_not_found(path: str) -> None:
    """A path the simulator does not know is 404 in the error shape."""
    caller = Caller()
    await caller.token()
    status, _, body = await caller.simulator.handle("GET", path, "", caller.headers, b"")
    assert status == 404
    assert b"ResourceNotFound" in body
