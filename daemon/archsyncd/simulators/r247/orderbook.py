"""The orders Archean knows: received, imported, turned down, cancelled; it must not know how orders travel."""

from collections.abc import Callable, Sequence

from archsyncd.simulators.r247.config import R247Config
from archsyncd.simulators.r247.held import AskedOrder, HeldLine, OrderStatus, SourceOrder
from archsyncd.simulators.r247.log import FeedLog
from archsyncd.simulators.r247.stockroom import Refused, Stockroom


class OrderBook:
    """Imports and cancellations; each is one step in which figures and records change together."""

    def __init__(self, config: R247Config, log: FeedLog, room: Stockroom) -> None:
        self._config = config
        self._log = log
        self._room = room
        self._numbers = 990
        self._by_number: dict[str, str] = {}
        self.orders: dict[str, SourceOrder] = {}
        self.duplicates: list[SourceOrder] = []
        self.awaited: dict[str, int] = {}
        self.listeners: list[Callable[[SourceOrder], None]] = []

    def find(self, reference: str) -> SourceOrder | None:
        """Look an order up by commercetools id or number."""
        return self.orders.get(reference) or self.orders.get(self._by_number.get(reference, ""))

    def get(self, reference: str) -> SourceOrder:
        """Look an order up. Raises Refused unknown_order."""
        order = self.find(reference)
        if order is None:
            raise Refused("unknown_order", f"no order {reference!r} here")
        return order

    def receive(self, asked: AskedOrder) -> SourceOrder:
        """Write an order into the books without touching stock. Raises Refused unknown_sku or unknown_location."""
        lines = self._located(asked)
        self._numbers += 1
        order = SourceOrder(asked, f"SO-{self._numbers}", OrderStatus.RECEIVED, lines)
        order.received_ms = self._log.now_ms()
        if asked.order_id in self.orders:
            order.duplicate = True
            self.duplicates.append(order)
            return order
        self.orders[asked.order_id] = order
        if asked.order_number is not None:
            self._by_number.setdefault(asked.order_number, asked.order_id)
        return order

    def accept(self, order: SourceOrder) -> SourceOrder:
        """Import a received order: available falls, on hand stays, the records follow (section 1, `order.accepted`)."""
        if order.status is not OrderStatus.RECEIVED:
            raise Refused("wrong_status", f"the order is {order.status}")
        order.status, order.imported = OrderStatus.ACCEPTED, True
        self.awaited.pop(order.asked.order_id, None)
        self._advance_through()
        announced = self.announce(order) if self._config.reflection.announces else None
        self._room.include(order.asked.order_id, order.keys)
        first = self._room.apply(order.allocation(1), "pick", order.source_order)
        seq = announced if announced is not None else first
        assert seq is not None
        order.position = (self._log.epoch, seq)
        for listener in self.listeners:
            listener(order)
        return order

    def take(self, asked: AskedOrder) -> SourceOrder:
        """Receive and accept in one step; an order known already is returned as it is."""
        known = self.orders.get(asked.order_id)
        return known if known is not None else self.accept(self.receive(asked))

    def reject(self, reference: str, code: str) -> SourceOrder:
        """Turn a received order down; it never left any figure. Raises Refused unknown_order, wrong_status."""
        order = self.get(reference)
        if order.status is not OrderStatus.RECEIVED:
            raise Refused("wrong_status", f"the order is {order.status}")
        order.status, order.code, order.ended_ms = OrderStatus.REJECTED, code, self._log.now_ms()
        lines = [{"lineRef": line.line_ref, "sku": line.sku} for line in order.lines]
        self._log.append("order.rejected", order.names | {"code": code, "lines": lines})
        return order

    def cancel(self, reference: str) -> SourceOrder:
        """Cancel an order that has not left; what was allocated comes back. Raises Refused already_shipped."""
        order = self.get(reference)
        if order.status in {OrderStatus.CANCELLED, OrderStatus.REJECTED}:
            return order
        if order.shipped_any:
            raise Refused("already_shipped", "goods of this order have left the house")
        imported = order.status is OrderStatus.ACCEPTED
        order.status, order.ended_ms = OrderStatus.CANCELLED, self._log.now_ms()
        self._log.append("order.cancelled", order.names | {"imported": imported})
        if imported:
            self._room.exclude(order.asked.order_id, order.keys)
            self._room.apply(order.allocation(-1), "unpick", order.source_order)
        return order

    def forget(self, references: Sequence[str]) -> list[SourceOrder]:
        """Un-import orders as a restored older state does: no record tells of it. Only what has not shipped."""
        forgotten = [self.get(reference) for reference in references]
        if any(order.shipped_any for order in forgotten):
            raise Refused("already_shipped", "a dispatch cannot be forgotten alone")
        for order in forgotten:
            del self.orders[order.asked.order_id]
            if order.status is OrderStatus.ACCEPTED:
                self._room.exclude(order.asked.order_id, order.keys)
                for change in order.allocation(-1):
                    self._room.alter(change)
        return forgotten

    def _located(self, asked: AskedOrder) -> list[HeldLine]:
        held, wrong = [], []
        for line in asked.lines:
            try:
                location = line.location or self._choose(line.sku)
                self._room.holding(line.sku, location)
                held.append(HeldLine(line.line_ref, line.sku, location, line.quantity))
            except Refused as refusal:
                wrong.append((refusal, {"lineId": line.line_ref, "sku": line.sku}))
        if wrong:
            raise Refused(wrong[0][0].code, wrong[0][0].detail, tuple(named for _, named in wrong))
        return held

    def _choose(self, sku: str) -> str:
        if self._config.default_location is not None:
            return self._config.default_location
        places = [place for (held, place) in self._room.holdings if held == sku]
        if not places:
            raise Refused("unknown_sku", "the SKU is not kept here")
        return max(places, key=lambda place: self._room.holding(sku, place).available)

    def _advance_through(self) -> None:
        """Move `ordersThrough`: never past an order that is known and waits to be imported."""
        if not self._config.reflection.tells_through:
            return
        received = (order for order in self.orders.values() if order.status is OrderStatus.RECEIVED)
        waiting = [*self.awaited.values(), *(order.asked.created_ms for order in received)]
        taken = max(order.asked.created_ms for order in self.orders.values() if order.imported)
        self._room.through_ms = min([taken, *(moment - 1 for moment in waiting)])

    def announce(self, order: SourceOrder) -> int:
        """Write an `order.accepted` record; whoever calls it has levels follow."""
        lines = [
            {"lineRef": held.line_ref, "sku": held.sku, "location": held.location, "quantity": held.quantity}
            for held in order.lines
        ]
        return self._log.append(
            "order.accepted", order.names | {"sourceOrder": order.source_order, "lines": lines}
        )
