"""Comparing the whole inventory with the ledger: every night, and when a person asks. One run at a time, resumed after a restart.

It knows when a run begins and ends; what a page says is the store's business, and corrections are the base keeper's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, tzinfo

from archsyncd.domain.reconciling import Mode, Run, RunState, Wanted, next_at
from archsyncd.engine.drain import Drain
from archsyncd.engine.limiter import Limiter, Quiesced
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.walking import Walk

LOOK_SECONDS = 1.0
RETRY_SECONDS = 2.0
NIGHTLY = "nightly"
NOTE = "reconcile"


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """When it begins by itself, in the host's time zone (`zone` None), and within what time orders show on entries."""

    nightly_at: time
    lag_seconds: float
    tracked: bool
    zone: tzinfo | None = None


class Reconcile:
    """Walks over the inventory when it is time, and tells what became of it."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        drain: Drain,
        options: ReconcileOptions,
        beat: Callable[[], None],
        tell: Callable[[Run], None] = lambda _run: None,
    ) -> None:
        """`tell` hears of each run that has ended, with its totals."""
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._drain = drain
        self.options = options
        self._beat = beat
        self._tell = tell
        self._walk: Walk | None = None

    async def run(self) -> None:
        """Compare until the limiter lets nothing more begin. Raises FencedOff when a newer tenure has written."""
        # Pages of a walk that broke off may have been judged in part: it begins again from the place that is kept.
        self._walk = None
        try:
            while not self._shared.stopping:
                self._beat()
                run = await self._store.reconciles.current()
                if run is None:
                    self._walk = None
                    if not await self._begin_nightly():
                        await self._shared.rest(LOOK_SECONDS)
                elif not await self._go_on(run):
                    await self._shared.rest(LOOK_SECONDS)
        except Quiesced:
            pass

    async def _begin_nightly(self) -> bool:
        """Begin the night's run when it is due; not while nothing may be written, as it would correct nothing."""
        if not self._drain.options.writes:
            return False
        last = await self._store.reconciles.newest(NIGHTLY)
        # Without one since the ledger began: a host that is stopped every night has its run at the next start.
        since_ms = self._store.ledger.created_ms if last is None else last.began_ms
        now_ms = self._shared.clock.wall_ms()
        if not since_ms <= now_ms or next_at(since_ms, self.options.nightly_at, self.options.zone) > now_ms:
            return False
        return await self._store.reconciles.begin(Wanted(Mode.APPLY, NIGHTLY)) is not None

    async def _go_on(self, run: Run) -> bool:
        """Do a part of the run under way; whether anything could be done."""
        if not await self._may_go_on(run):
            return False
        walk = self._walk
        if walk is None or walk.run.id != run.id:
            walk = self._walk = Walk(
                run, self._store, self._client, self._limiter, self._shared, self._drain, self._beat
            )
        lag_ms = int(self.options.lag_seconds * 1000)
        done = await walk.step(lag_ms, tracked=self.options.tracked)
        if walk.lost:
            self._walk = None
        elif walk.outcome is not None:
            await self._end(run, walk.outcome, walk.reason)
        return done

    async def _may_go_on(self, run: Run) -> bool:
        """Not before channels and orders are known and what Archean has told is applied: half of it looks like drift."""
        if run.wanted.mode is Mode.APPLY and not self._drain.options.writes:
            return False
        if not self._shared.channels_read or (self.options.tracked and not self._shared.orders_known):
            return False
        # Pages that were read already wait for nothing of this.
        return self._walk is not None or not await self._store.snapshots.unfinished()

    async def _end(self, run: Run, state: RunState, reason: str) -> None:
        self._walk = None
        if state is RunState.FAILED:
            self._shared.notes[NOTE] = reason
        else:
            self._shared.notes.pop(NOTE, None)
        ended = await self._store.reconciles.end(run, state, reason)
        if ended is not None:
            self._tell(ended)
