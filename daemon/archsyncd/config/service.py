"""The keys of the service itself: state, journal, people, alerts, the status page. Reads nothing, decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from archsyncd.config.addresses import Listen, ListenAddress, Url
from archsyncd.config.keys import key
from archsyncd.config.kinds import Choice, FilePath, ListOf, Whole, Word
from archsyncd.domain.cases import CaseKind

DEFAULT_OWNER: Final = "default"
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


def shipped_owners() -> Mapping[str, OwnerSettings]:
    """The owners that hold where the file names none."""
    return MappingProxyType(
        {DEFAULT_OWNER: OwnerSettings(), "sku_not_found": OwnerSettings(team="data", escalate_minutes=480)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Where alerts go besides the journal."""

    webhook_url: str = field(
        default="",
        metadata=key(
            Url(hook=True),
            """An address that takes alerts as JSON. One that carries a secret in itself, as chat services give out,
            belongs in the credential alert-webhook instead.""",
        ),
    )
    email: tuple[str, ...] = field(
        default=(),
        metadata=key(
            ListOf(Word("an e-mail address", r"[^\s@<>,;\"]{1,64}@[A-Za-z0-9.-]{1,253}")),
            "Addresses that get alerts through this host's mail system.",
        ),
    )
    command: Path | None = field(
        default=None,
        metadata=key(
            FilePath(), "A program that is started for each alert, with the alert as JSON on its input."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusSettings:
    """The status page and the metrics."""

    listen: ListenAddress | None = field(
        default=ListenAddress(path=Path("/run/archsyncd/status.sock")),
        metadata=key(
            Listen(),
            """Where the state can be read over HTTP (/, /status.json, /healthz, /metrics): a Unix socket, or an address and port,
            which then needs the credential status-token. "" serves nothing.""",
            restart=True,
        ),
    )
