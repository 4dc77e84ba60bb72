"""Subscriptions in a process of their own, by Pub/Sub's protocol: answers made beforehand, each given to one pull.

One named `turn-N-SIZE` has messages of so many records; every turn is a subscription of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import signal
from collections.abc import Iterator

import orjson
from aiohttp import web

from tests.bench.processes import announced
from tests.bench.stock import EPOCH, FEED, items, parts, skus

QUIET_SECONDS = 25.0
PULLED = 1_000
ATTRIBUTES = {"schema": "r247/1", "feed": FEED, "epoch": EPOCH, "contentType": "application/json"}
PUBLISHED = "2026-11-23T10:15:02Z"


def answers(records: int, size: int) -> list[bytes]:
    """What pulls are answered with: a thousand records each, `size` of them a message."""
    messages = []
    names = skus(records)
    for place, part in enumerate(parts(names, size)):
        levels = items(part, place * size + 1)
        data = base64.b64encode(orjson.dumps(levels[0] if size == 1 else {"items": levels})).decode()
        message = {"data": data, "attributes": ATTRIBUTES, "messageId": str(place), "publishTime": PUBLISHED}
        messages.append({"ackId": f"delivery-{place:012d}", "message": message})
    pulled = max(1, PULLED // size)
    return [
        orjson.dumps({"receivedMessages": messages[at : at + pulled]})
        for at in range(0, len(messages), pulled)
    ]


async def _serve(options: argparse.Namespace) -> None:
    made = {size: answers(options.records, size) for size in options.sizes}
    begun: dict[str, Iterator[bytes]] = {}
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def respond(request: web.Request) -> web.Response:
        await request.read()
        name, _, verb = request.path.rpartition("/")[2].rpartition(":")
        answer = b"{}"
        if verb == "pull":
            waiting = begun.setdefault(name, iter(made[int(name.rpartition("-")[2])]))
            answer = next(waiting, b"{}")
            if answer == b"{}":
                quiet = asyncio.ensure_future(stop.wait())
                await asyncio.wait([quiet], timeout=QUIET_SECONDS)
                quiet.cancel()
        return web.Response(body=answer, content_type="application/json")

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/{path:.*}", respond)
    await announced(app, stop)


def main() -> None:
    """Serve until told to stop; the address is the first line of standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", required=True, help="records a message")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
