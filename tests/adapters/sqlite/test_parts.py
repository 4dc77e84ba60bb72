"""Batches of a transport that keeps no order, and snapshots that come in parts among them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Batch, Level, Outcome, Reject, SnapshotClosing, SnapshotPart
from tests.adapters.sqlite.shelf import Shelf, open_sqlite
from tests.domain.nouns import key, level, movement
from tests.support.examples import examples

MINUTE = 60.0


def part(number: int, *items: Level, snapshot: str = "s", rejects: tuple[Reject, ...] = ()) -> SnapshotPart:
    return SnapshotPart(snapshot, number, tuple(replace(item, seq=0) for item in items), rejects)


def closing(parts: int, records: int, snapshot: str = "s", seq_at: int = 50) -> SnapshotClosing:
    return SnapshotClosing(snapshot, parts, seq_at, records=records)


async def bring(shelf: Shelf, *pieces: Any, epoch: str = "e1", **more: Any) -> Outcome:
    """A batch of an unordered transport with these records and pieces of snapshots."""
    shelf.checkpoints += 1
    records = tuple(one for one in pieces if not isinstance(one, SnapshotPart | SnapshotClosing))
    parts = tuple(one for one in pieces if isinstance(one, SnapshotPart))
    closings = tuple(one for one in pieces if isinstance(one, SnapshotClosing))
    told = {"ordered": False, "parts": parts, "closings": closings, **more}
    return await shelf.store.feeds.record(Batch("main", epoch, records, (), f"c{shelf.checkpoints}", **told))


async def items(shelf: Shelf) -> list[tuple[str, int]] | None:
    """SKU and place of everything in the snapshot that is whole, None when none is."""
    sending = await shelf.store.parts.whole("main")
    if sending is None:
        return None
    found: list[tuple[str, int]] = []
    number = 0
    while (page := await shelf.store.parts.page_after(sending, number)) is not None:
        number = page[0]
        found += [(item.sku, item.seq) for item in page[1].items]
    return found


async def test_f100_a_snapshot_is_whole_once_every_part_and_its_end_have_come(shelf: Shelf) -> None:
    """In any order, over a restart; items stand where the trailer says, and a part that comes again is the same one."""
    await bring(shelf, part(2, level(0, 2, sku="B")))
    await bring(shelf, closing(2, 2))
    assert await items(shelf) is None
    await shelf.again()
    await bring(shelf, part(1, level(0, 1, sku="A")), part(2, level(0, 9, sku="X")))
    assert await items(shelf) == [("A", 50), ("B", 50)]
    sending = await shelf.store.parts.whole("main")
    assert sending is not None
    await shelf.store.parts.taken(sending)
    await bring(shelf, part(1, level(0, 1, sku="A")), part(2, level(0, 2, sku="B")), closing(2, 2))
    assert await items(shelf) is None
    assert await shelf.store.parts.give_up("main", 0) == 0


async def test_goods_to_come_ride_in_parts_as_well(shelf: Shelf) -> None:
    await bring(shelf, part(1, replace(level(0, 1), expected="2026-12-01T00:00:00.000Z")), closing(1, 1))
    sending = await shelf.store.parts.whole("main")
    assert sending is not None
    page = await shelf.store.parts.page_after(sending, 0)
    assert page is not None
    assert [item.expected for item in page[1].items] == ["2026-12-01T00:00:00.000Z"]


async def test_f100_what_is_not_whole_in_time_is_given_up_with_a_case(shelf: Shelf) -> None:
    """The case says how much came, and a later snapshot that is taken closes it."""
    await bring(shelf, part(1, level(0, 1)), closing(3, 3))
    shelf.clock.pass_by(29 * MINUTE)
    assert await shelf.store.parts.give_up("main", 30 * MINUTE) == 0
    shelf.clock.pass_by(MINUTE)
    assert await shelf.store.parts.give_up("main", 30 * MINUTE) == 1
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD)
    assert (case.code, "1 parts of 3" in case.reason) == ("unfinished_full", True)
    await bring(shelf, part(2, level(0, 1)), part(3, level(0, 1)))
    assert await items(shelf) is None
    await bring(shelf, part(1, level(0, 1), snapshot="t"), closing(1, 1, "t"))
    sending = await shelf.store.parts.whole("main")
    assert sending is not None
    await shelf.store.parts.taken(sending)
    assert await shelf.cases() == []


async def test_a_source_that_begins_snapshots_without_end_fills_no_disk(shelf: Shelf) -> None:
    """The newest few are put together; those before are given up."""
    for number in range(10):
        await bring(shelf, part(1, level(0, 1), snapshot=f"s{number}"))
        shelf.clock.pass_by(1)
    await bring(shelf, closing(1, 1, "s9"))
    assert await items(shelf) == [("A", 50)]
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD)
    assert (case.count, "newer ones have begun" in case.reason) == (7, True)


async def test_f104_items_that_cannot_be_read_are_told_once_and_counted(shelf: Shelf) -> None:
    """A part that is delivered twice opens no second case; the snapshot's count includes them."""
    spoilt = Reject("no_quantity", "states no quantity", sku="B", location="WH1")
    for _ in range(2):
        await bring(shelf, part(1, level(0, 1), rejects=(spoilt,)), closing(1, 2))
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD)
    assert case.count == 1
    sending = await shelf.store.parts.whole("main")
    assert sending is not None
    page = await shelf.store.parts.page_after(sending, 0)
    assert page is not None
    assert page[1].set_aside == 1


async def test_parts_of_an_epoch_that_was_left_are_not_kept(shelf: Shelf) -> None:
    """Nothing of a retired epoch counts, whole or not."""
    await bring(shelf, level(1, 5))
    await bring(shelf, level(1, 6), epoch="e2")
    await bring(shelf, part(1, level(0, 1)), closing(1, 1))
    assert await items(shelf) is None


async def test_f096_a_movement_that_may_have_overtaken_another_waits_for_a_level(shelf: Shelf) -> None:
    """Even right behind its level; one that states its balance is a level, and a late one is merely old."""
    await bring(shelf, level(10, 5))
    await bring(shelf, movement(11, -2))
    assert (await shelf.row()).f == 5
    (case,) = await shelf.cases(CaseKind.NEEDS_RESYNC)
    assert case.code == "unordered"
    assert [wanted.sku for wanted in await shelf.store.feeds.resyncs("main", shelf.clock.now_ms, 10)] == ["A"]
    await bring(shelf, movement(12, -2, balance_available=3))
    assert (await shelf.row()).f == 3
    assert await shelf.cases() == []
    assert (await bring(shelf, movement(9, -1))).stale == 1


async def test_records_of_no_epoch_that_counts_change_nothing(shelf: Shelf) -> None:
    """They are counted as stale; the epoch that counts is not retired by them."""
    await bring(shelf, level(1, 5), epoch="new")
    outcome = await bring(shelf, level(900, 9), epoch="old", void=True)
    assert (outcome.stale, (await shelf.row()).f) == (1, 5)
    assert await shelf.store.feeds.newest_epoch("main") == "new"
    await bring(shelf, level(2, 4), epoch="new")
    assert (await shelf.row()).f == 4


async def test_f114_many_deliveries_are_a_case_until_one_is_enough(shelf: Shelf) -> None:
    """Whatever does not count deliveries says nothing of them."""
    await bring(shelf, level(1, 5), attempts=3)
    assert await shelf.cases() == []
    await bring(shelf, level(2, 5), attempts=4)
    assert [case.code for case in await shelf.cases()] == ["delivered_again"]
    await bring(shelf, level(3, 5))
    assert len(await shelf.cases()) == 1
    await bring(shelf, level(4, 5), attempts=1)
    assert await shelf.cases() == []


LEVELS = st.lists(
    st.builds(
        lambda seq, sku, pieces: level(seq, pieces, sku=sku),
        st.integers(1, 9),
        st.sampled_from("ABC"),
        st.integers(0, 9),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda one: one.seq,
)


@settings(max_examples=examples(25), deadline=None)
@given(LEVELS.flatmap(lambda told: st.tuples(st.just(told), st.permutations([*told, *told[:2]]))))
def test_f094_f095_f114_any_order_and_any_repetition_comes_to_the_same(
    case: tuple[list[Level], Sequence[Level]],
) -> None:
    """Each key ends where its newest record stands, however often and in which order the queue delivers."""
    told, delivered = case

    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            shelf = await Shelf.open(open_sqlite, Path(directory))
            try:
                for record in delivered:
                    await bring(shelf, record)
                for sku in {one.sku for one in told}:
                    newest = max((one for one in told if one.sku == sku), key=lambda one: one.seq)
                    assert (await shelf.row(key(sku))).f == newest.available
            finally:
                await shelf.close()

    asyncio.run(run())
