"""What a key may sell of the levels, whatever else sells the same pieces. Knows nothing of orders and of what is published.

A component is offered without what is kept for the kits it is in; a kit with an allotment is as many as what is kept of each
of its components makes.
"""

from __future__ import annotations

from collections.abc import Mapping

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Kit, kits_made_of, reserves
from archsyncd.domain.stock import WHOLE, ChannelPolicy, Policies, Stated, sellable_quantity


def kits_offered(policy: ChannelPolicy, kit: Kit, made: int) -> int:
    """How many kits of those that can be made are offered, by the rule of the kit's own SKU, in kits.

    The channel's safety stock and percentage are its components' already: they count a second time by a rule of the kit alone.
    """
    rule = policy.skus.of(kit.sku) if policy.skus else None
    if rule is None:
        return made
    if made <= 0 or not rule.offer:
        return min(made, 0)
    sold = made if rule.percentage is None else made * rule.percentage // WHOLE
    # What is held back of a kit is nothing that it owes: its components would leave pieces for it.
    return max(sold - (rule.safety_stock or 0), 0)


class Offers:
    """f of keys by their own part of what they share. `levels`: by location and SKU, of every key that is asked about."""

    def __init__(self, policies: Policies, levels: Mapping[tuple[str, str], Stated]) -> None:
        self._policies = policies
        self._levels = levels
        self._whole: dict[StockKey, int] = {}
        self._kept: dict[StockKey, Mapping[str, int]] = {}

    def whole(self, key: StockKey) -> int:
        """f(W) of a SKU with levels of its own, before anything is kept for kits."""
        if key not in self._whole:
            policy = self._policies.channels[key.channel].of(key.sku)
            own = [
                level for name in policy.locations if (level := self._levels.get((name, key.sku))) is not None
            ]
            self._whole[key] = sellable_quantity(policy, own, self._policies.withheld)
        return self._whole[key]

    def kept(self, key: StockKey) -> Mapping[str, int]:
        """Pieces of it that are kept for kits, by kit."""
        if key not in self._kept:
            kits = self._policies.kits
            using = kits.with_component(key.channel, key.sku) if kits else ()
            self._kept[key] = reserves(self.whole(key), key.sku, using) if using else {}
        return self._kept[key]

    def of(self, key: StockKey) -> int:
        """What is offered of the key; of a kit that shares its components' pieces, as if nothing of them were ordered."""
        kit = self._policies.kits.kit(key.channel, key.sku) if self._policies.kits else None
        if kit is None:
            return self.whole(key) - sum(self.kept(key).values())
        parts = [StockKey(key.channel, sku) for sku, _ in kit.components]
        if kit.shared:
            made = kits_made_of(kit, {part.sku: self.of(part) for part in parts})
        else:
            made = kits_made_of(kit, {part.sku: self.kept(part)[kit.sku] for part in parts})
        return kits_offered(self._policies.channels[key.channel], kit, made)
