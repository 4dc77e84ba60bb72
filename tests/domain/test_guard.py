"""Guards on a full: each objection at its very edge (faults 100 to 102, 167; S15)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from archsyncd.domain.guard import BatchFigures, GuardLimits, objections

QUIET = BatchFigures(
    records=1000,
    previous_records=1000,
    known=1000,
    in_stock=1000,
    to_zero=0,
    changed=0,
    unmapped=0,
    absent=0,
    older_than_applied=0,
    missing_locations=(),
)


def test_an_ordinary_full_meets_no_objection() -> None:
    """Nothing unusual, nothing to say."""
    assert objections(QUIET, GuardLimits()) == ()


@pytest.mark.parametrize(
    ("number", "limit", "beyond"),
    [
        ("to_zero", 300, 301),
        ("changed", 500, 501),
        ("unmapped", 50, 51),
        ("records", 800, 799),
    ],
)
def test_f167_each_guard_holds_beyond_its_limit_and_not_at_it(number: str, limit: int, beyond: int) -> None:
    """The limit itself is allowed; one more, or one record fewer, needs a person."""
    at_limit: dict[str, Any] = {number: limit}
    past_limit: dict[str, Any] = {number: beyond}
    assert objections(replace(QUIET, **at_limit), GuardLimits()) == ()
    assert len(objections(replace(QUIET, **past_limit), GuardLimits())) == 1


def test_f102_an_empty_full_is_held_where_something_is_known() -> None:
    """Zero rows with HTTP 200 are no stock-take; at a very first start they are nothing special."""
    assert objections(replace(QUIET, records=0), GuardLimits())
    first = replace(QUIET, records=0, known=0, in_stock=0, previous_records=None)
    assert objections(first, GuardLimits()) == ()


def test_f101_keys_that_would_be_zeroed_by_their_absence_count_as_zeroed() -> None:
    """Absent is not zero: where the configuration makes it so, the same guard watches it."""
    assert objections(replace(QUIET, to_zero=200, absent_to_zero=101), GuardLimits())
    assert objections(replace(QUIET, to_zero=200, absent_to_zero=100), GuardLimits()) == ()


def test_f126_a_full_of_unmapped_locations_is_held() -> None:
    """Not one record would apply: the mapping is wrong, or the file."""
    assert objections(replace(QUIET, unmapped=1000), GuardLimits()) == ("none of its locations is mapped",)


def test_f101_a_location_that_is_missing_altogether_is_held() -> None:
    """A full that covers a location says something of it."""
    (reason,) = objections(replace(QUIET, missing_locations=("WH2",)), GuardLimits())
    assert "WH2" in reason


def test_f167_a_first_full_is_not_compared_with_nothing() -> None:
    """No previous full, no known keys: there is nothing it could fall short of."""
    figures = replace(QUIET, previous_records=None, known=0, in_stock=0, records=10)
    assert objections(figures, GuardLimits()) == ()
