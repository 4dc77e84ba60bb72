"""The scripted day of trade, played against both simulators in this process."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from archsyncd.simulators import commercetools
from archsyncd.simulators.commercetools.admin import Administration
from archsyncd.simulators.r247 import Admin, Asked, AskedLine, AskedOrder, R247Config, R247Simulator, serve
from archsyncd.simulators.trade import Act, Administer, Trade, TradeConfig, TradeEvent, http_admin, plan

SMALL = TradeConfig(
    seconds=20,
    keys=30,
    hot_keys=2,
    shoppers=4,
    orders_per_second=10,
    pieces_per_key=15,
    throttled_requests=1,
)


class RunningClock:
    """A clock on which every wait is over at once and moves the time."""

    def __init__(self, tick: Callable[[], None] = lambda: None) -> None:
        self._now = 1_785_000_000.0
        self.tick = tick

    def now(self) -> float:
        """Tell the time."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Move it."""
        self._now += max(0.0, seconds)
        self.tick()
        await asyncio.sleep(0)


class Stage:
    """Both simulators with their administrations and a daemon's stand-in that publishes the opening stock once."""

    def __init__(self, seed: int = 5, config: TradeConfig = SMALL) -> None:
        self.clock = RunningClock()
        shop = commercetools.SimulatorConfig(stock_lag_seconds=0)
        self.shop = commercetools.CommercetoolsSimulator(shop, self.clock, random.Random(1))
        house = R247Config(channels=config.locations, locations=tuple(config.locations))
        self.house = R247Simulator(house, self.clock, random.Random(2))
        self.clock.tick = self.house.tick
        self._shop_admin, self._house_admin = Administration(self.shop), Admin(self.house)
        admins = (self.ask_shop, self.ask_house)
        self.trade = Trade(config, *admins, self.clock, random.Random(seed))

    async def ask_shop(
        self, method: str, name: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Administer commercetools."""
        query = urlencode(body or {}) if method == "GET" else ""
        raw = b"" if method == "GET" else json.dumps(body or {}).encode()
        status, said = self._shop_admin.answer(method, f"/_simulator/{name}", query, raw)
        return status, json.loads(said)

    async def ask_house(
        self, method: str, name: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Administer R247."""
        raw = b"" if method == "GET" else json.dumps(body or {}).encode()
        answer = self._house_admin.handle(Asked(method, f"/_simulator/{name}", body=raw))
        return answer.status, answer.json()

    def publish(self) -> None:
        """Create the entries as a daemon would before the day begins."""
        for (sku, location), holding in self.house.warehouse.room.holdings.items():
            self.shop.add_entry(sku, self.house.config.channel_of(location), holding.available)

    async def play(self) -> list[TradeEvent]:
        """Open, publish, and play the whole day."""
        await self.trade.open()
        self.publish()
        return [event async for event in self.trade.run()]


def test_equal_chance_gives_an_equal_plan() -> None:
    """The same seed decides the same day; another seed another one."""
    assert plan(SMALL, random.Random(1)) == plan(SMALL, random.Random(1))
    assert plan(SMALL, random.Random(1)) != plan(SMALL, random.Random(2))


def test_the_plan_contains_everything_a_day_has() -> None:
    """Every act occurs, in order of time and within the day."""
    steps = plan(SMALL, random.Random(1))
    assert {step.act for step in steps} == set(Act)
    times = [step.at_seconds for step in steps]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= SMALL.seconds


def test_the_flash_sale_is_about_few_skus() -> None:
    """Most orders fall into the flash sale, and most of their lines on hot SKUs."""
    steps = [step for step in plan(SMALL, random.Random(1)) if step.act is Act.ORDER]
    sale = [step for step in steps if 0.38 <= step.at_seconds / SMALL.seconds < 0.62]
    lines = [line for step in sale for line in step.lines]
    hot = [sku for sku, _, _ in lines if sku in SMALL.skus[: SMALL.hot_keys]]
    assert len(sale) / len(steps) > 0.5
    assert len(hot) / len(lines) > 0.6


@pytest.mark.parametrize("seconds", [20, 300])
async def test_a_day_is_played_from_morning_to_close(seconds: float) -> None:
    """Phases begin one after the other, counters only rise, and everything planned is done."""
    stage = Stage(config=TradeConfig(seconds=seconds, keys=30, hot_keys=2, orders_per_second=5))
    events = await stage.play()
    begun = [event.phase for event in events if event.begins]
    assert begun == ["morning", "delivery", "recount", "flash sale", "afternoon", "closing", "closed"]
    totals = [sum(event.counters.values()) for event in events]
    assert totals == sorted(totals)
    last = events[-1].counters
    planned = [step for step in stage.trade.plan if step.act is Act.ORDER]
    assert last["ordered"] + last.get("refused", 0) == len(planned)
    assert {
        "cancelled",
        "store_sales",
        "received_pieces",
        "recounted",
        "returned",
    } <= last.keys()
    assert events[-1].at_seconds >= seconds


async def test_equal_seeds_make_equal_days() -> None:
    """Played twice on the same clock, both days end with the same counters and the same stock."""
    ends = []
    for _ in range(2):
        stage = Stage(seed=9)
        events = await stage.play()
        ends.append((events[-1].counters, (await stage.ask_house("GET", "levels"))[1]))
    assert ends[0] == ends[1]


async def test_late_imports_are_waited_for() -> None:
    """At close orders are still waiting; after `settle` the house knows every one that was not cancelled."""
    stage = Stage()
    await stage.play()
    assert await stage.trade.settle()
    assert stage.house.importer.waiting == 0
    assert stage.house.importer.refused == []
    admitted = {line.order_id for line in stage.shop.journal.admissions}
    known = set(stage.house.warehouse.book.orders)
    cancelled = {one.order_id for one in stage.shop.journal.orders if one.what == "OrderStateChanged"}
    assert admitted - known <= cancelled


def test_who_hands_orders_over_meets_cancellations_soon_after_the_order() -> None:
    """Half of them at once, half while goods are picked, within the day; else the day is the same."""
    config = replace(SMALL, imports_late=False)
    steps = plan(config, random.Random(1))
    ordered = {step.number: step.at_seconds for step in steps if step.act is Act.ORDER}
    after = sorted(step.at_seconds - ordered[step.number] for step in steps if step.act is Act.CANCEL)
    assert len(after) == round(len(ordered) * config.cancel_share)
    assert 0 < after[0] < after[len(after) // 2 - 1] <= 0.3
    assert after[-1] > 1
    assert max(step.at_seconds for step in steps) <= config.seconds


async def test_without_an_importer_the_house_learns_of_no_order() -> None:
    """Whoever is tried hands them over; nothing comes back of what never left."""
    stage = Stage(config=replace(SMALL, imports_late=False))
    last = (await stage.play())[-1]
    assert last.counters["ordered"] > 50
    assert stage.house.warehouse.book.orders == {}
    assert "returned" not in last.counters


async def test_only_goods_that_have_left_come_back_and_nothing_shipped_is_cancelled() -> None:
    """Orders that the shop shows as shipped are kept by their shoppers; of each at most one piece comes back, spoilt."""
    config = replace(SMALL, imports_late=False, returns_sellable=False, cancel_share=0.3)
    stage = Stage(config=config)
    await stage.trade.open()
    stage.publish()
    house = stage.house.warehouse
    async for _ in stage.trade.run():
        for order in stage.shop.orders():
            if order["id"] not in house.book.orders and order["orderState"] == "Open":
                lines = tuple(
                    AskedLine(line["id"], line["variant"]["sku"], line["quantity"], "WH1")
                    for line in order["lineItems"]
                )
                house.book.take(AskedOrder(order["id"], order["orderNumber"], 0, lines))
                house.dispatch.ship(order["id"])
                shipped = {"action": "changeShipmentState", "shipmentState": "Shipped"}
                stage.shop.update_order(order["id"], shipped)
    states = [(order["orderState"], order.get("shipmentState")) for order in stage.shop.orders()]
    assert ("Cancelled", "Shipped") not in states
    assert {("Cancelled", None), ("Open", "Shipped")} <= set(states)
    back = [one.reference for one in house.dispatch.journal_of_returns]
    assert len(set(back)) == len(back) > 0
    assert sum(held.unavailable for held in house.room.holdings.values()) == len(back)


async def test_orders_are_numbered_as_commercetools_takes_them() -> None:
    """From CT-1001 on without a gap: a refused order leaves its number to the next."""
    stage = Stage(config=replace(SMALL, pieces_per_key=1))
    last = (await stage.play())[-1]
    assert last.counters["refused"] > 0
    numbers = [order["orderNumber"] for order in stage.shop.orders()]
    assert numbers == [f"CT-{1001 + index}" for index in range(len(numbers))]


async def test_settle_gives_up_in_time() -> None:
    """An import that never comes is told by False."""
    stage = Stage()
    await stage.play()
    stage.clock.tick = lambda: None
    assert not await stage.trade.settle(patience_seconds=5)


async def test_a_daemon_that_only_published_once_is_judged() -> None:
    """Without increments nothing is sold beyond the opening stock, and receipts stay hidden."""
    stage = Stage()
    await stage.play()
    await stage.trade.settle()
    said = await stage.trade.verdict()
    assert said["hidden_units"] > 0
    assert said["unimported_units"] == 0
    assert said["duplicate_orders"] == 0


async def test_a_daemon_that_pushes_the_absolute_figure_is_caught() -> None:
    """Writing what is available over commercetools' own figure re-adds orders on their way: oversold, and its fault."""
    stage = Stage()
    await stage.trade.open()
    stage.publish()
    async for _ in stage.trade.run():
        for (sku, location), holding in stage.house.warehouse.room.holdings.items():
            action = {"action": "changeQuantity", "quantity": max(0, holding.available)}
            stage.shop.update_entry(sku, stage.house.config.channel_of(location), action)
        stage.house.log.mark_served(stage.house.log.head_seq)
    said = await stage.trade.verdict(drain_seconds=0.5)
    assert said["oversold_beyond_physics"] > 0
    assert said["pools"]


async def test_the_day_can_be_driven_over_http() -> None:
    """Administration by HTTP speaks to both simulators as they are served."""
    stage = Stage()
    async with (
        serve(stage.house) as house_url,
        commercetools.serve(stage.shop) as shop_url,
        aiohttp.ClientSession() as session,
    ):
        admins: tuple[Administer, Administer] = (
            http_admin(session, shop_url),
            http_admin(session, house_url),
        )
        day = TradeConfig(seconds=2, keys=5, hot_keys=1, orders_per_second=5, recount_copies=1)
        played = Trade(day, *admins, stage.clock, random.Random(1))
        await played.open()
        stage.publish()
        events = [event async for event in played.run()]
        said = await played.verdict()
    assert events[-1].counters["ordered"] > 0
    assert "oversold_total" in said


async def test_a_simulator_that_refuses_ends_the_day_with_its_reason() -> None:
    """What goes wrong is raised, not swallowed."""
    stage = Stage()
    await stage.trade.open()
    stage.publish()

    async def broken(method: str, name: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        if name == "floods":
            return 500, "the floor is wet"
        return await stage.ask_house(method, name, body)

    stage.trade = Trade(SMALL, stage.ask_shop, broken, stage.clock, random.Random(1))
    with pytest.raises(RuntimeError, match="the floor is wet"):
        [event async for event in stage.trade.run()]
