"""SKUs and units that Archean writes otherwise: the whole daemon between both simulators, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.fatal import Fatal
from archsyncd.domain.handover import Stage
from archsyncd.operator.commands import Commands
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, ask, buys, deliveries, until
from tests.system.inside import House, inside

HEAD = "archean_sku,commercetools_sku\n"
ALIASES = '[aliases]\nfile = "aliases.csv"\n'


def stocked(site: Site, sold: tuple[str, ...], **shelf: int) -> None:
    """A channel, products, and goods on the shelf under Archean's names (_ stands for -)."""
    site.shop.add_channel(CHANNEL)
    site.shop.add_products(sold)
    for sku, pieces in shelf.items():
        site.house.warehouse.seed(sku.replace("_", "-"), LOCATION, pieces)


def aliases(house: House, *lines: str) -> Path:
    file = house.place() / "aliases.csv"
    file.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return file


@virtual
async def test_goods_are_sold_under_the_shops_name_and_ordered_under_archeans() -> None:
    """Levels and dispatches come in under the alias; orders and single-key reads go out without it."""
    async with inside(seed=810) as (site, house):
        stocked(site, ("A", "B"), AR_A=10, B=4)
        aliases(house, "AR-A,A")
        async with house.daemon(orders=HAND_OVER, more=ALIASES) as running:
            await site.until_stock({"A": 10, "B": 4})
            order_id = buys(site, ("A", 3), ("B", 1))
            await until(running, order_id, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED)
            assert sum(len(one["items"]) for one in deliveries(site, order_id)) >= 2
            await site.until_stock({"A": 7, "B": 3})
            assert site.house.warehouse.available("AR-A", LOCATION) == 7
            feed = running.app.feeds[0]
            reading = await feed.read_key("A")
            assert reading is not None
            assert [(one.sku, one.available) for one in reading.levels] == [("A", 7)]
            story = await ask(running, "sku", sku="A")
            assert story["archean_sku"] == "AR-A"
            assert not site.shop.has_entry("AR-A", CHANNEL)


@virtual
async def test_f129_a_renamed_sku_is_drawn_down_and_sold_under_its_new_name() -> None:
    """A reload gives the goods another name: the old entry goes to nothing, the new one gets what is not sold yet, at once."""
    async with inside(seed=811) as (site, house):
        stocked(site, ("OLD", "NEW", "B", "C", "D"), X=10, B=4, C=5, D=6)
        aliases(house, "X,OLD")
        async with house.daemon(more=ALIASES) as running:
            await site.until_stock({"OLD": 10, "B": 4})
            order_id = site.order("OLD", 2, import_seconds=None)
            assert order_id
            await site.until_stock({"OLD": 8})
            aliases(house, "X,NEW")
            await ask(running, "reload")
            await site.until_stock({"NEW": 8, "OLD": 0, "B": 4})
            story = await ask(running, "sku", sku="OLD")
            assert story["levels"][0]["available"] is None
            assert (await running.app.naming.archean_of(["OLD", "NEW"])) == {"OLD": "X", "NEW": "X"}


@virtual
async def test_f129_a_slip_in_an_alias_and_back_leaves_the_goods_on_sale() -> None:
    """Nothing of them moves meanwhile: the full shows the record that the name had before it was given up."""
    async with inside(seed=818) as (site, house):
        stocked(site, ("OLD", "NEW", "B", "C", "D"), X=10, B=4, C=5, D=6)
        aliases(house, "X,OLD")
        async with house.daemon(more=ALIASES) as running:
            await site.until_stock({"OLD": 10, "B": 4})
            aliases(house, "X,NEW")
            await ask(running, "reload")
            await site.until_stock({"NEW": 10, "OLD": 0})
            aliases(house, "X,OLD")
            await ask(running, "reload")
            await site.until_stock({"NEW": 0, "OLD": 10, "B": 4})
            assert await running.app.store.cases.listed() == []
            assert running.complaints() == []


@virtual
async def test_f129_goods_ordered_under_an_earlier_name_are_booked_as_they_were_ordered() -> None:
    """Archean ships X, which is NEW by now; the order has OLD."""
    async with inside(seed=819) as (site, house):
        stocked(site, ("OLD", "NEW", "B", "C", "D"), X=10, B=4, C=5, D=6)
        aliases(house, "X,OLD")
        async with house.daemon(orders=HAND_OVER, more=ALIASES) as running:
            await site.until_stock({"OLD": 10, "B": 4})
            order_id = buys(site, ("OLD", 3), ("B", 1))
            await until(running, order_id, Stage.ACCEPTED)
            aliases(house, "X,NEW")
            await ask(running, "reload")
            site.house.warehouse.dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED)
            booked = [item["quantity"] for one in deliveries(site, order_id) for item in one["items"]]
            assert sorted(booked) == [1, 3]
            assert await running.cases(CaseKind.FULFILMENT_MISMATCH) == []


@virtual
async def test_two_skus_that_a_rule_makes_one_are_never_summed() -> None:
    """The first one met has the name; the other is told, and sold once a line gives it a name of its own."""
    async with inside(seed=812) as (site, house):
        stocked(site, ("A", "A2"), P_A=10)
        async with house.daemon(more='[aliases]\nstrip_prefix = "P-"\n') as running:
            await site.until_stock({"A": 10})
            site.house.warehouse.seed("A", LOCATION, 0)
            site.house.warehouse.receipt("A", LOCATION, 5)
            case = await running.until_case(CaseKind.SKU_COLLISION)
            assert case is not None
            assert case.subject == "A"
            assert "P-A" in case.reason
            site.house.warehouse.receipt("P-A", LOCATION, 1)
            await site.until_stock({"A": 11})
            assert [one.count for one in await running.cases(CaseKind.SKU_COLLISION)] != []
            aliases(house, "A,A2")
            house.write(more=ALIASES + 'strip_prefix = "P-"\n')
            await ask(running, "reload")
            await running.until_case(CaseKind.SKU_COLLISION, open_=False)
            await site.until_stock({"A": 11, "A2": 5})


@virtual
async def test_f167_aliases_that_would_empty_the_shop_are_refused_until_allowed() -> None:
    """An emptied file, or a rule that renames everything, changes nothing; the refusal names the digest that allows it."""
    async with inside(seed=813) as (site, house):
        stocked(site, ("A", "B"), A=10, B=4)
        async with house.daemon() as running:
            await site.until_stock({"A": 10, "B": 4})
            house.write(more="[aliases]\nupper = true\npad_left = 3\n")
            await ask(running, "reload")
            await site.stays(lambda: site.stock("A") == 10, "capitals are what they were", 5)
            aliases(house, "A,Z1", "B,Z2")
            house.write(more=ALIASES)
            with pytest.raises(Fatal, match="2 of 2 levels") as refused:
                await running.app.reload()
            await site.stays(lambda: site.stock("A") == 10, "it was emptied", 10)
            digest = str(refused.value).split('accept = "')[1].split('"')[0]
            house.write(more=f'{ALIASES}accept = "{digest}"\n')
            await ask(running, "reload")
            await site.until_stock({"A": 0, "B": 0})


@virtual
async def test_a_name_given_up_and_told_by_archean_itself_is_that_skus_again() -> None:
    """While nobody tells of it, orders for it are for the goods that it named; a line wins over whoever was met first."""
    async with inside(seed=817) as (site, house):
        stocked(site, ("OLD", "B", "C", "D"), X=10, B=4, C=5, D=6)
        aliases(house, "X,OLD")
        async with house.daemon(more=ALIASES) as running:
            await site.until_stock({"OLD": 10})
            aliases(house)
            await ask(running, "reload")
            await site.until_stock({"OLD": 0})
            naming = running.app.naming
            assert await naming.archean_of(["OLD"]) == {"OLD": "X"}
            site.house.warehouse.seed("OLD", LOCATION, 0)
            site.house.warehouse.receipt("OLD", LOCATION, 3)
            await site.until_stock({"OLD": 3})
            assert await naming.archean_of(["OLD"]) == {"OLD": "OLD"}
            book = running.app.store.names
            assert await book.claim({"N": "first"}) == {"N": "first"}
            assert await book.claim({"N": "second"}) == {"N": "first"}
            assert await book.claim({"N": "second"}, ["N"]) == {"N": "second"}


@virtual
async def test_names_that_change_between_two_runs_are_drawn_down_at_the_start() -> None:
    """A restart with another file is a reload with another file; and a third start finds nothing left to do."""
    async with inside(seed=814) as (site, house):
        stocked(site, ("OLD", "NEW", "B", "C", "D"), X=10, B=4, C=5, D=6)
        aliases(house, "X,OLD")
        async with house.daemon(more=ALIASES):
            await site.until_stock({"OLD": 10})
        aliases(house, "X,NEW")
        async with house.daemon():
            await site.until_stock({"OLD": 0, "NEW": 10, "B": 4})
        async with house.daemon() as running:
            site.house.warehouse.receipt("X", LOCATION, 1)
            await site.until_stock({"OLD": 0, "NEW": 11})
            assert (await running.app.store.feeds.state("main")).snapshot_due is None


@virtual
async def test_f122_cartons_are_sold_as_pieces_and_an_unknown_unit_is_an_exception() -> None:
    """A snapshot's sums still agree; a unit that nobody gave a factor for leaves the quantity as it was."""
    async with inside(seed=815) as (site, house):
        stocked(site, ("A", "B"), A=10, B=4)
        site.house.warehouse.room.units["A"] = "CTN"
        async with house.daemon(more="[units]\nfactors = { CTN = 12 }\n") as running:
            await site.until_stock({"A": 120, "B": 4})
            site.house.warehouse.room.units["B"] = "PAL"
            site.house.warehouse.receipt("B", LOCATION, 1)
            case = await running.until_case(CaseKind.INVALID_RECORD)
            assert case is not None
            assert (case.code, case.subject) == ("unknown_unit", f"B at {LOCATION} unknown_unit")
            await site.stays(lambda: site.stock("B") == 4, "a pallet was a number", 20)


@virtual
async def test_f122_a_corrected_factor_counts_what_does_not_move() -> None:
    """A reload is enough, and however many it concerns: every source is asked anew, and shows the record of before."""
    async with inside(seed=820) as (site, house):
        stocked(site, ("A", "B"), A=10, B=4)
        site.house.warehouse.room.units["A"] = "CTN"
        async with house.daemon(more="[units]\nfactors = { CTN = 12 }\n") as running:
            await site.until_stock({"A": 120, "B": 4})
            house.write(more="[units]\nfactors = { CTN = 6 }\n")
            await ask(running, "reload")
            await site.until_stock({"A": 60, "B": 4})
            await site.stays(lambda: site.stock("A") == 60, "it was lowered twice, or held", 30)
            assert (await running.app.store.feeds.state("main")).snapshot_due is None
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.until_stock({"A": 66, "B": 4})
            assert await running.app.store.cases.listed() == []


@virtual
async def test_f122_a_sku_that_is_told_in_another_unit_is_noticed() -> None:
    """It is counted by the new unit's factor, and somebody is told, who dismisses it when it is right."""
    async with inside(seed=816) as (site, house):
        stocked(site, ("A", "B"), A=10, B=4)
        async with house.daemon(more="[units]\nfactors = { CTN = 12 }\n") as running:
            await site.until_stock({"A": 10, "B": 4})
            site.house.warehouse.room.units["A"] = "CTN"
            site.house.warehouse.receipt("A", LOCATION, 1)
            case = await running.until_case(CaseKind.UNIT_CHANGED)
            assert case is not None
            assert case.subject == "A"
            assert "in pieces before" in case.reason
            await site.until_stock({"A": 132})
            await Commands(running.app).answer("exceptions.dismiss", {"id": case.id, "reason": "so it is"})
            assert await running.cases(CaseKind.UNIT_CHANGED) == []
