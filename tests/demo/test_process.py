"""The demo as somebody starts it: one command to a verdict, Ctrl-C, and the simulators alone."""

import asyncio
import io
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from archsyncd import demo
from archsyncd.demo.play import Ending, play
from archsyncd.demo.screen import screen

SOURCE = Path(__file__).parents[2] / "daemon"
SHELL = {**os.environ, "PYTHONPATH": str(SOURCE)}
PATIENCE_SECONDS = 90
REQUIRED = frozenset(
    (
        "records",
        "requests",
        "requests_per_change",
        "keys",
        "keys_in_step",
        "oversold_units",
        "hidden_units",
        "restarts",
        "orders",
        "handed_over",
        "duplicates",
        "deliveries",
        "shipped_too_early",
        "orders_in_exceptions",
        "ok",
    )
)


@asynccontextmanager
async def demonstration(place: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`archsyncd demo` with its temporary files in `place`; killed when the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "archsyncd.cli",
        "demo",
        *words,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(place)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def daemons(place: Path) -> list[str]:
    """Processes that were started with a configuration in `place`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(place).encode() in line:
            found.append(entry.name)
    return found


def left(place: Path) -> list[str]:
    """The names of what lies in a directory."""
    return sorted(entry.name for entry in place.iterdir())


async def until(stream: asyncio.StreamReader | None, text: str) -> list[str]:
    """Lines up to the first one with `text` in it."""
    assert stream is not None
    lines: list[str] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not lines or text not in lines[-1]:
            line = await stream.readline()
            assert line, f"it ended before {text!r}: {lines}"
            lines.append(line.decode())
    return lines


@pytest.mark.timeout(150)
async def test_one_command_ends_with_a_good_verdict(place: Path) -> None:
    """A short day: the daemon is killed and comes back, nothing is oversold, every order is where it belongs, nothing is left."""
    async with demonstration(place, "--json", "--seconds", "12") as process:
        async with asyncio.timeout(PATIENCE_SECONDS):
            told, shown = await process.communicate()
        said = json.loads(told.splitlines()[-1])
        assert (process.returncode, said["ok"], said["faults"]) == (0, True, [])
        assert said.keys() >= REQUIRED
    assert said["keys"] == said["keys_in_step"] > 400
    assert (said["oversold_units"], said["hidden_units"], said["excess_units"]) == (0, 0, 0)
    assert (said["restarts"], said["kills"]) == (1, 1)
    assert said["records"] > 1_000
    assert said["requests"] >= said["writes"] > 0
    assert said["requests_per_change"] < 1
    assert said["orders"] == said["served"] >= said["handed_over"] > 50
    assert said["deliveries"] > 50
    assert (said["duplicates"], said["shipped_too_early"]) == (0, 0)
    assert 0 <= said["orders_in_exceptions"] < said["orders"] / 4
    text = shown.decode()
    for happened in (
        "kill -9",
        "sku_not_found",
        "invalid_record",
        "overloaded",
        "answers each are lost",
        "with Archean",
        "What you just saw",
    ):
        assert happened in text
    assert left(place) == []
    assert daemons(place) == []


@pytest.mark.timeout(150)
async def test_ctrl_c_leaves_nothing_behind(place: Path) -> None:
    """In the middle of the day, pressed twice: status 130, the daemon is gone, its directory too, and the object is told."""
    async with demonstration(place, "--seconds", "60", "--json") as process:
        await until(process.stderr, "this host writes")
        assert daemons(place) != []
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            told, said = await process.communicate()
        assert process.returncode == 130
    assert b"Traceback" not in said
    ended = json.loads(told.splitlines()[-1])
    assert (ended["ok"], ended["faults"]) == (False, ["it was stopped before its end"])
    assert ended.keys() >= REQUIRED
    assert ended["requests"] > 0
    assert daemons(place) == []
    assert left(place) == []


@pytest.mark.timeout(300)
async def test_serve_prints_what_to_type_and_all_of_it_works(place: Path) -> None:
    """Each printed command is typed as it stands: the daemon gets the stock in step, and a sale in the store arrives."""
    async with demonstration(place, "--serve") as process:
        page = "".join(await until(process.stdout, "Ctrl-C"))
        config = Path(re.findall(r"configuration +(\S+)", page)[0])
        credentials = Path(re.findall(r"credentials +(\S+)", page)[0])
        assert {config.name, credentials.name} <= set(left(config.parent))
        assert left(credentials) == ["commercetools-client-secret", "status-token"]
        commands = [line.strip() for line in page.splitlines() if line.startswith(("  /", "  curl"))]
        run, status, changes, summary, order, sale, stock = commands
        assert "run --config" in run
        assert json.loads(await typed(changes))["schema"] == "r247/1"
        async with typing(run) as daemon:
            addresses = dict(re.findall(r"(commercetools|Archean R247) +(http\S+)", page))
            await in_step(addresses["commercetools"], addresses["Archean R247"])
            assert (await typed(status)).splitlines()[0]
            assert json.loads(await typed(summary))["result"]["entries"] == 100
            await carried(order, "CT-1001")
            before = json.loads(await typed(stock))["result"]["trueStock"]
            await typed(sale)
            await sold(stock, before - 5)
            daemon.send_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE_SECONDS):
                assert await daemon.wait() == 0
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
    assert left(place) == []


async def typed(line: str) -> str:
    """Type a line into a shell; what it prints. It must succeed."""
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", line, env=SHELL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        told, said = await process.communicate()
    assert process.returncode == 0, (line, said)
    return told.decode()


@asynccontextmanager
async def typing(line: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Type a line whose program goes on until the block is left."""
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        f"exec {line}",
        env=SHELL,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def in_step(shop: str, house: str) -> None:
    """Wait for a moment in which every entry shows what its warehouse can sell; trade goes on meanwhile."""
    channels = {"WH1": "warehouse-1", "WH2": "warehouse-2"}
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with session.get(f"{shop}/_simulator/entries") as answer:
                entries = {
                    (each["sku"], each["channel"]): each["trueStock"]
                    for each in (await answer.json())["result"]
                }
            async with session.get(f"{house}/_simulator/levels") as answer:
                levels = {
                    (each["sku"], channels[each["location"]]): each["available"]
                    for each in await answer.json()
                }
            if entries == levels:
                return
            await asyncio.sleep(0.1)


async def carried(order: str, number: str) -> None:
    """Wait until an order of this number has been placed and is carried."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            process = await asyncio.create_subprocess_exec(
                "bash", "-c", order, env=SHELL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            said, _ = await process.communicate()
            if process.returncode == 0:
                assert number in said.decode()
                return
            await asyncio.sleep(0.2)


async def sold(stock: str, at_most: int) -> None:
    """Wait until an entry shows that a sale arrived."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if json.loads(await typed(stock))["result"]["trueStock"] <= at_most:
                return
            await asyncio.sleep(0.2)


async def test_a_daemon_that_ends_by_itself_ends_the_demo(place: Path) -> None:
    """The verdict is bad, says why, shows the log's end and keeps the log."""
    shown, told = io.StringIO(), io.StringIO()
    broken = [sys.executable, "-c", "print('the disk is gone'); raise SystemExit(75)"]
    with screen(shown) as lines:
        ending = Ending(told)
        assert await play(10, 1, lines, ending, launch=lambda _: broken, parent=place) == 1
    said = json.loads(told.getvalue())
    assert (said["ok"], said["faults"]) == (False, ["the daemon ended by itself with status 75"])
    assert said.keys() >= REQUIRED
    assert (said["keys_in_step"], said["oversold_units"], said["restarts"]) == (None, None, 0)
    assert "the disk is gone" in shown.getvalue()
    (kept,) = left(place)
    assert str(place / kept) in shown.getvalue()


@pytest.mark.parametrize("seconds", [0, 9, 3601])
def test_a_day_that_is_none_is_refused(seconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Too short or too long: a sentence and status 64, at once."""
    assert demo.main(seconds=seconds, seed=1, as_json=False, serve=False) == 64
    said = capsys.readouterr()
    assert (said.out, "10 to 3600 seconds" in said.err) == ("", True)


@pytest.mark.parametrize(("seconds", "as_json"), [(20, False), (None, True)])
def test_serve_refuses_what_it_would_ignore(
    seconds: int | None, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    """There is no day and no verdict in it."""
    assert demo.main(seconds=seconds, seed=1, as_json=as_json, serve=True) == 64
    assert "--serve" in capsys.readouterr().err
