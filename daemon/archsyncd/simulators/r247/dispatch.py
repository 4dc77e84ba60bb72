"""Picking, packing, shipping, short picks and returns: what becomes of an imported order; knows no transport."""

from collections.abc import Mapping, Sequence
from typing import Any

from archsyncd.simulators.r247.held import (
    Departure,
    Fulfilment,
    GoodsBack,
    HeldLine,
    OrderStatus,
    SourceOrder,
)
from archsyncd.simulators.r247.log import FeedLog, stamp
from archsyncd.simulators.r247.orderbook import OrderBook
from archsyncd.simulators.r247.stockroom import Change, Refused, Stockroom

PROGRESS = ("allocated", "picking", "picked", "packed")


class Dispatch:
    """Fulfilments by id; each record restates its whole fulfilment, figures follow by levels (r247/1, section 1)."""

    def __init__(self, log: FeedLog, room: Stockroom, book: OrderBook) -> None:
        self._log = log
        self._room = room
        self._book = book
        self._fulfilment_numbers = 0
        self._return_numbers = 0
        self.fulfilments: dict[str, tuple[SourceOrder, Fulfilment]] = {}
        self.journal: list[Departure] = []
        self.journal_of_returns: list[GoodsBack] = []

    def progress(self, reference: str, status: str, location: str | None = None) -> list[Fulfilment]:
        """Work on an order: allocated, picking, picked or packed. `picked` figures follow, nothing else."""
        if status not in PROGRESS:
            raise Refused("bad_status", f"{status!r} is none of {PROGRESS}")
        order = self._accepted(reference)
        touched = []
        for place in _places(order, location):
            fulfilment = self._open_fulfilment(order, place)
            fulfilment.status = status
            self._restate(order, fulfilment)
            touched.append(fulfilment)
            if status in {"picked", "packed"}:
                self._pick(order, place)
        return touched

    def ship(
        self,
        reference: str,
        quantities: Mapping[str, int] | None = None,
        location: str | None = None,
        parcels: Sequence[Mapping[str, Any]] = (),
    ) -> list[Fulfilment]:
        """Dispatch an order, or parts of it by line reference: on hand falls, `available` fell at the import."""
        order = self._accepted(reference)
        shares = {place: _shares(order, place, quantities) for place in _places(order, location)}
        shares = {place: found for place, found in shares.items() if found}
        if not shares:
            raise Refused("nothing_to_ship", "no open piece of this order matches")
        sent = []
        for place, found in shares.items():
            fulfilment = self._open_fulfilment(order, place)
            fulfilment.lines = _shipped_lines(fulfilment, found)
            fulfilment.status = "shipped"
            fulfilment.parcels = [dict(parcel) for parcel in parcels] or [_parcel(fulfilment)]
            self._restate(order, fulfilment)
            self._room.apply(_leave(order, found), "sale", order.source_order)
            for line, pieces in found:
                self._note(order, fulfilment, line, shipped=pieces)
            sent.append(fulfilment)
        return sent

    def short(self, reference: str, line_ref: str, quantity: int, reason: str = "not_found") -> Fulfilment:
        """Close pieces of a line short: they are not where they should be, on hand falls with the allocation."""
        order = self._accepted(reference)
        line = next((line for line in order.lines if line.line_ref == line_ref), None)
        if line is None or not 0 < quantity <= line.open:
            raise Refused("bad_quantity", "the line has not so many open pieces")
        fulfilment = self._open_fulfilment(order, line.location)
        line.short += quantity
        fulfilment.status = "short"
        fulfilment.lines = [
            (held, held.open, held.short, reason if held.short else None) for held, *_ in fulfilment.lines
        ]
        self._restate(order, fulfilment)
        picked = min(line.picked, quantity)
        line.picked -= picked
        change = Change(line.sku, line.location, -quantity, -quantity, -picked, order_id=order.owner)
        self._room.apply([change], "adjustment", order.source_order)
        self._note(order, fulfilment, line, short=quantity)
        return fulfilment

    def restate(
        self,
        fulfilment_id: str,
        quantities: Mapping[str, int] | None = None,
        parcels: Sequence[Mapping[str, Any]] | None = None,
    ) -> Fulfilment:
        """Correct a dispatch: fewer pieces by line reference have left, the others lie on the shelf again; other parcels.

        Lines that are not named keep their pieces. With nothing to correct it is told once more as it is.
        """
        order, fulfilment = self._shipped(fulfilment_id)
        back = _not_left(fulfilment, quantities or {})
        if sum(back.values()) == sum(pieces for _, pieces, *_ in fulfilment.lines) and back:
            raise Refused("nothing_left", "a dispatch of which nothing left is recalled")
        fulfilment.lines = [
            (line, pieces - back.get(line.line_ref, 0), short, why)
            for line, pieces, short, why in fulfilment.lines
            if short or pieces > back.get(line.line_ref, 0)
        ]
        if parcels is not None:
            fulfilment.parcels = [dict(parcel) for parcel in parcels]
        elif any(back.values()):
            fulfilment.parcels = [_parcel(fulfilment)]
        self._restate(order, fulfilment)
        self._put_back(order, back)
        return fulfilment

    def recall(self, fulfilment_id: str) -> Fulfilment:
        """Cancel a dispatch: nothing of it has left, all of it lies on the shelf again and is open."""
        order, fulfilment = self._shipped(fulfilment_id)
        fulfilment.status, fulfilment.parcels = "cancelled", []
        self._restate(order, fulfilment)
        self._put_back(order, {line.line_ref: pieces for line, pieces, *_ in fulfilment.lines})
        return fulfilment

    def cancel(self, reference: str) -> SourceOrder:
        """Cancel an order: open fulfilments are restated as cancelled. Raises Refused as OrderBook.cancel."""
        order = self._book.get(reference)
        if order.status is OrderStatus.ACCEPTED and not order.shipped_any:
            for fulfilment in order.fulfilments.values():
                fulfilment.status = "cancelled"
                self._restate(order, fulfilment)
        return self._book.cancel(reference)

    def acknowledge(self, fulfilment_id: str, said: dict[str, Any]) -> None:
        """Close the loop: the storefront has booked the dispatch. Idempotent by fulfilment id; figures stay."""
        order, fulfilment = self._known(fulfilment_id)
        if order.asked.order_id != said["orderId"]:
            raise Refused("different_content", "the fulfilment belongs to another order")
        known = fulfilment.acknowledgement
        if known is not None and known["deliveryKey"] != said["deliveryKey"]:
            raise Refused("different_content", "acknowledged before with another delivery")
        if fulfilment.status != "shipped":
            raise Refused("not_shipped", "nobody has dispatched this fulfilment")
        fulfilment.acknowledgement = known or said

    def receive_return(self, reference: str, location: str, lines: Sequence[Mapping[str, Any]]) -> int:
        """Take goods back: `sellable` ones become available, others lie there unavailable, scrap is gone."""
        order = self._book.find(reference)
        changes = [_returned(line, location) for line in lines]
        for change in changes:
            self._room.holding(change.sku, change.location)
        self._return_numbers += 1
        return_id = f"R-{self._return_numbers}"
        names = {"orderNumber": reference} if order is None else order.names
        fields = {"returnId": return_id, **names, "location": location, "lines": list(lines)}
        seq = self._log.append("return.received", fields, location=location)
        self._room.apply([change for change in changes if change.on_hand], "return", return_id)
        pieces = sum(line["quantity"] for line in lines)
        self.journal_of_returns.append(GoodsBack(return_id, reference, pieces))
        return seq

    def _shipped(self, fulfilment_id: str) -> tuple[SourceOrder, Fulfilment]:
        order, fulfilment = self._known(fulfilment_id)
        if fulfilment.status != "shipped":
            raise Refused("not_shipped", "nobody has dispatched this fulfilment")
        return order, fulfilment

    def _known(self, fulfilment_id: str) -> tuple[SourceOrder, Fulfilment]:
        if fulfilment_id not in self.fulfilments:
            raise Refused("unknown_fulfilment", f"no fulfilment {fulfilment_id!r} here")
        return self.fulfilments[fulfilment_id]

    def _put_back(self, order: SourceOrder, back: Mapping[str, int]) -> None:
        """On hand rises again and the pieces are allocated as before the dispatch, so `available` stands still."""
        changes = []
        for line in order.lines:
            pieces = back.get(line.line_ref, 0)
            if pieces:
                line.shipped -= pieces
                changes.append(Change(line.sku, line.location, pieces, pieces, order_id=order.owner))
        if changes:
            self._room.apply(changes, "adjustment", order.source_order)

    def _accepted(self, reference: str) -> SourceOrder:
        order = self._book.get(reference)
        if order.status is not OrderStatus.ACCEPTED:
            raise Refused("wrong_status", f"the order is {order.status}")
        return order

    def _open_fulfilment(self, order: SourceOrder, location: str) -> Fulfilment:
        found = order.open_fulfilment(location)
        if found is not None:
            return found
        lines: list[tuple[HeldLine, int, int, str | None]] = [
            (line, line.open, 0, None) for line in order.lines if line.location == location and line.open
        ]
        self._fulfilment_numbers += 1
        fulfilment = Fulfilment(f"F-{self._fulfilment_numbers}", location, "allocated", lines)
        order.fulfilments[fulfilment.id] = fulfilment
        self.fulfilments[fulfilment.id] = (order, fulfilment)
        return fulfilment

    def _note(
        self, order: SourceOrder, fulfilment: Fulfilment, line: HeldLine, shipped: int = 0, short: int = 0
    ) -> None:
        at_ms = self._log.now_ms()
        self.journal.append(
            Departure(at_ms, order.asked.order_id, fulfilment.id, line.line_ref, shipped, short)
        )

    def _pick(self, order: SourceOrder, place: str) -> None:
        changes = []
        for line in order.lines:
            more = line.open - line.picked
            if line.location == place and more > 0:
                line.picked += more
                changes.append(Change(line.sku, place, picked=more, order_id=order.owner))
        if changes:
            self._room.apply(changes, "pick", order.source_order)

    def _restate(self, order: SourceOrder, fulfilment: Fulfilment) -> None:
        fields = order.names | fulfilment_fields(fulfilment, stamp(self._log.now_ms()))
        self._log.append("fulfilment", fields, location=fulfilment.location)


def fulfilment_fields(fulfilment: Fulfilment, at: str) -> dict[str, Any]:
    """Build the fields of a `fulfilment` record, which always restates the whole fulfilment."""
    lines = [
        {"lineRef": line.line_ref, "sku": line.sku, "quantity": pieces, "shortQuantity": short, "reason": why}
        for line, pieces, short, why in fulfilment.lines
    ]
    fields = {"fulfilmentId": fulfilment.id, "status": fulfilment.status, "location": fulfilment.location}
    return fields | {"at": at, "lines": lines, "parcels": fulfilment.parcels}


def _places(order: SourceOrder, location: str | None) -> list[str]:
    places = dict.fromkeys(line.location for line in order.lines if line.open)
    return [place for place in places if location in {None, place}]


def _shares(
    order: SourceOrder, place: str, quantities: Mapping[str, int] | None
) -> list[tuple[HeldLine, int]]:
    shares = []
    for line in order.lines:
        pieces = line.open if quantities is None else quantities.get(line.line_ref, 0)
        if line.location != place or pieces == 0:
            continue
        if not 0 < pieces <= line.open:
            raise Refused("bad_quantity", "the line has not so many open pieces")
        shares.append((line, pieces))
    return shares


def _shipped_lines(
    fulfilment: Fulfilment, shares: list[tuple[HeldLine, int]]
) -> list[tuple[HeldLine, int, int, str | None]]:
    pieces = {line.line_ref: count for line, count in shares}
    known = {line.line_ref for line, *_ in fulfilment.lines}
    kept = [
        (line, pieces.get(line.line_ref, 0), short, why)
        for line, _, short, why in fulfilment.lines
        if line.line_ref in pieces or short
    ]
    return kept + [(line, count, 0, None) for line, count in shares if line.line_ref not in known]


def _not_left(fulfilment: Fulfilment, quantities: Mapping[str, int]) -> dict[str, int]:
    """By line reference, the pieces that a correction takes out of a dispatch."""
    told = {line.line_ref: pieces for line, pieces, *_ in fulfilment.lines}
    if any(not 0 <= pieces <= told.get(line_ref, -1) for line_ref, pieces in quantities.items()):
        raise Refused("bad_quantity", "no more may have left than was told, and of its lines only")
    return {line_ref: told[line_ref] - pieces for line_ref, pieces in quantities.items()}


def _leave(order: SourceOrder, shares: list[tuple[HeldLine, int]]) -> list[Change]:
    changes = []
    for line, pieces in shares:
        picked = min(line.picked, pieces)
        line.picked -= picked
        line.shipped += pieces
        changes.append(Change(line.sku, line.location, -pieces, -pieces, -picked, order_id=order.owner))
    return changes


def _parcel(fulfilment: Fulfilment) -> dict[str, Any]:
    lines = [{"sku": line.sku, "quantity": pieces} for line, pieces, *_ in fulfilment.lines if pieces]
    number = fulfilment.id.partition("-")[2]
    named = {"parcelId": f"P-{number}", "carrier": "DPD", "service": "NEXT"}
    return named | {"trackingNumber": f"1550{number.zfill(10)}", "lines": lines}


def _returned(line: Mapping[str, Any], location: str) -> Change:
    quantity, disposition = line["quantity"], line["disposition"]
    if disposition == "sellable":
        return Change(line["sku"], location, quantity)
    if disposition in {"damaged", "quarantine"}:
        return Change(line["sku"], location, quantity, unavailable=quantity)
    if disposition == "scrap":
        return Change(line["sku"], location)
    raise Refused("bad_disposition", f"{disposition!r} is no disposition")
