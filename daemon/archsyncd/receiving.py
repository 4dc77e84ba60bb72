"""Where feeds are called: places that are opened, or that systemd opened, and the feeds that answer there by their paths.

A place that cannot be opened is told by its feeds, and the daemon goes on without it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

from aiohttp import web

from archsyncd.adapters.webhook import PushFeed, Receiver
from archsyncd.adapters.webhook.google_keys import GoogleKeys
from archsyncd.adapters.webhook.receiver import KNOWN, PUT_OFF, STORED
from archsyncd.config import CredentialFault, FeedSettings, ListenAddress, key_credential
from archsyncd.domain.fatal import EXIT_CONFIGURATION, Fatal
from archsyncd.domain.loopback import is_loopback
from archsyncd.engine.shared import Shared
from archsyncd.operator.page.door import served
from archsyncd.operator.sockets import WEBHOOK, address_of, listen

CALLERS = 128
# After an outage all that was not taken comes again at once.
CALLERS_WAITING = 1_024
CALL_SECONDS = 30.0
NOT_OPENED = (
    "nothing listens for it: systemctl enable archsyncd-webhook.socket && systemctl restart archsyncd; "
    "in a run by hand state feed.listen"
)


class Tls:
    """The certificate of a place; new connections have what was read last."""

    def __init__(self, certificate: Path, key: Callable[[], str]) -> None:
        """Raises ValueError, OSError or CredentialFault for what cannot be used."""
        self._certificate = certificate
        self._key = key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.read()

    def read(self) -> None:
        """Read certificate and key again; what cannot be used changes nothing."""
        # The key is given by a place in memory alone: the library takes nothing but files.
        descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, self._key().encode())
            place = f"/proc/self/fd/{descriptor}"
            _tried(self._certificate, place)
            self.context.load_cert_chain(self._certificate, place, password=_no_password)
        except ssl.SSLError as error:
            raise ValueError(f"{self._certificate} and its key cannot be used: {error.reason}") from None
        finally:
            os.close(descriptor)


def _tried(certificate: Path, key: str) -> None:
    """A context half changed would have the certificate of one pair and the key of another."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)


def _no_password() -> str:
    raise ValueError("the key is encrypted: give it without a password")


@contextlib.asynccontextmanager
async def receiving(
    feeds: Sequence[tuple[FeedSettings, PushFeed]],
    shared: Shared,
    secret: Callable[[str], str],
    passed: Mapping[str, socket.socket],
    google: GoogleKeys | None = None,
) -> AsyncIterator[Sequence[Tls]]:
    """Have feeds called for as long as the context lasts; yields what holds certificates.

    `passed`: the sockets that systemd opened, by name. `google`: the keys that Google's tokens are verified with.
    """
    google = google or GoogleKeys(shared.clock, ssl.create_default_context)
    async with contextlib.AsyncExitStack() as stack:
        certificates: list[Tls] = []
        place_of = lambda each: str(each[0].listen or "")  # noqa: E731 - sorted and grouped by it
        for _, group in groupby(sorted(feeds, key=place_of), key=place_of):
            members = list(group)
            try:
                tls = _tls(members[0][0], secret)
                opened = _opened(stack, members[0][0].listen, passed.get(WEBHOOK), plain=tls is None)
                context = None if tls is None else tls.context
                routes = _routes([feed for _, feed in members], shared, google)
                await stack.enter_async_context(_served(routes, opened, context))
            except (OSError, ValueError, Fatal, CredentialFault) as error:
                told = error.sentence if isinstance(error, Fatal) else str(error)
                for _, feed in members:
                    feed.listens(told)
                continue
            certificates += [] if tls is None else [tls]
            for _, feed in members:
                feed.listens(None)
                stack.callback(feed.listens, "the daemon stops")
        yield certificates


def _served(
    routes: web.Application, opened: socket.socket, tls: ssl.SSLContext | None
) -> contextlib.AbstractAsyncContextManager[None]:
    # Signatures are over the bytes as they came, so nothing is unpacked.
    return served(
        routes,
        opened,
        connections=CALLERS,
        seconds=CALL_SECONDS,
        tls=tls,
        unpacks=False,
        backlog=CALLERS_WAITING,
    )


def renew_certificates(certificates: Sequence[Tls]) -> None:
    """Read every certificate again. Raises Fatal where one cannot be used, and it stays what it was."""
    for each in certificates:
        try:
            each.read()
        except (OSError, ValueError, CredentialFault) as error:
            raise Fatal(EXIT_CONFIGURATION, f"a certificate stays as it was: {error}") from error


def _tls(feed: FeedSettings, secret: Callable[[str], str]) -> Tls | None:
    if feed.certificate is None:
        return None
    return Tls(feed.certificate, partial(secret, key_credential(feed.name)))


def _opened(
    stack: contextlib.AsyncExitStack,
    address: ListenAddress | None,
    passed: socket.socket | None,
    *,
    plain: bool,
) -> socket.socket:
    """The listening socket. Raises OSError, Fatal, or ValueError where systemd did not open it as it should have."""
    if address is None:
        if passed is None:
            raise ValueError(NOT_OPENED)
        passed.setblocking(False)
        stack.callback(passed.close)
        if plain and passed.family != socket.AF_UNIX and not is_loopback(passed.getsockname()[0]):
            told = f"archsyncd-webhook.socket opens {address_of(passed)}, which is beyond this machine"
            passed.close()
            raise ValueError(f"{told}: state certificate, or open 127.0.0.1 and let a proxy end TLS")
        return passed
    if address.path is not None:
        listening = listen(address.path, None, WEBHOOK)
        stack.callback(listening.close)
        return listening.socket
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        found = socket.create_server((address.host, address.port), family=family, backlog=CALLERS_WAITING)
    except OSError as error:
        told = f"{address} cannot be listened at ({error.strerror})"
        raise ValueError(f"{told}; under systemd leave listen out and use archsyncd-webhook.socket") from None
    found.setblocking(False)
    stack.callback(found.close)
    return found


def _routes(feeds: Sequence[PushFeed], shared: Shared, google: GoogleKeys) -> web.Application:
    made = web.Application()
    for feed in feeds:
        note = partial(_note, shared, f"calls {feed.name}")
        receiver = Receiver(feed, shared.clock, note, partial(_count, shared), google)
        made.router.add_post(feed.options.path, receiver.answer)
    return made


def _count(shared: Shared, status: int) -> None:
    if status == STORED:
        shared.count("calls_stored")
    elif status == KNOWN:
        shared.count("calls_known")
    elif status in PUT_OFF:
        shared.count("calls_put_off")
    else:
        shared.count("calls_refused")


def _note(shared: Shared, name: str, text: str | None) -> None:
    if text is None:
        shared.notes.pop(name, None)
    else:
        shared.notes[name] = text
