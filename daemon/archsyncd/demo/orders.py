"""What became of the day's orders, as plain figures for the board and the verdict. Pure; knows neither daemon nor screen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from archsyncd.domain.lags import Lag, Lags
from archsyncd.simulators.circle import Circle


@dataclass(frozen=True, slots=True)
class OrderFigures:
    """The circle of all orders, by both simulators' own journals; only `in_exceptions` is what the daemon says.

    `placed` in commercetools; `handed_over`: the warehouse got them; `duplicates`: warehouse orders beyond one for each.
    `shipped`: everything that was found has left; `booked` of these: commercetools has a delivery of all of it. `deliveries`:
    all that commercetools has; `dispatches`: all that the warehouse has shipped. `in_parts`: orders with more than one
    delivery. `short`: orders with pieces that were not found.
    `cancelled_before` the warehouse got them, `cancelled_after`: it had them, and ships nothing. `shipped_too_early`: orders
    that commercetools called shipped, or had a delivery of, before the warehouse had shipped those pieces. `in_exceptions`:
    with an open exception; None when the daemon did not tell. `unexplained`: those that are not where they belong and have
    none. Lags: from the order to the warehouse's having it, and from the goods' leaving to the delivery in commercetools.
    """

    placed: int = 0
    handed_over: int = 0
    duplicates: int = 0
    shipped: int = 0
    booked: int = 0
    dispatches: int = 0
    deliveries: int = 0
    in_parts: int = 0
    short: int = 0
    returned: int = 0
    cancelled_before: int = 0
    cancelled_after: int = 0
    shipped_too_early: int = 0
    in_exceptions: int | None = None
    unexplained: tuple[str, ...] = field(default=())
    handing_over: Lag | None = None
    booking: Lag | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields of the object that `--json` ends with."""
        return {
            "orders": self.placed,
            "handed_over": self.handed_over,
            "duplicates": self.duplicates,
            "deliveries": self.deliveries,
            "shipped_too_early": self.shipped_too_early,
            "orders_in_exceptions": self.in_exceptions,
        }


NAMES = tuple(OrderFigures().as_json())


def figures(circle: Circle, explained: Collection[str] | None) -> OrderFigures:
    """Add up what became of the orders. `explained`: names of those with an open exception; None: the daemon does not say."""
    fates, lags = circle.fates, Lags()
    for fate in fates:
        if fate.handed_over_ms is not None:
            lags.note("handing over", fate.handed_over_ms)
        for lag_ms in fate.booked_ms:
            lags.note("booking", lag_ms)
    dropped = [fate for fate in fates if fate.cancelled and not fate.shipped]
    return OrderFigures(
        placed=len(fates),
        handed_over=sum(fate.status is not None for fate in fates),
        duplicates=circle.duplicates,
        shipped=sum(fate.gone for fate in fates),
        booked=sum(fate.booked for fate in fates),
        dispatches=sum(fate.parcels for fate in fates),
        deliveries=sum(fate.deliveries for fate in fates),
        in_parts=sum(fate.deliveries > 1 for fate in fates),
        short=sum(fate.short > 0 for fate in fates),
        returned=sum(fate.returned > 0 for fate in fates),
        cancelled_before=sum(fate.status is None for fate in dropped),
        cancelled_after=sum(fate.status is not None for fate in dropped),
        shipped_too_early=sum(fate.too_early for fate in fates),
        in_exceptions=None if explained is None else sum(fate.name in explained for fate in fates),
        unexplained=tuple(circle.unexplained(explained or ())),
        handing_over=lags.of("handing over"),
        booking=lags.of("booking"),
    )


def told(lag: Lag | None) -> str:
    """A lag for people."""
    if lag is None:
        return "–"
    return f"half within {lag.p50_ms / 1000:.1f} s, 99 % within {lag.p99_ms / 1000:.1f} s"
