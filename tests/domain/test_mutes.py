"""Mutes: what they cover, and what ends them before their time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.mutes import Mute, MuteKind, covering

DEGRADED, CRITICAL = 1, 2
MUTE = Mute("sku_not_found", "", MuteKind.MUTE, DEGRADED, 12, 0, 3_600_000, "the new range", "anna")


@pytest.mark.parametrize(
    ("level", "count", "holds"),
    [
        (DEGRADED, 12, True),
        (DEGRADED, 24, True),
        (DEGRADED, 25, False),
        (DEGRADED, 0, True),
        (CRITICAL, 1, False),
    ],
)
def test_a_mute_ends_when_there_is_more_than_twice_as_much_or_it_is_more_severe(
    level: int, count: int, holds: bool
) -> None:
    """What a person took for granted was this much, and this bad."""
    assert (MUTE.outgrown(level, count) == "") is holds


def test_a_few_more_of_very_few_do_not_end_a_mute() -> None:
    """One that became five is five times as much, and still next to nothing."""
    one = replace(MUTE, count=1)
    assert one.outgrown(DEGRADED, 10) == ""
    assert one.outgrown(DEGRADED, 11) != ""


def test_a_mute_set_before_its_cause_came_holds_however_bad_that_is_at_first() -> None:
    """What is announced has no figures yet; they are taken when it comes."""
    assert replace(MUTE, level=0, count=0).outgrown(CRITICAL, 10_000) == ""


@given(st.integers(0, 2), st.integers(0, 1000), st.integers(0, 2), st.integers(0, 1000), st.integers(0, 1000))
def test_what_ends_a_mute_ends_it_when_there_is_still_more(
    level: int, count: int, now: int, many: int, more: int
) -> None:
    """The rule never lets go of what is worse than what ended it."""
    mute = replace(MUTE, level=level, count=count)
    if mute.outgrown(now, many):
        assert mute.outgrown(now, many + more)


@pytest.mark.parametrize(("muted", "also"), [("feed_stale", "stale_feed"), ("stale_feed", "feed_stale")])
def test_who_mutes_a_silent_feed_mutes_its_case_and_the_other_way_round(muted: str, also: str) -> None:
    """Two codes tell of one cause; late is another, so that stale ends its mute."""
    mute = replace(MUTE, code=muted, subject="main")
    assert mute.covers(also, "main")
    assert not mute.covers(also, "nightly")
    assert not mute.covers("feed_late", "main")


def test_the_most_particular_mute_is_the_one_that_covers() -> None:
    """A mute of one SKU stands before one of all; another code's covers nothing."""
    own = replace(MUTE, subject="A", by="ben")
    assert covering([MUTE, own], "sku_not_found", "A") is own
    assert covering([MUTE, own], "sku_not_found", "B") is MUTE
    assert covering([own], "sku_not_found", "B") is None
    assert covering([MUTE, own], "drift", "A") is None
