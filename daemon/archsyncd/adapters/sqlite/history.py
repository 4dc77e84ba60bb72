"""The history of keys in the store: written in the transaction that changes a row, folded in steps. Decides no operation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.history import (
    STEPS,
    WHO_LIMIT_CHARACTERS,
    Cause,
    Change,
    Folding,
    Kind,
    change_between,
    folded,
    next_step,
)
from archsyncd.domain.inventory import Entry, StockKey
from archsyncd.domain.ledger import drift
from archsyncd.domain.outbox import OutboxRow

# Channel, SKU and number of a row.
Place: TypeAlias = tuple[str, str, int]
START: Place = ("", "", -1)


async def keep_changes(scope: Scope, rows: Mapping[StockKey, OutboxRow]) -> None:
    """Keep what these rows, about to be written, change of what is applied. Each was read in this transaction."""
    added: list[tuple[StockKey, Change]] = []
    for key, after in rows.items():
        before, cause = scope.before.get(key), scope.causes.pop(key, None)
        if before is None or (before.x_applied == after.x_applied and before.late == after.late):
            continue
        change = change_between(before, after, cause, scope.now_ms)
        if change is not None:
            added.append((key, change))
    scope.before.update(rows)
    if added:
        turn = await _turn(scope.tx, len(added))
        await scope.tx.run_many(
            "history_add", [(key.channel, key.sku, turn, *_values(change)[1:-1]) for key, change in added]
        )


async def _turn(tx: Transaction, rows: int) -> int:
    """Begin to add so many rows, at most one to a key: the number that all of them have, higher than any before."""
    found = await tx.row("history_turn", (rows,))
    return int(found[0]) if found else 0


def because(scope: Scope, key: StockKey, kind: Kind, op_id: str = "", who: str | None = None) -> None:
    """Say why a row is about to change, where the rows before and after it cannot tell."""
    scope.causes[key] = Cause(kind, op_id, who or "")


async def keep_unbasing(tx: Transaction, now_ms: int) -> None:
    """What is learnt late is forgotten with all bases: keep that, before it is done."""
    found = await tx.row("history_unbasing")
    if found and found[0]:
        await tx.run("history_unbase_all", (await _turn(tx, found[0]), now_ms))


async def suspect(scope: Scope, row: OutboxRow, entry: Entry) -> None:
    """Remember who wrote an entry last that is not as it should be; the clean read will tell whether that was drift."""
    place = (row.key.channel, row.key.sku)
    off = 0 if row.x_applied is None else drift(entry.quantity_on_stock, row.x_applied, row.known)
    if off and entry.written_by:
        await scope.tx.run("read_writer_put", (*place, entry.written_by[:WHO_LIMIT_CHARACTERS]))
    else:
        await scope.tx.run("read_writer_forget", place)


async def drifted(scope: Scope, key: StockKey) -> None:
    """The row is about to be corrected for drift: say so, and who had written the entry last, where that is known."""
    found = await scope.tx.row("read_writer", (key.channel, key.sku))
    await scope.tx.run("read_writer_forget", (key.channel, key.sku))
    because(scope, key, Kind.DRIFT, who=found[0] if found else None)


def _values(change: Change) -> tuple[Any, ...]:
    return (
        change.n,
        change.at_ms,
        change.kind.value,
        change.delta,
        change.x_after,
        change.f,
        change.refl,
        change.ntrk,
        change.known,
        change.op_id,
        change.who,
        change.count,
    )


def change_of(row: Row) -> Change:
    """A row of the queries for changes."""
    _, _, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op_id, who, count = row
    return Change(at_ms, Kind(kind), delta, x_after, f, refl, ntrk, known, op_id, who, count, n)


async def fold(scope: Scope, most_rows: int, step_rows: int) -> Folding:
    """Fold the next rows, so many at most are read; a pass goes over all keys, and the next one begins anew.

    How far it has come is part of the transaction: whatever ends it, no sum is touched twice.
    """
    rows, step, *reached = (await scope.tx.row("history_state")) or (0, 0, *START)
    place: Place = (reached[0], reached[1], reached[2])
    page = await scope.tx.rows("history_page", (*place, step_rows))
    ended = len(page) < step_rows
    whole = page if ended else _whole_keys(page)
    work, following = _Work(), START
    for (channel, sku), found in groupby(whole, lambda row: (row[0], row[1])):
        changes = [change_of(row) for row in found]
        from_start = changes[0].n == 0 or (channel, sku) != place[:2]
        after = folded(changes, STEPS[step], scope.now_ms, from_start=from_start)
        work.replace((channel, sku), changes, after)
        # The day that a page ends in may go on in the next one.
        again = len(whole) == step_rows and (len(after) > 1 or len(after) < len(changes))
        following = (channel, sku, after[-1].n - again)
    await work.do(scope.tx)
    rows -= work.gone
    going = next_step(step, rows, most_rows) if ended else step
    following = START if ended else following
    if work.gone or (following, going) != (place, step):
        await scope.tx.run("history_reached", (-work.gone, going, *following))
    return Folding(rows, going, ended)


def _whole_keys(page: Sequence[Row]) -> Sequence[Row]:
    """A full page without its last key, which may go on behind it; all of it when there is no other key."""
    whole = [row for row in page if row[:2] != page[-1][:2]]
    return whole or page


class _Work:
    """What a step of folding drops and puts, for all its keys together. `gone`: how many rows fewer there are after it."""

    def __init__(self) -> None:
        self.gone = 0
        self._drops: list[Sequence[Any]] = []
        self._puts: list[Sequence[Any]] = []

    def replace(self, key: tuple[str, str], before: Sequence[Change], after: Sequence[Change]) -> None:
        """Have a key's rows put in place of others."""
        known = {change.n: change for change in before}
        left = {change.n for change in after}
        self._drops += [(*key, n) for n in known if n not in left]
        self._puts += [(*key, *_values(change)) for change in after if known.get(change.n) != change]
        self.gone += len(before) - len(after)

    async def do(self, tx: Transaction) -> None:
        """Carry it out."""
        await tx.run_many("history_drop", self._drops)
        await tx.run_many("history_put", self._puts)
