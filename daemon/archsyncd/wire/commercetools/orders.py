"""Orders and the messages about them: keyset queries and strict reading. Knows no sockets and no order rules.

The recipe: commercetools, "Messages" and "Order Query"; keyset on (createdAt, id), so that nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archsyncd.domain.inventory import (
    LineMode,
    MessageCursor,
    MessagePage,
    Order,
    OrderLine,
    OrderMessage,
    OrderPage,
)
from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.exchange import Request, path_segment, query_of
from archsyncd.wire.commercetools.predicates import PAGE_LIMIT, beyond, is_in, quoted

# Three types announce an order; the others change what it means for stock or for the hand-over.
CREATION_TYPES = ("OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder")
CHANGE_TYPES = (
    "OrderDeleted",
    "OrderEditApplied",
    "OrderPaymentStateChanged",
    "OrderReturnShipmentStateChanged",
    "OrderShipmentStateChanged",
    "OrderStateChanged",
    "OrderStateTransition",
    "ReturnInfoAdded",
)
MESSAGE_TYPES = (*CREATION_TYPES, *CHANGE_TYPES)
# Every order that is neither Complete nor Cancelled; commercetools knows four states.
_OPEN_STATES = ("Open", "Confirmed")
_OLDEST_FIRST = ("createdAt asc", "id asc")
_NEWEST_FIRST = ("createdAt desc", "id desc")


def messages_request(after: MessageCursor | None, until: str | None, limit: int) -> Request:
    """Ask for order messages after a place, up to a moment, oldest first."""
    where = [beyond(after)] if after else []
    where += [f"createdAt <= {quoted(until)}"] if until else []
    return _query("/messages", [*where, is_in("type", MESSAGE_TYPES)], _OLDEST_FIRST, limit)


def newest_messages_request(since: str, limit: int) -> Request:
    """Ask for the head of the order messages, newest first."""
    where = [f"createdAt >= {quoted(since)}", is_in("type", MESSAGE_TYPES)]
    return _query("/messages", where, _NEWEST_FIRST, limit)


def orders_by_id_request(ids: Sequence[str]) -> Request:
    """Ask for orders by id through the query endpoint."""
    return _query("/orders", [is_in("id", ids)], _OLDEST_FIRST, PAGE_LIMIT)


def order_request(order_id: str) -> Request:
    """Ask for one order by id."""
    return Request("GET", f"/orders/{path_segment(order_id)}", addresses_one=True)


def orders_created_request(after: MessageCursor | None, since: str, until: str, limit: int) -> Request:
    """Ask for the orders created between two moments, both included, after a place."""
    bounds = [f"createdAt >= {quoted(since)}", f"createdAt <= {quoted(until)}"]
    return _query("/orders", [*([beyond(after)] if after else []), *bounds], _OLDEST_FIRST, limit)


def orders_open_before_request(after: MessageCursor | None, before: str, limit: int) -> Request:
    """Ask for the orders still open that were created before a moment, after a place."""
    bounds = [f"createdAt < {quoted(before)}", is_in("orderState", _OPEN_STATES)]
    return _query("/orders", [*([beyond(after)] if after else []), *bounds], _OLDEST_FIRST, limit)


def _query(path: str, where: Sequence[str], sort: Sequence[str], limit: int) -> Request:
    parameters = [("where", " and ".join(where)), *(("sort", each) for each in sort)]
    parameters += [("limit", str(min(limit, PAGE_LIMIT))), ("withTotal", "false")]
    return Request("GET", path, query_of(parameters))


def message_page(tree: Any, limit: int, server_ms: int) -> MessagePage:
    """Read a page of messages; those that cannot be read are told by id. Raises MalformedAnswer."""
    rows = _rows(tree)
    messages: list[OrderMessage] = []
    faults: list[str] = []
    for row in rows:
        try:
            messages.append(_message(row))
        except strict.MalformedAnswer:
            faults.append(_id_of(row))
    full = len(rows) >= min(limit, PAGE_LIMIT)
    return MessagePage(tuple(messages), full, server_ms, _last_place(rows), tuple(faults))


def _message(row: Any) -> OrderMessage:
    item = strict.mapping(row, "message")
    resource = strict.mapping(item.get("resource"), "resource")
    if resource.get("typeId") != "order":
        raise strict.MalformedAnswer("resource", "is not an order")
    created_by = item.get("createdBy")
    return OrderMessage(
        id=strict.text(item, "id"),
        type=strict.text(item, "type"),
        order_id=strict.text(resource, "id"),
        created_at=strict.timestamp_text(item, "createdAt"),
        sequence_number=strict.integer(item, "sequenceNumber"),
        client_id=strict.optional_text(created_by, "clientId") if isinstance(created_by, dict) else None,
    )


def order_page(tree: Any, limit: int, server_ms: int) -> OrderPage:
    """Read a page of orders, the cursor of each beside it. Raises MalformedAnswer."""
    rows = _rows(tree)
    orders: list[Order] = []
    cursors: list[MessageCursor] = []
    faults: list[str] = []
    for row in rows:
        try:
            order, cursor = order_of(row), _place(row)
        except strict.MalformedAnswer:
            faults.append(_id_of(row))
        else:
            orders.append(order)
            cursors.append(cursor)
    full = len(rows) >= min(limit, PAGE_LIMIT)
    return OrderPage(tuple(orders), tuple(cursors), full, server_ms, tuple(faults), _last_place(rows))


def order_of(tree: Any) -> Order:
    """Read one order with its lines. Raises MalformedAnswer: half an order is none."""
    item = strict.mapping(tree, "order")
    usual_mode = strict.optional_text(item, "inventoryMode") or LineMode.NONE
    lines = strict.sequence(item.get("lineItems"), "lineItems")
    return Order(
        id=strict.text(item, "id"),
        version=strict.integer(item, "version"),
        number=strict.optional_text(item, "orderNumber"),
        created_at_ms=strict.timestamp_ms(item, "createdAt"),
        order_state=strict.text(item, "orderState"),
        shipment_state=strict.optional_text(item, "shipmentState"),
        lines=tuple(_line(line, usual_mode) for line in lines),
    )


def _line(tree: Any, usual_mode: str) -> OrderLine:
    item = strict.mapping(tree, "lineItem")
    variant = strict.mapping(item.get("variant"), "variant")
    channel = item.get("supplyChannel")
    quantity = strict.integer(item, "quantity")
    if quantity < 0:
        raise strict.MalformedAnswer("quantity", "is negative")
    return OrderLine(
        line_id=strict.text(item, "id"),
        sku=strict.optional_text(variant, "sku"),
        quantity=quantity,
        channel_id=None if channel is None else strict.text(strict.mapping(channel, "supplyChannel"), "id"),
        mode=_mode(strict.optional_text(item, "inventoryMode") or usual_mode),
    )


def _mode(word: str) -> LineMode:
    try:
        return LineMode(word)
    except ValueError as error:
        raise strict.MalformedAnswer("inventoryMode", "is not a known mode") from error


def _rows(tree: Any) -> Sequence[Any]:
    return strict.sequence(strict.mapping(tree, "body").get("results"), "results")


def _id_of(row: Any) -> str:
    value = row.get("id") if isinstance(row, dict) else None
    return value if isinstance(value, str) else ""


def _place(row: Any) -> MessageCursor:
    item: Mapping[str, Any] = strict.mapping(row, "row")
    return MessageCursor(strict.timestamp_text(item, "createdAt"), strict.text(item, "id"))


def _last_place(rows: Sequence[Any]) -> MessageCursor | None:
    for row in reversed(rows):
        try:
            return _place(row)
        except strict.MalformedAnswer:
            continue
    return None
