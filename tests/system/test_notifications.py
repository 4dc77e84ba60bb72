"""Orders' notifications over Pub/Sub, beside the queries: faster, never believed, and nothing is lost with them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.engine.orders import OrderOptions
from archsyncd.simulators.commercetools import FaultKind
from archsyncd.simulators.pubsub import Broker, serve
from tests.adapters.feeds.subscribing import encoded
from tests.process.site import Site
from tests.support.virtual_time import virtual
from tests.system.inside import House, Running, inside
from tests.system.queueing import NOTICED, NOTICES

STOCK = {"A": 9}


class Announcing:
    """commercetools' Subscription, as far as it is played by hand."""

    def __init__(self, broker: Broker, url: str) -> None:
        self.broker = broker
        self.inside = broker.subscribe(NOTICED, NOTICES)
        self.settings = (
            f'notifications = "{NOTICED}"\nnotifications_emulator = "{url.removeprefix("http://")}"\n'
        )

    def tell(self, body: Any) -> None:
        self.broker.publish(NOTICES, encoded(body), {})

    def order(self, order_id: str, **more: Any) -> dict[str, Any]:
        """A message that an order was placed."""
        resource = {"typeId": "order", "id": order_id}
        told = {
            "notificationType": "Message",
            "projectKey": "demo",
            "resource": resource,
            "type": "OrderCreated",
        }
        return told | more


@asynccontextmanager
async def announcing(seed: int) -> AsyncIterator[tuple[Site, House, Announcing]]:
    """A site whose queries of orders are so seldom that only a notification can be quick."""
    async with inside(seed=seed) as (site, house):
        broker = Broker(site.clock, random.Random(3))
        broker.pull_seconds = 5.0
        async with serve(broker) as url:
            yield site, house, Announcing(broker, url)


async def known(daemon: Running, order_id: str) -> bool:
    return bool(await daemon.app.store.orders.known_orders([order_id]))


async def until_known(site: Site, daemon: Running, order_id: str, seconds: float) -> None:
    end = site.clock.now() + seconds
    while not await known(daemon, order_id):
        assert site.clock.now() < end, "the order was not learnt"
        await site.clock.sleep(0.1)


@pytest.mark.parametrize("event", [False, True])
@virtual
async def test_an_order_is_learnt_by_its_notification(event: bool) -> None:
    """Long before the next poll, as a message or as a CloudEvent without payload, and it is acknowledged then."""
    async with announcing(401) as (site, house, queue):
        site.open(STOCK)
        async with house.daemon(orders=queue.settings) as daemon:
            await site.until_stock(STOCK)
            daemon.app.orders.options = _patient(daemon)
            await site.clock.sleep(5)
            order_id = site.order("A", 2)
            body = queue.order(
                order_id, payloadNotIncluded={"reason": "too large", "payloadType": "OrderCreated"}
            )
            queue.tell({"specversion": "1.0", "data": body} if event else body)
            await until_known(site, daemon, order_id, 2)
            await site.until(lambda: not queue.inside.out and queue.inside.acknowledged, "it is acknowledged")


@virtual
async def test_nothing_that_a_notification_says_is_believed() -> None:
    """Invented orders, other projects and rubbish are acknowledged; the order is as commercetools says."""
    async with announcing(402) as (site, house, queue):
        site.open(STOCK)
        async with house.daemon(orders=queue.settings) as daemon:
            await site.until_stock(STOCK)
            queue.tell(
                queue.order("00000000-0000-0000-0000-000000000000", order={"lineItems": [{"sku": "A"}]})
            )
            queue.tell(queue.order("x", projectKey="elsewhere"))
            queue.tell(b"rubbish")
            queue.tell(
                {
                    "notificationType": "ResourceCreated",
                    "projectKey": "demo",
                    "resource": {"typeId": "subscription", "id": "s"},
                }
            )
            await site.until(lambda: len(queue.inside.acknowledged) == 4, "all are acknowledged")
            assert "another project" in daemon.app.shared.notes["order notifications"]
            await site.stays(lambda: site.stock("A") == 9, "an invented order takes stock", 30)
            queue.tell(queue.order(site.order("A", 1)))
            await site.until(
                lambda: "order notifications" not in daemon.app.shared.notes, "it is as meant again"
            )


@virtual
async def test_f087_a_subscription_that_is_gone_costs_time_and_no_order() -> None:
    """Delivery stopped, the subscription deleted: a note says so, and the queries find the order."""
    async with announcing(403) as (site, house, queue):
        site.open(STOCK)
        del queue.broker.subscriptions[NOTICED]
        async with house.daemon(orders=queue.settings) as daemon:
            await site.until_stock(STOCK)
            await site.until(lambda: "order notifications" in daemon.app.shared.notes, "a note")
            assert "must exist" in daemon.app.shared.notes["order notifications"]
            order_id = site.order("A", 2)
            await until_known(site, daemon, order_id, 30)
            queue.broker.subscriptions[NOTICED] = queue.inside
            await site.until(lambda: "order notifications" not in daemon.app.shared.notes, "it is read again")


@virtual
async def test_a_notification_is_acknowledged_only_after_what_it_caused() -> None:
    """While commercetools does not answer it is held, and learnt as soon as it does."""
    async with announcing(404) as (site, house, queue):
        site.open(STOCK)
        async with house.daemon(orders=queue.settings) as daemon:
            await site.until_stock(STOCK)
            order_id = site.order("A", 2)
            site.shop.faults.add("orders.get", FaultKind.SERVER_ERROR, count=4)
            site.shop.faults.add("orders.query", FaultKind.SERVER_ERROR, count=4)
            queue.tell(queue.order(order_id))
            await site.clock.sleep(3)
            acknowledged, learnt = bool(queue.inside.acknowledged), await known(daemon, order_id)
            assert not acknowledged or learnt
            await until_known(site, daemon, order_id, 200)
            await site.until(lambda: bool(queue.inside.acknowledged), "it is acknowledged")
            assert await daemon.cases(CaseKind.INVALID_RECORD) == []


@virtual
async def test_a_stop_does_not_wait_for_a_notification() -> None:
    """The long pull is given up at once."""
    async with announcing(405) as (site, house, queue):
        site.open(STOCK)
        queue.broker.pull_seconds = 90.0
        async with house.daemon(orders=queue.settings):
            await site.until_stock(STOCK)
            began = site.clock.now()
        assert site.clock.now() - began < 10


def _patient(daemon: Running) -> OrderOptions:
    return replace(daemon.app.orders.options, poll_seconds=600.0, sweep_every_seconds=600.0)
