"""The real daemon as a process of its own: started, killed, stopped, its log read. Knows nothing of trade."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from archsyncd.demo.workspace import Workspace

STOP_SECONDS = 15.0
# What a service manager would tell its own service must not reach the demo's daemon.
FOREIGN = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "JOURNAL_STREAM",
    "STATE_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "RUNTIME_DIRECTORY",
)
SOURCE = Path(__file__).resolve().parents[2]


class DaemonProcess:
    """One daemon in a workspace; at most one process at a time."""

    def __init__(self, place: Workspace, launch: Callable[[Workspace], list[str]]) -> None:
        """`launch` gives the command line."""
        self._place = place
        self._launch = launch
        self._process: asyncio.subprocess.Process | None = None
        self._read_bytes = 0
        self.starts = 0

    async def start(self) -> None:
        """Start it; its standard error goes to the end of the log."""
        with self._place.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._launch(self._place),
                env=environment(os.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C at the terminal is for the demo, which then stops this process itself.
                start_new_session=True,
            )
        self.starts += 1

    @property
    def ended(self) -> int | None:
        """The exit status once it has ended, None while it runs or before it was started."""
        return None if self._process is None else self._process.returncode

    async def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> int | None:
        """Ask it to stop and wait, with SIGKILL when that takes too long; the exit status."""
        process = self._process
        if process is None or process.returncode is not None:
            return self.ended
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await process.wait()
        except TimeoutError:
            await self.kill()
            return self.ended

    def news(self) -> list[str]:
        """Whole lines of the log since the last call."""
        try:
            with self._place.log.open("rb") as log:
                log.seek(self._read_bytes)
                told = log.read()
        except FileNotFoundError:
            return []
        whole = told[: told.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        return whole.decode("utf-8", "replace").splitlines()


def command(place: Workspace) -> list[str]:
    """The daemon's command line, as a person would type it."""
    given = ["--config", str(place.config), "--credentials", str(place.credentials)]
    return [sys.executable, "-m", "archsyncd.cli", "run", *given]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment: ours, without what belongs to a service, and with this source tree first."""
    kept = {name: value for name, value in given.items() if name not in FOREIGN}
    path = [str(SOURCE), *filter(None, [given.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(path)}
