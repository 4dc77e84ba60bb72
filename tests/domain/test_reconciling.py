"""When the nightly comparison is due, and how much may be raised unasked."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from archsyncd.domain.reconciling import DAY_MS, RaiseGuard, next_at

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_the_night_is_the_hosts() -> None:
    """Half past two in Berlin is half past one in UTC in winter; at the very moment it is the next day's."""
    night = at("2026-01-10T01:30:00")
    assert next_at(at("2026-01-09T12:00:00"), time(2, 30), BERLIN) == night
    assert next_at(night - 1, time(2, 30), BERLIN) == night
    assert next_at(night, time(2, 30), BERLIN) == night + DAY_MS


def test_a_change_of_the_clocks_leaves_one_run_a_night() -> None:
    """The night that has no half past two, and the one that has it twice."""
    for day in ("2026-03-28T12:00:00", "2026-10-24T12:00:00"):
        first = next_at(at(day), time(2, 30), BERLIN)
        second = next_at(first, time(2, 30), BERLIN)
        assert 22 * 3600 * 1000 <= second - first <= 26 * 3600 * 1000
        assert first - at(day) < 15 * 3600 * 1000


def test_few_keys_are_under_the_number_and_many_under_the_share() -> None:
    """Twenty, or half a per cent, whichever is more."""
    guard = RaiseGuard(20, 5)
    assert [guard.limit(keys) for keys in (0, 4_000, 10_000, 1_000_000)] == [20, 20, 50, 5_000]
