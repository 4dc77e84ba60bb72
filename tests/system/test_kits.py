"""A kit and a shared location from the configuration to commercetools, with the daemon's own parts and its verbs."""

from __future__ import annotations

from archsyncd.simulators.commercetools import OrderLine
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import inside
from tests.system.test_mapping import found

KIT = '[kits."KIT"]\ncomponents = { "A" = 1, "B" = 2 }\nallotment = "50%"'


@virtual
async def test_a_kit_is_sold_imported_as_components_and_offered_again() -> None:
    """Two kits are ordered: their pieces leave the shelves, and every entry shows its part of what is left."""
    async with inside(seed=640) as (site, house):
        house.write(more=KIT)
        async with house.daemon() as running:
            site.open({"A": 10, "B": 20})
            site.shop.add_products(["KIT"])
            await site.until_stock({"KIT": 5, "A": 5, "B": 10}, 120)
            order_id = site.shop.place_order([OrderLine("KIT", 2, CHANNEL)])
            lines = [
                {"lineRef": "1", "sku": "A", "quantity": 2, "location": "WH1"},
                {"lineRef": "2", "sku": "B", "quantity": 4, "location": "WH1"},
            ]
            body = {
                "orderId": order_id,
                "createdAt": site.shop.order(order_id)["createdAt"],
                "lines": lines,
                "delay_seconds": 1.0,
            }
            site.ask_house("orders", body)
            await site.until_stock({"KIT": 4, "A": 4, "B": 8}, 300)
            (key,) = (await ask(running, "sku", sku="KIT"))["keys"]
            assert key["adds_up"], key["checks"]
            assert len(key["made_of"]) == 2
            assert key["reflected"] == key["known"] == 2
            assert "KIT" not in await found(running, "not_sent")


@virtual
async def test_a_shared_location_is_sold_in_parts() -> None:
    """Six of ten are sold on the one channel; of the four that are left each channel has its share in the end."""
    async with inside(seed=641) as (site, house):
        site.shop.add_channel("outlet")
        house.write(locations=f'WH1 = {{ shares = {{ "{CHANNEL}" = 60, "outlet" = 40 }} }}')
        async with house.daemon() as running:
            site.open({"A": 10})
            await site.until_stock({"A": 6}, 120)
            order_id = site.shop.place_order([OrderLine("A", 6, CHANNEL)])
            lines = [{"lineRef": "1", "sku": "A", "quantity": 6, "location": "WH1"}]
            created = site.shop.order(order_id)["createdAt"]
            body = {"orderId": order_id, "createdAt": created, "lines": lines, "delay_seconds": 1.0}
            site.ask_house("orders", body)

            await site.until_stock({"A": 2}, 300)
            assert site.shop.true_stock("A", "outlet") == 1
            keys = (await ask(running, "sku", sku="A"))["keys"]
            assert all(key["adds_up"] for key in keys)
