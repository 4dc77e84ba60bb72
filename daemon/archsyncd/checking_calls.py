"""What check-config says of feeds that are called: their secret, their certificate, and the place they are called at.

Opens the place for a moment where that can be done, and calls nobody.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from archsyncd.config import CredentialFault, FeedSettings, ListenAddress, MappingNote, Weight, key_credential
from archsyncd.receiving import Tls
from archsyncd.wire.webhook import Algorithm, keys_of

# Where `systemctl enable archsyncd-webhook.socket` leaves its mark, and where systemd says that it runs.
ENABLED = Path("/etc/systemd/system/archsyncd.service.wants/archsyncd-webhook.socket")
_FACT, _LOOK, _WRONG = Weight.FACT, Weight.LOOK, Weight.WRONG


def call_notes(
    feed: FeedSettings, secret: Callable[[str], str], enabled: Path = ENABLED
) -> Iterator[MappingNote]:
    """Every fact and fault of one `push` feed. `enabled`: the mark of the socket unit."""
    if feed.signature.algorithm is not Algorithm.OIDC:
        yield from _secret(feed, secret)
    yield from _scheme(feed)
    yield from _certificate(feed, secret)
    if feed.listen is None:
        yield from _socket_unit(f"feed.{feed.name}", feed.path, enabled)
    else:
        yield from _place(f"feed.{feed.name}.listen", feed.listen)


def _secret(feed: FeedSettings, secret: Callable[[str], str]) -> Iterator[MappingNote]:
    name = f"feed-{feed.name}"
    try:
        keys = keys_of(secret(name))
    except CredentialFault as fault:
        yield MappingNote(_WRONG, name, str(fault))
    except ValueError as fault:
        yield MappingNote(_WRONG, name, f"the credential {fault}")
    else:
        more = ", two while one replaces the other" if len(keys) > 1 else ""
        yield MappingNote(
            _FACT, name, f"calls are verified with it{more}; the source's calls prove whether it is right"
        )


def _scheme(feed: FeedSettings) -> Iterator[MappingNote]:
    how, subject = feed.signature, f"feed.{feed.name}.signature"
    if how.algorithm is Algorithm.TOKEN:
        told = "the caller shows a secret and signs nothing: who learns it can say anything, so it must travel by TLS alone"
        yield MappingNote(_LOOK, subject, told)
    elif how.algorithm is Algorithm.OIDC:
        told = f"Google says that {how.email} calls for {how.audience}; its keys are fetched from www.googleapis.com"
        yield MappingNote(_FACT, subject, told)
    elif not how.ts_header:
        told = "the time is not signed: a call that was recorded can be played again, and changes nothing that is newer"
        yield MappingNote(_LOOK, subject, told)


def _certificate(feed: FeedSettings, secret: Callable[[str], str]) -> Iterator[MappingNote]:
    if feed.certificate is None:
        return
    subject = f"feed.{feed.name}.certificate"
    try:
        Tls(feed.certificate, partial(secret, key_credential(feed.name)))
    except (OSError, ValueError, CredentialFault) as fault:
        yield MappingNote(_WRONG, subject, str(fault))
    else:
        yield MappingNote(_FACT, subject, "belongs to its key")


def _socket_unit(subject: str, path: str, enabled: Path) -> Iterator[MappingNote]:
    if enabled.is_symlink() or enabled.exists():
        yield MappingNote(
            _FACT, subject, f"is called at archsyncd-webhook.socket, which is enabled, at {path}"
        )
        return
    told = (
        "archsyncd-webhook.socket is not enabled, so nobody can call: systemctl enable archsyncd-webhook.socket && "
        "systemctl restart archsyncd; for a run by hand state feed.listen"
    )
    yield MappingNote(_WRONG, subject, told)


def _place(subject: str, address: ListenAddress) -> Iterator[MappingNote]:
    if address.path is not None:
        there = address.path.parent.is_dir()
        told = f"{address} can be made" if there else f"{address.path.parent} does not exist"
        yield MappingNote(_FACT if there else _WRONG, subject, told)
        return
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            told = f"{address} is in use: by the daemon, if it runs"
            yield MappingNote(_LOOK, subject, told)
        else:
            yield MappingNote(_WRONG, subject, f"{address} cannot be listened at ({error.strerror})")
    else:
        yield MappingNote(_FACT, subject, f"{address} can be listened at")
