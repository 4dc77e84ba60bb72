"""Orders and messages: queries and strict reading."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given

from archsyncd.domain.inventory import LineMode, MessageCursor, Order, OrderLine, OrderMessage
from archsyncd.wire.commercetools.exchange import Request
from archsyncd.wire.commercetools.orders import (
    message_page,
    messages_request,
    newest_messages_request,
    order_of,
    order_page,
    orders_by_id_request,
    orders_created_request,
    orders_open_before_request,
)
from archsyncd.wire.commercetools.strict import MalformedAnswer
from tests.wire.commercetools.test_entries import JSON

PLACE = MessageCursor("2026-03-01T10:00:00.123Z", "o-9")
BEYOND = '(createdAt > "2026-03-01T10:00:00.123Z" or (createdAt = "2026-03-01T10:00:00.123Z" and id > "o-9"))'


def line(**changes: Any) -> dict[str, Any]:
    tree = {
        "id": "l-1",
        "variant": {"id": 1, "sku": "ABC-1"},
        "quantity": 2,
        "supplyChannel": {"typeId": "channel", "id": "c-1"},
        "inventoryMode": "ReserveOnOrder",
    }
    return tree | changes


def order(**changes: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "id": "o-1",
        "version": 3,
        "orderNumber": "1001",
        "createdAt": "2026-03-01T10:00:00.123Z",
        "orderState": "Open",
        "shipmentState": "Pending",
        "lineItems": [line()],
        "customLineItems": [{"id": "x"}],
    }
    return tree | changes


def message(**changes: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {
        "id": "m-1",
        "version": 1,
        "type": "OrderCreated",
        "resource": {"typeId": "order", "id": "o-1"},
        "sequenceNumber": 4,
        "createdAt": "2026-03-01T10:00:00.123Z",
        "createdBy": {"clientId": "client-1"},
    }
    return tree | changes


def where(request: Request) -> str:
    return parse_qs(request.query)["where"][0]


def test_the_keyset_queries_are_the_documented_recipe() -> None:
    """Bounds are included where they must be, the place is excluded, and pages are asked without a total."""
    assert where(messages_request(None, None, 500)).startswith("type in (")
    created = orders_created_request(PLACE, "2026-01-01T00:00:00.000Z", "2026-04-01T00:00:00.000Z", 100)
    assert where(created) == (
        f'{BEYOND} and createdAt >= "2026-01-01T00:00:00.000Z" and createdAt <= "2026-04-01T00:00:00.000Z"'
    )
    still_open = orders_open_before_request(None, "2026-01-01T00:00:00.000Z", 9_999)
    assert where(still_open) == (
        'createdAt < "2026-01-01T00:00:00.000Z" and orderState in ("Open","Confirmed")'
    )
    parameters = parse_qs(still_open.query)
    assert parameters["sort"] == ["createdAt asc", "id asc"]
    assert (parameters["limit"], parameters["withTotal"]) == (["500"], ["false"])
    assert where(orders_by_id_request(["a", "b"])) == 'id in ("a","b")'


def test_the_head_is_read_newest_first() -> None:
    """The fast read is bounded below and names the same message types."""
    head = parse_qs(newest_messages_request("2026-03-01T10:00:00.000Z", 20).query)
    assert head["sort"] == ["createdAt desc", "id desc"]
    assert head["where"][0].startswith('createdAt >= "2026-03-01T10:00:00.000Z" and type in ("OrderCreated"')
    for name in (
        "OrderCreated",
        "OrderImported",
        "OrderCreatedFromRecurringOrder",
        "OrderDeleted",
        "OrderEditApplied",
    ):
        assert f'"{name}"' in head["where"][0]


def test_an_order_is_read_with_its_lines() -> None:
    """Line modes stand before the order's mode; neither means that the entry is not touched."""
    lines = [
        line(),
        line(id="l-2", inventoryMode=None, supplyChannel=None, variant={"id": 2}),
        line(id="l-3", quantity=0, inventoryMode="None"),
    ]
    read = order_of(order(lineItems=lines, inventoryMode="TrackOnly"))
    assert read == Order(
        id="o-1",
        version=3,
        number="1001",
        created_at_ms=1_772_359_200_123,
        order_state="Open",
        shipment_state="Pending",
        lines=(
            OrderLine("l-1", "ABC-1", 2, "c-1", LineMode.RESERVE_ON_ORDER),
            OrderLine("l-2", None, 2, None, LineMode.TRACK_ONLY),
            OrderLine("l-3", "ABC-1", 0, "c-1", LineMode.NONE),
        ),
    )
    assert order_of(order(lineItems=[line(inventoryMode=None)])).lines[0].mode is LineMode.NONE


@pytest.mark.parametrize(
    "changes",
    [
        {"lineItems": None},
        {"lineItems": [line(quantity=-1)]},
        {"lineItems": [line(quantity=1.0)]},
        {"lineItems": [line(quantity=True)]},
        {"lineItems": [line(inventoryMode="Teleport")]},
        {"lineItems": [line(supplyChannel="c-1")]},
        {"lineItems": [line(variant=None)]},
        {"lineItems": [line(variant={"sku": 5})]},
        {"inventoryMode": 7},
        {"createdAt": None},
        {"orderState": None},
        {"version": "3"},
    ],
    ids=str,
)
def test_f139_half_an_order_is_none(changes: dict[str, Any]) -> None:
    """One bad line makes the order unreadable; in a page it is told by id beside the others."""
    if "lineItems" not in changes:
        changes = {"lineItems": [line()], **changes}
    if changes.get("inventoryMode") == 7:
        changes = {**changes, "lineItems": [line(inventoryMode=None)]}
    with pytest.raises(MalformedAnswer):
        order_of(order(**changes))
    page = order_page({"results": [order(id="o-0"), order(**changes)]}, 2, 99)
    assert [each.id for each in page.orders] == ["o-0"]
    assert page.faults == ("o-1",)
    assert page.full


def test_the_cursor_passes_rows_that_cannot_be_read() -> None:
    """A page of unreadable orders does not hold the walk: the place to go on from is the last row's."""
    rows = [order(id=f"o-{n}", lineItems=5) for n in range(3)]
    page = order_page({"results": rows}, 500, 99)
    assert page.orders == ()
    assert page.last == MessageCursor("2026-03-01T10:00:00.123Z", "o-2")
    assert not page.full
    assert order_page({"results": []}, 500, 99).last is None


def test_cursors_stand_beside_their_orders_in_the_servers_own_words() -> None:
    """A cursor repeats the server's text exactly, or the keyset would lose rows of the same moment."""
    rows = [order(), order(id="o-2", createdAt="2026-03-01T10:00:00.1Z")]
    page = order_page({"results": rows}, 500, 99)
    assert page.cursors == (
        MessageCursor("2026-03-01T10:00:00.123Z", "o-1"),
        MessageCursor("2026-03-01T10:00:00.1Z", "o-2"),
    )


def test_messages_tell_their_order_and_who_caused_them() -> None:
    """A message that cannot be read is told by id and does not stop the others."""
    rows = [
        message(),
        message(id="m-2", resource={"typeId": "product", "id": "p"}),
        message(id="m-3", createdBy=None),
    ]
    page = message_page({"results": rows}, 3, 99)
    assert page.messages == (
        OrderMessage("m-1", "OrderCreated", "o-1", "2026-03-01T10:00:00.123Z", 4, "client-1"),
        OrderMessage("m-3", "OrderCreated", "o-1", "2026-03-01T10:00:00.123Z", 4, None),
    )
    assert page.faults == ("m-2",)
    assert (page.full, page.server_ms) == (True, 99)
    assert page.last == MessageCursor("2026-03-01T10:00:00.123Z", "m-3")


@given(JSON)
def test_no_row_breaks_a_page(row: Any) -> None:
    """Any tree is a row that is read or told as a fault."""
    orders = order_page({"results": [row, order(lineItems=row)]}, 500, 99)
    assert len(orders.orders) + len(orders.faults) == 2
    messages = message_page({"results": [row, message(resource=row)]}, 500, 99)
    assert len(messages.messages) + len(messages.faults) == 2
