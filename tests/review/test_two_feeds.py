"""Two feeds that tell of one location, and a feed that takes another's place: nothing is dropped without a word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import KeyReading, Level
from archsyncd.domain.times import rfc3339
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import level, movement, rules

MORNING, NOON = "2025-12-31T06:00:00Z", "2025-12-31T12:00:00Z"


async def nightly(shelf: Shelf, pieces: int = 10) -> None:
    """What the nightly file says of the location that `main` tells of by the minute."""
    await shelf.read(level(1, 12, as_of=MORNING), feed="main")
    await shelf.read(level(7, pieces, as_of=NOON), feed="nightly")
    assert (await shelf.row()).f == pieces


async def test_f096_a_movement_after_another_feeds_level_is_read_anew(shelf: Shelf) -> None:
    """Ten pieces leave after the nightly full: the key is asked for, not forgotten."""
    await nightly(shelf)
    assert (await shelf.read(movement(2, -10), feed="main")).rejected == 1
    (wanted,) = await shelf.store.feeds.resyncs("main", 0, 10)
    assert wanted.sku == "A"
    assert await shelf.kinds() == [CaseKind.NEEDS_RESYNC]
    await shelf.store.feeds.record_reading(KeyReading("main", "e1", 3, (level(3, 0),)))
    assert (await shelf.row()).f == 0
    assert await shelf.kinds() == []


async def test_f110_a_level_without_a_time_is_told_not_dropped(shelf: Shelf) -> None:
    """Nobody can say which of both is newer: the level before stays, and a person hears of it."""
    await nightly(shelf)
    assert (await shelf.read(level(2, 3), feed="main")).rejected == 1
    assert (await shelf.row()).f == 10
    (case,) = await shelf.cases(CaseKind.NEEDS_RESYNC)
    assert "last told by feed nightly" in case.reason
    assert (await shelf.read(level(3, 4, as_of="2025-12-31T12:00:01Z"), feed="main")).applied == 1
    assert await shelf.kinds() == []


async def test_f110_a_balance_tells_its_time_as_a_level_does(shelf: Shelf) -> None:
    """A movement with the balance after it, and when it happened, is as good as a level."""
    await nightly(shelf)
    later = replace(movement(2, -4, balance_available=6), occurred_at="2025-12-31T12:30:00Z")
    assert (await shelf.read(later, feed="main")).applied == 1
    assert (await shelf.row()).f == 6


async def test_f110_figures_from_the_future_do_not_shut_out_the_other_feed(shelf: Shelf) -> None:
    """A mistyped year: they count as taken when they came, a person hears of the clock, and the next one is believed."""
    await shelf.read(level(1, 10, as_of="2206-01-01T00:00:00Z"), feed="calls")
    (case,) = await shelf.cases(CaseKind.STALE_FEED)
    assert (case.code, case.subject) == ("time_ahead", "calls clock")
    shelf.clock.pass_by(60)
    assert (await shelf.read(level(1, 0, as_of=rfc3339(shelf.clock.now_ms)), feed="main")).applied == 1
    assert (await shelf.row()).f == 0
    await shelf.read(level(2, 4, as_of=rfc3339(shelf.clock.now_ms + 1)), feed="calls")
    assert await shelf.kinds() == []


@pytest.mark.parametrize("told", [level(1, 3), level(1, 3, as_of=MORNING)])
async def test_f110_a_feed_under_a_new_name_goes_on_where_the_old_one_was(shelf: Shelf, told: Level) -> None:
    """The old name is read no more, so nothing it said is newer than what is told now."""
    await shelf.read(level(900, 10, as_of=NOON), feed="main")
    await shelf.store.use_rules(replace(rules(), feeds=frozenset({"renamed"})))
    assert (await shelf.read(told, feed="renamed")).applied == 1
    assert (await shelf.row()).f == 3
