"""Units of measure: pieces or an exception, rounded down, and a unit that goes missing is noticed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import (
    INT64_MAXIMUM,
    Figure,
    Fulfilment,
    Level,
    LineShare,
    Movement,
    Record,
    Reject,
)
from archsyncd.domain.translating import in_our_units, plain
from archsyncd.domain.units import Units, in_pieces, is_decimal, lowered, units_of_text

UNITS = Units(
    {"CTN": Fraction(12), "KG": Fraction("2.5")}, {("S", "CTN"): Fraction(6), ("BARE", ""): Fraction(10)}
)


def level(unit: str | None, on_hand: int | None, sku: str = "A", **more: Any) -> Level:
    return Level("r", 1, sku, "WH1", on_hand, None, unit=unit, **more)


def pieces(record: Record) -> int | str | None:
    """What a level comes to, or the code of its fault."""
    found = in_our_units(record, UNITS, {})
    if isinstance(found, Reject):
        return found.code
    assert isinstance(found, Level)
    return found.on_hand


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (level(None, 7), 7),
        (level("EA", 7), 7),
        (level("CTN", 7), 84),
        (level("CTN", 7, "S"), 42),
        (level(None, 7, "BARE"), 70),
        (level("KG", 3), 7),
        (level("KG", -3), -8),
        (level("KG", None, decimals=(("onHand", "2.999"),)), 7),
        (level("KG", None, decimals=(("onHand", "-0.1"),)), -1),
    ],
)
def test_f122_a_quantity_is_counted_in_pieces_and_rounded_down(record: Level, wanted: int) -> None:
    """Cartons, kilograms, a SKU's own factor, one that tells no unit; debts are rounded towards the greater debt."""
    assert pieces(record) == wanted


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (level("PAL", 7), "unknown_unit"),
        (level("ctn", 7), "unknown_unit"),
        (level("CTN", INT64_MAXIMUM), "out_of_range"),
        (level("EA", None, decimals=(("onHand", "2.0"),)), "not_an_integer"),
    ],
)
def test_f122_what_nobody_gave_a_factor_for_is_never_a_number(record: Level, code: str) -> None:
    """Nor are decimals of a unit without one, nor what is beyond every range in pieces."""
    assert pieces(record) == code


def test_f122_a_record_that_tells_no_unit_any_more_is_set_aside() -> None:
    """Told in cartons before, nobody can say what a bare 7 counts; told in pieces before, it is 7."""
    found = in_our_units(level(None, 7), UNITS, {"A": "CTN"})
    assert isinstance(found, Reject)
    assert (found.code, found.sku, found.location, found.stock) == ("unit_not_stated", "A", "WH1", True)
    assert in_our_units(level(None, 7), UNITS, {"A": "EA"}) == level(None, 7)


def test_a_movement_and_its_balances_are_counted_alike() -> None:
    """The difference is rounded down as well."""
    told = Movement(
        "r", 1, "A", "WH1", 0, Figure.ON_HAND, None, 3, None, unit="KG", decimals=(("delta", "-0.5"),)
    )
    found = in_our_units(told, UNITS, {})
    assert isinstance(found, Movement)
    assert (found.delta, found.balance_on_hand, found.balance_available) == (-2, 7, None)


def test_lines_of_a_dispatch_are_counted_one_by_one() -> None:
    """One unknown unit among them sets the whole record aside, as a part of a dispatch is none."""
    told = Fulfilment(
        "r", 1, "F", "o", None, "shipped", "WH1", (LineShare("A", 2, unit="CTN"), LineShare("B", 1))
    )
    found = in_our_units(told, UNITS, {})
    assert isinstance(found, Fulfilment)
    assert [line.quantity for line in found.lines] == [24, 1]
    spoilt = Fulfilment(
        "r", 1, "F", "o", None, "shipped", "WH1", (LineShare("A", 2, unit="PAL"), LineShare("B", 1))
    )
    refused = in_our_units(spoilt, UNITS, {})
    assert isinstance(refused, Reject)
    assert (refused.code, refused.stock) == ("unknown_unit", False)


@given(st.integers(-(10**9), 10**9), st.fractions(min_value=Fraction(1, 1000), max_value=1000))
def test_pieces_are_never_more_than_there_are(quantity: int, factor: Fraction) -> None:
    """And less than one piece fewer."""
    exact = quantity * factor
    assert exact - 1 < in_pieces(quantity, factor) <= exact


@pytest.mark.parametrize(
    "text", ["1e3", "+1", " 1", "1,5", "", "01", "1.", ".5", "NaN", "٣", "1" * 40, "0x1", "-"]
)
def test_only_plain_decimals_are_decimals(text: str) -> None:
    """Whatever else reads like a number to some library is none."""
    assert not is_decimal(text)


def test_what_is_in_pieces_already_costs_nothing() -> None:
    """Nearly every record is; it is passed on as it is."""
    assert plain(level("EA", 1), Units())
    assert plain(level(None, 1), Units())
    assert not plain(level("CTN", 1), Units())
    assert not plain(level("EA", 1), Units({"EA": Fraction(2)}))
    assert not plain(level(None, 1), UNITS)


def test_units_are_the_same_from_their_text() -> None:
    found = units_of_text(UNITS.text())
    assert found == UNITS
    assert found.fingerprint() == UNITS.fingerprint()
    assert units_of_text(Units().text()) == Units()


@pytest.mark.parametrize(
    ("now", "told", "ratio"),
    [
        (Units({"CTN": Fraction(6)}), "CTN", Fraction(1, 2)),
        (Units({"CTN": Fraction(24)}), "CTN", 1),  # what is more is told by a full
        (Units({"CTN": Fraction(12), "KG": Fraction(1)}), "CTN", None),
        (Units({"CTN": Fraction(6)}), None, None),  # told in pieces, whatever a carton is
        (Units({"CTN": Fraction(6)}), "KG", 1),  # a unit without a factor by now
        (Units({"CTN": Fraction(12)}, {("A", "CTN"): Fraction(8)}), "CTN", Fraction(2, 3)),
        (Units({"CTN": Fraction(12)}, {("A", ""): Fraction(1, 2)}), None, Fraction(1, 2)),
        (Units({"CTN": Fraction(12), "EA": Fraction(2)}), None, 1),  # it may have been told in EA
        (Units({"CTN": Fraction(12), "EA": Fraction(2)}), "", None),
    ],
)
def test_what_was_told_comes_to_the_same_by_other_units_or_to_less_or_more(
    now: Units, told: str | None, ratio: Fraction | int | None
) -> None:
    before = Units({"CTN": Fraction(12), "KG": Fraction("2.5")})
    assert now.recount(before, "A", told) == ratio
    assert before.recount(before, "A", told) is None


@given(
    st.integers(-(10**6), 10**6),
    st.fractions(min_value="0.1", max_value=20),
    st.fractions("0.1", max_value=20),
)
def test_what_is_lowered_at_once_is_never_more_than_what_will_be_told(
    told: int, before: Fraction, now: Fraction
) -> None:
    """Nor more than what was offered; and what was offered does not become nothing by a slip."""
    pieces = in_pieces(told, before)
    found = lowered(pieces, min(Fraction(1), now / before))
    assert found <= pieces
    assert (found > 0) == (pieces > 0)
    if now <= before and in_pieces(pieces, now / before) > 0:
        assert found <= in_pieces(told, now)
