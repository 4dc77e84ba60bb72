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
from archsyncd.demo.play import play
from archsyncd.demo.screen import screen

SOURCE = Path(__file__).parents[2] / "daemon"
PATIENCE_SECONDS = 90


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
async def test_one_command_ends_with_a_good_verdict(tmp_path: Path) -> None:
    """A short day: the real daemon is killed and comes back, nothing is oversold, and nothing is left behind."""
    async with demonstration(tmp_path, "--json", "--seconds", "12") as process:
        async with asyncio.timeout(PATIENCE_SECONDS):
            told, shown = await process.communicate()
        said = json.loads(told.splitlines()[-1])
        assert (process.returncode, said["ok"], said["faults"]) == (0, True, [])
    assert said["keys"] == said["keys_in_step"] > 400
    assert (said["oversold_units"], said["hidden_units"], said["excess_units"]) == (0, 0, 0)
    assert (said["restarts"], said["kills"]) == (1, 1)
    assert said["records"] > 1_000
    assert said["requests"] >= said["writes"] > 0
    assert said["requests_per_change"] < 1
    text = shown.decode()
    for happened in ("kill -9", "sku_not_found", "invalid_record", "overloaded", "What you just saw"):
        assert happened in text
    assert left(tmp_path) == []
    assert daemons(tmp_path) == []


@pytest.mark.timeout(150)
async def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    """In the middle of the day, pressed twice: status 130, the daemon is gone, its directory too."""
    async with demonstration(tmp_path, "--seconds", "60") as process:
        await until(process.stdout, "this host writes")
        assert daemons(tmp_path) != []
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, said = await process.communicate()
        assert process.returncode == 130
    assert b"Traceback" not in said
    assert daemons(tmp_path) == []
    assert left(tmp_path) == []


@pytest.mark.timeout(150)
async def test_serve_prints_what_to_type_and_answers_it(tmp_path: Path) -> None:
    """The printed addresses answer as the printed curl lines ask, a sale is told, and Ctrl-C is the ordinary end."""
    async with demonstration(tmp_path, "--serve") as process:
        page = "".join(await until(process.stdout, "Ctrl-C"))
        assert "archsyncd run --config" in page or "archsyncd.cli run --config" in page
        assert "status --socket" in page
        config = Path(re.findall(r"configuration +(\S+)", page)[0])
        credentials = Path(re.findall(r"credentials +(\S+)", page)[0])
        assert {config.name, credentials.name} <= set(left(config.parent))
        assert left(credentials) == ["commercetools-client-secret"]
        changes, summary, stock = re.findall(r"curl -s '?(http://127\.0\.0\.1:[^'\s]+)'?\n", page)
        sale, address = re.findall(r"curl -s -d '(.+)' (\S+)\n", page)[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(changes) as answer:
                assert (await answer.json())["schema"] == "r247/1"
            async with session.get(summary) as answer:
                assert (await answer.json())["result"]["entries"] == 0
            async with session.post(address, data=sale) as answer:
                assert answer.status == 200
            async with session.get(stock) as answer:
                assert answer.status == 400  # no daemon has made the entry yet
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
    assert left(tmp_path) == []


async def test_a_daemon_that_ends_by_itself_ends_the_demo(tmp_path: Path) -> None:
    """The verdict is bad, says why, shows the log's end and keeps the log."""
    shown, told = io.StringIO(), io.StringIO()
    broken = [sys.executable, "-c", "print('the disk is gone'); raise SystemExit(75)"]
    with screen(shown) as lines:
        assert await play(10, 1, lines, told, launch=lambda _: broken, parent=tmp_path) == 1
    said = json.loads(told.getvalue())
    assert said == {"ok": False, "faults": ["the daemon ended by itself with status 75"]}
    assert "the disk is gone" in shown.getvalue()
    (kept,) = left(tmp_path)
    assert str(tmp_path / kept) in shown.getvalue()


@pytest.mark.parametrize("seconds", [0, 9, 3601])
def test_a_day_that_is_none_is_refused(seconds: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Too short or too long: a sentence and status 64, at once."""
    assert demo.main(seconds=seconds, seed=1, as_json=False, serve=False) == 64
    assert "10 to 3600 seconds" in capsys.readouterr().err
