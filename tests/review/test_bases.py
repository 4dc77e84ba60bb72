"""When keys that wait for their entry are passed over, and when they are not looked at at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from archsyncd.domain.inventory import Entry, EntryPage, StockKey, SupplyChannel
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow
from archsyncd.engine.bases import IDLE_SECONDS, QUIET_SECONDS, BaseOptions, Bases
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.domain.nouns import CHANNEL_IDS, key, level
from tests.review.shop import limiter, no_types


class Empty:
    """A shop that sells nothing."""

    entries_per_request = 100

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.there: list[Entry] = []

    def use_channels(self, channels: Sequence[SupplyChannel]) -> None:
        del channels

    async def channels(self, after_id: str | None) -> tuple[tuple[SupplyChannel, ...], str | None]:
        del after_id
        return (SupplyChannel("web", "id-web", supplies=True),), None

    def split_keys(self, keys: Sequence[StockKey]) -> tuple[tuple[StockKey, ...], ...]:
        return (tuple(keys),)

    async def entries_by_key(self, keys: Sequence[StockKey]) -> EntryPage:
        self.asked.extend(each.sku for each in keys)
        return EntryPage((), 1)

    async def entries_by_id(self, ids: Sequence[str]) -> EntryPage:
        self.asked.extend(ids)
        return EntryPage(tuple(one for one in self.there if one.id in ids), 1)

    async def products(self, skus: Sequence[str]) -> frozenset[str]:
        del skus
        return frozenset()


class Walked:
    """A store that counts how often the keys without an entry are walked through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.walks = 0
        self.outbox = _Outbox(self)

    async def unknown_bases(self, after: StockKey | None, limit: int) -> list[OutboxRow]:
        self.walks += 1
        return await self._store.outbox.unknown_bases(after, limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _Outbox:
    def __init__(self, walked: Walked) -> None:
        self.unknown_bases = walked.unknown_bases
        self._rest = walked._store.outbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rest, name)


def keeper(shelf: Shelf) -> tuple[Bases, Walked, Empty, Shared]:
    shared = Shared(shelf.clock, channel_keys=CHANNEL_IDS, channels_read=1, orders_needed=False)
    requests, shop, store = limiter(shelf.clock), Empty(), Walked(shelf.store)
    client, kept = cast("Commercetools", shop), cast("Store", store)
    drain_options = DrainOptions(1, 1.0, 0.0, 75.0, tracked=False, writes=True, ledger="l", fence=1)
    drain = Drain(kept, client, requests, shared, drain_options, lambda: None)
    options = BaseOptions(
        create_missing=True, check_products=True, lag_seconds=15.0, tracked=False, sample_keys_per_minute=0
    )
    types = no_types(client, requests, shared)
    return Bases(kept, client, requests, shared, drain, options, types, lambda: None), store, shop, shared


async def test_while_all_keys_wait_they_are_not_walked_through_until_one_is_due(shelf: Shelf) -> None:
    """Any number may wait for a product that nobody makes; each is looked up as soon as its pause is over all the same."""
    await shelf.read(level(1, 5))
    bases, store, shop, _ = keeper(shelf)
    await bases.look_up_due(told=True)
    assert shop.asked == ["A"]
    shelf.clock.pass_by(IDLE_SECONDS)
    await bases.look_up_due(told=False)
    walks = store.walks
    for _ in range(13):
        shelf.clock.pass_by(IDLE_SECONDS)
        await bases.look_up_due(told=False)
    assert (shop.asked, store.walks) == (["A"], walks)
    shelf.clock.pass_by(IDLE_SECONDS)
    await bases.look_up_due(told=False)
    assert shop.asked == ["A", "A"]


@pytest.mark.parametrize("told", [True, False])
async def test_a_new_key_is_looked_up_at_once_if_told_and_soon_if_not(shelf: Shelf, told: bool) -> None:
    """Whoever makes a key due without telling delays it by half a minute at most, however long the others wait."""
    await shelf.read(level(1, 5))
    bases, _, shop, _ = keeper(shelf)
    for _ in range(40):
        await bases.look_up_due(told=True)
        shelf.clock.pass_by(900)
    await bases.look_up_due(told=True)
    await bases.look_up_due(told=True)
    await shelf.read(level(2, 5, sku="B"))
    if not told:
        await bases.look_up_due(told=False)
        assert "B" not in shop.asked
        shelf.clock.pass_by(QUIET_SECONDS)
    await bases.look_up_due(told)
    assert shop.asked[-1] == "B"


async def test_what_is_told_while_all_keys_wait_wakes_the_look_up(shelf: Shelf) -> None:
    """No time passes by this clock, so only the event can have had it looked."""
    await shelf.read(level(1, 5))
    bases, store, shop, shared = keeper(shelf)
    running = asyncio.create_task(bases.run())
    while store.walks < 2:
        await asyncio.sleep(0)
        assert not running.done()
    await shelf.read(level(2, 5, sku="B"))
    shared.bases.set()
    while "B" not in shop.asked:
        await asyncio.sleep(0)
        assert not running.done()
    shared.begin_stop()
    await running
    assert shop.asked == ["A", "B"]


async def test_a_key_that_was_missing_for_long_is_looked_up_soon_again_once_a_person_asks(
    shelf: Shelf,
) -> None:
    """Whoever has just made the product does not wait a quarter of an hour: at once, and each half minute as at first."""
    await shelf.read(level(1, 5))
    bases, _, shop, _ = keeper(shelf)
    for _ in range(50):
        await bases.look_up_due(told=True)
        shelf.clock.pass_by(900)
    await bases.look_up_due(told=True)
    shelf.clock.pass_by(60)
    looks = len(shop.asked)
    await bases.look_up_due(told=True)
    assert len(shop.asked) == looks
    await shelf.store.outbox.free_key(key())
    for _ in range(4):
        await bases.look_up_due(told=True)
        shelf.clock.pass_by(30)
    assert len(shop.asked) == looks + 4


async def test_an_entry_that_was_moved_to_another_channel_is_no_entry_of_its_key_any_more(
    shelf: Shelf,
) -> None:
    """It is found by its id, under another key: read once, then looked up by key, and not read for ever without a pause."""
    await shelf.read(level(1, 5), level(2, 5, sku="B"))
    for sku in "AB":
        await shelf.based(5, key(sku), name=f"E-{sku}")
    await shelf.store.outbox.plan_checks(None, 10)
    bases, _, shop, _ = keeper(shelf)
    now_ms = shelf.clock.now_ms
    moved = entry(5, StockKey("elsewhere", "A"), name="E-A", version=2, read_ms=now_ms)
    shop.there = [moved, entry(5, key("B"), name="E-B", read_ms=now_ms)]
    for _ in range(3):
        await bases.check_some()
    assert sorted(shop.asked) == ["E-A", "E-B"]
    assert (await shelf.row()).base is Base.UNKNOWN
    assert (await shelf.row(key("B"))).base is Base.PROVEN
