"""The drop transport keeps the contract of feeds, whatever its files look like."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from archsyncd.adapters.r247_drop import DropFeed
from tests.adapters.feeds.contract import RecordContract, RecordSite
from tests.adapters.feeds.dropping import Drop, dropped, follow, level
from tests.support.virtual_time import VirtualClock


class DropSite:
    """A directory whose files are NDJSON, CSV or JSON."""

    def __init__(self, drop: Drop, ending: str) -> None:
        self._drop = drop
        self._ending = ending
        self._count = 0
        self._follows: str | None = None
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

    async def say(self, kind: str, **fields: object) -> None:
        told = {"id": f"id-{self._next()}", "type": kind, **fields}
        if self._ending == "csv" and "sku" in fields:
            rows = (told, told.values())
            data = "".join(",".join(map(str, row)) + "\r\n" for row in rows)
            self._drop.put(data=data.encode(), ending="csv", records=1)
        else:
            # Rows are of stock: of anything else such a source writes lines.
            self._drop.put(told)

    async def repeat(self) -> None:
        """The same bytes under the next number."""
        data = (self._drop.root / "in" / self._drop.written[-1]).read_bytes()
        self._drop.put(data=data, ending=self._ending, records=1)

    async def overtake(self, *levels: tuple[str, int]) -> None:
        """Files appear the last one first, and their times say that it is the oldest."""
        first = self._drop.seq
        for place, told in reversed(list(enumerate(levels, 1))):
            self._drop.seq = first + place - 1
            await self.tell(told)
            moment = 1_700_000_000 - 60 * place
            os.utime(self._drop.root / "in" / self._drop.written[-1], (moment, moment))
        self._drop.seq = first + len(levels)

    async def skip(self, count: int) -> None:
        """The next file says which one it follows."""
        self._follows = str(self._drop.seq)
        self._drop.seq += count

    async def restore(self) -> None:
        self._drop.epoch = "restored"
        self._drop.put(level("Z", 1), kind="full")

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
        follows: dict[str, Any] = {} if self._follows is None else {"prevFileSeq": self._follows}
        self._drop.put(data=data.encode(), ending=self._ending, records=len(rows), **follows)
        self._follows = None

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


class TestLines(RecordContract):
    """NDJSON files."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return drop_site("ndjson")


class TestRows(RecordContract):
    """CSV files."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return drop_site("csv")


class TestArrays(RecordContract):
    """JSON array files."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return drop_site("json")
