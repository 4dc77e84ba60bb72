"""The session: transactions under the tenure and the rules in force, shared by every part of the store."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from archsyncd.adapters.sqlite.connection import Database, Parameters, Row, Transaction
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.cases import CaseNews
from archsyncd.domain.lags import Lags
from archsyncd.domain.report import LedgerState, Room
from archsyncd.domain.rules import Carrying, Rules, Turn
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.ports import Clock, FencedOff, StoreFull

T = TypeVar("T")

FREE_SPACE_FLOOR_BYTES = 64 * 1024 * 1024
# The write-ahead log starts over after some tens of MiB, unless somebody reads an old state for long.
LOG_ALARM_BYTES = 256 * 1024 * 1024
LOG_LIMIT_BYTES = 1024 * 1024 * 1024


def _nobody(_news: CaseNews) -> None:
    pass


async def _held(tenure: Tenure, scope: Scope, step: Callable[[Scope], Awaitable[T]]) -> T:
    if await scope.tx.row("tenure_holds", (tenure.name, tenure.ledger, tenure.fence)) is None:
        raise FencedOff(f"the store is held by another tenure than {tenure.fence}")
    return await step(scope)


class Session:
    """What the parts of the store share. Writing needs the tenure to be taken first."""

    def __init__(self, database: Database, clock: Clock, rules: Rules, ledger: LedgerState) -> None:
        self.database = database
        self.clock = clock
        self.rules = rules
        self.ledger = ledger
        self.tenure: Tenure | None = None
        self.carrying: Carrying | None = None
        self.lags = Lags()
        self.free_space_floor_bytes = FREE_SPACE_FLOOR_BYTES
        self.log_limit_bytes = LOG_LIMIT_BYTES
        self.log_alarm_bytes = LOG_ALARM_BYTES
        self.tell: Callable[[CaseNews], None] = _nobody

    async def write(self, step: Callable[[Scope], Awaitable[T]]) -> T:
        """Run one step in one transaction, compared with the tenure inside it.

        The step waits for nothing but its statements and reads no clock but its scope's.

        Raises FencedOff, StoreFull (nothing stored) and StoreBroken (restart).
        """
        tenure = self.tenure
        if tenure is None:
            raise FencedOff("no tenure is held")

        news: list[CaseNews] = []
        lags: list[tuple[str, int]] = []

        def body(tx: Transaction) -> Coroutine[Any, Any, T]:
            # Called on the loop, where clocks are read; what it returns runs on the connection's thread.
            tx.news = news
            return _held(tenure, replace(self.scope(tx), lags=lags), step)

        result = await self.database.write(body)
        for item in news:
            self.tell(item)
        for name, lag_ms in lags:
            self.lags.note(name, lag_ms)
        return result

    async def look(self, step: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """A consistent look that waits for no writer; `step` waits for nothing but its queries and reads no clock."""
        return await self.database.look(step)

    async def rows(self, name: str, parameters: Parameters = ()) -> list[Row]:
        """What one query answers; waits for no writer."""
        return await self.database.rows(name, parameters)

    async def row(self, name: str, parameters: Parameters = ()) -> Row | None:
        """The first row of it, None without one."""
        found = await self.database.rows(name, parameters)
        return found[0] if found else None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A consistent look of several queries that waits for no writer."""
        async with self.database.read() as tx:
            yield tx

    def scope(self, tx: Transaction) -> Scope:
        """What statements work under in this transaction."""
        return Scope(tx, self.rules, self.clock.wall_ms(), self.carrying)

    def turn(self) -> Turn:
        """This run of the process and its monotonic time."""
        fence = self.tenure.fence if self.tenure else 0
        return Turn(self.ledger.run, int(self.clock.monotonic() * 1000), fence, self.ledger.id)

    def room(self) -> bool:
        """Whether the disk has room above the floor."""
        return shutil.disk_usage(self.database.path.parent).free >= self.free_space_floor_bytes

    def measure(self) -> Room:
        """How large the database is, and what room there is for it."""
        try:
            size = self.database.path.stat().st_size
        except FileNotFoundError:
            size = 0
        free = shutil.disk_usage(self.database.path.parent).free
        return Room(size, self.log_bytes(), free, self.free_space_floor_bytes)

    async def require_room(self) -> None:
        """Stop intake before SQLite itself runs out, or its log fills the disk. Raises StoreFull."""
        if self.log_bytes() > self.log_limit_bytes:
            await self.database.shorten_log()
        if self.log_bytes() > self.log_limit_bytes:
            raise StoreFull(self._log_sentence())
        if not self.room():
            raise StoreFull(
                f"less than {self.free_space_floor_bytes >> 20} MiB are free for {self.database.path}"
            )

    def log_bytes(self) -> int:
        """The size of the write-ahead log."""
        try:
            return Path(f"{self.database.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def doubt(self) -> str | None:
        """What is wrong with the file though it works still, None when nothing is."""
        return self._log_sentence() if self.log_bytes() > self.log_alarm_bytes else None

    def _log_sentence(self) -> str:
        return (
            f"the log {self.database.path}-wal has grown to {self.log_bytes() >> 20} MiB: another program has held the database "
            f"open for long (a backup tool, a shell); end it, intake stops at {self.log_limit_bytes >> 20} MiB"
        )
