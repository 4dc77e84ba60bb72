"""Lets HTTP clients in: a bounded number, each for a bounded time and with bounded requests. Knows no answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from typing import cast

from aiohttp import web

from archsyncd.operator.sockets import BACKLOG

CONNECTIONS = 32
CONNECTION_SECONDS = 30.0
AWAY_SECONDS = 1.0
LINE_LIMIT_BYTES = 4096
# Cookies are shared by all ports of a name: what others have set for "localhost" comes along.
FIELD_LIMIT_BYTES = 8192
# A reason of 500 characters, each of them up to 12 bytes in a form, and its fields.
BODY_LIMIT_BYTES = 8192
STOP_SECONDS = 2.0
HANDSHAKE_SECONDS = 5.0


@contextlib.asynccontextmanager
async def served(
    application: web.Application,
    listening: socket.socket,
    *,
    connections: int = CONNECTIONS,
    seconds: float = CONNECTION_SECONDS,
    tls: ssl.SSLContext | None = None,
    unpacks: bool = True,
    backlog: int = BACKLOG,
) -> AsyncIterator[None]:
    """Serve an application on a listening socket for as long as the context lasts.

    `connections` at once, each for `seconds`; `backlog` more wait at the door. `unpacks`: what clients have compressed is read
    as it was before that.
    """
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        max_line_size=LINE_LIMIT_BYTES,
        max_field_size=FIELD_LIMIT_BYTES,
        shutdown_timeout=STOP_SECONDS,
        auto_decompress=unpacks,
    )
    await runner.setup()
    assert runner.server is not None
    server = await asyncio.get_running_loop().create_server(
        Doorman(runner.server, connections, seconds),
        sock=listening,
        backlog=backlog,
        ssl=tls,
        ssl_handshake_timeout=None if tls is None else HANDSHAKE_SECONDS,
    )
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()


class Doorman:
    """Lets a bounded number of clients in, each for a bounded time: neither silence nor deafness keeps a place for long."""

    def __init__(
        self,
        make: Callable[[], asyncio.Protocol],
        connections: int = CONNECTIONS,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._make = make
        self._connections = connections
        self._seconds = seconds
        self._inside: set[_Guest] = set()

    def __call__(self) -> asyncio.Protocol:
        """A protocol for the next client."""
        if len(self._inside) >= self._connections:
            return _Away()
        return _Guest(self._make(), self._seconds, self._inside)


class _Guest(asyncio.Protocol):
    """One client, cut off when its time is over, whatever it has not read by then."""

    def __init__(self, inner: asyncio.Protocol, seconds: float, inside: set[_Guest]) -> None:
        self._inner = inner
        self._seconds = seconds
        self._inside = inside
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inside.add(self)
        # uvloop's transports are asyncio's in all but name.
        abort = cast("asyncio.Transport", transport).abort
        self._end = asyncio.get_running_loop().call_later(self._seconds, abort)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._inside.discard(self)
        if self._end is not None:
            self._end.cancel()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class _Away(asyncio.Protocol):
    """Sends a client away, once it has asked: closing before that would cost it the answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        asyncio.get_running_loop().call_later(AWAY_SECONDS, self._transport.abort)

    def data_received(self, _data: bytes) -> None:
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
        )
        self._transport.close()
