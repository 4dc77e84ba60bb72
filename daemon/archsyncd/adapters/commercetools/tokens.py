"""The access token: fetched once for all, renewed early, held through outages of its endpoint. Knows no resource."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from archsyncd.adapters.commercetools.options import ClientOptions
from archsyncd.adapters.commercetools.transport import Transport
from archsyncd.domain.inventory import Unauthorised, Unreached
from archsyncd.domain.retry import steady_delay
from archsyncd.engine.ports import Clock, SecretFault
from archsyncd.wire.commercetools.exchange import Reply
from archsyncd.wire.commercetools.token import (
    TOKEN_FORM,
    Grant,
    TokenAnswer,
    TokenRefused,
    TokenUnavailable,
    basic_authorization,
    token_answer,
)

EARLY_SECONDS = 300.0

_LOG = logging.getLogger("archsyncd.commercetools")


@dataclass(frozen=True, slots=True)
class Token:
    """A token and the monotonic moments that bound its use."""

    text: str = field(repr=False)
    renew_from: float
    ends_at: float


class Tokens:
    """Hands out the current token. At most one token call is under way, and none before its backoff has passed."""

    def __init__(
        self,
        options: ClientOptions,
        transport: Transport,
        *,
        secret: Callable[[], str],
        clock: Clock,
        chance: Callable[[], float],
        budget: Callable[[], Awaitable[None]],
        correlation: Callable[[], str],
    ) -> None:
        self._options = options
        self._transport = transport
        self._secret = secret
        self._clock = clock
        self._chance = chance
        self._budget = budget
        self._correlation = correlation
        self._token: Token | None = None
        self._refused: Unauthorised | None = None
        self._fault = "no token yet"
        self._faults = 0
        self._not_before = 0.0
        self._renewal: asyncio.Task[None] | None = None
        self.granted_scopes: frozenset[str] = frozenset()

    async def current(self) -> Token | Unreached | Unauthorised:
        """A token that lasts, waiting for a new one only when there is none. Failures mean that nothing was sent."""
        now = self._clock.monotonic()
        token = self._token
        if token is not None and now < token.ends_at:
            if now >= token.renew_from:
                self._start_renewal()
            return token
        self._token = None
        return await self._renewed()

    async def replace(self, stale: Token) -> Token | Unreached | Unauthorised:
        """A token other than the one that was answered 401; whoever comes first fetches it for all."""
        if self._token is stale:
            self._token = None
        return await self.current()

    async def close(self) -> None:
        """Stop a renewal under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.gather(self._renewal, return_exceptions=True)

    async def _renewed(self) -> Token | Unreached | Unauthorised:
        renewal = self._start_renewal()
        if renewal is not None:
            # One caller that is cancelled must not take the token away from the others.
            await asyncio.shield(renewal)
        if self._token is not None:
            return self._token
        return self._refused or Unreached(self._fault)

    def _start_renewal(self) -> asyncio.Task[None] | None:
        if self._renewal is not None and not self._renewal.done():
            return self._renewal
        if self._refused is not None or self._clock.monotonic() < self._not_before:
            return None
        self._renewal = asyncio.get_running_loop().create_task(self._renew(), name="commercetools token")
        return self._renewal

    async def _renew(self) -> None:
        await self._budget()
        # The lifetime is counted from before the call: what the answer's way took belongs to it.
        asked_at = self._clock.monotonic()
        correlation_id = self._correlation()
        answer = await self._ask(correlation_id)
        if isinstance(answer, Grant):
            self._accept(answer, asked_at)
            return
        _LOG.warning("no new token: %s", answer.reason, extra={"told": {"correlation": correlation_id}})
        if isinstance(answer, TokenRefused):
            self._refused = Unauthorised(answer.reason)
        else:
            self._back_off(answer)

    async def _ask(self, correlation_id: str) -> TokenAnswer:
        try:
            secret = self._secret()
        except SecretFault as fault:
            return TokenUnavailable(str(fault))
        headers = {
            "Authorization": basic_authorization(self._options.client_id, secret),
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Correlation-ID": correlation_id,
        }
        reply = await self._transport.exchange(
            "POST",
            self._options.token_url,
            headers,
            TOKEN_FORM,
            deadline_seconds=self._options.token_seconds,
            answer_bytes=self._options.token_bytes,
        )
        if isinstance(reply, Reply):
            return token_answer(reply)
        reason = getattr(reply, "reason", None) or getattr(reply, "message", "")
        return TokenUnavailable(f"the token endpoint: {reason}")

    def _accept(self, grant: Grant, asked_at: float) -> None:
        lifetime = float(grant.expires_in_seconds)
        # A token shorter than twice the margin is renewed at half its life, never on every call.
        early = min(EARLY_SECONDS, lifetime / 2)
        self._token = Token(grant.access_token, asked_at + lifetime - early, asked_at + lifetime)
        self.granted_scopes = grant.scopes
        self._faults = 0

    def _back_off(self, answer: TokenUnavailable) -> None:
        seconds = steady_delay(self._faults, self._chance())
        self._faults += 1
        self._fault = answer.reason
        self._not_before = self._clock.monotonic() + max(seconds, answer.retry_after_seconds or 0.0)
