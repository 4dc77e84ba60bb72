"""A source asked over HTTP with the calls that the daemon itself makes: same limits, same TLS, same headers. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from archsyncd.adapters.r247_pull import PullAuth, PullOptions, Sessions
from archsyncd.adapters.r247_pull.caller import Call, Caller
from archsyncd.conformance.asking import JSON, Query, Reply, told
from archsyncd.engine.ports import Clock, FeedFault

# The request and its correlation id, which stand in `asked` already.
_OURS: Final = re.compile(r"^[A-Z]+ \S+ \[[^\]]*\](?: \d{3})?:? ?")


class HttpSource:
    """Makes each call with the credential, or without where that is asked for."""

    def __init__(
        self,
        options: PullOptions,
        credential: Callable[[], str],
        sessions: Sessions,
        clock: Clock,
        correlation: Callable[[], str],
    ) -> None:
        self._clock = clock
        self._known = Caller(options, credential, sessions, correlation)
        self._stranger = Caller(replace(options, auth=PullAuth.NONE), credential, sessions, correlation)

    async def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        body: Mapping[str, Any] | None = None,
        wait_seconds: float = 0.0,
        credential: bool = True,
        accept: str = JSON,
    ) -> Reply:
        """Ask once."""
        asked, began = told(method, path, query), self._clock.monotonic()
        caller = self._known if credential else self._stranger
        try:
            answer = await caller.ask(Call(method, path, query, body, accept, wait_seconds))
        except FeedFault as fault:
            return Reply(asked, fault=_OURS.sub("", fault.reason), seconds=self._clock.monotonic() - began)
        return Reply(
            asked,
            answer.status,
            answer.body,
            answer.content_type,
            answer.retry_after,
            answer.date,
            seconds=self._clock.monotonic() - began,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._known.close()
        await self._stranger.close()
