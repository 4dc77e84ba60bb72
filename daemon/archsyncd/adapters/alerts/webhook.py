"""A message to an HTTPS address, as chat services take it, signed where there is a secret. Knows no retries.

The body is what Slack's incoming webhooks take, and nothing beside it: `text`, and `blocks` that say the same. The signature
is that of Standard Webhooks: the same number when a message is sent again, the time of this try, HMAC-SHA256 over both and
the body.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http import HttpProcessingError

from archsyncd.adapters.answers import named
from archsyncd.domain.alert_texts import headline, lines
from archsyncd.domain.alerting import Message
from archsyncd.domain.loopback import is_loopback
from archsyncd.engine.alerts import WayFault
from archsyncd.engine.ports import Clock, SecretFault
from archsyncd.wire.webhook import STANDARD, signature, signing_key

SECONDS: Final = 20.0
ANSWER_LIMIT_BYTES: Final = 4_096
URL_LIMIT_CHARACTERS: Final = 2_048
_BROKEN: Final = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class WebhookWay:
    """Sends to one address. `address` gives it, `secret` what to sign with ("": nothing); both are asked at each message."""

    def __init__(
        self,
        address: Callable[[], str],
        secret: Callable[[], str],
        clock: Clock,
        trust: Callable[[], ssl.SSLContext],
        seconds: float = SECONDS,
    ) -> None:
        """`trust`: verifies who answers, raises SecretFault where there is nothing to verify with. `seconds`: for all of it."""
        self._address = address
        self._secret = secret
        self._clock = clock
        self._trust = trust
        self._seconds = seconds

    @property
    def target(self) -> str:
        """The host alone: the rest of such an address is often a secret."""
        try:
            return urlsplit(self._address()).hostname or "?"
        except (ValueError, SecretFault):
            return "?"

    async def send(self, number: str, message: Message) -> str:
        """Post it; the answer's status. Raises WayFault."""
        try:
            address, secret = checked(self._address()), self._secret()
            key = _key(secret)
            tls = self._trust()
        except (SecretFault, ValueError) as fault:
            raise WayFault(str(fault)) from None
        body = json.dumps(content(message), ensure_ascii=False).encode("utf-8", "backslashreplace")
        headers = {"Content-Type": "application/json", "User-Agent": "archsyncd"}
        headers |= signed(number, self._clock.wall_ms() // 1000, body, key)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(address, headers, body, tls)
        except TimeoutError:
            raise WayFault(f"no answer within {self._seconds:g} s") from None
        except _BROKEN as error:
            raise WayFault(named(error)) from None

    async def _post(self, address: str, headers: dict[str, str], body: bytes, tls: ssl.SSLContext) -> str:
        # A session for each: alerts are few, and no connection may be kept that has gone stale meanwhile.
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session,
            session.post(address, data=body, headers=headers, allow_redirects=False, ssl=tls) as answer,
        ):
            told = await answer.content.read(ANSWER_LIMIT_BYTES)
            if answer.status // 100 != 2:  # noqa: PLR2004 - HTTP's own number
                raise WayFault(f"answers {answer.status}{_excerpt(told)}")
            return f"answered {answer.status}"


def checked(address: str) -> str:
    """The address, if it is one that may be used. Raises ValueError, without the address in it."""
    clean = address.strip()
    told = "the webhook's address must begin with https:// (http:// only to this machine itself)"
    if not clean or len(clean) > URL_LIMIT_CHARACTERS or not clean.isascii() or not clean.isprintable():
        raise ValueError(told)
    try:
        parts = urlsplit(clean)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(told) from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host))):
        raise ValueError(told)
    return clean


def _key(secret: str) -> bytes:
    """What messages are signed with, nothing where there is no secret. Raises ValueError."""
    try:
        return signing_key(secret) if secret else b""
    except ValueError as fault:
        raise ValueError(f"the credential alert-webhook-secret is of no use: {fault}") from None


def signed(number: str, at_seconds: int, body: bytes, key: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks; without a key all but the signature."""
    headers = {"webhook-id": number, "webhook-timestamp": str(at_seconds)}
    if key:
        headers["webhook-signature"] = signature(STANDARD, key, number, str(at_seconds), body)
    return headers


def content(message: Message) -> dict[str, Any]:
    """The body as Slack takes it. Nothing in it is read as a mention or a link, whatever a SKU holds."""
    head, rest = _escaped(headline(message)), [_escaped(line) for line in lines(message)]
    return {
        "text": "\n".join([head, *rest]),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"*{head}*"[:3000], "verbatim": True}},
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": "\n".join(rest)[:3000], "verbatim": True},
            },
        ],
    }


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _excerpt(told: bytes) -> str:
    text = told[:80].decode("utf-8", "replace")
    clean = "".join(each if each.isprintable() else " " for each in text).strip()
    return f": {clean}" if clean else ""
