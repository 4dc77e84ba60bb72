"""Strict readers for JSON trees: the right type or a named fault. Knows no resource of commercetools."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

from archsyncd.domain.feed import INT64_MAXIMUM, INT64_MINIMUM

TEXT_LIMIT_CHARACTERS = 4096

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})", re.ASCII)
# The largest magnitude up to which every integer has its own floating-point number.
_EXACT_FLOAT_LIMIT = 2**53


class MalformedAnswer(ValueError):
    """A field of an answer is absent or of the wrong type. Carries the field's name, never its value."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}")
        self.name = name


def is_integer(value: Any) -> TypeGuard[int]:
    """Say whether a JSON value is an integer of 64 bits; true and 1.0 are none."""
    return type(value) is int and INT64_MINIMUM <= value <= INT64_MAXIMUM


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """Expect an object."""
    if not isinstance(value, dict):
        raise MalformedAnswer(name, "is not an object")
    return value


def sequence(value: Any, name: str) -> Sequence[Any]:
    """Expect an array."""
    if not isinstance(value, list):
        raise MalformedAnswer(name, "is not an array")
    return value


def text(tree: Mapping[str, Any], name: str) -> str:
    """Expect a text that is not empty and not absurdly long."""
    value = tree.get(name)
    if not isinstance(value, str) or not value or len(value) > TEXT_LIMIT_CHARACTERS:
        raise MalformedAnswer(name, "is not a text of reasonable length")
    return value


def optional_text(tree: Mapping[str, Any], name: str) -> str | None:
    """Expect a text, null or nothing."""
    return None if tree.get(name) is None else text(tree, name)


def integer(tree: Mapping[str, Any], name: str) -> int:
    """Expect an integer of 64 bits."""
    value = tree.get(name)
    if not is_integer(value):
        raise MalformedAnswer(name, "is not an integer of 64 bits")
    return value


def optional_integer(tree: Mapping[str, Any], name: str) -> int | None:
    """Expect an integer, null or nothing."""
    return None if tree.get(name) is None else integer(tree, name)


def integral(value: Any) -> int | None:
    """Read a custom field of type Number: 12 and 12.0 are twelve, anything else is None."""
    if is_integer(value):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOAT_LIMIT:
        return int(value)
    return None


def timestamp_ms(tree: Mapping[str, Any], name: str) -> int:
    """Expect a date and time with its zone; UTC milliseconds."""
    value = text(tree, name)
    if not _TIMESTAMP.fullmatch(value):
        raise MalformedAnswer(name, "is not a date and time")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedAnswer(name, "is not a date and time") from error
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def timestamp_text(tree: Mapping[str, Any], name: str) -> str:
    """Expect a date and time and keep the server's own words, which a keyset cursor must repeat exactly."""
    timestamp_ms(tree, name)
    return text(tree, name)
