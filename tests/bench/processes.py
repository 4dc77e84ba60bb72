"""Processes beside the one that is measured: started, asked for their address and their figures, and ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which our modules are found."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'daemon'}{os.pathsep}{ROOT}", **(extra or {})}


async def start(
    module: str, arguments: Sequence[str], extra: Mapping[str, str] | None = None, *, piped: bool = True
) -> asyncio.subprocess.Process:
    """Start a Python module in a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        env=environment(extra),
        stdout=asyncio.subprocess.PIPE if piped else asyncio.subprocess.DEVNULL,
        stderr=None if piped else asyncio.subprocess.DEVNULL,
    )


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process that we started, kindly at first."""
    if process.returncode is None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
    if process.stdout is not None:
        await process.stdout.read()


@asynccontextmanager
async def serving(module: str, *arguments: str) -> AsyncIterator[str]:
    """A server in a process of its own; its base URL, which it prints as its first line."""
    process = await start(module, arguments)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        yield line.decode().strip()
    finally:
        await end(process)


async def announced(app: web.Application, stop: asyncio.Event, path: str = "") -> None:
    """Serve in this process until told to stop; the address below `path` is the first line of standard output."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}{path}\n")
    sys.stdout.flush()
    await stop.wait()
    await runner.cleanup()


def resident_mebibytes(pid: int) -> tuple[float, float]:
    """The process's resident memory now, and at its highest so far."""
    fields = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
        if ":" in line
    )
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


def processor_seconds(pid: int) -> float:
    """Processor time the process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
