"""Feeds in the store: batches, readings, resyncs, and where each feed stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from archsyncd.adapters.sqlite import proofs
from archsyncd.adapters.sqlite.cases import open_cases
from archsyncd.adapters.sqlite.delivering import settle_answered
from archsyncd.adapters.sqlite.file_cases import note_file
from archsyncd.adapters.sqlite.merging import (
    apply_stock,
    finish_merge,
    record_batch,
    reject_case,
)
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, array, require_terms
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.feed import (
    Batch,
    FileNews,
    KeyReading,
    Outcome,
)
from archsyncd.domain.report import (
    FeedPlace,
    FeedState,
    Resync,
)


class FeedStore:
    """What was read from Archean."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def state(self, feed: str) -> FeedState:
        """Where a feed stands; a feed never heard of stands at its beginning."""
        for state in await self.states():
            if state.name == feed:
                return state
        return FeedState(feed)

    async def locations(self) -> list[str]:
        """The locations of which something was told."""
        return [row[0] for row in await self._session.rows("level_locations")]

    async def note_place(self, feed: str, checkpoint: str, keep_ms: int) -> None:
        """Remember that the feed stands here now, and forget what is older than `keep_ms`."""

        async def step(scope: Scope) -> None:
            # A place of the future is one that a wrong clock has noted.
            await scope.tx.run("places_tidy", (feed, scope.now_ms - keep_ms, scope.now_ms))
            await scope.tx.run("place_put", (feed, scope.now_ms, checkpoint))

        await self._session.write(step)

    async def place_before(self, feed: str, at_ms: int) -> FeedPlace | None:
        """The last remembered place that the feed stood at by then."""
        row = await self._session.row("place_before", (feed, at_ms))
        return None if row is None else FeedPlace(*row)

    async def first_place(self, feed: str) -> FeedPlace | None:
        """The earliest remembered place."""
        row = await self._session.row("place_first", (feed,))
        return None if row is None else FeedPlace(*row)

    async def newest_epoch(self, feed: str) -> str | None:
        """The newest epoch seen of a feed, by the source's name for it."""
        row = await self._session.row("epoch_newest_name", (feed,))
        return None if row is None else str(row[0])

    async def told_skus(self, location: str, after: str, limit: int) -> list[str]:
        """SKUs of which something was told at a location, after one of them."""
        return [row[1] for row in await self._session.rows("levels_after", (location, after, limit))]

    async def feeds_of(self, location: str) -> list[str]:
        """The feeds that told last of some SKU at a location."""
        return [row[0] for row in await self._session.rows("feeds_of_location", (location,))]

    async def states(self) -> list[FeedState]:
        """All feeds ever read."""
        return [FeedState(*row) for row in await self._session.rows("feeds")]

    async def record(self, batch: Batch) -> Outcome:
        """Merge a batch, keep its rejects and move the checkpoint, all or nothing."""
        await self._session.require_room()
        return await self._session.write(lambda scope: record_batch(scope, batch))

    async def record_again(self, batch: Batch) -> Outcome:
        """Merge a batch from an earlier place; neither checkpoint nor head nor freshness of the feed changes with it."""

        async def step(scope: Scope) -> Outcome:
            row = await scope.tx.row("feed", (batch.feed,))
            assert row is not None, "a feed that was never read has no earlier place"
            stays = replace(batch, checkpoint=row[0], head_seq=row[5], head_at=row[6])
            return await record_batch(scope, stays, again=True)

        await self._session.require_room()
        return await self._session.write(step)

    async def await_file(self, feed: str, file: FileNews) -> None:
        """Tell people that a feed does not go on without a file, in the epoch that it stands in."""

        async def step(scope: Scope) -> None:
            row = await scope.tx.row("epoch_newest_name", (feed,))
            await note_file(scope, feed, "" if row is None else str(row[0]), file)

        await self._session.write(step)

    async def needs_snapshot(self, feed: str, cause: str | None) -> None:
        """Remember that a feed cannot go on without a snapshot, across restarts."""

        async def step(scope: Scope) -> None:
            await scope.tx.run("feed_insert", (feed,))
            await scope.tx.run("feed_snapshot_due", (cause, feed))

        await self._session.write(step)

    async def seen(self, feed: str, ids: Collection[str]) -> frozenset[str]:
        """Which of these messages of a feed are remembered."""
        async with self._session.read() as tx:
            return frozenset(row[0] for row in await tx.rows("deliveries_seen", (feed, array(sorted(ids)))))

    async def record_reading(self, reading: KeyReading, wanted: Resync | None = None) -> Outcome:
        """Merge the answer to a single-key read: the key as of `seq_at`, however old its last record is.

        `wanted`: what needed it, where that is another feed's.
        """
        levels = [replace(level, seq=max(level.seq, reading.seq_at)) for level in reading.levels]

        async def step(scope: Scope) -> Outcome:
            await require_terms(scope, reading.terms, f"a reading of feed {reading.feed}")
            await scope.tx.run("feed_insert", (reading.feed,))
            epoch, touched = await proofs.enter_epoch(scope, reading.feed, reading.epoch)
            done = await apply_stock(
                scope, reading.feed, epoch, levels, answers=True, stated_at=reading.seq_at
            )
            await finish_merge(scope, reading.feed, done)
            await recompute(scope, touched)
            cases = [reject_case(reading.feed, reject) for reject in reading.rejects]
            await open_cases(scope.tx, cases, scope.now_ms)
            if wanted is not None and wanted.feed != reading.feed and not reading.rejects:
                places = {level.location for level in levels}
                await settle_answered(scope, wanted.feed, wanted.sku, places)
            return Outcome(len(reading.levels), done.applied, done.unchanged, done.stale, done.rejected)

        return await self._session.write(step)

    async def resyncs(self, feed: str, asked_before_ms: int, limit: int) -> list[Resync]:
        """Keys of this feed whose level must be read or sent again."""
        return [
            Resync(*row) for row in await self._session.rows("resync_next", (feed, asked_before_ms, limit))
        ]

    async def resync_asked(self, feed: str, sku: str) -> None:
        """Remember when a key's level was asked for."""
        now = self._session.clock.wall_ms()
        await self._session.write(lambda scope: scope.tx.run("resync_asked", (now, feed, sku)))
