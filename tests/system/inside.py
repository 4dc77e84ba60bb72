"""Runs the daemon in this process, in virtual time, against both simulators on loopback sockets.

`inside` gives a site and a place for daemons; `House.daemon()` starts one there and stops it at the end of the block.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from archsyncd.adapters.systemd import Notifier
from archsyncd.app import App
from archsyncd.config import Settings, load
from archsyncd.domain.cases import Case, CaseKind
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.outbox import OutboxRow
from archsyncd.world import World
from tests.process.harness import configuration
from tests.process.site import LOCATION, SECRET, Site, site
from tests.support.virtual_time import VirtualClock

CHANNEL_KEY = "warehouse-1"
READY_SECONDS = 60.0
STOP_SECONDS = 45.0
# Looking for orders each second is what a minute of an idle daemon costs most of.
POLL_SECONDS = 3
TICK_SECONDS = 0.25


class SiteClock:
    """The simulators' view of virtual time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.wall_ms() / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Notes:
    """What was told to the service manager, and when the watchdog was fed (virtual monotonic seconds)."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.fed: list[float] = []

    def send(self, message: str) -> bool:
        if message == "WATCHDOG=1":
            self.fed.append(asyncio.get_running_loop().time())
        else:
            self.told.append(message)
        return True

    @property
    def status(self) -> str:
        """What was told last."""
        found = [line for one in self.told for line in one.splitlines() if line.startswith("STATUS=")]
        return found[-1].removeprefix("STATUS=") if found else ""


class Lines(logging.Handler):
    """The journal's lines."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self.fields: list[Mapping[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.fields.append(record.__dict__.get("told", {}))

    def line(self, text: str) -> str | None:
        return next((line for line in self.lines if text in line), None)


class Running:
    """A daemon that runs in this process."""

    def __init__(self, app: App, task: asyncio.Task[None], notes: Notes, journal: Lines) -> None:
        self.app = app
        self.task = task
        self.notes = notes
        self.journal = journal

    async def row(self, sku: str, channel: str = CHANNEL_KEY) -> OutboxRow:
        key = StockKey(channel, sku)
        return (await self.app.store.outbox.rows([key]))[key]

    async def cases(self, kind: CaseKind) -> list[Case]:
        """Open cases of a kind."""
        return await self.app.store.cases.listed(kind=kind.value)

    async def until_case(self, kind: CaseKind, *, open_: bool = True, seconds: float = 120.0) -> Case | None:
        """Wait until a case of a kind is there, or gone."""
        clock = self.app.clock
        end = clock.monotonic() + seconds
        while bool(found := await self.cases(kind)) is not open_:
            assert clock.monotonic() < end, f"{kind} {'never came' if open_ else 'stays'}: {found}"
            await clock.sleep(0.2)
        return found[0] if found else None

    def complaints(self) -> list[str]:
        """Lines about pumps that died and errors that nobody expected."""
        return [line for line in self.journal.lines if " failed (" in line or "not expected" in line]


class House:
    """Where daemons live: directories below one temporary directory, settings for one site."""

    def __init__(self, directory: Path, site: Site, clock: VirtualClock, seed: int) -> None:
        self.directory = directory
        self.site = site
        self.clock = clock
        self._ids = itertools.count(seed * 1_000_000)
        self._seed = seed
        self._pids = itertools.count(1000)
        self.journal = Lines()

    def place(self, name: str = "one") -> Path:
        """The directory of one daemon."""
        place = self.directory / name
        (place / "state").mkdir(parents=True, exist_ok=True, mode=0o700)
        credentials = place / "credentials"
        credentials.mkdir(exist_ok=True, mode=0o700)
        secret = credentials / "commercetools-client-secret"
        if not secret.exists():
            secret.write_text(SECRET)
        return place

    def write(self, name: str = "one", **changes: object) -> Path:
        """Write a daemon's configuration; its file."""
        place = self.place(name)
        config = place / "config.toml"
        config.write_text(configuration(place, self.site, **({"poll_seconds": POLL_SECONDS} | changes)))
        return config

    def settings(self, name: str = "one") -> Settings:
        place = self.place(name)
        return load(place / "config.toml", place / "credentials", {})

    def database(self, name: str = "one") -> Path:
        return self.place(name) / "state" / "archsyncd.db"

    def keep_copy(self, to: str, name: str = "one") -> None:
        """Copy a stopped daemon's state directory."""
        target = self.place(to) / "state"
        shutil.rmtree(target)
        shutil.copytree(self.place(name) / "state", target)

    def world(self, name: str, notes: Notes, host: str, watchdog_seconds: float | None = None) -> World:
        chance = random.Random(next(self._ids))
        return World(
            clock=self.clock,
            chance=chance.random,
            secret=lambda credential: (self.place(name) / "credentials" / credential).read_text(),
            new_id=lambda: f"{next(self._ids):016x}",
            host_id=host,
            host_name=f"host-{host}",
            pid=next(self._pids),
            notifier=Notifier(notes.send, watchdog_seconds),
            reload=lambda: self.settings(name),
        )

    @asynccontextmanager
    async def daemon(
        self,
        name: str = "one",
        *,
        host: str = "a",
        ready: bool = True,
        quiet: bool = True,
        watchdog_seconds: float | None = None,
        equip: Callable[[App], None] = lambda _app: None,
        **changes: object,
    ) -> AsyncIterator[Running]:
        """A daemon for the length of the block. `quiet`: it must stop by itself and no pump may have died.

        `equip` gives it other connections before it starts.
        """
        if changes or not (self.place(name) / "config.toml").exists():
            self.write(name, **changes)
        notes = Notes()
        app = App(self.settings(name), self.world(name, notes, host, watchdog_seconds))
        equip(app)
        task = asyncio.create_task(app.run(), name=f"daemon {name}")
        running = Running(app, task, notes, self.journal)
        try:
            if ready:
                await first(app.ready.wait(), task, READY_SECONDS)
            yield running
            if quiet:
                assert running.complaints() == []
                assert not task.done(), "it ended by itself"
        finally:
            await stop(running, quiet=quiet)


async def first(wanted: Any, task: asyncio.Task[None], seconds: float) -> None:
    """Wait for something that the end of a task makes pointless."""
    waiting = asyncio.ensure_future(wanted)
    try:
        await asyncio.wait({waiting, task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        assert waiting.done(), f"not within {seconds:g} s"
    finally:
        waiting.cancel()


async def stop(running: Running, *, quiet: bool = True) -> None:
    """Stop a daemon and wait for its end."""
    task = running.task
    if not task.done():
        running.app.stop()
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise AssertionError("it did not stop")
    if quiet:
        task.result()
    elif not task.cancelled():
        task.exception()


@asynccontextmanager
async def inside(
    *, seed: int = 1, shop: Mapping[str, Any] | None = None, house: Mapping[str, Any] | None = None
) -> AsyncIterator[tuple[Site, House]]:
    """A site in virtual time and a place for daemons."""
    clock = VirtualClock()
    with tempfile.TemporaryDirectory(prefix="archsyncd-") as directory:
        ticking = {"tick_seconds": TICK_SECONDS} | dict(house or {})
        async with site(SiteClock(clock), seed=seed, shop=shop, house=ticking) as around:
            found = House(Path(directory), around, clock, seed)
            logger = logging.getLogger("archsyncd")
            level = logger.level
            logger.addHandler(found.journal)
            logger.setLevel(logging.INFO)
            try:
                yield around, found
            finally:
                logger.removeHandler(found.journal)
                logger.setLevel(level)


__all__ = ["LOCATION", "House", "Notes", "Running", "SiteClock", "first", "inside", "stop"]
