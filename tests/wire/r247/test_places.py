"""Whose an unreadable record is and where it stands, as far as that can be known: movements after it stand on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archsyncd.domain.feed import Reject
from archsyncd.wire.drop_names import Kind, read_name
from archsyncd.wire.drop_records import Entry, Numbering, read_array, read_entries
from archsyncd.wire.ndjson import LINE_LIMIT_BYTES, read_lines
from archsyncd.wire.r247 import read_page
from archsyncd.wire.r247_json import begun_members

SHA = "0" * 64


def movement(seq: int | None, sku: str = "A", **more: Any) -> dict[str, Any]:
    fields = {"id": f"m{seq}", "type": "stock.movement", "seq": str(seq), "sku": sku, "location": "WH1"}
    return {**fields, "delta": -1, "state": "onHand", **more}


def page(*items: str, head: str | None = None) -> bytes:
    told = f',"head":{{"seq":"{head}"}}' if head else ""
    start = '{"schema":"r247/1","feed":"main","epoch":"e","next":"c","items":['
    return (start + ",".join(items) + f"]{told}}}").encode()


def key(one: Reject) -> tuple[int | None, str | None, str | None, bool]:
    return one.seq, one.sku, one.location, one.stock


@pytest.mark.parametrize(
    ("spoilt", "known"),
    [
        (b'{"type":"stock.movement","seq":"7","sku":"A","location":"WH1","delta":-', ("7", "A", "WH1")),
        (b'{"type":"stock.movement","seq":"7","sku":"A","location":"WH', ("7", "A", None)),
        (b'{ "seq" : "7" , "sku" : "A" x', ("7", None, None)),
        (b'{"lines":[{"sku":"B"}],"seq":"7","sku":"A","location":"WH1"', ("7", "A", None)),
        (b'{"sku":"A","sku":"B","seq":"7",', (None, "A", None)),
        (b'["sku","A"]', (None, None, None)),
        (b'{"sku', (None, None, None)),
        (b"", (None, None, None)),
        (b'\xff{"sku":"A",', (None, None, None)),
    ],
)
def test_what_is_whole_before_the_fault_is_known(spoilt: bytes, known: tuple[str | None, ...]) -> None:
    """Only members that are written to their end count, and never those of an inner object."""
    members = begun_members(spoilt)
    assert tuple(members.get(name) for name in ("seq", "sku", "location")) == known


def test_f104_a_spoilt_line_of_a_stream_keeps_its_key() -> None:
    """No JSON and too long: what stands before the fault is told."""
    whole = json.dumps(movement(8)).encode()
    long = json.dumps(movement(9, reason="x" * LINE_LIMIT_BYTES)).encode()
    records, rejects = read_lines([whole[:-3], long[: LINE_LIMIT_BYTES + 1]])
    assert records == []
    assert [key(one) for one in rejects] == [(8, "A", "WH1", True), (9, "A", "WH1", True)]


def test_f104_without_a_readable_place_it_stands_before_what_follows() -> None:
    """The last place it can have, so that no movement after it is taken for one before it."""
    lines = [json.dumps(movement(5)).encode(), b"{", b"no", json.dumps(movement(9)).encode(), b"?"]
    _, rejects = read_lines(lines)
    assert [key(one) for one in rejects] == [
        (8, None, None, True),
        (8, None, None, True),
        (10, None, None, True),
    ]
    assert [one.seq for one in read_lines(lines, head_seq=30)[1]] == [8, 8, 30]
    assert [one.seq for one in read_lines([b"?"])[1]] == [None]
    assert [one.seq for one in read_lines([b"?"], head_seq=4)[1]] == [4]


def test_f104_a_page_places_what_it_sets_aside() -> None:
    """A seq that cannot be read, a nesting that cannot be followed, and a last record before the head."""
    deep = '{"type":"stock.movement","sku":"B","location":"WH1","x":' + "[" * 20_000 + "]" * 20_000 + "}"
    strange = json.dumps(movement(None) | {"seq": 6})
    items = [json.dumps(movement(5)), strange, deep, json.dumps(movement(9)), strange]
    found = read_page(page(*items, head="12"))
    assert [record.seq for record in found.records] == [5, 9]
    assert [key(one) for one in found.rejects] == [
        (8, "A", "WH1", True),
        (8, "B", "WH1", True),
        (12, "A", "WH1", True),
    ]


def test_f106_a_record_that_says_that_it_is_no_stock_is_none() -> None:
    """An order or an unknown type that cannot be read leaves every key's movements alone."""
    order = '{"id":"o","type":"order.accepted","seq":"6"}'
    unknown = '{"id":"u","type":"weather.report","seq":"7"}'
    found = read_page(page(order, unknown, '{"id":"n","seq":"8"}'))
    assert [one.stock for one in found.rejects] == [False, False, True]


def numbering(kind: str) -> Numbering:
    name = read_name(f"main-{kind}-000000000007-20261123T101500Z.ndjson")
    assert name is not None
    return Numbering(name, SHA)


@pytest.mark.parametrize(
    ("kind", "seq", "stock"),
    [(Kind.DELTA, 7_000_003, True), (Kind.FULL, 7_000_000, True), (Kind.ORDER, 7_000_003, False)],
)
def test_f104_a_spoilt_line_of_a_file_stands_where_the_file_places_it(
    kind: Kind, seq: int, stock: bool
) -> None:
    """Whatever it says of its place itself, and however little of it can be read."""
    spoilt = [b'{"sku":"A","location":"WH1","seq":"1",', b"?", b'{"sku":"A","sku":"A","seq":"1"}', b"[1]"]
    _, rejects = read_entries([Entry(3, one) for one in spoilt], numbering(kind.value))
    assert {(one.seq, one.stock) for one in rejects} == {(seq, stock)}
    assert [one.sku for one in rejects] == ["A", None, "A", None]


def test_f104_a_spoilt_entry_of_an_array_keeps_its_key() -> None:
    """Nested beyond reason: its members before that are known."""
    deep = b'{"sku":"A","location":"WH1","x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    _, (reject,) = read_entries(read_array(b"[" + deep + b"]", 10), numbering("delta"))
    assert key(reject) == (7_000_001, "A", "WH1", True)
