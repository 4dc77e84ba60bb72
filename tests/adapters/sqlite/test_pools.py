"""Keys that sell the same pieces, in the store: shares of a location, kits and components, and increases that leave room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from archsyncd.domain.inventory import LineMode, StockKey
from archsyncd.domain.kits import Kit, Kits
from archsyncd.domain.ledger import Figures
from archsyncd.domain.rules import DrainLimits, Rules, SettleRules
from archsyncd.domain.settlement import Booked, Doubted, GivenUp
from archsyncd.domain.stock import LocationPolicy
from tests.adapters.sqlite.shelf import QUIET, Shelf, open_sqlite
from tests.domain.nouns import (
    BORN_MS,
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

WEB, SHOP, KIT = key(), key(channel="shop"), key("KIT")
EVER = 2**60


def shared(web: int = 60, shop: int = 40, buffer: int = 0) -> Rules:
    """One location that two channels sell from."""
    return rules(
        channel(LocationPolicy("WH1", "web", buffer=buffer, share=web)),
        channel(LocationPolicy("WH1", "shop", buffer=buffer, share=shop), name="shop"),
    )


def kitted(percent: int | None = 50, kits: int | None = None, **parts: int) -> Rules:
    """One channel that sells A, B and a kit of them."""
    kit = Kit("KIT", tuple(sorted((parts or {"A": 1, "B": 2}).items())), percent, kits)
    return rules(channel(place("WH1")), kits=Kits({"KIT": kit}))


async def opened(path: Path, use: Rules) -> Shelf:
    return await Shelf.open(open_sqlite, path, use)


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Shelf]:
    """A location of ten pieces shared 60 to 40, both entries in step."""
    shelf = await opened(tmp_path, shared())
    await shelf.read(level(1, 10))
    await shelf.based(6, WEB, name="E-web")
    await shelf.based(4, SHOP, name="E-shop")
    yield shelf
    await shelf.close()


@pytest_asyncio.fixture
async def kit(tmp_path: Path) -> AsyncIterator[Shelf]:
    """Ten of A and twenty of B, half of each kept for kits of one A and two B; all entries in step."""
    shelf = await opened(tmp_path, kitted())
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    await shelf.based(5, WEB, name="E-A")
    await shelf.based(10, key("B"), name="E-B")
    await shelf.based(5, KIT, name="E-KIT")
    yield shelf
    await shelf.close()


async def shows(shelf: Shelf, *keys: StockKey) -> tuple[int, ...]:
    """A* of keys."""
    rows = [await shelf.row(at) for at in keys]
    return tuple(row.x_target - row.known for row in rows)


# Shares


@pytest.mark.parametrize(
    ("pieces", "web", "shop"), [(10, 6, 4), (9, 5, 3), (1, 0, 0), (0, 0, 0), (-3, -3, -3)]
)
async def test_each_share_of_a_location_is_rounded_down_and_a_debt_counts_whole(
    tmp_path: Path, pieces: int, web: int, shop: int
) -> None:
    """The parts come to no more than lies there, whatever that is."""
    shelf = await opened(tmp_path, shared())
    await shelf.read(level(1, pieces))
    assert ((await shelf.figures(WEB)).f, (await shelf.figures(SHOP)).f) == (web, shop)
    await shelf.close()


async def test_a_buffer_is_taken_off_before_the_shares(tmp_path: Path) -> None:
    """Ten less two, 60 to 40."""
    shelf = await opened(tmp_path, shared(buffer=2))
    await shelf.read(level(1, 10))
    assert ((await shelf.figures(WEB)).f, (await shelf.figures(SHOP)).f) == (4, 3)
    await shelf.close()


async def test_an_import_moves_pieces_and_the_fall_goes_first(pair: Shelf) -> None:
    """Six sold on one channel leave four: it may show two again once the other is down from four to one."""
    await pair.learn(order(line(6)))
    await pair.read(accepted(2), level(3, 4))
    assert await shows(pair, WEB, SHOP) == (2, 1)
    (fall,) = await pair.lease(orders_complete_ms=EVER)
    assert (fall.key, fall.operation.delta) == (SHOP, -3)
    assert await pair.lease(orders_complete_ms=EVER) == []
    await pair.settle(fall, Booked("E-shop", 2))
    (rise,) = await pair.lease(orders_complete_ms=EVER)
    assert (rise.key, rise.operation.delta) == (WEB, 2)


async def test_a_booked_fall_counts_until_the_orders_before_it_are_known(pair: Shelf) -> None:
    """What was sold there before it landed would be sold here a second time."""
    await pair.learn(order(line(6)))
    await pair.read(accepted(2), level(3, 4))
    (fall,) = await pair.lease(orders_complete_ms=BORN_MS)
    use = SettleRules(0, 0, 0, server_now_ms=pair.clock.now_ms)
    await pair.settle(fall, Booked("E-shop", 2), use)
    assert await pair.lease(orders_complete_ms=pair.clock.now_ms) == []
    pair.clock.pass_by(10)
    await pair.learn(order(line(4, at="id-shop"), name="o2"))
    assert await shows(pair, WEB, SHOP) == (0, -3)  # what the other owes beyond its part is left to it
    assert await pair.lease(orders_complete_ms=pair.clock.now_ms) == []


async def test_an_increase_goes_as_far_as_the_fall_leaves_room(pair: Shelf) -> None:
    """A receipt is for both; the one piece that is on its way out of the other channel is left alone."""
    await pair.learn(order(line(6)))
    await pair.read(accepted(2), level(3, 4))
    (fall,) = await pair.lease(orders_complete_ms=EVER)
    await pair.settle(fall, Doubted(0))
    await pair.read(level(4, 5))
    await pair.read(level(5, 9))
    assert await shows(pair, WEB, SHOP) == (5, 3)  # of nine; one may still be too many there
    pair.clock.pass_by(10)
    (rise,) = await pair.lease(orders_complete_ms=EVER)
    assert (rise.key, rise.operation.x_after) == (WEB, 10)  # 11 less that one


async def test_a_write_that_was_given_up_and_may_land_holds_the_others(pair: Shelf) -> None:
    """Nobody can say what the entry will show."""
    await pair.read(level(2, 12))
    rises = await pair.lease(orders_complete_ms=EVER)
    web = next(each for each in rises if each.key == WEB)
    for each in rises:
        settlement = GivenUp(1, 0) if each is web else Booked("E-shop", 2)
        await pair.settle(each, settlement)
    await pair.read(level(3, 20))
    pair.clock.pass_by(10)
    assert [each.key for each in await pair.lease(orders_complete_ms=EVER)] == [WEB]


async def test_an_entry_that_was_not_looked_at_holds_the_others(tmp_path: Path) -> None:
    """It may show anything."""
    shelf = await opened(tmp_path, shared())
    await shelf.read(level(1, 10))
    await shelf.based(4, WEB, name="E-web")
    assert await shelf.lease(orders_complete_ms=EVER) == []
    await shelf.based(4, SHOP, name="E-shop")
    assert [each.key for each in await shelf.lease(orders_complete_ms=EVER)] == [WEB]
    await shelf.close()


async def test_who_waits_is_not_asked_again_and_again(pair: Shelf) -> None:
    """No busy loop: a key that waits is not due until the other is done, or for some seconds."""
    await pair.learn(order(line(6)))
    await pair.read(accepted(2), level(3, 4))
    (fall,) = await pair.lease(orders_complete_ms=EVER)
    assert await pair.lease(orders_complete_ms=EVER) == []
    assert await pair.store.outbox.most_urgent(limits()) is None
    await pair.settle(fall, Booked("E-shop", 2))
    assert await pair.store.outbox.most_urgent(limits()) is not None


def limits() -> DrainLimits:
    return DrainLimits(orders_complete_ms=EVER)


async def test_what_one_channel_owes_beyond_its_part_the_other_does_not_offer(pair: Shelf) -> None:
    """Six are sold on one channel, and then two break: of eight only two are left to the other."""
    await pair.learn(order(line(6)))
    await pair.read(level(2, 8))
    assert await shows(pair, WEB, SHOP) == (-2, 1)  # its part is 3; 2 of it will be sent elsewhere
    await pair.read(accepted(3), level(4, 2))
    assert await shows(pair, WEB, SHOP) == (1, 0)


async def test_shares_that_change_move_pieces_by_the_same_rule(pair: Shelf) -> None:
    """A reload from 60:40 to 80:20: the fall first."""
    await pair.store.use_rules(shared(80, 20))
    assert await shows(pair, WEB, SHOP) == (8, 2)
    (fall,) = await pair.lease(orders_complete_ms=EVER)
    assert fall.key == SHOP
    assert await pair.lease(orders_complete_ms=EVER) == []


async def test_a_channel_that_loses_a_location_is_drawn_down_before_another_has_it(tmp_path: Path) -> None:
    """It is no sibling by the new rules any more, and what it shows is still there."""
    shelf = await opened(tmp_path, rules(channel(place("WH1"), place("WH2"), order_location="WH1")))
    await shelf.store.use_rules(shelf.store.rules)
    await shelf.read(level(1, 10), level(2, 3, "WH2"))
    await shelf.based(13, WEB, name="E-web")
    moved = rules(channel(place("WH2")), channel(place("WH1", "shop"), name="shop"))
    await shelf.store.use_rules(moved)
    await shelf.store.outbox.book_lookups([], [SHOP], (), QUIET)
    (fall,) = await shelf.lease(orders_complete_ms=EVER)
    assert (fall.key, fall.operation.delta) == (WEB, -10)
    assert await shelf.lease(orders_complete_ms=EVER) == []
    await shelf.settle(fall, Booked("E-web", 2))
    assert [each.key for each in await shelf.lease(orders_complete_ms=EVER)] == [SHOP]
    await shelf.close()


async def test_a_shared_location_is_held_by_the_strictest_of_its_channels(tmp_path: Path) -> None:
    """The level waits for a person when it is beyond what any channel believes."""
    use = rules(
        channel(LocationPolicy("WH1", "web", share=60)),
        channel(LocationPolicy("WH1", "shop", share=40), name="shop", maximum=50),
    )
    shelf = await opened(tmp_path, use)
    await shelf.read(level(1, 10), level(2, 51))
    assert await shelf.kinds() == ["held_level"]
    assert await shows(shelf, WEB, SHOP) == (6, 4)
    await shelf.close()


# Kits


async def test_a_kit_has_its_allotment_and_its_components_the_rest(kit: Shelf) -> None:
    """Of ten A and twenty B half are kept: five kits, five A and ten B."""
    assert await shows(kit, KIT, WEB, key("B")) == (5, 5, 10)


async def test_a_number_of_kits_is_kept_as_far_as_there_are_pieces(tmp_path: Path) -> None:
    """Thirty kits are wanted, and pieces for four are there; nothing is left of the scarcer component."""
    shelf = await opened(tmp_path, kitted(None, 30))
    await shelf.read(level(1, 10), level(2, 9, sku="B"))
    assert await shows(shelf, KIT, WEB, key("B")) == (4, 0, 0)
    await shelf.close()


async def test_a_kit_is_offered_once_every_component_was_told(tmp_path: Path) -> None:
    """Half of a kit is no quantity."""
    shelf = await opened(tmp_path, kitted())
    await shelf.read(level(1, 10))
    assert not await shelf.has_row(KIT)
    await shelf.read(level(2, 20, sku="B"))
    assert (await shelf.row(KIT)).f == 5
    await shelf.close()


async def test_a_kits_line_is_reflected_once_all_components_levels_exclude_it(kit: Shelf) -> None:
    """The level of B lags: until it comes, the kit counts as not taken."""
    await kit.learn(order(line(2, "KIT")))
    assert await shows(kit, KIT) == (3,)
    await kit.read(accepted(5), level(6, 8))
    assert await kit.figures(KIT) == Figures(4, 0, 0, 2)
    await kit.read(level(7, 16, sku="B"))
    assert await kit.figures(KIT) == Figures(4, 2, 0, 2)


@pytest.mark.parametrize("whole", [True, False], ids=["kit", "components"])
async def test_a_kit_is_proven_by_what_is_told_of_it_or_of_its_components(kit: Shelf, *, whole: bool) -> None:
    """Archean may speak of the kit's own SKU, or of the pieces it picks."""
    await kit.learn(order(line(2, "KIT")))
    told = [share(2, "WH1", "KIT")] if whole else [share(2, "WH1", "A"), share(4, "WH1", "B")]
    await kit.read(accepted(5, "o1", *told), level(6, 8), level(7, 16, sku="B"))
    assert (await kit.figures(KIT)).refl == 2


async def test_half_of_a_kits_components_prove_half_of_it(kit: Shelf) -> None:
    """Per unit: both A are shipped and two of four B, so one kit is out."""
    await kit.learn(order(line(2, "KIT")))
    await kit.read(
        shipped(5, share(2, "WH1", "A", "n1"), share(2, "WH1", "B", "n1")), level(6, 8), level(7, 18, sku="B")
    )
    assert (await kit.figures(KIT)).refl == 1


async def test_components_sold_alone_and_in_a_kit_are_told_apart(kit: Shelf) -> None:
    """What is told by SKU fills the line of that SKU and the kit's."""
    await kit.learn(order(line(1, "KIT"), line(3, "A", "n2")))
    await kit.read(
        accepted(5, "o1", share(4, "WH1", "A"), share(2, "WH1", "B")), level(6, 6), level(7, 18, sku="B")
    )
    assert ((await kit.figures(KIT)).refl, (await kit.figures(WEB)).refl) == (1, 3)


async def test_a_level_that_names_the_order_proves_its_own_component(kit: Shelf) -> None:
    """Each component's level names it, or the kit is not proven."""
    await kit.learn(order(line(2, "KIT")))
    await kit.read(level(5, 8, orders_included=("o1",)))
    assert (await kit.figures(KIT)).refl == 0
    await kit.read(level(6, 16, sku="B", orders_included=("o1",)))
    assert (await kit.figures(KIT)).refl == 2


async def test_a_kit_that_sold_more_than_its_part_takes_it_from_its_components(kit: Shelf) -> None:
    """All five kits are sold, then pieces break: their buyers are served before anybody else."""
    await kit.learn(order(line(5, "KIT")))
    await kit.read(level(5, 6))  # of A: three are kept, two kits are owed beyond them
    assert await shows(kit, KIT, WEB, key("B")) == (-2, 1, 6)


async def test_a_component_that_sold_more_than_its_part_takes_it_from_the_kit(kit: Shelf) -> None:
    """Five A are sold alone, then two break: of eight four are kept, and one of them will be sent alone."""
    await kit.learn(order(line(5)))
    await kit.read(level(5, 8))
    assert await shows(kit, KIT, WEB) == (3, -1)


async def test_an_increase_of_a_kit_waits_for_its_components_to_fall(kit: Shelf) -> None:
    """Kits are imported: half of what they leave is the kit's again, once the components show less."""
    await kit.learn(order(line(4, "KIT")))
    await kit.read(accepted(5), level(6, 6), level(7, 12, sku="B"))
    assert await shows(kit, KIT, WEB, key("B")) == (3, 3, 6)
    falls = await kit.lease(orders_complete_ms=EVER)
    assert {each.key for each in falls} == {WEB, key("B")}
    assert await kit.lease(orders_complete_ms=EVER) == []
    for each in falls:
        await kit.settle(each, Booked(each.entry_id or "", 2))
    assert [(each.key, each.operation.delta) for each in await kit.lease(orders_complete_ms=EVER)] == [
        (KIT, 2)
    ]


async def test_a_kit_that_is_none_any_more_is_drawn_down_before_its_components_rise(kit: Shelf) -> None:
    """Its pieces go back to the components, and are not for sale twice meanwhile."""
    await kit.store.use_rules(rules(channel(place("WH1"))))
    assert await shows(kit, KIT, WEB, key("B")) == (0, 10, 20)
    (fall,) = await kit.lease(orders_complete_ms=EVER)
    assert (fall.key, fall.operation.delta) == (KIT, -5)
    assert await kit.lease(orders_complete_ms=EVER) == []
    await kit.settle(fall, Booked("E-KIT", 2))
    assert {each.key for each in await kit.lease(orders_complete_ms=EVER)} == {WEB, key("B")}


async def test_f128_a_sharing_kits_orders_are_untracked_demand_of_its_components(tmp_path: Path) -> None:
    """The kit and its components offer the same pieces; what is ordered of one is taken from the others once learnt (row 128)."""
    shelf = await opened(tmp_path, kitted(None))
    await shelf.read(level(1, 10), level(2, 20, sku="B"))
    assert await shows(shelf, KIT, WEB, key("B")) == (10, 10, 20)
    await shelf.learn(order(line(3, "KIT")))
    assert await shows(shelf, KIT, WEB, key("B")) == (7, 7, 14)
    assert (await shelf.figures(WEB)).ntrk == 3
    assert (await shelf.row(KIT)).x_target == 10  # commercetools took the three from the kit's entry itself
    await shelf.learn(order(line(2), name="o2"))
    assert await shows(shelf, KIT, WEB, key("B")) == (5, 5, 14)
    await shelf.read(accepted(5), level(6, 7), level(7, 14, sku="B"))
    assert await shows(shelf, KIT, WEB, key("B")) == (5, 5, 14)
    assert (await shelf.figures(WEB)).ntrk == 0
    await shelf.close()


async def test_a_kits_line_that_is_not_tracked_counts_in_the_kits_own_part(kit: Shelf) -> None:
    """Mode None: commercetools took nothing, the kit offers two fewer, and its components as many as before."""
    await kit.learn(order(line(2, "KIT", mode=LineMode.NONE)))
    assert await shows(kit, KIT, WEB, key("B")) == (3, 5, 10)


async def test_a_level_of_a_kits_own_is_told_and_not_sold(kit: Shelf) -> None:
    """The kit is what its components allow."""
    await kit.read(level(5, 40, sku="KIT"))
    (case,) = await kit.cases("invalid_record")
    assert (case.subject, case.code) == ("KIT at WH1", "level_of_a_kit")
    assert await shows(kit, KIT) == (5,)


async def test_a_kits_order_is_folded_once_its_components_have_left(kit: Shelf) -> None:
    """Its pieces stay in one number, and the target stays."""
    await kit.learn(order(line(2, "KIT")))
    await kit.read(shipped(5, share(2, "WH1", "A"), share(4, "WH1", "B")), level(6, 8), level(7, 16, sku="B"))
    before = await kit.figures(KIT)
    assert await kit.store.orders.fold(["o1"], 0) == 1
    await kit.read(level(8, 8), level(9, 16, sku="B"))
    assert ((await kit.row(KIT)).closed, await kit.figures(KIT)) == (2, before)


async def test_unproven_kits_are_asked_for_by_their_components(kit: Shelf) -> None:
    """Archean knows no level of the kit."""
    await kit.learn(order(line(2, "KIT")))
    found = await kit.store.orders.unproven_lines(["o1"])
    assert found == {"o1": [key("A"), key("B")]}
