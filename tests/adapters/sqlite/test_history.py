"""The history in the store: no change of what is applied escapes it, and folding it loses nothing, wherever it is cut off."""

from __future__ import annotations

import re
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.adapters.sqlite.transaction import QUERIES, SQL
from archsyncd.domain.history import DAY_MS, STEPS, Kind, Timeline
from archsyncd.domain.inventory import Marker, StockKey
from archsyncd.domain.ledger import Base
from archsyncd.domain.settlement import Booked, Doubted, Foreign, GivenUp, LandedLate, Vanished
from archsyncd.domain.tenure import PLANNING, Tenure
from tests.adapters.sqlite.shelf import CONFIRM_MS, LAG_MS, LEDGER, Shelf, entry, open_sqlite
from tests.domain.nouns import BORN_MS, key, level, line, order
from tests.support.examples import examples
from tests.support.virtual_time import run_virtual

PLENTY = 10**9
MEMORY = Path("/dev/shm")


async def told(shelf: Shelf, at: StockKey | None = None) -> Timeline:
    """The whole timeline of a key, whose sum agrees."""
    found = await shelf.store.history.after(at or key(), 0, 10_000)
    assert found.adds_up
    return found


async def kinds(shelf: Shelf) -> list[tuple[str, int, int | None]]:
    return [(each.kind.value, each.delta, each.x_after) for each in (await told(shelf)).changes]


async def ready(shelf: Shelf, target: int = 7, stock: int = 10) -> None:
    """A key whose entry shows `stock` beyond doubt and should show `target`."""
    await shelf.read(level(1, target))
    await shelf.based(stock)


async def fold_all(shelf: Shelf, most_rows: int = PLENTY, step_rows: int = 1_000) -> int:
    """One pass of folding; how many steps it took."""
    steps = 1
    while not (await shelf.store.history.fold(most_rows, step_rows)).ended:
        steps += 1
    return steps


def rows_in(shelf: Shelf) -> tuple[int, int]:
    """How many rows there are, counted and as the state says."""
    with sqlite3.connect(shelf.directory / DATABASE_NAME) as database:
        (counted,) = database.execute("SELECT count(*) FROM key_history").fetchone()
        (said,) = database.execute("SELECT rows FROM key_history_state").fetchone()
    return counted, said


async def test_each_applied_write_is_one_row_with_its_operation(shelf: Shelf) -> None:
    """The base, then what was written: what was only sent, or put off, is none."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, Doubted())
    assert await kinds(shelf) == [("based", 10, 10)]
    await shelf.settle(lease, Booked("E", 2))
    assert await kinds(shelf) == [("based", 10, 10), ("increment", -3, 7)]
    written = (await told(shelf)).changes[-1]
    assert (written.op_id, written.f, written.at_ms) == (lease.operation.op_id, 7, shelf.clock.now_ms)


async def test_a_key_that_was_created_vanished_and_came_back_tells_all_of_it(shelf: Shelf) -> None:
    """Without an entry nothing is applied; a new one begins from there."""
    await shelf.read(level(1, 5))
    await shelf.store.outbox.book_lookups((), [key()], (), shelf.settle_rules)
    await shelf.drain()
    await shelf.read(level(2, 4))
    (lease,) = await shelf.lease()
    await shelf.settle(lease, Vanished())
    await shelf.store.outbox.book_lookups((), [key()], (), shelf.settle_rules)
    assert await kinds(shelf) == [("create", 5, 5), ("gone", -5, None)]
    assert (await told(shelf)).current is None


async def test_f056_what_landed_late_is_told_by_its_own_operation(shelf: Shelf) -> None:
    """The operation that was given up is named, not the one that was in flight when it showed."""
    await ready(shelf)
    (first,) = await shelf.lease()
    await shelf.settle(first, Doubted())
    await shelf.settle(first, GivenUp(2))
    await shelf.read(level(2, 5))
    (second,) = await shelf.lease()
    await shelf.settle(second, Doubted())
    await shelf.settle(second, LandedLate(7, "E", 3, first.operation.op_id))
    change = (await told(shelf)).changes[-1]
    assert (change.kind, change.delta, change.x_after) == (Kind.LANDED_LATE, -3, 7)
    assert change.op_id == first.operation.op_id


async def test_a_foreign_write_is_told_with_who_wrote(shelf: Shelf) -> None:
    """As far as commercetools says it."""
    await ready(shelf)
    (lease,) = await shelf.lease()
    await shelf.settle(lease, Doubted())
    await shelf.settle(
        lease, Foreign(entry(4, version=5, marker=Marker("x", "1", 1, "1", 0), written_by="anna"))
    )
    change = (await told(shelf)).changes[-1]
    assert (change.kind, change.delta, change.who) == (Kind.FOREIGN, -6, "anna")


async def _drift(shelf: Shelf, stock: int, who: str | None) -> None:
    """The entry was found to show `stock` by clean reads, twice."""
    for _ in range(2):
        await shelf.store.outbox.plan_checks(None, 10)
        shelf.clock.pass_by(CONFIRM_MS / 1000)
        found = entry(stock, version=9, marker=None, read_ms=shelf.clock.now_ms, written_by=who)
        await shelf.store.outbox.book_reads([found], ())
        await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 100)


async def test_drift_is_told_with_who_wrote_last(shelf: Shelf) -> None:
    """A clean read corrects what somebody changed without a marker; the next correction has forgotten the first's author."""
    await ready(shelf, 10, 10)
    await _drift(shelf, 14, "anna")
    await _drift(shelf, 11, None)
    found = await told(shelf)
    assert [(each.kind, each.delta, each.who) for each in found.changes[1:]] == [
        (Kind.DRIFT, 4, "anna"),
        (Kind.DRIFT, -3, ""),
    ]
    assert found.drift_count == 2
    assert [each.delta for each in found.drifts] == [-3, 4]


async def test_an_order_learnt_late_counts_in_the_sum_and_is_forgotten_with_its_base(shelf: Shelf) -> None:
    """Also where all bases are forgotten at once, when planning ends."""
    await shelf.store.take_tenure(Tenure(PLANNING, shelf.fence + 1, LEDGER))
    await shelf.read(level(1, 7))
    await shelf.store.outbox.book_lookups([entry(10, born_ms=BORN_MS - 9_000)], (), (), shelf.settle_rules)
    await shelf.learn(order(line(2), created_ms=BORN_MS - 1_000))
    assert await kinds(shelf) == [("based", 10, 10), ("learnt_late", 2, 12)]
    await shelf.store.take_tenure(Tenure("host", shelf.fence + 2, LEDGER))
    assert await kinds(shelf) == [("based", 10, 10), ("learnt_late", 2, 12), ("unbased", -2, 10)]
    assert rows_in(shelf) == (3, 3)


async def test_orders_and_cases_of_the_key_stand_on_its_timeline(shelf: Shelf) -> None:
    """In the order of their times, a closed case twice."""
    await ready(shelf, 10, 10)
    await shelf.learn(order(line(2), number="CT-1", created_ms=shelf.clock.now_ms))
    shelf.clock.pass_by(60)
    await _drift(shelf, 12, None)
    marks = [mark.says.partition(":")[0] for mark in (await told(shelf)).marks]
    assert marks == ["order CT-1 placed", "case 1 opened", "case 1 resolved"]


async def test_a_change_behind_the_history_is_found(shelf: Shelf) -> None:
    """The check can fail: a value changed past the one place that writes rows does not add up."""
    await ready(shelf)
    with sqlite3.connect(shelf.directory / DATABASE_NAME) as database:
        database.execute("UPDATE outbox SET x_applied = x_applied + 1")
    found = await shelf.store.history.newest(key(), 10)
    assert not found.adds_up
    assert (found.opened_with, found.deltas, found.current) == (0, 10, 11)


def test_no_other_statement_changes_what_is_applied() -> None:
    """Of all statements two do: the one through which the history is kept, and the one it is kept before."""
    told = re.compile(r"UPDATE outbox SET\b.*?\b(x_applied|late)\s*=|DELETE FROM outbox\b", re.DOTALL)
    changing = {name for name, text in QUERIES.items() if told.search(text)}
    assert changing == {"outbox_put", "outbox_unbase_all"}


async def test_what_was_applied_before_there_was_a_history_is_its_opening(tmp_path: Path) -> None:
    """A file of an earlier version begins with what it stands at."""
    with sqlite3.connect(tmp_path / DATABASE_NAME) as database:
        for item in sorted(SQL.iterdir(), key=lambda each: each.name):
            if item.name[:4].isdigit() and int(item.name[:4]) < 4:
                database.executescript(item.read_text("utf-8"))
        database.execute(
            "INSERT INTO outbox (channel, sku, f, x_target, x_applied, late, base, entry_id) "
            "VALUES ('web', 'A', 5, 5, 6, 2, 'provisional', 'E')"
        )
        database.execute("PRAGMA user_version = 3")
    shelf = await Shelf.open(open_sqlite, tmp_path)
    try:
        found = await told(shelf)
        assert (found.opened_with, found.rows, found.current) == (8, 0, 8)
        assert rows_in(shelf) == (1, 1)
    finally:
        await shelf.close()


async def sells_for(shelf: Shelf, days: Sequence[int], skus: Sequence[str] = ("A",)) -> None:
    """Each number is so many writes to each key on a day."""
    seq = 100 + shelf.checkpoints
    for writes in days:
        for _ in range(writes):
            for sku in skus:
                seq += 1
                await shelf.read(level(seq, 20 + seq % 7, sku=sku))
            await shelf.drain()
        shelf.clock.pass_by(DAY_MS / 1000)


async def test_old_days_are_folded_and_the_oldest_go_into_the_opening(shelf: Shelf) -> None:
    """After 30 days one row a day, after 400 the opening alone; the sum stays, and what is applied is not touched."""
    await ready(shelf, 20, 20)
    await sells_for(shelf, [3, 3])
    before, row = await told(shelf), await shelf.row()
    shelf.clock.pass_by(32 * DAY_MS / 1000)
    await fold_all(shelf)
    after = await told(shelf)
    assert [(each.kind, each.count) for each in after.changes] == [(Kind.DAY, 4), (Kind.DAY, 3)]
    assert (after.deltas, after.current) == (before.deltas, before.current)
    shelf.clock.pass_by(400 * DAY_MS / 1000)
    await fold_all(shelf)
    last = await told(shelf)
    assert (last.rows, last.opened_with, last.current) == (0, before.current, before.current)
    assert last.opening is not None
    assert last.opening.count == 7
    assert await shelf.row() == row
    assert rows_in(shelf) == (1, 1)
    await sells_for(shelf, [1])
    assert (await told(shelf)).changes[0].n > before.changes[-1].n


@settings(max_examples=examples(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    days=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    step_rows=st.integers(2, 9),
    stops=st.lists(st.integers(1, 6), max_size=3),
    ages=st.lists(st.sampled_from([1, 31, 200, 401]), min_size=1, max_size=3),
)
def test_folding_goes_on_wherever_it_was_cut_off(
    days: list[int], step_rows: int, stops: list[int], ages: list[int]
) -> None:
    """In pages of any size, with the process ending between them: every key's sum stays, and in the end all is folded."""
    room = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))

    async def lives() -> None:
        shelf = await Shelf.open(open_sqlite, room)
        skus = ("A", "B", "C")
        try:
            for sku in skus:
                await shelf.read(level(len(sku), 5, sku=sku))
                await shelf.based(5, key(sku), name=sku)
            await sells_for(shelf, days, skus)
            sums = {sku: (await told(shelf, key(sku))).current for sku in skus}
            for age in ages:
                shelf.clock.pass_by(age * DAY_MS / 1000)
                for stop in stops:
                    for _ in range(stop):
                        await shelf.store.history.fold(PLENTY, step_rows)
                    await shelf.again()
                for _ in range(4):
                    await fold_all(shelf, step_rows=step_rows)
                assert {sku: (await told(shelf, key(sku))).current for sku in skus} == sums
                assert len(set(rows_in(shelf))) == 1
            settled = [(await told(shelf, key(sku))).changes for sku in skus]
            await fold_all(shelf)
            assert [(await told(shelf, key(sku))).changes for sku in skus] == settled
        finally:
            await shelf.close()
            shutil.rmtree(room)

    run_virtual(lives())


async def test_rows_beyond_the_limit_go_sooner_and_come_back_to_their_time(shelf: Shelf) -> None:
    """Pass by pass a step further until they fit; with room again the steps are taken back, and no sum changes."""
    await ready(shelf, 20, 20)
    await sells_for(shelf, [4] * 6)
    before = await told(shelf)
    reached = []
    for _ in range(len(STEPS)):
        folding = await shelf.store.history.fold(10, 1_000)
        reached.append((folding.step, folding.rows <= 10))
    assert reached[:3] == [(1, False), (2, False), (2, True)]
    assert (await told(shelf)).current == before.current
    assert (await told(shelf)).changes[-1] == before.changes[-1]
    await fold_all(shelf)
    await fold_all(shelf)
    assert (await shelf.store.history.fold(PLENTY, 1_000)).step == 0


async def test_f042_a_clock_that_jumped_ahead_loses_no_history(shelf: Shelf) -> None:
    """What was written while the wall clock stood in 2099 is neither dropped nor does it keep the rest from being folded."""
    await ready(shelf, 20, 20)
    shelf.clock.jump_wall(70 * 365 * 86_400)
    await sells_for(shelf, [1])
    shelf.clock.jump_wall(-70 * 365 * 86_400)
    await sells_for(shelf, [2, 0, 1])
    shelf.clock.pass_by(32 * DAY_MS / 1000)
    before = await told(shelf)
    await fold_all(shelf)
    after = await told(shelf)
    assert after.rows < before.rows
    assert (after.opening, after.deltas) == (None, before.deltas)


async def test_a_day_that_goes_on_in_the_next_page_is_one_row_in_the_end(shelf: Shelf) -> None:
    """Pages of two rows: each goes on with the row that the one before ended with."""
    await ready(shelf, 20, 20)
    await sells_for(shelf, [0, 6])
    shelf.clock.pass_by(32 * DAY_MS / 1000)
    await fold_all(shelf, step_rows=2)
    assert [each.count for each in (await told(shelf)).changes] == [1, 6]


async def test_f042_a_page_within_a_key_drops_nothing_into_the_opening(shelf: Shelf) -> None:
    """Rows of a clock that was set back to 1970 are no reason to begin the opening anew, which would lose what it holds."""
    await ready(shelf, 20, 20)
    await sells_for(shelf, [1])
    shelf.clock.pass_by(401 * DAY_MS / 1000)
    await fold_all(shelf)
    await sells_for(shelf, [2])
    shelf.clock.jump_wall(-shelf.clock.now_ms / 1000 + 1)
    await sells_for(shelf, [3])
    shelf.clock.jump_wall(BORN_MS / 1000 + 403 * 86_400)
    before = await told(shelf)
    for _ in range(3):
        await fold_all(shelf, step_rows=2)
    after = await told(shelf)
    assert (after.opened_with, after.current) == (before.opened_with, before.current)


async def test_a_base_that_is_proven_otherwise_is_a_correction(shelf: Shelf) -> None:
    """A provisional base that a clean read proves otherwise is a correction, and no drift."""
    await shelf.read(level(1, 7))
    found = entry(10)
    await shelf.store.outbox.book_lookups([found], (), (), shelf.settle_rules)
    shelf.clock.pass_by(CONFIRM_MS / 1000)
    await shelf.store.outbox.book_reads(
        [replace(found, quantity_on_stock=9, read_at_ms=shelf.clock.now_ms)], ()
    )
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 100)
    assert (await shelf.row()).base is Base.PROVEN
    assert await kinds(shelf) == [("based", 10, 10), ("proven", -1, 9)]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_the_newest_rows_come_last_and_pages_miss_none(shelf: Shelf, limit: int) -> None:
    """From the end for people, from the beginning for whoever wants all of it."""
    await ready(shelf, 20, 20)
    await sells_for(shelf, [4])
    whole = (await told(shelf)).changes
    assert (await shelf.store.history.newest(key(), limit)).changes == whole[-limit:]
    paged: list[int] = []
    while page := (await shelf.store.history.after(key(), paged[-1] if paged else 0, limit)).changes:
        paged += [change.n for change in page]
    assert paged == [change.n for change in whole]
