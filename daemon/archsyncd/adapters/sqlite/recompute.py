"""Recomputing keys inside a transaction: levels, lines and proofs in, the outbox's targets and drain places out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.handed_kits import any_apart, kits_with, made_of_orders, parts_of
from archsyncd.adapters.sqlite.implying import Found, Levels, Place, Reckoned, stored, with_implied
from archsyncd.adapters.sqlite.pooling import Pooled, leaving_debts, note_debts, sharing_kits, together
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.guard import RuleFigures
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import kit_line, shelf_places
from archsyncd.domain.ledger import Base, Line, Proof, figures, reflected_units
from archsyncd.domain.merge import KeptLevel
from archsyncd.domain.offers import Offers
from archsyncd.domain.pools import is_pooled
from archsyncd.domain.priority import due
from archsyncd.domain.stock import ChannelPolicy, Policies, sellable_quantity

CHUNK_KEYS = 5_000


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
    parts: dict[tuple[str, str], list[tuple[str, Proof]]] = defaultdict(list)
    for row in await scope.tx.rows("proofs_by_order", (array(sorted(orders)),)):
        proof = Proof(row[5], Position(row[6], row[7]), Figure(row[3]), row[8], row[2] or None, row[4])
        proofs[row[0], row[1]].append(proof)
        whole = kit_line(row[1])
        if whole != row[1]:
            parts[row[0], whole].append((row[1], proof))
    kits = await made_of_orders(scope, sorted(orders))
    found: dict[StockKey, list[Line]] = defaultdict(list)
    for channel, sku, order_id, line_id, quantity, tracked, released, created, accepted, there in rows:
        own = tuple(proofs.get((order_id, line_id), ()))
        told = tuple(parts[order_id, line_id]) if (order_id, line_id) in parts else ()
        line = Line(
            order_id,
            line_id,
            quantity,
            bool(tracked),
            own,
            bool(released),
            created,
            accepted,
            there,
            told,
            kits.get((order_id, line_id), ()),
        )
        found[StockKey(channel, sku)].append(line)
    return found


async def recompute(scope: Scope, keys: Iterable[StockKey], fresh: Levels | None = None) -> int:
    """Bring the outbox rows of these keys to what levels, lines and rules say now; how many targets changed.

    `fresh`: levels merged in this transaction, so that they need not be read again. A key without any level and without
    a row stays out of the outbox: a quantity that nobody stated is not published.
    """
    apart = await any_apart(scope)
    if scope.policies.pooled or apart:
        named = list(dict.fromkeys(keys))
        return await _recompute_pooled(
            scope, [*named, *await parts_of(scope, named)] if apart else named, fresh or {}, apart=apart
        )
    wanted = list(dict.fromkeys(key for key in keys if key.channel in scope.policies.channels))
    changed = 0
    for start in range(0, len(wanted), CHUNK_KEYS):
        changed += (await _recompute_chunk(scope, wanted[start : start + CHUNK_KEYS], fresh or {}))[0]
    return changed


async def _recompute_pooled(
    scope: Scope, keys: Iterable[StockKey], fresh: Levels, *, apart: bool = False
) -> int:
    """As `recompute`, where some keys sell the same pieces: these are reckoned in the same transaction, whoever is named.

    What one of them owes beyond its part moves the others once, and what is owed does not follow from that: it ends. `apart`:
    kits were handed over as what they are not any more, and count at their components.
    """
    waiting, last = together(keys, scope)
    after = dict.fromkeys(last)
    changed = 0
    while waiting:
        chunk, waiting = waiting[:CHUNK_KEYS], waiting[CHUNK_KEYS:]
        more, moved = await _recompute_chunk(scope, chunk, fresh, apart=apart)
        changed += more
        if moved:
            first, last = together(moved, scope)
            queued = set(waiting)
            waiting += [key for key in first if key not in queued]
            after.update(dict.fromkeys(last))
    kits = list(after)
    for start in range(0, len(kits), CHUNK_KEYS):
        changed += (await _recompute_chunk(scope, kits[start : start + CHUNK_KEYS], fresh, apart=apart))[0]
    return changed


async def _recompute_chunk(
    scope: Scope, keys: Sequence[StockKey], fresh: Levels, *, apart: bool = False
) -> tuple[int, set[StockKey]]:
    """How many targets changed, and other keys of the pools of those that owe more or less than before."""
    levels = await _levels_of(scope, keys, fresh)
    rows = await _rows_of(scope, keys)
    takers = sharing_kits(keys, scope)
    if apart:
        for component, found_kits in (await kits_with(scope, keys)).items():
            takers[component] = list(dict.fromkeys([*takers.get(component, ()), *found_kits]))
    sharing = [kit for kits in takers.values() for kit in kits]
    lines = await lines_of(scope, dict.fromkeys([*keys, *sharing]) if sharing else keys)
    channels, withheld = scope.policies.channels, scope.policies.withheld
    results: dict[StockKey, Reckoned] = {}
    found = Found()
    pooled: list[StockKey] = []
    for key in keys:
        channel, sku = key.channel, key.sku
        if (scope.policies.pooled and is_pooled(key, scope.policies, past=True)) or (
            apart and (key in takers or any(line.made_of for line in lines.get(key, ())))
        ):
            pooled.append(key)
            continue
        policy = channels[channel].of(sku)
        own = [level for name in policy.locations if (level := levels.get((name, sku))) is not None]
        row = rows.get((channel, sku))
        if row is None and not own:
            continue
        closed = row[6] if row else 0
        if lines and key in lines:
            results[key] = _with_lines(lines[key], policy, own, fresh, closed, scope, found)
        else:
            # What `figures` says of a key without open lines, which nearly all keys are.
            results[key] = (sellable_quantity(policy, own, withheld), closed, 0, closed)
    moved: set[StockKey] = set()
    if pooled:
        reckoner = Pooled(scope, await _with_components(scope, lines, levels), lines, takers, fresh, found)
        reckoned, moved = await _pooled(scope, reckoner, pooled, rows)
        results |= reckoned
    await _keep_found(scope, found)
    return await _put(scope, results, rows), moved


async def _with_components(scope: Scope, lines: Mapping[StockKey, Sequence[Line]], levels: Levels) -> Levels:
    """The levels, with those by which these lines are proven, of kits' those of their components."""
    missing = [place for place in shelf_places(lines, scope.policies, lines) if place not in levels]
    return {**await kept_levels(scope, missing), **levels} if missing else levels


async def _pooled(
    scope: Scope, reckoner: Pooled, keys: Sequence[StockKey], rows: Mapping[tuple[str, str], Row]
) -> tuple[dict[StockKey, Reckoned], set[StockKey]]:
    """Figures of keys that sell the same pieces; all of them share theirs as kits, or none does."""
    kits = scope.policies.kits
    own: dict[StockKey, Reckoned] = {}
    shared: list[StockKey] = []
    for key in keys:
        row = rows.get((key.channel, key.sku))
        if row is None and not reckoner.stated(key):
            continue
        kit = kits.kit(key.channel, key.sku)
        if kit is not None:
            await scope.tx.run("kit_put", (key.channel, key.sku))
        if kit is not None and kit.shared:
            shared.append(key)
        else:
            own[key] = reckoner.own(key, row[6] if row else 0)
    moved = await note_debts(scope, own) if own else set()
    results = await leaving_debts(scope, own) if own else {}
    if shared:
        offered = await _offered(scope, shared)
        for key in shared:
            row = rows.get((key.channel, key.sku))
            results[key] = reckoner.sharing(key, row[6] if row else 0, offered)
    return results, moved


async def _offered(scope: Scope, kits: Sequence[StockKey]) -> dict[StockKey, int]:
    """A* of the components of these kits, as they stand in the outbox."""
    by_sku = scope.policies.kits.by_sku
    wanted = [StockKey(key.channel, sku) for key in kits for sku, _ in by_sku[key.sku].components]
    rows = await _rows_of(scope, list(dict.fromkeys(wanted)))
    return {StockKey(channel, sku): row[11] - row[5] for (channel, sku), row in rows.items()}


async def _keep_found(scope: Scope, found: Found) -> None:
    if found.proofs:
        await scope.tx.run_many("proof_put", found.proofs)
    if found.unproven:
        # Whatever made a piece unproven (an edit, a feed of another name, new rules): it is sought from now on.
        await scope.tx.run("heads_seek", (scope.now_ms, array(sorted(found.unproven))))


async def _put(
    scope: Scope, results: Mapping[StockKey, Reckoned], rows: Mapping[tuple[str, str], Row]
) -> int:
    inserts: list[Sequence[Any]] = []
    updates: list[Sequence[Any]] = []
    for key, result in results.items():
        row = rows.get((key.channel, key.sku))
        if row is None:
            inserts.append(_insertion(key, result, scope))
        elif result != (row[2], row[3], row[4], row[5]):
            updates.append(_update(result, row, scope.now_ms))
    if inserts:
        await scope.tx.run_many("outbox_insert", inserts)
    if updates:
        await scope.tx.run_many("outbox_retarget", updates)
    return len(inserts) + len(updates)


async def _levels_of(scope: Scope, keys: Sequence[StockKey], fresh: Levels) -> Levels:
    """The levels of all locations of these keys, those merged just now as they were merged."""
    places = _places_of(scope, keys)
    missing = [place for place in places if place not in fresh]
    return {**await kept_levels(scope, missing), **fresh} if missing else fresh


def _places_of(scope: Scope, keys: Sequence[StockKey]) -> Iterable[Place]:
    policies = scope.policies
    if policies.kits:
        return dict.fromkeys(shelf_places(keys, policies))
    return ((name, key.sku) for key in keys for name in policies.channels[key.channel].locations)


async def _rows_of(scope: Scope, keys: Sequence[StockKey]) -> dict[tuple[str, str], Row]:
    found: dict[tuple[str, str], Row] = {}
    for channel, skus in _grouped((key.channel, key.sku) for key in keys).items():
        for row in await scope.tx.rows("outbox_for_merge", (channel, array(skus))):
            found[channel, row[1]] = row
    return found


async def assess_keys(policies: Policies, channel: str, skus: Sequence[str], tx: Transaction) -> RuleFigures:
    """What other policies would make of the quantities of a channel's keys as they are.

    What has no entry is not for sale, and cannot be taken from it.
    """
    found: dict[Place, KeptLevel] = {}
    keys = [StockKey(channel, sku) for sku in skus]
    for location, names in _grouped(shelf_places(keys, policies)).items():
        for row in await tx.rows("levels_at", (location, array(names))):
            found[location, row[1]] = KeptLevel._make(row)
    offers = Offers(policies, found)
    rows = await tx.rows("outbox_for_merge", (channel, array(skus)))
    in_stock = to_zero = raised = 0
    for row in rows:
        before, after = row[2], offers.of(StockKey(channel, row[1]))
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
    found: Found,
) -> Reckoned:
    own = {level.location: stored(level) for level in kept}
    arrived = [level.location for level in kept if (level.location, level.sku) in fresh]
    counted = with_implied(lines, policy, own, arrived, scope, found.proofs)
    result = figures(policy, own, counted, closed, scope.policies.withheld)
    if result.known != result.refl or result.ntrk:
        found.unproven.update(
            line.order_id for line in counted if reflected_units(line, policy, own) < line.provable
        )
    return result.f, result.refl, result.ntrk, result.known


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
