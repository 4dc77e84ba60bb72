"""Strict reading of JSON trees: every field named, every type checked; knows no resource."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from archsyncd.simulators.commercetools.errors import ApiError, invalid_field, invalid_json, required_field

type_name = type
Check = Callable[[Any, str], None]
INT64 = 2**63
INT32 = 2**31
KEY = re.compile(r"[A-Za-z0-9_-]{2,256}\Z")
DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,3})\d*)?Z\Z")
REQUIRED = True
OPTIONAL = False
Shape = Mapping[str, tuple[Check, bool]]


def parse(body: bytes) -> Any:
    """Return the JSON tree of a body.

    Raises ApiError 400 InvalidJsonInput.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid_json(str(error)) from None


def _wrong(value: Any, field: str, wanted: str) -> ApiError:
    return invalid_json(f"{field}: expected {wanted}, got {type_name(value).__name__}")


def text(value: Any, field: str) -> None:
    """Accept a string."""
    if type_name(value) is not str:
        raise _wrong(value, field, "a string")


def filled(value: Any, field: str) -> None:
    """Accept a string that is not empty."""
    text(value, field)
    if not value:
        raise invalid_field(field, value, "It must not be empty.")


def flag(value: Any, field: str) -> None:
    """Accept true or false."""
    if type_name(value) is not bool:
        raise _wrong(value, field, "a boolean")


def long(value: Any, field: str) -> None:
    """Accept an integer of 64 bits, signed."""
    if type_name(value) is not int:
        raise _wrong(value, field, "an integer")
    if not -INT64 <= value < INT64:
        raise _wrong(value, field, "an integer of 64 bits")


def natural(value: Any, field: str) -> None:
    """Accept an integer of 64 bits that is not negative."""
    long(value, field)
    if value < 0:
        raise invalid_field(field, value, "It must not be negative.")


def small(value: Any, field: str) -> None:
    """Accept an integer of 32 bits that is not negative."""
    natural(value, field)
    if value >= INT32:
        raise _wrong(value, field, "an integer of 32 bits")


def key(value: Any, field: str) -> None:
    """Accept a user-defined key: 2 to 256 letters, digits, underscores and hyphens."""
    text(value, field)
    if not KEY.match(value):
        raise invalid_field(field, value, "It must match [A-Za-z0-9_-]{2,256}.")


def date_time(value: Any, field: str) -> None:
    """Accept an ISO 8601 moment in UTC."""
    text(value, field)
    if not DATE_TIME.match(value):
        raise invalid_json(f"{field}: expected a date and time in UTC")


def anything(value: Any, field: str) -> None:
    """Accept every JSON value."""


def localized(value: Any, field: str) -> None:
    """Accept texts by language."""
    if type_name(value) is not dict or not all(type_name(part) is str for part in value.values()):
        raise _wrong(value, field, "texts by language")


def one_of(*allowed: str) -> Check:
    """Accept one of the words."""

    def check(value: Any, field: str) -> None:
        text(value, field)
        if value not in allowed:
            raise ApiError(
                400,
                "InvalidField",
                f"The value of '{field}' is not one of the allowed ones.",
                field=field,
                invalidValue=value,
                allowedValues=list(allowed),
            )

    return check


def list_of(item: Check, limit: int = 500) -> Check:
    """Accept at most `limit` items of one kind."""

    def check(value: Any, field: str) -> None:
        if type_name(value) is not list:
            raise _wrong(value, field, "an array")
        if len(value) > limit:
            raise invalid_field(field, len(value), f"At most {limit} items are taken.")
        for position, part in enumerate(value):
            item(part, f"{field}[{position}]")

    return check


def fields(value: Any, where: str, shape: Shape) -> None:
    """Check an object field by field; null counts as absent.

    Raises ApiError 400 InvalidJsonInput (type, unknown field), RequiredField or InvalidField.
    """
    if type_name(value) is not dict:
        raise _wrong(value, where, "an object")
    for name, part in value.items():
        known = shape.get(name)
        if known is None:
            raise invalid_json(f"{where}: unknown field '{name}'")
        if part is not None:
            known[0](part, name)
    for name, known in shape.items():
        if known[1] and value.get(name) is None:
            raise required_field(name)


def object_of(shape: Shape) -> Check:
    """Accept an object of this shape."""

    def check(value: Any, field: str) -> None:
        fields(value, field, shape)

    return check


def reference_to(type_id: str) -> Check:
    """Accept a resource identifier: typeId with exactly one of id and key."""
    shape: Shape = {
        "typeId": (one_of(type_id), OPTIONAL),
        "id": (filled, OPTIONAL),
        "key": (filled, OPTIONAL),
    }

    def check(value: Any, field: str) -> None:
        fields(value, field, shape)
        if (value.get("id") is None) == (value.get("key") is None):
            raise invalid_json(f"{field}: give either id or key")

    return check


def container_of_values(value: Any, field: str) -> None:
    """Accept any object."""
    if type_name(value) is not dict:
        raise _wrong(value, field, "an object")
