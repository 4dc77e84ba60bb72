"""One full file as a snapshot: its items in pages, its manifest as head and trailer, its receipt at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from archsyncd.adapters.r247_drop.content import Checked, Content
from archsyncd.adapters.r247_drop.work import Work
from archsyncd.domain.feed import Level, Outcome, SnapshotEnd, SnapshotHead, SnapshotPage, SnapshotStatus
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.drop_names import DropCheckpoint, Manifest
from archsyncd.wire.drop_records import Numbering, read_entries
from archsyncd.wire.r247_values import Unreadable


class FullFile:
    """A `SnapshotSource` over a file that was checked as a whole before. `finished` holds what became of it."""

    def __init__(
        self,
        feed: str,
        work: Work,
        content: Content,
        checked: Checked,
        manifest: Manifest | None,
        locations: Sequence[str],
        page_records: int,
        settle: Callable[[Work], Awaitable[None]],
    ) -> None:
        self._feed = feed
        self._work = work
        self._content = content
        self._checked = checked
        self._manifest = manifest
        self._locations = tuple(locations)
        self._page_records = page_records
        self._settle = settle
        self._numbering = Numbering(work.name, checked.sha256)
        self.finished: SnapshotStatus | None = None

    async def head(self) -> SnapshotHead:
        """Say what the file is; reading goes on behind it."""
        name = self._work.name
        after = DropCheckpoint(self._work.epoch, name.file_seq, 0, self._checked.sha256, ended=True)
        return SnapshotHead(
            feed=self._feed,
            epoch=self._work.epoch,
            snapshot_id=name.text,
            seq_at=self._numbering.seq_at,
            cursor=after.encode(),
            as_of=self._work.as_of,
            locations=self._locations,
            over_gap=not self._work.passed,
        )

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        """Yield the items. Raises FeedFault when the file changes under the reader."""
        while True:
            page = await asyncio.to_thread(self._read)
            if page is None:
                return
            yield page

    def _read(self) -> SnapshotPage | None:
        try:
            entries = self._content.read(self._page_records)
        except (OSError, Unreadable) as fault:
            raise FeedFault(f"{self._work.name.text}: {fault}") from None
        if not entries:
            return None
        records, rejects = read_entries(entries, self._numbering)
        return SnapshotPage(tuple(one for one in records if isinstance(one, Level)), tuple(rejects))

    def end(self) -> SnapshotEnd:
        """Tell the manifest's count; it was compared with the content before. A file tells no sum."""
        if self._manifest is None:
            return SnapshotEnd(complete=True, name=self._work.name.text)
        complete = self._manifest.complete is True
        return SnapshotEnd(complete, self._manifest.records, name=self._work.name.text)

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Write the receipt and put the file away. Raises FeedFault."""
        if self.finished is not None:
            return
        self._content.close()
        self.finished = status
        self._work.outcome = outcome
        self._work.reasons = tuple(reason[:500] for reason in reasons[:100])
        self._work.passed = self._work.passed or status is SnapshotStatus.APPLIED
        if status is not SnapshotStatus.APPLIED:
            self._work.status, self._work.code = status.value, "snapshot_" + status.value
        await self._settle(self._work)
