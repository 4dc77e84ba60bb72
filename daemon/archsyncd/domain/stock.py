"""f(W): from Archean's levels to the quantity a supply channel may sell. Knows nothing of orders or of commercetools.

For a channel with levels W_loc at its locations: w = Σ (W_loc − buffer_loc); g = ⌊w · percentage / 100⌋ when w > 0, else
w; f = g − safety_stock. Nothing is clamped: a negative figure is a debt of the warehouse, and clamping it would invent
units at the next increase. f(W) ≤ ΣW holds for every input with percentage ≤ 100 and buffers and safety stock ≥ 0.

A location may be shared among channels: each takes the floor of its share of a positive (W_loc − buffer_loc), and the whole
of a negative one. Shares come to 100 at most, so the sum over all channels stays below W, whatever W is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.kits import Kits
from archsyncd.domain.sku_rules import SkuRules

NO_RULES = SkuRules()
WHOLE = 100


@dataclass(frozen=True, slots=True)
class LocationPolicy:
    """How one Archean location sells: in which supply channel, by which figure, holding how many pieces back.

    `share`: percent of what lies there that this channel may sell; a location in several channels has one policy in each.
    """

    location: str
    channel: str
    sellable: Figure = Figure.AVAILABLE
    buffer: int = 0
    share: int = WHOLE

    def counted(self, quantity: int) -> int:
        """What this channel counts of the location's figure; a debt counts whole."""
        left = quantity - self.buffer
        return left * self.share // WHOLE if self.share != WHOLE and left > 0 else left


@dataclass(frozen=True, slots=True)
class ChannelPolicy:
    """The rules of one supply channel, in pieces.

    `maximum`: a level that rises above it is held for a person; so is one that rises to more than `maximum_factor` times what
    it was (0: any rise may go).
    `order_location` is where its orders are fulfilled when several locations share the channel ("": Archean chooses).
    `skus`: what differs for single SKUs; `of` gives the policy of one. `offer` False: nothing of it is offered, and debts stay.
    """

    channel: str
    locations: Mapping[str, LocationPolicy]
    safety_stock: int = 0
    percentage: int = 100
    maximum: int = 100_000_000
    order_location: str = ""
    maximum_factor: int = 0
    skus: SkuRules = NO_RULES
    offer: bool = True

    def of(self, sku: str) -> ChannelPolicy:
        """The policy of one SKU, which is the channel's where no rule is about it."""
        rule = self.skus.of(sku) if self.skus else None
        if rule is None:
            return self
        return ChannelPolicy(
            self.channel,
            self.locations,
            self.safety_stock if rule.safety_stock is None else rule.safety_stock,
            self.percentage if rule.percentage is None else rule.percentage,
            self.maximum,
            self.order_location,
            self.maximum_factor,
            offer=rule.offer,
        )

    def place_of(self, told: str | None) -> str | None:
        """The location a line is fulfilled from: as told, as configured, or the only one; None when it stays open."""
        if told:
            return told
        if self.order_location:
            return self.order_location
        return next(iter(self.locations)) if len(self.locations) == 1 else None


@dataclass(frozen=True, slots=True)
class StoredLevel:
    """The last merged level of one (SKU, location) and the place in its feed that it stands at."""

    location: str
    feed: str
    position: Position
    on_hand: int | None
    available: int | None
    as_of_ms: int | None = None
    orders_through_ms: int | None = None

    def figure(self, figure: Figure) -> int | None:
        """The figure asked for, None when the source never stated it."""
        return self.on_hand if figure is Figure.ON_HAND else self.available


@dataclass(frozen=True, slots=True)
class Policies:
    """All channels' rules, and which location belongs to which of them.

    `ignored` locations are read and not sold. `withheld` locations offer nothing while their feed is critical; what they
    owe still counts.
    `fallback_channel` is where lines without a supply channel are fulfilled from, None when that is not configured.
    `tracked`: commercetools moves stock at order creation. `reflection_seconds`: the weaker, configured proof (None: off).
    `kits`: SKUs that are sold as one and lie on the shelf as others. `past`: channels that sold a location before, and
    `past_kits` what were kits before: what they still show counts until it is drawn down.
    """

    channels: Mapping[str, ChannelPolicy]
    ignored: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    fallback_channel: str | None = None
    tracked: bool = True
    reflection_seconds: int | None = None
    kits: Kits = field(default_factory=Kits)
    past: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)
    past_kits: Kits = field(default_factory=Kits, compare=False)
    by_location: Mapping[str, tuple[LocationPolicy, ...]] = field(init=False)
    judging: Mapping[str, ChannelPolicy] = field(init=False, compare=False)
    sharing: Mapping[str, frozenset[str]] = field(init=False, compare=False)
    peers: Mapping[str, frozenset[str]] = field(init=False, compare=False)
    pooled: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        places: dict[str, tuple[LocationPolicy, ...]] = {}
        for channel in self.channels.values():
            for name, policy in channel.locations.items():
                places[name] = (*places.get(name, ()), policy)
        names = {name: frozenset(each.channel for each in own) for name, own in places.items()}
        with_past = {
            name: own | (self.past.get(name, frozenset()) & self.channels.keys())
            for name, own in names.items()
        }
        object.__setattr__(self, "by_location", places)
        object.__setattr__(self, "judging", {name: self._judging(own) for name, own in places.items()})
        object.__setattr__(self, "sharing", _beside(names))
        object.__setattr__(self, "peers", _beside(with_past))
        object.__setattr__(self, "pooled", bool(self.peers or self.kits or self.past_kits))

    def _judging(self, own: tuple[LocationPolicy, ...]) -> ChannelPolicy:
        """By whose rules a level of the location must wait for a person: the strictest of all that sell it."""
        rules = [self.channels[each.channel] for each in own]
        if len(rules) == 1:
            return rules[0]
        factors = [each.maximum_factor for each in rules if each.maximum_factor]
        most = min(each.maximum for each in rules)
        return replace(rules[0], maximum=most, maximum_factor=min(factors, default=0))

    def channels_of(self, location: str) -> frozenset[str]:
        """The channels that a location fills."""
        return frozenset(each.channel for each in self.by_location.get(location, ()))

    def with_channels(self, channels: Mapping[str, ChannelPolicy]) -> Policies:
        """The same with other channels."""
        return replace(self, channels=channels)

    def remembering(self, before: Policies) -> Policies:
        """The same, knowing what was sold where by the rules before, and by those that these still knew of."""
        past = {
            name: more
            for name in {*self.past, *before.past, *before.by_location}
            if (
                more := self.past.get(name, frozenset())
                | before.past.get(name, frozenset())
                | before.channels_of(name)
            )
            - self.channels_of(name)
        }
        kits = before.kits.also(before.past_kits).beyond(self.kits)
        return replace(self, past=past, past_kits=kits)

    def forgetting(self) -> Policies:
        """The same, what was sold by earlier rules being settled."""
        return replace(self, past={}, past_kits=Kits())


def _beside(channels: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """By channel, the others that have a location in common with it; one that has none is not named."""
    found: dict[str, frozenset[str]] = {}
    for names in channels.values():
        if len(names) > 1:
            found.update({name: found.get(name, frozenset()) | (names - {name}) for name in names})
    return found


class Stated(Protocol):
    """A level, whoever keeps it."""

    @property
    def location(self) -> str:
        """Where."""
        ...

    def figure(self, figure: Figure) -> int | None:
        """The figure asked for, None when the source never stated it."""
        ...


def sellable_quantity(
    policy: ChannelPolicy, levels: Iterable[Stated], withheld: frozenset[str] = frozenset()
) -> int:
    """f(W) of one SKU in one channel, from the levels its locations have; a location without a level counts nothing.

    `policy` is that of the SKU (`ChannelPolicy.of`).

    Source of the rule: the definitions of the stock ledger (packaging/stock-ledger.md).
    """
    total = 0
    for level in levels:
        location = policy.locations.get(level.location)
        quantity = None if location is None else level.figure(location.sellable)
        if location is None or quantity is None:
            continue
        counted = location.counted(quantity)
        # Withholding may only take away: a location in debt stays a debt.
        total += min(counted, 0) if level.location in withheld else counted
    sold = total * policy.percentage // 100 if total > 0 else total
    offered = sold - policy.safety_stock
    return offered if policy.offer else min(offered, 0)


def needs_person(policy: ChannelPolicy, before: int | None, after: int) -> bool:
    """Whether a level must wait for a person: it rises above the channel's maximum, or by too much. A fall never waits."""
    if before is not None and after <= before:
        return False
    return after > policy.maximum or leaps(policy, before, after)


def leaps(policy: ChannelPolicy, before: int | None, after: int) -> bool:
    """Whether a level rises to more than the channel's factor of what it was; from nothing any rise is possible."""
    if not policy.maximum_factor or before is None or before <= 0:
        return False
    return after > before * policy.maximum_factor
