"""Reading a feed again from an earlier place: where that may be, and what is remembered for it. Reads no feed itself."""

from __future__ import annotations

import asyncio

from archsyncd.domain.feed import Batch, SnapshotDue
from archsyncd.engine.ports import SnapshotSource, StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

NOTED_EVERY_SECONDS = 300.0
# A source keeps its records for seven days (r247/1, section 2).
KEPT_MS = 7 * 86_400 * 1000


class Replay:
    """A wish to read from an earlier place, and its answer: "" once it has begun, else why it was not.

    `place` goes on with what is read again, `until_seq` is where that ends, once it is known.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.until_seq: int | None = None
        self.answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def pending(self) -> bool:
        """Whether nothing was answered yet."""
        return not self.answered.done()

    @property
    def refused(self) -> bool:
        """Whether it was answered that it cannot be."""
        return self.answered.done() and not self.answered.cancelled() and bool(self.answered.result())

    def answer(self, text: str) -> None:
        """Answer, unless that was done."""
        if not self.answered.done():
            self.answered.set_result(text)


def refusal(first: Batch | SnapshotDue | SnapshotSource, newest_epoch: str | None, read_seq: int) -> str:
    """Why a feed may not be read on from a place, by what it tells first there; "" when it may.

    A place that lies ahead of what was read would leave records out, and cursors cannot be compared: positions can.
    """
    if isinstance(first, SnapshotDue):
        return f"the source does not go back to there ({first.detail})"
    if not isinstance(first, Batch):
        return "the source has a full there; it is read in its turn"
    if first.epoch != newest_epoch:
        return f"the place lies in the epoch {first.epoch}, and of all but the newest one ({newest_epoch}) nothing is used"
    seqs = [record.seq for record in first.records]
    if not seqs:
        return "nothing readable was told after that place: it lies at the end, or before records that cannot be read"
    if min(seqs) > read_seq:
        return f"the place lies ahead: {min(seqs)} follows it and only {read_seq} was read, so records would be left out"
    return ""


class Places:
    """Remembers where a feed stands, every few minutes."""

    def __init__(self, feed: str, store: Store, shared: Shared) -> None:
        self._feed = feed
        self._store = store
        self._shared = shared
        self._again_at = float("-inf")

    async def look(self, batch: Batch) -> None:
        """Note the place behind a batch that was read, if it is time to. A full disk only costs the note."""
        now = self._shared.clock.monotonic()
        if now < self._again_at or not batch.checkpoint:
            return
        try:
            await self._store.feeds.note_place(self._feed, batch.checkpoint, KEPT_MS)
        except StoreFull:
            return
        self._again_at = now + NOTED_EVERY_SECONDS
