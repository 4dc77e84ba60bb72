"""Figures of keys that sell the same pieces: locations shared by channels, kits and their components."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from archsyncd.adapters.sqlite.implying import Found, Levels, Reckoned, implied_of, stored, with_implied
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import (
    component_lines,
    levels_of,
    reflected_component,
    reflected_kits,
)
from archsyncd.domain.kits import Kit, kits_made_of
from archsyncd.domain.ledger import Line, reflected_units, units_of
from archsyncd.domain.offers import Offers
from archsyncd.domain.pools import left_to_others, members_of, pools_of, reckoned_with
from archsyncd.domain.stock import ChannelPolicy, StoredLevel


def together(keys: Iterable[StockKey], scope: Scope) -> tuple[list[StockKey], list[StockKey]]:
    """These keys with all that are reckoned together with them; apart, kits that are reckoned after their components."""
    policies = scope.policies
    found = dict.fromkeys(other for key in keys for other in reckoned_with(key, policies))
    first: list[StockKey] = []
    last: list[StockKey] = []
    for key in found:
        if key.channel in policies.channels:
            kit = policies.kits.kit(key.channel, key.sku)
            (last if kit is not None and kit.shared else first).append(key)
    return first, last


def sharing_kits(keys: Iterable[StockKey], scope: Scope) -> list[StockKey]:
    """The kits that share pieces with these components: their lines count there too."""
    kits = scope.policies.kits
    return [
        StockKey(key.channel, kit.sku)
        for key in keys
        for kit in (kits.with_component(key.channel, key.sku) if kits else ())
        if kit.shared
    ]


class Pooled:
    """Reckons such keys within one transaction, from levels and lines that were read for all of them."""

    def __init__(
        self,
        scope: Scope,
        levels: Levels,
        lines: Mapping[StockKey, Sequence[Line]],
        fresh: Levels,
        found: Found,
    ) -> None:
        self._scope = scope
        self._levels = {place: stored(level) for place, level in levels.items()}
        self._lines = lines
        self._fresh = fresh
        self._found = found
        self._counted: dict[StockKey, list[Line]] = {}
        self._offers = Offers(scope.policies, self._levels)

    def stated(self, key: StockKey) -> bool:
        """Whether anybody has told of its pieces; of a kit, of each of its components."""
        policy, kit = self._scope.policies.channels[key.channel], self._kit(key)
        skus = (key.sku,) if kit is None else tuple(sku for sku, _ in kit.components)
        return all(any((name, sku) in self._levels for name in policy.locations) for sku in skus)

    def own(self, key: StockKey, closed: int) -> Reckoned:
        """A key's figures by its own part of the pool."""
        kit = self._kit(key)
        lines = [(line, self._reflected(key, line, kit)) for line in self._lines_of(key)]
        self._found.unproven.update(line.order_id for line, proven in lines if proven < line.provable)
        refl, ntrk, known = units_of(lines, closed)
        more = self._of_sharing_kits(key) if kit is None else 0
        return self._offers.of(key), refl, ntrk + more, known

    def sharing(self, key: StockKey, closed: int, offered: Mapping[StockKey, int]) -> Reckoned:
        """The figures of a kit that shares its components' pieces. `offered`: A* of each of these.

        What commercetools took from the kit's entry stays taken; the components' figures have it as untracked demand.
        """
        kit = self._scope.policies.kits.by_sku[key.sku]
        lines = [(line, self._reflected(key, line, kit)) for line in self._lines_of(key)]
        self._found.unproven.update(line.order_id for line, proven in lines if proven < line.provable)
        _, _, known = units_of(lines, closed)
        there = {sku: offered.get(StockKey(key.channel, sku), 0) for sku, _ in kit.components}
        return kits_made_of(kit, there), known, 0, known

    def _kit(self, key: StockKey) -> Kit | None:
        return self._scope.policies.kits.kit(key.channel, key.sku)

    def _policy(self, key: StockKey) -> ChannelPolicy:
        return self._scope.policies.channels[key.channel]

    def _own_levels(self, key: StockKey) -> dict[str, StoredLevel]:
        return levels_of(key.sku, self._policy(key), self._levels)

    def _of_sharing_kits(self, key: StockKey) -> int:
        """Pieces of this component that kits took which share them, and that its levels do not exclude yet."""
        pieces = 0
        for other in sharing_kits((key,), self._scope):
            kit = self._scope.policies.kits.by_sku[other.sku]
            for line in self._lines_of(other):
                part = next(each for each in component_lines(line, kit) if each.sku == key.sku)
                pieces += part.line.quantity - reflected_component(part, self._policy(key), self._levels)
        return pieces

    def _lines_of(self, key: StockKey) -> Sequence[Line]:
        """A key's lines, with what levels imply of them."""
        if key not in self._counted:
            kit, lines = self._kit(key), self._lines.get(key, ())
            if kit is not None:
                self._counted[key] = [self._kit_line(key, line, kit) for line in lines]
            else:
                own = self._own_levels(key)
                self._counted[key] = with_implied(
                    lines,
                    self._policy(key),
                    own,
                    self._arrived(key.sku, own),
                    self._scope,
                    self._found.proofs,
                )
        return self._counted[key]

    def _kit_line(self, key: StockKey, line: Line, kit: Kit) -> Line:
        more = list(line.parts)
        for part in component_lines(line, kit):
            own = levels_of(part.sku, self._policy(key), self._levels)
            arrived = self._arrived(part.sku, own)
            implied = implied_of(part.line, self._policy(key), own, arrived, self._scope, self._found.proofs)
            more.extend((part.line.line_id, proof) for proof in implied)
        return replace(line, parts=tuple(more)) if len(more) > len(line.parts) else line

    def _arrived(self, sku: str, levels: Iterable[str]) -> list[str]:
        return [name for name in levels if (name, sku) in self._fresh]

    def _reflected(self, key: StockKey, line: Line, kit: Kit | None) -> int:
        policy = self._policy(key)
        if kit is None:
            return reflected_units(line, policy, self._own_levels(key))
        return reflected_kits(line, kit, policy, self._levels)


async def note_debts(scope: Scope, own: Mapping[StockKey, Reckoned]) -> set[StockKey]:
    """Keep what keys owe beyond their part of a pool; the other keys that have to leave more or fewer pieces now."""
    owed = {key: known - f - refl + ntrk for key, (f, refl, ntrk, known) in own.items()}
    if not any(pieces > 0 for pieces in owed.values()) and await scope.tx.row("debts_any") is None:
        return set()
    before = await debts_of(scope, own)
    changed = {key for key, pieces in owed.items() if max(pieces, 0) != before.get(key, 0)}
    await scope.tx.run("debts_drop", (pairs(key for key in changed if owed[key] <= 0),))
    rising = [(key.channel, key.sku, owed[key]) for key in changed if owed[key] > 0]
    await scope.tx.run_many("debt_put", rising)
    return {other for key in changed for other in members_of(pools_of(key, scope.policies))}


async def debts_of(scope: Scope, keys: Collection[StockKey]) -> dict[StockKey, int]:
    """What these keys owe beyond their part; one that owes nothing is not named."""
    rows = await scope.tx.rows("debts_of", (pairs(keys),))
    return {StockKey(row[0], row[1]): int(row[2]) for row in rows}


async def leaving_debts(scope: Scope, own: Mapping[StockKey, Reckoned]) -> dict[StockKey, Reckoned]:
    """Figures with what keys leave to others that owe more than their part; nobody leaves more than he has."""
    if await scope.tx.row("debts_any") is None:
        return dict(own)
    pools = {key: pools_of(key, scope.policies) for key in own}
    debts = await debts_of(scope, {member for each in pools.values() for member in members_of(each)})
    found = {}
    for key, (f, refl, ntrk, known) in own.items():
        offered = max(f + refl - ntrk - known, 0)
        found[key] = (f - min(offered, left_to_others(pools[key], debts)), refl, ntrk, known)
    return found
