"""A subscription at the simulated Pub/Sub or at Google's emulator, and a feed that reads it."""

from __future__ import annotations

import asyncio
import base64
import glob
import json
import random
import shutil
import socket
import subprocess
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest

from archsyncd.adapters.pubsub import Caller, NoTokens, PubsubFeed, PubsubOptions, Subscription
from archsyncd.simulators.pubsub import Broker, serve
from archsyncd.wire.foreign.messages import MessageReader
from tests.adapters.feeds.servers import SimulatorClock
from tests.dialects.tellers import SITE, counted, reader_of, tally, tally_profile
from tests.support.virtual_time import VirtualClock, VirtualLoop

TOPIC = "projects/site/topics/stock"
NAME = "projects/site/subscriptions/archsyncd"
JAR = "/usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"


def level(seq: int, sku: str = "A", on_hand: int | str | None = None, **more: Any) -> dict[str, Any]:
    """A level at WH1."""
    record: dict[str, Any] = {
        "id": f"r{seq}",
        "type": "stock.level",
        "seq": str(seq),
        "sku": sku,
        "location": "WH1",
    }
    return record | {"onHand": seq if on_hand is None else on_hand} | more


def attributes(seq: int | None = None, *, epoch: str = "e1", **more: str) -> dict[str, str]:
    """What the contract wants beside each message."""
    told = {"schema": "r247/1", "feed": "main", "epoch": epoch, "contentType": "application/json"}
    return told | ({} if seq is None else {"seq": str(seq)}) | more


def encoded(body: Any) -> str:
    """A message's data: JSON, text or bytes in base64."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return base64.b64encode(data).decode()


class Stand:
    """A topic with one subscription at the simulated Pub/Sub, and feeds that read it."""

    def __init__(self, broker: Broker, url: str, **options: Any) -> None:
        self.broker = broker
        self.url = url
        self.inside = broker.subscribe(
            NAME,
            TOPIC,
            attempts=options.pop("attempts", None),
            deadline_seconds=options.pop("deadline", 10.0),
        )
        self.options = options
        self.feeds: list[PubsubFeed] = []

    def say(self, body: Any, told: dict[str, str] | None = None) -> None:
        """Publish a message."""
        self.broker.publish(TOPIC, encoded(body), attributes() if told is None else told)

    def open(self, beat: Callable[[], None] = lambda: None, **more: Any) -> PubsubFeed:
        """A feed over the subscription."""
        feed = feed_at(self.url, beat, **{**self.options, **more})
        self.feeds.append(feed)
        return feed


def feed_at(
    url: str, beat: Callable[[], None] = lambda: None, reader: MessageReader | None = None, **options: Any
) -> PubsubFeed:
    made = PubsubOptions(**{"name": "site", "subscription": NAME, "url": url, "emulated": True, **options})
    return PubsubFeed(made, Subscription(made, Caller(), NoTokens()), VirtualClock(), beat, reader)


@asynccontextmanager
async def stand(**options: Any) -> AsyncIterator[Stand]:
    """A stand that is cleared away."""
    broker = Broker(SimulatorClock(), random.Random(7))
    async with serve(broker) as url:
        found = Stand(broker, url, **options)
        try:
            yield found
        finally:
            for feed in found.feeds:
                await feed.close()


class SubscribedSite:
    """A site for the contract of feeds: `publish` puts a message where the feed finds it."""

    reader: MessageReader | None = None

    def __init__(
        self, url: str, publish: Callable[[list[tuple[Any, dict[str, str]]]], Any], leave: AsyncExitStack
    ) -> None:
        self._url = url
        self._publish = publish
        self._leave = leave
        self._seq = 0
        self._epoch = "e1"
        self._last: list[tuple[Any, dict[str, str]]] = []
        self.feed = self.open()

    def open(self) -> PubsubFeed:
        """A feed of it."""
        return feed_at(self._url, reader=self.reader)

    async def begin(self) -> str:
        await self.tell(("Z", 1))
        async for one in self.feed.batches(None):
            await self.feed.acknowledge(one.checkpoint, None)  # type: ignore[union-attr,arg-type]
            return one.checkpoint  # type: ignore[union-attr]
        raise AssertionError("the feed ended")

    async def tell(self, *levels: tuple[str, int]) -> None:
        await self._publish(self._messages(levels))

    def _messages(self, levels: Sequence[tuple[str, int]]) -> list[tuple[Any, dict[str, str]]]:
        self._last = []
        for sku, on_hand in levels:
            self._seq += 1
            told = attributes(self._seq, epoch=self._epoch)
            self._last.append((level(self._seq, sku, on_hand), told))
        return self._last

    async def say(self, kind: str, **fields: object) -> None:
        self._seq += 1
        told = {"id": f"r{self._seq}", "type": kind, "seq": str(self._seq), **fields}
        await self._publish([(told, attributes(self._seq, epoch=self._epoch))])

    async def repeat(self) -> None:
        """Published once more, as one does who has no answer."""
        await self._publish(self._last)

    async def overtake(self, *levels: tuple[str, int]) -> None:
        await self._publish(self._messages(levels)[::-1])

    async def skip(self, count: int) -> None:
        self._seq += count

    async def restore(self) -> None:
        self._epoch, self._seq = "restored", 0

    async def poison(self) -> None:
        self._seq += 1
        text = json.dumps(level(self._seq, "A", 0)).replace('"onHand": 0', '"onHand": 1e400')
        await self._publish([(text, attributes(self._seq))])

    async def vanish(self) -> None:
        await self._leave.aclose()

    async def reopen(self) -> PubsubFeed:
        await self.feed.close()
        self.feed = self.open()
        return self.feed


class TallySite(SubscribedSite):
    """A foreign publisher, read by its profile; its clock goes on with each event, so that their times are in order."""

    reader = reader_of(tally_profile())

    async def tell(self, *levels: tuple[str, int]) -> None:
        for sku, on_hand in levels:
            await VirtualClock().sleep(1)
            await self._publish([(tally(counted(sku, on_hand, VirtualClock().wall_ms())), SITE)])

    async def poison(self) -> None:
        await VirtualClock().sleep(1)
        await self._publish([(tally(counted("A", "1e400", VirtualClock().wall_ms())), SITE)])


@asynccontextmanager
async def simulated_site(made: type[SubscribedSite] = SubscribedSite) -> AsyncIterator[SubscribedSite]:
    async with AsyncExitStack() as leave:
        broker = Broker(SimulatorClock(), random.Random(7))
        url = await leave.enter_async_context(serve(broker))
        broker.subscribe(NAME, TOPIC)

        async def publish(messages: list[tuple[Any, dict[str, str]]]) -> None:
            for body, told in messages:
                broker.publish(TOPIC, encoded(body), told)

        site = made(url, publish, leave)
        try:
            yield site
        finally:
            await site.feed.close()


@contextmanager
def emulator() -> Iterator[tuple[str, Callable[[], None]]]:
    """Google's emulator on a port of its own: its address, and what ends it. Skips where it is not installed."""
    found = sorted(glob.glob(JAR))  # noqa: PTH207 - an absolute pattern
    java = shutil.which("java")
    if not found or java is None:
        pytest.skip("Google's Pub/Sub emulator is not installed: no jar of it, or no java")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            java,
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            found[-1],
            "--host=127.0.0.1",
            f"--port={port}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = process.stdout
    assert said is not None
    # What it says of each request must not fill the pipe.
    drain = threading.Thread(target=lambda: deque(said, maxlen=1), daemon=True)

    def end() -> None:
        process.kill()
        process.wait()

    try:
        assert any(b"Server started" in line for line in said), "the emulator did not start"
        drain.start()
        yield f"http://127.0.0.1:{port}", end
    finally:
        end()
        if drain.ident is not None:
            drain.join()
        said.close()


@asynccontextmanager
async def emulated_site() -> AsyncIterator[SubscribedSite]:
    """The emulator's answers come from outside of the loop: they are waited for in real time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    async with AsyncExitStack() as leave:
        url, end = leave.enter_context(emulator())
        leave.enter_context(loop.hold())
        session = await leave.enter_async_context(aiohttp.ClientSession())
        await _make(session, url)

        async def publish(messages: list[tuple[Any, dict[str, str]]]) -> None:
            body = {"messages": [{"data": encoded(one), "attributes": told} for one, told in messages]}
            async with session.post(f"{url}/v1/{TOPIC}:publish", json=body) as answer:
                assert answer.status == 200, await answer.text()

        async with AsyncExitStack() as gone:
            gone.callback(end)
            site = SubscribedSite(url, publish, gone)
            yield site
            await site.feed.close()


async def _make(session: aiohttp.ClientSession, url: str) -> None:
    """The topic and its subscription."""
    for name, body in ((TOPIC, {}), (NAME, {"topic": TOPIC})):
        async with session.put(f"{url}/v1/{name}", json=body) as answer:
            assert answer.status == 200, await answer.text()
