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

from archsyncd.domain.inventory import Entry, Failure
from archsyncd.domain.reconciling import Found, Listing, Mode, Run, RunState, Stray, Wanted
from archsyncd.engine.ports import StoreBusy
from archsyncd.engine.reconcile import Reconcile, ReconcileOptions
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.adapters.sqlite.test_reconcile import run_of, shelf_of, shown
from tests.domain.nouns import key
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

    async def judge(self, run: Run, page: Listing, lag_ms: int) -> int | None:
        self.times += 1
        await self.instead(self.times)
        return cast("int | None", await self.kept.judge(run, page, lag_ms))

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
