"""Looks for keys of which more was ordered than Archean says is there, and for feeds that tell of records and give none.

An order that is not in Archean's figures yet looks the same for a while, so a key is suspected only when it stays so. Knows
neither how orders are learnt nor how stock is written.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.counting import counted
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.oversell import Owed
from archsyncd.domain.report import FeedState
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

LOOK_SECONDS = 5.0
# Keys looked at in one turn, cases in one turn, and keys remembered; what is left over comes in the next turns.
KEYS = 500
CASES = 200
REMEMBERED = 5_000
COVERED = "the stock covers what was ordered"


class Suspecting:
    """Suspected oversells: a case for each key, closed when the stock covers what was ordered.

    `after_seconds`: how long a key must owe more than it has.
    """

    def __init__(
        self,
        store: Store,
        shared: Shared,
        after_seconds: float,
        beat: Callable[[], None],
        rests: Callable[[str], bool] = lambda _channel: False,
    ) -> None:
        """`rests`: whether no news is expected just now of any location of a channel; its keys' clocks stand still."""
        self._rests = rests
        self._looked = shared.clock.monotonic()
        self._store = store
        self._shared = shared
        self._beat = beat
        self.after_seconds = after_seconds
        self._since: dict[StockKey, float] = {}
        self._told: set[StockKey] = set()
        self._key: StockKey | None = None
        self._case = 0
        self._sold: frozenset[str] | None = None
        self._looked_back = False
        self._heads: dict[str, tuple[int, int | None, float]] = {}

    async def run(self) -> None:
        """Look again every five seconds."""
        while not self._shared.stopping:
            self._beat()
            with contextlib.suppress(StoreFull):
                await self.look()
            await self._shared.rest(LOOK_SECONDS)

    async def look(self) -> None:
        """Look at the next keys that may owe more than they have, at the next open cases, and at the feeds' heads."""
        await self._meet_locations()
        await self._close_covered()
        found, self._key = await self._store.health.beyond(self._key, KEYS)
        now = self._shared.clock.monotonic()
        self._stand_still(now)
        for owed in found:
            if owed.short > 0:
                await self._suspect(owed, now)
        await self._forget()
        for state in await self._store.feeds.states():
            self._note_head(state, now)

    def _stand_still(self, now: float) -> None:
        """Whom nobody tells of an import just now is not suspected for that."""
        passed, self._looked = now - self._looked, now
        resting = {channel for channel in {key.channel for key in self._since} if self._rests(channel)}
        if resting:
            self._since = {
                key: min(since + passed, now) if key.channel in resting else since
                for key, since in self._since.items()
            }

    def stuck_seconds(self, feed: str) -> float | None:
        """For how long a feed has told of newer records and given none; None while it does not."""
        _, head, since = self._heads.get(feed, (0, None, 0.0))
        return None if head is None else self._shared.clock.monotonic() - since

    def _note_head(self, state: FeedState, now: float) -> None:
        """Behind, and nothing read since: it may only be slow, and is no more once something is read."""
        seq, _, since = self._heads.get(state.name, (-1, None, now))
        behind = state.head_seq is not None and state.head_seq > state.seq
        moved = state.seq != seq or not behind
        self._heads[state.name] = (state.seq, state.head_seq if behind else None, now if moved else since)

    async def _meet_locations(self) -> None:
        """At the start, and when other locations are sold: of some of them levels may be known already."""
        sold = frozenset(self._store.rules.policies.by_location)
        if sold != self._sold:
            await self._store.health.begin(self._shared.clock.wall_ms())
            self._sold = sold

    async def _suspect(self, owed: Owed, now: float) -> None:
        if owed.key not in self._since and len(self._since) >= REMEMBERED:
            return
        lasts_seconds = now - self._since.setdefault(owed.key, now)
        if lasts_seconds < self.after_seconds or owed.key in self._told:
            return
        self._told.add(owed.key)
        more = f", and {owed.ordered} more are ordered that they do not exclude yet"
        if owed.ordered <= 0:
            more = ": so many pieces were promised, here or elsewhere, that are not there"
        reason = (
            f"{counted(owed.short, 'piece')} of {owed.key.sku} may be sold beyond the stock of channel {owed.key.channel}: "
            f"Archean's figures come to {owed.there}{more}"
        )
        await self._store.cases.open(
            NewCase(CaseKind.SUSPECTED_OVERSELL, owed.key.channel, owed.key.sku, reason)
        )

    async def _close_covered(self) -> None:
        """Close cases whose key has enough by now; also those left from an earlier run."""
        if self._looked_back and not self._told:
            return
        kind = CaseKind.SUSPECTED_OVERSELL
        cases = await self._store.cases.listed(kind=kind.value, after=self._case, limit=CASES)
        self._case = cases[-1].id if len(cases) == CASES else 0
        self._looked_back |= self._case == 0
        keys = {case.id: StockKey(case.scope, case.subject) for case in cases}
        if not keys:
            return
        owed = await self._store.health.owed(keys.values())
        for key in keys.values():
            self._told.add(key)
            now = owed.get(key)
            if (now is None or now.short <= 0) and not key.sku.startswith("(folded)"):
                await self._store.cases.resolve(kind, key.channel, key.sku, COVERED)

    async def _forget(self) -> None:
        """Keys that have enough again may be suspected anew."""
        if not self._since and not self._told:
            return
        owed = await self._store.health.owed({*self._since, *self._told})
        still = {key for key, each in owed.items() if each.short > 0}
        self._since = {key: since for key, since in self._since.items() if key in still}
        self._told &= still
