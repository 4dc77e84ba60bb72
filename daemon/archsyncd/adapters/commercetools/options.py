"""What the client is built from: addresses, identity and limits, checked once. Knows no configuration file."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

_NAME = re.compile(r"[A-Za-z0-9_-]{2,256}")
_HEADER_WORD = re.compile(r"[\x21-\x7e]{1,200}")
_PLAIN_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Everything but the secret. Durations in seconds, sizes in bytes.

    Plain http is taken for loopback addresses only, and a host outside of loopback and private addresses must
    resolve to public ones, or to ones in the networks `allowed`. `ca_file` replaces the system's trust store.
    `connections` must not be below the calls in flight: waiting for a free one counts as connecting. `carries_orders`: orders
    are changed as well, which asks for more scopes. Raises ValueError.
    """

    api_url: str
    auth_url: str
    project_key: str
    client_id: str
    host_name: str
    marker_type_key: str = "archsyncd"
    user_agent: str = "archsyncd"
    connect_seconds: float = 5.0
    write_seconds: float = 30.0
    read_seconds: float = 45.0
    token_seconds: float = 15.0
    silence_seconds: float = 30.0
    keepalive_seconds: float = 20.0
    answer_bytes: int = 16 * 1024 * 1024
    token_bytes: int = 64 * 1024
    connections: int = 32
    ca_file: Path | None = None
    allowed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    carries_orders: bool = False

    def __post_init__(self) -> None:
        for name in ("api_url", "auth_url"):
            _check_url(name, getattr(self, name))
        for name in ("project_key", "marker_type_key"):
            if not _NAME.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} must be 2 to 256 letters, digits, hyphens or underscores")
        for name in ("client_id", "host_name", "user_agent"):
            if not _HEADER_WORD.fullmatch(getattr(self, name)):
                raise ValueError(f"{name} must be one word of visible ASCII characters")
        if ":" in self.client_id:
            raise ValueError("client_id must not contain a colon")

    @property
    def project_url(self) -> str:
        """The URL that every call's path follows."""
        return f"{self.api_url.rstrip('/')}/{self.project_key}"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.auth_url.rstrip('/')}/oauth/token"

    @property
    def external_user(self) -> str:
        """Who we are in the history of what we write: commercetools keeps it as lastModifiedBy.externalUserId."""
        return f"archsyncd@{self.host_name}"


def is_loopback_name(host: str) -> bool:
    """Say whether a host is this machine by its name or address alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_url(name: str, text: str) -> None:
    url = URL(text)
    if url.scheme not in _PLAIN_SCHEMES or not url.host:
        raise ValueError(f"{name} must be an absolute http or https URL")
    if url.user or url.password or url.query_string or url.fragment:
        raise ValueError(f"{name} must hold no credentials, query or fragment")
    if url.scheme == "http" and not is_loopback_name(url.host):
        raise ValueError(f"{name} must use https: credentials travel on it")
