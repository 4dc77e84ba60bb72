"""Who writes: the store is held under the lease, or, while the rollout only plans, under no lease at all.

Knows when the drain may write, and nothing of what it writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from archsyncd.adapters.journal import say
from archsyncd.assembly import drain_options
from archsyncd.config import Settings
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import EXIT_FENCED_OFF, Fatal
from archsyncd.domain.tenure import PLANNING, Tenure
from archsyncd.engine.drain import Drain
from archsyncd.engine.limiter import Limiter, Quiesced
from archsyncd.engine.ports import Commercetools, FencedOff
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.tenure import Claim, Lease, LeaseNews
from archsyncd.world import World

LOOK_SECONDS = 1.0
RELEASE_SECONDS = 5.0
NOT_TAKEN = "no lease is taken while the rollout only plans"
LOGGER = logging.getLogger("archsyncd")


class Holding:
    """Takes the lease, keeps it and lets it go. `settings` answers with those in force; `tell` hears what becomes of it."""

    def __init__(
        self,
        world: World,
        settings: Callable[[], Settings],
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        drain: Drain,
        beat: Callable[[], None],
        tell: Callable[[LeaseNews], None],
    ) -> None:
        self._world = world
        self._settings = settings
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._drain = drain
        self._beat = beat
        self._tell = tell
        self.text = "not taken yet"
        self.lease: Lease | None = None
        # Set once nothing may be written any more: by a step back to planning, and by the stop.
        self.put_down = asyncio.Event()

    async def run(self) -> None:
        """Hold the lease while stock may be written; take it and let it go as the rollout goes on and back."""
        while not self._shared.stopping:
            self._beat()
            if self.planning:
                if self.lease is not None:
                    await self.let_go()
                    await self.only_plan()
                await self._shared.rest(LOOK_SECONDS)
                continue
            self.put_down.clear()
            if self.lease is None:
                await self.begin_to_write()
            else:
                await self.lease.keep(self.put_down, self._beat)

    @property
    def planning(self) -> bool:
        """Whether the rollout only plans."""
        return self._settings().rollout.stage == "plan"

    async def only_plan(self) -> None:
        """Hold the database alone: what is read is kept, and nothing is written to commercetools, the lease neither."""
        await self._hold(Tenure(PLANNING, await self._store.fence(), self._store.ledger.id), None)
        self.text = NOT_TAKEN

    async def begin_to_write(self) -> bool:
        """Take the lease and hold the store under it; False when the stop, or a step back to planning, came first."""
        lease = Lease(
            self._client,
            self._limiter,
            self._world.clock,
            self._world.chance,
            await self._claim(),
            self._news,
        )
        tenure = await self._acquire(lease)
        if tenure is None:
            return False
        # Orders known before prove nothing of what others wrote until now.
        self._shared.tenure_since_ms = self._shared.server_now_ms() if self._shared.server_time_known else 0
        await self._hold(tenure, lease)
        self.text = f"held by {tenure.name}, so that this host writes (fence {tenure.fence})"
        return True

    async def _hold(self, tenure: Tenure, lease: Lease | None) -> None:
        try:
            doubts = await self._store.take_tenure(tenure)
        except FencedOff as error:
            raise Fatal(EXIT_FENCED_OFF, str(error)) from error
        if doubts:
            what = f"operations in doubt: {doubts}; their entries are read before anything else"
            say(LOGGER, Event.STARTED, what)
        self.lease = lease
        self.direct(tenure.fence)
        self._shared.bases.set()

    def direct(self, fence: int) -> None:
        """Tell the drain how to write, and whether: not without the lease, and not while the rollout only plans."""
        options = drain_options(self._settings(), self._store.ledger.id, fence)
        self._drain.options = replace(options, writes=options.writes and self.lease is not None)

    async def let_go(self) -> None:
        """Let the lease end, so that another host need not wait for it."""
        lease, self.lease = self.lease, None
        self.direct(self._drain.options.fence)
        if lease is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(RELEASE_SECONDS):
                    await lease.release()

    async def _acquire(self, lease: Lease) -> Tenure | None:
        """Wait for the lease, or for the stop: as a standby that may be long, and a call under way must not hold it up."""
        acquiring = asyncio.ensure_future(lease.acquire(self._beat))
        stopped = asyncio.ensure_future(self.put_down.wait())
        try:
            await asyncio.wait({acquiring, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return acquiring.result() if acquiring.done() else None
        except Quiesced:
            return None
        finally:
            acquiring.cancel()
            stopped.cancel()
            await asyncio.gather(acquiring, stopped, return_exceptions=True)

    async def _claim(self) -> Claim:
        holder = f"{self._world.host_name}:{self._world.pid}:{self._world.new_id()}"
        seconds = float(self._settings().lease.seconds)
        fence = await self._store.fence()
        # Counting by the clock keeps fences rising even when the database, the lease, or both are lost or put back.
        floor = self._world.clock.wall_ms() // 1000
        if seconds <= 0:
            fence = max(fence + 1, floor)
        return Claim(self._store.ledger.id, holder, seconds, fence, self._world.host_id, floor)

    def _news(self, news: LeaseNews) -> None:
        self.text = news.sentence
        self._tell(news)
