"""What all adapters that call a service share: an answer within bounds, and a failure by a name that tells no secret."""

from __future__ import annotations

import ssl
from typing import Final

import aiohttp
from aiohttp.http import HttpProcessingError

from archsyncd.engine.ports import FeedFault

CHUNK_BYTES: Final = 64 * 1024
# Everything that goes wrong below HTTP, beside a time-out.
BROKEN: Final = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class TooMuch(FeedFault):
    """An answer is larger than what is read at once."""


async def read_body(response: aiohttp.ClientResponse, limit_bytes: int, told: str) -> bytes:
    """Read a body to its end. `told`: the call, for the reason. Raises TooMuch, or one of BROKEN."""
    announced = response.content_length
    content = bytearray()
    if announced is None or announced <= limit_bytes:
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            content += chunk
            if len(content) > limit_bytes:
                break
        else:
            return bytes(content)
    raise TooMuch(f"{told}: more than {limit_bytes} bytes")


def named(error: Exception) -> str:
    """Name an error without its request: the library's own texts carry addresses and headers."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        refused = error.certificate_error
        return f"certificate refused: {getattr(refused, 'verify_message', type(refused).__name__)}"
    inner: BaseException = getattr(error, "os_error", None) or error
    if isinstance(inner, ssl.SSLError):
        return f"TLS failed: {inner.reason}"
    if isinstance(inner, OSError) and inner.strerror:
        what = "no connection" if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__
        return f"{what}: {inner.strerror}"
    return type(error).__name__
