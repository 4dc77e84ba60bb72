"""The hand-over of an order to Archean: its states, when it may go, and whether it can go whole. Pure.

An order moves along NEXT only. It counts in the stock ledger from the moment it is learnt, wherever it stands here. Nothing
is sent that was not written down before, an answer that was lost is looked up before anything is sent again, and the order
goes whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Order, OrderLine
from archsyncd.domain.kit_orders import kits_ordered, split
from archsyncd.domain.kits import Kit
from archsyncd.domain.order import CANCELLED, DELETED, LINE_LIMIT_PIECES, says_shipped
from archsyncd.domain.stock import Policies
from archsyncd.domain.whole_order import WholeOrder

ABSENT = "absent"
# As many as a record of Archean may tell of.
LINES_LIMIT = 10_000
# Why an order is dismissed that asks for nothing but what no warehouse has; any other reason is a person's.
NOTHING_TO_SHIP = "no warehouse ships any of it"


class Stage(StrEnum):
    """Where an order stands between commercetools and Archean."""

    LEARNED = "learned"
    WAITING = "waiting"
    READY = "ready"
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    PART_SHIPPED = "part_shipped"
    SHIPPED = "shipped"
    CLOSED = "closed"
    CLOSED_SHORT = "closed_short"
    HELD = "held"
    DISMISSED = "dismissed"


_S = Stage
# What Archean says of an order that it has is true wherever we stood: a lost answer, a held order that a person entered by
# hand, or one that another system brought.
_ARCHEAN_HAS_IT = frozenset({_S.RECEIVED, _S.ACCEPTED, _S.PART_SHIPPED, _S.SHIPPED, _S.CANCELLED})
NEXT: Mapping[Stage, frozenset[Stage]] = {
    _S.LEARNED: frozenset({_S.WAITING, _S.READY, _S.HELD, _S.DISMISSED}) | _ARCHEAN_HAS_IT,
    _S.WAITING: frozenset({_S.READY, _S.HELD, _S.DISMISSED}) | _ARCHEAN_HAS_IT,
    _S.READY: frozenset({_S.SENDING, _S.WAITING, _S.HELD, _S.DISMISSED}) | _ARCHEAN_HAS_IT,
    _S.SENDING: frozenset({_S.RECEIVED, _S.HELD, _S.IN_DOUBT, _S.READY}) | _ARCHEAN_HAS_IT,
    _S.IN_DOUBT: frozenset({_S.READY, _S.RECEIVED, _S.HELD, _S.DISMISSED}) | _ARCHEAN_HAS_IT,
    _S.RECEIVED: (frozenset({_S.HELD, _S.CANCELLING}) | _ARCHEAN_HAS_IT) - {_S.RECEIVED},
    _S.ACCEPTED: frozenset(
        {_S.PART_SHIPPED, _S.SHIPPED, _S.CANCELLING, _S.CANCELLED, _S.CLOSED_SHORT, _S.HELD}
    ),
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.ACCEPTED, _S.PART_SHIPPED, _S.SHIPPED}),
    _S.CANCELLED: frozenset(),
    _S.PART_SHIPPED: frozenset({_S.SHIPPED, _S.CLOSED_SHORT}),
    _S.SHIPPED: frozenset({_S.CLOSED}),
    _S.CLOSED: frozenset(),
    _S.CLOSED_SHORT: frozenset(),
    _S.HELD: frozenset({_S.READY, _S.WAITING, _S.DISMISSED}) | _ARCHEAN_HAS_IT,
    # It came another way, and Archean tells of it all the same; or an edit added the first goods to it.
    _S.DISMISSED: frozenset({_S.WAITING}) | _ARCHEAN_HAS_IT,
}
# Nothing has been sent of these, so a cancellation in commercetools ends them at once.
UNSENT = frozenset({_S.LEARNED, _S.WAITING, _S.READY})
FINAL = frozenset({_S.CANCELLED, _S.CLOSED, _S.CLOSED_SHORT, _S.DISMISSED})
# Only while it may still have to be sent is kept what names a person.
_KEEPS_BODY = frozenset({_S.READY, _S.SENDING, _S.IN_DOUBT, _S.RECEIVED})
WITH_ARCHEAN = frozenset({_S.RECEIVED, _S.ACCEPTED, _S.CANCELLING, _S.PART_SHIPPED, _S.SHIPPED})


def may_move(now: Stage, then: Stage) -> bool:
    """Whether an order may go from one state to another."""
    return then in NEXT[now]


@dataclass(frozen=True, slots=True)
class EligibleRule:
    """Which orders may be handed over. Empty `stores` and `custom_field` ask for nothing."""

    order_states: frozenset[str]
    payment_states: frozenset[str]
    stores: frozenset[str] = frozenset()
    custom_field: str = ""
    custom_values: frozenset[str] = frozenset()


def waits_for(order: WholeOrder, rule: EligibleRule) -> str | None:
    """What an order waits for before it may be handed over, in words; None when it may go."""
    if order.order.order_state not in rule.order_states:
        return _not_one_of("its order state", order.order.order_state, rule.order_states)
    payment = order.payment_state or ABSENT
    if payment not in rule.payment_states:
        return _not_one_of("its payment state", payment, rule.payment_states)
    if rule.stores and (order.store or ABSENT) not in rule.stores:
        return _not_one_of("its store", order.store or ABSENT, rule.stores)
    if rule.custom_field:
        value = _word(order.custom.get(rule.custom_field))
        if value not in rule.custom_values:
            return _not_one_of(f"its custom field {rule.custom_field}", value, rule.custom_values)
    return None


def _not_one_of(what: str, found: str, allowed: frozenset[str]) -> str:
    return f"{what} is {found}; it may go with {' or '.join(sorted(allowed))}"


def _word(value: object) -> str:
    if value is None:
        return ABSENT
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line with the location that is to fulfil it; None: Archean chooses. `kit`: the kit's line that it is a component of."""

    line: OrderLine
    sku: str
    location: str | None
    kit: OrderLine | None = None


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why an order cannot go whole, in words for people."""

    kind: CaseKind
    reason: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Where orders' lines go. `sources`: the feed that tells of a location, where the configuration says so."""

    channel_keys: Mapping[str, str]
    policies: Policies
    default_location: str
    hand_over_to: str
    sources: Mapping[str, str] = field(default_factory=dict)


def place_lines(order: WholeOrder, placement: Placement) -> tuple[PlacedLine, ...] | Flaw:
    """Find the location of every line, or what is wrong with the first one that has none: never a part of an order."""
    if order.destinations > 1:
        reason = f"order {order.name} goes to {order.destinations} addresses, and Archean takes one: the whole order is held"
        return Flaw(CaseKind.ORDER_UNMAPPED_LINE, reason)
    placed: list[PlacedLine] = []
    kits = kits_ordered(order.order, placement.channel_keys, placement.policies)
    for line in order.order.lines:
        if line.quantity == 0:
            continue  # a line of nothing asks for nothing
        if line.sku is None:
            return _flaw(order, line, "has no SKU")
        if line.quantity > LINE_LIMIT_PIECES:
            return _flaw(order, line, f"is about {line.quantity} pieces, more than can be meant")
        location = _location(order, line, placement)
        if isinstance(location, Flaw):
            return location
        kit = kits.get(line.line_id)
        if kit is None or kit.as_kit:
            placed.append(PlacedLine(line, line.sku, location))
        else:
            placed += [PlacedLine(part, part.sku or "", location, line) for part in split(line, kit)]
    return _too_much(order, placed) or tuple(placed)


def _too_much(order: WholeOrder, placed: Sequence[PlacedLine]) -> Flaw | None:
    """What is wrong with all the lines together, kits being taken apart."""
    if not placed:
        reason = f"order {order.name} has no line that a warehouse could fulfil"
        return Flaw(CaseKind.ORDER_UNMAPPED_LINE, reason)
    many = next((each for each in placed if each.line.quantity > LINE_LIMIT_PIECES), None)
    if many is not None:
        return _flaw(order, many.line, "are more pieces than can be meant")
    if len(placed) > LINES_LIMIT:
        reason = f"order {order.name} has {len(placed)} lines with the components of its kits, and may have {LINES_LIMIT}"
        return Flaw(CaseKind.ORDER_UNMAPPED_LINE, f"{reason}: the whole order is held")
    return None


def _location(order: WholeOrder, line: OrderLine, placement: Placement) -> str | Flaw | None:
    policies = placement.policies
    if line.channel_id is None:
        location: str | None = placement.default_location or None
        if location is None:
            return _flaw(order, line, "has no supply channel, and orders.default_location is not set")
    else:
        channel = placement.channel_keys.get(line.channel_id)
        policy = policies.channels.get(channel or "")
        if policy is None:
            named = channel or f"with the id {line.channel_id}"
            return _flaw(order, line, f"has the supply channel {named}, which no location is mapped to")
        location = policy.place_of(None)
    source = placement.sources.get(location or "", placement.hand_over_to)
    if source != placement.hand_over_to:
        return _flaw(
            order,
            line,
            f"is fulfilled by {location}, which the feed {source} tells of, but orders go to {placement.hand_over_to}",
        )
    return location


def _flaw(order: WholeOrder, line: OrderLine, what: str) -> Flaw:
    pieces = f"{line.quantity} of {line.sku or 'no SKU'}"
    return Flaw(
        CaseKind.ORDER_UNMAPPED_LINE,
        f"line {line.line_id} of order {order.name} ({pieces}) {what}: the whole order is held",
    )


def asked_for(order: Order) -> str:
    """A digest of what an order asks for: the same as long as no line was added, removed or changed."""
    asked = sorted(
        (line.line_id, line.sku or "", line.quantity, line.channel_id or "") for line in order.lines
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done about an order that has not been sent: the state it goes to and why.

    `lines` are set when it is ready, and `kits` among the order's lines by line id; `flaw` when it is held.
    """

    stage: Stage
    reason: str = ""
    lines: tuple[PlacedLine, ...] = ()
    flaw: Flaw | None = None
    kits: Mapping[str, Kit] = field(default_factory=dict)


def judge_unsent(order: WholeOrder, rule: EligibleRule, placement: Placement) -> Verdict:
    """Say what becomes of an order that was learnt, or that waits."""
    if order.order.order_state in {CANCELLED, DELETED}:
        return Verdict(Stage.CANCELLED, "it was cancelled in commercetools before anything was sent")
    if not order.order.lines:
        return Verdict(Stage.DISMISSED, NOTHING_TO_SHIP)
    if says_shipped(order.order):
        reason = (
            f"order {order.name} is marked as shipped in commercetools, though it was never handed over to Archean: nothing "
            "is sent until somebody says whether it is still to be shipped"
        )
        return Verdict(Stage.HELD, reason, flaw=Flaw(CaseKind.STATUS_CONFLICT, reason))
    why = waits_for(order, rule)
    if why is not None:
        return Verdict(Stage.WAITING, why)
    placed = place_lines(order, placement)
    if isinstance(placed, Flaw):
        return Verdict(Stage.HELD, placed.reason, flaw=placed)
    kits = kits_ordered(order.order, placement.channel_keys, placement.policies)
    return Verdict(Stage.READY, lines=placed, kits=kits)


class Hand(IntEnum):
    """Who may have brought an order before us: nobody, another system, or another run of ours that this store forgot."""

    OURS = 0
    ANOTHER_SYSTEM = 1
    ANOTHER_RUN = 2


@dataclass(frozen=True, slots=True)
class Carried:
    """An order on its way, as it is kept. Times in UTC milliseconds.

    `body` is what is sent to Archean; `lines` a digest of what was asked for; `sent` counts sendings that were begun.
    `cancel`: commercetools has cancelled it; `noted`: Archean's number stands on the order in commercetools. `foreign_hand`:
    who may have brought it before us. `edited`: its lines changed while nobody knew whether it had arrived. `due_ms`: None with
    nothing to do.
    """

    order_id: str
    number: str | None
    created_ms: int
    version: int
    stage: Stage
    since_ms: int
    reason: str = ""
    body: str | None = field(default=None, repr=False)
    lines: str = ""
    sent: int = 0
    source_order: str | None = None
    cancel: bool = False
    noted: bool = False
    foreign_hand: Hand = Hand.OURS
    attempts: int = 0
    due_ms: int | None = None
    edited: bool = False

    @property
    def name(self) -> str:
        """What people call it."""
        return self.number or self.order_id


@dataclass(frozen=True, slots=True)
class Objection:
    """Archean does not take an order as it is. `different`: it has another one under this id."""

    code: str
    detail: str = ""
    different: bool = False


class CancelAnswer(StrEnum):
    """What Archean says to the wish to cancel an order."""

    CANCELLED = "cancelled"
    ALREADY_SHIPPED = "already_shipped"
    UNKNOWN_THERE = "unknown"
    PENDING = "pending"


class Taken(StrEnum):
    """Whether Archean has taken notice of a booked dispatch, or owes the answer."""

    TAKEN = "taken"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class BookedDispatch:
    """What Archean is told of a dispatch that commercetools has booked. `at`: RFC 3339, when it was booked."""

    fulfilment_id: str
    order_id: str
    delivery_key: str
    shipment_state: str
    at: str


class ImpossibleMove(Exception):
    """An order was to take a step that the table of states does not know."""

    def __init__(self, name: str, now: Stage, then: Stage) -> None:
        super().__init__(f"order {name} cannot go from {now} to {then}")
        self.now = now
        self.then = then


def moved(carried: Carried, then: Stage, now_ms: int, reason: str = "", due_ms: int | None = None) -> Carried:
    """The order in its next state. Raises ImpossibleMove when the table does not know that step.

    What names a person goes as soon as the order needs no more sending.
    """
    if then is not carried.stage and not may_move(carried.stage, then):
        raise ImpossibleMove(carried.name, carried.stage, then)
    since_ms = carried.since_ms if then is carried.stage else now_ms
    body = carried.body if then in _KEEPS_BODY else None
    return replace(
        carried, stage=then, since_ms=since_ms, reason=reason, body=body, due_ms=due_ms, attempts=0
    )


@dataclass(frozen=True, slots=True)
class OrderStory:
    """An order on its way and what became of it: UTC milliseconds, the state then reached, and why."""

    carried: Carried
    events: tuple[tuple[int, Stage, str], ...]
