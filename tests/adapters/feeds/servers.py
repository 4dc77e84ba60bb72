"""Small scripted HTTP servers and a simulated source on loopback, for tests in virtual time."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from tests.support.virtual_time import VirtualClock

from archsyncd.adapters.r247_pull import PullFeed, PullOptions, session_factory
from archsyncd.simulators.r247 import R247Config, R247Simulator, serve

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


@asynccontextmanager
async def opened(
    url: str, *, credential: str = "", tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[PullFeed]:
    """A feed that reads `url`."""
    feed = PullFeed(
        PullOptions(name="main", url=url, **options), lambda: credential, VirtualClock(), session_factory(tls)
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
