"""Statements about orders in the store: proofs of known lines, and early ones kept until their order is learnt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from archsyncd.adapters.sqlite import handing
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.implying import proof_row
from archsyncd.adapters.sqlite.lines import heads_by_reference, open_lines
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.statements import Statement, book_statement, mark_restated
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
from archsyncd.domain.kit_lines import component_name, kit_of
from archsyncd.domain.ledger import Proof

EARLY_LIMIT_ROWS = 100_000
EARLY_EVICTION_ROWS = 5_000
SHIPPED = "shipped"
# Statements that bring Archean's number for an order, or its reason for refusing it.
NAMED = frozenset({"accepted", "refused"})


async def enter_epoch(scope: Scope, feed: str, name: str) -> tuple[int, set[StockKey]]:
    """The ordinal of a feed's epoch, numbered by first sight, and the keys to recompute where it is a new one."""
    row = await scope.tx.row("epoch", (feed, name))
    if row is not None:
        return int(row[0]), set()
    ordinal = await newest_epoch(scope, feed) + 1
    await scope.tx.run("epoch_insert", (feed, ordinal, name))
    if ordinal == 1:
        return ordinal, set()
    await scope.tx.run("feed_snapshot_due", ("epoch_changed", feed))
    return ordinal, await _withdraw_proofs(scope, feed, ordinal)


async def known_epoch(scope: Scope, feed: str, name: str) -> int | None:
    """The ordinal of a feed's epoch; None where no record has told of it."""
    row = await scope.tx.row("epoch", (feed, name))
    return None if row is None else int(row[0])


async def newest_epoch(scope: Scope, feed: str) -> int:
    """The ordinal of the newest epoch seen of a feed; every older one is retired (r247/1, section 1, rule 2)."""
    row = await scope.tx.row("epoch_highest", (feed,))
    return int(row[0]) if row else 0


async def _withdraw_proofs(scope: Scope, feed: str, epoch: int) -> set[StockKey]:
    """A source came back with a new epoch: it may have forgotten imports, so its proofs of open lines are sought anew.

    It may have forgotten acceptances too, and nothing may be inferred from them any more.
    """
    orders = {row[0] for row in await scope.tx.rows("proofs_withdraw", (feed, epoch))}
    await scope.tx.run("early_withdraw", (feed, epoch))
    fed = [
        name
        for name, channel in scope.policies.channels.items()
        for place in channel.locations
        if await scope.tx.row("level_of_feed", (place, feed)) is not None
    ]
    orders |= {row[0] for row in await scope.tx.rows("heads_unaccept", (array(fed),))}
    await scope.tx.run("heads_seek", (scope.now_ms, array(sorted(orders))))
    await scope.tx.run_many("head_lookup_due", [(scope.now_ms, order_id) for order_id in sorted(orders)])
    return {line.key for lines in (await open_lines(scope, orders)).values() for line in lines}


async def doubt_dispatches(scope: Scope, feed: str) -> set[StockKey]:
    """Records of a feed were lost; the keys to recompute where they sell what is on hand.

    Among them may have been the one that took a dispatch back, and no record follows it: its pieces are on the shelf again, in
    the levels that a snapshot tells, and would be sold a second time. Nothing but a dispatch told anew proves them again.
    """
    places = [name for name, each in scope.policies.by_location.items() if each[0].sellable is Figure.ON_HAND]
    if not places:
        return set()
    rows = await scope.tx.rows("proofs_doubt_dispatches", (feed, array(sorted(places))))
    await scope.tx.run("early_doubt_dispatches", (feed,))
    orders = sorted({row[0] for row in rows})
    await scope.tx.run("heads_seek", (scope.now_ms, array(orders)))
    return {line.key for lines in (await open_lines(scope, orders)).values() for line in lines}


async def levels_carry_orders(scope: Scope, feed: str, epoch: int, levels: Sequence[Level]) -> set[StockKey]:
    """Levels that name the orders they already account for: the strongest proof."""
    references = {reference for level in levels for reference in level.orders_included}
    heads = await heads_by_reference(scope, references)
    lines = await open_lines(scope, heads.values())
    rows: list[Sequence[Any]] = []
    early: list[Sequence[Any]] = []
    touched: set[StockKey] = set()
    for level in levels:
        channels = scope.policies.channels_of(level.location)
        position = Position(epoch, level.seq)
        for reference in level.orders_included:
            order_id = heads.get(reference)
            if order_id is None:
                early.append(
                    _early_row(reference, "level", feed, position, "", level.sku, level.location, scope)
                )
                continue
            for line in lines.get(order_id, ()):
                if line.key.channel not in channels:
                    continue
                kit = kit_of(line.key, line, scope.policies)
                taken = kit.pieces_of(level.sku) if kit else int(line.key.sku == level.sku)
                if taken:
                    policy = scope.policies.channels[line.key.channel]
                    place = level.location if policy.place_of(None) == level.location else None
                    proof = Proof(feed, position, Figure.AVAILABLE, line.quantity * taken, place)
                    name = component_name(line.line_id, level.sku) if kit else line.line_id
                    rows.append(proof_row(order_id, name, proof))
                    touched.add(line.key)
    await scope.tx.run_many("proof_put", rows)
    await _keep_early(scope, early)
    if scope.carrying is not None and rows:
        # What a level accounts for is with Archean, by whatever way it came.
        carried = array(sorted({str(row[0]) for row in rows}))
        for (order_id,) in await scope.tx.rows("handover_untaken", (carried,)):
            await handing.stated(scope, order_id, "accepted", None)
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
        case Fulfilment():
            # It restates the whole fulfilment: one that is not shipped (any more) has taken nothing off the shelf.
            shares = tuple(
                LineShare(share.sku, share.quantity, share.line_ref, share.location or record.location)
                for share in record.lines
                if record.status == SHIPPED
            )
            return Statement("shipped", feed, position, record.fulfilment_id, None, shares)
        case ReturnReceived():
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
        elif statement.kind != "shipped":
            early.extend(_early_rows(reference, statement, scope))
        elif await _restates_early(scope, reference, statement):
            # Kept at once: the next record of the batch may restate it.
            await _keep_early(scope, _early_rows(reference, statement, scope))
    await _keep_early(scope, early)
    return touched


async def _restates_early(scope: Scope, reference: str, statement: Statement) -> bool:
    """Forget what a fulfilment's older records said; whether there is anything to keep of this one."""
    place = (statement.position.epoch, statement.position.seq)
    source = (reference, statement.source, statement.feed)
    if await scope.tx.row("early_newer", (*source, *place)) is not None:
        return False
    forgotten = await scope.tx.run("early_restate", (*source, *place))
    return bool(statement.shares) or forgotten > 0


def _early_rows(reference: str, statement: Statement, scope: Scope) -> list[Sequence[Any]]:
    # An acceptance has no fulfilment: Archean's number for the order stands in that place, or its reason for refusing.
    source = statement.source or statement.source_order or ""
    common = (reference, statement.kind, statement.feed, statement.position, source)
    if not statement.shares:
        return [_early_row(*common, "", "", scope)]
    return [
        _early_row(*common, share.sku, share.location or "", scope, share.line_ref or "", share.quantity)
        for share in statement.shares
    ]


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
        named = ("", source or None) if kind in NAMED else (source, None)
        statement = Statement(kind, feed, position, *named, shares, group[0][9])
        touched |= await book_statement(scope, order_id, statement)
        if kind == "shipped" and not shares:
            await mark_restated(scope, order_id, statement)
    return touched


async def _early_levels(
    scope: Scope, order_id: str, feed: str, position: Position, group: Sequence[Row]
) -> set[StockKey]:
    levels = [
        Level("", position.seq, row[5], row[6], None, None, orders_included=(order_id,)) for row in group
    ]
    return await levels_carry_orders(scope, feed, position.epoch, levels)
