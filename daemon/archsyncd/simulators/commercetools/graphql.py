"""The GraphQL endpoint: products and inventory, mutations one after another, each failing alone.

Custom field values are JSON texts; refusals stand in `errors[]` with path and `extensions.code` (commercetools,
"GraphQL API"). A document that cannot be run at all is refused with HTTP 400.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from graphql import GraphQLSchema, build_schema

from archsyncd.simulators.commercetools.entries import Entry
from archsyncd.simulators.commercetools.errors import (
    ApiError,
    invalid_field,
    invalid_input,
    invalid_operation,
    not_found,
)
from archsyncd.simulators.commercetools.exchange import Call
from archsyncd.simulators.commercetools.faults import ALIAS_ROUTES, APPLIED, IN_AN_ALIAS, STATUS, Faults
from archsyncd.simulators.commercetools.graphql_plan import CACHED_DOCUMENTS, Plan, Planner, Resolvers, Root
from archsyncd.simulators.commercetools.graphql_schema import SDL
from archsyncd.simulators.commercetools.project import Project
from archsyncd.simulators.commercetools.queries import Page, window
from archsyncd.simulators.commercetools.records import Actor, Document
from archsyncd.simulators.commercetools.routes import Result, Route, Table, bare
from archsyncd.simulators.commercetools.shapes import (
    OPTIONAL,
    REQUIRED,
    Shape,
    container_of_values,
    fields,
    parse,
    text,
)
from archsyncd.simulators.commercetools.tokens import missing_scope

REQUEST: Shape = {
    "query": (text, REQUIRED),
    "operationName": (text, OPTIONAL),
    "variables": (container_of_values, OPTIONAL),
}
Arguments = Mapping[str, Any]
Field = Callable[[Arguments, Root, Actor], Any]


class GraphQL:
    """Runs GraphQL requests against a project."""

    def __init__(self, project: Project, faults: Faults) -> None:
        self._project = project
        self._faults = faults
        planner = Planner(_schema(), self._resolvers())
        self._plan = lru_cache(maxsize=CACHED_DOCUMENTS)(planner.plan)
        self._fields: dict[str, Field] = {
            "products": self._products,
            "inventoryEntry": self._entry,
            "inventoryEntries": self._entries,
            "createInventoryEntry": self._create,
            "updateInventoryEntry": self._update,
            "deleteInventoryEntry": self._delete,
        }

    def routes(self) -> Table:
        """Return the endpoint; scopes are checked field by field."""
        return {("POST", "graphql"): Route("graphql", (), self._run)}

    def _run(self, call: Call) -> Result:
        if not self._project.config.graphql_enabled:
            raise not_found("graphql")
        bare(call.query)
        request = parse(call.body)
        fields(request, "body", REQUEST)
        plan = self._plan(request["query"], request.get("operationName"))
        variables = plan.values(request.get("variables") or {})
        limit = self._project.config.graphql_complexity_limit
        complexity = plan.complexity(variables)
        if complexity > limit:
            message = f"The query's complexity of {complexity} exceeds the limit of {limit}."
            raise ApiError(400, "QueryComplexityLimitExceeded", message)
        return 200, self._execute(plan, variables, call)

    def _execute(self, plan: Plan, variables: Document, call: Call) -> Document:
        data: Document = {}
        errors: list[Document] = []
        scope = "manage_products" if plan.mutates else "view_products"
        allowed = call.token.allows(scope)
        for root in plan.roots:
            if root.name == "__typename":
                data[root.alias] = root.shape(None, variables)
                continue
            try:
                if not allowed:
                    raise missing_scope((scope,), self._project.config.project_key)
                data[root.alias] = root.shape(self._value(root, variables, call.actor), variables)
            except ApiError as error:
                errors.append(_refusal(error, root))
                data[root.alias] = None
                if not root.nullable:
                    return {"data": None, "errors": errors}
        return {"data": data, "errors": errors} if errors else {"data": data}

    # -- fields -----------------------------------------------------------------------------------

    def _products(self, arguments: Arguments, root: Root, _: Actor) -> Document:
        skus = arguments.get("skus")
        where = () if skus is None else (_by_skus(skus),)
        return _listing(self._project.catalogue.catalog.select(_page(arguments, root, where)))

    def _entries(self, arguments: Arguments, root: Root, _: Actor) -> Document:
        return _listing(self._project.inventory.catalog.select(_page(arguments, root)))

    def _entry(self, arguments: Arguments, _root: Root, _: Actor) -> Document | None:
        try:
            return self._find(arguments).document()
        except ApiError as error:
            if error.code == "ResourceNotFound":
                return None
            raise

    def _create(self, arguments: Arguments, _: Root, actor: Actor) -> Document:
        draft = {name: value for name, value in arguments["draft"].items() if value is not None}
        if "supplyChannel" in draft:
            draft["supplyChannel"] = _given(draft["supplyChannel"])
        if "custom" in draft:
            draft["custom"] = _custom(draft["custom"])
        return self._project.inventory.create(draft, actor).document()

    def _update(self, arguments: Arguments, _: Root, actor: Actor) -> Document:
        request = {
            "version": arguments["version"],
            "actions": [_action(action) for action in arguments["actions"]],
        }
        return self._project.inventory.update(self._find(arguments), request, actor).document()

    def _delete(self, arguments: Arguments, _: Root, actor: Actor) -> Document:
        return self._project.inventory.delete(self._find(arguments), arguments["version"], actor)

    def _find(self, arguments: Arguments) -> Entry:
        entry_id, key = arguments.get("id"), arguments.get("key")
        if (entry_id is None) == (key is None):
            raise invalid_input("Give either id or key.")
        inventory = self._project.inventory
        return inventory.by_id(entry_id) if entry_id is not None else inventory.by_key(str(key))

    def _value(self, root: Root, variables: Document, actor: Actor) -> Any:
        """Return a field's value; a scripted fault may fail it alone, before or after its effect."""
        arguments = root.read(variables)
        run = self._fields[root.name]
        fault = None
        if self._faults.rules:
            target = orjson.dumps(arguments).decode()
            fault = self._faults.take(f"{ALIAS_ROUTES}{root.name}", "POST", target, b"")
        if fault is None:
            return run(arguments, root, actor)
        if fault.kind in APPLIED:
            run(arguments, root, actor)
        status, code = IN_AN_ALIAS.get(fault.kind) or STATUS[fault.kind]
        raise ApiError(status, code, f"Scripted fault: {fault.kind}.")

    def _resolvers(self) -> Resolvers:
        channels = self._project.channels

        def channel(entry: Document, _: Arguments) -> Document | None:
            named = entry.get("supplyChannel")
            return None if named is None else channels.by_id(named["id"])

        return {
            ("InventoryEntry", "supplyChannel"): channel,
            ("InventoryEntry", "supplyChannelRef"): lambda entry, _: entry.get("supplyChannel"),
            ("CustomFieldsType", "typeRef"): lambda custom, _: custom["type"],
            ("CustomFieldsType", "customFieldsRaw"): _raw_fields,
            ("Product", "skus"): lambda product, _: _skus(product["masterData"]["current"]),
            ("ProductData", "skus"): lambda data, _: _skus(data),
            ("ProductData", "variants"): lambda data, given: _variants(data["variants"], given),
            ("ProductData", "allVariants"): lambda data, given: _variants(
                [data["masterVariant"], *data["variants"]], given
            ),
        }


@lru_cache(maxsize=1)
def _schema() -> GraphQLSchema:
    """The one schema of every project of this process: nothing changes it."""
    return build_schema(SDL)


def _refusal(error: ApiError, root: Root) -> Document:
    return {
        "message": error.message,
        "path": [root.alias],
        "locations": [root.location],
        "extensions": {"code": error.code, **error.extra},
    }


def _page(arguments: Arguments, root: Root, where: tuple[str, ...] = ()) -> Page:
    limit, offset = window(arguments.get("limit"), arguments.get("offset"))
    given = arguments.get("where")
    where = where if given is None else (*where, given)
    return Page(where, tuple(arguments.get("sort") or ()), limit, offset, root.wants_total)


def _listing(answer: Document) -> Document:
    return {**answer, "exists": answer["count"] > 0}


def _by_skus(skus: list[str]) -> str:
    if not skus:
        raise invalid_field("skus", skus, "It must not be empty.")
    texts = ",".join(orjson.dumps(sku).decode() for sku in skus)
    return f"masterData(current(masterVariant(sku in ({texts})) or variants(sku in ({texts}))))"


def _skus(data: Document) -> list[str]:
    return [variant["sku"] for variant in (data["masterVariant"], *data["variants"]) if "sku" in variant]


def _variants(variants: list[Document], given: Arguments) -> list[Document]:
    wanted = given.get("skus")
    return variants if wanted is None else [variant for variant in variants if variant.get("sku") in wanted]


def _raw_fields(custom: Document, given: Arguments) -> list[Document]:
    include, exclude = given.get("includeNames"), given.get("excludeNames") or ()
    return [
        {"name": name, "value": value}
        for name, value in custom["fields"].items()
        if (include is None or name in include) and name not in exclude
    ]


def _given(value: Arguments) -> Document:
    return {name: part for name, part in value.items() if part is not None}


def _json(name: str, value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise invalid_field(name, value, "A custom field's value is a JSON text.") from None


def _custom(value: Arguments) -> Document:
    """Turn the GraphQL form of type and fields into the REST form."""
    identifiers = [("id", value.get("typeId")), ("key", value.get("typeKey"))]
    named = [{"typeId": "type", form: given} for form, given in identifiers if given is not None]
    if value.get("type") is not None:
        named.append({"typeId": "type", **_given(value["type"])})
    if len(named) > 1:
        raise invalid_operation("Name the type once.")
    result: Document = {"type": named[0]} if named else {}
    if value.get("fields") is not None:
        result["fields"] = {part["name"]: _json(part["name"], part["value"]) for part in value["fields"]}
    return result


def _action(action: Arguments) -> Document:
    """Turn the GraphQL form of an action, an object with one member, into the REST form."""
    if len(action) != 1:
        raise invalid_input("An update action is an object with exactly one member.")
    ((name, details),) = action.items()
    if details is None:
        raise invalid_input("An update action is an object with exactly one member.")
    if name == "setCustomField":
        value = details.get("value")
        parsed = None if value is None else _json(details["name"], value)
        return {"action": name, "name": details["name"], "value": parsed}
    if name == "setCustomType":
        return {"action": name, **_custom(details)}
    if name == "setSupplyChannel" and details.get("supplyChannel") is not None:
        return {"action": name, "supplyChannel": _given(details["supplyChannel"])}
    return {"action": name, **details}
