"""The configuration as the store and the loops need it, and the bounds of single steps. Plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from archsyncd.domain.feed import Figure
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Kits
from archsyncd.domain.sku_rules import sku_rules_of_text
from archsyncd.domain.stock import WHOLE, ChannelPolicy, LocationPolicy, Policies

# Why a key is parked that the rollout does not reach yet, and one whose channel no location fills any more.
ROLLOUT = "rollout"
LET_GO = "let_go"


@dataclass(frozen=True, slots=True)
class Rules:
    """How quantities are made and who may be written. `rollout` None: every SKU may be written.

    `feeds`: the feeds that are read (empty: not told). What another one had told last is open to any of these.
    """

    policies: Policies
    rollout: frozenset[str] | None = None
    feeds: frozenset[str] = frozenset()

    def fingerprint(self) -> str:
        """The same for the same rules in every process: tells whether stored targets were reckoned by them."""
        rollout = None if self.rollout is None else _rollout_digest(self.rollout)
        return hashlib.sha256(repr((policies_text(self.policies, whole=False), rollout)).encode()).hexdigest()

    def mapping(self) -> str:
        """What says in which key an order's line counts, and what proves it: channels, their locations, the fallback."""
        channels = {
            name: [channel.order_location, [[each.location, each.sellable.value] for each in places]]
            for name, channel in self.policies.channels.items()
            for places in [_by_name(channel)]
        }
        whole = {"channels": channels, "fallback": self.policies.fallback_channel}
        return json.dumps(whole, sort_keys=True)

    def mapping_after(self, before: str) -> str:
        """The mapping with what was let go under an earlier one: its entries show what they showed, until it sells elsewhere."""
        past = json.loads(before) if before else {}
        left = {**past.get("let_go", {}), **past.get("channels", {})}
        let_go = {name: places for name, places in left.items() if name not in self.policies.channels}
        whole = json.loads(self.mapping())
        return json.dumps({**whole, "let_go": let_go} if let_go else whole, sort_keys=True)

    def counts_as(self, before: str) -> bool:
        """Whether an order's line counts as under an earlier mapping."""
        past = json.loads(before)
        past.pop("let_go", None)
        return bool(past == json.loads(self.mapping()))

    def newly_mapped(self, before: str) -> tuple[str, ...]:
        """Channels that an earlier mapping (of `mapping`) did not have: what was ordered from them was counted elsewhere."""
        return tuple(sorted(set(self.policies.channels) - set(json.loads(before)["channels"])))

    def parks(self, key: StockKey) -> str | None:
        """Why a key that nothing else parks may not be written.

        Orders of a channel that is not ours any more are not counted: whatever was written there would undo them.
        """
        if key.channel not in self.policies.channels:
            return LET_GO
        return None if self.rollout is None or key.sku in self.rollout else ROLLOUT

    def remembering(self, before: Policies) -> Rules:
        """These rules, knowing what was sold where by the rules before: what that still shows is waited for."""
        return replace(self, policies=self.policies.remembering(before))

    def forgetting(self) -> Rules:
        """These rules, what was sold by earlier ones being settled."""
        return replace(self, policies=self.policies.forgetting())

    def retiring(self, before: str) -> Rules:
        """These rules, and the channels of an earlier mapping (of `mapping`) whose locations sell elsewhere now, or nowhere.

        Such a channel has no location left: its goods are on sale in another one, or are stated to be for sale no more
        (`ignored`), so what it still offers is drawn down to what it owes. A channel whose locations are merely unmapped is let
        go, once a person allows it: an unmapped location is never zero. It is drawn down all the same as soon as one of its
        locations sells elsewhere, and is waited for until then.
        """
        policies = self.policies
        told = json.loads(before) if before else {}
        past: dict[str, Any] = {**told.get("let_go", {}), **told.get("channels", {})}
        gone = {
            name: ChannelPolicy(name, {})
            for name, (_, places) in past.items()
            if name not in policies.channels
            and (
                not places
                or any(place in policies.by_location for place, _ in places)
                or (name in told["channels"] and all(place in policies.ignored for place, _ in places))
            )
        }
        if not gone:
            return self
        sold = {
            place: policies.past.get(place, frozenset())
            | {name for name in gone if place in _places_in(past[name])}
            for place in policies.by_location
        }
        shown = {**policies.past, **{place: names for place, names in sold.items() if names}}
        return replace(self, policies=replace(policies, channels={**policies.channels, **gone}, past=shown))


def _places_in(told: Any) -> set[str]:
    """The locations of a channel as a mapping tells it."""
    return {place for place, _ in told[1]}


@lru_cache(maxsize=4)
def _rollout_digest(rollout: frozenset[str]) -> str:
    # Asked for every second, of a list that may name any number of SKUs and changes with a reload at most.
    return hashlib.sha256(json.dumps(sorted(rollout)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Turn:
    """This process's run number and its monotonic clock in milliseconds: what pacing and backoff are kept in."""

    run: int
    now: int
    fence: int
    ledger: str


@dataclass(frozen=True, slots=True)
class DrainLimits:
    """What may be leased now: only decreases; paused channels; so many increases older than `overdue_before_ms` first.

    `orders_complete_ms`: orders are known completely up to this time of commercetools' clock.
    """

    increases: bool = True
    paused: tuple[str, ...] = ()
    overdue_before_ms: int = 0
    overdue_keys: int = 0
    absolute: bool = False
    orders_complete_ms: int = 0


@dataclass(frozen=True, slots=True)
class SettleRules:
    """Waits in milliseconds: between increases of a key, and until a key taken over is read once more.

    `orders_complete_ms`: orders are known completely up to this server time. `tenure_since_ms`: the server time since which
    nobody but us writes for this ledger (0: not known yet); orders complete up to there are all that a marker of ours counts.
    `late_ms`: for so long a request of the lease's former holder may still land. `server_now_ms`: commercetools' clock.
    """

    increase_interval_ms: int
    confirm_ms: int
    orders_complete_ms: int
    tenure_since_ms: int = 0
    late_ms: int = 0
    server_now_ms: int = 0


@dataclass(frozen=True, slots=True)
class LearnRules:
    """How orders are taken in. Times in UTC milliseconds.

    `channel_keys`: supply channel ids to keys. `reflected_before_ms`: the site's statement that older orders are in
    Archean's figures. `settled_before_ms`: older orders that are done when they are first met carry no open units.
    `lookup_after_ms`, `refresh_after_ms`: when an unproven order is asked for, and an open one read again.
    `restores_on_cancel`: commercetools gives stock back when an order is cancelled. `hand_over_since_ms`: since when orders
    are handed over by us, None where another system does. `run_since_ms`: what was placed before may have been handed over by
    another run of ours.
    """

    channel_keys: Mapping[str, str]
    reflected_before_ms: int
    settled_before_ms: int
    lookup_after_ms: int
    refresh_after_ms: int
    restores_on_cancel: bool
    hand_over_since_ms: int | None = None
    run_since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Carrying:
    """How orders are carried. `ready_state`: picked goods are told of; `short_closes`: what is picked short is closed at once.

    `not_goods`: patterns of SKUs that no warehouse ships (downloads, gift cards), as of the shell: `*`, `?`, `[...]`.
    """

    ready_state: bool = False
    short_closes: bool = False
    not_goods: tuple[str, ...] = ()


def policies_text(policies: Policies, *, whole: bool = True) -> str:
    """Policies as text that `policies_of_text` reads; the same for the same policies.

    Not `whole`: rules of single SKUs and kits, which may be very many, stand in it by their digest.
    """
    kits = policies.kits and (policies.kits.text() if whole else policies.kits.digest)
    channels = {
        name: [
            [_place_values(each) for each in _by_name(channel)],
            channel.safety_stock,
            channel.percentage,
            channel.maximum,
            channel.order_location,
            channel.maximum_factor,
            *([channel.skus.text if whole else channel.skus.digest] if channel.skus else []),
        ]
        for name, channel in policies.channels.items()
    }
    rest: list[Any] = [policies.fallback_channel, policies.tracked, policies.reflection_seconds]
    if kits:
        rest.append(kits)
    return json.dumps([channels, sorted(policies.ignored), sorted(policies.withheld), *rest], sort_keys=True)


def _place_values(place: LocationPolicy) -> list[Any]:
    shared = [] if place.share == WHOLE else [place.share]
    return [place.location, place.sellable.value, place.buffer, *shared]


def past_text(policies: Policies) -> tuple[str, str] | None:
    """What was sold where by earlier rules, as two texts that `with_past` reads; None where that is nothing."""
    if not policies.past and not policies.past_kits:
        return None
    return json.dumps(
        {name: sorted(each) for name, each in sorted(policies.past.items())}
    ), policies.past_kits.text()


def with_past(policies: Policies, locations: str, kits: str) -> Policies:
    """Policies with what `past_text` wrote."""
    past = {name: frozenset(each) for name, each in json.loads(locations).items()}
    return replace(policies, past=past, past_kits=Kits.of_text(kits))


def policies_of_text(text: str) -> Policies:
    """The policies that `policies_text` wrote, of this version or one before."""
    channels, ignored, withheld, fallback, tracked, reflection, *kits = json.loads(text)
    made = {}
    for name, (places, safety, percentage, maximum, order_location, factor, *skus) in channels.items():
        locations = {
            location: LocationPolicy(location, name, Figure(sells), buffer, *share)
            for location, sells, buffer, *share in places
        }
        made[name] = ChannelPolicy(
            name,
            locations,
            safety,
            percentage,
            maximum,
            order_location,
            factor,
            sku_rules_of_text(skus[0] if skus else ""),
        )
    found = Kits.of_text(kits[0]) if kits else Kits()
    return Policies(made, frozenset(ignored), frozenset(withheld), fallback, tracked, reflection, found)


def _by_name(channel: ChannelPolicy) -> list[LocationPolicy]:
    return sorted(channel.locations.values(), key=lambda each: each.location)
