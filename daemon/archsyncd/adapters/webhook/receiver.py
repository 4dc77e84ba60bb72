"""Answers the calls of one source: caps first, then the signature over the bytes as they came, then the wait for the commit.

Nothing is told to who does not sign but the word of the refusal. What is not stored is never answered with success.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, web
from aiohttp.http import HttpProcessingError

from archsyncd.adapters.webhook.caps import Rate, Refusals
from archsyncd.adapters.webhook.feed import PushFeed
from archsyncd.adapters.webhook.google_keys import GoogleKeys
from archsyncd.adapters.webhook.inbox import Call, Fate
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.foreign.messages import MessageReader
from archsyncd.wire.oidc import NoIdentity, identify
from archsyncd.wire.r247_values import Unreadable
from archsyncd.wire.webhook import Algorithm, is_id, own_id, seconds_of, verified
from archsyncd.wire.webhook_body import (
    Envelope,
    Told,
    read_batch,
    read_envelope,
    read_enveloped,
    read_foreign,
    read_foreign_enveloped,
    read_skus,
)

READ_ASIDE_BYTES = 64 * 1024
# A small message may hold a large one.
PACKED = b"contentEncoding"
TOKEN_QUERY = "token"  # noqa: S105 - the parameter's name
STORED, KNOWN = 202, 200
PUT_OFF = frozenset({429, 503})
LOOPBACK = "127.0.0.1"


class Refused(Exception):
    """A call is not taken. `word` is stable; `detail` only for who has signed."""

    def __init__(
        self, status: int, word: str, detail: str = "", retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(word)
        self.status = status
        self.word = word
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the headers tell of a call: its id and time as they were written, and the signatures."""

    message_id: str
    timestamp: str
    signatures: str
    sent_ms: int


class Receiver:
    """The answers of one feed.

    `note` is told what people should know of refused calls, None once all is well; `count` the status of each answer.
    """

    def __init__(
        self,
        feed: PushFeed,
        clock: Clock,
        note: Callable[[str | None], None],
        count: Callable[[int], None],
        google: GoogleKeys,
    ) -> None:
        self.feed = feed
        self._options = feed.options
        self._clock = clock
        self._note = note
        self._count = count
        self._google = google
        self._rate = Rate(self._options.rate_per_second, self._options.burst)
        self._refusals = Refusals(self._options.refusals_per_minute)
        self._arriving_bytes = 0
        self._refused = 0

    async def answer(self, request: web.Request) -> web.Response:
        """Take one call. Never raises but for a connection that is gone."""
        try:
            answer = await self._received(request)
        except Refused as refused:
            told: dict[str, Any] = {"code": refused.word}
            if refused.detail:
                told["detail"] = refused.detail
            wait = refused.retry_after_seconds
            headers = {} if wait is None else {"Retry-After": str(wait)}
            answer = web.json_response(told, status=refused.status, headers=headers)
        self._count(answer.status)
        # The door bounds how long a connection lasts: the next call gets one of its own.
        answer.force_close()
        return answer

    async def _received(self, request: web.Request) -> web.Response:
        address = self._address(request)
        self._let_in(request, address)
        try:
            stamp = self._stamp(request)
            if self._options.scheme.algorithm is Algorithm.OIDC:
                await self._identify(stamp.signatures)
            body = await self._body(request)
            if self._options.scheme.algorithm is not Algorithm.OIDC:
                self._verify(stamp, body)
        except Refused as refused:
            if refused.status == web.HTTPUnauthorized.status_code:
                self._tell_refusal(refused.word, address)
            raise
        try:
            call = await self._call(stamp, body)
        except Refused as refused:
            self._tell(
                f"the newest said nothing that can be used ({refused.detail})",
                address,
                "have its sender mend it",
            )
            raise
        fate = await self._fate(call)
        if fate is Fate.NOT_NOW:
            raise self._later("not_stored")
        self._refused = 0
        self._note(None)
        if fate is Fate.DUPLICATE:
            return web.json_response({"status": "duplicate"}, status=KNOWN)
        return web.json_response({"status": "stored", "items": call.told.items}, status=STORED)

    def _let_in(self, request: web.Request, address: str) -> None:
        """Everything that costs nothing to see. Raises Refused."""
        now, size = self._clock.monotonic(), request.content_length or 0
        # Who is left alone uses up no place of others.
        if self._refusals.beyond(address, now) or not self._rate.take(now):
            raise Refused(429, "too_many", retry_after_seconds=self._options.retry_after_seconds)
        if size > self._options.body_limit_bytes:
            raise Refused(413, "too_large")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused(415, "encoded")
        if not self.feed.inbox.is_read:
            raise self._later("not_reading")
        if not self.feed.inbox.has_room(size):
            raise self._later("full")

    def _later(self, word: str) -> Refused:
        return Refused(503, word, retry_after_seconds=self._options.retry_after_seconds)

    def _address(self, request: web.Request) -> str:
        """Who calls, as far as that can be known; empty where only a proxy's own address is."""
        peer = request.remote or LOOPBACK
        told = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        while self._is_proxy(peer) and told:
            peer = told.pop().strip()
        try:
            return "" if ipaddress.ip_address(peer).is_loopback else peer
        except ValueError:
            return ""

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found.version == net.version and found in net for net in self._options.trusted_proxies)

    def _stamp(self, request: web.Request) -> Stamp:
        scheme, headers = self._options.scheme, request.headers
        names = (scheme.id_header, scheme.ts_header, scheme.header)
        if any(len(headers.getall(name, ())) > 1 for name in names if name):
            raise Refused(401, "bad_signature")
        message_id, timestamp, signatures = (headers.get(name, "") if name else "" for name in names)
        if not scheme.header:
            signatures = request.query.get(TOKEN_QUERY, "")
        if not signatures or (scheme.id_header and not is_id(message_id)):
            raise Refused(401, "bad_signature")
        now_ms = self._clock.wall_ms()
        if not scheme.ts_header:
            return Stamp(message_id, "", signatures, now_ms)
        sent = seconds_of(timestamp)
        if sent is None or abs(sent - now_ms / 1000) > self._options.tolerance_seconds:
            raise Refused(401, "stale_timestamp")
        return Stamp(message_id, timestamp, signatures, int(sent * 1000))

    async def _body(self, request: web.Request) -> bytes:
        """The whole body, within its limits of size and time. Raises Refused."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._options.body_seconds):
                while not request.content.at_eof():
                    piece = await request.content.readany()
                    body += piece
                    self._arriving_bytes += len(piece)
                    if len(body) > self._options.body_limit_bytes:
                        raise Refused(413, "too_large")
                    if self._arriving_bytes > self._options.waiting_limit_bytes:
                        raise self._later("full")
        except TimeoutError:
            raise Refused(408, "too_slow") from None
        except (OSError, ClientError, HttpProcessingError):
            # Whoever sent it is gone, or does not know how to.
            raise Refused(400, "broken_off") from None
        finally:
            self._arriving_bytes -= len(body)
        return bytes(body)

    async def _identify(self, told: str) -> None:
        """Have Google's token say who calls, before a byte of the body is read. Raises Refused."""
        scheme = self._options.scheme
        token = told.removeprefix(scheme.prefix)
        for newer in (False, True):
            try:
                keys = await self._google.get(newer=newer)
                identify(token, keys, scheme.audience, scheme.email, self._clock.wall_ms() / 1000)
            except FeedFault as fault:
                self._note(fault.reason)
                raise self._later("not_reading") from None
            except NoIdentity as refused:
                if newer or not refused.unknown_key:
                    raise Refused(401, "bad_signature") from None
            else:
                return

    def _verify(self, stamp: Stamp, body: bytes) -> None:
        try:
            keys = self.feed.keys()
        except FeedFault as fault:
            self._note(fault.reason)
            raise self._later("not_reading") from None
        scheme = self._options.scheme
        if not verified(scheme, keys, stamp.signatures, stamp.message_id, stamp.timestamp, body):
            raise Refused(401, "bad_signature")

    def _tell_refusal(self, word: str, address: str) -> None:
        if address:
            self._refusals.note(address, self._clock.monotonic())
        remedy = (
            "compare both sides' clocks"
            if word == "stale_timestamp"
            else "compare audience and email with the push subscription"
            if self._options.scheme.algorithm is Algorithm.OIDC
            else f"compare the source's secret with the credential feed-{self.feed.name}"
        )
        self._tell(f"the newest as {word}", address, remedy)

    def _tell(self, newest: str, address: str, remedy: str) -> None:
        self._refused += 1
        many = "1 call was" if self._refused == 1 else f"{self._refused} calls were"
        whose = f", from {address}" if address else ""
        at = rfc3339(self._clock.wall_ms())
        self._note(f"{remedy}: {many} refused since the last good one, {newest}{whose}, {at}")

    async def _call(self, stamp: Stamp, body: bytes) -> Call:
        """What a verified body says. Raises Refused (400)."""
        try:
            if len(body) < READ_ASIDE_BYTES and PACKED not in body and self._options.reader is None:
                told, own = self._read(stamp, body)
            else:
                told, own = await asyncio.to_thread(self._read, stamp, body)
            self._check_feed(told)
        except Unreadable as fault:
            raise Refused(400, "malformed", fault.reason) from None
        scheme = self._options.scheme
        call_id = own or own_id(scheme, stamp.message_id, body)
        if self._options.fetch and not scheme.id_header and not own:
            # The same few words may well be said again, and mean another change.
            call_id = f"{call_id}.{stamp.sent_ms}"
        return Call(call_id, stamp.sent_ms, told, len(body))

    def _read(self, stamp: Stamp, body: bytes) -> tuple[Told, str]:
        """What it says, and the id that a Pub/Sub envelope gives it. Raises Unreadable."""
        options = self._options
        if options.fetch:
            return read_skus(body, options.sku_path), ""
        if options.reader is not None:
            return self._by_profile(options.reader, stamp, body)
        envelope = read_envelope(body)
        if envelope is None:
            return read_batch(body), ""
        return read_enveloped(envelope), self._id_of(envelope)

    def _by_profile(self, reader: MessageReader, stamp: Stamp, body: bytes) -> tuple[Told, str]:
        """As `_read`. Never raises: what only the profile's author can mend is stored, and set aside for that."""
        try:
            envelope = read_envelope(body)
        except Unreadable:
            envelope = None
        if envelope is None:
            call_id = own_id(self._options.scheme, stamp.message_id, body)
            return read_foreign(reader, body, call_id, stamp.sent_ms), ""
        return read_foreign_enveloped(reader, envelope, stamp.sent_ms), self._id_of(envelope)

    def _id_of(self, envelope: Envelope) -> str:
        """By which a message of Pub/Sub is known again, unless its sender signs an id of its own."""
        return "" if self._options.scheme.signs_id else f"pubsub.{envelope.message_id}"

    def _check_feed(self, told: Told) -> None:
        """Refuse positions of another feed: they cannot be compared with ours. Raises Unreadable."""
        if told.feed is None:
            return
        if self.feed.source_feed is None:
            self.feed.source_feed = told.feed
        elif told.feed != self.feed.source_feed:
            raise Unreadable(f"another feed calls: {told.feed!r} instead of {self.feed.source_feed!r}")

    async def _fate(self, call: Call) -> Fate:
        """Have it stored, or wait for the one of the same id that is on its way."""
        inbox = self.feed.inbox
        first = inbox.find(call.id)
        if first is not None:
            fate = await self._settled(first)
            return fate if fate is Fate.NOT_NOW else Fate.DUPLICATE
        if not inbox.is_read or not inbox.has_room(call.size_bytes):
            return Fate.NOT_NOW
        inbox.enter(call)
        fate = await self._settled(call)
        call.settle(fate)
        return fate

    async def _settled(self, call: Call) -> Fate:
        await asyncio.wait([call.fate], timeout=self._options.commit_seconds)
        return call.fate.result() if call.fate.done() else Fate.NOT_NOW
