"""One request, one answer, over verified TLS, within limits. Knows no token, no error code and no resource."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.http import HttpProcessingError
from yarl import URL

from archsyncd.adapters.commercetools.guard import GuardedResolver, ThreadedResolver
from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.domain.inventory import TooLarge, Unknown, Unreached
from archsyncd.wire.commercetools.errors import clean
from archsyncd.wire.commercetools.exchange import Reply

ConnectorFactory = Callable[[ClientOptions], aiohttp.BaseConnector]

_CHUNK_BYTES = 64 * 1024
_HEADER_LINE_BYTES = 8190
_HEADERS = 64
_DNS_CACHE_SECONDS = 10
_PROBE_AFTER_SECONDS = 10
_PROBE_EVERY_SECONDS = 5
_PROBES = 3
# How long sent bytes may stay unacknowledged before the kernel gives the connection up.
_UNACKNOWLEDGED_MILLISECONDS = 20_000


class TrustMissing(Exception):
    """There are no certificate authorities to verify commercetools with."""


@dataclass(slots=True)
class _Attempt:
    """Whether this request was ever given a connection: before that, none of its bytes can have left."""

    connected: bool = False


class _Oversize(Exception):
    """The answer is larger than allowed."""


def tcp_connector(options: ClientOptions, resolver: AbstractResolver | None = None) -> aiohttp.TCPConnector:
    """Build the connection pool: guarded names, probed connections, a limit. Needs a running loop."""
    return aiohttp.TCPConnector(
        resolver=GuardedResolver(resolver or ThreadedResolver(), options.allowed),
        limit=options.connections,
        ttl_dns_cache=_DNS_CACHE_SECONDS,
        keepalive_timeout=options.keepalive_seconds,
        socket_factory=probed_socket,
    )


def probed_socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket that notices a peer which went away without a word."""
    family, kind, protocol, _, _ = address
    created = socket.socket(family, kind, protocol)
    created.setblocking(False)
    created.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        (socket.TCP_KEEPIDLE, _PROBE_AFTER_SECONDS),
        (socket.TCP_KEEPINTVL, _PROBE_EVERY_SECONDS),
        (socket.TCP_KEEPCNT, _PROBES),
        (socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MILLISECONDS),
    ):
        created.setsockopt(socket.IPPROTO_TCP, option, value)
    return created


def trusted_context(ca_file: Path | None) -> ssl.SSLContext:
    """The default context: certificates and host names verified. Raises TrustMissing."""
    if ca_file is None:
        return _system_context(_system_trust())
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise TrustMissing(f"certificate authorities {ca_file}: {error.strerror or 'unreadable'}") from error


@lru_cache(maxsize=1)
def _system_context(_trusted: tuple[object, ...]) -> ssl.SSLContext:
    """One context for all that trust what the system trusts: to read some hundred certificates takes a while."""
    return ssl.create_default_context()


def _system_trust() -> tuple[object, ...]:
    """Where the system's authorities are, and what tells that they were changed. Raises TrustMissing without any."""
    paths = ssl.get_default_verify_paths()
    has_file = paths.cafile is not None and Path(paths.cafile).is_file()
    has_directory = paths.capath is not None and any(Path(paths.capath).glob("*.[0-9]"))
    if not (has_file or has_directory):
        raise TrustMissing("this system has no certificate authorities: install ca-certificates")
    return tuple(_stamp(Path(path)) for path in (paths.cafile, paths.capath) if path is not None)


def _stamp(path: Path) -> tuple[object, ...]:
    try:
        found = path.stat()
    except OSError:
        return (path,)
    return path, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Transport:
    """A session made at first use. Raises TrustMissing when it is built without anything to trust."""

    def __init__(self, options: ClientOptions, connector: ConnectorFactory) -> None:
        self._options = options
        self._connector = connector
        self._tls = trusted_context(options.ca_file)
        self._session: aiohttp.ClientSession | None = None

    def reload_trust(self) -> None:
        """Read the certificate authorities again; connections in use keep theirs. Raises TrustMissing."""
        self._tls = trusted_context(self._options.ca_file)

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        deadline_seconds: float,
        answer_bytes: int,
    ) -> Reply | Unreached | Unknown | TooLarge:
        """Send once and read the whole answer. Nothing is repeated, followed or raised; cancelling leaves no answer.

        TooLarge says that there was an answer, beyond `answer_bytes`: for a write its outcome is unknown.
        """
        attempt = _Attempt()
        try:
            async with self._open_session().request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                ssl=self._tls,
                timeout=self._timeout(deadline_seconds),
                trace_request_ctx=attempt,
            ) as response:
                content = await _read(response, answer_bytes)
                date, retry_after = response.headers.get("Date"), response.headers.get("Retry-After")
                return Reply(response.status, content, date, retry_after)
        except _Oversize:
            return TooLarge("AnswerTooLarge", f"the answer is larger than {answer_bytes} bytes")
        except (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError, ValueError) as error:
            return Unknown(_reason(error)) if attempt.connected else Unreached(_reason(error))

    def _timeout(self, deadline_seconds: float) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(
            total=deadline_seconds,
            connect=self._options.connect_seconds,
            sock_connect=self._options.connect_seconds,
            sock_read=self._options.silence_seconds,
        )

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(self._options),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._options.user_agent, "Accept": "application/json"},
                trust_env=False,
                requote_redirect_url=False,
                trace_configs=[_connection_trace()],
                max_line_size=_HEADER_LINE_BYTES,
                max_field_size=_HEADER_LINE_BYTES,
                max_headers=_HEADERS,
            )
            # aiohttp repeats a GET on a pooled connection that died; repeats must go through the budget.
            self._session._retry_connection = False  # noqa: SLF001  # there is no public switch
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            # TLS transports close in the loop's next turns.
            await asyncio.sleep(0)


def _connection_trace() -> aiohttp.TraceConfig:
    trace = aiohttp.TraceConfig()

    async def connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.connected = True

    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


async def _read(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    told = response.content_length
    if told is not None and told > limit_bytes:
        raise _Oversize
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > limit_bytes:
            raise _Oversize
    return bytes(content)


def _reason(error: BaseException) -> str:
    """Name the error without its request: aiohttp's errors carry the headers, and with them the token."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    detail = ""
    if isinstance(inner, ssl.SSLCertVerificationError):
        detail = inner.verify_message
    elif isinstance(inner, OSError):
        detail = inner.strerror or (str(inner) if not isinstance(inner, aiohttp.ClientError) else "")
    return clean(f"{type(error).__name__}: {detail}" if detail else type(error).__name__)
