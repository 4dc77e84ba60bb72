"""What must be true of orders once faults have stopped and nothing moves any more: everything is settled, or told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from archsyncd.domain.packing import wire_key
from archsyncd.simulators.commercetools import ApiError
from archsyncd.simulators.r247 import Commitment, Judge, OrderStatus
from archsyncd.simulators.r247.held import SourceOrder
from tests.system.order_truth import (
    LOCATIONS,
    PLACES,
    STRANGE,
    Looked,
    OrderTruth,
    Placed,
    deliveries,
    returned,
)

DRAIN_SECONDS = 6.0
# What tells that something takes long, and not why it may.
LATE_ONLY = frozenset({"stalled_orders"})


class Rest:
    """The books of one world, looked at when it has come to rest."""

    def __init__(self, truth: OrderTruth) -> None:
        self._truth = truth
        self._site = truth.site

    def off(self, host: Looked) -> list[tuple[str, str]]:
        """What is not as it must come to: names of what must hold, and what is wrong."""
        self._site.shop.settle()
        cases: dict[str, set[str]] = {}
        for row in host.look("SELECT subject, kind FROM exception_case WHERE state IN ('open', 'waiting')"):
            cases.setdefault(row["subject"], set()).add(row["kind"])
        rows = {row["order_id"]: row for row in host.look("SELECT * FROM handover")}
        advices = host.look("SELECT name, kind, stage, order_id, reason FROM advice")
        told = {
            placed.id: cases.get(placed.name, set()) - LATE_ONLY for placed in self._truth.placed.values()
        }
        for row in advices:
            told.get(row["order_id"], set()).update(cases.get(row["name"], ()))
        wrong = [
            one
            for placed in self._truth.placed.values()
            for one in self._off_order(placed, rows.get(placed.id), told[placed.id])
        ]
        wrong += self._off_advices({row["name"]: row for row in advices}, cases)
        wrong += self._off_stock(host)
        return wrong

    def _off_order(self, placed: Placed, row: Any, told: set[str]) -> Iterator[tuple[str, str]]:
        there = self._site.house.warehouse.book.orders.get(placed.id)
        if row is None:
            # What is gone before it is seen is nobody's to carry.
            if placed.gone_ms is None or placed.id in self._truth.sent:
                yield "O6", f"{placed.name} is not known"
            return
        stage = row["stage"]
        where = f"{placed.name} is {stage} ({row['reason']}), the warehouse says {there and there.status}, cases {told}"
        if not self._at_rest(placed, row, there, told):
            yield "O7", where
        elsewhere = stage == "dismissed" or placed.by_hand or bool(self._truth.early_of(placed))
        if placed.may_go and there is None and not told and not elsewhere:
            yield "O1", where
        with_us = stage in {"accepted", "part_shipped", "shipped", "closed", "closed_short"}
        ended = there is not None and there.status is not OrderStatus.ACCEPTED
        if with_us and ended and not told:
            yield "O1", where
        if stage == "cancelled" and there is not None and there.status is OrderStatus.ACCEPTED and not told:
            yield "O5", where

    def _at_rest(self, placed: Placed, row: Any, there: SourceOrder | None, told: set[str]) -> bool:
        """Final, or waiting by right, or told of."""
        stage = row["stage"]
        if stage in {"cancelled", "closed", "closed_short", "dismissed"}:
            return True
        if stage == "waiting":
            return not placed.payable
        if stage == "received" and there is not None and there.status is OrderStatus.RECEIVED:
            return not row["cancel"]
        if stage == "accepted" and there is not None and there.status is OrderStatus.ACCEPTED:
            waits = any(line.open for line in there.lines) and not there.shipped_any
            return bool((waits and not row["cancel"]) or told)
        if stage == "part_shipped" and there is None:
            return bool(self._truth.early_of(placed))
        if stage == "part_shipped" and there is not None:
            waits = any(line.open or line.short for line in there.lines)
            return bool((waits and not row["cancel"]) or told)
        return bool(told) or (stage == "shipped" and bool(self._truth.early_of(placed)))

    def _off_advices(
        self, advices: Mapping[str, Any], cases: Mapping[str, set[str]]
    ) -> Iterator[tuple[str, str]]:
        """P5: what was shipped is booked and known to be; P6: what came back is booked, all of it."""
        fulfilments = self._site.house.warehouse.dispatch.fulfilments
        shipped = {
            name: order.asked.order_id
            for name, (order, one) in fulfilments.items()
            if one.status == "shipped"
        }
        for name, early in self._truth.early.items():
            order_id = self._truth.by_number.get(early.order, early.order)
            if order_id in self._truth.placed:
                shipped[name] = order_id
        for name, order_id in shipped.items():
            advice, document = advices.get(name), self._document(order_id)
            keys = (
                {delivery.get("key") for delivery in deliveries(document)} if document else {wire_key(name)}
            )
            told = f"{name} of {order_id} is {advice and (advice['stage'], advice['reason'])}"
            if wire_key(name) not in keys and not cases.get(name):
                yield "P5", told
            acknowledged = name in fulfilments and fulfilments[name][1].acknowledgement is not None
            if not acknowledged and not cases.get(name):
                yield "P5", f"the warehouse was not told of it: {told}"
        for name, back in self._truth.returns.items():
            order_id = self._truth.by_number.get(back.order, back.order)
            document = self._document(order_id)
            if document and returned(document).get(name, Counter()) != back.pieces and not cases.get(name):
                yield (
                    "P6",
                    f"{name} is {advices.get(name) and tuple(advices[name])}, {dict(back.pieces)} came back",
                )

    def _document(self, order_id: str) -> dict[str, Any] | None:
        try:
            return self._site.shop.order(order_id)
        except ApiError:
            return None

    def _off_stock(self, host: Looked) -> Iterator[tuple[str, str]]:
        """S1: what is for sale is what lies there, less what is promised and not yet taken off it."""
        waiting: Counter[tuple[str, str]] = Counter()
        doubtful: set[tuple[str, str]] = set()
        unsure = {
            row["order_id"] for row in host.look("SELECT order_id FROM handover WHERE stage = 'in_doubt'")
        }
        for placed in self._truth.placed.values():
            for key, pieces in self.promised(placed).items():
                waiting[key] += pieces
            if bool(self._truth.early_of(placed)) or placed.id in unsure:
                # The record alone is no dispatch, and nobody can say what became of an order in doubt.
                doubtful |= {(sku, place) for sku, place, _ in placed.lines.values()}
        for place, channel in LOCATIONS.items():
            for sku in self._truth.skus:
                wanted = self._site.house.warehouse.available(sku, place) - waiting[sku, place]
                found = self._site.stock(sku, channel)
                if found != wanted and (sku, place) not in doubtful:
                    yield "S1", f"{found} of {sku} at {channel} for sale, {wanted} may be"
        question = "SELECT channel, sku, base, op_id FROM outbox WHERE op_id IS NOT NULL OR base <> 'proven'"
        for row in host.look(question):
            if (row["sku"], PLACES.get(row["channel"])) in doubtful:
                continue
            yield "S1", f"the entry is not settled: {tuple(row)}"

    def promised(self, placed: Placed) -> dict[tuple[str, str], int]:
        """Pieces of an order that are sold and not yet taken off the warehouse's figures."""
        there = self._site.house.warehouse.book.orders.get(placed.id)
        if there is not None and there.status is OrderStatus.CANCELLED:
            return {}
        taken: Counter[str] = Counter()
        if there is not None and there.status is OrderStatus.ACCEPTED:
            taken = Counter({line.line_ref: line.quantity for line in there.lines})
        elif placed.gone_ms is not None:
            return {}
        found: Counter[tuple[str, str]] = Counter()
        for line_id, (sku, place, pieces) in placed.lines.items():
            found[sku, place] += max(pieces - taken[line_id], 0)
        return dict(found)

    def called_shipped_early(self) -> list[str]:
        """Orders that the daemon calls shipped though pieces of them have not left and are not closed."""
        found = []
        for placed in self._truth.placed.values():
            document = self._document(placed.id)
            if (
                document
                and document.get("shipmentState") == "Shipped"
                and not placed.by_hand
                and not placed.edited
            ):
                left = sum(self._truth.shipped(placed).values(), self._truth.closed_pieces(placed))
                wanted = Counter[str]()
                for sku, _, pieces in placed.lines.values():
                    wanted[sku] += pieces
                found += [placed.id] if wanted - left else []
        return found

    def commitments(self) -> list[Commitment]:
        """Everything that was promised by tracked orders, for the judge."""
        return [
            Commitment(placed.id, placed.at_ms, sku, LOCATIONS[place], pieces, placed.gone_ms)
            for placed in self._truth.placed.values()
            if placed.tracked and not placed.edited
            for sku, place, pieces in placed.lines.values()
            if place in LOCATIONS and sku != STRANGE
        ]

    def oversold(self) -> int:
        """Pieces that were sold though a right daemon would not have offered them."""
        judge = Judge(self._site.house.warehouse, drain_seconds=DRAIN_SECONDS, outages=self._truth.outages)
        return judge.verdict(self.commitments()).oversold_beyond_physics
