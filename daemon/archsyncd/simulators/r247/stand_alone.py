"""A simulated source for somebody who develops against it: stock, a little trade, files, faults. Knows no command line."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from archsyncd.simulators.r247.config import Auth, Clock, Movements, R247Config, Reflection
from archsyncd.simulators.r247.drop import DropExporter, DropFault, DropStyle, DropWriter, Form
from archsyncd.simulators.r247.drop_desk import DropDesk
from archsyncd.simulators.r247.server import serve
from archsyncd.simulators.r247.simulator import R247Simulator
from archsyncd.simulators.r247.stockroom import Refused
from archsyncd.simulators.r247.switches import switch_on

PIECES_MOST = 60
SALE_MOST = 3
RECEIPTS = 0.25  # the share of changes by which stock comes in


@dataclass(frozen=True, slots=True)
class Site:
    """What is simulated. `changes_per_second` 0: nothing happens but heartbeats and what is asked for."""

    host: str
    port: int
    feed: str = "main"
    locations: tuple[str, ...] = ("WH1",)
    skus: int = 20
    changes_per_second: float = 1.0
    seed: int = 1
    faults: tuple[str, ...] = ()
    auth: Auth = Auth.NONE
    credential: str = ""
    reflection: Reflection = Reflection.ALL
    movements: Movements = Movements.NONE
    directory: Path | None = None
    file_seconds: float = 10.0
    form: Form = Form.NDJSON


async def run(site: Site, clock: Clock, tell: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop`. Raises ValueError for a fault that is none, OSError for an address that cannot be had."""
    config = R247Config(
        feed=site.feed,
        locations=site.locations,
        reflection=site.reflection,
        movements=site.movements,
        auth=site.auth,
        credential=site.credential,
    )
    chance = random.Random(site.seed)
    simulator = R247Simulator(config, clock, chance)
    for number in range(1, site.skus + 1):
        for location in site.locations:
            simulator.warehouse.seed(f"SKU-{number:05d}", location, chance.randint(1, PIECES_MOST))
    for fault in site.faults:
        switch_on(simulator, fault)
    async with serve(simulator, site.host, site.port) as url:
        tell("\n".join(page(url, site)))
        working = [asyncio.create_task(_trade(simulator, site, chance))]
        if site.directory is not None:
            working.append(asyncio.create_task(_files(simulator, site, site.directory)))
        try:
            await _either(working, stop)
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)


async def _either(working: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait for the stop, or for work that ended with an error, which is raised."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopping, *working}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    for task in done - {stopping}:
        task.result()


async def _trade(simulator: R247Simulator, site: Site, chance: random.Random) -> None:
    if not site.changes_per_second or not site.skus:
        await asyncio.Event().wait()
    house = simulator.warehouse
    while True:
        await simulator.clock.sleep(chance.expovariate(site.changes_per_second))
        sku, location = f"SKU-{chance.randint(1, site.skus):05d}", chance.choice(site.locations)
        pieces = chance.randint(1, SALE_MOST)
        try:
            if chance.random() < RECEIPTS:
                house.receipt(sku, location, pieces)
            else:
                house.store_sale(sku, location, pieces)
        except Refused:
            house.receipt(sku, location, PIECES_MOST)


async def _files(simulator: R247Simulator, site: Site, directory: Path) -> None:
    writer = DropWriter(directory, DropStyle(form=site.form), site.feed, simulator.log)
    exporter, desk = DropExporter(simulator.warehouse, writer), DropDesk(directory, simulator.desk)
    exporter.full(fault=_next_fault(simulator))
    while True:
        await simulator.clock.sleep(site.file_seconds)
        desk.poll()
        exporter.new(_next_fault(simulator))


def _next_fault(simulator: R247Simulator) -> DropFault | None:
    return simulator.drop_faults.pop(0) if simulator.drop_faults else None


def page(url: str, site: Site) -> list[str]:
    """What to know and to type; the address stands alone on the first line."""
    credential = "" if site.auth is Auth.NONE else " --credential FILE"
    lines = [
        url,
        "",
        f"A simulated Archean R247 with {site.skus} SKUs at {', '.join(site.locations)}. Ctrl-C ends it.",
    ]
    if site.faults:
        lines.append(f"What is wrong with it: {', '.join(site.faults)}.")
    lines += [
        "",
        f"  archsyncctl verify-source {url}{credential}",
        f"  curl -s '{url}/v1/changes?limit=3'",
        f"  curl -s {url}/_simulator/state",
        "",
        "Faults are switched on, and all of them off, while it runs:",
        "",
        f'  curl -s -d \'{{"name":"gap"}}\' {url}/_simulator/switches',
        f"  curl -s -X DELETE {url}/_simulator/faults",
        f"  curl -s {url}/_simulator/switches",
    ]
    if site.directory is not None:
        lines += [
            "",
            f"Files: {site.directory}/in, a full one now and what is new each {site.file_seconds:.0f} s.",
        ]
    return lines
