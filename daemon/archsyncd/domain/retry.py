"""When to try again and how fast to ask: backoff, quota, pace and breaker. Knows no clock, no chance and no loop.

All values are frozen; a transition returns the next one. `now` is monotonic seconds, `chance` a number in [0, 1).
Sources: commercetools asks for exponential backoff with jitter on 429 and 503 (faults 74, 75, 78, 80).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

BACKOFF_BASE_SECONDS = 1.0
BACKOFF_LIMIT_SECONDS = 60.0
ORDER_BASE_SECONDS = 2.0
ORDER_LIMIT_SECONDS = 300.0
RETRY_AFTER_LIMIT_SECONDS = 300.0
_EXPONENT_LIMIT = 30

QUOTA_PERCENT = 10.0
QUOTA_RESERVE = 10.0

PACE_FLOOR = 0.02
PACE_CUT = 0.5
PACE_CUT_PAUSE_SECONDS = 1.0
PACE_RISE_PER_SECOND = 0.05
FIRST_RAMP_IN_FLIGHT = 20

BREAKER_FAILURES = 5
BREAKER_PATIENCE_SECONDS = 10.0
BREAKER_BASE_SECONDS = 5.0
BREAKER_PROBES = 3


def ceiling(attempt: int, base_seconds: float, limit_seconds: float) -> float:
    """The longest wait before try number `attempt` (0: the first repetition): base · 2^attempt, at most the limit."""
    return min(limit_seconds, base_seconds * 2.0 ** min(max(attempt, 0), _EXPONENT_LIMIT))


def delay(
    attempt: int,
    chance: float,
    *,
    base_seconds: float = BACKOFF_BASE_SECONDS,
    limit_seconds: float = BACKOFF_LIMIT_SECONDS,
) -> float:
    """Seconds to wait before repetition `attempt` (from 0), full jitter: anywhere between 0 and the ceiling."""
    return chance * ceiling(attempt, base_seconds, limit_seconds)


def order_delay_ms(attempts: int, chance: float, asked_seconds: float = 0.0) -> int:
    """Milliseconds until what is due about an order is tried again; no less than was asked for, within reason."""
    seconds = delay(attempts, chance, base_seconds=ORDER_BASE_SECONDS, limit_seconds=ORDER_LIMIT_SECONDS)
    return int(max(seconds, min(asked_seconds, ORDER_LIMIT_SECONDS)) * 1000)


def steady_delay(
    attempt: int,
    chance: float,
    *,
    base_seconds: float = BACKOFF_BASE_SECONDS,
    limit_seconds: float = BACKOFF_LIMIT_SECONDS,
) -> float:
    """Like `delay`, but never shorter than half the ceiling: for restarts and probes, which must not come at once."""
    return (0.5 + 0.5 * chance) * ceiling(attempt, base_seconds, limit_seconds)


def honoured_seconds(retry_after_seconds: float | None) -> float:
    """A Retry-After as it is obeyed: between 0 and 5 minutes; 0 when it was not told or makes no sense."""
    if retry_after_seconds is None or not retry_after_seconds > 0:
        return 0.0
    return min(retry_after_seconds, RETRY_AFTER_LIMIT_SECONDS)


@dataclass(frozen=True, slots=True)
class RetryQuota:
    """What may be repeated: at most `percent` of the requests made, and a small reserve for the first ones."""

    percent: float = QUOTA_PERCENT
    reserve: float = QUOTA_RESERVE
    left: float = QUOTA_RESERVE

    def requested(self) -> RetryQuota:
        """A request was made: it earns its share of a repetition."""
        return replace(self, left=min(self.reserve, self.left + self.percent / 100.0))

    def retried(self) -> RetryQuota | None:
        """One repetition is wanted; None when the quota is spent: it must be waited for."""
        return replace(self, left=self.left - 1.0) if self.left >= 1.0 else None


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of the configured limits is used: additive increase, multiplicative decrease.

    `multiplier` (0 < m ≤ 1) scales the rate. `in_flight` is a real number, used by its whole part, and never below 1.
    """

    most_in_flight: int
    in_flight: float
    multiplier: float = 1.0
    floor: float = PACE_FLOOR
    moved_at: float = float("-inf")
    cut_at: float = float("-inf")

    @classmethod
    def first(cls, most_in_flight: int, burst: float) -> Pace:
        """The pace to begin with: full rate, at most 20 in flight on the first ramp.

        A slower pace is charged as a dearer request, and a request cannot cost more than the burst.
        """
        return cls(
            most_in_flight,
            float(min(most_in_flight, FIRST_RAMP_IN_FLIGHT)),
            floor=min(1.0, max(PACE_FLOOR, 1.0 / burst)),
        )

    def within(self, most_in_flight: int, burst: float) -> Pace:
        """The same pace under other limits: what was learnt of the service still holds."""
        first = Pace.first(most_in_flight, burst)
        return replace(
            self,
            most_in_flight=most_in_flight,
            in_flight=min(self.in_flight, first.in_flight),
            multiplier=max(self.multiplier, first.floor),
            floor=first.floor,
        )

    def slower(self, now: float) -> Pace:
        """Halve rate and places, once for all answers of the same second: one overload is told many times."""
        if now - self.cut_at < PACE_CUT_PAUSE_SECONDS:
            return self
        return replace(
            self,
            multiplier=max(self.floor, self.multiplier * PACE_CUT),
            in_flight=max(1.0, self.in_flight * PACE_CUT),
            moved_at=now,
            cut_at=now,
        )

    def faster(self, now: float) -> Pace:
        """A request succeeded: the rate rises with time, the places by one for each round of requests."""
        elapsed_seconds = min(1.0, max(0.0, now - self.moved_at))
        return replace(
            self,
            multiplier=min(1.0, self.multiplier + PACE_RISE_PER_SECOND * elapsed_seconds),
            in_flight=min(float(self.most_in_flight), self.in_flight + 1.0 / self.in_flight),
            moved_at=max(now, self.moved_at),
        )


class BreakerState(StrEnum):
    """Closed lets everything pass, open nothing, half-open one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Stops asking a service that has not answered for long, and probes it at growing intervals.

    `failing_since` is the time of the first failure in a row. `probe_at` matters while open, `successes` while half-open.
    `openings` counts how often it opened in a row and makes the probes rarer.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    failing_since: float = 0.0
    probe_at: float = 0.0
    openings: int = 0
    successes: int = 0

    def failed(self, now: float, chance: float) -> Breaker:
        """A request found the service unavailable (not merely busy). Late answers do not move an open breaker."""
        if self.state is BreakerState.OPEN:
            return self
        if self.state is BreakerState.HALF_OPEN:
            return self._opened(now, chance)
        since = self.failing_since if self.failures else now
        counted = replace(self, failures=self.failures + 1, failing_since=since)
        if counted.failures >= BREAKER_FAILURES and now - since >= BREAKER_PATIENCE_SECONDS:
            return counted._opened(now, chance)  # noqa: SLF001 - its own kind
        return counted

    def succeeded(self) -> Breaker:
        """A request was answered. Half-open closes after three in a row."""
        if self.state is BreakerState.OPEN:
            return self
        if self.state is BreakerState.HALF_OPEN and self.successes + 1 < BREAKER_PROBES:
            return replace(self, successes=self.successes + 1)
        return Breaker()

    def at(self, now: float) -> Breaker:
        """The breaker at this time: an open one becomes half-open when its probe is due."""
        if self.state is BreakerState.OPEN and now >= self.probe_at:
            return replace(self, state=BreakerState.HALF_OPEN, successes=0)
        return self

    def _opened(self, now: float, chance: float) -> Breaker:
        wait_seconds = steady_delay(self.openings, chance, base_seconds=BREAKER_BASE_SECONDS)
        return replace(
            self,
            state=BreakerState.OPEN,
            probe_at=now + wait_seconds,
            openings=self.openings + 1,
            successes=0,
        )
