"""Two sources of one shop: each tells of its own location, and one channel sells the sum of both."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.simulators.r247 import Fault, FaultKind, R247Config, R247Simulator, serve
from tests.adapters.feeds.dropping import Drop, level
from tests.process.harness import PULL
from tests.process.site import CHANNEL, Site
from tests.support.virtual_time import virtual
from tests.system.inside import House, Running, inside

BOTH = f'WH1 = {{ channel = "{CHANNEL}" }}\nWH2 = {{ channel = "{CHANNEL}" }}'
ORDERS = f'[channels."{CHANNEL}"]\norder_location = "WH1"'
STOCK = {"A": 5, "B": 6}
TOGETHER = {"A": 12, "B": 6}
STATED = ('locations = ["WH1"]', 'locations = ["WH2"]')
UNSTATED = ("", "")


@asynccontextmanager
async def second_house(house: House) -> AsyncIterator[tuple[R247Simulator, str]]:
    """A warehouse of its own, with one location."""
    config = R247Config(locations=("WH2",), channels={"WH2": CHANNEL})
    simulator = R247Simulator(config, house.site.house.clock, random.Random(7))
    simulator.warehouse.seed("A", "WH2", 7)
    async with serve(simulator) as url:
        yield simulator, url


def two_pulls(site: Site, url: str, said: tuple[str, str]) -> str:
    """The tables of two pull feeds, each with what it says of itself."""
    one = PULL.format(house_url=site.house_url, feed_more=said[0])
    other = PULL.format(house_url=url, feed_more=said[1])
    return one + other.replace('"main"', '"second"')


async def held(daemon: Running) -> list[str]:
    return [one.id for one in await daemon.app.store.snapshots.listed(20) if one.state == "held"]


@pytest.mark.parametrize("said", [STATED, ('locations = ["WH1"]', ""), UNSTATED])
@virtual
async def test_two_pull_feeds_fill_one_channel(said: tuple[str, str]) -> None:
    """No full waits for a person because it lacks what the other source tells of, and both move the one figure."""
    async with inside(seed=210) as (site, house), second_house(house) as (second, url):
        site.open(STOCK)
        feeds = two_pulls(site, url, said)
        async with house.daemon(feed=feeds, locations=BOTH, more=ORDERS) as daemon:
            await site.until_stock(TOGETHER)
            assert await held(daemon) == []
            second.warehouse.store_sale("A", "WH2", 2)
            site.house.warehouse.receipt("A", "WH1", 1)
            await site.until_stock({"A": 11})
            site.order("B", 2)
            await site.stays(lambda: (site.stock("B") or 0) <= 4, "a sold piece is offered", 10)
            second.script.add(Fault(FaultKind.EXPIRED))
            await site.until(lambda: daemon.app.shared.counters["snapshots"] == 3, "a snapshot of the second")
            await site.until_stock({"A": 11, "B": 4})
            assert await held(daemon) == []
            assert await daemon.cases(CaseKind.NEEDS_RESYNC) == []


@virtual
async def test_a_full_that_lacks_a_stated_location_is_held_beside_another_feed() -> None:
    """The guard counts per feed: what the second says of its own location is no excuse for the first."""
    knows_both = {"locations": ("WH1", "WH2"), "channels": {"WH1": CHANNEL, "WH2": CHANNEL}}
    async with inside(seed=211, house=knows_both) as (site, house), second_house(house) as (_, url):
        site.open(STOCK)
        feeds = two_pulls(site, url, ('locations = ["WH1", "WH2"]', 'locations = ["WH2"]'))
        async with house.daemon(feed=feeds, locations=BOTH, more=ORDERS) as daemon:
            case = await daemon.until_case(CaseKind.HELD_SNAPSHOT)
            assert case is not None
            assert "no record for the location WH2" in case.reason
            await site.until_stock({"A": 7}, 700)


def pull_and_drop(site: Site, root: Path, said: tuple[str, str], *, ready: str = "manifest") -> str:
    """A pull feed for WH1 and a directory for WH2."""
    root.mkdir()
    drop = f'[[feed]]\nname = "nightly"\ntransport = "drop"\ndirectory = "{root}"\nready = "{ready}"\n{said[1]}\n'
    return PULL.format(house_url=site.house_url, feed_more=said[0]) + drop


@pytest.mark.parametrize("said", [STATED, UNSTATED])
@virtual
async def test_a_pull_feed_and_a_directory_fill_one_channel(said: tuple[str, str]) -> None:
    """Full files and deltas of the one, records of the other, through a restart."""
    async with inside(seed=212) as (site, house):
        site.open(STOCK)
        root = house.place() / "drop"
        feeds = pull_and_drop(site, root, said)
        drop = Drop(root, feed="nightly")
        place = {"location": "WH2", "available": 7}
        async with house.daemon(feed=feeds, locations=BOTH, more=ORDERS) as daemon:
            full = drop.put(level("A", 7, **place), kind="full", locations=["WH2"])
            await site.until_stock(TOGETHER)
            await site.until(lambda: drop.status(full) == "applied", "the full's receipt")
            site.house.warehouse.store_sale("A", "WH1", 1)
            drop.put(level("A", 4, **place | {"available": 4}))
            await site.until_stock({"A": 8})
            assert await held(daemon) == []
        drop.put(level("A", 5, **place | {"available": 5}))
        site.house.warehouse.receipt("A", "WH1", 2)
        async with house.daemon() as daemon:
            await site.until_stock({"A": 11, "B": 6})
            assert await daemon.cases(CaseKind.NEEDS_RESYNC) == []


@virtual
async def test_f101_a_full_without_a_manifest_covers_what_its_feed_tells_of() -> None:
    """It lacks nothing of the other source's location; of its own, a SKU that it leaves out is told and stays."""
    async with inside(seed=213) as (site, house):
        site.open(STOCK)
        root = house.place() / "drop"
        feeds = pull_and_drop(site, root, STATED, ready="rename")
        drop = Drop(root, feed="nightly")
        async with house.daemon(feed=feeds, locations=BOTH, more=ORDERS) as daemon:
            rows = [level(sku, 7, location="WH2", available=7) for sku in ("A", "B", "C")]
            many = [level(f"S{n}", 0, location="WH2", available=0) for n in range(5)]
            drop.put(*rows, *many, kind="full", manifest=False)
            await site.until_stock({"A": 12, "B": 13})
            drop.put(*rows[:2], *many, kind="full", manifest=False)
            case = await daemon.until_case(CaseKind.NEEDS_RESYNC)
            assert case is not None
            assert case.subject == "C at WH2"
            assert await held(daemon) == []


@virtual
async def test_f034_a_location_that_has_told_nothing_yet_is_not_taken_for_empty() -> None:
    """The database is lost and one source comes back later than the other: nothing is lowered for half of the goods."""
    async with inside(seed=213) as (site, house), second_house(house) as (second, url):
        site.open(STOCK)
        settings: dict[str, Any] = {"feed": two_pulls(site, url, STATED), "locations": BOTH, "more": ORDERS}
        async with house.daemon(**settings):
            await site.until_stock(TOGETHER)
        for path in house.database().parent.glob(f"{house.database().name}*"):
            path.unlink()
        second.script.add(Fault(FaultKind.STATUS, endpoint="any", times=None, status=503))
        async with house.daemon() as daemon:
            await site.until(lambda: "first figures of warehouse-1" in daemon.app.shared.notes, "the note")
            await site.stays(lambda: site.stock("A") == 12, "lowered for half of the goods", 90)
            second.script.clear()
            second.warehouse.store_sale("A", "WH2", 2)
            await site.until_stock({"A": 10}, 120)
            assert "first figures of warehouse-1" not in daemon.app.shared.notes


@virtual
async def test_f034_a_location_that_stays_silent_is_waited_for_ten_minutes() -> None:
    """Then what the other location tells is published: a decrease that waits for ever would oversell."""
    async with inside(seed=214) as (site, house), second_house(house) as (second, url):
        site.open(STOCK)
        second.script.add(Fault(FaultKind.STATUS, endpoint="any", times=None, status=503))
        settings: dict[str, Any] = {"feed": two_pulls(site, url, STATED), "locations": BOTH, "more": ORDERS}
        async with house.daemon(**settings):
            await site.stays(lambda: site.stock("A") is None, "published too early", 500)
            await site.until_stock(STOCK, 240)
