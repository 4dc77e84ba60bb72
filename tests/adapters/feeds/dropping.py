"""A drop directory written by hand, file by file, and a feed that reads it, for tests in virtual time."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from archsyncd.adapters.r247_drop import DropFeed, DropOptions
from archsyncd.domain.feed import Batch, FileNews, Level, Outcome, SnapshotDue, SnapshotEnd, SnapshotStatus
from archsyncd.engine.ports import FeedFault, SnapshotSource
from tests.support.virtual_time import VirtualClock

STAMP = "20261123T101500Z"


def level(sku: str, on_hand: int, **more: Any) -> dict[str, Any]:
    """A level's JSON at WH1."""
    return {
        "id": f"{sku}-{on_hand}",
        "type": "stock.level",
        "sku": sku,
        "location": "WH1",
        "onHand": on_hand,
        **more,
    }


def ndjson(*records: dict[str, Any] | str) -> bytes:
    """Lines; text is written as it is."""
    return b"".join(
        (record if isinstance(record, str) else json.dumps(record)).encode() + b"\n" for record in records
    )


@dataclass
class Drop:
    """Writes as a careful source does: data first, then the manifest by rename."""

    root: Path
    seq: int = 0
    epoch: str = "e1"
    feed: str = "main"
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for folder in ("in", "work", "done", "error", "receipts"):
            (self.root / folder).mkdir(exist_ok=True)

    def name(self, kind: str, seq: int, ending: str = "ndjson", stamp: str = STAMP) -> str:
        return f"{self.feed}-{kind}-{seq:012d}-{stamp}.{ending}"

    def put(
        self,
        *records: dict[str, Any] | str,
        kind: str = "delta",
        seq: int | None = None,
        ending: str = "ndjson",
        data: bytes | None = None,
        manifest: bool = True,
        stamp: str = STAMP,
        **changes: Any,
    ) -> str:
        """Write a file and its manifest, some of whose members are changed (... leaves one out); return its name."""
        self.seq = seq if seq is not None else self.seq + 1
        name = self.name(kind, self.seq, ending, stamp)
        if data is None:
            data = ndjson(*records)
            data = gzip.compress(data, mtime=0) if ending.endswith(".gz") else data
        (self.root / "in" / name).write_bytes(data)
        if manifest:
            self.say(name, data, kind, **({"records": len(records)} | changes))
        self.written.append(name)
        return name

    def say(self, name: str, data: bytes, kind: str, **changes: Any) -> None:
        """Write the manifest."""
        told: dict[str, Any] = {"schema": "r247/1", "file": name, "kind": kind, "feed": self.feed}
        told |= {"epoch": self.epoch, "fileSeq": str(int(name.split("-")[-2])), "bytes": len(data)}
        told |= {"sha256": hashlib.sha256(data).hexdigest(), "asOf": "2026-11-23T10:15:00Z", "complete": True}
        told = {
            key: value for key, value in (told | {"locations": ["WH1"]} | changes).items() if value is not ...
        }
        (self.root / "in" / ".m.tmp").write_text(json.dumps(told))
        (self.root / "in" / ".m.tmp").rename(self.root / "in" / f"{name}.done")

    def receipt(self, name: str) -> dict[str, Any] | None:
        path = self.root / "receipts" / f"{name}.ack.json"
        found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return found

    def status(self, name: str) -> str | None:
        receipt = self.receipt(name)
        return None if receipt is None else receipt["status"]

    def lies(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).iterdir())

    def options(self, **changes: Any) -> DropOptions:
        return replace(DropOptions(name="main", directory=self.root), **changes)


@contextmanager
def dropped() -> Iterator[Drop]:
    """A drop directory that lasts as long as the block."""
    with tempfile.TemporaryDirectory() as path:
        yield Drop(Path(path))


@dataclass
class Told:
    """What a feed told up to where it was given up."""

    batches: list[Batch] = field(default_factory=list)
    fulls: list[tuple[list[tuple[str, int | None]], SnapshotEnd]] = field(default_factory=list)
    checkpoint: str | None = None
    fault: str | None = None

    @property
    def levels(self) -> list[tuple[str, int | None]]:
        return [
            (one.sku, one.on_hand)
            for batch in self.batches
            for one in batch.records
            if isinstance(one, Level)
        ]

    @property
    def codes(self) -> list[str]:
        return [one.code for batch in self.batches for one in batch.rejects] + [
            one.code for one in self.refused
        ]

    @property
    def refused(self) -> list[FileNews]:
        """Files that were not read."""
        return [batch.file for batch in self.batches if batch.file is not None and batch.file.code]


@asynccontextmanager
async def opened(
    drop: Drop, *, beat: Callable[[], None] = lambda: None, **changes: Any
) -> AsyncIterator[DropFeed]:
    """A feed over the directory."""
    feed = DropFeed(drop.options(**changes), VirtualClock(), beat)
    try:
        yield feed
    finally:
        await feed.close()


async def follow(
    feed: DropFeed,
    after: str | None,
    until: int,
    *,
    status: SnapshotStatus = SnapshotStatus.APPLIED,
    acknowledge: bool = True,
) -> Told:
    """Read until so many batches and full files came, committing each as the engine does."""
    told = Told(checkpoint=after)
    async with aclosing(feed.batches(after)) as reading:  # type: ignore[type-var]
        async for one in reading:
            assert not isinstance(one, SnapshotDue)
            if isinstance(one, Batch):
                told.batches.append(one)
                told.checkpoint = one.checkpoint
                if acknowledge:
                    await feed.acknowledge(one.checkpoint, outcome_of(one))
            else:
                await _take(one, told, status)
            if len(told.batches) + len(told.fulls) >= until:
                break
    return told


def outcome_of(batch: Batch) -> Outcome:
    """What an engine that applies everything says."""
    rejected = len(batch.rejects)
    return Outcome(read=len(batch.records) + rejected, applied=len(batch.records), rejected=rejected)


async def _take(source: SnapshotSource, told: Told, status: SnapshotStatus) -> None:
    head = await source.head()
    items: list[tuple[str, int | None]] = []
    async for page in source.pages():
        items += [(one.sku, one.on_hand) for one in page.items]
    told.fulls.append((items, source.end()))
    if status is SnapshotStatus.APPLIED:
        told.checkpoint = head.cursor
    await source.finish(
        status,
        Outcome(read=len(items), applied=len(items)),
        [] if status is SnapshotStatus.APPLIED else ["guard"],
    )


async def fault_of(feed: DropFeed, after: str | None) -> str:
    """Read until the feed faults."""
    with pytest.raises(FeedFault) as fault:
        await follow(feed, after, 1)
    assert not fault.value.blind
    return fault.value.reason


async def started(feed: DropFeed, drop: Drop) -> Told:
    """A feed that has read one full file."""
    drop.put(level("A", 5), kind="full")
    return await follow(feed, None, 1)


@asynccontextmanager
async def begun(feed: DropFeed) -> AsyncIterator[SnapshotSource]:
    """The full file that a new feed meets first."""
    async with aclosing(feed.batches(None)) as reading:  # type: ignore[type-var]
        source = await anext(reading)
        assert not isinstance(source, Batch | SnapshotDue)
        yield source
