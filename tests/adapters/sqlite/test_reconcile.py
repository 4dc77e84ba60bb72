"""Runs over the inventory in the store: pages against the outbox, raises that wait for a person, restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from archsyncd.adapters.sqlite.learning import doubt_bases
from archsyncd.adapters.sqlite.raising import HELD_AGAIN_MS
from archsyncd.adapters.sqlite.reconcile_store import RUNS_KEPT
from archsyncd.adapters.sqlite.reconciling import SLICE_KEYS
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Entry, Marker, StockKey
from archsyncd.domain.reconciling import Found, Listing, Mode, RaiseGuard, Run, RunState, Stray, Wanted
from archsyncd.domain.settlement import Booked
from tests.adapters.sqlite.shelf import LAG_MS, LEDGER, Shelf, entry, open_sqlite
from tests.domain.nouns import key, level, line, order

GUARD = RaiseGuard(3, 0)


@asynccontextmanager
async def shelf_of(directory: Path, skus: Iterable[str]) -> AsyncIterator[Shelf]:
    """A store with an entry of ten pieces for each SKU, all in step."""
    shelf = await Shelf.open(open_sqlite, directory)
    try:
        for seq, sku in enumerate(skus, start=1):
            await shelf.read(level(seq, 10, sku=sku))
            await shelf.based(10, key(sku), name=f"E-{sku}")
        yield shelf
    finally:
        await shelf.close()


def shown(
    shelf: Shelf, *entries: Entry, after: str = "", full: bool = False, strays: Iterable[Stray] = ()
) -> Listing:
    """A page as listed now."""
    now = shelf.clock.now_ms
    last = max((each.id for each in entries), default=after)
    read = tuple(replace(each, read_at_ms=now) for each in entries)
    return Listing(after, read, tuple(strays), (), last, full=full, ordered=True, server_ms=now)


async def run_of(shelf: Shelf, page: Listing, mode: Mode = Mode.APPLY, **wanted: str) -> Run:
    """A whole run of one page."""
    run = await shelf.store.reconciles.begin(Wanted(mode, **wanted))
    assert run is not None
    await shelf.store.reconciles.judge(run, page, LAG_MS)
    ended = await shelf.store.reconciles.end(run, RunState.DONE)
    assert ended is not None
    return ended


def left(seen: str | None) -> Marker | None:
    """The marker that a row was last seen with."""
    ledger, _, op_id = (seen or "").partition("/")
    return Marker(ledger, op_id, 0, op_id, 1) if ledger else None


async def looked_at(shelf: Shelf, stock: dict[str, int], guard: RaiseGuard | None = GUARD) -> None:
    """Everything due is read and judged, twice and a little more, as the base keeper does."""
    for _ in range(3):
        shelf.clock.pass_by(3 * LAG_MS / 1000)
        due = await shelf.store.outbox.checks_due(100)
        found = [
            entry(
                stock[row.key.sku],
                row.key,
                name=row.entry_id or "",
                read_ms=shelf.clock.now_ms,
                version=row.version or 1,
                marker=left(row.seen),
            )
            for row in due
        ]
        await shelf.store.outbox.book_reads(found, ())
        await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 100, guard)


async def test_a_key_that_agrees_is_only_counted(tmp_path: Path) -> None:
    """Its row stays as it was to the last field."""
    async with shelf_of(tmp_path, "AB") as shelf:
        before = await shelf.row(key("A"))
        run = await run_of(
            shelf, shown(shelf, entry(10, key("A"), name="E-A"), entry(10, key("B"), name="E-B"))
        )
        assert await shelf.row(key("A")) == before
        assert run.totals == {("web", Found.AGREES): (2, 0)}
        assert await shelf.store.reconciles.findings(run.id, 0, 10) == []


async def test_f084_a_page_is_no_news_once_a_write_has_come_between(tmp_path: Path) -> None:
    """An entry of an older version than we have written, and a key with a write in flight, say nothing."""
    async with shelf_of(tmp_path, "AB") as shelf:
        old = shown(shelf, entry(10, key("A"), name="E-A"), entry(10, key("B"), name="E-B"))
        await shelf.read(level(90, 15, sku="A"))
        await shelf.drain()
        await shelf.read(level(91, 15, sku="B"))
        assert await shelf.lease()
        run = await run_of(shelf, old)
        assert run.totals == {("web", Found.BUSY): (2, 0)}
        assert await shelf.store.outbox.checks_due(10) == []


async def test_f084_orders_around_the_read_leave_it_open(tmp_path: Path) -> None:
    """What an order near the read may explain is looked at once more, and is no difference; a later order is undone."""
    async with shelf_of(tmp_path, "AB") as shelf:
        page = shown(shelf, entry(9, key("A"), name="E-A"), entry(10, key("B"), name="E-B"))
        now = shelf.clock.now_ms
        await shelf.learn(
            order(line(3, "A"), name="near", created_ms=now + LAG_MS // 2),
            order(line(2, "B"), name="later", created_ms=now + LAG_MS + 1),
        )
        run = await run_of(shelf, page)
        assert run.totals == {("web", Found.BUSY): (1, 0), ("web", Found.AGREES): (1, 0)}
        assert [row.key.sku for row in await shelf.store.outbox.checks_due(10)] == ["A"]


async def test_what_differs_is_planned_by_a_run_that_applies_and_only_then(tmp_path: Path) -> None:
    """A dry run plans nothing; a check that is planned for later stays there."""
    async with shelf_of(tmp_path, "A") as shelf:
        page = shown(shelf, entry(12, key("A"), name="E-A"))
        await run_of(shelf, page, Mode.DRY_RUN)
        assert await shelf.store.outbox.checks_due(10) == []
        run = await run_of(shelf, page)
        assert (run.planned, run.counted(Found.TOO_MANY)) == (1, 1)
        assert [row.key.sku for row in await shelf.store.outbox.checks_due(10)] == ["A"]


async def test_a_foreign_marker_and_another_entry_of_the_key_are_found(tmp_path: Path) -> None:
    """Neither is compared by its figure."""
    async with shelf_of(tmp_path, "AB") as shelf:
        strange = Marker("ledger-9", "1.1", 10, "1.1", 1)
        page = shown(shelf, entry(10, key("A"), name="E-A", marker=strange), entry(10, key("B"), name="E-Z"))
        run = await run_of(shelf, page)
        assert run.counted(Found.FOREIGN) == 2
        # The entry that was known of B is not listed either.
        assert run.counted(Found.MISSING) == 1


async def test_entries_that_vanished_are_found_however_many(tmp_path: Path) -> None:
    """An empty listing of a shop with more keys than one transaction looks at; a walk of another channel finds none of them."""
    skus = [f"S{number:05}" for number in range(SLICE_KEYS + 100)]
    async with shelf_of(tmp_path, ()) as shelf:
        await shelf.read(*(level(seq, 10, sku=sku) for seq, sku in enumerate(skus, start=1)))
        found = [entry(10, key(sku), name=f"E-{sku}") for sku in skus]
        await shelf.store.outbox.book_lookups(found, (), (), shelf.settle_rules)
        shelf.clock.pass_by(100)
        run = await run_of(shelf, shown(shelf), channel="shop")
        assert run.totals == {}
        beats: list[int] = []
        begun = await shelf.store.reconciles.begin(Wanted(Mode.DRY_RUN))
        assert begun is not None
        await shelf.store.reconciles.judge(begun, shown(shelf), LAG_MS, lambda: beats.append(1))
        assert len(beats) == 2
        await shelf.store.reconciles.end(begun, RunState.DONE)
        run = await run_of(shelf, shown(shelf))
        assert run.totals == {("web", Found.MISSING): (len(skus), 0)}
        assert (run.pages, run.planned) == (1, len(skus))


async def test_a_run_goes_on_where_it_stood_after_a_restart_and_judges_no_page_twice(tmp_path: Path) -> None:
    """Place and figures are durable with each page."""
    async with shelf_of(tmp_path, "ABC") as shelf:
        run = await shelf.store.reconciles.begin(Wanted(Mode.APPLY, "nightly"))
        assert run is not None
        first = shown(shelf, entry(12, key("A"), name="E-A"), entry(10, key("B"), name="E-B"), full=True)
        await shelf.store.reconciles.judge(run, first, LAG_MS)
        await shelf.again()
        kept = await shelf.store.reconciles.current()
        assert kept is not None
        assert (kept.id, kept.after, kept.entries) == (run.id, "E-B", 2)
        assert await shelf.store.reconciles.judge(kept, first, LAG_MS) is None
        assert await shelf.store.reconciles.judge(kept, shown(shelf, after="E-B"), LAG_MS) == 1
        ended = await shelf.store.reconciles.end(kept, RunState.DONE)
        assert ended is not None
        assert (ended.pages, ended.entries) == (2, 2)
        assert ended.totals == {
            ("web", Found.TOO_MANY): (1, 2),
            ("web", Found.AGREES): (1, 0),
            ("web", Found.MISSING): (1, 0),
        }


async def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second one is refused while the first is under way, and may begin once that is stopped."""
    async with shelf_of(tmp_path, "A") as shelf:
        run = await shelf.store.reconciles.begin(Wanted(Mode.APPLY))
        assert run is not None
        assert await shelf.store.reconciles.begin(Wanted(Mode.DRY_RUN)) is None
        assert await shelf.store.reconciles.end(run, RunState.STOPPED, "why") is not None
        assert await shelf.store.reconciles.end(run, RunState.DONE) is None
        assert await shelf.store.reconciles.judge(run, shown(shelf), LAG_MS) is None
        assert await shelf.store.reconciles.begin(Wanted(Mode.DRY_RUN)) is not None


async def test_findings_are_kept_up_to_a_limit_and_all_of_them_counted(tmp_path: Path) -> None:
    """Strays of somebody else's channel fill no table."""
    async with shelf_of(tmp_path, "A") as shelf:
        strays = [Stray(f"Z{number:05}", f"S{number}", "id-other", 1) for number in range(1_200)]
        run = await run_of(shelf, shown(shelf, entry(10, key("A"), name="E-A"), strays=strays))
        assert run.totals["id-other", Found.UNKNOWN_CHANNEL] == (1_200, 0)
        assert len(await shelf.store.reconciles.findings(run.id, 0, 10_000)) == 1_000


async def test_f089_more_raises_than_the_limit_wait_for_a_person_and_cuts_do_not(tmp_path: Path) -> None:
    """Three of five are raised; two wait, one case tells it; the cut is made. Allowed, the two are raised as well."""
    skus = ["A", "B", "C", "D", "E", "F"]
    async with shelf_of(tmp_path, skus) as shelf:
        stock = dict.fromkeys(skus, 6) | {"F": 13}
        page = shown(shelf, *(entry(stock[sku], key(sku), name=f"E-{sku}") for sku in skus))
        run = await run_of(shelf, page)
        assert (run.counted(Found.TOO_FEW), run.counted(Found.TOO_MANY)) == (5, 1)
        await looked_at(shelf, stock)
        deltas = {lease.key.sku: lease.operation.delta for lease in await shelf.lease()}
        assert deltas == {"A": 4, "B": 4, "C": 4, "F": -3}
        assert await shelf.store.reconciles.held() == 2
        (case,) = [case for case in await shelf.cases("drift") if case.code == "raises-held"]
        assert "2 keys show too few (8 pieces in all)" in case.reason
        assert await shelf.store.reconciles.allow_raises() == 2
        await looked_at(shelf, stock)
        assert {lease.key.sku for lease in await shelf.lease()} == {"D", "E"}
        assert [case for case in await shelf.cases("drift") if case.code == "raises-held"] == []


async def test_f089_what_is_held_stays_held_over_the_day_and_a_restart_and_goes_by_itself_when_it_agrees(
    tmp_path: Path,
) -> None:
    """The window of a day frees nothing that a person has not allowed; a key that agrees again is held no longer."""
    async with shelf_of(tmp_path, "AB") as shelf:
        stock = {"A": 6, "B": 6}
        await run_of(shelf, shown(shelf, *(entry(6, key(sku), name=f"E-{sku}") for sku in stock)))
        await looked_at(shelf, stock, RaiseGuard(1, 0))
        assert await shelf.store.reconciles.held() == 1
        await shelf.again()
        shelf.clock.pass_by(26 * 3600)
        await looked_at(shelf, stock, RaiseGuard(1, 0))
        assert await shelf.store.reconciles.held() == 1
        shelf.clock.pass_by(HELD_AGAIN_MS / 1000)
        await looked_at(shelf, {"A": 10, "B": 10}, RaiseGuard(1, 0))
        assert await shelf.store.reconciles.held() == 0
        assert [case for case in await shelf.cases("drift") if case.code == "raises-held"] == []


async def test_f089_entries_that_another_program_has_set_low_are_under_the_same_limit(tmp_path: Path) -> None:
    """Their markers are gone with their stock: what would be raised after the clean read waits, too."""
    skus = ["A", "B", "C", "D"]
    async with shelf_of(tmp_path, skus) as shelf:
        for seq, sku in enumerate(skus, start=50):
            await shelf.read(level(seq, 11, sku=sku))
        await shelf.drain()
        low = [entry(2, key(sku), name=f"E-{sku}", version=9) for sku in skus]
        run = await run_of(shelf, shown(shelf, *low))
        assert run.counted(Found.FOREIGN) == 4
        await shelf.store.outbox.book_reads(
            [replace(each, read_at_ms=shelf.clock.now_ms) for each in low], ()
        )
        shelf.clock.pass_by(100)
        await looked_at(shelf, dict.fromkeys(skus, 2), RaiseGuard(1, 0))
        assert len(await shelf.lease()) == 1
        assert await shelf.store.reconciles.held() == 3
        await shelf.store.reconciles.allow_raises()
        await looked_at(shelf, dict.fromkeys(skus, 2), RaiseGuard(1, 0))
        assert len(await shelf.lease()) == 3
        assert await shelf.store.reconciles.held() == 0


async def test_f032_what_our_own_ledger_wrote_after_an_old_copy_is_under_no_limit(tmp_path: Path) -> None:
    """A backup that was put back finds newer markers of its own: it catches up by itself."""
    async with shelf_of(tmp_path, "ABC") as shelf:
        for seq, sku in enumerate("ABC", start=50):
            await shelf.read(level(seq, 11, sku=sku))
        await shelf.drain()
        later = Marker(LEDGER, "1.99", 2, "1.99", 1)
        found = [
            entry(2, key(sku), name=f"E-{sku}", version=9, marker=later, read_ms=shelf.clock.now_ms)
            for sku in "ABC"
        ]
        await run_of(shelf, shown(shelf, *found))
        await shelf.store.outbox.book_reads(found, ())
        shelf.clock.pass_by(100)
        await looked_at(shelf, dict.fromkeys("ABC", 2), RaiseGuard(0, 0))
        assert len(await shelf.lease()) == 3


async def test_a_first_look_at_entries_is_under_no_limit(tmp_path: Path) -> None:
    """A start with live entries raises what it must: nobody has written behind our back."""
    async with shelf_of(tmp_path, ()) as shelf:
        for seq, sku in enumerate("ABC", start=1):
            await shelf.read(level(seq, 10, sku=sku))
            found = entry(4, key(sku), name=f"E-{sku}")
            await shelf.store.outbox.book_lookups([found], (), (), shelf.settle_rules)
        shelf.clock.pass_by(100)
        await looked_at(shelf, dict.fromkeys("ABC", 4), RaiseGuard(0, 0))
        assert len(await shelf.lease()) == 3


async def test_untracked_the_entry_must_show_what_was_written(tmp_path: Path) -> None:
    """No order moves it there: whatever it shows beyond that is somebody's edit."""
    async with shelf_of(tmp_path, "A") as shelf:
        use = shelf.store.rules
        await shelf.store.use_rules(replace(use, policies=replace(use.policies, tracked=False)))
        row = await shelf.row(key("A"))
        page = shown(shelf, entry((row.x_applied or 0) + 2, key("A"), name="E-A", version=99))
        run = await run_of(shelf, page)
        assert run.totals == {("web", Found.TOO_MANY): (1, 2)}


async def test_cases_of_strays_stay_open_while_a_partial_run_passes(tmp_path: Path) -> None:
    """Only a walk over everything can say that an entry is not there any more."""
    async with shelf_of(tmp_path, "A") as shelf:
        ours = entry(10, key("A"), name="E-A")
        await run_of(shelf, shown(shelf, ours, strays=[Stray("Z", "A", None, 3)]))
        assert [case.kind for case in await shelf.cases("stray_entry")] == [CaseKind.STRAY_ENTRY]
        shelf.clock.pass_by(60)
        await run_of(shelf, shown(shelf, ours), channel="web")
        assert len(await shelf.cases("stray_entry")) == 1
        await run_of(shelf, shown(shelf, ours))
        assert await shelf.cases("stray_entry") == []


async def many(shelf: Shelf, count: int) -> list[str]:
    """So many keys of ten pieces each, proven, with their entries."""
    skus = [f"S{number:05}" for number in range(count)]
    for start in range(0, count, 500):
        part = skus[start : start + 500]
        await shelf.read(*(level(start + n + 1, 10, sku=sku) for n, sku in enumerate(part)))
    found = [entry(10, key(sku), name=f"E-{sku}") for sku in skus]
    await shelf.store.outbox.book_lookups(found, (), (), shelf.settle_rules)
    shelf.clock.pass_by(100)
    await shelf.store.outbox.book_reads([replace(each, read_at_ms=shelf.clock.now_ms) for each in found], ())
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10**6)
    return skus


async def read_again(shelf: Shelf, stock: int, guard: RaiseGuard) -> int:
    """Every entry that a check is due for shows so many pieces; how many were."""
    shelf.clock.pass_by(3 * LAG_MS / 1000)
    due = await shelf.store.outbox.checks_due(10**6)
    found = [
        entry(
            stock,
            row.key,
            name=row.entry_id or "",
            read_ms=shelf.clock.now_ms,
            version=row.version or 1,
            marker=left(row.seen),
        )
        for row in due
    ]
    await shelf.store.outbox.book_reads(found, ())
    await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10**6, guard)
    return len(due)


async def test_what_was_seen_first_is_remembered_beyond_the_cases_that_fold(tmp_path: Path) -> None:
    """More keys with the same difference than cases are kept: all of them are judged at the second look, none for ever anew."""
    async with shelf_of(tmp_path, ()) as shelf:
        skus = await many(shelf, 1_100)
        await run_of(shelf, shown(shelf, *(entry(9, key(sku), name=f"E-{sku}") for sku in skus)))
        guard = RaiseGuard(20, 0)
        due = [await read_again(shelf, 9, guard) for _ in range(4)]
        assert due == [1_100, 1_100, 20, 0]
        assert await shelf.store.reconciles.held() == 1_080
        assert await shelf.store.reconciles.suspected() == 1_080


async def test_f089_the_limit_holds_for_more_foreign_entries_than_cases_are_kept(tmp_path: Path) -> None:
    """Another program has rewritten all of them: its mark is kept by the key."""
    async with shelf_of(tmp_path, ()) as shelf:
        skus = await many(shelf, 1_100)
        await shelf.read(*(level(5_000 + number, 11, sku=sku) for number, sku in enumerate(skus)))
        for lease in await shelf.lease(2_000):
            await shelf.settle(lease, Booked(lease.entry_id or "", (lease.version or 0) + 1))
        low = [entry(2, key(sku), name=f"E-{sku}", version=9) for sku in skus]
        await run_of(shelf, shown(shelf, *low))
        await shelf.store.outbox.book_reads(
            [replace(each, read_at_ms=shelf.clock.now_ms) for each in low], ()
        )
        shelf.clock.pass_by(100)
        for _ in range(3):
            await read_again(shelf, 2, RaiseGuard(20, 0))
        assert sum(lease.increases for lease in await shelf.lease(2_000)) == 20
        assert await shelf.store.reconciles.held() == 1_080


async def test_s11_a_difference_seen_before_its_base_was_taken_anew_is_no_first_sight(tmp_path: Path) -> None:
    """An edit of an order made the base provisional, a clean read agreed: days later one read alone raises nothing."""
    async with shelf_of(tmp_path, "A") as shelf:

        async def one(stock: int) -> None:
            await shelf.store.outbox.plan_checks(None, 5)
            row = await shelf.row(key("A"))
            found = entry(
                stock,
                key("A"),
                name="E-A",
                version=row.version or 1,
                read_ms=shelf.clock.now_ms,
                marker=left(row.seen),
            )
            await shelf.store.outbox.book_reads([found], ())
            await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 9, RaiseGuard(20, 5))

        await one(6)
        await cast("Any", shelf.store)._session.write(lambda scope: doubt_bases(scope, [key("A")], 0))
        shelf.clock.pass_by(60)
        await one(10)
        assert await shelf.cases("drift") == []
        shelf.clock.pass_by(86_400 * 5)
        await one(6)
        assert await shelf.lease() == []


async def test_keys_that_the_rollout_does_not_reach_use_up_no_raise(tmp_path: Path) -> None:
    """Whoever wrote them before goes on doing so: that is no drift, and holds back nobody else."""
    async with shelf_of(tmp_path, ("A", "B", "C")) as shelf:
        await shelf.store.use_rules(replace(shelf.store.rules, rollout=frozenset({"A"})))
        stock = {"A": 10, "B": 6, "C": 6}
        guard = RaiseGuard(1, 0)
        for shows in (10, 7):
            stock["A"] = shows
            await run_of(
                shelf, shown(shelf, *(entry(stock[sku], key(sku), name=f"E-{sku}") for sku in "ABC"))
            )
            await looked_at(shelf, stock, guard)
        assert await shelf.store.reconciles.held() == 0
        assert await shelf.cases("drift") == []
        assert [lease.key.sku for lease in await shelf.lease()] == ["A"]


async def test_what_is_held_of_an_entry_that_is_gone_holds_back_nobody(tmp_path: Path) -> None:
    """It is looked up anew: nothing is left of the old suspicion."""
    async with shelf_of(tmp_path, "AB") as shelf:
        await run_of(shelf, shown(shelf, entry(6, key("A"), name="E-A"), entry(10, key("B"), name="E-B")))
        await looked_at(shelf, {"A": 6, "B": 10}, RaiseGuard(0, 0))
        assert await shelf.store.reconciles.held() == 1
        await shelf.store.outbox.book_reads([], [key("A")])
        assert await shelf.store.reconciles.held() == 0
        assert await shelf.cases("drift") == [] or all(
            case.code != "held" for case in await shelf.cases("drift")
        )


async def test_an_entry_of_ours_that_lost_its_channel_is_a_stray_and_not_missing_as_well(
    tmp_path: Path,
) -> None:
    """It is there, and to read it by its id would tell nothing more."""
    async with shelf_of(tmp_path, "AB") as shelf:
        page = shown(shelf, entry(10, key("B"), name="E-B"), strays=[Stray("E-A", "A", None, 10)])
        run = await run_of(shelf, page)
        assert run.totals == {("no-channel", Found.NO_CHANNEL): (1, 0), ("web", Found.AGREES): (1, 0)}
        assert await shelf.store.outbox.checks_due(10) == []


async def test_an_entry_of_ours_that_was_moved_to_another_channel_is_missing_in_its_own(
    tmp_path: Path,
) -> None:
    """Its id is listed, under a key that is not ours to write."""
    async with shelf_of(tmp_path, "AB") as shelf:
        moved = entry(10, StockKey("elsewhere", "A"), name="E-A", version=2)
        run = await run_of(shelf, shown(shelf, moved, entry(10, key("B"), name="E-B")))
        assert run.totals == {
            ("elsewhere", Found.UNKNOWN_CHANNEL): (1, 0),
            ("web", Found.MISSING): (1, 0),
            ("web", Found.AGREES): (1, 0),
        }
        assert [row.key.sku for row in await shelf.store.outbox.checks_due(10)] == ["A"]


async def test_the_newest_run_of_the_night_is_kept_however_many_a_person_makes(tmp_path: Path) -> None:
    """The next one is reckoned from it; of a person's only the newest are kept."""
    async with shelf_of(tmp_path, "A") as shelf:
        for _ in range(2):
            await run_of(shelf, shown(shelf), cause="nightly")
        for _ in range(RUNS_KEPT + 5):
            await run_of(shelf, shown(shelf), Mode.DRY_RUN)
        kept = await shelf.store.reconciles.newest("nightly")
        assert kept is not None
        assert (kept.id, kept.state) == (2, RunState.DONE)
        assert await shelf.store.reconciles.run(1) is None
        assert await shelf.store.reconciles.run(3) is None
