"""A walk over the whole inventory: seconds and requests beside the bare paging of it, and what memory it takes."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import time as day_time
from os import getpid
from pathlib import Path

import aiohttp
import orjson

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.commercetools import ClientOptions, HttpCommercetools
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore
from archsyncd.domain.inventory import Entry, Marker
from archsyncd.domain.reconciling import Found, Listing, Mode, Run, Wanted
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.reconcile import Reconcile, ReconcileOptions
from archsyncd.engine.shared import Shared
from archsyncd.wire.commercetools.entries import inventory_request
from tests.bench.figures import ABOVE_FLOOR, Figure
from tests.bench.inventory import CLIENT, PIECES, SECRET
from tests.bench.processes import resident_mebibytes, serving
from tests.bench.sizes import Sizes
from tests.bench.stock import ADOPTING, CHUNK, LEDGER, batch, opened, parts, skus

UNLIMITED = 1_000_000.0
PROJECT = "demo"
PAGE = 500
SECONDS_AIM, REQUESTS_AIM, MEMORY_MEBIBYTES = 5.0, 1.01, 60.0
_LIMIT_SECONDS = 600.0
_FOREVER_MS = 1 << 62


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """One walk over entries that all agree, and the same pages by nothing but an HTTP client."""
    count = sizes.reconcile_keys
    clock = SystemClock()
    async with serving("tests.bench.inventory", str(count)) as url:
        limiter = Limiter(UNLIMITED, UNLIMITED, 32, clock, lambda: 0.5)
        async with _client(url, limiter, clock) as client:
            place = scratch / "reconcile"
            async with opened(place, clock) as store:
                await _adopt(store, client, skus(count))
            with closing(sqlite3.connect(place / DATABASE_NAME)) as file:
                # The entries carry no marker; what they were adopted by is not what was seen on them.
                file.execute("UPDATE outbox SET seen = ''")
                file.commit()
            async with opened(place, clock) as store:
                floor_seconds, pages = await _bare(url)
                gc.collect()
                before, _ = resident_mebibytes(getpid())
                asked = limiter.state().requests_total
                run, seconds, highest = await _walked(store, client, limiter)
                requests = limiter.state().requests_total - asked
    assert run.totals == {("warehouse-1", Found.AGREES): (count, 0)}, run.totals
    return [
        Figure(f"walk over {count:,} entries", seconds, "s", floor_seconds, ABOVE_FLOOR, SECONDS_AIM),
        Figure("requests of the walk", requests, "requests", pages, ABOVE_FLOOR, REQUESTS_AIM),
        Figure("memory that the walk takes", highest - before, "MiB", None, ABOVE_FLOOR, MEMORY_MEBIBYTES),
    ]


@asynccontextmanager
async def _client(url: str, limiter: Limiter, clock: SystemClock) -> AsyncIterator[HttpCommercetools]:
    ids = itertools.count(1)
    client = HttpCommercetools(
        ClientOptions(url, url, PROJECT, CLIENT, "bench", "archsyncd", connections=8),
        secret=lambda: SECRET,
        clock=clock,
        chance=lambda: 0.5,
        budget=limiter.charge,
        correlation=lambda: f"bench-{next(ids)}",
    )
    try:
        found = await client.channels(None)
        assert isinstance(found, tuple), found
        client.use_channels(found[0])
        yield client
    finally:
        await client.close()


async def _adopt(store: SqliteStore, client: HttpCommercetools, names: Sequence[str]) -> None:
    """A store that takes every entry for its own, as it is."""
    for start, part in zip(range(0, len(names), CHUNK), parts(names, CHUNK), strict=True):
        await store.feeds.record(batch(part, start + 1))
    after = ""
    while True:
        page = await client.inventory(after)
        assert isinstance(page, Listing), page
        await store.outbox.book_lookups([_ours(entry) for entry in page.entries], (), (), ADOPTING)
        if not page.full:
            return
        after = page.last


def _ours(entry: Entry) -> Entry:
    return replace(entry, marker=Marker(LEDGER, "1.1", PIECES, "1", 1))


async def _walked(
    store: SqliteStore, client: HttpCommercetools, limiter: Limiter
) -> tuple[Run, float, float]:
    """The run, its seconds, and the highest resident memory while it went on. Orders are complete whenever it asks."""
    clock = SystemClock()
    shared = Shared(clock)
    shared.orders_complete_ms, shared.orders_known, shared.channels_read = _FOREVER_MS, True, 1
    options = DrainOptions(1, 1.0, 0.0, 1.0, tracked=True, writes=True, ledger=LEDGER, fence=1)
    drain = Drain(store, client, limiter, shared, options, lambda: None)
    ended: list[Run] = []
    highest = 0.0

    def tell(run: Run) -> None:
        ended.append(run)
        shared.begin_stop()

    def beat() -> None:
        nonlocal highest
        highest = max(highest, resident_mebibytes(getpid())[0])

    pump = Reconcile(
        store,
        client,
        limiter,
        shared,
        drain,
        ReconcileOptions(day_time(2, 30), 15.0, tracked=True),
        beat,
        tell,
    )
    assert await store.reconciles.begin(Wanted(Mode.DRY_RUN)) is not None
    began = time.perf_counter()
    async with asyncio.timeout(_LIMIT_SECONDS):
        await pump.run()
    return ended[0], time.perf_counter() - began, highest


async def _bare(url: str) -> tuple[float, int]:
    """The floor: the same pages, one after the other, and their JSON read."""
    form, login = {"grant_type": "client_credentials"}, aiohttp.BasicAuth(CLIENT, SECRET)
    async with aiohttp.ClientSession(url) as session:
        async with session.post("/oauth/token", data=form, auth=login) as answer:
            token = (await answer.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        began, after, pages = time.perf_counter(), "", 0
        while True:
            target = inventory_request(after, None, "", PAGE).target
            async with session.get(f"/{PROJECT}{target}") as answer:
                rows = orjson.loads(await answer.read())["results"]
            pages += 1
            if len(rows) < PAGE:
                return time.perf_counter() - began, pages
            after = rows[-1]["id"]
