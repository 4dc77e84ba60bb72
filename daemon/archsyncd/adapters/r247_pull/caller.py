"""One bounded HTTP call to the source, or one bounded stream. Knows headers, limits and time, no document."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from yarl import URL

from archsyncd.adapters.answers import BROKEN, CHUNK_BYTES, named, read_body
from archsyncd.adapters.r247_pull.options import PullAuth, PullOptions
from archsyncd.adapters.r247_pull.session import Sessions
from archsyncd.engine.ports import FeedFault, SecretFault
from archsyncd.wire.commercetools.exchange import query_of

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
CREDENTIAL_LIMIT_CHARACTERS: Final = 8_192

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A request below the source's address; `path` is percent-encoded already, `query` is not.

    A `body` that is a text goes as it is. `headers` stand beside ours and never in their place.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: Mapping[str, Any] | str | None = field(default=None, repr=False)
    accept: str = JSON
    wait_seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `told` names call, status and correlation id for reasons and logs; never a payload."""

    status: int
    body: bytes = field(repr=False)
    told: str
    content_type: str
    retry_after: str | None = None
    date: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Stream:
    """The body of an answer that goes on for as long as the source likes."""

    def __init__(self, response: aiohttp.ClientResponse, told: str, options: PullOptions) -> None:
        self._response = response
        self._told = told
        self._quiet_seconds = options.quiet_seconds

    async def read(self) -> bytes:
        """Return the next bytes, empty at the end. Raises FeedFault when nothing comes for too long."""
        try:
            async with asyncio.timeout(self._quiet_seconds):
                return await self._response.content.readany()
        except TimeoutError:
            raise FeedFault(f"{self._told}: silent for {self._quiet_seconds:g} s") from None
        except BROKEN as error:
            raise FeedFault(f"{self._told}: {named(error)}") from None


class Caller:
    """Makes calls with the source's credential. Everything that goes wrong below HTTP is a FeedFault."""

    def __init__(
        self,
        options: PullOptions,
        credential: Callable[[], str],
        sessions: Sessions,
        correlation: Callable[[], str],
    ) -> None:
        self._options = options
        self._credential = credential
        self._sessions = sessions
        self._correlation = correlation
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, call: Call) -> Answer:
        """Call and read the whole answer, whatever its status. Raises FeedFault."""
        async with self._answered(call) as (response, told):
            body = await self._whole(response, self._options.response_limit_bytes, told)
            return _answer(response, body, told)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[Answer | Stream]:
        """Call and hand out the body as it comes; an Answer when the source does not say 200. Raises FeedFault."""
        async with self._answered(call) as (response, told):
            if response.status == 200:  # noqa: PLR2004 - HTTP's own number
                if response.content_type != NDJSON:
                    raise FeedFault(f"{told}: does not offer NDJSON")
                yield Stream(response, told, self._options)
            else:
                yield _answer(response, await self._whole(response, CHUNK_BYTES, told), told)

    async def _whole(self, response: aiohttp.ClientResponse, limit_bytes: int, told: str) -> bytes:
        try:
            async with asyncio.timeout(self._options.total_seconds):
                return await read_body(response, limit_bytes, told)
        except TimeoutError:
            raise FeedFault(f"{told}: not ended within {self._options.total_seconds:g} s") from None
        except BROKEN as error:
            raise FeedFault(f"{told}: {named(error)}") from None

    @asynccontextmanager
    async def _answered(self, call: Call) -> AsyncIterator[tuple[aiohttp.ClientResponse, str]]:
        """Send, and wait for the head of the answer."""
        correlation = self._correlation()
        told = f"{call.method} {call.path[:200]} [{correlation}]"
        response = await self._send(call, correlation, told)
        try:
            told = f"{told} {response.status}"
            _LOG.debug(
                "answered: %s", told, extra={"feed": self._options.name, "correlation_id": correlation}
            )
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise FeedFault(f"{told}: compressed, which was not asked for")
            yield response, told
        finally:
            # An answer read to its end gave its connection back; any other connection is of no more use.
            response.close()

    async def _send(self, call: Call, correlation: str, told: str) -> aiohttp.ClientResponse:
        limit_seconds = call.wait_seconds + self._options.margin_seconds
        query = f"?{query_of(call.query)}" if call.query else ""
        body = None if call.body is None else _written(call.body)
        headers = self._headers(call, correlation) | ({} if body is None else {"Content-Type": JSON})
        connect = self._options.connect_seconds
        try:
            async with asyncio.timeout(limit_seconds):
                return await self._open().request(
                    call.method,
                    URL(f"{self._options.base}{call.path}{query}", encoded=True),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    ssl=self._sessions.tls,
                    timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect),
                )
        except aiohttp.ConnectionTimeoutError:
            raise FeedFault(f"{told}: no connection within {connect:g} s", unreached=True) from None
        except TimeoutError:
            raise FeedFault(f"{told}: no answer within {limit_seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise FeedFault(f"{told}: {named(error)}", unreached=True) from None
        except BROKEN as error:
            raise FeedFault(f"{told}: {named(error)}") from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = self._sessions.open()
        return self._session

    def _headers(self, call: Call, correlation: str) -> dict[str, str]:
        headers = dict(call.headers) | {
            "Accept": call.accept,
            "Accept-Encoding": "identity",
            "User-Agent": "archsyncd",
            "X-Correlation-ID": correlation,
        }
        if self._options.auth is PullAuth.NONE:
            return headers
        secret = self._secret()
        if self._options.auth is PullAuth.API_KEY:
            return headers | {self._options.api_key_header: secret}
        if self._options.auth is PullAuth.BASIC:
            return headers | {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
        return headers | {"Authorization": f"Bearer {secret}"}

    def _secret(self) -> str:
        try:
            secret = self._credential().strip("\r\n")
        except SecretFault as fault:
            raise FeedFault(str(fault), blind=True) from None
        writable = secret.isprintable() and (secret.isascii() or self._options.auth is PullAuth.BASIC)
        if not secret or not writable or len(secret) > CREDENTIAL_LIMIT_CHARACTERS:
            raise FeedFault("the credential is empty or cannot stand in a header", blind=True)
        if self._options.auth is PullAuth.BASIC and ":" not in secret:
            raise FeedFault("the credential must read user:password", blind=True)
        return secret

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            # TLS transports close in the loop's next turns.
            await asyncio.sleep(0)


def _written(body: Mapping[str, Any] | str) -> bytes:
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def _answer(response: aiohttp.ClientResponse, body: bytes, told: str) -> Answer:
    headers = response.headers
    retry_after, date = headers.get("Retry-After"), headers.get("Date")
    return Answer(response.status, body, told, response.content_type, retry_after, date, headers)
