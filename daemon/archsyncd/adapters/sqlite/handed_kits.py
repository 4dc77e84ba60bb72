"""Kits' lines as they were handed over, in the store: written down with what is sent, and found again by order or component."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Components, Kit, Kits


async def kits_of_orders(scope: Scope, order_ids: Iterable[str]) -> dict[tuple[str, str], Components]:
    """By order and line, what a kit's line was handed over as."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for order_id, line_id, component, pieces in await scope.tx.rows("kits_of_orders", (array(order_ids),)):
        found[order_id, line_id].append((component, pieces))
    return {name: tuple(parts) for name, parts in found.items()}


async def made_of_orders(scope: Scope, order_ids: Sequence[str]) -> dict[tuple[str, str], Components]:
    """The same, and what other lines were ordered as that are called otherwise by now (`adapters/sqlite/as_ordered.py`)."""
    ordered: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for order_id, line_id, component, pieces in await scope.tx.rows("made_of_orders", (array(order_ids),)):
        ordered[order_id, line_id].append((component, pieces))
    made = {name: tuple(parts) for name, parts in ordered.items()}
    return made | await kits_of_orders(scope, order_ids)


async def write_down(scope: Scope, order_id: str, kits: Mapping[str, Kit]) -> None:
    """An order is about to be sent: its kits, by line id, are from now on what they are now. Replaces what stood there."""
    await scope.tx.run("order_kits_drop", (order_id,))
    for line_id, kit in sorted(kits.items()):
        apart = int(_is_apart(kit.sku, kit.components, scope.policies.kits))
        row = await scope.tx.row("kit_version", (kit.sku, json.dumps(kit.components), apart))
        assert row is not None
        await scope.tx.run_many("kit_part_put", [(sku, row[0], pieces) for sku, pieces in kit.components])
        await scope.tx.run("order_kit_put", (order_id, line_id, row[0]))
        await scope.tx.run("made_drop", (order_id, line_id))


async def any_apart(scope: Scope) -> bool:
    """Whether any kit was handed over as what it is not by the rules in force."""
    if await scope.tx.row("kits_apart_any") is not None:
        return True
    return await scope.tx.row("made_any") is not None


async def kits_with(scope: Scope, keys: Collection[StockKey]) -> Mapping[StockKey, list[StockKey]]:
    """By component, keys whose lines were handed over with it though they are no such kit any more."""
    found: dict[StockKey, list[StockKey]] = defaultdict(list)
    named = (pairs(keys),)
    rows = [*await scope.tx.rows("kits_apart", named), *await scope.tx.rows("made_with", named)]
    for channel, component, sku in dict.fromkeys(rows):
        found[StockKey(channel, component)].append(StockKey(channel, sku))
    return found


async def parts_of(scope: Scope, keys: Collection[StockKey]) -> list[StockKey]:
    """The components of lines of these keys that were handed over as what the kit is not any more."""
    named = (pairs(keys),)
    rows = [*await scope.tx.rows("kits_apart_parts", named), *await scope.tx.rows("made_parts", named)]
    return [StockKey(row[0], row[1]) for row in dict.fromkeys(rows)]


async def tell_apart(scope: Scope, kits: Kits, *, also: bool = False) -> None:
    """Other rules come into force: note which of the kits that were handed over are others by them.

    `also`: those that were others before stay noted. A kit that is noted too many costs a look, one too few sells a piece twice.
    """
    for version, sku, components, before in await scope.tx.rows("kits_made"):
        made = tuple((name, pieces) for name, pieces in json.loads(components))
        apart = int(_is_apart(sku, made, kits) or (also and bool(before)))
        if apart != before:
            await scope.tx.run("kit_apart", (apart, version))


def _is_apart(sku: str, components: Components, kits: Kits) -> bool:
    """In some channel at least: a kit that is one in some channels only may have been sold in another."""
    kit = kits.by_sku.get(sku)
    return kit is None or bool(kit.channels) or kit.components != components
