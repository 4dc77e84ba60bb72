"""The checker of requests and answers itself: it must refuse what the vendor does not describe."""

from typing import Any

import pytest

from tests.vendor_api import VendorMismatchError, vendor_api

ENTRY = "/demo/inventory/some-id"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"version": 1},
        {"version": "1", "actions": []},
        {"version": 1, "actions": [{"action": "addQuantit", "quantity": 1}]},
        {"version": 1, "actions": [{"action": "addQuantity"}]},
        {"version": 1, "actions": [{"action": "addQuantity", "quantity": 1.5}]},
        {"version": 1, "actions": [{"action": "addQuantity", "quantity": True}]},
        {"version": 1, "actions": [{"action": "addQuantity", "quantity": 1, "more": 1}]},
        {"version": 1, "actions": [], "more": 1},
    ],
)
def test_wrong_update_is_refused(body: Any) -> None:
    """Missing, unknown and wrongly typed members are told apart from right ones."""
    with pytest.raises(VendorMismatchError):
        vendor_api().check_request("POST", ENTRY, body)


def test_right_update_passes() -> None:
    """What the daemon sends for an increment with its marker."""
    fields = {"archOp": "l/1", "archX": 12}
    actions = [
        {"action": "removeQuantity", "quantity": 3},
        {"action": "setCustomType", "type": {"typeId": "type", "key": "archsyncd"}, "fields": fields},
        {"action": "setCustomField", "name": "archX", "value": 12},
    ]
    vendor_api().check_request("POST", ENTRY, {"version": 1, "actions": actions})


def test_unknown_path_method_and_query_parameter_are_refused() -> None:
    """Requests are checked beyond their body."""
    vendor = vendor_api()
    vendor.check_request("GET", "/demo/inventory", query={"where": 'sku = "A"', "var.x": "1"})
    vendor.check_request("GET", "/demo/orders/order-number=N-1")
    for method, path, query in (
        ("GET", "/demo/inventorys", {}),
        ("PUT", "/demo/inventory", {}),
        ("GET", "/demo/inventory", {"filter": "x"}),
        ("DELETE", ENTRY, {}),
    ):
        with pytest.raises(VendorMismatchError):
            vendor.check_request(method, path, query=query)


def test_wrong_answers_are_refused() -> None:
    """An undescribed status, a wrong shape and an unknown message type."""
    vendor = vendor_api()
    page = {"limit": 20, "offset": 0, "count": 0, "results": []}
    vendor.check_response("GET", "/demo/messages", 200, page)
    vendor.check_response("GET", "/demo/messages", 429, {"statusCode": 429, "message": "slow down"})
    message = {"id": "m", "version": 1, "type": "OrderMade"}
    for status, body in (
        (201, page),
        (200, {}),
        (200, page | {"results": [message]}),
        (429, {}),
        (400, {"message": "x"}),
    ):
        with pytest.raises(VendorMismatchError):
            vendor.check_response("GET", "/demo/messages", status, body)


def test_wrong_graphql_is_refused() -> None:
    """Unknown fields and variables of another type."""
    vendor = vendor_api()
    query = "query ($limit: Int) { inventoryEntries(limit: $limit) { count } }"
    vendor.check_graphql(query, {"limit": 5})
    for document, variables in (("{ inventory { id } }", {}), (query, {"limit": "5"}), ("{", {})):
        with pytest.raises(VendorMismatchError):
            vendor.check_graphql(document, variables)


def test_a_schema_that_departs_from_the_vendors_is_told() -> None:
    """A field of another type and one that does not exist are named."""
    sdl = "type Query { channels(where: Int): ChannelQueryResult! } type ChannelQueryResult { totals: Int }"
    assert vendor_api().schema_differences(sdl) == ["Query.channels(where)", "ChannelQueryResult.totals"]


ASKED = (
    "mutation Writes($i0: String!, $v0: Long!, $a0: [InventoryEntryUpdateAction!]!) {"
    " a0: updateInventoryEntry(id: $i0, version: $v0, actions: $a0) { id version quantityOnStock createdAt } }"
)
WRITTEN = {"id": "e", "version": 2, "quantityOnStock": 3, "createdAt": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"data": None},
        {"data": {"a0": WRITTEN}, "more": 1},
        {"data": {}},
        {"data": {"a1": WRITTEN}},
        {"data": {"a0": {**WRITTEN, "sku": "A"}}},
        {"data": {"a0": {"id": "e", "version": 2}}},
        {"data": {"a0": {**WRITTEN, "version": None}}},
        {"data": {"a0": {**WRITTEN, "version": "2"}}},
        {"data": {"a0": {**WRITTEN, "quantityOnStock": 1.5}}},
        {"data": {"a0": {**WRITTEN, "quantityOnStock": True}}},
        {"data": {"a0": {**WRITTEN, "createdAt": "yesterday"}}},
        {"data": {"a0": [WRITTEN]}},
        {"data": {"a0": None}, "errors": [{"code": "Conflict"}]},
        {"errors": [{"message": "no", "code": "x"}]},
    ],
)
def test_a_wrong_graphql_answer_is_refused(answer: Any) -> None:
    """Fields that were not asked for, are missing, null or of another type; errors of another shape."""
    with pytest.raises(VendorMismatchError):
        vendor_api().check_graphql_answer(ASKED, answer)


def test_right_graphql_answers_pass() -> None:
    """A write that took effect, and one that failed alone."""
    error = {"message": "no", "path": ["a0"], "extensions": {"code": "ConcurrentModification"}}
    vendor_api().check_graphql_answer(ASKED, {"data": {"a0": WRITTEN}})
    vendor_api().check_graphql_answer(ASKED, {"data": {"a0": None}, "errors": [error]})
    vendor_api().check_graphql_answer(ASKED, {"errors": [{"message": "no"}]})
    listed = "query { products(limit: 1) { results { __typename ...On } } } fragment On on Product { id }"
    rows = [{"__typename": "Product", "id": "p"}]
    vendor_api().check_graphql_answer(listed, {"data": {"products": {"results": rows}}})


FORM = "application/x-www-form-urlencoded"
GRANT = {"access_token": "t", "expires_in": 172800, "scope": "manage_products:demo", "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("content_type", "authorization", "form", "status", "answer"),
    [
        ("application/json", "Basic x", "grant_type=client_credentials", 200, GRANT),
        (FORM, "Bearer x", "grant_type=client_credentials", 200, GRANT),
        (FORM, "Basic x", "grant_type=password", 200, GRANT),
        (FORM, "Basic x", "grant_type=client_credentials&client_secret=s", 200, GRANT),
        (FORM, "Basic x", "grant_type=client_credentials", 200, {**GRANT, "expires_in": "172800"}),
        (FORM, "Basic x", "grant_type=client_credentials", 200, {**GRANT, "token_type": "bearer"}),
        (FORM, "Basic x", "grant_type=client_credentials", 200, {**GRANT, "scope": "everything"}),
        (FORM, "Basic x", "grant_type=client_credentials", 401, {"statusCode": 401, "message": "no"}),
        (FORM, "Basic x", "grant_type=client_credentials", 503, {}),
    ],
)
def test_a_wrong_token_exchange_is_refused(
    content_type: str, authorization: str, form: str, status: int, answer: Any
) -> None:
    """Another form, another scheme, a secret in the body, and answers that are not as documented."""
    vendor_api().check_token(FORM, "Basic x", "grant_type=client_credentials&scope=a:demo", 200, GRANT)
    with pytest.raises(VendorMismatchError):
        vendor_api().check_token(content_type, authorization, form, status, answer)
