"""Single values of r247/1 read strictly: texts, integers, sequence numbers, times. Knows no record and no transport.

What goes wrong is one tree:
    Unreadable   the bytes as a whole are no r247/1 document: a fault of the source, nothing of it may be used
    Misread      one record cannot be understood: it becomes a `Reject`, what stands beside it counts
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    INT64_MAXIMUM,
    INT64_MINIMUM,
    PAYLOAD_LIMIT_BYTES,
    SKU_LIMIT_CHARACTERS,
    Reject,
)

SCHEMA: Final = "r247/1"
STOCK_TYPES: Final = "stock."
VALUE_LIMIT_CHARACTERS: Final = 120
SEQ_LIMIT_DIGITS: Final = 19
CURSOR_LIMIT_CHARACTERS: Final = 4096
LIST_LIMIT: Final = 10_000
FIELDS_LIMIT: Final = 256

# Controls, lone surrogates, line and paragraph separators: none belongs into an identifier, a log line or a key.
_UNWRITABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)  # RFC 3339, section 5.6, in capitals
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999


class Unreadable(Exception):
    """The bytes are no r247/1 document. `reason` is a sentence; it quotes no payload."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Misread(Exception):
    """One record cannot be understood: at `path` (JSON pointer) stands `value`, for which `reason` is the complaint."""

    def __init__(self, code: str, reason: str, path: str = "", value: Any = None) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.path = path
        self.value = value


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or constant that is not an int64, kept as it was written: `1e400`, `3.0`, `NaN`, 5,000 digits."""

    text: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """An object that states one name twice, or more names than any record has. `fields` holds the first of each."""

    code: str
    name: str
    fields: Mapping[str, Any]
    reason: str


def show(value: Any) -> str:
    """Write a value for a person: JSON, ASCII only, at most 120 characters."""
    return _written(value)[:VALUE_LIMIT_CHARACTERS]


def _written(value: Any) -> str:
    if isinstance(value, Literal):
        return value.text[: VALUE_LIMIT_CHARACTERS + 1]
    if isinstance(value, str):
        return json.dumps(value[: VALUE_LIMIT_CHARACTERS + 1])
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return "[…]" if isinstance(value, list) else "{…}"


def reject(
    fault: Misread, fields: Mapping[str, Any] | None, payload: bytes, line: int | None = None
) -> Reject:
    """Make the exception's record: where, what, why, and whose it is as far as that can be read."""
    named: Mapping[str, Any] = {} if fields is None else fields
    kind = _quietly(text, named, "type", ID_LIMIT_CHARACTERS)
    return Reject(
        code=fault.code,
        reason=fault.reason,
        path=fault.path,
        value=show(fault.value),
        record_id=_quietly(text, named, "id", ID_LIMIT_CHARACTERS),
        seq=_quietly(sequence, named, "seq"),
        sku=_quietly(text, named, "sku", SKU_LIMIT_CHARACTERS),
        location=_quietly(text, named, "location", SKU_LIMIT_CHARACTERS),
        line=line,
        payload=payload[:PAYLOAD_LIMIT_BYTES],
        stock=kind is None or kind.startswith(STOCK_TYPES),
    )


def _quietly(read: Any, fields: Mapping[str, Any], name: str, *limits: int) -> Any:
    try:
        return read(fields, name, *limits)
    except Misread:
        return None


def stated(fields: Mapping[str, Any], name: str, path: str = "") -> Any:
    """Return the value. Raises Misread `missing`: null and absent both mean "not stated" (section 1)."""
    value = fields.get(name)
    if value is None:
        raise Misread("missing", f"{name} is not stated", f"{path}/{name}")
    return value


def text(
    fields: Mapping[str, Any], name: str, limit_characters: int = SKU_LIMIT_CHARACTERS, path: str = ""
) -> str:
    """Return a text of 1 to `limit_characters` without control characters or lone surrogates. Raises Misread."""
    return checked_text(stated(fields, name, path), f"{path}/{name}", limit_characters)


def optional_text(
    fields: Mapping[str, Any], name: str, limit_characters: int = SKU_LIMIT_CHARACTERS, path: str = ""
) -> str | None:
    """As `text`; None when not stated."""
    if fields.get(name) is None:
        return None
    return text(fields, name, limit_characters, path)


def checked_text(value: Any, path: str, limit_characters: int) -> str:
    """As `text`, for a value in hand."""
    if not isinstance(value, str):
        raise Misread("not_a_text", "must be a JSON string", path, value)
    if not value:
        raise Misread("empty", "must not be empty", path, value)
    if len(value) > limit_characters:
        raise Misread("too_long", f"has more than {limit_characters} characters", path, value)
    if not value.isprintable() and any(unicodedata.category(sign) in _UNWRITABLE for sign in value):
        raise Misread("control_character", "contains a control character or half a character", path, value)
    return value


def integer(fields: Mapping[str, Any], name: str, path: str = "", minimum: int = INT64_MINIMUM) -> int:
    """Return a JSON integer within int64. Raises Misread.

    `-0` is a JSON integer and is 0; `-0.0`, `3.0`, `1e2`, `true` and `"12"` are none, whatever their worth (section 1).
    """
    value = stated(fields, name, path)
    where = f"{path}/{name}"
    if (
        isinstance(value, Literal)
        and len(value.text) >= SEQ_LIMIT_DIGITS
        and value.text.lstrip("-").isdigit()
    ):
        raise Misread("out_of_range", "is beyond 64 bits", where, value)
    if type(value) is not int:
        raise Misread("not_an_integer", "must be a JSON integer", where, value)
    if not minimum <= value <= INT64_MAXIMUM:
        reason = "is beyond 64 bits" if minimum == INT64_MINIMUM else f"must be at least {minimum}"
        raise Misread("out_of_range", reason, where, value)
    return value


def optional_integer(
    fields: Mapping[str, Any], name: str, path: str = "", minimum: int = INT64_MINIMUM
) -> int | None:
    """As `integer`; None when not stated, which is never 0."""
    if fields.get(name) is None:
        return None
    return integer(fields, name, path, minimum)


def sequence(fields: Mapping[str, Any], name: str, path: str = "") -> int:
    """Return a sequence number: a decimal string within int64, not negative. Raises Misread."""
    value = stated(fields, name, path)
    where = f"{path}/{name}"
    if not isinstance(value, str):
        raise Misread(
            "not_a_sequence", "must be a decimal string; numbers lose digits on the way", where, value
        )
    if not (value.isascii() and value.isdigit()):
        raise Misread("not_a_sequence", "must consist of decimal digits", where, value)
    if len(value) > SEQ_LIMIT_DIGITS or int(value) > INT64_MAXIMUM:
        raise Misread("out_of_range", "is beyond 64 bits", where, value)
    return int(value)


def flag(fields: Mapping[str, Any], name: str, path: str = "") -> bool:
    """Return true or false. Raises Misread."""
    value = stated(fields, name, path)
    if not isinstance(value, bool):
        raise Misread("not_a_flag", "must be true or false", f"{path}/{name}", value)
    return value


def entries(fields: Mapping[str, Any], name: str, path: str = "") -> list[Any]:
    """Return a list of at most 10,000 entries; empty when not stated. Raises Misread."""
    value = fields.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Misread("not_a_list", "must be a list", f"{path}/{name}", value)
    if len(value) > LIST_LIMIT:
        raise Misread("too_many", f"has more than {LIST_LIMIT} entries", f"{path}/{name}", value)
    return value


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    """Return an object. Raises Misread."""
    if isinstance(value, Repeated):
        raise Misread(value.code, value.reason, f"{path}/{value.name}", value.fields.get(value.name))
    if not isinstance(value, dict):
        raise Misread("not_an_object", "must be an object", path, value)
    return value


def instant(fields: Mapping[str, Any], name: str, path: str = "") -> str | None:
    """Return an RFC 3339 time with offset as it was written, None when not stated. Raises Misread.

    A leap second (`:60`) is written down as the last second before it, which every reader of times understands.
    """
    value = fields.get(name)
    return None if value is None else checked_instant(value, f"{path}/{name}")


def checked_instant(value: Any, path: str) -> str:
    """As `instant`, for a value in hand."""
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Misread("not_a_time", "must be an RFC 3339 time with its offset", path, value)
    minute, second, _, offset = found.groups()
    written = f"{minute}:59{offset}" if second == "60" else found.group()
    hours, minutes = (0, 0) if offset == "Z" else (int(offset[1:3]), int(offset[4:6]))
    try:
        datetime.fromisoformat(written)
    except ValueError:
        raise Misread("not_a_time", "is no time that exists", path, value) from None
    # In UTC it may leave the years that a time has: nobody could write it down again.
    if written[:4] in {"0001", "9999"} and not _FIRST_MS <= to_ms(written) <= _LAST_MS:
        raise Misread("not_a_time", "is no time that exists", path, value)
    # Library versions disagree on 24:00 and on offsets of a day; the RFC does not.
    if hours > 23 or minutes > 59 or written[11:13] > "23":  # noqa: PLR2004 - hours and minutes
        raise Misread("not_a_time", "is no time that exists", path, value)
    return written


def instant_ms(fields: Mapping[str, Any], name: str, path: str = "") -> int | None:
    """As `instant`, in UTC milliseconds since 1970, rounded down."""
    written = instant(fields, name, path)
    return None if written is None else to_ms(written)


def to_ms(written: str) -> int:
    """Convert what `instant` accepted to UTC milliseconds since 1970, rounded down."""
    return (datetime.fromisoformat(written) - _EPOCH) // timedelta(milliseconds=1)
