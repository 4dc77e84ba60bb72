"""Turns a GraphQL document into a plan that can be run with variables: parsed, validated and resolved once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_non_null_type,
    parse,
    type_from_ast,
    validate,
)
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_location,
)

from archsyncd.simulators.commercetools.errors import ApiError, invalid_input
from archsyncd.simulators.commercetools.graphql_values import (
    MISSING,
    Coerce,
    Read,
    Variables,
    coercion,
    constant,
    reader,
)

Resolve = Callable[[Any, Mapping[str, Any]], Any]
Resolvers = Mapping[tuple[str, str], Resolve]
Shape = Callable[[Any, Variables], Any]
MAXIMUM_TOKENS = 60_000
CACHED_DOCUMENTS = 256
LIST_WEIGHT = 20
MUTATION_WEIGHT = 10


@dataclass(frozen=True, slots=True)
class Root:
    """One field of the operation: its alias, its name, its arguments, the answer's shape and its place in the text."""

    alias: str
    name: str
    arguments: Mapping[str, Read]
    shape: Shape
    location: dict[str, int]
    nullable: bool
    weight: int
    wants_total: bool

    def read(self, variables: Variables) -> dict[str, Any]:
        """Return the arguments given."""
        return {
            name: value for name, read in self.arguments.items() if (value := read(variables)) is not MISSING
        }


class Variable(NamedTuple):
    """A declared variable: how its value is checked and what stands for an absent one."""

    name: str
    coerce: Coerce
    default: Any
    needed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A document ready to run."""

    mutates: bool
    variables: tuple[Variable, ...]
    roots: tuple[Root, ...]

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check the variables sent. Raises ApiError 400."""
        values = {}
        for name, coerce, default, needed in self.variables:
            if name in given:
                values[name] = coerce(given[name])
            elif default is not MISSING:
                values[name] = default
            elif needed:
                raise invalid_input(f"Query validation error: the variable ${name} is missing.")
        return values

    def complexity(self, variables: Variables) -> int:
        """Return the weight of the whole operation, list fields counted as often as they may repeat."""
        total = 0
        for root in self.roots:
            limit = root.arguments.get("limit")
            times = limit(variables) if limit is not None else LIST_WEIGHT if root.name.endswith("s") else 1
            total += root.weight * (times if isinstance(times, int) else LIST_WEIGHT)
            total += MUTATION_WEIGHT if self.mutates else 0
        return total


class Planner:
    """Makes plans for one schema and its resolvers."""

    def __init__(self, schema: GraphQLSchema, resolvers: Resolvers) -> None:
        self._schema = schema
        self._resolvers = resolvers

    def plan(self, text: str, operation_name: str | None) -> Plan:
        """Return the plan of a document's operation. Raises ApiError 400."""
        document = _document(self._schema, text)
        fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        operation = _chosen(operations, operation_name)
        mutates = operation.operation is OperationType.MUTATION
        parent = self._schema.mutation_type if mutates else self._schema.query_type
        assert parent is not None
        collected = self._collect(operation.selection_set, fragments)
        roots = tuple(self._root(alias, nodes, parent, fragments) for alias, nodes in collected.items())
        return Plan(
            mutates, tuple(self._variable(node) for node in operation.variable_definitions or ()), roots
        )

    def _variable(self, node: Any) -> Variable:
        kind: Any = type_from_ast(self._schema, node.type)
        default = MISSING if node.default_value is None else constant(node.default_value, kind)
        return Variable(node.variable.name.value, coercion(kind), default, is_non_null_type(kind))

    def _collect(
        self, selections: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
    ) -> dict[str, list[FieldNode]]:
        found: dict[str, list[FieldNode]] = {}
        for node in selections.selections:
            if node.directives:
                raise invalid_input("Query validation error: directives are not simulated.")
            if isinstance(node, FieldNode):
                found.setdefault((node.alias or node.name).value, []).append(node)
                continue
            inner: Any = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(inner, FragmentDefinitionNode | InlineFragmentNode)
            for alias, nodes in self._collect(inner.selection_set, fragments).items():
                found.setdefault(alias, []).extend(nodes)
        return found

    def _root(
        self,
        alias: str,
        nodes: list[FieldNode],
        parent: GraphQLObjectType,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> Root:
        node = nodes[0]
        name = node.name.value
        if name == "__typename":
            typename = parent.name
            return Root(alias, name, {}, lambda *_: typename, _location(node), True, 1, False)
        if name.startswith("__"):
            raise invalid_input("Query validation error: introspection is not simulated.")
        field = parent.fields[name]
        arguments = _arguments(node, field)
        shape, weight, leaves = self._shape(nodes, field, fragments)
        return Root(
            alias,
            name,
            arguments,
            shape,
            _location(node),
            not is_non_null_type(field.type),
            weight,
            "total" in leaves,
        )

    def _shape(
        self,
        nodes: list[FieldNode],
        field: GraphQLField,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> tuple[Shape, int, set[str]]:
        """Return how a value is shown, the number of fields in it, and the names of its direct fields."""
        kind = get_named_type(field.type)
        if not hasattr(kind, "fields"):
            return lambda value, _: value, 1, set()
        assert isinstance(kind, GraphQLObjectType)
        collected: dict[str, list[FieldNode]] = {}
        for node in nodes:
            assert node.selection_set is not None
            for alias, some in self._collect(node.selection_set, fragments).items():
                collected.setdefault(alias, []).extend(some)
        parts, weight = [], 1
        for alias, some in collected.items():
            part, inner = self._part(some, kind, fragments)
            parts.append((alias, part))
            weight += inner
        names = {some[0].name.value for some in collected.values()}
        return _object_shape(parts), weight, names

    def _part(
        self,
        nodes: list[FieldNode],
        kind: GraphQLObjectType,
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> tuple[Shape, int]:
        name = nodes[0].name.value
        if name == "__typename":
            typename = kind.name
            return lambda *_: typename, 1
        field = kind.fields[name]
        shape, weight, _ = self._shape(nodes, field, fragments)
        resolve = self._resolvers.get((kind.name, name))
        arguments = _arguments(nodes[0], field)
        if resolve is None:
            if weight == 1:
                return lambda value, _: value.get(name), 1
            return lambda value, variables: shape(value.get(name), variables), weight
        chosen = resolve

        def show(value: Any, variables: Variables) -> Any:
            given = {key: got for key, read in arguments.items() if (got := read(variables)) is not MISSING}
            return shape(chosen(value, given), variables)

        return show, weight


@lru_cache(maxsize=CACHED_DOCUMENTS)
def _document(schema: GraphQLSchema, text: str) -> DocumentNode:
    """A document that is valid in a schema; the same one for all projects. Raises ApiError 400."""
    try:
        document = parse(text, max_tokens=MAXIMUM_TOKENS)
    except GraphQLError as error:
        raise ApiError(400, "SyntaxError", f"Syntax error: {error.message}") from None
    refusals = validate(schema, document)
    if refusals:
        listed = "; ".join(error.message for error in refusals[:3])
        raise invalid_input(f"Query validation error: {listed}")
    return document


def _arguments(node: FieldNode, field: GraphQLField) -> dict[str, Read]:
    given = {
        part.name.value: reader(part.value, field.args[part.name.value].type) for part in node.arguments or ()
    }
    for name, argument in field.args.items():
        if name not in given and argument.default_value not in (None, MISSING) and not _undefined(argument):
            given[name] = lambda _, value=argument.default_value: value  # type: ignore[misc]
    return given


def _undefined(argument: Any) -> bool:
    return type(argument.default_value).__name__ == "UndefinedType"


def _location(node: FieldNode) -> dict[str, int]:
    assert node.loc is not None
    place = get_location(node.loc.source, node.loc.start)
    return {"line": place.line, "column": place.column}


def _object_shape(parts: list[tuple[str, Shape]]) -> Shape:
    def one(value: Any, variables: Variables) -> Any:
        return {alias: part(value, variables) for alias, part in parts}

    def show(value: Any, variables: Variables) -> Any:
        if value is None:
            return None
        if isinstance(value, list):
            return [one(part, variables) for part in value]
        return one(value, variables)

    return show


def _chosen(operations: list[OperationDefinitionNode], name: str | None) -> OperationDefinitionNode:
    named = [node for node in operations if name is None or (node.name and node.name.value == name)]
    if len(named) != 1:
        raise invalid_input("Query validation error: name exactly one operation of the document.")
    return named[0]
