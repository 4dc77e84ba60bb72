"""The feed of one drop directory: files in the order of their numbers, batch by batch, each answered by a receipt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing
from typing import Final, ParamSpec, TypeVar

from archsyncd.adapters.r247_drop.content import Checked, Content
from archsyncd.adapters.r247_drop.desk import DropDesk
from archsyncd.adapters.r247_drop.directory import WORK, DropDirectory, reason_of
from archsyncd.adapters.r247_drop.full import FullFile
from archsyncd.adapters.r247_drop.handing import Handed, Handing
from archsyncd.adapters.r247_drop.memory import Memory
from archsyncd.adapters.r247_drop.options import DropOptions, Readiness
from archsyncd.adapters.r247_drop.order_files import OrderFiles
from archsyncd.adapters.r247_drop.refusing import file_news, refused
from archsyncd.adapters.r247_drop.survey import Role, Surveyor, Take
from archsyncd.adapters.r247_drop.verdict import compare, judge
from archsyncd.adapters.r247_drop.work import Work, claim, resume
from archsyncd.domain.feed import (
    Batch,
    FileNews,
    KeyReading,
    OrderLookup,
    Outcome,
    Record,
    Reject,
    SnapshotDue,
    SnapshotStatus,
)
from archsyncd.engine.ports import Clock, FeedFault, SnapshotSource
from archsyncd.wire.drop_names import NOTHING_READ, DropCheckpoint, Kind, Manifest, read_checkpoint
from archsyncd.wire.drop_records import Numbering, read_entries
from archsyncd.wire.r247_values import Unreadable

P = ParamSpec("P")
T = TypeVar("T")
PARSE_SECONDS: Final = 60.0
# What is missing may be put there by hand any moment: looking costs little.
AGAIN_SECONDS: Final = 2.0
_MOVES_ON: Final = frozenset({Role.NEXT, Role.RESUMED, Role.OVER_GAP})


class DropFeed:
    """A `Feed` over a drop directory. One instance is read by one task; acknowledgements may run beside it."""

    def __init__(self, options: DropOptions, clock: Clock, beat: Callable[[], None]) -> None:
        """`beat` is called with every look at the directory and every piece of a file that is checked."""
        self._options = options
        self._clock = clock
        self._beat = beat
        self._directory = DropDirectory(options.directory)
        self._memory = Memory()
        self._handing = Handing(self._directory, self._memory, clock)
        self._surveyor = Surveyor(self._directory, self._memory, options)
        self._remembers = False
        self._last = NOTHING_READ
        self._content: Content | None = None
        self.desk = DropDesk(OrderFiles(options.directory), clock)
        # Is told what is waited for by right, "" where nothing is.
        self.waits: Callable[[str], None] = lambda _text: None

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self._options.name

    @property
    def step_seconds(self) -> float:
        """No step is long: a file is read in bounded pieces. Only a whole document is parsed at once, for a profile."""
        profile = self._options.profile
        return PARSE_SECONDS if profile is not None and not profile.reads_by_line else 0.0

    @property
    def offers_lookup(self) -> bool:
        """A directory answers no questions."""
        return False

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what the files say after the checkpoint, for ever. Raises FeedFault; a gap that stays is one."""
        try:
            self._last = read_checkpoint(after)
        except Unreadable as fault:
            raise FeedFault(fault.reason) from None
        self._handing.forget()
        try:
            while True:
                take = await self._next_file()
                async with aclosing(self._read_file(take)) as reading:
                    async for one in reading:
                        yield one
        finally:
            self._release()

    async def _next_file(self) -> Take:
        while True:
            self._beat()
            await self._remember()
            await self._handing.settle_left()
            busy, now = self._handing.busy(), self._clock.monotonic()
            found = await self._blocking(self._surveyor.look, self._last, busy, now)
            if isinstance(found, Take):
                self.waits("")
                return found
            if found.alarm is not None:
                raise FeedFault(found.alarm, awaits=found.awaits, again_seconds=AGAIN_SECONDS)
            self.waits(found.note)
            await self._clock.sleep(self._options.scan_seconds)

    async def _remember(self) -> None:
        if not self._remembers:
            await self._blocking(self._directory.refresh)
            await self._blocking(self._memory.load, self._directory, self._options)
            self._remembers = True

    async def _blocking(self, act: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Do file work in a thread. Raises FeedFault for what the system refuses."""
        try:
            return await asyncio.to_thread(act, *arguments, **named)
        except OSError as fault:
            raise FeedFault(f"{self._options.directory}: {reason_of(fault)}") from None

    async def _read_file(self, take: Take) -> AsyncGenerator[Batch | SnapshotSource, None]:
        """Yield what one file says, up to the batch whose acknowledgement puts it away."""
        work = self._work(take)
        if not await self._blocking(claim, work.name.text, self._directory):
            return
        if take.role is Role.REFUSED:
            yield self._refuse(work, take.code, take.reason)
            return
        try:
            content, checked = await self._open(work, take.manifest)
        except Unreadable as fault:
            self._release()
            yield self._refuse(work, "bad_content", fault.reason)
            return
        role = judge(take.role, work, checked, self._last, self._memory)
        if role is Role.ENDED:
            await self._blocking(resume, work, self._directory, self._last.line)
            await self._handing.put_away(work)
        elif work.status:
            yield self._pass_over(work, role)
        elif work.name.kind is Kind.FULL:
            full = self._full(work, content, checked, take.manifest, role)
            yield full
            self._after_full(full, work)
        else:
            async with aclosing(self._records(work, content, checked, role)) as batches:
                async for batch in batches:
                    yield batch
        self._release()

    def _work(self, take: Take) -> Work:
        name, manifest = take.found.name, take.manifest
        epoch = self._options.epoch if manifest is None else manifest.epoch
        if take.role is Role.REFUSED and self._options.ready is Readiness.MANIFEST and manifest is None:
            # Nobody has said of which epoch it is: it begins none.
            epoch = self._last.epoch
        as_of = name.at if manifest is None or manifest.as_of is None else manifest.as_of
        return Work(name, epoch, as_of)

    async def _open(self, work: Work, manifest: Manifest | None) -> tuple[Content, Checked]:
        """Open a claimed file and read all of it once before any of it is used. Raises Unreadable."""
        handle = await self._blocking(self._directory.open, WORK, work.name.text)
        content = self._content = Content(handle, work.name, self._options)
        checked: Checked | None = None
        while checked is None:
            self._beat()
            checked = await self._blocking(content.check_piece)
        work.sha256 = checked.sha256
        compare(manifest, checked, work.name.kind)
        return content, checked

    def _refuse(self, work: Work, code: str, reason: str) -> Batch:
        work.status, work.code, work.reasons = "rejected", code, (reason,)
        return self._pass_over(work, Role.REFUSED)

    def _pass_over(self, work: Work, role: Role) -> Batch:
        """Hand out a batch without records for a file that is not read; its acknowledgement writes the receipt.

        A refused file leaves a gap: the checkpoint stays, and its number may come again with better content.
        """
        file = file_news(work.name)
        if work.code:
            file = refused(work, self._last)
            work.reasons = (*work.reasons, file.does)
        if role in _MOVES_ON:
            self._advance(work, 0, ended=True)
            work.passed = True
        return self._hand(
            work, (), (), line=0, last=True, file=file if work.code or role in _MOVES_ON else None
        )

    def _advance(self, work: Work, line: int, *, ended: bool) -> None:
        self._last = DropCheckpoint(work.epoch, work.name.file_seq, line, work.sha256, ended)

    def _hand(
        self,
        work: Work,
        records: tuple[Record, ...],
        rejects: tuple[Reject, ...],
        *,
        line: int,
        last: bool,
        file: FileNews | None,
    ) -> Batch:
        checkpoint = self._last.encode()
        self._handing.add(Handed(checkpoint, work, line, last))
        return Batch(
            feed=self.name,
            epoch=work.epoch,
            records=records,
            rejects=rejects,
            checkpoint=checkpoint,
            more=not last,
            head_at=work.as_of,
            void=not work.epoch,
            file=file,
        )

    async def _records(
        self, work: Work, content: Content, checked: Checked, role: Role
    ) -> AsyncGenerator[Batch, None]:
        """Yield a file's batches. A file that came late is read without moving the checkpoint."""
        numbering = Numbering(work.name, checked.sha256)
        line, last, moves = 0, False, role in _MOVES_ON
        work.passed = work.passed or moves
        if role is Role.RESUMED:
            line = self._last.line
            await self._blocking(resume, work, self._directory, line)
        while not last:
            try:
                entries = await self._blocking(content.read, self._options.batch_records, line)
            except Unreadable as fault:
                raise FeedFault(f"{work.name.text}: {fault.reason}") from None
            records, rejects = await asyncio.to_thread(read_entries, entries, numbering)
            line, last = entries[-1].line if entries else line, content.passed >= checked.records
            if last:
                self._release()
            if moves:
                self._advance(work, line, ended=last)
            file = file_news(work.name) if last else None
            yield self._hand(work, tuple(records), tuple(rejects), line=line, last=last, file=file)

    def _full(
        self, work: Work, content: Content, checked: Checked, manifest: Manifest | None, role: Role
    ) -> FullFile:
        # A full file met in its turn may be held or rejected, and the deltas after it still count. One that was to
        # make up for a gap must have been applied for that.
        work.passed = role is not Role.OVER_GAP
        locations = work.name.locations if manifest is None else manifest.locations
        size, settle = self._options.batch_records, self._handing.put_away
        return FullFile(self.name, work, content, checked, manifest, locations, size, settle)

    def _after_full(self, full: FullFile, work: Work) -> None:
        if full.finished is None:
            raise FeedFault(f"{work.name.text}: nobody said what became of it")
        if work.passed:
            self._advance(work, 0, ended=True)

    def _release(self) -> None:
        content, self._content = self._content, None
        if content is not None:
            content.close()

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Book the outcome of a batch; with a file's last one write its receipt and put it away. Raises FeedFault."""
        await self._handing.acknowledge(checkpoint, outcome)

    @property
    def holds(self) -> bool:
        """Whether a receipt says of a full that it is held."""
        return bool(self._memory.held())

    async def decided(self, epoch: str, seq_at: int, status: SnapshotStatus, outcome: Outcome) -> None:
        """Say in the receipt of a held full what became of it. Raises FeedFault."""
        await self._handing.renew(epoch, seq_at, status, outcome)

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:  # noqa: ARG002 - cannot be asked
        """Return None: a full file comes when the source writes one."""
        return None

    async def read_key(self, sku: str) -> KeyReading | None:  # noqa: ARG002 - cannot be asked
        """Return None: a directory answers no questions."""
        return None

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Raise FeedFault: silence of a directory does not mean that the order is unknown."""
        raise FeedFault(f"{self.name} is a directory and cannot be asked for order {reference[:64]!r}")

    async def close(self) -> None:
        """Release handles."""
        self._release()
        await asyncio.to_thread(self._directory.close)
