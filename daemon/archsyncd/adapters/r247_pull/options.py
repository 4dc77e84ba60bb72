"""What must be known to read one source over HTTP; knows no socket, and no secret: those are asked for when needed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from yarl import URL

from archsyncd.domain.loopback import is_loopback
from archsyncd.wire.r247 import PAGE_LIMIT_BYTES

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class PullAuth(StrEnum):
    """How we prove who we are; the credential is the token, the key, or `user:password`."""

    NONE = "none"
    BEARER = "bearer"
    BASIC = "basic"
    API_KEY = "api-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """One source. `url` is the part before `/v1`; raises ValueError when it is not safe to talk to.

    `stream` reads NDJSON instead of long-polled pages. `consumer` names us at `POST /v1/ack`; None: nothing is
    acknowledged. `source_feed` is the feed's name at the source; None: the first one seen, until the next start.
    `networks`: where the addresses of its host must lie; empty: anywhere.
    An answer must begin within `wait_seconds + margin_seconds` and end within `total_seconds` more.
    """

    name: str
    url: str
    auth: PullAuth = PullAuth.NONE
    api_key_header: str = "X-Api-Key"
    page_limit: int = 500
    wait_seconds: int = 25
    types: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    stream: bool = False
    consumer: str | None = None
    source_feed: str | None = None
    offers_lookup: bool = True
    connect_seconds: float = 5.0
    margin_seconds: float = 10.0
    total_seconds: float = 120.0
    quiet_seconds: float = 45.0
    pause_seconds: float = 1.0
    response_limit_bytes: int = PAGE_LIMIT_BYTES
    stream_batch_records: int = 5_000
    stream_seconds: float = 3_600.0
    snapshot_page_limit: int = 2_000
    snapshot_poll_seconds: float = 2.0
    snapshot_wait_seconds: float = 1_800.0
    snapshot_items_limit: int = 50_000_000

    def __post_init__(self) -> None:
        url = URL(self.url)
        if url.user or url.password or url.query_string or url.fragment or not url.host:
            raise ValueError("url: a plain address without user, query or fragment is needed")
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.host)):
            raise ValueError("url: https is needed for everything but this host itself")
        address = _address(url.host)
        # Written as an address it is never resolved, so nothing else would look at it.
        if self.networks and address is not None and not is_within(address, self.networks):
            raise ValueError(f"url: {address} lies in no network of allow_cidr")

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right, its answer included."""
        return self.wait_seconds + self.margin_seconds + self.total_seconds

    @property
    def base(self) -> str:
        """The address that every path is put behind."""
        return str(URL(self.url)).rstrip("/")


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks, also where an IPv6 one carries an IPv4 address inside."""
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return any(one in network for network in networks for one in (address, inner) if one is not None)


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
