"""Booking dispatches in commercetools: what a shipped fulfilment becomes of an order, and what it must not become. Pure.

Only goods that have left the warehouse make a delivery. commercetools does not check delivered pieces against ordered ones:
that guard is here. A repeat finds its own delivery by its key and changes nothing; one with other content is told, not
booked over. The shipment state goes forward only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import DispatchedParcel, LineShare
from archsyncd.domain.handover import Stage
from archsyncd.domain.kit_orders import Gathered, KitOrder, Told, gather, kit_order
from archsyncd.domain.kits import Kit
from archsyncd.domain.order import GONE_ORDER_STATES
from archsyncd.domain.packing import ParcelDraft, cut, pack, wire_key
from archsyncd.domain.whole_order import MODE_MULTIPLE, Delivery, WholeOrder

PARTIAL, SHIPPED, DELIVERED, READY = "Partial", "Shipped", "Delivered", "Ready"
# How far a shipment has come; what is not named here (Pending, Delayed, Backorder) is before all of it.
_FORWARD = {READY: 1, PARTIAL: 2, SHIPPED: 3, DELIVERED: 4}
# The code of a case about pieces of kits that have left and make no whole one.
KIT_DISPATCHED = "dispatched"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A shipped fulfilment as its newest record states it."""

    fulfilment_id: str
    lines: tuple[LineShare, ...]
    parcels: tuple[DispatchedParcel, ...] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """What an order's kits are made of, by line id, and the dispatches of it that were booked before."""

    kits: Mapping[str, Kit] = field(default_factory=dict)
    others: tuple[Dispatch, ...] = ()


NO_KITS = Beside()


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


def book(
    order: WholeOrder, dispatch: Dispatch, closed: Mapping[str, int], beside: Beside = NO_KITS
) -> Booking:
    """Say what a dispatch makes of an order as it is now. `closed`: pieces by line item id that will never be shipped.

    A kit is delivered by the dispatch that brings its last piece. One that brings others of them is a delivery without items:
    its parcels are on their way.
    """
    own = [each for each in order.deliveries if _is_of(each, dispatch)]
    others = _delivered(each for each in order.deliveries if not _is_of(each, dispatch))
    pieces, strange, gathered = _pieces(order, dispatch, others, beside)
    if strange is not None:
        return _refused(order, [_mismatch(order, dispatch, strange)])
    within = _within_order(order, pieces, others)
    more = sum(pieces.values()) - sum(within.values()) + (gathered.beyond if gathered else 0)
    findings = [_too_much(order, dispatch, more)] if more else []
    if order.order.order_state in GONE_ORDER_STATES:
        findings.append(_after_cancellation(order, dispatch))
    begun = gathered is not None and gathered.adds
    actions: list[OrderAction] = []
    if own:
        if _delivered(own) != within:
            findings.append(_mismatch(order, dispatch, "it was booked before with other pieces"))
            return _refused(order, findings)
        actions += _corrections(order, dispatch, own, within, gathered)
    elif (within or begun) and not order.can_deliver:
        reason = "the order has no shipping info, so commercetools takes no delivery for it"
        return _refused(order, [*findings, _mismatch(order, dispatch, reason)])
    elif within or begun:
        actions += _new_deliveries(order, dispatch, within, gathered)
    elif more:
        return _refused(order, findings)
    if gathered is not None:
        findings += _incomplete(order, gathered, _sum(others, within), closed)
    state = _state(order, _sum(others, within), closed, begun=begun)
    if state != order.order.shipment_state and order.order.order_state not in GONE_ORDER_STATES:
        actions.append(ChangeShipmentState(state or PARTIAL))
    return Booking(tuple(actions), tuple(findings), state)


def _refused(order: WholeOrder, findings: Sequence[Finding]) -> Booking:
    return Booking((), tuple(findings), order.order.shipment_state, refused=True)


def _pieces(
    order: WholeOrder, dispatch: Dispatch, others: Mapping[str, int], beside: Beside
) -> tuple[Mapping[str, int], str | None, Gathered | None]:
    """Pieces by line item id; what cannot be matched, in words; and, of an order with kits, how they come together."""
    kits = _kits_of(order, beside)
    if kits is None:
        return (*_by_line(order, dispatch.lines, others), None)
    gathered = gather(kits, dispatch.lines, _told(order, beside), others)
    return gathered.pieces, gathered.strange or _fewer_kits(gathered), gathered


def book_progress(
    order: WholeOrder, closed: Mapping[str, int], *, ready: bool, beside: Beside = NO_KITS
) -> Booking:
    """Say what becomes of an order's shipment state where nothing was dispatched: pieces closed, or goods ready to go."""
    state = order.order.shipment_state
    findings: list[Finding] = []
    kits, delivered = _kits_of(order, beside), _delivered(order.deliveries)
    if kits is not None:
        findings = _incomplete(order, gather(kits, (), _told(order, beside), delivered), delivered, closed)
    if order.order.order_state not in GONE_ORDER_STATES:
        state = _state(order, delivered, closed)
        if ready and not _FORWARD.get(state or "", 0):
            state = READY
    changed = state is not None and state != order.order.shipment_state
    return Booking((ChangeShipmentState(state),) if changed and state else (), tuple(findings), state)


def closed_pieces(
    order: WholeOrder,
    shorts: Iterable[LineShare],
    planned: Iterable[OrderAction] = (),
    beside: Beside = NO_KITS,
) -> dict[str, int]:
    """Pieces by line item id that will never be shipped, as far as they are of this order.

    `planned`: deliveries that are about to be booked: what is short is of the lines that they leave open. A kit that lacks one
    piece will never be shipped.
    """
    lines = [LineShare(each.sku, each.short_quantity, each.line_ref) for each in shorts]
    new = (Delivery("", action.key, action.pieces) for action in planned if isinstance(action, AddDelivery))
    order = replace(order, deliveries=(*order.deliveries, *new))
    delivered = _delivered(order.deliveries)
    kits = _kits_of(order, beside)
    if kits is None:
        return _within_order(order, _by_line(order, lines, delivered)[0], {})
    gone = gather(kits, lines, _told(order, beside), delivered)
    before = kits.filled(gone.others)
    lost = kits.lost({name: count - before[name] for name, count in gone.parts.items()})
    short = {line_id: count for line_id, count in gone.pieces.items() if line_id not in kits.kits}
    return _within_order(order, short, {}) | _within_order(order, lost, delivered)


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
    return Stage.PART_SHIPPED if any(delivered.values()) or order.deliveries else None


def _kits_of(order: WholeOrder, beside: Beside) -> KitOrder | None:
    if not beside.kits:
        return None
    refs = {detail.key: line_id for line_id, detail in order.details.items() if detail.key}
    return kit_order(order.order.lines, beside.kits, refs)


def _told(order: WholeOrder, beside: Beside) -> list[Told]:
    return [
        Told(other.lines, _delivered(each for each in order.deliveries if _is_of(each, other)))
        for other in beside.others
    ]


def _fewer_kits(gathered: Gathered) -> str | None:
    """What is to be said where other dispatches have booked kits that are not whole by what is told now."""
    fewer = {line_id: count for line_id, count in gathered.pieces.items() if count < 0}
    for line_id, count in fewer.items():
        sku = gathered.order.kits[line_id].sku
        return f"with it {-count} of the kit {sku} stand as delivered of which not every component has left"
    return None


def _incomplete(
    order: WholeOrder, gathered: Gathered, delivered: Mapping[str, int], closed: Mapping[str, int]
) -> list[Finding]:
    """What has left of kits that will never be whole, once nothing of their lines is open any more."""
    rest = gathered.order.left_over(gathered.parts, gathered.order.whole(gathered.parts))
    told = []
    for line_id, pieces in rest.items():
        if delivered.get(line_id, 0) + closed.get(line_id, 0) >= _ordered(order, line_id):
            what = ", ".join(f"{count} of {sku}" for sku, count in pieces.items())
            told.append(f"{what} for the kit {gathered.order.kits[line_id].sku}")
    if not told:
        return []
    reason = (
        f"pieces of order {order.name} have left that make no whole kit, and the rest of it will never be shipped: "
        f"{'; '.join(told)}. No delivery shows them"
    )
    return [Finding(CaseKind.KIT_INCOMPLETE, KIT_DISPATCHED, reason)]


def _ordered(order: WholeOrder, line_id: str) -> int:
    return sum(line.quantity for line in order.order.lines if line.line_id == line_id)


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


def _new_deliveries(
    order: WholeOrder, dispatch: Dispatch, pieces: Mapping[str, int], gathered: Gathered | None
) -> list[OrderAction]:
    groups = _by_shipping(order, pieces)
    taken = {parcel.key for delivery in order.deliveries for parcel in delivery.parcels if parcel.key}
    parcels = pack(order, dispatch.fulfilment_id, dispatch.parcels, pieces, taken, gathered)
    found: list[OrderAction] = []
    for number, (shipping_key, part) in enumerate(groups.items()):
        key = _keys_of(dispatch) if len(groups) == 1 else f"{_keys_of(dispatch)}__{number + 1}"
        # Parcels are told of the fulfilment, not of its parts: they stand with the first one.
        own = parcels if number == 0 else ()
        held = own if len(groups) == 1 else tuple(cut(parcel, part) for parcel in own)
        found.append(AddDelivery(key, part, held, shipping_key or None))
    return found


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
    return groups or {next(iter(order.shipping_keys), ""): {}}


def _corrections(
    order: WholeOrder,
    dispatch: Dispatch,
    own: Sequence[Delivery],
    pieces: Mapping[str, int],
    gathered: Gathered | None,
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
    for draft in pack(order, dispatch.fulfilment_id, dispatch.parcels, pieces, others, gathered):
        there = booked.get(draft.key)
        if there is None:
            found.append(AddParcel(own[0].key or "", draft))
        elif (draft.tracking, draft.carrier) != (there.tracking_id, there.carrier) and draft.tracking:
            found.append(SetTracking(draft.key, draft.tracking, draft.carrier))
    return found


def _state(
    order: WholeOrder, delivered: Mapping[str, int], closed: Mapping[str, int], *, begun: bool = False
) -> str | None:
    """Partial while a line is open, Shipped when every piece was delivered or closed; never backwards.

    `begun`: goods have left that make no whole kit yet.
    """
    now = order.order.shipment_state
    if not any(delivered.values()) and not begun and not order.deliveries:
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


def _too_much(order: WholeOrder, dispatch: Dispatch, more: int) -> Finding:
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
