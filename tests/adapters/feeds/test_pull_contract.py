"""The pull transport keeps the contract of feeds, by pages and by NDJSON stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from archsyncd.adapters.r247_pull import PullFeed, PullOptions, Sessions
from archsyncd.domain.feed import SnapshotCause, SnapshotDue
from archsyncd.simulators.r247 import R247Simulator
from tests.adapters.feeds.contract import RecordContract, RecordSite
from tests.adapters.feeds.servers import simulated
from tests.support.virtual_time import VirtualClock


class PullSite:
    """A simulated source read over HTTP."""

    def __init__(self, simulator: R247Simulator, url: str, *, stream: bool, leave: AsyncExitStack) -> None:
        self._simulator = simulator
        self._options = PullOptions(name="site", url=url, stream=stream, consumer="test", margin_seconds=5)
        self._leave = leave
        self._seeded: set[str] = set()
        self.feed = self._open()

    def _open(self) -> PullFeed:
        return PullFeed(self._options, lambda: "", VirtualClock(), Sessions(), lambda: None)

    async def begin(self) -> str:
        found = [one async for one in self.feed.batches(None)]
        assert [one.cause for one in found if isinstance(one, SnapshotDue)] == [SnapshotCause.START]
        snapshot = await self.feed.take_snapshot(["WH1"])
        cursor = (await snapshot.head()).cursor
        assert cursor is not None
        return cursor

    async def tell(self, *levels: tuple[str, int]) -> None:
        for sku, on_hand in levels:
            if sku not in self._seeded:
                self._simulator.warehouse.seed(sku, "WH1", 0)
                self._seeded.add(sku)
            self._simulator.warehouse.room.recount(sku, "WH1", on_hand)

    async def poison(self) -> None:
        self._simulator.poison("1e400", "A", "WH1")

    async def say(self, kind: str, **fields: object) -> None:
        self._simulator.log.append(kind, fields, location="WH1")

    async def repeat(self) -> None:
        log = self._simulator.log
        (last,) = log.after(log.head_seq - 1, 1, None, None).records
        log.append_raw(last.body.decode(), kind=last.type, location=last.location)

    async def overtake(self, *levels: tuple[str, int]) -> None:
        log = self._simulator.log
        records = [
            {
                "id": f"o{seq}",
                "type": "stock.level",
                "seq": str(seq),
                "sku": sku,
                "location": "WH1",
                "onHand": on_hand,
            }
            for seq, (sku, on_hand) in enumerate(levels, log.head_seq + 1)
        ]
        for record in reversed(records):
            log.append_raw(json.dumps(record), kind="stock.level", location="WH1")

    async def skip(self, count: int) -> None:
        self._simulator.log.head_seq += count

    async def restore(self) -> None:
        self._simulator.warehouse.restore(self._simulator.warehouse.backup(), "restored")

    async def vanish(self) -> None:
        await self._leave.aclose()

    async def reopen(self) -> PullFeed:
        await self.feed.close()
        self.feed = self._open()
        return self.feed


@asynccontextmanager
async def pull_site(*, stream: bool) -> AsyncIterator[PullSite]:
    async with AsyncExitStack() as leave:
        simulator, url = await leave.enter_async_context(simulated(heartbeat_seconds=1e9))
        site = PullSite(simulator, url, stream=stream, leave=leave)
        try:
            yield site
        finally:
            await site.feed.close()


class TestPages(RecordContract):
    """Long-polled pages."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return pull_site(stream=False)


class TestStream(RecordContract):
    """One long answer of lines."""

    def site(self) -> AbstractAsyncContextManager[RecordSite]:
        return pull_site(stream=True)
