"""How long things took of late, and what those say of it that are not through yet."""

from __future__ import annotations

from archsyncd.domain.lags import Lag, Lags


def measured(*lags_ms: int) -> Lags:
    lags = Lags()
    for each in lags_ms:
        lags.note("handed_over", each)
    return lags


def test_who_still_waits_counts_with_the_time_that_is_gone() -> None:
    """Else the figures are of those that got through, and best when nobody does."""
    lags = measured(1_000, 2_000, 3_000)
    assert lags.of("handed_over") == Lag(3, 2_000, 3_000)
    assert lags.of("handed_over", [300_000] * 100) == Lag(103, 300_000, 300_000)


def test_who_has_only_just_come_says_nothing_yet() -> None:
    """A rush would look like speed."""
    lags = measured(1_000, 2_000, 3_000)
    assert lags.of("handed_over", [10] * 100) == Lag(3, 2_000, 3_000)


def test_where_nothing_got_through_those_that_wait_say_all() -> None:
    """And where nothing waits either, nobody knows."""
    assert Lags().of("handed_over", [5_000]) == Lag(1, 5_000, 5_000)
    assert Lags().of("handed_over") is None
