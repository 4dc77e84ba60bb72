"""Where the status page listens, and what is answered where it does not: at its address, and where no source may call.

Who may ask on a Unix socket is decided by its group and mode; over TCP by the token of the credential status-token.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from aiohttp import web

from archsyncd.adapters.journal import say
from archsyncd.config import CredentialFault, ListenAddress
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import Fatal
from archsyncd.operator.commands import Commands
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.metrics import MetricsPage
from archsyncd.operator.page.door import BODY_LIMIT_BYTES, served
from archsyncd.operator.page.guard import SEAT_BYTES, Guard
from archsyncd.operator.page.server import StatusPage
from archsyncd.operator.page.views import views
from archsyncd.operator.sockets import BACKLOG, STATUS, WEBHOOK, listen

RETRY_SECONDS = 3600
PREPARE_AFTER_SECONDS = 20.0
SECRET_BYTES = 32
TOKEN = "status-token"  # noqa: S105 - the credential's name
_LOG = logging.getLogger("archsyncd.operator")


def refusing(text: str) -> web.Application:
    """Answers everything with 503 and a sentence, so that nothing counts as delivered and nobody waits."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=503, text=f"{text}\n", headers={"Retry-After": str(RETRY_SECONDS)})

    made = web.Application(client_max_size=BODY_LIMIT_BYTES)
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
        if webhook is not None and not any(
            feed.transport == "push" and feed.listen is None for feed in daemon.settings.feeds
        ):
            stack.callback(webhook.close)
            await stack.enter_async_context(served(refusing("no feed takes calls here"), webhook))
            told = "no feed of transport push takes calls at the webhook socket: it answers 503"
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
            await stack.enter_async_context(served(refusing('status.listen is ""'), passed))
        return
    found = _listening(stack, address, passed)
    token = None if found.family == socket.AF_UNIX else secret(TOKEN)
    new_seat = partial(secrets.token_hex, SEAT_BYTES)
    names = daemon.settings.status.names
    guard = Guard(token, secrets.token_bytes(SECRET_BYTES), new_seat, daemon.clock, names)
    metrics = MetricsPage(daemon.desk.status, lambda kind: daemon.settings.owner(kind).team)
    acts = lambda: daemon.settings.status.actions  # noqa: E731 - asked anew each time: a reload changes it
    page = StatusPage(Commands(daemon), metrics, guard, daemon.clock, acts=acts)
    preparing = asyncio.create_task(_prepare(daemon), name="page-templates")
    stack.callback(preparing.cancel)
    await stack.enter_async_context(served(page.application(), found))


async def _prepare(daemon: Daemon) -> None:
    """Compile the templates beside what the daemon has to do: not while it starts, nor at somebody's first look."""
    await daemon.clock.sleep(PREPARE_AFTER_SECONDS)
    await asyncio.to_thread(views().prepare)


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
