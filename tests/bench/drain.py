"""Updates per second of the unlimited drain against a bare client, and requests for each changed key."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp
import orjson

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.commercetools import ClientOptions, HttpCommercetools
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.inventory import EntryWrite, Marker, StockKey, SupplyChannel, WriteKind
from archsyncd.domain.rules import DrainLimits, Rules
from archsyncd.domain.stock import ChannelPolicy, LocationPolicy, Policies
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.shared import Shared
from archsyncd.wire.commercetools.entries import write_request
from archsyncd.wire.commercetools.exchange import Request
from archsyncd.wire.commercetools.graphql import writes_request
from tests.bench.figures import ABOVE_FLOOR, BELOW_FLOOR, Figure
from tests.bench.processes import serving
from tests.bench.sizes import Sizes
from tests.bench.stock import ADOPTING, CHUNK, LEDGER, batch, opened, parts, skus

AIM = 0.6
REQUESTS_SINGLY, REQUESTS_IN_BULK = 1.0, 0.08
WRITE_BATCH = 20
IN_FLIGHT = 32
UNLIMITED = 1_000_000.0
PROJECT, CLIENT, SECRET = "demo", "archsyncd", "simulator-secret"
MARKER_TYPE = "archsyncd"
# The same SKUs in two channels: one is written by the drain, its twin by the bare client.
OURS, TWIN = "warehouse-1", "warehouse-2"
_LIMIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Bench:
    """A store and a client before a simulated project that knows every key of both channels."""

    url: str
    store: SqliteStore
    client: HttpCommercetools
    limiter: Limiter
    names: Sequence[str]
    twins: dict[StockKey, tuple[str, int]] = field(default_factory=dict)


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """Single writes and batches, the same changes each."""
    async with _bench(sizes.drain_updates, scratch) as bench:
        turns = itertools.count(1)
        best: dict[str, float] = {}
        requests: dict[str, float] = {}
        for _ in range(sizes.rounds):
            for mode, size in (("single writes", 1), ("batches", WRITE_BATCH)):
                rate, asked = await _drained(bench, size, next(turns))
                requests[mode] = asked
                best[mode] = max(best.get(mode, 0.0), rate)
                bare = await _bare(bench, size)
                best[f"bare {mode}"] = max(best.get(f"bare {mode}", 0.0), bare)
    return [
        *(
            Figure(f"drain, {mode}", best[mode], "updates/s", best[f"bare {mode}"], BELOW_FLOOR, AIM)
            for mode in ("single writes", "batches")
        ),
        Figure(
            "requests for a changed key, singly",
            requests["single writes"],
            "requests",
            None,
            ABOVE_FLOOR,
            REQUESTS_SINGLY,
        ),
        Figure(
            "requests for a changed key, in bulk",
            requests["batches"],
            "requests",
            None,
            ABOVE_FLOOR,
            REQUESTS_IN_BULK,
        ),
    ]


def _rules() -> Rules:
    channels = {
        channel: ChannelPolicy(channel, {place: LocationPolicy(place, channel)})
        for channel, place in ((OURS, "WH1"), (TWIN, "WH2"))
    }
    return Rules(Policies(channels))


@asynccontextmanager
async def _bench(updates: int, scratch: Path) -> AsyncIterator[Bench]:
    clock = SystemClock()
    limiter = Limiter(UNLIMITED, UNLIMITED, IN_FLIGHT, clock, lambda: 0.5)
    ids = itertools.count(1)
    async with (
        serving("archsyncd.simulators.commercetools", "--no-journal") as url,
        opened(scratch / "drain", clock, _rules()) as store,
    ):
        client = HttpCommercetools(
            ClientOptions(url, url, PROJECT, CLIENT, "bench", MARKER_TYPE, connections=IN_FLIGHT + 8),
            secret=lambda: SECRET,
            clock=clock,
            chance=lambda: 0.5,
            budget=limiter.charge,
            correlation=lambda: f"bench-{next(ids)}",
        )
        try:
            bench = Bench(url, store, client, limiter, skus(updates))
            await _set_up(bench)
            yield bench
        finally:
            await client.close()


async def _set_up(bench: Bench) -> None:
    """Channels, the marker's type, and an entry of ours for every key in both channels."""
    async with aiohttp.ClientSession(bench.url) as session:
        for channel in (OURS, TWIN):
            async with session.post("/_simulator/channels", json={"key": channel}) as answer:
                answer.raise_for_status()
    await bench.client.create_marker_type()
    found = await bench.client.channels(None)
    assert isinstance(found, tuple), found
    channels: tuple[SupplyChannel, ...] = found[0]
    bench.client.use_channels(channels)
    for place in ("WH1", "WH2"):
        for start, part in zip(range(0, len(bench.names), CHUNK), parts(bench.names, CHUNK), strict=True):
            await bench.store.feeds.record(batch(part, start + 1, place=place))
    for channel in (OURS, TWIN):
        for part in parts(bench.names, CHUNK):
            keys = [StockKey(channel, sku) for sku in part]
            await bench.store.outbox.book_lookups((), keys, (), ADOPTING)
    await _drain(bench, WRITE_BATCH, 2 * len(bench.names))
    for part in parts(bench.names, CHUNK):
        for key, row in (await bench.store.outbox.rows([StockKey(TWIN, sku) for sku in part])).items():
            assert row.entry_id is not None
            assert row.version is not None
            bench.twins[key] = (row.entry_id, row.version)


async def _drain(bench: Bench, size: int, settled: int) -> None:
    """Run the drain until so many writes are booked."""
    shared = Shared(SystemClock())
    options = DrainOptions(size, 1.0, 0.0, 1.0, tracked=True, writes=True, ledger=LEDGER, fence=1)

    def beat() -> None:
        if shared.counters.get("settled", 0) >= settled:
            shared.begin_stop()

    async with asyncio.timeout(_LIMIT_SECONDS):
        await Drain(bench.store, bench.client, bench.limiter, shared, options, beat).run()
    assert await bench.store.outbox.due_count(DrainLimits(), 1) == 0
    assert not shared.counters.get("conflicts")


async def _drained(bench: Bench, size: int, turn: int) -> tuple[float, float]:
    """Change every key, and drain: updates/s, and requests for each."""
    for start, part in zip(range(0, len(bench.names), CHUNK), parts(bench.names, CHUNK), strict=True):
        await bench.store.feeds.record(batch(part, turn * len(bench.names) + start + 1))
    requests = bench.limiter.state().requests_total
    gc.collect()
    began = time.perf_counter()
    await _drain(bench, size, len(bench.names))
    rate = len(bench.names) / (time.perf_counter() - began)
    return rate, (bench.limiter.state().requests_total - requests) / len(bench.names)


async def _bare(bench: Bench, size: int) -> float:
    """The floor: the same updates by nothing but an HTTP client, every body made beforehand."""
    turns = itertools.count(1)
    writes = [
        EntryWrite(
            WriteKind.INCREMENT, key, 1, Marker(LEDGER, f"1.{turn}", turn, f"1.{turn}", 1), entry_id, version
        )
        for (key, (entry_id, version)), turn in zip(bench.twins.items(), turns, strict=False)
    ]
    groups = [writes[start : start + size] for start in range(0, len(writes), size)]
    made = [
        writes_request(group, MARKER_TYPE) if size > 1 else write_request(group[0], MARKER_TYPE)
        for group in groups
    ]
    waiting = iter(zip(groups, made, strict=True))
    async with _session(bench) as session:
        gc.collect()
        began = time.perf_counter()
        await asyncio.gather(*(_post_all(session, bench, waiting) for _ in range(IN_FLIGHT)))
        return len(writes) / (time.perf_counter() - began)


@asynccontextmanager
async def _session(bench: Bench) -> AsyncIterator[aiohttp.ClientSession]:
    form, login = {"grant_type": "client_credentials"}, aiohttp.BasicAuth(CLIENT, SECRET)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(bench.url, connector=connector) as session:
        async with session.post("/oauth/token", data=form, auth=login) as answer:
            answer.raise_for_status()
            token = (await answer.json())["access_token"]
        session.headers.update({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        yield session


async def _post_all(
    session: aiohttp.ClientSession, bench: Bench, waiting: Iterator[tuple[Sequence[EntryWrite], Request]]
) -> None:
    """Post what is left, one at a time, and remember the versions for the next round."""
    for group, request in waiting:
        async with session.post(f"/{PROJECT}{request.target}", data=request.body) as answer:
            tree = orjson.loads(await answer.read())
        assert answer.status == HTTPStatus.OK, tree
        told = [tree] if len(group) == 1 else list(tree["data"].values())
        for write, entry in zip(group, told, strict=True):
            bench.twins[write.key] = (entry["id"], entry["version"])
