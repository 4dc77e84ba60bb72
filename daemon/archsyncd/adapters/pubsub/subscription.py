"""One subscription over Pub/Sub's REST interface: pull, acknowledge, put off, describe. Knows no message's content."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson

from archsyncd.adapters.answers import TooMuch
from archsyncd.adapters.pubsub.caller import Answer, Call, Caller
from archsyncd.adapters.pubsub.options import PubsubOptions
from archsyncd.adapters.pubsub.tokens import Tokens
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.commercetools.exchange import retry_after_seconds
from archsyncd.wire.pubsub import (
    Delivered,
    SubscriptionTold,
    acknowledgements,
    read_error,
    read_pull,
    read_subscription,
)
from archsyncd.wire.r247_values import Unreadable

NAMES_LIMIT: Final = 1_000
NAMES_LIMIT_BYTES: Final = 256 * 1024
ASIDE_BYTES: Final = 256 * 1024
_OK, _BAD_REQUEST, _UNAUTHORISED, _FORBIDDEN, _NOT_FOUND = 200, 400, 401, 403, 404
_NOT_OFFERED, _GATEWAY_TIMEOUT = 501, 504
_SUBSCRIBER: Final = "grant its account the role roles/pubsub.subscriber on the subscription"
_VIEWER: Final = "its account has not the role roles/pubsub.viewer, which is needed for this look alone"


class NamesRefused(FeedFault):
    """Acknowledgements that will be refused again: telling them once more would hold up every later one."""


class Subscription:
    """The calls, each made once; a token that is refused is replaced once."""

    def __init__(self, options: PubsubOptions, caller: Caller, tokens: Tokens) -> None:
        self._options = options
        self._caller = caller
        self._tokens = tokens
        self._at_once = options.page_limit

    @property
    def caller(self) -> Caller:
        """What makes the calls, to renew its trust."""
        return self._caller

    async def pull(self) -> list[Delivered]:
        """Wait for messages, as long as Pub/Sub lets us, and take some; empty when none came. Raises FeedFault."""
        answer = await self._pulled()
        if answer.status == _GATEWAY_TIMEOUT:
            return []
        if answer.status != _OK:
            raise self._refusal(answer, _SUBSCRIBER)
        try:
            aside = len(answer.body) >= ASIDE_BYTES
            found = await asyncio.to_thread(read_pull, answer.body) if aside else read_pull(answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None
        if found:
            fits = self._options.response_limit_bytes // 2 // max(1, len(answer.body) // len(found))
            self._at_once = min(self._options.page_limit, max(1, fits))
        return found

    async def _pulled(self) -> Answer:
        """Pull fewer at once until the answer is no larger than what is read; one message alone always fits (10 MB)."""
        while True:
            body = {"maxMessages": self._at_once}
            options = self._options
            try:
                return await self._ask(
                    "POST", ":pull", body, options.pull_seconds, options.response_limit_bytes
                )
            except TooMuch:
                # What was in it is delivered again after its deadline.
                if self._at_once == 1:
                    raise
                self._at_once = max(1, self._at_once // 4)

    async def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Have these deliveries forgotten there. Raises FeedFault; whatever was not, is delivered again.

        Raises NamesRefused once all were told, where some were refused for good: a subscription with exactly-once delivery
        refuses names whose deadline has passed.
        """
        refused: Answer | None = None
        for part in acknowledgements(ack_ids, NAMES_LIMIT, NAMES_LIMIT_BYTES):
            answer = await self._ask("POST", ":acknowledge", {"ackIds": part}, self._options.request_seconds)
            if answer.status == _BAD_REQUEST:
                refused = answer
            elif answer.status != _OK:
                raise self._refusal(answer, _SUBSCRIBER)
        if refused is not None:
            raise NamesRefused(self._refusal(refused, _SUBSCRIBER).reason)

    async def put_off(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Give us so long, from now, before these are delivered again; 0 gives them back at once. Raises FeedFault."""
        for part in acknowledgements(ack_ids, NAMES_LIMIT, NAMES_LIMIT_BYTES):
            await self._told(":modifyAckDeadline", {"ackIds": part, "ackDeadlineSeconds": seconds})

    async def describe(self) -> SubscriptionTold | None:
        """What Pub/Sub says of the subscription; None where our account may not ask. Raises FeedFault."""
        answer = await self._ask("GET", "", None, self._options.request_seconds)
        if answer.status == _FORBIDDEN:
            return None
        if answer.status != _OK:
            raise self._refusal(answer, _VIEWER)
        try:
            return read_subscription(answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None

    async def may_pull(self) -> bool | None:
        """Whether our account may pull, asked without pulling anything; None: an emulator does not say. Raises FeedFault."""
        permission = "pubsub.subscriptions.consume"
        answer = await self._ask(
            "POST", ":testIamPermissions", {"permissions": [permission]}, self._options.request_seconds
        )
        if answer.status == _NOT_OFFERED and self._options.emulated:
            return None
        if answer.status != _OK:
            raise self._refusal(answer, _SUBSCRIBER)
        return permission.encode() in answer.body

    async def _told(self, verb: str, body: dict[str, Any]) -> None:
        answer = await self._ask("POST", verb, body, self._options.request_seconds)
        if answer.status != _OK:
            raise self._refusal(answer, _SUBSCRIBER)

    async def _ask(
        self,
        method: str,
        verb: str,
        body: dict[str, Any] | None,
        seconds: float,
        limit_bytes: int = 1024 * 1024,
    ) -> Answer:
        answer = await self._once(method, verb, body, seconds, limit_bytes)
        if answer.status == _UNAUTHORISED:
            self._tokens.refused()
            answer = await self._once(method, verb, body, seconds, limit_bytes)
        return answer

    async def _once(
        self, method: str, verb: str, body: dict[str, Any] | None, seconds: float, limit_bytes: int
    ) -> Answer:
        authorization = await self._tokens.header()
        headers = {} if authorization is None else {"Authorization": authorization}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._options.url.rstrip('/')}/v1/{self._options.subscription}{verb}"
        told = f"{method} {self._options.subscription}{verb}"
        data = None if body is None else orjson.dumps(body)
        return await self._caller.ask(Call(method, url, told, seconds, headers, data, limit_bytes))

    def _refusal(self, answer: Answer, remedy: str) -> FeedFault:
        error = read_error(answer.body)
        told = f"{answer.told} {error.status}: {error.message}".rstrip(": ")
        if answer.status == _FORBIDDEN:
            return FeedFault(f"{told}; {remedy}", blind=True)
        if answer.status == _NOT_FOUND:
            return FeedFault(f"{told}; the subscription must exist, and is never made here", blind=True)
        headers = answer.headers
        return FeedFault(
            told,
            blind=answer.status == _UNAUTHORISED,
            retry_after_seconds=retry_after_seconds(headers.get("Retry-After"), headers.get("Date")),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._caller.close()
