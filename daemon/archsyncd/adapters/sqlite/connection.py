"""The database file: opening, pragmas, migrations and the one writing connection. Knows no table but the schema's number.

One connection writes and alone checkpoints. A transaction runs as a task of its own behind a lock, so that a caller's
cancellation never leaves a statement running in somebody else's transaction. After an error whose outcome SQLite does
not guarantee, the connection is not used again: no state in memory may be ahead of the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import aiosqlite

from archsyncd.domain.cases import CaseNews
from archsyncd.engine.ports import StoreBroken, StoreBusy, StoreFull, StoreNewer

T = TypeVar("T")
Row: TypeAlias = tuple[Any, ...]

BUSY_TIMEOUT_SECONDS = 10.0
CACHE_KIBIBYTES = 32_768
JOURNAL_LIMIT_BYTES = 64 * 1024 * 1024
CHECKPOINT_PAGES = 4_000
_SQL = files("archsyncd.adapters.sqlite") / "sql"


def _named_queries() -> Mapping[str, str]:
    queries: dict[str, str] = {}
    for part in _SQL.joinpath("queries.sql").read_text("utf-8").split("-- name: ")[1:]:
        name, _, text = part.partition("\n")
        queries[name.strip()] = text.strip().rstrip(";")
    return queries


QUERIES = _named_queries()


class Transaction:
    """One transaction's statements, by their names in queries.sql."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self.news: list[CaseNews] = []

    async def rows(self, name: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """All rows a query answers; the query bounds them."""
        return cast("list[Row]", await self._connection.execute_fetchall(QUERIES[name], parameters))

    async def row(self, name: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Row | None:
        """The first row, None without one."""
        found = await self.rows(name, parameters)
        return found[0] if found else None

    async def run(self, name: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Run one statement; how many rows it changed."""
        cursor = await self._connection.execute(QUERIES[name], parameters)
        count = cursor.rowcount
        await cursor.close()
        return count

    async def run_many(self, name: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each set of parameters."""
        cursor = await self._connection.executemany(QUERIES[name], parameters)
        await cursor.close()


Body: TypeAlias = Callable[[Transaction], Awaitable[T]]


class Database:
    """The open file: `write` for transactions, `read` for consistent looks that never wait for a writer."""

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection) -> None:
        self.path = path
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
            try:
                await self._writer.execute("BEGIN IMMEDIATE")
                result = await body(Transaction(self._writer))
                await self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                await self._roll_back()
                raise self._meaning(error) from error
            except BaseException:
                await self._roll_back()
                raise
            return result

    async def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                await self._writer.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._broken = f"a failed transaction could not be rolled back: {error}"

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
            try:
                # Within the guard: a caller cancelled here leaves a BEGIN behind that the connection's thread still runs.
                await self._reader.execute("BEGIN")
                yield Transaction(self._reader)
            except sqlite3.Error as error:
                raise self._meaning(error) from error
            finally:
                with contextlib.suppress(sqlite3.Error):
                    await self._reader.execute("ROLLBACK")

    async def backup(self, target: Path) -> None:
        """Copy the committed state into a new file while the daemon runs."""
        async with aiosqlite.connect(target) as copy:
            await self._reader.backup(copy, pages=1_000)

    async def close(self) -> None:
        """Let running transactions end, then close; no statement outlives this."""
        self._closing = True
        if self._running:
            await asyncio.wait(set(self._running))
        async with self._reading:
            await self._reader.close()
        await self._writer.close()


async def _open_writer(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)
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
        ):
            await connection.execute(f"PRAGMA {pragma}")
        synchronous = list(await connection.execute_fetchall("PRAGMA synchronous"))
        if synchronous[0][0] != 2:  # noqa: PLR2004 - SQLite's number for FULL
            raise StoreBroken(f"{path.name}: synchronous is {synchronous[0][0]}, not FULL")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _open_reader(path: Path) -> aiosqlite.Connection:
    connection = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_SECONDS)
    await connection.execute("PRAGMA query_only = ON")
    await connection.execute("PRAGMA wal_autocheckpoint = 0")
    await connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES // 4}")
    return connection


def _migrations() -> list[tuple[int, str]]:
    found = []
    for entry in _SQL.iterdir():
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
            "Install that version again, or restore the backup made before the upgrade."
        )
    for number, text in migrations:
        if number > version:
            await connection.execute("BEGIN IMMEDIATE")
            for statement in _statements(text):
                await connection.execute(statement)
            await connection.execute(f"PRAGMA user_version = {number}")
            await connection.execute("COMMIT")


def _statements(text: str) -> Iterable[str]:
    pending = ""
    for line in text.splitlines():
        if line.lstrip().startswith("--"):
            continue
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


async def open_database(path: Path, *, check: bool = True) -> Database:
    """Open or create the file, bring its schema up to date and check its pages.

    Raises StoreNewer, or StoreBroken when it is no database, is corrupt, or cannot be written safely.
    """
    writer = reader = None
    try:
        writer = await _open_writer(path)
        if check:
            answer = list(await writer.execute_fetchall("PRAGMA quick_check(5)"))
            if answer != [("ok",)]:
                raise StoreBroken(f"{path} is damaged: {'; '.join(str(line[0]) for line in answer)}")
        await _migrate(writer, path)
        reader = await _open_reader(path)
    except sqlite3.Error as error:
        await _close(writer, reader)
        raise StoreBroken(f"{path}: {error}") from error
    except BaseException:
        await _close(writer, reader)
        raise
    return Database(path, writer, reader)


async def _close(*connections: aiosqlite.Connection | None) -> None:
    for connection in connections:
        if connection is not None:
            await connection.close()
