"""Runs the real daemon as a process: its directory, its signals, its journal lines and what it tells the service manager.

Knows the command line and the configuration file only; simulators are `tests.process.site`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from archsyncd.simulators.commercetools import SystemClock
from tests.process.site import CHANNEL, LOCATION, SECRET, Site

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 40.0
LINE_LIMIT = 20_000
DATABASE = "archsyncd.db"
CLOCK = SystemClock()

CONFIGURATION = """
[daemon]
state_dir = "{directory}/state"
control_socket = "{directory}/control.sock"

[commercetools]
project_key = "{project}"
client_id = "archsyncd"
api_url = "{api_url}"
auth_url = "{api_url}"
{commercetools}

{feed}

[locations]
{locations}

[drain]
increase_interval_seconds = {increase_interval_seconds}

[orders]
poll_seconds = {poll_seconds}
settle_seconds = 10
{orders}

[reconcile]
settle_seconds = 10
{reconcile}

[lease]
seconds = {lease_seconds}

[status]
listen = ""

{more}
"""
PULL = """
[[feed]]
name = "main"
transport = "pull"
url = "{house_url}"
auth = "none"
wait_seconds = 5
interval_seconds = 15
{feed_more}
"""
DROP = """
[[feed]]
name = "main"
transport = "drop"
directory = "{drop}"
interval_seconds = 60
"""


def configuration(directory: Path, site: Site, **changes: object) -> str:
    """The text of a configuration for one site. `changes` are the places of CONFIGURATION and PULL."""
    values: dict[str, object] = {
        "directory": directory,
        "project": "demo",
        "api_url": site.shop_url,
        "house_url": site.house_url,
        "commercetools": "",
        "locations": f'{LOCATION} = {{ channel = "{CHANNEL}" }}',
        "increase_interval_seconds": 0,
        "poll_seconds": 1,
        "orders": "",
        "reconcile": "",
        "lease_seconds": 0,
        "feed_more": "",
        "more": "",
    }
    values |= changes
    values.setdefault("feed", PULL.format(**values))
    return CONFIGURATION.format(**values)


class Daemon:
    """One place where a daemon lives, and the process that runs there now.

    `outages`: the times, in UTC seconds, that ended with a READY=1 and began with the end of the process before.
    """

    def __init__(self, directory: Path, site: Site, **changes: object) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.config = directory / "config.toml"
        self.credentials = directory / "credentials"
        self.site = site
        self.lines: list[str] = []
        self.told: list[str] = []
        self.environment: dict[str, str] = {}
        self.outages: list[tuple[float, float]] = []
        self._down_since: float | None = CLOCK.now()
        self.process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None
        self.state.mkdir(parents=True, mode=0o700)
        self.credentials.mkdir(mode=0o700)
        (self.credentials / "commercetools-client-secret").write_text(SECRET)
        self.configure(**changes)

    @property
    def database(self) -> Path:
        return self.state / DATABASE

    def configure(self, **changes: object) -> None:
        """Write the configuration anew."""
        self.config.write_text(configuration(self.directory, self.site, **changes))

    def command(self, verb: str = "run", *more: str) -> list[str]:
        place = ["--config", str(self.config), "--credentials", str(self.credentials)]
        return [
            sys.executable,
            "-X",
            "dev",
            "-W",
            "error::ResourceWarning",
            "-m",
            "archsyncd.cli",
            verb,
            *place,
            *more,
        ]

    async def start(self, *, ready: bool = False, more: tuple[str, ...] = ()) -> None:
        """Start the process; `ready` waits until it says that it is."""
        told = len(self.told)
        self._listen()
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"NOTIFY_SOCKET", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"}
        }
        environment |= {"PYTHONPATH": str(ROOT / "daemon"), "NOTIFY_SOCKET": str(self.directory / "notify")}
        self.process = await asyncio.create_subprocess_exec(
            *self.command("run", *more),
            env=environment | self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read(self.process))
        if ready:
            await self.until(lambda: any("READY=1" in one for one in self.told[told:]), "READY=1")

    async def run_verb(self, verb: str) -> tuple[int, str]:
        """Run another verb to its end; exit status and everything it said."""
        process = await asyncio.create_subprocess_exec(
            *self.command(verb),
            env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), START_SECONDS)
        assert process.returncode is not None
        return process.returncode, said.decode()

    def strike(self) -> None:
        """Send SIGKILL, without waiting for the end."""
        if self.process is not None and self.process.returncode is None:
            self._goes_down()
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    def _goes_down(self) -> None:
        if self._down_since is None:
            self._down_since = CLOCK.now()

    def _comes_up(self) -> None:
        """READY: from now on it is at fault for what does not get done."""
        if self._down_since is not None:
            self.outages.append((self._down_since, CLOCK.now()))
            self._down_since = None

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        """Kill it with -9, as often as one likes."""
        self.strike()
        await self.ended()

    async def stop(self) -> tuple[int, float]:
        """SIGTERM; exit status and seconds it took."""
        began = time.monotonic()
        self.send(signal.SIGTERM)
        return await self.ended(), time.monotonic() - began

    async def ended(self) -> int:
        """Wait for its end; the exit status."""
        assert self.process is not None
        assert self._reader is not None
        code = await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        self._goes_down()
        await asyncio.wait_for(self._reader, STOP_SECONDS)
        return code

    async def until(self, holds: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
        """Wait for a condition about this process, so long at most; its end is the end of waiting too."""
        end = CLOCK.now() + seconds
        while not holds():
            if self.process is not None and self.process.returncode is not None and not holds():
                raise AssertionError(f"it ended with {self.process.returncode} before: {what}\n{self.tail()}")
            assert CLOCK.now() < end, f"not within {seconds:g} s: {what}\n{self.tail()}"
            await CLOCK.sleep(0.02)

    async def until_line(self, text: str, seconds: float = START_SECONDS) -> str:
        """Wait for a journal line that contains a text; that line."""
        await self.until(lambda: self.line(text) is not None, f"a line with {text!r}", seconds)
        found = self.line(text)
        assert found is not None
        return found

    def line(self, text: str) -> str | None:
        return next((line for line in self.lines if text in line), None)

    @property
    def status(self) -> str:
        """What it told the service manager last."""
        found = [line for one in self.told for line in one.splitlines() if line.startswith("STATUS=")]
        return found[-1].removeprefix("STATUS=") if found else ""

    def tail(self) -> str:
        return "\n".join(self.lines[-40:])

    def complaints(self) -> list[str]:
        """Lines that no run of a right daemon has: pumps that died, tracebacks, warnings of the interpreter."""
        bad = (" failed (", "Traceback", "Warning:", "never awaited", "was never retrieved", "unclosed")
        return [line for line in self.lines if any(text in line for text in bad)]

    def _listen(self) -> None:
        if self._listener is not None:
            return
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._listener.bind(str(self.directory / "notify"))
        asyncio.get_running_loop().add_reader(self._listener, self._hear)

    def _hear(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                self.told.append(self._listener.recv(65_536).decode())
                if (
                    "READY=1" in self.told[-1]
                    and self.process is not None
                    and self.process.returncode is None
                ):
                    self._comes_up()
                del self.told[:-LINE_LIMIT]

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())
            del self.lines[:-LINE_LIMIT]

    async def close(self) -> None:
        """Nothing of it is left behind."""
        if self.process is not None:
            await self.kill()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None


@asynccontextmanager
async def daemon(directory: Path, site: Site, **changes: object) -> AsyncIterator[Daemon]:
    """A daemon's place, not started yet; killed at the end of the block if it still runs."""
    found = Daemon(directory, site, **changes)
    try:
        yield found
    finally:
        await found.close()


def text_everywhere(directory: Path) -> Mapping[str, bytes]:
    """Every file below a directory with its bytes, sockets left out."""
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
