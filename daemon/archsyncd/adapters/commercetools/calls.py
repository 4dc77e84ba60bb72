"""A wire request sent under a token and judged: the one replay after a 401, the open circuit, the server's clock.

Knows no resource: what an answer means is the reader's business.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.adapters.commercetools.tokens import Token, Tokens
from archsyncd.adapters.commercetools.transport import Transport
from archsyncd.domain.inventory import Failure, Forbidden, Refused, TooLarge, Unauthorised, Unknown, Unreached
from archsyncd.engine.ports import Clock
from archsyncd.wire.commercetools.errors import failure_of
from archsyncd.wire.commercetools.exchange import URL_LIMIT_BYTES, Reply, Request, server_ms
from archsyncd.wire.commercetools.strict import MalformedAnswer

_Value = TypeVar("_Value")

_UNAUTHORISED_STATUS = 401
_LOG = logging.getLogger("archsyncd.commercetools")
# What a person must act on; everything else is settled by the loops, which say so themselves.
_LOUD = (Refused, Forbidden, Unauthorised)


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its JSON, commercetools' clock when it was made, and the call's correlation id."""

    tree: Any
    told_ms: int | None
    correlation: str

    @property
    def server_ms(self) -> int:
        """The server's clock, UTC milliseconds. Raises MalformedAnswer when no answer ever told it."""
        if self.told_ms is None:
            raise MalformedAnswer("Date", "is absent")
        return self.told_ms


class Calls:
    """Sends requests below the project's URL."""

    def __init__(
        self,
        options: ClientOptions,
        transport: Transport,
        tokens: Tokens,
        *,
        clock: Clock,
        budget: Callable[[], Awaitable[None]],
        correlation: Callable[[], str],
    ) -> None:
        self._options = options
        self._transport = transport
        self._tokens = tokens
        self._clock = clock
        self._budget = budget
        self._correlation = correlation
        self._server_lead_ms: float | None = None
        self.open_circuit: Unauthorised | None = None

    async def ask(self, request: Request, read: Callable[[Answer], _Value]) -> _Value | Failure:
        """Send one request and read its answer; `read` may raise MalformedAnswer."""
        correlation_id = self._correlation()
        reply = await self._reply(request, correlation_id)
        outcome = self._read(request, reply, read, correlation_id) if isinstance(reply, Reply) else reply
        if isinstance(outcome, Failure):
            outcome = replace(outcome, correlation=correlation_id)
            self._log(request, outcome)
        return outcome

    async def _reply(self, request: Request, correlation_id: str) -> Reply | Failure:
        if self.open_circuit is not None:
            return self.open_circuit
        if len(self._url(request)) > URL_LIMIT_BYTES:
            return TooLarge("UrlTooLong", f"the URL is longer than {URL_LIMIT_BYTES} bytes")
        token = await self._tokens.current()
        if not isinstance(token, Token):
            return self._without_token(token)
        reply = await self._send(request, token, correlation_id)
        if isinstance(reply, Reply) and reply.status == _UNAUTHORISED_STATUS:
            return await self._replay(request, token, correlation_id)
        return reply

    async def _replay(self, request: Request, stale: Token, correlation_id: str) -> Reply | Failure:
        """Send the same bytes once more under a new token: a 401 is told before anything is done."""
        token = await self._tokens.replace(stale)
        if not isinstance(token, Token):
            return self._without_token(token)
        await self._budget()
        if self.open_circuit is not None:
            return self.open_circuit
        reply = await self._send(request, token, correlation_id)
        if isinstance(reply, Reply) and reply.status == _UNAUTHORISED_STATUS:
            refused = failure_of(request, reply)
            reason = refused.reason if isinstance(refused, Unauthorised) else "401"
            self.open_circuit = Unauthorised(f"a new token is refused too: {reason}")
            return self.open_circuit
        return reply

    def _without_token(self, failure: Unreached | Unauthorised) -> Unreached | Unauthorised:
        if isinstance(failure, Unauthorised):
            self.open_circuit = failure
        return failure

    async def _send(self, request: Request, token: Token, correlation_id: str) -> Reply | Failure:
        reply = await self._transport.exchange(
            request.method,
            self._url(request),
            self._headers(request, token, correlation_id),
            request.body,
            deadline_seconds=self._options.write_seconds if request.writes else self._options.read_seconds,
            answer_bytes=self._options.answer_bytes,
        )
        if isinstance(reply, TooLarge) and request.writes:
            return Unknown(reply.message)
        if isinstance(reply, Reply):
            self._keep_server_clock(reply)
        return reply

    def _url(self, request: Request) -> str:
        return self._options.project_url + request.target

    def _headers(self, request: Request, token: Token, correlation_id: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {token.text}", "X-Correlation-ID": correlation_id}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if request.writes:
            headers["X-External-User-ID"] = self._options.external_user
        return headers

    def _read(
        self, request: Request, reply: Reply, read: Callable[[Answer], _Value], correlation_id: str
    ) -> _Value | Failure:
        if not reply.succeeded:
            return failure_of(request, reply)
        try:
            return read(Answer(reply.tree(), self._server_ms(reply), correlation_id))
        except MalformedAnswer as error:
            return Unknown(f"answer not understood: {error}", reply.status)

    def _keep_server_clock(self, reply: Reply) -> None:
        told_ms = server_ms(reply.date)
        if told_ms is not None:
            self._server_lead_ms = told_ms - self._clock.monotonic() * 1000

    def _server_ms(self, reply: Reply) -> int | None:
        told_ms = server_ms(reply.date)
        if told_ms is None and self._server_lead_ms is not None:
            return int(self._clock.monotonic() * 1000 + self._server_lead_ms)
        return told_ms

    def _log(self, request: Request, failure: Failure) -> None:
        _LOG.log(
            logging.WARNING if isinstance(failure, _LOUD) else logging.DEBUG,
            "%s %s: %s",
            request.method,
            request.path or "/",
            failure,
            extra={"told": {"correlation": failure.correlation}},
        )
