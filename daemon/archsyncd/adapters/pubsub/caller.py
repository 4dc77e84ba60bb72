"""One bounded HTTP call to a Google service: verified TLS, no redirects, nothing repeated. Knows no document and no token."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from archsyncd.adapters.answers import BROKEN, named, read_body
from archsyncd.adapters.pubsub.options import Network
from archsyncd.engine.ports import FeedFault

CONNECTIONS: Final = 8
HEADER_LINE_BYTES: Final = 8190


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `told` names call and status for reasons and logs; never a payload."""

    status: int
    body: bytes = field(repr=False)
    told: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `seconds` bounds the wait for the answer's beginning, and for its end once more."""

    method: str
    url: str = field(repr=False)
    told: str
    seconds: float
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes | None = field(repr=False, default=None)
    limit_bytes: int = 1024 * 1024


class _Within(AbstractResolver):
    """Refuses answers that would lead our token out of the networks in which the service must lie."""

    def __init__(self, networks: Collection[Network]) -> None:
        self._inner = aiohttp.DefaultResolver()
        self._networks = networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        results = await self._inner.resolve(host, port, family)
        for result in results:
            address = ipaddress.ip_address(result["host"].partition("%")[0])
            if not any(address in network for network in self._networks):
                raise OSError(None, f"{host} resolves to {address}, which is in no network of allow_cidr")
        return results

    async def close(self) -> None:
        await self._inner.close()


class Caller:
    """Makes calls over a session of its own. Everything that goes wrong below HTTP is a FeedFault."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        networks: Collection[Network] = (),
        connect_seconds: float = 5.0,
    ) -> None:
        """`tls` None: the system's authorities. `networks` empty: whatever the name resolves to."""
        self.trust(ssl.create_default_context() if tls is None else tls)
        self._networks = networks
        self._connect_seconds = connect_seconds
        self._session: aiohttp.ClientSession | None = None

    def trust(self, tls: ssl.SSLContext) -> None:
        """Verify new connections with this from now on. Raises ValueError for a context that does not verify."""
        if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
            raise ValueError("tls: the certificate and the name must be verified")
        self._tls = tls

    async def ask(self, call: Call) -> Answer:
        """Call once and read the whole answer, whatever its status. Raises FeedFault."""
        connect = self._connect_seconds
        try:
            async with asyncio.timeout(call.seconds):
                response = await self._open().request(
                    call.method,
                    URL(call.url, encoded=True),
                    headers={"Accept-Encoding": "identity", "User-Agent": "archsyncd", **call.headers},
                    data=call.body,
                    allow_redirects=False,
                    ssl=self._tls,
                    timeout=aiohttp.ClientTimeout(total=None, connect=connect, sock_connect=connect),
                )
        except aiohttp.ConnectionTimeoutError:
            raise FeedFault(f"{call.told}: no connection within {connect:g} s", unreached=True) from None
        except TimeoutError:
            raise FeedFault(f"{call.told}: no answer within {call.seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise FeedFault(f"{call.told}: {named(error)}", unreached=True) from None
        except BROKEN as error:
            raise FeedFault(f"{call.told}: {named(error)}") from None
        return await self._whole(call, response)

    async def _whole(self, call: Call, response: aiohttp.ClientResponse) -> Answer:
        told = f"{call.told} {response.status}"
        try:
            if 300 <= response.status < 400:  # noqa: PLR2004 - HTTP's own numbers
                raise FeedFault(f"{told}: redirects are not followed")
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise FeedFault(f"{told}: compressed, which was not asked for")
            async with asyncio.timeout(call.seconds):
                body = await read_body(response, call.limit_bytes, told)
            return Answer(response.status, body, told, response.headers)
        except TimeoutError:
            raise FeedFault(f"{told}: not ended within {call.seconds:g} s") from None
        except BROKEN as error:
            raise FeedFault(f"{told}: {named(error)}") from None
        finally:
            # An answer read to its end gave its connection back; any other connection is of no more use.
            response.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = _Within(self._networks) if self._networks else None
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, resolver=resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                max_line_size=HEADER_LINE_BYTES,
                max_field_size=HEADER_LINE_BYTES,
            )
            # aiohttp repeats a GET by itself on a pooled connection that died; one layer repeats, and it is not this one.
            self._session._retry_connection = False  # noqa: SLF001 - there is no public switch
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            # TLS transports close in the loop's next turns.
            await asyncio.sleep(0)
