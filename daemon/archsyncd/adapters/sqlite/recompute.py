"""Recomputing keys inside a transaction: levels, lines and proofs in, the outbox's targets and drain places out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.ledger import Base, Figures, Line, Proof, figures
from archsyncd.domain.merge import KeptLevel
from archsyncd.domain.order import implied_proofs
from archsyncd.domain.priority import due
from archsyncd.domain.stock import ChannelPolicy, StoredLevel

CHUNK_KEYS = 5_000
Levels: TypeAlias = Mapping[tuple[str, str], KeptLevel]


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


async def kept_levels(scope: Scope, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], KeptLevel]:
    """The stored levels of these (location, SKU) places."""
    rows = await scope.tx.rows("levels_by_place", (array(places),))
    return {(row[0], row[1]): KeptLevel(*row) for row in rows}


async def lines_of(scope: Scope, keys: Collection[StockKey]) -> dict[StockKey, list[Line]]:
    """The open lines that count in these keys, with their proofs."""
    rows = await scope.tx.rows("lines_by_key", (pairs(keys),))
    if not rows:
        return {}
    return await _with_proofs(scope, rows)


async def _with_proofs(scope: Scope, rows: Sequence[Row]) -> dict[StockKey, list[Line]]:
    orders = {row[2] for row in rows}
    proofs: dict[tuple[str, str], list[Proof]] = defaultdict(list)
    for row in await scope.tx.rows("proofs_by_order", (array(sorted(orders)),)):
        proof = Proof(row[5], Position(row[6], row[7]), Figure(row[3]), row[8], row[2] or None, row[4])
        proofs[row[0], row[1]].append(proof)
    found: dict[StockKey, list[Line]] = defaultdict(list)
    for channel, sku, order_id, line_id, quantity, tracked, released, created, accepted in rows:
        own = tuple(proofs.get((order_id, line_id), ()))
        line = Line(order_id, line_id, quantity, bool(tracked), own, bool(released), created, accepted)
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
    channels = scope.policies.channels
    places = [(name, key.sku) for key in keys for name in channels[key.channel].locations]
    missing = [place for place in places if place not in fresh]
    levels: dict[tuple[str, str], KeptLevel] = dict(fresh) if not missing else {}
    if missing:
        levels = {**await kept_levels(scope, missing), **fresh}
    rows = {StockKey(row[0], row[1]): row for row in await scope.tx.rows("outbox_for_merge", (pairs(keys),))}
    lines = await lines_of(scope, keys)
    inserts: list[Sequence[Any]] = []
    updates: list[Sequence[Any]] = []
    implied: list[Sequence[Any]] = []
    for key in keys:
        policy = channels[key.channel]
        own = {
            name: stored(level)
            for name in policy.locations
            if (level := levels.get((name, key.sku))) is not None
        }
        row = rows.get(key)
        if row is None and not own:
            continue
        arrived = [name for name in own if (name, key.sku) in fresh]
        counted = _with_implied(lines.get(key, ()), policy, own, arrived, scope, implied)
        result = figures(policy, own, counted, row[6] if row else 0, scope.policies.withheld)
        if row is None:
            inserts.append(_insertion(key, result, scope))
        elif (result.f, result.refl, result.ntrk, result.known) != (row[2], row[3], row[4], row[5]):
            updates.append(_update(key, result, row, scope.now_ms))
    if implied:
        await scope.tx.run_many("proof_put", implied)
    if inserts:
        await scope.tx.run_many("outbox_insert", inserts)
    if updates:
        await scope.tx.run_many("outbox_retarget", updates)
    return len(inserts) + len(updates)


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


def _insertion(key: StockKey, result: Figures, scope: Scope) -> Sequence[Any]:
    return (
        key.channel,
        key.sku,
        result.f,
        result.refl,
        result.ntrk,
        result.known,
        result.x_target,
        scope.rules.parked_at_birth(key.sku),
    )


def _update(key: StockKey, result: Figures, row: Row, now_ms: int) -> Sequence[Any]:
    x_applied, base, entry_id, op_id, _, since, due_class, nearness = row[7:]
    figured = (result.f, result.refl, result.ntrk, result.known, result.x_target)
    if op_id is not None:
        # What is in flight keeps the place it has: an operation that goes out again must not be lost from the order.
        return (*figured, due_class, nearness, since, key.channel, key.sku)
    exists = entry_id is not None or base == Base.UNKNOWN
    place = due(Base(base), x_applied, result.x_target, result.known, exists=exists)
    if place is None:
        return (*figured, None, None, None, key.channel, key.sku)
    since = now_ms if since is None else since
    return (*figured, int(place.due_class), place.nearness, since, key.channel, key.sku)
