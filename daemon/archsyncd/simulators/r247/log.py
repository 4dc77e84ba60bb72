"""The feed's log: numbered records of one epoch, kept for a while; it must not know what the records say."""

import asyncio
import base64
import binascii
import random
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from archsyncd.simulators.r247.config import Clock

COMPACT_AFTER = 10_000


class CursorRefused(Exception):
    """The cursor cannot be followed. `status` and `code` are the answer's (r247/1, section 2)."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it will be sent: its number, what filters look at, and its bytes."""

    seq: int
    type: str
    location: str | None
    at_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """Records after a place in the log; `through` is the seq a cursor may move to, `more` that others are waiting."""

    records: tuple[LogRecord, ...]
    through: int
    more: bool


def stamp(at_ms: int) -> str:
    """Write UTC milliseconds as RFC 3339 with Z."""
    whole = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


class FeedLog:
    """Ascending seq with possible gaps, ids unique for ever, an opaque cursor, retention by age and by count.

    Source of the rules: r247/1, sections 1 and 2. Everything appended between two awaits appears at once, so no seq is
    revealed before a smaller one.
    """

    def __init__(
        self,
        clock: Clock,
        chance: random.Random,
        *,
        epoch: str,
        first_seq: int = 1,
        gap_chance: float = 0.0,
        retain_seconds: float = 604_800.0,
        retain_records: int = 1_000_000,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._gap_chance = gap_chance
        self._retain_ms = int(retain_seconds * 1000)
        self._retain_records = retain_records
        self._changed = asyncio.Event()
        self.epoch_ordinal = -1
        self._served: list[tuple[tuple[int, int], int]] = []
        self.begin_epoch(epoch, first_seq)

    def begin_epoch(self, epoch: str, first_seq: int) -> None:
        """Forget every record and count anew under another name, as a restored source does."""
        self.epoch = epoch
        self.epoch_ordinal += 1
        self.head_seq = first_seq - 1
        self.head_at_ms = self.now_ms()
        self._dropped_through = first_seq - 1
        self._seqs: list[int] = []
        self._records: list[LogRecord] = []
        self._start = 0
        self._frozen_at: int | None = None
        self._wake()

    def now_ms(self) -> int:
        """Tell the time in UTC milliseconds."""
        return int(self._clock.now() * 1000)

    def next_seq(self) -> int:
        """Choose the number of the next record; a gap may be drawn before it."""
        skipped = self._chance.randint(1, 5) if self._chance.random() < self._gap_chance else 0
        return self.head_seq + 1 + skipped

    def append(self, kind: str, fields: dict[str, Any], *, location: str | None = None) -> int:
        """Write one record with the common fields before its own; return its seq."""
        seq, at_ms = self.next_seq(), self.now_ms()
        common = {"id": f"{self.epoch}.{seq}", "type": kind, "seq": str(seq), "occurredAt": stamp(at_ms)}
        self._add(LogRecord(seq, kind, location, at_ms, orjson.dumps(common | fields)))
        return seq

    def append_raw(self, template: str, *, kind: str, location: str | None = None) -> int:
        """Write raw JSON text in which `{id}`, `{seq}` and `{at}` are filled in: the way to records that are wrong."""
        seq, at_ms = self.next_seq(), self.now_ms()
        text = template.replace("{id}", f"{self.epoch}.{seq}").replace("{seq}", str(seq))
        self._add(LogRecord(seq, kind, location, at_ms, text.replace("{at}", stamp(at_ms)).encode()))
        return seq

    def _add(self, record: LogRecord) -> None:
        self._seqs.append(record.seq)
        self._records.append(record)
        self.head_seq, self.head_at_ms = record.seq, record.at_ms
        if len(self._seqs) - self._start > self._retain_records:
            self._drop_first()
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _drop_first(self) -> None:
        self._dropped_through = self._seqs[self._start]
        self._start += 1
        if self._start > COMPACT_AFTER and self._start * 2 > len(self._seqs):
            del self._seqs[: self._start], self._records[: self._start]
            self._start = 0

    def prune(self) -> None:
        """Drop records older than the retention; called as time passes."""
        limit = self.now_ms() - self._retain_ms
        while self._start < len(self._records) and self._records[self._start].at_ms < limit:
            self._drop_first()

    def forget_through(self, seq: int) -> None:
        """Drop every record up to `seq` now, as a source whose retention is short."""
        while self._start < len(self._seqs) and self._seqs[self._start] <= seq:
            self._drop_first()

    def freeze(self) -> None:
        """Stop showing anything newer than now, though the warehouse goes on."""
        self._frozen_at = self.head_seq if self._frozen_at is None else self._frozen_at

    def thaw(self) -> None:
        """Show everything again."""
        self._frozen_at = None
        self._wake()

    @property
    def shown_head(self) -> int:
        """The newest seq that readers may see."""
        return self.head_seq if self._frozen_at is None else self._frozen_at

    def head(self) -> dict[str, str]:
        """Describe the newest visible record, as a page does."""
        index = bisect_right(self._seqs, self.shown_head, lo=self._start) - 1
        at_ms = self._records[index].at_ms if index >= self._start else self.head_at_ms
        return {"seq": str(self.shown_head), "at": stamp(at_ms)}

    def oldest(self) -> dict[str, str]:
        """Describe the oldest record kept; the head when none is."""
        if self._start >= len(self._records) or self._seqs[self._start] > self.shown_head:
            return self.head()
        record = self._records[self._start]
        return {"seq": str(record.seq), "at": stamp(record.at_ms)}

    @property
    def before_oldest(self) -> int:
        """The seq after which reading from the oldest record begins."""
        return self._dropped_through

    def after(
        self, seq: int, limit: int, types: Collection[str] | None, locations: Collection[str] | None
    ) -> Slice:
        """Return up to `limit` matching records after `seq`, ascending. None as filter lets everything pass."""
        found: list[LogRecord] = []
        index = max(bisect_right(self._seqs, seq), self._start)
        end = bisect_right(self._seqs, self.shown_head, lo=self._start)
        for position in range(index, end):
            record = self._records[position]
            if not _matches(record, types, locations):
                continue
            if len(found) == limit:
                return Slice(tuple(found), found[-1].seq, more=True)
            found.append(record)
        return Slice(tuple(found), max(seq, self.shown_head), more=False)

    def changed(self) -> Coroutine[Any, Any, bool]:
        """Wait for the next record, thaw or epoch after this call; what happens before the first await counts."""
        return self._changed.wait()

    def cursor(self, seq: int) -> str:
        """Encode "after this seq of this epoch"; opaque to readers."""
        text = f"{self.epoch}\n{seq}".encode()
        return base64.urlsafe_b64encode(zlib.crc32(text).to_bytes(4, "big") + text).rstrip(b"=").decode()

    def seq_of(self, cursor: str) -> int:
        """Decode a cursor. Raises CursorRefused: 400 bad_cursor, 410 epoch_changed or cursor_expired."""
        epoch, seq = _decode(cursor)
        if epoch != self.epoch:
            raise CursorRefused(410, "epoch_changed", f"the feed is at epoch {self.epoch}")
        if seq > self.head_seq:
            raise CursorRefused(400, "bad_cursor", "the cursor is ahead of the feed")
        if seq < self._dropped_through:
            raise CursorRefused(410, "cursor_expired", "records after the cursor are no longer kept")
        return seq

    def mark_served(self, seq: int) -> None:
        """Remember when everything up to `seq` was first sent to a reader; the judge asks for it."""
        mark = (self.epoch_ordinal, seq)
        if not self._served or mark > self._served[-1][0]:
            self._served.append((mark, self.now_ms()))

    def served_at_ms(self, epoch_ordinal: int, seq: int) -> int | None:
        """Tell when a place in the log was first sent; None when it never was."""
        index = bisect_left(self._served, (epoch_ordinal, seq), key=lambda mark: mark[0])
        return self._served[index][1] if index < len(self._served) else None


def _matches(record: LogRecord, types: Collection[str] | None, locations: Collection[str] | None) -> bool:
    if types is not None and record.type not in types:
        return False
    return locations is None or record.location is None or record.location in locations


def _decode(cursor: str) -> tuple[str, int]:
    refused = CursorRefused(400, "bad_cursor", "this is no cursor of this feed")
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        epoch, _, seq = raw[4:].decode().partition("\n")
        if zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4]:
            raise refused
        return epoch, int(seq)
    except (binascii.Error, UnicodeDecodeError, ValueError) as fault:
        raise refused from fault
