"""A source asked over HTTP with the calls that the daemon itself makes: same limits, same TLS, same headers. Decides nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from archsyncd.adapters.r247_pull import PullAuth, PullOptions, Sessions
from archsyncd.adapters.r247_pull.caller import Call, Caller
from archsyncd.conformance.asking import Reply, told
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

    async def ask(self, call: Call, *, credential: bool = True) -> Reply:
        """Ask once."""
        asked, began = told(call), self._clock.monotonic()
        caller = self._known if credential else self._stranger
        try:
            answer = await caller.ask(call)
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
            headers=answer.headers,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._known.close()
        await self._stranger.close()
