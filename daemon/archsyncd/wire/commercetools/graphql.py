"""GraphQL for batches of writes and for product look-ups: one document per size, every value a variable. No sockets.

Field and argument names: commercetools' GraphQL schema. Each alias of a batch succeeds or fails alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from archsyncd.domain.inventory import EntryWrite, Failure, TooLarge, Unknown, WriteAnswer, WriteKind
from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.entries import actions_of, versioned, written
from archsyncd.wire.commercetools.errors import ErrorObject, error_in, failure_of_error
from archsyncd.wire.commercetools.exchange import Request, post
from archsyncd.wire.commercetools.predicates import products_with

_PATH = "/graphql"
_DOCUMENTS_KEPT = 512
_PRODUCTS = (
    "query Skus($where: String!, $limit: Int!) { products(where: $where, limit: $limit) { results {"
    " masterData { current { masterVariant { sku } variants { sku } } } } } }"
)


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def updates_document(size: int) -> str:
    """The mutation that updates `size` entries, the same text for every batch of that size."""
    declared = ", ".join(
        f"$i{n}: String!, $v{n}: Long!, $a{n}: [InventoryEntryUpdateAction!]!" for n in range(size)
    )
    aliased = " ".join(
        f"a{n}: updateInventoryEntry(id: $i{n}, version: $v{n}, actions: $a{n})"
        " { id version quantityOnStock }"
        for n in range(size)
    )
    return f"mutation Updates({declared}) {{ {aliased} }}"


def updates_request(writes: Sequence[EntryWrite], type_key: str) -> Request:
    """One POST of aliased updates in the given order. Raises ValueError for creates and for an empty batch."""
    if not writes:
        raise ValueError("a batch of nothing is not a write")
    variables: dict[str, Any] = {}
    for n, write in enumerate(writes):
        if write.kind is WriteKind.CREATE:
            raise ValueError("a batch holds updates only")
        variables[f"i{n}"], variables[f"v{n}"] = versioned(write)
        variables[f"a{n}"] = [_input_of(action) for action in actions_of(write, type_key)]
    return post(_PATH, {"query": updates_document(len(writes)), "variables": variables})


def _input_of(action: Mapping[str, Any]) -> dict[str, Any]:
    # REST tells the action's name in a field; GraphQL takes it as the one field of an input object.
    details: dict[str, Any] = {name: value for name, value in action.items() if name != "action"}
    if "value" in details:
        details["value"] = _json_text(details["value"])
    if "fields" in details:
        fields: Mapping[str, Any] = details["fields"]
        details["fields"] = [{"name": name, "value": _json_text(value)} for name, value in fields.items()]
    return {str(action["action"]): details}


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def updates_answer(tree: Any, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
    """Read alias by alias; a Failure when the request failed as a whole. Raises MalformedAnswer."""
    answer = strict.mapping(tree, "body")
    by_alias, whole = _errors_of(answer)
    data = answer.get("data")
    if data is None and not by_alias:
        return failure_of_error(whole) if whole else Unknown("answer with neither data nor errors")
    results = strict.mapping(data or {}, "data")
    return tuple(_alias_answer(results, by_alias, f"a{n}", write) for n, write in enumerate(writes))


def _alias_answer(
    results: Mapping[str, Any], errors: Mapping[str, ErrorObject], alias: str, write: EntryWrite
) -> WriteAnswer:
    result = results.get(alias)
    if result is not None:
        try:
            return written(result, write.entry_id)
        except strict.MalformedAnswer as error:
            return Unknown(f"answer not understood: {error}")
    if alias in errors:
        return failure_of_error(errors[alias])
    return Unknown("no answer for this entry")


def _errors_of(answer: Mapping[str, Any]) -> tuple[dict[str, ErrorObject], ErrorObject | None]:
    """Errors by the alias they name, and the first that names none."""
    by_alias: dict[str, ErrorObject] = {}
    whole: ErrorObject | None = None
    for item in strict.sequence(answer.get("errors") or [], "errors"):
        path = item.get("path") if isinstance(item, dict) else None
        if isinstance(path, list) and path and isinstance(path[0], str):
            by_alias.setdefault(path[0], error_in(item))
        else:
            whole = whole or error_in(item)
    return by_alias, whole


def products_request(skus: Sequence[str]) -> Request:
    """Ask which of these SKUs a product's current data carries. A SKU belongs to one product, so that many at most."""
    variables = {"where": products_with(skus), "limit": len(skus)}
    return post(_PATH, {"query": _PRODUCTS, "variables": variables}, writes=False)


def products_answer(tree: Any, skus: Sequence[str]) -> frozenset[str] | Failure:
    """Read which were found. An answer cut off at its limit is TooLarge. Raises MalformedAnswer."""
    answer = strict.mapping(tree, "body")
    by_alias, whole = _errors_of(answer)
    if whole or by_alias:
        return failure_of_error(whole or next(iter(by_alias.values())))
    products = strict.mapping(strict.mapping(answer.get("data"), "data").get("products"), "products")
    results = strict.sequence(products.get("results"), "results")
    found = frozenset(sku for product in results for sku in _skus_of(product)) & frozenset(skus)
    if len(results) >= len(skus) and len(found) < len(set(skus)):
        return TooLarge("PageFull", "more products than asked for: some may be missing")
    return found


def _skus_of(product: Any) -> list[str]:
    data = strict.mapping(strict.mapping(product, "product").get("masterData"), "masterData")
    current = strict.mapping(data.get("current") or {}, "current")
    master = [current["masterVariant"]] if current.get("masterVariant") else []
    variants = [*master, *strict.sequence(current.get("variants") or [], "variants")]
    return [
        sku for variant in variants if isinstance(sku := strict.mapping(variant, "variant").get("sku"), str)
    ]
