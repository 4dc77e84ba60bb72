"""Mutes: what they cover, and what ends them before their time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.data_health import LocationHealth, Wrong
from archsyncd.domain.health import Facts, FeedHealth, OpenCases, judge
from archsyncd.domain.mutes import Mute, MuteKind, covering, figures_of

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


def places(many: int, **of: bool) -> tuple[LocationHealth, ...]:
    """Locations with a feed that lives."""
    given = {"heard": True, "withheld": False} | of
    return tuple(
        LocationHealth(f"W{each}", "c", ("f",), "fresh", given["heard"], 9e9, 1e10, given["withheld"])
        for each in range(many)
    )


def quiet(many: int) -> tuple[LocationHealth, ...]:
    return tuple(replace(each, quiet_limit_seconds=1.0) for each in places(many))


GROWING = {
    "withheld": (Facts(locations=places(1, withheld=True)), Facts(locations=places(40, withheld=True))),
    "location_unheard": (
        Facts(uptime_seconds=900, locations=places(1, heard=False)),
        Facts(uptime_seconds=900, locations=places(40, heard=False)),
    ),
    "location_quiet": (Facts(locations=quiet(1)), Facts(locations=quiet(40))),
    "unknown_skus": (Facts(wrong=Wrong(100, 6)), Facts(wrong=Wrong(100, 95))),
    "drifting": (Facts(wrong=Wrong(100, 0, 6)), Facts(wrong=Wrong(100, 0, 95))),
}


@pytest.mark.parametrize("code", GROWING)
def test_a_mute_of_what_is_wrong_with_data_ends_when_there_is_much_more_of_it(code: str) -> None:
    """One location that is not sold was muted, and not the loss of all."""
    few, many = GROWING[code]
    (cause,) = (reason for reason in judge(few).reasons if reason.code == code)
    level, count = figures_of([cause])
    mute = replace(MUTE, code=code, level=level, count=count)
    assert code in {reason.code for reason, _ in judge(replace(few, mutes=(mute,))).muted}
    verdict = judge(replace(many, mutes=(mute,)))
    assert code in {reason.code for reason in verdict.reasons}
    assert [ended for ended, _ in verdict.outgrown] == [mute]


def test_what_is_folded_counts_for_a_mute_as_many_as_it_stands_for() -> None:
    """Rows end at a thousand, and what there is of it does not."""
    cases = OpenCases("drift", "warning", "data", 1_001, 9_000, 1.0, 60.0, "look", folded=5_000)
    mute = replace(MUTE, code="drift", count=600)
    verdict = judge(Facts(cases=(cases,), mutes=(mute,)))
    assert [(reason.code, reason.count) for reason in verdict.reasons] == [("drift", 6_001)]
    assert "6,001 by now" in verdict.outgrown[0][1]


def feeds(*names: str) -> tuple[FeedHealth, ...]:
    return tuple(FeedHealth(name, "stale", 900.0, 60.0) for name in names)


def test_a_mute_of_all_silent_feeds_ends_when_another_feed_falls_silent() -> None:
    """Whoever muted what there was did not know of the next one."""
    mute = replace(MUTE, code="feed_stale", level=CRITICAL, count=1)
    assert judge(Facts(feeds=feeds("main"), mutes=(mute,))).reasons == ()
    verdict = judge(Facts(feeds=feeds("main", "nightly"), mutes=(mute,)))
    assert {reason.subject for reason in verdict.reasons} == {"main", "nightly"}
    assert verdict.outgrown == ((mute, "it is of main, nightly by now, and was of 1 when it was muted"),)
    both = replace(mute, count=figures_of(verdict.reasons)[1])
    assert judge(Facts(feeds=feeds("main", "nightly"), mutes=(both,))).reasons == ()


def test_a_case_that_is_muted_by_itself_makes_the_others_not_overdue() -> None:
    """The oldest of the rest says whether somebody has left it open for too long."""
    apart = (("A", 1, 900.0),)
    cases = OpenCases("drift", "warning", "data", 2, 2, 900.0, 60.0, "look", apart, rest_seconds=5.0)
    (rest, *_) = judge(Facts(cases=(cases,))).reasons
    assert rest.says == "1 open drift (owner data)"
    late = replace(cases, rest_seconds=61.0)
    assert "overdue" in judge(Facts(cases=(late,))).reasons[0].says
