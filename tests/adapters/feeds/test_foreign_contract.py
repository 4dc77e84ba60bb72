"""Sources that are read by a profile keep the contract of feeds, by cursor and by time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tests.adapters.feeds.contract import FeedContract, Site, levels, read
from tests.dialects.houses import Ledger, Shelf, ledger_profile, shelf_profile
from tests.dialects.reading import ForeignSite, reading
from tests.support.virtual_time import VirtualClock, virtual


class LedgerSite(ForeignSite[Ledger]):
    """Told by the words of the contract."""

    async def tell(self, *told: tuple[str, int]) -> None:
        for sku, on_hand in told:
            self.house.put(sku, on_hand)

    async def poison(self) -> None:
        self.house.put("A", "viele")


class ShelfSite(ForeignSite[Shelf]):
    """Its clock goes on by a second with every row, so that the order of times is that of telling."""

    async def tell(self, *told: tuple[str, int]) -> None:
        for sku, on_hand in told:
            await VirtualClock().sleep(1)
            self.house.put(sku, on_hand)

    async def poison(self) -> None:
        await VirtualClock().sleep(1)
        self.house.put("P", "1e400")


@asynccontextmanager
async def ledger_site(**changes: object) -> AsyncIterator[Site]:
    async with reading(Ledger(VirtualClock().wall_ms), ledger_profile(**changes), LedgerSite) as site:
        yield site  # type: ignore[misc]


@asynccontextmanager
async def shelf_site() -> AsyncIterator[Site]:
    async with reading(Shelf(VirtualClock().wall_ms), shelf_profile(), ShelfSite) as site:
        yield site  # type: ignore[misc]


class TestByCursor(FeedContract):
    """A list of changes with numbers of its own, numbered here by arrival."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return ledger_site()

    @virtual
    async def test_f094_what_was_not_committed_is_read_again(self) -> None:
        """Readings of single SKUs may stand where the first reading stood, so that the next one stands later."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 1), ("B", 2))
            first = await read(site.feed, checkpoint, 2, acknowledge=False)
            again = await read(await site.reopen(), checkpoint, 2)
            told = [
                [record.id for batch in batches for record in batch.records] for batches in (first, again)
            ]
            assert told[0] == told[1]
            assert levels(again) == levels(first)
            assert again[-1].records[0].seq > first[-1].records[-1].seq


class TestByCursorWithoutReadings(FeedContract):
    """As above, where a single SKU cannot be read."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return ledger_site(key=None)


class TestByTime(FeedContract):
    """A list of rows by the time of their last change: of each key only the newest row is ever seen."""

    def site(self) -> AbstractAsyncContextManager[Site]:
        return shelf_site()

    @virtual
    async def test_records_arrive_in_their_order_under_the_configured_name(self) -> None:
        """What stands between two rounds nobody sees; what arrives is in the order of time, at rising positions."""
        async with self.site() as site:
            checkpoint = await site.begin()
            await site.tell(("A", 5), ("B", -2))
            await site.tell(("A", 4))
            batches = await read(site.feed, checkpoint, 2)
            assert levels(batches) == [("B", -2), ("A", 4)]
            positions = [record.seq for batch in batches for record in batch.records]
            assert positions == sorted(set(positions))
            assert {batch.feed for batch in batches} == {site.feed.name}
