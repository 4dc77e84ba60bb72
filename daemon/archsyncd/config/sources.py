"""The keys of the warehouse's side: feeds, locations and the channels they fill. Reads nothing, decides nothing.

Rules: r247/1 (feeds), sections 2, 3 and 7; stock-ledger, definitions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from archsyncd.config.addresses import Listen, ListenAddress, Network, NetworkKind, Url
from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, FilePath, Flag, ListOf, NumbersByName, Table, Whole, Word
from archsyncd.config.quieting import Hours, TimeZone
from archsyncd.config.signing import SignatureSettings
from archsyncd.domain.feed import Figure
from archsyncd.domain.quiet import Span

NONE_ACCEPTED: Final = "none-accepted"
CHANNEL_KEY: Final = Word("a channel's key: 2 to 256 letters, digits, '_' or '-'", r"[A-Za-z0-9_-]{2,256}")
LOCATION_NAME: Final = Word(
    "a location's name: 1 to 128 characters without blanks around it", most_characters=128
)
FEED_NAME: Final = Word(
    "a feed's name: 1 to 64 letters, digits, '_' or '-', beginning with a letter or digit",
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}",
)
_SUBSCRIPTION_NAME: Final = r"projects/[A-Za-z0-9.:_-]{1,100}/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]{2,254}"
SUBSCRIPTION: Final = Word("projects/PROJECT/subscriptions/NAME", _SUBSCRIPTION_NAME)
ANY_SUBSCRIPTION: Final = Word("projects/PROJECT/subscriptions/NAME", _SUBSCRIPTION_NAME, empty=True)
# The transports over which a source takes orders, and has full pictures of its own.
ANSWERING: Final = ("pull", "drop")
_QUANTITY_MOST: Final = 10**15


def _no_shares() -> Mapping[str, int]:
    return MappingProxyType({})


_FEED_CREDENTIAL: Final = "the credential feed-<name>"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """One source of Archean records."""

    name: str = field(
        default="main",
        metadata=key(
            FEED_NAME,
            """The feed's name. Journal, status page and `archsyncctl` use it, other keys refer to it, and its
            credential is called feed-<name>. Positions are stored under it: a feed that is renamed starts anew with a
            snapshot.""",
            restart=True,
        ),
    )
    transport: str = field(
        default="pull",
        metadata=key(
            Choice(("pull", "drop", "pubsub", "push")),
            """How records arrive. `pull` asks an HTTPS change feed by long poll; no inbound port is needed. `drop`
            reads files from a directory and answers with receipts. `pubsub` pulls a Google Pub/Sub subscription. `push` is called
            by the source: each call is signed, and answered once it is stored.""",
            restart=True,
        ),
    )
    source_feed: str = field(
        default="",
        metadata=key(
            Word("the feed's name at the source", empty=True, most_characters=128),
            """The feed's name at the source, where it is not the one given here: in the names of files (`drop`), in its answers
            (`pull`), beside its messages and calls (`pubsub`, `push`). Positions of two feeds cannot be compared, so what is
            of another one is not used. Empty: `drop` expects this feed's own name, the others the first one that is told.""",
            restart=True,
        ),
    )
    url: str = field(
        default="",
        metadata=key(
            Url(),
            """The base address of the change feed, to which /v1/changes and the like are appended. Needed by `pull`,
            refused for others. Plain http is accepted only to this machine itself, for a tunnel or a test.""",
            restart=True,
        ),
    )
    auth: str = field(
        default="bearer",
        metadata=key(
            Choice(("none", "bearer", "basic", "api-key")),
            f"""How a `pull` feed's requests are authorised. The secret is {_FEED_CREDENTIAL}: the token for `bearer`,
            user:password for `basic`, the key for `api-key` (sent as X-Api-Key). Only `none` needs no credential.""",
            restart=True,
        ),
    )
    interval_seconds: int = field(
        default=15,
        metadata=key(
            Whole(1, 604_800),
            """How often news, or at least a heartbeat, is expected. A feed that is silent for twice as long is a
            warning, for five times as long it is critical. For a nightly file give 86400.""",
        ),
    )
    quiet: tuple[Span, ...] = field(
        default=(),
        metadata=key(
            ListOf(Hours()),
            """Hours of the week in which no news is expected, in `timezone`: nights, weekends. The feed's age stands still
            in them, and at their end it has its interval anew; one that was silent for too long before stays so. What it
            tells is read at any hour.""",
        ),
    )
    timezone: str = field(
        default="",
        metadata=key(TimeZone(), "The time zone of `quiet`. Summer time is taken into account."),
    )
    locations: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(LOCATION_NAME),
            """The locations this feed tells of, as in [locations]: a snapshot is asked for them, a full batch that lacks
            one of them is held, and a SKU that it leaves out there is noticed. Not stated: all that are mapped and that
            no other feed names. Where several feeds do not state theirs, each is asked for whatever it has, and nobody
            notices what its full batches leave out. Records of other locations are read all the same.""",
        ),
    )
    page_limit: int = field(
        default=500,
        metadata=key(
            Whole(1, 10_000),
            "How many records are asked for in one request and committed together.",
            restart=True,
        ),
    )
    wait_seconds: int = field(
        default=25,
        metadata=key(
            Whole(0, 300),
            "How long the source may hold a request open while it has no news (long poll); 0 asks without waiting.",
            restart=True,
        ),
    )
    request_timeout_seconds: int = field(
        default=30,
        metadata=key(
            Whole(1, 600),
            "How long one request may take as a whole, on top of `wait_seconds`. After it the request is repeated.",
            restart=True,
        ),
    )
    stream: bool = field(
        default=False,
        metadata=key(
            Flag(),
            "Ask a `pull` source for newline-delimited JSON instead of one document, for sources that stream.",
            restart=True,
        ),
    )
    acknowledge: bool = field(
        default=False,
        metadata=key(
            Flag(),
            """Tell a `pull` source after each commit how far was read (POST /v1/ack), for sources that keep a queue
            per consumer.""",
            restart=True,
        ),
    )
    consumer: str = field(
        default="archsyncd",
        metadata=key(
            Word("a consumer's name: 1 to 64 letters, digits, '.', '_' or '-'", r"[A-Za-z0-9._-]{1,64}"),
            "The name under which positions are acknowledged; of use only with `acknowledge`.",
            restart=True,
        ),
    )
    linearizable: bool = field(
        default=True,
        metadata=key(
            Flag(),
            """Whether a single-key read that begins after an order was accepted already excludes that order. Then such
            a read is a proof of reflection and is asked for when an order line stays unproven. Set false for a source
            that reads from a replica or a cache.""",
        ),
    )
    allow_cidr: tuple[Network, ...] = field(
        default=(),
        metadata=key(
            ListOf(NetworkKind()),
            """Networks in which the addresses of the source's host must lie; the connection is refused otherwise.
            Empty accepts every address that the host name resolves to.""",
            restart=True,
        ),
    )
    ca_file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            """Certificates (PEM) of the authority that signed the source's certificate, where it is not a public one.
            Not stated: the system's. Verification itself cannot be switched off.""",
            restart=True,
        ),
    )
    directory: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            """The directory with in/, work/, done/, error/ and receipts/. Needed by `drop`, refused for others. The
            unit must be allowed to write there (a drop-in with ReadWritePaths=).""",
            restart=True,
        ),
    )
    ready: str = field(
        default="manifest",
        metadata=key(
            Choice(("manifest", "rename", "stable")),
            """When a dropped file counts as complete. `manifest`: once its .done file stands beside it, which also
            proves its content. `rename`: once it appears under its final name. `stable`: once size and time are
            unchanged for `stable_seconds`; the weakest, for writers that can do neither.""",
            restart=True,
        ),
    )
    stable_seconds: int = field(
        default=10,
        metadata=key(
            Whole(1, 3600), "How long a file must stay unchanged with `ready = stable`.", restart=True
        ),
    )
    delimiter: str = field(
        default=",",
        metadata=key(
            Choice((",", ";", "\t")),
            "The column separator of CSV files: comma, semicolon or tab.",
            restart=True,
        ),
    )
    gap_grace_seconds: int = field(
        default=60,
        metadata=key(
            Whole(0, 86_400),
            """How long a missing file number is waited for before an alarm is raised. Deltas behind the gap stay held
            until the missing file or a full one arrives.""",
            restart=True,
        ),
    )
    subscription: str = field(
        default="",
        metadata=key(
            SUBSCRIPTION,
            f"""The Pub/Sub subscription; it must exist already, be pulled by nobody else, and let our account pull
            (roles/pubsub.subscriber). {_FEED_CREDENTIAL} is a service account's key file (JSON); without one the account
            of the machine is used, as its metadata server tells. For `pubsub` only.""",
            restart=True,
        ),
    )
    emulator: str = field(
        default="",
        metadata=key(
            Word("HOST:PORT", r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}"),
            "The address of a Pub/Sub emulator on this machine, which wants no credential; for tests. For `pubsub` only.",
            restart=True,
        ),
    )
    snapshot_timeout_minutes: int = field(
        default=30,
        metadata=key(
            Whole(1, 1440),
            "How long the parts of a snapshot sent over `pubsub` may take until they are dropped, and an exception says so.",
        ),
    )
    listen: ListenAddress | None = field(
        default=None,
        metadata=key(
            Listen(),
            """Where a `push` feed is called, in a run by hand. Not stated: at the socket that archsyncd-webhook.socket
            opens, as the unit may open none itself. Beyond this machine it needs a `certificate`.""",
            restart=True,
        ),
    )
    path: str = field(
        default="/hooks/r247",
        metadata=key(
            Word("a path such as /hooks/r247", r"(/[A-Za-z0-9._~-]{1,64}){1,8}"),
            "The path of the address that calls a `push` feed. Feeds that are called at one place differ by it.",
            restart=True,
        ),
    )
    certificate: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            """The certificate (PEM, with those between it and the authority) with which a `push` feed is called by TLS.
            Its key is the credential feed-<name>-key. A reload reads both again. Not stated: a proxy on this machine
            ends TLS.""",
            restart=True,
        ),
    )
    trusted_proxies: tuple[Network, ...] = field(
        default=(),
        metadata=key(
            ListOf(NetworkKind()),
            """The addresses of proxies whose X-Forwarded-For tells who calls a `push` feed. An address that is refused
            again and again is then not looked at for a minute, and all others are.""",
            restart=True,
        ),
    )
    calls_per_second: int = field(
        default=200,
        metadata=key(
            Whole(1, 10_000),
            "How many calls of a `push` feed are looked at each second; others are told to come again.",
            restart=True,
        ),
    )
    fetch: bool = field(
        default=False,
        metadata=key(
            Flag(),
            """A call of a `push` feed only names SKUs: each is read then from the feed in `snapshot_from`, which must be
            a `pull` feed that answers for single keys.""",
            restart=True,
        ),
    )
    sku_path: str = field(
        default="/sku",
        metadata=key(
            Word("a JSON pointer such as /data/items/*/sku", r"(/[^/]{1,128}){1,16}"),
            "Where such a call names its SKUs: a JSON pointer, in which * stands for each entry of a list.",
            restart=True,
        ),
    )
    signature: SignatureSettings = field(
        default_factory=SignatureSettings,
        metadata=key(
            Table(SignatureSettings),
            """How the calls of a `push` feed are signed. Not stated: as Standard Webhooks says. The secret is the
            credential feed-<name>: one a line, two while the new one replaces the old.""",
        ),
    )
    profile: Path | None = field(
        default=None,
        metadata=key(
            FilePath(relative=True),
            """A mapping profile (JSON) for a source that does not speak r247/1 itself: where each field stands in its
            files, answers or messages, how numbers and times are written, what its files are called (`drop`, where
            `delimiter` then means nothing) or how it is asked (`pull`, by `request`). `archsyncctl inspect SAMPLE`
            proposes one, and says for which transports it can be used. A relative path starts at this file's directory.""",
            restart=True,
        ),
    )
    snapshot_from: str = field(
        default="",
        metadata=key(
            FEED_NAME,
            """The feed that provides full pictures for this one, where this transport has none (`pubsub`, `push`), or where
            the profile of a `pull` feed does not say how the whole stock is asked for. It is asked for a full when this one's
            source begins a new epoch, and for single SKUs whose movements could not be applied. "none-accepted" states that the
            site does without.""",
            restart=True,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationSettings:
    """One Archean location and the supply channel it fills."""

    channel: str = field(
        default="",
        metadata=key(
            CHANNEL_KEY,
            """The key of the commercetools supply channel (role InventorySupply) that this location fills. Several
            locations may fill one channel; their sellable quantities are added up. Needed unless `shares` or `ignore` is
            set.""",
        ),
    )
    shares: Mapping[str, int] = field(
        default_factory=_no_shares,
        metadata=key(
            NumbersByName(CHANNEL_KEY, Whole(1, 100), most=50),
            """Instead of `channel`, for a location that several channels sell from: the percentage that each of them is
            offered, as { "warehouse-1" = 60, "outlet" = 40 }, 100 together at most. Each is rounded down; what Archean owes
            counts whole in each. When a level moves pieces from one channel to another, the fall is written first.""",
        ),
    )
    sellable: Figure = field(
        default=Figure.AVAILABLE,
        metadata=key(
            Choice(tuple(Figure), Figure),
            """Which of Archean's figures is sold. `available` already excludes what Archean has allocated to orders.
            `onHand` counts everything on the shelf, so an order is taken off only when its dispatch is told.""",
        ),
    )
    buffer: int = field(
        default=0,
        metadata=key(
            Whole(0, _QUANTITY_MOST),
            """Pieces per SKU that stay unsold at this location: room for breakage and store sales. Taken off before
            the channel's percentage.""",
        ),
    )
    ignore: bool = field(
        default=False,
        metadata=key(
            Flag(),
            """Records of this location are read and set aside without an exception, for returns areas and the like.
            Without this line an unknown location is an exception, never a quantity.""",
        ),
    )

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels that this location fills; none where it is ignored."""
        if self.ignore:
            return ()
        return tuple(self.shares) or ((self.channel,) if self.channel else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """Rules for the quantity published on one supply channel: f = floor(sum * percentage / 100) - safety_stock."""

    safety_stock: int = field(
        default=0,
        metadata=key(Whole(0, _QUANTITY_MOST), "Pieces per SKU that are never offered on this channel."),
    )
    percentage: int = field(
        default=100,
        metadata=key(
            Whole(0, 100),
            "The share of a positive sum that is offered, rounded down. A negative sum is a debt and stays whole.",
        ),
    )
    maximum: int = field(
        default=100_000_000,
        metadata=key(
            Whole(0, _QUANTITY_MOST),
            """The largest believable quantity of one SKU. A level that would raise the offer above it is held for a
            person; one that lowers it is applied. Nothing is cut off at this number.""",
        ),
    )
    expected_delivery: bool = field(
        default=False,
        metadata=key(
            Flag(),
            """Show on entries when more is expected (expectedDelivery), by the earliest date that Archean tells for any
            location of the channel. It never changes a quantity. Taking it away leaves what is there.""",
        ),
    )
    skus_file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(relative=True),
            """A CSV file with the columns sku, safety_stock, percentage and offer: what differs for single SKUs
            (commercetools'). An empty cell is as the channel says; * and ? in a SKU stand for what differs, and the first such
            line that fits counts where no line names the SKU. `offer` no draws it down to what is owed. A relative path starts
            at this file's directory.""",
        ),
    )
    maximum_factor: int = field(
        default=0,
        metadata=key(
            Whole(0, 1_000_000),
            """A level that rises to more than so many times what it was is held for a person: a slip of the keyboard, or
            cartons told as pieces. 0: any rise up to the maximum goes.""",
        ),
    )
    order_location: str | None = field(
        default=None,
        metadata=key(
            Word("the name of a location that fills this channel", empty=True, most_characters=128),
            """The location to which orders of this channel go. Needed when several locations fill the channel; ""
            leaves the choice to Archean.""",
        ),
    )
