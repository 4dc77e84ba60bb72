"""Draining and resolving beside a store that is full for a while and a channel that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from archsyncd.domain.inventory import (
    EntryPage,
    EntryWrite,
    Marker,
    MarkerType,
    StockKey,
    WriteAnswer,
    Written,
)
from archsyncd.domain.outbox import Lease
from archsyncd.domain.rules import DrainLimits
from archsyncd.domain.settlement import Doubted
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.ports import Commercetools, StoreFull
from archsyncd.engine.resolve import Resolver
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Outbox, Store
from tests.adapters.sqlite.shelf import HandClock, Shelf, entry
from tests.domain.nouns import CHANNEL_IDS, channel, key, level, place, rules
from tests.review.shop import half, no_types

PLACES = 3


class Till:
    """Takes every write, and shows entries by id as the test left them."""

    entries_per_request = 2

    def __init__(self) -> None:
        self.written: list[EntryWrite] = []
        self.entries: dict[str, Any] = {}

    async def write(self, write: EntryWrite) -> WriteAnswer:
        self.written.append(write)
        return Written(write.entry_id or f"E-{write.key.sku}", (write.version or 0) + 1, write.quantity)

    async def entries_by_id(self, ids: Sequence[str]) -> EntryPage:
        return EntryPage(tuple(self.entries[each] for each in ids if each in self.entries), 1)


class FullOutbox:
    """An outbox whose leases find no room on the disk a few times."""

    def __init__(self, outbox: Outbox, failures: int) -> None:
        self._outbox = outbox
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def lease(self, limits: DrainLimits, limit: int) -> list[Lease]:
        if self.failures:
            self.failures -= 1
            raise StoreFull("no room")
        return await self._outbox.lease(limits, limit)


class FullStore:
    """A store with such an outbox."""

    def __init__(self, store: Store, outbox: FullOutbox) -> None:
        self._store = store
        self.outbox = outbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def options(ledger: str) -> DrainOptions:
    return DrainOptions(1, 1.0, 0.0, 75.0, tracked=True, writes=True, ledger=ledger, fence=1)


class PatientClock(HandClock):
    """Passes time by hand, and lets others run while somebody sleeps."""

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)


async def test_f024_after_a_full_disk_as_much_is_sent_at_once_as_before(shelf: Shelf) -> None:
    """The places in flight that were taken for a lease that failed are given back; else nothing is ever sent again."""
    await shelf.read(*(level(10 + number, 5, sku=f"S{number}") for number in range(8)))
    for number in range(8):
        await shelf.based(9, key(f"S{number}"), name=f"E{number}")
    clock = PatientClock()
    shared = Shared(clock, channel_keys=CHANNEL_IDS, channels_read=1)
    limiter = Limiter(10_000.0, 10_000.0, PLACES, clock, half)
    outbox = FullOutbox(shelf.store.outbox, 5)
    till = Till()
    drain = Drain(
        cast("Store", FullStore(shelf.store, outbox)),
        cast("Commercetools", till),
        limiter,
        shared,
        options(shelf.store.ledger.id),
        lambda: None,
    )
    running = asyncio.create_task(drain.run())
    try:
        async with asyncio.timeout(10):
            while len(till.written) < 8:
                assert not running.done()
                await asyncio.sleep(0)
    finally:
        shared.begin_stop()
        limiter.quiesce()
        await asyncio.wait({running}, timeout=10)
    assert outbox.failures == 0
    assert limiter.state().in_flight == 0


async def in_doubt(shelf: Shelf, at: StockKey, name: str) -> None:
    await shelf.based(9, at, name=name)
    (lease,) = await shelf.lease(1)
    await shelf.settle(lease, Doubted())


async def test_f126_operations_of_a_channel_that_is_gone_do_not_hold_up_those_of_others(shelf: Shelf) -> None:
    """They cannot be read as long as it is gone; a request's worth of them must not be all that is ever looked at."""
    await shelf.store.use_rules(rules(channel(place("WH1")), channel(place("G1", "gone"), name="gone")))
    await shelf.read(level(1, 5), *(level(10 + n, 5, "G1", f"S{n}") for n in range(4)))
    await in_doubt(shelf, key(), "E")
    for number in range(4):
        await in_doubt(shelf, key(f"S{number}", "gone"), f"E{number}")
    till = Till()
    mine = Marker(shelf.store.ledger.id, (await shelf.row()).op_id, 5, "1", 1)
    till.entries["E"] = entry(5, version=2, marker=mine)
    shared = Shared(shelf.clock, channel_keys={"id-web": "web"}, channels_read=1)
    limiter = Limiter(10_000.0, 10_000.0, PLACES, shelf.clock, half)
    client = cast("Commercetools", till)
    drain = Drain(shelf.store, client, limiter, shared, options(shelf.store.ledger.id), lambda: None)
    resolver = Resolver(
        shelf.store, client, limiter, shared, drain, no_types(client, limiter, shared), half, lambda: None
    )
    for _ in range(4):
        await resolver.resolve_some()
    assert (await shelf.row()).op_id is None
    assert (await shelf.row()).x_applied == 5
    assert (await shelf.row(key("S0", "gone"))).in_doubt


async def test_f005_channels_that_become_known_during_a_look_put_nothing_off(shelf: Shelf) -> None:
    """At a start the channels are read beside what is in doubt: no key may wait half a minute for having been first."""
    await shelf.read(level(1, 5))
    await in_doubt(shelf, key(), "E")
    till = Till()
    mine = Marker(shelf.store.ledger.id, (await shelf.row()).op_id, 5, "1", 1)
    till.entries["E"] = entry(5, version=2, marker=mine)
    shared = Shared(shelf.clock)
    limiter = Limiter(10_000.0, 10_000.0, PLACES, shelf.clock, half)
    client = cast("Commercetools", till)
    drain = Drain(shelf.store, client, limiter, shared, options(shelf.store.ledger.id), lambda: None)
    resolver = Resolver(
        shelf.store, client, limiter, shared, drain, no_types(client, limiter, shared), half, lambda: None
    )
    looking = asyncio.ensure_future(resolver.resolve_some())
    await asyncio.sleep(0)
    shared.channel_keys, shared.channels_read = CHANNEL_IDS, 1
    await looking
    await resolver.resolve_some()
    assert (await shelf.row()).op_id is None


class TypedTill(Till):
    """Entries carry the shop's own type; notes when our fields are added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.extended: list[str] = []

    async def extend_type(self, type_id: str) -> MarkerType:
        self.extended.append(type_id)
        return MarkerType(type_id, 2)


async def test_f089_our_fields_are_on_the_shops_type_before_a_key_is_written_again(shelf: Shelf) -> None:
    """Met while an outcome is resolved: the base is taken anew, and the next write would be refused without them."""
    await shelf.read(level(1, 5))
    await in_doubt(shelf, key(), "E")
    till = TypedTill()
    till.entries["E"] = replace(entry(9, version=2), type_id="the shop's")
    shared = Shared(shelf.clock, channel_keys=CHANNEL_IDS, channels_read=1)
    limiter = Limiter(10_000.0, 10_000.0, PLACES, shelf.clock, half)
    client = cast("Commercetools", till)
    drain = Drain(shelf.store, client, limiter, shared, options(shelf.store.ledger.id), lambda: None)
    types = MarkerTypes(client, limiter, shared, tracked=True, writes=lambda: True)
    resolver = Resolver(shelf.store, client, limiter, shared, drain, types, half, lambda: None)
    await resolver.resolve_some()
    assert till.extended == ["the shop's"]
    assert (await shelf.row()).op_id is None


async def test_a_decrease_in_doubt_is_counted_with_its_age(shelf: Shelf) -> None:
    """It has no place in the drain order, and is told all the same: since when its change waits."""
    await shelf.read(level(1, 5))
    assert (await shelf.store.report.backlog()).unlooked == 1
    await in_doubt(shelf, key(), "E")
    backlog = await shelf.store.report.backlog()
    assert (backlog.doubts[0], backlog.unlooked, dict(backlog.classes)) == (1, 0, {})
    assert backlog.doubts[1] is not None


async def test_parked_keys_are_counted_by_reason(shelf: Shelf) -> None:
    """Apart from what waits: they may be any number, and are counted for people who ask."""
    await shelf.store.use_rules(rules(channel(place("WH1")), rollout=frozenset({"A"})))
    await shelf.read(level(1, 5), level(2, 5, sku="B"))
    assert await shelf.store.report.parked() == {"rollout": 1}
    assert (await shelf.store.report.backlog()).unlooked == 1
