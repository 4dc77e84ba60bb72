"""Recomputing keys inside a transaction: levels, lines and proofs in, the outbox's targets and drain places out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.guard import RuleFigures
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.ledger import Base, Line, Proof, figures, reflected_units
from archsyncd.domain.merge import KeptLevel
from archsyncd.domain.order import implied_proofs
from archsyncd.domain.priority import due
from archsyncd.domain.stock import ChannelPolicy, StoredLevel, sellable_quantity

CHUNK_KEYS = 5_000
# (location, SKU), and what is reckoned of a key: f, refl, ntrk, known.
Place: TypeAlias = tuple[str, str]
Levels: TypeAlias = Mapping[Place, KeptLevel]
Reckoned: TypeAlias = tuple[int, int, int, int]


def stored(level: KeptLevel) -> StoredLevel:
    """A kept level as the ledger sees it."""
    return StoredLevel(
        level.location,
        level.feed,
        Position(level.epoch, level.seq),
        level.on_hand,
        level.available,
        level.as_of_ms,
        level.orders_through_ms,
    )


async def kept_levels(scope: Scope, places: Iterable[Place]) -> dict[Place, KeptLevel]:
    """The stored levels of these (location, SKU) places."""
    found: dict[Place, KeptLevel] = {}
    for location, skus in _grouped(places).items():
        for row in await scope.tx.rows("levels_at", (location, array(skus))):
            found[location, row[1]] = KeptLevel._make(row)
    return found


def _grouped(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """SKUs by location or channel: a list of names is looked up at half the price of a list of pairs."""
    found: dict[str, list[str]] = {}
    for name, sku in named:
        if name in found:
            found[name].append(sku)
        else:
            found[name] = [sku]
    return found


async def lines_of(scope: Scope, keys: Collection[StockKey]) -> dict[StockKey, list[Line]]:
    """The open lines that count in these keys, with their proofs."""
    if await scope.tx.row("lines_any") is None:
        return {}
    rows = await scope.tx.rows("lines_by_key", (pairs(keys),))
    if not rows:
        return {}
    return await _with_proofs(scope, rows)


async def lines_of_orders(scope: Scope, order_ids: Iterable[str]) -> dict[StockKey, list[Line]]:
    """The open lines of these orders, with their proofs."""
    return await _with_proofs(scope, await scope.tx.rows("lines_by_order", (array(sorted(set(order_ids))),)))


async def _with_proofs(scope: Scope, rows: Sequence[Row]) -> dict[StockKey, list[Line]]:
    orders = {row[2] for row in rows}
    proofs: dict[tuple[str, str], list[Proof]] = defaultdict(list)
    for row in await scope.tx.rows("proofs_by_order", (array(sorted(orders)),)):
        proof = Proof(row[5], Position(row[6], row[7]), Figure(row[3]), row[8], row[2] or None, row[4])
        proofs[row[0], row[1]].append(proof)
    found: dict[StockKey, list[Line]] = defaultdict(list)
    for channel, sku, order_id, line_id, quantity, tracked, released, created, accepted, there in rows:
        own = tuple(proofs.get((order_id, line_id), ()))
        line = Line(order_id, line_id, quantity, bool(tracked), own, bool(released), created, accepted, there)
        found[StockKey(channel, sku)].append(line)
    return found


async def recompute(scope: Scope, keys: Iterable[StockKey], fresh: Levels | None = None) -> int:
    """Bring the outbox rows of these keys to what levels, lines and rules say now; how many targets changed.

    `fresh`: levels merged in this transaction, so that they need not be read again. A key without any level and without
    a row stays out of the outbox: a quantity that nobody stated is not published.
    """
    wanted = list(dict.fromkeys(key for key in keys if key.channel in scope.policies.channels))
    changed = 0
    for start in range(0, len(wanted), CHUNK_KEYS):
        changed += await _recompute_chunk(scope, wanted[start : start + CHUNK_KEYS], fresh or {})
    return changed


async def _recompute_chunk(scope: Scope, keys: Sequence[StockKey], fresh: Levels) -> int:
    levels = await _levels_of(scope, keys, fresh)
    rows = await _rows_of(scope, keys)
    lines = await lines_of(scope, keys)
    channels, withheld = scope.policies.channels, scope.policies.withheld
    inserts: list[Sequence[Any]] = []
    updates: list[Sequence[Any]] = []
    implied: list[Sequence[Any]] = []
    unproven: set[str] = set()
    for key in keys:
        channel, sku = key.channel, key.sku
        policy = channels[channel]
        own = [level for name in policy.locations if (level := levels.get((name, sku))) is not None]
        row = rows.get((channel, sku))
        if row is None and not own:
            continue
        closed = row[6] if row else 0
        if lines and key in lines:
            result = _with_lines(lines[key], policy, own, fresh, closed, scope, implied, unproven)
        else:
            # What `figures` says of a key without open lines, which nearly all keys are.
            result = (sellable_quantity(policy, own, withheld), closed, 0, closed)
        if row is None:
            inserts.append(_insertion(key, result, scope))
        elif result != (row[2], row[3], row[4], row[5]):
            updates.append(_update(result, row, scope.now_ms))
    if implied:
        await scope.tx.run_many("proof_put", implied)
    if unproven:
        # Whatever made a piece unproven (an edit, a feed of another name, new rules): it is sought from now on.
        await scope.tx.run("heads_seek", (scope.now_ms, array(sorted(unproven))))
    if inserts:
        await scope.tx.run_many("outbox_insert", inserts)
    if updates:
        await scope.tx.run_many("outbox_retarget", updates)
    return len(inserts) + len(updates)


async def _levels_of(scope: Scope, keys: Sequence[StockKey], fresh: Levels) -> Levels:
    """The levels of all locations of these keys, those merged just now as they were merged."""
    channels = scope.policies.channels
    places = ((name, key.sku) for key in keys for name in channels[key.channel].locations)
    missing = [place for place in places if place not in fresh]
    return {**await kept_levels(scope, missing), **fresh} if missing else fresh


async def _rows_of(scope: Scope, keys: Sequence[StockKey]) -> dict[tuple[str, str], Row]:
    found: dict[tuple[str, str], Row] = {}
    for channel, skus in _grouped((key.channel, key.sku) for key in keys).items():
        for row in await scope.tx.rows("outbox_for_merge", (channel, array(skus))):
            found[channel, row[1]] = row
    return found


async def assess_keys(
    policy: ChannelPolicy, withheld: frozenset[str], skus: Sequence[str], tx: Transaction
) -> RuleFigures:
    """What a channel's policy would make of the quantities of its keys as they are.

    What has no entry is not for sale, and cannot be taken from it.
    """
    found: dict[str, list[KeptLevel]] = defaultdict(list)
    for location in policy.locations:
        for row in await tx.rows("levels_at", (location, array(skus))):
            found[row[1]].append(KeptLevel._make(row))
    rows = await tx.rows("outbox_for_merge", (policy.channel, array(skus)))
    in_stock = to_zero = raised = 0
    for row in rows:
        before, after = row[2], sellable_quantity(policy, found[row[1]], withheld)
        for_sale = before > 0 and row[9] is not None
        in_stock += for_sale
        to_zero += for_sale and after <= 0
        raised += after > before
    return RuleFigures(len(rows), in_stock, to_zero, raised)


def _with_lines(
    lines: Iterable[Line],
    policy: ChannelPolicy,
    kept: Sequence[KeptLevel],
    fresh: Levels,
    closed: int,
    scope: Scope,
    implied: list[Sequence[Any]],
    unproven: set[str],
) -> Reckoned:
    own = {level.location: stored(level) for level in kept}
    arrived = [level.location for level in kept if (level.location, level.sku) in fresh]
    counted = _with_implied(lines, policy, own, arrived, scope, implied)
    result = figures(policy, own, counted, closed, scope.policies.withheld)
    if result.known != result.refl or result.ntrk:
        unproven.update(
            line.order_id for line in counted if reflected_units(line, policy, own) < line.provable
        )
    return result.f, result.refl, result.ntrk, result.known


def _with_implied(
    lines: Iterable[Line],
    policy: ChannelPolicy,
    levels: Mapping[str, StoredLevel],
    arrived: Sequence[str],
    scope: Scope,
    found: list[Sequence[Any]],
) -> list[Line]:
    counted = []
    for line in lines:
        seconds = scope.policies.reflection_seconds
        extra = implied_proofs(line, policy, levels, seconds, scope.now_ms, arrived)
        fresh = tuple(proof for proof in extra if not _has(line, proof))
        found.extend(proof_row(line.order_id, line.line_id, proof) for proof in fresh)
        counted.append(_plus(line, fresh) if fresh else line)
    return counted


def _has(line: Line, proof: Proof) -> bool:
    return any(
        known.source == proof.source
        and known.location == proof.location
        and known.feed == proof.feed
        and known.position.epoch == proof.position.epoch
        for known in line.proofs
    )


def _plus(line: Line, proofs: tuple[Proof, ...]) -> Line:
    return Line(
        line.order_id,
        line.line_id,
        line.quantity,
        line.tracked,
        line.proofs + proofs,
        line.released,
        line.created_ms,
        line.accepted_ms,
        line.there,
    )


def proof_row(order_id: str, line_id: str, proof: Proof) -> Sequence[Any]:
    """A proof as the parameters of `proof_put`."""
    return (
        order_id,
        line_id,
        proof.location or "",
        proof.figure.value,
        proof.source,
        proof.feed,
        proof.position.epoch,
        proof.position.seq,
        proof.quantity,
    )


def _insertion(key: StockKey, result: Reckoned, scope: Scope) -> Sequence[Any]:
    return (key.channel, key.sku, *result, _target(result), scope.rules.parks(key))


def _target(result: Reckoned) -> int:
    f, refl, ntrk, _ = result
    return f + refl - ntrk


def _update(result: Reckoned, row: Row, now_ms: int) -> Sequence[Any]:
    channel, sku, _, _, _, _, _, x_applied, base, entry_id, op_id, _, since, due_class, nearness = row
    target = _target(result)
    if op_id is not None:
        # What is in flight keeps the place it has: an operation that goes out again must not be lost from the order.
        return (*result, target, due_class, nearness, since, channel, sku)
    exists = entry_id is not None or base == Base.UNKNOWN
    place = due(Base(base), x_applied, target, result[3], exists=exists)
    if place is None:
        return (*result, target, None, None, None, channel, sku)
    since = now_ms if since is None else since
    return (*result, target, int(place.due_class), place.nearness, since, channel, sku)
