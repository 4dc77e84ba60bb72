"""What a source answers when it is asked for stock or an order: snapshots, single keys, look-ups. No I/O.

Sections 2 ("Snapshot") and 9 of `r247/1`. Snapshot pages are read as carefully as pages of changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.domain.feed import ID_LIMIT_CHARACTERS, SKU_LIMIT_CHARACTERS, Level, OrderLookup, Reject
from archsyncd.wire.r247 import check_schema, open_document, sort_read, unusable
from archsyncd.wire.r247_json import Item, begun_members, decode_carefully, decode_list_document
from archsyncd.wire.r247_records import read_item
from archsyncd.wire.r247_values import (
    CURSOR_LIMIT_CHARACTERS,
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

ANSWER_LIMIT_BYTES: Final = 1024 * 1024
SUM_LIMIT_DIGITS: Final = 30
ORDER_STATUSES: Final = frozenset({"accepted", "received", "rejected", "cancelled"})

_Fields = Mapping[str, Any]


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


def read_stock_page(data: bytes) -> StockPage | SnapshotPending:
    """Read one page of a snapshot, of the stock list, or the answer for one SKU. Raises Unreadable."""
    pending = _pending(data)
    if pending is not None:
        return pending
    # Snapshots are read by the careful parser when in doubt, exactly like pages of changes.
    parsed, clean = open_document(data, "items")
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
        raise unusable("snapshot", fault) from None


def _stock_page(members: _Fields, items: Sequence[Item]) -> StockPage:
    try:
        check_schema(members, required=False)
        seq_at = sequence(members, "seqAt")
        epoch = text(members, "epoch", ID_LIMIT_CHARACTERS)
        snapshot_id = optional_text(members, "snapshotId")
        check = {} if members.get("check") is None else mapping(members["check"], "/check")
        levels, rejects = sort_read(
            read_level_item(item, f"{epoch}/{snapshot_id}/{seq_at}", seq_at) for item in items
        )
        return StockPage(
            snapshot_id=snapshot_id,
            feed=optional_text(members, "feed", ID_LIMIT_CHARACTERS),
            epoch=epoch,
            seq_at=seq_at,
            as_of=instant(members, "asOf"),
            cursor=optional_text(members, "cursor", CURSOR_LIMIT_CHARACTERS),
            items=tuple(levels),
            rejects=tuple(rejects),
            next_page=optional_text(members, "nextPage", CURSOR_LIMIT_CHARACTERS),
            complete=False if members.get("complete") is None else flag(members, "complete"),
            total=optional_integer(members, "total", minimum=0),
            records=optional_integer(check, "records", "/check", minimum=0),
            sum_on_hand=read_sum(check, "sumOnHand"),
        )
    except Misread as fault:
        raise unusable("stock page", fault) from None


def read_level_item(item: Item, snapshot: str, seq_at: int) -> Level | Reject:
    """Read one item of a snapshot; `snapshot` names which, for those that have no id, `seq_at` where it stands."""
    if item.fault is not None:
        return reject(item.fault, begun_members(item.payload), item.payload)
    return read_item(item.value, item.payload, lambda fields: _item_id(snapshot, fields), seq_at)


def _item_id(snapshot: str, fields: _Fields) -> str:
    key = f"{snapshot}/{fields.get('sku')}/{fields.get('location')}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def read_sum(check: _Fields, name: str) -> int | None:
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
        raise unusable("answer", fault) from None


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
        raise unusable("answer about the order", fault) from None


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
        raise unusable("list of locations", fault) from None


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
