"""Lines of NDJSON: cutting a stream of bytes into lines within limits, and lines into records. Knows no transport."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from archsyncd.domain.feed import Record, Reject
from archsyncd.wire.r247 import placed, sort_read, states_each_name_once
from archsyncd.wire.r247_json import begun_members, decode_carefully
from archsyncd.wire.r247_records import read_clean, read_record
from archsyncd.wire.r247_values import Misread, reject

LINE_LIMIT_BYTES: Final = 1024 * 1024
READ_TOGETHER_BYTES: Final = 16 * 1024 * 1024


class LineCutter:
    """Cuts arriving bytes into lines without their ends. Holds at most one unfinished line of the limit.

    A line beyond the limit is given as its first bytes, once, and the rest of it is let go; `oversized` tells how long
    such a line is allowed to be. Its reader sees a line longer than the limit and sets it aside.
    """

    def __init__(self, limit_bytes: int = LINE_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._begun = b""
        self._skipping = False

    def cut(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield the lines that end in them."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            line = self._begun + piece
            self._begun = b""
            if self._skipping:
                self._skipping = False
                continue
            yield line[: self._limit_bytes + 1].removesuffix(b"\r")
        if self._skipping:
            return
        self._begun += rest
        if len(self._begun) > self._limit_bytes:
            self._skipping = True
            begun, self._begun = self._begun[: self._limit_bytes + 1], b""
            yield begun

    def rest(self) -> bytes:
        """Return what stands after the last line end: an unfinished line, empty when there is none."""
        begun, self._begun = self._begun, b""
        return begun


def read_lines(
    lines: Sequence[bytes], first_line: int | None = None, head_seq: int | None = None
) -> tuple[list[Record], list[Reject]]:
    """Read lines that each hold one record. `first_line` numbers them for the rejects; None: a stream, not a file.

    `head_seq`: where the source stood after them, if it told.
    """
    if sum(map(len, lines)) <= READ_TOGETHER_BYTES:
        records = _together(lines)
        if records is not None:
            return records, []
    numbers = (None if first_line is None else first_line + place for place in range(len(lines)))
    read = [read_line(line, number) for line, number in zip(lines, numbers, strict=True)]
    return sort_read(placed(read, head_seq))


def _together(lines: Sequence[bytes]) -> list[Record] | None:
    """Parse all lines as one list, which is several times faster; None when that does not go smoothly."""
    data = b"[" + b",".join(lines) + b"]"
    try:
        items = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    # Lines that are no JSON each can join to JSON: `1` and `2]`, `[1`. The count tells.
    if len(items) != len(lines) or not states_each_name_once(data, items, items):
        return None
    return read_clean(items)


def read_line(line: bytes, number: int | None) -> Record | Reject:
    """Read one line exactly; a line that is no JSON or too long is a Reject."""
    value = decode_line(line, number)
    return value if isinstance(value, Reject) else read_record(value, line, number)


def decode_line(line: bytes, number: int | None) -> Any:
    """Read one line as JSON, exactly: its value, or the Reject of a line that is no JSON or too long."""
    if len(line) > LINE_LIMIT_BYTES:
        fault = Misread("line_too_long", f"a line has more than {LINE_LIMIT_BYTES} bytes")
        return reject(fault, begun_members(line), line, number)
    try:
        return decode_carefully(line)
    except Misread as fault:
        return reject(fault, begun_members(line), line, number)
