"""The history of keys as people read it and as its keeper folds it."""

from __future__ import annotations

from collections.abc import Iterable

from archsyncd.adapters.sqlite.connection import Transaction
from archsyncd.adapters.sqlite.history import change_of, fold
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.history import Change, Folding, Mark, Timeline
from archsyncd.domain.inventory import StockKey

MARKS_LIMIT = 100
DRIFTS_LIMIT = 5
NOTE_LIMIT_CHARACTERS = 200


class HistoryStore:
    """Looks at the history, and steps of folding it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def channels(self, sku: str) -> list[str]:
        """The channels in which a SKU has a key."""
        async with self._session.read() as tx:
            places = [(row[0], sku) for row in await tx.rows("outbox_channels")]
            return [
                channel
                for channel, name in places
                if await tx.row("history_current", (channel, name)) is not None
            ]

    async def newest(self, key: StockKey, limit: int) -> Timeline:
        """A key's timeline with its newest rows, so many at most."""

        async def step(tx: Transaction) -> Timeline:
            rows = await tx.rows("history_newest", (key.channel, key.sku, limit))
            changes = [change_of(row) for row in reversed(rows)]
            return await _timeline(tx, key, changes)

        return await self._session.look(step)

    async def after(self, key: StockKey, n: int, limit: int) -> Timeline:
        """A key's timeline with the rows behind number `n`, the oldest first, so many at most."""

        async def step(tx: Transaction) -> Timeline:
            rows = await tx.rows("history_after", (key.channel, key.sku, max(n, 0), limit))
            return await _timeline(tx, key, map(change_of, rows))

        return await self._session.look(step)

    async def fold(self, most_rows: int, step_rows: int) -> Folding:
        """Fold the next rows in one small transaction; `most_rows` is what all of them are to come to at most."""
        return await self._session.write(lambda scope: fold(scope, most_rows, step_rows))


async def _timeline(tx: Transaction, key: StockKey, changes: Iterable[Change]) -> Timeline:
    place = (key.channel, key.sku)
    current = await tx.row("history_current", place)
    rows, deltas, drift_count = (await tx.row("history_sums", place)) or (0, 0, 0)
    first = [change_of(row) for row in await tx.rows("history_after", (*place, -1, 1))]
    drifts = [change_of(row) for row in await tx.rows("history_drifts", (*place, DRIFTS_LIMIT))]
    return Timeline(
        key,
        None if current is None else current[0],
        first[0] if first and first[0].n == 0 else None,
        rows,
        deltas,
        tuple(changes),
        tuple(await _marks(tx, key)),
        tuple(drifts),
        drift_count,
    )


async def _marks(tx: Transaction, key: StockKey) -> list[Mark]:
    """Open orders and cases of the key, oldest first; the newest ones where there are many."""
    marks: list[Mark] = []
    for at_ms, order, quantity, tracked in await tx.rows(
        "history_orders", (key.channel, key.sku, MARKS_LIMIT)
    ):
        kind = "" if tracked else ", which commercetools does not track"
        marks.append(Mark(at_ms, "order", f"order {order} placed: {quantity:,} of it{kind}"))
    for case_id, kind, state, first_ms, closed_ms, note in await tx.rows(
        "history_cases", (key.sku, key.channel, MARKS_LIMIT)
    ):
        marks.append(Mark(first_ms, "case", f"case {case_id} opened: {kind}"))
        if closed_ms is not None:
            told = f" ({note[:NOTE_LIMIT_CHARACTERS]})" if note else ""
            marks.append(Mark(closed_ms, "case", f"case {case_id} {state}: {kind}{told}"))
    return sorted(marks, key=lambda mark: mark.at_ms)
