"""Nobody takes what waits: the verdict says so, and with the first answer all of it goes on at once."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.operator.looking import COUNTS_KEEP_SECONDS
from archsyncd.operator.protocol import Refusal
from archsyncd.operator.screens import status_lines
from archsyncd.simulators.commercetools import FaultKind, OrderLine
from archsyncd.simulators.r247 import Fault
from archsyncd.simulators.r247 import FaultKind as HouseFault
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, accepted, ask, buys, refs, until
from tests.system.inside import Running, inside

MANY = 40


def refuses(site: Site, endpoint: str) -> None:
    """Archean answers 503 there until it is told otherwise."""
    site.house.script.add(Fault(HouseFault.STATUS, endpoint=endpoint, times=None))


async def causes(running: Running) -> list[tuple[str, str]]:
    """What the verdict names, the first first; figures are a few seconds old at most."""
    await running.app.clock.sleep(COUNTS_KEEP_SECONDS + 1)
    return [(each["code"], each["level"]) for each in (await ask(running, "status"))["reasons"]]


@virtual
async def test_orders_that_archean_does_not_take_are_told_and_go_at_once_when_it_does() -> None:
    """Degraded after two minutes and critical after ten, with the feed, the count and the answer; then no order waits on."""
    async with inside(seed=801) as (site, house):
        site.open({"A": 1_000})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 1_000})
            await until(running, buys(site, ("A", 1)), Stage.ACCEPTED)
            refuses(site, "orders")
            for _ in range(MANY):
                buys(site, ("A", 1))
                await site.clock.sleep(0.5)
            await site.clock.sleep(60)
            assert await causes(running) == []
            await site.clock.sleep(90)
            assert (await causes(running))[0] == ("orders_not_taken", "degraded")
            says = (await ask(running, "status"))["sentence"]
            assert f"Archean (feed main) has taken no order for 3 min, {MANY} orders wait" in says
            assert "503" in says
            await site.clock.sleep(8 * 60)
            assert (await causes(running))[0] == ("orders_not_taken", "critical")
            before = site.house.requests["orders"]
            await site.clock.sleep(300)
            assert site.house.requests["orders"] - before < 5 * 60
            status = await ask(running, "status")
            assert status["data"]["untaken_seconds"]["orders"] > 600
            lag = status["hand_over"]["lags"]["handed_over"]
            assert (lag["count"], lag["p50_seconds"] > 600) == (MANY + 1, True)
            site.house.script.clear()
            began = site.clock.now()
            await site.until(lambda: len(site.house.warehouse.book.orders) == MANY + 1, "every order there")
            assert site.clock.now() - began < 30
            assert site.house.warehouse.book.duplicates == []
            await site.clock.sleep(10)
            assert await causes(running) == []
            status = await ask(running, "status")
            assert status["data"]["untaken_seconds"]["orders"] == 0
            assert "hand-over   accepted 41" in "\n".join(status_lines(status))


@virtual
async def test_an_order_that_archean_cannot_take_does_not_hold_the_others_up() -> None:
    """One that never gets an answer is nobody's silence: the rest goes, and the verdict says nothing of it."""
    async with inside(seed=802) as (site, house):
        site.open({"A": 1_000})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 1_000})
            refuses(site, "orders")
            first = buys(site, ("A", 1))
            await until(running, first, Stage.IN_DOUBT)
            assert "exceptions" not in (await ask(running, "order", reference=first))["next"]
            await site.clock.sleep(150)
            assert (await causes(running))[0] == ("orders_not_taken", "degraded")
            site.house.script.clear()
            await until(running, buys(site, ("A", 1)), Stage.ACCEPTED, seconds=10)
            assert await causes(running) == []


@virtual
async def test_a_restart_makes_nobody_forget_that_orders_are_not_taken() -> None:
    """How long it lasts is told by the orders that wait, not by the process."""
    async with inside(seed=803) as (site, house):
        site.open({"A": 1_000})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 1_000})
            refuses(site, "orders")
            await until(running, buys(site, ("A", 1)), Stage.IN_DOUBT)
            await site.clock.sleep(700)
        async with house.daemon() as running:
            await site.clock.sleep(30)
            assert ("orders_not_taken", "critical") in await causes(running)


@virtual
async def test_dispatches_that_nobody_books_and_bookings_that_nobody_takes_are_told() -> None:
    """Each by its own code, and both sides catch up at once."""
    async with inside(seed=804) as (site, house):
        site.open({"A": 1_000})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 1_000})
            bought = [buys(site, ("A", 1)) for _ in range(6)]
            for order_id in bought:
                await until(running, order_id, Stage.ACCEPTED)
            await site.clock.sleep(10)
            site.shop.faults.add("orders.update", FaultKind.SERVER_ERROR, count=None)
            refuses(site, "fulfilments")
            for order_id in bought:
                site.house.warehouse.dispatch.ship(order_id)
            await site.clock.sleep(180)
            assert (await causes(running))[0] == ("dispatches_not_booked", "degraded")
            site.shop.faults.clear()
            for order_id in bought:
                await until(running, order_id, Stage.SHIPPED, seconds=30)
            await site.clock.sleep(700)
            assert await causes(running) == [("bookings_not_taken", "critical")]
            site.house.script.clear()
            for order_id in bought:
                await until(running, order_id, Stage.CLOSED, seconds=30)
            assert await causes(running) == []


@virtual
async def test_cancellations_that_archean_does_not_answer_to_are_told() -> None:
    """The warehouse may pack what nobody wants any more."""
    async with inside(seed=805) as (site, house):
        site.open({"A": 1_000})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 1_000})
            order_id = buys(site, ("A", 1))
            await until(running, order_id, Stage.ACCEPTED)
            refuses(site, "orders")
            site.shop.cancel_order(order_id)
            await until(running, order_id, Stage.CANCELLING)
            await site.clock.sleep(180)
            assert (await causes(running))[0] == ("cancellations_not_taken", "degraded")
            site.house.script.clear()
            await until(running, order_id, Stage.CANCELLED, seconds=60)
            assert await causes(running) == []


@virtual
async def test_records_that_come_late_make_no_conflict_of_an_order_that_both_have_cancelled() -> None:
    """Archean said that it has cancelled it: what it had told before that, and we read after it, is no news."""
    async with inside(seed=806) as (site, house):
        site.open({"A": 1_000})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 1_000})
            refuses(site, "changes")
            order_id = buys(site, ("A", 1), order_number="CT-1")
            await until(running, order_id, Stage.ACCEPTED)
            site.house.warehouse.dispatch.progress(order_id, "picking")
            site.shop.cancel_order(order_id)
            await until(running, order_id, Stage.CANCELLED)
            await site.clock.sleep(60)
            site.house.script.clear()
            await site.until_stock({"A": 1_000})
            await site.clock.sleep(60)
            assert await running.app.store.cases.listed(state="", kind=CaseKind.STATUS_CONFLICT.value) == []
            assert [each["id"] for each in (await ask(running, "order", reference="CT-1"))["dispatches"]]


@virtual
async def test_a_dispatchs_name_leads_to_its_order_and_commands_name_the_order() -> None:
    """In the tool and on the page alike; what cannot be tried again has no retry among the things to do."""
    async with accepted(807, 2, order_number="CT-7") as (site, running, order_id):
        dispatch = site.house.warehouse.dispatch
        dispatch.short(order_id, refs(site, order_id)[0], 1)
        dispatch.ship(order_id)
        case = await running.until_case(CaseKind.SHORT_PICK)
        assert case is not None
        assert case.subject == "F-1"
        assert case.reason == "Archean did not find 1 of A for order CT-7 (F-1)"
        shown = await ask(running, "exceptions.show", id=case.id)
        assert shown["look"] == ["archsyncctl order CT-7"]
        assert (await ask(running, "order", reference="F-1"))["number"] == "CT-7"
        with pytest.raises(Refusal, match="Nothing is known of the SKU"):
            await ask(running, "sku", sku="F-1")
        site.shop.cancel_order(order_id)
        conflict = await running.until_case(CaseKind.STATUS_CONFLICT)
        assert conflict is not None
        shown = await ask(running, "exceptions.show", id=conflict.id)
        assert shown["remedy"] == [f"archsyncctl exceptions dismiss {conflict.id} --reason TEXT"]
        assert not shown["retry"].startswith("retry ")
        assert not (await ask(running, "exceptions.retry", id=conflict.id))["done"]


@virtual
async def test_a_mapping_that_slips_makes_one_case_for_each_order_that_waits_by_it_and_no_other() -> None:
    """What is with Archean or has left needs nobody's hand; the place that is not mapped is told first, and it closes itself."""
    both = f'{LOCATION} = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "warehouse-2" }}'
    town = {"locations": ("WH1", "WH2"), "channels": {"WH1": CHANNEL, "WH2": "warehouse-2"}}
    async with inside(seed=808, house=town) as (site, house):
        site.open({"A": 10})
        site.shop.add_channel("warehouse-2")
        site.house.warehouse.seed("A", "WH2", 50)

        def far(pieces: int) -> str:
            lines = [OrderLine("A", pieces, "warehouse-2", mode="None") for _ in range(2)]
            return site.shop.place_order(lines, payment_state="Paid")

        async with house.daemon(orders=HAND_OVER, locations=both) as running:
            await site.until_stock({"A": 10})
            gone, there = far(1), far(1)
            for order_id in (gone, there):
                await until(running, order_id, Stage.ACCEPTED)
            site.house.warehouse.dispatch.ship(gone)
            await until(running, gone, Stage.CLOSED)
            house.write(orders=HAND_OVER, locations=f'{LOCATION} = {{ channel = "{CHANNEL}" }}')
            await running.app.reload()
            slip = await running.until_case(CaseKind.HELD_RULES)
            assert slip is not None
            assert (await ask(running, "exceptions.retry", id=slip.id))["done"]
            waiting = {far(1), far(2)}
            for order_id in waiting:
                await until(running, order_id, Stage.HELD)
            site.house.warehouse.receipt("A", "WH2", 1)
            await site.clock.sleep(180)
            cases = await running.cases(CaseKind.ORDER_UNMAPPED_LINE)
            assert sorted(case.subject for case in cases) == sorted(waiting)
            codes = [code for code, _ in await causes(running)]
            assert codes.index("location_unmapped") < codes.index("order_unmapped_line")
            house.write(orders=HAND_OVER, locations=both)
            await running.app.reload()
            for order_id in waiting:
                await until(running, order_id, Stage.ACCEPTED, seconds=30)
            assert await running.cases(CaseKind.ORDER_UNMAPPED_LINE) == []
