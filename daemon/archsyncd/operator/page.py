"""What people and probes read over HTTP, and nothing that changes anything: health, the status as text and as JSON.

Also answers where a source may call one day: with 503 as long as no feed takes calls, so that nothing counts as delivered.
Who may ask is decided by the socket's group and mode; over TCP by the token of the credential status-token.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, cast

from aiohttp import web

from archsyncd.adapters.journal import say
from archsyncd.config import CredentialFault, ListenAddress
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import Fatal
from archsyncd.operator.commands import Commands
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.metrics import PATH, MetricsPage
from archsyncd.operator.screens import status_lines
from archsyncd.operator.sockets import BACKLOG, STATUS, WEBHOOK, listen

CONNECTIONS = 32
CONNECTION_SECONDS = 30.0
AWAY_SECONDS = 1.0
REQUEST_LIMIT_BYTES = 4096
STOP_SECONDS = 2.0
RETRY_SECONDS = 3600
CRITICAL = "critical"
TOKEN = "status-token"  # noqa: S105 - the credential's name
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
_LOG = logging.getLogger("archsyncd.operator")
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatusPage:
    """The answers. `token`: what a caller must know, None where the socket itself decides."""

    def __init__(self, commands: Commands, metrics: MetricsPage, token: str | None) -> None:
        self._commands = commands
        self._metrics = metrics
        self._token = token

    def application(self) -> web.Application:
        """As aiohttp serves it."""
        made = web.Application(middlewares=[self._guard], client_max_size=REQUEST_LIMIT_BYTES)
        made.router.add_get("/", self._text)
        made.router.add_get("/status.json", self._json)
        made.router.add_get("/healthz", self._health)
        made.router.add_get(PATH, self._metrics.answer)
        return made

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._token is not None:
            told = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(told, f"Bearer {self._token}".encode()):
                return web.Response(
                    status=401, text="a token is needed\n", headers={"WWW-Authenticate": "Bearer"}
                )
        try:
            answer = await handler(request)
        except web.HTTPException as refusal:
            answer = web.Response(
                status=refusal.status, text=f"{refusal.reason}; see / /status.json /healthz {PATH}\n"
            )
        except Exception:  # noqa: BLE001 - one request's fault must not show its inside
            _LOG.exception("the status page failed")
            answer = web.Response(status=500, text="The daemon failed at this; the journal says more.\n")
        answer.headers.update(HEADERS)
        return answer

    async def _text(self, _: web.Request) -> web.Response:
        status = await self._commands.answer("status", {})
        return web.Response(text="\n".join(status_lines(status)) + "\n")

    async def _json(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commands.answer("status", {}))

    async def _health(self, _: web.Request) -> web.Response:
        """503 while the data is not to be trusted: a probe need not read the sentence."""
        status = await self._commands.answer("status", {})
        return web.Response(
            text=f"{status['sentence']}\n", status=503 if status["verdict"] == CRITICAL else 200
        )


def refusing(text: str) -> web.Application:
    """Answers everything with 503 and a sentence, so that nothing counts as delivered and nobody waits."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=503, text=f"{text}\n", headers={"Retry-After": str(RETRY_SECONDS)})

    made = web.Application(client_max_size=REQUEST_LIMIT_BYTES)
    made.router.add_route("*", "/{path:.*}", refuse)
    return made


@contextlib.asynccontextmanager
async def showing(
    daemon: Daemon, secret: Callable[[str], str], passed: Mapping[str, socket.socket] = MappingProxyType({})
) -> AsyncIterator[None]:
    """Serve readers for as long as the context lasts. Where it cannot, the journal says why and the daemon goes on.

    `passed`: the sockets that systemd opened, by name.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            await _show_status(stack, daemon, secret, passed.get(STATUS))
        except (OSError, Fatal, CredentialFault) as error:
            told = error.sentence if isinstance(error, Fatal) else str(error)
            say(_LOG, Event.PAGE_UNSERVED, f"the status page is not served: {told}; all else goes on")
        webhook = passed.get(WEBHOOK)
        if webhook is not None:
            stack.callback(webhook.close)
            await stack.enter_async_context(_served(refusing("no feed takes calls here"), webhook))
            told = "no feed takes calls in this version: the webhook socket answers 503"
            say(_LOG, Event.PAGE_UNSERVED, told)
        yield


async def _show_status(
    stack: contextlib.AsyncExitStack,
    daemon: Daemon,
    secret: Callable[[str], str],
    passed: socket.socket | None,
) -> None:
    address = daemon.settings.status.listen
    if address is None:
        if passed is not None:
            # systemd goes on listening, whatever is closed here: whoever calls is answered.
            stack.callback(passed.close)
            await stack.enter_async_context(_served(refusing('status.listen is ""'), passed))
        return
    found = _listening(stack, address, passed)
    token = None if found.family == socket.AF_UNIX else secret(TOKEN)
    metrics = MetricsPage(daemon.desk.status, lambda kind: daemon.settings.owner(kind).team)
    page = StatusPage(Commands(daemon), metrics, token)
    await stack.enter_async_context(_served(page.application(), found))


def _listening(
    stack: contextlib.AsyncExitStack, address: ListenAddress, passed: socket.socket | None
) -> socket.socket:
    if address.path is not None or passed is not None:
        listening = listen(address.path or Path(str(address)), passed, STATUS)
        stack.callback(listening.close)
        return listening.socket
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    found = socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
    found.setblocking(False)
    stack.callback(found.close)
    return found


@contextlib.asynccontextmanager
async def _served(application: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        max_line_size=REQUEST_LIMIT_BYTES,
        max_field_size=REQUEST_LIMIT_BYTES,
        shutdown_timeout=STOP_SECONDS,
    )
    await runner.setup()
    assert runner.server is not None
    server = await asyncio.get_running_loop().create_server(
        Doorman(runner.server), sock=listening, backlog=BACKLOG
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
