"""Transactions on a connection's thread: their statements, and whole steps driven there in one turn. Knows no table.

A transaction's steps are a coroutine that waits for nothing but its own statements, so it can be driven to its end on the
thread that owns the connection. A turn of the loop and of the thread for each statement would cost more than most
statements do, and the loop stays free meanwhile.

Each step of a statement (each row, in or out) gives the interpreter away and must get it back from a loop that may be
busy. So many rows go in by one statement, and queries that answer with many rows answer with one JSON array of them.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import aiosqlite
import orjson

from archsyncd.domain.cases import CaseNews

T = TypeVar("T")
Row: TypeAlias = tuple[Any, ...]
Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
Steps: TypeAlias = Coroutine[Any, Any, T]

SQL = files("archsyncd.adapters.sqlite") / "sql"
BUSY_TIMEOUT_SECONDS = 10.0
# How many sets of parameters one statement takes; what is left over goes by the next smaller number.
SETS_AT_ONCE = (64, 16, 4)
# Beside the named queries: pragmas, BEGIN, COMMIT and ROLLBACK, and the forms of those that take many sets.
SPARE_STATEMENTS = 96
ROWS_AT_ONCE = 64
_WHOLE = "SELECT json_group_array("
_ONE_SET = re.compile(r"VALUES (\([^()]*\))")


def _named_queries() -> Mapping[str, str]:
    queries: dict[str, str] = {}
    for entry in SQL.iterdir():
        if not entry.name.startswith("queries"):
            continue
        for part in entry.read_text("utf-8").split("-- name: ")[1:]:
            name, _, text = part.partition("\n")
            if queries.setdefault(name.strip(), text.strip().rstrip(";")) != text.strip().rstrip(";"):
                raise ValueError(f"two statements are called {name.strip()}")
    return queries


QUERIES = _named_queries()


@lru_cache(maxsize=256)
def _for_sets(name: str, sets: int) -> str:
    """The statement for so many sets of parameters at once; empty when it can only take one."""
    found = _ONE_SET.search(QUERIES[name])
    if found is None:
        return ""
    return (
        f"{QUERIES[name][: found.start()]}VALUES {', '.join([found[1]] * sets)}{QUERIES[name][found.end() :]}"
    )


def _in_groups(parameters: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    start = 0
    for size in SETS_AT_ONCE:
        while len(parameters) - start >= size:
            yield parameters[start : start + size]
            start += size
    yield parameters[start:]


def _answered(connection: sqlite3.Connection, query: str, parameters: Parameters) -> list[Row]:
    rows: list[Row] = connection.execute(query, parameters).fetchall()
    return orjson.loads(rows[0][0]) if query.startswith(_WHOLE) else rows


class Transaction(ABC):
    """One transaction's statements, by their names in the queries files."""

    def __init__(self) -> None:
        self.news: list[CaseNews] = []

    @abstractmethod
    async def rows(self, name: str, parameters: Parameters = ()) -> list[Row]:
        """All rows a query answers; the query bounds them. Each row is a sequence of its columns."""

    @abstractmethod
    async def run(self, name: str, parameters: Parameters = ()) -> int:
        """Run one statement; how many rows it changed."""

    @abstractmethod
    async def run_many(self, name: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each set of parameters."""

    async def row(self, name: str, parameters: Parameters = ()) -> Row | None:
        """The first row, None without one."""
        found = await self.rows(name, parameters)
        return found[0] if found else None


class Inside(Transaction):
    """Statements on the connection's own thread: none of them ever suspends."""

    def __init__(self) -> None:
        super().__init__()
        self.connection: sqlite3.Connection

    async def rows(self, name: str, parameters: Parameters = ()) -> list[Row]:
        """All rows a query answers."""
        return _answered(self.connection, QUERIES[name], parameters)

    async def run(self, name: str, parameters: Parameters = ()) -> int:
        """Run one statement."""
        return self.connection.execute(QUERIES[name], parameters).rowcount

    async def run_many(self, name: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each set of parameters."""
        for group in _in_groups(parameters if isinstance(parameters, list) else list(parameters)):
            whole = _for_sets(name, len(group)) if len(group) in SETS_AT_ONCE else ""
            if whole:
                self.connection.execute(whole, [value for one in group for value in one])
            else:
                self.connection.executemany(QUERIES[name], group)


class Across(Transaction):
    """Queries of a look that is taken from the loop: the first one begins it, each is a turn of the thread."""

    def __init__(self, reader: Threaded) -> None:
        super().__init__()
        self._reader = reader
        self.begun = False

    async def rows(self, name: str, parameters: Parameters = ()) -> list[Row]:
        """All rows a query answers."""
        first, self.begun = not self.begun, True
        return await self._reader.job(partial(asked, QUERIES[name], parameters, begins=first))

    async def run(self, name: str, parameters: Parameters = ()) -> int:
        """Refused: the connection would refuse it too."""
        raise TypeError(f"a look changes nothing: {name} with {len(parameters)} parameters")

    async def run_many(self, name: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Refused likewise."""
        raise TypeError(f"a look changes nothing: {name} with {len(list(parameters))} sets of parameters")


def asked(
    query: str, parameters: Parameters, connection: sqlite3.Connection, *, begins: bool = False
) -> list[Row]:
    """One query's answer. `begins`: others that follow are to see the same."""
    if begins:
        connection.execute("BEGIN")
    return _answered(connection, query, parameters)


class Threaded(aiosqlite.Connection):
    """aiosqlite's connection, to whose thread also a whole job can be given."""

    @classmethod
    async def on(cls, path: Path) -> Threaded:
        """Open the file, each statement a transaction of its own unless one is begun."""
        opening = partial(
            sqlite3.connect,
            path,
            isolation_level=None,
            timeout=BUSY_TIMEOUT_SECONDS,
            cached_statements=len(QUERIES) + SPARE_STATEMENTS,
        )
        connection = cls(opening, ROWS_AT_ONCE)
        try:
            await connection
        except BaseException:
            # The thread tells the loop that it ends: a loop closed before that would make it fail.
            await asyncio.to_thread(connection._thread.join)
            raise
        return connection

    async def job(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have work done on the thread, between statements; what it returns or raises."""
        done: T = await self._execute(self._work, work)  # type: ignore[no-untyped-call]
        return done

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self._conn)


class Unsettled(Exception):
    """A failed transaction could not be rolled back; the message says why."""


def _driven(steps: Steps[T], tx: Inside, connection: sqlite3.Connection) -> T:
    """Run steps to their end on this thread. Raises RuntimeError when they wait for anything but statements."""
    tx.connection = connection
    try:
        steps.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("a transaction may wait for nothing but its own statements")


def written(steps: Steps[T], tx: Inside, connection: sqlite3.Connection) -> T:
    """One writing transaction: committed when this returns, rolled back when it raises. Raises Unsettled."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        result = _driven(steps, tx, connection)
        connection.execute("COMMIT")
    except BaseException as error:
        _roll_back(connection, error)
        raise
    finally:
        steps.close()
    return result


def _roll_back(connection: sqlite3.Connection, cause: BaseException) -> None:
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        raise Unsettled(f"a failed transaction could not be rolled back: {error}") from cause


def looked(steps: Steps[T], tx: Inside, connection: sqlite3.Connection) -> T:
    """One consistent look that changes nothing."""
    try:
        connection.execute("BEGIN")
        return _driven(steps, tx, connection)
    finally:
        steps.close()
        end_look(connection)


def end_look(connection: sqlite3.Connection) -> None:
    """Let go of the look, if there is one."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
