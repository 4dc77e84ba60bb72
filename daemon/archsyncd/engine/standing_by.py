"""Tells people what keeps the daemon from its work while it may not write: in memory alone. Blind to words, as the other loops.

Whoever waits for the lease, or stands aside on a copied database, keeps nothing: what was told lives as long as the wait. What a
run before has told is known, and what is known in the end may be handed to whoever keeps it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from archsyncd.domain.alerting import AlertRules, Cause, Decided, Message, decide
from archsyncd.domain.retry import steady_delay
from archsyncd.engine.alerting import (
    BACKOFF_BASE_SECONDS,
    BACKOFF_LIMIT_SECONDS,
    LOOK_SECONDS,
    Observe,
    Tell,
    try_ways,
)
from archsyncd.engine.alerts import Way
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

# What keeps it from its work; all else is judged by whoever holds the store.
TOLD = frozenset({"credential_refused", "commercetools_unreachable", "copied", "idle"})
WAITING_MOST = 20
# Longer than a way may take for one message.
SEND_SECONDS = 120.0
NOTE = "alerts"
_LOG = logging.getLogger("archsyncd.alerts")


@dataclass(slots=True)
class _Posted:
    """A message that still has to go by some ways."""

    number: str
    message: Message
    ways: set[str]
    attempts: int = 0
    due: float = 0.0


class StandingBy:
    """Looks every few seconds and sends at once. `ways`: the ways there are now; `tell` has the journal say what is sent."""

    def __init__(
        self,
        store: Store,
        shared: Shared,
        observe: Observe,
        ways: Callable[[], Mapping[str, Way]],
        rules: Callable[[], AlertRules],
        tell: Tell,
        ledger: Callable[[], str],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._shared = shared
        self._observe = observe
        self._ways = ways
        self._rules = rules
        self._tell = tell
        self._ledger = ledger
        self._chance = chance
        self._causes: dict[tuple[str, str], Cause] | None = None
        self._waiting: list[_Posted] = []

    async def run(self) -> None:
        """Look and send until it is cancelled, or the stop."""
        while not self._shared.stopping:
            try:
                await self.look()
                await self.send()
                self._shared.notes.pop(NOTE, None)
            except Exception as error:  # noqa: BLE001 - noted, and told with its trace
                if NOTE not in self._shared.notes:
                    _LOG.exception("the look for what is to be told failed")
                self._shared.notes[NOTE] = (
                    f"nobody is told of anything: {type(error).__name__}, see the journal"
                )
            await self._shared.rest(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once; what is to be told waits to be sent."""
        if self._causes is None:
            known = await self._store.alerts.causes()
            self._causes = {key: cause for key, cause in known.items() if cause.name in TOLD}
        seen = await self._observe(self._causes)
        observed = [each for each in seen.observed if each.code in TOLD]
        now_ms = self._shared.clock.wall_ms()
        decided = decide(self._causes, observed, now_ms, self._rules(), seen.unjudged)
        self._causes |= {cause.key: cause for cause in decided.kept}
        for key in decided.forgotten:
            del self._causes[key]
        for place, message in enumerate(decided.messages):
            self._tell(message)
            number = f"msg_{self._ledger()}_waiting_{now_ms}_{place}"
            self._waiting.append(_Posted(number, message, set(self._ways())))
        del self._waiting[:-WAITING_MOST]

    async def send(self) -> None:
        """Try each message that is due by the ways that have not taken it."""
        now, ways = self._shared.clock.monotonic(), self._ways()
        for posted in [each for each in self._waiting if each.due <= now]:
            left = {name: way for name, way in ways.items() if name in posted.ways}
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    results = await try_ways(left, posted.number, posted.message)
            except TimeoutError:
                results = {}
            posted.ways = {name for name in left if not results.get(name, (False, ""))[0]}
            wait = steady_delay(
                posted.attempts,
                self._chance(),
                base_seconds=BACKOFF_BASE_SECONDS,
                limit_seconds=BACKOFF_LIMIT_SECONDS,
            )
            posted.attempts, posted.due = posted.attempts + 1, now + wait
        self._waiting = [each for each in self._waiting if each.ways]

    async def hand_over(self) -> None:
        """The store may be written from now on: keep what was told, so that its end is told, and what has not gone yet."""
        with contextlib.suppress(StoreFull):
            await self._store.alerts.book(Decided(tuple((self._causes or {}).values())), ())
            for posted in self._waiting:
                await self._store.alerts.book(Decided(messages=(posted.message,)), posted.ways)
            self._waiting.clear()
