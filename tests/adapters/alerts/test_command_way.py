"""The command: a real program, its input, its limits, and what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import signal
from pathlib import Path

import pytest

from archsyncd.adapters.alerts import CommandWay
from archsyncd.engine.alerts import WayFault
from tests.adapters.alerts.samples import MESSAGE


def program(directory: Path, text: str) -> Path:
    path = directory / "page people"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def test_the_program_gets_the_alert_as_one_json_object_and_none_of_our_environment(
    tmp_path: Path,
) -> None:
    """No shell: its path may hold spaces. What systemd told us is ours."""
    os.environ["CREDENTIALS_DIRECTORY_TEST"] = "secret"
    try:
        way = CommandWay(program(tmp_path, f"cat > '{tmp_path}/told'; env > '{tmp_path}/env'; echo paged"))
        assert await way.send("msg_1", MESSAGE) == "ended with status 0: paged"
    finally:
        del os.environ["CREDENTIALS_DIRECTORY_TEST"]
    told = json.loads((tmp_path / "told").read_text())
    assert (told["id"], told["owner"], told["count"]) == ("msg_1", "data", 12)
    assert told["examples"] == ["<!channel>", "Ä & 1"]
    assert "secret" not in (tmp_path / "env").read_text()


async def test_a_program_that_reads_nothing_is_no_fault(tmp_path: Path) -> None:
    """It may know all it needs."""
    assert await CommandWay(program(tmp_path, "exec true")).send("msg_1", MESSAGE) == "ended with status 0"


async def test_a_program_that_leaves_somebody_behind_has_ended_when_it_has(tmp_path: Path) -> None:
    """The one left behind, in a session of its own, holds the output open for long."""
    way = CommandWay(
        program(tmp_path, f"setsid sleep 1000 & echo $! > '{tmp_path}/child'; echo paged"), seconds=5
    )
    assert await way.send("msg_1", MESSAGE) == "ended with status 0: paged"
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("echo no pager >&2; exit 3", "ended with status 3: no pager"),
        ("kill -9 $$", "ended by signal 9"),
        ("yes", "said more than 64 KiB and was ended"),
    ],
)
async def test_a_failure_is_told_with_what_the_program_said(tmp_path: Path, text: str, told: str) -> None:
    """Its status, its signal, or that it does not stop talking."""
    with pytest.raises(WayFault, match=told):
        await CommandWay(program(tmp_path, text)).send("msg_1", MESSAGE)


async def test_a_program_that_hangs_is_ended_with_all_that_it_began(tmp_path: Path) -> None:
    """Its children hold its output open and ignore every polite signal."""
    text = f"trap '' TERM HUP; sleep 1000 & echo $! > '{tmp_path}/child'; wait"
    with pytest.raises(WayFault, match=r"did not end within 0\.5 s and was ended"):
        await CommandWay(program(tmp_path, text), seconds=0.5).send("msg_1", MESSAGE)
    child = int((tmp_path / "child").read_text())
    async with asyncio.timeout(5):
        await _ended(child)


async def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    """Not there, or not executable."""
    with pytest.raises(WayFault, match="cannot be started: No such file"):
        await CommandWay(tmp_path / "missing").send("msg_1", MESSAGE)
    plain = tmp_path / "plain"
    plain.write_text("x")
    with pytest.raises(WayFault, match="cannot be started: Permission denied"):
        await CommandWay(plain).send("msg_1", MESSAGE)


@pytest.mark.parametrize("left", [1, 2, 3])
async def test_what_cannot_be_piped_leaves_nothing_open(tmp_path: Path, left: int) -> None:
    """So many files may still be opened: too few for one pipe, for both, or for the program."""
    way = CommandWay(program(tmp_path, "exec true"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        for _ in range(left):
            os.close(taken.pop())
        with pytest.raises(WayFault, match="cannot be started: Too many open files"):
            await way.send("msg_1", MESSAGE)
        free = [os.dup(0) for _ in range(left)]
        taken += free
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in taken:
            os.close(handle)


async def _ended(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
