"""The push transport keeps the contract of feeds: its source calls until it is told that what it said is stored."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp

from archsyncd.adapters.webhook import PushFeed, PushOptions
from archsyncd.config import FeedSettings
from archsyncd.engine.shared import Shared
from archsyncd.receiving import receiving
from tests.adapters.feeds.calling import PATH, SECRET, Shelf, batch, level, standard
from tests.adapters.feeds.contract import RecordContract, RecordSite
from tests.support.virtual_time import VirtualClock


class PushSite:
    """A source that sends its messages one after the other, each until it is taken."""

    def __init__(self) -> None:
        self._clock = VirtualClock()
        self._shelf = Shelf()
        self._number = self._calls = 0
        self._epoch = "e1"
        self._last: list[dict[str, Any]] = []
        self._outbox: deque[tuple[str, bytes]] = deque()
        with socket.create_server(("127.0.0.1", 0)) as found:
            self._port = found.getsockname()[1]
        self._listening = AsyncExitStack()
        self.feed: PushFeed
        self._sending = asyncio.create_task(self._send())

    async def open(self) -> None:
        """Listen with a feed of its own."""
        options = PushOptions(name="calls")
        self.feed = PushFeed(options, lambda: SECRET, lambda: self._shelf, lambda: None)
        opened = {"webhook": socket.create_server(("127.0.0.1", self._port))}
        told = (FeedSettings(name="calls", transport="push"), self.feed)
        await self._listening.enter_async_context(
            receiving([told], Shared(self._clock), lambda _: "", opened)
        )

    async def _send(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                await asyncio.sleep(0.2)
                if not self._outbox:
                    continue
                message_id, body = self._outbox[0]
                headers = standard(message_id, str(self._clock.wall_ms() // 1000), body, SECRET)
                url = f"http://127.0.0.1:{self._port}{PATH}"
                try:
                    async with session.post(url, data=body, headers=headers) as answer:
                        if answer.ok:
                            self._outbox.popleft()
                except aiohttp.ClientError:
                    continue

    async def begin(self) -> str:
        return "0"

    async def tell(self, *levels: tuple[str, int]) -> None:
        self._call(*self._items(levels))

    def _items(self, levels: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        items = []
        for sku, on_hand in levels:
            self._number += 1
            items.append(level(self._number, sku, on_hand))
        self._last = items or self._last
        return items

    def _call(self, *items: dict[str, Any]) -> None:
        self._calls += 1
        self._outbox.append((f"m{self._calls}", batch(*items, epoch=self._epoch)))

    async def say(self, kind: str, **fields: object) -> None:
        self._number += 1
        self._call({"id": f"r{self._number}", "type": kind, "seq": str(self._number), **fields})

    async def repeat(self) -> None:
        """The same call once more, and its records in a call of their own."""
        self._outbox.append(self._outbox[-1])
        self._call(*self._last)

    async def overtake(self, *levels: tuple[str, int]) -> None:
        for item in reversed(self._items(levels)):
            self._call(item)

    async def skip(self, count: int) -> None:
        self._number += count

    async def restore(self) -> None:
        self._epoch, self._number = "restored", 0

    async def poison(self) -> None:
        self._number += 1
        self._calls += 1
        body = batch(level(self._number)).replace(b'"onHand":5', b'"onHand":1e400')
        self._outbox.append((f"m{self._calls}", body))

    async def vanish(self) -> None:
        await self._listening.aclose()

    async def reopen(self) -> PushFeed:
        await self.feed.close()
        await self._listening.aclose()
        await self.open()
        return self.feed

    async def close(self) -> None:
        """Nobody calls any more."""
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        await self._listening.aclose()


@asynccontextmanager
async def push_site() -> AsyncIterator[PushSite]:
    site = PushSite()
    await site.open()
    try:
        yield site
    finally:
        await site.close()


class TestCalls(RecordContract):
    """Signed calls."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return push_site()
