"""The watchdog of the real daemon: fed while its pumps progress or are idle by right, and not once one of them hangs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archsyncd.app import LAG_NOTED_SECONDS, App
from archsyncd.simulators.commercetools.exchange import Request
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.process.site import LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.inside import Running, inside

INTERVAL_SECONDS = 30.0
STOCK = {"A": 50, "B": 50}
MINUTES = 60.0


def fed_all_the_time(daemon: Running, since: float) -> bool:
    """Whether it was fed three times an interval from then until now."""
    times = [since, *(at for at in daemon.notes.fed if at > since), daemon.app.clock.monotonic()]
    return all(later - earlier <= INTERVAL_SECONDS / 3 + 0.1 for earlier, later in itertools.pairwise(times))


async def trade(site: Site, minutes: float) -> None:
    for _ in range(int(minutes * 6)):
        site.order("A", 1)
        site.house.warehouse.receipt("A", LOCATION, 1)
        await site.clock.sleep(10)


@virtual
async def test_f019_it_is_fed_while_pumps_progress_or_are_idle_by_right() -> None:
    """Five minutes each of trade, of nothing at all, of a silent commercetools and of a silent source."""
    async with inside(seed=90) as (site, house):
        site.open(STOCK)
        async with house.daemon(watchdog_seconds=INTERVAL_SECONDS, lease_seconds=30) as daemon:
            await site.until_stock(STOCK)
            since = daemon.notes.fed[0]
            await trade(site, 5)
            await site.clock.sleep(5 * MINUTES)
            site.watcher.before = swallow
            await site.clock.sleep(5 * MINUTES)
            site.watcher.before = None
            site.house.script.add(Fault(FaultKind.STALL, times=10_000))
            await site.clock.sleep(5 * MINUTES)
            site.house.script.clear()
            assert fed_all_the_time(daemon, since)
            site.house.warehouse.store_sale("B", LOCATION, 1)
            await site.until_stock({"B": 49}, 200)


async def swallow(_request: Request) -> None:
    await asyncio.get_running_loop().create_future()


class Mute:
    """A connection of which one call never answers from a moment on, though every other one does."""

    def __init__(self, answering: Any, call: str) -> None:
        self._answering = answering
        self._call = call
        self.silent = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._answering, name)
        if name != self._call:
            return found

        async def never(*given: Any, **named: Any) -> Any:
            if self.silent:
                await asyncio.get_running_loop().create_future()
            return await found(*given, **named)

        async def nothing(*given: Any) -> AsyncIterator[Any]:
            async for batch in found(*given):
                if self.silent:
                    await asyncio.get_running_loop().create_future()
                yield batch

        return nothing if name == "batches" else never


@pytest.mark.parametrize(
    ("call", "pump"),
    [
        ("channels", "bases"),
        ("newest_messages", "orders"),
        ("write_tenure", "lease"),
        ("batches", "feed main"),
    ],
)
@virtual
async def test_f019_it_is_not_fed_once_a_call_of_a_pump_never_answers(call: str, pump: str) -> None:
    """Everybody else goes on, and systemd would start the process again within minutes."""
    mutes: list[Mute] = []

    def equip(app: App) -> None:
        if call == "batches":
            mutes.append(Mute(app.feeds[0], call))
            app.feeds = [mutes[0]]
        else:
            mutes.append(Mute(app.client, call))
            app.client = mutes[0]  # type: ignore[assignment]  # likewise

    async with inside(seed=91) as (site, house):
        site.open(STOCK)
        started = house.daemon(watchdog_seconds=INTERVAL_SECONDS, lease_seconds=30, equip=equip, quiet=False)
        async with started as daemon:
            await site.until_stock(STOCK)
            since = daemon.notes.fed[0]
            await site.clock.sleep(MINUTES)
            assert fed_all_the_time(daemon, since)
            mutes[0].silent = True
            # The longest a feed's step may take by right, and a while.
            await site.clock.sleep(4 * MINUTES + daemon.app.feeds[0].step_seconds)
            assert daemon.app.watch.late() == (pump,)
            assert daemon.app.clock.monotonic() - daemon.notes.fed[-1] > MINUTES


@virtual
async def test_f019_it_is_not_fed_once_the_store_never_answers() -> None:
    """The writer hangs in a transaction: who writes is late, though the loop and every reader go on."""
    async with inside(seed=92) as (site, house):
        site.open(STOCK)
        async with house.daemon(watchdog_seconds=INTERVAL_SECONDS) as daemon:
            await site.until_stock(STOCK)
            async with daemon.app.store._session.database._lock:
                await site.clock.sleep(5 * MINUTES)
                assert "feed main" in daemon.app.watch.late()
                silence = daemon.app.clock.monotonic() - daemon.notes.fed[-1]
            assert silence > 2 * MINUTES
            await site.clock.sleep(MINUTES)
            assert daemon.app.watch.late() == ()


@virtual
async def test_f018_a_loop_that_stood_still_is_told_and_forgotten_again() -> None:
    """A few seconds are no case for the watchdog; they stand in the notes for a minute."""
    async with inside(seed=93) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await site.until_stock(STOCK)
            assert daemon.app.loop_lag_seconds < LAG_NOTED_SECONDS
            daemon.app.watch.saw_lag(7.0)
            await site.clock.sleep(2)
            assert "stood still for 7.0 s" in daemon.notes.status
            assert daemon.journal.line("loop: the process stood still")
            await site.clock.sleep(2 * MINUTES)
            assert "loop" not in daemon.app.shared.notes


def broken(_app: App) -> contextlib.AbstractAsyncContextManager[object]:
    raise LookupError("a bug at the start")


def dump(path: Path) -> list[str]:
    """The database's content but for how often it was opened."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        lines = list(database.iterdump())
    database.close()
    return [line for line in lines if not line.startswith('INSERT INTO "ledger"')]


@virtual
async def test_f013_starts_that_fail_again_and_again_leave_the_database_as_it_was() -> None:
    """A bug at the start, ten times over: nothing is lost, and the start after them goes on."""
    async with inside(seed=94) as (site, house):
        site.open(STOCK)
        async with house.daemon():
            await site.until_stock(STOCK)
        before = dump(house.database())

        def equip(app: App) -> None:
            app.world = replace(app.world, control=broken)

        for _ in range(10):
            with pytest.raises(LookupError):
                async with house.daemon(equip=equip, quiet=False):
                    pass
        assert dump(house.database()) == before
        site.house.warehouse.store_sale("A", LOCATION, 1)
        async with house.daemon():
            await site.until_stock({"A": 49})
