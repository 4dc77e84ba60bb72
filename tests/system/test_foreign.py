"""People and other programs change entries behind the daemon: down at once, up only when it is beyond doubt."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind
from tests.process.site import CHANNEL, LOCATION
from tests.support.virtual_time import virtual
from tests.system.inside import Running, inside

HEALED_SECONDS = 240.0


async def look(daemon: Running) -> None:
    """Have every entry compared now, as the sample and the nightly pass do one after the other."""
    await daemon.app.store.outbox.plan_checks(None, 100)
    daemon.app.shared.bases.set()


@virtual
async def test_f089_stock_that_somebody_raised_is_cut_again() -> None:
    """Too high is what oversells: it is taken back at the next look, and told."""
    async with inside(seed=100) as (site, house), house.daemon() as daemon:
        site.open({"A": 10, "B": 10})
        await site.until_stock({"A": 10, "B": 10})
        site.shop.update_entry("A", CHANNEL, {"action": "addQuantity", "quantity": 5})
        assert site.stock("A") == 15
        await look(daemon)
        await daemon.until_case(CaseKind.DRIFT, seconds=HEALED_SECONDS)
        await site.until_stock({"A": 10, "B": 10}, HEALED_SECONDS)
        await look(daemon)
        await daemon.until_case(CaseKind.DRIFT, open_=False, seconds=HEALED_SECONDS)


@virtual
async def test_f089_every_entry_is_looked_at_in_its_turn_though_nothing_is_due_for_it() -> None:
    """Two keys a minute of seven: an edit of any is found by itself, corrected, and its case closed."""
    stock = {f"S{number}": 10 for number in range(7)}
    async with inside(seed=106) as (site, house):
        site.open(stock)
        async with house.daemon(reconcile="sample_keys_per_minute = 2") as daemon:
            await site.until_stock(stock)
            await site.clock.sleep(60)
            for sku in ("S0", "S6", "S3"):
                site.shop.update_entry(sku, CHANNEL, {"action": "addQuantity", "quantity": 5})
                await daemon.until_case(CaseKind.DRIFT, seconds=HEALED_SECONDS + 60)
                await site.until_stock(stock, HEALED_SECONDS)
                await daemon.until_case(CaseKind.DRIFT, open_=False, seconds=60)


@virtual
async def test_f089_with_no_sample_an_edit_waits_for_whoever_asks() -> None:
    """The setting is what has entries looked at: without it nobody does."""
    async with inside(seed=107) as (site, house):
        site.open({"A": 10})
        async with house.daemon(reconcile="sample_keys_per_minute = 0") as daemon:
            await site.until_stock({"A": 10})
            site.shop.update_entry("A", CHANNEL, {"action": "addQuantity", "quantity": 5})
            await site.stays(lambda: site.stock("A") == 15, "somebody looked", 600)
            assert await daemon.cases(CaseKind.DRIFT) == []


@virtual
async def test_f089_stock_that_somebody_took_away_is_given_back_when_it_was_seen_twice() -> None:
    """Too low only hides stock: no order may explain it, and one look is not enough."""
    async with inside(seed=101) as (site, house), house.daemon() as daemon:
        site.open({"A": 10, "B": 10})
        await site.until_stock({"A": 10, "B": 10})
        site.shop.update_entry("A", CHANNEL, {"action": "changeQuantity", "quantity": 4})
        await look(daemon)
        await daemon.until_case(CaseKind.DRIFT, seconds=HEALED_SECONDS)
        assert site.stock("A") == 4
        await site.until_stock({"A": 10, "B": 10}, 3 * HEALED_SECONDS)


@pytest.mark.parametrize("edit", [-3, 3])
@virtual
async def test_f089_an_edit_between_orders_and_deliveries_ends_right(edit: int) -> None:
    """Orders that the list does not show yet are never taken for an edit, and the edit is undone all the same."""
    action = {"action": "addQuantity" if edit > 0 else "removeQuantity", "quantity": abs(edit)}
    async with (
        inside(seed=102, shop={"stock_lag_seconds": 10.0, "message_lag_seconds": 5.0}) as (
            site,
            house,
        ),
        house.daemon() as daemon,
    ):
        site.open({"A": 40})
        await site.until_stock({"A": 40})
        for step in range(8):
            await look(daemon)
            site.order("A", 1, import_seconds=4.0)
            if step == 3:
                site.shop.update_entry("A", CHANNEL, action)
            if step == 5:
                site.house.warehouse.receipt("A", LOCATION, 2)
            await site.clock.sleep(7)
        await look(daemon)
        await site.until_stock({"A": 34}, 3 * HEALED_SECONDS)
        await site.stays(lambda: site.stock("A") == 34, "it moved again", 200)


@virtual
async def test_f091_a_cleared_marker_gives_no_increase_before_a_clean_read() -> None:
    """Somebody takes the custom type off: what the entry shows is read anew, and its base proven first."""
    async with inside(seed=103) as (site, house), house.daemon() as daemon:
        site.open({"A": 10, "B": 10})
        await site.until_stock({"A": 10, "B": 10})
        site.shop.clear_marker("A", CHANNEL)
        site.shop.clear_marker("B", CHANNEL)
        site.house.warehouse.receipt("A", LOCATION, 3)
        site.house.warehouse.store_sale("B", LOCATION, 3)
        await daemon.until_case(CaseKind.FOREIGN_WRITER)
        await site.until_stock({"B": 7}, 20)
        assert site.stock("A") == 10
        await site.until_stock({"A": 13}, HEALED_SECONDS)
        await daemon.until_case(CaseKind.FOREIGN_WRITER, open_=False)


@virtual
async def test_f073_people_and_orders_on_one_entry_at_once_lose_nothing() -> None:
    """Versions are stale nearly every time; increments stay right, because they are increments."""
    async with inside(seed=104) as (site, house), house.daemon():
        site.open({"A": 200})
        await site.until_stock({"A": 200})
        for _ in range(40):
            site.order("A", 1, import_seconds=1.0)
            site.shop.touch_entry("A", CHANNEL)
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.clock.sleep(0.3)
        await site.until_stock({"A": 200}, 120)


@virtual
async def test_a_channel_that_is_deleted_parks_its_keys_and_stops_nothing_else() -> None:
    """No pump dies of it; the other channel goes on."""
    both = {"locations": ("WH1", "WH2"), "channels": {"WH1": CHANNEL, "WH2": "warehouse-2"}}
    async with inside(seed=105, house=both) as (site, house):
        site.open({"A": 10})
        site.open({"B": 10}, "warehouse-2", "WH2")
        mapped = f'WH1 = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "warehouse-2" }}'
        async with house.daemon(locations=mapped) as daemon:
            await site.until(lambda: site.stock("B", "warehouse-2") == 10, "the second channel's stock")
            await site.until_stock({"A": 10})
            site.shop.set_channel_roles("warehouse-2", [])
            await daemon.until_case(CaseKind.CHANNEL_MISSING)
            for _ in range(5):
                site.house.warehouse.store_sale("A", LOCATION, 1)
                await site.clock.sleep(20)
            await site.until_stock({"A": 5})
