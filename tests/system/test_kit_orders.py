"""Kits handed over as their components: the whole daemon against both simulators, over sockets, in virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.simulators.commercetools import OrderLine
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, ask, buys, deliveries, refs, returned, state, until
from tests.system.inside import Running, inside
from tests.system.test_hand_over_files import source

PRICED = {"centAmount": 1000, "fractionDigits": 2}


def kit(allotment: str = '"50%"', **pieces: int) -> str:
    parts = ", ".join(f'"{sku}" = {count}' for sku, count in (pieces or {"A": 1, "B": 2}).items())
    return f'[kits."KIT"]\ncomponents = {{ {parts} }}\nallotment = {allotment}\n'


def open_shop(site: Site, **stock: int) -> None:
    site.open(stock or {"A": 10, "B": 20})
    site.shop.add_products(["KIT"])


def asked(site: Site, order_id: str) -> list[tuple[str, str, int]]:
    """What Archean was asked for: line, SKU, pieces."""
    lines = site.house.warehouse.book.orders[order_id].asked.lines
    return [(line.line_ref, line.sku, line.quantity) for line in lines]


def items(site: Site, order_id: str) -> list[list[tuple[str, int]]]:
    """By delivery, line item ids with pieces."""
    return [[(item["id"], item["quantity"]) for item in each["items"]] for each in deliveries(site, order_id)]


async def adds_up(running: Running, *skus: str) -> None:
    """Each key's arithmetic is right when done again."""
    for sku in skus:
        for key in (await ask(running, "sku", sku=sku))["keys"]:
            assert key["adds_up"], (sku, key["checks"])


@virtual
async def test_a_kits_order_goes_as_components_and_is_booked_once_whole() -> None:
    """Two kits and one of their components beside them, dispatched in two parcels: no kit is delivered before its last piece."""
    async with inside(seed=650) as (site, house):
        open_shop(site)
        async with house.daemon(orders=HAND_OVER, more=kit()) as running:
            await site.until_stock({"KIT": 5, "A": 5, "B": 10}, 120)
            order_id = buys(site, ("KIT", 2), ("A", 1), order_number="CT-1")
            await until(running, "CT-1", Stage.ACCEPTED)
            own, single = refs(site, order_id)
            assert asked(site, order_id) == [(f"{own}+A", "A", 2), (f"{own}+B", "B", 4), (single, "A", 1)]
            content = json.loads(site.house.warehouse.book.orders[order_id].asked.content)
            assert content["lines"][1]["unitPrice"] is None
            assert content["lines"][1]["kit"] | {"unitPrice": 0} == {
                "lineId": own,
                "sku": "KIT",
                "quantity": 2,
                "unitPrice": 0,
            }
            assert (
                content["lines"][1]["kit"]["unitPrice"] == content["lines"][0]["kit"]["unitPrice"] is not None
            )
            assert "kit" not in content["lines"][2]
            await site.until_stock({"KIT": 3, "A": 4, "B": 8}, 300)
            dispatch = site.house.warehouse.dispatch
            dispatch.ship(order_id, {f"{own}+A": 2, single: 1})
            await until(running, "CT-1", Stage.PART_SHIPPED)
            assert (items(site, order_id), state(site, order_id)) == ([[(single, 1)]], "Partial")
            dispatch.ship(order_id)
            await until(running, "CT-1", Stage.CLOSED)
            assert (items(site, order_id), state(site, order_id)) == ([[(single, 1)], [(own, 2)]], "Shipped")
            assert [each["parcels"][0].get("items") for each in deliveries(site, order_id)] == [
                [{"id": single, "quantity": 1}],
                [{"id": own, "quantity": 2}],
            ]
            told = [each.acknowledgement for _, each in dispatch.fulfilments.values()]
            assert [one and one["shipmentState"] for one in told] == ["Partial", "Shipped"]
            await adds_up(running, "KIT", "A", "B")
            await site.until_stock({"KIT": 3, "A": 4, "B": 8}, 300)


@virtual
async def test_parcels_of_a_kit_that_is_not_whole_are_on_their_way_all_the_same() -> None:
    """The first parcel's tracking is there before the kit is; Archean is told of either booking."""
    async with inside(seed=651) as (site, house):
        open_shop(site)
        async with house.daemon(orders=HAND_OVER, more=kit()) as running:
            await site.until_stock({"KIT": 5}, 120)
            order_id = buys(site, ("KIT", 1))
            await until(running, order_id, Stage.ACCEPTED)
            (own,) = refs(site, order_id)
            dispatch = site.house.warehouse.dispatch
            dispatch.ship(order_id, {f"{own}+B": 1})
            await until(running, order_id, Stage.PART_SHIPPED)
            (first,) = deliveries(site, order_id)
            assert (first["items"], first["parcels"][0]["trackingData"]["carrier"]) == ([], "DPD")
            dispatch.ship(order_id, {f"{own}+A": 1})
            await site.until(lambda: len(deliveries(site, order_id)) == 2, "the second parcel")
            assert (items(site, order_id), state(site, order_id)) == ([[], []], "Partial")
            dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED)
            assert (items(site, order_id), state(site, order_id)) == ([[], [], [(own, 1)]], "Shipped")
            assert all(each.acknowledgement for _, each in dispatch.fulfilments.values())


@pytest.mark.parametrize("sent", [True, False], ids=["accepted", "not answered"])
def test_a_kit_that_is_changed_is_sent_and_booked_as_it_was(sent: bool) -> None:
    """Restarted with other components: Archean is sent, and understood, as the order was written down; stock stays exact."""

    @virtual
    async def run() -> None:
        async with inside(seed=652) as (site, house):
            open_shop(site, A=10, B=20, C=10)
            async with house.daemon(orders=HAND_OVER, more=kit()) as running:
                await site.until_stock({"KIT": 5, "A": 5, "B": 10, "C": 10}, 120)
                if not sent:
                    site.house.script.add(Fault(FaultKind.STATUS, endpoint="orders", times=1000))
                order_id = buys(site, ("KIT", 2), ("B", 1))
                own, single = refs(site, order_id)
                if sent:
                    await until(running, order_id, Stage.ACCEPTED)
                    site.house.warehouse.dispatch.ship(order_id, {f"{own}+A": 2})
                    await until(running, order_id, Stage.PART_SHIPPED)
                else:
                    await until(running, order_id, Stage.READY, Stage.IN_DOUBT)
            site.house.script.clear()
            house.write(orders=HAND_OVER, more=kit(A=1, C=1))
            async with house.daemon() as running:
                if not sent:
                    await until(running, order_id, Stage.ACCEPTED)
                lines = [(f"{own}+A", "A", 2), (f"{own}+B", "B", 4), (single, "B", 1)]
                assert asked(site, order_id) == lines
                # Of eight A half are kept for four kits, of ten C half for five; B is nobody's but its own.
                await site.until_stock({"KIT": 4, "A": 4, "B": 15, "C": 5}, 300)
                if not sent:
                    site.house.warehouse.dispatch.ship(order_id, {f"{own}+A": 2})
                site.house.warehouse.dispatch.ship(order_id, {f"{own}+B": 4})
                await site.until(lambda: [(own, 2)] in items(site, order_id), "the kits' delivery")
                assert state(site, order_id) == "Partial"
                site.house.warehouse.dispatch.ship(order_id)
                await until(running, order_id, Stage.CLOSED)
                assert state(site, order_id) == "Shipped"
                await site.until_stock({"KIT": 4, "A": 4, "B": 15, "C": 5}, 300)
                await adds_up(running, "KIT", "A", "B", "C")

    run()


@virtual
async def test_a_piece_that_is_missing_closes_its_kit_and_the_other_pieces_are_told() -> None:
    """One B is not found: its kit will never be whole, and its A is on its way; the case closes when the B is sent after all."""
    async with inside(seed=653) as (site, house):
        open_shop(site)
        async with house.daemon(orders=HAND_OVER, more=kit() + '[fulfilment]\nshort = "close"') as running:
            await site.until_stock({"KIT": 5}, 120)
            order_id = buys(site, ("KIT", 2))
            await until(running, order_id, Stage.ACCEPTED)
            (own,) = refs(site, order_id)
            dispatch = site.house.warehouse.dispatch
            dispatch.short(order_id, f"{own}+B", 1)
            dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED_SHORT)
            assert (items(site, order_id), state(site, order_id)) == ([[(own, 1)]], "Shipped")
            case = await running.until_case(CaseKind.KIT_INCOMPLETE)
            assert case is not None
            assert "1 of A, 1 of B for the kit KIT" in case.reason
            fields = {
                "orderId": order_id,
                "fulfilmentId": "F-9",
                "status": "shipped",
                "location": LOCATION,
                "lines": [{"lineRef": f"{own}+B", "sku": "B", "quantity": 1}],
                "parcels": [],
            }
            site.house.log.append("fulfilment", fields, location=LOCATION)
            await running.until_case(CaseKind.KIT_INCOMPLETE, open_=False)
            assert items(site, order_id) == [[(own, 1)], [(own, 1)]]


@virtual
async def test_a_kit_is_back_once_all_of_its_pieces_are() -> None:
    """A part of it is a person's to settle; with the rest, which is damaged, it is back and unusable."""
    async with inside(seed=654) as (site, house):
        open_shop(site)
        async with house.daemon(orders=HAND_OVER, more=kit()) as running:
            await site.until_stock({"KIT": 5}, 120)
            order_id = buys(site, ("KIT", 1))
            await until(running, order_id, Stage.ACCEPTED)
            (own,) = refs(site, order_id)
            dispatch = site.house.warehouse.dispatch
            dispatch.ship(order_id)
            await until(running, order_id, Stage.CLOSED)
            back: dict[str, Any] = {
                "lineRef": f"{own}+A",
                "sku": "A",
                "quantity": 1,
                "disposition": "sellable",
            }
            dispatch.receive_return(order_id, LOCATION, [back])
            case = await running.until_case(CaseKind.KIT_INCOMPLETE)
            assert case is not None
            assert "1 of A of the kit KIT" in case.reason
            assert returned(site, order_id) == []
            dispatch.receive_return(
                order_id, LOCATION, [{"sku": "B", "quantity": 2, "disposition": "damaged"}]
            )
            await running.until_case(CaseKind.KIT_INCOMPLETE, open_=False)
            assert returned(site, order_id) == ["Unusable"]


@virtual
async def test_a_kit_of_which_a_component_was_never_told_is_an_exception_until_it_is() -> None:
    """It is not offered, which nobody would notice; told, or no kit any more, it closes itself."""
    async with inside(seed=655) as (site, house):
        open_shop(site, A=10)
        async with house.daemon(more=kit(A=1, Z=1)) as running:
            running.app.kit_watch.settle_seconds = 20.0
            case = await running.until_case(CaseKind.KIT_COMPONENT_UNTOLD)
            assert case is not None
            assert (case.scope, case.subject) == (CHANNEL, "KIT")
            assert "never told a level of Z" in case.reason
            site.house.warehouse.seed("Z", LOCATION, 4)
            site.house.warehouse.receipt("Z", LOCATION, 2)
            await running.until_case(CaseKind.KIT_COMPONENT_UNTOLD, open_=False)
            await site.until_stock({"KIT": 3}, 120)
            house.write(more=kit(A=1, Z=1) + kit('"10%"', A=1, Y=1).replace("KIT", "SET"))
            await ask(running, "reload")
            case = await running.until_case(CaseKind.KIT_COMPONENT_UNTOLD)
            assert case is not None
            assert case.subject == "SET"
            house.write(more=kit(A=1, Z=1))
            await ask(running, "reload")
            await running.until_case(CaseKind.KIT_COMPONENT_UNTOLD, open_=False)


@virtual
async def test_a_kits_order_goes_as_components_in_a_file() -> None:
    """The same lines as over HTTP, and a dispatch by SKU alone is understood."""
    async with inside(seed=656) as (site, house):
        open_shop(site)
        files = house.directory / "files"
        drop = f'[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "{files}"\ninterval_seconds = 60\n'
        async with source(site, files), house.daemon(orders=HAND_OVER, more=kit(), feed=drop) as running:
            await site.until_stock({"KIT": 5}, 120)
            order_id = buys(site, OrderLine("KIT", 1, CHANNEL))
            await until(running, order_id, Stage.ACCEPTED)
            (own,) = refs(site, order_id)
            assert asked(site, order_id) == [(f"{own}+A", "A", 1), (f"{own}+B", "B", 2)]
            for number, (sku, pieces) in enumerate((("B", 2), ("A", 1))):
                fields = {
                    "orderId": order_id,
                    "fulfilmentId": f"F-{number}",
                    "status": "shipped",
                    "location": LOCATION,
                    "lines": [{"sku": sku, "quantity": pieces}],
                    "parcels": [],
                }
                assert state(site, order_id) in {None, "Partial"}
                site.house.log.append("fulfilment", fields, location=LOCATION)
                await site.until(lambda: len(deliveries(site, order_id)) == number + 1, "its delivery")  # noqa: B023
            assert (items(site, order_id), state(site, order_id)) == ([[], [(own, 1)]], "Shipped")
