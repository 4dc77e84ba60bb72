"""Records committed per second, end to end and through the store alone, against bare aiosqlite upserts."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.r247_pull import PullFeed, PullOptions, Sessions
from archsyncd.adapters.sqlite import connection
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.feed import Batch
from archsyncd.domain.guard import GuardLimits
from archsyncd.engine.shared import Shared
from archsyncd.engine.tail import Tail, TailOptions
from tests.bench.figures import BELOW_FLOOR, Figure
from tests.bench.processes import serving
from tests.bench.sizes import Sizes
from tests.bench.source import cursor
from tests.bench.stock import AS_OF, EPOCH, FEED, LOCATION, adopt, available, batch, made, opened, parts, skus

AIM = 0.5
PHASES = ("new", "steady")
_TABLE = (
    "CREATE TABLE level (location TEXT NOT NULL, sku TEXT NOT NULL, seq INTEGER NOT NULL, on_hand INTEGER, "
    "available INTEGER, PRIMARY KEY (location, sku)) STRICT, WITHOUT ROWID"
)
_UPSERT = (
    "INSERT INTO level VALUES (?, ?, ?, ?, ?) ON CONFLICT (location, sku) DO UPDATE "
    "SET seq = excluded.seq, on_hand = excluded.on_hand, available = excluded.available"
)


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """Every batch size, keys new and known; the best of some rounds of each."""
    figures = []
    for size in sizes.ingest_batches:
        best: dict[str, float] = {}
        for turn in range(sizes.rounds):
            place = scratch / f"ingest-{size}-{turn}"
            for name, rate in (await _round(sizes.ingest_records, size, place)).items():
                best[name] = max(best.get(name, 0.0), rate)
        figures += [
            Figure(
                f"ingest {way}, {phase} keys, batches of {size:,}",
                best[f"{way} {phase}"],
                "records/s",
                best[f"floor {phase}"],
                BELOW_FLOOR,
                AIM,
            )
            for phase in PHASES
            for way in ("end to end", "store only")
        ]
    return figures


async def _round(records: int, size: int, place: Path) -> dict[str, float]:
    names = skus(records)
    return {
        **await _bare(names, size, place / "bare"),
        **await _store_only(names, size, place / "store"),
        **await _end_to_end(names, size, place / "whole"),
    }


def _settle_heap() -> None:
    """What was made beforehand is not the collector's business while the clock runs."""
    gc.collect()
    gc.freeze()


def _rate(records: int, began: float) -> float:
    return records / (time.perf_counter() - began)


async def _bare(names: Sequence[str], size: int, place: Path) -> dict[str, float]:
    """The floor: one narrow table, the same pragmas, batches and disk, and nothing decided."""
    found: dict[str, float] = {}
    async with _bare_connection(place) as bare:
        for turn, phase in enumerate(PHASES):
            _settle_heap()
            began = time.perf_counter()
            for at, part in zip(range(0, len(names), size), parts(names, size), strict=True):
                first = turn * len(names) + at + 1
                rows = [
                    (LOCATION, sku, seq, available(seq) + 3, available(seq))
                    for seq, sku in enumerate(part, first)
                ]
                await bare.execute("BEGIN IMMEDIATE")
                await bare.executemany(_UPSERT, rows)
                await bare.execute("COMMIT")
            found[f"floor {phase}"] = _rate(len(names), began)
    return found


async def bare_upserts(names: Sequence[str], size: int, place: Path) -> float:
    """The floor with keys told for the first time, in records/s."""
    return (await _bare(names, size, place))[f"floor {PHASES[0]}"]


@asynccontextmanager
async def _bare_connection(place: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(made(place) / "bare.db", isolation_level=None) as bare:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            f"cache_size = -{connection.CACHE_KIBIBYTES}",
            f"journal_size_limit = {connection.JOURNAL_LIMIT_BYTES}",
            f"wal_autocheckpoint = {connection.CHECKPOINT_PAGES}",
            "temp_store = MEMORY",
        ):
            await bare.execute(f"PRAGMA {pragma}")
        await bare.execute(_TABLE)
        yield bare


async def _store_only(names: Sequence[str], size: int, place: Path) -> dict[str, float]:
    """Batches that are read already, into the store."""
    found: dict[str, float] = {}
    async with opened(place) as store:
        for turn, phase in enumerate(PHASES):
            batches = [
                batch(part, turn * len(names) + at + 1)
                for at, part in zip(range(0, len(names), size), parts(names, size), strict=True)
            ]
            _settle_heap()
            began = time.perf_counter()
            for each in batches:
                await store.feeds.record(each)
            found[f"store only {phase}"] = _rate(len(names), began)
            if turn == 0:
                await adopt(store, names)
    return found


async def _end_to_end(names: Sequence[str], size: int, place: Path) -> dict[str, float]:
    """From the bytes of a source in another process to the commit, by the daemon's own tail."""
    found: dict[str, float] = {}
    arguments = ("--records", str(len(names)), "--size", str(size), "--rounds", str(len(PHASES)))
    async with opened(place) as store, serving("tests.bench.source", *arguments) as url:
        for turn, phase in enumerate(PHASES):
            await store.feeds.record(Batch(FEED, EPOCH, (), (), cursor(turn, 0), head_at=AS_OF))
            _settle_heap()
            began = time.perf_counter()
            await _tail(store, url, size, len(names))
            found[f"end to end {phase}"] = _rate(len(names), began)
            if turn == 0:
                await adopt(store, names)
    return found


async def _tail(store: SqliteStore, url: str, size: int, records: int) -> None:
    """Tail the source until so many records are committed."""
    clock = SystemClock()
    shared = Shared(clock)
    options = PullOptions(name=FEED, url=url, page_limit=size, wait_seconds=0)
    feed = PullFeed(options, lambda: "", clock, Sessions(), lambda: None)

    def beat() -> None:
        if shared.counters.get("records", 0) >= records:
            shared.begin_stop()
            tail.stop()

    tail_options = TailOptions(15.0, (LOCATION,), GuardLimits(80, 30, 50, 5), "report")
    tail = Tail(feed, store, shared, tail_options, lambda: 0.5, beat)
    try:
        async with asyncio.timeout(600):
            await tail.run()
    finally:
        await feed.close()
