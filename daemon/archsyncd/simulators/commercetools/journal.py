"""What a judge reads after a run: every effect on every entry, every admitted order line; decides nothing."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Place = tuple[str, str | None]


class StockLine(NamedTuple):
    """One effect on an entry's true stock; the marker fields are those the entry carries afterwards."""

    at: float
    operation: Any
    x: Any
    sequence: Any
    fence: Any
    delta: int
    stock_after: int
    who: str


class Admission(NamedTuple):
    """One order line the shop took in; `short` is the units it took that the stock did not hold."""

    at: float
    order_id: str
    line_id: str
    sku: str | None
    channel_id: str | None
    quantity: int
    mode: str
    stock_after: int | None
    short: int


class OrderEvent(NamedTuple):
    """One event of an order's life: placed, refused, cancelled, edited, deleted, updated."""

    at: float
    order_id: str
    what: str
    detail: str


class ShippingLine(NamedTuple):
    """What an order was told of its goods: a new shipment `state`, or a delivery with its pieces by line item id."""

    at: float
    order_id: str
    state: str | None = None
    delivery_key: str | None = None
    pieces: Mapping[str, int] = MappingProxyType({})


class Journal:
    """Effects by entry and by order, and the requests seen by route."""

    def __init__(self, *, keeps_lines: bool) -> None:
        self._keeps_lines = keeps_lines
        self.stock: defaultdict[Place, list[StockLine]] = defaultdict(list)
        self.admissions: list[Admission] = []
        self.orders: list[OrderEvent] = []
        self.shipping: list[ShippingLine] = []
        self.requests: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.refused_orders = 0

    def stock_moved(
        self, place: Place, at: float, fields: dict[str, Any], delta: int, stock_after: int, who: str
    ) -> None:
        """Note an effect on an entry; `fields` are its custom fields afterwards."""
        if self._keeps_lines:
            get = fields.get
            self.stock[place].append(
                StockLine(
                    at, get("archOp"), get("archX"), get("archSeq"), get("archFence"), delta, stock_after, who
                )
            )

    def sold_units(self, place: Place) -> int:
        """Return the units of admitted tracked lines of one entry."""
        return sum(
            line.quantity
            for line in self.admissions
            if (line.sku, line.channel_id) == place and line.mode != "None"
        )

    def oversold_units(self) -> int:
        """Return the tracked units admitted beyond what the stock held at that moment."""
        return sum(line.short for line in self.admissions)
