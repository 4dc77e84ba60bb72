"""Booking dispatches in commercetools: what a shipped fulfilment becomes of an order, and what it must not become. Pure.

Only goods that have left the warehouse make a delivery. commercetools does not check delivered pieces against ordered ones:
that guard is here. A repeat finds its own delivery by its key and changes nothing; one with other content is told, not
booked over. The shipment state goes forward only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import DispatchedParcel, LineShare
from archsyncd.domain.handover import Stage
from archsyncd.domain.order import GONE_ORDER_STATES
from archsyncd.domain.whole_order import MODE_MULTIPLE, Delivery, WholeOrder

PARTIAL, SHIPPED, DELIVERED, READY = "Partial", "Shipped", "Delivered", "Ready"
# How far a shipment has come; what is not named here (Pending, Delayed, Backorder) is before all of it.
_FORWARD = {READY: 1, PARTIAL: 2, SHIPPED: 3, DELIVERED: 4}
TEXT_LIMIT_CHARACTERS = 256
_KEY = re.compile(r"[A-Za-z0-9_-]{2,200}")


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A shipped fulfilment as its newest record states it."""

    fulfilment_id: str
    lines: tuple[LineShare, ...]
    parcels: tuple[DispatchedParcel, ...] = ()


@dataclass(frozen=True, slots=True)
class ParcelDraft:
    """A parcel to be booked: pieces by line item id."""

    key: str
    tracking: str | None
    carrier: str | None
    pieces: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AddDelivery:
    """A new delivery. `shipping_key` only where the order ships apart."""

    key: str
    pieces: Mapping[str, int]
    parcels: tuple[ParcelDraft, ...]
    shipping_key: str | None = None


@dataclass(frozen=True, slots=True)
class AddParcel:
    """A parcel that a booked delivery lacks."""

    delivery_key: str
    parcel: ParcelDraft


@dataclass(frozen=True, slots=True)
class SetTracking:
    """A parcel's tracking, told or corrected later."""

    parcel_key: str
    tracking: str | None
    carrier: str | None


@dataclass(frozen=True, slots=True)
class ChangeShipmentState:
    """How far the shipment has come."""

    state: str


@dataclass(frozen=True, slots=True)
class ReturnDraft:
    """Pieces of a line that came back."""

    key: str
    line_id: str
    pieces: int


@dataclass(frozen=True, slots=True)
class AddReturn:
    """Goods that came back, each item under a key of its own."""

    items: tuple[ReturnDraft, ...]


@dataclass(frozen=True, slots=True)
class SetReturnState:
    """What becomes of returned goods."""

    item_key: str
    state: str


OrderAction: TypeAlias = (
    AddDelivery | AddParcel | SetTracking | ChangeShipmentState | AddReturn | SetReturnState
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person must know of a dispatch."""

    kind: CaseKind
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Booking:
    """What a dispatch makes of an order: actions in one request, in this order, and what is to be told.

    `state` is the shipment state once they took effect. `refused`: it cannot be booked as it is. Else, without actions, it is
    booked already.
    """

    actions: tuple[OrderAction, ...]
    findings: tuple[Finding, ...]
    state: str | None
    refused: bool = False


def wire_key(name: str) -> str:
    """A name of Archean's as a key of commercetools: itself where it can be one, else a hash of it."""
    if _KEY.fullmatch(name) and "__" not in name:  # what follows two underscores is ours
        return name
    return f"sha256-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def clean_text(text: str | None) -> str | None:
    """A text of somebody else's for people: printable, of reasonable length, None where nothing is left of it."""
    if text is None:
        return None
    kept = "".join(each for each in text if each.isprintable())[:TEXT_LIMIT_CHARACTERS].strip()
    return kept or None


def book(order: WholeOrder, dispatch: Dispatch, closed: Mapping[str, int]) -> Booking:
    """Say what a dispatch makes of an order as it is now. `closed`: pieces by line item id that will never be shipped."""
    findings: list[Finding] = []
    own = [each for each in order.deliveries if _is_of(each, dispatch)]
    others = _delivered(each for each in order.deliveries if not _is_of(each, dispatch))
    pieces, strange = _by_line(order, dispatch.lines, others)
    if strange is not None:
        return Booking((), (_mismatch(order, dispatch, strange),), order.order.shipment_state, refused=True)
    within = _within_order(order, pieces, others)
    if within != pieces:
        findings.append(_too_much(order, dispatch, pieces, within))
    if order.order.order_state in GONE_ORDER_STATES:
        findings.append(_after_cancellation(order, dispatch))
    actions: list[OrderAction] = []
    if own:
        if _delivered(own) != within:
            findings.append(_mismatch(order, dispatch, "it was booked before with other pieces"))
            return Booking((), tuple(findings), order.order.shipment_state, refused=True)
        actions += _corrections(order, dispatch, own, within)
    elif within and not order.can_deliver:
        reason = "the order has no shipping info, so commercetools takes no delivery for it"
        findings.append(_mismatch(order, dispatch, reason))
        return Booking((), tuple(findings), order.order.shipment_state, refused=True)
    elif pieces and not within:
        return Booking((), tuple(findings), order.order.shipment_state, refused=True)
    elif within:
        actions += _new_deliveries(order, dispatch, within)
    state = _state(order, _sum(others, within), closed)
    if state != order.order.shipment_state and order.order.order_state not in GONE_ORDER_STATES:
        actions.append(ChangeShipmentState(state or PARTIAL))
    return Booking(tuple(actions), tuple(findings), state)


def book_progress(order: WholeOrder, closed: Mapping[str, int], *, ready: bool) -> Booking:
    """Say what becomes of an order's shipment state where nothing was dispatched: pieces closed, or goods ready to go."""
    state = order.order.shipment_state
    if order.order.order_state not in GONE_ORDER_STATES:
        state = _state(order, _delivered(order.deliveries), closed)
        if ready and not _FORWARD.get(state or "", 0):
            state = READY
    changed = state is not None and state != order.order.shipment_state
    return Booking((ChangeShipmentState(state),) if changed and state else (), (), state)


def closed_pieces(
    order: WholeOrder, shorts: Iterable[LineShare], planned: Iterable[OrderAction] = ()
) -> dict[str, int]:
    """Pieces by line item id that will never be shipped, as far as they are of this order.

    `planned`: deliveries that are about to be booked: what is short is of the lines that they leave open.
    """
    lines = [LineShare(each.sku, each.short_quantity, each.line_ref) for each in shorts]
    new = [action.pieces for action in planned if isinstance(action, AddDelivery)]
    delivered = _sum(_delivered(order.deliveries), *new)
    return _within_order(order, _by_line(order, lines, delivered)[0], {})


def has_delivery(order: WholeOrder, fulfilment_id: str) -> bool:
    """Whether a dispatch stands on the order as a delivery."""
    return any(_is_of(each, Dispatch(fulfilment_id, ())) for each in order.deliveries)


def strange_deliveries(order: WholeOrder, fulfilment_ids: Iterable[str]) -> int:
    """How many deliveries of the order are of none of these dispatches."""
    known = [Dispatch(name, ()) for name in fulfilment_ids]
    return sum(not any(_is_of(each, one) for one in known) for each in order.deliveries)


def stands(order: WholeOrder, closed: Mapping[str, int]) -> Stage | None:
    """How far an order has come by its deliveries and what was closed; None where nothing has left."""
    delivered = _delivered(order.deliveries)
    gone = _sum(delivered, closed)
    if all(gone.get(line.line_id, 0) >= line.quantity for line in order.order.lines):
        return Stage.CLOSED_SHORT if any(closed.values()) else Stage.SHIPPED
    return Stage.PART_SHIPPED if any(delivered.values()) else None


def _keys_of(dispatch: Dispatch) -> str:
    return wire_key(dispatch.fulfilment_id)


def _is_of(delivery: Delivery, dispatch: Dispatch) -> bool:
    key = _keys_of(dispatch)
    return delivery.key == key or (delivery.key or "").startswith(f"{key}__")


def _delivered(deliveries: Iterable[Delivery]) -> dict[str, int]:
    return _sum(*(delivery.pieces for delivery in deliveries))


def _sum(*some: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in some:
        for line_id, count in each.items():
            total[line_id] = total.get(line_id, 0) + count
    return total


def _by_line(
    order: WholeOrder, lines: Sequence[LineShare], delivered: Mapping[str, int]
) -> tuple[dict[str, int], str | None]:
    """Pieces by line item id; and what cannot be matched, in words. A SKU alone fills its lines one after the other."""
    by_ref = {detail.key: line_id for line_id, detail in order.details.items() if detail.key}
    known = {line.line_id: line for line in order.order.lines}
    pieces: dict[str, int] = {}
    for told in sorted(lines, key=lambda each: each.line_ref is None):
        line_id = by_ref.get(told.line_ref or "", told.line_ref or "")
        named = known.get(line_id)
        if named is not None and named.sku != told.sku:
            return {}, f"it holds {told.sku} for a line about {named.sku}"
        alike = [named] if named else [line for line in order.order.lines if line.sku == told.sku]
        if not alike:
            return {}, f"it holds {told.quantity} of {told.sku}, which nobody ordered"
        rest = told.quantity
        for line in alike:
            room = max(line.quantity - delivered.get(line.line_id, 0) - pieces.get(line.line_id, 0), 0)
            part = rest if line is alike[-1] else min(rest, room)
            if part:
                pieces[line.line_id] = pieces.get(line.line_id, 0) + part
            rest -= part
    return pieces, None


def _within_order(
    order: WholeOrder, pieces: Mapping[str, int], delivered: Mapping[str, int]
) -> dict[str, int]:
    """As much of it as was ordered and is not delivered yet."""
    room = {
        line.line_id: max(line.quantity - delivered.get(line.line_id, 0), 0) for line in order.order.lines
    }
    kept = {line_id: min(count, room.get(line_id, 0)) for line_id, count in pieces.items()}
    return {line_id: count for line_id, count in kept.items() if count}


def _new_deliveries(order: WholeOrder, dispatch: Dispatch, pieces: Mapping[str, int]) -> list[OrderAction]:
    groups = _by_shipping(order, pieces)
    taken = {parcel.key for delivery in order.deliveries for parcel in delivery.parcels if parcel.key}
    parcels = _parcels(order, dispatch, pieces, taken)
    found: list[OrderAction] = []
    for number, (shipping_key, part) in enumerate(groups.items()):
        key = _keys_of(dispatch) if len(groups) == 1 else f"{_keys_of(dispatch)}__{number + 1}"
        # Parcels are told of the fulfilment, not of its parts: they stand with the first one.
        own = parcels if number == 0 else ()
        held = own if len(groups) == 1 else tuple(_cut(parcel, part) for parcel in own)
        found.append(AddDelivery(key, part, held, shipping_key or None))
    return found


def _cut(parcel: ParcelDraft, pieces: Mapping[str, int]) -> ParcelDraft:
    inside = {line_id: count for line_id, count in parcel.pieces.items() if line_id in pieces}
    return ParcelDraft(parcel.key, parcel.tracking, parcel.carrier, inside)


def _by_shipping(order: WholeOrder, pieces: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Pieces by shipping key; all of them under "" where the order ships as one."""
    if order.shipping_mode != MODE_MULTIPLE:
        return {"": dict(pieces)}
    groups: dict[str, dict[str, int]] = {}
    for line_id, count in pieces.items():
        detail = order.details.get(line_id)
        rest = count
        for shipping_key, wanted in (detail.shippings if detail else {}).items():
            part = min(rest, wanted)
            if part:
                groups.setdefault(shipping_key, {})[line_id] = part
            rest -= part
        if rest:
            # Nobody said how these ship: with the first of the order's shippings.
            group = groups.setdefault(next(iter(order.shipping_keys), ""), {})
            group[line_id] = group.get(line_id, 0) + rest
    return groups


def _parcels(
    order: WholeOrder, dispatch: Dispatch, pieces: Mapping[str, int], taken: set[str]
) -> tuple[ParcelDraft, ...]:
    """The parcels, each piece in one of them at most; what nobody can place is left out of the parcel, not of the delivery."""
    left = dict(pieces)
    skus = {line.line_id: line.sku for line in order.order.lines}
    drafts: list[ParcelDraft] = []
    for parcel in dispatch.parcels:
        inside: dict[str, int] = {}
        for sku, count in parcel.pieces.items():
            rest = count
            for line_id in [each for each in left if skus.get(each) == sku]:
                part = min(rest, left[line_id])
                if part:
                    inside[line_id] = inside.get(line_id, 0) + part
                    left[line_id] -= part
                rest -= part
        key = _parcel_key(dispatch, parcel, taken)
        taken = taken | {key}
        drafts.append(ParcelDraft(key, clean_text(parcel.tracking), clean_text(parcel.carrier), inside))
    return tuple(drafts)


def _parcel_key(dispatch: Dispatch, parcel: DispatchedParcel, taken: set[str]) -> str:
    """The parcel's own id; with its fulfilment's before it where another parcel of the order has that id."""
    key = wire_key(parcel.parcel_id)
    return key if key not in taken else wire_key(f"{dispatch.fulfilment_id}_{parcel.parcel_id}")


def _corrections(
    order: WholeOrder, dispatch: Dispatch, own: Sequence[Delivery], pieces: Mapping[str, int]
) -> list[OrderAction]:
    """What a newer record of a booked dispatch adds: parcels, and tracking that was told or corrected later."""
    booked = {parcel.key: parcel for delivery in own for parcel in delivery.parcels if parcel.key}
    others = {
        parcel.key
        for delivery in order.deliveries
        if not _is_of(delivery, dispatch)
        for parcel in delivery.parcels
        if parcel.key
    }
    found: list[OrderAction] = []
    for draft in _parcels(order, dispatch, pieces, others):
        there = booked.get(draft.key)
        if there is None:
            found.append(AddParcel(own[0].key or "", draft))
        elif (draft.tracking, draft.carrier) != (there.tracking_id, there.carrier) and draft.tracking:
            found.append(SetTracking(draft.key, draft.tracking, draft.carrier))
    return found


def _state(order: WholeOrder, delivered: Mapping[str, int], closed: Mapping[str, int]) -> str | None:
    """Partial while a line is open, Shipped when every piece was delivered or closed; never backwards."""
    now = order.order.shipment_state
    if not any(delivered.values()):
        return now
    whole = all(
        delivered.get(line.line_id, 0) + closed.get(line.line_id, 0) >= line.quantity
        for line in order.order.lines
    )
    then = SHIPPED if whole else PARTIAL
    return then if _FORWARD[then] > _FORWARD.get(now or "", 0) else now


def _mismatch(order: WholeOrder, dispatch: Dispatch, what: str) -> Finding:
    reason = f"the dispatch {dispatch.fulfilment_id} of order {order.name} is not booked: {what}"
    return Finding(CaseKind.FULFILMENT_MISMATCH, "mismatch", reason)


def _too_much(
    order: WholeOrder, dispatch: Dispatch, pieces: Mapping[str, int], within: Mapping[str, int]
) -> Finding:
    more = sum(pieces.values()) - sum(within.values())
    reason = (
        f"the dispatch {dispatch.fulfilment_id} of order {order.name} holds {more} pieces beyond the order; what is "
        "within it is booked"
    )
    return Finding(CaseKind.OVER_SHIPMENT, "over_shipment", reason)


def _after_cancellation(order: WholeOrder, dispatch: Dispatch) -> Finding:
    reason = (
        f"order {order.name} is cancelled in commercetools, and its dispatch {dispatch.fulfilment_id} was shipped: the "
        "delivery is booked as a fact, and the order's state is left to a person"
    )
    return Finding(CaseKind.STATUS_CONFLICT, "shipped_after_cancellation", reason)
