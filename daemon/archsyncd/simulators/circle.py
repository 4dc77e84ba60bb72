"""The circle of every order, weighed by what both sides wrote down themselves; it must not know how a daemon works.

An order is placed in commercetools, the warehouse gets it, its goods leave, commercetools is told of them, the warehouse of
that. What happened when is taken from the simulators' journals, which no daemon can write.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.simulators.commercetools import CommercetoolsSimulator
from archsyncd.simulators.commercetools.journal import ShippingLine
from archsyncd.simulators.r247.held import Departure, OrderStatus, SourceOrder
from archsyncd.simulators.r247.warehouse import Warehouse

SAYS_SHIPPED = frozenset({"Shipped", "Delivered"})
CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Fate:
    """One order of commercetools and what became of it. Pieces are sums over its lines, lags are milliseconds.

    `status`: how it stands in the warehouse, None where that never got it. `too_early`: commercetools said Shipped, or had a
    delivery, of pieces that had not left. `flaws`: what is not as it should be in the end, in words; empty for an order that
    is where it belongs on both sides.
    """

    order_id: str
    name: str
    cancelled: bool
    status: OrderStatus | None
    pieces: int
    shipped: int
    short: int
    returned: int
    parcels: int
    deliveries: int
    too_early: bool
    flaws: tuple[str, ...]
    handed_over_ms: int | None
    booked_ms: tuple[int, ...]

    @property
    def gone(self) -> bool:
        """Whether every piece that was found has left the house."""
        return self.shipped > 0 and self.shipped + self.short == self.pieces

    @property
    def booked(self) -> bool:
        """Whether that is so, and commercetools has a delivery of each of them."""
        return self.gone and self.deliveries == self.parcels


@dataclass(frozen=True, slots=True)
class Circle:
    """All orders. `duplicates`: warehouse orders beyond one per order of commercetools."""

    fates: tuple[Fate, ...]
    duplicates: int

    def unexplained(self, explained: Collection[str]) -> list[str]:
        """Orders that are not where they belong, without a word about it: `explained` are the names of those with one."""
        return [
            f"{fate.name}: {', '.join(fate.flaws)}"
            for fate in self.fates
            if fate.flaws and fate.name not in explained
        ]


def trace(shop: CommercetoolsSimulator, warehouse: Warehouse) -> Circle:
    """Follow every order of the shop through both journals."""
    documents = shop.orders()
    tracer = _Tracer(shop, warehouse)
    return Circle(tuple(tracer.fate(document) for document in documents), _duplicates(documents, warehouse))


def order_named(subject: str, warehouse: Warehouse) -> str | None:
    """The name of the order that an exception is about: its subject is the order, a line of it, a dispatch or a return."""
    dispatched = warehouse.dispatch.fulfilments.get(subject)
    reference = subject.partition("/")[0] if dispatched is None else dispatched[0].asked.order_id
    for back in warehouse.dispatch.journal_of_returns:
        if back.return_id == subject:
            reference = back.reference
    order = warehouse.book.find(reference)
    return reference if order is None else order.asked.order_number or order.asked.order_id


def _duplicates(documents: Sequence[Mapping[str, Any]], warehouse: Warehouse) -> int:
    # A second order may hide behind another id: whoever has the same number is the same order.
    ids = {document.get("orderNumber", document["id"]): document["id"] for document in documents}
    held = [*warehouse.book.orders.values(), *warehouse.book.duplicates]
    return len(held) - len({ids.get(order.asked.order_number, order.asked.order_id) for order in held})


class _Tracer:
    """Both journals by order."""

    def __init__(self, shop: CommercetoolsSimulator, warehouse: Warehouse) -> None:
        self._book = warehouse.book.orders
        self._placed_ms = {
            event.order_id: _ms(event.at) for event in shop.journal.orders if event.what == "placed"
        }
        self._told: dict[str, list[ShippingLine]] = defaultdict(list)
        for line in shop.journal.shipping:
            self._told[line.order_id].append(line)
        self._left: dict[str, list[Departure]] = defaultdict(list)
        for departure in warehouse.dispatch.journal:
            self._left[departure.order_id].append(departure)
        self._back = Counter[str]()
        for back in warehouse.dispatch.journal_of_returns:
            self._back[back.reference] += back.pieces

    def fate(self, document: Mapping[str, Any]) -> Fate:
        order_id = document["id"]
        held, left, told = self._book.get(order_id), self._left[order_id], self._told[order_id]
        deliveries = document.get("shippingInfo", {}).get("deliveries", [])
        return Fate(
            order_id,
            document.get("orderNumber") or order_id,
            document["orderState"] == CANCELLED,
            None if held is None else held.status,
            sum(line["quantity"] for line in document["lineItems"]),
            sum(departure.shipped for departure in left),
            sum(departure.short for departure in left),
            self._back[order_id],
            len({departure.fulfilment_id for departure in left if departure.shipped}),
            len(deliveries),
            _too_early(document, left, told),
            tuple(_flaws(document, held, left, self._back[order_id])),
            None if held is None else max(0, held.received_ms - self._placed_ms[order_id]),
            tuple(_bookings(left, told)),
        )


def _too_early(document: Mapping[str, Any], left: Sequence[Departure], told: Sequence[ShippingLine]) -> bool:
    """Whether commercetools was ever told of more than had left the house at that moment."""
    delivered = Counter[str]()
    for line in told:
        known = [departure for departure in left if departure.at_ms <= _ms(line.at)]
        gone = _pieces(known)
        delivered.update(line.pieces)
        if any(count > gone[ref] for ref, count in delivered.items()):
            return True
        if line.state in SAYS_SHIPPED:
            for departure in known:
                gone[departure.line_ref] += departure.short  # nobody waits for these any more
            whole = all(gone[item["id"]] >= item["quantity"] for item in document["lineItems"])
            if not whole or not any(departure.shipped for departure in known):
                return True
    return False


def _flaws(
    document: Mapping[str, Any], held: SourceOrder | None, left: Sequence[Departure], back: int
) -> Iterator[str]:
    status = None if held is None else held.status
    if document["orderState"] == CANCELLED:
        if status in {OrderStatus.ACCEPTED, OrderStatus.RECEIVED}:
            yield f"cancelled in commercetools, {status} in the warehouse"
    elif status is not OrderStatus.ACCEPTED:
        yield "not in the warehouse" if status is None else f"{status} in the warehouse"
    else:
        yield from _open_flaws(document, left)
    gone, delivered = _pieces(left), _delivered(document)
    if gone != delivered:
        yield f"{gone.total()} pieces have left the warehouse, commercetools was told of {delivered.total()}"
    for fulfilment in () if held is None else held.fulfilments.values():
        if fulfilment.status == "shipped" and fulfilment.acknowledgement is None:
            yield f"the warehouse was not told that its dispatch {fulfilment.id} is booked"
    booked = sum(item["quantity"] for info in document["returnInfo"] for item in info["items"])
    if booked != back:
        yield f"{back} pieces came back, commercetools was told of {booked}"


def _open_flaws(document: Mapping[str, Any], left: Sequence[Departure]) -> Iterator[str]:
    ordered = sum(item["quantity"] for item in document["lineItems"])
    short = sum(departure.short for departure in left)
    missing = ordered - short - _pieces(left).total()
    state = document.get("shipmentState")
    if missing:
        yield f"{missing} of {ordered} pieces have not left the warehouse"
    elif state not in SAYS_SHIPPED:
        why = f"{short} of {ordered} pieces not found, " if short else ""
        yield f"{why}its shipment state is {state or 'not set'}"


def _bookings(left: Sequence[Departure], told: Sequence[ShippingLine]) -> Iterator[int]:
    """How long after its goods had left each delivery was in commercetools."""
    left_ms = {departure.fulfilment_id: departure.at_ms for departure in left if departure.shipped}
    for line in told:
        if line.delivery_key in left_ms:
            yield max(0, _ms(line.at) - left_ms[line.delivery_key])


def _pieces(left: Sequence[Departure]) -> Counter[str]:
    gone = Counter[str]()
    for departure in left:
        if departure.shipped:
            gone[departure.line_ref] += departure.shipped
    return gone


def _delivered(document: Mapping[str, Any]) -> Counter[str]:
    delivered = Counter[str]()
    for delivery in document.get("shippingInfo", {}).get("deliveries", []):
        for item in delivery["items"]:
            delivered[item["id"]] += item["quantity"]
    return delivered


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
