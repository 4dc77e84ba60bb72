"""What must be known to receive one source's calls; knows no socket and no secret."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TypeAlias

from archsyncd.wire.foreign.messages import MessageReader
from archsyncd.wire.webhook import STANDARD, Scheme
from archsyncd.wire.webhook_body import BODY_LIMIT_BYTES

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """One feed of calls, which are made at `path`.

    `source_feed`: its name at the source; None: the first one told, until the next start. `fetch`: a body only names SKUs, at
    `sku_path`, whose levels are read elsewhere. `reader`: of bodies that do not speak r247/1. `trusted_proxies`: whose
    X-Forwarded-For tells the caller's address. A call has `body_seconds` to arrive whole and waits `commit_seconds` at most
    for its commit. `rate_per_second` calls are looked at, and of one address that was refused `refusals_per_minute` times
    nothing more. `waiting_limit` calls wait at once, with at most `waiting_limit_bytes` of bodies.
    """

    name: str
    source_feed: str | None = None
    path: str = "/hooks/r247"
    scheme: Scheme = STANDARD
    fetch: bool = False
    sku_path: str = "/sku"
    reader: MessageReader | None = None
    trusted_proxies: tuple[Network, ...] = ()
    tolerance_seconds: float = 300.0
    rate_per_second: float = 200.0
    burst: int = 400
    refusals_per_minute: int = 30
    body_limit_bytes: int = BODY_LIMIT_BYTES
    body_seconds: float = 10.0
    commit_seconds: float = 10.0
    waiting_limit: int = 512
    waiting_limit_bytes: int = 8 * 1024 * 1024
    batch_records: int = 1_000
    idle_seconds: float = 5.0
    retry_after_seconds: int = 5
