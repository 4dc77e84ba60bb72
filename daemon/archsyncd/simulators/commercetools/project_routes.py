"""The endpoints beside inventory: project, channels, types, orders, messages; no behaviour of their own."""

from collections.abc import Callable
from typing import Any

from archsyncd.simulators.commercetools.channels import Channels
from archsyncd.simulators.commercetools.custom_types import Types
from archsyncd.simulators.commercetools.errors import ApiError
from archsyncd.simulators.commercetools.exchange import Call
from archsyncd.simulators.commercetools.messages import Messages
from archsyncd.simulators.commercetools.order_updates import OrderUpdates
from archsyncd.simulators.commercetools.orders import Orders
from archsyncd.simulators.commercetools.queries import page
from archsyncd.simulators.commercetools.records import Document
from archsyncd.simulators.commercetools.routes import Result, Route, Table, bare, listing, reading, version_of
from archsyncd.simulators.commercetools.shapes import parse


def project_routes(describe: Callable[[], Document]) -> Table:
    """Return the endpoint of the project itself."""
    return {("GET", ""): Route("project.get", ("view_project_settings",), reading(describe))}


def channel_routes(channels: Channels) -> Table:
    """Return the endpoints of `/channels`."""
    view = ("view_channels",)
    return {
        ("GET", "channels"): Route("channels.query", view, listing(channels.catalog)),
        ("GET", "channels/{}"): Route("channels.get", view, reading(channels.by_id)),
        ("GET", "channels/key={}"): Route("channels.get", view, reading(channels.by_key)),
    }


def type_routes(types: Types, used: Callable[[str], bool]) -> Table:
    """Return the endpoints of `/types`."""
    view, change = ("view_types",), ("manage_types",)

    def create(call: Call) -> Result:
        bare(call.query)
        return 201, types.create(parse(call.body), call.actor)

    def by(find: Callable[[str], Document], form: str) -> Table:
        def update(call: Call) -> Result:
            bare(call.query)
            request = parse(call.body)
            return 200, types.update(find(call.arguments[0]), request, call.actor)

        def delete(call: Call) -> Result:
            version = version_of(call.query)
            document = find(call.arguments[0])
            if used(document["id"]):
                message = "The type cannot be deleted: inventory entries reference it."
                raise ApiError(400, "ReferenceExists", message, referencedBy="inventory-entry")
            assert version is not None
            return 200, types.delete(document, version)

        return {
            ("GET", form): Route("types.get", view, reading(find)),
            ("POST", form): Route("types.update", change, update),
            ("DELETE", form): Route("types.delete", change, delete),
        }

    return {
        ("GET", "types"): Route("types.query", view, listing(types.catalog)),
        ("POST", "types"): Route("types.create", change, create),
        **by(types.by_id, "types/{}"),
        **by(types.by_key, "types/key={}"),
    }


def order_routes(orders: Orders, updates: OrderUpdates) -> Table:
    """Return the endpoints of `/orders`."""
    view, change = ("view_orders",), ("manage_orders",)

    def by(find: Callable[[str], Document], form: str) -> Table:
        def update(call: Call) -> Result:
            bare(call.query)
            request: Any = parse(call.body)
            return 200, updates.apply(find(call.arguments[0]), request, call.actor)

        def delete(call: Call) -> Result:
            version = version_of(call.query, "dataErasure")
            return 200, orders.delete(find(call.arguments[0])["id"], version, call.actor)

        return {
            ("GET", form): Route("orders.get", view, reading(find)),
            ("POST", form): Route("orders.update", change, update),
            ("DELETE", form): Route("orders.delete", change, delete),
        }

    return {
        ("GET", "orders"): Route("orders.query", view, listing(orders.catalog)),
        **by(orders.by_id, "orders/{}"),
        **by(orders.by_number, "orders/order-number={}"),
    }


def message_routes(messages: Messages) -> Table:
    """Return the endpoints of `/messages`."""
    view = ("view_messages",)
    return {
        ("GET", "messages"): Route(
            "messages.query", view, lambda call: (200, messages.select(page(call.query)))
        ),
        ("GET", "messages/{}"): Route("messages.get", view, reading(messages.by_id)),
    }
