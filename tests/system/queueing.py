"""A warehouse that publishes to Pub/Sub what its feed tells, and a daemon's tables that read it there."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from archsyncd.simulators.pubsub import Broker, serve
from archsyncd.simulators.r247.exchange import Asked
from tests.adapters.feeds.subscribing import NAME, TOPIC, encoded
from tests.process.site import Site

NOTICES = "projects/shop/topics/orders"
NOTICED = "projects/shop/subscriptions/orders"
QUEUE = """
[[feed]]
name = "queue"
transport = "pubsub"
subscription = "{name}"
emulator = "{address}"
interval_seconds = 15
{more}
"""
STEP_SECONDS = 0.2


class Publisher:
    """Publishes a warehouse's records as they appear, in no order, some of them together and some twice."""

    def __init__(self, site: Site, broker: Broker, url: str, chance: random.Random) -> None:
        self.site = site
        self.broker = broker
        self.address = url.removeprefix("http://")
        self.chance = chance
        self.inside = broker.subscribe(NAME, TOPIC)
        self.repeats = 0.1
        self.seq = 0
        self.parts = 0

    def table(self, more: str = 'snapshot_from = "none-accepted"') -> str:
        """The [[feed]] table that reads it."""
        return QUEUE.format(name=NAME, address=self.address, more=more)

    def attributes(self, **more: str) -> dict[str, str]:
        log = self.site.house.log
        return {"schema": "r247/1", "feed": self.site.house.config.feed, "epoch": log.epoch, **more}

    def say(self, body: Any, **more: str) -> None:
        """Publish one message."""
        self.broker.publish(TOPIC, encoded(body), self.attributes(**more))

    async def run(self) -> None:
        """Publish for ever."""
        while True:
            self.publish_new()
            await self.site.clock.sleep(STEP_SECONDS)

    def publish_new(self) -> None:
        found = self.site.house.log.after(self.seq, 1_000, None, None)
        self.seq = found.through
        records = [json.loads(record.body) for record in found.records]
        messages: list[Any] = []
        while records:
            count = self.chance.choice((1, 1, 2, 5))
            taken, records = records[:count], records[count:]
            messages.append(taken[0] if len(taken) == 1 else {"items": taken})
        self.chance.shuffle(messages)
        for message in messages:
            for _ in range(2 if self.chance.random() < self.repeats else 1):
                self.say(message)

    async def snapshot(self, size: int = 2, *, leave_out: int = 0, **changes: Any) -> list[Mapping[str, Any]]:
        """The messages of a snapshot in parts, as the stock is now: all but `leave_out` of them, in no order."""
        answer = await self.site.house.handle(Asked("GET", "/v1/stock", (("limit", "10000"),)))
        told = json.loads(answer.body)
        self.parts += 1
        items = told["items"]
        pieces = [items[at : at + size] for at in range(0, len(items), size)]
        name = f"s-{self.parts}"
        messages: list[Mapping[str, Any]] = [
            {"type": "snapshot.part", "snapshotId": name, "part": number, "items": piece}
            for number, piece in enumerate(pieces, 1)
        ]
        end = {
            "type": "snapshot.end",
            "snapshotId": name,
            "parts": len(pieces),
            "asOf": told["asOf"],
            "seqAt": told["seqAt"],
            "check": told["check"],
        }
        messages.append(end | changes)
        self.chance.shuffle(messages)
        return messages[leave_out:]

    async def send_snapshot(self, size: int = 2, **changes: Any) -> None:
        for message in await self.snapshot(size, **changes):
            self.say(message)


@asynccontextmanager
async def publishing(site: Site, *, live: bool = True) -> AsyncIterator[Publisher]:
    """A simulated Pub/Sub to which the site's warehouse publishes."""
    broker = Broker(site.clock, random.Random(11))
    broker.pull_seconds = 5.0
    async with serve(broker) as url:
        publisher = Publisher(site, broker, url, random.Random(12))
        running = asyncio.create_task(publisher.run()) if live else None
        try:
            yield publisher
        finally:
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
