"""What was sold where by earlier rules, in the store: waited for across restarts and crashes, forgotten once it is settled."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Kit, Kits
from archsyncd.domain.ledger import Base
from archsyncd.domain.rules import Rules
from archsyncd.domain.settlement import Booked
from archsyncd.domain.yielding import LOOK_AGAIN_MS
from tests.adapters.sqlite.shelf import QUIET, Shelf
from tests.adapters.sqlite.test_pools import EVER, KIT, WEB, kitted, opened, shows
from tests.domain.nouns import channel, key, level, place, rules

B, C = key("B"), key("C")
NONE = rules(channel(place("WH1")))


@pytest_asyncio.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Shelf]:
    """Ten A and twenty B, half of each kept for kits; all entries in step."""
    shelf = await opened(tmp_path, kitted())
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    await shelf.based(5, WEB, name="E-A")
    await shelf.based(10, B, name="E-B")
    await shelf.based(5, KIT, name="E-KIT")
    yield shelf
    await shelf.close()


def remembered(shelf: Shelf) -> int:
    with sqlite3.connect(shelf.directory / DATABASE_NAME) as database:
        return int(database.execute("SELECT count(*) FROM pool_past").fetchone()[0])


async def only_fall(shelf: Shelf, at: StockKey, delta: int) -> None:
    """Nothing may rise before this fall, nor before the orders up to it are known; then the fall is booked."""
    (fall,) = await shelf.lease(orders_complete_ms=EVER)
    assert (fall.key, fall.operation.delta) == (at, delta)
    assert await shelf.lease(orders_complete_ms=EVER) == []
    await shelf.settle(fall, Booked(f"E-{at.sku}", 2))


async def rising(shelf: Shelf) -> set[StockKey]:
    return {each.key for each in await shelf.lease(orders_complete_ms=EVER)}


async def test_a_kit_that_is_none_any_more_is_waited_for_after_a_restart(kit: Shelf) -> None:
    """Its pieces are still for sale as a kit: the components rise after that, whoever runs."""
    await kit.store.use_rules(NONE)
    await kit.again(NONE)
    await kit.store.use_rules(NONE)
    await only_fall(kit, KIT, -5)
    await kit.again(NONE)
    await kit.store.use_rules(NONE)
    assert await kit.lease(orders_complete_ms=0) == []
    kit.clock.pass_by(LOOK_AGAIN_MS / 1000 + 1)
    assert await rising(kit) == {WEB, B}


async def test_a_crash_while_rules_come_into_force_forgets_nothing(kit: Shelf) -> None:
    """They are in force by name, and not a single key was reckoned by them."""
    await kit.store.begin_rules(NONE)
    await kit.again(NONE)
    await kit.store.use_rules(NONE)
    await only_fall(kit, KIT, -5)
    assert await rising(kit) == {WEB, B}


async def test_rules_that_change_twice_are_both_waited_for(kit: Shelf) -> None:
    """First C instead of B, then no kit at all: what the kit shows is made of B still."""
    await kit.read(level(3, 10, sku="C"))
    await kit.based(10, C, name="E-C")
    other = rules(channel(place("WH1")), kits=Kits({"KIT": Kit("KIT", (("A", 1), ("C", 1)), 20)}))
    for use in (other, NONE):
        await kit.store.use_rules(use)
        await kit.again(use)
    await kit.store.use_rules(NONE)
    await only_fall(kit, KIT, -5)
    assert await rising(kit) == {WEB, B}


async def test_a_channel_that_loses_a_location_is_waited_for_after_a_restart(tmp_path: Path) -> None:
    """It is no sibling by the new rules any more, and what it shows is still there."""
    shelf = await opened(tmp_path, rules(channel(place("WH1"), place("WH2"), order_location="WH1")))
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10), level(2, 3, "WH2"))
    await shelf.based(13, WEB, name="E-A")
    moved = rules(channel(place("WH2")), channel(place("WH1", "shop"), name="shop"))
    await shelf.store.use_rules(moved)
    await shelf.again(moved)
    await shelf.store.use_rules(moved)
    await shelf.store.outbox.book_lookups([], [key(channel="shop")], (), QUIET)
    await only_fall(shelf, WEB, -10)
    assert await rising(shelf) == {key(channel="shop")}
    await shelf.close()


async def test_what_is_settled_is_forgotten_for_good(kit: Shelf) -> None:
    """Not before the kit is down and the orders up to then are known; afterwards nothing waits for it any more."""
    await kit.store.use_rules(NONE)
    assert remembered(kit) == 1
    assert not await kit.store.forget_past(EVER)
    await only_fall(kit, KIT, -5)
    assert not await kit.store.forget_past(0)
    assert await kit.store.forget_past(EVER)
    assert remembered(kit) == 0
    assert await kit.store.forget_past(0)
    assert not kit.store.rules.policies.past_kits
    await kit.again(NONE)
    assert not kit.store.rules.policies.past_kits
    assert await rising(kit) == {WEB, B}


async def test_what_is_not_reckoned_yet_or_was_not_looked_at_is_not_forgotten(tmp_path: Path) -> None:
    """Targets may be of the rules before; and an entry that nobody has read may show anything."""
    shelf = await opened(tmp_path, kitted())
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    await shelf.based(5, WEB, name="E-A")
    await shelf.store.begin_rules(NONE)
    assert not await shelf.store.forget_past(EVER)
    await shelf.store.use_rules(NONE)
    assert (await shelf.row(KIT)).base is Base.UNKNOWN
    assert not await shelf.store.forget_past(EVER)
    await shelf.store.outbox.book_lookups([], [KIT], (), QUIET)
    assert await shelf.store.forget_past(EVER)
    await shelf.close()


async def test_rules_that_move_no_pieces_remember_nothing(kit: Shelf) -> None:
    """Another safety stock, or a larger allotment: whoever holds pieces holds them by the rules in force."""
    more = rules(
        channel(place("WH1"), safety_stock=1), kits=Kits({"KIT": Kit("KIT", (("A", 1), ("B", 2)), 20)})
    )
    await kit.store.use_rules(more)
    assert remembered(kit) == 0


async def test_rules_that_are_put_back_need_no_memory(kit: Shelf) -> None:
    """The kit is one again: it is what it was, and shows what it showed."""
    before: Rules = kit.store.rules
    await kit.store.use_rules(NONE)
    await kit.store.use_rules(before)
    assert remembered(kit) == 0
    assert await shows(kit, KIT, WEB, B) == (5, 5, 10)
