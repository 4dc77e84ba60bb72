"""Reads a feed again from an earlier place beside its tail, so that what is new waits for nothing. Moves no checkpoint."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from archsyncd.domain.feed import Batch, OrderRecord
from archsyncd.domain.retry import delay
from archsyncd.engine.ports import Feed, FeedFault, StoreFull
from archsyncd.engine.replaying import Replay, refusal
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

# A source keeps seven days: reading them takes hours at the worst.
LONGEST_SECONDS = 86_400.0
FAULTS = 8
FULL_DISK_SECONDS = 5.0


class Again:
    """One replay of one feed at a time."""

    def __init__(self, feed: Feed, store: Store, shared: Shared, chance: Callable[[], float]) -> None:
        self._feed = feed
        self._store = store
        self._shared = shared
        self._chance = chance
        self._task: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> bool:
        """Whether a replay goes on."""
        return self._task is not None and not self._task.done()

    def check(self) -> None:
        """Raise once what ended a replay though nobody foresaw it: whoever watches over the tail decides what follows."""
        task = self._task
        if task is not None and task.done():
            self._task = None
            if not task.cancelled():
                task.result()

    def begin(self, replay: Replay, broken: Callable[[], None]) -> None:
        """Begin, unless one goes on. `broken` is called where it ends by something that nobody foresaw."""
        if self.under_way:
            replay.answer("it is being read again already")
            return
        self._task = asyncio.ensure_future(self._run(replay))
        self._task.add_done_callback(
            lambda task: broken() if not task.cancelled() and task.exception() is not None else None
        )

    def stop(self) -> None:
        """End it; what was read again stays."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """End it, and wait for that."""
        self.stop()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, replay: Replay) -> None:
        name, notes = f"replay {self._feed.name}", self._shared.notes
        notes.pop(name, None)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                ended = await self._through(replay)
        except TimeoutError:
            ended = f"it took more than {LONGEST_SECONDS / 3600:.0f} h"
        finally:
            replay.answer("it was not begun: the source could not be read just now")
            begun = notes.pop(name, None)
        if ended and begun:
            notes[name] = f"ended before its end: {ended} ({begun})"

    async def _through(self, replay: Replay) -> str:
        """Read on until the tail is reached; why it ended earlier, "" when it did not. Faults are waited out a few times."""
        failures = 0
        while True:
            before = replay.place
            try:
                return await self._pages(replay)
            except FeedFault as fault:
                failures = 1 if replay.place != before else failures + 1
                if replay.pending or failures > FAULTS:
                    return fault.reason
                wait_seconds = max(delay(failures, self._chance()), fault.retry_after_seconds or 0.0)
            except StoreFull:
                wait_seconds = FULL_DISK_SECONDS
            await self._shared.rest(wait_seconds)

    async def _pages(self, replay: Replay) -> str:
        async with contextlib.aclosing(self._feed.batches(replay.place)) as events:  # type: ignore[type-var]
            async for event in events:
                state = await self._store.feeds.state(self._feed.name)
                newest = await self._store.feeds.newest_epoch(self._feed.name)
                if replay.pending:
                    replay.answer(refusal(event, newest, state.seq))
                if replay.refused:
                    return ""
                if not isinstance(event, Batch) or event.epoch != newest:
                    return "what follows cannot be read again"
                if self._feed.name in self._shared.paused_feeds:
                    return "the feed was paused"
                if await self._record(event, replay):
                    return ""
        return "the source ended it"

    async def _record(self, batch: Batch, replay: Replay) -> bool:
        """Commit a page; whether the tail is reached, after which nothing is left that it has not read in order.

        The first page behind which nothing was ready sets the end: a tail that goes on is never caught up with for certain.
        """
        outcome = await self._store.feeds.record_again(batch)
        replay.place = batch.checkpoint
        if any(isinstance(record, OrderRecord) for record in batch.records):
            self._shared.booking.set()
        self._shared.count("records", outcome.read)
        self._shared.work.set()
        self._shared.bases.set()
        seq = max((record.seq for record in batch.records), default=0)
        # Asked after the commit: the tail goes on meanwhile, and what it could not use for want of this comes once more.
        read_seq = (await self._store.feeds.state(self._feed.name)).seq
        if replay.until_seq is None and not batch.more and (batch.head_seq or 0) <= seq:
            replay.until_seq = read_seq
        until = read_seq if replay.until_seq is None else replay.until_seq
        if seq:
            self._shared.notes[f"replay {self._feed.name}"] = f"records are read again: {seq:,} of {until:,}"
        return seq >= until or not (batch.records or batch.rejects)
