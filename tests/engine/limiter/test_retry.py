"""The pure values behind the limiter: backoff, quota, pace and breaker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.retry import (
    BACKOFF_LIMIT_SECONDS,
    BREAKER_FAILURES,
    BREAKER_PATIENCE_SECONDS,
    BREAKER_PROBES,
    Breaker,
    BreakerState,
    Pace,
    RetryQuota,
    ceiling,
    delay,
    honoured_seconds,
    steady_delay,
)

chances = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(-5, 10**9), chance=chances)
def test_a_delay_is_full_jitter_under_a_doubling_ceiling(attempt: int, chance: float) -> None:
    """Whatever the attempt, the wait lies between nothing and its ceiling, and the ceiling is bounded."""
    assert (
        0 <= delay(attempt, chance) <= ceiling(attempt, 1.0, BACKOFF_LIMIT_SECONDS) <= BACKOFF_LIMIT_SECONDS
    )
    assert ceiling(attempt, 1.0, 60.0) <= ceiling(attempt + 1, 1.0, 60.0)


def test_the_first_delays_double_from_one_second() -> None:
    """Base one second, doubling, until the limit (commercetools' own advice for 429 and 503)."""
    assert [delay(attempt, 1.0) for attempt in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(attempt=st.integers(0, 100), chance=chances)
def test_a_steady_delay_never_comes_at_once(attempt: int, chance: float) -> None:
    """Restarts and probes wait at least half their ceiling."""
    assert steady_delay(attempt, chance) >= 0.5


@pytest.mark.parametrize(
    ("told", "honoured"),
    [(None, 0), (0, 0), (-3, 0), (float("nan"), 0), (7, 7), (300, 300), (1e9, 300), (float("inf"), 300)],
)
def test_retry_after_is_honoured_up_to_five_minutes(told: float | None, honoured: float) -> None:
    """R2: a server cannot stop us for longer than five minutes with one answer, nor with nonsense."""
    assert honoured_seconds(told) == honoured


@given(st.lists(st.booleans(), max_size=400))
def test_repetitions_stay_within_their_share_of_the_requests(wants_retry: list[bool]) -> None:
    """R3: repetitions ≤ reserve + 10 % of the requests, whatever the order in which they are wanted."""
    quota, requests, retries = RetryQuota(), 0, 0
    for wanted in wants_retry:
        if not wanted:
            quota, requests = quota.requested(), requests + 1
        elif (next_quota := quota.retried()) is not None:
            quota, retries = next_quota, retries + 1
        assert retries <= 10 + 0.1 * requests + 1e-9


def test_a_spent_quota_is_earned_back_by_requests() -> None:
    """Ten requests earn one repetition."""
    quota: RetryQuota | None = RetryQuota(left=0)
    assert quota is not None
    assert quota.retried() is None
    for _ in range(11):
        quota = quota.requested()
    assert quota.retried() is not None


@given(
    steps=st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=200),
    most=st.integers(1, 200),
    burst=st.floats(1, 1000),
)
def test_the_pace_stays_within_its_bounds(steps: list[tuple[bool, float]], most: int, burst: float) -> None:
    """0 < m ≤ 1, a request at the slowest pace still fits the burst, and 1 ≤ places ≤ the configured number."""
    pace, now = Pace.first(most, burst), 0.0
    assert pace.in_flight <= 20
    for success, elapsed in steps:
        now += elapsed
        pace = pace.faster(now) if success else pace.slower(now)
        assert 0 < pace.multiplier <= 1
        assert 1 / pace.multiplier <= burst * (1 + 1e-9)
        assert 1 <= pace.in_flight <= most


def test_many_answers_of_one_overload_halve_the_pace_once() -> None:
    """Sixteen refusals of one second are one piece of news."""
    pace = Pace.first(16, 100)
    for _ in range(16):
        pace = pace.slower(50.0)
    assert (pace.multiplier, pace.in_flight) == (0.5, 8.0)
    assert pace.slower(51.0).multiplier == 0.25


def test_the_pace_recovers_by_steps_of_time_not_by_the_number_of_answers() -> None:
    """A thousand successes of one moment do not undo a cut; twenty seconds of them do."""
    pace = Pace.first(16, 100).slower(0.0)
    for _ in range(1000):
        pace = pace.faster(0.5)
    assert pace.multiplier == pytest.approx(0.525)
    for second in range(1, 11):
        pace = pace.faster(float(second))
    assert pace.multiplier == 1.0


def test_the_breaker_opens_only_after_failures_over_some_time() -> None:
    """A volley of failures in one moment is a hiccup; failures for ten seconds are an outage."""
    breaker = Breaker()
    for _ in range(100):
        breaker = breaker.failed(0.0, 0.5)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.failed(BREAKER_PATIENCE_SECONDS, 0.5).state is BreakerState.OPEN
    assert breaker.succeeded() == Breaker()


def opened() -> Breaker:
    breaker = Breaker()
    for number in range(BREAKER_FAILURES):
        breaker = breaker.failed(number * BREAKER_PATIENCE_SECONDS, 0.0)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_probes_grow_rarer_while_the_service_stays_away() -> None:
    """Each failed probe opens the breaker for longer, up to a minute."""
    breaker, waits = opened(), []
    now = 40.0
    for _ in range(8):
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        breaker = breaker.at(now)
        assert breaker.state is BreakerState.HALF_OPEN
        breaker = breaker.failed(now, 0.0)
    assert waits == [2.5, 5, 10, 20, 30, 30, 30, 30]


def test_an_open_breaker_ignores_late_answers_and_waits_for_its_probe() -> None:
    """Answers of requests from before neither close it nor prolong it."""
    breaker = opened()
    assert breaker.succeeded() == breaker.failed(1e6, 0.9) == breaker.at(breaker.probe_at - 0.001) == breaker


def test_the_breaker_closes_after_several_probes_in_a_row() -> None:
    """One lucky answer is not a recovery; three are."""
    breaker = opened()
    breaker = breaker.at(breaker.probe_at)
    for _ in range(BREAKER_PROBES - 1):
        breaker = breaker.succeeded()
        assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.succeeded() == Breaker()
