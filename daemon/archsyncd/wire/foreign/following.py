"""Where an answer says how to go on: a value in it, a header, a link. Follows nothing itself.

A link is taken only where it leads back below the feed's own url: whatever a source writes, the credential goes nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from archsyncd.wire.foreign.reading import Section
from archsyncd.wire.foreign.templates import faulty_path, writable
from archsyncd.wire.profile.faults import quoted
from archsyncd.wire.r247_values import Literal, Misread, Unreadable

QUERY_LIMIT: Final = 64
_REL: Final = re.compile(r'<([^<>]*)>\s*((?:;[^,;"]*(?:"[^"]*")?)*)')
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class Next:
    """How the next value is found. `kind`: `path` in the document, `header`, or `record` (a field of the last record).

    `link`: the value is an address to be followed, not a value to be filled in. With kind `header` and the name `Link` it
    is the one of relation `next`.
    """

    kind: str
    name: str
    link: bool = False

    def find(
        self, value: Callable[[str], Any], header: Callable[[str], str | None], last: Mapping[str, Any] | None
    ) -> str | None:
        """The next value; None where the answer tells none. Raises Unreadable for what cannot be one."""
        if self.kind == "record":
            found = None if last is None else last.get(self.name)
        elif self.kind == "header":
            found = header(self.name)
            if found is not None and self.link and self.name.lower() == "link":
                found = _next_of(found)
        else:
            found = value(self.name)
        return _as_value(found)


@dataclass(frozen=True, slots=True)
class Link:
    """A place below the feed's url."""

    path: str
    query: tuple[tuple[str, str], ...]


def parse_next(section: Section, name: str) -> Next | None:
    """Read `"/LastId"`, `{"header": "X-Next"}`, `{"link": "next"}`, `{"path": "/next", "link": true}`, `{"record": "seq"}`."""
    raw = section.raw(name)
    if raw is None or isinstance(raw, str):
        if raw is not None and not raw.startswith("/"):
            section.fault(
                name, 'must be a path that begins with "/", or an object that names header or link', raw
            )
            return None
        return None if raw is None else Next("path", raw)
    inner = section.inner(name)
    if inner is None:
        return None
    link, path = inner.raw("link"), inner.text("path", _path, "")
    header, record = inner.text("header", _header, ""), inner.text("record", _field, "")
    inner.done()
    said = [kind for kind, value in (("path", path), ("header", header), ("record", record)) if value]
    if link not in (None, True, False, "next"):
        inner.fault("link", 'must be "next" (the Link header) or true (the value is a link)', link)
    if link == "next" and not said:
        return Next("header", "Link", link=True)
    if len(said) != 1 or (link and record):
        section.fault(name, 'must name exactly one of path, header and record; or say "link": "next"')
        return None
    return Next(said[0], path or header or record, link=bool(link))


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError('must be a path that begins with "/"')
    return text


def _header(text: str) -> str:
    if _HEADER.fullmatch(text) is None:
        raise ValueError("is no name of a header")
    return text


def _field(text: str) -> str:
    if text not in {"id", "seq"}:
        raise ValueError("must be id or seq: a field of the last record")
    return text


def _as_value(found: Any) -> str | None:
    text = found.text if isinstance(found, Literal) else found
    if text is None or text == "":
        return None
    if type(text) is int:
        return str(text)
    if not isinstance(text, str) or not writable(text):
        raise Unreadable(
            "the value that says how to go on is no text, or not one that can stand in a request"
        )
    return text


def value_or_none(value: Callable[[str], Any], path: str) -> Any:
    """A value from a document. Raises Unreadable for what is no single value."""
    try:
        return value(path)
    except Misread as fault:
        raise Unreadable(f"{path} {fault.reason}") from None


def _next_of(header: str) -> str | None:
    """The target of relation `next` in a Link header (RFC 8288), None where there is none."""
    for found in _REL.finditer(header):
        relations = re.search(r'rel\s*=\s*"?([^";]*)"?', found.group(2), re.IGNORECASE)
        if relations is not None and "next" in relations.group(1).lower().split():
            return found.group(1)
    return None


def own_link(text: str, base: str) -> Link:
    """Read a link as a place below `base`, the feed's url. Raises Unreadable for one that leads anywhere else."""
    own = urlsplit(base)
    try:
        told = urlsplit(text)
        port = told.port
    except ValueError:
        raise _refused(text) from None
    if "\\" in text or not text.isascii() or told.fragment or told.username is not None:
        raise _refused(text)
    if told.scheme or told.netloc:
        same = (told.scheme.lower(), (told.hostname or "").lower(), port or _usual(told.scheme))
        if same != (own.scheme, own.hostname or "", own.port or _usual(own.scheme)):
            raise _refused(text)
    beneath = own.path.rstrip("/")
    path = told.path
    if not path.startswith(f"{beneath}/") or faulty_path(path.removeprefix(beneath)):
        raise _refused(text)
    try:
        query = tuple(parse_qsl(told.query, keep_blank_values=True, max_num_fields=QUERY_LIMIT))
    except ValueError:
        raise Unreadable(
            f"the link {quoted(text)} has more than {QUERY_LIMIT} fields; it is not followed"
        ) from None
    return Link(path.removeprefix(beneath), query)


def _usual(scheme: str) -> int:
    return 443 if scheme.lower() == "https" else 80


def _refused(text: str) -> Unreadable:
    return Unreadable(f"the link {quoted(text)} leads away from the feed's url; it is not followed")
