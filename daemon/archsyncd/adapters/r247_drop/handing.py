"""Batches handed out and not acknowledged yet, and the files that wait for their receipt. Decides nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from archsyncd.adapters.r247_drop.directory import DropDirectory
from archsyncd.adapters.r247_drop.memory import Memory
from archsyncd.adapters.r247_drop.work import Work, note_progress, renew, settle
from archsyncd.domain.feed import Outcome, SnapshotStatus
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.drop_names import LINES_PER_FILE

UNACKNOWLEDGED_LIMIT: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Handed:
    """A batch in the engine's hands; `last` of its file, whose first `line` lines it ends."""

    checkpoint: str
    work: Work
    line: int
    last: bool


class Handing:
    """Gathers outcomes file by file; with the last one a file gets its receipt and is put away."""

    def __init__(self, directory: DropDirectory, memory: Memory, clock: Clock) -> None:
        self._directory = directory
        self._memory = memory
        self._clock = clock
        self._handed: deque[Handed] = deque()
        self._unsettled: list[Work] = []

    def forget(self) -> None:
        """Begin anew: what was not acknowledged is read again."""
        self._handed.clear()

    def busy(self) -> set[str]:
        """Name the files in hand."""
        return {one.work.name.text for one in self._handed} | {one.name.text for one in self._unsettled}

    def add(self, handed: Handed) -> None:
        """Note a batch that is about to be handed out. Raises FeedFault when the engine acknowledges nothing."""
        if len(self._handed) >= UNACKNOWLEDGED_LIMIT:
            raise FeedFault("earlier batches were not acknowledged")
        self._handed.append(handed)

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Book a batch, and those before it whose acknowledgement was lost. Raises FeedFault; told later again."""
        if all(one.checkpoint != checkpoint for one in self._handed):
            return
        found = False
        while not found:
            one = self._handed.popleft()
            found = one.checkpoint == checkpoint
            if found:
                one.work.outcome = one.work.outcome.plus(outcome)
            else:
                one.work.counted = False
            if one.last:
                await self.put_away(one.work)
            else:
                await self._note(one)

    async def _note(self, one: Handed) -> None:
        try:
            await asyncio.to_thread(note_progress, one.work, self._directory, one.line)
        except OSError as fault:
            raise FeedFault(f"progress of {one.work.name.text}: {fault.strerror}") from None

    def _now(self) -> str:
        at = (_EPOCH + timedelta(milliseconds=self._clock.wall_ms())).isoformat(timespec="milliseconds")
        return at.replace("+00:00", "Z")

    async def put_away(self, work: Work) -> None:
        """Write the receipt and move the file. Raises FeedFault; then it is tried again before the next file."""
        try:
            receipt = await asyncio.to_thread(settle, work, self._directory, self._now())
        except OSError as fault:
            if work not in self._unsettled:
                self._unsettled.append(work)
            raise FeedFault(f"receipt of {work.name.text}: {fault.strerror}") from None
        if work in self._unsettled:
            self._unsettled.remove(work)
        self._memory.learn(work.name, receipt)

    async def renew(self, epoch: str, seq_at: int, status: SnapshotStatus, outcome: Outcome) -> None:
        """Say in the receipt of a full that was held what became of it in the end. Raises FeedFault."""
        for name, receipt in self._memory.held():
            if (receipt.epoch, name.file_seq * LINES_PER_FILE) != (epoch, seq_at):
                continue
            try:
                renewed = await asyncio.to_thread(renew, name, status, outcome, self._directory, self._now())
            except KeyError:
                # The directory is gone just now: its folders are opened again by whoever reads them.
                raise FeedFault(f"receipt of {name.text}: the directory is not there") from None
            except OSError as fault:
                raise FeedFault(f"receipt of {name.text}: {fault.strerror}") from None
            self._memory.learn(name, renewed or replace(receipt, status=status.value))

    async def settle_left(self) -> None:
        """Try again what failed before. Raises FeedFault."""
        for work in tuple(self._unsettled):
            await self.put_away(work)
