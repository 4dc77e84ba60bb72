"""Failures that make no noise: each is found, named by its code and owner, within its limit, and forgotten when it is over."""

from __future__ import annotations

from typing import Any

from archsyncd.domain.cases import CaseKind
from archsyncd.simulators.commercetools.faults import FaultKind as ShopFault
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, ask
from tests.system.inside import Running, inside

STOCK = {"A": 10, "B": 20, "C": 30}
INTERVAL_SECONDS = 15
ONE = f'{LOCATION} = {{ channel = "{CHANNEL}" }}'


async def reason(daemon: Running, code: str) -> dict[str, Any] | None:
    """The cause of this code as the status tells it now."""
    status = await daemon.app.desk.status()
    return next((each for each in status["reasons"] if each["code"] == code), None)


async def until_told(daemon: Running, code: str, seconds: float) -> dict[str, Any]:
    """Wait until the status names this cause; it must have come within so many seconds."""
    clock = daemon.app.clock
    end = clock.monotonic() + seconds
    while (found := await reason(daemon, code)) is None:
        told = (await daemon.app.desk.status())["reasons"]
        assert clock.monotonic() < end, f"{code} was not told within {seconds:g} s: {told}"
        await clock.sleep(1)
    return found


async def until_healthy(daemon: Running, seconds: float) -> None:
    """Wait until nothing is wrong any more."""
    clock = daemon.app.clock
    end = clock.monotonic() + seconds
    while (status := await daemon.app.desk.status())["verdict"] != "healthy":
        assert clock.monotonic() < end, status["reasons"]
        await clock.sleep(1)


async def owner_of(daemon: Running, kind: CaseKind) -> str:
    """Whose the open cases of a kind are."""
    found = (await daemon.app.desk.status())["exceptions"]
    (owner,) = [each["owner"] for each in found if each["kind"] == kind.value]
    return str(owner)


async def opened(site: Site, daemon: Running, stock: dict[str, int] = STOCK) -> None:
    """Everything is in step, and the status says so."""
    await site.until_stock(stock)
    await until_healthy(daemon, 120)


@virtual
async def test_f118_heartbeats_stop_and_the_feed_is_called_stale_after_five_intervals() -> None:
    """It answers every poll; nothing that it could tell comes. Systemd's line begins with it."""
    async with inside(seed=700) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await opened(site, daemon)
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.until_stock({"A": 11})
            site.house.log.freeze()
            # What was under way when it froze is still told.
            await until_told(daemon, "feed_late", 2 * INTERVAL_SECONDS + 10)
            found = await until_told(daemon, "feed_stale", 3 * INTERVAL_SECONDS + 5)
            assert found["level"] == "critical"
            assert await owner_of(daemon, CaseKind.STALE_FEED) == "operations"
            await site.clock.sleep(2)
            assert daemon.notes.status.startswith("critical: feed main: no sign of life for ")
            site.house.log.thaw()
            await until_healthy(daemon, 60)
            await site.clock.sleep(2)
            assert daemon.notes.status == "in step: 3 keys; 0 exceptions"


@virtual
async def test_f118_heartbeats_go_on_while_levels_stand_still_and_the_location_is_called_quiet() -> None:
    """A heart that beats says nothing of what reads the changes; the feed itself stays fresh."""
    async with inside(seed=701) as (site, house):
        site.open(STOCK)
        async with house.daemon(more="[health]\nquiet_minutes = 5") as daemon:
            await opened(site, daemon)
            await site.clock.sleep(200)
            assert await reason(daemon, "location_quiet") is None
            found = await until_told(daemon, "location_quiet", 160)
            assert found["level"] == "degraded"
            assert LOCATION in found["says"]
            status = await daemon.app.desk.status()
            assert [feed["verdict"] for feed in status["feeds"]] == ["fresh"]
            assert [each["state"] for each in status["locations"]] == ["quiet"]
            site.house.warehouse.receipt("A", LOCATION, 1)
            await until_healthy(daemon, 30)


@virtual
async def test_a_location_of_which_nothing_is_ever_told_is_named() -> None:
    """A slip in the name of a location that is added looks like an empty one."""
    async with inside(seed=702) as (site, house):
        site.open(STOCK)
        rules = f'[channels."{CHANNEL}"]\norder_location = "{LOCATION}"'
        async with house.daemon(more=rules) as daemon:
            await opened(site, daemon)
            house.write(locations=f'{ONE}\nWH7 = {{ channel = "{CHANNEL}" }}', more=rules)
            await daemon.app.reload()
            found = await until_told(daemon, "location_unheard", 310)
            assert "location WH7" in found["says"]
            worst = (await daemon.app.desk.status())["locations"][0]
            assert (worst["name"], worst["state"]) == ("WH7", "unheard")


@virtual
async def test_orders_that_archean_does_not_take_are_called_stalled() -> None:
    """It answers everything else."""
    async with inside(seed=703) as (site, house):
        site.open(STOCK)
        async with house.daemon(orders=HAND_OVER + "stalled_minutes = 2") as daemon:
            await opened(site, daemon)
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="orders", times=None, status=503))
            site.order("A", 1, import_seconds=None)
            await until_told(daemon, "stalled_orders", 240)
            assert (await daemon.app.desk.status())["data"]["stalled"] == 1
            assert await owner_of(daemon, CaseKind.STALLED_ORDERS) == "operations"
            site.house.script.clear()
            await daemon.until_case(CaseKind.STALLED_ORDERS, open_=False, seconds=600)


@virtual
async def test_stock_updates_that_time_out_are_critical_within_five_minutes() -> None:
    """Reads go on, so commercetools seems well; what should be lower is not."""
    async with inside(seed=704) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await opened(site, daemon)
            for route in ("inventory.update", "graphql"):
                site.shop.faults.add(route, ShopFault.GATEWAY_TIMEOUT, count=None)
            site.house.warehouse.store_sale("A", LOCATION, 4)
            clock = daemon.app.clock
            end = clock.monotonic() + 310
            while (status := await daemon.app.desk.status())["verdict"] != "critical":
                assert clock.monotonic() < end, status["reasons"]
                await clock.sleep(1)
            codes = {each["code"] for each in status["reasons"] if each["level"] == "critical"}
            assert codes & {"commercetools_unreachable", "decrease_waits", "in_doubt"}, status["reasons"]
            site.shop.faults.clear()
            await site.until_stock({"A": 6}, 300)
            await until_healthy(daemon, 300)


@virtual
async def test_f089_stock_that_somebody_edits_in_commercetools_is_told_as_drift() -> None:
    """Nobody looks for it: it is found in its turn, counted, and told whose it is."""
    async with inside(seed=705) as (site, house):
        site.open(STOCK)
        async with house.daemon(reconcile="sample_keys_per_minute = 3") as daemon:
            await opened(site, daemon)
            await site.clock.sleep(60)
            site.shop.update_entry("B", CHANNEL, {"action": "addQuantity", "quantity": 5})
            await until_told(daemon, CaseKind.DRIFT.value, 300)
            assert (await daemon.app.desk.status())["data"]["drifting"] == 1
            assert await owner_of(daemon, CaseKind.DRIFT) == "operations"
            await until_healthy(daemon, 600)
            assert site.stock("B") == 20


@virtual
async def test_f167_a_mapping_that_is_removed_by_a_slip_is_held_and_critical() -> None:
    """The reload succeeds; that much of the shop would be emptied is held, and is the first thing that anybody reads."""
    places = {LOCATION: CHANNEL, "WH2": CHANNEL}
    async with inside(seed=706, house={"locations": tuple(places), "channels": places}) as (site, house):
        site.open(STOCK)
        site.shop.add_products(("D", "E"))
        for sku in ("D", "E"):
            site.house.warehouse.seed(sku, "WH2", 5)
        both = f'{ONE}\nWH2 = {{ channel = "{CHANNEL}" }}'
        rules = f'[channels."{CHANNEL}"]\norder_location = "{LOCATION}"'
        async with house.daemon(locations=both, more=rules) as daemon:
            await opened(site, daemon, STOCK | {"D": 5, "E": 5})
            house.write(locations=ONE, more=rules)
            await daemon.app.reload()
            found = await until_told(daemon, CaseKind.HELD_RULES.value, 10)
            assert found["level"] == "critical"
            await site.clock.sleep(2)
            assert daemon.notes.status.startswith("critical: 1 open held_rules (owner operations)")
            assert site.stock("D") == 5
            house.write(locations=both, more=rules)
            await daemon.app.reload()
            await until_healthy(daemon, 30)


@virtual
async def test_a_location_whose_mapping_is_gone_is_named_with_its_next_record() -> None:
    """Once a person allowed it: what is told of it is kept and not for sale; the case closes itself when it is mapped again."""
    async with inside(seed=709) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await opened(site, daemon)
            house.write(locations='WH2 = { channel = "warehouse-2" }')
            await daemon.app.reload()
            await until_told(daemon, CaseKind.HELD_RULES.value, 10)
            (case,) = await daemon.cases(CaseKind.HELD_RULES)
            await ask(daemon, "exceptions.retry", id=case.id)
            site.house.warehouse.receipt("A", LOCATION, 1)
            await until_told(daemon, CaseKind.LOCATION_UNMAPPED.value, 30)
            assert await owner_of(daemon, CaseKind.LOCATION_UNMAPPED) == "operations"
            house.write(locations=ONE)
            await daemon.app.reload()
            await site.until_stock({"A": 11}, 60)
            await daemon.until_case(CaseKind.LOCATION_UNMAPPED, open_=False, seconds=60)


@virtual
async def test_more_ordered_than_there_is_becomes_a_case_and_closes_itself() -> None:
    """Goods are sold in the store and online at once; an order on its way into Archean's figures is none."""
    async with inside(seed=707) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await opened(site, daemon)
            site.order("B", 20, import_seconds=100.0)
            site.order("A", 5, import_seconds=None)
            site.house.warehouse.store_sale("A", LOCATION, 8)
            await site.until_stock({"A": -3})
            await site.clock.sleep(200)
            assert await reason(daemon, CaseKind.SUSPECTED_OVERSELL.value) is None
            found = await until_told(daemon, CaseKind.SUSPECTED_OVERSELL.value, 130)
            assert found["level"] == "critical"
            (case,) = await daemon.cases(CaseKind.SUSPECTED_OVERSELL)
            assert (case.scope, case.subject) == (CHANNEL, "A")
            assert case.reason.startswith("3 pieces of A may be sold beyond the stock")
            site.house.warehouse.receipt("A", LOCATION, 3)
            await daemon.until_case(CaseKind.SUSPECTED_OVERSELL, open_=False, seconds=30)


@virtual
async def test_f117_a_location_that_is_withheld_is_critical_and_comes_back_by_marked_increments() -> None:
    """Not offered, and said so; then offered again by writes that carry a marker, and forgotten."""
    async with inside(seed=708) as (site, house):
        site.open(STOCK)
        async with house.daemon(more="[health]\nfail_closed_minutes = 2") as daemon:
            await opened(site, daemon)
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="any", times=None, status=503))
            found = await until_told(daemon, "withheld", 5 * INTERVAL_SECONDS + 2 * 60 + 60)
            assert found["level"] == "critical"
            assert f"location {LOCATION}" in found["says"]
            await site.until_stock(dict.fromkeys(STOCK, 0), 60)
            assert [each["withheld"] for each in (await daemon.app.desk.status())["locations"]] == [True]
            before = {sku: await daemon.row(sku) for sku in STOCK}
            site.house.script.clear()
            await site.until_stock(STOCK, 180)
            await until_healthy(daemon, 180)
            for sku, pieces in STOCK.items():
                row = await daemon.row(sku)
                assert (row.x_applied, before[sku].x_applied) == (pieces, 0)
                fields = site.shop.entry_document(sku, CHANNEL)["custom"]["fields"]
                assert fields["archX"] == pieces
