"""Texts with places to fill: `/stock/{sku}`. Knows which names may stand there and how values are encoded; asks nobody.

Seven names are known for stock and two for orders. Nothing else is expanded; `{{` and `}}` stand for the braces themselves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from archsyncd.wire.commercetools.exchange import path_segment
from archsyncd.wire.profile.faults import nearest, quoted

STOCK_NAMES: Final = ("cursor", "since", "until", "page", "limit", "sku", "location")
ORDER_NAMES: Final = ("order", "fulfilment")
TEMPLATE_LIMIT_CHARACTERS: Final = 2_000
VALUE_LIMIT_CHARACTERS: Final = 4_096
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+")
_PATH_SAFE: Final = "/._~!$&'()*+,;=:@%-"


@dataclass(frozen=True, slots=True)
class Hole:
    """A place to fill."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text with holes, in the order in which they are written."""

    pieces: tuple[str | Hole, ...]

    @property
    def names(self) -> frozenset[str]:
        """What it asks for."""
        return frozenset(piece.name for piece in self.pieces if isinstance(piece, Hole))

    def fill(self, values: Mapping[str, str]) -> str | None:
        """Put the values in as they are; None when one of them is not known."""
        if not self.names <= values.keys():
            return None
        return "".join(piece if isinstance(piece, str) else values[piece.name] for piece in self.pieces)

    def fill_path(self, values: Mapping[str, str]) -> str | None:
        """As `fill`, each value as a part of one path segment: no slash and no dot in it can move the path."""
        return self.fill({name: path_segment(value) for name, value in values.items()})


def parse_template(text: str, allowed: Collection[str]) -> Template:
    """Read a text with holes of these names. Raises ValueError with a sentence for its writer."""
    if len(text) > TEMPLATE_LIMIT_CHARACTERS:
        raise ValueError(f"must have at most {TEMPLATE_LIMIT_CHARACTERS} characters")
    pieces: list[str | Hole] = []
    for found in _PIECE.finditer(text):
        piece, name = found.group(), found.group(1)
        if piece in {"{{", "}}"}:
            pieces.append(piece[0])
        elif piece in {"{", "}"}:
            raise ValueError('has a single brace; write "{{" and "}}" for the braces themselves')
        elif name is None:
            pieces.append(piece)
        elif name in allowed:
            pieces.append(Hole(name))
        else:
            near = nearest(name, allowed)
            hint = f"; did you mean {{{near}}}?" if near else ""
            raise ValueError(
                f"{quoted('{' + name + '}')} is not known here; {_list(allowed)} may stand{hint}"
            )
    return Template(tuple(pieces))


def parse_path_template(text: str, allowed: Collection[str]) -> Template:
    """As `parse_template`, for a path below the feed's url. Raises ValueError."""
    template = parse_template(text, allowed)
    plain = "".join(piece if isinstance(piece, str) else "0" for piece in template.pieces)
    if not plain.startswith("/") or _PATH.fullmatch(plain) is None:
        raise ValueError('must be a path that begins with "/"; what follows a "?" belongs into query')
    faulty = faulty_path(plain)
    if faulty:
        raise ValueError(faulty)
    return template


def faulty_path(path: str) -> str | None:
    """Say why a written path leads somewhere else than it looks; None when it does not."""
    segments = path.replace("%2E", ".").replace("%2e", ".").split("/")[1:]
    if "" in segments[:-1]:
        return "must have no two slashes beside each other"
    if any(segment in {".", ".."} for segment in segments):
        return 'must have no step "." or ".."'
    if quote(path, safe=_PATH_SAFE) != path:
        return "has a character that must be percent-encoded"
    return None


def fill_tree(tree: Any, values: Mapping[str, str]) -> Any:
    """Fill every template of a tree of JSON values; a member whose template asks for an unknown value is left out."""
    if isinstance(tree, Template):
        return tree.fill(values)
    if isinstance(tree, dict):
        filled = {name: fill_tree(inner, values) for name, inner in tree.items()}
        return {name: one for name, one in filled.items() if one is not None or tree[name] is None}
    if isinstance(tree, list):
        return [fill_tree(inner, values) for inner in tree]
    return tree


def writable(value: str) -> bool:
    """Whether a value that came from outside may stand in a request: one line of printable characters, not too long."""
    return 0 < len(value) <= VALUE_LIMIT_CHARACTERS and value.isprintable()


def _list(names: Collection[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names) or "none"
