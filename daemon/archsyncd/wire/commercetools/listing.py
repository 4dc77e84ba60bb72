"""Listing every SKU of the catalogue, and of a channel's entries: GraphQL pages by id that tell SKUs alone. No sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archsyncd.domain.audit import SkuPage
from archsyncd.domain.inventory import Failure
from archsyncd.wire.commercetools import strict
from archsyncd.wire.commercetools.exchange import Request, post
from archsyncd.wire.commercetools.graphql import refusal_in
from archsyncd.wire.commercetools.predicates import quoted

_PATH = "/graphql"
# The total is counted anew with each request that asks for it.
_PRODUCTS = (
    "query Catalogue($where: String!, $sort: [String!]!, $limit: Int!) {{ products(where: $where, sort: $sort, limit: $limit) {{"
    "{total} results {{ id masterData {{ current {{ masterVariant {{ sku }} variants {{ sku }} }} }} }} }} }}"
)
_ENTRIES = (
    "query Stocked($where: String!, $sort: [String!]!, $limit: Int!) {{ inventoryEntries(where: $where, sort: $sort, "
    "limit: $limit) {{{total} results {{ id sku }} }} }}"
)


def catalogue_request(after_id: str | None, limit: int, *, counted: bool = False) -> Request:
    """Ask for the next published products after an id, by id; `counted`: and how many there are."""
    return _page(_PRODUCTS, "masterData(published = true)", after_id, limit, counted=counted)


def stocked_request(channel_id: str, after_id: str | None, limit: int, *, counted: bool = False) -> Request:
    """Ask for the next entries of one channel after an id, by id; `counted`: and how many there are."""
    return _page(_ENTRIES, f"supplyChannel(id = {quoted(channel_id)})", after_id, limit, counted=counted)


def _page(document: str, where: str, after_id: str | None, limit: int, *, counted: bool) -> Request:
    beyond = "" if after_id is None else f" and id > {quoted(after_id)}"
    variables = {"where": f"{where}{beyond}", "sort": ["id asc"], "limit": limit}
    text = document.format(total=" total" if counted else "")
    return post(_PATH, {"query": text, "variables": variables}, writes=False)


def catalogue_page(tree: Any, after_id: str | None) -> SkuPage | Failure:
    """Read a page of products. Raises MalformedAnswer, also where it does not go on."""
    return _read(tree, "products", after_id, _variant_skus)


def stocked_page(tree: Any, after_id: str | None) -> SkuPage | Failure:
    """Read a page of entries. Raises MalformedAnswer, also where it does not go on."""
    return _read(tree, "inventoryEntries", after_id, lambda item: [item.get("sku")])


def _read(tree: Any, name: str, after_id: str | None, skus_of: Any) -> SkuPage | Failure:
    answer = strict.mapping(tree, "body")
    refused = refusal_in(answer)
    if refused is not None:
        return refused
    listed = strict.mapping(strict.mapping(answer.get("data"), "data").get(name), name)
    items = [strict.mapping(item, name) for item in strict.sequence(listed.get("results"), "results")]
    ids = [strict.text(item, "id") for item in items]
    if after_id in ids or len(set(ids)) != len(ids):
        raise strict.MalformedAnswer("results", "do not go on from where they were asked for")
    told = [sku for item in items for sku in skus_of(item)]
    skus = tuple(sku for sku in told if isinstance(sku, str) and sku)
    total = strict.integral(listed.get("total"))
    return SkuPage(skus, ids[-1] if ids else None, len(items), len(told) - len(skus), total)


def _variant_skus(item: Mapping[str, Any]) -> Sequence[Any]:
    """The SKU of each variant, None where it has none; a product without current data sells nothing."""
    data = strict.mapping(item.get("masterData"), "masterData").get("current")
    if data is None:
        return []
    current = strict.mapping(data, "current")
    master = [current["masterVariant"]] if current.get("masterVariant") else []
    variants = [*master, *strict.sequence(current.get("variants") or [], "variants")]
    return [strict.mapping(variant, "variant").get("sku") for variant in variants]
