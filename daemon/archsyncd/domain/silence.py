"""Ways on which orders and dispatches go between the two systems, and what it means that nobody answers there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from archsyncd.domain.data_health import HealthLimits
from archsyncd.domain.reasons import Level, Reason, because
from archsyncd.domain.times import age


class Way(StrEnum):
    """What is carried: to Archean orders, questions about them, wishes to cancel and the word of bookings; else dispatches."""

    ORDERS = "orders"
    LOOKUPS = "lookups"
    CANCELLATIONS = "cancellations"
    DISPATCHES = "dispatches"
    BOOKINGS = "bookings"


# Ways that are judged. That questions get no answer is told by what waits for it: orders.
JUDGED = frozenset(Way) - {Way.LOOKUPS}


@dataclass(frozen=True, slots=True)
class Untaken:
    """Orders that may go and are not with Archean for certain. `since_ms`: when the tries for the first of them began."""

    waiting: int = 0
    in_doubt: int = 0
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing of what goes on a way was taken for so long, though something waits. `feed`: of which side, "" for commercetools.

    `fault`: what the last call came to.
    """

    way: Way
    feed: str
    seconds: float
    waiting: int
    in_doubt: int
    fault: str


def silent_seconds(now_ms: int, since_ms: int | None, answered_ms: int) -> float:
    """For how long what waits since then has got no answer; nothing was unanswered before it waited."""
    return 0.0 if since_ms is None else max(now_ms - max(since_ms, answered_ms), 0) / 1000


def silence_reasons(silences: Iterable[Silence], limits: HealthLimits) -> Iterator[Reason]:
    """What nobody takes for too long."""
    for each in silences:
        if each.seconds <= limits.orders_late_seconds or not each.waiting + each.in_doubt:
            continue
        late = each.seconds > limits.orders_critical_seconds
        yield _reason(each, Level.CRITICAL if late else Level.DEGRADED)


def _reason(silence: Silence, level: Level) -> Reason:
    feed, count, lasting = silence.feed, silence.waiting + silence.in_doubt, age(silence.seconds)
    archean, answer = f"Archean (feed {feed})", f"the last answer was: {silence.fault}"
    match silence.way:
        case Way.CANCELLATIONS:
            says = f"{archean} has answered to no cancellation for {lasting}, {_wait(count, 'cancelled order')}; {answer}"
            return because(level, "cancellations_not_taken", says, feed, count)
        case Way.DISPATCHES:
            says = f"commercetools has booked no dispatch for {lasting}, {_wait(count, 'dispatch', 'dispatches')}; {answer}"
            return because(level, "dispatches_not_booked", says, feed, count)
        case Way.BOOKINGS:
            says = (
                f"{archean} has taken notice of no booking for {lasting}, {_wait(count, 'booking')}; {answer}"
            )
            return because(level, "bookings_not_taken", says, feed, count)
        case _:
            doubt = f", {silence.in_doubt:,} of them in doubt" if silence.in_doubt else ""
            says = f"{archean} has taken no order for {lasting}, {_wait(count, 'order')}{doubt}; {answer}"
            return because(level, "orders_not_taken", says, feed, count)


def _wait(count: int, one: str, several: str = "") -> str:
    return f"1 {one} waits" if count == 1 else f"{count:,} {several or one + 's'} wait"
