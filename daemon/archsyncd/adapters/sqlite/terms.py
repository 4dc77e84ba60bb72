"""The terms in force: what was translated by others is not stored, and nothing of before is left when they change."""

from __future__ import annotations

from collections.abc import Collection

from archsyncd.adapters.sqlite import parts, snapshots
from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.proofs import known_epoch
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.cases import CaseKind, NewCase

# Beyond a thousand of a kind and feed they are folded.
CASES_LIMIT = 100_000
NOTE = "the names or units of SKUs have changed: it is told anew"


async def begin_change(scope: Scope) -> None:
    """No terms are in force until others are noted; snapshots, parts of them and levels that wait in the old ones go."""
    await scope.tx.run("aliases_change")
    for name, feed, state, epoch, seq_at in await scope.tx.rows("snapshots_unjudged"):
        await _drop(scope, name, feed, state)
        if state == "applying":
            # The feed goes on behind it: whatever it has not told yet nobody knows.
            ordinal = await known_epoch(scope, feed, epoch)
            await scope.tx.run("feed_gap_up_to", (ordinal or 0, seq_at, feed))
            reason = (
                f"a full of feed {feed} was not applied to its end before the names or units of SKUs were changed: movements are "
                "set aside until another full has come, which a source that is read from files has to send"
            )
            case = NewCase(CaseKind.INVALID_RECORD, feed, snapshots.WHOLE, reason, code="broken_full")
            await open_case(scope.tx, case, scope.now_ms)
    for (feed,) in await scope.tx.rows("sendings_unfinished"):
        await parts.give_up_all(scope, feed, "the names or units of SKUs have changed")
    await close_all(scope, CaseKind.HELD_LEVEL)


async def _drop(scope: Scope, name: str, feed: str, state: str) -> None:
    if state == "reading":
        await scope.tx.run("snapshot_drop_unfinished", (feed,))
        return
    await scope.tx.run("snapshot_moves", ("rejected", name, state))
    await scope.tx.run("snapshot_items_drop", (name,))
    await resolve_case(scope.tx, CaseKind.HELD_SNAPSHOT, feed, name, NOTE, scope.now_ms)


async def close_all(scope: Scope, kind: CaseKind, subjects: Collection[str] | None = None) -> None:
    """Close every open case of a kind, or those of these subjects: what they were about is told anew."""
    wanted = {"state": "open", "kind": kind.value, "subject": "", "after": 0, "limit": CASES_LIMIT}
    for row in await scope.tx.rows("cases", wanted):
        if subjects is None or row[3] in subjects:
            await resolve_case(scope.tx, kind, row[2], row[3], NOTE, scope.now_ms)
