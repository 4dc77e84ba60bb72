"""Goods that get another name: what was ordered under the one before is counted under the present one."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.adapters.sqlite.name_store import NameStore
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.aliases import Aliases
from archsyncd.domain.feed import Level
from archsyncd.domain.settlement import Booked
from archsyncd.domain.units import Units
from archsyncd.domain.yielding import LOOK_AGAIN_MS
from archsyncd.engine.naming import Naming, Terms
from archsyncd.engine.renaming import Renaming
from tests.adapters.sqlite.shelf import QUIET, Shelf
from tests.adapters.sqlite.test_hands import PLAIN, B, C
from tests.adapters.sqlite.test_pools import EVER, WEB, opened, shows
from tests.domain.nouns import (
    accepted,
    key,
    level,
    line,
    order,
)


def called(**listed: str) -> Terms:
    """Archean's SKUs by ours."""
    return Terms(Aliases({archean: sku for sku, archean in listed.items()}), Units())


def names_of(shelf: Shelf) -> NameStore:
    """The names that the store's levels are kept under."""
    assert isinstance(shelf.store, SqliteStore)
    return shelf.store.names


async def told(shelf: Shelf, naming: Naming, *levels: Level) -> None:
    """Levels under Archean's names, as a source tells them."""
    named, _ = await naming.levels("main", list(levels))
    await shelf.read(*named)


async def named(path: Path, terms: Terms) -> tuple[Shelf, Naming, Renaming]:
    """A store whose levels are named by these terms."""
    shelf = await opened(path, PLAIN)
    await shelf.store.use_rules(PLAIN)
    naming = Naming(terms)
    naming.book = names_of(shelf)
    renaming = Renaming(shelf.store, names_of(shelf), naming, lambda: None)
    await renaming.put_in_force(terms)
    return shelf, naming, renaming


@pytest.mark.parametrize("proven", [False, True])
async def test_what_was_ordered_under_an_old_name_counts_under_the_new_one(
    tmp_path: Path, proven: bool
) -> None:
    """Two of ten are ordered; the new name offers eight, before and after they have left, and orders learnt late count too."""
    shelf, naming, renaming = await named(tmp_path, called(OLD="X"))
    old, new = key("OLD"), key("NEW")
    await told(shelf, naming, level(1, 10, sku="X"))
    await shelf.based(10, old, name="E-OLD")
    await shelf.learn(order(line(2, "OLD")))
    if proven:
        await shelf.read(accepted(2))
    await renaming.put_in_force(called(NEW="X"))
    await told(shelf, naming, level(3, 8 if proven else 10, sku="X"))
    assert await shows(shelf, old, new) == (0, 8)
    await shelf.again(PLAIN)
    await shelf.learn(order(line(3, "OLD"), name="o2"))
    assert await shows(shelf, old, new) == (0, 5)
    await shelf.read(accepted(4), accepted(5, "o2"))
    naming.book = names_of(shelf)
    await told(shelf, naming, level(6, 5, sku="X"))
    assert await shows(shelf, old, new) == (0, 5)
    await shelf.close()


async def test_names_that_are_exchanged_exchange_what_was_ordered(tmp_path: Path) -> None:
    """A was X and B was Y; the other way round, whatever is ordered stays an order for the goods that it was about."""
    shelf, naming, renaming = await named(tmp_path, called(A="X", B="Y"))
    await told(shelf, naming, level(1, 10, sku="X"), level(2, 20, sku="Y"))
    await shelf.learn(order(line(1, "A", "n1"), line(2, "B", "n2")))
    await renaming.put_in_force(called(A="Y", B="X"))
    await told(shelf, naming, level(3, 10, sku="X"), level(4, 20, sku="Y"))
    assert await shows(shelf, WEB, B) == (18, 9)
    await renaming.put_in_force(called(C="Y", B="X"))
    await told(shelf, naming, level(5, 10, sku="X"), level(6, 20, sku="Y"))
    assert await shows(shelf, WEB, B, C) == (0, 9, 18)
    await renaming.put_in_force(called(A="X", B="Y"))
    await told(shelf, naming, level(7, 10, sku="X"), level(8, 20, sku="Y"))
    assert await shows(shelf, WEB, B, C) == (9, 18, 0)
    await shelf.close()


async def test_a_name_given_up_long_ago_follows_its_goods_from_name_to_name(tmp_path: Path) -> None:
    """What a rule would make of the old name itself is no name of these goods."""
    shelf, naming, renaming = await named(tmp_path, called(old="X"))
    await told(shelf, naming, level(1, 10, sku="X"))
    await shelf.learn(order(line(1, "old")))
    for number, name in enumerate(("SECOND", "THIRD")):
        await renaming.put_in_force(Terms(Aliases({"X": name}, upper=True), Units()))
        await told(shelf, naming, level(2 + number, 10, sku="X"))
    await shelf.learn(order(line(2, "old"), name="o2"))
    assert await shows(shelf, key("THIRD"), key("SECOND"), key("old")) == (7, 0, 0)
    await shelf.close()


async def test_a_new_name_rises_only_as_far_as_the_old_one_has_fallen(tmp_path: Path) -> None:
    """While the old name's decrease is under way its pieces are for sale once; then until its orders are known."""
    shelf, naming, renaming = await named(tmp_path, called(OLD="X"))
    old, new = key("OLD"), key("NEW")
    await told(shelf, naming, level(1, 10, sku="X"))
    await shelf.based(10, old, name="E-OLD")
    await renaming.put_in_force(called(NEW="X"))
    await told(shelf, naming, level(3, 10, sku="X"))
    await shelf.store.outbox.book_lookups([], [new], (), QUIET)
    (fall,) = await shelf.lease(orders_complete_ms=EVER)
    assert (fall.key, fall.operation.delta) == (old, -10)
    shelf.clock.pass_by(LOOK_AGAIN_MS / 1000)
    assert await shelf.lease(orders_complete_ms=EVER) == []
    await shelf.settle(fall, Booked("E-OLD", 2))
    assert await shelf.lease(orders_complete_ms=0) == []
    shelf.clock.pass_by(LOOK_AGAIN_MS / 1000)
    (rise,) = await shelf.lease(orders_complete_ms=EVER)
    assert (rise.key, rise.operation.delta) == (new, 10)
    await shelf.close()
