"""Snapshots in the store, step by step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial

from archsyncd.adapters.sqlite import snapshots
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.feed import (
    Outcome,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
)
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.snapshot import LevelChange, Snapshot


class SnapshotStore:
    """Staged, held and applied snapshots."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def begin(self, head: SnapshotHead) -> str:
        """Open a staging place for a snapshot; its id here. Raises OtherTerms."""
        snapshot_id = f"{head.feed}-{self._session.clock.wall_ms():x}-{os.urandom(3).hex()}"
        await self._session.write(lambda scope: snapshots.begin(scope, head, snapshot_id))
        return snapshot_id

    async def stage(self, feed: str, snapshot_id: str, page: SnapshotPage) -> None:
        """Keep a page apart. Raises OtherTerms."""
        await self._session.require_room()
        await self._session.write(lambda scope: snapshots.stage(scope, feed, snapshot_id, page))

    async def assess(
        self,
        snapshot_id: str,
        end: SnapshotEnd,
        read: int,
        rejected: int,
        limits: GuardLimits,
        *,
        resumes: bool,
        absent: str = "report",
        among_records: bool = False,
        keeps_place: bool = False,
    ) -> Snapshot:
        """Judge a snapshot read to its end: applying, held or rejected. Raises OtherTerms."""

        async def step(scope: Scope) -> Snapshot:
            snapshot = await snapshots.still_read(scope, snapshot_id)
            return await snapshots.assess(
                scope,
                snapshot,
                end,
                rejected,
                read,
                limits,
                resumes=resumes,
                absent=absent,
                among_records=among_records,
                keeps_place=keeps_place,
            )

        return await self._session.write(step)

    async def apply(
        self, snapshot: Snapshot, absent: str, beat: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Apply a snapshot, a bounded number of items a transaction; safe to repeat after a crash. `beat`: each step.

        Raises OtherTerms where the names or units of SKUs are changed before it is done.
        """
        total = Outcome()
        place: tuple[str, str] | None = ("", "")
        while place is not None:
            place, outcome = await self._session.write(partial(_apply, snapshot, place))
            total = total.plus(outcome)
            beat()
        for location in snapshot.locations:
            after: str | None = ""
            while after is not None:
                after = await self._session.write(partial(_absent, snapshot, location, after, absent))
                beat()
        await self._session.write(partial(_finish, snapshot))
        return total

    async def listed(self, limit: int = 50) -> Sequence[Snapshot]:
        """The newest snapshots."""
        async with self._session.read() as tx:
            return await snapshots.listed(self._session.scope(tx), limit)

    async def largest_changes(self, snapshot: Snapshot, most: int) -> Sequence[LevelChange]:
        """The levels that a snapshot which is kept would move the furthest."""
        async with self._session.read() as tx:
            return await snapshots.largest_changes(self._session.scope(tx), snapshot, most)

    async def unfinished(self) -> Sequence[Snapshot]:
        """Snapshots that are to be applied and are not yet, the oldest first."""
        return await self._session.look(snapshots.unfinished)

    async def decide(self, snapshot: Snapshot, note: str, *, approve: bool) -> bool:
        """Carry out a person's decision on a held snapshot; False when it is no longer held."""
        return await self._session.write(
            lambda scope: snapshots.decide(scope, snapshot, note, approve=approve)
        )


async def _apply(
    snapshot: Snapshot, after: tuple[str, str], scope: Scope
) -> tuple[tuple[str, str] | None, Outcome]:
    return await snapshots.apply_step(scope, snapshot, after)


async def _absent(snapshot: Snapshot, location: str, after: str, absent: str, scope: Scope) -> str | None:
    return await snapshots.absent_step(scope, snapshot, location, after, absent)


async def _finish(snapshot: Snapshot, scope: Scope) -> None:
    await snapshots.finish(scope, snapshot)
