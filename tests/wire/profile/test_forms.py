"""Payloads of every form and every kind of record become what r247/1 has; one bad record spoils only itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import (
    Disposition,
    Figure,
    Fulfilment,
    Heartbeat,
    Level,
    LineShare,
    Movement,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Reject,
    Removal,
    ReturnedLine,
    ReturnReceived,
)
from archsyncd.wire.profile.contract import item_hash
from archsyncd.wire.r247_values import Literal, Misread, Unreadable
from tests.wire.profile.profiles import FIELDS, faults_of, items, profile, read, records, rejected, row

# One feed that tells everything, as a system of its own would write it.
KINDS: list[dict[str, Any]] = [
    {"/Art": "M", "type": "stock.movement", "const": {"state": "onHand"},
     "fields": {"delta": "/Diff", "balanceAfter": {"fields": {"onHand": "/Neu"}}}},
    {"/Art": "X", "type": "stock.removed"},
    {"/Art": "OK", "type": "order.accepted",
     "fields": {"orderNumber": "/Auftrag", "sourceOrder": "/Beleg",
                "lines": {"records": "/Pos/*", "fields": {"sku": "/Nr", "quantity": "/Zahl", "location": "/../../Site"}}}},
    {"/Art": "NO", "type": "order.rejected", "fields": {"orderNumber": "/Auftrag", "code": "/Grund"}},
    {"/Art": "ST", "type": "order.cancelled",
     "fields": {"orderNumber": "/Auftrag", "imported": {"path": "/Da", "values": {"J": True, "N": False}}}},
    {"/Art": "LS", "type": "fulfilment", "const": {"status": "shipped"},
     "fields": {"fulfilmentId": {"join": ["/Auftrag", "/Nummer"]}, "orderNumber": "/Auftrag", "at": "/Wann",
                "lines": {"records": "/Pos/*", "fields": {"sku": "/Nr", "quantity": "/Zahl"}},
                "parcels": {"records": "/Pakete/*", "fields": {
                    "parcelId": "/Id", "carrier": "/Dienst", "trackingNumber": "/Spur",
                    "lines": {"records": "/Inhalt/*", "fields": {"sku": "/Nr", "quantity": "/Zahl"}}}}}},
    {"/Art": "RT", "type": "return.received",
     "fields": {"returnId": "/Beleg", "orderNumber": "/Auftrag",
                "lines": {"records": "/Pos/*", "const": {"disposition": "sellable"},
                          "fields": {"sku": "/Nr", "quantity": "/Zahl"}}}},
    {"/Art": "HB", "type": "feed.heartbeat", "fields": {"at": "/Wann"}},
    {"/Art": {"not": ["B", None]}, "skip": True},
]  # fmt: skip


def told(**members: Any) -> Any:
    """Read one record of that feed."""
    return read(profile(when=KINDS), {"Id": 9, "Code": "A", "Site": "W"} | members)


def test_every_type_of_record_can_be_told() -> None:
    """Levels, movements, removals, orders, fulfilments with parcels, returns, heartbeats."""
    position = {"Nr": "A", "Zahl": 2}
    assert told(Art="B", Qty=5) == [Level("9", 9, "A", "W", 5, None, None, None, None, ())]
    assert told(Art="M", Diff=-2, Neu=40) == [
        Movement("9", 9, "A", "W", -2, Figure.ON_HAND, None, 40, None, None)
    ]
    assert told(Art="X") == [Removal("9", 9, "A", "W")]
    assert told(Art="OK", Auftrag="CT-1", Beleg="S1", Pos=[position]) == [
        OrderAccepted("9", 9, None, "CT-1", "S1", (LineShare("A", 2, None, "W", 0),))
    ]
    assert told(Art="NO", Auftrag="CT-1", Grund="unknown_sku") == [
        OrderRejected("9", 9, None, "CT-1", code="unknown_sku")
    ]
    assert told(Art="ST", Auftrag="CT-1", Da="N") == [OrderCancelled("9", 9, None, "CT-1", imported=False)]
    assert told(Art="RT", Auftrag="CT-1", Beleg="R1", Pos=[position]) == [
        ReturnReceived("9", 9, "R1", None, "CT-1", (ReturnedLine("A", 2, Disposition.SELLABLE, None),))
    ]
    assert told(Art="HB", Wann="2026-11-23T10:15:00Z") == [Heartbeat("9", 9, "2026-11-23T10:15:00Z")]
    assert told(Art="??", Qty=1) == []


def test_a_dispatch_comes_with_its_lines_and_parcels() -> None:
    """Lists within lists, an id put together of two values."""
    position = {"Nr": "A", "Zahl": 2}
    parcel = {"Id": "P1", "Dienst": "DPD", "Spur": 123, "Inhalt": [position]}
    found = told(
        Art="LS", Auftrag="CT-1", Nummer=2, Wann="2026-11-23T10:15:00Z", Pos=[position], Pakete=[parcel]
    )[0]
    assert isinstance(found, Fulfilment)
    assert (found.fulfilment_id, found.status, found.lines) == (
        "CT-1-2",
        "shipped",
        (LineShare("A", 2, None, None, 0),),
    )
    assert [(one.parcel_id, one.carrier, one.tracking, one.pieces) for one in found.parcels] == [
        ("P1", "DPD", "123", {"A": 2})
    ]


def test_a_fault_in_an_inner_list_names_field_and_path() -> None:
    """What stands deep in a record is found by its line in the profile."""
    bad = told(Art="OK", Auftrag="CT-1", Pos=[{"Nr": "A", "Zahl": "2"}])[0]
    assert isinstance(bad, Reject)
    assert (bad.code, bad.path, bad.stock) == ("not_an_integer", "/Zahl", False)
    assert "lines.quantity: is a text" in bad.reason
    bad = told(Art="OK", Auftrag="CT-1", Pos=[{"Zahl": 2}])[0]
    assert isinstance(bad, Reject)
    assert (bad.code, bad.path) == ("missing", "/Nr")
    assert "lines.sku: is not stated" in bad.reason


def test_a_value_may_come_from_around_the_record_or_from_its_name() -> None:
    """A list of sites with lists of stock keyed by SKU, and a time for all of them at the top."""
    fields = {"location": "/../../Code", "sku": "/#key", "onHand": "/Q", "asOf": {"document": "/At"}}
    found = profile(records="/Sites/*/Stock/*", fields=fields)
    sites = [
        {"Code": "W1", "Stock": {"A": {"Q": 1}, "B": {"Q": 2}}},
        {"Code": "W2", "Stock": {"A": {"Q": 3}}},
    ]
    document = {"At": "2026-11-23T10:15:00Z", "Sites": sites}
    read_ = [item.value for item in items(found, json.dumps(document).encode())]
    assert [(one["location"], one["sku"], one["onHand"], one["asOf"][:4]) for one in read_] == [
        ("W1", "A", 1, "2026"),
        ("W1", "B", 2, "2026"),
        ("W2", "A", 3, "2026"),
    ]


def test_the_first_of_several_paths_that_is_stated_counts() -> None:
    """A system that renamed a field half-way."""
    found = profile(fields=FIELDS | {"sku": ["/Ean", "/Code"]})
    assert [one.sku for one in read(found, row(), row(Ean="5012345678900")) if isinstance(one, Level)] == [
        "ABC-1",
        "5012345678900",
    ]


def test_an_id_may_be_made_of_the_content() -> None:
    """Equal content has an equal id; the place in the feed is no part of it."""
    found = profile(fields=FIELDS | {"id": {"hash": True}})
    one, again, other = (
        item.value["id"]
        for item in items(found, json.dumps({"Items": [row(), row(Id=8), row(Qty=6)]}).encode())
    )
    assert one == again != other
    assert one == item_hash({"type": "stock.level", "sku": "ABC-1", "location": "WH1", "onHand": 5})
    found = profile(fields=FIELDS | {"id": {"hash": ["/Code", "/Site"]}})
    one, again, other = (
        item.value["id"]
        for item in items(found, json.dumps({"Items": [row(), row(Qty=6), row(Site="X")]}).encode())
    )
    assert one == again != other


@pytest.mark.parametrize("code", ['"A\\ud800"', '"A\xff"', '"A\\udfff\\ud800"'])
def test_a_record_with_half_a_character_is_set_aside_though_its_id_is_made_of_it(code: str) -> None:
    """However it is written; what stands beside it counts, and the same record has the same id."""
    found = profile(fields=FIELDS | {"id": {"hash": True}})
    text = json.dumps({"Items": [row(Code="@@"), row(), row(Code="@@")]}).replace('"@@"', code)
    spoilt, good, again = items(found, text.encode("latin-1"))
    assert spoilt.value["id"] == again.value["id"] != good.value["id"]
    rejected_, level_ = found.record(spoilt), found.record(good)
    assert isinstance(rejected_, Reject)
    assert (rejected_.code, rejected_.path) == ("control_character", "/Code")
    assert isinstance(level_, Level)


def test_whatever_an_object_holds_has_its_hash() -> None:
    """Numbers that no column holds, and literals as they were written; each another one."""
    values = ["A\ud800", "A\\ud800", "A\udfff", 2**70, str(2**70), Literal("1e400"), [{"x": "\ud800"}], "A"]
    assert len({item_hash({"sku": one}) for one in values}) == len(values)


def test_a_document_without_its_list_is_no_empty_list() -> None:
    """An error page must not count as "no news"; a source that leaves the list out says so in its profile."""
    for wrong in (b"{}", b'{"Items":null}', b'{"Items":7}', b'{"error":"x"}', b"[]", b"null", b'"x"'):
        with pytest.raises(Unreadable):
            items(profile(), wrong)
    assert items(profile(), b'{"Items":[]}') == ()
    assert items(profile(absent="empty"), b"{}") == ()
    with pytest.raises(Unreadable):
        items(profile("xml"), b"<Error/>")
    assert items(profile("xml"), b"<Items/>") == ()


def test_values_around_the_records_can_be_asked_for() -> None:
    """For paging: the next cursor, a count."""
    answer = profile().read(b'{"Items":[],"Page":{"Next":17,"More":true}}')
    assert (answer.value("/Page/Next"), answer.value("/Page/More"), answer.value("/Nothing")) == (
        17,
        True,
        None,
    )
    with pytest.raises(Misread):
        answer.value("/Page")
    answer = profile("xml").read(b'<Items next="17"/>')
    assert answer.value("/Items/@next") == "17"


def test_lines_of_json_are_read_one_by_one() -> None:
    """A broken line is set aside with its number."""
    data = b"\xef\xbb\xbf" + json.dumps(row()).encode() + b"\n\n{oops\n" + json.dumps(row(Id=8)).encode()
    good, bad, also = records(profile("ndjson"), data)
    assert isinstance(good, Level)
    assert isinstance(also, Level)
    assert isinstance(bad, Reject)
    assert (bad.code, bad.line, bad.payload) == ("not_json", 3, b"{oops")


XML = """<?xml version="1.0" encoding="iso-8859-1"?><!-- nightly -->
<s:Items xmlns:s="urn:stock" at="x"><s:Item no="7"><s:Code>M\xfcller</s:Code><Site>WH1</Site><Qty unit="EA"> 5 </Qty></s:Item>
<s:Item no="8"><s:Code>B</s:Code><s:Code>C</s:Code><Site>WH1</Site><Qty unit="EA">1</Qty></s:Item>
<s:Item no="9"><s:Code>D</s:Code><Site><X/></Site><Qty unit="EA">1</Qty></s:Item></s:Items>"""


def test_xml_is_read_by_elements_and_attributes_whatever_their_namespace() -> None:
    """Its own encoding, one value each; what stands twice is a fault, never the first of two."""
    fields = {"id": "/@no", "seq": "/@no", "sku": "/Code", "location": "/Site",
              "onHand": {"path": "/Qty", "trim": True, "unit": "/Qty/@unit", "factors": {"EA": 1}}}  # fmt: skip
    good, twice, nested = records(profile("xml", fields=fields), XML.encode("iso-8859-1"))
    assert isinstance(good, Level)
    assert (good.id, good.sku, good.on_hand) == ("7", "Müller", 5)
    assert isinstance(twice, Reject)
    assert (twice.code, twice.path) == ("duplicate_key", "/Code")
    assert isinstance(nested, Reject)
    assert (nested.code, nested.path, nested.sku) == ("not_a_value", "/Site", "D")
    assert b"<Site><X" in nested.payload


CSV = {"delimiter": ";", "ignore": ["#", "EOF"], "skipLines": 1}


def test_csv_is_read_by_the_names_of_its_columns() -> None:
    """Any separator, lines before the header, comments, a last line that counts, an old encoding."""
    text = '# comment\r\nId;Code;Site;Qty;Rest\r\n1;"M;\xfc";WH1;5;x\r\n\r\n;;;;\r\n2;B;WH1\r\n3;C;WH1;;x\r\nEOF;3\r\n'
    found = profile("csv", csv=CSV, encoding="windows-1252")
    good, short, empty = records(found, ("Bestand vom 23.11.\n" + text).encode("windows-1252"))
    assert isinstance(good, Level)
    assert (good.sku, good.on_hand) == ("M;ü", 5)
    assert isinstance(short, Reject)
    assert (short.code, short.line) == ("wrong_columns", 7)
    assert isinstance(empty, Reject)
    assert (empty.code, empty.sku, empty.path) == ("no_quantity", "C", "/Qty")


def test_a_column_that_is_not_there_is_a_fault_of_the_file() -> None:
    """Read as "not stated" it would set every row aside; an optional one may be missing."""
    with pytest.raises(Unreadable, match="no column 'Qty'; it has 'Id', 'Code', 'Site', 'Menge'"):
        items(profile("csv"), b"Id,Code,Site,Menge\n1,A,W,5\n")
    fields = FIELDS | {"available": {"path": "/Free", "optional": True}}
    assert len(items(profile("csv", fields=fields), b"Id,Code,Site,Qty\n1,A,W,5\n")) == 1
    with pytest.raises(Unreadable, match="names the column 'Qty' twice; by its number it is #4"):
        items(profile("csv"), b"Id,Code,Site,Qty,Qty\n1,A,W,5,6\n")
    numbered = profile("csv", fields=FIELDS | {"onHand": "/#5"})
    assert items(numbered, b"Id,Code,Site,Qty,Qty\n1,A,W,5,6\n")[0].value["onHand"] == 6


def test_a_file_that_lacks_its_last_line_was_cut_off() -> None:
    """Nobody else can tell, where no manifest comes. Nor may anything follow it."""
    found = profile("csv", csv={"last": "EOF"})
    head = b"Id,Code,Site,Qty\n1,A,W,5\n"
    assert len(items(found, head + b"EOF,1\n\n")) == 1
    with pytest.raises(Unreadable, match="it was cut off"):
        items(found, head)
    with pytest.raises(Unreadable, match="something follows"):
        items(found, head + b"EOF,1\n2,B,W,6\n")


def test_a_file_without_a_header_is_read_by_names_that_the_profile_gives() -> None:
    """A pipe between cells, and quotes that are only inches."""
    shape = {"delimiter": "|", "quote": None, "columns": ["Id", "Code", "Site", "Qty"]}
    assert items(profile("csv", csv=shape), b'1|19" rack|W|5\n')[0].value["sku"] == '19" rack'


def test_bytes_that_are_no_utf8_spoil_only_their_row() -> None:
    """The record with the broken name is set aside, with its bytes."""
    bad, good = records(profile("csv"), b"Id,Code,Site,Qty\n1,M\xfc,W,5\n2,B,W,6\n")
    assert isinstance(bad, Reject)
    assert (bad.code, bad.payload) == ("control_character", b"1,M\xfc,W,5")
    assert isinstance(good, Level)


def test_blanks_count_unless_the_profile_says_to_trim() -> None:
    """Fixed-width habits are stated, not assumed; conditions are compared the same way."""
    padded = b"Id,Code,Site,Qty,K\n1,A  ,W,5,S \n"
    assert items(profile("csv"), padded)[0].value["sku"] == "A  "
    kinds = [{"/K": "S", "type": "stock.removed"}]
    assert items(profile("csv", trim=True, when=kinds), padded)[0].value == {
        "type": "stock.removed", "id": "1", "seq": "1", "sku": "A", "location": "W",
    }  # fmt: skip
    assert items(profile("csv", when=kinds), padded)[0].value["type"] == "stock.level"


@pytest.mark.parametrize(
    ("wanted", "held", "not_held"),
    [
        ("true", [True, "true"], [False, "TRUE", 1, None]),
        (1, [1, "1"], [True, "01", 2, None]),
        (["A", None], ["A", None, ""], ["B", 0]),
        (None, [None, ""], ["x", 0, False, {"at": 1}, []]),
        ({"not": None}, ["x", 0, {"at": 1}], [None, ""]),
        ({"not": ["A", "B"]}, ["C", None], ["A", "B"]),
    ],
)
def test_a_condition_is_one_of_values_or_none_of_them(
    wanted: Any, held: list[Any], not_held: list[Any]
) -> None:
    """Truth and numbers are compared as they are written; what is there at all can be asked of anything."""
    found = profile(when={"/K": wanted, "type": "stock.removed"})
    assert [type(one) for one in read(found, *(row(K=value) for value in held))] == [Removal] * len(held)
    assert [type(one) for one in read(found, *(row(K=value) for value in not_held))] == [Level] * len(
        not_held
    )


def test_an_empty_element_is_not_stated() -> None:
    """Unless it holds others; blanks are nothing where they are trimmed."""
    found = profile("xml", trim=True, when={"/Gone": {"not": None}, "type": "stock.removed"})
    item = "<Item><Id>1</Id><Code>A</Code><Site>W</Site><Qty>1</Qty>{}</Item>"
    shapes = ("<Gone/>", "<Gone> </Gone>", "", "<Gone>x</Gone>", "<Gone><At/></Gone>")
    document = "<Items>" + "".join(item.format(shape) for shape in shapes) + "</Items>"
    assert [type(one) for one in records(found, document.encode())] == [Level] * 3 + [Removal] * 2


def test_a_part_of_the_file_s_name_can_be_a_value() -> None:
    """One file a warehouse, named after it."""
    names = {"pattern": "stock_{site}_{number}.csv", "kind": "full"}
    found = profile("csv", names=names, fields=FIELDS | {"location": {"part": "site"}})
    named = found.file_name("stock_WH1_17.csv")
    assert named is not None
    assert (named.number, named.counted, named.at, named.rule.kind) == (17, True, None, "full")
    assert items(found, b"Id,Code,Qty\n1,A,5\n", named.parts)[0].value["location"] == "WH1"
    assert found.file_name("stock_WH1_x.csv") is None


def test_names_of_files_order_them_by_number_or_by_time() -> None:
    """Two kinds of one time keep an order; a time that does not exist is no name."""
    names = [
        {"pattern": "BESTAND_{time:yyyyMMdd_HHmm}.csv", "kind": "full", "tz": "Europe/Berlin"},
        {"pattern": "BEWEGUNG_{time:yyyyMMdd_HHmm}-{any}.csv", "kind": "delta", "tz": "Europe/Berlin"},
    ]
    found = profile("csv", names=names)
    full, delta, later = (
        found.file_name(name)
        for name in ("BESTAND_20261123_0200.csv", "BEWEGUNG_20261123_0200-7.csv", "BESTAND_20261123_0201.csv")
    )
    assert full is not None
    assert delta is not None
    assert later is not None
    assert (full.at, full.counted) == ("2026-11-23T01:00:00Z", False)
    assert full.number < delta.number < later.number < 10**12
    assert found.file_name("BESTAND_20261323_0200.csv") is None


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("stock.csv", "in what order"),
        ("a/{number}.csv", "without a directory"),
        ("{number__}-{number}.csv", "a brace that is no placeholder"),
        ("{number}-{number}.csv", "each once"),
        ("{time}.csv", "is not understood"),
        ("{time:HHmm}.csv", "must tell one day"),
        ("{number.csv", "a brace that is no placeholder"),
        ("{a}_{b}_{any}_{c}_{number}", "at most 3 parts"),
        ("x{a}{number}", "where one ends could not be told"),
        ("{time:yyyyMMdd}.csv", 'needs "tz"'),
    ],
)
def test_a_pattern_of_names_that_tells_no_order_is_a_fault(pattern: str, says: str) -> None:
    """Files of which nobody knows the order must not be read."""
    assert any(says in fault for fault in faults_of("csv", names={"pattern": pattern, "kind": "full"}))


_CELL = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    | st.integers()
    | st.floats()
    | st.none()
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Id", "Code", "Site", "Qty", "K"]), _CELL, max_size=5), max_size=6
    )
)
def test_nothing_is_lost_whatever_stands_in_a_document(rows: list[dict[str, Any]]) -> None:
    """Each record is read or set aside with a reason that names the profile, and none disappears."""
    found = read(profile(), *rows)
    assert len(found) == len(rows)
    for one in found:
        assert not isinstance(one, Reject) or (one.reason.startswith("site.json") and one.code)


@given(st.sampled_from(["json", "ndjson", "csv", "xml"]), st.binary(max_size=200))
def test_no_bytes_break_a_reader(form: str, data: bytes) -> None:
    """They are records, faults of records, or a fault of the whole."""
    try:
        found = records(profile(form), data)
    except Unreadable as fault:
        assert fault.reason  # noqa: PT017 - either is right
    else:
        assert all(isinstance(one, Reject | Level) for one in found)


def test_a_record_that_is_no_object_is_set_aside() -> None:
    """A number in the list, or another list."""
    assert [type(one) for one in read(profile(), 7, [1], "x", None, row())] == [Reject] * 4 + [Level]
    assert rejected(profile(), Code=["A"]).code == "not_a_value"
