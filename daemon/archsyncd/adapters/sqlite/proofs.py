"""Statements about orders in the store: proofs of known lines, and early ones kept until their order is learnt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.recompute import proof_row
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import (
    Figure,
    Fulfilment,
    Level,
    LineShare,
    OrderAccepted,
    OrderCancelled,
    OrderRecord,
    OrderRejected,
    Position,
    ReturnReceived,
)
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.ledger import Proof
from archsyncd.domain.order import ELSEWHERE, acceptance_proofs, shares_elsewhere

EARLY_LIMIT_ROWS = 100_000
EARLY_EVICTION_ROWS = 5_000
SHIPPED = "shipped"
CANCELLED = "Cancelled"


@dataclass(frozen=True, slots=True)
class Statement:
    """What a source says of one order at a position. `kind`: level, accepted, shipped, released, refused.

    `source_order` is Archean's number for it, or its reason for refusing.
    """

    kind: str
    feed: str
    position: Position
    source: str = ""
    source_order: str | None = None
    shares: tuple[LineShare, ...] = ()
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class OpenLine:
    """A line of a known order."""

    key: StockKey
    order_id: str
    line_id: str
    quantity: int
    tracked: bool
    created_ms: int


async def heads_by_reference(scope: Scope, references: Iterable[str]) -> dict[str, str]:
    """Order ids by what a source may call them: the commercetools id or the order number."""
    found: dict[str, str] = {}
    for order_id, number in await scope.tx.rows("heads_by_reference", (array(sorted(set(references))),)):
        found[order_id] = order_id
        if number:
            found[number] = order_id
    return found


async def open_lines(scope: Scope, order_ids: Iterable[str]) -> dict[str, list[OpenLine]]:
    """The open lines of these orders."""
    found: dict[str, list[OpenLine]] = defaultdict(list)
    for row in await scope.tx.rows("lines_by_order", (array(sorted(set(order_ids))),)):
        line = OpenLine(StockKey(row[0], row[1]), row[2], row[3], row[4], bool(row[5]), row[7])
        found[line.order_id].append(line)
    return found


async def withdraw_proofs(scope: Scope, feed: str, epoch: int) -> set[StockKey]:
    """A source came back with a new epoch: it may have forgotten imports, so its proofs of open lines are sought anew."""
    orders = {row[0] for row in await scope.tx.rows("proofs_withdraw", (feed, epoch))}
    await scope.tx.run("early_withdraw", (feed, epoch))
    await scope.tx.run_many("head_lookup_due", [(scope.now_ms, order_id) for order_id in sorted(orders)])
    return {line.key for lines in (await open_lines(scope, orders)).values() for line in lines}


async def levels_carry_orders(scope: Scope, feed: str, epoch: int, levels: Sequence[Level]) -> set[StockKey]:
    """Levels that name the orders they already account for: the strongest proof."""
    references = {reference for level in levels for reference in level.orders_included}
    heads = await heads_by_reference(scope, references)
    lines = await open_lines(scope, heads.values())
    rows: list[Sequence[Any]] = []
    early: list[Sequence[Any]] = []
    touched: set[StockKey] = set()
    by_location = scope.policies.by_location
    for level in levels:
        location = by_location.get(level.location)
        position = Position(epoch, level.seq)
        for reference in level.orders_included:
            order_id = heads.get(reference)
            if order_id is None:
                early.append(
                    _early_row(reference, "level", feed, position, "", level.sku, level.location, scope)
                )
                continue
            for line in lines.get(order_id, ()):
                if (
                    line.key.sku == level.sku
                    and location is not None
                    and line.key.channel == location.channel
                ):
                    policy = scope.policies.channels[location.channel]
                    place = level.location if policy.place_of(None) == level.location else None
                    proof = Proof(feed, position, Figure.AVAILABLE, line.quantity, place)
                    rows.append(proof_row(order_id, line.line_id, proof))
                    touched.add(line.key)
    await scope.tx.run_many("proof_put", rows)
    await _keep_early(scope, early)
    return touched


def _early_row(
    reference: str,
    kind: str,
    feed: str,
    position: Position,
    source: str,
    sku: str,
    location: str,
    scope: Scope,
    line_ref: str = "",
    quantity: int | None = None,
) -> Sequence[Any]:
    return (
        reference,
        feed,
        position.epoch,
        position.seq,
        kind,
        source,
        sku,
        location,
        line_ref,
        quantity,
        scope.now_ms,
    )


async def _keep_early(scope: Scope, rows: Sequence[Sequence[Any]]) -> None:
    if not rows:
        return
    closed = await scope.tx.rows("closed_by_reference", (array(sorted({row[0] for row in rows})),))
    known = {row[0] for row in closed}
    await scope.tx.run_many("early_put", [row for row in rows if row[0] not in known])
    count = await scope.tx.row("early_count")
    if count is not None and count[0] > EARLY_LIMIT_ROWS:
        await scope.tx.run("early_evict", (count[0] - EARLY_LIMIT_ROWS + EARLY_EVICTION_ROWS,))


def _statement(record: OrderRecord, feed: str, epoch: int, now_ms: int) -> Statement | None:
    position = Position(epoch, record.seq)
    match record:
        case OrderAccepted():
            return Statement("accepted", feed, position, "", record.source_order, record.lines, now_ms)
        case OrderRejected(code=code):
            return Statement("refused", feed, position, "", code)
        case OrderCancelled():
            # Whether it was imported or not: the units are nobody's any more, and come back by levels if they had left.
            return Statement("released", feed, position)
        case Fulfilment(status=status) if status == SHIPPED:
            shares = tuple(
                LineShare(share.sku, share.quantity, share.line_ref, share.location or record.location)
                for share in record.lines
            )
            return Statement("shipped", feed, position, record.fulfilment_id, None, shares)
        case Fulfilment() | ReturnReceived():
            return None


async def book_order_records(
    scope: Scope, feed: str, epoch: int, records: Sequence[OrderRecord]
) -> set[StockKey]:
    """Apply what a batch says of orders, in its order; the keys it touches."""
    if not records:
        return set()
    references = {ref for record in records for ref in (record.order_id, record.order_number) if ref}
    heads = await heads_by_reference(scope, references)
    touched: set[StockKey] = set()
    early: list[Sequence[Any]] = []
    for record in records:
        statement = _statement(record, feed, epoch, scope.now_ms)
        if statement is None:
            continue
        reference = record.order_id or record.order_number or ""
        order_id = heads.get(record.order_id or "") or heads.get(record.order_number or "")
        if order_id is not None:
            touched |= await book_statement(scope, order_id, statement)
        else:
            early.extend(_early_rows(reference, statement, scope))
    await _keep_early(scope, early)
    return touched


def _early_rows(reference: str, statement: Statement, scope: Scope) -> list[Sequence[Any]]:
    common = (reference, statement.kind, statement.feed, statement.position, statement.source)
    if not statement.shares:
        return [_early_row(*common, "", "", scope)]
    return [
        _early_row(*common, share.sku, share.location or "", scope, share.line_ref or "", share.quantity)
        for share in statement.shares
    ]


async def book_statement(scope: Scope, order_id: str, statement: Statement) -> set[StockKey]:
    """Apply one statement about a known order; the keys it touches."""
    lines = (await open_lines(scope, (order_id,))).get(order_id, [])
    if statement.kind == "released":
        return await release_order(scope, order_id)
    if statement.kind == "refused":
        return await _refuse(scope, order_id, statement)
    if statement.kind == "accepted":
        await scope.tx.run(
            "head_accepted", (statement.at_ms or scope.now_ms, statement.source_order, order_id)
        )
        await _accepted_after_all(scope, order_id, "Archean has accepted it after all")
    rows: list[Sequence[Any]] = []
    touched: set[StockKey] = set()
    for line in lines:
        touched.add(line.key)
        if statement.kind == "shipped":
            proofs = tuple(_shipment_proofs(line, statement, scope))
        else:
            policy = scope.policies.channels.get(line.key.channel)
            if policy is None:
                continue
            proofs = acceptance_proofs(
                line.line_id,
                line.key,
                line.quantity,
                statement.shares,
                policy,
                statement.feed,
                statement.position,
            )
        rows.extend(proof_row(order_id, line.line_id, proof) for proof in proofs)
        if line.tracked:
            touched |= await _move_elsewhere(scope, line, statement)
    await scope.tx.run_many("proof_put", rows)
    return touched


async def _refuse(scope: Scope, order_id: str, statement: Statement) -> set[StockKey]:
    """Archean rejected the order. While it stands in commercetools somebody may yet have it taken: nothing is given back."""
    row = await scope.tx.row("head_refused", (order_id,))
    if row is None:
        return set()
    if row[0] == CANCELLED:
        return await release_order(scope, order_id)
    name = row[1] or order_id
    reason = (
        f"Archean rejected order {name} ({statement.source_order or 'no reason told'}); its pieces stay subtracted "
        "until it is accepted after all, or cancelled in commercetools"
    )
    await open_case(scope.tx, NewCase(CaseKind.ORDER_REJECTED, "orders", name, reason), scope.now_ms)
    return set()


def _shipment_proofs(line: OpenLine, statement: Statement, scope: Scope) -> list[Proof]:
    policy = scope.policies.channels.get(line.key.channel)
    if policy is None:
        return []
    proofs = []
    for share in statement.shares:
        about = share.line_ref == line.line_id if share.line_ref else share.sku == line.key.sku
        if not about or (share.location and share.location not in policy.locations):
            continue
        place = policy.place_of(share.location)
        proofs.append(
            Proof(statement.feed, statement.position, Figure.ON_HAND, share.quantity, place, statement.source)
        )
    return proofs


async def _move_elsewhere(scope: Scope, line: OpenLine, statement: Statement) -> set[StockKey]:
    """A tracked line that another channel's location fulfils: given back here, counted untracked there."""
    touched: set[StockKey] = set()
    shares = shares_elsewhere(line.line_id, line.key, statement.shares, scope.policies)
    left = line.quantity
    for channel, location, pieces in shares:
        moved = min(pieces, left)
        left -= moved
        if moved <= 0 or ELSEWHERE in line.line_id:
            continue
        other = StockKey(channel, line.key.sku)
        moved_id = f"{line.line_id}{ELSEWHERE}{location}"
        put = (line.key.sku, line.order_id, moved_id, moved)
        await scope.tx.run("line_put", (line.key.channel, *put, 1, line.created_ms, 1))
        await scope.tx.run("line_put", (channel, *put, 0, line.created_ms, 0))
        figure = Figure.ON_HAND if statement.kind == "shipped" else Figure.AVAILABLE
        proof = Proof(statement.feed, statement.position, figure, moved, location, statement.source)
        await scope.tx.run("proof_put", proof_row(line.order_id, moved_id, proof))
        touched.add(other)
    if left != line.quantity:
        own = (line.key.channel, line.key.sku, line.order_id, line.line_id)
        if left <= 0:
            await scope.tx.run("line_delete", own)
        else:
            await scope.tx.run("line_put", (*own, left, 1, line.created_ms, 0))
    return touched


async def release_order(scope: Scope, order_id: str) -> set[StockKey]:
    """The order takes nothing from the warehouse: tracked lines are given back for good, untracked ones count no more."""
    await scope.tx.run("head_released", (order_id,))
    await _accepted_after_all(scope, order_id, "the order is cancelled")
    released = await scope.tx.rows("lines_release", (order_id,))
    gone = await scope.tx.rows("lines_untracked_of_order", (order_id,))
    return {StockKey(row[0], row[1]) for row in (*released, *gone)}


async def _accepted_after_all(scope: Scope, order_id: str, note: str) -> None:
    for row in await scope.tx.rows("heads_by_id", (array([order_id]),)):
        if row[9]:
            name = row[1] or order_id
            await resolve_case(scope.tx, CaseKind.ORDER_REJECTED, "orders", name, note, scope.now_ms)


async def take_early(scope: Scope, order_id: str, number: str | None) -> set[StockKey]:
    """Apply what was said of an order before it was learnt."""
    rows = await scope.tx.rows("early_take", (order_id, number or order_id))
    touched: set[StockKey] = set()
    grouped: dict[tuple[str, str, int, int, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda found: (found[1], found[2])):
        feed, epoch, seq, kind, source = row[:5]
        grouped[kind, feed, epoch, seq, source].append(row)
    for (kind, feed, epoch, seq, source), group in grouped.items():
        position = Position(epoch, seq)
        if kind == "level":
            touched |= await _early_levels(scope, order_id, feed, position, group)
            continue
        shares = tuple(
            LineShare(row[5], row[8], row[7] or None, row[6] or None) for row in group if row[8] is not None
        )
        statement = Statement(kind, feed, position, source, None, shares, group[0][9])
        touched |= await book_statement(scope, order_id, statement)
    return touched


async def _early_levels(
    scope: Scope, order_id: str, feed: str, position: Position, group: Sequence[Row]
) -> set[StockKey]:
    levels = [
        Level("", position.seq, row[5], row[6], None, None, orders_included=(order_id,)) for row in group
    ]
    return await levels_carry_orders(scope, feed, position.epoch, levels)
