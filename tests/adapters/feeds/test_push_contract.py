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
from archsyncd.wire.foreign.messages import MessageReader
from tests.adapters.feeds.calling import PATH, SECRET, Shelf, batch, level, standard
from tests.adapters.feeds.contract import FeedContract, RecordContract, RecordSite, Site, levels, read
from tests.dialects.tellers import reader_of, ticker, ticker_profile
from tests.support.virtual_time import VirtualClock, virtual


class PushSite:
    """A source that sends its messages one after the other, each until it is taken."""

    reader: MessageReader | None = None

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
        options = PushOptions(name="calls", reader=self.reader)
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


class TickerSite(PushSite):
    """A foreign one, read by its profile; its clock goes on with each event, so that their times are in order."""

    reader = reader_of(ticker_profile())

    async def tell(self, *told: tuple[str, int]) -> None:
        await self._say(*told)

    async def poison(self) -> None:
        await self._say(("A", "1e400"))

    async def _say(self, *told: tuple[str, object]) -> None:
        rows = []
        for sku, pieces in told:
            await self._clock.sleep(1)
            rows.append((sku, pieces, self._clock.wall_ms()))
        self._number += 1
        self._outbox.append((f"m{self._number}", ticker(*rows)))


@asynccontextmanager
async def push_site(made: type[PushSite] = PushSite) -> AsyncIterator[PushSite]:
    site = made()
    await site.open()
    try:
        yield site
    finally:
        await site.close()


class TestCalls(RecordContract):
    """Signed calls."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return push_site()


class TestForeignCalls(FeedContract):
    """Signed calls in words of their own."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return push_site(TickerSite)

    @virtual
    async def test_f094_what_was_not_committed_is_read_again(self) -> None:
        """The sender's next attempt tells a later time, behind which only figures of one time are ordered."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1), ("B", 2))
            first = await read(site.feed, checkpoint, 2, acknowledge=False)
            again = await read(await site.reopen(), checkpoint, 2)
            assert [one.id for batch in again for one in batch.records] == [
                one.id for batch in first for one in batch.records
            ]
            assert levels(again) == levels(first)
