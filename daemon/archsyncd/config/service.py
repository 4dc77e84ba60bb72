"""The keys of the service itself: state, journal, people, alerts, the status page. Reads nothing, decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from archsyncd.config.addresses import Listen, ListenAddress, Url
from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, FilePath, Flag, ListOf, Whole, Word
from archsyncd.config.quieting import Hours, TimeZone
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.quiet import Span

DEFAULT_OWNER: Final = "default"
_MAIL_ADDRESS: Final = r"[^\s@<>,;\"]{1,64}@[A-Za-z0-9.-]{1,253}"
EXCEPTION_KINDS: Final = tuple(kind.value for kind in CaseKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """The process."""

    state_dir: Path = field(
        default=Path("/var/lib/archsyncd"),
        metadata=key(
            FilePath(),
            "Where the database lives. $STATE_DIRECTORY, which the unit sets, wins over it.",
            restart=True,
        ),
    )
    control_socket: Path = field(
        default=Path("/run/archsyncd/control.sock"),
        metadata=key(
            FilePath(socket=True),
            "The socket on which `archsyncctl` talks to the daemon; its group and mode say who may.",
            restart=True,
        ),
    )
    log_level: str = field(
        default="info",
        metadata=key(
            Choice(("debug", "info", "warning", "error")),
            "The least severity that reaches the journal.",
        ),
    )
    history_rows: int = field(
        default=20_000_000,
        metadata=key(
            Whole(10_000, 1_000_000_000),
            """How many rows the history of all keys may have, about 120 bytes each. It tells each change for 30 days and
            daily sums for 400; where that is more, older days are summed up sooner, and dropped sooner last.""",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSettings:
    """Who acts on a kind of exception."""

    team: str = field(
        default="operations",
        metadata=key(
            Word("a team's name: 1 to 64 characters", most_characters=64),
            "The team that acts: operations, data, ecommerce, finance, or a name of the site's own.",
        ),
    )
    escalate_minutes: int = field(
        default=60,
        metadata=key(
            Whole(1, 43_200),
            "How long a case may stay open until it is escalated, once.",
        ),
    )
    escalate_to: str = field(
        default="",
        metadata=key(
            Word("a team's name: 1 to 64 characters", empty=True, most_characters=64),
            'Whom it is escalated to; "" is the team of `default`.',
        ),
    )


def shipped_owners() -> Mapping[str, OwnerSettings]:
    """The owners that hold where the file names none."""
    return MappingProxyType(
        {
            DEFAULT_OWNER: OwnerSettings(),
            "sku_not_found": OwnerSettings(team="data", escalate_minutes=480),
            "stray_entry": OwnerSettings(team="data", escalate_minutes=480),
            "sku_collision": OwnerSettings(team="data", escalate_minutes=480),
            "unit_changed": OwnerSettings(team="data", escalate_minutes=480),
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Where alerts go besides the journal."""

    webhook_url: str = field(
        default="",
        metadata=key(
            Url(hook=True),
            """An address that takes alerts as JSON, the way Slack's incoming webhooks do. One that carries a secret in
            itself, as chat services give out, belongs in the credential alert-webhook instead, which wins over this.
            With a credential alert-webhook-secret each message is signed by it (Standard Webhooks).""",
        ),
    )
    email: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(Word("an e-mail address", _MAIL_ADDRESS)),
            "Addresses that get alerts through the mail server that `smtp` names.",
        ),
    )
    email_from: str = field(
        default="",
        metadata=key(
            Word("an e-mail address", _MAIL_ADDRESS, empty=True),
            'Whom alerts by mail are from; "" is archsyncd at this host\'s name.',
        ),
    )
    smtp: str = field(
        default="127.0.0.1:25",
        metadata=key(
            Word(
                'a host and a port, as in "127.0.0.1:25"',
                r"([A-Za-z0-9]([A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):"
                r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])",
            ),
            "The mail server, which takes mail from this host without a login or TLS: usually this host's own.",
        ),
    )
    command: Path | None = field(
        default=None,
        metadata=key(
            FilePath(),
            """A program that is started for each alert, with the alert as JSON on its input. It has 20 seconds. The
            service's sandbox lets it be anywhere below /usr, and gives it no more rights than the service has.""",
        ),
    )
    group_seconds: int = field(
        default=30,
        metadata=key(
            Whole(1, 3_600),
            """How long a cause must last before it is told, so that what comes together is one message, and how long it
            must be gone before that is told.""",
        ),
    )
    digest_minutes: int = field(
        default=15,
        metadata=key(
            Whole(1, 1_440),
            "What is told already and grows is told again in one digest, this long after the last message at the earliest.",
        ),
    )
    quiet: tuple[Span, ...] = field(
        default=(),
        metadata=key(
            ListOf(Hours()),
            """Hours of the week, in `timezone`, in which only what is critical is told. The rest is told when they end, if it
            is there still.""",
        ),
    )
    timezone: str = field(
        default="",
        metadata=key(TimeZone(), "The time zone of `quiet`. Summer time is taken into account."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSettings:
    """The status page and the metrics."""

    listen: ListenAddress | None = field(
        default=ListenAddress(path=Path("/run/archsyncd/status.sock")),
        metadata=key(
            Listen(),
            """Where the status page is served, with /status.txt, /status.json, /healthz and /metrics: a Unix socket, or
            an address and port, which then needs the credential status-token. "" serves nothing.""",
            restart=True,
        ),
    )
    actions: bool = field(
        default=False,
        metadata=key(
            Flag(),
            """Whether people may act on the page: retry and dismiss exceptions, approve and reject snapshots. On a Unix
            socket everybody who can open it then may, so the group archsync-view as well.""",
        ),
    )
    names: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(
                Word("a host name", r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", most_characters=253)
            ),
            """Names with a dot under which browsers reach the page, a proxy's for example. localhost, addresses and names
            without a dot are served in any case; a request for any other name is refused.""",
            restart=True,
        ),
    )
