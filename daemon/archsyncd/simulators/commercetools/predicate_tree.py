"""The tree of a query predicate and the text it is parsed from; knows no resource's fields.

Grammar: commercetools' query predicates, the part named here: comparisons, `in`, `contains`, `is defined`,
`is empty`, nesting by parentheses, `and`, `or`, `not`. Everything else is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from archsyncd.simulators.commercetools.errors import invalid_input

Literal = str | int | float | bool
MAXIMUM_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Compare:
    """`name operator values`; operators = != < > <= >= in, not in, any, all."""

    name: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class State:
    """`name is [not] defined` or `name is [not] empty`."""

    name: str
    word: str
    negated: bool


@dataclass(frozen=True, slots=True)
class Nested:
    """`name(inner)`: the inner predicate holds for the value, or for any element of it."""

    name: str
    inner: "Node"


@dataclass(frozen=True, slots=True)
class Not:
    """`not(inner)`."""

    inner: "Node"


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple["Node", ...]


Node = Compare | State | Nested | Not | Both | Either
TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<quoted>`[^`]+`)
    | (?P<word>[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<sign>!=|<>|<=|>=|[=<>(),])
    )""",
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
SIGNS = ("=", "!=", "<>", "<", ">", "<=", ">=")
Token = tuple[str, str]


def _unescape(match: re.Match[str]) -> str:
    mark = match.group(1)
    return chr(int(mark[1:], 16)) if len(mark) > 1 else ESCAPES.get(mark, mark)


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = TOKEN.match(text, position)
        if match is None:
            raise invalid_input(f"Malformed parameter: where: syntax error at position {position}.")
        kind = str(match.lastgroup)
        found.append((kind, match.group(kind)))
        position = match.end()
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._either()
        if self._at != len(self._tokens):
            self._refuse()
        return node

    def _refuse(self) -> NoReturn:
        seen = self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
        raise invalid_input(f"Malformed parameter: where: unexpected {seen} at token {self._at + 1}.")

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, kind: str, value: str | None = None) -> str:
        found = self._peek()
        if found[0] != kind or (value is not None and found[1].lower() != value):
            self._refuse()
        self._at += 1
        return found[1]

    def _skip(self, kind: str, value: str) -> bool:
        found = self._peek()
        if found[0] != kind or found[1].lower() != value:
            return False
        self._at += 1
        return True

    def _either(self) -> Node:
        parts = [self._both()]
        while self._skip("word", "or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Node:
        parts = [self._single()]
        while self._skip("word", "and"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _inside(self) -> Node:
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise invalid_input("Malformed parameter: where: nested too deeply.")
        self._take("sign", "(")
        node = self._either()
        self._take("sign", ")")
        self._depth -= 1
        return node

    def _single(self) -> Node:
        kind, value = self._peek()
        if (kind, value) == ("sign", "("):
            return self._inside()
        if (
            kind == "word"
            and value.lower() == "not"
            and self._tokens[self._at + 1 : self._at + 2] == [("sign", "(")]
        ):
            self._at += 1
            return Not(self._inside())
        if kind == "quoted":
            self._at += 1
            return self._about(value[1:-1])
        return self._about(self._take("word"))

    def _about(self, name: str) -> Node:
        kind, value = self._peek()
        if (kind, value) == ("sign", "("):
            return Nested(name, self._inside())
        if kind == "sign" and value in SIGNS:
            self._at += 1
            return Compare(name, "!=" if value == "<>" else value, (self._literal(),))
        return self._worded(name)

    def _worded(self, name: str) -> Node:
        if self._skip("word", "is"):
            negated = self._skip("word", "not")
            word = self._take("word").lower()
            if word not in ("defined", "empty"):
                self._refuse()
            return State(name, word, negated)
        if self._skip("word", "contains"):
            quantity = self._take("word").lower()
            if quantity not in ("any", "all"):
                self._refuse()
            return Compare(name, quantity, self._literals())
        if self._skip("word", "not"):
            self._take("word", "in")
            return Compare(name, "not in", self._literals())
        self._take("word", "in")
        return Compare(name, "in", self._literals())

    def _literals(self) -> tuple[Literal, ...]:
        self._take("sign", "(")
        values = [self._literal()]
        while self._skip("sign", ","):
            values.append(self._literal())
        self._take("sign", ")")
        return tuple(values)

    def _literal(self) -> Literal:
        kind, value = self._peek()
        self._at += 1
        if kind == "string":
            return ESCAPE.sub(_unescape, value[1:-1]) if "\\" in value else value[1:-1]
        if kind == "number":
            return float(value) if "." in value else int(value)
        if kind == "word" and value.lower() in ("true", "false"):
            return value.lower() == "true"
        self._at -= 1
        return self._refuse()


def parse(text: str) -> Node:
    """Return the tree of a predicate. Raises ApiError 400 InvalidInput."""
    return _Parser(text).whole()


def needles(node: Node, paths: frozenset[tuple[str, ...]]) -> set[Literal] | None:
    """Return the only values one of these paths can have where the predicate holds; None when unbounded."""
    match node:
        case Compare(name, "=" | "in", values) if (name,) in paths:
            return set(values)
        case Nested(name, inner):
            rest = frozenset(path[1:] for path in paths if len(path) > 1 and path[0] == name)
            return needles(inner, rest) if rest else None
        case Both(parts):
            found = [some for part in parts if (some := needles(part, paths)) is not None]
            return min(found, key=len) if found else None
        case Either(parts):
            every = [needles(part, paths) for part in parts]
            return None if None in every else set().union(*(some for some in every if some))
        case _:
            return None


def lower_bound(node: Node, name: str, read: Callable[[str], str]) -> str | None:
    """Return a text that no matching document's field `name` is below; None when there is none.

    `read` brings a literal into the form documents use.
    """
    match node:
        case Compare(field, "=" | ">" | ">=", (str() as value,)) if field == name:
            return read(value)
        case Both(parts):
            return max(
                (low for part in parts if (low := lower_bound(part, name, read)) is not None), default=None
            )
        case Either(parts):
            lows = [lower_bound(part, name, read) for part in parts]
            return min((low for low in lows if low is not None), default=None) if None not in lows else None
        case _:
            return None
