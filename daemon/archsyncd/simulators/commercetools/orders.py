"""Orders: shoppers buying, people changing them, and what the API shows of it, some of it late.

What an order does to the stock is not here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archsyncd.simulators.commercetools.channels import Channels
from archsyncd.simulators.commercetools.config import INVENTORY_MODES, SimulatorConfig
from archsyncd.simulators.commercetools.errors import conflict, duplicate_field, not_found
from archsyncd.simulators.commercetools.inventory import Inventory
from archsyncd.simulators.commercetools.journal import Journal, OrderEvent, Place, ShippingLine
from archsyncd.simulators.commercetools.messages import Messages
from archsyncd.simulators.commercetools.order_documents import (
    UNIT_PRICE_CENTS,
    OrderLine,
    Purchase,
    line_item,
    money,
    order,
    total_cents,
)
from archsyncd.simulators.commercetools.order_stock import OrderStock, place_of, tracked_units
from archsyncd.simulators.commercetools.predicates import FieldKinds, Kind
from archsyncd.simulators.commercetools.queries import Catalog
from archsyncd.simulators.commercetools.records import (
    PERSON,
    SHOPPER,
    Actor,
    Document,
    Surroundings,
    reference,
)
from archsyncd.simulators.commercetools.resources import AUDIT, REFERENCE, touched
from archsyncd.simulators.commercetools.shelf import Shelf

CREATION = {
    "checkout": "OrderCreated",
    "import": "OrderImported",
    "recurring": "OrderCreatedFromRecurringOrder",
}
KNOWN: FieldKinds = {
    **AUDIT,
    "orderNumber": Kind.TEXT,
    "customerEmail": Kind.TEXT,
    "orderState": Kind.TEXT,
    "shipmentState": Kind.TEXT,
    "paymentState": Kind.TEXT,
    "origin": Kind.TEXT,
    "inventoryMode": Kind.TEXT,
    "shippingMode": Kind.TEXT,
    "completedAt": Kind.MOMENT,
    "syncInfo": {"channel": REFERENCE, "externalId": Kind.TEXT, "syncedAt": Kind.MOMENT},
    "lineItems": {
        "id": Kind.TEXT,
        "key": Kind.TEXT,
        "quantity": Kind.NUMBER,
        "inventoryMode": Kind.TEXT,
        "supplyChannel": REFERENCE,
        "variant": {"sku": Kind.TEXT},
    },
    "custom": {"type": REFERENCE, "fields": Kind.OPEN},
}


@dataclass(slots=True)
class _Order:
    document: Document
    listed: list[tuple[float, Document | None]] = field(default_factory=list)
    restored: set[str] = field(default_factory=set)
    deleted: bool = False


class Orders:
    """All orders of the project."""

    def __init__(
        self,
        around: Surroundings,
        settings: SimulatorConfig,
        channels: Channels,
        inventory: Inventory,
        messages: Messages,
        journal: Journal,
    ) -> None:
        self._around = around
        self._settings = settings
        self._channels = channels
        self._stock = OrderStock(around, settings, inventory, journal)
        self._messages = messages
        self._journal = journal
        self._shelf: Shelf[_Order] = Shelf(lambda kept: str(kept.document["createdAt"]))
        self._by_number: dict[str, str] = {}
        self.catalog = Catalog(
            self._shelf,
            KNOWN,
            self._listed,
            {frozenset({("id",)}): lambda value: [kept] if (kept := self._shelf.get(value)) else []},
        )

    def reconfigure(self, settings: SimulatorConfig) -> None:
        """Put other lags, modes and capabilities in force."""
        self._settings = self._stock.settings = settings

    def place(self, lines: Sequence[OrderLine], mode: str | None, purchase: Purchase) -> str:
        """Create an order as a shop does and return its id.

        Raises ApiError 400 OutOfStock when a tracked line finds no entry or, in a reserving mode, too little.
        """
        mode = mode or ("None" if purchase.kind == "import" else self._settings.inventory_mode)
        if mode not in INVENTORY_MODES or not {line.mode for line in lines} <= {None, *INVENTORY_MODES}:
            raise ValueError(f"unknown inventory mode among {mode} and those of the lines")
        if purchase.order_number is not None and purchase.order_number in self._by_number:
            raise duplicate_field("orderNumber", purchase.order_number)
        order_id = self._around.new_id()
        documents = [
            line_item(
                line,
                line.mode or mode,
                self._channels.id_of(line.channel),
                self._around,
                self._settings.locale,
            )
            for line in lines
        ]
        self._stock.take(order_id, documents)
        document = order(order_id, purchase, documents, mode, self._around, self._settings.locale)
        kept = _Order(document)
        self._shelf.add(order_id, kept)
        if purchase.order_number is not None:
            self._by_number[purchase.order_number] = order_id
        self._event(order_id, "placed", purchase.kind)
        extra = (
            {"recurringOrderRef": reference("recurring-order", self._around.new_id())}
            if purchase.kind == "recurring"
            else {}
        )
        self._tell(kept, CREATION[purchase.kind], SHOPPER, order=document, **extra)
        self._list(kept, kept.document)
        return order_id

    def by_id(self, order_id: str) -> Document:
        """Return an order. Raises ApiError 404."""
        return self._kept(order_id).document

    def documents(self) -> list[Document]:
        """Return every order that exists, in the order they were placed."""
        return [kept.document for kept in self._shelf if not kept.deleted]

    def by_number(self, number: str) -> Document:
        """Return an order. Raises ApiError 404."""
        if number not in self._by_number:
            raise not_found(f"orders/order-number={number}")
        return self.by_id(self._by_number[number])

    def number_holder(self, number: str) -> str | None:
        """Return the id of the order that holds an order number."""
        return self._by_number.get(number)

    def replace(
        self,
        order_id: str,
        document: Document,
        actor: Actor,
        told: Sequence[tuple[str, Mapping[str, Any]]],
    ) -> Document:
        """Put an order's next version and tell what changed; a cancellation or BackInStock may restore stock."""
        kept = self._kept(order_id)
        before = kept.document
        kept.document = touched({**document, "version": before["version"]}, self._around, actor)
        if document.get("orderNumber") is not None:
            self._by_number[document["orderNumber"]] = order_id
        for kind, payload in told:
            self._event(order_id, kind, actor.name())
            self._note_shipping(order_id, kind, payload)
            self._tell(kept, kind, actor, **payload)
        if kept.document["orderState"] == "Cancelled" != before["orderState"]:
            self._restore(kept, "cancel")
        self._list(kept, kept.document)
        return kept.document

    def back_in_stock(self, order_id: str, item_id: str, units: Mapping[Place, int]) -> None:
        """A returned item became BackInStock: give stock back where the project's capability says so."""
        kept = self._kept(order_id)
        if item_id not in kept.restored:
            kept.restored.add(item_id)
            self._stock.give(order_id, "back_in_stock", units)

    def cancel(self, order_id: str, actor: Actor = PERSON) -> None:
        """Cancel an order as a person does."""
        document = self.by_id(order_id)
        old = document["orderState"]
        payload = {"orderState": "Cancelled", "oldOrderState": old}
        self.replace(
            order_id, {**document, "orderState": "Cancelled"}, actor, [("OrderStateChanged", payload)]
        )

    def edit(self, order_id: str, quantities: Mapping[str, int]) -> None:
        """Apply an Order Edit that gives lines (by line id) other quantities, 0 removing them.

        More units take stock like an order does. Raises ApiError 400 OutOfStock.
        """
        kept = self._kept(order_id)
        before = kept.document
        lines = [_resized(line, quantities.get(line["id"], line["quantity"])) for line in before["lineItems"]]
        grown = [
            _resized(line, line["quantity"] - old)
            for line, old in _pairs(lines, before)
            if line["quantity"] > old
        ]
        self._stock.take(order_id, grown)
        less = Counter[Place]()
        for line, old in _pairs(lines, before):
            if line["quantity"] < old and line["inventoryMode"] != "None":
                less[place_of(line)] += old - line["quantity"]
        after = {**before, "lineItems": [line for line in lines if line["quantity"] > 0]}
        after["totalPrice"] = money(total_cents(after))
        kept.document = touched(after, self._around, PERSON)
        self._stock.give(order_id, "edit", less)
        self._event(order_id, "OrderEditApplied", PERSON.name())
        result = self._edit_result(before, kept.document)
        edit = {**touched(before, self._around, PERSON), "id": self._around.new_id()}
        edit = {name: edit[name] for name in ("id", "version", "createdAt", "lastModifiedAt")}
        edit |= {"resource": reference("order", order_id), "stagedActions": [], "result": result}
        self._tell(kept, "OrderEditApplied", PERSON, edit=edit, result=result)
        self._list(kept, kept.document)

    def delete(self, order_id: str, version: int | None, actor: Actor) -> Document:
        """Delete an order. Raises ApiError 404 or 409."""
        kept = self._kept(order_id)
        if version is not None and version != kept.document["version"]:
            raise conflict(version, kept.document["version"])
        document = kept.document
        self._restore(kept, "delete")
        self._event(order_id, "OrderDeleted", actor.name())
        self._tell(kept, "OrderDeleted", actor, order=document)
        kept.deleted = True
        self._by_number.pop(document.get("orderNumber", ""), None)
        self._list(kept, None)
        return document

    def _kept(self, order_id: str) -> _Order:
        kept = self._shelf.get(order_id)
        if kept is None or kept.deleted:
            raise not_found(f"orders/{order_id}")
        return kept

    def _restore(self, kept: _Order, cause: str) -> None:
        """Cancelling and deleting one order give its stock back once, not twice."""
        if self._stock.restores(cause) and "whole" not in kept.restored:
            kept.restored.add("whole")
            document = kept.document
            self._stock.give(document["id"], cause, tracked_units(document["lineItems"]))

    def _tell(self, kept: _Order, kind: str, actor: Actor, **payload: Any) -> None:
        document = kept.document
        sequence = document.get("lastMessageSequenceNumber", 0) + 1
        kept.document = document = {**document, "lastMessageSequenceNumber": sequence}
        number = document.get("orderNumber")
        identifiers = {} if number is None else {"resourceUserProvidedIdentifiers": {"orderNumber": number}}
        self._messages.tell(
            kind,
            reference("order", document["id"]),
            document["version"],
            sequence,
            actor,
            **identifiers,
            **payload,
        )

    def _list(self, kept: _Order, document: Document | None) -> None:
        moment = self._around.moment_within(self._settings.order_list_lag_seconds)
        kept.listed.append((moment, document))

    def _listed(self, kept: _Order) -> Document | None:
        """Return the newest state the list shows; nothing before the first has become visible."""
        now = self._around.clock.now()
        due = [index for index, (moment, _) in enumerate(kept.listed) if moment <= now]
        if not due:
            return None
        kept.listed = kept.listed[due[-1] :]
        return kept.listed[0][1]

    def _edit_result(self, before: Document, after: Document) -> Document:
        def excerpt(document: Document) -> Document:
            return {"totalPrice": document["totalPrice"], "version": document["version"]}

        return {
            "type": "Applied",
            "appliedAt": after["lastModifiedAt"],
            "excerptBeforeEdit": excerpt(before),
            "excerptAfterEdit": excerpt(after),
        }

    def _note_shipping(self, order_id: str, kind: str, payload: Mapping[str, Any]) -> None:
        now = self._around.clock.now()
        if kind == "OrderShipmentStateChanged":
            self._journal.shipping.append(ShippingLine(now, order_id, payload["shipmentState"]))
        elif kind == "DeliveryAdded":
            delivery = payload["delivery"]
            pieces = Counter[str]()
            for item in delivery["items"]:
                pieces[item["id"]] += item["quantity"]
            line = ShippingLine(now, order_id, delivery_key=delivery.get("key"), pieces=pieces)
            self._journal.shipping.append(line)

    def _event(self, order_id: str, what: str, detail: str) -> None:
        self._journal.orders.append(OrderEvent(self._around.clock.now(), order_id, what, detail))


def _pairs(lines: Sequence[Document], before: Document) -> list[tuple[Document, int]]:
    return [(line, old["quantity"]) for line, old in zip(lines, before["lineItems"], strict=True)]


def _resized(line: Document, quantity: int) -> Document:
    state = [{**line["state"][0], "quantity": quantity}]
    return {**line, "quantity": quantity, "state": state, "totalPrice": money(UNIT_PRICE_CENTS * quantity)}
