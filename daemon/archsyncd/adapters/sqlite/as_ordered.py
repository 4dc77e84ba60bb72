"""Lines whose pieces lie under other SKUs than their own, since rules or names changed after they were ordered. Moves nothing.

Such a line is counted as a kit's line is that was handed over otherwise: as untracked demand of the SKUs that its pieces are
called now, until their levels exclude it, while what commercetools took from its own entry stays taken.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence

from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Components
from archsyncd.domain.stock import Policies


async def kits_as_ordered(scope: Scope, before: Policies, after: Policies) -> None:
    """Lines of kits that become another thing, or none, were ordered as what these kits were."""
    successors = await _successors(scope, {sku for sku, _ in _parts(before)})
    rows = []
    for sku, kit in before.kits.by_sku.items():
        other = after.kits.by_sku.get(sku)
        if other is not None and (other.components, other.channels) == (kit.components, kit.channels):
            continue
        parts = [(successors.get(name, name), pieces) for name, pieces in kit.components]
        for channel in before.channels:
            now = after.kits.kit(channel, sku)
            if kit.sold_in(channel) and (now is None or now.components != kit.components):
                rows.append(_made(StockKey(channel, sku), parts, ""))
    await scope.tx.run_many("made_put", rows)


async def late_as_ordered(scope: Scope, keys: Collection[StockKey]) -> None:
    """Lines learnt just now of kits that were given up, and of names that were: unless that SKU has goods of its own."""
    made: dict[StockKey, Components] = {}
    kits, past = scope.policies.kits, scope.policies.past_kits
    for key in keys if past else ():
        kit = past.kit(key.channel, key.sku)
        if kit is not None and kits.kit(key.channel, key.sku) is None:
            made[key] = kit.components
    if await scope.tx.row("successors_any") is not None:
        successors = await _successors(scope, {key.sku for key in keys})
        for key in keys:
            if key.sku in successors and key not in made and kits.kit(key.channel, key.sku) is None:
                made[key] = ((successors[key.sku], 1),)
    if made:
        told = await _told(scope, made)
        rows = [_made(key, parts, "") for key, parts in made.items() if key not in told]
        await scope.tx.run_many("made_put", rows)


async def names_as_ordered(scope: Scope, successors: Mapping[str, str], terms: str) -> set[StockKey]:
    """The goods of these names are called otherwise by these terms; the keys whose figures this may change.

    Safe to repeat, page by page: what is noted under these terms already is left alone.
    """
    given_up = {row[0] for row in await scope.tx.rows("names_of", (array(successors),)) if row[2]}
    for place in await scope.tx.rows("level_locations") if given_up else ():
        given_up -= {row[0] for row in await scope.tx.rows("levels_telling", (place[0], array(given_up)))}
    known = {row[0]: (row[1], row[2]) for row in await scope.tx.rows("successors_of", (array(successors),))}
    # A name that was given up before follows its goods; by itself it is nobody's.
    fresh = {
        old: new for old, new in successors.items() if old not in given_up and known.get(old) != (new, terms)
    }
    if not fresh:
        return set()
    names = array(fresh)
    followed = [
        (sku, fresh[before], terms)
        for sku, before in await scope.tx.rows("successors_before", (names, terms))
    ]
    await scope.tx.run_many("successor_put", followed + [(old, new, terms) for old, new in fresh.items()])
    await scope.tx.run("successors_itself")
    taken = await scope.tx.rows("made_take", (names, terms))
    given = [(order, line, fresh[component], pieces, terms) for order, line, component, pieces in taken]
    await scope.tx.run_many("made_give", given)
    channels = scope.policies.channels
    rows = [
        _made(StockKey(channel, old), [(new, 1)], terms)
        for old, new in fresh.items()
        for channel in channels
        if scope.policies.kits.kit(channel, old) is None
    ]
    await scope.tx.run_many("made_put", rows)
    await scope.tx.run("made_of_itself", (array(fresh.values()),))
    return {StockKey(channel, sku) for pair in fresh.items() for sku in pair for channel in channels}


def _made(key: StockKey, parts: Iterable[tuple[str, int]], terms: str) -> Sequence[object]:
    return terms, json.dumps([list(part) for part in parts]), key.channel, key.sku


def _parts(policies: Policies) -> Iterable[tuple[str, int]]:
    return (part for kit in policies.kits.by_sku.values() for part in kit.components)


async def _successors(scope: Scope, skus: Collection[str]) -> dict[str, str]:
    if not skus or await scope.tx.row("successors_any") is None:
        return {}
    return {row[0]: row[1] for row in await scope.tx.rows("successors_of", (array(skus),))}


async def _told(scope: Scope, keys: Iterable[StockKey]) -> set[StockKey]:
    """Those of these keys of whose own SKU a location of their channel tells a figure."""
    found: set[StockKey] = set()
    for key in keys:
        policy = scope.policies.channels.get(key.channel)
        for place in policy.locations if policy is not None else ():
            if await scope.tx.row("levels_telling", (place, array([key.sku]))) is not None:
                found.add(key)
    return found
