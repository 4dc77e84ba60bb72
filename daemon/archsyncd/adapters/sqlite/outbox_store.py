"""The outbox as the drain and the base keeper use it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from archsyncd.adapters.sqlite import outbox
from archsyncd.adapters.sqlite.cases import resolve_case
from archsyncd.adapters.sqlite.codec import outbox_row, outbox_rows, put_outbox_rows
from archsyncd.adapters.sqlite.connection import Transaction
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Entry, StockKey
from archsyncd.domain.lookup import Unentered
from archsyncd.domain.outbox import Lease, OutboxRow, freed, read_discarded
from archsyncd.domain.priority import DueClass
from archsyncd.domain.reconciling import RaiseGuard
from archsyncd.domain.rules import DrainLimits, SettleRules
from archsyncd.domain.settlement import Settled

# What a row's own figures can cause; an error of the disk, the lock or the tenure is told by a kind of its own.
UNBOOKABLE = (sqlite3.Error, ArithmeticError, LookupError, TypeError, ValueError)
RECOMPUTE_KEYS = 2_000


class OutboxStore:
    """Leases, settlements, bases, checks."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lease(self, limits: DrainLimits, limit: int) -> list[Lease]:
        """Take due keys in drain order; their intents are durable when this returns."""
        turn = self._session.turn()
        return await self._session.write(lambda scope: outbox.lease(scope, turn, limits, limit))

    async def settle(self, settled: Sequence[Settled], rules: SettleRules) -> None:
        """Book what became of operations. One that cannot be booked stays in doubt and takes no other with it."""
        turn = self._session.turn()
        try:
            await self._session.write(lambda scope: outbox.settle(scope, turn, settled, rules))
        except UNBOOKABLE as error:
            if len(settled) > 1:
                half = len(settled) // 2
                await self.settle(settled[:half], rules)
                await self.settle(settled[half:], rules)
                return
            why = f"{type(error).__name__}: {error}"
            await self._session.write(lambda scope: outbox.unbookable(scope, turn, settled[0], why))

    async def doubt_leased(self) -> int:
        """Have the entry read of every operation that is in flight and that nobody holds any more; how many."""
        return await self._session.write(lambda scope: scope.tx.run("outbox_all_in_doubt"))

    async def due_count(self, limits: DrainLimits, at_most: int) -> int:
        """How many keys may be leased now, counted up to a bound."""
        parameters = outbox.due_parameters(self._session.turn(), limits, at_most)
        row = await self._session.look(lambda tx: tx.row("outbox_due_count", parameters))
        return int(row[0]) if row else 0

    async def increases_waiting(self, paused: Collection[str]) -> int:
        """How many increases wait, but for those of paused channels."""
        row = await self._session.look(lambda tx: tx.row("outbox_increases_count", (array(paused),)))
        return int(row[0]) if row else 0

    async def most_urgent(self, limits: DrainLimits) -> DueClass | None:
        """The class of the key that would be leased first; None when nothing is due now.

        An increase that has waited its time is as urgent as a decrease.
        """
        parameters = outbox.due_parameters(self._session.turn(), limits, 1)

        async def step(tx: Transaction) -> DueClass | None:
            first = await tx.row("outbox_due", parameters)
            if first is None:
                return None
            overdue = first[2] > DueClass.DECREASE and await tx.row("outbox_overdue", parameters) is not None
            return DueClass.DECREASE if overdue else DueClass(first[2])

        return await self._session.look(step)

    def _parameters(self, limits: int) -> dict[str, Any]:
        turn = self._session.turn()
        return {"run": turn.run, "now": turn.now, "limit": limits}

    async def _found(self, query: str, parameters: Mapping[str, Any]) -> list[OutboxRow]:
        """Whole rows of the keys that a query names."""

        async def step(tx: Transaction) -> list[OutboxRow]:
            found = await tx.rows(query, parameters)
            keys = pairs(StockKey(row[0], row[1]) for row in found)
            return [outbox_row(row) for row in await tx.rows("outbox_by_key", (keys,))]

        return await self._session.look(step)

    async def in_doubt(self, limit: int) -> list[OutboxRow]:
        """Rows whose operation has an unknown outcome and may be resolved now."""
        return await self._found("outbox_in_doubt", self._parameters(limit))

    async def rows(self, keys: Iterable[StockKey]) -> dict[StockKey, OutboxRow]:
        """Outbox rows by key."""
        async with self._session.read() as tx:
            return await outbox_rows(self._session.scope(tx), keys)

    async def unknown_bases(self, after: StockKey | None, limit: int) -> list[OutboxRow]:
        """Rows whose entry was never looked at, after a key."""
        start = after or StockKey("", "")
        parameters = self._parameters(limit) | {"channel": start.channel, "sku": start.sku}
        return await self._found("outbox_unknown", parameters)

    async def unknown_again_ms(self) -> int | None:
        """When the next of those rows may be looked up, in monotonic milliseconds; None: there is none."""
        row = await self._session.row("outbox_unknown_next", (self._session.turn().run,))
        return None if row is None else row[0]

    async def book_lookups(
        self,
        entries: Sequence[Entry],
        creatable: Collection[StockKey],
        withheld: Collection[Unentered],
        rules: SettleRules,
    ) -> None:
        """Book what look-ups of unknown keys found."""
        turn = self._session.turn()
        await self._session.write(
            lambda scope: outbox.book_lookups(scope, turn, entries, creatable, withheld, rules)
        )

    async def free(self, reason: str, note: str, scope_name: str = "") -> int:
        """Let keys parked for a reason go on (in one channel where named); how many."""
        freed_keys, after = 0, StockKey(scope_name, "")
        while True:
            rows = await self._session.rows(
                "outbox_parked", (reason, after.channel, after.sku, RECOMPUTE_KEYS)
            )
            keys = [StockKey(row[0], row[1]) for row in rows if not scope_name or row[0] == scope_name]
            if not keys:
                return freed_keys
            freed_keys += len(keys)
            after = keys[-1]
            await self._session.write(lambda scope, keys=keys: self._free(scope, keys, reason, note))  # type: ignore[misc]

    async def _free(self, scope: Scope, keys: Sequence[StockKey], reason: str, note: str) -> None:
        rows = await outbox_rows(scope, keys)
        await put_outbox_rows(scope, [freed(row, scope.now_ms) for row in rows.values()])
        if reason in set(CaseKind):
            for key in keys:
                await resolve_case(scope.tx, CaseKind(reason), key.channel, key.sku, note, scope.now_ms)

    async def free_key(self, key: StockKey) -> None:
        """Let one key go on, as a person asked."""

        async def step(scope: Scope) -> None:
            rows = await outbox_rows(scope, [key])
            await put_outbox_rows(scope, [freed(row, scope.now_ms) for row in rows.values()])

        await self._session.write(step)

    async def check_now(self, key: StockKey) -> bool:
        """Have a key's entry read once more; False when there is no such key."""

        async def step(scope: Scope) -> bool:
            return await scope.tx.run("outbox_check_some", (scope.now_ms, pairs([key]))) > 0

        return await self._session.write(step)

    async def plan_checks(self, after: StockKey | None, limit: int) -> StockKey | None:
        """Have the entries of the next keys read once more: a sample, or page by page all; the key to go on from.

        None: there are no further keys.
        """
        start = after or StockKey("", "")

        async def step(scope: Scope) -> StockKey | None:
            rows = await scope.tx.rows("outbox_proven", (start.channel, start.sku, limit))
            keys = [StockKey(row[0], row[1]) for row in rows]
            await scope.tx.run("outbox_check_some", (scope.now_ms, pairs(keys)))
            return keys[-1] if keys else None

        return await self._session.write(step)

    async def checks_due(self, limit: int) -> list[OutboxRow]:
        """Rows whose entry is to be read once more."""
        return await self._found(
            "outbox_check_due", {"before": self._session.clock.wall_ms(), "limit": limit}
        )

    async def book_reads(self, entries: Sequence[Entry], missing: Collection[StockKey]) -> None:
        """Book entries read for a check."""
        turn = self._session.turn()
        await self._session.write(lambda scope: outbox.book_reads(scope, turn, entries, missing))

    async def put_off_checks(self, keys: Collection[StockKey], delay_ms: int) -> None:
        """Entries that could not be read for their check: again after so long."""

        async def step(scope: Scope) -> None:
            rows = await outbox_rows(scope, keys)
            later = [read_discarded(row, scope.now_ms + delay_ms) for row in rows.values()]
            await put_outbox_rows(scope, later)

        await self._session.write(step)

    async def judge_reads(
        self, complete_ms: int, lag_ms: int, limit: int, guard: RaiseGuard | None = None
    ) -> tuple[int, int]:
        """Judge pending reads; how many were proven, how many must be read again. `guard`: None holds no raise."""
        first = {"before": complete_ms - lag_ms, "limit": 1}
        if not await self._session.rows("outbox_check_read", first):
            return 0, 0  # as most of the time: a transaction for nothing would sync the disk each time
        return await self._session.write(
            lambda scope: outbox.judge_reads(scope, complete_ms, lag_ms, limit, guard)
        )
