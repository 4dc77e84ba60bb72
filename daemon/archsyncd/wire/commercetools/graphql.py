"""GraphQL for batches of writes and for look-ups: one document per size, every value a variable. No sockets.

A look-up of entries by id goes as a POST where its URL would be too long: 7 kB hold some 150 ids, a page answers 500.
Field and argument names: commercetools' GraphQL schema. Each alias of a batch succeeds or fails alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from archsyncd.domain.inventory import (
    EntryPage,
    EntryWrite,
    Failure,
    TooLarge,
    Unknown,
    WriteAnswer,
    WriteKind,
)
from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.entries import (
    MARKER_FIELDS,
    ChannelMap,
    actions_of,
    draft_of,
    entry_page,
    versioned,
    written,
)
from archsyncd.wire.commercetools.errors import ErrorObject, error_in, failure_of_error
from archsyncd.wire.commercetools.exchange import Request, post
from archsyncd.wire.commercetools.predicates import is_in, products_with

_PATH = "/graphql"
_DOCUMENTS_KEPT = 512
_PRODUCTS = (
    "query Skus($where: String!, $limit: Int!) { products(where: $where, limit: $limit) { results {"
    " masterData { current { masterVariant { sku } variants { sku } } } } } }"
)
_ENTRIES = (
    "query Entries($where: String!, $limit: Int!, $fields: [String!]!) { inventoryEntries(where: $where, limit: $limit) {"
    " results { id version sku quantityOnStock availableQuantity restockableInDays createdAt supplyChannelRef { id }"
    " lastModifiedBy { externalUserId }"
    " custom { typeRef { id } customFieldsRaw(includeNames: $fields) { name value } } } } }"
)


@lru_cache(maxsize=_DOCUMENTS_KEPT)
def writes_document(updates: int, creates: int = 0) -> str:
    """The mutation that updates and then creates so many entries, the same text for every batch of that shape."""
    changed, new = range(updates), range(updates, updates + creates)
    declared = [f"$i{n}: String!, $v{n}: Long!, $a{n}: [InventoryEntryUpdateAction!]!" for n in changed]
    declared += [f"$d{n}: InventoryEntryDraft!" for n in new]
    aliased = [
        f"a{n}: updateInventoryEntry(id: $i{n}, version: $v{n}, actions: $a{n}) {{ id version quantityOnStock }}"
        for n in changed
    ]
    aliased += [
        f"a{n}: createInventoryEntry(draft: $d{n}) {{ id version quantityOnStock createdAt }}" for n in new
    ]
    return f"mutation Writes({', '.join(declared)}) {{ {' '.join(aliased)} }}"


def batch_order(writes: Sequence[EntryWrite]) -> tuple[int, ...]:
    """The order in which a batch's writes stand as aliases, by index: updates, which may be urgent, before creates."""
    return tuple(sorted(range(len(writes)), key=lambda n: writes[n].kind is WriteKind.CREATE))


def writes_request(writes: Sequence[EntryWrite], type_key: str) -> Request:
    """One POST of aliased writes, in `batch_order`. Raises ValueError for an empty batch."""
    if not writes:
        raise ValueError("a batch of nothing is not a write")
    variables: dict[str, Any] = {}
    for n, write in enumerate(writes):
        if write.kind is WriteKind.CREATE:
            variables[f"d{n}"] = _draft_input(draft_of(write, type_key))
        else:
            variables[f"i{n}"], variables[f"v{n}"] = versioned(write)
            variables[f"a{n}"] = [_input_of(action) for action in actions_of(write, type_key)]
    creates = sum(write.kind is WriteKind.CREATE for write in writes)
    return post(_PATH, {"query": writes_document(len(writes) - creates, creates), "variables": variables})


def _draft_input(draft: Mapping[str, Any]) -> dict[str, Any]:
    details = dict(draft)
    if "custom" in details:
        details["custom"] = _with_field_list(details["custom"])
    return details


def _with_field_list(details: Mapping[str, Any]) -> dict[str, Any]:
    fields: Mapping[str, Any] = details["fields"]
    listed = [{"name": name, "value": _json_text(value)} for name, value in fields.items()]
    return {**details, "fields": listed}


def _input_of(action: Mapping[str, Any]) -> dict[str, Any]:
    # REST tells the action's name in a field; GraphQL takes it as the one field of an input object.
    details: dict[str, Any] = {name: value for name, value in action.items() if name != "action"}
    if "value" in details:
        details["value"] = _json_text(details["value"])
    if "fields" in details:
        details = _with_field_list(details)
    return {str(action["action"]): details}


def _json_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def writes_answer(tree: Any, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
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


def refusal_in(answer: Mapping[str, Any]) -> Failure | None:
    """Why a query was not answered, None where nothing in the answer says so. Raises MalformedAnswer."""
    by_alias, whole = _errors_of(answer)
    return failure_of_error(whole or next(iter(by_alias.values()))) if whole or by_alias else None


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


def entries_request(ids: Sequence[str]) -> Request:
    """Ask for entries by id, at most one page of them."""
    variables = {"where": is_in("id", ids), "limit": len(ids), "fields": list(MARKER_FIELDS)}
    return post(_PATH, {"query": _ENTRIES, "variables": variables}, writes=False)


def entries_answer(tree: Any, channels: ChannelMap, server_ms: int) -> EntryPage | Failure:
    """Read entries; an entry that cannot be read is told as a fault. Raises MalformedAnswer."""
    answer = strict.mapping(tree, "body")
    by_alias, whole = _errors_of(answer)
    if whole or by_alias:
        return failure_of_error(whole or next(iter(by_alias.values())))
    found = strict.mapping(
        strict.mapping(answer.get("data"), "data").get("inventoryEntries"), "inventoryEntries"
    )
    results = [_as_rest(item) for item in strict.sequence(found.get("results"), "results")]
    return entry_page({"results": results}, channels, server_ms)


def _as_rest(item: Any) -> Any:
    """An entry in REST's shape. What does not fit is left as it is, for the reader of entries to refuse."""
    if not isinstance(item, dict):
        return item
    custom = item.get("custom")
    listed = custom.get("customFieldsRaw") if isinstance(custom, dict) else None
    if isinstance(custom, dict) and isinstance(listed, list):
        fields = {each.get("name"): each.get("value") for each in listed if isinstance(each, dict)}
        custom = {"type": custom.get("typeRef"), "fields": fields}
    return {**item, "supplyChannel": item.get("supplyChannelRef"), "custom": custom}
