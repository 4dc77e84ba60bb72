"""From settings to connections: commercetools' client and the feeds, each with its limits and credential."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.adapters.commercetools.transport import TrustMissing, trusted_context
from archsyncd.adapters.pubsub import (
    Caller,
    GoogleTokens,
    NoTokens,
    PubsubFeed,
    PubsubNotices,
    PubsubOptions,
    Subscription,
)
from archsyncd.adapters.r247_drop import DropFeed, DropOptions, Readiness
from archsyncd.adapters.r247_pull import PullAuth, PullFeed, PullOptions, Sessions
from archsyncd.adapters.r247_pull.foreign import ForeignFeed
from archsyncd.adapters.webhook import PushFeed, PushOptions
from archsyncd.adapters.webhook.feed import Memory
from archsyncd.config import (
    CLIENT_SECRET,
    ORDER_NOTIFICATIONS,
    CredentialFault,
    CredentialMissing,
    FeedSettings,
    Settings,
    SignatureSettings,
)
from archsyncd.config.asking import load_source
from archsyncd.config.platform import IN_FLIGHT_MOST
from archsyncd.config.profiles import load_profile
from archsyncd.domain.fatal import EXIT_CONFIGURATION, Fatal
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.named_feed import NamedFeed
from archsyncd.engine.ports import Clock, Feed, Notices, OrderDesk, SecretFault
from archsyncd.wire.foreign.messages import MessageReader
from archsyncd.wire.profile.faults import ProfileFaults
from archsyncd.wire.pubsub import MESSAGES_LIMIT
from archsyncd.wire.webhook import Algorithm, Scheme, google_scheme

T = TypeVar("T")
SPARE_CONNECTIONS = 8


class Surroundings(Protocol):
    """What connections need of the process."""

    @property
    def clock(self) -> Clock:
        """Time."""
        ...

    @property
    def host_name(self) -> str:
        """Our name in commercetools' history."""
        ...

    @property
    def chance(self) -> Callable[[], float]:
        """Draws a number in [0, 1)."""
        ...

    def secret(self, name: str) -> str:
        """A credential's text. Raises CredentialFault, or OSError."""
        ...

    def new_id(self) -> str:
        """A fresh random id."""
        ...


def secret_of(world: Surroundings, name: str) -> Callable[[], str]:
    """What asks for a credential whenever it is needed. Raises SecretFault."""

    def ask() -> str:
        try:
            return world.secret(name)
        except CredentialFault as fault:
            raise SecretFault(str(fault)) from None
        except OSError as error:
            raise SecretFault(f"the credential {name} cannot be read: {error.strerror}") from None

    return ask


def optional_secret_of(world: Surroundings, name: str) -> Callable[[], str | None]:
    """As `secret_of`; None where there is no such credential."""
    ask_for_it = secret_of(world, name)

    def ask() -> str | None:
        try:
            world.secret(name)
        except CredentialMissing:
            return None
        except (CredentialFault, OSError):
            pass
        return ask_for_it()

    return ask


def commercetools_client(settings: Settings, world: Surroundings, limiter: Limiter) -> HttpCommercetools:
    """The client, charged to the limiter. Raises Fatal when the trust store is missing or an address is refused."""
    project = settings.commercetools
    try:
        options = ClientOptions(
            api_url=project.api_address,
            auth_url=project.auth_address,
            project_key=project.project_key,
            client_id=project.client_id,
            host_name=world.host_name,
            marker_type_key=project.marker_type_key,
            connect_seconds=float(project.connect_timeout_seconds),
            write_seconds=float(project.request_timeout_seconds),
            # The limiter bounds what is in flight, by a key that a reload changes; a pool cannot grow.
            connections=IN_FLIGHT_MOST + SPARE_CONNECTIONS,
            ca_file=project.ca_file,
            allowed=project.allow_cidr,
            carries_orders=settings.orders.mode == "hand-over",
        )
        return HttpCommercetools(
            options,
            secret=secret_of(world, CLIENT_SECRET),
            clock=world.clock,
            chance=world.chance,
            budget=limiter.charge,
            correlation=world.new_id,
        )
    except (ValueError, TrustMissing) as error:
        raise Fatal(EXIT_CONFIGURATION, f"commercetools: {error}") from error


def _nothing_remembered() -> Memory:
    raise LookupError("there is no store to remember calls")


def feed_of(
    feed: FeedSettings,
    world: Surroundings,
    beat: Callable[[], None],
    memory: Callable[[], Memory] = _nothing_remembered,
) -> Feed:
    """The feed of one [[feed]] table, which beats while it reads. `memory`: of what was received. Raises Fatal."""
    try:
        if feed.transport == "push":
            return PushFeed(push_options(feed), secret_of(world, f"feed-{feed.name}"), memory, beat)
        return _TRANSPORTS[feed.transport](feed, world, beat)
    except (ValueError, TrustMissing) as error:
        raise Fatal(EXIT_CONFIGURATION, f"feed.{feed.name}: {error}") from error


def subscription_of(
    options: PubsubOptions, world: Surroundings, credential: str, ca_file: Path | None = None
) -> Subscription:
    """A subscription with the account of a credential, or else the machine's. Raises TrustMissing."""
    caller = Caller(trusted_context(ca_file), options.networks, options.connect_seconds)
    tokens = (
        NoTokens()
        if options.emulated
        else GoogleTokens(caller, optional_secret_of(world, credential), world.clock)
    )
    return Subscription(options, caller, tokens)


def notifications_of(settings: Settings, world: Surroundings) -> tuple[PubsubOptions, Subscription]:
    """The subscription of orders' notifications. Raises Fatal."""
    orders = settings.orders
    try:
        options = PubsubOptions(
            name=ORDER_NOTIFICATIONS,
            subscription=orders.notifications,
            **_emulated(orders.notifications_emulator),
        )
        return options, subscription_of(options, world, ORDER_NOTIFICATIONS)
    except (ValueError, TrustMissing) as error:
        raise Fatal(EXIT_CONFIGURATION, f"orders.notifications: {error}") from error


def notices_of(settings: Settings, world: Surroundings) -> Notices | None:
    """Notifications of orders, None where there are none. Raises Fatal."""
    if not settings.orders.notifications or settings.orders.mode == "off":
        return None
    return PubsubNotices(*notifications_of(settings, world), world.clock)


def _emulated(address: str) -> dict[str, Any]:
    return {"url": f"http://{address}", "emulated": True} if address else {}


def drops_of(feeds: Sequence[Feed]) -> dict[str, DropFeed]:
    """The feeds that read a directory, by name."""
    return {source.name: source for source in map(source_of, feeds) if isinstance(source, DropFeed)}


def desks_of(feeds: Sequence[Feed]) -> dict[str, OrderDesk]:
    """Where each source takes orders, by feed."""
    takers = (PullFeed, ForeignFeed, DropFeed)
    return {source.name: source.desk for source in map(source_of, feeds) if isinstance(source, takers)}


def reads_keys(feed: Feed) -> bool:
    """Whether a feed's own source is the one to ask for single keys, as far as it can be asked at all."""
    source = source_of(feed)
    return source.reads_keys if isinstance(source, ForeignFeed) else isinstance(source, PullFeed | DropFeed)


def gives_fulls(feed: Feed) -> bool:
    """Whether a feed has full pictures of its own."""
    source = source_of(feed)
    return source.gives_fulls if isinstance(source, ForeignFeed) else isinstance(source, PullFeed | DropFeed)


def source_of(feed: Feed) -> Feed:
    """The feed that speaks to the source itself, below what puts its terms into ours."""
    return feed.source if isinstance(feed, NamedFeed) else feed


def renew_trust(client: HttpCommercetools, feeds: Sequence[Feed], settings: Sequence[FeedSettings]) -> None:
    """Read every file of authorities again. Raises Fatal when one cannot be used, and all stay what they were then."""
    fresh = []
    name = ""
    try:
        for feed, said in zip(map(source_of, feeds), settings, strict=True):
            if isinstance(feed, PullFeed | ForeignFeed | PubsubFeed):
                name = f"feed.{said.name}"
                fresh.append((feed, trusted_context(said.ca_file)))
        name = "commercetools"
        client.reload_trust()
    except TrustMissing as error:
        raise Fatal(EXIT_CONFIGURATION, f"{name}: {error}") from error
    for feed, context in fresh:
        feed.trust(context)


def _pull(feed: FeedSettings, world: Surroundings, beat: Callable[[], None]) -> Feed:
    options = PullOptions(
        name=feed.name,
        source_feed=feed.source_feed or None,
        url=feed.url,
        auth=PullAuth(feed.auth),
        page_limit=feed.page_limit,
        wait_seconds=feed.wait_seconds,
        stream=feed.stream,
        consumer=feed.consumer if feed.acknowledge else None,
        margin_seconds=float(feed.request_timeout_seconds),
        networks=feed.allow_cidr,
    )
    sessions = Sessions(trusted_context(feed.ca_file), feed.allow_cidr)
    secret = secret_of(world, f"feed-{feed.name}")
    if feed.profile is None:
        return PullFeed(options, secret, world.clock, sessions, beat)
    # No foreign source holds a request open, and its locations are asked for one by one where the profile says so.
    asking = replace(options, wait_seconds=0, locations=feed.locations)
    return ForeignFeed(asking, _profile(feed.profile, load_source), secret, world.clock, sessions, beat)


def _profile(path: Path, load: Callable[[Path], T]) -> T:
    """Read a profile once more, as a start or a check did before. Raises ValueError when it has changed for the worse."""
    try:
        return load(path)
    except (OSError, ProfileFaults) as fault:
        raise ValueError(f"profile: {fault}") from None


def _reader(feed: FeedSettings) -> MessageReader | None:
    """What reads the messages of a source that does not speak r247/1. Raises ValueError."""
    return None if feed.profile is None else MessageReader(_profile(feed.profile, load_profile))


def push_options(feed: FeedSettings) -> PushOptions:
    """How one source's calls are received. Raises ValueError for a profile that cannot be read any more."""
    return PushOptions(
        name=feed.name,
        source_feed=feed.source_feed or None,
        path=feed.path,
        scheme=_scheme(feed.signature),
        fetch=feed.fetch,
        sku_path=feed.sku_path,
        reader=_reader(feed),
        trusted_proxies=feed.trusted_proxies,
        rate_per_second=float(feed.calls_per_second),
        burst=2 * feed.calls_per_second,
    )


def _scheme(how: SignatureSettings) -> Scheme:
    if how.algorithm is Algorithm.OIDC:
        return google_scheme(how.audience, how.email)
    return Scheme(
        header=how.header,
        algorithm=how.algorithm,
        encoding=how.encoding,
        prefix=how.prefix,
        content=how.content,
        id_header=how.id_header,
        ts_header=how.ts_header,
    )


def _drop(feed: FeedSettings, world: Surroundings, beat: Callable[[], None]) -> Feed:
    assert feed.directory is not None
    options = DropOptions(
        name=feed.name,
        source_feed=feed.source_feed or None,
        directory=feed.directory,
        ready=Readiness(feed.ready),
        delimiter=feed.delimiter,
        gap_grace_seconds=float(feed.gap_grace_seconds),
        stable_seconds=float(feed.stable_seconds),
        profile=None if feed.profile is None else _profile(feed.profile, load_profile),
    )
    return DropFeed(options, world.clock, beat)


def _pubsub(feed: FeedSettings, world: Surroundings, beat: Callable[[], None]) -> Feed:
    options = PubsubOptions(
        name=feed.name,
        subscription=feed.subscription,
        source_feed=feed.source_feed or None,
        networks=feed.allow_cidr,
        page_limit=min(feed.page_limit, MESSAGES_LIMIT),
        request_seconds=float(feed.request_timeout_seconds),
        **_emulated(feed.emulator),
    )
    subscription = subscription_of(options, world, f"feed-{feed.name}", feed.ca_file)
    return PubsubFeed(options, subscription, world.clock, beat, _reader(feed))


_TRANSPORTS: Final[Mapping[str, Callable[[FeedSettings, Surroundings, Callable[[], None]], Feed]]] = {
    "drop": _drop,
    "pull": _pull,
    "pubsub": _pubsub,
}
