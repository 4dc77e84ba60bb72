"""A simulated Pub/Sub for somebody who publishes to it: one topic, one subscription, what to type. Knows no command line."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from archsyncd.simulators.pubsub.broker import Broker, Clock
from archsyncd.simulators.pubsub.server import serve


@dataclass(frozen=True, slots=True)
class Queue:
    """What is simulated. `topic` and `subscription` are full names, as Pub/Sub has them."""

    host: str
    port: int
    topic: str = "projects/demo/topics/r247"
    subscription: str = "projects/demo/subscriptions/archsyncd"


async def run(queue: Queue, clock: Clock, tell: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop`. Raises OSError for an address that cannot be had."""
    broker = Broker(clock, random.Random(1))
    broker.subscribe(queue.subscription, queue.topic)
    async with serve(broker, queue.host, queue.port) as url:
        tell("\n".join(page(url, queue)))
        await stop.wait()


def page(url: str, queue: Queue) -> list[str]:
    """What to know and to type; the address stands alone on the first line."""
    return [
        url,
        "",
        f"A simulated Google Pub/Sub with the topic {queue.topic}. Ctrl-C ends it.",
        "",
        "  [[feed]]",
        '  transport = "pubsub"',
        f'  subscription = "{queue.subscription}"',
        f'  emulator = "{url.removeprefix("http://")}"',
        "",
        f"  curl -s {url}/v1/{queue.topic}:publish -d @message.json",
        f"  curl -s {url}/v1/{queue.subscription}:pull -d '{{\"maxMessages\":10}}'",
    ]
