"""The verbs about snapshots that wait for a person: the list, one in figures, approval by digest, rejection."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Any

from archsyncd.domain.snapshot import Snapshot
from archsyncd.domain.times import rfc3339
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import Arguments, Refusal

LISTED = 50
SOUGHT = 500
CHANGES_SHOWN = 25
REASON_LIMIT_CHARACTERS = 500


class SnapshotDesk:
    """Answers the `snapshot` verbs."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def listed(self, arguments: Arguments) -> dict[str, Any]:
        """The newest snapshots."""
        arguments.finish()
        rows, _ = fitting([_brief(each) for each in await self._daemon.store.snapshots.listed(LISTED)])
        return {"rows": rows}

    async def show(self, arguments: Arguments) -> dict[str, Any]:
        """One snapshot with its figures, and how to decide it."""
        snapshot = await self._find(arguments)
        arguments.finish()
        reject = f"archsyncctl snapshot reject {snapshot.id} --reason TEXT"
        approve = f"archsyncctl snapshot approve {snapshot.id} --digest {snapshot.digest}"
        held = snapshot.state == "held"
        changes = await self._daemon.store.snapshots.largest_changes(snapshot, CHANGES_SHOWN) if held else ()
        return _brief(snapshot) | {
            "changes": [asdict(change) for change in changes],
            "epoch": snapshot.epoch,
            "seq_at": snapshot.seq_at,
            "locations": list(snapshot.locations[:100]),
            "figures": asdict(snapshot.figures) if snapshot.figures else None,
            # What is safe comes first: an empty full is a slip until somebody knows better.
            "next": f"{reject}, or {approve}" if held else None,
        }

    async def approve(self, arguments: Arguments) -> dict[str, Any]:
        """Apply exactly what was reviewed; a second approval changes nothing."""
        snapshot = await self._find(arguments)
        digest = arguments.text("digest", limit=128)
        arguments.finish()
        if not hmac.compare_digest(digest.encode(), snapshot.digest.encode()):
            raise Refusal(
                f"The digest is not that of snapshot {snapshot.id}: look again with `archsyncctl snapshot show "
                f"{snapshot.id}` and approve what it shows."
            )
        if snapshot.state in {"applying", "applied"}:
            return {
                "done": False,
                "says": f"Snapshot {snapshot.id} was approved already and is {snapshot.state}.",
            }
        await self._decide(snapshot, f"approved with the digest {digest}", approve=True)
        self._daemon.keeper.approve(snapshot.id)
        says = f"Snapshot {snapshot.id} is approved and is being applied; keys that newer records moved stay as they are."
        return {"done": True, "says": says}

    async def reject(self, arguments: Arguments) -> dict[str, Any]:
        """Drop a held snapshot; the deltas go on."""
        snapshot = await self._find(arguments)
        reason = arguments.text("reason", limit=REASON_LIMIT_CHARACTERS)
        arguments.finish()
        if not reason.strip() or not reason.isprintable():
            raise Refusal("The reason must be a line of printable text.")
        await self._decide(snapshot, f"rejected: {reason}", approve=False)
        return {"done": True, "says": f"Snapshot {snapshot.id} is rejected; nothing of it was published."}

    async def _decide(self, snapshot: Snapshot, note: str, *, approve: bool) -> None:
        if not await self._daemon.store.snapshots.decide(snapshot, note, approve=approve):
            raise Refusal(
                f"Snapshot {snapshot.id} is not held (it is {snapshot.state}): there is nothing to decide."
            )

    async def _find(self, arguments: Arguments) -> Snapshot:
        wanted = arguments.text("id")
        for snapshot in await self._daemon.store.snapshots.listed(SOUGHT):
            if snapshot.id == wanted:
                return snapshot
        raise Refusal(
            f"There is no snapshot {wanted!r}; `archsyncctl snapshot list` shows those that are kept."
        )


def _brief(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.id,
        "feed": snapshot.feed,
        "state": snapshot.state,
        "records": snapshot.records,
        "rejected": snapshot.rejected,
        "digest": snapshot.digest,
        "as_of": snapshot.as_of,
        "at": rfc3339(snapshot.at_ms),
        "reasons": list(snapshot.reasons),
    }
