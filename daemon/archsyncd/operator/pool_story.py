"""What a key's figure is made of where others sell the same pieces, in sentences, and reckoned anew. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import Levels, is_apart, reflected_of
from archsyncd.domain.kits import Kit, kits_made_of
from archsyncd.domain.ledger import Figures, Line, units_of
from archsyncd.domain.offers import Offers
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.pools import left_to_others, pools_of
from archsyncd.domain.stock import WHOLE, Policies
from archsyncd.operator.daemon import Daemon


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies around a SKU's keys: levels by location and SKU, other keys' rows, and what keys owe beyond their part."""

    levels: Levels
    rows: Mapping[StockKey, OutboxRow]
    debts: Mapping[StockKey, int]


class PoolStory:
    """Explains keys that share their pieces."""

    def __init__(self, policies: Policies, beside: Beside) -> None:
        self._policies = policies
        self._beside = beside
        self._offers = Offers(policies, beside.levels)

    def reckoned(self, row: OutboxRow, lines: Sequence[Line], *, taken: bool = False) -> Figures:
        """The key's figures, anew. What kits take of a component's pieces that are not kept for them is taken as booked.

        `taken`: kits were handed over with it that are no such kits any more.
        """
        key = row.key
        told = [(line, self._reflected(key, line)) for line in lines]
        refl, ntrk, known = units_of(told, row.closed)
        kit = self._kit(key)
        if kit is not None and kit.shared:
            return Figures(kits_made_of(kit, self._offered(key, kit)), known, 0, known)
        if taken or any(each.shared for each in self._policies.kits.with_component(key.channel, key.sku)):
            ntrk = max(ntrk, row.ntrk)
        own = self._offers.of(key)
        left = min(max(own + refl - ntrk - known, 0), self._left(key))
        return Figures(own - left, refl, ntrk, known)

    def _reflected(self, key: StockKey, line: Line) -> int:
        if is_apart(key, line, self._policies):
            return line.quantity  # it counts at its components
        return reflected_of(key, line, self._policies, self._beside.levels)

    def made_of(self, key: StockKey) -> Iterator[str]:
        """What f is made of, a sentence each; nothing for a key that sells what nobody else does."""
        kit = self._kit(key)
        if kit is None:
            yield from self._shares(key)
            yield from self._kept(key)
        else:
            yield from self._components(key, kit)
        left = self._left(key)
        if left:
            yield f"{left} are left to others that owe more than their part: {self._debtors(key)}"

    def _kit(self, key: StockKey) -> Kit | None:
        return self._policies.kits.kit(key.channel, key.sku) if self._policies.kits else None

    def _left(self, key: StockKey) -> int:
        return left_to_others(pools_of(key, self._policies), self._beside.debts)

    def _debtors(self, key: StockKey) -> str:
        others = (member.key for pool in pools_of(key, self._policies) for member in pool.others)
        owing = dict.fromkeys(other for other in others if other in self._beside.debts)
        return ", ".join(
            f"{other.sku} in {other.channel} owes {self._beside.debts[other]}" for other in owing
        )

    def _offered(self, key: StockKey, kit: Kit) -> dict[str, int]:
        rows = ((sku, self._beside.rows.get(StockKey(key.channel, sku))) for sku, _ in kit.components)
        return {sku: row.x_target - row.known for sku, row in rows if row is not None}

    def _shares(self, key: StockKey) -> Iterator[str]:
        for name, place in self._policies.channels[key.channel].locations.items():
            others = ", ".join(sorted(self._policies.channels_of(name) - {key.channel}))
            level = self._beside.levels.get((name, key.sku))
            figure = None if level is None else level.figure(place.sellable)
            if figure is not None and (others or place.share != WHOLE):
                beside = f", which {others} sells too" if others else ""
                yield f"{place.share} % of what is at {name}{beside}: {place.counted(figure)}"

    def _kept(self, key: StockKey) -> Iterator[str]:
        kits = self._policies.kits
        for kit in kits.with_component(key.channel, key.sku) if kits else ():
            if kit.shared:
                yield f"shared with the kit {kit.sku}, which takes {kit.pieces_of(key.sku)} for each of it"
            else:
                kept = self._offers.kept(key)[kit.sku]
                yield f"of {self._offers.whole(key)} that may be sold, {kept} are kept for the kit {kit.sku} ({kit.allotment})"

    def _components(self, key: StockKey, kit: Kit) -> Iterator[str]:
        offered = self._offered(key, kit)
        for sku, pieces in kit.components:
            part = StockKey(key.channel, sku)
            if not any(
                (name, sku) in self._beside.levels for name in self._policies.channels[key.channel].locations
            ):
                yield f"Archean has told of no {sku} at a location of {key.channel}: nothing of the kit is offered"
            elif kit.shared:
                there = offered.get(sku, 0)
                yield f"{there} of {sku} are offered, {pieces} for each kit: {there // pieces} (shared, nothing is kept)"
            else:
                kept = self._offers.kept(part)[kit.sku]
                yield (
                    f"{kept} of the {self._offers.whole(part)} of {sku} that may be sold are kept ({kit.allotment}), "
                    f"{pieces} for each kit: {kept // pieces}"
                )


def shared_kits_note(daemon: Daemon) -> dict[str, str]:
    """The window that kits carry which share their components' pieces; nothing without such kits."""
    sharing = daemon.store.rules.policies.kits.sharing
    if not sharing:
        return {}
    seconds = daemon.settings.orders.poll_seconds
    text = (
        f"{sharing} kits share their components' pieces: until an order is learnt (about {seconds} s) these may be sold a "
        "second time"
    )
    return {"shared kits": text}
