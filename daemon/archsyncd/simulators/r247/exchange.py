"""A request and its answer, without sockets: what the source's endpoints take and give; decides nothing."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson

JSON = "application/json"
PROBLEM = "application/problem+json"
NDJSON = "application/x-ndjson"
BODY_LIMIT_BYTES = 1024 * 1024
DIGITS_LIMIT = 9


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request. `path` is raw (percent-encoded), header names are lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def parts(self) -> tuple[str, ...]:
        """The path's segments, decoded one by one so that a SKU may contain a slash."""
        return tuple(unquote(part) for part in self.path.strip("/").split("/"))


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer. `stream` replaces the body; `cut_after` bytes the connection breaks (0: nothing is sent)."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    cut_after: int | None = None

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)


class Problem(Exception):
    """An error answer with a body after RFC 9457: type, title, status, detail, code."""

    def __init__(self, status: int, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.body: dict[str, Any] = {
            "type": f"urn:r247:problem:{code}",
            "title": code.replace("_", " "),
            "status": status,
            "detail": detail,
            "code": code,
        } | more

    def answer(self, headers: Mapping[str, str] | None = None) -> Answer:
        """Turn it into an answer."""
        return Answer(self.status, orjson.dumps(self.body), {"content-type": PROBLEM, **(headers or {})})


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON."""
    return Answer(status, orjson.dumps(body), {"content-type": JSON, **(headers or {})})


def parameters(asked: Asked, known: tuple[str, ...]) -> dict[str, str]:
    """Read the query. Raises Problem 400 for a parameter that is unknown or stands twice."""
    found: dict[str, str] = {}
    for name, value in asked.query:
        if name not in known:
            raise Problem(
                400, "unknown_parameter", f"{name!r} is none of {', '.join(known) or 'no parameters'}"
            )
        if name in found:
            raise Problem(400, "bad_parameter", f"{name!r} stands twice")
        found[name] = value
    return found


def number(found: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """Read a whole number between bounds. Raises Problem 400."""
    text = found.get(name)
    if text is None:
        return default
    if not (is_number(text) and low <= int(text) <= high):
        raise Problem(400, "bad_parameter", f"{name!r} is a whole number from {low} to {high}")
    return int(text)


def is_number(text: str) -> bool:
    """Tell whether a text is a whole number of ASCII digits of a bearable length."""
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_LIMIT


def names(found: Mapping[str, str], name: str) -> frozenset[str] | None:
    """Read a list separated by commas; None when it is not given. Raises Problem 400 for an empty name."""
    if name not in found:
        return None
    listed = found[name].split(",")
    if not all(listed):
        raise Problem(400, "bad_parameter", f"{name!r} contains an empty name")
    return frozenset(listed)


def parse(
    body: bytes, known: Mapping[str, type | tuple[type, ...]], required: tuple[str, ...]
) -> dict[str, Any]:
    """Read a JSON object of known fields. Raises Problem 400 for anything else, 413 above one MiB."""
    if len(body) > BODY_LIMIT_BYTES:
        raise Problem(413, "too_large", f"a body holds at most {BODY_LIMIT_BYTES} bytes")
    try:
        found = json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise Problem(400, "malformed", "the body is no JSON object") from fault
    return checked(found, known, required)


def checked(
    found: Any, known: Mapping[str, type | tuple[type, ...]], required: tuple[str, ...], path: str = ""
) -> dict[str, Any]:
    """Hold an object against its fields and types. Raises Problem 400 naming the field."""
    if not isinstance(found, dict):
        raise Problem(400, "malformed", f"{path or 'the body'} is no JSON object")
    for name, value in found.items():
        if name not in known:
            raise Problem(400, "unknown_field", f"{path}{name!r} is no field here")
        wanted = known[name]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise Problem(400, "bad_field", f"{path}{name!r} has a wrong type")
    missing = [name for name in required if name not in found]
    if missing:
        raise Problem(400, "missing_field", f"{path}{missing[0]!r} is needed")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
