"""A location that is taken out of the configuration while its goods are on sale: held, and nothing is ever put back on sale."""

from __future__ import annotations

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.rules import LET_GO
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import Running, inside
from tests.system.test_silent import ONE, STOCK, opened, reason, until_healthy, until_told

OTHER = 'WH2 = { channel = "warehouse-2" }'
IGNORED = f"{LOCATION} = {{ ignore = true }}\n{OTHER}"


def written(site: Site) -> set[str | None]:
    """The daemon's operations that all entries have seen."""
    return {line.operation for sku in STOCK for line in site.shop.stock_lines(sku, CHANNEL)}


async def held(daemon: Running) -> int:
    """The case of the rules that wait for a person."""
    found = await until_told(daemon, CaseKind.HELD_RULES.value, 10)
    assert found["level"] == "critical"
    (case,) = await daemon.cases(CaseKind.HELD_RULES)
    assert (
        f"no location would fill the supply channel {CHANNEL} any more: what it offers of 3 SKUs"
        in case.reason
    )
    return case.id


@virtual
async def test_f167_a_channel_that_loses_its_last_location_is_kept_up_until_a_person_decides() -> None:
    """Store sales and orders are taken off as before, and putting the line back ends it."""
    async with inside(seed=720) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await opened(site, daemon)
            house.write(locations=OTHER)
            await daemon.app.reload()
            await held(daemon)
            site.house.warehouse.store_sale("A", LOCATION, 2)
            site.order("B", 3)
            await site.until_stock({"A": 8, "B": 17, "C": 30}, 60)
            assert await reason(daemon, CaseKind.LOCATION_UNMAPPED.value) is None
            house.write(locations=ONE)
            await daemon.app.reload()
            await until_healthy(daemon, 60)


@virtual
async def test_f167_a_channel_that_is_let_go_is_never_written_again_and_comes_back_exactly() -> None:
    """Whatever is ordered there: orders are counted no more, and a figure put right without them would sell pieces twice."""
    async with inside(seed=721) as (site, house):
        site.open(STOCK)
        async with house.daemon(reconcile="sample_keys_per_minute = 60") as daemon:
            await opened(site, daemon)
            house.write(locations=OTHER)
            await daemon.app.reload()
            await ask(daemon, "exceptions.retry", id=await held(daemon))
            before = written(site)
            for sku, pieces in (("A", 4), ("B", 5), ("C", 6)):
                site.order(sku, pieces)
            site.house.warehouse.store_sale("A", LOCATION, 1)
            await site.clock.sleep(900)
            assert written(site) == before
            assert {sku: site.stock(sku) for sku in STOCK} == {"A": 6, "B": 15, "C": 24}
            assert (await daemon.app.store.report.parked())[LET_GO] == len(STOCK)
            (key,) = (await ask(daemon, "sku", sku="A"))["keys"]
            assert (key["parked"], key["adds_up"]) == (LET_GO, True)
            house.write(locations=ONE)
            await daemon.app.reload()
            await site.until_stock({"A": 5, "B": 15, "C": 24}, 300)
            await until_healthy(daemon, 300)


@virtual
async def test_a_channel_whose_location_is_said_to_be_sold_no_more_offers_nothing() -> None:
    """`ignore = true`, and a person's word for so many at once: what it still offers is taken away, orders stay counted."""
    async with inside(seed=722) as (site, house):
        site.open(STOCK)
        async with house.daemon() as daemon:
            await opened(site, daemon)
            house.write(locations=IGNORED)
            await daemon.app.reload()
            await until_told(daemon, CaseKind.HELD_RULES.value, 10)
            (case,) = await daemon.cases(CaseKind.HELD_RULES)
            await ask(daemon, "exceptions.retry", id=case.id)
            await site.until_stock(dict.fromkeys(STOCK, 0), 60)
            await site.clock.sleep(600)
            assert {sku: site.stock(sku) for sku in STOCK} == dict.fromkeys(STOCK, 0)
