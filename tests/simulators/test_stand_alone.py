"""`archsyncd simulate`: the command line, what it prints, faults at run time, and both servers as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from archsyncd.cli import main, parser
from archsyncd.simulating import OPEN_SECRET, SECRET_VARIABLE, project_of, site_of
from archsyncd.simulators.commercetools.clock import SystemClock
from archsyncd.simulators.commercetools.stand_alone import Project
from archsyncd.simulators.commercetools.stand_alone import run as run_project
from archsyncd.simulators.r247 import Auth, Movements, Reflection
from archsyncd.simulators.r247.drop import Form
from archsyncd.simulators.r247.stand_alone import Site, run
from archsyncd.simulators.r247.switches import SWITCHES, switch_off, switch_on
from archsyncd.simulators.switch_names import FAULTS
from tests.simulators.r247.houses import House
from tests.support.virtual_time import VirtualClock, virtual
from tests.system.inside import SiteClock

SOURCE = Path(__file__).parents[2] / "daemon"


@contextlib.asynccontextmanager
async def running(site: Site) -> AsyncIterator[tuple[str, str]]:
    """A site that is simulated in virtual time: its address and what it printed."""
    told: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    task = asyncio.create_task(run(site, SiteClock(VirtualClock()), told.put_nowait, stop))
    printed = await told.get()
    try:
        yield printed.partition("\n")[0], printed
    finally:
        stop.set()
        await task


async def asked(url: str, body: Any = None, method: str = "") -> Any:
    """The JSON of an answer."""
    data = None if body is None else json.dumps(body)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method or ("GET" if body is None else "POST"), url, data=data) as answer,
    ):
        return json.loads(await answer.read())


@virtual
async def test_a_site_has_stock_and_a_little_trade() -> None:
    """The same seed gives the same stock; what it prints begins with its address."""
    async with running(Site("127.0.0.1", 0, locations=("WH1", "WH2"), skus=3)) as (url, printed):
        await asyncio.sleep(30.0)
        page = await asked(f"{url}/v1/changes?limit=500")
        stock = await asked(f"{url}/v1/stock")
    assert len(page["items"]) > 10
    assert {item["sku"] for item in stock["items"]} == {"SKU-00001", "SKU-00002", "SKU-00003"}
    assert {item["location"] for item in stock["items"]} == {"WH1", "WH2"}
    assert f"archsyncctl verify-source {url}" in printed


@virtual
async def test_a_fault_is_switched_on_and_off_while_it_runs() -> None:
    """By its name, as the printed lines say."""
    async with running(Site("127.0.0.1", 0, skus=3, changes_per_second=0, faults=("truncated-full",))) as (
        url,
        _,
    ):
        assert (await asked(f"{url}/v1/stock"))["complete"] is False
        assert await asked(f"{url}/_simulator/faults", method="DELETE") == {}
        assert (await asked(f"{url}/v1/stock"))["complete"] is True
        await asked(f"{url}/_simulator/switches", {"name": "miscount", "times": 1})
        assert (await asked(f"{url}/v1/stock"))["check"]["records"] == 4
        assert (await asked(f"{url}/v1/stock"))["check"]["records"] == 3
        refused = await asked(f"{url}/_simulator/switches", {"name": "miscounted"})
        assert (refused["status"], "miscount, " in refused["detail"]) == (400, True)
        assert await asked(f"{url}/_simulator/switches") == FAULTS


@virtual
async def test_files_are_written_too(tmp_path: Path) -> None:
    """A full one at once, what is new after a while, and the next one may be spoilt."""
    site = Site(
        "127.0.0.1", 0, skus=3, directory=tmp_path, file_seconds=5.0, form=Form.CSV, faults=("no-manifest",)
    )
    async with running(site) as (url, printed):
        await asyncio.sleep(12.0)
        names = sorted(path.name for path in (tmp_path / "in").iterdir())
        assert (await asked(f"{url}/_simulator/state"))["holdings"] == 3
    assert f"Files: {tmp_path}/in" in printed
    assert [name.split("-")[1] for name in names if name.endswith(".csv")].count("full") == 1
    assert len([name for name in names if name.endswith(".csv")]) == 1 + len(
        [name for name in names if name.endswith(".done")]
    )


def test_every_name_is_a_switch_and_every_switch_has_a_name() -> None:
    """Help and completion read the names, the simulator the switches."""
    assert list(SWITCHES) == list(FAULTS)


def test_a_switch_that_is_none_is_refused_and_off_means_off() -> None:
    """Freezing included."""
    house = House()
    simulator = house.simulator
    with pytest.raises(ValueError, match="'frost' is none of duplicate"):
        switch_on(simulator, "frost")
    with pytest.raises(ValueError, match="at least 1"):
        switch_on(simulator, "gap", 0)
    for name in SWITCHES:
        switch_on(simulator, name)
    house.warehouse.seed("X", "WH1", 3)
    house.warehouse.store_sale("X", "WH1", 1)
    assert simulator.log.shown_head < simulator.log.head_seq
    switch_off(simulator)
    assert (simulator.script.waiting, simulator.drop_faults) == ((), [])
    assert simulator.log.shown_head == simulator.log.head_seq


def test_the_command_line_says_what_is_simulated(tmp_path: Path) -> None:
    """Every option arrives; a secret stands in a file."""
    file = tmp_path / "secret"
    file.write_text("t0ken\n")
    words = (
        "simulate r247 --port 1 --location A --location B --fault gap --fault slow --auth bearer --changes 0"
    )
    words += (
        f" --reflection none --movements bare --form csv --drop {tmp_path} --credential-file {file} --seed 4"
    )
    site = site_of(parser().parse_args(words.split()))
    assert site == Site(
        "127.0.0.1",
        1,
        locations=("A", "B"),
        faults=("gap", "slow"),
        auth=Auth.BEARER,
        credential="t0ken",
        changes_per_second=0.0,
        reflection=Reflection.NONE,
        movements=Movements.BARE,
        form=Form.CSV,
        directory=tmp_path,
        seed=4,
    )
    given = parser().parse_args(
        ["simulate", "commercetools", "--channel", "a", "--channel", "b", "--skus", "3"]
    )
    project = project_of(given, {SECRET_VARIABLE: "hidden"})
    assert (project.channels, project.skus, project.secret) == (("a", "b"), 3, "hidden")


def test_what_does_not_fit_together_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """And a secret on the command line is refused as everywhere."""
    assert main(["simulate", "r247", "--auth", "bearer"]) == 64
    assert "--credential-file go together" in capsys.readouterr().err
    assert main(["simulate", "r247", "--credential=t0ken"]) == 78
    assert "t0ken" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "path", "says"),
    [
        (("r247", "--skus", "2"), "/v1/stock", "{url}/_simulator/faults"),
        (("commercetools", "--skus", "2"), "/_simulator/summary", "{url}/_simulator/faults"),
        (
            ("pubsub", "--subscription", "projects/p/subscriptions/s"),
            "/v1/projects/p/subscriptions/s",
            "{url}/v1/projects/p/subscriptions/s:pull",
        ),
    ],
)
async def test_it_is_a_server_that_prints_its_address_and_stops_when_asked(
    words: tuple[str, ...], path: str, says: str
) -> None:
    """As a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "archsyncd.cli", "simulate", *words, "--port", "0"),
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    assert await asked(f"{url}{path}")
    process.terminate()
    rest = (await asyncio.wait_for(process.stdout.read(), 60)).decode()
    assert await asyncio.wait_for(process.wait(), 60) == 0
    assert says.format(url=url) in rest


async def test_the_project_says_how_to_add_products_and_to_order() -> None:
    """Every line that it prints to be typed works as it stands, and what cannot be used is said in plain words."""
    told: asyncio.Queue[str] = asyncio.Queue()
    stop = asyncio.Event()
    project = Project("127.0.0.1", 0, "demo", "archsyncd", OPEN_SECRET, secret_told=OPEN_SECRET)
    task = asyncio.create_task(run_project(project, SystemClock(), told.put_nowait, stop))
    printed = await told.get()
    url = printed.partition("\n")[0]
    commands = [line for line in printed.splitlines() if line.startswith("  curl ")]
    await asked(f"{url}/_simulator/entries", {"sku": "SKU-00001", "channel": "warehouse-1", "quantity": 5})
    for command in commands:
        ran = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        assert ran.stdout is not None
        assert "result" in json.loads(await ran.stdout.read()), command
    assert len(commands) == 6
    assert (await asked(f"{url}/_simulator/summary"))["result"]["admittedUnits"] == 2
    assert "'skus'" in (await asked(f"{url}/_simulator/products", {}))["error"]
    assert "'key'" in (await asked(f"{url}/_simulator/channels", {}))["error"]
    assert OPEN_SECRET in printed
    stop.set()
    await task


async def test_late_shows_the_newest_and_what_is_old_enough() -> None:
    """So that a reader at the head meets a record behind one that it was told before."""
    house = House().stock(X=9)
    switch_on(house.simulator, "late")
    for _ in range(3):
        house.warehouse.store_sale("X", "WH1", 1)
    assert [item["seq"] for item in (await house.page())["items"]] == ["3"]
    house.clock.advance(3.0)
    assert [item["seq"] for item in (await house.page())["items"]] == ["1", "2", "3"]
