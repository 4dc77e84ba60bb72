"""One message of a queue to records of `r247/1` (sections 1 and 4): a record, a batch, or a piece of a snapshot. No I/O.

What a message does not say in its body its attributes may say. A message that cannot be read at all is one Reject.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    Level,
    Movement,
    Record,
    Reject,
    Removal,
    SnapshotClosing,
    SnapshotPart,
)
from archsyncd.wire.r247 import open_document, sort_read
from archsyncd.wire.r247_answers import read_level_item, read_sum
from archsyncd.wire.r247_json import Item, begun_members, decode_carefully, decode_list_document
from archsyncd.wire.r247_records import read_clean, read_record
from archsyncd.wire.r247_values import (
    SCHEMA,
    Misread,
    Unreadable,
    checked_text,
    entries,
    instant,
    integer,
    mapping,
    optional_integer,
    optional_text,
    reject,
    sequence,
    text,
)

PART: Final = "snapshot.part"
END: Final = "snapshot.end"
UNPACKED_LIMIT_BYTES: Final = 32 * 1024 * 1024
RATIO_LIMIT: Final = 200
RATIO_FREE_BYTES: Final = 1024 * 1024
PARTS_LIMIT: Final = 100_000
LOCATIONS_LIMIT: Final = 1_000

_Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """What one message says. `feed` and `epoch` None: it does not say, or cannot be read."""

    feed: str | None = None
    epoch: str | None = None
    records: tuple[Record, ...] = ()
    rejects: tuple[Reject, ...] = ()
    part: SnapshotPart | None = None
    closing: SnapshotClosing | None = None


def read_message(data: bytes | None, attributes: Mapping[str, str]) -> Message:
    """Read one message. `data` None: its transport could not decode it."""
    body = b"" if data is None else data
    try:
        if data is None:
            raise Misread("not_base64", "its data are no base64")
        _check_schema(attributes)
        body = unpacked(data, attributes.get("contentEncoding", ""))
        return _read(body, attributes)
    except (Misread, Unreadable) as fault:
        misread = fault if isinstance(fault, Misread) else Misread("not_json", fault.reason)
        fields = {**_named(attributes), **begun_members(body[:4096])}
        spoilt = reject(misread, fields, body or repr(dict(attributes)).encode())
        return Message(_quietly(attributes, "feed"), _quietly(attributes, "epoch"), rejects=(spoilt,))


def _named(attributes: Mapping[str, str]) -> dict[str, str]:
    """What attributes tell of a message whose body cannot be read: where it stands, and its kind."""
    return {name: attributes[name] for name in ("seq", "type", "location") if name in attributes}


def _quietly(attributes: Mapping[str, str], name: str) -> str | None:
    try:
        return optional_text(attributes, name, ID_LIMIT_CHARACTERS)
    except Misread:
        return None


def _check_schema(attributes: Mapping[str, str]) -> None:
    schema = attributes.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise Misread("unknown_schema", f"is not {SCHEMA}", "/attributes/schema", schema)


def unpacked(data: bytes, encoding: str, most_bytes: int = UNPACKED_LIMIT_BYTES) -> bytes:
    """Undo the content encoding, within bounds. Raises Misread."""
    if encoding in {"", "identity"}:
        return data
    if encoding != "gzip":
        raise Misread(
            "unknown_encoding",
            "is no encoding that is read; use gzip",
            "/attributes/contentEncoding",
            encoding,
        )
    limit = min(most_bytes, max(len(data) * RATIO_LIMIT, RATIO_FREE_BYTES))
    unpacking = zlib.decompressobj(wbits=31)
    try:
        body = unpacking.decompress(data, limit + 1)
    except zlib.error:
        raise Misread("not_gzip", "is called gzip and is none") from None
    if len(body) > limit:
        raise Misread("too_large", f"unpacks to more than {limit} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise Misread("not_gzip", "its gzip is cut off, or something follows it")
    return body


def _read(body: bytes, attributes: Mapping[str, str]) -> Message:
    if b'"items"' in body:
        try:
            return _document(body, attributes)
        except Unreadable:
            # Either broken, which reading it as a record says with its place, or a record that only names items.
            pass
    return _record(body, attributes)


def _record(body: bytes, attributes: Mapping[str, str]) -> Message:
    value = decode_carefully(body)
    fields = mapping(value, "")
    feed, epoch = _place(fields, attributes)
    if fields.get("type") == END:
        return Message(feed, epoch, closing=_closing(fields))
    found = read_record(_with_seq(value, attributes), body)
    if isinstance(found, Reject):
        return Message(feed, epoch, rejects=(found,))
    return Message(feed, epoch, (found,))


def _document(body: bytes, attributes: Mapping[str, str]) -> Message:
    """A batch of records, or a part of a snapshot. Raises Unreadable when it is no object with a list `items`."""
    members, clean = open_document(body, "items")
    items: Sequence[Item] = ()
    if clean is None:
        members, items = decode_list_document(body, "items")
    feed, epoch = _place(members, attributes)
    if members.get("type") == PART:
        part = _part(members, items if clean is None else [Item(value, b"") for value in clean], epoch)
        if part.rejects and clean is not None:
            # Once more, with the bytes that a person is to see.
            part = _part(members, decode_list_document(body, "items")[1], epoch)
        return Message(feed, epoch, part=part)
    records = read_clean(clean) if clean is not None else None
    if records is not None:
        return Message(feed, epoch, tuple(records))
    if clean is not None:
        _, items = decode_list_document(body, "items")
    read, rejects = sort_read([_exactly(item, attributes) for item in items])
    return Message(feed, epoch, last_of_each(read), tuple(rejects))


def last_of_each(records: Sequence[Record]) -> tuple[Record, ...]:
    """Of figures of one key that stand at one place, as all of a message may, the last is what the message leaves behind."""
    last: dict[Any, Record] = {}
    for place, record in enumerate(records):
        absolute = isinstance(record, Level | Removal) or (
            isinstance(record, Movement) and record.states_balance
        )
        key = (record.sku, record.location, record.seq, getattr(record, "rev", None)) if absolute else place  # type: ignore[union-attr]
        last.pop(key, None)
        last[key] = record
    return tuple(last.values())


def _exactly(item: Item, attributes: Mapping[str, str]) -> Record | Reject:
    if item.fault is not None:
        return reject(item.fault, begun_members(item.payload), item.payload)
    return read_record(_with_seq(item.value, attributes), item.payload)


def _with_seq(value: Any, attributes: Mapping[str, str]) -> Any:
    """A record that states no place stands where its message does."""
    if isinstance(value, dict) and value.get("seq") is None and "seq" in attributes:
        return {**value, "seq": attributes["seq"]}
    return value


def _place(members: _Fields, attributes: Mapping[str, str]) -> tuple[str | None, str]:
    """The feed and the epoch, by the attributes or else the body. Raises Misread."""
    schema = optional_text(members, "schema")
    if schema not in (None, SCHEMA):
        raise Misread("unknown_schema", f"is not {SCHEMA}", "/schema", schema)
    feed = optional_text(attributes if "feed" in attributes else members, "feed", ID_LIMIT_CHARACTERS)
    epoch = attributes.get("epoch", members.get("epoch"))
    if epoch is None:
        told = "neither the attribute epoch nor the body says of which epoch this is, so its seq cannot be compared"
        raise Misread("no_epoch", told, "/attributes/epoch")
    return feed, checked_text(epoch, "/attributes/epoch", ID_LIMIT_CHARACTERS)


def _part(members: _Fields, items: Sequence[Item], epoch: str) -> SnapshotPart:
    snapshot = text(members, "snapshotId", ID_LIMIT_CHARACTERS)
    number = integer(members, "part", minimum=1)
    if number > PARTS_LIMIT:
        raise Misread("out_of_range", f"a snapshot has at most {PARTS_LIMIT} parts", "/part", number)
    read, rejects = sort_read(read_level_item(item, f"{epoch}/{snapshot}", 0) for item in items)
    return SnapshotPart(snapshot, number, tuple(read), tuple(rejects))


def _closing(fields: _Fields) -> SnapshotClosing:
    parts = integer(fields, "parts", minimum=1)
    if parts > PARTS_LIMIT:
        raise Misread("out_of_range", f"a snapshot has at most {PARTS_LIMIT} parts", "/parts", parts)
    check = {} if fields.get("check") is None else mapping(fields["check"], "/check")
    locations = entries(fields, "locations")
    if len(locations) > LOCATIONS_LIMIT:
        raise Misread("too_many", f"more than {LOCATIONS_LIMIT} locations", "/locations")
    return SnapshotClosing(
        snapshot_id=text(fields, "snapshotId", ID_LIMIT_CHARACTERS),
        parts=parts,
        seq_at=sequence(fields, "seqAt"),
        as_of=instant(fields, "asOf"),
        locations=tuple(checked_text(name, "/locations", ID_LIMIT_CHARACTERS) for name in locations),
        records=optional_integer(check, "records", "/check", minimum=0),
        sum_on_hand=read_sum(check, "sumOnHand"),
    )
