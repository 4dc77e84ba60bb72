"""What a marker of a newer tenure means for a writer: it stops, and its next start begins above that fence."""

from __future__ import annotations

from archsyncd.domain.inventory import Entry
from archsyncd.domain.tenure import ANOTHER, Tenure
from archsyncd.engine.ports import FencedOff


def fenced_by(entry: Entry, fence: int) -> FencedOff:
    """The error of meeting an entry that a newer tenure than ours (`fence`) has written."""
    marker = entry.marker
    return FencedOff(
        f"the entry of {entry.key.sku} in {entry.key.channel} carries the fence {marker.fence}, newer than ours ({fence}): "
        "another archsyncd writes this project's stock. Stop that one first if it runs; if it is gone for good, start this "
        "one again, and it takes over from there",
        Tenure(ANOTHER, marker.fence or 0, marker.ledger or ""),
    )
