"""What is in one file: checked as a whole first, then read in pieces. Knows no directory and no order of files.

All of it blocks; callers use threads and ask for one bounded piece at a time.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from archsyncd.adapters.r247_drop.directory import chunks
from archsyncd.adapters.r247_drop.options import MEBIBYTE, DropOptions
from archsyncd.wire.csv_file import Table
from archsyncd.wire.drop_names import LINES_PER_FILE, DropName, Form, Kind
from archsyncd.wire.drop_records import Entry, check_lines, profile_entry, read_array
from archsyncd.wire.ndjson import LineCutter
from archsyncd.wire.r247_values import Unreadable

PIECE_LIMIT_BYTES: Final = 8 * MEBIBYTE
STEPS_PER_PIECE: Final = 8
RECORDS_PER_STEP: Final = 1_000
_GZIP: Final = 31
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Checked:
    """A file's content as it was found: its digest and size as it lies there, its records, whether they name themselves."""

    sha256: str
    bytes: int
    records: int
    has_ids: bool


class Content:
    """An opened file. Raises Unreadable for content that must not be used, at whatever step it shows."""

    def __init__(self, handle: int, name: DropName, options: DropOptions) -> None:
        self._handle = handle
        self._name = name
        self._options = options
        self._seen = os.fstat(handle)
        self._entries: Iterator[Entry] | None = None
        self._digest = hashlib.sha256()
        self._records = 0
        self._has_ids = False
        self._checking_steps: Iterator[Checked | None] | None = None
        # A thread given up by a cancelled task may still be reading when the file is closed.
        self._lock = threading.Lock()
        self.passed = 0

    def close(self) -> None:
        """Close the file, after the piece being read."""
        with self._lock:
            handle, self._handle = self._handle, -1
            self._entries = self._checking_steps = None
            if handle >= 0:
                os.close(handle)

    def check_piece(self) -> Checked | None:
        """Read the next bounded piece without using any of it; None until the whole file was read."""
        with self._lock:
            if self._checking_steps is None:
                self._checking_steps = self._check()
            return next(self._checking_steps)

    def _check(self) -> Iterator[Checked | None]:
        if self._seen.st_size > self._options.file_limit_bytes:
            raise Unreadable(f"more than {self._options.file_limit_bytes} bytes")
        for step, _ in enumerate(self._checking(self._digested()), 1):
            if step % STEPS_PER_PIECE == 0:
                yield None
        self._unchanged()
        yield Checked(self._digest.hexdigest(), self._seen.st_size, self._records, self._has_ids)

    def _checking(self, raw: Iterator[bytes]) -> Iterator[None]:
        gathered = 0
        for entry in self._cut(raw):
            if self._records == 0:
                self._has_ids = self._names_itself(entry)
            self._records += 1
            check_lines(entry.line, self._name)
            gathered += len(entry.payload) + 1
            # Entries of a whole document are at hand without their bytes; a step of either is short.
            if gathered >= MEBIBYTE or self._records % RECORDS_PER_STEP == 0:
                gathered = 0
                yield None

    def _names_itself(self, entry: Entry) -> bool:
        profile = self._options.profile
        if profile is not None and profile.derives_ids:
            # The same content would be the same record, which a level that came back to where it was is not.
            return False
        stated = isinstance(entry.value, dict) and entry.value.get("id") is not None
        return stated or (profile is None and b'"id"' in entry.payload)

    def _digested(self) -> Iterator[bytes]:
        for data in chunks(self._handle):
            self._digest.update(data)
            yield data

    def _unchanged(self) -> None:
        """Refuse a file that its writer still writes, although it was said to be whole. Raises Unreadable."""
        now, then = os.fstat(self._handle), self._seen
        if (now.st_size, now.st_mtime_ns) != (then.st_size, then.st_mtime_ns):
            raise Unreadable("the file changed while it was read")

    def read(self, limit: int, skip_lines: int = 0) -> list[Entry]:
        """Return the next entries, at most `limit` and some MiB of them; lines up to `skip_lines` are passed over.

        `passed` counts the records so far, those included.
        """
        with self._lock:
            return self._read(limit, skip_lines)

    def _read(self, limit: int, skip_lines: int) -> list[Entry]:
        if self._entries is None:
            self._entries = self._cut(chunks(self._handle))
        found: list[Entry] = []
        size = 0
        for entry in self._entries:
            self.passed += 1
            if entry.line <= skip_lines:
                continue
            found.append(entry)
            size += len(entry.payload)
            if len(found) >= limit or size >= PIECE_LIMIT_BYTES:
                break
        self._unchanged()
        return found

    def _cut(self, raw: Iterator[bytes]) -> Iterator[Entry]:
        plain = _inflated(raw, self._options) if self._name.compressed else raw
        profile = self._options.profile
        if profile is not None:
            return (profile_entry(item, profile) for item in profile.rows(plain, self._name.parts))
        if self._name.form is Form.XML:
            raise Unreadable("an XML file can be read by a profile only")
        if self._name.form is Form.NDJSON:
            return _line_entries(plain)
        if self._name.form is Form.CSV:
            return self._row_entries(plain)
        return self._array_entries(plain)

    def _array_entries(self, plain: Iterable[bytes]) -> Iterator[Entry]:
        data = bytearray()
        for piece in plain:
            data += piece
            if len(data) > self._options.array_limit_bytes:
                raise Unreadable(f"a JSON array of more than {self._options.array_limit_bytes} bytes")
        yield from read_array(bytes(data), LINES_PER_FILE)

    def _row_entries(self, plain: Iterable[bytes]) -> Iterator[Entry]:
        table = Table(_texts(plain), self._options.delimiter)
        if self._name.kind in {Kind.FULL, Kind.DELTA}:
            table.check_levels()
        for line, row in table.rows():
            payload = self._options.delimiter.join(row)[:8192].encode("utf-8", "surrogateescape")
            yield Entry(line, payload, table.fields(row))


def _line_entries(plain: Iterable[bytes]) -> Iterator[Entry]:
    for number, line in enumerate(_lines(plain), 1):
        if line.strip():
            yield Entry(number, line)


def _lines(plain: Iterable[bytes]) -> Iterator[bytes]:
    cutter, first = LineCutter(), True
    for piece in plain:
        for line in cutter.cut(piece):
            yield line.removeprefix(_BOM) if first else line
            first = False
    rest = cutter.rest()
    if rest:
        yield rest.removeprefix(_BOM) if first else rest


def _texts(plain: Iterable[bytes]) -> Iterator[str]:
    for line in _lines(plain):
        yield line.decode("utf-8", "surrogateescape") + "\n"


def _inflated(raw: Iterable[bytes], options: DropOptions) -> Iterator[bytes]:
    """Inflate gzip piece by piece, and stop where it grows beyond reason. Raises Unreadable."""
    taken = given = 0
    inflater = zlib.decompressobj(_GZIP)
    for data in raw:
        taken += len(data)
        left, full = data, True
        while left or full:
            if inflater.eof:
                inflater = zlib.decompressobj(_GZIP)
            try:
                plain = inflater.decompress(left, MEBIBYTE)
            except zlib.error:
                raise Unreadable("the file is no gzip") from None
            given += len(plain)
            if given > options.plain_limit_bytes or given > MEBIBYTE + options.compression_limit * taken:
                raise Unreadable("the file grows beyond reason when it is unpacked")
            yield plain
            left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            # With no input left there may still be output that did not fit.
            full = len(plain) == MEBIBYTE and not inflater.eof
    if not inflater.eof:
        raise Unreadable("the gzip is cut off")


def faulty_entry(found: os.stat_result) -> str | None:
    """Say why an entry must never be opened; None for a plain file."""
    if stat.S_ISLNK(found.st_mode):
        return "a symbolic link"
    return None if stat.S_ISREG(found.st_mode) else "no plain file"
