"""Input values of GraphQL operations: compiled once per document, then cheap for every request's variables.

The rules of input coercion are those of the GraphQL specification (October 2021, section 3); Long and DateTime
are as strict as the REST endpoints.
"""

from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    is_non_null_type,
)
from graphql.language import (
    BooleanValueNode,
    EnumValueNode,
    IntValueNode,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

from archsyncd.simulators.commercetools.errors import ApiError, invalid_input
from archsyncd.simulators.commercetools.shapes import DATE_TIME, INT32, INT64

Variables = Mapping[str, Any]
Coerce = Callable[[Any], Any]
Read = Callable[[Variables], Any]
MISSING: Any = object()


def _bad(name: str, value: Any) -> ApiError:
    return invalid_input(f"Query validation error: {value!r:.80} is no value of the type {name}.")


def _whole(name: str, bound: int) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not int or not -bound <= value < bound:
            raise _bad(name, value)
        return value

    return coerce


def _of(name: str, kind: type) -> Coerce:
    def coerce(value: Any) -> Any:
        if type(value) is not kind:
            raise _bad(name, value)
        return value

    return coerce


def _moment(value: Any) -> Any:
    if type(value) is not str or not DATE_TIME.match(value):
        raise _bad("DateTime", value)
    return value


SCALARS: dict[str, Coerce] = {
    "String": _of("String", str),
    "Boolean": _of("Boolean", bool),
    "Int": _whole("Int", INT32),
    "Long": _whole("Long", INT64),
    "DateTime": _moment,
}


def coercion(kind: GraphQLInputType) -> Coerce:
    """Return a function that checks and returns one value of a type. It raises ApiError 400."""
    if isinstance(kind, GraphQLNonNull):
        return _non_null(kind)
    inner = _nullable(kind)
    return lambda value: None if value is None else inner(value)


def _non_null(kind: Any) -> Coerce:
    inner, name = _nullable(kind.of_type), str(kind)

    def coerce(value: Any) -> Any:
        if value is None:
            raise _bad(name, None)
        return inner(value)

    return coerce


def _nullable(kind: Any) -> Coerce:
    if isinstance(kind, GraphQLList):
        item = coercion(kind.of_type)
        return lambda value: [item(part) for part in value] if isinstance(value, list) else [item(value)]
    if isinstance(kind, GraphQLInputObjectType):
        return _object(kind)
    if isinstance(kind, GraphQLEnumType):
        return _of(kind.name, str)
    return SCALARS[kind.name]


def _object(kind: GraphQLInputObjectType) -> Coerce:
    parts = {name: coercion(field.type) for name, field in kind.fields.items()}
    needed = [name for name, field in kind.fields.items() if is_non_null_type(field.type)]
    name = kind.name

    def coerce(value: Any) -> Any:
        if type(value) is not dict:
            raise _bad(name, value)
        for part in needed:
            if part not in value:
                raise _bad(f"{name}.{part}", None)
        try:
            return {part: parts[part](inner) for part, inner in value.items()}
        except KeyError:
            raise _bad(name, sorted(set(value) - set(parts))) from None

    return coerce


def _plain(node: ValueNode) -> Any:
    """Return the Python value of a leaf literal, MISSING for a kind of literal nothing here takes."""
    match node:
        case IntValueNode(value=text):
            return int(text)
        case StringValueNode(value=text) | EnumValueNode(value=text):
            return text
        case BooleanValueNode(value=flag):
            return flag
        case NullValueNode():
            return None
    return MISSING


def reader(node: ValueNode, kind: GraphQLInputType) -> Read:
    """Return a function from variables to an argument's value; constants are coerced now.

    Raises ApiError 400 for a literal the type does not take; an absent variable reads as MISSING.
    """
    if isinstance(node, VariableNode):
        name = node.name.value
        return lambda variables: variables.get(name, MISSING)
    if not _has_variables(node):
        value = coercion(kind)(_constant(node))
        return lambda _: value
    bare: Any = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(bare, GraphQLList):
        items = [reader(part, bare.of_type) for part in getattr(node, "values", (node,))]
        return lambda variables: [item(variables) for item in items]
    assert isinstance(node, ObjectValueNode)
    assert isinstance(bare, GraphQLInputObjectType)
    parts = {part.name.value: reader(part.value, bare.fields[part.name.value].type) for part in node.fields}
    return lambda variables: {
        name: value for name, read in parts.items() if (value := read(variables)) is not MISSING
    }


def _has_variables(node: ValueNode) -> bool:
    if isinstance(node, ListValueNode):
        return any(_has_variables(part) for part in node.values)
    if isinstance(node, ObjectValueNode):
        return any(_has_variables(part.value) for part in node.fields)
    return isinstance(node, VariableNode)


def _constant(node: ValueNode) -> Any:
    if isinstance(node, ListValueNode):
        return [_constant(part) for part in node.values]
    if isinstance(node, ObjectValueNode):
        return {part.name.value: _constant(part.value) for part in node.fields}
    value = _plain(node)
    if value is MISSING:
        raise _bad("any input", "this literal")
    return value


def constant(node: ValueNode, kind: GraphQLInputType) -> Any:
    """Return a default value's coerced constant. Raises ApiError 400."""
    return coercion(kind)(_constant(node))
