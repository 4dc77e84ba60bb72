"""Walks over the inventory: no page is passed over, none is asked for for ever, whatever breaks off in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest

from archsyncd.domain.inventory import Entry, Failure, Marker, StockKey, TooLarge
from archsyncd.domain.reconciling import Found, Listing, Mode, Run, RunState, Stray, Wanted
from archsyncd.engine.ports import FencedOff, StoreBusy
from archsyncd.engine.reconcile import Reconcile, ReconcileOptions
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.adapters.sqlite.test_reconcile import run_of, shelf_of, shown
from tests.domain.nouns import channel, key, level, place, rules
from tests.support.virtual_time import virtual

T = TypeVar("T")
NIGHT = time(2, 30)
FOR_EVER = 200
SKUS = [f"S{number:02}" for number in range(7)]


class Open:
    """A limiter that lets everything through."""

    async def call(self, _priority: object, _cost: float, make: Callable[[], Awaitable[T]]) -> T:
        return await make()


@dataclass
class Shop:
    """An inventory that is listed, `most` entries a page; `answer` may answer in its place."""

    shelf: Shelf
    entries: Sequence[Entry]
    most: int = 2
    answer: Callable[[str, int], Listing | Failure | None] = lambda _after, _limit: None
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def inventory(
        self, after: str, *, channel: str = "", sku: str = "", limit: int = 500
    ) -> Listing | Failure:
        assert len(self.asked) < FOR_EVER, "it is asked for ever"
        self.asked.append((after, limit))
        told = self.answer(after, limit)
        if told is not None:
            return told
        most = min(limit, self.most)
        wanted = [one for one in self.entries if one.id > after and sku in {"", one.key.sku}]
        page = [one for one in wanted if channel in {"", one.key.channel}][:most]
        return shown(self.shelf, *page, after=after, full=len(page) == most)


@dataclass
class Between:
    """The store's comparing, with something in the place of one judgement; `times` counts them."""

    kept: Any
    instead: Callable[[int], Awaitable[None]]
    times: int = 0

    async def judge(self, *told: Any) -> int | None:
        self.times += 1
        await self.instead(self.times)
        return cast("int | None", await self.kept.judge(*told))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kept, name)


@dataclass
class Walking:
    """A walk that can be driven: until its run has ended, over as many restarts of its pump as it needs."""

    shelf: Shelf
    shop: Shop
    shared: Shared
    ended: list[Run] = field(default_factory=list)
    restarts: int = 0
    reconciles: Any = None

    def reconcile(self, *, fence: int = 1) -> Reconcile:
        own = self.shelf.store
        store: Any = SimpleNamespace(
            reconciles=self.reconciles or own.reconciles,
            snapshots=own.snapshots,
            rules=own.rules,
            ledger=own.ledger,
        )
        drain: Any = SimpleNamespace(options=SimpleNamespace(writes=True, fence=fence))
        shop, limiter = cast("Any", self.shop), cast("Any", Open())
        options = ReconcileOptions(NIGHT, 10, tracked=True, zone=UTC)
        return Reconcile(store, shop, limiter, self.shared, drain, options, lambda: None, self._tell)

    def _tell(self, run: Run) -> None:
        self.ended.append(run)
        self.shared.begin_stop()

    async def walk(self, **wanted: str) -> Run:
        """Begin a run, or go on with the one under way, and go over it to its end."""
        await self.shelf.store.reconciles.begin(Wanted(Mode.APPLY, **wanted))
        return await self.go_on(self.reconcile())

    async def go_on(self, reconcile: Reconcile) -> Run:
        """Go over the run under way to its end."""
        self.ended.clear()
        self.shared.stop.clear()
        while not self.ended:
            try:
                await asyncio.wait_for(reconcile.run(), 20)
            except StoreBusy:
                self.restarts += 1
        return self.ended[0]


@asynccontextmanager
async def walking(directory: Path, stock: int = 10, skus: Sequence[str] = SKUS) -> AsyncIterator[Walking]:
    """A store in step, and a shop that shows so many pieces of each of its SKUs."""
    async with shelf_of(directory, skus) as shelf:
        shared = Shared(shelf.clock)
        shared.channels_read, shared.orders_known, shared.orders_complete_ms = 1, True, 2**60
        yield Walking(shelf, Shop(shelf, [entry(stock, key(sku), name=f"E-{sku}") for sku in skus]), shared)


@virtual
async def test_a_page_that_the_store_was_too_busy_for_is_judged_after_the_restart(tmp_path: Path) -> None:
    """It is neither lost nor judged twice, nor are those after it."""

    async def busy(times: int) -> None:
        if times in {2, 3}:
            raise StoreBusy("locked")

    async with walking(tmp_path, stock=12) as it:
        it.reconciles = Between(it.shelf.store.reconciles, busy)
        run = await it.walk()
        assert it.restarts == 2
        assert (run.state, run.entries, run.counted(Found.TOO_MANY)) == (RunState.DONE, 7, 7)


@virtual
async def test_a_run_that_is_stopped_while_its_pages_are_judged_ends_stopped_and_no_later(
    tmp_path: Path,
) -> None:
    """The rest of the window is not judged, no case is closed as if all was seen, and the next run walks over all of it."""
    async with walking(tmp_path, stock=12) as it:
        own = it.shelf.store.reconciles
        await run_of(it.shelf, shown(it.shelf, strays=[Stray("Z", "S00", None, 3)]))
        it.shelf.clock.pass_by(60)
        it.shared.orders_complete_ms = 0

        def all_read(after: str, _limit: int) -> None:
            if after == "E-S05":
                it.shared.orders_complete_ms = 2**60

        it.shop.answer = all_read

        async def stopped(times: int) -> None:
            if times == 2:
                run = await own.current()
                assert run is not None
                await own.end(run, RunState.STOPPED, "why")
                assert await own.begin(Wanted(Mode.DRY_RUN)) is not None

        it.reconciles = Between(own, stopped)
        run = await it.walk()
        first = await own.run(2)
        assert first is not None
        assert (first.state, first.entries) == (RunState.STOPPED, 2)
        assert (run.id, run.state, run.entries) == (3, RunState.DONE, 7)
        assert len(await it.shelf.cases("stray_entry")) == 1


@virtual
async def test_a_place_that_was_moved_by_somebody_else_is_walked_on_from_and_nothing_is_called_done(
    tmp_path: Path,
) -> None:
    """A page that does not follow the run's place says nothing; what follows the place is read again."""
    async with walking(tmp_path, stock=12) as it:
        own = it.shelf.store.reconciles

        async def moved(times: int) -> None:
            if times == 2:
                run = await own.current()
                assert run is not None
                await own.judge(run, shown(it.shelf, it.shop.entries[2], after="E-S01", full=True), 10_000)

        it.reconciles = Between(own, moved)
        run = await it.walk()
        assert (run.state, run.entries, run.counted(Found.TOO_MANY)) == (RunState.DONE, 7, 7)
        assert ("E-S02", 500) in it.shop.asked


@virtual
async def test_a_listing_that_does_not_go_on_ends_the_run_with_a_reason(tmp_path: Path) -> None:
    """A full page again and again, as of a proxy that drops the predicate: it is not asked for ever, and people are told."""
    async with walking(tmp_path) as it:
        first = it.shop.entries[:2]
        it.shop.answer = lambda after, _limit: shown(it.shelf, *first, after=after, full=True)
        run = await it.walk()
        assert (run.state, run.entries) == (RunState.FAILED, 2)
        assert "do not follow one another" in run.reason
        assert it.shared.notes["reconcile"] == run.reason
        assert len(it.shop.asked) == 2


@virtual
async def test_fences_count_in_our_channels_only(tmp_path: Path) -> None:
    """Another ledger's marker in another channel stops nobody; a newer one of ours does."""
    strange = Marker("ledger-9", "9.1", 10, "9.1", 9)
    async with walking(tmp_path) as it:
        theirs = entry(5, StockKey("elsewhere", "S00"), name="E-Z", marker=strange)
        it.shop.entries = [*it.shop.entries, theirs]
        assert (await it.walk()).state is RunState.DONE
        it.shop.entries = [entry(10, key("S00"), name="E-S00", marker=strange)]
        with pytest.raises(FencedOff):
            await it.walk()


@virtual
async def test_a_limit_that_worked_is_kept_for_a_while(tmp_path: Path) -> None:
    """Where half a page is all that is answered, a whole one is not tried again after each half."""
    async with walking(tmp_path, skus=[f"S{number:02}" for number in range(40)]) as it:
        it.shop.answer = lambda _after, limit: TooLarge("413", "too large") if limit > 2 else None
        run = await it.walk()
        assert (run.state, run.entries) == (RunState.DONE, 40)
        refused = [limit for _, limit in it.shop.asked if limit > 2]
        # More is tried after four good pages, not after each.
        assert refused == [500, 250, 125, 62, 31, 15, 7, 3, 4, 4, 4, 4]


@virtual
async def test_a_sku_that_lies_on_several_pages_has_no_missing_entry(tmp_path: Path) -> None:
    """What a page does not show may stand on the next; what no page shows is missing once."""
    async with walking(tmp_path, skus=()) as it:
        two = rules(channel(place("WH1", "shop"), name="shop"), channel(place("WH2")))
        await it.shelf.store.use_rules(two)
        keys = [StockKey("shop", "A"), StockKey("web", "A")]
        await it.shelf.read(level(1, 10), level(2, 10, "WH2"))
        for own in keys:
            await it.shelf.based(10, own, name=f"E-{own.channel}")
        it.shop.entries = [entry(10, own, name=f"E-{own.channel}") for own in keys]
        it.shop.most = 1
        run = await it.walk(sku="A")
        assert (run.entries, run.counted(Found.AGREES), run.counted(Found.MISSING)) == (2, 2, 0)
        it.shop.entries = it.shop.entries[:1]
        run = await it.walk(sku="A")
        assert (run.entries, run.counted(Found.AGREES), run.counted(Found.MISSING)) == (1, 1, 1)


@virtual
async def test_a_run_whose_last_page_was_judged_before_a_crash_only_ends(tmp_path: Path) -> None:
    """Nothing is asked for any more: no id lies beyond."""
    async with walking(tmp_path) as it:
        run = await it.shelf.store.reconciles.begin(Wanted(Mode.APPLY))
        assert run is not None
        await it.shelf.store.reconciles.judge(run, shown(it.shelf, *it.shop.entries), 10_000)
        await it.shelf.again()
        ended = await it.go_on(it.reconcile())
        assert (ended.id, ended.state, ended.entries, it.shop.asked) == (run.id, RunState.DONE, 7, [])


@virtual
async def test_a_daemon_that_is_stopped_every_night_has_its_first_walk_all_the_same(tmp_path: Path) -> None:
    """The time of a night has passed since the ledger began, though not since this start."""
    async with walking(tmp_path) as it:
        it.shelf.clock.pass_by(86_400)
        await it.shelf.again()
        run = await it.go_on(it.reconcile())
        assert (run.wanted.cause, run.state, run.entries) == ("nightly", RunState.DONE, 7)
