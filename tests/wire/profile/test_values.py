"""Values as foreign systems write them become what r247/1 has, exactly, or a fault that names profile, path and value."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Reject
from archsyncd.wire.profile.times import TimeRule, parse_pattern
from archsyncd.wire.r247_values import Misread
from tests.wire.profile.profiles import FIELDS, faults_of, level, profile, read, records, rejected, row


def with_field(name: str, rule: Any, **members: Any) -> Any:
    return profile(fields=FIELDS | {name: rule}, **members)


@given(st.integers(-(2**63), 2**63 - 1))
def test_f119_any_integer_goes_through_with_its_sign_and_every_digit(quantity: int) -> None:
    """A debt stays a debt."""
    assert level(profile(), Qty=quantity).on_hand == quantity


@pytest.mark.parametrize(
    "written",
    ['"12"', '"12,5"', '"1 000"', "3.0", "3.7", "1e400", "NaN", "Infinity", "-Infinity", "true", "[]", "{}", "1e2", "9" * 5000,
     str(2**63), '"-0.0"'],
)  # fmt: skip
def test_f120_what_is_no_json_integer_is_never_a_quantity(written: str) -> None:
    """Unless the profile says how numbers are written; the neighbour counts all the same."""
    data = f'{{"Items":[{{"Id":1,"Code":"A","Site":"W","Qty":{written}}},{{"Id":2,"Code":"B","Site":"W","Qty":4}}]}}'
    bad, good = records(profile(), data.encode())
    assert isinstance(bad, Reject)
    assert bad.code in {"not_an_integer", "out_of_range", "not_a_value"}
    assert (bad.sku, bad.path, bad.reason.split(": ")[0]) == ("A", "/Qty", "site.json:13 onHand")
    assert not isinstance(good, Reject)


def test_f120_a_fault_names_the_line_of_the_profile_the_path_and_the_value() -> None:
    """Whoever connects a site needs no second look."""
    found = with_field("onHand", {"path": "/Qty/Physical"}, decimal=".")
    told = rejected(found, Qty={"Physical": "12,5"})
    assert told.reason == 'site.json:13 onHand: is no number written with "." before the fraction'
    assert (told.path, told.value, told.code) == ("/Qty/Physical", '"12,5"', "not_an_integer")


def test_f120_null_and_empty_are_not_stated_and_never_zero() -> None:
    """A level that states nothing is set aside."""
    found = with_field("onHand", "/Qty", unstated=["-", "n/a"], decimal=".")
    for nothing in (None, "", "-", "n/a"):
        assert rejected(found, Qty=nothing).code == "no_quantity"
    assert level(found, Qty="0").on_hand == 0


@given(
    st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=3),
    st.sampled_from([(",", "."), (".", ","), (",", " "), (".", "'"), (",", None)]),
    st.sampled_from(["1", "12", "0.5", "1/3", "0.001"]),
    st.booleans(),
)
def test_f122_a_factor_rounds_down_and_never_through_a_float(
    number: Decimal, signs: tuple[str, str | None], factor: str, trailing: bool
) -> None:
    """Half a carton is offered as what is whole of it; a debt grows. Exactly."""
    decimal, thousands = signs
    digits = f"{abs(number):,.3f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands or "")
    minus = "-" if number < 0 else ""
    text = digits + minus if trailing else minus + digits
    rule = {
        "path": "/Qty",
        "factor": factor,
        "decimal": decimal,
        "minus": "trailing" if trailing else "leading",
    }
    found = with_field("onHand", rule | ({"thousands": thousands} if thousands else {}))
    wanted = floor(Fraction(number) * Fraction(factor))
    assert level(found, Qty=text).on_hand == wanted


def test_f122_units_come_from_a_table_and_an_unknown_one_is_set_aside() -> None:
    """Cartons are never taken for pieces."""
    found = with_field(
        "onHand", {"path": "/Qty", "unit": "/Unit", "factors": {"EA": 1, "CTN": 12, "KG": "2.5", "": 1}}
    )
    assert level(found, Unit="CTN", Qty=3).on_hand == 36
    assert level(found, Unit="KG", Qty=3).on_hand == 7
    assert level(found, Unit="KG", Qty=-3).on_hand == -8
    assert level(found, Qty=3).on_hand == 3
    told = rejected(found, Unit="PAL", Qty=3)
    assert (told.code, told.path, told.value) == ("unknown_unit", "/Unit", '"PAL"')


def test_f122_a_fraction_without_a_factor_is_a_fault_and_not_cut_off() -> None:
    """Only whoever states a factor means to convert."""
    found = with_field("onHand", {"path": "/Qty", "decimal": ","})
    assert level(found, Qty="12,000").on_hand == 12
    assert rejected(found, Qty="12,5").reason.endswith(
        '"unit" and "factors", or "factor", stand beside its path'
    )


def test_names_may_be_numbers_and_keep_their_zeros_as_texts() -> None:
    """A numeric code is exact; one with a fraction is no name."""
    assert level(profile(), Code=4711).sku == "4711"
    assert level(profile(), Code="0004711").sku == "0004711"
    assert rejected(profile(), Code=4711.0).code == "not_a_text"
    assert rejected(profile(), Code=True).code == "not_a_text"
    assert level(profile(), Code=" A ").sku == " A "
    assert level(profile(trim=True), Code=" A ").sku == "A"


def test_sequence_numbers_keep_their_digits() -> None:
    """Leading zeros are a way of writing; letters are none."""
    found = with_field("seq", "/Seq")
    assert level(found, Seq="000000000000000000000042").seq == 42
    assert level(found, Seq=2**60).seq == 2**60
    assert rejected(found, Seq="42a").code == "not_a_sequence"
    assert rejected(found, Seq=-1).code == "not_a_sequence"


def test_texts_are_translated_and_an_unknown_one_is_a_fault() -> None:
    """A status that nobody told us of is not guessed."""
    fields = {
        "id": "/Id",
        "seq": "/Id",
        "fulfilmentId": "/No",
        "orderNumber": "/Order",
        "status": {"path": "/St", "values": {"90": "shipped", "50": "picking"}},
        "lines": {"records": "/L/*", "fields": {"sku": "/S", "quantity": "/Q"}},
    }
    found = profile(const={"type": "fulfilment"}, fields=fields)
    one = {"Id": 1, "No": "F1", "Order": "CT-1", "L": [{"S": "A", "Q": 1}]}
    good, bad = read(found, one | {"St": 90}, one | {"St": "77"})
    assert not isinstance(good, Reject)
    assert isinstance(bad, Reject)
    assert (bad.code, bad.path, bad.value) == ("unknown_value", "/St", '"77"')


@pytest.mark.parametrize(
    ("pattern", "text", "instant"),
    [
        ("dd/MM/yyyy HH:mm", "23/11/2026 10:15", "2026-11-23T10:15:00Z"),
        ("yyyy-MM-dd'T'HH:mm[:ss][.S]", "2026-11-23T10:15:02.120", "2026-11-23T10:15:02.120Z"),
        ("yyyy-MM-dd'T'HH:mm[:ss][.S]", "2026-11-23T10:15", "2026-11-23T10:15:00Z"),
        ("d.M.yyyy H:mm:ss", "3.1.2026 7:05:09", "2026-01-03T07:05:09Z"),
        ("YYYY-'W'ww-e", "2026-W01-1", "2025-12-29T00:00:00Z"),
        ("YYYY-'W'ww-e", "2020-W53-5", "2021-01-01T00:00:00Z"),
        ("yyyyDDDHHmmss", "2026327101500", "2026-11-23T10:15:00Z"),
        ("yyMMddHHmm", "2611231015", "2026-11-23T10:15:00Z"),
        ("dd-MMM-yyyy hh:mm a", "23-NOV-2026 12:15 AM", "2026-11-23T00:15:00Z"),
        ("dd-MMM-yyyy hh:mm a", "23-Nov-2026 12:15 pm", "2026-11-23T12:15:00Z"),
        ("yyyy-MM-dd HH:mm:ssXXX", "2026-11-23 10:15:02+05:30", "2026-11-23T04:45:02Z"),
        ("yyyyMMddHHmmssXX", "20261123101502-0800", "2026-11-23T18:15:02Z"),
        ("epoch-seconds", "1795428902", "2026-11-23T10:15:02Z"),
        ("epoch-milliseconds", "1795428902120", "2026-11-23T10:15:02.120Z"),
        ("dotnet", "/Date(1795428902120+0100)/", "2026-11-23T10:15:02.120Z"),
        ("dd.MM.yyyy 'um' HH 'Uhr'", "23.11.2026 um 10 Uhr", "2026-11-23T10:00:00Z"),
    ],
)
def test_a_time_is_read_by_its_pattern(pattern: str, text: str, instant: str) -> None:
    """Figures by letters, everything else for itself."""
    rule = TimeRule(parse_pattern(pattern), UTC, "UTC")
    assert rule.instant(text) == instant


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("29/02/2026 10:15", "not_a_time"),
        ("23/11/2026 24:00", "not_a_time"),
        ("23/11/2026 10:60", "not_a_time"),
        ("11/23/2026 10:15", "not_a_time"),
        ("23/11/26 10:15", "not_a_time"),
        ("23/11/2026 10:15 ", "not_a_time"),
        ("٢٣/11/2026 10:15", "not_a_time"),
        (20261123, "not_a_time"),
        (True, "not_a_time"),
        ("29/03/2026 01:30", "skipped_time"),
        ("25/10/2026 01:30", "ambiguous_time"),
    ],
)
def test_a_time_that_is_none_or_that_the_clocks_leave_out_or_show_twice_is_a_fault(
    text: object, code: str
) -> None:
    """Nothing is guessed: not the day and month, not the hour of the night when clocks change."""
    found = with_field("asOf", {"path": "/T", "format": "dd/MM/yyyy HH:mm", "tz": "Europe/London"})
    told = rejected(found, T=text)
    assert (told.code, told.path) == (code, "/T")


def test_a_profile_may_choose_which_of_two_hours_is_meant() -> None:
    """Then the doubled hour is no fault; the hour that does not exist still is."""
    rule = {"path": "/T", "format": "dd/MM/yyyy HH:mm", "tz": "Europe/London"}
    first, second = (with_field("asOf", rule | {"fold": fold}) for fold in ("earlier", "later"))
    assert level(first, T="25/10/2026 01:30").as_of == "2026-10-25T00:30:00Z"
    assert level(second, T="25/10/2026 01:30").as_of == "2026-10-25T01:30:00Z"
    assert rejected(first, T="29/03/2026 01:30").code == "skipped_time"


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31), timezones=st.just(ZoneInfo("Europe/London"))),  # noqa: DTZ001 - zone beside it
)
def test_a_local_time_that_is_written_out_is_read_back_as_the_same_instant(moment: datetime) -> None:
    """Or told as left out or shown twice, which the library confirms."""
    rule = TimeRule(parse_pattern("yyyy-MM-dd HH:mm:ss"), ZoneInfo("Europe/London"), "Europe/London")
    local = moment.replace(microsecond=0)
    try:
        found = rule.instant(local.strftime("%Y-%m-%d %H:%M:%S"))
    except Misread as fault:
        other = local.replace(fold=1 - local.fold)
        assert other.utcoffset() != local.utcoffset(), fault.code  # noqa: PT017 - either is right
    else:
        assert datetime.fromisoformat(found) == local.astimezone(UTC)


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("HH:mm", "must tell one day"),
        ("dd/mm/yyyy", "must tell one day"),
        ("dd/MM/yyyy mm", "without an hour"),
        ("dd/MM/yyyy hh:mm", "with a (AM or PM)"),
        ("dd/MM/yyyy dd", "twice"),
        ("dd/MM/yyyyTHH:mm", "says T, which is no figure"),
        ("DD.MM.YYYY", "says DD, which is no figure"),
        ("dMyyyy", "right behind a figure of unknown length"),
        ("dd/MM/yyyy 'x", "opens a quote"),
        ("dd/MM/yyyy [HH", "bracket"),
        ("dd/MM/yyyy HH]", "brackets"),
    ],
)
def test_a_pattern_that_tells_no_time_is_a_fault_of_the_profile(pattern: str, says: str) -> None:
    """The usual slips are named: mm for MM, YYYY for yyyy, letters without quotes."""
    told = faults_of(fields=FIELDS | {"asOf": {"path": "/T", "format": pattern, "tz": "UTC"}})
    assert any(says in fault for fault in told), told


@given(st.text(max_size=30))
def test_no_pattern_and_no_time_breaks_the_reader(text: str) -> None:
    """A sentence for the writer, or a pattern."""
    try:
        pattern = parse_pattern(text)
    except ValueError as fault:
        assert str(fault)  # noqa: PT017 - either is right
        return
    with pytest.raises(Misread):
        TimeRule(pattern, UTC, "UTC").instant("nothing like it")


def test_a_date_is_a_day_in_the_zone_where_it_was_written() -> None:
    """Future supply is told by the day."""
    fields = FIELDS | {
        "future": {
            "records": "/F/*",
            "fields": {"quantity": "/N", "expectedAt": {"path": "/D", "format": "dd.MM.yyyy"}},
        }
    }
    item = profile(fields=fields).read(b'{"Items":[{"Id":1,"F":[{"N":3,"D":"01.12.2026"}]}]}').items[0]
    assert item.value["future"] == [{"quantity": 3, "expectedAt": "2026-12-01"}]


def test_rows_that_belong_to_nobody_are_told() -> None:
    """A record that fits no kind is set aside, not guessed."""
    found = profile(const=None, when=[{"/K": "S", "type": "stock.level"}, {"/K": ["X", None], "skip": True}])
    fitting, unknown = read(found, row(K="S"), row(K="Q"), row(K="X"), row())
    assert not isinstance(fitting, Reject)
    assert isinstance(unknown, Reject)
    assert unknown.code == "unknown_type"
