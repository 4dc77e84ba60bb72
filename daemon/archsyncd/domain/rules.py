"""The configuration as the store and the loops need it, and the bounds of single steps. Plain values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from archsyncd.domain.stock import Policies


@dataclass(frozen=True, slots=True)
class Rules:
    """How quantities are made and who may be written. `rollout` None: every SKU may be written."""

    policies: Policies
    rollout: frozenset[str] | None = None

    def fingerprint(self) -> str:
        """The same for the same rules in every process: tells whether stored targets were reckoned by them."""
        policies = self.policies
        channels = [
            (
                name,
                (channel.safety_stock, channel.percentage, channel.maximum, channel.order_location),
                [(each.location, each.sellable.value, each.buffer) for each in channel.locations.values()],
            )
            for name, channel in sorted(policies.channels.items())
        ]
        rollout = None if self.rollout is None else sorted(self.rollout)
        others = (policies.fallback_channel, policies.tracked, policies.reflection_seconds)
        whole = (channels, sorted(policies.ignored), sorted(policies.withheld), others, rollout)
        return hashlib.sha256(repr(whole).encode()).hexdigest()

    def mapping(self) -> str:
        """What says in which key an order's line counts, and what proves it: channels, their locations, the fallback."""
        channels = {
            name: [channel.order_location, [[each.location, each.sellable.value] for each in places]]
            for name, channel in self.policies.channels.items()
            for places in [sorted(channel.locations.values(), key=lambda each: each.location)]
        }
        whole = {"channels": channels, "fallback": self.policies.fallback_channel}
        return json.dumps(whole, sort_keys=True)

    def newly_mapped(self, before: str) -> tuple[str, ...]:
        """Channels that an earlier mapping (of `mapping`) did not have: what was ordered from them was counted elsewhere."""
        return tuple(sorted(set(self.policies.channels) - set(json.loads(before)["channels"])))

    def parked_at_birth(self, sku: str) -> str | None:
        """Why a new key may not be written yet."""
        return None if self.rollout is None or sku in self.rollout else "rollout"


@dataclass(frozen=True, slots=True)
class Turn:
    """This process's run number and its monotonic clock in milliseconds: what pacing and backoff are kept in."""

    run: int
    now: int
    fence: int
    ledger: str


@dataclass(frozen=True, slots=True)
class DrainLimits:
    """What may be leased now: only decreases, paused channels, increases older than `overdue_before_ms` first."""

    increases: bool = True
    paused: tuple[str, ...] = ()
    overdue_before_ms: int = 0
    absolute: bool = False


@dataclass(frozen=True, slots=True)
class SettleRules:
    """Waits in milliseconds: between increases of a key, and until a key taken over is read once more.

    `orders_complete_ms`: orders are known completely up to this server time. `tenure_since_ms`: the server time since which
    nobody but us writes for this ledger (0: not known yet); orders complete up to there are all that a marker of ours counts.
    `late_ms`: for so long a request of the lease's former holder may still land.
    """

    increase_interval_ms: int
    confirm_ms: int
    orders_complete_ms: int
    tenure_since_ms: int = 0
    late_ms: int = 0


@dataclass(frozen=True, slots=True)
class LearnRules:
    """How orders are taken in. Times in UTC milliseconds.

    `channel_keys`: supply channel ids to keys. `reflected_before_ms`: the site's statement that older orders are in
    Archean's figures. `settled_before_ms`: older orders that are done when they are first met carry no open units.
    `lookup_after_ms`, `refresh_after_ms`: when an unproven order is asked for, and an open one read again.
    `restores_on_cancel`: commercetools gives stock back when an order is cancelled.
    """

    channel_keys: Mapping[str, str]
    reflected_before_ms: int
    settled_before_ms: int
    lookup_after_ms: int
    refresh_after_ms: int
    restores_on_cancel: bool
