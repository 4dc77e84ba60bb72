"""Pages, snapshots and answers of r247/1 as bytes, whole and spoilt."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, OrderLookup
from archsyncd.wire.ndjson import LINE_LIMIT_BYTES, LineCutter, read_lines
from archsyncd.wire.r247 import CursorLine, Mark, read_cursor_line, read_page
from archsyncd.wire.r247_answers import (
    Problem,
    SnapshotPending,
    StockPage,
    read_locations,
    read_order_answer,
    read_problem,
    read_snapshot_answer,
    read_stock_page,
)
from archsyncd.wire.r247_values import Unreadable
from tests.support.examples import examples
from tests.wire.r247.documents import level, level_text, page


def test_a_page_tells_its_place_in_the_feed() -> None:
    """Feed, epoch, cursor and the two ends arrive beside the records."""
    found = read_page(page(level(), more=True))
    assert (found.feed, found.epoch, found.next, found.more) == ("main", "2026-05-01a", "c2VxOjEwNw", True)
    assert found.head == Mark(107, "2026-11-23T10:15:02Z")
    assert found.oldest == Mark(1, "2026-11-16T10:15:02Z")
    assert [record.seq for record in found.records] == [101]


def test_an_empty_page_is_a_sign_of_life() -> None:
    """No items, and still a cursor to go on from."""
    found = read_page(page())
    assert (found.records, found.rejects, found.next) == ((), (), "c2VxOjEwNw")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>maintenance</html>",
        b"null",
        b"[]",
        b"{}",
        b"12",
        b'{"items":{}}',
        page(level())[:-5],
        page(level()) + b"x",
        page("{"),
        page('{"id":007}'),
        page(schema="r247/2"),
        page(schema=...),
        page(next=...),
        page(next=""),
        page(next=5),
        page(next="x" * 4097),
        page(epoch=...),
        page(epoch="e" * 129),
        page(feed=None),
        page(more="yes"),
        page('{"a":NaN}', next=...),
        page('{"a":NaN}').replace(b'"more"', b'"next"'),
        b"[" * 100_000,
        b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'"' + b'\\"' * 50_000,
        b"\xff\xfe" + page().decode().encode("utf-16-le"),
        page(*["1"] * 20_001),
    ],
)
def test_bytes_that_are_no_page_are_a_fault_of_the_source(data: bytes) -> None:
    """Nothing of them is used, and nothing but Unreadable is raised."""
    with pytest.raises(Unreadable):
        read_page(data)


@pytest.mark.parametrize("head", [{"seq": 107}, {"seq": "x"}, [], "107", {"seq": "1", "at": "noon"}])
def test_a_wrong_lag_gauge_is_not_worth_a_page_of_stock(head: Any) -> None:
    """`head` only feeds a gauge, so a wrong one is left out."""
    found = read_page(page(level(), head=head))
    assert found.head is None
    assert len(found.records) == 1


@pytest.mark.parametrize(
    "poison",
    [
        level_text("onHand", "1e400"),
        level_text("onHand", "NaN"),
        level_text("onHand", "9" * 5000),
        level_text("sku", "[" * 2000 + "]" * 2000),
        level_text("sku", '"\\ud800"'),
        level_text("sku", "NaN"),
        '["not","an","object"]',
        "null",
        "17",
        '"text"',
        json.dumps(level())[:-1] + ',"onHand":500}',
        json.dumps(level())[:-1] + ',"onHand" :500}',
        "{" + ",".join(f'"k{n}":1' for n in range(300)) + "}",
    ],
)
def test_f104_one_bad_value_spoils_only_its_own_record(poison: str) -> None:
    """The page is read again record by record: the bad one is set aside, the cursor goes on, the rest counts."""
    found = read_page(page(level(id="a"), poison, level(id="b"), level_text("id", '"c"')))
    assert [record.id for record in found.records] == ["a", "b", "c"]
    assert len(found.rejects) == 1
    assert found.rejects[0].payload
    assert found.next == "c2VxOjEwNw"


@pytest.mark.parametrize(
    "twice",
    [
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand":1,"onHand":900}',
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand" :1,"onHand":900}',
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand":1,"onHand" :900,"n":"\\":"}',
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand":1,"onHan\\u0064":900}',
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand":1,"onHand":900,"n":"\\u0022:"}',
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand":1,"onHand":900,"n":"\\"\\u003a"}',
        '{"id":"1","type":"stock.level","seq":"1","sku":"A","location":"W","onHand"\n:1,"onHand":900}',
    ],
)
def test_f130_a_name_stated_twice_is_never_the_last_one_wins(twice: str) -> None:
    """The fast parser would take 900; however it is written, the record is set aside."""
    found = read_page(page(level(), twice, level()))
    assert len(found.records) == 2
    assert [(fault.code, fault.record_id) for fault in found.rejects] == [("duplicate_key", "1")]


def test_f130_hostile_sizes_end_quickly() -> None:
    """Deep nesting, a million names and unterminated strings cost time in proportion to their size, and no more."""
    million = "{" + ",".join(f'"{n}":0' for n in range(200_000)) + "}"
    started = time.process_time()
    assert len(read_page(page(million)).rejects) == 1
    assert len(read_page(page(level_text("sku", "[" * 50_000 + "]" * 50_000), level())).rejects) == 1
    with pytest.raises(Unreadable):
        read_page(b'{"items":[' + b"[" * 5_000 + b'"\\"' * 50_000)
    assert time.process_time() - started < 5


def test_pretty_printed_pages_are_pages() -> None:
    """Spaces and line ends between the tokens change nothing."""
    data = json.loads(page(level(id="a"), level(id="b")))
    for written in (json.dumps(data, indent=2), json.dumps(data, indent="\t", separators=(" , ", " : "))):
        assert read_page(written.encode()) == read_page(json.dumps(data).encode())
    assert len(read_page(b"\xef\xbb\xbf" + page(level())).records) == 1


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(max_size=300))
@example(b'{"items":[{}]}')
@example(b'{"items":[NaN,}')
@example(b'{"items":[],"items":[]}')
def test_arbitrary_bytes_raise_nothing_but_unreadable(data: bytes) -> None:
    """Whatever arrives is a document or Unreadable, in every reader."""
    for read in (
        read_page,
        read_stock_page,
        read_snapshot_answer,
        read_order_answer,
        read_locations,
        read_cursor_line,
    ):
        with contextlib.suppress(Unreadable):
            read(data)
    assert isinstance(read_problem(data), Problem)
    records, rejects = read_lines(data.split(b"\n"), 1)
    assert len(records) + len(rejects) == data.count(b"\n") + 1


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data())
def test_a_damaged_page_raises_nothing_but_unreadable(data: st.DataObject) -> None:
    """A page with a few bytes changed or cut is read, partly set aside, or refused as a whole."""
    spoilt = bytearray(page(level(), level_text("onHand", "NaN"), level(ordersIncluded=["x"])))
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    cut = (
        bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))]) if data.draw(st.booleans()) else bytes(spoilt)
    )
    try:
        found = read_page(cut)
    except Unreadable:
        return
    assert len(found.records) + len(found.rejects) <= 20


SNAPSHOT: dict[str, Any] = {
    "snapshotId": "s-9",
    "status": "ready",
    "epoch": "e1",
    "asOf": "2026-11-23T10:15:02Z",
    "cursor": "c1",
    "seqAt": "900",
    "total": 2,
    "items": [level(seq="880"), {"sku": "B", "location": "WH1", "onHand": 5}],
    "nextPage": None,
    "complete": True,
    "check": {"records": 2, "sumOnHand": "-47"},
}


def stock(**changes: Any) -> bytes:
    return json.dumps(
        {name: value for name, value in (SNAPSHOT | changes).items() if value is not ...}
    ).encode()


def test_a_snapshot_page_places_its_items_at_or_before_its_state() -> None:
    """An item has its own last position, or the snapshot's; the trailer's figures are told."""
    found = read_stock_page(stock())
    assert isinstance(found, StockPage)
    assert [(item.sku, item.seq) for item in found.items] == [("ABC-1-BLK-M", 880), ("B", 900)]
    assert (found.complete, found.records, found.sum_on_hand, found.total) == (True, 2, -47, 2)
    assert (found.snapshot_id, found.epoch, found.seq_at, found.cursor) == ("s-9", "e1", 900, "c1")


def test_items_without_an_id_get_a_lasting_one() -> None:
    """The same item of the same snapshot has the same id when it is read again; another key another."""
    ids = []
    for _ in range(2):
        found = read_stock_page(
            stock(
                items=[{"sku": "B", "location": "W", "onHand": 5}, {"sku": "C", "location": "W", "onHand": 5}]
            )
        )
        assert isinstance(found, StockPage)
        ids.append([item.id for item in found.items])
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_a_bad_item_of_a_snapshot_is_set_aside() -> None:
    """Poison in a snapshot is counted as unreadable and does not become a quantity."""
    data = stock(items=[level(), level(onHand="@@"), level(type="stock.removed")]).replace(b'"@@"', b"1e400")
    found = read_stock_page(data)
    assert isinstance(found, StockPage)
    assert len(found.items) == 1
    assert [fault.code for fault in found.rejects] == ["not_an_integer", "unknown_type"]


def test_a_running_snapshot_is_waited_for() -> None:
    """202 with `running` tells its id and nothing else."""
    assert read_stock_page(b'{"snapshotId":"s-9","status":"running"}') == SnapshotPending("s-9")
    assert read_snapshot_answer(b'{"snapshotId":"s-9","status":"running"}') == "s-9"


@pytest.mark.parametrize(
    "changes",
    [
        {"seqAt": ...},
        {"seqAt": 900},
        {"epoch": ...},
        {"items": None},
        {"status": "failed", "items": []},
        {"asOf": "noon"},
        {"complete": 1},
        {"check": {"records": "2"}},
        {"check": {"sumOnHand": 5}},
        {"check": {"sumOnHand": "1" * 31}},
        {"nextPage": "x" * 4097},
        {"schema": "other/1"},
    ],
)
def test_a_snapshot_page_that_cannot_be_placed_is_refused(changes: dict[str, Any]) -> None:
    """Without its position, epoch and figures nothing of it may be used."""
    with pytest.raises(Unreadable):
        read_stock_page(stock(**changes))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"status": "accepted", "sourceOrder": "SO-991", "position": {"epoch": "e", "seq": "104"}},
            OrderLookup("accepted", "SO-991", "e", 104),
        ),
        ({"status": "received"}, OrderLookup("received")),
        (
            {"status": "rejected", "code": "unknown_sku"},
            OrderLookup("rejected", extra={"code": "unknown_sku"}),
        ),
    ],
)
def test_an_answer_about_an_order_tells_its_position_where_known(
    body: dict[str, Any], expected: OrderLookup
) -> None:
    """The position is a proof of reflection; without it the answer is only a status."""
    assert read_order_answer(json.dumps(body).encode()) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"status":"maybe"}',
        b'{"status":"accepted","position":{"seq":"1"}}',
        b'{"status":"accepted","position":{"epoch":"e","seq":1}}',
    ],
)
def test_a_doubtful_answer_about_an_order_proves_nothing(body: bytes) -> None:
    """A status or position that is not exactly so is refused."""
    with pytest.raises(Unreadable):
        read_order_answer(body)


def test_problem_bodies_are_read_as_far_as_they_go() -> None:
    """An error's body may be anything."""
    assert read_problem(b'{"code":"cursor_expired","detail":"gone","status":410}') == Problem(
        "cursor_expired", "gone"
    )
    assert read_problem(b'{"code":410}') == Problem()
    assert read_problem(b"<html>") == Problem()


def test_locations_are_listed() -> None:
    """Objects with a location, or bare names."""
    assert read_locations(b'{"schema":"r247/1","locations":[{"location":"WH1"},"WH2"]}') == ("WH1", "WH2")


def test_only_cursor_lines_are_control_lines() -> None:
    """A record that mentions the word is a record."""
    line = b'{"type":"feed.cursor","next":"abc","feed":"main","epoch":"e"}'
    assert read_cursor_line(line) == CursorLine("abc", "main", "e", None)
    assert read_cursor_line(json.dumps(level(sku="feed.cursor")).encode()) is None
    assert read_cursor_line(json.dumps(level()).encode()) is None
    with pytest.raises(Unreadable):
        read_cursor_line(b'{"type":"feed.cursor"}')


def test_a_bad_line_spoils_only_itself() -> None:
    """Lines need not be JSON, nor JSON only together; each bad one is set aside with its number."""
    good = json.dumps(level()).encode()
    records, rejects = read_lines(
        [good, b'{"a":[1', b"2]}", good, b"{}", level_text("onHand", "NaN").encode()], 10
    )
    assert len(records) == 2
    assert [(fault.code, fault.line) for fault in rejects] == [
        ("not_json", 11),
        ("not_json", 12),
        ("missing", 14),
        ("not_an_integer", 15),
    ]
    assert read_lines([b"1", b"2", b"[3", b"4]"], 1)[0] == []


@settings(max_examples=examples(40), deadline=None)
@given(
    lines=st.lists(st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"").rstrip(b"\r")), max_size=8),
    cuts=st.lists(st.integers(1, 9)),
)
def test_lines_do_not_depend_on_how_the_bytes_arrive(lines: list[bytes], cuts: list[int]) -> None:
    """The cutter yields the same lines for every way of slicing the stream."""
    data = b"".join(line + b"\n" for line in lines)
    cutter, found, at = LineCutter(), [], 0
    for length in [*cuts, len(data) + 1]:
        found += list(cutter.cut(data[at : at + length]))
        at += length
    assert (found, cutter.rest()) == (lines, b"")


def test_f130_an_endless_line_is_cut_and_let_go() -> None:
    """Memory stays at one line's limit; the line is set aside and the next one read."""
    cutter = LineCutter(limit_bytes=10)
    found = [
        line
        for piece in [b"short\n", b"x" * 8, b"y" * 8, b"z" * 100, b"end\nnext\n"]
        for line in cutter.cut(piece)
    ]
    assert found == [b"short", b"x" * 8 + b"yyy", b"next"]
    records, rejects = read_lines([b"x" * (LINE_LIMIT_BYTES + 1)], 3)
    assert (records, rejects[0].code, rejects[0].line) == ([], "line_too_long", 3)
    assert isinstance(read_lines([json.dumps(level()).encode()], 1)[0][0], Level)
