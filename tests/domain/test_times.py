"""Times as UTC milliseconds: exact, and only RFC 3339 with an offset (faults 42, 43)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.times import rfc3339, utc_ms


@given(st.integers(-2_208_988_800_000, 253_402_300_799_999))
def test_f042_every_millisecond_survives_the_way_to_text_and_back(at_ms: int) -> None:
    """From 1900 to the year 9999, before 1970 too."""
    assert utc_ms(rfc3339(at_ms)) == at_ms


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T10:15:02.120Z", 1_795_428_902_120),
        ("2026-11-23T12:15:02.120+02:00", 1_795_428_902_120),
        ("2026-11-23t10:15:02.1209z", 1_795_428_902_120),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_a_time_with_an_offset_is_read(text: str, at_ms: int) -> None:
    """Offsets are applied and finer digits dropped."""
    assert utc_ms(text) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23T10:15:02",
        "2026-11-23T10:15Z",
        "20261123T101502Z",
        "2026-W01-1T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-06-30T23:59:60Z",
        "2026-01-01T00:00:00+01:00:30",
        "2026-01-01T25:00:00Z",
        "٢٠٢٦-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
        " 2026-01-01T00:00:00Z",
    ],
)
def test_f043_anything_else_is_no_time(text: str) -> None:
    """A leap second, a bare date, another calendar's digits: not told rather than guessed."""
    assert utc_ms(text) is None
