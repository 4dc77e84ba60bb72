"""Turns a predicate tree into a test of documents, checking names and types against the resource's fields."""

import operator
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from archsyncd.simulators.commercetools.errors import ApiError, invalid_input
from archsyncd.simulators.commercetools.predicate_tree import (
    Both,
    Compare,
    Either,
    Literal,
    Nested,
    Node,
    Not,
    State,
)
from archsyncd.simulators.commercetools.shapes import DATE_TIME

Document = dict[str, Any]
Test = Callable[[Any], bool]
Operator = Callable[[Any, Any], bool]


class Kind(Enum):
    """What a field holds, as far as predicates care."""

    TEXT = auto()
    NUMBER = auto()
    FLAG = auto()
    MOMENT = auto()
    OPEN = auto()
    TEXTS = auto()


FieldKinds = Mapping[str, "Kind | FieldKinds"]
ORDERED: dict[str, Operator] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _refuse(name: str, reason: str) -> ApiError:
    return invalid_input(f"Malformed parameter: where: the field '{name}' {reason}.")


def moment(value: str) -> str:
    """Write a moment the way documents do, so that texts compare as times."""
    match = DATE_TIME.match(value)
    if match is None:
        raise invalid_input(f"Malformed parameter: where: '{value}' is not a date and time in UTC.")
    return f"{match.group(1)}.{(match.group(2) or '0').ljust(3, '0')}Z"


def _literal(name: str, kind: Kind, value: Literal) -> Literal:
    if kind is Kind.OPEN:
        return value
    if kind is Kind.FLAG:
        fits = isinstance(value, bool)
    elif kind is Kind.NUMBER:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise _refuse(name, f"cannot be compared with {value!r}")
    return moment(value) if kind is Kind.MOMENT and isinstance(value, str) else value


def _same_kind(left: Any, right: Any) -> bool:
    return isinstance(left, str) == isinstance(right, str) and isinstance(left, bool) == isinstance(
        right, bool
    )


def _compare(node: Compare, kind: Kind) -> Test:
    name = node.name
    values = tuple(_literal(name, kind, value) for value in node.values)
    first, every = values[0], frozenset(values)
    match node.operator:
        case "=":
            return lambda found: bool(found == first)
        case "!=":
            return lambda found: bool(found != first)
        case "in":
            return lambda found: _hashable(found) and found in every
        case "not in":
            return lambda found: not (_hashable(found) and found in every)
        case "any":
            return lambda found: isinstance(found, list) and any(part in every for part in found)
        case "all":
            return lambda found: isinstance(found, list) and every <= set(found)
    compare = ORDERED[node.operator]
    return lambda found: found is not None and _same_kind(found, first) and compare(found, first)


def _hashable(found: Any) -> bool:
    return isinstance(found, str | int | float | bool)


def _state(node: State) -> Test:
    wanted = not node.negated
    if node.word == "defined":
        return lambda found: (found is not None) == wanted
    return lambda found: (not found) == wanted


def _field(name: str, test: Test) -> Test:
    def look(document: Any) -> bool:
        return test(document.get(name))

    return look


def _inner(name: str, test: Test) -> Test:
    def look(document: Any) -> bool:
        value = document.get(name)
        if isinstance(value, list):
            return any(test(part) for part in value)
        return isinstance(value, dict) and test(value)

    return look


def _of_compare(node: Compare, kind: "Kind | FieldKinds") -> Test:
    if not isinstance(kind, Kind):
        raise _refuse(node.name, "is an object: name one of its fields")
    if (kind is Kind.TEXTS) != (node.operator in ("any", "all")) and kind is not Kind.OPEN:
        raise _refuse(node.name, f"does not take '{node.operator}'")
    return _field(node.name, _compare(node, kind))


def compile_predicate(node: Node, known: "Kind | FieldKinds") -> Test:
    """Return a test of one document.

    Raises ApiError 400 InvalidInput on an unknown field, a wrong literal type or an operator a field lacks.
    """
    match node:
        case Both(parts):
            tests = [compile_predicate(part, known) for part in parts]
            return lambda document: all(test(document) for test in tests)
        case Either(parts):
            tests = [compile_predicate(part, known) for part in parts]
            return lambda document: any(test(document) for test in tests)
        case Not(inner):
            negated = compile_predicate(inner, known)
            return lambda document: not negated(document)
    kind = known if isinstance(known, Kind) else known.get(node.name)
    if kind is None:
        raise _refuse(node.name, "does not exist")
    match node:
        case State():
            return _field(node.name, _state(node))
        case Compare():
            return _of_compare(node, kind)
        case Nested(name, inner):
            if isinstance(kind, Kind) and kind is not Kind.OPEN:
                raise _refuse(name, "has no fields of its own")
            return _inner(name, compile_predicate(inner, kind))
