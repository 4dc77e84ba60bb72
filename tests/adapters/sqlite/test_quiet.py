"""Quiet hours on the real store: ages and suspicion stand still, nothing is forgotten, clocks that jump change nothing."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.quiet import QuietHours, read_span
from archsyncd.engine.shared import Shared
from archsyncd.engine.suspecting import Suspecting
from archsyncd.engine.tail import Freshness
from tests.adapters.sqlite.shelf import Shelf
from tests.adapters.sqlite.test_suspecting import AFTER_SECONDS
from tests.domain.nouns import level, line, order
from tests.system.test_quiet_hours import around


class Resting:
    """Whether it is quiet, by hand."""

    now = False

    def __call__(self, _name: str) -> bool:
        return self.now


async def looks(freshness: Freshness, shelf: Shelf, seconds: int) -> None:
    for _ in range(seconds):
        shelf.clock.pass_by(1)
        await freshness.look()


async def test_an_age_stands_still_in_quiet_hours_and_is_anew_at_their_end(shelf: Shelf) -> None:
    """Silent for twenty seconds, then for a weekend: late half a minute after it, as after any other silence."""
    await shelf.read(level(1, 10))
    rest = Resting()
    freshness = Freshness(shelf.store, Shared(shelf.clock), {"main": 15.0}, lambda: None, rest)
    await looks(freshness, shelf, 20)
    rest.now = True
    await looks(freshness, shelf, 1_000)
    assert freshness.verdicts == {"main": "fresh"}
    rest.now = False
    await looks(freshness, shelf, 29)
    assert freshness.verdicts == {"main": "fresh"}
    await looks(freshness, shelf, 5)
    assert freshness.verdicts == {"main": "late"}
    await looks(freshness, shelf, 50)
    assert freshness.verdicts == {"main": "stale"}


async def test_what_was_stale_before_quiet_hours_stays_so_until_it_is_heard_of(shelf: Shelf) -> None:
    """The night does not mend a feed, nor does it make a location be withheld sooner."""
    await shelf.read(level(1, 10))
    rest = Resting()
    freshness = Freshness(shelf.store, Shared(shelf.clock), {"main": 15.0}, lambda: None, rest)
    await looks(freshness, shelf, 90)
    assert [case.subject for case in await shelf.cases(CaseKind.STALE_FEED)] == ["main"]
    before = freshness.critical_seconds()["main"]
    rest.now = True
    await looks(freshness, shelf, 1_000)
    assert freshness.critical_seconds()["main"] == pytest.approx(before, abs=1.5)
    rest.now = False
    await looks(freshness, shelf, 5)
    assert freshness.verdicts == {"main": "stale"}
    await shelf.read(level(2, 11))
    await looks(freshness, shelf, 1)
    assert freshness.verdicts == {"main": "fresh"}
    assert await shelf.cases(CaseKind.STALE_FEED) == []


async def test_a_wall_clock_that_jumps_changes_no_age(shelf: Shelf) -> None:
    """By it is only known whether it is quiet now; how long something lasts is monotonic time."""
    await shelf.read(level(1, 10))
    span = read_span(around(shelf.clock.wall_ms() + 48 * 3_600_000, 600))
    assert span is not None
    hours = QuietHours((span,))
    freshness = Freshness(
        shelf.store,
        Shared(shelf.clock),
        {"main": 15.0},
        lambda: None,
        lambda _feed: hours.holds(shelf.clock.wall_ms()),
    )
    await looks(freshness, shelf, 20)
    shelf.clock.jump_wall(50 * 3_600)
    await looks(freshness, shelf, 100)
    assert freshness.verdicts == {"main": "fresh"}
    shelf.clock.jump_wall(-50 * 3_600)
    await looks(freshness, shelf, 40)
    assert freshness.verdicts == {"main": "late"}


async def test_nobody_is_suspected_for_what_is_not_told_in_quiet_hours(shelf: Shelf) -> None:
    """Orders of the night are imported in the morning; until then more is ordered than Archean's figures exclude."""
    await shelf.read(level(1, 2))
    await shelf.learn(order(line(5)))
    rest = Resting()
    watch = Suspecting(shelf.store, Shared(shelf.clock), AFTER_SECONDS, lambda: None, rest)
    rest.now = True
    for _ in range(20):
        await watch.look()
        shelf.clock.pass_by(AFTER_SECONDS / 4)
    assert await shelf.cases(CaseKind.SUSPECTED_OVERSELL) == []
    rest.now = False
    for _ in range(6):
        await watch.look()
        shelf.clock.pass_by(AFTER_SECONDS / 4)
    assert len(await shelf.cases(CaseKind.SUSPECTED_OVERSELL)) == 1
