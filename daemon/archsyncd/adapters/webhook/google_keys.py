"""The keys with which Google signs its tokens: fetched when they are needed, and kept for as long as it says. Judges nothing."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http import HttpProcessingError

from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.oidc import read_keys

if TYPE_CHECKING:
    from jwt import PyJWK

ADDRESS: Final = "https://www.googleapis.com/oauth2/v3/certs"
SECONDS: Final = 10.0
ANSWER_LIMIT_BYTES: Final = 64 * 1024
KEEP_LEAST_SECONDS, KEEP_MOST_SECONDS = 300.0, 86_400.0
# A stranger's token with a key of no name must not have Google asked again and again.
ASK_AGAIN_SECONDS: Final = 60.0
_MAX_AGE: Final = re.compile(r"max-age=(\d{1,9})")
_BROKEN: Final = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class GoogleKeys:
    """Keys by id. One request at a time, at most one a minute."""

    def __init__(self, clock: Clock, trust: Callable[[], ssl.SSLContext], address: str = ADDRESS) -> None:
        """`trust`: verifies who answers."""
        self._clock = clock
        self._trust = trust
        self._address = address
        self._keys: Mapping[str, PyJWK] = {}
        self._until = 0.0
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def get(self, *, newer: bool = False) -> Mapping[str, PyJWK]:
        """The keys that hold; `newer`: one was met that is not among those we had. Raises FeedFault where there are none."""
        async with self._asking:
            now = self._clock.monotonic()
            may_ask = self._asked_at is None or now - self._asked_at >= ASK_AGAIN_SECONDS
            if (newer or now >= self._until) and may_ask:
                self._asked_at = now
                await self._fetch(now)
            if not self._keys or self._clock.monotonic() >= self._until + KEEP_MOST_SECONDS:
                raise FeedFault("Google's keys could not be fetched: calls of Pub/Sub cannot be verified")
            return self._keys

    async def _fetch(self, now: float) -> None:
        """Ask for them; what cannot be had leaves those that were had before."""
        try:
            async with asyncio.timeout(SECONDS):
                document, keep_seconds = await self._asked()
            self._keys = read_keys(document)
        except (TimeoutError, *_BROKEN):
            return
        self._until = now + min(max(keep_seconds, KEEP_LEAST_SECONDS), KEEP_MOST_SECONDS)

    async def _asked(self) -> tuple[object, float]:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            session.get(self._address, ssl=self._trust(), allow_redirects=False) as answer,
        ):
            if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
                raise ValueError(f"answers {answer.status}")
            body = await answer.content.read(ANSWER_LIMIT_BYTES + 1)
            while len(body) <= ANSWER_LIMIT_BYTES and not answer.content.at_eof():
                body += await answer.content.read(ANSWER_LIMIT_BYTES)
            if len(body) > ANSWER_LIMIT_BYTES:
                raise ValueError("is too long")
            found = _MAX_AGE.search(answer.headers.get("Cache-Control", ""))
            return json.loads(body), float(found[1]) if found else 0.0
