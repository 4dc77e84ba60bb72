"""What a report is made of: figures of cases over a time, places that fill channels, orders that finance asks about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS


class ReportKind(StrEnum):
    """Which report."""

    DAILY = "daily"
    WEEKLY = "weekly"
    FINANCE = "finance"


@dataclass(frozen=True, slots=True)
class CasePeriod:
    """Cases of one kind now and within a time, as far as closed ones are kept. Times in milliseconds.

    `new`: open and first seen within it. `folded`: open ones that stand for many. `opened`, `resolved`, `dismissed`: within it,
    whatever became of them; `opened_before`, `closed_before`: within as long a time before. `handling_ms`: how long all those
    that were closed within it had been open, together.
    """

    kind: str
    open: int = 0
    new: int = 0
    overdue: int = 0
    folded: int = 0
    oldest_ms: int | None = None
    opened: int = 0
    opened_before: int = 0
    resolved: int = 0
    dismissed: int = 0
    closed_before: int = 0
    handling_ms: int = 0

    @property
    def closed(self) -> int:
        """How many were closed within the time."""
        return self.resolved + self.dismissed


@dataclass(frozen=True, slots=True)
class PlaceUse:
    """How many levels a location has, how many of them with a time of the source's, and the newest such (UTC milliseconds)."""

    location: str
    levels: int
    dated: int
    newest_ms: int | None


class FinanceSection(StrEnum):
    """What finance must know of an order, in the order in which it is told."""

    UNFULFILLABLE = "unfulfillable"
    SHIPPED_NOT_BOOKED = "shipped_not_booked"
    BOOKED_NOT_ACKNOWLEDGED = "booked_not_acknowledged"
    OPEN_RETURN = "open_return"
    CANCELLED_AFTER_HANDOVER = "cancelled_after_handover"


@dataclass(frozen=True, slots=True)
class FinancePlace:
    """How far the list has been told: the part of it, and the last row's place in that."""

    part: int = 0
    since_ms: int = -1
    feed: str = ""
    kind: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class FinanceRow:
    """An order that finance asks about, and why. `dispatch`: the fulfilment or return, "" where it is the order itself."""

    section: FinanceSection
    place: FinancePlace
    order_id: str
    number: str | None
    source_order: str | None
    dispatch: str
    state: str
    reason: str
