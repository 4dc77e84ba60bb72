"""Importing an order without a cart (`POST /orders/import`): the draft's shape, and the purchase that it stands for."""

from collections.abc import Callable
from typing import Any

from archsyncd.simulators.commercetools.channels import Channels
from archsyncd.simulators.commercetools.config import INVENTORY_MODES, SimulatorConfig
from archsyncd.simulators.commercetools.errors import invalid_field
from archsyncd.simulators.commercetools.exchange import Call
from archsyncd.simulators.commercetools.order_documents import OrderLine, Purchase
from archsyncd.simulators.commercetools.orders import Orders
from archsyncd.simulators.commercetools.records import Document
from archsyncd.simulators.commercetools.routes import Result, Route, Table, bare
from archsyncd.simulators.commercetools.shapes import (
    OPTIONAL,
    REQUIRED,
    Shape,
    container_of_values,
    fields,
    filled,
    key,
    list_of,
    localized,
    natural,
    object_of,
    one_of,
    parse,
    reference_to,
)

VARIANT: Shape = {"sku": (filled, OPTIONAL)}
LINE: Shape = {
    "name": (localized, REQUIRED),
    "key": (key, OPTIONAL),
    "variant": (object_of(VARIANT), REQUIRED),
    "quantity": (natural, REQUIRED),
    "price": (container_of_values, REQUIRED),
    "supplyChannel": (reference_to("channel"), OPTIONAL),
    "inventoryMode": (one_of(*INVENTORY_MODES), OPTIONAL),
}
DRAFT: Shape = {
    "orderNumber": (filled, OPTIONAL),
    "lineItems": (list_of(object_of(LINE)), OPTIONAL),
    "totalPrice": (container_of_values, REQUIRED),
    "inventoryMode": (one_of(*INVENTORY_MODES), OPTIONAL),
    "shippingAddress": (container_of_values, OPTIONAL),
    "country": (filled, OPTIONAL),
}


def import_routes(
    orders: Orders, channels: Channels, sold: Callable[[str], bool], config: Callable[[], SimulatorConfig]
) -> Table:
    """Return the endpoint. Without an inventory mode in the draft the order tracks nothing."""

    def line(draft: Document) -> OrderLine:
        sku = draft["variant"].get("sku")
        if config().import_needs_product and not (sku and sold(sku)):
            raise invalid_field("sku", sku, "No product variant has this SKU.")
        named = draft.get("supplyChannel")
        channel = None if named is None else str(channels.find(named)["key"])
        return OrderLine(sku, draft["quantity"], channel, draft.get("inventoryMode"), draft.get("key"))

    def run(call: Call) -> Result:
        bare(call.query)
        draft: Any = parse(call.body)
        fields(draft, "body", DRAFT)
        lines = [line(each) for each in draft.get("lineItems") or ()]
        bought = Purchase(kind="import", order_number=draft.get("orderNumber"), shipping_method=False)
        order_id = orders.place(lines, draft.get("inventoryMode") or "None", bought)
        return 201, orders.by_id(order_id)

    return {("POST", "orders/import"): Route("orders.import", ("manage_orders",), run)}
