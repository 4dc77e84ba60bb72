"""A small daemon with something of everything to see, its page served in a thread: for a browser, and for whoever drives one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from math import sin
from pathlib import Path
from typing import Any, TypeVar, cast

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.config import ListenAddress
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import (
    DispatchedParcel,
    Fulfilment,
    Level,
    LineShare,
    OrderLookup,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
)
from archsyncd.domain.guard import GuardLimits
from archsyncd.domain.inventory import LineMode, Order, OrderLine
from archsyncd.domain.reconciling import Mode, RunState, Wanted
from archsyncd.domain.rules import Carrying, DrainLimits, LearnRules
from archsyncd.domain.samples import EVERY_MS, Sample
from archsyncd.domain.settlement import Booked, Settled
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.handing_over import HandOver, Sides
from archsyncd.operator.commands import Commands
from archsyncd.operator.page import showing
from tests.operator.daemon import CHANNEL, SmallDaemon, small_daemon

T = TypeVar("T")
PLACES = 12
LOCATIONS = 'order_location = "WH1"\n' + "".join(
    f'[locations.WH{n}]\nchannel = "{CHANNEL}"\n' for n in range(2, PLACES + 1)
)
LONG = "BRAND-" + "EXTRALONGNAME" * 12
TOKEN = "canary-5a5a-canary"
HOSTILE = '<script>document.title="taken"</script>\u202e\x1b[31m"\'&'
PAYLOAD = ("<img src=x onerror=\"document.title='taken'\">\u2066\x00 " * 90)[:4_000].encode()


class AskedSides:
    """Both systems' words about any order, without asking either."""

    def __init__(self, order: Order) -> None:
        self._order = order

    async def sides(self, _carried: object) -> Sides:
        whole = WholeOrder(self._order, "2026-01-01T00:00:00.000Z", "EUR", payment_state="Paid")
        return Sides(whole, OrderLookup("accepted", "SO-77"), source_silent=False)


async def stage(daemon: SmallDaemon) -> None:
    """Levels with their history, orders, a dispatch, exceptions of eight kinds, a snapshot, samples, a run, something muted."""
    await daemon.level("ABC-1", 15)
    await daemon.prove("ABC-1", 15)
    await written(daemon, "ABC-1", 12, 20, 18)
    changed_by_others(daemon)
    await daemon.order("o0", "ABC-1", 3)
    await daemon.level("ABC-1", 9)
    await daemon.level("ABC-1", 5_000)
    await daemon.level(HOSTILE, 4)
    await daemon.level(LONG, 7)
    await carried(daemon)
    await cases(daemon)
    await held_snapshot(daemon)
    await sampled(daemon)
    run = await daemon.store.reconciles.begin(Wanted(Mode.DRY_RUN, "nightly"))
    assert run is not None
    await daemon.store.reconciles.end(run, RunState.DONE)
    known = {"code": "short_pick", "for_seconds": 8 * 3600, "reason": f"the shelf is recounted {LONG}"}
    await Commands(daemon).answer("ack", known, "anna")


async def written(daemon: SmallDaemon, sku: str, *levels: int) -> None:
    """Levels, and each of them written; nothing else may wait."""
    for available in levels:
        await daemon.level(sku, available)
        (lease,) = await daemon.store.outbox.lease(DrainLimits(), 1)
        booked = Booked(lease.entry_id or "new", (lease.version or 0) + 1)
        done = Settled(lease.key, lease.operation.op_id, booked)
        await daemon.store.outbox.settle([done], daemon.settle_rules())


def changed_by_others(daemon: SmallDaemon) -> None:
    """Have the third change of the history be one that somebody else made."""
    with sqlite3.connect(daemon.settings.daemon.state_dir / DATABASE_NAME) as database:
        database.execute("UPDATE key_history SET kind = 'drift', who = 'anna' WHERE n = 3")


async def carried(daemon: SmallDaemon) -> None:
    """An order that is handed over, with a dispatch."""
    daemon.store.carry(Carrying())
    line = OrderLine("line-o1", "ABC-1", 2, "channel-id", LineMode.RESERVE_ON_ORDER)
    bought = Order("o1", 1, "CT-1001", daemon.clock.wall_ms() - 90_000, "Open", None, (line,))
    rules = LearnRules({"channel-id": CHANNEL}, 0, 0, 30_000, 3_600_000, restores_on_cancel=False)
    await daemon.store.orders.learn([bought], replace(rules, hand_over_since_ms=1))
    parcel = DispatchedParcel("P1", "DHL", "JD014600003")
    shares = (LineShare("ABC-1", 2, "line-o1"),)
    daemon.seq += 1
    told = Fulfilment("f1", daemon.seq, "F-1", "o1", None, "shipped", "WH1", shares, (parcel,))
    await daemon.told(told)
    daemon.hand_over = cast("HandOver", AskedSides(bought))


async def cases(daemon: SmallDaemon) -> None:
    """Exceptions of several kinds and owners."""
    given = (
        (CaseKind.SKU_NOT_FOUND, CHANNEL, "S1", "commercetools has no product with the SKU S1"),
        (
            CaseKind.STOCK_UPDATE_FAILED,
            CHANNEL,
            "S2",
            "commercetools refuses the entry: ConcurrentModification",
        ),
        (
            CaseKind.LOCATION_UNMAPPED,
            "main",
            "WH9",
            "the location WH9 is not mapped: its levels are not published",
        ),
        (CaseKind.SHORT_PICK, "main", "F-9", "2 pieces of ABC-1 were not found"),
        (CaseKind.SUSPECTED_OVERSELL, CHANNEL, "ABC-1", "2 pieces more are ordered than are there"),
    )
    for kind, scope, subject, reason in given:
        await daemon.store.cases.open(NewCase(kind, scope, subject, reason))
    reason = f"the record of {HOSTILE} has no quantity"
    await daemon.store.cases.open(
        NewCase(CaseKind.INVALID_RECORD, "main", HOSTILE, reason, PAYLOAD, "no_quantity")
    )


async def held_snapshot(daemon: SmallDaemon, name: str = "full-1") -> str:
    """A full that would empty the shop, held by the guards; its id."""
    for number in range(4):
        await daemon.level(f"S{number}", 12 + number)
    head = SnapshotHead("main", "e1", name, daemon.seq + 1, "c9", None, ("WH1",))
    snapshot_id = await daemon.store.snapshots.begin(head)
    items = tuple(Level(f"x{n}", daemon.seq + 1, f"S{n}", "WH1", None, 0) for n in range(4))
    await daemon.store.snapshots.stage("main", snapshot_id, SnapshotPage(items))
    end = SnapshotEnd(complete=True, records=4)
    found = await daemon.store.snapshots.assess(snapshot_id, end, 4, 0, GuardLimits(), resumes=True)
    assert found.state == "held"
    return snapshot_id


async def sampled(daemon: SmallDaemon) -> None:
    """Six hours of figures with a busy time, a pause of the daemon, and an incident."""
    now_ms = daemon.clock.wall_ms()
    for ago in range(360, 0, -1):
        if 150 < ago < 180:
            continue
        busy = max(0.0, sin((360 - ago) / 55)) * 240
        verdict = 2 if 90 < ago < 97 else 1 if 80 < ago < 110 else 0
        await daemon.store.samples.note(
            Sample(
                now_ms - ago * EVERY_MS,
                verdict,
                round(busy / 9),
                round(busy / 2),
                round(busy / 12),
                round(busy),
                round(busy * 40) if busy > 5 else None,
                round(2 + busy / 12, 2),
                22.0 if verdict else 44.0,
                3 + (ago % 90 < 40) * 2,
                2_000 + ago % 7 * 300 + verdict * 20_000,
            )
        )


class Staged:
    """A staged daemon in a thread. `address`: where a browser finds its page; `do` runs something in its loop."""

    def __init__(self, daemon: SmallDaemon, loop: asyncio.AbstractEventLoop, port: int, path: Path) -> None:
        self.daemon = daemon
        self.port = port
        self.path = path
        self.address = f"http://localhost:{port}"
        self._loop = loop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the daemon runs."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@asynccontextmanager
async def forwarded(path: Path) -> AsyncIterator[int]:
    """A TCP port whose connections go to a Unix socket, as `ssh -L PORT:SOCKET` does."""
    ends: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while chunk := await reader.read(65_536):
                    writer.write(chunk)
                    await writer.drain()
                writer.close()
                await writer.wait_closed()
        finally:
            writer.transport.abort()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_unix_connection(str(path))
        except OSError:
            writer.close()
            return
        for work in (pump(reader, back), pump(there, writer)):
            task = asyncio.create_task(work)
            ends.add(task)
            task.add_done_callback(ends.discard)

    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(ends):
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        # Transports close in the loop's next turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@asynccontextmanager
async def _shown(
    directory: Path, *, tcp: bool, actions: bool
) -> AsyncIterator[tuple[SmallDaemon, int, Path]]:
    path = directory / "status.sock"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = ListenAddress(host="127.0.0.1", port=port) if tcp else ListenAddress(path=path)
    async with small_daemon(directory, LOCATIONS) as daemon:
        status = replace(daemon.settings.status, listen=address, actions=actions)
        daemon.settings = replace(daemon.settings, status=status)
        await stage(daemon)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(showing(daemon, lambda _name: TOKEN))
            if not tcp:
                port = await stack.enter_async_context(forwarded(path))
            yield daemon, port, path


@contextmanager
def staged(directory: Path, *, tcp: bool = False, actions: bool = False) -> Iterator[Staged]:
    """A staged daemon whose page a browser can reach: behind a forwarded Unix socket, or on TCP with its token."""
    ready, stop = threading.Event(), threading.Event()
    found: list[Staged] = []
    failed: list[BaseException] = []

    async def body() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        async with _shown(directory, tcp=tcp, actions=actions) as (daemon, port, path):
            found.append(Staged(daemon, loop, port, path))

            def wait() -> None:
                stop.wait()
                loop.call_soon_threadsafe(end.set)

            waiter = threading.Thread(target=wait)
            waiter.start()
            ready.set()
            await end.wait()
            waiter.join()

    def run() -> None:
        try:
            asyncio.run(body())
        except BaseException as error:  # noqa: BLE001 - told where the thread is joined
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(60)
        if failed:
            raise failed[0]
        yield found[0]
    finally:
        stop.set()
        thread.join(30)
        if failed:
            raise failed[0]
