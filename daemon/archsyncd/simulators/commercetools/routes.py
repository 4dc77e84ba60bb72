"""The endpoints of the simulated API: path, method, scopes that will do, and what runs; no path beside these exists."""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from archsyncd.simulators.commercetools.custom_objects import CustomObjects
from archsyncd.simulators.commercetools.errors import invalid_input
from archsyncd.simulators.commercetools.exchange import Call
from archsyncd.simulators.commercetools.inventory import Inventory
from archsyncd.simulators.commercetools.queries import (
    Catalog,
    page,
    parameters,
    single,
    whole_number,
)
from archsyncd.simulators.commercetools.records import Document
from archsyncd.simulators.commercetools.shapes import parse

Result = tuple[int, Document]
Handler = Callable[[Call], Result]
NOTHING: frozenset[str] = frozenset()
KEYED = ("key=", "order-number=")


class Route(NamedTuple):
    """An endpoint: the name faults and counters use, the scopes of which one is needed, and its handler."""

    name: str
    scopes: tuple[str, ...]
    run: Handler


Table = dict[tuple[str, str], Route]


def split(path: str) -> tuple[str, str, tuple[str, ...]]:
    """Return project key, pattern and arguments of a path: `/p/inventory/key=a` is p, `inventory/key={}`, (a,)."""
    parts = path.split("/")
    if len(parts) == 4:  # noqa: PLR2004 - "", project, resource, id: by far the most frequent
        raw = parts[3]
        if raw == "import" and parts[2] == "orders":
            return parts[1], "orders/import", ()
        if "=" not in raw:
            return parts[1], f"{parts[2]}/{{}}", (unquote(raw) if "%" in raw else raw,)
    pattern, arguments = parts[2:3], []
    for part in parts[3:]:
        prefix = next((known for known in KEYED if part.startswith(known)), "")
        pattern.append(prefix + "{}")
        arguments.append(unquote(part[len(prefix) :]))
    return parts[1] if len(parts) > 1 else "", "/".join(pattern), tuple(arguments)


def bare(query: str) -> None:
    """Refuse query parameters where none are known. Raises ApiError 400."""
    if query:
        parameters(query, NOTHING)


def version_of(query: str, *others: str, needed: bool = True) -> int | None:
    """Return the version a DELETE names. Raises ApiError 400 when it is missing or malformed."""
    found = parameters(query, frozenset({"version", *others}))
    for name in others:
        if single(found, name) not in (None, "true", "false"):
            raise invalid_input(f"Malformed parameter: {name}.")
    version = whole_number(found, "version")
    if version is None and needed:
        raise invalid_input("Missing required parameter: version.")
    return version


def listing(catalog: Catalog[Any]) -> Handler:
    """Return a handler that answers list requests from a catalog."""
    return lambda call: (200, catalog.select(page(call.query)))


def reading(get: Callable[..., Document]) -> Handler:
    """Return a handler that answers one document by its path arguments."""

    def run(call: Call) -> Result:
        bare(call.query)
        return 200, get(*call.arguments)

    return run


def inventory_routes(inventory: Inventory) -> Table:
    """Return the endpoints of `/inventory`."""
    view, change = ("view_products",), ("manage_products",)

    def create(call: Call) -> Result:
        bare(call.query)
        return 201, inventory.create(parse(call.body), call.actor).document()

    def by(find: Callable[[str], Any], form: str) -> Table:
        def read(call: Call) -> Result:
            bare(call.query)
            return 200, find(call.arguments[0]).document()

        def update(call: Call) -> Result:
            if call.query:
                bare(call.query)
            request = parse(call.body)
            return 200, inventory.update(find(call.arguments[0]), request, call.actor).document()

        def delete(call: Call) -> Result:
            version = version_of(call.query)
            assert version is not None
            return 200, inventory.delete(find(call.arguments[0]), version, call.actor)

        return {
            ("GET", form): Route("inventory.get", view, read),
            ("POST", form): Route("inventory.update", change, update),
            ("DELETE", form): Route("inventory.delete", change, delete),
        }

    return {
        ("GET", "inventory"): Route("inventory.query", view, listing(inventory.catalog)),
        ("POST", "inventory"): Route("inventory.create", change, create),
        **by(inventory.by_id, "inventory/{}"),
        **by(inventory.by_key, "inventory/key={}"),
    }


def custom_object_routes(objects: CustomObjects) -> Table:
    """Return the endpoints of `/custom-objects`."""
    view, change = ("view_key_value_documents",), ("manage_key_value_documents",)

    def put(call: Call) -> Result:
        bare(call.query)
        return objects.put(parse(call.body), call.actor)

    def in_container(call: Call) -> Result:
        return 200, objects.in_container(call.arguments[0], page(call.query))

    def delete(call: Call) -> Result:
        container, key = call.arguments
        return 200, objects.delete(container, key, version_of(call.query, "dataErasure", needed=False))

    one = "custom-objects/{}/{}"
    return {
        ("GET", "custom-objects"): Route("custom-objects.query", view, listing(objects.catalog)),
        ("POST", "custom-objects"): Route("custom-objects.put", change, put),
        ("GET", "custom-objects/{}"): Route("custom-objects.query", view, in_container),
        ("GET", one): Route("custom-objects.get", view, reading(objects.get)),
        ("DELETE", one): Route("custom-objects.delete", change, delete),
    }
