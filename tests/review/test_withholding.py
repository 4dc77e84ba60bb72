"""Which locations are not offered while their feeds are silent (fault 117)."""

from __future__ import annotations

from typing import Any, cast

from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.tail import Freshness
from archsyncd.engine.withholding import Withholding
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import level

INTERVAL_SECONDS = 10.0


class Asked:
    """A store that notes for which locations it is asked which feeds tell of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.feeds = self
        self.locations_asked: list[str] = []

    async def feeds_of(self, location: str) -> list[str]:
        self.locations_asked.append(location)
        return await self._store.feeds.feeds_of(location)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_f117_who_tells_of_a_location_is_asked_once_a_minute_while_a_feed_is_silent(
    shelf: Shelf,
) -> None:
    """To rule a feed out, all levels of the location are walked through; and a feed that takes it over counts within a minute."""
    await shelf.read(level(1, 10))
    shared = Shared(shelf.clock)
    freshness = Freshness(
        shelf.store, shared, {"main": INTERVAL_SECONDS, "other": INTERVAL_SECONDS}, lambda: None
    )
    store = Asked(shelf.store)
    withholding = Withholding(cast("Store", store), shared, freshness, 1.0, frozenset())
    for number in range(12):
        shelf.clock.pass_by(INTERVAL_SECONDS)
        await shelf.read(level(number + 1, 1, "WH9", "Z"), feed="other")
        await freshness.look()
        await withholding.look()
    assert await withholding.look() == {"WH1"}
    assert store.locations_asked == ["WH1"]
    await shelf.read(level(100, 9, as_of="2030-01-01T00:00:00Z"), feed="other")
    for number in range(6):
        shelf.clock.pass_by(INTERVAL_SECONDS)
        await shelf.read(level(number + 101, 1, "WH9", "Z"), feed="other")
        await freshness.look()
        await withholding.look()
    assert await withholding.look() == frozenset()
    assert store.locations_asked == ["WH1", "WH1"]
