"""What became of fulls that were held, told to sources that read receipts. Decides nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from archsyncd.domain.feed import Outcome, SnapshotStatus
from archsyncd.domain.snapshot import Snapshot
from archsyncd.engine.ports import FeedFault, HeldReceipts
from archsyncd.engine.store import Store

LISTED_SNAPSHOTS = 200
_ENDED = ("applied", "rejected")


async def tell_decided(
    receipts: HeldReceipts | None, snapshot: Snapshot, status: SnapshotStatus, outcome: Outcome
) -> None:
    """Tell a source what became of a full that it was told is held; what cannot be written now is tried again."""
    if receipts is not None and receipts.holds:
        with contextlib.suppress(FeedFault):
            await receipts.decided(snapshot.epoch, snapshot.seq_at, status, outcome)


async def tell_left(store: Store, receipts: Mapping[str, HeldReceipts]) -> None:
    """Tell of held fulls that were rejected or replaced, and of one that was applied just before a crash."""
    if not any(each.holds for each in receipts.values()):
        return
    for snapshot in await store.snapshots.listed(LISTED_SNAPSHOTS):
        if snapshot.state in _ENDED:
            # What became of each record is not known any more; all of them hold by now.
            outcome = Outcome(read=snapshot.records, unchanged=snapshot.records)
            await tell_decided(receipts.get(snapshot.feed), snapshot, SnapshotStatus(snapshot.state), outcome)
