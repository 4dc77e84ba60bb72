"""HTTP sessions with one source: verified TLS, allowed networks, no proxy from the environment, no cookies, bounded headers."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Collection
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from archsyncd.adapters.r247_pull.options import Network, is_within

CONNECTIONS: Final = 16
HEADER_LINE_BYTES: Final = 8190
HEADERS: Final = 64


class AddressRefused(OSError):
    """The source's name resolved to an address outside of the networks in which it must lie."""

    def __init__(self, host: str, address: str) -> None:
        reason = f"{host} resolves to {address}, which is in no network of allow_cidr"
        super().__init__(None, reason)


class NetworkResolver(AbstractResolver):
    """Refuses answers that would lead our credential out of the networks in which the source must lie."""

    def __init__(self, inner: AbstractResolver, networks: Collection[Network]) -> None:
        self._inner = inner
        self._networks = networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name. Raises AddressRefused when one of its addresses lies in none of the networks."""
        results = await self._inner.resolve(host, port, family)
        for result in results:
            if not is_within(ipaddress.ip_address(result["host"].partition("%")[0]), self._networks):
                raise AddressRefused(host, result["host"])
        return results

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._inner.close()


class Sessions:
    """Opens sessions with one source, and holds what its certificate is verified with.

    `tls` None: the system's authorities. `networks` empty: whatever its name resolves to.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        networks: Collection[Network] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.trust(ssl.create_default_context() if tls is None else tls)
        self._networks = networks
        self._resolver = resolver

    def trust(self, tls: ssl.SSLContext) -> None:
        """Verify new connections with this from now on. Raises ValueError for a context that does not verify."""
        if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
            raise ValueError("tls: the certificate and the name must be verified")
        self.tls = tls

    def open(self) -> aiohttp.ClientSession:
        """Open a session inside the running loop; each request says `ssl=tls`."""
        resolver = self._resolver
        if self._networks:
            resolver = NetworkResolver(resolver or aiohttp.DefaultResolver(), self._networks)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_line_size=HEADER_LINE_BYTES,
            max_field_size=HEADER_LINE_BYTES,
            max_headers=HEADERS,
        )
        # aiohttp repeats a GET by itself on a pooled connection that died; one layer repeats, and it is not this one.
        session._retry_connection = False  # noqa: SLF001 - there is no public switch
        return session
