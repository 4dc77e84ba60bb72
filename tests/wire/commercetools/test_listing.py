"""Listings of SKUs by id: what is asked, and hostile answers."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from graphql import parse
from hypothesis import given

from archsyncd.domain.audit import SkuPage
from archsyncd.domain.inventory import TooLarge
from archsyncd.wire.commercetools.listing import (
    catalogue_page,
    catalogue_request,
    stocked_page,
    stocked_request,
)
from archsyncd.wire.commercetools.strict import MalformedAnswer
from tests.wire.commercetools.test_entries import JSON


def product(product_id: str, master: Any, *variants: Any) -> dict[str, Any]:
    return {
        "id": product_id,
        "masterData": {"current": {"masterVariant": master, "variants": list(variants)}},
    }


def page(*results: Any, **more: Any) -> dict[str, Any]:
    return {"data": {"products": {"results": list(results), **more}}}


def test_a_page_is_asked_for_by_id_and_counted_once() -> None:
    """The first page asks for the total, the next ones only for what follows the last id; quotes cannot end the literal."""
    first = orjson.loads(catalogue_request(None, 500, counted=True).body or b"")
    second = orjson.loads(catalogue_request('a"b', 500).body or b"")
    parse(first["query"])
    parse(second["query"])
    assert " total " in first["query"]
    assert " total " not in second["query"]
    assert first["variables"] == {"where": "masterData(published = true)", "sort": ["id asc"], "limit": 500}
    assert second["variables"]["where"] == 'masterData(published = true) and id > "a\\"b"'
    asked = orjson.loads(stocked_request("c-1", "e-1", 3).body or b"")
    parse(asked["query"])
    assert asked["variables"]["where"] == 'supplyChannel(id = "c-1") and id > "e-1"'


def test_all_variants_are_read_and_those_without_a_sku_counted() -> None:
    """Null, absent and strange SKUs are counted, unknown fields passed over, a product without current data sells nothing."""
    tree = page(
        product("p-1", {"sku": "A", "more": [1]}, {"sku": None}, {"sku": "A-2"}, {}),
        product("p-2", None, {"sku": 7}),
        {"id": "p-3", "masterData": {"current": None}, "unknown": {"x": 1}},
        total=3,
        facets=None,
    )
    assert catalogue_page(tree, None) == SkuPage(("A", "A-2"), "p-3", 3, 3, 3)


def test_the_same_sku_on_two_products_is_told_twice() -> None:
    """Nothing is folded on the way: who compares must see both."""
    read = catalogue_page(page(product("p-1", {"sku": "A"}), product("p-2", {"sku": "A"})), "p-0")
    assert isinstance(read, SkuPage)
    assert read.skus == ("A", "A")


def test_an_empty_page_is_the_end() -> None:
    """A page without items has no last id."""
    assert catalogue_page(page(), "p-9") == SkuPage((), None, 0)
    assert stocked_page({"data": {"inventoryEntries": {"results": []}}}, None) == SkuPage((), None, 0)


@pytest.mark.parametrize(
    "tree",
    [
        page(product("p-1", {"sku": "A"}), product("p-1", {"sku": "B"})),
        page(product("p-0", {"sku": "A"})),
        page({"masterData": {"current": None}}),
        page(product("", {"sku": "A"})),
        page("p-1"),
        page(product("p-1", "A")),
        {"data": {"products": {"results": None}}},
        {"data": None},
        [],
    ],
)
def test_a_page_that_leads_nowhere_is_malformed(tree: Any) -> None:
    """One that repeats an id, or the one it was asked to go on from, would be read for ever."""
    with pytest.raises(MalformedAnswer):
        catalogue_page(tree, "p-0")


def test_a_refusal_is_read_from_the_errors() -> None:
    """Too complex a query is to be asked in smaller pages."""
    errors = [{"message": "m", "extensions": {"code": "QueryComplexityLimitExceeded"}}]
    assert isinstance(catalogue_page({"data": None, "errors": errors}, None), TooLarge)


@given(JSON)
def test_no_answer_breaks_the_reader(tree: Any) -> None:
    """Any JSON is a page, a failure, or malformed."""
    for read in (catalogue_page, stocked_page):
        with contextlib.suppress(MalformedAnswer):
            read(tree, None)
