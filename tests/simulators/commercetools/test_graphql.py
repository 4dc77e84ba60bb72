"""The GraphQL endpoint: aliased mutations, each alone; validation against the embedded schema; limits."""

from typing import Any

import pytest

from archsyncd.simulators.commercetools import ApiClient
from archsyncd.simulators.commercetools.graphql_schema import SDL
from tests.simulators.commercetools.caller import MARKER_TYPE, Caller, Json
from tests.vendor_api import vendor_api

UPDATE = """
mutation ($id0: String, $v0: Long!, $a0: [InventoryEntryUpdateAction!]!, $id1: String, $v1: Long!,
          $a1: [InventoryEntryUpdateAction!]!) {
  a0: updateInventoryEntry(id: $id0, version: $v0, actions: $a0) { id version quantityOnStock }
  a1: updateInventoryEntry(id: $id1, version: $v1, actions: $a1) {
    ...entry
  }
}
fragment entry on InventoryEntry { id version quantityOnStock custom { customFieldsRaw { name value } } }
"""
SKUS = """
query ($where: String) {
  products(where: $where, limit: 500) { results { id masterData { current {
    masterVariant { sku } allVariants { sku } } } } }
}
"""


def _pair() -> tuple[Caller, Json, Json]:
    caller = Caller()
    caller.simulator.add_type(MARKER_TYPE)
    for sku in ("A", "B"):
        caller.simulator.add_entry(sku, None, 5)
    return caller, caller.simulator.entry_document("A"), caller.simulator.entry_document("B")


def _variables(first: Json, second: Json, actions: Json) -> Json:
    return {
        "id0": first["id"],
        "v0": first["version"],
        "a0": [{"addQuantity": {"quantity": 3}}],
        "id1": second["id"],
        "v1": second["version"],
        "a1": actions,
    }


async def test_aliased_mutations_apply_each_with_its_own_answer() -> None:
    """Two entries are written in one request; custom values are JSON texts."""
    caller, first, second = _pair()
    marker: list[Json] = [
        {"removeQuantity": {"quantity": 9}},
        {"setCustomType": {"typeKey": "archsyncd", "fields": [{"name": "archX", "value": "12"}]}},
        {"setCustomField": {"name": "archOp", "value": '"l/1"'}},
    ]
    status, answer = await caller.graphql(UPDATE, _variables(first, second, marker))
    assert status == 200
    assert "errors" not in answer
    assert answer["data"]["a0"]["quantityOnStock"] == 8
    assert answer["data"]["a1"]["quantityOnStock"] == -4
    assert answer["data"]["a1"]["custom"]["customFieldsRaw"] == [
        {"name": "archX", "value": 12},
        {"name": "archOp", "value": "l/1"},
    ]


async def test_failed_alias_leaves_the_others_applied() -> None:
    """A conflict nulls its alias, names it by path and tells the current version; HTTP stays 200."""
    caller, first, second = _pair()
    variables = _variables(first | {"version": 7}, second, [{"addQuantity": {"quantity": 1}}])
    status, answer = await caller.graphql(UPDATE, variables)
    assert status == 200
    assert answer["data"]["a0"] is None
    assert answer["data"]["a1"]["quantityOnStock"] == 6
    (error,) = answer["errors"]
    assert error["path"] == ["a0"]
    assert error["extensions"] == {"code": "ConcurrentModification", "currentVersion": 1}
    assert caller.simulator.true_stock("A") == 5


async def test_aliases_run_one_after_another() -> None:
    """The second alias may build on the version the first one made."""
    caller, first, _ = _pair()
    version = first["version"] + 1
    variables = _variables(first, first | {"version": version}, [{"addQuantity": {"quantity": 1}}])
    _, answer = await caller.graphql(UPDATE, variables)
    assert answer["data"]["a1"]["quantityOnStock"] == 9


@pytest.mark.parametrize(
    ("actions", "code"),
    [
        ([{}], "InvalidInput"),
        ([{"addQuantity": {"quantity": 1}, "setKey": {"key": "ab"}}], "InvalidInput"),
        ([{"addQuantity": None}], "InvalidInput"),
        ([{"addQuantity": {"quantity": -1}}], "InvalidField"),
        ([{"setCustomField": {"name": "archX", "value": "12"}}], "InvalidOperation"),
        (
            [{"setCustomType": {"typeKey": "archsyncd", "fields": [{"name": "archX", "value": "'"}]}}],
            "InvalidField",
        ),
        ([{"setCustomType": {"typeKey": "none"}}], "ReferencedResourceNotFound"),
        (
            [{"setSupplyChannel": {"supplyChannel": {"typeId": "channel", "key": "x"}}}],
            "ReferencedResourceNotFound",
        ),
    ],
)
async def test_f081_bad_action_fails_its_alias_only(actions: Json, code: str) -> None:
    """Each refusal carries the code REST would give."""
    caller, first, second = _pair()
    _, answer = await caller.graphql(UPDATE, _variables(first, second, actions))
    assert answer["data"]["a0"]["quantityOnStock"] == 8
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ inventory { id } }",
        "{ inventoryEntries { results { idd } } }",
        "{ inventoryEntries { results } }",
        "mutation { updateInventoryEntry(id: 1, version: 1, actions: []) { id } }",
        'mutation { updateInventoryEntry(id: "a", version: "1", actions: []) { id } }',
        'mutation { updateInventoryEntry(id: "a", version: 1.5, actions: []) { id } }',
        'mutation { updateInventoryEntry(id: "a", actions: []) { id } }',
        'mutation { updateInventoryEntry(id: "a", version: 1, actions: [{fly: {}}]) { id } }',
        'mutation { updateInventoryEntry(id: "a", version: 1, actions: [{addQuantity: {}}]) { id } }',
        "query ($a: Long) { inventoryEntries(limit: $a) { count } }",
        "query A { __typename } query B { __typename }",
        "{ __schema { types { name } } }",
    ],
)
async def test_document_that_does_not_fit_the_schema_is_refused(query: str) -> None:
    """Syntax and validation errors refuse the whole request with 400."""
    caller, *_ = _pair()
    status, answer = await caller.graphql(query)
    assert (status, answer["statusCode"]) == (400, 400)


@pytest.mark.parametrize(
    "change",
    [
        {"v0": "1"},
        {"v0": 1.0},
        {"v0": True},
        {"v0": None},
        {"v0": 2**63},
        {"id0": 1},
        {"a0": [{"fly": {}}]},
        {"a0": [3]},
    ],
)
async def test_variable_of_another_type_is_refused(change: Json) -> None:
    """Variables are coerced by the declared types, nothing is guessed and nothing applied."""
    caller, first, second = _pair()
    variables = _variables(first, second, [{"addQuantity": {"quantity": 1}}]) | change
    status, _ = await caller.graphql(UPDATE, variables)
    assert status == 400
    assert (caller.simulator.true_stock("A"), caller.simulator.true_stock("B")) == (5, 5)


async def test_missing_variable_is_refused() -> None:
    """A variable of a non-null type must be there."""
    caller, first, second = _pair()
    variables = _variables(first, second, [])
    del variables["v0"]
    assert (await caller.graphql(UPDATE, variables))[0] == 400


async def test_f125_products_tell_which_skus_exist() -> None:
    """The where-predicate over master and other variants finds a product once, by any of its SKUs."""
    caller = Caller()
    caller.simulator.add_product("A", "A-2")
    caller.simulator.add_product('quo"te')
    skus = '"A","A-2","none","quo\\"te"'
    where = f"masterData(current(masterVariant(sku in ({skus})) or variants(sku in ({skus}))))"
    _, answer = await caller.graphql(SKUS, {"where": where})
    found = sorted(
        variant["sku"]
        for product in answer["data"]["products"]["results"]
        for variant in product["masterData"]["current"]["allVariants"]
    )
    assert found == ["A", "A-2", 'quo"te']


async def test_inventory_entries_are_listed_with_total_and_channel() -> None:
    """Paging arguments, aliases, fragments and __typename work as in the specification."""
    caller = Caller()
    caller.simulator.add_channel("wh-1")
    for number in range(5):
        caller.simulator.add_entry(f"S{number}", "wh-1", number)
    query = """
    { page: inventoryEntries(where: "quantityOnStock > 0", sort: ["quantityOnStock desc"], limit: 2, offset: 1) {
        __typename total count exists results { sku stock: quantityOnStock supplyChannel { key roles }
          supplyChannelRef { id } createdBy { externalUserId } } }
      one: inventoryEntry(key: "none") { id } }
    """
    _, answer = await caller.graphql(query)
    page = answer["data"]["page"]
    assert (page["__typename"], page["total"], page["count"]) == ("InventoryEntryQueryResult", 4, 2)
    assert [entry["stock"] for entry in page["results"]] == [3, 2]
    assert page["results"][0]["supplyChannel"] == {"key": "wh-1", "roles": ["InventorySupply"]}
    assert answer["data"]["one"] is None


async def test_bad_predicate_nulls_the_data_of_a_non_null_field() -> None:
    """A refused query field has an error with its path and no data."""
    _, answer = await Caller().graphql('{ products(where: "nonsense(") { count } }')
    assert answer["data"] is None
    assert answer["errors"][0]["path"] == ["products"]


async def test_entry_is_created_with_type_and_channel() -> None:
    """The mutation createInventoryEntry takes the GraphQL forms of channel and custom fields."""
    caller = Caller()
    caller.simulator.add_channel("wh-1")
    caller.simulator.add_type(MARKER_TYPE)
    query = """mutation ($draft: InventoryEntryDraft!) {
      createInventoryEntry(draft: $draft) { id version custom { customFieldsRaw { name value } } } }"""
    draft = {
        "sku": "A",
        "key": "A-1",
        "quantityOnStock": -3,
        "supplyChannel": {"typeId": "channel", "key": "wh-1"},
        "custom": {"typeKey": "archsyncd", "fields": [{"name": "archX", "value": "-3"}]},
    }
    _, answer = await caller.graphql(query, {"draft": draft})
    assert answer["data"]["createInventoryEntry"]["version"] == 1
    assert caller.simulator.true_stock("A", "wh-1") == -3
    _, answer = await caller.graphql(query, {"draft": draft})
    assert answer["errors"][0]["extensions"]["code"] == "DuplicateField"


async def test_f082_complexity_limit_refuses_the_whole_document() -> None:
    """Above the limit nothing is applied: QueryComplexityLimitExceeded."""
    caller, first, second = _pair()
    caller.simulator.configure(graphql_complexity_limit=20)
    status, answer = await caller.graphql(UPDATE, _variables(first, second, []))
    assert (status, answer["errors"][0]["code"]) == (400, "QueryComplexityLimitExceeded")
    assert caller.simulator.true_stock("A") == 5


async def test_graphql_can_be_switched_off() -> None:
    """A project without GraphQL refuses the endpoint."""
    caller = Caller(graphql_enabled=False)
    assert (await caller.graphql("{ __typename }"))[0] == 404


async def test_mutation_needs_the_managing_scope() -> None:
    """view_products may query; a mutation is refused alias by alias."""
    caller = Caller(clients=(ApiClient(scopes=("view_products",)),))
    caller.simulator.add_entry("A", None, 5)
    _, answer = await caller.graphql("{ inventoryEntries { count } }")
    assert answer["data"]["inventoryEntries"]["count"] == 1
    entry = caller.simulator.entry_document("A")
    _, answer = await caller.graphql(UPDATE, _variables(entry, entry, []))
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"insufficient_scope"}


async def test_f073_scripted_conflict_hits_one_alias() -> None:
    """A fault on the mutation fails one alias among many."""
    caller, first, second = _pair()
    caller.simulator.faults.add("graphql.updateInventoryEntry", "conflict", contains=second["id"])
    _, answer = await caller.graphql(UPDATE, _variables(first, second, [{"addQuantity": {"quantity": 1}}]))
    assert [error["path"] for error in answer["errors"]] == [["a1"]]


async def test_alias_may_fail_after_its_effect() -> None:
    """An error on an alias does not tell that nothing happened; kinds without a code cannot fail an alias."""
    caller, first, second = _pair()
    faults = caller.simulator.faults
    faults.add("graphql.updateInventoryEntry", "server_error_applied", contains=second["id"])
    _, answer = await caller.graphql(UPDATE, _variables(first, second, [{"addQuantity": {"quantity": 1}}]))
    assert answer["data"]["a1"] is None
    assert caller.simulator.true_stock("B") == 6
    for kind in ("drop", "server_error_applied_late"):
        with pytest.raises(ValueError, match="one alias"):
            faults.add("graphql.updateInventoryEntry", kind)


async def test_request_body_is_as_strict_as_rest() -> None:
    """Unknown members and other types are refused."""
    caller = Caller()
    bodies: list[Any] = [
        {"query": 1},
        {"query": "{ __typename }", "x": 1},
        {"variables": {}},
        [],
        {"query": "", "variables": []},
    ]
    for body in bodies:
        assert (await caller.call("POST", "/graphql", body))[0] == 400


def test_embedded_schema_is_a_part_of_the_vendors() -> None:
    """Every type, field, argument and input of ours exists there with the same type."""
    vendor = vendor_api()
    assert vendor.schema_differences(SDL) == []
