"""Notifications of orders: each has its order read at once, and is acknowledged when what came of that is durable.

The queries and sweeps of orders go on beside it and miss nothing, so a notification that is lost costs time and no order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from archsyncd.domain.notices import ORDER, Notice
from archsyncd.domain.retry import delay
from archsyncd.engine.limiter import Quiesced
from archsyncd.engine.orders import Orders
from archsyncd.engine.ports import FeedFault, Notices, StoreFull
from archsyncd.engine.shared import Shared

NOTE = "order notifications"
RETRY_SECONDS = 2.0
PAUSE_SECONDS = 1.0


class Noticing:
    """Reads one subscription of notifications for as long as the program runs."""

    def __init__(
        self,
        source: Notices,
        orders: Orders,
        shared: Shared,
        project_key: str,
        chance: Callable[[], float],
        beat: Callable[[], None],
    ) -> None:
        self._source = source
        self._orders = orders
        self._shared = shared
        self._project_key = project_key
        self._chance = chance
        self._beat = beat
        self._failures = 0

    async def run(self) -> None:
        """Read until told to stop; faults are waited out, each longer than the one before."""
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    await self.round()
                except FeedFault as fault:
                    await self._failed(fault)
        except Quiesced:
            pass

    async def round(self) -> None:
        """Wait for notifications, have their orders learnt, and acknowledge them. Raises FeedFault."""
        began = self._shared.clock.monotonic()
        notices = await self._taken()
        self._well()
        if not notices:
            await self._shared.rest(PAUSE_SECONDS - (self._shared.clock.monotonic() - began))
            return
        self._shared.count("notices", len(notices))
        self._tell_strange(notices)
        ours = [one for one in notices if one.kind == ORDER and one.project == self._project_key]
        ids = list(dict.fromkeys(one.resource_id for one in ours))
        while ids and not self._shared.stopping and not await self._learn(ids):
            self._beat()
            await self._shared.rest(RETRY_SECONDS)
        if not self._shared.stopping:
            await self._source.done(notices)

    async def _taken(self) -> Sequence[Notice]:
        """Wait for notifications or the stop, whichever is first. Raises FeedFault."""
        taking = asyncio.ensure_future(self._source.take())
        stopping = asyncio.ensure_future(self._shared.stop.wait())
        try:
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() else ()
        finally:
            taking.cancel()
            stopping.cancel()
            await asyncio.gather(taking, stopping, return_exceptions=True)

    async def _learn(self, ids: Sequence[str]) -> bool:
        try:
            return await self._orders.notice(ids, self._beat)
        except StoreFull:
            return False

    def _tell_strange(self, notices: Sequence[Notice]) -> None:
        """What is of no use is acknowledged all the same; somebody should know, as the topic is not what was meant."""
        foreign = {one.project for one in notices if one.readable} - {self._project_key}
        if foreign:
            told = f"they tell of another project ({min(foreign)}); nothing of that is used"
        elif not all(one.readable for one in notices):
            told = "some cannot be read, and are passed over; the queries find what they told of"
        else:
            if notices:
                self._shared.notes.pop(NOTE, None)
            return
        self._shared.notes[NOTE] = f"notifications of orders: {told}"

    def _well(self) -> None:
        if self._failures:
            self._failures = 0
            self._shared.notes.pop(NOTE, None)

    async def _failed(self, fault: FeedFault) -> None:
        self._failures += 1
        self._shared.notes[NOTE] = (
            f"notifications of orders cannot be read: {fault.reason}; orders are learnt by the queries alone, a little later"
        )
        wait = max(delay(self._failures, self._chance()), fault.retry_after_seconds or 0.0)
        while wait > 0 and not self._shared.stopping:
            self._beat()
            await self._shared.rest(min(wait, PAUSE_SECONDS))
            wait -= PAUSE_SECONDS
