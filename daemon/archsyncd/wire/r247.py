"""Pages of changes and stream lines of the `r247/1` contract, bytes to domain values. No I/O.

A page is read by the fast parser where it is clean. Where anything in it is doubtful the whole page is read once more
by the careful one, record by record, and only the bad record is set aside (section 1, rule 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    INT64_MAXIMUM,
    Record,
    Reject,
)
from archsyncd.wire.r247_json import ITEMS_LIMIT, Item, begun_members, decode_carefully, decode_list_document
from archsyncd.wire.r247_records import read_clean, read_record
from archsyncd.wire.r247_values import (
    CURSOR_LIMIT_CHARACTERS,
    FIELDS_LIMIT,
    SCHEMA,
    Misread,
    Unreadable,
    flag,
    instant,
    mapping,
    optional_text,
    reject,
    sequence,
    text,
)

PAGE_LIMIT_BYTES: Final = 64 * 1024 * 1024
NAMES_DEPTH: Final = 64

_Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the feed as the source tells it: `head` is its newest record, `oldest` the oldest it keeps."""

    seq: int
    at: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of `GET /v1/changes` (section 2). `next` is opaque; `more` means: ask again at once."""

    feed: str
    epoch: str
    records: tuple[Record, ...]
    rejects: tuple[Reject, ...]
    next: str
    more: bool
    head: Mark | None
    oldest: Mark | None


@dataclass(frozen=True, slots=True)
class CursorLine:
    """A control line of an NDJSON stream; only what stands before it may be saved (section 2)."""

    next: str
    feed: str | None
    epoch: str | None
    head: Mark | None


def read_page(data: bytes) -> Page:
    """Read one page of changes. Raises Unreadable when it is no r247/1 page at all."""
    members, items = open_document(data, "items")
    records: list[Record] | None = read_clean(items) if items is not None else None
    if records is not None:
        return _page(members, records, ())
    members, exact = decode_list_document(data, "items")
    head = _mark(members, "head")
    read, rejects = sort_read(
        placed([_read_exactly(item) for item in exact], None if head is None else head.seq)
    )
    return _page(members, read, tuple(rejects))


def sort_read(found: Iterable[Any]) -> tuple[list[Any], list[Reject]]:
    """Part what was read from what was set aside."""
    records: list[Any] = []
    rejects: list[Reject] = []
    for one in found:
        (rejects if isinstance(one, Reject) else records).append(one)
    return records, rejects


def placed(found: Sequence[Record | Reject], head_seq: int | None) -> list[Record | Reject]:
    """Give those without a place of their own the last one that they can have: before what follows, or at the head.

    A feed is told in the order of `seq`. Where neither is known it is the first one after what comes before.
    """
    seqs = [one.seq for one in found if one.seq is not None]
    after = None if not seqs else max(min(seqs[-1] + 1, INT64_MAXIMUM), head_seq or 0)
    last = head_seq if after is None else after
    result: list[Record | Reject] = []
    for one in reversed(found):
        if one.seq is None:
            result.append(one if last is None else replace(one, seq=last))
        else:
            result.append(one)
            last = max(one.seq - 1, 0)
    result.reverse()
    return result


def _read_exactly(item: Item) -> Record | Reject:
    if item.fault is not None:
        return reject(item.fault, begun_members(item.payload), item.payload)
    return read_record(item.value, item.payload)


def open_document(data: bytes, list_name: str) -> tuple[_Fields, list[Any] | None]:
    """Parse fast. The list is None when only the careful parser can tell what the bytes say."""
    if len(data) > PAGE_LIMIT_BYTES:
        raise Unreadable(f"the page has more than {PAGE_LIMIT_BYTES} bytes")
    try:
        members = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}, None
    items = members.get(list_name) if isinstance(members, dict) else None
    if not isinstance(items, list):
        raise Unreadable(f"the page has no list {list_name!r}")
    if len(items) > ITEMS_LIMIT:
        raise Unreadable(f"a page holds more than {ITEMS_LIMIT} records")
    return members, items if states_each_name_once(data, members, items) else None


def states_each_name_once(data: bytes, parsed: Any, items: Sequence[Any]) -> bool:
    """Tell whether no object states a name twice, which the fast parser does not notice; False also when in doubt.

    The names in the bytes (each ends in `":`) are counted against those that were read. Bytes in which that sequence
    could mean something else (an escaped quote or colon, a space before the colon) are in doubt.
    """
    if b"\\" in data and (b'\\"' in data or b"\\u0022" in data or b"\\u003" in data):
        return False
    if any(space in data and space + b":" in data for space in (b" ", b"\n", b"\t", b"\r")):
        return False
    if not set(map(type, items)) <= {dict} or max(map(len, items), default=0) > FIELDS_LIMIT:
        return False
    inner = (
        [value for value in parsed.values() if isinstance(value, dict)] if isinstance(parsed, dict) else []
    )
    if data.count(b"{") == len(items) + len(inner) + isinstance(parsed, dict):
        read = sum(map(len, items)) + sum(map(len, inner)) + (len(parsed) if isinstance(parsed, dict) else 0)
    else:
        read = _count_names(parsed, NAMES_DEPTH)
    return data.count(b'":') == read


def _count_names(value: Any, depth: int) -> int:
    if depth == 0:
        return -PAGE_LIMIT_BYTES  # deeper than any record: never equal, so the careful parser decides
    if isinstance(value, dict):
        return len(value) + sum(_count_names(inner, depth - 1) for inner in value.values())
    if isinstance(value, list):
        return sum(_count_names(inner, depth - 1) for inner in value)
    return 0


def _page(members: _Fields, records: Sequence[Record], rejects: tuple[Reject, ...]) -> Page:
    try:
        check_schema(members, required=True)
        return Page(
            feed=text(members, "feed", ID_LIMIT_CHARACTERS),
            epoch=text(members, "epoch", ID_LIMIT_CHARACTERS),
            records=tuple(records),
            rejects=rejects,
            next=text(members, "next", CURSOR_LIMIT_CHARACTERS),
            more=False if members.get("more") is None else flag(members, "more"),
            head=_mark(members, "head"),
            oldest=_mark(members, "oldest"),
        )
    except Misread as fault:
        raise unusable("page", fault) from None


def check_schema(members: _Fields, *, required: bool) -> None:
    """Refuse another contract, and a document that names none where it must. Raises Misread."""
    schema = text(members, "schema") if required else optional_text(members, "schema")
    if schema not in (None, SCHEMA):
        raise Misread("unknown_schema", f"is not {SCHEMA}", "/schema", schema)


def unusable(what: str, fault: Misread) -> Unreadable:
    """Say of a whole document that one of its members makes it useless."""
    return Unreadable(f"the {what} cannot be used: {fault.path or '/'} {fault.reason}")


def _mark(members: _Fields, name: str) -> Mark | None:
    # Both only feed the lag gauge: a wrong one is not worth a page of stock.
    try:
        fields = mapping(members.get(name), f"/{name}")
        return Mark(sequence(fields, "seq", f"/{name}"), instant(fields, "at", f"/{name}"))
    except Misread:
        return None


def read_cursor_line(line: bytes) -> CursorLine | None:
    """Read a control line of an NDJSON stream; None when the line is a record. Raises Unreadable when it is spoilt."""
    if b'"feed.cursor"' not in line:
        return None
    try:
        fields = mapping(decode_carefully(line), "")
        if fields.get("type") != "feed.cursor":
            return None
    except Misread:
        return None
    try:
        check_schema(fields, required=False)
        return CursorLine(
            next=text(fields, "next", CURSOR_LIMIT_CHARACTERS),
            feed=optional_text(fields, "feed", ID_LIMIT_CHARACTERS),
            epoch=optional_text(fields, "epoch", ID_LIMIT_CHARACTERS),
            head=_mark(fields, "head"),
        )
    except Misread as fault:
        raise unusable("cursor line", fault) from None
