"""A source that calls, in a process of its own: signed calls made beforehand, so many at once, each until it is taken."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time

import aiohttp
import orjson

from archsyncd.wire.webhook import STANDARD, keys_of, signature
from tests.bench.stock import AS_OF, EPOCH, FEED, items, parts, skus

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TAKEN = frozenset({200, 202})
AGAIN_SECONDS = 0.05


def calls(records: int, size: int) -> list[tuple[bytes, dict[str, str]]]:
    """Bodies of `size` records each, with what is to be sent beside them."""
    key, timestamp = keys_of(SECRET)[0], str(int(time.time()))
    made = []
    for place, part in enumerate(parts(skus(records), size)):
        data = {"schema": "r247/1", "feed": FEED, "epoch": EPOCH, "items": items(part, place * size + 1)}
        body = orjson.dumps({"type": "stock.batch", "timestamp": AS_OF, "data": data})
        name = f"m{place}"
        signed = signature(STANDARD, key, name, timestamp, body)
        headers = {"webhook-id": name, "webhook-timestamp": timestamp, "webhook-signature": signed}
        made.append((body, headers))
    return made


async def _call(options: argparse.Namespace) -> None:
    made = calls(options.records, options.size)[::-1]
    begin, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, begin.set)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    sys.stdout.write(f"{len(made)} calls are made\n")
    sys.stdout.flush()
    await begin.wait()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(_work(session, options.url, made) for _ in range(options.at_once)))
    await stop.wait()


async def _work(session: aiohttp.ClientSession, url: str, made: list[tuple[bytes, dict[str, str]]]) -> None:
    while made:
        body, headers = made.pop()
        while True:
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status in TAKEN:
                    break
            await asyncio.sleep(AGAIN_SECONDS)


def main() -> None:
    """Make the calls, say so in a line, and begin at SIGUSR1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--size", type=int, required=True, help="records a call")
    parser.add_argument("--at-once", type=int, required=True)
    asyncio.run(_call(parser.parse_args()))


if __name__ == "__main__":
    main()
