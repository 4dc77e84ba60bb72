"""What nobody can know shortly after a start, and what is known at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.domain.health import Facts, FeedHealth, judge
from archsyncd.domain.unjudged import unjudged

FEED = FeedHealth("main", "fresh", 3.0, 60.0)
EARLY = Facts(uptime_seconds=10.0, feeds=(FEED,), orders_behind_seconds=None)
SETTLED = Facts(uptime_seconds=900.0, feeds=(FEED,), orders_behind_seconds=None, saturated=0.1)


def test_shortly_after_a_start_little_is_known() -> None:
    """Whatever rests on what this process has seen."""
    assert unjudged(EARLY, {"main"}) == {
        ("credential_refused", ""),
        ("commercetools_unreachable", ""),
        ("dispatches_not_booked", ""),
        ("orders_not_taken", "main"),
        ("cancellations_not_taken", "main"),
        ("bookings_not_taken", "main"),
        ("marker_type", ""),
        ("location_unheard", ""),
        ("orders", ""),
        ("requests_saturated", ""),
        ("feed", "main"),
        ("feed_stuck", "main"),
    }


def test_later_all_is_known_though_it_may_still_be_wrong() -> None:
    """Orders that are unknown by then are a cause, and no question."""
    assert unjudged(SETTLED, {"main"}) == frozenset()
    assert {reason.code for reason in judge(SETTLED).reasons} == {"orders_unknown"}


def test_a_feed_is_judged_once_it_gave_a_sign_of_life_or_is_silent_for_too_long() -> None:
    """And whether it stands still as long as it is behind."""
    facts = replace(EARLY, uptime_seconds=200.0)
    assert ("feed", "main") not in unjudged(facts, ())
    assert ("feed_stuck", "main") not in unjudged(facts, ())
    assert ("feed", "main") not in unjudged(replace(facts, feeds=(replace(FEED, verdict="stale"),)), {"main"})
    behind = replace(facts, feeds=(replace(FEED, stuck_seconds=100.0),))
    assert ("feed_stuck", "main") in unjudged(behind, ())


@pytest.mark.parametrize("behind", [0.0, 1_000.0])
def test_orders_are_judged_as_soon_as_they_are_known(behind: float) -> None:
    """However far behind."""
    assert ("orders", "") not in unjudged(replace(EARLY, orders_behind_seconds=behind), ())
