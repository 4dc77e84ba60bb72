"""One request as a profile describes it: method, path, query, headers and body with places to fill. Sends nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from archsyncd.wire.foreign.reading import Section
from archsyncd.wire.foreign.templates import (
    Template,
    fill_tree,
    parse_path_template,
    parse_template,
    writable,
)
from archsyncd.wire.profile.faults import NodePath

MEMBERS_LIMIT: Final = 64
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
# These are ours or the connection's; the credential is never written into a profile.
_OWN_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "x-api-key",
        "x-correlation-id",
    }
)


@dataclass(frozen=True, slots=True)
class Filled:
    """A request ready to be sent. `path` is percent-encoded, `query` is not. `body` is JSON."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request with places to fill. A query parameter, header or body member whose value is not known is left out."""

    method: str
    path: Template
    query: tuple[tuple[str, Template], ...] = ()
    headers: tuple[tuple[str, Template], ...] = ()
    body: Any = None

    @property
    def names(self) -> frozenset[str]:
        """Everything that it asks for anywhere."""
        found = set(self.path.names)
        for _, template in (*self.query, *self.headers):
            found |= template.names
        return frozenset(found | _names_in(self.body))

    def fill(self, values: Mapping[str, str]) -> Filled:
        """Put values in. Raises ValueError for one that cannot stand in a request, or that the path lacks."""
        for name, value in values.items():
            if name in self.names and not writable(value):
                raise ValueError(f"{name} is no value that can stand in a request")
        path = self.path.fill_path(values)
        if path is None:
            raise ValueError("its path needs a value that is not known")
        body = None if self.body is None else json.dumps(fill_tree(self.body, values), ensure_ascii=False)
        headers = _filled(self.headers, values)
        if not all(value.isascii() for _, value in headers):
            raise ValueError("a value that is no ASCII text cannot stand in a header")
        return Filled(self.method, path, _filled(self.query, values), headers, body)


def _filled(
    pairs: tuple[tuple[str, Template], ...], values: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    filled = ((name, template.fill(values)) for name, template in pairs)
    return tuple((name, value) for name, value in filled if value is not None)


def _names_in(tree: Any) -> frozenset[str]:
    if isinstance(tree, Template):
        return tree.names
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return frozenset().union(*(_names_in(one) for one in inner))


def read_ask(
    section: Section, allowed: Collection[str], base: Ask | None = None, *, method: str = "GET"
) -> Ask:
    """Read method, path, query, headers and body of a section; what it does not say it has from `base`.

    Where something is wrong, a stand-in is in its place and the fault is noted.
    """
    chosen = section.choice("method", _METHODS, method if base is None else base.method)
    path = section.text("path", lambda text: parse_path_template(text, allowed), None)
    if path is None and base is not None and not section.has("path"):
        path = base.path
    if path is None:
        if not section.has("path"):
            section.fault("path", "is required: the path of the request below the feed's url")
        path = Template(("/",))
    query = _pairs(section, "query", allowed, _query_name, () if base is None else base.query)
    headers = _pairs(section, "headers", allowed, _header_name, () if base is None else base.headers)
    raw = section.raw("body")
    if raw is not None and chosen == "GET":
        section.fault("body", "a GET has no body; say method POST")
    own = None if raw is None else _tree(section, raw, ("body",), allowed)
    body = base.body if own is None and base is not None and chosen != "GET" else own
    return Ask(chosen, path, query, headers, body)


def _pairs(
    section: Section,
    name: str,
    allowed: Collection[str],
    check: Callable[[str], str | None],
    inherited: tuple[tuple[str, Template], ...],
) -> tuple[tuple[str, Template], ...]:
    inner = section.inner(name)
    if inner is None:
        return inherited
    raw = section.raw(name)
    if len(raw) > MEMBERS_LIMIT:
        section.fault(name, f"must have at most {MEMBERS_LIMIT} members")
        return inherited
    found = {**dict(inherited)}
    for key in raw:
        faulty = check(key)
        if faulty:
            inner.fault(key, faulty)
        value = inner.raw(key)
        if value is None:
            found.pop(key, None)
            continue
        text = str(value) if type(value) is int else value
        try:
            if not isinstance(text, str):
                raise ValueError("must be a text")  # noqa: TRY004 - one way to tell all that is wrong here
            if not text.isprintable() or (name == "headers" and not text.isascii()):
                raise ValueError("must be one line of printable characters, in a header of ASCII ones")
            found[key] = parse_template(text, allowed)
        except ValueError as error:
            inner.fault(key, str(error), value)
    return tuple(found.items())


def _query_name(name: str) -> str | None:
    plain = quote(name, safe="$-_.~") == name and name
    return None if plain else "a query parameter's name has letters, digits, $ - _ . ~ only"


def _header_name(name: str) -> str | None:
    if _HEADER_NAME.fullmatch(name) is None:
        return "is no name of a header"
    if name.lower() in _OWN_HEADERS:
        return "is set by archsyncd or the connection; a credential stands in the credential file, by the feed's auth"
    return None


def _tree(section: Section, value: Any, path: NodePath, allowed: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: _tree(section, inner, (*path, name), allowed) for name, inner in value.items()}
    if isinstance(value, list):
        return [_tree(section, inner, (*path, place), allowed) for place, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return parse_template(value, allowed)
    except ValueError as error:
        section.faults.add((*section.path, *path), str(error), value)
        return None
