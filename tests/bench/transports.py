"""Records committed per second through each of the four transports, beside pull and beside bare aiosqlite upserts.

Each begins at the bytes on a socket or in a file and ends at the commit with `synchronous = FULL` and the acknowledgement.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import math
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.pubsub import Caller, NoTokens, PubsubFeed, PubsubOptions, Subscription
from archsyncd.adapters.r247_drop import DropFeed, DropOptions
from archsyncd.adapters.r247_pull import PullFeed, PullOptions, Sessions
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.adapters.webhook import PushFeed, PushOptions
from archsyncd.config import FeedSettings
from archsyncd.domain.feed import Batch
from archsyncd.domain.guard import GuardLimits
from archsyncd.engine.ports import Feed
from archsyncd.engine.shared import Shared
from archsyncd.engine.tail import Tail, TailOptions
from archsyncd.receiving import receiving
from archsyncd.wire.drop_names import DropCheckpoint
from tests.bench.caller import SECRET
from tests.bench.figures import ABOVE_FLOOR, BELOW_FLOOR, Figure
from tests.bench.ingest import bare_upserts
from tests.bench.processes import end, serving, start
from tests.bench.sizes import Sizes
from tests.bench.source import cursor
from tests.bench.stock import AS_OF, EPOCH, FEED, LOCATION, lines, made, opened, parts, rows, skus

BATCH = 1_000
# Records a message of a queue.
MESSAGES = (1, 100)
PATIENCE_SECONDS = 60.0
# A transport that reaches less than this share of pull has something wrong with it.
SHARE_OF_PULL = 1 / 3
PULL = "pull, pages of 1,000"
# Above whatever a bench can call: the default lets 200 calls a second in.
NO_RATE = 10**6


@dataclass(frozen=True, slots=True)
class Sources:
    """The addresses of a source that is pulled and of a queue, which serve all rounds, and how many records each tells."""

    pulled: str
    queue: str
    records: int


@dataclass(slots=True)
class Stage:
    """Where a transport is measured: a store, what loops share, a directory, and the tail once it is there."""

    store: SqliteStore
    shared: Shared
    place: Path
    sources: Sources
    turn: int
    tail: Tail | None = None

    @property
    def records(self) -> int:
        """How many are told."""
        return self.sources.records

    def beat(self) -> None:
        """Called with every step of feed and tail: end the tail once all is committed."""
        if self.tail is not None and self.shared.counters.get("records", 0) >= self.records:
            self.shared.begin_stop()
            self.tail.stop()

    async def begin(self, checkpoint: str) -> None:
        """Let the feed stand there."""
        await self.store.feeds.record(Batch(FEED, EPOCH, (), (), checkpoint, head_at=AS_OF))


Opening = Callable[[Stage], AbstractAsyncContextManager[tuple[Feed, Callable[[], None]]]]


def _nothing() -> None:
    """The source needs no word to begin."""


@asynccontextmanager
async def _pulled(stage: Stage, *, stream: bool) -> AsyncIterator[tuple[Feed, Callable[[], None]]]:
    await stage.begin(cursor(0, 0))
    url = stage.sources.pulled
    options = PullOptions(name=FEED, url=url, page_limit=BATCH, wait_seconds=0, stream=stream)
    yield PullFeed(options, lambda: "", stage.shared.clock, Sessions(), stage.beat), _nothing


@asynccontextmanager
async def _dropped(stage: Stage, ending: str, size: int) -> AsyncIterator[tuple[Feed, Callable[[], None]]]:
    root = stage.place / "drop"
    for folder in ("in", "work", "done", "error", "receipts"):
        made(root / folder)
    for number, part in enumerate(parts(skus(stage.records), size), 1):
        first = (number - 1) * size + 1
        data = rows(part, first) if ending == "csv" else b"".join(lines(part, first))
        _write(root, number, ending, data, len(part))
    await stage.begin(DropCheckpoint(EPOCH, 0, 0, "", ended=True).encode())
    options = DropOptions(name=FEED, directory=root, batch_records=min(BATCH, size))
    yield DropFeed(options, stage.shared.clock, stage.beat), _nothing


def _write(root: Path, number: int, ending: str, data: bytes, records: int) -> None:
    name = f"{FEED}-delta-{number:012d}-20261123T101500Z.{ending}"
    told: dict[str, object] = {
        "schema": "r247/1",
        "file": name,
        "kind": "delta",
        "feed": FEED,
        "epoch": EPOCH,
        "asOf": AS_OF,
    }
    told |= {"fileSeq": str(number), "prevFileSeq": str(number - 1), "locations": [LOCATION]}
    (root / "in" / name).write_bytes(data)
    sums = {"bytes": len(data), "records": records, "sha256": hashlib.sha256(data).hexdigest()}
    (root / "in" / f"{name}.done").write_text(json.dumps({**told, **sums, "complete": True}))


@asynccontextmanager
async def _queued(stage: Stage, size: int) -> AsyncIterator[tuple[Feed, Callable[[], None]]]:
    options = PubsubOptions(
        name=FEED,
        subscription=f"projects/bench/subscriptions/turn-{stage.turn}-{size}",
        url=stage.sources.queue,
        emulated=True,
        page_limit=BATCH,
        batch_records=BATCH,
    )
    subscription = Subscription(options, Caller(), NoTokens())
    yield PubsubFeed(options, subscription, stage.shared.clock, stage.beat), _nothing


@asynccontextmanager
async def _called(stage: Stage, size: int, at_once: int) -> AsyncIterator[tuple[Feed, Callable[[], None]]]:
    opened_socket = socket.create_server(("127.0.0.1", 0), backlog=1_024)
    url = f"http://127.0.0.1:{opened_socket.getsockname()[1]}/hooks/r247"
    arguments = (
        "--url",
        url,
        "--records",
        str(stage.records),
        "--size",
        str(size),
        "--at-once",
        str(at_once),
    )
    caller = await start("tests.bench.caller", arguments)
    try:
        assert caller.stdout is not None
        await caller.stdout.readline()
        options = PushOptions(name=FEED, rate_per_second=NO_RATE, burst=NO_RATE, batch_records=BATCH)
        feed = PushFeed(options, lambda: SECRET, lambda: stage.store.feeds, stage.beat)
        settings = FeedSettings(name=FEED, transport="push")
        async with receiving([(settings, feed)], stage.shared, lambda _: "", {"webhook": opened_socket}):
            yield feed, partial(caller.send_signal, signal.SIGUSR1)
    finally:
        await end(caller)


TRANSPORTS: dict[str, Opening] = {
    PULL: partial(_pulled, stream=False),
    "pull, lines with a cursor each 1,000": partial(_pulled, stream=True),
    "drop, NDJSON, one file": partial(_dropped, ending="ndjson", size=10**9),
    "drop, CSV, one file": partial(_dropped, ending="csv", size=10**9),
    "drop, NDJSON, files of 1,000": partial(_dropped, ending="ndjson", size=BATCH),
    "pubsub, a record a message, 1,000 a pull": partial(_queued, size=MESSAGES[0]),
    "pubsub, 100 records a message, 10 a pull": partial(_queued, size=MESSAGES[1]),
    "push, calls of 1,000, 4 at once": partial(_called, size=BATCH, at_once=4),
    "push, calls of 100, 32 at once": partial(_called, size=100, at_once=32),
}


@dataclass(slots=True)
class Best:
    """The best of some rounds: records a second, and milliseconds of this process's processor time for 1,000 records."""

    rate: float = 0.0
    processor_ms: float = math.inf

    def take(self, rate: float, processor_ms: float) -> None:
        """See whether a round was better."""
        self.rate = max(self.rate, rate)
        self.processor_ms = min(self.processor_ms, processor_ms)


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """Each transport beside the bare upserts and beside pull; the best of some rounds of each."""
    count = str(sizes.transport_records)
    best = {name: Best() for name in TRANSPORTS}
    floor = 0.0
    async with (
        serving("tests.bench.source", "--records", count, "--size", str(BATCH), "--streams") as pulled,
        serving("tests.bench.subscription", "--records", count, "--sizes", *map(str, MESSAGES)) as queue,
    ):
        sources = Sources(pulled, queue, sizes.transport_records)
        for turn in range(sizes.rounds):
            floor = max(floor, await bare_upserts(skus(sources.records), BATCH, scratch / f"bare-{turn}"))
            for number, (name, opening) in enumerate(TRANSPORTS.items()):
                best[name].take(*await _round(opening, sources, turn, scratch / f"{number}-{turn}"))
    pull = best[PULL]
    others = {name: found for name, found in best.items() if found is not pull}
    return [
        *(Figure(name, found.rate, "records/s", floor) for name, found in best.items()),
        *(
            Figure(f"{name}, beside pull", found.rate, "records/s", pull.rate, BELOW_FLOOR, SHARE_OF_PULL)
            for name, found in others.items()
        ),
        *(
            Figure(
                f"{name}, processor",
                found.processor_ms,
                "ms/1,000",
                pull.processor_ms,
                ABOVE_FLOOR,
                1 / SHARE_OF_PULL,
            )
            for name, found in others.items()
        ),
    ]


async def _round(opening: Opening, sources: Sources, turn: int, place: Path) -> tuple[float, float]:
    """Records a second until all of them are committed and acknowledged, and processor time in ms for 1,000 of them."""
    async with opened(place) as store:
        stage = Stage(store, Shared(SystemClock()), place, sources, turn)
        async with opening(stage) as (feed, begin):
            limits = GuardLimits(80, 30, 50, 5)
            options = TailOptions(15.0, (LOCATION,), limits, "report")
            stage.tail = Tail(feed, store, stage.shared, options, lambda: 0.5, stage.beat)
            gc.collect()
            gc.freeze()
            began, used = time.perf_counter(), time.process_time()
            begin()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await stage.tail.run()
                took, took_processor = time.perf_counter() - began, time.process_time() - used
            finally:
                await feed.close()
        found, records = stage.shared.counters["records"], stage.records
        assert found == records, f"{found} records were committed instead of {records}"
        return records / took, took_processor * 1e6 / records
