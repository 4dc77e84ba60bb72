"""Wall clocks that jump: what is due stays due in time (fault 42)."""

from __future__ import annotations

import pytest

from archsyncd.adapters.clock import SteadyClock
from tests.adapters.sqlite.shelf import HandClock, Shelf, entry
from tests.domain.nouns import BORN_MS, level, line, movement, order

HOUR = 3_600.0
YEARS = 10 * 365 * 86_400.0


@pytest.mark.parametrize("jump", [-HOUR, HOUR, -YEARS, YEARS])
def test_f042_the_steady_clock_does_not_jump_and_never_goes_back(jump: float) -> None:
    """Ten seconds are ten seconds, within a tenth, whatever the wall clock does."""
    hand = HandClock()
    clock = SteadyClock(hand)
    before = clock.wall_ms()
    hand.jump_wall(jump)
    assert clock.wall_ms() == before
    hand.pass_by(10)
    assert 9_000 <= clock.wall_ms() - before <= 11_000


def test_f042_the_steady_clock_comes_right_in_the_end() -> None:
    """A start with a wrong clock must not show wrong times for ever."""
    hand = HandClock()
    clock = SteadyClock(hand)
    hand.jump_wall(HOUR)
    for _ in range(2_000):
        hand.pass_by(30)
        clock.wall_ms()
    assert abs(clock.wall_ms() - hand.wall_ms()) <= 1


def test_without_jumps_the_steady_clock_is_the_wall_clock() -> None:
    """Day after day."""
    hand = HandClock()
    clock = SteadyClock(hand)
    for _ in range(5):
        hand.pass_by(86_400.25)
        assert clock.wall_ms() == hand.wall_ms()


async def test_f042_what_a_wrong_clock_put_off_for_years_is_due_again_after_a_restart(shelf: Shelf) -> None:
    """Bases are read, orders asked for, keys read singly, waits counted from now on."""
    shelf.clock.jump_wall(YEARS)
    await shelf.read(level(1, 10), movement(1, -1, sku="B"))
    await shelf.learn(order(line(3)))
    await shelf.store.outbox.book_lookups([entry(20)], (), (), shelf.settle_rules)
    await shelf.store.feeds.resync_asked("main", "B")
    shelf.clock.jump_wall(-YEARS)
    await shelf.again()
    assert await shelf.store.outbox.checks_due(10) == []
    await shelf.store.mend_times()
    row = await shelf.row()
    assert row.since_ms == BORN_MS
    shelf.clock.pass_by(120)
    now = shelf.clock.now_ms
    assert len(await shelf.store.outbox.checks_due(10)) == 1
    assert len(await shelf.store.orders.lookups_due(10)) == 1
    assert len(await shelf.store.orders.refresh_due(10)) == 1
    assert [found.sku for found in await shelf.store.feeds.resyncs("main", now, 10)] == ["B"]


async def test_what_is_due_soon_is_left_as_it_is(shelf: Shelf) -> None:
    """A check that waits for late requests must not come earlier by a restart."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([entry(20)], (), (), shelf.settle_rules)
    before = (await shelf.row()).check_due_ms
    await shelf.store.mend_times()
    assert (await shelf.row()).check_due_ms == before
