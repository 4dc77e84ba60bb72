"""The reports of the whole daemon: what went wrong with an order is in them while it lasts, and names nobody."""

from __future__ import annotations

import json

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, ask, buys, refs, until
from tests.system.inside import inside


@virtual
async def test_finance_and_the_daily_report_tell_what_is_wrong_with_orders_while_it_lasts() -> None:
    """A short pick and a booking that Archean does not take: both are told, then settled, and nothing is left to do."""
    async with inside(seed=440) as (site, house):
        site.open({"A": 100})
        async with house.daemon(orders=HAND_OVER) as running:
            await site.until_stock({"A": 100})
            short, slow = buys(site, ("A", 3)), buys(site, ("A", 1))
            await until(running, short, Stage.ACCEPTED)
            await until(running, slow, Stage.ACCEPTED)
            dispatch = site.house.warehouse.dispatch
            dispatch.short(short, refs(site, short)[0], 1)
            dispatch.ship(short)
            await until(running, short, Stage.PART_SHIPPED)
            case = await running.until_case(CaseKind.SHORT_PICK)
            assert case is not None
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="fulfilments", times=9))
            dispatch.ship(slow)
            await until(running, slow, Stage.SHIPPED)

            finance = await ask(running, "report.finance")
            found = {(row["section"], row["order"]) for row in finance["rows"]}
            assert {("unfulfillable", short), ("booked_not_acknowledged", slow)} <= found
            address = [str(value) for value in site.shop.order(short)["shippingAddress"].values()]
            names = [word for word in address if len(word) > 2]
            assert names
            assert not any(word in json.dumps(finance) for word in names)
            daily = await ask(running, "report.daily")
            assert daily["act"]
            assert [item["topic"] for item in daily["items"] if item["need"] == "act"] == ["short_pick"]

            assert (await ask(running, "exceptions.retry", id=case.id))["done"]
            await until(running, slow, Stage.CLOSED, seconds=3_000)
            await until(running, short, Stage.CLOSED_SHORT)
            assert (await ask(running, "report.finance"))["rows"] == []
            await running.app.clock.sleep(30)
            daily = await ask(running, "report.daily")
            assert not daily["act"], daily["items"]
            assert daily["previous"] is not None
