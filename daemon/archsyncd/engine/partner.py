"""The feed that has full pictures where another has none. Knows how to have it asked, not what it answers with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from archsyncd.domain.feed import KeyReading
from archsyncd.engine.ports import Feed
from archsyncd.engine.store import Store


@dataclass(frozen=True, slots=True)
class Partner:
    """Named by `snapshot_from`. `wake` has the partner's own tail look at once."""

    feed: Feed
    store: Store
    wake: Callable[[], None]

    async def ask_for_full(self, cause: str) -> None:
        """Have the partner take a full; a directory only waits for its next one."""
        await self.store.feeds.needs_snapshot(self.feed.name, cause)
        self.wake()

    async def read_for(self, feed: str, sku: str) -> KeyReading | None:
        """Read one SKU for a feed that cannot be asked, and settle what waited there. Raises FeedFault."""
        reading = await self.feed.read_key(sku)
        if reading is not None:
            await self.store.feeds.record_reading(reading)
            await self.store.feeds.resync_answered(feed, reading)
        return reading
