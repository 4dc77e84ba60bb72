"""What each record of r247/1 says, and which values are never a number, a name or a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archsyncd.domain.feed import (
    DispatchedParcel,
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
    Record,
    Reject,
    Removal,
    ReturnedLine,
    ReturnReceived,
)
from archsyncd.wire.r247 import read_page
from archsyncd.wire.r247_records import read_clean, read_record
from archsyncd.wire.r247_values import to_ms
from tests.support.examples import examples
from tests.wire.r247.documents import level, level_text, page


def read_one(item: str | dict[str, Any]) -> Record | Reject:
    """Read a page of one item, which may be raw text."""
    found = read_page(page(item))
    assert len(found.records) + len(found.rejects) == 1
    return (*found.records, *found.rejects)[0]


def rejected(item: str | dict[str, Any]) -> Reject:
    found = read_one(item)
    assert isinstance(found, Reject)
    return found


def test_a_level_states_all_that_the_ledger_needs() -> None:
    """Figures, times, revision and the orders it accounts for arrive as they were stated."""
    found = read_one(
        level(
            rev="88",
            ordersIncluded=["CT-1", "CT-2"],
            ordersThrough="2026-11-23T11:14:58+01:00",
            future=[{"q": 1}],
        )
    )
    assert found == Level(
        id="01JD-1",
        seq=101,
        sku="ABC-1-BLK-M",
        location="WH1",
        on_hand=42,
        available=37,
        as_of="2026-11-23T10:15:02Z",
        occurred_at="2026-11-23T10:15:02.120Z",
        rev="88",
        orders_included=("CT-1", "CT-2"),
        orders_through_ms=1_795_428_898_000,
    )


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"type": "stock.movement", "sku": "A", "location": "WH1", "delta": -2, "state": "onHand", "reason": "sale",
             "balanceAfter": {"onHand": 40, "available": 35}},
            Movement("r", 7, "A", "WH1", -2, Figure.ON_HAND, "sale", 40, 35),
        ),
        (
            {"type": "stock.movement", "sku": "A", "location": "WH1", "delta": 3, "state": "available",
             "balanceAfter": None},
            Movement("r", 7, "A", "WH1", 3, Figure.AVAILABLE),
        ),
        ({"type": "stock.removed", "sku": "A", "location": "WH1"}, Removal("r", 7, "A", "WH1")),
        (
            {"type": "order.accepted", "orderId": "u-1", "orderNumber": "CT-1", "sourceOrder": "SO-1",
             "lines": [{"lineRef": "l", "sku": "A", "location": "WH1", "quantity": 2}]},
            OrderAccepted("r", 7, "u-1", "CT-1", "SO-1", (LineShare("A", 2, "l", "WH1"),)),
        ),
        (
            {"type": "order.rejected", "orderId": "u-1", "code": "unknown_sku"},
            OrderRejected("r", 7, "u-1", None, "unknown_sku"),
        ),
        (
            {"type": "order.cancelled", "orderNumber": "CT-1", "imported": True},
            OrderCancelled("r", 7, None, "CT-1", imported=True),
        ),
        (
            {"type": "fulfilment", "fulfilmentId": "F-1", "orderId": "u-1", "status": "short", "location": "WH1",
             "lines": [{"lineRef": "l", "sku": "A", "quantity": 1, "shortQuantity": 2, "reason": None}]},
            Fulfilment("r", 7, "F-1", "u-1", None, "short", "WH1", (LineShare("A", 1, "l", None, 2),)),
        ),
        (
            {"type": "fulfilment", "fulfilmentId": "F-1", "orderId": "u-1", "status": "shipped", "lines": [],
             "at": "2026-11-23T10:15:02Z",
             "parcels": [{"parcelId": "P1", "sscc": "0034", "carrier": "DPD", "service": "NEXT", "trackingNumber": "t1",
                          "lines": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 2}]},
                         {"sscc": "0035", "trackingNumber": 1550, "carrier": "D\u0007" + "x" * 5000},
                         {"parcelId": "P3", "trackingNumber": {"odd": 1}, "carrier": " "}]},
            Fulfilment("r", 7, "F-1", "u-1", None, "shipped", None, (),
                       (DispatchedParcel("P1", "DPD", "t1", {"A": 3}),
                        DispatchedParcel("0035", ("D" + "x" * 5000)[:256], "1550"),
                        DispatchedParcel("P3")), "2026-11-23T10:15:02Z"),
        ),
        (
            {"type": "return.received", "returnId": "R-5", "orderNumber": "CT-1", "lines": []},
            ReturnReceived("r", 7, "R-5", None, "CT-1"),
        ),
        (
            {"type": "return.received", "returnId": "R-5", "orderNumber": "CT-1", "location": "RET",
             "lines": [{"sku": "A", "quantity": 1, "disposition": "scrap", "reason": "wet", "lineRef": "l"}]},
            ReturnReceived("r", 7, "R-5", None, "CT-1", (ReturnedLine("A", 1, Disposition.SCRAP, "l"),)),
        ),
        ({"type": "feed.heartbeat", "at": "2026-11-23T10:15:02Z"}, Heartbeat("r", 7, "2026-11-23T10:15:02Z")),
    ],
)  # fmt: skip
def test_every_type_of_record_is_understood(item: dict[str, Any], expected: Record) -> None:
    """Each type of section 1 becomes its own noun."""
    assert read_one({"id": "r", "seq": "7", **item}) == expected


def test_f119_a_negative_quantity_is_a_quantity() -> None:
    """An oversold warehouse tells numbers below zero, and they arrive unclamped."""
    found = read_one(level(onHand=-3, available=-(2**63)))
    assert isinstance(found, Level)
    assert (found.on_hand, found.available) == (-3, -(2**63))


NOT_QUANTITIES = {
    "NaN": "not_an_integer",
    "Infinity": "not_an_integer",
    "-Infinity": "not_an_integer",
    "1e400": "not_an_integer",
    "-0.0": "not_an_integer",
    '"12"': "not_an_integer",
    '"12,5"': "not_an_integer",
    '"1 000"': "not_an_integer",
    "3.0": "not_an_integer",
    "3.7": "not_an_integer",
    "1e2": "not_an_integer",
    "true": "not_an_integer",
    "false": "not_an_integer",
    '""': "not_an_integer",
    "[]": "not_an_integer",
    '{"value":1}': "not_an_integer",
    '"\u0661\u0662"': "not_an_integer",
    '"1_000"': "not_an_integer",
    "9223372036854775808": "out_of_range",
    "-9223372036854775809": "out_of_range",
    "18446744073709551616": "out_of_range",
    "9" * 5000: "out_of_range",
}


@pytest.mark.parametrize("field", ["onHand", "available"])
@pytest.mark.parametrize("literal", NOT_QUANTITIES)
def test_f120_what_is_no_json_integer_is_never_a_quantity(literal: str, field: str) -> None:
    """The record is set aside with the place, the value as it was written and a reason; its neighbours count."""
    found = read_page(page(level(id="before"), level_text(field, literal), level(id="after")))
    assert [record.id for record in found.records] == ["before", "after"]
    (fault,) = found.rejects
    assert (fault.code, fault.path, fault.sku) == (NOT_QUANTITIES[literal], f"/{field}", "ABC-1-BLK-M")
    assert fault.value
    assert fault.reason
    assert literal[:100] in fault.payload.decode()


@pytest.mark.parametrize(
    ("literal", "worth"),
    [("0", 0), ("-0", 0), ("9007199254740993", 2**53 + 1), ("9223372036854775807", 2**63 - 1), ("-1", -1)],
)
def test_f120_json_integers_within_64_bits_keep_every_digit(literal: str, worth: int) -> None:
    """2^53+1 is not rounded, and -0 is the JSON integer 0."""
    found = read_one(level_text("onHand", literal))
    assert isinstance(found, Level)
    assert found.on_hand == worth


@pytest.mark.parametrize("other", ["null", ...])
def test_f120_null_is_not_stated_and_never_zero(other: object) -> None:
    """A figure that is null or absent is None; a level with neither figure says nothing."""
    one = level(available=...) if other is ... else level(available=None)
    found = read_one(one)
    assert isinstance(found, Level)
    assert (found.on_hand, found.available) == (42, None)
    assert rejected({**one, "onHand": None}).code == "no_quantity"


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ('""', "empty"),
        ('"' + "X" * 257 + '"', "too_long"),
        ('"A\\u0000B"', "control_character"),
        ('"A\\nB"', "control_character"),
        ('"A\nB"', "control_character"),
        ('"A\\u0007B"', "control_character"),
        ('"A\\u007fB"', "control_character"),
        ('"A\\u2028B"', "control_character"),
        ('"\\ud800"', "control_character"),
        ("12", "not_a_text"),
        ("true", "not_a_text"),
        ('["A"]', "not_a_text"),
        ("null", "missing"),
    ],
)
@pytest.mark.parametrize("field", ["sku", "location"])
def test_f124_what_is_no_name_is_never_a_key(literal: str, code: str, field: str) -> None:
    """Empty, endless, unprintable and non-text SKUs and locations set the record aside."""
    found = rejected(level_text(field, literal))
    assert (found.code, found.path) == (code, f"/{field}")
    assert (found.sku if field == "sku" else found.location) is None


@pytest.mark.parametrize(
    "sku", ['12" TV', "O'Neill", "a/b\\c", "ÄÖÜ-ß", "品番-1", "A B", "A\u00a0B", "X" * 256, "😀"]
)
def test_f124_awkward_but_writable_names_are_kept_as_they_are(sku: str) -> None:
    """Quotes, slashes, spaces and other scripts are legal in a SKU; only its key in commercetools is a hash."""
    for ascii_only in (True, False):
        found = read_one(json.dumps(level(sku=sku), ensure_ascii=ascii_only))
        assert isinstance(found, Level)
        assert found.sku == sku


def test_f124_bytes_that_are_no_utf8_spoil_only_their_record() -> None:
    """A name in another encoding is set aside; the page goes on."""
    bad = page(level(id="good"), level(sku="caf@")).replace(b"caf@", b"caf\xe9")
    found = read_page(bad)
    assert [record.id for record in found.records] == ["good"]
    assert found.rejects[0].code == "control_character"
    assert b"caf\xe9" in found.rejects[0].payload


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"id": ...}, "missing", "/id"),
        ({"id": "x" * 129}, "too_long", "/id"),
        ({"id": 5}, "not_a_text", "/id"),
        ({"seq": ...}, "missing", "/seq"),
        ({"seq": 101}, "not_a_sequence", "/seq"),
        ({"seq": "-1"}, "not_a_sequence", "/seq"),
        ({"seq": "1.0"}, "not_a_sequence", "/seq"),
        ({"seq": "1_0"}, "not_a_sequence", "/seq"),
        ({"seq": " 1"}, "not_a_sequence", "/seq"),
        ({"seq": "\u0661"}, "not_a_sequence", "/seq"),
        ({"seq": ""}, "not_a_sequence", "/seq"),
        ({"seq": "9223372036854775808"}, "out_of_range", "/seq"),
        ({"seq": "1" * 40}, "out_of_range", "/seq"),
        ({"type": ...}, "missing", "/type"),
        ({"type": 1}, "not_a_text", "/type"),
        ({"rev": 88}, "not_a_text", "/rev"),
        ({"ordersIncluded": "CT-1"}, "not_a_list", "/ordersIncluded"),
        ({"ordersIncluded": ["CT-1", 2]}, "not_a_text", "/ordersIncluded/1"),
        ({"ordersIncluded": ["x"] * 10_001}, "too_many", "/ordersIncluded"),
        ({"type": "stock.movement", "state": "onHand"}, "missing", "/delta"),
        ({"type": "stock.movement", "state": "picked", "delta": 1}, "unknown_value", "/state"),
        ({"type": "stock.movement", "state": "onHand", "delta": 1, "balanceAfter": 3}, "not_an_object", "/balanceAfter"),
        (
            {"type": "stock.movement", "state": "onHand", "delta": 1, "balanceAfter": {"onHand": 1.5}},
            "not_an_integer",
            "/balanceAfter/onHand",
        ),
        ({"type": "order.accepted"}, "missing", "/orderId"),
        ({"type": "order.cancelled", "orderId": "u"}, "missing", "/imported"),
        ({"type": "order.cancelled", "orderId": "u", "imported": "true"}, "not_a_flag", "/imported"),
        ({"type": "order.rejected", "orderId": "u"}, "missing", "/code"),
        ({"type": "fulfilment", "fulfilmentId": "F", "orderId": "u", "status": "shipped"}, "missing", "/lines"),
        ({"type": "fulfilment", "fulfilmentId": "F", "orderId": "u", "status": "lost"}, "unknown_value", "/status"),
        (
            {"type": "fulfilment", "fulfilmentId": "F", "orderId": "u", "status": "shipped", "lines": [], "parcels": [{}]},
            "missing", "/parcels/0/parcelId",
        ),
        (
            {"type": "return.received", "returnId": "R", "orderId": "u",
             "lines": [{"sku": "A", "quantity": 1, "disposition": "lost"}]},
            "unknown_value", "/lines/0/disposition",
        ),
        (
            {"type": "return.received", "returnId": "R", "orderId": "u",
             "lines": [{"sku": "A", "quantity": -1, "disposition": "scrap"}]},
            "out_of_range", "/lines/0/quantity",
        ),
        (
            {"type": "fulfilment", "fulfilmentId": "F", "orderId": "u", "status": "shipped",
             "lines": [{"sku": "A", "quantity": -1}]},
            "out_of_range",
            "/lines/0/quantity",
        ),
        ({"type": "feed.heartbeat"}, "missing", "/at"),
    ],
)  # fmt: skip
def test_a_record_that_breaks_the_contract_says_where(changes: dict[str, Any], code: str, path: str) -> None:
    """The reject carries a JSON pointer and a stable code."""
    found = rejected(level(**changes))
    assert (found.code, found.path) == (code, path)


def test_f106_unknown_fields_are_ignored_and_unknown_types_set_aside() -> None:
    """A field we do not know changes nothing, wrong values in it included; a type we do not know is an exception."""
    plain = read_one(level())
    assert read_one(level_text("weight", "3.5")) == plain
    assert read_one(level_text("extra", '{"a":[{"b":1},{"b":2}],"c":1e400}')) == plain
    found = rejected(level(type="stock.teleported"))
    assert (found.code, found.value, found.seq, found.sku) == (
        "unknown_type",
        '"stock.teleported"',
        101,
        "ABC-1-BLK-M",
    )


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T10:15:02Z",
        "2026-11-23T10:15:02.120Z",
        "2026-11-23T10:15:02.123456789+05:30",
        "2026-11-23T10:15:02-00:00",
        "2024-02-29T23:59:59.9Z",
        "0001-01-01T00:00:00Z",
    ],
)
def test_times_with_an_offset_are_kept_as_written(written: str) -> None:
    """RFC 3339 in capitals is a time."""
    found = read_one(level(asOf=written))
    assert isinstance(found, Level)
    assert found.as_of == written


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23",
        "2026-11-23T10:15:02",
        "2026-11-23 10:15:02Z",
        "2026-11-23T10:15Z",
        "2026-11-23T10:15:02,120Z",
        "2026-W48-1T10:15:02Z",
        "20261123T101502.120000Z",
        "2026-02-30T10:15:02Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:15:02.120z",
        "2026-11-23T10:15:02+0100",
        "2026-11-23T10:15:02+24:00",
        "2026-11-23T10:15:02+01:60",
        "\u0662026-11-23T10:15:02Z",
        "2026-11-23T10:15:02Z\n",
        "yesterday",
        "",
        1_795_429_000,
        {"$date": 1},
    ],
)
@pytest.mark.parametrize("field", ["asOf", "occurredAt", "ordersThrough"])
def test_what_is_no_time_sets_the_record_aside(written: object, field: str) -> None:
    """Whatever a lenient library would take for a time is refused."""
    found = rejected(level(**{field: written}))
    assert (found.code, found.path) == ("not_a_time", f"/{field}")


def test_f043_a_leap_second_is_the_last_second_before_it() -> None:
    """RFC 3339 allows :60; nothing that reads times later must fail over it."""
    found = read_one(level(asOf="2016-12-31T23:59:60.5Z"))
    assert isinstance(found, Level)
    assert found.as_of == "2016-12-31T23:59:59Z"
    assert to_ms("1970-01-01T01:00:00.0015+01:00") == 1


def test_what_is_kept_of_a_reject_is_bounded() -> None:
    """Value and bytes of a huge record are cut; the bytes are the source's own."""
    found = rejected(level_text("onHand", "9" * 20_000))
    assert len(found.payload) == 4096
    assert len(found.value) <= 120
    assert len(found.reason) <= 200


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just("2026-11-23T10:15:02Z"),
    st.lists(st.text(max_size=3) | st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
FIELDS = [
    "id",
    "seq",
    "sku",
    "location",
    "onHand",
    "available",
    "asOf",
    "occurredAt",
    "rev",
    "ordersIncluded",
    "type",
]


@settings(max_examples=examples(60), deadline=None)
@given(
    changes=st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=3),
    seq=st.text("0123456789 -+_١", max_size=20),
)
@example(changes={"ordersIncluded": ""}, seq="1")
@example(changes={"ordersIncluded": {}}, seq="1")
@example(changes={"asOf": "2026-11-23T10:15:02Z\n2026-11-23T10:15:02Z"}, seq="1")
@example(changes={"rev": ""}, seq="1")
@example(changes={"available": False, "onHand": None}, seq="1")
def test_the_fast_reader_says_nothing_that_the_exact_one_would_not(changes: dict[str, Any], seq: str) -> None:
    """Both agree on every record that the fast one accepts, whatever stands in its fields."""
    item = {"seq": seq, **level(seq=...), **changes}
    exact = read_record(item, b"")
    fast = read_clean([item])
    assert fast is None or fast == [exact]
    if isinstance(exact, Reject):
        assert fast is None


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_a_time_that_leaves_the_years_that_exist_is_no_time(moment: str) -> None:
    """In UTC it would be of the year 10000 or 0, which nobody can write down."""
    assert rejected(level(asOf=moment)).code == "not_a_time"
    assert not isinstance(read_one(level(asOf=f"{moment[:19]}Z")), Reject)


class Cursed(dict[str, Any]):
    """A record that trips a fault that nobody thought of."""

    def get(self, name: str, default: Any = None) -> Any:
        if name == "rev":
            raise LookupError("bug")
        return super().get(name, default)


def test_f104_a_fault_of_ours_is_an_exception_of_its_record() -> None:
    """The feed goes on, and the record is kept with what it tripped."""
    found = read_record(Cursed(level(rev="1")), b"bytes")
    assert isinstance(found, Reject)
    assert (found.code, found.payload, found.sku) == ("reader_failed", b"bytes", level()["sku"])
    assert "LookupError: bug" in found.reason
    assert read_clean([Cursed(level(rev="1"))]) is None
