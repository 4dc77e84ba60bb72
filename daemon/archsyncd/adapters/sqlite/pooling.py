"""Figures of keys that sell the same pieces: locations shared by channels, kits and their components."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from archsyncd.adapters.sqlite.implying import Found, Levels, Reckoned, implied_of, stored, with_implied
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import (
    component_lines,
    is_apart,
    kit_of,
    levels_of,
    reflected_component,
    reflected_of,
)
from archsyncd.domain.kits import Kit, kits_made_of
from archsyncd.domain.ledger import Line, units_of
from archsyncd.domain.offers import Offers, kits_offered
from archsyncd.domain.pools import left_to_others, members_of, pools_of, reckoned_with
from archsyncd.domain.stock import ChannelPolicy


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


def sharing_kits(keys: Iterable[StockKey], scope: Scope) -> dict[StockKey, list[StockKey]]:
    """By component, the kits that share its pieces: their lines count there too."""
    kits = scope.policies.kits
    if not kits.sharing:
        return {}
    found = {
        key: [
            StockKey(key.channel, kit.sku) for kit in kits.with_component(key.channel, key.sku) if kit.shared
        ]
        for key in keys
    }
    return {key: sharing for key, sharing in found.items() if sharing}


class Pooled:
    """Reckons such keys within one transaction, from levels and lines that were read for all of them."""

    def __init__(
        self,
        scope: Scope,
        levels: Levels,
        lines: Mapping[StockKey, Sequence[Line]],
        takers: Mapping[StockKey, Sequence[StockKey]],
        fresh: Levels,
        found: Found,
    ) -> None:
        """`takers`: by component, keys of kits whose lines may count there."""
        self._scope = scope
        self._levels = {place: stored(level) for place, level in levels.items()}
        self._lines = lines
        self._takers = takers
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
        refl, ntrk, known = units_of(self._proven(key), closed)
        more = self._of_kits(key) if self._kit(key) is None else 0
        return self._offers.of(key), refl, ntrk + more, known

    def sharing(self, key: StockKey, closed: int, offered: Mapping[StockKey, int]) -> Reckoned:
        """The figures of a kit that shares its components' pieces. `offered`: A* of each of these.

        What commercetools took from the kit's entry stays taken; the components' figures have it as untracked demand.
        """
        kit = self._scope.policies.kits.by_sku[key.sku]
        _, _, known = units_of(self._proven(key), closed)
        there = {sku: offered.get(StockKey(key.channel, sku), 0) for sku, _ in kit.components}
        return kits_offered(self._policy(key), kit, kits_made_of(kit, there)), known, 0, known

    def _kit(self, key: StockKey) -> Kit | None:
        return self._scope.policies.kits.kit(key.channel, key.sku)

    def _policy(self, key: StockKey) -> ChannelPolicy:
        return self._scope.policies.channels[key.channel]

    def _proven(self, key: StockKey) -> list[tuple[Line, int]]:
        """A key's lines with how many pieces of each are proven; what counts at components counts here as if it were."""
        found = []
        for line in self._lines_of(key):
            proven = reflected_of(key, line, self._scope.policies, self._levels)
            if proven < line.provable:
                self._found.unproven.add(line.order_id)
            found.append((line, line.quantity if is_apart(key, line, self._scope.policies) else proven))
        return found

    def _of_kits(self, key: StockKey) -> int:
        """Pieces of this component that kits took without having them kept, and that its levels do not exclude yet."""
        pieces = 0
        for other in self._takers.get(key, ()):
            kit = self._kit(other)
            shared = kit is not None and kit.shared
            for line in self._lines_of(other):
                made = kit_of(other, line, self._scope.policies)
                if made is None or not (shared or is_apart(other, line, self._scope.policies)):
                    continue
                part = next((each for each in component_lines(line, made) if each.sku == key.sku), None)
                if part is not None:
                    proven = reflected_component(part, self._policy(key), self._levels)
                    pieces += part.line.quantity - proven
        return pieces

    def _lines_of(self, key: StockKey) -> Sequence[Line]:
        """A key's lines, with what levels imply of them."""
        if key not in self._counted:
            found: list[Line] = []
            for line in self._lines.get(key, ()):
                kit = kit_of(key, line, self._scope.policies)
                found += [self._kit_line(key, line, kit)] if kit is not None else self._plain(key, line)
            self._counted[key] = found
        return self._counted[key]

    def _plain(self, key: StockKey, line: Line) -> list[Line]:
        own = levels_of(key.sku, self._policy(key), self._levels)
        arrived = self._arrived(key.sku, own)
        return with_implied([line], self._policy(key), own, arrived, self._scope, self._found.proofs)

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


async def note_debts(scope: Scope, own: Mapping[StockKey, Reckoned]) -> set[StockKey]:
    """Keep what keys owe beyond their part of a pool; the other keys that have to leave more or fewer pieces now.

    Also those that sell by now what such a key sold before: it may be served out of that.
    """
    # A figure below nothing by itself (a safety stock, a debt of the warehouse's) is owed to nobody who ordered.
    owed = {
        key: min(known - f - refl + ntrk, known - refl + ntrk) for key, (f, refl, ntrk, known) in own.items()
    }
    if not any(pieces > 0 for pieces in owed.values()) and await scope.tx.row("debts_any") is None:
        return set()
    before = await debts_of(scope, own)
    changed = {key for key, pieces in owed.items() if max(pieces, 0) != before.get(key, 0)}
    await scope.tx.run("debts_drop", (pairs(key for key in changed if owed[key] <= 0),))
    rising = [(key.channel, key.sku, owed[key]) for key in changed if owed[key] > 0]
    await scope.tx.run_many("debt_put", rising)
    return {other for key in changed for other in members_of(pools_of(key, scope.policies, past=True))}


async def debts_of(scope: Scope, keys: Collection[StockKey]) -> dict[StockKey, int]:
    """What these keys owe beyond their part; one that owes nothing is not named."""
    rows = await scope.tx.rows("debts_of", (pairs(keys),))
    return {StockKey(row[0], row[1]): int(row[2]) for row in rows}


async def leaving_debts(scope: Scope, own: Mapping[StockKey, Reckoned]) -> dict[StockKey, Reckoned]:
    """Figures with what keys leave to others that owe more than their part; nobody leaves more than he has."""
    if await scope.tx.row("debts_any") is None:
        return dict(own)
    pools = {key: pools_of(key, scope.policies, past=True) for key in own}
    debts = await debts_of(scope, {member for each in pools.values() for member in members_of(each)})
    found = {}
    for key, (f, refl, ntrk, known) in own.items():
        offered = max(f + refl - ntrk - known, 0)
        found[key] = (f - min(offered, left_to_others(pools[key], debts)), refl, ntrk, known)
    return found
