"""An order on its way round: placed in commercetools, accepted by Archean, dispatched, booked. What such tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from archsyncd.domain.handover import Stage
from archsyncd.operator.commands import Commands
from archsyncd.simulators.commercetools import OrderLine
from tests.process.site import CHANNEL, LOCATION, Site
from tests.system.inside import Running, inside

HAND_OVER = 'mode = "hand-over"\n'


@asynccontextmanager
async def accepted(
    seed: int,
    pieces: int,
    *,
    orders: str = "",
    shop: dict[str, Any] | None = None,
    more: str = "",
    **purchase: Any,
) -> AsyncIterator[tuple[Site, Running, str]]:
    """A daemon that hands over, ten of A, and an order of some of them that Archean has accepted.

    `orders` goes on in the table [orders], `more` into the rest of the configuration, `purchase` into the order.
    """
    async with inside(seed=seed, shop=shop) as (site, house):
        site.open({"A": 10})
        async with house.daemon(orders=HAND_OVER + orders, more=more) as running:
            await site.until_stock({"A": 10})
            order_id = buys(site, ("A", pieces), **purchase)
            await until(running, order_id, Stage.ACCEPTED)
            yield site, running, order_id


async def ask(running: Running, verb: str, **arguments: Any) -> dict[str, Any]:
    """What a verb of archsyncctl answers."""
    return await Commands(running.app).answer(verb, arguments)


async def until(running: Running, reference: str, *stages: Stage, seconds: float = 300.0) -> None:
    """Wait until an order is in one of these states."""
    clock = running.app.clock
    end = clock.monotonic() + seconds
    while True:
        found = await running.app.store.handovers.story(reference)
        if found is not None and found.carried.stage in stages:
            return
        now = None if found is None else (found.carried.stage, found.carried.reason)
        assert clock.monotonic() < end, f"{reference} is {now}, not {stages}"
        await clock.sleep(0.2)


def buys(site: Site, *lines: OrderLine | tuple[str, int], **purchase: Any) -> str:
    """A shopper orders; nobody but the daemon tells Archean. Returns the order's id."""
    wanted = [line if isinstance(line, OrderLine) else OrderLine(*line, CHANNEL) for line in lines]
    return site.shop.place_order(wanted, **purchase)


def deliveries(site: Site, order_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.shop.order(order_id)["shippingInfo"]["deliveries"]
    return found


def state(site: Site, order_id: str) -> str | None:
    found: str | None = site.shop.order(order_id).get("shipmentState")
    return found


def refs(site: Site, order_id: str) -> list[str]:
    """The ids of an order's lines."""
    return [line["id"] for line in site.shop.order(order_id)["lineItems"]]


def again(site: Site, order_id: str, name: str, **changes: Any) -> None:
    """Archean states a shipped fulfilment anew."""
    ref = refs(site, order_id)[0]
    fields: dict[str, Any] = {
        "orderId": order_id,
        "fulfilmentId": name,
        "status": "shipped",
        "location": LOCATION,
        "lines": [{"lineRef": ref, "sku": "A", "quantity": 2}],
        "parcels": [
            {"parcelId": "P-1", "carrier": "DPD", "trackingNumber": "15500000000001"},
        ],
    }
    site.house.log.append("fulfilment", fields | changes, location=LOCATION)


def returned(site: Site, order_id: str) -> list[str]:
    """The states of an order's return items."""
    return [
        item["shipmentState"] for info in site.shop.order(order_id)["returnInfo"] for item in info["items"]
    ]
