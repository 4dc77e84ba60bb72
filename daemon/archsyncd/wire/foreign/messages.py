"""One message of a foreign source to records of r247/1, by its mapping profile: out of a queue, or the body of a call. No I/O.

Messages come late, twice and in any order, so each record needs a place of its own. Where the profile gives `seq` that is it
(by number). Else it is a time (by time): of stock, when the figures were taken; of everything else, when the message was
sent, since nothing that was counted before may seem to have known of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from archsyncd.domain.feed import INT64_MAXIMUM, Record, Reject
from archsyncd.domain.times import rfc3339
from archsyncd.wire.foreign.overlap import TIME_FIELDS, row_time_ms
from archsyncd.wire.profile.contract import Answer, Mapped
from archsyncd.wire.profile.profile import Profile
from archsyncd.wire.pubsub import Delivered
from archsyncd.wire.r247_json import ITEMS_LIMIT
from archsyncd.wire.r247_messages import Message, last_of_each, unpacked
from archsyncd.wire.r247_values import STOCK_TYPES, Misread, Unreadable, reject

# A place by number and one by time do not compare: a profile that changes from one to the other begins an epoch.
BY_NUMBER: Final = "messages-by-number"
BY_TIME: Final = "messages-by-time"
GZIP: Final = "gzip"
# Over calls: how far a source's clock may be ahead of the call's, and how soon a call follows what it tells.
AHEAD_MS: Final = 300_000
PROMPT_MS: Final = 120_000
# Behind its time a place has how much later it was sent, as times of sources are often rounded: up to 35 minutes, in ms.
_LATER_BITS: Final = 21
_LATER_LIMIT: Final = (1 << _LATER_BITS) - 1
_MAGIC: Final = b"\x1f\x8b\x08"
_NAME_LIMIT: Final = 64
_NO_ATTRIBUTES: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of a message beside what it says.

    `name`: by which its transport knows it again. `sent_ms`: when it was published or sent, in UTC milliseconds by a clock that
    its records' times cannot be ahead of; None: nobody says. `steady`: it is the same whenever the message comes again.
    """

    name: str
    sent_ms: int | None
    steady: bool = True
    attributes: Mapping[str, str] = field(default_factory=lambda: _NO_ATTRIBUTES)


def sent_of(delivered: Delivered) -> Sent:
    """What Pub/Sub tells of a message that it delivers."""
    return Sent(delivered.message_id, delivered.published_ms, attributes=delivered.attributes)


def is_packed(data: bytes | None, attributes: Mapping[str, str]) -> bool:
    """Whether a message is, or says that it is, compressed: a small one may hold a large one."""
    return "contentEncoding" in attributes or (data or b"").startswith(_MAGIC)


class MessageReader:
    """Reads messages by one profile. Holds nothing between them; may be used by several threads."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._numbered = profile.numbers

    @property
    def profile(self) -> Profile:
        """What it reads by."""
        return self._profile

    @property
    def epoch(self) -> str:
        """The epoch of all that it reads: a foreign source names none, so that a reset of its numbers cannot be noticed."""
        return BY_NUMBER if self._numbered else BY_TIME

    def read(self, data: bytes | None, sent: Sent) -> Message:
        """Read one message. `data` None: its transport could not decode it. What cannot be read is a Reject, never raised."""
        try:
            answer = self._answer(data, sent)
        except (Misread, Unreadable) as fault:
            return Message(None, self.epoch, rejects=(self._spoilt(fault, data or b"", sent),))
        records: list[Record] = []
        rejects: list[Reject] = []
        for number, item in enumerate(answer.items, 1):
            found = self._record(item, number, sent)
            if isinstance(found, Reject):
                rejects.append(found)
            else:
                records.append(found)
        return Message(None, self.epoch, last_of_each(records), tuple(rejects))

    def items(self, data: bytes | None, sent: Sent) -> tuple[Mapped, ...]:
        """What a message holds, before anything is made of it. Raises Misread, Unreadable."""
        return self._answer(data, sent).items

    def _answer(self, data: bytes | None, sent: Sent) -> Answer:
        if data is None:
            raise Misread("not_base64", "its data are no base64")
        packed = GZIP if data.startswith(_MAGIC) else sent.attributes.get("contentEncoding", "")
        return self._profile.read(unpacked(data, packed), sent.attributes, ITEMS_LIMIT)

    def _spoilt(self, fault: Misread | Unreadable, data: bytes, sent: Sent) -> Reject:
        code = fault.code if isinstance(fault, Misread) else "unreadable"
        told = Misread(code, f"{self._profile.file}: {fault.reason}", getattr(fault, "path", ""))
        return replace(reject(told, {}, data), record_id=_own_id(sent, None), seq=self._sent_at(sent))

    def _sent_at(self, sent: Sent) -> int | None:
        """Where what cannot be read may have stood at the latest; by number nobody knows."""
        return None if self._numbered or sent.sent_ms is None else _place(sent.sent_ms, sent)

    def _record(self, item: Mapped, number: int, sent: Sent) -> Record | Reject:
        named = item.value if item.value.get("id") else {**item.value, "id": _own_id(sent, number)}
        try:
            value = named if item.faults else self._placed(named, item, sent)
        except Misread as fault:
            found = self._profile.told(reject(fault, named, item.payload, item.line), item)
            return self._at(found, item, sent)
        read = self._profile.record(replace(item, value=value))
        return self._at(read, item, sent) if isinstance(read, Reject) else read

    def _at(self, found: Reject, item: Mapped, sent: Sent) -> Reject:
        """A record that was set aside, where it stood as far as it says so: a figure behind that settles it."""
        if self._numbered:
            return found
        try:
            at_ms = _taken_ms(item.value, row_time_ms(item), sent)
        except Misread:
            at_ms = None
        return replace(found, seq=self._sent_at(sent) if at_ms is None else _place(at_ms, sent))

    def _placed(self, value: dict[str, Any], item: Mapped, sent: Sent) -> dict[str, Any]:
        """A record with its place, and of stock with the time at which its figures stood. Raises Misread."""
        own_ms = row_time_ms(item)
        stock = str(value.get("type", "")).startswith(STOCK_TYPES)
        sent_ms = own_ms if sent.sent_ms is None else sent.sent_ms
        at_ms = _taken_ms(value, own_ms, sent) if stock else sent_ms
        if not self._numbered:
            if at_ms is None:
                raise Misread("missing", _TIMELESS, "/asOf")
            value = {**value, "seq": str(_place(at_ms, sent))}
        return value if at_ms is None or not stock else _captured(value, own_ms, at_ms)


def _taken_ms(value: Mapping[str, Any], own_ms: int | None, sent: Sent) -> int | None:
    """When figures were taken; None where nobody says so reliably. Raises Misread.

    None was taken after it was sent: a time ahead is a clock that is wrong, and must not stand in the way of what follows.
    """
    if own_ms is None:
        return sent.sent_ms if sent.steady else None
    if sent.sent_ms is None or own_ms <= sent.sent_ms:
        return own_ms
    if sent.steady:
        return sent.sent_ms
    if own_ms > sent.sent_ms + AHEAD_MS:
        name = next(name for name in TIME_FIELDS if value.get(name) is not None)
        told = f"is more than {AHEAD_MS // 60_000} minutes after the call that tells it"
        raise Misread("out_of_range", told, f"/{name}", value[name])
    return own_ms


_TIMELESS: Final = (
    "states neither a time at which it was true (asOf, occurredAt) nor a seq: a message that is sent again would put an old "
    "figure over a newer one"
)


def _place(at_ms: int, sent: Sent) -> int:
    """A time and, behind it, how much later it was sent: of two figures of one time the one that was sent later is newer.

    Where each attempt is sent anew, one that comes long after its time is taken for such, and is the older of the two.
    """
    later = 0 if sent.sent_ms is None else max(sent.sent_ms - at_ms, 0)
    if not sent.steady and later > PROMPT_MS:
        later = 0
    return min(max(at_ms, 0) << _LATER_BITS | min(later, _LATER_LIMIT), INT64_MAXIMUM)


def _captured(value: dict[str, Any], own_ms: int | None, at_ms: int) -> dict[str, Any]:
    """Say when figures were taken, where the record does not or cannot be right: other feeds tell of the same goods."""
    name = "asOf" if value.get("type") == "stock.level" else "occurredAt"
    if own_ms == at_ms and value.get(name) is not None:
        return value
    return {**value, name: rfc3339(max(at_ms, 0))}


def _own_id(sent: Sent, number: int | None) -> str:
    """By which a record without an id is known: its message, and which of its records it is."""
    name = sent.name
    if len(name) > _NAME_LIMIT or not name.isascii() or not name.isprintable():
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return name if number is None else f"{name}#{number}"
