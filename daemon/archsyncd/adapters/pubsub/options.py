"""What must be known to read one subscription; knows no socket, and no secret: those are asked for when needed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from yarl import URL

from archsyncd.domain.loopback import is_loopback

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

GOOGLE: Final = "https://pubsub.googleapis.com"
METADATA: Final = "http://metadata.google.internal"
SCOPE: Final = "https://www.googleapis.com/auth/pubsub"
_NAME: Final = re.compile(r"projects/[A-Za-z0-9.:_-]{1,100}/subscriptions/[A-Za-z][A-Za-z0-9._~+%-]{2,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PubsubOptions:
    """One subscription. Raises ValueError when its name or the address is not to be used.

    `source_feed`: the feed's name at the source; None: the first one told, for as long as the checkpoint lives.
    `url`: where Pub/Sub's REST interface is; `emulated`: it wants no token. `page_limit`: messages asked for at once.
    `batch_records`: about how many records are committed together. `pull_seconds`: how long Pub/Sub may take over a pull
    without messages. A message is held, and its deadline put off, for `hold_seconds` at most.
    """

    name: str
    subscription: str
    source_feed: str | None = None
    url: str = GOOGLE
    emulated: bool = False
    networks: tuple[Network, ...] = ()
    page_limit: int = 500
    batch_records: int = 2_000
    connect_seconds: float = 5.0
    request_seconds: float = 30.0
    pull_seconds: float = 100.0
    pause_seconds: float = 1.0
    response_limit_bytes: int = 32 * 1024 * 1024
    first_extension_seconds: float = 4.0
    extension_seconds: float = 20.0
    deadline_seconds: int = 60
    hold_seconds: float = 1_800.0
    metadata_url: str = METADATA

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.subscription):
            raise ValueError("subscription: projects/PROJECT/subscriptions/NAME is needed")
        if not 1 <= self.page_limit <= 1_000:  # noqa: PLR2004 - Pub/Sub's own limit
            raise ValueError("page_limit: Pub/Sub gives 1 to 1000 messages at once")
        check_address(self.url, "emulator" if self.emulated else "url")

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right, its answer included."""
        return self.pull_seconds + self.request_seconds


def check_address(url: str, what: str) -> None:
    """Refuse an address that our token must not be sent to. Raises ValueError."""
    parsed = URL(url)
    if parsed.user or parsed.password or parsed.query_string or parsed.fragment or not parsed.host:
        raise ValueError(f"{what}: a plain address without user, query or fragment is needed")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and is_loopback(parsed.host)):
        raise ValueError(f"{what}: https is needed for everything but this host itself")
