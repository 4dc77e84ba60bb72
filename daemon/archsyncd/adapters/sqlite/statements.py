"""Booking what a source says of a known order: proofs of its lines, and parts that another channel's location fulfils."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archsyncd.adapters.sqlite import handing
from archsyncd.adapters.sqlite.cases import open_case
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.implying import proof_row
from archsyncd.adapters.sqlite.lines import OpenLine, no_longer_refused, open_lines, release_order
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import Figure, LineShare, Position
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import component_name, in_components, kit_line, kit_of
from archsyncd.domain.ledger import Proof
from archsyncd.domain.order import ELSEWHERE, GONE_ORDER_STATES, CountedLine, Part, assign


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


async def book_statement(scope: Scope, order_id: str, statement: Statement) -> set[StockKey]:
    """Apply one statement about a known order; the keys it touches. Repeating it changes nothing."""
    touched = await _booked(scope, order_id, statement)
    await handing.stated(scope, order_id, statement.kind, statement.source_order)
    return touched


async def _booked(scope: Scope, order_id: str, statement: Statement) -> set[StockKey]:
    if statement.kind == "released":
        return await release_order(scope, order_id)
    if statement.kind == "refused":
        return await _refuse(scope, order_id, statement)
    if statement.kind == "accepted":
        await no_longer_refused(scope, order_id, "Archean has accepted it after all")
        await scope.tx.run(
            "head_accepted", (statement.at_ms or scope.now_ms, statement.source_order, order_id)
        )
    lines = (await open_lines(scope, (order_id,))).get(order_id, [])
    if statement.kind == "accepted" and not statement.shares:
        return await book_whole(scope, lines, statement)
    return await _book_shares(scope, order_id, lines, statement)


async def book_whole(scope: Scope, lines: Sequence[OpenLine], statement: Statement) -> set[StockKey]:
    """Apply an acceptance of all of these lines."""
    rows = [row for line in lines for row in _whole_line(line, statement, scope)]
    await scope.tx.run_many("proof_put", rows)
    return {line.key for line in lines}


async def _refuse(scope: Scope, order_id: str, statement: Statement) -> set[StockKey]:
    """Archean rejected the order. While it stands in commercetools somebody may yet have it taken: nothing is given back."""
    row = await scope.tx.row("head_refused", (order_id,))
    if row is None:
        return set()
    if row[0] in GONE_ORDER_STATES:
        return await release_order(scope, order_id)
    name = row[1] or order_id
    reason = (
        f"Archean rejected order {name} ({statement.source_order or 'no reason told'}); its pieces stay subtracted "
        "until it is accepted after all, or cancelled in commercetools"
    )
    await open_case(scope.tx, NewCase(CaseKind.ORDER_REJECTED, "orders", name, reason), scope.now_ms)
    return set()


def _whole_line(line: OpenLine, statement: Statement, scope: Scope) -> list[Sequence[Any]]:
    """An acceptance that tells no lines is about all of every line."""
    policy = scope.policies.channels.get(line.key.channel)
    if policy is None:
        return []
    place = line.part if line.part in policy.locations else policy.place_of(None)
    return [proof_row(line.order_id, line.line_id, _proof(statement, line.quantity, place))]


def _proof(statement: Statement, pieces: int, place: str | None) -> Proof:
    figure = Figure.ON_HAND if statement.kind == "shipped" else Figure.AVAILABLE
    return Proof(statement.feed, statement.position, figure, pieces, place, statement.source)


async def _book_shares(
    scope: Scope, order_id: str, lines: Sequence[OpenLine], statement: Statement
) -> set[StockKey]:
    shipped: dict[str, int] = {}
    told: dict[tuple[str, str], Row] = {}
    if statement.kind == "shipped":
        told = await _told_before(scope, order_id, statement)
        if not statement.shares and not told:
            return set()
        if any(
            (row[2], row[3]) > (statement.position.epoch, statement.position.seq) for row in told.values()
        ):
            return set()  # a newer record has restated it
        shipped = await _shipped(scope, order_id, statement.source)
    own, shares = _on_the_shelf(lines, statement.shares, scope)
    moved: dict[tuple[str, str], int] = {}
    for line in lines:
        whole = own.get(line.whole)
        if line.part is not None and (whole is None or line.key.channel != whole.key.channel):
            moved[line.whole, line.part] = line.quantity
    counted = [
        CountedLine(line.key, line.line_id, line.quantity + _away(line, moved), line.tracked)
        for line in own.values()
    ]
    taken: dict[str, int] = defaultdict(int)
    for line_id, pieces in shipped.items():
        taken[line_id.partition(ELSEWHERE)[0]] += pieces
    rows: list[Sequence[Any]] = []
    touched = {line.key for line in lines}
    parts = assign(shares, counted, taken, scope.policies)
    await _as_told(scope, order_id, own, parts)
    for part in parts:
        line = own[part.line_id]
        if part.channel == line.key.channel:
            rows.append(proof_row(order_id, line.line_id, _proof(statement, part.pieces, part.location)))
            continue
        there = moved.get((line.line_id, part.location or ""), 0)
        away = part.pieces + shipped.get(f"{line.line_id}{ELSEWHERE}{part.location}", 0)
        own[line.line_id] = await _move(scope, line, part, there, max(away - there, 0))
        rows.append(
            proof_row(
                order_id,
                f"{line.line_id}{ELSEWHERE}{part.location}",
                _proof(statement, part.pieces, part.location),
            )
        )
        touched.add(StockKey(part.channel, line.key.sku))
    await scope.tx.run_many("proof_put", await _restated(scope, order_id, statement, rows, told))
    return touched


async def _as_told(scope: Scope, order_id: str, own: Mapping[str, OpenLine], parts: Sequence[Part]) -> None:
    """Archean has at least what it tells line by line, though it was handed over otherwise."""
    told: dict[str, int] = defaultdict(int)
    for part in parts:
        if own[part.line_id].there is not None:
            told[part.line_id] += part.pieces
    places = ((pieces, own[name].key, name) for name, pieces in told.items())
    rows = [(pieces, key.channel, key.sku, order_id, name) for pieces, key, name in places]
    await scope.tx.run_many("line_there_more", rows)


async def _told_before(scope: Scope, order_id: str, statement: Statement) -> dict[tuple[str, str], Row]:
    rows = await scope.tx.rows("proofs_of_shipment", (order_id, statement.feed, statement.source))
    return {(row[0], row[1]): row for row in rows}


async def _restated(
    scope: Scope,
    order_id: str,
    statement: Statement,
    rows: list[Sequence[Any]],
    told: Mapping[tuple[str, str], Row],
) -> list[Sequence[Any]]:
    """Take back what a fulfilment's older records said and this one does not; what it says as before stays as it was."""
    said = {(row[1], row[2]): row for row in rows}
    fewer = False
    for (line_id, location), (_, _, _, _, before) in told.items():
        place = (order_id, line_id, location, statement.source, statement.feed)
        now = said.get((line_id, location))
        if not line_id or (now is not None and now[8] >= before):
            continue
        fewer = True
        if now is None:
            await scope.tx.run("proof_drop", place)
        else:
            # The pieces that are left were off the shelf before.
            await scope.tx.run("proof_shrink", (now[8], *place))
            del said[line_id, location]
    if fewer:
        await mark_restated(scope, order_id, statement)
    return list(said.values())


async def mark_restated(scope: Scope, order_id: str, statement: Statement) -> None:
    """A row of no line and no pieces remembers the restatement, so that an older record told again changes nothing."""
    await scope.tx.run("proof_drop", (order_id, "", "", statement.source, statement.feed))
    await scope.tx.run_many("proof_put", [proof_row(order_id, "", _proof(statement, 0, None))])


def _on_the_shelf(
    lines: Sequence[OpenLine], shares: Sequence[LineShare], scope: Scope
) -> tuple[dict[str, OpenLine], tuple[LineShare, ...]]:
    """An order's own lines by id, and what was told of them, each kit's as the lines of its components."""
    whole = [line for line in lines if line.part is None]
    kits = {
        line.line_id: kit for line in whole if (kit := kit_of(line.key, line, scope.policies)) is not None
    }
    own: dict[str, OpenLine] = {}
    for line in whole:
        for sku, pieces in kits[line.line_id].components if line.line_id in kits else ():
            name = component_name(line.line_id, sku)
            # What commercetools took was taken from the kit's entry.
            own[name] = OpenLine(
                StockKey(line.key.channel, sku),
                line.order_id,
                name,
                line.quantity * pieces,
                tracked=False,
                created_ms=line.created_ms,
            )
        if line.line_id not in kits:
            own[line.line_id] = line
    return own, in_components(shares, kits) if kits else tuple(shares)


def _away(line: OpenLine, moved: Mapping[tuple[str, str], int]) -> int:
    """Pieces of a line that are counted in another channel; a component's line is made anew, and has them still."""
    if kit_line(line.line_id) != line.line_id:
        return 0
    return sum(pieces for (whole, _), pieces in moved.items() if whole == line.line_id)


async def _shipped(scope: Scope, order_id: str, source: str) -> dict[str, int]:
    """Pieces by line and part that other shipments speak of already."""
    found: dict[str, int] = defaultdict(int)
    for row in await scope.tx.rows("proofs_by_order", (array([order_id]),)):
        if row[3] == Figure.ON_HAND.value and row[4] != source:
            found[row[1]] += row[8]
    return found


async def _move(scope: Scope, line: OpenLine, part: Part, there: int, more: int) -> OpenLine:
    """Count pieces where another channel's location fulfils them: untracked there, and given back here if tracked.

    commercetools debited this line's own entry. The line keeps its row, even with nothing left, so that a repeated
    statement finds what is moved already.
    """
    more = min(more, line.quantity)
    if more == 0:
        return line
    sku, order_id, part_id = line.key.sku, line.order_id, f"{line.line_id}{ELSEWHERE}{part.location}"
    if kit_line(line.line_id) != line.line_id:
        # The kit's line knows by the proof of the part what is taken elsewhere.
        elsewhere = (part.channel, sku, order_id, part_id, there + more, 0, line.created_ms, 0)
        await scope.tx.run("line_put", elsewhere)
        return line
    if line.tracked:
        here = (line.key.channel, sku, order_id, part_id, there + more, 1, line.created_ms, 1)
        await scope.tx.run("line_put", here)
    away = (part.channel, sku, order_id, part_id, there + more, 0, line.created_ms, 0)
    await scope.tx.run("line_put", away)
    left = OpenLine(line.key, order_id, line.line_id, line.quantity - more, line.tracked, line.created_ms)
    await scope.tx.run(
        "line_put",
        (line.key.channel, sku, order_id, line.line_id, left.quantity, int(line.tracked), line.created_ms, 0),
    )
    return left
