"""From settings to the values that the parts are built from. Opens nothing and decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from archsyncd.config import FeedSettings, Settings, zone_of
from archsyncd.config.sources import ANSWERING, NONE_ACCEPTED
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.handover import EligibleRule, Placement
from archsyncd.domain.quiet import QuietHours
from archsyncd.domain.reconciling import RaiseGuard
from archsyncd.domain.rules import Carrying, Rules
from archsyncd.domain.stock import WHOLE, ChannelPolicy, LocationPolicy, Policies
from archsyncd.engine.bases import BaseOptions
from archsyncd.engine.dispatching import DispatchOptions
from archsyncd.engine.drain import DrainOptions
from archsyncd.engine.handing_over import HandOverOptions
from archsyncd.engine.orders import OrderOptions
from archsyncd.engine.proving import ProvingOptions
from archsyncd.engine.reconcile import ReconcileOptions
from archsyncd.engine.renaming import Permission
from archsyncd.engine.tail import TailOptions
from archsyncd.listed_files import RolloutFault, kits_of
from archsyncd.policy_files import sku_rules_of

SWEEP_EVERY_SECONDS = 15.0
LOOKUP_AFTER_SECONDS = 30.0
REFRESH_AFTER_SECONDS = 3_600.0
REQUEST_LIMIT_SECONDS = (
    60.0  # commercetools ends every request by then: nothing of a predecessor lands after it
)
CONFIRM_MARGIN_SECONDS = 15.0
ROLLOUT_LIMIT_SKUS = 1_000_000


def policies_of(settings: Settings, withheld: frozenset[str] = frozenset()) -> Policies:
    """How quantities are made: every mapped location with its channel's rules, and kits. Raises RolloutFault."""
    by_channel: dict[str, dict[str, LocationPolicy]] = {}
    ignored = set()
    for name, location in settings.locations.items():
        if location.ignore:
            ignored.add(name)
            continue
        for channel in location.channels:
            share = location.shares.get(channel, WHOLE)
            policy = LocationPolicy(name, channel, location.sellable, location.buffer, share)
            by_channel.setdefault(channel, {})[name] = policy
    channels = {name: _channel_policy(settings, name, locations) for name, locations in by_channel.items()}
    fallback = settings.locations.get(settings.orders.default_location)
    return Policies(
        channels,
        frozenset(ignored),
        withheld,
        fallback.channel if fallback is not None else None,
        tracked=settings.commercetools.inventory_mode == "tracked",
        reflection_seconds=settings.orders.reflection.accepted_after_seconds,
        kits=kits_of(settings),
    )


def _channel_policy(settings: Settings, name: str, locations: dict[str, LocationPolicy]) -> ChannelPolicy:
    channel = settings.channel(name)
    return ChannelPolicy(
        name,
        locations,
        channel.safety_stock,
        channel.percentage,
        channel.maximum,
        channel.order_location or "",
        channel.maximum_factor,
        sku_rules_of(channel),
    )


def rules_of(settings: Settings) -> Rules:
    """Policies and the rollout. Raises RolloutFault and PolicyFileFault."""
    stage, listed = settings.rollout.stage, settings.rollout.skus_file
    rollout: frozenset[str] | None = None
    if stage == "plan":
        rollout = frozenset()
    elif stage == "allow-list" and listed is not None:
        rollout = frozenset(read_skus(listed))
    return Rules(policies_of(settings), rollout, frozenset(feed.name for feed in settings.feeds))


def read_skus(path: Path) -> Iterable[str]:
    """SKUs, one a line; empty lines and lines that begin with # do not count. Raises RolloutFault."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RolloutFault(f"rollout.skus_file {path} cannot be read: {error}") from error
    if len(lines) > ROLLOUT_LIMIT_SKUS:
        raise RolloutFault(f"rollout.skus_file {path} has more than {ROLLOUT_LIMIT_SKUS} lines")
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def guards_of(settings: Settings) -> GuardLimits:
    """Limits beyond which a full is held."""
    guards = settings.guards
    return GuardLimits(
        guards.minimum_records_percent,
        guards.maximum_to_zero_percent,
        guards.maximum_changed_percent,
        guards.maximum_unmapped_percent,
    )


def renaming_permission(settings: Settings) -> Permission:
    """How much aliases may rename without a person's word."""
    return Permission(settings.guards.maximum_to_zero_percent, settings.aliases.accept)


def drain_options(settings: Settings, ledger: str, fence: int) -> DrainOptions:
    """How the drain writes."""
    project = settings.commercetools
    return DrainOptions(
        write_batch=project.write_batch,
        batch_token_cost=float(project.batch_token_cost),
        increase_interval_seconds=float(settings.drain.increase_interval_seconds),
        confirm_seconds=REQUEST_LIMIT_SECONDS + CONFIRM_MARGIN_SECONDS,
        tracked=project.inventory_mode == "tracked",
        writes=settings.rollout.stage != "plan",
        ledger=ledger,
        fence=fence,
    )


def base_options(settings: Settings) -> BaseOptions:
    """What may be created, and how late orders show."""
    project = settings.commercetools
    return BaseOptions(
        create_missing=project.create_missing_entries,
        check_products=project.check_products,
        lag_seconds=float(settings.reconcile.settle_seconds),
        tracked=project.inventory_mode == "tracked",
        sample_keys_per_minute=settings.reconcile.sample_keys_per_minute,
        raises=RaiseGuard(settings.reconcile.maximum_raises, settings.reconcile.maximum_raises_permille),
    )


def reconcile_options(settings: Settings) -> ReconcileOptions:
    """When the whole inventory is compared, and how late orders show."""
    return ReconcileOptions(
        settings.reconcile.nightly_at,
        float(settings.reconcile.settle_seconds),
        tracked=settings.commercetools.inventory_mode == "tracked",
    )


def order_options(settings: Settings) -> OrderOptions:
    """How orders are learnt."""
    orders = settings.orders
    return OrderOptions(
        poll_seconds=float(orders.poll_seconds),
        settle_seconds=float(orders.settle_seconds),
        history_days=orders.history_days,
        sweep_every_seconds=SWEEP_EVERY_SECONDS,
        reflected_before_ms=_reflected_before_ms(settings),
        lookup_after_seconds=LOOKUP_AFTER_SECONDS,
        refresh_after_seconds=REFRESH_AFTER_SECONDS,
        restores_on_cancel="cancel" in settings.commercetools.restores_stock_on,
        hands_over=hands_over(settings),
        client_id=settings.commercetools.client_id,
    )


def hands_over(settings: Settings) -> bool:
    """Whether orders are carried to Archean, and dispatches back, by us."""
    return settings.orders.mode == "hand-over"


def carrying_of(settings: Settings) -> Carrying | None:
    """How the store carries orders; None where another system does."""
    if not hands_over(settings):
        return None
    fulfilment = settings.fulfilment
    return Carrying(fulfilment.ready_state, fulfilment.short == "close", settings.orders.not_goods)


def hand_over_options(settings: Settings) -> HandOverOptions:
    """How orders are handed over."""
    orders, eligible = settings.orders, settings.orders.eligible
    rule = EligibleRule(
        frozenset(eligible.order_state),
        frozenset(eligible.payment_state),
        frozenset(eligible.store),
        eligible.custom_field,
        frozenset(eligible.custom_values),
    )
    return HandOverOptions(
        rule,
        orders.duplicate_protection,
        orders.stalled_minutes * 60.0,
        float(orders.settle_seconds),
        orders.not_goods,
    )


def dispatch_options(settings: Settings) -> DispatchOptions:
    """How dispatches are booked."""
    fulfilment = settings.fulfilment
    return DispatchOptions(
        fulfilment.unknown_minutes * 60.0,
        settings.orders.stalled_minutes * 60.0,
        short_closes=fulfilment.short == "close",
        ready_state=fulfilment.ready_state,
        not_goods=settings.orders.not_goods,
    )


def placement_of(settings: Settings, channel_keys: Mapping[str, str], policies: Policies) -> Placement:
    """Where orders' lines go. `channel_keys`: supply channel ids to keys, as commercetools has them."""
    sources = {
        location: _taker(settings, feed)
        for feed in settings.feeds
        for location in settings.locations_of_feed(feed.name)
    }
    return Placement(
        channel_keys, policies, settings.orders.default_location, settings.orders.hand_over_to, sources
    )


def _taker(settings: Settings, feed: FeedSettings) -> str:
    """Whose source takes orders of what a feed tells of: its own, or that of the feed beside one that takes none."""
    if feed.transport in ANSWERING:
        return feed.name
    return settings.orders.hand_over_to if feed.snapshot_from == NONE_ACCEPTED else feed.snapshot_from


def _reflected_before_ms(settings: Settings) -> int:
    before = settings.orders.reflected_before
    return 0 if before is None else int(before.timestamp() * 1000)


def proving_options(settings: Settings) -> ProvingOptions:
    """Limits of waiting for proofs."""
    return ProvingOptions(
        unproven_minutes=float(settings.orders.unproven_minutes),
        settle_seconds=float(settings.orders.settle_seconds),
        poll_seconds=float(settings.orders.poll_seconds),
        refresh_after_seconds=REFRESH_AFTER_SECONDS,
        linearizable=frozenset(feed.name for feed in settings.feeds if feed.linearizable),
        reflected_before_ms=_reflected_before_ms(settings),
        beside={
            feed.name: feed.snapshot_from
            for feed in settings.feeds
            if feed.transport not in ANSWERING and feed.snapshot_from != NONE_ACCEPTED
        },
    )


def quiet_of(feed: FeedSettings) -> QuietHours:
    """When no news is expected of a feed."""
    return QuietHours(feed.quiet, zone_of(feed.timezone))


def alert_hours(settings: Settings) -> QuietHours:
    """When what is not critical is told to nobody."""
    return QuietHours(settings.alerts.quiet, zone_of(settings.alerts.timezone))


def rests(settings: Settings, feed: str, now_ms: int) -> bool:
    """Whether no news is expected of a feed just now."""
    return any(quiet_of(each).holds(now_ms) for each in settings.feeds if each.name == feed)


def channel_rests(settings: Settings, channel: str, now_ms: int) -> bool:
    """Whether no news is expected just now of any location of a channel."""
    places = set(settings.locations_of(channel))
    telling = [
        feed for feed in settings.feeds if places & set(settings.locations_of_feed(feed.name) or places)
    ]
    return bool(telling) and all(quiet_of(feed).holds(now_ms) for feed in telling)


def intervals_of(settings: Settings) -> dict[str, float]:
    """How often each feed is expected to give a sign of life."""
    return {feed.name: float(feed.interval_seconds) for feed in settings.feeds}


def tail_options(settings: Settings, feed: str) -> TailOptions:
    """How one feed is tailed: which locations it is asked for, and when a full of it is held."""
    interval = float(settings.feed(feed).interval_seconds)
    locations = settings.locations_of_feed(feed)
    said = settings.feed(feed)
    parts_seconds = said.snapshot_timeout_minutes * 60.0 if said.transport == "pubsub" else None
    # A caller is not to wait for an answer while keys are read.
    keys_seconds = 2.0 if said.transport == "push" else 20.0
    return TailOptions(
        interval, locations, guards_of(settings), settings.guards.absent, parts_seconds, keys_seconds
    )
