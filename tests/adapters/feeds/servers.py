"""Small scripted HTTP servers and a simulated source on loopback, for tests in virtual time."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from archsyncd.adapters.r247_pull import PullFeed, PullOptions, Sessions
from archsyncd.domain.feed import Batch, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.simulators.r247 import R247Config, R247Simulator, serve
from tests.support.virtual_time import VirtualClock

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def scripted(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Answer every request with `handler`; yields the base address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Answer connections with bytes of one's own."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def nothing() -> None:
    """Nobody watches whether the feed goes on."""


@asynccontextmanager
async def opened(
    url: str,
    *,
    credential: str = "",
    tls: ssl.SSLContext | None = None,
    beat: Callable[[], None] = nothing,
    **options: Any,
) -> AsyncIterator[PullFeed]:
    """A feed that reads `url`."""
    feed = PullFeed(
        PullOptions(name="main", url=url, **options),
        lambda: credential,
        VirtualClock(),
        Sessions(tls),
        beat,
    )
    try:
        yield feed
    finally:
        await feed.close()


class SimulatorClock:
    """The simulator's idea of time on the virtual loop."""

    def __init__(self) -> None:
        self._clock = VirtualClock()

    def now(self) -> float:
        """UTC seconds."""
        return self._clock.wall_ms() / 1000

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await self._clock.sleep(seconds)


@asynccontextmanager
async def simulated(**settings: Any) -> AsyncIterator[tuple[R247Simulator, str]]:
    """A simulated source on loopback, and its address."""
    simulator = R247Simulator(R247Config(**settings), SimulatorClock(), random.Random(7))
    async with serve(simulator) as url:
        yield simulator, url


EMPTY: dict[str, Any] = {
    "schema": "r247/1",
    "feed": "main",
    "epoch": "e1",
    "items": [],
    "next": "c1",
    "more": False,
}


def level(seq: int, sku: str = "A", **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{seq}",
        "type": "stock.level",
        "seq": str(seq),
        "sku": sku,
        "location": "WH1",
        "onHand": seq,
        **more,
    }


def pages(*bodies: dict[str, Any] | web.Response) -> tuple[Handler, list[web.Request]]:
    """Answer the requests one after the other; the last answer is given again and again."""
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request)
        body = bodies[min(len(asked), len(bodies)) - 1]
        return (
            web.json_response(EMPTY | body)
            if isinstance(body, dict)
            else body.__class__(status=body.status, body=body.body, headers=body.headers)
        )

    return answer, asked


async def first(feed: PullFeed, after: str | None = "c0") -> Batch | SnapshotDue:
    """What the feed tells first."""
    async with aclosing(feed.batches(after)) as reading:  # type: ignore[type-var]
        found = await anext(reading)
        assert isinstance(found, Batch | SnapshotDue)
        return found


async def fault_of(feed: PullFeed, after: str = "c0") -> FeedFault:
    with pytest.raises(FeedFault) as fault:
        await first(feed, after)
    return fault.value
