"""Documents of the `r247/1` contract as bytes to domain values: pages, snapshots, answers about orders. No I/O.

A page is read by the fast parser where it is clean. Where anything in it is doubtful the whole page is read once more
by the careful one, record by record, and only the bad record is set aside (section 1, rule 6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    SKU_LIMIT_CHARACTERS,
    Level,
    OrderLookup,
    Record,
    Reject,
)
from archsyncd.wire.r247_json import ITEMS_LIMIT, Item, decode_carefully, decode_list_document
from archsyncd.wire.r247_records import read_clean, read_item, read_record
from archsyncd.wire.r247_values import (
    CURSOR_LIMIT_CHARACTERS,
    FIELDS_LIMIT,
    SCHEMA,
    Misread,
    Unreadable,
    checked_text,
    entries,
    flag,
    instant,
    mapping,
    optional_integer,
    optional_text,
    reject,
    sequence,
    text,
)

PAGE_LIMIT_BYTES: Final = 64 * 1024 * 1024
ANSWER_LIMIT_BYTES: Final = 1024 * 1024
SUM_LIMIT_DIGITS: Final = 30
NAMES_DEPTH: Final = 64
ORDER_STATUSES: Final = frozenset({"accepted", "received", "rejected", "cancelled"})

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


@dataclass(frozen=True, slots=True)
class StockPage:
    """One page of a snapshot, of `GET /v1/stock`, or the whole answer for one SKU (section 2, "Snapshot").

    `complete` with `records` and `sum_on_hand` is the trailer; figures that are None were not told.
    """

    snapshot_id: str | None
    feed: str | None
    epoch: str
    seq_at: int
    as_of: str | None
    cursor: str | None
    items: tuple[Level, ...]
    rejects: tuple[Reject, ...]
    next_page: str | None
    complete: bool
    total: int | None = None
    records: int | None = None
    sum_on_hand: int | None = None


@dataclass(frozen=True, slots=True)
class SnapshotPending:
    """The source is still taking the snapshot."""

    snapshot_id: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What an RFC 9457 body says; both empty when the body says nothing we can read."""

    code: str = ""
    detail: str = field(default="", repr=False)


def read_page(data: bytes) -> Page:
    """Read one page of changes. Raises Unreadable when it is no r247/1 page at all."""
    members, items = _open(data, "items")
    records: list[Record] | None = read_clean(items) if items is not None else None
    if records is not None:
        return _page(members, records, ())
    members, exact = decode_list_document(data, "items")
    read, rejects = _sort(_read_exactly(item) for item in exact)
    return _page(members, read, rejects)


def _sort(found: Any) -> tuple[list[Any], tuple[Reject, ...]]:
    records: list[Any] = []
    rejects: list[Reject] = []
    for one in found:
        (rejects if isinstance(one, Reject) else records).append(one)
    return records, tuple(rejects)


def _read_exactly(item: Item) -> Record | Reject:
    if item.fault is not None:
        return reject(item.fault, None, item.payload)
    return read_record(item.value, item.payload)


def _open(data: bytes, list_name: str) -> tuple[_Fields, list[Any] | None]:
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
        _check_schema(members, required=True)
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
        raise _unusable("page", fault) from None


def _check_schema(members: _Fields, *, required: bool) -> None:
    schema = text(members, "schema") if required else optional_text(members, "schema")
    if schema not in (None, SCHEMA):
        raise Misread("unknown_schema", f"is not {SCHEMA}", "/schema", schema)


def _unusable(what: str, fault: Misread) -> Unreadable:
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
        _check_schema(fields, required=False)
        return CursorLine(
            next=text(fields, "next", CURSOR_LIMIT_CHARACTERS),
            feed=optional_text(fields, "feed", ID_LIMIT_CHARACTERS),
            epoch=optional_text(fields, "epoch", ID_LIMIT_CHARACTERS),
            head=_mark(fields, "head"),
        )
    except Misread as fault:
        raise _unusable("cursor line", fault) from None


def read_stock_page(data: bytes) -> StockPage | SnapshotPending:
    """Read one page of a snapshot, of the stock list, or the answer for one SKU. Raises Unreadable."""
    pending = _pending(data)
    if pending is not None:
        return pending
    # Snapshots are read by the careful parser when in doubt, exactly like pages of changes.
    parsed, clean = _open(data, "items")
    items = [Item(value, b"") for value in clean] if clean is not None else []
    page = _stock_page(parsed, items) if clean is not None else None
    if page is not None and not page.rejects:
        return page
    return _stock_page(*decode_list_document(data, "items"))


def _pending(data: bytes) -> SnapshotPending | None:
    if len(data) > CURSOR_LIMIT_CHARACTERS:
        return None
    try:
        fields = mapping(decode_carefully(data), "")
        if optional_text(fields, "status") in (None, "ready"):
            return None
        if fields.get("status") != "running":
            raise Misread("unknown_value", "is neither running nor ready", "/status", fields.get("status"))
        return SnapshotPending(text(fields, "snapshotId"))
    except Misread as fault:
        raise _unusable("snapshot", fault) from None


def _stock_page(members: _Fields, items: Sequence[Item]) -> StockPage:
    try:
        _check_schema(members, required=False)
        seq_at = sequence(members, "seqAt")
        epoch = text(members, "epoch", ID_LIMIT_CHARACTERS)
        snapshot_id = optional_text(members, "snapshotId")
        check = {} if members.get("check") is None else mapping(members["check"], "/check")
        levels, rejects = _sort(_read_item(item, f"{epoch}/{snapshot_id}/{seq_at}", seq_at) for item in items)
        return StockPage(
            snapshot_id=snapshot_id,
            feed=optional_text(members, "feed", ID_LIMIT_CHARACTERS),
            epoch=epoch,
            seq_at=seq_at,
            as_of=instant(members, "asOf"),
            cursor=optional_text(members, "cursor", CURSOR_LIMIT_CHARACTERS),
            items=tuple(levels),
            rejects=rejects,
            next_page=optional_text(members, "nextPage", CURSOR_LIMIT_CHARACTERS),
            complete=False if members.get("complete") is None else flag(members, "complete"),
            total=optional_integer(members, "total", minimum=0),
            records=optional_integer(check, "records", "/check", minimum=0),
            sum_on_hand=_sum(check, "sumOnHand"),
        )
    except Misread as fault:
        raise _unusable("stock page", fault) from None


def _read_item(item: Item, snapshot: str, seq_at: int) -> Level | Reject:
    if item.fault is not None:
        return reject(item.fault, None, item.payload)
    return read_item(item.value, item.payload, lambda fields: _item_id(snapshot, fields), seq_at)


def _item_id(snapshot: str, fields: _Fields) -> str:
    key = f"{snapshot}/{fields.get('sku')}/{fields.get('location')}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _sum(check: _Fields, name: str) -> int | None:
    """Read a sum: a decimal string that may exceed 64 bits. Raises Misread."""
    value = check.get(name)
    if value is None:
        return None
    digits = value.removeprefix("-") if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= SUM_LIMIT_DIGITS):
        raise Misread("not_a_sum", "must be a decimal string", f"/check/{name}", value)
    return int(value)


def read_snapshot_answer(data: bytes) -> str:
    """Read the answer to `POST /v1/snapshots`; return the snapshot's id. Raises Unreadable."""
    try:
        return text(mapping(decode_carefully(_small(data)), ""), "snapshotId")
    except Misread as fault:
        raise _unusable("answer", fault) from None


def read_order_answer(data: bytes) -> OrderLookup:
    """Read what the source says of an order: the answer to its PUT, repeated to a GET (section 9). Raises Unreadable."""
    try:
        fields = mapping(decode_carefully(_small(data)), "")
        status = text(fields, "status", ID_LIMIT_CHARACTERS)
        if status not in ORDER_STATUSES:
            raise Misread("unknown_value", "is no status of an order", "/status", status)
        position = {} if fields.get("position") is None else mapping(fields["position"], "/position")
        code = optional_text(fields, "code", ID_LIMIT_CHARACTERS)
        return OrderLookup(
            status=status,
            source_order=optional_text(fields, "sourceOrder"),
            epoch=text(position, "epoch", ID_LIMIT_CHARACTERS, "/position") if position else None,
            seq=sequence(position, "seq", "/position") if position else None,
            extra={} if code is None else {"code": code},
        )
    except Misread as fault:
        raise _unusable("answer about the order", fault) from None


def read_locations(data: bytes) -> tuple[str, ...]:
    """Read the answer to `GET /v1/locations`: objects with a `location`, or bare names. Raises Unreadable."""
    try:
        fields = mapping(decode_carefully(_small(data)), "")
        return tuple(
            checked_text(
                entry.get("location") if isinstance(entry, dict) else entry,
                f"/locations/{place}",
                SKU_LIMIT_CHARACTERS,
            )
            for place, entry in enumerate(entries(fields, "locations"))
        )
    except Misread as fault:
        raise _unusable("list of locations", fault) from None


def read_problem(data: bytes) -> Problem:
    """Read an RFC 9457 body as far as it can be read; never raises."""
    try:
        fields = mapping(decode_carefully(_small(data)), "")
    except (Misread, Unreadable):
        return Problem()
    return Problem(_told(fields, "code"), _told(fields, "detail"))


def _told(fields: _Fields, name: str) -> str:
    try:
        return optional_text(fields, name) or ""
    except Misread:
        return ""


def _small(data: bytes) -> bytes:
    if len(data) > ANSWER_LIMIT_BYTES:
        raise Unreadable(f"the answer has more than {ANSWER_LIMIT_BYTES} bytes")
    return data
