"""Orders carried to Archean in files: the real store, client, desk and loops, and a source behind a directory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.simulators.r247.drop import DropExporter, DropStyle, DropWriter
from archsyncd.simulators.r247.drop_desk import DropDesk
from tests.process.site import Site
from tests.support.virtual_time import virtual
from tests.system.inside import inside
from tests.system.test_hand_over import bought, carrier, held_there


class Source:
    """Archean's side of the directory: writes what is new, answers what lies there, unless it is down."""

    def __init__(self, site: Site, directory: Path, *, takes: bool) -> None:
        self._site = site
        writer = DropWriter(directory, DropStyle(), "main", site.house.log)
        self._exporter = DropExporter(site.house.warehouse, writer)
        self._desk = DropDesk(directory, site.house.desk, takes=takes)
        self.down = False
        self.writes = True

    async def run(self) -> None:
        self._exporter.full()
        while True:
            if not self.down:
                self._desk.poll()
                if self.writes:
                    self._exporter.new()
            await self._site.clock.sleep(1.0)


@asynccontextmanager
async def source(site: Site, directory: Path, *, takes: bool = True) -> AsyncIterator[Source]:
    """A source that looks at its directory every second."""
    found = Source(site, directory, takes=takes)
    task = asyncio.create_task(found.run())
    try:
        yield found
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("takes", [True, False])
@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("acceptance", ["at-once", "later"])
def test_an_order_reaches_archean_in_a_file(takes: bool, writes: bool, acceptance: str) -> None:
    """Its answer or a record of the feed tells of the acceptance, whichever comes."""

    @virtual
    async def run() -> None:
        async with inside(seed=401, house={"acceptance": acceptance}) as (site, house):
            site.open({"A": 10})
            files = house.directory / "files"
            async with source(site, files, takes=takes) as far, carrier(site, house, files=files) as at:
                far.writes = writes
                order_id = bought(site, "A", 2)
                story = await at.until(order_id, Stage.ACCEPTED)
                assert story.carried.source_order == "SO-991"
                assert held_there(site) == {order_id: "accepted"}

    run()


@virtual
async def test_f136_a_refused_order_is_held_and_taken_by_a_persons_word() -> None:
    """The refusal that lies there is not mistaken for the answer to the second try."""
    async with inside(seed=402) as (site, house):
        site.open({"A": 10})
        site.shop.add_products(["Z"])
        files = house.directory / "files"
        async with source(site, files), carrier(site, house, files=files) as at:
            order_id = bought(site, "Z", 1)
            story = await at.until(order_id, Stage.HELD)
            assert "unknown_sku" in story.carried.reason
            site.house.warehouse.seed("Z", "WH1", 5)
            assert await at.store.handovers.again(order_id, "it is kept there now")
            await at.until(order_id, Stage.ACCEPTED)
            assert await at.store.cases.listed(kind=CaseKind.ORDER_REJECTED) == []


@virtual
async def test_f141_an_order_cancelled_while_archean_is_down_is_never_shipped() -> None:
    """Both files lie there when it comes back: it takes the order first, and cancels it then."""
    async with inside(seed=403) as (site, house):
        site.open({"A": 10})
        files = house.directory / "files"
        async with source(site, files) as far, carrier(site, house, files=files) as at:
            await site.clock.sleep(5)
            far.down = True
            order_id = bought(site, "A", 1)
            await at.until(order_id, Stage.RECEIVED)
            site.shop.cancel_order(order_id)
            await at.until(order_id, Stage.CANCELLING)
            await site.clock.sleep(30)
            far.down = False
            await at.until(order_id, Stage.CANCELLED)
            await site.clock.sleep(10)
            assert held_there(site) == {order_id: "cancelled"}
            assert site.house.warehouse.available("A", "WH1") == 10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_o1_o6_whatever_happens_each_order_is_there_once_or_explained(seed: int) -> None:
    """Kills, a source that is down for a while and cancellations; in the end nothing is lost or doubled."""

    @virtual
    async def run() -> None:
        chance = random.Random(seed)
        acceptance = chance.choice(["at-once", "later"])
        async with inside(seed=410 + seed, house={"acceptance": acceptance}) as (site, house):
            site.open({"A": 1_000})
            files = house.directory / "files"
            wanted: list[str] = []
            cancelled: list[str] = []
            async with source(site, files, takes=chance.random() < 0.5) as far:
                for _ in range(5):
                    async with carrier(site, house, files=files) as at:
                        for _ in range(6):
                            far.down = chance.random() < 0.4
                            wanted.append(bought(site, "A", 1))
                            if chance.random() < 0.3:
                                left = [each for each in wanted if each not in cancelled]
                                cancelled.append(chance.choice(left))
                                site.shop.cancel_order(cancelled[-1])
                            await site.clock.sleep(chance.uniform(0.1, 4.0))
                        at.kill()
                far.down = False
                async with carrier(site, house, files=files) as at:
                    for order_id in wanted:
                        end = Stage.CANCELLED if order_id in cancelled else Stage.ACCEPTED
                        await at.until(order_id, end, seconds=2_000)
                    await site.clock.sleep(10)
            there = held_there(site)
            assert site.house.warehouse.book.duplicates == []
            assert {name for name, status in there.items() if status == "accepted"} == set(wanted) - set(
                cancelled
            )

    run()
