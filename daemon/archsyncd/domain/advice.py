"""What Archean advises of an order's goods, a fulfilment or a return, and how far that has come into commercetools. Pure.

Each record restates its whole fulfilment or return: the newest one counts, whatever was lost before it. Only goods that have
left the warehouse are booked, and only what is booked is acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from archsyncd.domain.feed import (
    DispatchedParcel,
    Fulfilment,
    LineShare,
    Position,
    ReturnedLine,
    ReturnReceived,
)

SHIPPED = "shipped"
CANCELLED = "cancelled"
# Goods that wait for their dispatch: where configured, the shopper is told that much.
READY_STATUSES = frozenset({"picked", "packed"})


class AdviceKind(StrEnum):
    """What an advice is about."""

    FULFILMENT = "fulfilment"
    RETURN = "return"


class AdviceStage(StrEnum):
    """Where an advice stands.

    `open`: the warehouse is at work, nothing is to be booked. `parked`: its order is not known yet. `due`: to be booked in
    commercetools. `booked`: booked there, and Archean is to be told so. `done`. `held`: a person must act. `void`: taken back
    before anything was booked, or about an order that is not ours.
    """

    OPEN = "open"
    PARKED = "parked"
    DUE = "due"
    BOOKED = "booked"
    DONE = "done"
    HELD = "held"
    VOID = "void"


UNFINISHED = (AdviceStage.PARKED, AdviceStage.DUE, AdviceStage.BOOKED)


@dataclass(frozen=True, slots=True)
class Advice:
    """An advice as kept. Times in UTC milliseconds.

    `name`: the fulfilment's or return's id. `reference`: the order as the record names it; `order_id` its commercetools id
    once it is known. `lines` are LineShare of a fulfilment, ReturnedLine of a return. `delivery_key`: under which it is booked.
    `acknowledged`: Archean has been told of the booking. `short_closed`: what is short of it will never be shipped.
    `told_ms`: when its present content was first told. `due_ms`: None with nothing to do.
    """

    feed: str
    kind: AdviceKind
    name: str
    position: Position
    reference: str
    order_id: str | None
    status: str
    lines: tuple[LineShare, ...] | tuple[ReturnedLine, ...] = ()
    parcels: tuple[DispatchedParcel, ...] = ()
    stage: AdviceStage = AdviceStage.OPEN
    reason: str = ""
    delivery_key: str | None = None
    shipment_state: str | None = None
    booked_at: str | None = None
    acknowledged: bool = False
    short_closed: bool = False
    told_ms: int = 0
    since_ms: int = 0
    attempts: int = 0
    due_ms: int | None = None

    @property
    def shares(self) -> tuple[LineShare, ...]:
        """The lines of a fulfilment."""
        return tuple(line for line in self.lines if isinstance(line, LineShare))

    @property
    def returned(self) -> tuple[ReturnedLine, ...]:
        """The lines of a return."""
        return tuple(line for line in self.lines if isinstance(line, ReturnedLine))

    @property
    def is_shipped(self) -> bool:
        """Whether goods have left the warehouse by it."""
        return self.kind is AdviceKind.FULFILMENT and self.status == SHIPPED

    @property
    def shorts(self) -> tuple[LineShare, ...]:
        """Lines with pieces that the warehouse could not find."""
        return tuple(line for line in self.shares if line.short_quantity > 0)


def told_by(record: Fulfilment | ReturnReceived, feed: str, epoch: int) -> Advice | None:
    """What a record advises; None when it names no order, so that there is nothing to book it on."""
    reference = record.order_id or record.order_number
    if reference is None:
        return None
    position = Position(epoch, record.seq)
    if isinstance(record, ReturnReceived):
        return Advice(
            feed,
            AdviceKind.RETURN,
            record.return_id,
            position,
            reference,
            record.order_id,
            "received",
            record.lines,
        )
    return Advice(
        feed,
        AdviceKind.FULFILMENT,
        record.fulfilment_id,
        position,
        reference,
        record.order_id,
        record.status,
        tuple(replace(line, location=line.location or record.location) for line in record.lines),
        record.parcels,
    )


def merged(
    before: Advice | None, told: Advice, *, known: bool, ready_state: bool, now_ms: int
) -> Advice | None:
    """The advice once a record told it; None when the record changes nothing, being old or a repeat.

    `known`: the order is ours. `ready_state`: picked and packed goods are told of in commercetools.
    """
    if before is not None and told.position <= before.position:
        return None
    now = (
        told
        if before is None
        else replace(
            before,
            position=told.position,
            reference=told.reference,
            order_id=before.order_id or told.order_id,
            status=told.status,
            lines=told.lines,
            parcels=told.parcels,
        )
    )
    same = before is not None and (before.status, before.lines, before.parcels) == (
        told.status,
        told.lines,
        told.parcels,
    )
    if same:
        return now
    stage = _stage(before, now, known=known, ready_state=ready_state)
    return replace(
        now,
        stage=stage,
        # What was closed short by somebody's word is so no more once other pieces are short.
        short_closed=now.short_closed and before is not None and before.shorts == now.shorts,
        due_ms=now_ms if stage in {AdviceStage.DUE, AdviceStage.PARKED} else None,
        told_ms=now_ms,
        since_ms=now_ms,
        attempts=0,
        reason="",
    )


def _stage(before: Advice | None, now: Advice, *, known: bool, ready_state: bool) -> AdviceStage:
    # What was due may have been booked, its answer being on its way.
    booked = before is not None and (
        before.delivery_key is not None
        or (before.is_shipped and before.stage in {AdviceStage.DUE, AdviceStage.HELD})
    )
    worth = (
        now.kind is AdviceKind.RETURN
        or now.is_shipped
        or booked
        or bool(now.shorts)
        or (ready_state and now.status in READY_STATUSES)
    )
    if not worth:
        return AdviceStage.VOID if now.status == CANCELLED else AdviceStage.OPEN
    return AdviceStage.DUE if known else AdviceStage.PARKED


def met(parked: Advice, order_id: str, now_ms: int) -> Advice:
    """A parked advice whose order has become known."""
    return replace(
        parked,
        order_id=order_id,
        stage=AdviceStage.DUE,
        since_ms=now_ms,
        due_ms=now_ms,
        attempts=0,
        reason="",
    )
