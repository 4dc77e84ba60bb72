"""Entries of a dropped file to records (`r247/1`, section 3): where a file's own number and line place them.

Knows no directory and no compression. A file's records stand at file number × 10^6 + line, whatever `seq` they carry
from elsewhere: only the files' order is promised. A full file's items all stand at file number × 10^6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from archsyncd.domain.feed import Level, Record, Reject
from archsyncd.wire.drop_names import LINES_PER_FILE, DropName, Form, Kind
from archsyncd.wire.ndjson import decode_line
from archsyncd.wire.profile.contract import Mapped, MappingProfile
from archsyncd.wire.r247 import states_each_name_once
from archsyncd.wire.r247_json import Item, begun_members, decode_list
from archsyncd.wire.r247_records import read_clean, read_record
from archsyncd.wire.r247_values import Misread, Unreadable, reject


class _Unparsed:
    """Stands for the value of an entry that is still bytes."""


UNPARSED: Final = _Unparsed()


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a file before it is understood: the line it ends on, its bytes, its value where already parsed.

    Of one that was read by a profile: `named`, what could be read of a faulty one; `told` says a fault in the profile's words.
    """

    line: int
    payload: bytes
    value: Any = UNPARSED
    named: Mapping[str, Any] | None = None
    told: Callable[[Reject], Reject] | None = None


@dataclass(frozen=True, slots=True)
class Numbering:
    """Gives a file's entries their places and, where they have none, ids and type."""

    name: DropName
    sha256: str

    @property
    def seq_at(self) -> int:
        """The position at which the file as a whole stands."""
        return self.name.file_seq * LINES_PER_FILE

    @property
    def counts(self) -> str:
        """What an entry's number counts: lines, or records of a document that is read as a whole."""
        return "record" if self.name.form in {Form.XML, Form.JSON} else "line"

    def place(self, line: int) -> int:
        """Where an entry stands; all of a full file stand at one place."""
        return self.seq_at if self.name.kind is Kind.FULL else self.seq_at + line

    def fill(self, value: Any, line: int) -> Any:
        """Put place, id and type into an object; anything else stays what it is. Filling twice changes nothing."""
        if not isinstance(value, dict):
            return value
        value["seq"] = str(self.place(line))
        if value.get("id") is None:
            value["id"] = self._id(line)
        if value.get("type") is None and (self.name.kind is Kind.FULL or self.name.form is Form.CSV):
            value["type"] = "stock.level"
        return value

    def _id(self, line: int) -> str:
        # The file's number belongs to it: two sales that read alike in two files are two sales.
        return hashlib.sha256(f"{self.sha256}/{self.name.file_seq}/{line}".encode()).hexdigest()


def read_entries(entries: Sequence[Entry], numbering: Numbering) -> tuple[list[Record], list[Reject]]:
    """Read entries: together where they are clean, one by one where any of them is not."""
    records = _together(entries, numbering)
    if records is not None:
        return records, []
    read: list[Record] = []
    rejects: list[Reject] = []
    for entry in entries:
        found = _exactly(entry, numbering)
        if isinstance(found, Reject):
            stock = found.stock and numbering.name.kind in {Kind.FULL, Kind.DELTA}
            place = f"{numbering.name.text} {numbering.counts} {entry.line}"
            rejects.append(replace(found, seq=numbering.place(entry.line), stock=stock, place=place))
        else:
            read.append(found)
    return read, rejects


def _together(entries: Sequence[Entry], numbering: Numbering) -> list[Record] | None:
    values = _values(entries)
    if values is None:
        return None
    fill = numbering.fill
    records = read_clean([fill(value, entry.line) for value, entry in zip(values, entries, strict=True)])
    if records is None or (
        numbering.name.kind is Kind.FULL and not all(type(record) is Level for record in records)
    ):
        return None
    return records


def _values(entries: Sequence[Entry]) -> list[Any] | None:
    if not entries or entries[0].value is not UNPARSED:
        return [entry.value for entry in entries]
    data = b"[" + b",".join([entry.payload for entry in entries]) + b"]"
    try:
        values: list[Any] = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    # Lines that are no JSON each can join to JSON: `1` and `2]`, `[1`. The count tells.
    alike = len(values) == len(entries) and states_each_name_once(data, values, values)
    return values if alike else None


def _exactly(entry: Entry, numbering: Numbering) -> Record | Reject:
    value = decode_line(entry.payload, entry.line) if entry.value is UNPARSED else entry.value
    if isinstance(value, Reject):
        return value
    if isinstance(value, Misread):
        named = begun_members(entry.payload) if entry.named is None else entry.named
        return reject(value, named, entry.payload, entry.line)
    found = read_record(numbering.fill(value, entry.line), entry.payload, entry.line)
    if isinstance(found, Reject) and entry.told is not None:
        return entry.told(found)
    if numbering.name.kind is Kind.FULL and not isinstance(found, Level | Reject):
        fault = Misread("unknown_type", "a full file holds levels only", "/type", value.get("type"))
        return reject(fault, value, entry.payload, entry.line)
    return found


def read_array(data: bytes, limit: int) -> list[Entry]:
    """Cut a JSON array file into entries. Raises Unreadable when it is no array of at most `limit` entries."""
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError:
        values = None
    if isinstance(values, list) and len(values) <= limit and states_each_name_once(data, values, values):
        return [Entry(line, b"", value) for line, value in enumerate(values, 1)]
    return [_entry(line, item) for line, item in enumerate(decode_list(data, limit), 1)]


def _entry(line: int, item: Item) -> Entry:
    return Entry(line, item.payload, item.value if item.fault is None else item.fault)


def profile_entry(item: Mapped, profile: MappingProfile) -> Entry:
    """Make an entry of what a profile read. Its bytes are written only where somebody is to see them."""
    if item.faults:
        return Entry(item.line, item.payload, item.faults[0], named=item.value)
    payload = item.payload if profile.reads_by_line else b""
    return Entry(item.line, payload, item.value, told=lambda rejected: profile.told(rejected, item))


def check_lines(lines: int, name: DropName) -> None:
    """Refuse a file whose lines would run into the places of the next one. Raises Unreadable."""
    if name.kind is not Kind.FULL and lines >= LINES_PER_FILE:
        raise Unreadable(f"more than {LINES_PER_FILE - 1} lines: split the file")
