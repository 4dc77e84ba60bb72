"""Failing closed: a location whose feeds have all been silent for too long is not offered until one of them is back.

Which locations are withheld is a rule of quantities like any other: the target falls by an ordinary decrease, and rises by an
ordinary increase. Off unless configured. Across a restart what was withheld stays so until its feed is heard of.
"""

from __future__ import annotations

from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.tail import Freshness

LOOK_SECONDS = 10.0
FEEDS_KEEP_SECONDS = 60.0
NOTE = "withheld"


class Withholding:
    """Says which locations offer nothing just now."""

    def __init__(
        self, store: Store, shared: Shared, freshness: Freshness, minutes: float, before: frozenset[str]
    ) -> None:
        self._store = store
        self._shared = shared
        self._freshness = freshness
        self.minutes = minutes
        self._withheld = before
        self._next_look = float("-inf")
        self._feeds: dict[str, list[str]] = {}
        self._feeds_until = float("-inf")

    async def look(self) -> frozenset[str]:
        """The locations to withhold, judged anew every ten seconds."""
        if self.minutes <= 0:
            self._withheld = frozenset()
        elif self._shared.clock.monotonic() >= self._next_look:
            self._next_look = self._shared.clock.monotonic() + LOOK_SECONDS
            self._withheld = await self._silent()
        self._tell()
        return self._withheld

    async def _silent(self) -> frozenset[str]:
        limit_seconds = self.minutes * 60
        silent = {
            feed for feed, seconds in self._freshness.critical_seconds().items() if seconds >= limit_seconds
        }
        unheard = self._freshness.unheard()
        if not silent and not (self._withheld and unheard):
            return frozenset()
        found = set()
        for location in self._store.rules.policies.by_location:
            feeds = {feed for feed in await self._feeds_of(location) if feed in self._freshness.intervals}
            still = location in self._withheld and feeds <= silent | unheard
            if feeds and (feeds <= silent or still):
                found.add(location)
        return frozenset(found)

    async def _feeds_of(self, location: str) -> list[str]:
        """The feeds of a location, at most a minute old: to rule one out, all of the location's levels are walked through."""
        now = self._shared.clock.monotonic()
        if now >= self._feeds_until:
            self._feeds.clear()
            self._feeds_until = now + FEEDS_KEEP_SECONDS
        if location not in self._feeds:
            self._feeds[location] = await self._store.feeds.feeds_of(location)
        return self._feeds[location]

    def _tell(self) -> None:
        if not self._withheld:
            self._shared.notes.pop(NOTE, None)
            return
        names = ", ".join(sorted(self._withheld))
        self._shared.notes[NOTE] = (
            f"not offered until its feed is heard of again: {names} (health.fail_closed_minutes = {self.minutes:g})"
        )
