"""The audit of a whole catalogue: the real one, against a simulated project in a process of its own, without a rate limit.

The rate limit decides in service: a page is one request, and only what the others leave is taken.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.commercetools import ClientOptions, HttpCommercetools
from archsyncd.adapters.sqlite.audit_file import AuditFile
from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.engine.auditing import Auditing
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.shared import Shared
from tests.bench.figures import ABOVE_FLOOR, Figure
from tests.bench.processes import resident_mebibytes, serving
from tests.bench.sizes import Sizes
from tests.bench.stock import CHANNEL, CHUNK, batch, opened, parts, skus

PROJECT, CLIENT, SECRET = "demo", "archsyncd", "simulator-secret"
UNLIMITED = 100_000.0
MEMORY_MEBIBYTES = 50.0
# One in so many SKUs is written otherwise on the other side.
ODD = 50


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """One audit of products and levels that differ in some."""
    names = skus(sizes.audit_skus)
    async with opened(scratch / "audit") as store:
        for start, part in zip(range(0, len(names), CHUNK), parts(names, CHUNK), strict=True):
            told = [sku.lower() if number % ODD == 0 else sku for number, sku in enumerate(part)]
            await store.feeds.record(batch(told, start + 1))
        async with _auditing(store, scratch) as (auditing, url):
            await _products(url, names)
            return await _audited(auditing, names)


async def _audited(auditing: Auditing, names: list[str]) -> list[Figure]:
    gc.collect()
    before, highest = resident_mebibytes(os.getpid())[0], 0.0
    began = time.perf_counter()
    auditing.start()
    while auditing.progress.state == "running":
        await auditing.look(auditing.progress.revision, 10.0)
        highest = max(highest, resident_mebibytes(os.getpid())[0])
    seconds = time.perf_counter() - began
    last = await auditing.book.last()
    assert last is not None, auditing.progress
    odd = sum(1 for part in parts(names, CHUNK) for number in range(len(part)) if number % ODD == 0)
    assert dict(last.counts) == {"not_sent": odd, "not_sold": odd}, last
    return [
        Figure(f"audit of {len(names):,} SKUs", seconds, "s"),
        Figure("audit, requests", last.requests, "requests"),
        Figure(
            "audit, more resident memory",
            max(highest - before, 0.0),
            "MiB",
            None,
            ABOVE_FLOOR,
            MEMORY_MEBIBYTES,
        ),
    ]


async def _products(url: str, names: list[str]) -> None:
    async with aiohttp.ClientSession(url) as session:
        async with session.post("/_simulator/channels", json={"key": CHANNEL}) as answer:
            answer.raise_for_status()
        for part in parts(names, CHUNK):
            async with session.post("/_simulator/products", json={"skus": list(part)}) as answer:
                answer.raise_for_status()


@asynccontextmanager
async def _auditing(store: SqliteStore, scratch: Path) -> AsyncIterator[tuple[Auditing, str]]:
    clock = SystemClock()
    limiter = Limiter(UNLIMITED, UNLIMITED, 8, clock, lambda: 0.5)
    ids = itertools.count(1)
    async with serving("archsyncd.simulators.commercetools", "--no-journal") as url:
        client = HttpCommercetools(
            ClientOptions(url, url, PROJECT, CLIENT, "bench", "archsyncd"),
            secret=lambda: SECRET,
            clock=clock,
            chance=lambda: 0.5,
            budget=limiter.charge,
            correlation=lambda: f"bench-{next(ids)}",
        )
        shared = Shared(clock)
        auditing = Auditing(store, client, limiter, shared, AuditFile(scratch), lambda: 0.5, lambda: None)
        running = asyncio.create_task(auditing.run())
        try:
            yield auditing, url
        finally:
            shared.begin_stop()
            await running
            await client.close()
