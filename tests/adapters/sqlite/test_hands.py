"""Pieces that change hands by the configuration: what was ordered before is counted by whoever offers them now."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from archsyncd.adapters.sqlite.name_store import NameStore
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.aliases import Aliases
from archsyncd.domain.feed import Figure, Level
from archsyncd.domain.inventory import Marker, StockKey, WriteKind
from archsyncd.domain.kits import Kit, Kits
from archsyncd.domain.outbox import Lease
from archsyncd.domain.rules import Rules
from archsyncd.domain.settlement import Booked
from archsyncd.domain.sku_rules import SkuRule, SkuRules
from archsyncd.domain.stock import LocationPolicy
from archsyncd.domain.units import Units
from archsyncd.engine.naming import Naming, Terms
from archsyncd.engine.ports import StoreTracked
from archsyncd.engine.renaming import Renaming
from tests.adapters.sqlite.shelf import LAG_MS, LEDGER, QUIET, Shelf, entry, open_sqlite
from tests.adapters.sqlite.test_pools import EVER, KIT, SHOP, WEB, kitted, opened, shared, shows
from tests.domain.nouns import (
    AVAILABLE,
    ON_HAND,
    accepted,
    channel,
    key,
    level,
    line,
    order,
    place,
    rules,
    share,
    shipped,
)

B, C = key("B"), key("C")
PLAIN = rules(channel(place("WH1")))
MOVED = rules(channel(place("WH1", "shop"), name="shop"))


def ours(lease: Lease) -> Marker:
    """The marker that a write leaves on its entry."""
    return Marker(LEDGER, lease.operation.op_id, lease.operation.x_after, "", 1)


async def drained(shelf: Shelf) -> None:
    """Everything that may be written is written, until nothing more may."""
    for _ in range(20):
        leases = await shelf.lease(orders_complete_ms=EVER)
        for lease in leases:
            name = lease.entry_id or f"E-{lease.key.channel}-{lease.key.sku}"
            await shelf.settle(lease, Booked(name, (lease.version or 0) + 1))
        shelf.clock.pass_by(10)
        if not leases:
            return
    pytest.fail(f"it is never done: {leases}")


async def put(shelf: Shelf, use: Rules, *absent: StockKey, restart: bool = False) -> None:
    """Other rules come into force; entries of these keys are looked for and not there. All is written that may be."""
    await shelf.store.use_rules(use)
    if restart:
        await shelf.again(use)
        await shelf.store.use_rules(use)
    await shelf.store.outbox.book_lookups([], absent, (), QUIET)
    await drained(shelf)


async def kits_sold(path: Path, use: Rules, kit: int, a: int, b: int) -> Shelf:
    """Ten of A and twenty of B, entries in step, and five kits of one A and two B ordered."""
    shelf = await opened(path, use)
    await shelf.store.use_rules(use)
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    await shelf.based(a, WEB, name="E-A")
    await shelf.based(b, B, name="E-B")
    await shelf.based(kit, KIT, name="E-KIT")
    await shelf.learn(order(line(5, "KIT")))
    return shelf


# The mode


async def test_a_file_that_folded_tracked_orders_is_not_opened_untracked(tmp_path: Path) -> None:
    """Every piece that was ever sold is in its figures; it opens as before where the mode is set back."""
    shelf = await opened(tmp_path, rules())
    await shelf.store.use_rules(rules())
    await shelf.read(level(1, 100))
    await shelf.based(100, WEB, name="E-web")
    await shelf.learn(order(line(60)))
    await shelf.read(accepted(2), shipped(3, share(60, "WH1")), level(4, 40))
    await shelf.learn(order(line(60), version=2, state="Complete", shipment="Shipped"))
    assert await shelf.store.orders.fold(["o1"], 0)
    await shelf.close()
    with pytest.raises(StoreTracked):
        await Shelf.open(open_sqlite, tmp_path, rules(tracked=False))
    again = await opened(tmp_path, rules())
    row = await again.row()
    assert (row.closed, row.x_target - row.known) == (60, 40)
    await again.close()


async def test_another_mode_looks_at_every_entry_anew(tmp_path: Path) -> None:
    """No marker says what an absolute figure left on the entry, and the entry may have no type of ours."""
    shelf = await opened(tmp_path, rules(tracked=False))
    await shelf.store.use_rules(rules(tracked=False))
    await shelf.read(level(1, 10))
    await shelf.based(10, WEB, name="E-web")
    await shelf.again(rules())
    assert (await shelf.row()).base == "unknown"
    assert shelf.store.rules.policies.tracked
    await shelf.close()


# Kits


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(("percent", "kit", "a", "b"), [(50, 5, 5, 10), (None, 10, 10, 20)])
async def test_a_kit_that_is_given_up_stays_ordered_of_its_components(
    tmp_path: Path, percent: int | None, kit: int, a: int, b: int, restart: bool
) -> None:
    """Five kits were sold and not packed: their pieces are not for sale, until a level excludes them."""
    shelf = await kits_sold(tmp_path, kitted(percent), kit, a, b)
    await put(shelf, PLAIN, restart=restart)
    assert await shows(shelf, WEB, B, KIT) == (5, 10, 0)
    await shelf.read(accepted(3), level(4, 5), level(5, 10, sku="B"))
    await drained(shelf)
    assert await shows(shelf, WEB, B, KIT) == (5, 10, 0)
    await shelf.read(level(6, 6))
    assert await shows(shelf, WEB, B, KIT) == (6, 10, 0)
    await shelf.close()


async def test_a_component_that_a_kit_loses_is_still_owed_for_what_was_ordered(tmp_path: Path) -> None:
    """Kits of the new kind are offered of what is left; the old ones are out once their own components are."""
    shelf = await kits_sold(tmp_path, kitted(50), 5, 5, 10)
    await shelf.read(level(3, 30, sku="C"))
    await put(shelf, kitted(50, A=1, C=2), C)
    assert await shows(shelf, KIT, WEB, B, C) == (5, 0, 10, 15)
    await shelf.read(accepted(4), level(5, 5), level(6, 10, sku="B"))
    assert await shows(shelf, KIT, WEB, B, C) == (2, 3, 10, 15)
    await shelf.close()


async def test_a_kit_that_comes_back_counts_its_lines_itself(tmp_path: Path) -> None:
    """A slip in the file of kits and its correction leave everything as it was."""
    shelf = await kits_sold(tmp_path, kitted(50), 5, 5, 10)
    before = await shows(shelf, KIT, WEB, B)
    await put(shelf, PLAIN)
    await put(shelf, kitted(50))
    assert await shows(shelf, KIT, WEB, B) == before
    await shelf.close()


async def test_an_order_of_a_former_kit_that_is_learnt_late_counts_at_its_components(tmp_path: Path) -> None:
    """It was placed while the kit was still on show, and ends as any other."""
    shelf = await kits_sold(tmp_path, kitted(50), 5, 5, 10)
    await shelf.store.use_rules(PLAIN)
    await shelf.learn(order(line(2, "KIT"), name="o2"))
    assert await shows(shelf, WEB, B) == (3, 6)
    await shelf.read(accepted(3), accepted(4, "o2"), level(5, 3), level(6, 6, sku="B"))
    assert await shows(shelf, WEB, B, KIT) == (3, 6, 0)
    await shelf.close()


# Locations


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("sells", [AVAILABLE, ON_HAND])
async def test_a_location_takes_its_open_orders_to_the_channel_that_sells_it(
    tmp_path: Path, sells: Figure, told: bool, restart: bool
) -> None:
    """Six of ten are ordered and on the shelf; the other channel offers four, before and after they have left."""
    shelf = await opened(tmp_path, rules(channel(place("WH1", sells=sells))))
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10, on_hand=10))
    await shelf.based(10, WEB, name="E-web")
    await shelf.learn(order(line(6)))
    if told:
        await shelf.read(accepted(2, "o1", share(6, "WH1")))
    use = rules(channel(place("WH1", "shop", sells=sells), name="shop"))
    await put(shelf, use, SHOP, restart=restart)
    assert await shows(shelf, WEB, SHOP) == (0, 4)
    await shelf.learn(order(line(6), version=2))
    assert await shows(shelf, WEB, SHOP) == (0, 4)
    await shelf.read(accepted(3), shipped(4, share(6, "WH1")), level(5, 4, on_hand=4))
    assert await shows(shelf, WEB, SHOP) == (0, 4)
    await shelf.read(level(6, 5, on_hand=5))
    assert await shows(shelf, WEB, SHOP) == (0, 5)
    await shelf.close()


async def test_a_location_that_comes_back_brings_its_open_orders(tmp_path: Path) -> None:
    """There and back: the line is whole again, with what was proven of it meanwhile."""
    shelf = await opened(tmp_path, PLAIN)
    await shelf.store.use_rules(PLAIN)
    await shelf.read(level(1, 10))
    await shelf.based(10, WEB, name="E-web")
    await shelf.learn(order(line(6)))
    await put(shelf, MOVED, SHOP)
    await shelf.read(accepted(2, "o1", share(6, "WH1")))
    await put(shelf, PLAIN)
    assert await shows(shelf, WEB, SHOP) == (4, 0)
    assert (await shelf.figures()).known == 6
    await shelf.read(level(3, 4))
    assert await shows(shelf, WEB, SHOP) == (4, 0)
    await shelf.close()


async def test_a_third_channel_takes_over_what_two_had_before_it(tmp_path: Path) -> None:
    """What was moved once moves on with its location."""
    shelf = await opened(tmp_path, PLAIN)
    await shelf.store.use_rules(PLAIN)
    await shelf.read(level(1, 10))
    await shelf.based(10, WEB, name="E-web")
    await shelf.learn(order(line(6)))
    await put(shelf, MOVED, SHOP)
    await put(shelf, rules(channel(place("WH1", "b2b"), name="b2b")), key(channel="b2b"))
    assert await shows(shelf, WEB, SHOP, key(channel="b2b")) == (0, 0, 4)
    await shelf.close()


@pytest.mark.parametrize("restart", [False, True])
async def test_a_share_that_is_given_up_leaves_its_orders_to_the_other_channel(
    tmp_path: Path, restart: bool
) -> None:
    """Four of the shop's are ordered of goods that are all the web's by now."""
    shelf = await opened(tmp_path, shared())
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10))
    await shelf.based(6, WEB, name="E-web")
    await shelf.based(4, SHOP, name="E-shop")
    await shelf.learn(order(line(4, at="id-shop")))
    await put(shelf, PLAIN, restart=restart)
    assert await shows(shelf, WEB, SHOP) == (6, 0)
    await shelf.read(accepted(2), level(3, 6))
    assert await shows(shelf, WEB, SHOP) == (6, 0)
    await shelf.close()


@pytest.mark.parametrize("restart", [False, True])
async def test_orders_that_may_be_for_what_a_channel_lost_are_left_pieces_by_who_has_it(
    tmp_path: Path, restart: bool
) -> None:
    """Nobody says yet where they are fulfilled: what the channel owes beyond what it kept is not offered by the other."""
    use = rules(
        channel(LocationPolicy("WH1", "web", share=60)),
        channel(LocationPolicy("WH1", "shop", share=40), LocationPolicy("WH2", "shop"), name="shop"),
    )
    shelf = await opened(tmp_path, use)
    await shelf.store.use_rules(use)
    await shelf.read(level(1, 10), level(2, 1, "WH2"))
    await shelf.based(6, WEB, name="E-web")
    await shelf.based(5, SHOP, name="E-shop")
    await shelf.learn(order(line(4, at="id-shop")))
    after = rules(channel(LocationPolicy("WH1", "web")), channel(LocationPolicy("WH2", "shop"), name="shop"))
    await put(shelf, after, restart=restart)
    assert await shows(shelf, WEB, SHOP) == (7, -3)
    assert not await shelf.store.forget_past(EVER)
    await shelf.read(accepted(3, "o1", share(4, "WH1")))
    await drained(shelf)
    assert await shows(shelf, WEB, SHOP) == (6, 1)
    await shelf.read(level(4, 6))
    await drained(shelf)
    assert await shows(shelf, WEB, SHOP) == (6, 1)
    assert await shelf.store.forget_past(EVER)
    await shelf.close()


async def test_pieces_of_a_kit_move_with_their_location(tmp_path: Path) -> None:
    """Kits ordered of the one channel take the pieces that the other offers by now, until these have left."""
    kits = Kits({"KIT": Kit("KIT", (("A", 1), ("B", 2)), 50, None)})
    shelf = await kits_sold(tmp_path, rules(channel(place("WH1")), kits=kits), 5, 5, 10)
    there = [key(sku, "shop") for sku in ("A", "B", "KIT")]
    await put(shelf, rules(channel(place("WH1", "shop"), name="shop"), kits=kits), *there)
    assert await shows(shelf, *there, KIT) == (0, 0, 5, 0)
    await shelf.read(accepted(3), level(4, 5), level(5, 10, sku="B"))
    assert await shows(shelf, *there, KIT) == (3, 5, 2, 0)
    await shelf.read(level(6, 6), level(7, 12, sku="B"))
    assert await shows(shelf, *there, KIT) == (3, 6, 3, 0)
    await shelf.close()


# Names


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


# Moves in two steps


@pytest.mark.parametrize("restart", [False, True])
async def test_a_channel_that_was_let_go_is_drawn_down_once_its_location_sells_elsewhere(
    tmp_path: Path, restart: bool
) -> None:
    """First its location is mapped nowhere, which a person allows; mapped to another channel later it is not sold by both."""
    first = rules(channel(place("WH1")), channel(place("WH2", "shop"), name="shop"))
    shelf = await opened(tmp_path, first)
    await shelf.store.use_rules(first)
    await shelf.read(level(1, 10), level(2, 3, "WH2"))
    await shelf.based(10, WEB, name="E-web")
    await shelf.based(3, SHOP, name="E-shop")
    step = rules(channel(place("WH2", "shop"), name="shop"))
    await put(shelf, step, restart=restart)
    assert await shelf.store.forget_past(EVER)
    web = await shelf.row(WEB)
    assert (web.parked, web.x_applied) == ("let_go", 10)
    both = rules(channel(place("WH2", "shop"), place("WH1", "shop"), name="shop", order_location="WH1"))
    await shelf.store.use_rules(both)
    (fall,) = await shelf.lease(orders_complete_ms=EVER)
    assert (fall.key, fall.operation.delta) == (WEB, -10)
    await shelf.settle(fall, Booked("E-web", 2))
    # What was ordered of it while it was let go is counted again, and its entry read, before anybody may rise.
    assert await shelf.lease(orders_complete_ms=EVER) == []
    shelf.clock.pass_by(60)
    read = entry(0, WEB, name="E-web", version=2, read_ms=shelf.clock.now_ms, marker=ours(fall))
    await shelf.store.outbox.book_reads([read], ())
    assert await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10) == (1, 0)
    shelf.clock.pass_by(60)
    (rise,) = await shelf.lease(orders_complete_ms=EVER)
    assert (rise.key, rise.operation.delta) == (SHOP, 10)
    await shelf.close()


async def test_no_base_is_proven_before_every_order_is_counted_by_the_new_mapping(tmp_path: Path) -> None:
    """Rows of a new channel come when its first level does; its orders count elsewhere until they were read again."""
    first = rules(channel(place("WH1")), fallback_channel="web")
    shelf = await opened(tmp_path, first)
    await shelf.store.use_rules(first)
    await shelf.read(level(1, 10))
    await shelf.based(10, WEB, name="E-web")
    await shelf.learn(order(line(3, at="id-shop")))
    both = rules(channel(place("WH1")), channel(place("WH2", "shop"), name="shop"), fallback_channel="web")
    await shelf.store.use_rules(both)
    await shelf.read(level(2, 10, "WH2"))
    found = entry(7, SHOP, name="E-shop")
    await shelf.store.outbox.book_lookups([found], (), (), QUIET)
    shelf.clock.pass_by(120)
    read = replace(found, read_at_ms=shelf.clock.now_ms)
    await shelf.store.outbox.book_reads([read], ())
    until_ms = shelf.clock.now_ms + LAG_MS
    assert await shelf.store.outbox.judge_reads(until_ms, LAG_MS, 10) == (0, 0)
    await shelf.learn(order(line(3, at="id-shop"), version=2))
    # Its lines have changed hands, so that the entry is read anew.
    assert await shelf.store.outbox.judge_reads(until_ms, LAG_MS, 10) == (0, 0)
    shelf.clock.pass_by(120)
    await shelf.store.outbox.book_reads([replace(found, read_at_ms=shelf.clock.now_ms)], ())
    assert await shelf.store.outbox.judge_reads(shelf.clock.now_ms + LAG_MS, LAG_MS, 10) == (1, 0)
    row = await shelf.row(SHOP)
    assert (row.x_applied, row.known, row.x_target) == (10, 3, 10)
    await shelf.close()


# Rules of a kit's own SKU


@pytest.mark.parametrize(
    ("rule", "kits"),
    [(SkuRule(offer=False), 0), (SkuRule(safety_stock=2), 3), (SkuRule(percentage=50), 2), (SkuRule(9), 0)],
)
@pytest.mark.parametrize("percent", [50, None])
async def test_a_rule_of_a_kits_own_sku_counts(
    tmp_path: Path, rule: SkuRule, kits: int, percent: int | None
) -> None:
    """In kits, of as many as its components make; what is not offered of it stays with them as it was."""
    kit = Kit("KIT", (("A", 1), ("B", 2)), percent, None)
    use = rules(channel(place("WH1"), skus=SkuRules({"KIT": rule})), kits=Kits({"KIT": kit}))
    shelf = await opened(tmp_path, use)
    pieces = 2 if percent else 1
    await shelf.read(level(1, 5 * pieces), level(2, 10 * pieces, sku="B"))
    assert await shows(shelf, KIT, WEB) == (kits, 5)
    await shelf.close()


# The order of writes


async def test_components_do_not_rise_before_their_kit_is_down(tmp_path: Path) -> None:
    """The rules are put in force page by page with the drain at work beside it: at no moment are the pieces on sale twice."""
    shelf = await opened(tmp_path, kitted(50))
    await shelf.store.use_rules(kitted(50))
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    await shelf.read(*(level(3 + n, 1, sku=f"Z{n:04}") for n in range(2_500)))
    await shelf.based(5, WEB, name="E-A")
    await shelf.based(10, B, name="E-B")
    await shelf.based(5, KIT, name="E-KIT")
    steps: list[tuple[str, int]] = []

    async def drains() -> None:
        for lease in await shelf.lease(orders_complete_ms=EVER):
            if lease.kind is not WriteKind.CREATE:
                steps.append((lease.key.sku, lease.operation.delta))
            await shelf.settle(
                lease, Booked(lease.entry_id or f"E-{lease.key.sku}", (lease.version or 0) + 1)
            )
            shelf.clock.pass_by(10)

    beside: list[asyncio.Task[None]] = []
    await shelf.store.use_rules(PLAIN, lambda: beside.append(asyncio.create_task(drains())))
    await asyncio.gather(*beside)
    while len(steps) < 3:
        await drains()
    assert len(beside) >= 3
    assert steps[0] == ("KIT", -5)
    assert sorted(steps[1:]) == [("A", 5), ("B", 10)]
    await shelf.close()


async def test_what_a_key_owes_is_not_forgotten_while_rules_are_put_in_force(tmp_path: Path) -> None:
    """Of three channels in a row the middle one leaves pieces to the last; a level of the first one's does not raise it."""
    use = rules(
        channel(LocationPolicy("WH1", "web", share=50)),
        channel(
            LocationPolicy("WH1", "shop", share=50), LocationPolicy("WH2", "shop", share=50), name="shop"
        ),
        channel(LocationPolicy("WH2", "foreign", share=50), name="foreign"),
    )
    shelf = await opened(tmp_path, use)
    await shelf.store.use_rules(use)
    await shelf.read(level(1, 8), level(2, 8, "WH2"))
    await shelf.learn(order(line(4, at="id-foreign")))
    await shelf.read(level(3, 2, "WH2"))
    assert await shows(shelf, SHOP, key(channel="foreign")) == (2, -3)
    withheld = replace(use, policies=replace(use.policies, withheld=frozenset({"WH3"})))
    await shelf.store.begin_rules(withheld)
    await shelf.read(level(4, 8))
    assert await shows(shelf, SHOP, key(channel="foreign")) == (2, -3)
    await shelf.store.use_rules(use)
    assert await shows(shelf, SHOP, key(channel="foreign")) == (2, -3)
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
