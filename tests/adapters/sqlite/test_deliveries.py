"""Pushed messages in the store: remembered with what they told, bounded; and keys that wait for another feed's word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archsyncd.adapters.sqlite import delivering
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Batch, Delivery, KeyReading, Outcome, Record
from archsyncd.domain.report import Resync
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import StoreFull
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import level, movement

WAITS = CaseKind.NEEDS_RESYNC.value


async def push(
    shelf: Shelf, *records: Record, ids: tuple[str, ...] = (), skus: tuple[str, ...] = (), sent_ms: int = 0
) -> Outcome:
    """Record what the feed `calls` was told."""
    shelf.checkpoints += 1
    deliveries = tuple(Delivery(one, sent_ms) for one in ids or (f"d{shelf.checkpoints}",))
    told = Batch(
        "calls",
        "e1",
        records,
        (),
        str(shelf.checkpoints),
        ordered=False,
        deliveries=deliveries,
        skus=skus,
    )
    return await shelf.store.feeds.record(told)


async def seen(shelf: Shelf, *ids: str) -> set[str]:
    return set(await shelf.store.feeds.seen("calls", ids))


async def waiting(shelf: Shelf) -> list[tuple[str, str]]:
    return [(one.sku, one.location) for one in await shelf.store.feeds.resyncs("calls", 2**62, 100)]


async def test_f115_a_message_is_remembered_with_what_it_told_across_restarts(shelf: Shelf) -> None:
    """And by its feed: another feed's message may be called so too."""
    await push(shelf, level(1, 5), ids=("m1", "m2"))
    await shelf.again()
    assert await seen(shelf, "m1", "m2", "m3") == {"m1", "m2"}
    assert await shelf.store.feeds.seen("main", ["m1"]) == frozenset()


async def test_f115_one_that_is_recorded_twice_is_one(shelf: Shelf) -> None:
    """Whoever got past every look before: its id stands once, and its old figures change nothing."""
    await push(shelf, level(1, 5), ids=("m1",))
    await push(shelf, level(2, 4), ids=("m2",))
    assert (await push(shelf, level(1, 5), ids=("m1",))).stale == 1
    assert (await shelf.row()).f == 4


async def test_messages_are_forgotten_by_age(shelf: Shelf) -> None:
    """Nobody sends again for longer; a later message makes room."""
    await push(shelf, ids=("old",))
    shelf.clock.pass_by(delivering.KEEP_MS / 1000 + 1)
    await push(shelf, ids=("new",))
    assert await seen(shelf, "old", "new") == {"new"}


async def test_messages_are_bounded_by_rows_the_oldest_go_and_are_counted(shelf: Shelf) -> None:
    """A source that numbers every word of it fills no disk."""
    beyond = 5
    ids = [f"m{number}" for number in range(delivering.KEEP_ROWS + beyond)]
    forgotten = 0
    for start in range(0, len(ids), 20_000):
        forgotten += (await push(shelf, ids=tuple(ids[start : start + 20_000]))).forgotten
    assert await seen(shelf, *ids[:beyond], ids[beyond], ids[-1]) == {ids[beyond], ids[-1]}
    assert forgotten == beyond


async def test_f096_without_order_no_movement_is_added_up(shelf: Shelf) -> None:
    """Though a level of the same feed and epoch stands before it (r247/1, section 1, rule 5b)."""
    await push(shelf, level(1, 10))
    assert (await push(shelf, movement(2, -4))).rejected == 1
    assert (await shelf.row()).f == 10
    (case,) = await shelf.cases(WAITS)
    assert "promises no order" in case.reason
    await push(shelf, movement(3, -1, balance_available=5))
    assert (await shelf.row()).f == 5
    assert await shelf.kinds() == []


async def test_f096_an_ordered_feed_goes_on_adding_up(shelf: Shelf) -> None:
    """The rule is the transport's."""
    await shelf.read(level(1, 10))
    await shelf.read(movement(2, -4))
    assert (await shelf.row()).f == 6


async def test_a_single_key_read_of_another_feed_settles_what_waits(shelf: Shelf) -> None:
    """It was asked for after the movement was stored, so it has it."""
    await push(shelf, level(1, 10), movement(2, -4))
    wanted = Resync("calls", "A", "WH1")
    reading = KeyReading("main", "p1", 70, (level(70, 6),))
    await shelf.store.feeds.record_reading(reading, wanted)
    assert (await shelf.row()).f == 6
    assert await waiting(shelf) == []
    assert await shelf.kinds() == []


async def test_a_read_that_does_not_tell_of_the_location_settles_nothing_there(shelf: Shelf) -> None:
    """Absent is not zero."""
    await push(shelf, level(1, 10), movement(2, -4))
    reading = KeyReading("main", "p1", 70, (level(70, 6, "WH9"),))
    await shelf.store.feeds.record_reading(reading, Resync("calls", "A", "WH1"))
    assert await waiting(shelf) == [("A", "WH1")]


async def test_a_full_of_another_feed_settles_what_happened_before_it_was_taken(shelf: Shelf) -> None:
    """Not what happened after: that level may lack it."""
    then = rfc3339(shelf.clock.now_ms - 1)
    await push(shelf, level(1, 10, as_of=then), movement(2, -4))
    await shelf.read(level(5, 9, as_of=rfc3339(shelf.clock.now_ms)), feed="nightly")
    assert await waiting(shelf) == [("A", "WH1")]
    await shelf.read(level(6, 6, as_of=rfc3339(shelf.clock.now_ms + 1_000)), feed="nightly")
    assert (await shelf.row()).f == 6
    assert await waiting(shelf) == []
    assert await shelf.kinds() == []


async def test_a_sender_whose_clock_is_ahead_waits_by_its_own(shelf: Shelf) -> None:
    """Its full's time is by that clock too."""
    ahead_ms = shelf.clock.now_ms + 200_000
    await push(shelf, level(1, 10), movement(2, -4), sent_ms=ahead_ms)
    await shelf.read(level(5, 9, as_of=rfc3339(ahead_ms - 1)), feed="nightly")
    assert await waiting(shelf) == [("A", "WH1")]
    await shelf.read(level(6, 6, as_of=rfc3339(ahead_ms + 1)), feed="nightly")
    assert await waiting(shelf) == []


async def test_skus_that_were_only_named_wait_to_be_read_and_without_a_case(shelf: Shelf) -> None:
    """Durable with the message; named again they are read again at once."""
    await push(shelf, skus=("A", "B"))
    await shelf.again()
    assert await waiting(shelf) == [("A", ""), ("B", "")]
    assert await shelf.kinds() == []
    await shelf.store.feeds.resync_asked("calls", "A")
    assert [one.sku for one in await shelf.store.feeds.resyncs("calls", 0, 10)] == ["B"]
    await push(shelf, skus=("A",))
    assert {one.sku for one in await shelf.store.feeds.resyncs("calls", 0, 10)} == {"A", "B"}
    reading = KeyReading("main", "p1", 70, ())
    await shelf.store.feeds.record_reading(reading, Resync("calls", "A", ""))
    assert await waiting(shelf) == [("B", "")]


async def test_f047_times_of_a_wrong_clock_are_brought_back(shelf: Shelf) -> None:
    """A message of the future would be kept for ever, and a key would wait for it."""
    shelf.clock.jump_wall(10 * 24 * 3600)
    await push(shelf, level(1, 10), movement(2, -4), ids=("m1",))
    shelf.clock.jump_wall(-10 * 24 * 3600)
    await shelf.store.mend_times()
    await shelf.read(level(6, 6, as_of=rfc3339(shelf.clock.now_ms + 1_000)), feed="nightly")
    assert await waiting(shelf) == []
    shelf.clock.pass_by(delivering.KEEP_MS / 1000 + 1)
    await push(shelf, ids=("m2",))
    assert await seen(shelf, "m1", "m2") == {"m2"}


async def test_f095_calls_that_overtake_each_other_end_at_the_newest(shelf: Shelf) -> None:
    """Within an epoch by position; a retired epoch is old whatever it says."""
    await push(shelf, level(9, 1))
    assert (await push(shelf, level(7, 99))).stale == 1
    assert (await shelf.row()).f == 1
    later = Batch("calls", "e2", (level(1, 3),), (), "x", ordered=False, deliveries=(Delivery("n", 0),))
    await shelf.store.feeds.record(later)
    assert (await shelf.store.feeds.record(replace(later, epoch="e1", records=(level(99, 50),)))).stale == 1
    assert (await shelf.row()).f == 3


async def test_f002_a_message_whose_records_are_not_stored_is_not_remembered(shelf: Shelf) -> None:
    """All or nothing: what is told again then has its effect."""
    shelf.store._session.free_space_floor_bytes = 2**62  # type: ignore[attr-defined]
    with pytest.raises(StoreFull):
        await push(shelf, level(1, 5), ids=("m1",))
    assert await seen(shelf, "m1") == set()
