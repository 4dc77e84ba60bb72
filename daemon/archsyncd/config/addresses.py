"""Kinds of values with a grammar of their own: addresses, listening places, networks, times. Opens no connection."""

import re
from dataclasses import dataclass
from datetime import datetime, time
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from archsyncd.config.kinds import FilePath, Kind, Refused
from archsyncd.config.secrecy import carries_login, secret_value
from archsyncd.domain.loopback import is_loopback

Network: TypeAlias = IPv4Network | IPv6Network

_HOST: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\.?\Z"
)
_URL_LIMIT_CHARACTERS: Final = 2048
_HOST_LIMIT_CHARACTERS: Final = 253
_PORT_MOST: Final = 65535
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_REFLECTION: Final = re.compile(r"accepted\+([0-9]{1,5})\Z")
_REFLECTION_MOST_SECONDS: Final = 86400


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a listener stands: a Unix socket (`path`), or `host` and `port` (0: any free one) when `path` is None."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reflection:
    """When an accepted order line counts as reflected without a proof: after so many seconds; None: only by proof."""

    accepted_after_seconds: int | None = None

    def __str__(self) -> str:
        return "proof" if self.accepted_after_seconds is None else f"accepted+{self.accepted_after_seconds}"


@dataclass(frozen=True, slots=True)
class Url(Kind):
    """A web address: https, or http to this machine itself; kept without a slash at its end.

    `hook` allows a query, and refuses a long random word in the path: that is how chat services carry their secret.
    """

    hook: bool = False

    def _phrase(self) -> str:
        return "an https:// address (http:// only to this machine itself)"

    def _read(self, value: object) -> str:
        if not isinstance(value, str) or not value or len(value) > _URL_LIMIT_CHARACTERS:
            raise self.refusal()
        if carries_login(value) or (self.hook and secret_value(value.partition("://")[2].partition("/")[2])):
            raise Refused("must be an address without user, password or token in it", secret=True)
        if not value.isascii() or not value.isprintable() or " " in value:
            raise self.refusal()
        parts = self._split(value)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise self.refusal("https://" + value[len("http://") :])
        if parts.fragment or (parts.query and not self.hook) or value.endswith(("?", "#")):
            raise Refused("must be an address without '?' or '#'; requests add their own")
        return value.rstrip("/")

    def _split(self, value: str) -> SplitResult:
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise self.refusal() from None
        host = parts.hostname or ""
        if not parts.scheme and "." in value:
            raise self.refusal(f'"https://{value}"')
        if parts.scheme not in {"http", "https"} or port == 0 or not _is_host(host):
            raise self.refusal()
        return parts


@dataclass(frozen=True, slots=True)
class Listen(Kind):
    """A place to listen at; "" where nothing shall listen."""

    def _phrase(self) -> str:
        return '"unix:" and an absolute path, "host:port" with an IP address or localhost, or ""'

    def _read(self, value: object) -> ListenAddress | None:
        if not isinstance(value, str):
            raise self.refusal()
        if not value:
            return None
        if value.startswith("unix:"):
            return ListenAddress(path=FilePath(socket=True).read(value.removeprefix("unix:")))
        if value.startswith("/"):
            raise self.refusal(f'"unix:{value}"' if len(value) <= _HOST_LIMIT_CHARACTERS else None)
        host, colon, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if (
            not colon
            or not re.fullmatch(r"[0-9]{1,5}", port)
            or int(port) > _PORT_MOST
            or not _is_address(host)
        ):
            raise self.refusal()
        return ListenAddress(host=host, port=int(port))


@dataclass(frozen=True, slots=True)
class NetworkKind(Kind):
    """A network of addresses, in CIDR notation; a single address is a network of one."""

    def _phrase(self) -> str:
        return 'a network such as "10.20.0.0/16" or a single IP address'

    def _read(self, value: object) -> Network:
        if not isinstance(value, str) or not value.isascii():
            raise self.refusal()
        try:
            return ip_network(value)
        except ValueError:
            raise self.refusal(_whole_network(value)) from None


@dataclass(frozen=True, slots=True)
class TimeOfDay(Kind):
    """A time of the day, hours and minutes, in the host's time zone."""

    def _phrase(self) -> str:
        return 'a time of day "HH:MM", from "00:00" to "23:59"'

    def _read(self, value: object) -> time:
        if isinstance(value, time) and value.second == 0 and value.microsecond == 0 and value.tzinfo is None:
            return value
        if isinstance(value, str):
            found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", value)
            if found and len(found[1]) == len("HH"):
                return time(int(found[1]), int(found[2]))
            raise self.refusal(f'"0{value}"' if found else None)
        raise self.refusal()


@dataclass(frozen=True, slots=True)
class Moment(Kind):
    """A moment with its offset from UTC (RFC 3339); None for ""."""

    def _phrase(self) -> str:
        return 'a moment with its offset, such as "2026-05-01T00:00:00Z" (RFC 3339), or ""'

    def _read(self, value: object) -> datetime | None:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value
        if value == "":
            return None
        if not isinstance(value, str) or not _MOMENT.match(value):
            raise self.refusal()
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            raise self.refusal() from None


@dataclass(frozen=True, slots=True)
class ReflectionKind(Kind):
    """The rule by which an order line counts as reflected (stock-ledger, "When is a line reflected?")."""

    def _phrase(self) -> str:
        return f'"proof", or "accepted+SECONDS" with 1 to {_REFLECTION_MOST_SECONDS} seconds'

    def _read(self, value: object) -> Reflection:
        if value == "proof":
            return Reflection()
        found = _REFLECTION.match(value) if isinstance(value, str) else None
        if found and 1 <= int(found[1]) <= _REFLECTION_MOST_SECONDS:
            return Reflection(int(found[1]))
        raise self.refusal('"accepted+90"' if isinstance(value, str) and value.startswith("accept") else None)


def _is_host(host: str) -> bool:
    if not host or len(host) > _HOST_LIMIT_CHARACTERS:
        return False
    return bool(_HOST.match(host)) or _is_address(host)


def _is_address(host: str) -> bool:
    if host.casefold() == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _whole_network(value: str) -> str | None:
    try:
        return f'"{ip_network(value, strict=False)}"'
    except ValueError:
        return None
