"""Types, channels, custom objects, products and the project: the small resources."""

from typing import Any

import pytest

from tests.simulators.commercetools.caller import MARKER_TYPE, Caller


async def test_type_is_created_found_by_key_and_extended() -> None:
    """The action addFieldDefinition adds a field under the version; a second of the name is refused."""
    caller = Caller()
    assert await caller.refused("GET", "/types/key=archsyncd") == (404, "ResourceNotFound")
    made = await caller.post("/types", MARKER_TYPE)
    assert await caller.get("/types/key=archsyncd") == made
    extra = {
        "name": "more",
        "label": {"en": "m"},
        "required": False,
        "type": {"name": "Set", "elementType": {"name": "String"}},
    }
    body = {"version": 1, "actions": [{"action": "addFieldDefinition", "fieldDefinition": extra}]}
    extended = await caller.post(f"/types/{made['id']}", body)
    assert [field["name"] for field in extended["fieldDefinitions"]][-1] == "more"
    assert await caller.refused("POST", "/types/key=archsyncd", body) == (409, "ConcurrentModification")
    body["version"] = extended["version"]
    assert await caller.refused("POST", "/types/key=archsyncd", body) == (400, "DuplicateField")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": None}, "RequiredField"),
        ({"name": "text"}, "InvalidJsonInput"),
        ({"resourceTypeIds": []}, "InvalidField"),
        ({"resourceTypeIds": ["inventory"]}, "InvalidField"),
        ({"fieldDefinitions": [{"name": "x"}]}, "RequiredField"),
        ({"more": 1}, "InvalidJsonInput"),
    ],
)
async def test_bad_type_draft_is_refused(change: dict[str, Any], code: str) -> None:
    """Each fault has its code."""
    assert await Caller().refused("POST", "/types", MARKER_TYPE | change) == (400, code)


async def test_type_of_another_resource_cannot_be_set_on_an_entry() -> None:
    """A type for orders is refused on an inventory entry."""
    caller = Caller()
    await caller.post("/types", MARKER_TYPE | {"resourceTypeIds": ["order"]})
    draft = {"sku": "A", "quantityOnStock": 1, "custom": {"type": {"typeId": "type", "key": "archsyncd"}}}
    assert await caller.refused("POST", "/inventory", draft) == (400, "InvalidOperation")


async def test_required_custom_field_must_be_there_and_stay() -> None:
    """A required field cannot be left out or removed."""
    caller = Caller()
    fields = [{"name": "must", "label": {"en": "m"}, "required": True, "type": {"name": "String"}}]
    await caller.post("/types", MARKER_TYPE | {"fieldDefinitions": fields})
    custom: dict[str, Any] = {"type": {"typeId": "type", "key": "archsyncd"}}
    draft = {"sku": "A", "quantityOnStock": 1, "custom": custom}
    assert await caller.refused("POST", "/inventory", draft) == (400, "RequiredField")
    custom["fields"] = {"must": "x"}
    entry = await caller.post("/inventory", draft)
    body = {"version": 1, "actions": [{"action": "setCustomField", "name": "must"}]}
    assert await caller.refused("POST", f"/inventory/{entry['id']}", body) == (400, "RequiredField")


async def test_f126_channel_shows_its_roles_as_they_are_now() -> None:
    """A role taken away by a person is gone from the channel and from new entries."""
    caller = Caller()
    channel_id = caller.simulator.add_channel("wh-1")
    caller.simulator.set_channel_roles("wh-1", ["Primary"])
    assert (await caller.get(f"/channels/{channel_id}"))["roles"] == ["Primary"]
    assert (await caller.get("/channels/key=wh-1"))["version"] == 2
    draft = {"sku": "A", "quantityOnStock": 1, "supplyChannel": {"typeId": "channel", "key": "wh-1"}}
    assert await caller.refused("POST", "/inventory", draft) == (400, "MissingRoleOnChannel")


async def test_custom_object_is_compared_and_set() -> None:
    """Created with 201, replaced under its version with 200, refused with 409 from another version."""
    caller = Caller()
    draft = {"container": "archsyncd", "key": "lease", "value": {"holder": "a"}}
    status, first = await caller.call("POST", "/custom-objects", {**draft, "version": 0})
    assert (status, first["version"]) == (201, 1)
    caller.clock.advance(5)
    status, second = await caller.call("POST", "/custom-objects", {**draft, "version": 1})
    assert (status, second["version"]) == (200, 2)
    assert second["lastModifiedAt"] > first["lastModifiedAt"] == first["createdAt"]
    assert await caller.refused("POST", "/custom-objects", {**draft, "version": 1}) == (
        409,
        "ConcurrentModification",
    )
    assert (await caller.post("/custom-objects", draft))["version"] == 3
    assert (await caller.get("/custom-objects/archsyncd/lease"))["value"] == {"holder": "a"}
    assert (await caller.get("/custom-objects/archsyncd"))["count"] == 1
    assert (await caller.get("/custom-objects/other"))["count"] == 0


async def test_custom_object_can_be_deleted_and_names_are_checked() -> None:
    """A stale version does not delete; odd names are refused."""
    caller = Caller()
    path = "/custom-objects/c/k"
    await caller.post("/custom-objects", {"container": "c", "key": "k", "value": 1})
    assert await caller.refused("DELETE", path, query="version=9") == (409, "ConcurrentModification")
    status, _ = await caller.call("DELETE", path, query="version=1")
    assert status == 200
    assert await caller.refused("GET", path) == (404, "ResourceNotFound")
    bad = {"container": "a b", "key": "k", "value": 1}
    assert await caller.refused("POST", "/custom-objects", bad) == (400, "InvalidField")


async def test_first_version_above_zero_conflicts() -> None:
    """A version for an object that is not there is a conflict, not a creation."""
    body = {"container": "c", "key": "k", "value": 1, "version": 3}
    assert await Caller().refused("POST", "/custom-objects", body) == (409, "ConcurrentModification")


def test_products_come_and_go_at_run_time() -> None:
    """Taking one variant keeps the product's others; a SKU belongs to one variant."""
    simulator = Caller().simulator
    simulator.add_product("A", "A-2")
    simulator.add_products(["B", "C"])
    with pytest.raises(ValueError, match="one variant only"):
        simulator.add_product("B")
    simulator.remove_product("A")
    catalogue = simulator.project.catalogue
    assert ["A" in catalogue, "A-2" in catalogue, "B" in catalogue] == [False, True, True]
