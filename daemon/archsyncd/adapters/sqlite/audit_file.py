"""An audit's file: a scratch database beside the store's, and the last result put in its place whole. Decides nothing.

The store's own file stays out of it: a million SKUs written there would hold up what sells, and grow every backup.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson

from archsyncd.adapters.sqlite.transaction import QUERIES, Inside, Row, Threaded, Unsettled, written
from archsyncd.domain.audit import (
    AuditSummary,
    Candidate,
    Finding,
    FindingKind,
    loose_form,
    not_sent,
    not_sold,
    sold_twice,
)
from archsyncd.engine.ports import AuditLost, StoreFull

T = TypeVar("T")

LAST, SCRATCH, NEXT = "audit.db", "audit.scratch.db", "audit.next.db"
# Findings kept of each kind; beyond them they are only counted.
FINDINGS_KEPT = 200_000
# Of many spellings of one SKU no more are compared: each of them would be with all others.
NEAR_LOOKED_AT = 32
CACHE_KIBIBYTES = 8_192
# An audit leaves this much of the disk to the store, which needs it more.
FREE_SPACE_FLOOR_BYTES = 256 * 1024 * 1024


class AuditFile:
    """Implements the port `AuditBook` in a directory; one audit at a time."""

    def __init__(
        self, directory: Path, kept: int = FINDINGS_KEPT, free_bytes: Callable[[Path], int] | None = None
    ) -> None:
        """`free_bytes`: the room on a directory's file system, unless the disk is to be asked."""
        self._free_bytes = free_bytes or _free_bytes
        self._last = directory / LAST
        self._scratch = directory / SCRATCH
        self._next = directory / NEXT
        self._kept_at_most = kept
        self._connection: Threaded | None = None
        self._counts: dict[str, int] = {}
        self._kept: dict[str, int] = {}

    async def begin(self) -> None:
        """Begin anew in an empty file."""
        await self.abandon()
        self._counts, self._kept = {}, {}
        try:
            self._connection = await Threaded.on(self._scratch)
            await self._connection.job(_prepared)
        except (sqlite3.Error, OSError) as error:
            raise StoreFull(f"{self._scratch}: {error}") from error

    async def sold(self, skus: Sequence[str], channel: str = "") -> None:
        """SKUs of published products, or of the entries of one channel."""
        if not skus:
            return
        rows = [(sku, loose_form(sku), int(not channel), channel) for sku in skus]
        await self._write(lambda tx: tx.run_many("audit_sold", rows))

    async def sent(self, skus: Sequence[str], location: str) -> None:
        """SKUs that Archean has told of at a location."""
        rows = [(sku, loose_form(sku), location) for sku in skus]
        await self._write(lambda tx: tx.run_many("audit_sent", rows))

    async def found(self, findings: Iterable[Finding]) -> None:
        """Keep findings, a bounded number of each kind; all are counted."""
        if kept := list(findings):
            await self._write(partial(self._put, kept))

    async def index(self) -> tuple[int, int]:
        """Make ready to be compared; how many SKUs are sold, and how many were sent."""

        async def step(tx: Inside) -> tuple[int, int]:
            await tx.run("audit_sold_index")
            await tx.run("audit_sent_index")
            row = await tx.row("audit_sizes")
            return (int(row[0]), int(row[1])) if row else (0, 0)

        return await self._write(step)

    async def compare(self, after: str | None, limit: int, *, sold: bool) -> tuple[str | None, int]:
        """Keep what the next SKUs of one side come to."""

        async def step(tx: Inside) -> tuple[str | None, int]:
            rows = await tx.rows("audit_unsent" if sold else "audit_unsold", (after or "", limit))
            findings = [each for row in rows for each in await self._judged(tx, row, sold=sold)]
            await self._put(findings, tx)
            return (rows[-1][0] if len(rows) == limit else None), len(findings)

        return await self._write(step)

    async def _judged(self, tx: Inside, row: Row, *, sold: bool) -> list[Finding]:
        sku, form = row[0], row[1]
        if not sold:
            near = await self._near(tx, FindingKind.NOT_SOLD, "audit_near_sold", form, sku)
            return [not_sold(sku, row[2], row[3], near)]
        found = [sold_twice(sku, row[2])] if row[2] > 1 else []
        if row[2] > 1 and await tx.row("audit_was_sent", (sku,)) is not None:
            return found
        near = await self._near(tx, FindingKind.NOT_SENT, "audit_near_sent", form, sku)
        return [*found, not_sent(sku, row[3], near, in_catalogue=row[2] > 0)]

    async def _near(self, tx: Inside, kind: FindingKind, query: str, form: str, sku: str) -> list[Candidate]:
        if self._kept.get(kind, 0) >= self._kept_at_most:
            return []  # it is only counted
        return [Candidate(row[0], bool(row[1])) for row in await tx.rows(query, (form, sku, NEAR_LOOKED_AT))]

    async def _put(self, findings: Sequence[Finding], tx: Inside) -> None:
        rows = []
        for each in findings:
            self._counts[each.kind.value] = self._counts.get(each.kind, 0) + 1
            if self._kept.get(each.kind, 0) < self._kept_at_most:
                self._kept[each.kind] = self._kept.get(each.kind, 0) + 1
                differs = orjson.dumps(each.differs).decode()
                rows.append((each.kind.value, each.name, each.place, each.says, each.near, differs))
        await tx.run_many("audit_finding", rows)

    async def conclude(self, summary: AuditSummary) -> AuditSummary:
        """Put the findings alone into a file of their own, and that in the place of the last one, durably."""
        whole = replace(summary, counts=dict(self._counts), kept=sum(self._kept.values()))

        async def step(tx: Inside) -> None:
            await tx.run("audit_drop_sold")
            await tx.run("audit_drop_sent")
            await tx.run("audit_run", (orjson.dumps(asdict(whole)).decode(),))

        await self._write(step)
        assert self._connection is not None
        # Beside the old file and the scratch one a third is made now.
        await self._has_room(await self._connection.job(_kept_bytes))
        try:
            await self._connection.job(partial(_copied, self._next))
            await asyncio.to_thread(_put_in_place, self._next, self._last)
        except (sqlite3.Error, OSError) as error:
            raise StoreFull(f"{self._next}: {error}") from error
        await self.abandon()
        return whole

    async def abandon(self) -> None:
        """Drop what is under way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
        for path in (self._scratch, self._next):
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def last(self) -> AuditSummary | None:
        """The last audit that was finished. Raises AuditLost."""
        if not await asyncio.to_thread(self._last.exists):
            return None
        rows = await self._read("audit_last", ())
        try:
            return AuditSummary(**orjson.loads(rows[0][0]))
        except (IndexError, TypeError, ValueError) as error:
            raise AuditLost(f"{self._last} cannot be read") from error

    async def findings(self, started_ms: int, after: int, limit: int) -> list[tuple[int, Finding]]:
        """Findings of the last audit after a number. Raises AuditLost."""
        last = await self.last()
        if last is None or last.started_ms != started_ms:
            raise AuditLost("another audit has taken its place")
        rows = await self._read("audit_findings", (after, limit))
        return [(row[0], _finding(row)) for row in rows]

    async def _read(self, name: str, parameters: Sequence[Any]) -> list[Row]:
        try:
            return await asyncio.to_thread(_rows_of, self._last, name, parameters)
        except sqlite3.Error as error:
            raise AuditLost(f"{self._last}: {error}") from error

    async def _write(self, step: Callable[[Inside], Coroutine[Any, Any, T]]) -> T:
        """Run one step in one transaction on the file's thread. Raises StoreFull."""
        if self._connection is None:
            raise StoreFull(f"{self._scratch} is not open")
        await self._has_room(0)
        tx = Inside()
        try:
            return await self._connection.job(partial(written, step(tx), tx))
        except (sqlite3.Error, Unsettled) as error:
            raise StoreFull(f"{self._scratch}: {error}") from error

    async def _has_room(self, more_bytes: int) -> None:
        """Raises StoreFull where so much more would leave too little to the store."""
        directory = self._scratch.parent
        if await asyncio.to_thread(self._free_bytes, directory) - more_bytes < FREE_SPACE_FLOOR_BYTES:
            told = f"less than {FREE_SPACE_FLOOR_BYTES >> 20} MiB would be free in {directory}"
            raise StoreFull(f"{told}, and the store needs them")


def _free_bytes(directory: Path) -> int:
    return shutil.disk_usage(directory).free


def _kept_bytes(connection: sqlite3.Connection) -> int:
    """What a copy without the free pages takes at most."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _prepared(connection: sqlite3.Connection) -> None:
    # Nothing here has to outlive a crash: what is lost is looked at again.
    for pragma in (
        "journal_mode = MEMORY",
        "synchronous = OFF",
        f"cache_size = -{CACHE_KIBIBYTES}",
        "temp_store = FILE",
        "locking_mode = EXCLUSIVE",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    for name in ("sold", "sent", "finding", "run"):
        connection.execute(QUERIES[f"audit_{name}_table"])


def _copied(target: Path, connection: sqlite3.Connection) -> None:
    target.unlink(missing_ok=True)
    connection.execute(QUERIES["audit_copy"], (str(target),))


def _put_in_place(source: Path, target: Path) -> None:
    with source.open("rb") as handle:
        os.fsync(handle.fileno())
    source.replace(target)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _rows_of(path: Path, name: str, parameters: Sequence[Any]) -> list[Row]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(QUERIES[name], parameters).fetchall()


def _finding(row: Row) -> Finding:
    return Finding(FindingKind(row[1]), row[2], row[3], row[4], row[5], tuple(orjson.loads(row[6])))
