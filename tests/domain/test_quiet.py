"""Quiet hours: the little language, summer time, and how much of a stretch of time is quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.quiet import DAYS, QuietHours, cover_the_week, read_span

LONDON = ZoneInfo("Europe/London")
HOUR_MS = 3_600_000
NIGHTS = ("Mon-Fri 20:00-06:00", "Sat 12:00-Mon 06:00")


def hours(*texts: str, zone: ZoneInfo = LONDON) -> QuietHours:
    spans = tuple(span for text in texts if (span := read_span(text)) is not None)
    assert len(spans) == len(texts)
    return QuietHours(spans, zone)


def at(written: str, zone: ZoneInfo = LONDON, fold: int = 0) -> int:
    """A moment by its local time, in UTC milliseconds."""
    return int(datetime.fromisoformat(written).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        ("2026-11-23T05:59", True),  # a Monday: Sunday's long span
        ("2026-11-23T06:00", False),
        ("2026-11-23T19:59", False),
        ("2026-11-23T20:00", True),
        ("2026-11-24T05:59", True),
        ("2026-11-28T05:59", True),  # a Saturday: Friday's night
        ("2026-11-28T06:00", False),
        ("2026-11-28T11:59", False),
        ("2026-11-28T12:00", True),
        ("2026-11-29T15:00", True),
    ],
)
def test_nights_and_a_weekend_are_what_they_read_like(moment: str, quiet: bool) -> None:
    """The first minute belongs to the hours, the minute of their end does not."""
    assert hours(*NIGHTS).holds(at(moment)) is quiet


def test_what_touches_is_one_stretch_and_its_end_is_told() -> None:
    """Sunday evening's own span runs on in the weekend's."""
    quiet = hours("Sat-Sun 00:00-24:00", "Sun 22:00-06:00")
    assert quiet.ends_ms(at("2026-11-28T10:00")) == at("2026-11-30T06:00")
    assert quiet.ends_ms(at("2026-11-27T23:59")) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "Mon", "20:00-06:00", "mon 20:00-06:00", "Mon-Fri 20:00", "Mon 20:00-20:00", "Mon 24:00-06:00", "Mon 20:00-24:30",
        "Mon 20:00 - 06:00", "Mon-Fri 20:00-Sat 06:00", "Mon 06:00-Mon 06:00", "Mon 25:00-06:00", "Mon 20:60-21:00",
        "Mon 20:00-06:00\n", "Mon ٢٠:00-06:00", "Mon,Tue 20:00-06:00",
    ],
)  # fmt: skip
def test_whatever_else_is_no_hours(text: str) -> None:
    """The language is closed: no guess is ever an hour in which nobody is told."""
    assert read_span(text) is None


def test_days_may_go_round_the_end_of_the_week() -> None:
    """Fri-Mon is four days."""
    span = read_span("Fri-Mon 20:00-21:00")
    assert span is not None
    assert sorted(begins // 1440 for begins, _ in span.parts) == [0, 4, 5, 6]


@pytest.mark.parametrize(
    ("from_", "to", "real_hours"),
    [
        ("2026-03-28T22:00", "2026-03-29T06:00", 7),  # clocks go forward at 01:00
        ("2026-10-24T22:00", "2026-10-25T06:00", 9),  # and back at 02:00
        ("2026-11-24T22:00", "2026-11-25T06:00", 8),
    ],
)
def test_summer_time_makes_a_night_shorter_or_longer(from_: str, to: str, real_hours: int) -> None:
    """Hours are the wall clock's; how long they last is real time."""
    quiet = hours("Mon-Sun 22:00-06:00")
    assert quiet.within_ms(at(from_) - HOUR_MS, at(to) + HOUR_MS) == real_hours * HOUR_MS


def test_an_hour_that_comes_twice_is_quiet_both_times_and_one_that_never_comes_is_none() -> None:
    """On the nights when clocks change."""
    twice = hours("Sun 01:00-01:30")
    assert twice.holds(at("2026-10-25T01:15"))
    assert twice.holds(at("2026-10-25T01:15", fold=1))
    assert not twice.holds(at("2026-10-25T01:45", fold=1))
    assert hours("Sun 01:15-01:45").within_ms(at("2026-03-29T00:00"), at("2026-03-29T06:00")) == 0


SPANS = st.one_of(
    st.builds(
        lambda first, last, start, end: f"{first}-{last} {start:02}:00-{end:02}:30",
        st.sampled_from(DAYS), st.sampled_from(DAYS), st.integers(0, 23), st.integers(0, 23),
    ),
    st.builds(
        lambda first, start, last, end: f"{first} {start:02}:15-{last} {end:02}:45",
        st.sampled_from(DAYS), st.integers(0, 23), st.sampled_from(DAYS), st.integers(0, 23),
    ),
)  # fmt: skip
START = datetime(2026, 1, 1, tzinfo=UTC)


@given(
    st.lists(SPANS, min_size=1, max_size=3, unique=True),
    st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(0, 365 * 24 * 4),
    st.integers(1, 96),
)
def test_the_quiet_part_of_a_stretch_is_what_its_minutes_say(
    texts: list[str], zone: str, start: int, quarters: int
) -> None:
    """Counted by quarters of an hour, on whose borders all these hours begin and end."""
    quiet = hours(*texts, zone=ZoneInfo(zone))
    from_ms = int((START + timedelta(minutes=15 * start)).timestamp() * 1000)
    moments = [from_ms + quarter * HOUR_MS // 4 for quarter in range(quarters)]
    told = sum(quiet.holds(moment) for moment in moments) * HOUR_MS // 4
    assert quiet.within_ms(from_ms, from_ms + quarters * HOUR_MS // 4) == told


def test_hours_that_leave_none_are_found() -> None:
    """Nobody would ever be told."""
    whole, rest = read_span("Mon-Sat 00:00-24:00"), read_span("Sun 00:00-24:00")
    assert whole is not None
    assert rest is not None
    assert cover_the_week((whole, rest))
    assert not cover_the_week((whole,))
