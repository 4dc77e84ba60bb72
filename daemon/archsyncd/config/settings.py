"""All settings, frozen, and with them the one table of keys; each key is declared beside its field. Reads no file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from archsyncd.config.goods import SKU, GoodsSettings, KitSettings
from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, Table, TableList, TableMap
from archsyncd.config.naming import AliasSettings, UnitSettings
from archsyncd.config.platform import CommercetoolsSettings, DrainSettings, LeaseSettings, ReconcileSettings
from archsyncd.config.reporting import ReportSettings
from archsyncd.config.rules import (
    FulfilmentSettings,
    GuardSettings,
    HealthSettings,
    OrderSettings,
    RolloutSettings,
)
from archsyncd.config.service import (
    DEFAULT_OWNER,
    EXCEPTION_KINDS,
    AlertSettings,
    DaemonSettings,
    OwnerSettings,
    StatusSettings,
    shipped_owners,
)
from archsyncd.config.sources import (
    CHANNEL_KEY,
    LOCATION_NAME,
    ChannelSettings,
    FeedSettings,
    LocationSettings,
)


def _no_locations() -> Mapping[str, LocationSettings]:
    return MappingProxyType({})


def _no_channels() -> Mapping[str, ChannelSettings]:
    return MappingProxyType({})


def _no_kits() -> Mapping[str, KitSettings]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration as the program uses it: checked, complete, never changed in place."""

    daemon: DaemonSettings = field(
        default_factory=DaemonSettings,
        metadata=key(Table(DaemonSettings), "The process itself."),
    )
    commercetools: CommercetoolsSettings = field(
        metadata=key(
            Table(CommercetoolsSettings, credential="commercetools-client-secret"),
            "The commercetools project and how hard it may be used.",
        ),
    )
    feeds: tuple[FeedSettings, ...] = field(
        default=(),
        metadata=key(
            TableList(FeedSettings, credential="feed-{name}"),
            "One table per source of Archean records. At least one is needed.",
            name="feed",
        ),
    )
    locations: Mapping[str, LocationSettings] = field(
        default_factory=_no_locations,
        metadata=key(
            TableMap(LocationSettings, LOCATION_NAME),
            """Which Archean location fills which supply channel. Names are compared exactly. A record from a location
            that is not listed is an exception.""",
        ),
    )
    channels: Mapping[str, ChannelSettings] = field(
        default_factory=_no_channels,
        metadata=key(
            TableMap(ChannelSettings, CHANNEL_KEY),
            "Rules for the quantity published on a channel; a channel without a table has the defaults.",
        ),
    )
    aliases: AliasSettings = field(
        default_factory=AliasSettings,
        metadata=key(Table(AliasSettings), "SKUs that Archean and commercetools write differently."),
    )
    units: UnitSettings = field(
        default_factory=UnitSettings,
        metadata=key(Table(UnitSettings), "Units of measure that Archean tells quantities in."),
    )
    kits: Mapping[str, KitSettings] = field(
        default_factory=_no_kits,
        metadata=key(
            TableMap(KitSettings, SKU),
            """SKUs that are sold as one and lie on the shelf as others. A kit's figure is reckoned from its components'
            levels; Archean tells none of its own.""",
        ),
    )
    goods: GoodsSettings = field(
        default_factory=GoodsSettings,
        metadata=key(Table(GoodsSettings), "What is told of many SKUs in files."),
    )
    drain: DrainSettings = field(
        default_factory=DrainSettings,
        metadata=key(Table(DrainSettings), "How wanted figures are written."),
    )
    rollout: RolloutSettings = field(
        default_factory=RolloutSettings,
        metadata=key(Table(RolloutSettings), "Going live in steps."),
    )
    guards: GuardSettings = field(
        default_factory=GuardSettings,
        metadata=key(Table(GuardSettings), "Limits beyond which a full batch waits for a person's approval."),
    )
    orders: OrderSettings = field(
        default_factory=OrderSettings,
        metadata=key(Table(OrderSettings), "How orders are learnt and how their effect on stock is proven."),
    )
    fulfilment: FulfilmentSettings = field(
        default_factory=FulfilmentSettings,
        metadata=key(Table(FulfilmentSettings), "What warehouse work does to orders."),
    )
    health: HealthSettings = field(
        default_factory=HealthSettings,
        metadata=key(Table(HealthSettings), "When silence becomes dangerous."),
    )
    lease: LeaseSettings = field(
        default_factory=LeaseSettings,
        metadata=key(Table(LeaseSettings), "Which host may write."),
    )
    reconcile: ReconcileSettings = field(
        default_factory=ReconcileSettings,
        metadata=key(Table(ReconcileSettings), "Comparing what is published with what should be."),
    )
    owners: Mapping[str, OwnerSettings] = field(
        default_factory=shipped_owners,
        metadata=key(
            TableMap(OwnerSettings, Choice((DEFAULT_OWNER, *EXCEPTION_KINDS))),
            "Who acts on which kind of exception; `default` covers every kind that is not named.",
        ),
    )
    alerts: AlertSettings = field(
        default_factory=AlertSettings,
        metadata=key(
            Table(AlertSettings, credential="alert-webhook"),
            "Where alerts go besides the journal, which always has them.",
        ),
    )
    reports: ReportSettings = field(
        default_factory=ReportSettings,
        metadata=key(Table(ReportSettings), "What people are expected to read."),
    )
    status: StatusSettings = field(
        default_factory=StatusSettings,
        metadata=key(Table(StatusSettings, credential="status-token"), "The status page and the metrics."),
    )

    def owner(self, kind: str) -> OwnerSettings:
        """Who acts on exceptions of this kind."""
        return self.owners.get(kind, self.owners[DEFAULT_OWNER])

    def escalates_to(self, kind: str) -> str:
        """Whom exceptions of this kind are escalated to."""
        return self.owner(kind).escalate_to or self.owners[DEFAULT_OWNER].team

    def feed(self, name: str) -> FeedSettings:
        """The feed of this name. Raises KeyError."""
        for feed in self.feeds:
            if feed.name == name:
                return feed
        raise KeyError(name)

    def locations_of_feed(self, name: str) -> tuple[str, ...]:
        """The locations that a feed is expected to tell of, in the file's order; empty where that is not known."""
        mapped = [place for place, settings in self.locations.items() if not settings.ignore]
        own = self.feed(name).locations
        if own:
            return tuple(place for place in mapped if place in own)
        # One that stands beside this feed tells of the same places.
        others = [feed for feed in self.feeds if name not in (feed.name, feed.snapshot_from)]
        if not all(feed.locations for feed in others):
            return ()
        taken = {place for feed in others for place in feed.locations}
        return tuple(place for place in mapped if place not in taken)

    def channel(self, name: str) -> ChannelSettings:
        """The rules of this channel, the defaults where it has no table."""
        return self.channels.get(name, ChannelSettings())

    def locations_of(self, channel: str) -> tuple[str, ...]:
        """The locations that fill this channel, in the file's order."""
        return tuple(name for name, place in self.locations.items() if channel in place.channels)
