"""A real daemon process on stores of several sizes: time to READY, resident memory, idle processor time."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore, open_store
from archsyncd.assembly import rules_of
from archsyncd.cli import MACHINE_ID, host_id
from archsyncd.config import Settings, read_settings
from archsyncd.domain.feed import Batch
from archsyncd.domain.tenure import Tenure
from tests.bench.figures import ABOVE_FLOOR, Figure
from tests.bench.processes import end, processor_seconds, resident_mebibytes, serving, start
from tests.bench.sizes import Sizes
from tests.bench.stock import CHANNEL, CHUNK, EPOCH, FEED, adopt, batch, parts, skus

MEMORY_MEBIBYTES, READY_SECONDS = 150.0, 1.0
SETTLING_SECONDS = 6.0
START_LIMIT_SECONDS = 300.0
SECRET = "simulator-secret"
# Above what the clock tells, so that the daemon's own continues it and nothing seems to have come between.
FENCE = 1 << 40
_CONFIG = """
[daemon]
state_dir = "{directory}/state"
control_socket = "{sockets}/control"
[commercetools]
project_key = "demo"
client_id = "archsyncd"
api_url = "{project}"
auth_url = "{project}"
[[feed]]
name = "main"
url = "{source}"
auth = "none"
[locations]
WH1 = {{ channel = "warehouse-1" }}
[orders]
mode = "observe"
history_days = 1
[lease]
seconds = 0
[status]
listen = "unix:{sockets}/status"
"""


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """Each size from a fresh process."""
    figures: list[Figure] = []
    for keys in sizes.resident_keys:
        place = scratch / f"keys-{keys}"
        try:
            # Sockets have short names of their own: an address holds 107 bytes, a scratch directory may be longer.
            with tempfile.TemporaryDirectory(prefix="bench-") as sockets:
                figures += await _measured(keys, sizes.idle_seconds, place, sockets)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return figures


async def _measured(keys: int, idle_seconds: float, place: Path, sockets: str) -> list[Figure]:
    async with resting(keys, place, sockets):
        return await _run(keys, idle_seconds, place, sockets)


@asynccontextmanager
async def resting(keys: int, place: Path, sockets: str) -> AsyncIterator[None]:
    """Both sides, and the state of a shop at rest with so many keys."""
    async with (
        serving("archsyncd.simulators.commercetools", "--no-journal") as project,
        serving("tests.bench.source") as source,
        aiohttp.ClientSession(project) as session,
    ):
        settings = _configured(place, sockets, project, source)
        async with session.post("/_simulator/channels", json={"key": CHANNEL}) as answer:
            answer.raise_for_status()
        await _build(keys, settings)
        yield


def _configured(place: Path, sockets: str, project: str, source: str) -> Settings:
    (place / "state").mkdir(parents=True)
    (place / "credentials").mkdir(mode=0o700)
    secret = place / "credentials" / "commercetools-client-secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    text = _CONFIG.format(directory=place, sockets=sockets, project=project, source=source)
    (place / "config.toml").write_text(text)
    settings, faults = read_settings(text, "config.toml")
    assert settings is not None, [str(fault) for fault in faults]
    return settings


async def _build(keys: int, settings: Settings) -> None:
    """The state of a shop at rest: every key known, based and in step."""
    rules = rules_of(settings)
    project = f"{settings.commercetools.project_key} at {settings.commercetools.api_address}"
    store: SqliteStore = await open_store(
        settings.daemon.state_dir,
        SystemClock(),
        rules,
        project=project,
        host=host_id(MACHINE_ID),
        new_ledger_id="bench",
    )
    try:
        await store.take_tenure(Tenure("bench", FENCE, store.ledger.id))
        await store.use_rules(rules)
        names = skus(keys)
        for start_at, part in zip(range(0, keys, CHUNK), parts(names, CHUNK), strict=True):
            await store.feeds.record(batch(part, start_at + 1))
        await adopt(store, names)
        await store.feeds.record(Batch(FEED, EPOCH, (), (), "quiet"))
    finally:
        await store.close()
    with contextlib.closing(sqlite3.connect(settings.daemon.state_dir / DATABASE_NAME)) as file:
        # As if every confirming read had been made.
        file.execute("UPDATE outbox SET base = 'proven', check_due_ms = NULL")
        file.commit()


@asynccontextmanager
async def _manager(sockets: str) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A service manager's socket, and whether READY was heard on it."""
    ready = asyncio.Event()
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    receiver.bind(f"{sockets}/notify")
    loop = asyncio.get_running_loop()

    def heard() -> None:
        if "READY=1" in receiver.recv(65_536).decode().splitlines():
            ready.set()

    loop.add_reader(receiver, heard)
    try:
        yield f"{sockets}/notify", ready
    finally:
        loop.remove_reader(receiver)
        receiver.close()


@asynccontextmanager
async def running(place: Path, sockets: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    """The daemon of a place, once it is ready, and how long that took, in seconds."""
    arguments = ("run", "--config", str(place / "config.toml"), "--credentials", str(place / "credentials"))
    async with _manager(sockets) as (address, ready):
        began = time.perf_counter()
        process = await start("archsyncd.cli", arguments, {"NOTIFY_SOCKET": address}, piped=False)
        ended = asyncio.ensure_future(process.wait())
        try:
            heard = asyncio.ensure_future(ready.wait())
            await asyncio.wait([ended, heard], timeout=START_LIMIT_SECONDS, return_when="FIRST_COMPLETED")
            ready_seconds = time.perf_counter() - began
            heard.cancel()
            assert ready.is_set(), f"the daemon is not ready (exit status {process.returncode})"
            yield process, ready_seconds
            assert process.returncode is None, f"the daemon ended with status {process.returncode}"
        finally:
            await end(process)
            await ended


async def _run(keys: int, idle_seconds: float, place: Path, sockets: str) -> list[Figure]:
    async with running(place, sockets) as (process, ready_seconds):
        await asyncio.sleep(min(SETTLING_SECONDS, 6 * idle_seconds))
        used, since = processor_seconds(process.pid), time.perf_counter()
        await asyncio.sleep(idle_seconds)
        share = 100 * (processor_seconds(process.pid) - used) / (time.perf_counter() - since)
        resident, highest = resident_mebibytes(process.pid)
    return [
        Figure(f"time to READY at {keys:,} keys", ready_seconds, "s", None, ABOVE_FLOOR, READY_SECONDS),
        Figure(f"resident memory at {keys:,} keys", resident, "MiB", None, ABOVE_FLOOR, MEMORY_MEBIBYTES),
        Figure(
            f"highest resident memory at {keys:,} keys", highest, "MiB", None, ABOVE_FLOOR, MEMORY_MEBIBYTES
        ),
        Figure(f"idle processor at {keys:,} keys", share, "% of one"),
    ]
