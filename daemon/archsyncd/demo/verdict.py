"""The demo's verdict: its figures, what makes it good, and how it is told. Pure; knows neither simulator nor screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from archsyncd.demo.board import by_kind
from archsyncd.demo.orders import NAMES, OrderFigures, told

UNKNOWN_SKU = "sku_not_found"
BAD_RECORD = "invalid_record"
UNEXPLAINED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a demo came to. Pieces, keys and `orders` are figures of judges who know both simulators and not the daemon.

    `records`: read from Archean's feed, as the daemon tells. `requests`: all that commercetools' simulator saw of the
    daemon, token calls and refused ones included; `throttled` of them were answered 429; `writes` of them were REST
    creates and updates of entries or GraphQL requests that mutate. `changes`: operations applied, one per key and
    operation marker. `keys_in_step`: keys whose true stock equals what the warehouse can sell less what it has not yet
    imported. `oversold_units`: pieces sold that a right daemon would not have offered. `unavoidable_units`: pieces sold
    online within 10 s after a store had sold or broken them and Archean had told it. `hidden_units` could be sold and are
    not offered, `excess_units` are offered and not there. `restarts`: starts after the first; `kills` of them were the
    demo's doing. `exceptions_open` is None when the daemon did not tell it at the end.
    """

    records: int
    requests: int
    throttled: int
    writes: int
    changes: int
    keys: int
    keys_in_step: int
    oversold_units: int
    unavoidable_units: int
    hidden_units: int
    excess_units: int
    duplicate_orders: int
    served: int
    refused: int
    restarts: int
    kills: int
    exit_status: int | None
    orders: OrderFigures
    exceptions_seen: frozenset[str] = frozenset()
    exceptions_open: Mapping[str, int] | None = field(default_factory=dict)

    @property
    def requests_per_change(self) -> float | None:
        """Write requests divided by applied operations; None when nothing was applied."""
        return self.writes / self.changes if self.changes else None

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that makes the verdict bad, as sentences."""
        return tuple(self._faults())

    @property
    def ok(self) -> bool:
        """Whether the verdict is good."""
        return not self.faults

    def _faults(self) -> Iterator[str]:
        if not (self.keys and self.records and self.changes and self.served):
            yield "nothing was traded"
        yield from self._stock_faults()
        yield from self._order_faults()
        yield from self._daemon_faults()

    def _stock_faults(self) -> Iterator[str]:
        for pieces, what in (
            (self.oversold_units, "oversold"),
            (self.hidden_units, "hidden from sale"),
            (self.excess_units, "offered and not there"),
        ):
            if pieces:
                yield f"{_number(pieces, 'piece')} {what}"
        if self.keys_in_step != self.keys:
            yield f"{_number(self.keys - self.keys_in_step, 'key')} not in step"

    def _order_faults(self) -> Iterator[str]:
        orders = self.orders
        if not (orders.handed_over and orders.deliveries):
            yield "no order went the whole circle"
        twice = max(self.duplicate_orders, orders.duplicates)
        if twice:
            yield f"{_number(twice, 'order')} twice in the warehouse"
        if orders.shipped_too_early:
            yield f"{_number(orders.shipped_too_early, 'order')} called shipped before the goods had left"
        for each in orders.unexplained[:UNEXPLAINED_SHOWN]:
            yield f"no exception says why order {each}"
        more = len(orders.unexplained) - UNEXPLAINED_SHOWN
        if more > 0:
            yield f"no exception says why {_number(more, 'more order')} went astray"

    def _daemon_faults(self) -> Iterator[str]:
        if self.kills != 1:
            yield f"the daemon was killed {_number(self.kills, 'time')} and not once"
        if self.restarts != self.kills:
            yield f"the daemon ended by itself {_number(self.restarts - self.kills, 'time')}"
        if self.exit_status != 0:
            yield f"the daemon's exit status was {self.exit_status}"
        if not self.throttled:
            yield "commercetools never answered 429"
        if self.exceptions_open is None:
            yield "the daemon did not tell of its exceptions at the end"
        for kind in (UNKNOWN_SKU, BAD_RECORD):
            if kind not in self.exceptions_seen:
                yield f"no exception {kind} was opened"
            if kind in (self.exceptions_open or ()):
                yield f"the exception {kind} is still open"

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` ends with: the fields above, requests_per_change (two decimals), faults and ok."""
        per_change = self.requests_per_change
        return {
            "ok": self.ok,
            "faults": list(self.faults),
            "records": self.records,
            "requests": self.requests,
            "throttled": self.throttled,
            "writes": self.writes,
            "changes": self.changes,
            "requests_per_change": None if per_change is None else round(per_change, 2),
            "keys": self.keys,
            "keys_in_step": self.keys_in_step,
            "oversold_units": self.oversold_units,
            "unavoidable_units": self.unavoidable_units,
            "hidden_units": self.hidden_units,
            "excess_units": self.excess_units,
            "duplicate_orders": self.duplicate_orders,
            **self.orders.as_json(),
            "served": self.served,
            "refused": self.refused,
            "restarts": self.restarts,
            "kills": self.kills,
            "exit_status": self.exit_status,
            "exceptions_seen": sorted(self.exceptions_seen),
            "exceptions_open": None if self.exceptions_open is None else dict(self.exceptions_open),
        }

    def lines(self) -> list[str]:
        """The verdict for people."""
        per_change = self.requests_per_change
        ratio = "none" if per_change is None else f"{per_change:.2f}"
        good = (
            "in step, nothing oversold, nothing hidden; no order lost, doubled, or called shipped too early."
        )
        said = [
            f"Verdict: {good}" if self.ok else "Verdict: NOT GOOD.",
            *(f"  - {fault}" for fault in self.faults),
            f"  records read              {self.records:>7,}",
            f"  requests sent             {self.requests:>7,}   {self.throttled:,} of them answered 429",
            f"  stock writes per change   {ratio:>7}   {self.writes:,} writes for {self.changes:,} changes",
            f"  keys in step              {self.keys_in_step:>7,}   of {self.keys:,}",
            f"  oversold pieces           {self.oversold_units:>7,}   {_residue(self.unavoidable_units)}",
            f"  hidden pieces             {self.hidden_units:>7,}",
            *self._order_lines(),
        ]
        return [line.rstrip() for line in said]

    def _order_lines(self) -> Iterator[str]:
        orders = self.orders
        ended = (
            f"{orders.cancelled_before:,} cancelled before the hand-over, {orders.cancelled_after:,} after it"
        )
        cases = "" if self.exceptions_open is None else by_kind(self.exceptions_open)
        several = " (an order may have both)" if " · " in cases else ""
        waits = f"{cases}{several}: a person's to decide" if cases else ""
        in_exceptions = "?" if orders.in_exceptions is None else f"{orders.in_exceptions:,}"
        yield f"  orders placed             {orders.placed:>7,}   {ended}"
        yield f"  orders handed over        {orders.handed_over:>7,}   {told(orders.handing_over)}"
        yield f"  orders made twice         {orders.duplicates:>7,}"
        yield f"  dispatches booked         {orders.deliveries:>7,}   {told(orders.booking)} of the goods' leaving"
        yield f"  shipped too early         {orders.shipped_too_early:>7,}"
        yield f"  orders in exceptions      {in_exceptions:>7}   {waits}"


def unfinished(fault: str, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The object of a demo that came to no verdict: the same fields, None where nothing is known."""
    names = ("requests_per_change", *(each.name for each in fields(Outcome)), *NAMES)
    return {"ok": False, "faults": [fault], **dict.fromkeys(names), **(known or {})}


@dataclass(frozen=True, slots=True)
class Memorable:
    """Moments worth telling, in seconds; None where they did not come about."""

    opening_keys: int
    opening_seconds: float
    opening_writes: int
    recounted: int
    empty_writes: int
    in_doubt: int | None
    orders_under_way: int
    answers_lost: int
    recovery_seconds: float | None
    oldest_decrease_seconds: float
    oldest_increase_seconds: float
    unknown_sku_seconds: float | None


def seen(outcome: Outcome, moments: Memorable) -> list[str]:
    """What somebody who watched has just seen, in at most ten lines."""
    return ["What you just saw", *(f"  {line}" for line in _seen(outcome, moments))]


def _seen(outcome: Outcome, moments: Memorable) -> Iterator[str]:
    orders = outcome.orders
    yield (
        f"{moments.opening_keys:,} stock entries created in {moments.opening_seconds:.1f} s with "
        f"{_number(moments.opening_writes, 'write request')}: a backlog goes in batches."
    )
    empty = _number(moments.empty_writes, "write") if moments.empty_writes else "not one write"
    yield f"A recount of {moments.recounted:,} records that changed nothing: {empty} for it."
    yield (
        f"A day with a flash sale: {outcome.served:,} orders served, {outcome.refused:,} refused because it was sold out."
    )
    yield (
        f"{_number(orders.handed_over, 'order')} carried to Archean, {orders.shipped:,} shipped: {orders.in_parts:,} in parts, "
        f"{orders.short:,} with a piece not found, {orders.returned:,} with goods sent back."
    )
    yield f"{_number(moments.answers_lost, 'answer')} about orders lost, of both sides: looked up, and nothing done twice."
    yield from _after_kill(moments)
    yield (
        f"An overload, {_number(outcome.throttled, 'answer')} 429: decreases waited "
        f"{moments.oldest_decrease_seconds:.1f} s at most, increases {moments.oldest_increase_seconds:.1f} s."
    )
    if moments.unknown_sku_seconds is None:
        yield "An unreadable record became an exception; the feed went on, and a fresh reading of the key closed it."
    else:
        yield (
            "An unreadable record and an unknown SKU became exceptions and closed by themselves, the SKU's "
            f"{moments.unknown_sku_seconds:.0f} s after the product appeared."
        )


def _after_kill(moments: Memorable) -> Iterator[str]:
    under_way = moments.orders_under_way
    way = f" and of handing over {_number(under_way, 'order')}" if under_way else ""
    back = (
        "" if moments.recovery_seconds is None else f"; writing again after {moments.recovery_seconds:.1f} s"
    )
    yield f"kill -9 in the middle of a write{way}{back}."
    doubt = (
        "What was under way is"
        if moments.in_doubt is None
        else f"{_number(moments.in_doubt, 'operation')} in doubt,"
    )
    yield f"{doubt} settled by the markers on the entries."


def _residue(pieces: int) -> str:
    if not pieces:
        return ""
    return f"{_number(pieces, 'piece')} sold online just after a store sold them: a safety stock covers these"


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
