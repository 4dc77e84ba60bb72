"""Turns the bytes of an NDJSON stream into batches, each ending at a cursor line (r247/1, section 2). No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.domain.feed import Batch
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.ndjson import LineCutter, read_lines
from archsyncd.wire.r247 import CursorLine, read_cursor_line
from archsyncd.wire.r247_values import Unreadable


class StreamReader:
    """Gathers records until a cursor line allows to save them. What no cursor line follows is read again later."""

    def __init__(self, options: PullOptions, check_feed: Callable[[str], None]) -> None:
        self._options = options
        self._check_feed = check_feed
        self._cutter = LineCutter()
        self._lines: list[bytes] = []
        self._bytes = 0
        self._epoch: str | None = None

    def take(self, data: bytes) -> Iterator[Batch]:
        """Take the next bytes; yield the batches that end in them. Raises FeedFault."""
        for line in self._cutter.cut(data):
            if not line.strip():
                continue  # keep-alive
            cursor = self._cursor(line)
            if cursor is not None:
                yield self._batch(cursor)
            else:
                self._gather(line)

    def _cursor(self, line: bytes) -> CursorLine | None:
        try:
            return read_cursor_line(line)
        except Unreadable as fault:
            raise FeedFault(f"stream: {fault.reason}") from None

    def _gather(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if len(self._lines) > self._options.stream_batch_records:
            raise FeedFault(f"stream: no cursor line within {self._options.stream_batch_records} records")
        if self._bytes > self._options.response_limit_bytes:
            raise FeedFault(f"stream: no cursor line within {self._options.response_limit_bytes} bytes")

    def _batch(self, cursor: CursorLine) -> Batch:
        if cursor.feed is not None:
            self._check_feed(cursor.feed)
        if self._lines and None not in (self._epoch, cursor.epoch) and cursor.epoch != self._epoch:
            raise FeedFault("stream: the epoch changes between a record and its cursor line")
        self._epoch = cursor.epoch or self._epoch
        if self._epoch is None:
            raise FeedFault("stream: its cursor lines do not tell the epoch")
        head = cursor.head
        records, rejects = read_lines(self._lines, head_seq=None if head is None else head.seq)
        self._lines, self._bytes = [], 0
        return Batch(
            feed=self._options.name,
            epoch=self._epoch,
            records=tuple(records),
            rejects=tuple(rejects),
            checkpoint=cursor.next,
            head_seq=None if head is None else head.seq,
            head_at=None if head is None else head.at,
        )
