"""A source of records in a process of its own: pages made beforehand, so that serving them costs next to nothing."""

from __future__ import annotations

import argparse
import asyncio
import signal

import orjson
from aiohttp import web

from tests.bench.processes import announced
from tests.bench.stock import EPOCH, FEED, lines, page, parts, skus

QUIET_SECONDS = 25.0
NDJSON = "application/x-ndjson"


def cursor(turn: int, place: int | str) -> str:
    """A page's cursor. After a round's last page the source is quiet until another round is asked for."""
    return f"{turn}.{place}"


def pages(records: int, size: int, rounds: int) -> dict[str, bytes]:
    """Every key once a round, by cursor; `more` ends with each round."""
    made: dict[str, bytes] = {}
    names = skus(records)
    for turn in range(rounds):
        first_seq = turn * records + 1
        for place, part in enumerate(parts(names, size)):
            last = (place + 1) * size >= records
            following = cursor(turn, "end" if last else place + 1)
            made[cursor(turn, place)] = page(part, first_seq + place * size, following, more=not last)
    return made


def streams(records: int, size: int, rounds: int) -> dict[str, bytes]:
    """Every key once a round as lines, a cursor line behind each part, by the cursor at which a round begins."""
    made: dict[str, bytes] = {}
    names = skus(records)
    for turn in range(rounds):
        found: list[bytes] = []
        for place, part in enumerate(parts(names, size)):
            last = (place + 1) * size >= records
            following = cursor(turn, "end" if last else place + 1)
            control = {
                "type": "feed.cursor",
                "next": following,
                "schema": "r247/1",
                "feed": FEED,
                "epoch": EPOCH,
            }
            found += [*lines(part, turn * records + 1 + place * size), orjson.dumps(control) + b"\n"]
        made[cursor(turn, 0)] = b"".join(found)
    return made


async def _serve(options: argparse.Namespace) -> None:
    made = pages(options.records, options.size, options.rounds)
    streamed = streams(options.records, options.size, options.rounds) if options.streams else {}
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def changes(request: web.Request) -> web.StreamResponse:
        asked = request.query["cursor"]
        found = streamed if NDJSON in request.headers.get("Accept", "") else made
        if asked in found:
            return web.Response(
                body=found[asked], content_type=NDJSON if found is streamed else "application/json"
            )
        quiet = asyncio.ensure_future(stop.wait())
        await asyncio.wait([quiet], timeout=min(float(request.query.get("wait", "0")), QUIET_SECONDS))
        quiet.cancel()
        return web.Response(body=page((), 1, asked, more=False), content_type="application/json")

    app = web.Application()
    app.router.add_get("/api/v1/changes", changes)
    await announced(app, stop, "/api")


def main() -> None:
    """Serve until told to stop; the address is the first line of standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--size", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--streams", action="store_true", help="answer with lines as well")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
