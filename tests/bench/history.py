"""What the history of keys costs: one key's timeline among a million, folding, and settling writes that are kept in it."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore
from archsyncd.domain.history import DAY_MS
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.rules import DrainLimits, SettleRules
from archsyncd.domain.settlement import Booked, Settled
from tests.bench.figures import ABOVE_FLOOR, Figure
from tests.bench.sizes import Sizes
from tests.bench.stock import CHANNEL, opened, parts

TIMELINE_MS = 200.0
NEWEST_ROWS = 12
# What a busy key has at its most: a row for each of 370 days, and thirty days of a hundred changes.
DAYS, BUSY_DAYS, CHANGES_A_DAY = 400, 30, 100
BUSY_ROWS = DAYS + BUSY_DAYS * CHANGES_A_DAY
LEASED = 500
FOLD_ROWS, FOLD_STEPS = 500, 200
PLENTY = 10**9
SETTLING = SettleRules(0, 10**13, 2, 1)
BUSY = "SKU-0000000"


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """All of it on one store."""
    directory = scratch / "history"
    async with opened(directory) as store:
        await asyncio.to_thread(_filled, directory / DATABASE_NAME, sizes.history_keys)
        key = StockKey(CHANNEL, BUSY)

        async def story() -> None:
            await store.report.story(BUSY)
            assert (await store.history.newest(key, NEWEST_ROWS)).adds_up

        async def whole() -> None:
            n = 0
            while changes := (await store.history.after(key, n, 250)).changes:
                n = changes[-1].n

        timeline_ms = await _milliseconds(story, sizes.rounds * 10)
        whole_ms = await _milliseconds(whole, sizes.rounds)
        settled = await _settled(store, sizes.history_keys, min(sizes.drain_updates, sizes.history_keys))
        step_ms, folded = await _folded(store)
    size_bytes = (directory / DATABASE_NAME).stat().st_size
    return [
        Figure("history, one key's story", timeline_ms, "ms", None, ABOVE_FLOOR, TIMELINE_MS),
        Figure("history, all pages of a busy key", whole_ms, "ms"),
        Figure("history, writes leased and settled", settled, "updates/s"),
        Figure("history, a step of folding at its longest", step_ms, "ms"),
        Figure("history, rows folded", folded, "rows/s"),
        Figure("history, database", size_bytes / 2**20, "MiB"),
    ]


def _filled(path: Path, keys: int) -> None:
    """Keys in step with an opening, two days and one young change each, and the busy one."""
    now_ms = SystemClock().wall_ms()
    days = f"{now_ms} - {DAY_MS} * "
    with sqlite3.connect(path, timeout=30) as database:
        for statement in (
            f"""WITH RECURSIVE many (at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM many WHERE at < {keys})
            INSERT INTO outbox (channel, sku, f, x_target, x_applied, base, entry_id, version)
            SELECT '{CHANNEL}', printf('SKU-%07d', at), 20, 20, 20, 'proven', printf('entry-%032d', at), 3 FROM many""",
            f"""INSERT INTO key_history SELECT channel, sku, n.column1, {days}n.column2, 'increment', 5, 5 * n.column1,
            20, 0, 0, 0, '1.' || n.column1, '', 1 FROM outbox CROSS JOIN (VALUES (1, 60), (2, 60), (3, 60), (4, 1)) AS n""",
            f"""INSERT INTO outbox (channel, sku, f, x_target, x_applied, base, entry_id, version)
            VALUES ('{CHANNEL}', '{BUSY}', 20, 20, {BUSY_ROWS}, 'proven', 'entry', 3)""",
            f"""WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {BUSY_ROWS})
            INSERT INTO key_history SELECT '{CHANNEL}', '{BUSY}', n, {days}max({DAYS} - n, 0) - {DAY_MS}, 'day', 1, n, 20, 0, 0,
            0, '', '', 9 FROM many""",
            "UPDATE key_history_state SET rows = (SELECT count(*) FROM key_history)",
        ):
            database.execute(statement)


async def _milliseconds(work: Callable[[], Awaitable[None]], times: int) -> float:
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await work()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


async def _settled(store: SqliteStore, keys: int, updates: int) -> float:
    """Decreases of keys all over the table, leased and booked by hundreds: what the drain costs without its requests."""
    with sqlite3.connect(store._session.database.path, timeout=30) as database:
        names = random.Random(updates).sample(range(1, keys + 1), updates)
        place: Sequence[tuple[Any, ...]] = [(CHANNEL, f"SKU-{name:07d}") for name in names]
        database.executemany(
            "UPDATE outbox SET f = 15, x_target = 15, due_class = 2, nearness = 0, since_ms = 1 WHERE channel = ? AND sku = ?",
            place,
        )
    done, began = 0, time.perf_counter()
    while leases := await store.outbox.lease(DrainLimits(), LEASED):
        for part in parts([str(at) for at in range(len(leases))], 20):
            settled = [
                Settled(
                    lease.key, lease.operation.op_id, Booked(lease.entry_id or "", (lease.version or 0) + 1)
                )
                for lease in (leases[int(at)] for at in part)
            ]
            await store.outbox.settle(settled, SETTLING)
            done += len(settled)
    return done / (time.perf_counter() - began)


async def _folded(store: SqliteStore) -> tuple[float, float]:
    """The longest of some steps, and rows gone a second."""
    longest, rows, began = 0.0, None, time.perf_counter()
    folding = None
    for _ in range(FOLD_STEPS):
        step_began = time.perf_counter()
        folding = await store.history.fold(PLENTY, FOLD_ROWS)
        longest = max(longest, time.perf_counter() - step_began)
        rows = folding.rows if rows is None else rows
        if folding.ended:
            break
    gone = 0 if folding is None or rows is None else rows - folding.rows
    return longest * 1000, gone / (time.perf_counter() - began)
