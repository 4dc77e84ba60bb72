"""JSON read carefully when the fast reader refuses it: item by item, so that one bad record spoils only itself.

Knows how JSON is written and no r247/1 field but the name of the list. Numbers that are no int64 stay as they were
written, names stated twice are seen, nesting too deep for the parser is stepped over, and every item keeps its bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from archsyncd.wire.r247_values import FIELDS_LIMIT, Literal, Misread, Repeated, Unreadable

ITEMS_LIMIT: Final = 20_000
INT64_DIGITS: Final = 20
ENVELOPE_LIMIT: Final = 100
_SPACE: Final = re.compile(r"[ \t\n\r]*+")
# A string runs to its quote or, unterminated, to the end: every try moves on, so a scan is linear in the text.
_STEP: Final = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the list: what it says, or why it cannot be said, and its bytes."""

    value: Any
    payload: bytes
    fault: Misread | None = None


def _whole(digits: str) -> int | Literal:
    return int(digits) if len(digits) <= INT64_DIGITS else Literal(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeated:
    fields = dict(pairs)
    if len(fields) == len(pairs) and len(pairs) <= FIELDS_LIMIT:
        return fields
    first: dict[str, Any] = {}
    for name, value in pairs:
        if name in first:
            return Repeated("duplicate_key", name, first, f"{json.dumps(name)[:60]} is stated twice")
        first[name] = value
        if len(first) > FIELDS_LIMIT:
            break
    return Repeated("too_many", "", first, f"has more than {FIELDS_LIMIT} fields")


# `strict=False` lets raw control characters through to the check of the text they stand in.
_DECODER: Final = json.JSONDecoder(
    parse_int=_whole, parse_float=Literal, parse_constant=Literal, object_pairs_hook=_object, strict=False
)


def decode_carefully(data: bytes) -> Any:
    """Read one value. Bytes that are no UTF-8 become lone surrogates, which no text check lets pass.

    Raises Misread `not_json` or `too_deep`.
    """
    text = _text(data)
    start = _after_space(text, 0)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as fault:
        raise _complaint(fault) from None
    if _after_space(text, end) != len(text):
        raise Misread("not_json", "something follows the value")
    return value


def begun_members(data: bytes) -> Mapping[str, Any]:
    """Read the members of an object up to where it breaks off or is spoilt: what is whole before is as it was written."""
    text = _text(data)
    members: dict[str, Any] = {}
    try:
        at = _expect(text, 0, "{")
        while len(members) < FIELDS_LIMIT:
            name, at = _envelope_value(text, at)
            value, at = _envelope_value(text, _expect(text, at, ":"))
            if not isinstance(name, str) or name in members or text[at : at + 1] not in {",", "}"}:
                return members
            members[name] = value
            at = _expect(text, at, ",")
    except Unreadable:
        return members
    return members


def _complaint(fault: Exception) -> Misread:
    if isinstance(fault, RecursionError):
        return Misread("too_deep", "is nested too deeply")
    return Misread("not_json", "is no JSON")


def decode_list_document(data: bytes, list_name: str) -> tuple[Mapping[str, Any], list[Item]]:
    """Read an object whose member `list_name` is a list: its other members, and the list's entries one by one.

    Raises Unreadable when the bytes are no such object.
    """
    text = _text(data)
    at = _expect(text, 0, "{")
    members: dict[str, Any] = {}
    items: list[Item] | None = None
    if text[at : at + 1] == "}":
        at = _after_space(text, at + 1)
        return _ended(text, at, members, items, list_name)
    while True:
        name, at = _envelope_value(text, at)
        at = _expect(text, at, ":")
        if not isinstance(name, str) or name in members or (name == list_name and items is not None):
            raise Unreadable("the page states a member twice")
        if name == list_name and text[at : at + 1] == "[":
            items, at = read_list(text, at)
        else:
            members[name], at = _envelope_value(text, at)
        if len(members) > ENVELOPE_LIMIT:
            raise Unreadable(f"the page has more than {ENVELOPE_LIMIT} members")
        if text[at : at + 1] == "}":
            return _ended(text, _after_space(text, at + 1), members, items, list_name)
        at = _expect(text, at, ",")


def object_within(data: bytes, name: str) -> tuple[Mapping[str, Any], bytes]:
    """Read an object whose member `name` is an object: its other members, and that one's bytes. Raises Unreadable."""
    text = _text(data)
    at = _expect(text, 0, "{")
    members: dict[str, Any] = {}
    inner: str | None = None
    while text[at : at + 1] != "}":
        own, at = _envelope_value(text, at)
        at = _expect(text, at, ":")
        if not isinstance(own, str) or own in members or (own == name and inner is not None):
            raise Unreadable("the message states a member twice")
        if own == name and text[at : at + 1] == "{":
            end = _end_of_nesting(text, at)
            inner, at = text[at:end], _after_space(text, end)
        else:
            members[own], at = _envelope_value(text, at)
        if len(members) > ENVELOPE_LIMIT:
            raise Unreadable(f"the message has more than {ENVELOPE_LIMIT} members")
        if text[at : at + 1] != "}":
            at = _expect(text, at, ",")
            if text[at : at + 1] == "}":
                raise Unreadable("the message ends with a comma")
    if inner is None or _after_space(text, at + 1) != len(text):
        raise Unreadable(f"the message has no object {name!r}, or something follows it")
    return members, inner.encode("utf-8", "surrogateescape")


def decode_list(data: bytes, limit: int = ITEMS_LIMIT) -> list[Item]:
    """Read a document that is one list of at most `limit` entries (a JSON array file). Raises Unreadable."""
    text = _text(data)
    start = _after_space(text, 0)
    if text[start : start + 1] != "[":
        raise Unreadable("the document is no JSON list")
    items, at = read_list(text, start, limit)
    if at != len(text):
        raise Unreadable("something follows the list")
    return items


def _ended(
    text: str, at: int, members: dict[str, Any], items: list[Item] | None, list_name: str
) -> tuple[Mapping[str, Any], list[Item]]:
    if at != len(text):
        raise Unreadable("something follows the page")
    if items is None:
        raise Unreadable(f"the page has no list {list_name!r}")
    return members, items


def read_list(text: str, start: int, limit: int = ITEMS_LIMIT) -> tuple[list[Item], int]:
    """Read a list's entries from its opening bracket; return them and the place after it. Raises Unreadable."""
    at = _after_space(text, start + 1)
    items: list[Item] = []
    if text[at : at + 1] == "]":
        return items, _after_space(text, at + 1)
    while True:
        item, at = _item(text, at)
        items.append(item)
        if len(items) > limit:
            raise Unreadable(f"more than {limit} records at once")
        at = _after_space(text, at)
        if text[at : at + 1] == "]":
            return items, _after_space(text, at + 1)
        at = _expect(text, at, ",")


def _item(text: str, start: int) -> tuple[Item, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except RecursionError as fault:
        end = _end_of_nesting(text, start)
        return Item(None, _bytes(text[start:end]), _complaint(fault)), end
    except ValueError:
        # Where a broken record ends cannot be known, and guessing could swallow its neighbours.
        raise Unreadable(f"the page is no JSON at character {start}") from None
    return Item(value, _bytes(text[start:end])), end


def _end_of_nesting(text: str, start: int) -> int:
    depth = 0
    for step in _STEP.finditer(text, start):
        sign = step.group()[:1]
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if depth <= 0:
                return step.end()
    raise Unreadable("the page ends inside a record")


def _envelope_value(text: str, start: int) -> tuple[Any, int]:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise Unreadable(f"the page is no JSON at character {start}") from None
    return value, _after_space(text, end)


def _expect(text: str, at: int, sign: str) -> int:
    at = _after_space(text, at)
    if text[at : at + 1] != sign:
        raise Unreadable(f"the page is no JSON object at character {at}")
    return _after_space(text, at + 1)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")


def _bytes(text: str) -> bytes:
    # A record far beyond the cap is not copied whole only to be cut.
    return text[:8192].encode("utf-8", "surrogateescape")
