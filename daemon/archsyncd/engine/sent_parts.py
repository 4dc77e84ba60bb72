"""Snapshots that a source sends in parts among its records, read back as one. Knows no message and no transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from archsyncd.domain.feed import (
    Batch,
    Outcome,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
    SnapshotStatus,
)
from archsyncd.domain.parts import Sending
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

LOOK_SECONDS = 30.0


class SentSnapshot:
    """A `SnapshotSource` over parts that are all in the store."""

    def __init__(self, sending: Sending, store: Store, beat: Callable[[], None]) -> None:
        self._sending = sending
        self._store = store
        self._beat = beat

    async def head(self) -> SnapshotHead:
        """Say what the snapshot is; reading goes on wherever it is."""
        closing = self._sending.closing
        return SnapshotHead(
            feed=self._sending.feed,
            epoch=self._sending.epoch,
            snapshot_id=closing.snapshot_id,
            seq_at=closing.seq_at,
            cursor=None,
            as_of=closing.as_of,
            locations=closing.locations,
            among_records=True,
        )

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        """Yield part after part."""
        part = 0
        while (found := await self._store.parts.page_after(self._sending, part)) is not None:
            self._beat()
            part, page = found
            yield page

    def end(self) -> SnapshotEnd:
        """Tell the trailer; one without a count proves nothing."""
        closing = self._sending.closing
        return SnapshotEnd(closing.records is not None, closing.records, closing.sum_on_hand)

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:  # noqa: ARG002
        """Drop the parts: whatever became of the snapshot, its items are kept elsewhere or not wanted."""
        await self._store.parts.taken(self._sending)


class SentParts:
    """Looks for snapshots of one feed that are whole by now, and for those that never will be."""

    def __init__(self, feed: str, store: Store, shared: Shared, beat: Callable[[], None]) -> None:
        self._feed = feed
        self._store = store
        self._shared = shared
        self._beat = beat
        self._look_at = float("-inf")

    def due(self, batch: Batch | None) -> bool:
        """Whether to look: a batch has brought a part, or it is time to look for what is overdue."""
        return (
            batch is None
            or bool(batch.parts or batch.closings)
            or self._shared.clock.monotonic() >= self._look_at
        )

    async def next(self, timeout_seconds: float) -> SentSnapshot | None:
        """The next whole snapshot; None when there is none. What takes longer than the time-out is given up."""
        self._look_at = self._shared.clock.monotonic() + LOOK_SECONDS
        sending = await self._store.parts.whole(self._feed)
        if sending is not None:
            return SentSnapshot(sending, self._store, self._beat)
        await self._store.parts.give_up(self._feed, timeout_seconds)
        return None
