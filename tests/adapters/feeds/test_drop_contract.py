"""The drop transport keeps the contract of feeds, whatever its files look like."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from archsyncd.adapters.r247_drop import DropFeed
from tests.adapters.feeds.contract import FeedContract, Site
from tests.adapters.feeds.dropping import Drop, dropped, follow, level
from tests.support.virtual_time import VirtualClock


class DropSite:
    """A directory whose files are NDJSON, CSV or JSON."""

    def __init__(self, drop: Drop, ending: str) -> None:
        self._drop = drop
        self._ending = ending
        self._count = 0
        self.feed = DropFeed(drop.options(), VirtualClock(), lambda: None)

    async def begin(self) -> str:
        self._drop.put(level("Z", 1), kind="full")
        checkpoint = (await follow(self.feed, None, 1)).checkpoint
        assert checkpoint is not None
        return checkpoint

    async def tell(self, *levels: tuple[str, int]) -> None:
        rows = [(f"id-{self._next()}", sku, str(on_hand)) for sku, on_hand in levels]
        self._put(rows)

    async def poison(self) -> None:
        self._put([(f"id-{self._next()}", "A", "1e400")])

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _put(self, rows: list[tuple[str, str, str]]) -> None:
        lines = [
            f'{{"id":{json.dumps(own_id)},"type":"stock.level","sku":{json.dumps(sku)},"location":"WH1","onHand":{on_hand}}}'
            for own_id, sku, on_hand in rows
        ]
        data = "".join(f"{line}\n" for line in lines)
        if self._ending == "csv":
            data = "id,sku,location,onHand\r\n" + "".join(
                f"{own_id},{sku},WH1,{on_hand}\r\n" for own_id, sku, on_hand in rows
            )
        elif self._ending == "json":
            data = f"[{','.join(lines)}]"
        self._drop.put(data=data.encode(), ending=self._ending, records=len(rows))

    async def vanish(self) -> None:
        shutil.rmtree(self._drop.root)
        self._drop.root.touch()

    async def reopen(self) -> DropFeed:
        await self.feed.close()
        self.feed = DropFeed(self._drop.options(), VirtualClock(), lambda: None)
        return self.feed


@asynccontextmanager
async def drop_site(ending: str) -> AsyncIterator[DropSite]:
    with dropped() as drop:
        site = DropSite(drop, ending)
        try:
            yield site
        finally:
            await site.feed.close()
            if drop.root.is_file():
                drop.root.unlink()
                drop.root.mkdir()


class TestLines(FeedContract):
    """NDJSON files."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return drop_site("ndjson")


class TestRows(FeedContract):
    """CSV files."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return drop_site("csv")


class TestArrays(FeedContract):
    """JSON array files."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return drop_site("json")
