"""The golden files of r247/1 are read as their index says, by the readers and by the schemas."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.r247_drop import DropOptions
from archsyncd.conformance.drop import DropWishes, verify_drop
from archsyncd.conformance.findings import Verdict
from archsyncd.conformance.schemas import every
from archsyncd.domain.feed import Reject
from archsyncd.wire.drop_names import read_manifest, read_name
from archsyncd.wire.r247 import read_cursor_line, read_page
from archsyncd.wire.r247_answers import (
    read_locations,
    read_order_answer,
    read_problem,
    read_snapshot_answer,
    read_stock_page,
)
from archsyncd.wire.r247_json import decode_carefully
from archsyncd.wire.r247_order_files import read_cancellation_ack, read_dispatch_ack
from archsyncd.wire.r247_records import RECORD_TYPES, read_record
from archsyncd.wire.r247_values import Misread, Unreadable

GOLDEN = Path(__file__).parents[3] / "packaging/r247/golden"
INDEX: list[dict[str, Any]] = json.loads((GOLDEN / "index.json").read_text("utf-8"))
SCHEMAS = {name: Draft202012Validator(schema) for name, schema in every()}
NAME = read_name("main-delta-000000000002-20261123T101502Z.csv")
assert NAME is not None

Seen = tuple[int, list[dict[str, str]]]


def _record(data: bytes) -> Seen:
    found = read_record(decode_carefully(data), data)
    return (0, [_told(found)]) if isinstance(found, Reject) else (1, [])


def _told(found: Reject) -> dict[str, str]:
    return {"code": found.code, "path": found.path}


def _page(data: bytes) -> Seen:
    page = read_page(data)
    return len(page.records), [_told(one) for one in page.rejects]


def _stock(data: bytes) -> Seen:
    page: Any = read_stock_page(data)
    return len(page.items), [_told(one) for one in page.rejects]


def _whole(read: Callable[[bytes], Any]) -> Callable[[bytes], Seen]:
    def reads(data: bytes) -> Seen:
        return int(read(data) is not None), []

    return reads


def _problem(data: bytes) -> Seen:
    if not read_problem(data).code:
        raise Unreadable("/code is not stated")
    return 1, []


READERS: Mapping[str, Callable[[bytes], Seen]] = {
    **dict.fromkeys(("record", *(kind.replace(".", "-") for kind in RECORD_TYPES)), _record),
    "page": _page,
    "snapshot-page": _stock,
    "problem": _problem,
    "cursor-line": _whole(read_cursor_line),
    "snapshot-answer": _whole(read_snapshot_answer),
    "locations": _whole(read_locations),
    "order-answer": _whole(read_order_answer),
    "cancellation-answer": _whole(read_cancellation_ack),
    "acknowledgement-answer": _whole(read_dispatch_ack),
    "manifest": _whole(functools.partial(read_manifest, name=NAME)),
}


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_a_golden_file_is_read_as_the_index_says(entry: dict[str, Any]) -> None:
    """Counted, set aside with code and path, or refused as a whole. What archsyncd only writes has its schema."""
    reads = READERS.get(entry["document"])
    if reads is None:
        return
    data = (GOLDEN / entry["file"]).read_bytes()
    if entry["refusedAt"] is None:
        assert reads(data) == (entry["read"], entry["setAside"])
        return
    with pytest.raises((Unreadable, Misread)) as refused:
        reads(data)
    assert entry["refusedAt"] == "/" or f"{entry['refusedAt']} " in str(refused.value)
    assert (entry["read"], entry["setAside"]) == (0, [])


def _no_constant(name: str) -> None:
    raise ValueError(name)


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_a_golden_file_is_accepted_by_its_schema_as_the_index_says(entry: dict[str, Any]) -> None:
    """null: to a strict parser it is no JSON, or a number that no double holds."""
    text = (GOLDEN / entry["file"]).read_text("utf-8")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        assert entry["schema"] is None
        return
    if entry["schema"] is not None:
        assert SCHEMAS[entry["document"]].is_valid(document) is entry["schema"]


def test_every_document_has_a_golden_file_and_every_file_stands_in_the_index() -> None:
    """Valid ones of all, faulty ones of whatever a source sends."""
    valid = {entry["document"] for entry in INDEX if not entry["setAside"] and entry["refusedAt"] is None}
    faulty = {entry["document"] for entry in INDEX} - valid
    assert valid | {"manifest", "record"} == set(SCHEMAS)
    assert faulty <= set(SCHEMAS)
    lying = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.json")}
    beside = {name for name in lying if name.startswith("drop/in/")} | {
        "index.json",
        "push/webhook.headers.json",
    }
    assert lying - beside == {entry["file"] for entry in INDEX}
    assert all(entry["says"] for entry in INDEX)


def test_the_directory_keeps_every_rule() -> None:
    """A full file, CSV, orders, dispatches, returns."""
    report = verify_drop(DropWishes(DropOptions(name="main", directory=GOLDEN / "drop")), SystemClock())
    assert report.of(Verdict.FAILS) == ()
    assert (report.exit, report.requests) == (0, 5)


def test_the_webhook_is_signed_as_standard_webhooks_says() -> None:
    """Over id, time and body, with the key behind whsec_."""
    told = json.loads((GOLDEN / "push/webhook.headers.json").read_text())
    headers, key = told["headers"], base64.b64decode(told["secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
    signed += (GOLDEN / "push/webhook.json").read_bytes()
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{made}"
