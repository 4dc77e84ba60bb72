"""A foreign house on loopback and the feed that reads it by its profile, for tests in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Any, Generic, TypeVar

from archsyncd.adapters.r247_pull import PullOptions, Sessions
from archsyncd.adapters.r247_pull.foreign import ForeignFeed
from archsyncd.domain.feed import Batch, SnapshotDue, SnapshotPage
from archsyncd.wire.foreign.source import read_source
from tests.adapters.feeds.servers import nothing, scripted
from tests.dialects.houses import House, written
from tests.support.virtual_time import VirtualClock

H = TypeVar("H", bound=House)


class ForeignSite(Generic[H]):
    """One house and the feed that reads it; another one after `reopen`."""

    def __init__(
        self, house: H, url: str, profile: dict[str, Any], leave: AsyncExitStack, **options: Any
    ) -> None:
        self.house = house
        self.url = url
        self._profile = profile
        self._leave = leave
        self._options = options
        self.feed = self.open()

    def open(self) -> ForeignFeed:
        """Another feed of the same source, as after a restart."""
        source = read_source(written(self._profile), "profiles/site.json")
        options = PullOptions(
            name="site", url=self.url, **{"wait_seconds": 0, "margin_seconds": 5, **self._options}
        )
        return ForeignFeed(options, source, lambda: "", VirtualClock(), Sessions(), nothing)

    async def begin(self) -> str:
        """Take a snapshot as a new installation does; where reading goes on behind it."""
        found = [one async for one in self.feed.batches(None)]
        assert [type(one) for one in found] == [SnapshotDue]
        cursor, _ = await self.whole()
        return cursor

    async def whole(self) -> tuple[str, list[SnapshotPage]]:
        """A snapshot read to its end, and where reading goes on behind it."""
        snapshot = await self.feed.take_snapshot(["WH1"])
        assert snapshot is not None
        cursor = (await snapshot.head()).cursor
        assert cursor is not None
        pages = [page async for page in snapshot.pages()]
        assert snapshot.end().complete
        return cursor, pages

    async def next(self, after: str | None, rounds: int = 1) -> list[Batch]:
        """The batches of the next rounds."""
        found: list[Batch] = []
        async with aclosing(self.feed.batches(after)) as reading:  # type: ignore[type-var]
            async for one in reading:
                assert isinstance(one, Batch), one
                found.append(one)
                if sum(not batch.more for batch in found) == rounds:
                    return found
        raise AssertionError("the feed ended")

    async def vanish(self) -> None:
        """Nobody answers any more."""
        await self._leave.aclose()

    async def reopen(self) -> ForeignFeed:
        """Close the feed and open another."""
        await self.feed.close()
        self.feed = self.open()
        return self.feed


@asynccontextmanager
async def reading(
    house: H, profile: dict[str, Any], made: type[ForeignSite[H]] | None = None, **options: Any
) -> AsyncIterator[ForeignSite[H]]:
    """The house answers, and a feed reads it."""
    async with AsyncExitStack() as leave:
        url = await leave.enter_async_context(scripted(house.handle))
        site = (made or ForeignSite)(house, url, profile, leave, **options)
        try:
            yield site
        finally:
            await site.feed.close()
