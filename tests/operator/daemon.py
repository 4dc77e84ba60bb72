"""A small daemon of real parts for the operator's tests: a real store, limiter, drain and tail; no network."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from archsyncd.adapters.sqlite.audit_file import AuditFile
from archsyncd.adapters.sqlite.store import SqliteStore, open_store
from archsyncd.assembly import drain_options, guards_of, rules_of, tail_options
from archsyncd.config import Settings, read_settings
from archsyncd.domain.feed import Batch, KeyReading, Level, OrderLookup, Outcome, Record, SnapshotDue
from archsyncd.domain.inventory import Entry, LineMode, Marker, Order, OrderLine, StockKey
from archsyncd.domain.rules import LearnRules, SettleRules
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.alerts import Way
from archsyncd.engine.auditing import Auditing
from archsyncd.engine.drain import Drain
from archsyncd.engine.handing_over import HandOver
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.ports import Commercetools, SnapshotSource, StoreBroken
from archsyncd.engine.reckoning import Reckoning
from archsyncd.engine.shared import Shared
from archsyncd.engine.suspecting import Suspecting
from archsyncd.engine.tail import Freshness, Keeper, Tail
from archsyncd.operator.control import ControlLimits, ControlServer
from archsyncd.operator.ctl import main
from archsyncd.operator.status import StatusDesk
from tests.support.virtual_time import VirtualClock

LEDGER = "ledger-1"
CHANNEL = "warehouse-1"
SETTINGS = """
[daemon]
state_dir = "{directory}/state"
control_socket = "{directory}/control.sock"
[commercetools]
project_key = "shop"
client_id = "sync"
[[feed]]
name = "main"
url = "https://r247.test/api"
interval_seconds = 15
[locations]
WH1 = {{ channel = "warehouse-1" }}
[channels."warehouse-1"]
maximum = 1000
"""


class HastyClock(VirtualClock):
    """A clock on the real loop whose waits take a hundredth of their time: for a watcher in a thread."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


class QuietFeed:
    """A feed that tells nothing by itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.offers_lookup = False
        self.step_seconds = 0.0

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        del after
        nothing: tuple[Batch, ...] = ()
        for batch in nothing:
            yield batch

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Told nobody."""

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        del locations
        return None

    async def read_key(self, sku: str) -> KeyReading | None:
        del sku
        return None

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        del reference
        return None

    async def close(self) -> None:
        """Holds nothing."""


class SmallDaemon:
    """Satisfies the operator's `Daemon`. `seq` counts the records it was fed."""

    def __init__(self, settings: Settings, store: SqliteStore, clock: VirtualClock) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.version = "1.2.3"
        self.hand_over: HandOver | None = None
        self.started_monotonic = clock.monotonic()
        self.tenure_text = "held with fence 1 by test"
        self.loop_lag_seconds = 0.0
        self.alert_ways: dict[str, Way] = {}
        self.shared = Shared(clock)
        project = settings.commercetools
        self.limiter = Limiter(
            float(project.requests_per_second),
            float(project.burst),
            project.max_in_flight,
            clock,
            lambda: 0.5,
        )
        options = drain_options(settings, LEDGER, 1)
        # The drain only tells its options here; nothing runs it, so it never needs its client.
        self.drain = Drain(
            store, cast("Commercetools", None), self.limiter, self.shared, options, lambda: None
        )
        self.feeds = [QuietFeed(feed.name) for feed in settings.feeds]
        self.tails = {
            feed.name: Tail(
                feed, store, self.shared, tail_options(settings, feed.name), lambda: 0.5, lambda: None
            )
            for feed in self.feeds
        }
        intervals = {feed.name: float(feed.interval_seconds) for feed in settings.feeds}
        self.freshness = Freshness(store, self.shared, intervals, lambda: None)
        self.keeper = Keeper(store, self.shared, (), settings.guards.absent, lambda: None)
        self.reckoning = Reckoning(store, self.shared, rules_of(settings), guards_of(settings), lambda: None)
        self.suspecting = Suspecting(store, self.shared, settings.health.oversell_seconds, lambda: None)
        self.desk = StatusDesk(self)
        self.auditing = self.auditing_with(cast("Commercetools", None))
        self.reloading: Callable[[], list[str]] = list
        self.seq = 0

    async def reload(self) -> list[str]:
        return self.reloading()

    def auditing_with(self, client: Commercetools) -> Auditing:
        """What audits against this client; a test sets it and runs it."""
        book = AuditFile(self.settings.daemon.state_dir)
        return Auditing(self.store, client, self.limiter, self.shared, book, lambda: 0.5, lambda: None)

    async def told(self, *records: Record) -> None:
        """Take in records as one batch of the feed."""
        await self.store.feeds.record(
            Batch("main", "e1", tuple(records), (), f"c{self.seq}", head_seq=self.seq)
        )

    async def level(self, sku: str, available: int, location: str = "WH1") -> None:
        """Take in one level."""
        self.seq += 1
        await self.told(Level(f"id{self.seq}", self.seq, sku, location, None, available))

    async def entry(self, sku: str, stock: int, entry_id: str = "") -> None:
        """Book that the key's entry was found with so many pieces; its base is provisional then."""
        entry = Entry(
            entry_id or f"entry-{sku}",
            1,
            StockKey(CHANNEL, sku),
            stock,
            stock,
            Marker(),
            None,
            1,
            self.clock.wall_ms(),
        )
        await self.store.outbox.book_lookups([entry], (), (), self.settle_rules())

    async def prove(self, sku: str, stock: int) -> None:
        """Book a clean read that proves the base."""
        await self.entry(sku, stock)
        row = (await self.store.outbox.rows([StockKey(CHANNEL, sku)]))[StockKey(CHANNEL, sku)]
        assert row.entry_id is not None
        entry = Entry(
            row.entry_id,
            row.version or 1,
            row.key,
            stock,
            stock,
            Marker(),
            None,
            1,
            self.clock.wall_ms() - 200_000,
        )
        await self.store.outbox.book_reads([entry], ())
        proven, _ = await self.store.outbox.judge_reads(self.clock.wall_ms(), 15_000, 10)
        assert proven == 1

    async def order(self, order_id: str, sku: str, quantity: int) -> None:
        """Learn a tracked order."""
        line = OrderLine(f"line-{order_id}", sku, quantity, "channel-id", LineMode.RESERVE_ON_ORDER)
        order = Order(order_id, 1, f"CT-{order_id}", self.clock.wall_ms() - 1_000, "Open", None, (line,))
        rules = LearnRules({"channel-id": CHANNEL}, 0, 0, 30_000, 3_600_000, restores_on_cancel=False)
        await self.store.orders.learn([order], rules)

    def settle_rules(self) -> SettleRules:
        return SettleRules(2_000, 100_000, 0)


@asynccontextmanager
async def small_daemon(
    directory: Path, extra: str = "", clock: VirtualClock | None = None
) -> AsyncIterator[SmallDaemon]:
    """A daemon whose state and socket lie in `directory`."""
    settings, faults = read_settings(SETTINGS.format(directory=directory) + extra, "config.toml")
    assert settings is not None, [str(fault) for fault in faults]
    state = settings.daemon.state_dir
    state.mkdir()
    clock = clock or VirtualClock()
    store = await open_store(
        state, clock, rules_of(settings), project="shop", host="here", new_ledger_id=LEDGER
    )
    try:
        await store.take_tenure(Tenure("test", 1, LEDGER))
        daemon = SmallDaemon(settings, store, clock)
        daemon.shared.orders_complete_ms = clock.wall_ms() - 60_000
        yield daemon
    finally:
        await store.close()


@asynccontextmanager
async def served(
    directory: Path,
    extra: str = "",
    limits: ControlLimits | None = None,
    clock: VirtualClock | None = None,
) -> AsyncIterator[SmallDaemon]:
    """A daemon that answers on its control socket."""
    async with small_daemon(directory, extra, clock) as daemon:
        server = ControlServer(daemon, None, limits)
        await server.start()
        try:
            yield daemon
        finally:
            await server.close()


async def ctl(daemon: SmallDaemon, *arguments: str) -> tuple[int, str, str]:
    """Run archsyncctl against the daemon; its exit status, output and complaints."""
    out, err = io.StringIO(), io.StringIO()
    socket = str(daemon.settings.daemon.control_socket)
    code = await asyncio.to_thread(main, [*arguments, "--socket", socket], out, err)
    return code, out.getvalue(), err.getvalue()


async def ask_json(daemon: SmallDaemon, *arguments: str) -> Mapping[str, Any]:
    """Run archsyncctl with --json; its answer."""
    _, out, _ = await ctl(daemon, *arguments, "--json")
    answer = json.loads(out)
    assert isinstance(answer, dict)
    return answer


async def raw(daemon: SmallDaemon, *chunks: bytes, end: bool = False) -> bytes:
    """Say bytes on the control socket and read all that comes until the daemon hangs up (or one line, with `end`)."""
    reader, writer = await asyncio.open_unix_connection(str(daemon.settings.daemon.control_socket))
    try:
        for chunk in chunks:
            writer.write(chunk)
        if end:
            return await reader.readline()
        return await reader.read()
    finally:
        writer.close()


async def break_store(daemon: SmallDaemon) -> None:
    """As a damaged page does: nothing can be read or written any more."""

    async def body(_: object) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    with contextlib.suppress(StoreBroken, sqlite3.DatabaseError):
        await daemon.store._session.database.write(body)
    assert daemon.store.broken
