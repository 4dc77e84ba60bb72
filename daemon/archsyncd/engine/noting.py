"""Notes Archean's order number on the order in commercetools, where a channel for that is configured.

A loop of its own with what requests the others leave: nobody's goods wait for it, and no order waits behind it.
"""

from __future__ import annotations

from collections.abc import Callable

from archsyncd.domain.handover import Carried
from archsyncd.domain.inventory import Conflict, Failure, Missing
from archsyncd.domain.retry import order_delay_ms
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.handovers import Handovers
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.ports import Commercetools, StoreFull
from archsyncd.engine.shared import Shared, describe
from archsyncd.engine.store import Store
from archsyncd.engine.together import together
from archsyncd.engine.whole_reader import WholeReader

NOTES_PER_ROUND = 50
NOTES_AT_ONCE = 4
IDLE_SECONDS = 1.0
SYNC_CHANNEL = "sync channel"


class Noting:
    """Brings each number that is known onto its order, the oldest first."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        channel: str,
        chance: Callable[[], float],
        beat: Callable[[], None],
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """`channel`: the key of the channel under which numbers are noted, "" for nowhere."""
        self._kept: Handovers = store.handovers
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self.channel = channel
        self._chance = chance
        self._beat = beat
        self._may_write = may_write
        self._reader = WholeReader(client, limiter, Priority.CHECK, beat)

    async def run(self) -> None:
        """Note until the limiter lets nothing more begin."""
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    busy = await self.work_some()
                except StoreFull:
                    busy = 0
                if busy < NOTES_PER_ROUND:
                    await self._shared.rest(IDLE_SECONDS)
        except Quiesced:
            pass

    async def work_some(self) -> int:
        """Note a bounded number; how many."""
        if not self._may_write() or not self._shared.may_increase():
            return 0  # without the lease for certain, somebody else may be noting them
        self._usable()
        due = await self._kept.to_note(NOTES_PER_ROUND)
        await together((self._note(carried) for carried in due), NOTES_AT_ONCE)
        return len(due)

    async def _note(self, carried: Carried) -> None:
        """Once, and first under the version that is known of the order."""
        self._beat()
        channel, number = self._usable(), carried.source_order
        if not channel or number is None:
            await self._kept.noted(carried, "")
            return
        done = await self._noted_under(carried, carried.version, channel, number)
        if isinstance(done, Conflict):
            whole = await self._reader.one(carried.order_id)
            if not isinstance(whole, WholeOrder) or whole.synced.get(self._channel_id(channel)) == number:
                done = whole
            else:
                done = await self._noted_under(carried, whole.order.version, channel, number)
        if isinstance(done, WholeOrder):
            await self._kept.noted(carried, "")
        elif isinstance(done, Missing):
            await self._kept.noted(carried, "the order is gone in commercetools")
        else:
            reason = f"Archean's number cannot be noted yet ({describe(done)})"
            again_ms = self._shared.clock.wall_ms() + order_delay_ms(carried.attempts, self._chance())
            await self._kept.put_off(carried, reason, again_ms)

    async def _noted_under(
        self, carried: Carried, version: int, channel: str, number: str
    ) -> WholeOrder | Failure:
        return await self._limiter.call(
            Priority.CHECK,
            1.0,
            lambda: self._client.note_source_order(carried.order_id, version, channel, number),
        )

    def _channel_id(self, channel: str) -> str:
        ids = {key: name for name, key in self._shared.channel_keys.items()}
        return ids.get(channel, "")

    def _usable(self) -> str:
        """Where numbers are noted, "" for nowhere; a channel that cannot carry them is said, and orders go on without."""
        wanted = self.channel
        if not wanted or wanted in self._shared.export_channels:
            self._shared.notes.pop(SYNC_CHANNEL, None)
            return wanted
        if self._shared.channels_read:
            self._shared.notes[SYNC_CHANNEL] = (
                f"the project has no channel {wanted} with the role OrderExport (orders.sync_channel): Archean's numbers are "
                "not noted on orders, which are handed over all the same"
            )
        return ""
