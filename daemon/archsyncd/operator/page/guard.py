"""Who may read and who may act: the token, sessions, forms of our own making, names of the host. Knows no screen.

On a Unix socket whoever can open it may read. Over TCP the token of the credential status-token lets one in: programs send it
with each request, browsers once, for a session that ends. Acting needs `status.actions` besides, and a form that this process
made for this very browser: a page elsewhere can send one, but cannot know its seal.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web

from archsyncd.engine.ports import Clock

COOKIE = "archsyncd-seat"
SEAT_BYTES = 24
SESSION_SECONDS = 8 * 3600.0
# A session's word: when it ends in hexadecimal seconds, a random part, and what proves that both are ours.
ENDS_DIGITS = 10
PROOF_DIGITS = 64
SESSION_DIGITS = ENDS_DIGITS + 2 * SEAT_BYTES + PROOF_DIGITS
ENDED = 1_000
FLASHES = 64
FAILED_SECONDS = 0.5
WAITING = 8
LOCAL_NAMES = ("localhost", "archsyncd")
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class TooMany(Exception):
    """So many try tokens at once that this one is not looked at."""


class Guard:
    """Tokens, sessions and seals. `token`: None where the socket itself decides who reads.

    `secret` is this process's own; `new_seat` makes a fresh random word. A session is proven by the token itself and kept
    nowhere, so that it outlives a restart; another token ends all of them. Which ones were ended by hand is kept until the
    process ends, and the browser forgets the word then.
    """

    def __init__(
        self,
        token: str | None,
        secret: bytes,
        new_seat: Callable[[], str],
        clock: Clock,
        names: Collection[str],
    ) -> None:
        self._token = token
        self._secret = secret
        self._new_seat = new_seat
        self._clock = clock
        self._names = frozenset(name.lower() for name in (*names, *LOCAL_NAMES))
        self._session_key = _digest(b"session " + (token or "").encode())
        self._ended: dict[str, None] = {}
        self._flashes: dict[str, tuple[str, str]] = {}
        self._trying = asyncio.Lock()
        self._waiting = 0

    @property
    def asks(self) -> bool:
        """Whether a token is needed."""
        return self._token is not None

    async def admits(self, token: str) -> bool:
        """Whether this is the token. The right one is admitted at once; wrong ones wait for one another. Raises TooMany."""
        if self._token is None:
            return True
        told = token.encode("utf-8", "surrogateescape")
        if hmac.compare_digest(_digest(told), _digest(self._token.encode())):
            # Before any queue: whoever guesses must not be able to keep out those who know.
            return True
        if self._waiting >= WAITING:
            raise TooMany
        self._waiting += 1
        try:
            async with self._trying:
                await self._clock.sleep(FAILED_SECONDS)
                return False
        finally:
            self._waiting -= 1

    def begin_session(self) -> str:
        """A new session's word for the browser's cookie."""
        ends = self._clock.wall_ms() // 1000 + int(SESSION_SECONDS)
        told = f"{ends:0{ENDS_DIGITS}x}{self._new_seat()}"
        return told + self._proof(told)

    def end_session(self, seat: str) -> None:
        """Let it count for nothing any more."""
        while len(self._ended) >= ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[seat] = None

    def in_session(self, seat: str) -> bool:
        """Whether a browser with this cookie has shown the token and its session lasts."""
        told, proof = seat[:-PROOF_DIGITS], seat[-PROOF_DIGITS:]
        if len(seat) != SESSION_DIGITS or not hmac.compare_digest(self._proof(told).encode(), proof.encode()):
            return False
        return int(told[:ENDS_DIGITS], 16) > self._clock.wall_ms() // 1000 and seat not in self._ended

    def _proof(self, told: str) -> str:
        return hmac.new(self._session_key, told.encode(), hashlib.sha256).hexdigest()

    def seat(self, request: web.Request) -> str:
        """The browser's word: the one that its cookie tells, else a fresh one that its answer must set."""
        told = request.cookies.get(COOKIE, "")
        known = len(told) in {2 * SEAT_BYTES, SESSION_DIGITS} and told.isalnum() and told.isascii()
        return told if known else self._new_seat()

    def seal(self, seat: str) -> str:
        """What a form of ours for this browser carries."""
        return hmac.new(self._secret, f"form {seat}".encode(), hashlib.sha256).hexdigest()

    def sealed(self, seat: str, seal: str) -> bool:
        """Whether a form is one of ours for this browser."""
        return hmac.compare_digest(self.seal(seat).encode(), seal.encode("utf-8", "surrogateescape"))

    def leave_word(self, seat: str, kind: str, text: str) -> None:
        """Keep what is to be said on the browser's next screen; the oldest is forgotten where there is too much."""
        self._flashes.pop(seat, None)
        while len(self._flashes) >= FLASHES:
            del self._flashes[next(iter(self._flashes))]
        self._flashes[seat] = (kind, text)

    def take_word(self, seat: str) -> tuple[str, str] | None:
        """What is to be said, once."""
        return self._flashes.pop(seat, None)

    def knows_host(self, told: str) -> bool:
        """Whether a request's Host is a name of ours. A page elsewhere whose name is pointed here sends its own.

        An address is nobody's name, and one without a dot is given by whoever runs the network.
        """
        try:
            name = (urlsplit(f"//{told}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if not name or name in self._names:
            return bool(name)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return "." not in name
        return True


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def from_here(request: web.Request) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says.

    Over plain HTTP to another host browsers leave Sec-Fetch-Site out, and with our Referrer-Policy the Origin is "null": then
    the seal alone decides.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin", "null")
    return origin == "null" or urlsplit(origin).netloc.lower() == request.headers.get("Host", "").lower()


def seated(answer: web.StreamResponse, seat: str) -> None:
    """Have the browser keep its word, for this site alone and out of scripts' reach."""
    answer.set_cookie(COOKIE, seat, httponly=True, samesite="Strict", path="/")
