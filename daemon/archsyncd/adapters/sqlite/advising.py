"""What Archean advises of goods, in the store: kept as its newest record says, until it is booked and acknowledged.

Called inside the transactions that merge a batch and learn orders: a dispatch is never lost between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import orjson

from archsyncd.adapters.sqlite import handing
from archsyncd.adapters.sqlite.cases import resolve_case
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.statements import Statement, book_statement
from archsyncd.domain.advice import CANCELLED, Advice, AdviceKind, AdviceStage, merged, met, told_by
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import (
    DispatchedParcel,
    Disposition,
    Fulfilment,
    LineShare,
    OrderRecord,
    Position,
    ReturnedLine,
    ReturnReceived,
)
from archsyncd.domain.inventory import Order, StockKey

SCOPE = handing.SCOPE
# What speaks of one advice, by its name; it closes when the advice moves on.
ADVICE_CASES = (
    CaseKind.FULFILMENT_UNKNOWN_ORDER,
    CaseKind.FULFILMENT_MISMATCH,
    CaseKind.OVER_SHIPMENT,
    CaseKind.KIT_INCOMPLETE,
    CaseKind.STALLED_ORDERS,
)


def advice_of(row: Row) -> Advice:
    """An advice as it is kept."""
    kind = AdviceKind(row[1])
    content = orjson.loads(row[8])
    lines: tuple[LineShare, ...] | tuple[ReturnedLine, ...]
    if kind is AdviceKind.FULFILMENT:
        lines = tuple(LineShare(**line) for line in content["lines"])
    else:
        lines = tuple(
            ReturnedLine(**{**line, "disposition": Disposition(line["disposition"])})
            for line in content["lines"]
        )
    return Advice(
        feed=row[0],
        kind=kind,
        name=row[2],
        position=Position(row[3], row[4]),
        reference=row[5],
        order_id=row[6],
        status=row[7],
        lines=lines,
        parcels=tuple(DispatchedParcel(**parcel) for parcel in content["parcels"]),
        stage=AdviceStage(row[9]),
        reason=row[10],
        delivery_key=row[11],
        shipment_state=row[12],
        booked_at=row[13],
        acknowledged=bool(row[14]),
        short_closed=bool(row[15]),
        told_ms=row[16],
        since_ms=row[17],
        attempts=row[18],
        due_ms=row[19],
    )


async def get(scope: Scope, feed: str, kind: AdviceKind, name: str) -> Advice | None:
    """The advice, None when it was never told."""
    row = await scope.tx.row("advice_get", (feed, kind, name))
    return None if row is None else advice_of(row)


async def put(scope: Scope, advice: Advice) -> None:
    """Store an advice."""
    content = {
        "lines": [asdict(line) for line in advice.lines],
        "parcels": [{**asdict(parcel), "pieces": dict(parcel.pieces)} for parcel in advice.parcels],
    }
    await scope.tx.run(
        "advice_put",
        (
            advice.feed,
            advice.kind,
            advice.name,
            advice.position.epoch,
            advice.position.seq,
            advice.reference,
            advice.order_id,
            advice.status,
            orjson.dumps(content).decode(),
            advice.stage,
            advice.reason,
            advice.delivery_key,
            advice.shipment_state,
            advice.booked_at,
            int(advice.acknowledged),
            int(advice.short_closed),
            advice.told_ms,
            advice.since_ms,
            advice.attempts,
            advice.due_ms,
        ),
    )


async def of_order(scope: Scope, order_id: str) -> list[Advice]:
    """Everything advised of an order, the oldest first."""
    return [advice_of(row) for row in await scope.tx.rows("advice_of_order", (order_id,))]


async def tell(scope: Scope, feed: str, epoch: int, records: Sequence[OrderRecord]) -> set[StockKey]:
    """Take in what a batch advises; the keys whose ledger that touches."""
    told = [
        (record, advice)
        for record in records
        if isinstance(record, Fulfilment | ReturnReceived)
        and (advice := told_by(record, feed, epoch)) is not None
    ]
    if not told:
        return set()
    references = {name for record, _ in told for name in (record.order_id, record.order_number) if name}
    found = await scope.tx.rows("handover_among", (array(sorted(references)),))
    ours = {name: str(row[0]) for row in found for name in row if name}
    touched: set[StockKey] = set()
    for record, advice in told:
        order_id = ours.get(record.order_id or "") or ours.get(record.order_number or "")
        if order_id is None and await _is_elsewhere(scope, record.order_id, record.order_number):
            continue
        touched |= await _take(scope, replace(advice, order_id=order_id), known=order_id is not None)
    return touched


async def _is_elsewhere(scope: Scope, order_id: str | None, number: str | None) -> bool:
    """Whether the order is known and not ours to carry: another system brought it, and books what becomes of it."""
    names = array([name for name in (order_id, number) if name])
    if await scope.tx.rows("heads_by_reference", (names,)):
        return True
    return bool(await scope.tx.rows("closed_by_reference", (names,)))


async def _take(scope: Scope, told: Advice, *, known: bool) -> set[StockKey]:
    before = await get(scope, told.feed, told.kind, told.name)
    ready = scope.carrying is not None and scope.carrying.ready_state
    after = merged(before, told, known=known, ready_state=ready, now_ms=scope.now_ms)
    if after is None:
        return set()
    await put(scope, after)
    touched: set[StockKey] = set()
    await _close_what_is_over(scope, after)
    if after.order_id is None:
        return touched
    if before is not None and before.short_closed and not after.short_closed:
        touched |= await book_shorts(scope, after, taken_back=True)
    if told.kind is AdviceKind.FULFILMENT and told.status != CANCELLED:
        await handing.stated(scope, after.order_id, "accepted", None)
    elif told.kind is AdviceKind.FULFILMENT and not await _works_on(scope, after.order_id):
        await handing.taken_back(scope, after.order_id)
    if before is None or before.status != after.status:
        what = "fulfilment" if told.kind is AdviceKind.FULFILMENT else "return"
        await handing.note(scope, after.order_id, f"{what} {told.name} is {told.status} at Archean")
    return touched


async def _works_on(scope: Scope, order_id: str) -> bool:
    """Whether Archean has any other fulfilment of an order than cancelled ones."""
    kind = AdviceKind.FULFILMENT
    return any(each.kind is kind and each.status != CANCELLED for each in await of_order(scope, order_id))


async def _close_what_is_over(scope: Scope, advice: Advice) -> None:
    """A newer record may have taken away what somebody was to look at."""
    kinds = list(ADVICE_CASES) if advice.stage in {AdviceStage.VOID, AdviceStage.OPEN} else []
    if not advice.shorts:
        kinds.append(CaseKind.SHORT_PICK)
    for kind in kinds:
        note = f"Archean says now that it is {advice.status}"
        await resolve_case(scope.tx, kind, SCOPE, advice.name, note, scope.now_ms)


async def order_met(scope: Scope, order: Order, *, ours: bool) -> None:
    """An order has become known, or has got its number: what waited for it goes on, or is another system's to book."""
    for row in await scope.tx.rows("advice_parked_for", (order.id, order.number or order.id)):
        parked = advice_of(row)
        if ours:
            await put(scope, met(parked, order.id, scope.now_ms))
            if parked.kind is AdviceKind.FULFILMENT and parked.status != CANCELLED:
                # Archean has it by another way: it is not sent a second time.
                await handing.stated(scope, order.id, "accepted", None)
        else:
            await put(scope, replace(parked, stage=AdviceStage.VOID, due_ms=None, since_ms=scope.now_ms))
        note = f"its order {order.number or order.id} is known now"
        await resolve_case(
            scope.tx, CaseKind.FULFILMENT_UNKNOWN_ORDER, SCOPE, parked.name, note, scope.now_ms
        )


async def book_shorts(scope: Scope, advice: Advice, *, taken_back: bool = False) -> set[StockKey]:
    """Pieces closed short will never be taken off a shelf: for the ledger they are as good as gone, or no more so."""
    assert advice.order_id is not None
    shares = tuple(
        LineShare(line.sku, line.short_quantity, line.line_ref, line.location) for line in advice.shorts
    )
    statement = Statement(
        "shipped", advice.feed, advice.position, f"{advice.name}#short", None, () if taken_back else shares
    )
    return await book_statement(scope, advice.order_id, statement)
