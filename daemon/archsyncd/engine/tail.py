"""The tail of one feed: its batches into the store, its snapshots judged and applied, its source told only afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import (
    Batch,
    OrderRecord,
    Outcome,
    RecordFault,
    SnapshotDue,
    SnapshotStatus,
)
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.report import FeedState, Resync
from archsyncd.domain.retry import delay
from archsyncd.domain.snapshot import Snapshot
from archsyncd.engine.again import Again
from archsyncd.engine.deciding import tell_decided, tell_left
from archsyncd.engine.ports import Feed, FeedFault, HeldReceipts, OtherTerms, SnapshotSource, StoreFull
from archsyncd.engine.replaying import Places, Replay
from archsyncd.engine.sent_parts import SentParts
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.supervise import as_fatal

FULL_DISK_SECONDS = 5.0
PAUSED_SECONDS = 1.0
RESYNC_KEYS = 20
RESYNC_ASK_AGAIN_MS = 60_000
# A feed that is read for another one: a key may take so long, and after a failure none is read for so long.
BESIDE_SECONDS = 2.0
BESIDE_AGAIN_SECONDS = 10.0
# Of a snapshot's records that could not be read, so many are told to the source one by one.
FAULTS_LIMIT = 100
TELL_ROUNDS = 10
STALE_WARN_FACTOR = 2
STALE_CRITICAL_FACTOR = 5


@dataclass(frozen=True, slots=True)
class TailOptions:
    """How a feed is tailed. `interval_seconds`: its expected freshness. `locations`: those it tells of.

    `parts_seconds`: how long the parts of a snapshot may take that come among its records; None: none come so.
    `keys_seconds`: for how long keys may be read singly in one go, while what else the source tells waits.
    """

    interval_seconds: float
    locations: tuple[str, ...]
    guards: GuardLimits
    absent: str
    parts_seconds: float | None = None
    keys_seconds: float = 20.0


class Tail:
    """Reads one feed for as long as the program runs."""

    def __init__(
        self,
        feed: Feed,
        store: Store,
        shared: Shared,
        options: TailOptions,
        chance: Callable[[], float],
        beat: Callable[[], None],
        keys: Feed | None = None,
        fulls: Feed | None = None,
    ) -> None:
        """`keys`, `fulls`: the feeds that are asked for single keys and for full pictures, where this one cannot be."""
        self._feed = feed
        self._keys = keys or feed
        self._fulls = fulls or feed
        self._keys_again_at = 0.0
        self._store = store
        self._shared = shared
        self.options = options
        self._chance = chance
        self._beat = beat
        self._failures = 0
        self._blind = False
        self._awaited: tuple[str, str] | None = None
        self.fault: str | None = None
        self._reading: asyncio.Task[None] | None = None
        self._places = Places(feed.name, store, shared)
        self._again = Again(feed, store, shared, chance)
        self._parts = SentParts(feed.name, store, shared, beat)
        self._woken = False
        # Has the tail of the feed that is asked in this one's place look at once.
        self.wake_beside: Callable[[], None] = lambda: None
        self.receipts: HeldReceipts | None = None

    async def run(self) -> None:
        """Tail until told to stop; faults of the source are waited out, each longer than the one before."""
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    await self._read_until_stopped()
                except FeedFault as fault:
                    await self._failed(fault)
                except StoreFull as full:
                    self._note(f"intake stands still: {full}")
                    await self._shared.rest(FULL_DISK_SECONDS)
                except Exception as error:
                    await self._broke(error)
                    raise
                self._again.check()
        finally:
            await self._again.close()

    def stop(self) -> None:
        """Give up waiting for the source; a commit under way still ends by itself."""
        self._again.stop()
        if self._reading is not None:
            self._reading.cancel()

    @property
    def reads(self) -> bool:
        """Whether the source is being read, or waited for."""
        return self._reading is not None

    @property
    def reads_again(self) -> bool:
        """Whether records from an earlier place are being read."""
        return self._again.under_way

    def replay(self, replay: Replay) -> None:
        """Read records from an earlier place beside what is new."""
        self._again.begin(replay, self.wake)

    def wake(self) -> None:
        """Begin the reading anew at once, such as to take a snapshot that is due by now."""
        if self._reading is not None and not self._woken:
            self._woken = True
            self._reading.cancel()

    async def _read_until_stopped(self) -> None:
        self._reading = asyncio.ensure_future(self._read())
        try:
            await self._reading
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if (task is not None and task.cancelling()) or not (self._shared.stopping or self._woken):
                raise
            # What was committed just now may not have been told to those that wait for it.
            self._shared.work.set()
            self._shared.bases.set()
        finally:
            self._reading = None
            self._woken = False

    async def _read(self) -> None:
        await self._finish_left()
        await self._take_sent(None)
        state = await self._store.feeds.state(self._feed.name)
        if state.snapshot_due:
            await self._take_snapshot(state.snapshot_due)
            state = await self._store.feeds.state(self._feed.name)
        await self._follow(state)

    async def _follow(self, state: FeedState) -> None:
        """Read on from where the feed stands."""
        async with contextlib.aclosing(self._feed.batches(state.checkpoint)) as events:  # type: ignore[type-var]
            async for event in events:
                self._beat()
                if isinstance(event, Batch):
                    again = await self._record(event)
                    await self._take_sent(event)
                    await self._resync()
                elif isinstance(event, SnapshotDue):
                    await self._store.feeds.needs_snapshot(self._feed.name, event.cause)
                    self._note(event.detail)
                    return
                else:
                    again = await self._apply(event)
                if self._shared.stopping or again or self._feed.name in self._shared.paused_feeds:
                    break
        while self._feed.name in self._shared.paused_feeds and not self._shared.stopping:
            self._beat()
            await self._shared.rest(PAUSED_SECONDS)

    async def _finish_left(self) -> None:
        """Apply what a crash or a full disk left half applied, before anything that came after it is read.

        The checkpoint stands behind it already; a movement read first would move a figure that it was to replace.
        """
        for snapshot in await self._store.snapshots.unfinished():
            if snapshot.feed == self._feed.name:
                outcome = await self._store.snapshots.apply(snapshot, self.options.absent, self._beat)
                self._shared.work.set()
                self._shared.bases.set()
                await tell_decided(self.receipts, snapshot, SnapshotStatus.APPLIED, outcome)

    async def _take_sent(self, batch: Batch | None) -> None:
        """Judge snapshots whose last part a batch has brought; None: any that is whole."""
        timeout_seconds = self.options.parts_seconds
        if timeout_seconds is None or not self._parts.due(batch):
            return
        while (source := await self._parts.next(timeout_seconds)) is not None:
            await self._apply(source)

    async def _record(self, batch: Batch) -> bool:
        """Commit a batch, then tell the source; whether reading must start anew (a new epoch wants a snapshot)."""
        outcome = await self._store.feeds.record(batch)
        if any(isinstance(record, OrderRecord) for record in batch.records):
            self._shared.booking.set()
        await self._sees_again()
        self._recovered()
        self._shared.count("records", outcome.read)
        self._shared.count("batches")
        if outcome.forgotten:
            self._shared.count("calls_forgotten", outcome.forgotten)
        if outcome.applied or outcome.read:
            self._shared.work.set()
            self._shared.bases.set()
        await self._tell(batch.checkpoint, outcome)
        await self._places.look(batch)
        state = await self._store.feeds.state(self._feed.name)
        return state.snapshot_due is not None

    async def _tell(self, checkpoint: str, outcome: Outcome) -> None:
        try:
            await self._feed.acknowledge(checkpoint, outcome)
        except FeedFault as fault:
            # An acknowledgement is cumulative: the next one makes up for it.
            self._note(f"the source did not take an acknowledgement: {fault.reason}")

    async def _take_snapshot(self, cause: str) -> None:
        source = await self._feed.take_snapshot(self.options.locations)
        if source is None:
            # Nobody can be asked: a full arrives by itself, and until then what comes is read on.
            self._note(f"waiting for a full ({cause}): have the source send one")
            if self._fulls is not self._feed:
                await self._store.feeds.needs_snapshot(self._fulls.name, f"{cause} of {self._feed.name}")
                self.wake_beside()
            await self._store.feeds.needs_snapshot(self._feed.name, None)
            return
        await self._apply(source)

    async def _apply(self, source: SnapshotSource) -> bool:
        """Stage a snapshot, judge it, and apply it unless it is held or broken. Never asks for a new start."""
        head = await source.head()
        if not head.locations:
            # A file that does not say what it covers covers what its feed tells of.
            head = replace(head, locations=self.options.locations)
        snapshot_id = await self._store.snapshots.begin(head)
        read = rejected = 0
        faults: list[RecordFault] = []
        async for page in source.pages():
            self._beat()
            await self._store.snapshots.stage(self._feed.name, snapshot_id, page)
            bad = len(page.rejects) + page.set_aside
            read += len(page.items) + bad
            rejected += bad
            told = page.rejects[: FAULTS_LIMIT - len(faults)]
            faults += [RecordFault(each.code, each.line, each.sku) for each in told]
        snapshot = await self._store.snapshots.assess(
            snapshot_id,
            source.end(),
            read,
            rejected,
            self.options.guards,
            resumes=not head.over_gap,
            absent=self.options.absent,
            among_records=head.among_records,
            keeps_place=head.keeps_place,
        )
        self._shared.count("snapshots")
        unread = Outcome(read=snapshot.rejected, rejected=snapshot.rejected, faults=tuple(faults))
        await self._conclude(source, snapshot, unread)
        return False

    async def _conclude(self, source: SnapshotSource, snapshot: Snapshot, unread: Outcome) -> None:
        """Tell the source what became of its snapshot. `unread`: its records that could not be read. Raises FeedFault."""
        read = unread.plus(Outcome(read=snapshot.records))
        if snapshot.state == "rejected":
            await source.finish(SnapshotStatus.REJECTED, read, snapshot.reasons)
            raise FeedFault("its snapshot is broken: " + "; ".join(snapshot.reasons))
        if snapshot.state == "held":
            await source.finish(SnapshotStatus.HELD, read, snapshot.reasons)
            self._note(f"snapshot {snapshot.id} is held: " + "; ".join(snapshot.reasons))
            return
        try:
            outcome = await self._store.snapshots.apply(snapshot, self.options.absent, self._beat)
        except OtherTerms as other:
            # The feed goes on behind it, so whoever sent it must know that it is not in force.
            await source.finish(SnapshotStatus.REJECTED, read, (other.reason,))
            raise
        await self._sees_again()
        self._recovered()
        await source.finish(SnapshotStatus.APPLIED, unread.plus(outcome), ())
        self._shared.work.set()
        self._shared.bases.set()

    async def _resync(self) -> None:
        """Read keys singly whose movements could not be applied. That it fails is no reason to stop reading the feed."""
        beside, began = self._keys is not self._feed, self._shared.clock.monotonic()
        if not self._keys.offers_lookup or began < self._keys_again_at:
            return
        before = self._shared.clock.wall_ms() - RESYNC_ASK_AGAIN_MS
        while True:
            # A quiet source says nothing for long: all of them now, not some at each of its answers.
            wanted = await self._store.feeds.resyncs(self._feed.name, before, RESYNC_KEYS)
            for one in wanted:
                if not await self._read_again(one, beside=beside):
                    self._keys_again_at = self._shared.clock.monotonic() + (
                        BESIDE_AGAIN_SECONDS if beside else 0
                    )
                    return
                if (
                    self._shared.clock.monotonic() - began > self.options.keys_seconds
                    or self._shared.stopping
                ):
                    return
            if len(wanted) < RESYNC_KEYS:
                return

    async def _read_again(self, wanted: Resync, *, beside: bool) -> bool:
        """Read one key; whether the source answered."""
        self._beat()
        await self._store.feeds.resync_asked(self._feed.name, wanted.sku)
        try:
            # Whoever calls us waits meanwhile, whatever becomes of the feed that is asked.
            async with asyncio.timeout(BESIDE_SECONDS if beside else None):
                reading = await self._keys.read_key(wanted.sku)
        except (FeedFault, TimeoutError) as fault:
            told = fault.reason if isinstance(fault, FeedFault) else f"silent for {BESIDE_SECONDS:g} s"
            self._shared.notes[f"resync {self._feed.name}"] = f"{wanted.sku} cannot be read: {told}"
            return False
        self._shared.notes.pop(f"resync {self._feed.name}", None)
        if reading is not None:
            await self._store.feeds.record_reading(reading, wanted)
            self._shared.work.set()
            self._shared.bases.set()
        return True

    async def _broke(self, error: Exception) -> None:
        """Nothing that a source can do should come to this: a person must hear of it while all else goes on."""
        if as_fatal(error) is not None:
            return
        told = f"{type(error).__name__}: {error}"
        self._note(f"reading it fails by a fault of archsyncd itself ({told})")
        reason = (
            f"feed {self._feed.name} cannot be read, by a fault of archsyncd itself ({told}): stock is read no more, all else "
            "goes on. It is tried again every minute; the journal has the place, which we ask you to report"
        )
        case = NewCase(CaseKind.STALE_FEED, self._feed.name, self._feed.name, reason)
        self._blind = True
        with contextlib.suppress(StoreFull):
            await self._store.cases.open(case)

    async def _failed(self, fault: FeedFault) -> None:
        self._failures += 1
        self._note(fault.reason)
        if fault.awaits is not None and (fault.awaits.name, fault.awaits.code) != self._awaited:
            with contextlib.suppress(StoreFull):
                await self._store.feeds.await_file(self._feed.name, fault.awaits)
                self._awaited = (fault.awaits.name, fault.awaits.code)
        if fault.blind:
            reason = f"feed {self._feed.name} cannot be read with our credential ({fault.reason}): stock is read no more"
            case = NewCase(CaseKind.STALE_FEED, self._feed.name, self._feed.name, reason)
            self._blind = True
            with contextlib.suppress(StoreFull):
                await self._store.cases.open(case)
        wait = max(delay(self._failures, self._chance()), fault.retry_after_seconds or 0.0)
        if fault.again_seconds is not None:
            wait = fault.again_seconds
        while wait > 0 and not self._shared.stopping:
            self._beat()
            await self._shared.rest(min(wait, PAUSED_SECONDS))
            wait -= PAUSED_SECONDS

    async def _sees_again(self) -> None:
        if self._blind:
            await self._store.cases.resolve(
                CaseKind.STALE_FEED, self._feed.name, self._feed.name, "the source takes our credential again"
            )
            self._blind = False

    def _note(self, text: str) -> None:
        self.fault = text
        self._shared.notes[f"feed {self._feed.name}"] = text

    def _recovered(self) -> None:
        self._failures, self._awaited = 0, None
        if self.fault is not None:
            self.fault = None
            self._shared.notes.pop(f"feed {self._feed.name}", None)


class Freshness:
    """Watches how old each feed's last sign of life is, and raises or closes the stale-feed exception."""

    def __init__(
        self,
        store: Store,
        shared: Shared,
        intervals: dict[str, float],
        beat: Callable[[], None],
        rests: Callable[[str], bool] = lambda _feed: False,
    ) -> None:
        """`rests`: whether no news is expected of a feed just now; its age stands still meanwhile."""
        self._store = store
        self._shared = shared
        self.intervals = intervals
        self._beat = beat
        self._rests = rests
        self._resting: set[str] = set()
        self._started = self._looked = shared.clock.monotonic()
        self._signs: dict[str, tuple[int | None, float]] = {}
        self._heard: set[str] = set()
        self._critical_since: dict[str, float] = {}
        self.verdicts: dict[str, str] = {}

    async def run(self) -> None:
        """Look again every second."""
        while not self._shared.stopping:
            self._beat()
            await self.look()
            await self._shared.rest(1.0)

    def critical_seconds(self) -> dict[str, float]:
        """For how long each feed that is stale has been so, in seconds."""
        now = self._shared.clock.monotonic()
        return {name: now - since for name, since in self._critical_since.items()}

    def unheard(self) -> set[str]:
        """Feeds that have given no sign of life in this run."""
        return set(self.intervals) - self._heard

    async def look(self) -> None:
        """Judge every feed once: fresh, late (2 intervals without a sign) or stale (5), counted from the start at most."""
        now = self._shared.clock.monotonic()
        passed, self._looked = now - self._looked, now
        found = {state.name: state.sign_ms for state in await self._store.feeds.states()}
        for name, interval in self.intervals.items():
            sign = found.get(name)
            last, since = self._signs.setdefault(name, (sign, self._started))
            if sign != last:
                since = now
                self._signs[name] = (sign, now)
                await self._heard_of(name)
            else:
                since = self._without_rest(name, since, passed, now)
                self._signs[name] = (sign, since)
            await self._judge(name, now - since, interval)

    def _without_rest(self, feed: str, since: float, passed: float, now: float) -> float:
        """Since when a feed counts as silent: quiet hours do not count, and at their end it has its interval anew.

        One that was stale before them stays so until it is heard of.
        """
        if self._rests(feed):
            self._resting.add(feed)
            if feed in self._critical_since:
                self._critical_since[feed] = min(self._critical_since[feed] + passed, now)
            return min(since + passed, now)
        if feed in self._resting:
            self._resting.discard(feed)
            return since if self.verdicts.get(feed) == "stale" else now
        return since

    async def _heard_of(self, feed: str) -> None:
        """The first sign of a run closes what an earlier run left open."""
        if feed not in self._heard:
            self._heard.add(feed)
            await self._back(feed)

    async def _judge(self, feed: str, age: float, interval: float) -> None:
        before = self.verdicts.get(feed, "fresh")
        verdict = (
            "stale"
            if age > STALE_CRITICAL_FACTOR * interval
            else "late"
            if age > STALE_WARN_FACTOR * interval
            else "fresh"
        )
        self.verdicts[feed] = verdict
        if verdict == "stale":
            self._critical_since.setdefault(feed, self._shared.clock.monotonic())
        else:
            self._critical_since.pop(feed, None)
        if verdict == before:
            return
        with contextlib.suppress(StoreFull):
            if verdict == "stale":
                reason = (
                    f"feed {feed} has given no sign of life for {age:.0f} s (expected every {interval:.0f} s)"
                )
                await self._store.cases.open(NewCase(CaseKind.STALE_FEED, feed, feed, reason))
            elif verdict == "fresh":
                await self._back(feed)

    async def _back(self, feed: str) -> None:
        with contextlib.suppress(StoreFull):
            await self._store.cases.resolve(CaseKind.STALE_FEED, feed, feed, "the feed is back")


class Keeper:
    """Applies snapshots that a person approved; what a crash left half applied is finished before its feed is read."""

    def __init__(
        self, store: Store, shared: Shared, feeds: Collection[str], absent: str, beat: Callable[[], None]
    ) -> None:
        """`feeds`: those that are read; what is left of any other one's snapshots nobody else would finish."""
        self._store = store
        self._shared = shared
        self._feeds = feeds
        self.absent = absent
        self._beat = beat
        self._own: set[str] = set()
        self.receipts: Mapping[str, HeldReceipts] = {}

    async def run(self) -> None:
        """Look for work every second."""
        unfinished = await self._store.snapshots.unfinished()
        self._own |= {snapshot.id for snapshot in unfinished if snapshot.feed not in self._feeds}
        round_number = 0
        while not self._shared.stopping:
            self._beat()
            await self._shared.rest(1.0)
            if self._own:
                await self.apply_all()
            if round_number % TELL_ROUNDS == 0:
                await tell_left(self._store, self.receipts)
            round_number += 1

    def approve(self, snapshot_id: str) -> None:
        """Have a snapshot applied that was just approved."""
        self._own.add(snapshot_id)

    async def apply_all(self) -> None:
        """Apply every snapshot that was left to this keeper."""
        for snapshot in await self._store.snapshots.unfinished():
            if snapshot.id in self._own:
                outcome = None
                with contextlib.suppress(OtherTerms):  # a full is asked for in its place
                    outcome = await self._store.snapshots.apply(snapshot, self.absent, self._beat)
                self._own.discard(snapshot.id)
                self._shared.work.set()
                self._shared.bases.set()
                if outcome is not None:
                    receipts = self.receipts.get(snapshot.feed)
                    await tell_decided(receipts, snapshot, SnapshotStatus.APPLIED, outcome)
