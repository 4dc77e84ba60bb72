"""What nobody can know yet shortly after a start: neither that it is there nor that it is over. Knows no store and no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from archsyncd.domain.alerting import SAME
from archsyncd.domain.data_health import FIRST_LEVELS_SECONDS
from archsyncd.domain.health import FIRST_ORDERS_SECONDS, STUCK_FACTOR, Facts, FeedHealth

# By then commercetools has answered, or has not.
FIRST_ANSWER_SECONDS = 60.0
FIRST_WRITE_SECONDS = 300.0
LOOK_SECONDS = 30.0


def unjudged(facts: Facts, unheard: Collection[str]) -> frozenset[tuple[str, str]]:
    """Causes, as alerts tell them apart, that cannot be judged yet. `unheard`: feeds without a sign of life in this run."""
    return frozenset((SAME.get(code, code), subject) for code, subject in _codes(facts, unheard))


def _codes(facts: Facts, unheard: Collection[str]) -> Iterator[tuple[str, str]]:
    up_seconds = facts.uptime_seconds
    if up_seconds <= FIRST_ANSWER_SECONDS:
        yield "credential_refused", ""
        yield "commercetools_unreachable", ""
        yield "dispatches_not_booked", ""
    if up_seconds <= FIRST_WRITE_SECONDS:
        yield "marker_type", ""
    if up_seconds <= FIRST_LEVELS_SECONDS:
        yield "location_unheard", ""
    if up_seconds <= FIRST_ORDERS_SECONDS and facts.orders_behind_seconds is None:
        yield "orders_unknown", ""
    if facts.saturated is None:
        yield "requests_saturated", ""
    for feed in facts.feeds:
        if up_seconds <= FIRST_ANSWER_SECONDS:
            for code in ("orders_not_taken", "cancellations_not_taken", "bookings_not_taken"):
                yield code, feed.name
        # Its silence is counted from the start on, as long as that it stands still.
        if up_seconds <= STUCK_FACTOR * feed.interval_seconds + LOOK_SECONDS:
            yield from _of_feed(feed, silent=feed.name in unheard)


def _of_feed(feed: FeedHealth, *, silent: bool) -> Iterator[tuple[str, str]]:
    if silent and feed.verdict != "stale":
        yield "feed_stale", feed.name
    if silent or feed.stuck_seconds is not None:
        yield "feed_stuck", feed.name
