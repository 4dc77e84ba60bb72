"""A source that calls, the receiver it calls over real sockets, and a reader that stores what came, for tests in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from archsyncd.adapters.webhook import PushFeed, PushOptions
from archsyncd.adapters.webhook.google_keys import GoogleKeys
from archsyncd.config import FeedSettings
from archsyncd.domain.feed import Batch, Outcome
from archsyncd.engine.ports import Clock
from archsyncd.engine.shared import Shared
from archsyncd.receiving import receiving
from archsyncd.wire.webhook import STANDARD, Scheme, keys_of, signature
from tests.support.virtual_time import VirtualClock

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PATH = "/hooks/r247"


def level(seq: int, sku: str = "A", on_hand: int = 5, **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{seq}",
        "type": "stock.level",
        "seq": str(seq),
        "sku": sku,
        "location": "WH1",
        "onHand": on_hand,
        "occurredAt": "2026-01-01T00:00:00Z",
        **more,
    }


def batch(*items: Mapping[str, Any], **more: Any) -> bytes:
    """The body of a call."""
    data = {"schema": "r247/1", "feed": "main", "epoch": "e1", "items": list(items), **more}
    told = {"type": "stock.batch", "timestamp": "2026-01-01T00:00:00Z", "data": data}
    return json.dumps(told, separators=(",", ":")).encode()


@dataclass
class Shelf:
    """What a store remembers; `full` stores nothing, `held` keeps a commit waiting."""

    ids: set[str] = field(default_factory=set)
    batches: list[Batch] = field(default_factory=list)
    full: bool = False
    held: asyncio.Event | None = None

    async def seen(self, feed: str, ids: Collection[str]) -> frozenset[str]:
        del feed
        return frozenset(self.ids & set(ids))

    async def newest_epoch(self, feed: str) -> str | None:
        del feed
        return self.batches[-1].epoch if self.batches else None

    async def record(self, told: Batch) -> Outcome:
        """Commit a batch."""
        if self.held is not None:
            await self.held.wait()
        if self.full:
            raise OSError("no room")
        assert not self.ids & {one.id for one in told.deliveries}
        self.ids |= {one.id for one in told.deliveries}
        if told.deliveries:
            self.batches.append(told)
        return Outcome(read=len(told.records), applied=len(told.records))


async def pump(feed: PushFeed, shelf: Shelf, clock: Clock) -> None:
    """Read the feed for ever, as its tail does: store, then tell; wait where there is no room."""
    checkpoint: str | None = None
    while True:
        with contextlib.suppress(OSError):
            async with aclosing(feed.batches(checkpoint)) as reading:  # type: ignore[type-var]
                async for one in reading:
                    assert isinstance(one, Batch)
                    outcome = await shelf.record(one)
                    checkpoint = one.checkpoint
                    await feed.acknowledge(one.checkpoint, outcome)
        await clock.sleep(5)


@dataclass(frozen=True)
class Answer:
    """What a caller is told."""

    status: int
    headers: Mapping[str, str]
    told: Mapping[str, Any]

    @property
    def word(self) -> str:
        """The status or the code in it."""
        return str(self.told.get("status") or self.told.get("code"))


class Desk:
    """A feed that is called, and its caller."""

    def __init__(self, feed: PushFeed, shelf: Shelf, clock: Clock, url: str, port: int) -> None:
        self.feed = feed
        self.shelf = shelf
        self.clock = clock
        self.url = url
        self.port = port
        self.shared = Shared(clock)
        self.notes = self.shared.notes
        # Time jumps while the system connects: only the receiver's own limits shall end anything here.
        patience = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=patience)

    def headers(
        self, message_id: str, body: bytes, *, secret: str = SECRET, at: int | None = None
    ) -> dict[str, str]:
        """What Standard Webhooks has a caller send; `at`: seconds, now if not told."""
        timestamp = str(self.clock.wall_ms() // 1000 if at is None else at)
        return standard(message_id, timestamp, body, secret)

    async def post(self, body: Any, headers: Mapping[str, str], *, path: str = PATH, **more: Any) -> Answer:
        async with self.session.post(
            self.url + path, data=body, headers=headers, skip_auto_headers=["Content-Type"], **more
        ) as found:
            text = await found.text()
            told = json.loads(text) if text.startswith("{") else {}
            return Answer(found.status, dict(found.headers), told)

    async def call(self, message_id: str, body: bytes, **how: Any) -> Answer:
        """A call that is signed as it should be."""
        return await self.post(body, self.headers(message_id, body, **how))


def standard(message_id: str, timestamp: str, body: bytes, *secrets: str) -> dict[str, str]:
    made = [signature(STANDARD, keys_of(secret)[0], message_id, timestamp, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(made),
    }


@asynccontextmanager
async def called(
    *,
    secret: str = SECRET,
    scheme: Scheme = STANDARD,
    reads: bool = True,
    clock: Clock | None = None,
    google: GoogleKeys | None = None,
    **options: Any,
) -> AsyncIterator[Desk]:
    """A receiver on loopback, and a reader behind it unless `reads` says that nobody stores."""
    clock, shelf = clock or VirtualClock(), Shelf()
    opened = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = opened.getsockname()[1]
    settings = FeedSettings(name="calls", transport="push")
    feed = PushFeed(
        PushOptions(name="calls", scheme=scheme, **options), lambda: secret, lambda: shelf, lambda: None
    )
    desk = Desk(feed, shelf, clock, f"http://127.0.0.1:{port}", port)
    async with receiving([(settings, feed)], desk.shared, lambda _: "", {"webhook": opened}, google):
        reading = asyncio.create_task(pump(feed, shelf, clock)) if reads else None
        try:
            await asyncio.sleep(0.1)
            yield desk
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            await desk.session.close()
            await feed.close()
