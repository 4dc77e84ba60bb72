"""Both order desks keep their contract: over HTTP, and over files that the source takes away or leaves."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from archsyncd.adapters.r247_drop import DropFeed
from archsyncd.adapters.r247_drop.desk import DropDesk
from archsyncd.adapters.r247_pull import PullFeed, PullOptions, Sessions
from archsyncd.adapters.r247_pull.desk import PullDesk
from archsyncd.simulators.r247 import R247Config, R247Simulator
from archsyncd.simulators.r247 import drop_desk as source
from tests.adapters.feeds.desk_contract import DeskContract, Site
from tests.adapters.feeds.dropping import Drop, dropped
from tests.adapters.feeds.servers import SimulatorClock, simulated
from tests.support.virtual_time import VirtualClock


class PullSite:
    """A simulated source that is told over HTTP."""

    def __init__(self, house: R247Simulator, url: str, leave: AsyncExitStack) -> None:
        self.house = house
        self._options = PullOptions(name="site", url=url)
        self._leave = leave
        self.feed = self._open()

    def _open(self) -> PullFeed:
        return PullFeed(self._options, lambda: "", VirtualClock(), Sessions(), lambda: None)

    @property
    def desk(self) -> PullDesk:
        return self.feed.desk

    async def settle(self) -> None:
        """It has answered already."""

    async def vanish(self) -> None:
        await self._leave.aclose()

    async def reopen(self) -> None:
        await self.feed.close()
        self.feed = self._open()


class DropSite:
    """A simulated source that reads and writes files of a directory."""

    def __init__(self, drop: Drop, house: R247Simulator, *, takes: bool) -> None:
        self.house = house
        self._drop = drop
        for folder in ("orders/out", "orders/ack"):
            (drop.root / folder).mkdir(parents=True)
        self._source = source.DropDesk(drop.root, house.desk, takes=takes)
        self.feed = self._open()

    def _open(self) -> DropFeed:
        return DropFeed(self._drop.options(), VirtualClock(), lambda: None)

    @property
    def desk(self) -> DropDesk:
        return self.feed.desk

    async def settle(self) -> None:
        self.house.tick()
        self._source.poll()

    async def vanish(self) -> None:
        shutil.rmtree(self._drop.root)

    async def reopen(self) -> None:
        await self.feed.close()
        self.feed = self._open()


@asynccontextmanager
async def pull_site(**settings: Any) -> AsyncIterator[PullSite]:
    async with AsyncExitStack() as leave:
        house, url = await leave.enter_async_context(simulated(**settings))
        house.warehouse.seed("X", "WH1", 10)
        site = PullSite(house, url, leave)
        try:
            yield site
        finally:
            await site.feed.close()


@asynccontextmanager
async def drop_site(*, takes: bool, **settings: Any) -> AsyncIterator[DropSite]:
    with dropped() as drop:
        house = R247Simulator(R247Config(**settings), SimulatorClock(), random.Random(7))
        house.warehouse.seed("X", "WH1", 10)
        site = DropSite(drop, house, takes=takes)
        try:
            yield site
        finally:
            await site.feed.close()
            drop.root.mkdir(exist_ok=True)


class TestHttp(DeskContract):
    """Calls that are answered at once."""

    def site(self, **settings: Any) -> AbstractAsyncContextManager[Site]:
        return pull_site(heartbeat_seconds=1e9, **settings)


class TestFilesTakenAway(DeskContract):
    """A source that takes files away when it reads them."""

    def site(self, **settings: Any) -> AbstractAsyncContextManager[Site]:
        return drop_site(takes=True, heartbeat_seconds=1e9, **settings)


class TestFilesLeft(DeskContract):
    """A source that leaves files where they are."""

    def site(self, **settings: Any) -> AbstractAsyncContextManager[Site]:
        return drop_site(takes=False, heartbeat_seconds=1e9, **settings)
