"""Checks requests and answers against the vendor's OpenAPI and GraphQL descriptions; knows no code of ours.

The folder comes from ARCHSYNCD_VENDOR_API and holds openapi.yaml and schema.graphql (repository
commercetools-api-reference); without it the tests that need it skip and say so.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VARIABLE = "ARCHSYNCD_VENDOR_API"
Tree = dict[str, Any]
SCHEMA_PREFIX = "#/components/schemas/"
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"
DROPPED = frozenset({"description", "example", "examples", "x-annotation-enumDescriptions", "format"})


WORDS = frozenset(
    {"String", "ID", "Locale", "Country", "Currency", "CurrencyCode", "KeyReferenceInput", "YearMonth"}
)
WHOLE_NUMBERS = frozenset({"Int", "Long"})
NUMBERS = frozenset({"Float", "BigDecimal"})
ERROR_MEMBERS = frozenset({"message", "locations", "path", "extensions"})
TOKEN_REFUSAL_MEMBERS = {"statusCode", "message", "error", "error_description", "errors"}
TOKEN_MEMBERS = {"access_token": str, "expires_in": int, "scope": str, "token_type": str}
GRANTED = re.compile(r"[a-z_]+:[a-z0-9_-]+(:\S+)?")


class VendorMismatchError(AssertionError):
    """A request or an answer does not fit the vendor's description; says where and why."""


def _dispatch(
    validator: Any, mapping: Mapping[str, str], instance: Any, schema: Tree
) -> Iterator[ValidationError]:
    """Check an object by the schema its discriminator names; an unknown name is a mismatch."""
    name = instance.get(schema["x-property"]) if isinstance(instance, dict) else None
    if not isinstance(name, str) or name not in mapping:
        yield ValidationError(f"{schema['x-property']} {name!r} is none of the {len(mapping)} known")
        return
    yield from validator.descend(instance, {"$ref": mapping[name]})


def _whole(_: Any, instance: Any) -> bool:
    return isinstance(instance, int) and not isinstance(instance, bool)


StrictValidator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"x-dispatch": _dispatch},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _whole),
)


def _cached_tree(path: Path) -> Tree:
    mark = hashlib.sha256(path.read_bytes()).hexdigest()[:24]
    kept = Path(tempfile.gettempdir()) / f"vendor-api-{os.getuid()}-{mark}.json"
    if kept.exists() and kept.stat().st_uid == os.getuid():
        tree: Tree = json.loads(kept.read_text())
        return tree
    # A safe loader, in C where there is one: three megabytes take 2 s instead of 20.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    tree = yaml.load(path.read_text(), Loader=loader)
    text = json.dumps(tree, default=str)
    part = kept.with_suffix(f".{os.getpid()}")
    part.write_text(text)
    part.replace(kept)
    return json.loads(text)  # type: ignore[no-any-return]


class _Schemas:
    """Rewrites the vendor's schemas so that each object is closed and discriminators are followed."""

    def __init__(self, tree: Tree) -> None:
        self._source: Tree = tree["components"]["schemas"]

    def all(self) -> Tree:
        definitions: Tree = {}
        for name in self._source:
            definitions[name] = self._definition(name)
            definitions[f"{name}!"] = self._flat(name)
        return definitions

    def _definition(self, name: str) -> Tree:
        found = self._discriminator(name)
        if found is None:
            return {"$ref": f"#/$defs/{name}!"}
        mapping = {
            value: f"#/$defs/{target.removeprefix(SCHEMA_PREFIX)}"
            for value, target in found["mapping"].items()
        }
        # The mapping leaves out what derives by way of another schema (OrderCreatedMessage is an OrderMessage).
        for other in self._source:
            if other.endswith(name) and other != name and self._derives(other, name):
                mapping.setdefault(other.removesuffix(name), f"#/$defs/{other}!")
        return {"x-dispatch": mapping, "x-property": found["propertyName"]}

    def _derives(self, name: str, base: str) -> bool:
        parents = [part["$ref"] for part in self._source[name].get("allOf", ()) if "$ref" in part]
        return any(
            parent == SCHEMA_PREFIX + base or self._derives(parent.removeprefix(SCHEMA_PREFIX), base)
            for parent in parents
        )

    def _discriminator(self, name: str) -> Tree | None:
        schema = self._source[name]
        parts = [schema, *schema.get("allOf", ())]
        return next((part["discriminator"] for part in parts if "discriminator" in part), None)

    def _flat(self, name: str) -> Tree:
        merged: Tree = {}
        self._merge(self._source[name], merged)
        if "properties" in merged:
            merged.setdefault("additionalProperties", False)
        return merged

    def _merge(self, schema: Tree, into: Tree) -> None:
        for part in schema.get("allOf", ()):
            if "$ref" in part:
                self._merge(self._source[part["$ref"].removeprefix(SCHEMA_PREFIX)], into)
            else:
                self._merge(part, into)
        own = _rewritten(
            {key: value for key, value in schema.items() if key not in ("allOf", "discriminator")}
        )
        into.setdefault("properties", {}).update(own.pop("properties", {}))
        into["required"] = sorted({*into.get("required", ()), *own.pop("required", ())})
        into.update(own)
        if not into["properties"]:
            del into["properties"]


def _rewritten(node: Any) -> Any:
    """Return a schema in JSON Schema's terms: own references, moments as patterns, maps with pattern names."""
    if isinstance(node, list):
        return [_rewritten(part) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": f"#/$defs/{str(node['$ref']).removeprefix(SCHEMA_PREFIX)}"}
    result = {
        key: _rewritten(value) for key, value in node.items() if key not in DROPPED or key == "properties"
    }
    if node.get("format") == "datetime":
        result["pattern"] = MOMENT
    required = [name for name in node.get("required", ()) if isinstance(name, str)]
    patterns = [name for name in required if name.startswith("/")]
    if patterns:
        # The vendor writes maps as one "required" pattern; the value's type told beside it holds for texts only.
        names = {"pattern": patterns[0].strip("/")}
        return {"type": "object", "propertyNames": names}
    return result


class VendorApi:
    """The vendor's description of its HTTP and GraphQL APIs."""

    def __init__(self, folder: Path) -> None:
        self._tree = _cached_tree(folder / "openapi.yaml")
        self._graphql_path = folder / "schema.graphql"
        self._graphql: GraphQLSchema | None = None
        self._validators: dict[str, Any] = {}
        schema: Tree = {"$id": "urn:vendor", "$defs": _Schemas(self._tree).all()}
        self._registry = Registry().with_resource(
            "urn:vendor", Resource.from_contents(schema, default_specification=DRAFT202012)
        )
        self._paths = [(_pattern(path), path) for path in sorted(self._tree["paths"], key=_literal_first)]

    def ready(self) -> None:
        """Read everything now that would else be read at its first use, and hold that up."""
        self._graphql_schema()

    def operation(self, method: str, path: str) -> Tree:
        """Return the description of an operation; `path` with its project key. Raises VendorMismatchError."""
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                found: Tree | None = self._tree["paths"][template].get(method.lower())
                if found is not None:
                    return found
        raise VendorMismatchError(f"{method} {path} is no operation of the vendor's API")

    def check_request(
        self, method: str, path: str, body: Any = None, query: Mapping[str, Any] | None = None
    ) -> None:
        """Check path, method, query parameter names and JSON body. Raises VendorMismatchError."""
        operation = self.operation(method, path)
        known = {part["name"] for part in operation.get("parameters", ()) if part["in"] == "query"}
        unknown = [name for name in query or () if name not in known and not name.startswith("var.")]
        if unknown:
            raise VendorMismatchError(f"{method} {path}: unknown query parameters {unknown}")
        missing = [
            part["name"]
            for part in operation.get("parameters", ())
            if part["in"] == "query" and part.get("required") and part["name"] not in (query or ())
        ]
        if missing:
            raise VendorMismatchError(f"{method} {path}: missing query parameters {missing}")
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            self._check(f"{method} {path} request", content["application/json"]["schema"], body)
        elif body is not None:
            raise VendorMismatchError(f"{method} {path} takes no body")

    def check_response(self, method: str, path: str, status: int, body: Any) -> None:
        """Check a JSON answer; a status the description lacks must be in the error shape. Raises VendorMismatchError."""
        responses = self.operation(method, path)["responses"]
        described = responses.get(str(status))
        where = f"{method} {path} answer {status}"
        if described is not None and "$ref" in described:
            described = self._tree["components"]["responses"][described["$ref"].rpartition("/")[2]]
        if described is None or "application/json" not in described.get("content", {}):
            if status < 400:
                raise VendorMismatchError(f"{where}: the vendor describes no such status")
            if not isinstance(body, dict) or not {"statusCode", "message"} <= set(body):
                raise VendorMismatchError(f"{where}: not in the error shape")
            return
        schema = described["content"]["application/json"]["schema"]
        if status in (401, 403) and isinstance(body, dict) and "error" in body:
            schema = {"$ref": f"{SCHEMA_PREFIX}AuthErrorResponse"}
        self._check(where, schema, body)

    def check_graphql(self, query: str, variables: Mapping[str, Any] | None = None) -> None:
        """Check a document, and the variables it is sent with. Raises VendorMismatchError."""
        schema = self._graphql_schema()
        try:
            document = parse(query)
        except GraphQLError as error:
            raise VendorMismatchError(error.message) from None
        refusals = validate(schema, document)
        if refusals:
            raise VendorMismatchError("; ".join(error.message for error in refusals[:5]))
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                found = get_variable_values(schema, node.variable_definitions or (), dict(variables or {}))
                if isinstance(found, list):
                    raise VendorMismatchError("; ".join(error.message for error in found[:5]))

    def check_graphql_answer(self, query: str, body: Any) -> None:
        """Check an answer of status 200: what was asked for, in the schema's types. Raises VendorMismatchError."""
        if not isinstance(body, dict) or not body or set(body) - {"data", "errors", "extensions"}:
            raise VendorMismatchError(f"a GraphQL answer of {body!r:.200}")
        for error in body.get("errors", ()):
            if not isinstance(error.get("message"), str) or set(error) - ERROR_MEMBERS:
                raise VendorMismatchError(f"a GraphQL error of {error!r:.200}")
        if body.get("data") is None:
            if not body.get("errors"):
                raise VendorMismatchError("a GraphQL answer with neither data nor errors")
            return
        document = parse(query)
        parts = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        operation = next(node for node in document.definitions if isinstance(node, OperationDefinitionNode))
        root = self._graphql_schema().get_root_type(operation.operation)
        self._check_selected(root, operation.selection_set, body["data"], "data", parts)

    def _check_selected(
        self, kind: Any, asked: SelectionSetNode, value: Any, where: str, parts: Mapping[str, Any]
    ) -> None:
        if not isinstance(value, dict):
            raise VendorMismatchError(f"{where}: {value!r:.100} is no {kind}")
        named = value.get("__typename")
        wanted = dict(self._asked(kind, asked, named, parts))
        if set(wanted) != set(value):
            raise VendorMismatchError(f"{where}: asked for {sorted(wanted)}, answered {sorted(value)}")
        for name, (field_type, node) in wanted.items():
            self._check_value(field_type, node, value[name], f"{where}.{name}", parts)

    def _asked(
        self, kind: Any, asked: SelectionSetNode, named: str | None, parts: Mapping[str, Any]
    ) -> Iterator[tuple[str, tuple[Any, FieldNode]]]:
        """The fields of an answer by their names in it, with their types."""
        for node in asked.selections:
            if isinstance(node, FieldNode):
                name = node.name.value
                known = self._graphql_schema().type_map["String"]
                field_type = known if name == "__typename" else kind.fields[name].type
                yield (node.alias or node.name).value, (field_type, node)
                continue
            part = parts[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            assert isinstance(part, InlineFragmentNode | FragmentDefinitionNode)
            condition = part.type_condition.name.value if part.type_condition else kind.name
            if named in {None, condition} or condition == kind.name:
                inner = self._graphql_schema().type_map[condition]
                yield from self._asked(inner, part.selection_set, named, parts)

    def _check_value(
        self, kind: Any, node: FieldNode, value: Any, where: str, parts: Mapping[str, Any]
    ) -> None:
        if isinstance(kind, GraphQLNonNull):
            if value is None:
                raise VendorMismatchError(f"{where}: null where the schema allows none")
            kind = kind.of_type
        if value is None:
            return
        if isinstance(kind, GraphQLList):
            if not isinstance(value, list):
                raise VendorMismatchError(f"{where}: {value!r:.100} is no list")
            for one in value:
                self._check_value(kind.of_type, node, one, f"{where}[]", parts)
        elif isinstance(kind, GraphQLScalarType | GraphQLEnumType):
            if not _fits(kind, value):
                raise VendorMismatchError(f"{where}: {value!r:.100} is no {kind}")
        else:
            assert node.selection_set is not None
            self._check_selected(kind, node.selection_set, value, where, parts)

    def check_token(self, content_type: str, authorization: str, form: str, status: int, body: Any) -> None:
        """Check a token call and its answer (commercetools, "Authorization"). Raises VendorMismatchError."""
        fields = parse_qs(form, keep_blank_values=True)
        sent = (content_type.partition(";")[0], authorization.partition(" ")[0], fields.get("grant_type"))
        if sent != ("application/x-www-form-urlencoded", "Basic", ["client_credentials"]):
            raise VendorMismatchError(f"a token call of {sent}")
        if set(fields) - {"grant_type", "scope"}:
            raise VendorMismatchError(f"a token call with {sorted(fields)}")
        if status >= 400:
            members = body.keys() if isinstance(body, dict) else set()
            wanted = {"statusCode", "message"} | ({"error", "errors"} if status in (400, 401, 403) else set())
            if not wanted <= members or members - TOKEN_REFUSAL_MEMBERS:
                raise VendorMismatchError(
                    f"token answer {status}: not in the error shape ({sorted(members)})"
                )
            # The description lists no codes of the token service: those are OAuth's (RFC 6749, section 5.2).
            if any({"code", "message"} - error.keys() for error in body.get("errors", ())):
                raise VendorMismatchError(f"token answer {status}: {body['errors']!r:.200}")
            return
        kinds = {name: type(value) for name, value in body.items()} if isinstance(body, dict) else body
        if kinds != TOKEN_MEMBERS or body["token_type"] != "Bearer" or body["expires_in"] <= 0:
            raise VendorMismatchError(f"token answer {status}: {kinds}")
        if not all(GRANTED.fullmatch(scope) for scope in body["scope"].split()):
            raise VendorMismatchError(f"token answer {status}: the scopes {body['scope']!r}")

    def schema_differences(self, sdl: str) -> list[str]:
        """Return what of another schema is not in the vendor's with the same type: `Type.field` by name."""
        vendor, found = self._graphql_schema(), []
        for name, kind in build_schema(sdl).type_map.items():
            theirs = vendor.type_map.get(name)
            for field_name, field in getattr(kind, "fields", {}).items():
                other = getattr(theirs, "fields", {}).get(field_name)
                if other is None or str(other.type) != str(field.type):
                    found.append(f"{name}.{field_name}")
                    continue
                for argument, details in getattr(field, "args", {}).items():
                    known = other.args.get(argument)
                    if known is None or str(known.type) != str(details.type):
                        found.append(f"{name}.{field_name}({argument})")
        return [difference for difference in found if not difference.startswith("__")]

    def _graphql_schema(self) -> GraphQLSchema:
        if self._graphql is None:
            self._graphql = build_schema(self._graphql_path.read_text())
        return self._graphql

    def _check(self, where: str, schema: Tree, body: Any) -> None:
        reference = str(schema["$ref"]).removeprefix(SCHEMA_PREFIX)
        validator = self._validators.get(reference)
        if validator is None:
            whole = {"$ref": f"urn:vendor#/$defs/{reference}"}
            validator = self._validators[reference] = StrictValidator(whole, registry=self._registry)
        errors = list(validator.iter_errors(body))
        if errors:
            told = "; ".join(f"{error.json_path}: {error.message:.300}" for error in errors[:5])
            raise VendorMismatchError(f"{where}: {told}")


def _fits(kind: GraphQLScalarType | GraphQLEnumType, value: Any) -> bool:
    """Whether a value is one of a scalar; what is not told of in a type's name may be anything."""
    if isinstance(kind, GraphQLEnumType):
        return value in kind.values
    if kind.name in WHOLE_NUMBERS:
        return _whole(None, value)
    if kind.name in NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind.name == "Boolean":
        return isinstance(value, bool)
    if kind.name == "DateTime":
        return isinstance(value, str) and re.fullmatch(MOMENT, value) is not None
    return isinstance(value, str) or kind.name not in WORDS


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part) for part in _parts(path)))


def _parts(path: str) -> list[str]:
    return [part for part in re.split(r"(\{[^}]+\})", path) if part]


def _literal_first(path: str) -> tuple[int, str]:
    return (path.count("{") - path.count("="), path)


@cache
def load(folder: str) -> VendorApi:
    """Return the description in a folder, read once."""
    return VendorApi(Path(folder))


def vendor_api() -> VendorApi:
    """Return the vendor's description, or skip the test saying why there is none."""
    folder = os.environ.get(VARIABLE)
    if not folder or not (Path(folder) / "openapi.yaml").exists():
        pytest.skip(f"{VARIABLE} names no folder with the vendor's openapi.yaml and schema.graphql")
    return load(folder)
