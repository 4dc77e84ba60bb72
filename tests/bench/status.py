"""What it costs to ask a daemon of many keys how it is: from the shell, by HTTP, by Prometheus, in a browser."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from tests.bench.daemon import SETTLING_SECONDS, resting, running
from tests.bench.figures import ABOVE_FLOOR, Figure
from tests.bench.processes import start
from tests.bench.sizes import Sizes

COLD_SECONDS = 0.15
CALLS = 10
# A look is shared for 0.9 seconds: after a second the next one is made anew.
APART_SECONDS = 1.0


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """At the largest size, on one daemon at rest."""
    keys = sizes.resident_keys[-1]
    place = scratch / f"keys-{keys}"
    calls = CALLS if sizes.rounds > 1 else 2
    try:
        with tempfile.TemporaryDirectory(prefix="bench-") as sockets:
            async with resting(keys, place, sockets), running(place, sockets):
                await asyncio.sleep(min(SETTLING_SECONDS, 6 * sizes.idle_seconds))
                return await _asked(keys, calls, sockets)
    finally:
        shutil.rmtree(place, ignore_errors=True)


async def _asked(keys: int, calls: int, sockets: str) -> list[Figure]:
    async def shell() -> int:
        arguments = ("status", "--socket", f"{sockets}/control")
        return await (await start("archsyncd.operator.ctl", arguments, piped=False)).wait()

    connector = aiohttp.UnixConnector(f"{sockets}/status")
    async with aiohttp.ClientSession("http://archsyncd", connector=connector) as session:

        async def page(path: str, accept: str = "*/*") -> int:
            async with session.get(path, headers={"Accept": accept}) as answer:
                text = await answer.text()
                assert answer.status in {200, 503}, f"{path} answered {answer.status}"
                # Without a browser's wish the same address answers with the status as text.
                assert accept in {"*/*", answer.content_type}, answer.content_type
                return len(text)

        cold = await _timed(shell, calls, 0.0)
        status = await _timed(lambda: page("/status.json"), calls, APART_SECONDS)
        scrape = await _timed(lambda: page("/metrics"), calls, APART_SECONDS)
        shared = await _timed(lambda: page("/metrics"), calls, 0.0)
        overview = await _timed(lambda: page("/", "text/html"), calls, APART_SECONDS)
        worklist = await _timed(lambda: page("/exceptions", "text/html"), calls, APART_SECONDS)
    return [
        Figure(
            f"status from the shell at {keys:,} keys",
            statistics.median(cold),
            "s",
            None,
            ABOVE_FLOOR,
            COLD_SECONDS,
        ),
        Figure(f"status by HTTP at {keys:,} keys", 1000 * statistics.median(status), "ms"),
        Figure(f"the slowest of them at {keys:,} keys", 1000 * max(status), "ms"),
        Figure(f"scrape at {keys:,} keys", 1000 * statistics.median(scrape), "ms"),
        Figure(f"scrape of the same second at {keys:,} keys", 1000 * statistics.median(shared), "ms"),
        Figure(f"the page's overview at {keys:,} keys", 1000 * statistics.median(overview), "ms"),
        Figure(f"the slowest of them at {keys:,} keys", 1000 * max(overview), "ms"),
        Figure(f"its exceptions at {keys:,} keys", 1000 * statistics.median(worklist), "ms"),
    ]


async def _timed(ask: Callable[[], Awaitable[int]], calls: int, apart_seconds: float) -> list[float]:
    """How long each of so many calls took, in seconds."""
    found = []
    for _ in range(calls):
        await asyncio.sleep(apart_seconds)
        began = time.perf_counter()
        await ask()
        found.append(time.perf_counter() - began)
    return found
