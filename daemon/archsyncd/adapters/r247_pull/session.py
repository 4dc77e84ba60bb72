"""Makes the HTTP session of one source: verified TLS, no proxy from the environment, no cookies, bounded headers."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

import aiohttp

SessionFactory = Callable[[], aiohttp.ClientSession]

CONNECTIONS: Final = 8
HEADER_LINE_BYTES: Final = 8190
HEADERS: Final = 64


def session_factory(tls: ssl.SSLContext | None = None) -> SessionFactory:
    """Return what opens a session inside the running loop. `tls` None: the system's authorities."""
    context = ssl.create_default_context() if tls is None else tls
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        raise ValueError("tls: the certificate and the name must be verified")

    def opened() -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=CONNECTIONS),
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

    return opened
