"""Figures noted once a minute for the charts of the last day: their shape and how long they are kept. Knows no chart."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_MS = 60_000
KEPT_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of one minute, or the worst of several.

    `at_ms`: its begin, UTC milliseconds. `verdict`: 0 healthy, 1 degraded, 2 critical. Keys that wait by class;
    `oldest_decrease_ms` and `behind_ms` (how far orders are behind) are None where nothing is known or nothing waits.
    `requests` and `limit`: a second; `requests` is None for the first minute of a process.
    """

    at_ms: int
    verdict: int
    near_zero: int = 0
    decreases: int = 0
    from_zero: int = 0
    increases: int = 0
    oldest_decrease_ms: int | None = None
    requests: float | None = None
    limit: float = 0.0
    cases: int = 0
    behind_ms: int | None = None


def minute(at_ms: int) -> int:
    """The begin of the minute: one sample each, so that their number is bounded whatever the wall clock does."""
    return at_ms - at_ms % EVERY_MS
