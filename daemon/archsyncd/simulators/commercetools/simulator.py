"""The simulator as its users hold it: seeding, shopping and judging by method, the API by request.

Nothing here opens a socket; `http` serves it and `admin` lets another process use these methods.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from archsyncd.simulators.commercetools.clock import Clock
from archsyncd.simulators.commercetools.config import ApiClient, SimulatorConfig
from archsyncd.simulators.commercetools.entries import Entry
from archsyncd.simulators.commercetools.exchange import Delivery, LostConnectionError, Reply, Request
from archsyncd.simulators.commercetools.faults import Faults
from archsyncd.simulators.commercetools.gate import Gate
from archsyncd.simulators.commercetools.graphql import GraphQL
from archsyncd.simulators.commercetools.journal import Journal, Place, StockLine
from archsyncd.simulators.commercetools.order_documents import OrderLine, Purchase
from archsyncd.simulators.commercetools.order_import import import_routes
from archsyncd.simulators.commercetools.project import Project
from archsyncd.simulators.commercetools.project_routes import (
    channel_routes,
    message_routes,
    order_routes,
    project_routes,
    type_routes,
)
from archsyncd.simulators.commercetools.records import PERSON, Actor, Document, Surroundings
from archsyncd.simulators.commercetools.routes import custom_object_routes, inventory_routes
from archsyncd.simulators.commercetools.tokens import Tokens


class CommercetoolsSimulator:
    """One simulated project with its API, its shoppers, its people and its judge."""

    def __init__(self, config: SimulatorConfig, clock: Clock, chance: random.Random) -> None:
        self._around = Surroundings(clock, chance)
        self.project = project = Project(config, self._around)
        self.faults = Faults(chance)
        self.tokens = Tokens(self._around, config)
        self.graphql = GraphQL(project, self.faults)
        table = {
            **project_routes(project.describe),
            **channel_routes(project.channels),
            **type_routes(project.types, project.inventory.uses_type),
            **import_routes(
                project.orders, project.channels, project.catalogue.__contains__, lambda: project.config
            ),
            **inventory_routes(project.inventory),
            **order_routes(project.orders, project.order_updates),
            **message_routes(project.messages),
            **custom_object_routes(project.objects),
            **self.graphql.routes(),
        }
        self.gate = Gate(config, self._around, table, self.tokens, self.faults, project.journal)

    @property
    def config(self) -> SimulatorConfig:
        """The configuration in force."""
        return self.project.config

    @property
    def clock(self) -> Clock:
        """The clock everything here runs on."""
        return self._around.clock

    @property
    def journal(self) -> Journal:
        """What a judge reads: effects by entry, admissions, order events, counters."""
        self.gate.settle()
        return self.project.journal

    def app(self) -> web.Application:
        """Return an aiohttp application of this simulator; `http.serve` runs one with the right limits."""
        from archsyncd.simulators.commercetools.http import application  # noqa: PLC0415 - http builds on this

        return application(self)

    # -- the API without sockets ------------------------------------------------------------------

    async def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """Answer one request in-process; path and query are undecoded.

        A stalled or endless answer waits until cancelled. Raises LostConnectionError where the connection breaks.
        """
        reply = await self.respond(Request(method, path, query, CIMultiDict(headers), body))
        if reply.delivery is Delivery.DROPPED:
            raise LostConnectionError(path)
        if reply.delivery in (Delivery.STALLED, Delivery.ENDLESS):
            await asyncio.get_running_loop().create_future()
        if reply.delivery is Delivery.TRUNCATED:
            return reply.status, reply.headers, reply.body[: len(reply.body) // 2]
        return reply.status, reply.headers, reply.body

    async def respond(self, request: Request) -> Reply:
        """Answer one request; waits out latency and slowness on the clock."""
        gate = self.gate
        gate.in_flight += 1
        try:
            reply = gate.exchange(request)
            delay_seconds = reply.delay_seconds + gate.config.latency_seconds
            if delay_seconds > 0:
                await self.clock.sleep(delay_seconds)
        finally:
            gate.in_flight -= 1
        return reply

    # -- seeding and configuration ----------------------------------------------------------------

    def add_channel(self, key: str, roles: Sequence[str] = ("InventorySupply",)) -> str:
        """Create a channel; returns its id. Raises ValueError."""
        return self.project.add_channel(key, roles)

    def set_channel_roles(self, key: str, roles: Sequence[str]) -> None:
        """Change a channel's roles as a person does. Raises KeyError."""
        self.project.channels.set_roles(key, roles)

    def add_product(self, *skus: str | None, published: bool = True) -> str:
        """Create a product with one variant per SKU (None: without one); returns its id. Raises ValueError."""
        return self.project.catalogue.add(skus, published=published)

    def add_products(self, skus: Iterable[str]) -> None:
        """Create one product per SKU."""
        for sku in skus:
            self.project.catalogue.add([sku])

    def remove_product(self, sku: str) -> None:
        """Take a SKU out of the catalogue. Raises KeyError."""
        self.project.catalogue.remove(sku)

    def add_type(self, draft: Mapping[str, Any]) -> str:
        """Create a type from a TypeDraft; returns its id. Raises ApiError."""
        return str(self.project.types.create(dict(draft), PERSON)["id"])

    def add_entry(self, sku: str, channel: str | None = None, quantity: int = 0, **fields: Any) -> str:
        """Create an entry as a person does; `fields` are further ones of the draft. Returns its id.

        Raises ApiError 400.
        """
        draft: Document = {"sku": sku, "quantityOnStock": quantity, **fields}
        if channel is not None:
            draft["supplyChannel"] = {"typeId": "channel", "key": channel}
        return self.project.inventory.create(draft, PERSON).entry_id

    def configure(self, **changes: Any) -> None:
        """Change the configuration while running. Raises TypeError or ValueError."""
        config = self.project.reconfigure(**changes)
        self.gate.config = config
        if {"requests_per_second", "burst"} & set(changes):
            self.gate.limit(config.requests_per_second, config.burst)

    def replace_client(self, client: ApiClient) -> None:
        """Rotate a secret or change granted scopes; tokens granted before stay valid."""
        self.tokens.replace_client(client)

    # -- shoppers and people ----------------------------------------------------------------------

    def place_order(
        self,
        lines: Sequence[OrderLine | tuple[str, int] | tuple[str, int, str]],
        *,
        mode: str | None = None,
        **purchase: Any,
    ) -> str:
        """Order as a shopper; `purchase` are fields of Purchase. Returns the order id.

        Raises ApiError 400 OutOfStock, DuplicateField; ValueError for an unknown mode.
        """
        self.gate.settle()
        wanted = [line if isinstance(line, OrderLine) else OrderLine(*line) for line in lines]
        return self.project.orders.place(wanted, mode, Purchase(**purchase))

    def cancel_order(self, order_id: str) -> None:
        """Set an order to Cancelled as a person does. Raises ApiError 404."""
        self.gate.settle()
        self.project.orders.cancel(order_id)

    def edit_order(self, order_id: str, quantities: Mapping[str, int]) -> None:
        """Apply an Order Edit: new quantities by line id, 0 removes the line. Raises ApiError."""
        self.gate.settle()
        self.project.orders.edit(order_id, quantities)

    def delete_order(self, order_id: str) -> None:
        """Delete an order as a person does. Raises ApiError 404."""
        self.gate.settle()
        self.project.orders.delete(order_id, None, PERSON)

    def update_order(self, order_id: str, *actions: Document) -> Document:
        """Apply order update actions as a person does. Raises ApiError."""
        self.gate.settle()
        order = self.project.orders.by_id(order_id)
        request = {"version": order["version"], "actions": list(actions)}
        return self.project.order_updates.apply(order, request, PERSON)

    def order(self, order_id: str) -> Document:
        """Return an order's document. Raises ApiError 404."""
        self.gate.settle()
        return self.project.orders.by_id(order_id)

    def update_entry(
        self, sku: str, channel: str | None, *actions: Document, actor: Actor = PERSON
    ) -> Document:
        """Update an entry at its current version as a person does. Raises ApiError, KeyError."""
        entry = self._entry(sku, channel)
        request = {"version": self.project.inventory.view(entry)["version"], "actions": list(actions)}
        return self.project.inventory.update(entry, request, actor).document()

    def delete_entry(self, sku: str, channel: str | None = None) -> None:
        """Delete an entry as a person does. Raises KeyError."""
        entry = self._entry(sku, channel)
        version = self.project.inventory.view(entry)["version"]
        self.project.inventory.delete(entry, version, PERSON)

    def clear_marker(self, sku: str, channel: str | None = None) -> None:
        """Take the custom type off an entry. Raises KeyError."""
        self.project.inventory.clear_marker(self._entry(sku, channel))

    def touch_entry(self, sku: str, channel: str | None = None) -> None:
        """Raise an entry's version and change nothing, as the platform's own processes may. Raises KeyError."""
        self.project.inventory.touch(self._entry(sku, channel))

    def reserve(self, sku: str, channel: str | None, units: int) -> None:
        """Hold units for a cart (negative releases); availableQuantity follows. Raises KeyError."""
        self.project.inventory.hold(self._entry(sku, channel), units)

    def orders(self) -> list[Document]:
        """Return every order that exists, in the order they were placed."""
        self.gate.settle()
        return self.project.orders.documents()

    # -- the judge --------------------------------------------------------------------------------

    def true_stock(self, sku: str, channel: str | None = None) -> int:
        """Return the stock that decides admission, lag or not. Raises KeyError."""
        return self._entry(sku, channel).content.stock

    def entry_document(self, sku: str, channel: str | None = None) -> Document:
        """Return an entry as a reader sees it now. Raises KeyError."""
        return self.project.inventory.view(self._entry(sku, channel))

    def has_entry(self, sku: str, channel: str | None = None) -> bool:
        """Say whether an entry exists."""
        self.gate.settle()
        return self.project.inventory.at(self._place(sku, channel)) is not None

    def stock_lines(self, sku: str, channel: str | None = None) -> list[StockLine]:
        """Return every effect on an entry's true stock, in order."""
        return self.journal.stock.get(self._place(sku, channel), [])

    def sold_units(self, sku: str, channel: str | None = None) -> int:
        """Return the units of admitted tracked lines of one entry."""
        return self.journal.sold_units(self._place(sku, channel))

    def settle(self, *, everything: bool = False) -> None:
        """Apply late requests that are due, or all of them now."""
        self.gate.settle(everything=everything)

    def _place(self, sku: str, channel: str | None) -> Place:
        return (sku, self.project.channels.id_of(channel))

    def _entry(self, sku: str, channel: str | None) -> Entry:
        self.gate.settle()
        entry = self.project.inventory.at(self._place(sku, channel))
        if entry is None:
            raise KeyError((sku, channel))
        return entry
