"""The JSON Schemas of r247/1 say what the readers do: whatever the one accepts, the other does, and what it refuses."""

from __future__ import annotations

import base64
import functools
import gzip
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import schemas as schema_files
from archsyncd.conformance.schemas import DIFFERENCES, every
from archsyncd.domain.feed import Outcome, RecordFault, Reject
from archsyncd.domain.handover import BookedDispatch, PlacedLine
from archsyncd.wire.drop_names import Receipt, encode_refusal, read_manifest, read_name
from archsyncd.wire.r247 import read_cursor_line, read_page
from archsyncd.wire.r247_answers import (
    StockPage,
    read_locations,
    read_order_answer,
    read_problem,
    read_snapshot_answer,
    read_stock_page,
)
from archsyncd.wire.r247_fields import DOCUMENTS, RECORDS
from archsyncd.wire.r247_json import decode_carefully
from archsyncd.wire.r247_messages import read_message
from archsyncd.wire.r247_order_files import read_cancellation_ack, read_dispatch_ack
from archsyncd.wire.r247_orders import acknowledgement_body, cancellation_body, order_body
from archsyncd.wire.r247_records import RECORD_TYPES, read_record
from archsyncd.wire.r247_values import CURSOR_LIMIT_CHARACTERS, Misread, Unreadable
from archsyncd.wire.webhook_body import read_batch, read_envelope, read_enveloped
from tests.support.examples import examples
from tests.wire.r247.documents import level, level_text, page
from tests.wire.r247.schema_values import documents
from tests.wire.r247.test_orders import BOUGHT, kitted

NAME = read_name("main-delta-000000004711-20261123T101500Z.ndjson")
assert NAME is not None
AGREED = {"file": NAME.text, "kind": NAME.kind.value, "feed": NAME.feed, "fileSeq": str(NAME.file_seq)}
WRITTEN_OUT = dict(every())
SCHEMAS = {name: Draft202012Validator(schema) for name, schema in WRITTEN_OUT.items()}


def _well(read: Callable[[bytes], Any]) -> Callable[[bytes], bool]:
    """Whether a document is read, and nothing of it set aside."""

    def reads(data: bytes) -> bool:
        try:
            found = read(data)
        except (Unreadable, Misread):
            return False
        return not isinstance(found, Reject) and found is not None and not getattr(found, "rejects", ())

    return reads


def _cancellation(data: bytes) -> Any:
    fields = decode_carefully(data)
    # The difference "refusal": of a rejection the code is looked at.
    if isinstance(fields, dict) and fields.get("status") == "rejected":
        data = json.dumps(fields | {"code": "already_shipped"}).encode()
    return read_cancellation_ack(data)


ATTRIBUTES = {"schema": "r247/1", "feed": "main", "epoch": "e"}


def _message(kind: str) -> Callable[[bytes], bool]:
    """Whether a message is read as what it is meant to be."""

    def reads(data: bytes) -> bool:
        found = read_message(data, ATTRIBUTES)
        if found.rejects or (found.part is not None and found.part.rejects):
            return False
        is_what = {"part": found.part is not None, "end": found.closing is not None}
        return is_what.get(kind, not any(is_what.values()) and b'"items"' in data)

    return reads


READERS: Mapping[str, Callable[[bytes], bool]] = {
    **dict.fromkeys(
        ("record", *(kind.replace(".", "-") for kind in RECORD_TYPES)),
        _well(lambda data: read_record(decode_carefully(data), data)),
    ),
    "page": _well(read_page),
    "cursor-line": _well(read_cursor_line),
    "snapshot-page": lambda data: (
        _well(read_stock_page)(data) and isinstance(read_stock_page(data), StockPage)
    ),
    "snapshot-answer": _well(read_snapshot_answer),
    "locations": _well(read_locations),
    "order-answer": _well(read_order_answer),
    "cancellation-answer": _well(_cancellation),
    "acknowledgement-answer": _well(read_dispatch_ack),
    "manifest": _well(functools.partial(read_manifest, name=NAME)),
    "pubsub-items": _message("items"),
    "pubsub-snapshot-part": _message("part"),
    "pubsub-snapshot-end": _message("end"),
    "problem": lambda data: read_problem(data).code != "",
    "webhook": _well(read_batch),
}
# What archsyncd writes, and what is read together with something else.
WRITTEN = {"receipt", "refusal", "order", "cancellation", "acknowledgement"}
CARRIED = {"pubsub-attributes"}


def without_decimals(document: Any) -> Any:
    """No record tells a unit beside a quantity that is a text."""
    if isinstance(document, list):
        return [without_decimals(each) for each in document]
    if not isinstance(document, dict):
        return document
    balance = document.get("balanceAfter")
    figures = [*document.items(), *(balance.items() if isinstance(balance, dict) else ())]
    texts = any(
        name in {"onHand", "available", "delta"} and isinstance(value, str) for name, value in figures
    )
    return {
        name: without_decimals(value) for name, value in document.items() if not (texts and name == "uom")
    }


def asked_of_senders(document: dict[str, Any]) -> dict[str, Any]:
    """The difference "envelope": what a message is called, and a time where it tells none."""
    stated = document.get("timestamp")
    return {"type": "stock.batch", "timestamp": "2026-11-23T10:15:03Z" if stated is None else stated}


def agreed(name: str, document: Any) -> Any:
    """Without what a schema cannot say: a manifest says what its file's name says, where that is no fault."""
    document = without_decimals(document)
    if name == "webhook" and isinstance(document, dict):
        return document | asked_of_senders(document)
    if name != "manifest" or not isinstance(document, dict):
        return document
    members = WRITTEN_OUT[name]["properties"]
    told = {field: value for field, value in AGREED.items() if field in document}
    well = {
        field: value
        for field, value in told.items()
        if Draft202012Validator(members[field]).is_valid(document[field])
    }
    return document | well


def test_every_document_has_a_reader_or_is_written_here() -> None:
    """None is forgotten."""
    assert set(SCHEMAS) == set(READERS) | WRITTEN | CARRIED
    assert {structure.title for structure in RECORDS} == RECORD_TYPES


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one_of_2020_12(name: str) -> None:
    """And stands for itself."""
    Draft202012Validator.check_schema(WRITTEN_OUT[name])
    assert WRITTEN_OUT[name]["$id"] == f"urn:r247:1:{name}"


@pytest.mark.parametrize("name", sorted(set(READERS) - {"record"}))
@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_schema_accepts_what_the_reader_reads_and_nothing_else(name: str, data: st.DataObject) -> None:
    """For documents right and wrong; what a schema cannot say is left out here, and has a test of its own."""
    document = agreed(name, data.draw(documents(DOCUMENTS[name])))
    text = json.dumps(document).encode()
    if name == "snapshot-page" and len(text) > CURSOR_LIMIT_CHARACTERS and isinstance(document, dict):
        document.pop("status", None)  # the difference "running"
        text = json.dumps(document).encode()
    assert SCHEMAS[name].is_valid(document) == READERS[name](text), text


def test_both_sides_of_the_comparison_are_met() -> None:
    """The documents that are made are not all wrong, nor all right."""
    seen: Counter[bool] = Counter()

    @settings(max_examples=80, deadline=None, database=None)
    @given(documents(DOCUMENTS["stock-level"]))
    def look(document: Any) -> None:
        seen[SCHEMAS["stock-level"].is_valid(document)] += 1

    look()
    assert min(seen[True], seen[False]) > 10


DIFFERENT: Mapping[str, tuple[str, bytes]] = {
    "3.0": ("stock-level", level_text("onHand", "3.0").encode()),
    "duplicate_key": ("stock-level", json.dumps(level())[:-1].encode() + b',"onHand":1}'),
    "day": ("stock-level", json.dumps(level(asOf="2026-02-30T10:15:02Z")).encode()),
    "surrogate": ("stock-level", level_text("sku", '"A\\ud800"').encode()),
    "agreement": (
        "manifest",
        json.dumps(AGREED | {"schema": "r247/1", "epoch": "a", "feed": "other"}).encode(),
    ),
    "refusal": ("cancellation-answer", b'{"status":"rejected","code":"later_perhaps"}'),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_a_schema_cannot_say_is_refused_all_the_same(name: str) -> None:
    """Each difference that is listed is one: the schema accepts, the reader does not."""
    document, text = DIFFERENT[name]
    readers = dict(READERS) | {"cancellation-answer": _well(read_cancellation_ack)}
    assert SCHEMAS[document].is_valid(json.loads(text))
    assert not readers[document](text)


def test_the_status_of_a_large_page_is_not_asked() -> None:
    """The one difference the other way round."""
    large = {"epoch": "a", "seqAt": "1", "status": "running", "items": [], "more": "x" * 5000}
    assert not SCHEMAS["snapshot-page"].is_valid(large)
    assert READERS["snapshot-page"](json.dumps(large).encode())


def test_a_record_nested_too_deeply_is_refused_though_its_field_is_nobodys() -> None:
    """No schema bounds what it does not look at; and every difference that is listed has its test."""
    deep: list[Any] = []
    for _ in range(2_000):
        deep = [deep]
    assert SCHEMAS["stock-level"].is_valid(level(gtin=deep))
    assert not READERS["page"](page(level_text("gtin", "[" * 2_000 + "]" * 2_000)))
    told = {*DIFFERENT, "running", "depth", "message", "decimals", "envelope", "attributes"}
    assert set(DIFFERENCES) == told


def test_a_decimal_text_is_a_quantity_where_the_unit_is_told() -> None:
    """And nowhere else."""
    document = level(onHand="2.5", uom="KG")
    assert not SCHEMAS["stock-level"].is_valid(document)
    assert READERS["stock-level"](json.dumps(document).encode())
    assert not READERS["stock-level"](json.dumps(level(onHand="2.5")).encode())


def test_a_message_of_more_records_than_promised_is_read() -> None:
    """What a publisher is told to keep to is no reason to lose stock."""
    items = [level(id=f"r{number}", seq=str(number)) for number in range(1_001)]
    assert not SCHEMAS["pubsub-items"].is_valid({"items": items})
    assert READERS["pubsub-items"](json.dumps({"items": items}).encode())


BODIES: Mapping[str, Any] = {
    "a record": level(seq=...),
    "items": {"items": [level(seq=...), level(id="r2", sku="B")]},
}


@pytest.mark.parametrize("body", BODIES)
@settings(max_examples=examples(60), deadline=None)
@given(told=documents(DOCUMENTS["pubsub-attributes"]))
def test_attributes_are_read_where_the_schema_accepts_them_and_nowhere_else(body: str, told: Any) -> None:
    """They are texts, and stand for what the message's body does not say: here its place."""
    members = told.items() if isinstance(told, dict) else ()
    attributes = {name: value for name, value in members if isinstance(value, str)}
    # The difference "attributes".
    attributes = {"schema": "r247/1", "feed": "main", "epoch": "e", "seq": "7"} | attributes
    data = json.dumps(BODIES[body]).encode()
    packed = attributes.get("contentEncoding") == "gzip"
    found = read_message(gzip.compress(data) if packed else data, attributes)
    assert SCHEMAS["pubsub-attributes"].is_valid(attributes) == (found.rejects == ()), attributes
    assert found.rejects or _pushed(attributes)


def _pushed(attributes: Mapping[str, str]) -> bool:
    """Whether a record that tells its own place is read as well where Pub/Sub pushes it."""
    data = json.dumps(level()).encode()
    data = gzip.compress(data) if attributes.get("contentEncoding") == "gzip" else data
    message = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "1"}
    envelope = read_envelope(json.dumps({"message": message, "subscription": "s"}).encode())
    assert envelope is not None
    found = read_enveloped(envelope)
    return (len(found.records), found.epoch) == (1, attributes["epoch"])


def test_what_attributes_leave_out_the_message_may_say() -> None:
    """The other way round a publisher is asked for more than what is needed."""
    said = {"schema": "r247/1", "feed": "main", "epoch": "e", "items": [level()]}
    for attributes in ({}, {"contentEncoding": "identity"}, {"epoch": "e", "seq": "no place"}):
        assert not SCHEMAS["pubsub-attributes"].is_valid(attributes)
        assert len(read_message(json.dumps(said).encode(), attributes).records) == 1


@pytest.mark.parametrize(
    "more", [{"type": "stock.changed"}, {"type": 7}, {"type": None}, {"timestamp": None}, {"type": {}}]
)
def test_a_call_is_read_whatever_it_is_called_and_without_its_time(more: dict[str, Any]) -> None:
    """By both parsers. A time that is told must be one: figures may be compared by it."""
    data = {"schema": "r247/1", "feed": "main", "epoch": "e", "items": [level()]}
    body = {"type": "stock.batch", "timestamp": "2026-11-23T10:15:03Z", "data": data}
    assert SCHEMAS["webhook"].is_valid(body)
    for separators in ((",", ":"), (" , ", " : ")):
        assert not SCHEMAS["webhook"].is_valid(body | more)
        assert READERS["webhook"](json.dumps(body | more, separators=separators).encode())
        wrong = json.dumps(body | more | {"timestamp": "yesterday"}, separators=separators)
        assert not READERS["webhook"](wrong.encode())


def test_what_archsyncd_writes_is_what_its_schemas_say() -> None:
    """Receipts, refusals, orders, wishes to cancel, and booked dispatches."""
    outcome = Outcome(9, 5, 1, 1, 2, (RecordFault("unknown_sku", 17, "X"),))
    at = "2026-11-23T10:15:02Z"
    receipt = Receipt("main.ndjson", "f" * 64, "partial", outcome, at, "e", at, follows=4, reasons=("why",))
    lines = [*(PlacedLine(each, each.sku or "", None) for each in BOUGHT.order.lines), *kitted()]
    booked = BookedDispatch("F-7", "o-1", "d-1", "Shipped", at)
    written = {
        "receipt": json.loads(receipt.encode()),
        "refusal": json.loads(encode_refusal("main.ndjson", "bad_manifest", ("why",), at)),
        "order": json.loads(order_body(BOUGHT, lines)),
        "cancellation": dict(cancellation_body("the shopper wants it so")),
        "acknowledgement": dict(acknowledgement_body(booked)),
    }
    for name, document in written.items():
        SCHEMAS[name].validate(document)


def test_the_files_are_up_to_date() -> None:
    """`packaging/schema-files` writes them; nobody does so by hand."""
    lying = {path.name: path.read_text("utf-8") for path in schema_files.SCHEMAS.iterdir()}
    assert lying == schema_files.files(), "run packaging/schema-files"
