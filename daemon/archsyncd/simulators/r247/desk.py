"""The order desk: r247/1, section 9, as bodies in and (status, body) out; the same over HTTP and over files."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from archsyncd.simulators.r247.config import R247Config
from archsyncd.simulators.r247.exchange import Problem, checked, parse
from archsyncd.simulators.r247.held import AskedLine, AskedOrder, OrderStatus, SourceOrder
from archsyncd.simulators.r247.stockroom import Refused
from archsyncd.simulators.r247.warehouse import Warehouse

Said = tuple[int, dict[str, Any] | None]
ORDER_FIELDS: dict[str, type | tuple[type, ...]] = {
    "schema": str,
    "orderId": str,
    "orderNumber": (str, type(None)),
    "version": int,
    "createdAt": str,
    "currency": str,
    "lines": list,
    "shipTo": (dict, type(None)),
    "shippingMethod": (str, type(None)),
    "notes": (str, type(None)),
}
ORDER_NEEDS = ("schema", "orderId", "version", "createdAt", "currency", "lines")
LINE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "lineId": str,
    "sku": str,
    "quantity": int,
    "location": (str, type(None)),
    "unitPrice": (dict, type(None)),
    "kit": (dict, type(None)),
}
KIT_FIELDS: dict[str, type | tuple[type, ...]] = {
    "lineId": str,
    "sku": str,
    "quantity": int,
    "unitPrice": (dict, type(None)),
}
PRICE_FIELDS: dict[str, type | tuple[type, ...]] = {
    "centAmount": int,
    "fractionDigits": int,
    "currencyCode": str,
}
LINES_LIMIT = 10_000


class OrderDesk:
    """Takes orders, looks them up, cancels them, books acknowledgements. Raises Problem for what it turns down."""

    def __init__(
        self, config: R247Config, warehouse: Warehouse, later: Callable[[SourceOrder], bool]
    ) -> None:
        """`later` is asked about an order that was received: whether it is accepted by itself some time after."""
        self._config = config
        self._warehouse = warehouse
        self._later = later

    def put(self, order_id: str, body: bytes) -> Said:
        """PUT of an order: 201, 200 for a repeat, 202, 409 different_content, 422 with its code."""
        asked = read_order(order_id, body)
        known = self._warehouse.book.find(order_id)
        if known is not None and self._config.idempotent:
            if known.asked.content not in {"", asked.content}:
                raise Problem(409, "different_content", "the order is known here with other content")
            return 200, self.describe(known)
        try:
            order = self._warehouse.book.receive(asked)
        except Refused as refusal:
            raise Problem(422, refusal.code, refusal.detail, lines=list(refusal.lines)) from refusal
        if self._config.acceptance == "later" and self._later(order):
            return 202, {"status": "received"}
        return 201, self.describe(self._warehouse.book.accept(order))

    def get(self, reference: str) -> Said:
        """Look-up by id or number: the answer the PUT had, or 404."""
        if not self._config.offers_lookup:
            raise Problem(404, "not_offered", "this source answers no look-ups")
        return 200, self.describe(self._find(reference))

    def stands(self, order_id: str) -> dict[str, Any]:
        """How an order of its own stands, for those whom the desk tells unasked. Raises Problem 404."""
        return self.describe(self._find(order_id))

    def cancel(self, order_id: str, body: bytes) -> Said:
        """Cancellation: 200 also when repeated, 409 already_shipped, 404."""
        parse(body, {"reason": (str, type(None))}, ("reason",))
        self._find(order_id)
        try:
            order = self._warehouse.dispatch.cancel(order_id)
        except Refused as refusal:
            raise Problem(409, refusal.code, refusal.detail) from refusal
        return 200, self.describe(order)

    def acknowledge(self, fulfilment_id: str, body: bytes) -> Said:
        """The storefront booked the dispatch: 204, idempotent by fulfilment id."""
        fields = ("orderId", "deliveryKey", "shipmentState", "at")
        said = parse(body, dict.fromkeys(fields, str), fields)
        read_time(said["at"], "at")
        try:
            self._warehouse.dispatch.acknowledge(fulfilment_id, said)
        except Refused as refusal:
            status = 404 if refusal.code == "unknown_fulfilment" else 409
            raise Problem(status, refusal.code, refusal.detail) from refusal
        return 204, None

    def describe(self, order: SourceOrder) -> dict[str, Any]:
        """Say what stands in the books, with the position where this source offers that proof."""
        said: dict[str, Any] = {"status": order.status.value}
        if order.status is OrderStatus.RECEIVED:
            return said
        if order.status is OrderStatus.REJECTED:
            return said | {"code": order.code}
        said["sourceOrder"] = order.source_order
        if order.position is not None and self._config.reflection.positions:
            said["position"] = {"epoch": order.position[0], "seq": str(order.position[1])}
        return said

    def _find(self, reference: str) -> SourceOrder:
        order = self._warehouse.book.find(reference)
        if order is None:
            raise Problem(404, "unknown_order", "no such order here")
        return order


def read_order(order_id: str, body: bytes) -> AskedOrder:
    """Read the body of a PUT. Raises Problem 400: unknown, missing or wrong fields, an id that is not the path's."""
    found = parse(body, ORDER_FIELDS, ORDER_NEEDS)
    if found["schema"] != "r247/1":
        raise Problem(400, "bad_field", "'schema' is r247/1")
    if found["orderId"] != order_id:
        raise Problem(400, "id_mismatch", "'orderId' is not the order of the path")
    if not 1 <= len(found["lines"]) <= LINES_LIMIT:
        raise Problem(400, "bad_field", f"'lines' holds 1 to {LINES_LIMIT} lines")
    lines = tuple(_read_line(line, index) for index, line in enumerate(found["lines"]))
    if len({line.line_ref for line in lines}) != len(lines):
        raise Problem(400, "bad_field", "two lines have the same 'lineId'")
    created_ms = read_time(found["createdAt"], "createdAt")
    content = json.dumps(found, sort_keys=True, separators=(",", ":"))
    return AskedOrder(order_id, found.get("orderNumber"), created_ms, lines, content)


def read_time(text: str, name: str) -> int:
    """Read RFC 3339 with an offset as UTC milliseconds. Raises Problem 400."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
    except ValueError as fault:
        raise Problem(400, "bad_field", f"{name!r} is no RFC 3339 time with an offset") from fault
    return int(moment.timestamp() * 1000)


def _read_line(line: Any, index: int) -> AskedLine:
    path = f"lines[{index}]."
    found = checked(line, LINE_FIELDS, ("lineId", "sku", "quantity"), path)
    if found["quantity"] < 1:
        raise Problem(400, "bad_field", f"{path}'quantity' is at least 1")
    _check_price(found, path)
    if found.get("kit") is not None:
        kit = checked(found["kit"], KIT_FIELDS, ("lineId", "sku", "quantity"), f"{path}kit.")
        _check_price(kit, f"{path}kit.")
    return AskedLine(found["lineId"], found["sku"], found["quantity"], found.get("location") or None)


def _check_price(found: dict[str, Any], path: str) -> None:
    if found.get("unitPrice") is not None:
        checked(found["unitPrice"], PRICE_FIELDS, ("centAmount", "fractionDigits"), f"{path}unitPrice.")
