"""What the warehouse's books say of an order and its fulfilments; plain data that changes nothing by itself."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from archsyncd.simulators.r247.stockroom import Change


class OrderStatus(StrEnum):
    """Where an order stands in the warehouse."""

    RECEIVED = "received"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class AskedLine:
    """A line as the order states it; without a location the warehouse chooses."""

    line_ref: str
    sku: str
    quantity: int
    location: str | None = None


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """An order as told to the warehouse; `content` is what must be the same for a repeat to be a repeat."""

    order_id: str
    order_number: str | None
    created_ms: int
    lines: tuple[AskedLine, ...]
    content: str = ""


@dataclass(slots=True)
class HeldLine:
    """A line in the warehouse's books, in pieces."""

    line_ref: str
    sku: str
    location: str
    quantity: int
    picked: int = 0
    shipped: int = 0
    short: int = 0

    @property
    def open(self) -> int:
        """Pieces still to ship."""
        return self.quantity - self.shipped - self.short


@dataclass(slots=True)
class Fulfilment:
    """One fulfilment; `lines` are (line, pieces, short pieces, reason)."""

    id: str
    location: str
    status: str
    lines: list[tuple[HeldLine, int, int, str | None]]
    parcels: list[dict[str, Any]] = field(default_factory=list)
    acknowledgement: dict[str, Any] | None = None


class Departure(NamedTuple):
    """What became of pieces of a line, for a judge: `shipped` left the house, `short` were not found."""

    at_ms: int
    order_id: str
    fulfilment_id: str
    line_ref: str
    shipped: int
    short: int


class GoodsBack(NamedTuple):
    """A return as it was taken in, for a judge; `reference` is the order as whoever brought it named it."""

    return_id: str
    reference: str
    pieces: int


@dataclass(slots=True)
class SourceOrder:
    """An order in the warehouse's books; `position` is where its import stands in the feed."""

    asked: AskedOrder
    source_order: str
    status: OrderStatus
    lines: list[HeldLine] = field(default_factory=list)
    position: tuple[str, int] | None = None
    code: str | None = None
    imported: bool = False
    received_ms: int = 0
    ended_ms: int | None = None
    duplicate: bool = False
    fulfilments: dict[str, Fulfilment] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """Who caused a change: the commercetools order; a second copy of it stands for itself."""
        return self.source_order if self.duplicate else self.asked.order_id

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The (SKU, location) pairs it touches."""
        return [(line.sku, line.location) for line in self.lines]

    @property
    def names(self) -> dict[str, str]:
        """How records name it: by id, and by number where it has one."""
        number = self.asked.order_number
        return {"orderId": self.asked.order_id} | ({} if number is None else {"orderNumber": number})

    @property
    def shipped_any(self) -> bool:
        """Whether a piece has left the house."""
        return any(line.shipped for line in self.lines)

    def open_fulfilment(self, location: str) -> Fulfilment | None:
        """Return the fulfilment at a location that is still being worked on."""
        for fulfilment in self.fulfilments.values():
            if fulfilment.location == location and fulfilment.status not in {"shipped", "cancelled"}:
                return fulfilment
        return None

    def allocation(self, sign: int) -> list[Change]:
        """Build the changes that allocate (1) or release (-1) what is open."""
        return [
            Change(
                line.sku,
                line.location,
                allocated=line.open * sign,
                picked=line.picked * min(sign, 0),
                order_id=self.owner,
            )
            for line in self.lines
        ]
