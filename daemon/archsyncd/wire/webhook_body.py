"""What the body of a webhook says: a batch of records, a Pub/Sub message, or only the SKUs to look at. Knows no signature.

`r247/1`, section 5. The fast parser reads what is clean; where anything is doubtful the careful one reads record by record.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    PAYLOAD_LIMIT_BYTES,
    SKU_LIMIT_CHARACTERS,
    Level,
    Movement,
    Record,
    Reject,
)
from archsyncd.domain.times import utc_ms
from archsyncd.wire.foreign.messages import MessageReader, Sent
from archsyncd.wire.r247 import check_schema, placed, sort_read, states_each_name_once, unusable
from archsyncd.wire.r247_json import (
    ITEMS_LIMIT,
    Item,
    begun_members,
    decode_carefully,
    decode_list_document,
    object_within,
)
from archsyncd.wire.r247_messages import PART, unpacked
from archsyncd.wire.r247_records import read_clean, read_record
from archsyncd.wire.r247_values import (
    Misread,
    Unreadable,
    checked_text,
    instant,
    mapping,
    optional_text,
    reject,
    show,
    text,
)

BODY_LIMIT_BYTES: Final = 1024 * 1024
PLAIN_LIMIT_BYTES: Final = 8 * 1024 * 1024
SKUS_LIMIT: Final = 1_000
THIN_EPOCH: Final = "calls"
_NO_PART: Final = Misread(
    "unknown_type",
    'is read from a subscription that is pulled, and not from calls: have this one pulled (transport = "pubsub"), or have the '
    "feed in snapshot_from asked for the full",
    "/type",
    PART,
)

_Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """What one message says. `feed`: the source's name for its feed, None where it tells none. `skus`: only named, to be read."""

    epoch: str
    records: tuple[Record, ...] = ()
    rejects: tuple[Reject, ...] = ()
    feed: str | None = None
    skus: tuple[str, ...] = ()

    @property
    def items(self) -> int:
        """How much it says."""
        return len(self.records) + len(self.rejects) + len(self.skus)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message as Pub/Sub pushes it: its attributes, its id there, and when it was published (UTC ms).

    `data` are unpacked, or as they came where `fault` says why they cannot be.
    """

    data: bytes
    attributes: Mapping[str, str]
    message_id: str
    fault: Misread | None = None
    published_ms: int | None = None


def read_batch(body: bytes) -> Told:
    """Read `{"type":"stock.batch","timestamp":…,"data":{"schema","feed","epoch","items":[…]}}`. Raises Unreadable."""
    clean = _quickly(body)
    if clean is not None:
        return clean
    members, data = object_within(body, "data")
    inner, items = decode_list_document(data, "items")
    found = placed([_read_item(item) for item in items], None)
    return _told(members, inner, *sort_read(found))


def _quickly(body: bytes) -> Told | None:
    """None when only the careful parser can tell what the bytes say."""
    try:
        members = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    data = members.get("data") if isinstance(members, dict) else None
    items = data.get("items") if isinstance(data, dict) else None
    if not isinstance(items, list) or len(items) > ITEMS_LIMIT:
        raise Unreadable(f"the message has no object data with a list items of at most {ITEMS_LIMIT}")
    if data is None or not states_each_name_once(body, members, items):
        return None
    records = read_clean(items)
    return None if records is None else _told(members, data, records, [])


def _read_item(item: Item) -> Record | Reject:
    if item.fault is not None:
        return reject(item.fault, begun_members(item.payload), item.payload)
    return read_record(item.value, item.payload)


def _told(members: _Fields, data: _Fields, records: Sequence[Record], rejects: Sequence[Reject]) -> Told:
    try:
        check_schema(data, required=True)
        at = instant(members, "timestamp")
        return Told(
            text(data, "epoch", ID_LIMIT_CHARACTERS),
            tuple(captured(record, at) for record in records),
            tuple(rejects),
            text(data, "feed", ID_LIMIT_CHARACTERS),
        )
    except Misread as fault:
        raise unusable("message", fault) from None


def captured(record: Record, at: str | None) -> Record:
    """A record with a time at which its figures stood: what it says of that, else when it happened, else `at`.

    Another feed tells of the same keys, and only such times say which figure is newer.
    """
    if isinstance(record, Level) and record.as_of is None and (record.occurred_at or at):
        return replace(record, as_of=record.occurred_at or at)
    if isinstance(record, Movement) and record.occurred_at is None and at:
        return replace(record, occurred_at=at)
    return record


def read_skus(body: bytes, pointer: str) -> Told:
    """Read the SKUs that a body names at a JSON pointer, in which `*` stands for each entry of a list. Raises Unreadable."""
    try:
        value = decode_carefully(body)
        found = dict.fromkeys(
            checked_text(one, pointer, SKU_LIMIT_CHARACTERS) for one in _at(value, pointer.split("/")[1:])
        )
    except Misread as fault:
        raise unusable("message", fault) from None
    if not 1 <= len(found) <= SKUS_LIMIT:
        raise Unreadable(
            f"the message names {len(found)} SKUs at {pointer}; 1 to {SKUS_LIMIT} are looked for"
        )
    return Told(THIN_EPOCH, skus=tuple(found))


def _at(value: Any, steps: Sequence[str]) -> Iterator[Any]:
    if not steps:
        yield value
    elif steps[0] == "*":
        for inner in value if isinstance(value, list) else ():
            yield from _at(inner, steps[1:])
    elif isinstance(value, dict):
        name = steps[0].replace("~1", "/").replace("~0", "~")
        if value.get(name) is not None:
            yield from _at(value[name], steps[1:])


def read_envelope(body: bytes) -> Envelope | None:
    """Open what Pub/Sub pushes; None for a body of another kind. Raises Unreadable for one that is no message of its."""
    if b'"message"' not in body:
        return None
    try:
        members = mapping(decode_carefully(body), "")
        if "message" not in members or "subscription" not in members:
            return None
        message = mapping(members.get("message"), "/message")
        attributes = mapping(message.get("attributes") or {}, "/message/attributes")
        # Those that nobody looks at are nobody's business, whatever a library or a tracer puts into them.
        told = {name: value for name, value in attributes.items() if isinstance(value, str)}
        data = message.get("data")
        own_id = text(message, "messageId" if "messageId" in message else "message_id", ID_LIMIT_CHARACTERS)
    except Misread as fault:
        raise unusable("message", fault) from None
    published = message.get("publishTime", message.get("publish_time"))
    published_ms = utc_ms(published) if isinstance(published, str) else None
    try:
        plain = unpacked(_plain_bytes(data), told.get("contentEncoding", ""), PLAIN_LIMIT_BYTES)
    except Misread as fault:
        return Envelope(show(data).encode(), told, own_id, fault, published_ms)
    return Envelope(plain, told, own_id, published_ms=published_ms)


def read_foreign(reader: MessageReader, body: bytes, call_id: str, sent_ms: int) -> Told:
    """Read the body of a call by a profile. What cannot be read is set aside: its sender cannot mend what we do not know.

    `sent_ms`: when the call was made, which another attempt would tell anew.
    """
    return _told_by(reader, body, Sent(call_id, sent_ms, steady=False))


def read_foreign_enveloped(reader: MessageReader, envelope: Envelope, sent_ms: int) -> Told:
    """As `read_foreign`, of a message that Pub/Sub pushes; it tells when it was published, however often it comes."""
    if envelope.fault is not None:
        return Told(reader.epoch, rejects=(reject(envelope.fault, {}, envelope.data),))
    steady = envelope.published_ms is not None
    known_ms = sent_ms if envelope.published_ms is None else envelope.published_ms
    # Its data are unpacked already.
    told = {name: value for name, value in envelope.attributes.items() if name != "contentEncoding"}
    return _told_by(
        reader,
        envelope.data,
        Sent(envelope.message_id, known_ms, steady=steady, attributes=told),
    )


def _told_by(reader: MessageReader, data: bytes, sent: Sent) -> Told:
    found = reader.read(data, sent)
    return Told(reader.epoch, found.records, found.rejects)


def _plain_bytes(data: Any) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Misread("not_base64", "its data are no base64") from None


def read_enveloped(envelope: Envelope) -> Told:
    """Read what a Pub/Sub message holds: one record or `{"items":[…]}`. What cannot be read is set aside: it would come again.

    Raises Unreadable where its attributes do not say of which epoch it is.
    """
    try:
        check_schema(envelope.attributes, required=False)
        epoch = text(envelope.attributes, "epoch", ID_LIMIT_CHARACTERS)
        feed = optional_text(envelope.attributes, "feed", ID_LIMIT_CHARACTERS)
    except Misread as fault:
        raise unusable("message", fault) from None
    records, rejects = sort_read(placed(list(_enclosed(envelope)), None))
    return Told(epoch, tuple(captured(record, None) for record in records), tuple(rejects), feed)


def _enclosed(envelope: Envelope) -> Iterator[Record | Reject]:
    data = envelope.data
    if envelope.fault is not None:
        yield reject(envelope.fault, {}, data)
        return
    if b'"items"' in data:
        try:
            members, items = decode_list_document(data, "items")
        except Unreadable:
            pass
        else:
            if members.get("type") == PART:
                # Applied one by one, its levels would pass by everything that a full is judged by.
                yield reject(_NO_PART, {"type": PART, "id": members.get("snapshotId")}, data)
            else:
                yield from (_read_item(item) for item in items)
            return
    try:
        yield read_record(decode_carefully(data), data[:PAYLOAD_LIMIT_BYTES])
    except Misread as fault:
        yield reject(fault, begun_members(data), data)
