"""The real daemon killed with -9 around its requests: before an effect, after it, before its answer, at rest."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from archsyncd.simulators.commercetools.exchange import Reply, Request
from archsyncd.simulators.trade import Trade, TradeConfig
from tests.process.harness import CLOCK, Daemon, daemon
from tests.process.site import Site, assert_right, gather_all, in_step, site
from tests.support.examples import examples

KILLS = examples(8, 16)
# How long a decrease may take of the time in which the daemon is up: two of them, two simulators and this share two cores.
WORKING_SECONDS = 5.0
DAY = TradeConfig(
    seconds=25,
    keys=24,
    hot_keys=3,
    shoppers=4,
    orders_per_second=3,
    store_sales_per_second=1,
    throttled_requests=0,
)


class Reaper:
    """Kills the daemon around the n-th request after its start, before or after the request's effect."""

    def __init__(self, site: Site, chance: random.Random) -> None:
        self._chance = chance
        self._left = 0
        self._before = False
        self.daemon: Daemon | None = None
        self.struck = asyncio.Event()
        site.watcher.before = self.before
        site.watcher.after = self.after

    def arm(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.struck.clear()
        self._left = self._chance.randint(1, 25)
        self._before = self._chance.random() < 0.3

    async def before(self, _request: Request) -> None:
        if self._before:
            self._count()

    async def after(self, _request: Request, _reply: Reply) -> None:
        if not self._before:
            self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0 and self.daemon is not None:
            self.daemon.strike()
            self.struck.set()


async def _play(trade: Trade) -> None:
    async for _ in trade.run():
        pass


async def _one_shop(directory: Path, seed: int, lease_seconds: int) -> None:
    async with (
        site(CLOCK, seed=seed) as around,
        daemon(directory, around, lease_seconds=lease_seconds) as victim,
    ):
        trade = around.trade(DAY, seed)
        await trade.open()
        day = asyncio.create_task(_play(trade))
        reaper = Reaper(around, random.Random(seed))
        for _ in range(KILLS):
            reaper.arm(victim)
            await victim.start()
            await victim.until(reaper.struck.is_set, "a kill")
            assert await victim.ended() == -9
        await victim.start(ready=True)
        await day
        await trade.settle()
        assert_right(await in_step(around, trade, 150, WORKING_SECONDS, outages=victim.outages))
        assert victim.complaints() == []
        code, seconds = await victim.stop()
        assert (code, seconds < 15) == (0, True)


@pytest.mark.timeout(300)
async def test_f005_f006_f007_kills_at_any_request_neither_oversell_nor_hide_stock(tmp_path: Path) -> None:
    """Two shops side by side, one with a lease: 16 kills around requests of every kind (32 in a longer search) in their trade."""
    await gather_all(_one_shop(tmp_path / "a", 11, 0), _one_shop(tmp_path / "b", 12, 30))
