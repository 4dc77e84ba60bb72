"""Batches of writes and catalogue look-ups in GraphQL."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from graphql import OperationDefinitionNode, parse
from hypothesis import given

from archsyncd.domain.inventory import (
    Conflict,
    EntryWrite,
    Failure,
    Marker,
    Refused,
    StockKey,
    TooLarge,
    Unknown,
    WriteKind,
    Written,
)
from archsyncd.wire.commercetools.graphql import (
    products_answer,
    products_request,
    writes_answer,
    writes_document,
    writes_request,
)
from archsyncd.wire.commercetools.strict import MalformedAnswer
from tests.wire.commercetools.test_entries import JSON

MARKER = Marker("ledger-1", 'op "7"', 12, "90", 2)


def write(n: int, **changes: Any) -> EntryWrite:
    fields: dict[str, Any] = {"needs_type": False, "quantity": -2} | changes
    return EntryWrite(
        WriteKind.INCREMENT,
        StockKey("north", f"S-{n}"),
        marker=MARKER,
        entry_id=f"e-{n}",
        version=n,
        **fields,
    )


def done(n: int) -> dict[str, Any]:
    return {"id": f"e-{n}", "version": n + 1, "quantityOnStock": 5}


def error(code: str | None, path: list[Any] | None = None) -> dict[str, Any]:
    tree: dict[str, Any] = {"message": "m", "locations": []}
    if code is not None:
        tree["extensions"] = {"code": code}
    return tree if path is None else tree | {"path": path}


@pytest.mark.parametrize("size", [1, 2, 20, 100])
def test_there_is_one_document_per_size(size: int) -> None:
    """The text is the same object for every batch of a size, parses, and aliases each update in order."""
    document = writes_document(size)
    assert writes_document(size) is document
    (operation,) = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert len(operation.variable_definitions or ()) == 3 * size
    aliases = [getattr(field, "alias").value for field in operation.selection_set.selections]  # noqa: B009
    assert aliases == [f"a{n}" for n in range(size)]


def test_values_travel_as_variables_and_custom_values_as_json_text() -> None:
    """No value stands in the document; strings are quoted inside their text, numbers are not."""
    request = writes_request([write(0), write(1, quantity=3, needs_type=True)], "archsyncd")
    assert request.writes
    body = orjson.loads(request.body or b"")
    assert body["query"] == writes_document(2)
    assert body["variables"] == {
        "i0": "e-0",
        "v0": 0,
        "a0": [
            {"removeQuantity": {"quantity": 2}},
            {"setCustomField": {"name": "archOp", "value": '"ledger-1/op \\"7\\""'}},
            {"setCustomField": {"name": "archX", "value": "12"}},
            {"setCustomField": {"name": "archSeq", "value": '"90"'}},
            {"setCustomField": {"name": "archFence", "value": "2"}},
        ],
        "i1": "e-1",
        "v1": 1,
        "a1": [
            {"addQuantity": {"quantity": 3}},
            {
                "setCustomType": {
                    "type": {"typeId": "type", "key": "archsyncd"},
                    "fields": [
                        {"name": "archOp", "value": '"ledger-1/op \\"7\\""'},
                        {"name": "archX", "value": "12"},
                        {"name": "archSeq", "value": '"90"'},
                        {"name": "archFence", "value": "2"},
                    ],
                }
            },
        ],
    }


def test_every_alias_has_its_own_answer() -> None:
    """Success, conflict, refusal deeper in the path, silence, and an answer about another entry."""
    writes = [write(n) for n in range(6)]
    tree = {
        "data": {"a0": done(0), "a1": None, "a2": None, "a3": None, "a4": done(9), "a5": {"id": "e-5"}},
        "errors": [error("ConcurrentModification", ["a1"]), error("InvalidField", ["a2", "quantityOnStock"])],
    }
    answers = writes_answer(tree, writes)
    assert isinstance(answers, tuple)
    assert answers[:3] == (Written("e-0", 1, 5), Conflict(None), Refused("InvalidField", "m"))
    assert all(isinstance(answer, Unknown) for answer in answers[3:])


def test_all_aliases_may_fail_without_data() -> None:
    """Errors that name their aliases are told apart even when the data is null as a whole."""
    tree = {"data": None, "errors": [error("ConcurrentModification", ["a1"])]}
    assert writes_answer(tree, [write(0), write(1)]) == (Unknown("no answer for this entry"), Conflict(None))


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        ({"errors": [error("QueryComplexityLimitExceeded")]}, TooLarge),
        ({"data": None, "errors": [error("QueryTimedOut")]}, TooLarge),
        ({"errors": [error("SyntaxError")]}, Refused),
        ({"errors": [error("General")]}, Unknown),
        ({"errors": [error(None)]}, Unknown),
        ({"errors": ["words"]}, Unknown),
        ({"errors": []}, Unknown),
        ({}, Unknown),
    ],
    ids=str,
)
def test_f082_a_request_that_fails_as_a_whole_is_one_failure(
    tree: dict[str, Any], kind: type[Failure]
) -> None:
    """Too complex asks for less; a syntax error is ours for good; anything unclear is unknown."""
    assert isinstance(writes_answer(tree, [write(0)]), kind)


@given(JSON, JSON)
def test_no_graphql_answer_breaks_the_reader_or_passes_for_a_success(data: Any, errors: Any) -> None:
    """Whatever comes, each write has an answer or the whole is a failure, and nothing is Written by accident."""
    try:
        answers = writes_answer({"data": data, "errors": errors}, [write(0), write(1)])
    except MalformedAnswer:
        return
    if isinstance(answers, tuple):
        assert len(answers) == 2
        assert not any(isinstance(answer, Written) for answer in answers)


def product(*skus: str | None) -> dict[str, Any]:
    master, *others = skus or (None,)
    return {
        "masterData": {
            "current": {"masterVariant": {"sku": master}, "variants": [{"sku": each} for each in others]}
        }
    }


def test_products_tell_which_skus_exist() -> None:
    """Master and other variants count, SKUs not asked for do not, and a product without current data has none."""
    skus = ["A", "B", "C", "D"]
    results = [product("A", "X", "B"), product(None), {"masterData": {"current": None}}]
    assert products_answer({"data": {"products": {"results": results}}}, skus) == frozenset({"A", "B"})
    body = orjson.loads(products_request(skus).body or b"")
    assert body["variables"]["limit"] == 4
    assert not products_request(skus).writes


def test_f082_a_catalogue_page_that_is_full_asks_for_less() -> None:
    """A page at its limit that leaves SKUs unfound may have been cut: nobody is called missing for it."""
    tree = {"data": {"products": {"results": [product("A"), product("A", "X")]}}}
    assert isinstance(products_answer(tree, ["A", "B"]), TooLarge)


@pytest.mark.parametrize(
    "tree", [{}, {"data": None}, {"data": {"products": {}}}, {"data": {"products": {"results": 5}}}]
)
def test_f125_a_catalogue_answer_without_results_is_no_answer(tree: dict[str, Any]) -> None:
    """A missing list would make every SKU look unknown to the shop."""
    with pytest.raises(MalformedAnswer):
        products_answer(tree, ["A"])


def test_a_catalogue_error_is_a_failure() -> None:
    """Errors of the query are judged like others, also beside partial data."""
    tree = {"data": {"products": None}, "errors": [error("QueryComplexityLimitExceeded", ["products"])]}
    assert isinstance(products_answer(tree, ["A"]), TooLarge)
