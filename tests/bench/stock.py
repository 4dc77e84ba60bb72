"""The stock that the measurements move: keys in no order, pages of levels, a store that knows them all."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from archsyncd.adapters.clock import SystemClock
from archsyncd.adapters.sqlite.store import SqliteStore, open_store
from archsyncd.domain.feed import Batch, Level
from archsyncd.domain.inventory import Entry, Marker, StockKey
from archsyncd.domain.rules import Rules, SettleRules
from archsyncd.domain.stock import ChannelPolicy, LocationPolicy, Policies
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.ports import Clock

FEED, EPOCH, LOCATION, CHANNEL, LEDGER = "main", "epoch-1", "WH1", "warehouse-1", "bench"
AS_OF = "2026-01-01T00:00:00Z"
CHUNK = 5_000
# Entries found with our own marker under complete orders are adopted; their confirmation is as good as never due.
ADOPTING = SettleRules(0, 10**13, 2, 1)


def rules() -> Rules:
    """One location in one channel, nothing held back."""
    return Rules(Policies({CHANNEL: ChannelPolicy(CHANNEL, {LOCATION: LocationPolicy(LOCATION, CHANNEL)})}))


def skus(count: int) -> list[str]:
    """So many SKUs, in the order in which a warehouse is told of: none."""
    names = [f"SKU-{number:07d}" for number in range(count)]
    random.Random(count).shuffle(names)
    return names


def as_of(seq: int) -> str:
    """When the level at a position was captured: no two records share it."""
    return f"2026-11-23T{seq // 3_600_000 % 24:02d}:{seq // 60_000 % 60:02d}:{seq // 1_000 % 60:02d}.{seq % 1_000:03d}Z"


def available(seq: int) -> int:
    """The figure told at a position: it differs from the one before of the same key."""
    return 20 + seq * 7919 % 61


def parts(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """The SKUs in parts."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def items(names: Sequence[str], first_seq: int) -> list[dict[str, object]]:
    """A level for each SKU."""
    return [
        {
            "type": "stock.level",
            "id": f"level-{seq}",
            "seq": str(seq),
            "sku": sku,
            "location": LOCATION,
            "onHand": available(seq) + 3,
            "available": available(seq),
            "asOf": as_of(seq),
        }
        for seq, sku in enumerate(names, first_seq)
    ]


def lines(names: Sequence[str], first_seq: int) -> list[bytes]:
    """The same as NDJSON."""
    return [orjson.dumps(item) + b"\n" for item in items(names, first_seq)]


def rows(names: Sequence[str], first_seq: int) -> bytes:
    """The same as CSV."""
    levels = items(names, first_seq)
    told = [tuple(levels[0]), *(item.values() for item in levels)] if levels else []
    return "".join(",".join(map(str, row)) + "\r\n" for row in told).encode()


def page(names: Sequence[str], first_seq: int, following: str, *, more: bool) -> bytes:
    """A page of `/v1/changes` with a level for each SKU."""
    found = items(names, first_seq)
    head = {"seq": str(first_seq + len(found)), "at": AS_OF}
    return orjson.dumps(
        {
            "schema": "r247/1",
            "feed": FEED,
            "epoch": EPOCH,
            "items": found,
            "next": following,
            "more": more,
            "head": head,
        }
    )


def batch(names: Sequence[str], first_seq: int, checkpoint: str = "0", place: str = LOCATION) -> Batch:
    """The same levels as a batch that is read already."""
    levels = tuple(
        Level(f"level-{seq}", seq, sku, place, available(seq) + 3, available(seq), as_of(seq))
        for seq, sku in enumerate(names, first_seq)
    )
    return Batch(FEED, EPOCH, levels, (), checkpoint)


def made(directory: Path) -> Path:
    """The directory, made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@asynccontextmanager
async def opened(
    directory: Path, clock: Clock | None = None, in_force: Rules | None = None
) -> AsyncIterator[SqliteStore]:
    """A store held under a tenure, synchronous as in service."""
    store = await open_store(
        made(directory),
        clock or SystemClock(),
        in_force or rules(),
        project="bench",
        host="bench",
        new_ledger_id=LEDGER,
    )
    try:
        await store.take_tenure(Tenure("bench", 1, LEDGER))
        yield store
    finally:
        await store.close()


async def adopt(store: SqliteStore, names: Sequence[str]) -> None:
    """Let every key have an entry that shows just its target, written by this ledger: in step, nothing due."""
    for part in parts(names, CHUNK):
        rows = await store.outbox.rows([StockKey(CHANNEL, sku) for sku in part])
        entries = [
            Entry(
                f"00000000-0000-4000-8000-{place:012d}",
                3,
                key,
                row.x_target,
                row.x_target,
                Marker(LEDGER, f"1.{place}", row.x_target, "1", 1),
                "type-1",
                1,
                1,
            )
            for place, (key, row) in enumerate(rows.items())
        ]
        await store.outbox.book_lookups(entries, (), (), ADOPTING)
