"""The database file: opening, pragmas, migrations and the one writing connection. Knows no table but the schema's number.

One connection writes and alone checkpoints. A transaction runs as a task of its own behind a lock, so that a caller's
cancellation never leaves a statement running in somebody else's transaction. After an error whose outcome SQLite does
not guarantee, the connection is not used again: no state in memory may be ahead of the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite

from archsyncd.adapters.sqlite.transaction import (
    BUSY_TIMEOUT_SECONDS,
    QUERIES,
    SQL,
    Across,
    Inside,
    Parameters,
    Row,
    Steps,
    Threaded,
    Transaction,
    Unsettled,
    asked,
    end_look,
    looked,
    written,
)
from archsyncd.engine.ports import StoreBroken, StoreBusy, StoreFull, StoreNewer

__all__ = ["Database", "Parameters", "Row", "Transaction", "open_database"]

T = TypeVar("T")

CACHE_KIBIBYTES = 32_768
# Beside the file: copies that people ask for, and those made before the schema changes.
BACKUPS = "backups"
JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024
CHECKPOINT_PAGES = 4_000
# A file of this size is read in some tenths of a second. A larger one is checked while the daemon works, if it was closed well.
CHECK_FIRST_BYTES = 64 * 1024 * 1024

Body: TypeAlias = Callable[[Transaction], Steps[T]]


class Database:
    """The open file: `write` for transactions, `read` for consistent looks that never wait for a writer."""

    def __init__(self, path: Path, writer: Threaded, reader: Threaded, *, checked: bool) -> None:
        """`checked`: its pages were; otherwise `verify` has them still to look at."""
        self.path = path
        self.checked = checked
        self._writer = writer
        self._reader = reader
        self._lock = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._broken: str | None = None
        self._closing = False

    @property
    def broken(self) -> str | None:
        """Why the store cannot be used any more, None while it can."""
        return self._broken

    async def write(self, body: Body[T]) -> T:
        """Run `body` in one transaction that is durable when this returns.

        Raises StoreFull (nothing stored, try later), StoreBroken (restart), or what `body` raised (nothing stored).
        A cancelled caller leaves; the transaction still ends by itself, committed or rolled back whole.
        """
        if self._closing:
            raise StoreBroken("the store is closing")
        task = asyncio.ensure_future(self._transaction(body))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _transaction(self, body: Body[T]) -> T:
        async with self._lock:
            if self._broken:
                raise StoreBroken(self._broken)
            tx = Inside()
            try:
                return await self._writer.job(partial(written, body(tx), tx))
            except Unsettled as unsettled:
                self._broken = str(unsettled)
                raise StoreBroken(self._broken) from unsettled
            except sqlite3.Error as error:
                raise self._meaning(error) from error

    def _meaning(self, error: sqlite3.Error) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(str(error))
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return StoreBusy(
                f"another process holds {self.path.name} locked for longer than a write may wait"
            )
        if code in {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG}:
            return error
        # An I/O error, a corrupt page, a read-only file system: what is on disk is known only after opening it anew.
        self._broken = f"{self.path.name}: {error}"
        return StoreBroken(self._broken)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A consistent look at the store that neither waits for the writer nor holds it up.

        Raises StoreBroken as `write` does: a page that cannot be read is no reason to guess.
        """
        async with self._reading:
            if self._broken or self._closing:
                raise StoreBroken(self._broken or "the store is closing")
            tx = Across(self._reader)
            try:
                yield tx
            except sqlite3.Error as error:
                raise self._meaning(error) from error
            finally:
                if tx.begun:
                    with contextlib.suppress(sqlite3.Error):
                        await self._reader.job(end_look)

    async def rows(self, name: str, parameters: Parameters = ()) -> list[Row]:
        """What one query answers: it needs no other look to be consistent, and takes one turn of the thread."""
        async with self._reading:
            if self._broken or self._closing:
                raise StoreBroken(self._broken or "the store is closing")
            try:
                return await self._reader.job(partial(asked, QUERIES[name], parameters))
            except sqlite3.Error as error:
                raise self._meaning(error) from error

    async def look(self, body: Body[T]) -> T:
        """As `read`, for steps that wait for nothing but their queries: one turn of the thread for all of them."""
        async with self._reading:
            if self._broken or self._closing:
                raise StoreBroken(self._broken or "the store is closing")
            tx = Inside()
            try:
                return await self._reader.job(partial(looked, body(tx), tx))
            except sqlite3.Error as error:
                raise self._meaning(error) from error

    async def shorten_log(self) -> None:
        """Start the log over if nobody reads an old state; otherwise leave it as it is, without waiting."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}")

        async with self._lock:
            if self._broken or self._closing:
                return
            try:
                await self._writer.job(work)
            except sqlite3.Error as error:
                raise self._meaning(error) from error

    async def verify(self, stop: asyncio.Event) -> None:
        """Check all pages beside all other work, unless that was done at the opening; left undone at the stop.

        Raises StoreBroken when they are damaged: nothing is read or written any more.
        """
        if self.checked:
            return
        connection = await _open_reader(self.path)
        stopped = asyncio.ensure_future(stop.wait())
        checking = asyncio.ensure_future(_check(connection, self.path))
        try:
            await asyncio.wait({checking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            ended = checking.done()
        finally:
            stopped.cancel()
            await connection.interrupt()
            await asyncio.gather(checking, stopped, return_exceptions=True)
            await connection.close()
        if not ended:
            return
        # From here on nothing gives way: whoever meets the broken store next must not be heard before this.
        try:
            checking.result()
        except sqlite3.Error as error:
            raise self._meaning(error) from error
        except StoreBroken as damage:
            self._broken = str(damage)
            raise
        self.checked = True

    async def backup(self, target: Path) -> None:
        """Copy the committed state into a new file while the daemon runs: one look for all of it, and nobody waits for it."""
        source = await _open_reader(self.path)
        try:
            async with aiosqlite.connect(target) as copy:
                # In one step: begun anew after each write of another connection it would not end while there is work.
                await source.backup(copy, pages=-1)
        finally:
            await source.close()

    async def close(self) -> None:
        """Let running transactions end, then close; no statement outlives this."""
        self._closing = True
        if self._running:
            await asyncio.wait(set(self._running))
        async with self._reading:
            await self._reader.close()
        await self._writer.close()


async def _open_writer(path: Path) -> Threaded:
    connection = await Threaded.on(path)
    try:
        found = list(await connection.execute_fetchall("PRAGMA journal_mode = WAL"))
        # The switch can fail without an error; only its answer tells.
        if not found or str(found[0][0]).lower() != "wal":
            raise StoreBroken(
                f"{path.name}: the write-ahead log could not be switched on (it answers {found!r})"
            )
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            f"cache_size = -{CACHE_KIBIBYTES}",
            f"journal_size_limit = {JOURNAL_LIMIT_BYTES}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            "temp_store = MEMORY",
            "trusted_schema = OFF",
            # What named a person is overwritten where it stood, not only let go of.
            "secure_delete = ON",
        ):
            await connection.execute(f"PRAGMA {pragma}")
        synchronous = list(await connection.execute_fetchall("PRAGMA synchronous"))
        if synchronous[0][0] != 2:  # noqa: PLR2004 - SQLite's number for FULL
            raise StoreBroken(f"{path.name}: synchronous is {synchronous[0][0]}, not FULL")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _open_reader(path: Path) -> Threaded:
    connection = await Threaded.on(path)
    try:
        await connection.execute("PRAGMA query_only = ON")
        await connection.execute("PRAGMA wal_autocheckpoint = 0")
        await connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES // 4}")
    except BaseException:
        await connection.close()
        raise
    return connection


def _migrations() -> list[tuple[int, str]]:
    found = []
    for entry in SQL.iterdir():
        number, _, rest = entry.name.partition("_")
        if number.isdigit() and rest.endswith(".sql"):
            found.append((int(number), entry.read_text("utf-8")))
    return sorted(found)


async def _migrate(connection: aiosqlite.Connection, path: Path) -> None:
    migrations = _migrations()
    newest = migrations[-1][0]
    version = next(iter(await connection.execute_fetchall("PRAGMA user_version")))[0]
    if version > newest:
        raise StoreNewer(
            f"{path} was written by a newer version of archsyncd (schema {version}, this one knows {newest}). "
            f"Install that version again, or put back the copy made before the upgrade: "
            f"{path.parent / BACKUPS}/schema-{newest}.db, as {path.name}, with {path.name}-wal and {path.name}-shm removed."
        )
    if 0 < version < newest:
        await _keep_copy(connection, path.parent / BACKUPS / f"schema-{version}.db")
    for number, text in migrations:
        if number > version:
            await connection.execute("BEGIN IMMEDIATE")
            for statement in _statements(text):
                await connection.execute(statement)
            await connection.execute(f"PRAGMA user_version = {number}")
            await connection.execute("COMMIT")


async def _keep_copy(connection: aiosqlite.Connection, target: Path) -> None:
    """Before the schema changes: the way back to the version before."""
    partial = target.with_name(f".{target.name}.partial")
    await asyncio.to_thread(target.parent.mkdir, mode=0o700, exist_ok=True)
    await asyncio.to_thread(partial.unlink, missing_ok=True)
    await asyncio.to_thread(partial.touch, mode=0o600)
    await connection.execute("VACUUM INTO ?", (str(partial),))
    await asyncio.to_thread(partial.replace, target)


def _statements(text: str) -> Iterable[str]:
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("--"):
            continue
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


async def _closed_well(connection: aiosqlite.Connection) -> bool:
    try:
        return list(await connection.execute_fetchall("SELECT closed FROM ledger")) == [(1,)]
    except sqlite3.Error:
        return False


async def _check(connection: aiosqlite.Connection, path: Path) -> None:
    answer = list(await connection.execute_fetchall("PRAGMA quick_check(5)"))
    if answer != [("ok",)]:
        raise StoreBroken(f"{path} is damaged: {'; '.join(str(line[0]) for line in answer)}")


async def open_database(path: Path, *, check_first_bytes: int = CHECK_FIRST_BYTES) -> Database:
    """Open or create the file, bring its schema up to date and check its pages.

    One that is larger than `check_first_bytes` and was closed well is left to `Database.verify`.

    Raises StoreNewer, StoreBroken when it is no database, is corrupt, or cannot be written safely, StoreFull when there is
    no room to open it and StoreBusy when another process holds it.
    """
    writer = reader = None
    try:
        writer = await _open_writer(path)
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        checked = size_bytes <= check_first_bytes or not await _closed_well(writer)
        if checked:
            await _check(writer, path)
        await _migrate(writer, path)
        reader = await _open_reader(path)
    except sqlite3.Error as error:
        await _close(writer, reader)
        raise _refusal(path, error) from error
    except BaseException:
        await _close(writer, reader)
        raise
    return Database(path, writer, reader, checked=checked)


def _refusal(path: Path, error: sqlite3.Error) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"{path}: {error}")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(f"{path}: another process holds it locked")
    return StoreBroken(f"{path}: {error}")


async def _close(*connections: aiosqlite.Connection | None) -> None:
    for connection in connections:
        if connection is not None:
            await connection.close()
