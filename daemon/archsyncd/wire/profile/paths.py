"""Paths into a payload, and following them. Knows JSON trees, rows and XML elements; no field and no profile.

A path begins with `/` and has one name a step. JSON: names of members, `*` for every entry of a list or member of an
object, a number for one entry. CSV: `/Column`, or `/#3` for the third one. XML: names of elements without their
namespace, `*` for every one, and at the end `@name` for an attribute or `#text` for the element's own text. `..` goes one
step of the way back by which the record was found; `#key` is the name or number under which it was found there. In a name
`~1` stands for `/` and `~0` for `~`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from xml.etree.ElementTree import Element  # the shape only: parsing is done by defusedxml

from archsyncd.wire.r247_values import LIST_LIMIT, Literal, Misread, Repeated

EVERY: Final = "*"
BACK: Final = ".."
KEY: Final = "#key"
TEXT: Final = "#text"
PATH_LIMIT_CHARACTERS: Final = 500
STEPS_LIMIT: Final = 24
_SINGLE: Final = frozenset({str, int, bool, Literal})
_ELSEWHERE: Final[list[Any]] = []  # neither a single value nor nothing: the careful way decides

# The way from the top of the document to a record: the name of each step and what stands there.
Chain: TypeAlias = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Path:
    """`back`: so many steps towards the top first. `key`: it asks for the name at which that lies, not for what is there.

    `plain_names`: it leads from the record downwards by names alone.
    """

    text: str
    back: int
    steps: tuple[str, ...]
    from_top: bool = False
    key: bool = False
    plain_names: bool = False

    @property
    def is_list(self) -> bool:
        """Whether it may lead to several values."""
        return EVERY in self.steps


def parse_path(text: str, *, from_top: bool = False) -> Path:
    """Read a path. Raises ValueError with a sentence for its writer."""
    if not text.startswith("/"):
        raise ValueError('must be a path that begins with "/"')
    if len(text) > PATH_LIMIT_CHARACTERS:
        raise ValueError(f"must have at most {PATH_LIMIT_CHARACTERS} characters")
    raw = [] if text == "/" else text[1:].split("/")
    if len(raw) > STEPS_LIMIT:
        raise ValueError(f"must have at most {STEPS_LIMIT} steps")
    if "" in raw:
        raise ValueError("has an empty step: two slashes beside each other, or one at the end")
    back = next((place for place, step in enumerate(raw) if step != BACK), len(raw))
    steps = raw[back:]
    if BACK in steps or (from_top and back):
        raise ValueError('".." may stand at the beginning of a path within a record only')
    key = steps[-1:] == [KEY]
    if KEY in steps[:-1] or (key and len(steps) > 1):
        raise ValueError('"#key" may follow only "/" or ".."')
    if any(step == TEXT or step.startswith("@") for step in steps[:-1]):
        raise ValueError('an attribute ("@name") or "#text" must be the last step')
    plain = () if key else tuple(_plain(step) for step in steps)
    by_names = not (back or from_top or key) and bool(plain) and EVERY not in plain
    return Path(text, back, plain, from_top, key, by_names)


def _plain(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def written(steps: Sequence[str]) -> str:
    """Write names as a path."""
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


class Walker(Protocol):
    """How one form of payload is walked."""

    def inner(self, node: Any, step: str) -> list[tuple[str, Any]]:
        """What one step leads to, with its name there; nothing where it leads nowhere. Raises Misread."""
        ...

    def scalar(self, node: Any, path: Path) -> Any:
        """Give the value as a text, an int, a Literal, a bool or None. Raises Misread for what is no single value."""
        ...

    def is_stated(self, node: Any, *, trim: bool) -> bool:
        """Whether there is anything at all; `trim`: blanks are nothing."""
        ...


class JsonWalker:
    """Walks what a JSON parser gave, and rows of a table as objects of texts."""

    def inner(self, node: Any, step: str) -> list[tuple[str, Any]]:
        """As told by Walker."""
        if isinstance(node, dict):
            if step == EVERY:
                return list(node.items())
            found = node.get(step)
            return [] if found is None else [(step, found)]
        if isinstance(node, list):
            if step == EVERY:
                return [(str(place), one) for place, one in enumerate(node)]
            if step.isascii() and step.isdigit() and int(step) < len(node):
                return [(step, node[int(step)])]
            return []
        if isinstance(node, Repeated):
            raise Misread(node.code, node.reason, "", None)
        return []

    def scalar(self, node: Any, path: Path) -> Any:
        """As told by Walker."""
        if isinstance(node, Repeated):
            raise Misread(node.code, node.reason, path.text, None)
        if isinstance(node, dict | list):
            raise Misread("not_a_value", "must be a single value", path.text, node)
        return node

    def is_stated(self, node: Any, *, trim: bool) -> bool:
        """As told by Walker."""
        return _is_text(node, trim=trim) if isinstance(node, str) else node is not None


class XmlWalker:
    """Walks elements; every value is a text, and an empty one is not stated."""

    def inner(self, node: Any, step: str) -> list[tuple[str, Any]]:
        """As told by Walker."""
        if not isinstance(node, Element):
            return []
        if step.startswith("@"):
            found = [(name, text) for name, text in node.attrib.items() if local(name) == step[1:]]
            return [(step, text) for _, text in found]
        if step == TEXT:
            return [] if node.text is None else [(step, node.text)]
        if step == EVERY:
            return [(local(one.tag), one) for one in node]
        return [(step, one) for one in node if local(one.tag) == step]

    def scalar(self, node: Any, path: Path) -> Any:
        """As told by Walker."""
        if not isinstance(node, Element):
            return node or None
        if len(node):
            raise Misread("not_a_value", "must be a single value and holds elements", path.text, None)
        return node.text or None

    def is_stated(self, node: Any, *, trim: bool) -> bool:
        """As told by Walker."""
        if isinstance(node, Element):
            return len(node) > 0 or _is_text(node.text or "", trim=trim)
        return _is_text(node, trim=trim)


def _is_text(text: str, *, trim: bool) -> bool:
    return bool(text.strip() if trim else text)


def local(tag: str) -> str:
    """Give a name without its namespace."""
    return tag.rpartition("}")[2]


def follow(walker: Walker, chain: Chain, path: Path) -> list[tuple[str, Any]]:
    """Everything a path leads to from a record, with the name at which each lies. Raises Misread."""
    if path.from_top:
        start = chain[0]
    elif path.back < len(chain):
        start = chain[-1 - path.back]
    else:
        return []
    found = [start]
    for step in path.steps:
        found = [inner for _, node in found for inner in _inner(walker, node, step, path)]
        if len(found) > LIST_LIMIT:
            raise Misread("too_many", f"leads to more than {LIST_LIMIT} values", path.text, None)
    return found


def _inner(walker: Walker, node: Any, step: str, path: Path) -> list[tuple[str, Any]]:
    try:
        return walker.inner(node, step)
    except Misread as fault:
        raise Misread(fault.code, fault.reason, path.text, fault.value) from None


def one_value(walker: Walker, chain: Chain, path: Path) -> Any:
    """The single value at a path; None when it is not stated. Raises Misread."""
    if path.plain_names and type(chain[-1][1]) is dict:
        # What nearly every path of nearly every record is: names within objects, and a single value at the end.
        node: Any = chain[-1][1]
        for step in path.steps:
            node = node.get(step) if type(node) is dict else _ELSEWHERE
        if node is None or type(node) in _SINGLE:
            return node
    found = follow(walker, chain, path)
    if not found:
        return None
    if path.key:
        return found[0][0] or None
    if len(found) > 1:
        raise Misread("duplicate_key", f"stands there {len(found)} times", path.text, None)
    return walker.scalar(found[0][1], path)


def as_text(value: Any) -> str | None:
    """A single value as a text to compare: true is `true`, numbers are as they were written; None is not stated."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, Literal) else str(value)
