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
