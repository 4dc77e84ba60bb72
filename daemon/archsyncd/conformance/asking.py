"""Questions to one source within limits of number and time, and what every answer shows beside itself. Writes nothing.

An answer that cannot be used is asked for again a few times, and taken down under the rule that it breaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote

from archsyncd.adapters.r247_pull.caller import Call
from archsyncd.conformance.findings import Evidence, Notebook
from archsyncd.engine.ports import Clock
from archsyncd.wire.commercetools.exchange import retry_after_seconds

Query = tuple[tuple[str, str], ...]

TRIES: Final = 3
PAUSE_SECONDS: Final = 1.0
PAUSE_MOST_SECONDS: Final = 5.0
PROMPT_SECONDS: Final = 5.0
EXCERPT_BYTES: Final = 1_200
OK, TOO_MANY, SERVER_FAULT = 200, 429, 500
REFUSED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `fault` is set where none came whole: then nothing else is. `seconds`: how long it took."""

    asked: str
    status: int = 0
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    retry_after: str | None = None
    date: str | None = None
    fault: str = ""
    seconds: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def evidence(self, says: str = "") -> Evidence:
        """The request, and what was seen of the answer."""
        shown = says or self.fault or f"{self.status} {self.body[:EXCERPT_BYTES].decode('utf-8', 'replace')}"
        return Evidence(self.asked, shown)


class Source(Protocol):
    """A source over HTTP."""

    async def ask(self, call: Call, *, credential: bool = True) -> Reply:
        """Ask once. Never raises for what the source or the way to it does wrong; that is the reply's `fault`."""
        ...


class NoMore(Exception):
    """Nothing more may be asked: the limit of requests or of time is reached. Its text is a sentence."""


class Useless(Exception):
    """A question has no usable answer; what it breaks is taken down already. Its text says what was seen."""


def told(call: Call) -> str:
    """A request as people read it."""
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in call.query)
    return f"{call.method} {call.path}{'?' + asked if asked else ''}"


class Asker:
    """Asks within limits. `requests` counts what was sent."""

    def __init__(
        self, source: Source, clock: Clock, notebook: Notebook, *, requests_limit: int, seconds_limit: float
    ) -> None:
        self._source = source
        self._clock = clock
        self._notebook = notebook
        self._requests_limit = requests_limit
        self._began = clock.monotonic()
        self._ends = self._began + seconds_limit
        self._seconds_limit = seconds_limit
        self.requests = 0
        self.answered = 0

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock.monotonic() - self._began

    async def once(self, call: Call, *, credential: bool = True) -> Reply:
        """Ask once and take nothing down but whether the answer was prompt. Raises NoMore."""
        if self.requests >= self._requests_limit:
            raise NoMore(f"the limit of {self._requests_limit} requests is reached")
        if self._clock.monotonic() >= self._ends:
            raise NoMore(f"the limit of {self._seconds_limit:.0f} seconds is reached")
        self.requests += 1
        reply = await self._source.ask(call, credential=credential)
        took = reply.seconds - call.wait_seconds
        late = took > PROMPT_SECONDS
        self._notebook.judge(
            "prompt",
            not late,
            f"no answer took longer than {PROMPT_SECONDS:.0f} s",
            f"an answer took {took:.1f} s",
            *((reply.evidence(f"{took:.1f} s"),) if late else ()),
        )
        return reply

    async def get(self, path: str, query: Query = (), *, wait_seconds: float = 0.0) -> Reply:
        """As `sent`, of a GET."""
        return await self.sent(Call("GET", path, query, wait_seconds=wait_seconds))

    async def sent(self, call: Call) -> Reply:
        """Ask until the answer is one of the contract's: anything but 429, 5xx, a redirect, a refusal or a broken one.

        Raises Useless when it never is, and NoMore.
        """
        for attempt in range(TRIES):
            reply = await self.once(call)
            broken = self._broken(reply)
            if not broken:
                self.answered += 1
                return reply
            if broken == "credential_taken" or attempt + 1 == TRIES:
                break
            await self._clock.sleep(_pause(reply))
        raise Useless(f"{reply.asked}: {reply.fault or reply.status}")

    def _broken(self, reply: Reply) -> str:
        """The rule that an answer breaks, taken down; empty for one that can be used."""
        for rule, broken, says in (
            ("answers", bool(reply.fault), f"no whole answer came: {reply.fault}"),
            ("credential_taken", reply.status in REFUSED, f"the credential is refused with {reply.status}"),
            ("not_throttled", reply.status == TOO_MANY, "a request was turned away with 429"),
            ("answers", reply.status >= SERVER_FAULT, f"a request was answered with {reply.status}"),
            ("answers", 300 <= reply.status < 400, "a redirect was answered, and none is followed"),  # noqa: PLR2004 - HTTP's own
        ):
            if broken:
                self._notebook.fails(rule, says, reply.evidence())
                return rule
        self._notebook.holds("answers", "every request was answered")
        self._notebook.holds("not_throttled", "no request was turned away")
        self._notebook.holds("credential_taken", "no request was refused")
        return ""


def _pause(reply: Reply) -> float:
    told_seconds = retry_after_seconds(reply.retry_after, reply.date)
    return min(PAUSE_SECONDS if told_seconds is None else told_seconds, PAUSE_MOST_SECONDS)
