"""Orders handed over and dispatches booked per second against a bare client, and how long both take at a steady rate."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.commercetools import ClientOptions, HttpCommercetools
from archsyncd.adapters.r247_pull import PullAuth, PullFeed, PullOptions, Sessions
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.advice import AdviceStage
from archsyncd.domain.booking import Dispatch, book
from archsyncd.domain.feed import Batch, LineShare
from archsyncd.domain.handover import EligibleRule, PlacedLine, Placement, Stage
from archsyncd.domain.inventory import OrderPage
from archsyncd.domain.lags import Lag
from archsyncd.domain.rules import Carrying, LearnRules
from archsyncd.domain.times import rfc3339
from archsyncd.domain.whole_order import WholeOrder, WholePage
from archsyncd.engine.dispatching import Dispatching, DispatchOptions
from archsyncd.engine.handing_over import HandOver, HandOverOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.shared import Shared
from archsyncd.wire.commercetools.whole_orders import booking_actions
from archsyncd.wire.r247_orders import order_body
from tests.bench.drain import CLIENT, IN_FLIGHT, MARKER_TYPE, PROJECT, SECRET, UNLIMITED
from tests.bench.figures import ABOVE_FLOOR, BELOW_FLOOR, Figure
from tests.bench.processes import serving
from tests.bench.sizes import Sizes
from tests.bench.stock import CHANNEL, FEED, LOCATION, opened, rules
from tests.support.virtual_time import run_virtual
from tests.system.circling import HAND_OVER, buys
from tests.system.inside import inside

AIM = 0.3
LAG_AIM_SECONDS = 5.0
SKU = "SKU-1"
AT_ONCE = 12
ORDERS_PER_SECOND = 50
SKUS_IN_TRADE = 300
FLOOR_SECONDS = (0.5, 3.0)
_LIMIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Both outside worlds, a store, and what stands between them. `ours` and `twins` are ids of as many orders."""

    shop_url: str
    house_url: str
    store: SqliteStore
    client: HttpCommercetools
    feed: PullFeed
    limiter: Limiter
    shared: Shared
    ours: Sequence[str]
    twins: Sequence[str]


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """Unlimited throughput, and the lags of a shop that sells fifty orders a second within its granted rate."""
    async with _bench(sizes.orders, scratch) as bench:
        bodies = await _bodies(bench)
        carrying = _hand_over(bench)
        # The start is over before they are learnt: nobody has to ask whether an earlier run sent them.
        await carrying.work_some()
        await _learn(bench)
        handed = await _until_done(bench, carrying.work_some, len(bench.ours))
        assert set(await bench.store.handovers.counts()) == {Stage.ACCEPTED}
        bare_handed = await _put_all(bench, bodies)
        names = await _ship_all(bench)
        booked = await _until_done(bench, _dispatching(bench).work_some, len(bench.ours))
        bare_booked = await _book_all(bench, names)
    handed_over, told = await asyncio.to_thread(run_virtual, _trade(sizes.order_seconds))
    return [
        Figure("orders handed over", handed, "orders/s", bare_handed, BELOW_FLOOR, AIM),
        Figure("dispatches booked and acknowledged", booked, "dispatches/s", bare_booked, BELOW_FLOOR, AIM),
        *_lags("placed to accepted", handed_over),
        *_lags("told to booked", told),
    ]


def _lags(name: str, lag: Lag) -> list[Figure]:
    pairs = (("p50", lag.p50_ms), ("p99", lag.p99_ms))
    return [
        Figure(
            f"{percent} {name}, {ORDERS_PER_SECOND} orders/s",
            ms / 1000,
            "s",
            None,
            ABOVE_FLOOR,
            LAG_AIM_SECONDS,
        )
        for percent, ms in pairs
    ]


@asynccontextmanager
async def _bench(count: int, scratch: Path) -> AsyncIterator[Bench]:
    clock = SystemClock()
    limiter = Limiter(UNLIMITED, UNLIMITED, IN_FLIGHT, clock, lambda: 0.5)
    ids = itertools.count(1)
    async with (
        serving("archsyncd.simulators.commercetools", "--no-journal") as shop_url,
        serving("archsyncd.simulators.r247") as house_url,
        opened(scratch / "orders", clock, rules()) as store,
    ):
        client = HttpCommercetools(
            ClientOptions(
                shop_url, shop_url, PROJECT, CLIENT, "bench", MARKER_TYPE, connections=IN_FLIGHT + 8
            ),
            secret=lambda: SECRET,
            clock=clock,
            chance=lambda: 0.5,
            budget=limiter.charge,
            correlation=lambda: f"bench-{next(ids)}",
        )
        options = PullOptions(
            name=FEED, url=house_url, auth=PullAuth("none"), page_limit=5_000, wait_seconds=0
        )
        feed = PullFeed(options, str, clock, Sessions(), lambda: None)
        try:
            ours = await _place(shop_url, house_url, 2 * count)
            shared = Shared(clock)
            found = await client.channels(None)
            assert isinstance(found, tuple), found
            client.use_channels(found[0])
            shared.channel_keys = {channel.id: channel.key for channel in found[0]}
            store.carry(Carrying())
            yield Bench(shop_url, house_url, store, client, feed, limiter, shared, ours[:count], ours[count:])
        finally:
            await feed.close()
            await client.close()


async def _place(shop_url: str, house_url: str, count: int) -> list[str]:
    """A channel, a product, goods on the shelf, and orders."""
    async with aiohttp.ClientSession(house_url) as house, aiohttp.ClientSession(shop_url) as shop:
        stock = [{"sku": SKU, "location": LOCATION, "onHand": 10 * count}]
        await _act(house, "seed", {"stock": stock})
        await _act(shop, "settings", {"order_list_lag_seconds": 0})
        await _act(shop, "channels", {"key": CHANNEL})
        await _act(shop, "products", {"skus": [SKU]})
        line = {"sku": SKU, "quantity": 1, "channel": CHANNEL}
        return [
            (await _act(shop, "orders", {"lines": [line], "mode": "None"}))["result"] for _ in range(count)
        ]


async def _act(session: aiohttp.ClientSession, act: str, body: Any) -> Any:
    async with session.post(f"/_simulator/{act}", json=body) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json(content_type=None)


async def _learn(bench: Bench) -> None:
    rules_ = LearnRules(bench.shared.channel_keys, 0, 0, 30_000, 3_600_000, False, 1)
    for start in range(0, len(bench.ours), 100):
        page = await bench.client.orders_by_id(bench.ours[start : start + 100])
        assert isinstance(page, OrderPage), page
        await bench.store.orders.learn(page.orders, rules_)


def _hand_over(bench: Bench) -> HandOver:
    rule = EligibleRule(frozenset({"Open"}), frozenset({"absent"}))
    placement = Placement(bench.shared.channel_keys, rules().policies, "", FEED)
    options = HandOverOptions(rule, "key", 3600.0)
    return HandOver(
        bench.store,
        bench.client,
        bench.feed,
        bench.feed.desk,
        bench.limiter,
        bench.shared,
        options,
        lambda: placement,
        lambda: 0.5,
        lambda: None,
    )


def _dispatching(bench: Bench) -> Dispatching:
    learning = LearnRules(bench.shared.channel_keys, 0, 0, 30_000, 3_600_000, False, 1)
    return Dispatching(
        bench.store,
        bench.client,
        {FEED: bench.feed.desk},
        bench.limiter,
        bench.shared,
        DispatchOptions(3600.0, 3600.0),
        lambda: learning,
        lambda: 0.5,
        lambda: None,
    )


async def _until_done(bench: Bench, work_some: Callable[[], Coroutine[Any, Any, int]], count: int) -> float:
    """Work until nothing is due; how many a second."""
    gc.collect()
    began = time.perf_counter()
    async with asyncio.timeout(_LIMIT_SECONDS):
        while await work_some():
            pass
    rate = count / (time.perf_counter() - began)
    # What the twins' orders sent is of orders that this store does not know.
    assert {stage for _, stage in await bench.store.advices.counts()} <= {AdviceStage.PARKED}
    return rate


async def _read(bench: Bench, ids: Sequence[str]) -> list[WholeOrder]:
    found: list[WholeOrder] = []
    for start in range(0, len(ids), 100):
        page = await bench.client.whole_orders(ids[start : start + 100])
        assert isinstance(page, WholePage), page
        found += page.orders
    return found


async def _bodies(bench: Bench) -> list[tuple[str, bytes]]:
    made = []
    for order in await _read(bench, bench.twins):
        lines = [PlacedLine(line, SKU, LOCATION) for line in order.order.lines]
        made.append((f"/v1/orders/{order.order.id}", order_body(order, lines).encode()))
    return made


async def _put_all(bench: Bench, bodies: Sequence[tuple[str, bytes]]) -> float:
    """The floor of handing over: as many orders by nothing but an HTTP client, every body made beforehand."""
    waiting = iter(bodies)
    async with aiohttp.ClientSession(
        bench.house_url, headers={"Content-Type": "application/json"}
    ) as session:

        async def some() -> None:
            for path, body in waiting:
                async with session.put(path, data=body) as answer:
                    await answer.read()
                    assert answer.status == 201

        return await _timed(some, len(bodies))


async def _timed(some: Callable[[], Coroutine[Any, Any, None]], count: int) -> float:
    gc.collect()
    began = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - began)


async def _ship_all(bench: Bench) -> dict[str, str]:
    """Everything leaves, and the store is told of it; the fulfilments' names by order."""
    names: dict[str, str] = {}
    async with aiohttp.ClientSession(bench.house_url) as house:
        for order_id in (*bench.ours, *bench.twins):
            sent = await _act(house, "shipments", {"reference": order_id})
            names[order_id] = sent["fulfilmentIds"][0]
    async with aiohttp.ClientSession(bench.house_url) as house, house.get("/v1/changes?limit=1") as answer:
        first = (await answer.json())["next"]
    async for batch in bench.feed.batches(first):
        assert isinstance(batch, Batch), batch
        await bench.store.feeds.record(batch)
        if not batch.more:
            break
    return names


async def _book_all(bench: Bench, names: Mapping[str, str]) -> float:
    """The floor of booking: the same updates and acknowledgements by an HTTP client, every body made beforehand."""
    form, login = {"grant_type": "client_credentials"}, aiohttp.BasicAuth(CLIENT, SECRET)
    async with (
        aiohttp.ClientSession(bench.shop_url) as shop,
        aiohttp.ClientSession(bench.house_url, headers={"Content-Type": "application/json"}) as house,
    ):
        async with shop.post("/oauth/token", data=form, auth=login) as answer:
            token = (await answer.json())["access_token"]
        shop.headers.update({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        made = await _prepared(bench, names)
        waiting = iter(made)

        async def some() -> None:
            for update, body, path, told in waiting:
                async with shop.post(update, data=body) as answer:
                    await answer.read()
                    assert answer.status == 200
                async with house.post(path, data=told) as answer:
                    assert answer.status == 204

        return await _timed(some, len(made))


async def _prepared(bench: Bench, names: Mapping[str, str]) -> list[tuple[str, bytes, str, bytes]]:
    made = []
    for order in await _read(bench, bench.twins):
        name = names[order.order.id]
        actions = booking_actions(book(order, Dispatch(name, (LineShare(SKU, 1),)), {}).actions)
        update = orjson.dumps({"version": order.order.version, "actions": actions})
        told = {"orderId": order.order.id, "deliveryKey": name, "shipmentState": "Shipped", "at": rfc3339(1)}
        path = f"/v1/fulfilments/{name}/acknowledgement"
        made.append((f"/{PROJECT}/orders/{order.order.id}", update, path, orjson.dumps(told)))
    return made


async def _trade(seconds: float) -> tuple[Lag, Lag]:
    """The whole daemon in virtual time: orders and store sales at a steady rate under the default request rate."""
    async with inside(seed=1, house={"floor_seconds": FLOOR_SECONDS}) as (site, house):
        names = [f"S{number}" for number in range(SKUS_IN_TRADE)]
        site.open(dict.fromkeys(names, 1_000_000))
        site.shop.add_channel("archean", roles=["OrderExport"])
        async with house.daemon(orders=f'{HAND_OVER}sync_channel = "archean"\n', poll_seconds=2) as running:
            await site.until_stock({names[0]: 1_000_000, names[-1]: 1_000_000})
            chance, end = random.Random(1), site.clock.now() + seconds
            while site.clock.now() < end:
                for _ in range(ORDERS_PER_SECOND // 5):
                    buys(site, (chance.choice(names), 1))
                site.house.warehouse.store_sale(chance.choice(names), LOCATION, 1)
                site.house.warehouse.receipt(chance.choice(names), LOCATION, 3)
                await site.clock.sleep(0.2)
            await site.clock.sleep(5.0)  # the last ones are learnt
            while await running.app.store.handovers.counts():
                await site.clock.sleep(1.0)
            found = [running.app.store.lags.of(name) for name in ("handed_over", "booked")]
    handed_over, booked = found
    assert handed_over is not None
    assert booked is not None
    return handed_over, booked
