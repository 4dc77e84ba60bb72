"""Orders on their way to Archean, in the store: met when they are learnt, moved step by step, each step with its entry.

Called inside the transactions that learn orders and book what Archean says of them, so that the ledger and the hand-over
never disagree about what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.handover import (
    FINAL,
    NOTHING_TO_SHIP,
    UNSENT,
    WITH_ARCHEAN,
    CancelAnswer,
    Carried,
    Hand,
    Stage,
    asked_for,
    may_move,
    moved,
)
from archsyncd.domain.inventory import Order
from archsyncd.domain.order import GONE_ORDER_STATES, is_final, says_shipped
from archsyncd.domain.rules import LearnRules

SCOPE = "orders"
_TRIED = frozenset({Stage.READY, Stage.SENDING})
# The code of a case about an order that somebody marked as shipped.
SHIPPED_HERE = "shipped_here"
# And of one that Archean took in though it is cancelled.
ACCEPTED_LATE = "accepted_late"
# Why an order is cancelled: as a record of Archean tells, or as it answered to the wish; its records may still come then.
BY_ITS_RECORD = "Archean has cancelled it"
BY_ITS_ANSWER = "Archean has cancelled it, as it was asked to"
NEVER_HAD = "Archean does not have it"
_ANSWERS = {CancelAnswer.CANCELLED.value: BY_ITS_ANSWER}
# A level that carries the order comes with the acceptance as a rule; else Archean is asked.
LOOK_UP_AFTER_MS = 30_000
# Kinds that speak of one order and close when it moves on.
ORDER_CASES = (
    CaseKind.ORDER_UNMAPPED_LINE,
    CaseKind.ORDER_REJECTED,
    CaseKind.ORDER_IN_DOUBT,
    CaseKind.STALLED_ORDERS,
)


def carried_of(row: Row) -> Carried:
    """An order as it is kept."""
    return Carried(
        row[0],
        row[1],
        row[2],
        row[3],
        Stage(row[4]),
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
        bool(row[11]),
        bool(row[12]),
        Hand(row[13]),
        row[14],
        row[15],
        bool(row[16]),
    )


async def get(scope: Scope, order_id: str) -> Carried | None:
    """The order, None when it is not ours to carry."""
    row = await scope.tx.row("handover_get", (order_id,))
    return None if row is None else carried_of(row)


async def put(scope: Scope, before: Carried, after: Carried, note: str = "") -> None:
    """Store an order's next state; a step to another state has its entry in the order's history."""
    await scope.tx.run(
        "handover_put",
        {
            "order_id": after.order_id,
            "version": after.version,
            "stage": after.stage,
            "since_ms": after.since_ms,
            "reason": after.reason,
            "body": after.body,
            "lines": after.lines,
            "sent": after.sent,
            "source_order": after.source_order,
            "cancel": int(after.cancel),
            "noted": int(after.noted),
            "foreign_hand": int(after.foreign_hand),
            "attempts": after.attempts,
            "due_ms": after.due_ms,
            "edited": int(after.edited),
        },
    )
    # What is tried again and again is told once.
    if after.stage is not before.stage and not (after.stage in _TRIED and after.attempts > 1):
        await scope.tx.run("event_put", (after.order_id, scope.now_ms, after.stage, note or after.reason))


async def note(scope: Scope, order_id: str, what: str) -> None:
    """Write down what happened to an order in the state in which it is."""
    before = await get(scope, order_id)
    if before is not None:
        await scope.tx.run("event_put", (order_id, scope.now_ms, before.stage, what))


async def meet(scope: Scope, order: Order, rules: LearnRules) -> None:
    """An order was learnt: it is ours to carry, unless it was done before the hand-over began.

    What was placed before the hand-over began may have been brought by another system, and what was placed before this run by
    another run of ours that this file forgot: Archean is asked first.
    """
    began_ms = rules.hand_over_since_ms
    if began_ms is None:
        return
    gone = order.order_state in GONE_ORDER_STATES
    if is_final(order) and order.created_at_ms < began_ms:
        return
    hand = Hand.ANOTHER_SYSTEM if order.created_at_ms < began_ms else Hand.OURS
    if hand is Hand.OURS and order.created_at_ms < rules.run_since_ms:
        hand = Hand.ANOTHER_RUN
    fresh = await scope.tx.run(
        "handover_meet",
        {
            "order_id": order.id,
            "number": order.number,
            "created_ms": order.created_at_ms,
            "version": order.version,
            "now": scope.now_ms,
            "cancel": int(gone),
            "foreign_hand": int(hand),
        },
    )
    if fresh:
        await scope.tx.run("event_put", (order.id, scope.now_ms, Stage.LEARNED, "learnt from commercetools"))
        if hand is not Hand.ANOTHER_SYSTEM:
            # Archean cannot know what nobody has told it: it is asked for proofs once it has taken the order.
            await scope.tx.run("head_lookup_due", (None, order.id))


async def outgrown(scope: Scope, order: Order) -> bool | None:
    """Whether an order asks for something else than what was handed over; None where it was not, by us."""
    before = await get(scope, order.id)
    if before is None or not before.sent or not before.lines:
        return None
    return before.lines != asked_for(order)


async def changed(scope: Scope, order: Order) -> None:
    """An order changed in commercetools: whoever waits looks at it again; what Archean has already needs a person."""
    before = await get(scope, order.id)
    if before is None:
        return
    gone = order.order_state in GONE_ORDER_STATES
    reopened = not gone and before.cancel
    told = reopened and before.stage in FINAL | {Stage.CANCELLING}
    other = before.sent > 0 and before.lines not in {"", asked_for(order)}
    unsure = before.stage in {Stage.SENDING, Stage.IN_DOUBT}
    await scope.tx.run(
        "handover_changed",
        {
            "order_id": order.id,
            "number": order.number,
            "version": order.version,
            "cancel": int(gone or told),
            "edited": int(before.edited or (other and unsure)),
            "now": scope.now_ms,
        },
    )
    if says_shipped(order):
        await scope.tx.run("handover_claim", (scope.now_ms, order.id))
    if before.stage is Stage.DISMISSED and before.reason == NOTHING_TO_SHIP and order.lines and not gone:
        now = replace(before, version=order.version, number=before.number or order.number)
        await put(scope, now, moved(now, Stage.WAITING, scope.now_ms, "goods were added to it", scope.now_ms))
    if told and not is_final(order):
        reason = (
            f"order {before.name} was cancelled and is open again in commercetools, but here it is {before.stage}: it is not "
            "handed over again, and its pieces may be sold; place it anew, or cancel it"
        )
        await _conflict(scope, before, "reopened", reason)
    if other and not unsure and before.stage not in FINAL | {Stage.READY, Stage.HELD}:
        await _edited(scope, before)


async def _edited(scope: Scope, before: Carried) -> None:
    reason = (
        f"the lines of order {before.name} were changed in commercetools after it had been handed over; Archean has it as "
        "it was, and nothing is sent a second time. Pieces that were added stay subtracted: undo the edit, or enter it in "
        "Archean by hand and dismiss this"
    )
    await _conflict(scope, before, "edited", reason)


async def _conflict(scope: Scope, before: Carried, code: str, reason: str) -> None:
    case = NewCase(CaseKind.STATUS_CONFLICT, SCOPE, before.name, reason, code=code)
    await open_case(scope.tx, case, scope.now_ms)


async def deleted(scope: Scope, order_id: str) -> None:
    """An order was deleted in commercetools. Of what nobody has told Archean it never will be; else a person must say.

    Deleting is not cancelling: the goods may be meant to go out, and may be on their way.
    """
    before = await get(scope, order_id)
    if before is None or before.stage in FINAL:
        return
    if before.stage in UNSENT or (before.stage is Stage.HELD and not before.sent):
        # Archean does not have it, or is asked before its pieces are free.
        await put(scope, before, replace(before, cancel=True, due_ms=scope.now_ms, attempts=0))
        return
    reason = (
        f"order {before.name} was deleted in commercetools, and Archean has it or may have it: nothing is cancelled by itself; "
        "cancel it in Archean if the goods are to stay"
    )
    case = NewCase(CaseKind.STATUS_CONFLICT, SCOPE, before.name, reason, code="deleted")
    await open_case(scope.tx, case, scope.now_ms)
    await note(scope, order_id, "deleted in commercetools")


async def stated(scope: Scope, order_id: str, kind: str, told: str | None) -> None:
    """Archean said something of an order: that is true wherever it stands here. Repeating it changes nothing."""
    before = await get(scope, order_id)
    if before is None:
        return
    if before.stage in FINAL - {Stage.DISMISSED}:
        await _too_late(scope, before, kind, told)
    elif kind == "accepted":
        await _accept(scope, before, told)
    elif kind == "refused":
        await _refuse(scope, before, told or "no reason told")
    elif kind == "released":
        await _cancelled(scope, before, told)


async def _too_late(scope: Scope, before: Carried, kind: str, told: str | None) -> None:
    if kind == "released":
        await _cancelled(scope, before, told)
    if before.stage is not Stage.CANCELLED or kind != "accepted":
        return
    if before.reason == BY_ITS_ANSWER:
        return  # that it had taken the order before it cancelled it is no news, only late
    reason = (
        f"Archean has accepted order {before.name} though it is cancelled: what was sent of it may have arrived late; cancel it "
        "there before it is packed"
    )
    case = NewCase(CaseKind.STATUS_CONFLICT, SCOPE, before.name, reason, code=ACCEPTED_LATE)
    await open_case(scope.tx, case, scope.now_ms)


async def _accept(scope: Scope, before: Carried, source_order: str | None) -> None:
    if source_order and before.source_order is None and before.stage in WITH_ARCHEAN - {Stage.RECEIVED}:
        # It was known to be there before anybody said under which number.
        due_ms = before.due_ms if before.noted else scope.now_ms
        await put(scope, before, replace(before, source_order=source_order, due_ms=due_ms))
        return
    if before.stage in WITH_ARCHEAN - {Stage.RECEIVED} or not may_move(before.stage, Stage.ACCEPTED):
        return
    # What is left to do: note Archean's number on the order, and cancel what was cancelled meanwhile.
    known = replace(before, source_order=source_order or before.source_order)
    after = moved(known, Stage.ACCEPTED, scope.now_ms, due_ms=scope.now_ms)
    name = f" as {after.source_order}" if after.source_order else ""
    await put(scope, before, after, f"Archean has accepted it{name}")
    await scope.tx.run("heads_seek", (scope.now_ms + LOOK_UP_AFTER_MS, array([before.order_id])))
    scope.lags.append(("handed_over", scope.now_ms - before.created_ms))
    await close_cases(scope, after, "Archean has the order now")
    if before.edited:
        await _edited(scope, before)


async def _refuse(scope: Scope, before: Carried, why: str) -> None:
    """It waits for a person, whole, and keeps its pieces from sale; its case is the ledger's."""
    if may_move(before.stage, Stage.HELD) and before.stage is not Stage.ACCEPTED:
        await put(scope, before, moved(before, Stage.HELD, scope.now_ms, f"Archean rejected it: {why}"))


async def taken_back(scope: Scope, order_id: str) -> None:
    """Archean works no more on an order that is cancelled: what it had taken in late is settled."""
    before = await get(scope, order_id)
    if before is not None and before.stage is Stage.CANCELLED:
        note = "Archean has cancelled it as well"
        kind = CaseKind.STATUS_CONFLICT
        await resolve_case(scope.tx, kind, SCOPE, before.name, note, scope.now_ms, ACCEPTED_LATE)


async def _cancelled(scope: Scope, before: Carried, answer: str | None) -> None:
    """Archean has cancelled the order; where nobody had asked for that, or goods of it have left, somebody must know.

    `answer`: what it answered to the wish to cancel; None: a record of it tells.
    """
    if before.stage is Stage.CANCELLED:
        # Read in a record, it is older than whatever is read after it.
        why = BY_ITS_RECORD if answer is None else _ANSWERS.get(answer, "")
        if why:
            await put(scope, before, replace(before, reason=why))
            await taken_back(scope, before.order_id)
        return
    if not may_move(before.stage, Stage.CANCELLED):
        reason = (
            f"Archean has cancelled order {before.name}, which is {before.stage} here: nothing is undone; find out whether its "
            "goods have left the warehouse"
        )
        case = NewCase(CaseKind.STATUS_CONFLICT, SCOPE, before.name, reason, code="cancelled_after_dispatch")
        await open_case(scope.tx, case, scope.now_ms)
        return
    why = BY_ITS_RECORD if answer is None else _ANSWERS.get(answer, NEVER_HAD)
    await put(scope, before, moved(before, Stage.CANCELLED, scope.now_ms, why))
    await close_cases(scope, before, "the order is cancelled")
    if not before.cancel:
        reason = (
            f"Archean cancelled order {before.name}, which commercetools still has as open: its pieces are for sale again, and "
            "nothing will be shipped for it"
        )
        case = NewCase(CaseKind.STATUS_CONFLICT, SCOPE, before.name, reason, code="cancelled_there")
        await open_case(scope.tx, case, scope.now_ms)


async def close_cases(scope: Scope, carried: Carried, note: str, keep: CaseKind | None = None) -> None:
    """Close what was open about the way of an order, but for one kind."""
    for kind in ORDER_CASES:
        if kind is keep:
            continue
        for name in dict.fromkeys((carried.name, carried.order_id)):
            await resolve_case(scope.tx, kind, SCOPE, name, note, scope.now_ms)


async def under_way(scope: Scope, order_id: str) -> bool:
    """Whether an order may be on its way to Archean: then its not knowing it proves nothing."""
    found = await get(scope, order_id)
    return found is not None and found.stage not in FINAL


def rows_of(rows: Sequence[Row]) -> list[Carried]:
    """Orders as they are kept."""
    return [carried_of(row) for row in rows]
