"""Everything a whole run sends and is answered fits the vendor's own description of its API."""

from __future__ import annotations

from archsyncd.simulators.commercetools import FaultKind
from tests.process.site import CHANNEL
from tests.support.virtual_time import run_virtual
from tests.system.inside import House, inside
from tests.system.test_takeover import DAY, lose, play
from tests.vendor_api import vendor_api


async def whole_life() -> dict[str, int]:
    """First start, trade, batches, faults, edits by people, a deleted order, a lost database, the lease."""
    async with inside(seed=90) as (around, house):
        trade = around.trade(DAY, 90)
        await trade.open()
        house.write(lease_seconds=30, commercetools="max_in_flight = 2")
        for kind in (FaultKind.CONFLICT, FaultKind.INVALID_INPUT, FaultKind.SERVER_ERROR_APPLIED):
            around.shop.faults.add("inventory.update", kind, count=2)
        async with house.daemon():
            await play(trade)
            order = around.order("SKU-00001", 1)
            await around.clock.sleep(20)
            around.shop.delete_order(order)
            around.shop.clear_marker("SKU-00002", CHANNEL)
            around.shop.delete_entry("SKU-00003", CHANNEL)
            for sku in ("SKU-00001", "SKU-00002", "SKU-00003"):
                around.house.warehouse.receipt(sku, "WH1", 1)
            await around.clock.sleep(60)
        lose(house)
        await taken_over(house)
        return around.watcher.counts


async def taken_over(house: House) -> None:
    async with house.daemon():
        await house.site.clock.sleep(150)


def test_every_request_and_answer_of_a_whole_life_fits_the_vendors_description() -> None:
    """Every exchange of every kind; as in all tests on a site, one that does not fit fails its end."""
    vendor_api()  # skips, and says why, where the description is not at hand
    counts = run_virtual(whole_life())
    kinds = {kind.rpartition(" ")[0] for kind in counts}
    wanted = {
        "POST inventory",
        "GET inventory",
        "POST graphql",
        "POST graphql-mutation",
        "GET messages",
        "GET orders",
    }
    wanted |= {"POST types", "GET channels", "POST custom-objects", "POST token"}
    assert wanted <= kinds, wanted - kinds
