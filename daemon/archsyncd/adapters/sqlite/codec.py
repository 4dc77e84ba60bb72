"""Outbox rows to values and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.history import keep_changes
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.domain.inventory import StockKey, WriteKind
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow


def outbox_row(row: Row) -> OutboxRow:
    """A row of the query `outbox_by_key`."""
    (
        channel,
        sku,
        f,
        refl,
        ntrk,
        known,
        closed,
        x_target,
        x_applied,
        base,
        entry_id,
        version,
        needs_type,
        created,
        op_id,
        op_kind,
        op_delta,
        op_base,
        in_doubt,
        superseded,
        *rest,
    ) = row
    return OutboxRow(
        StockKey(channel, sku),
        f,
        refl,
        ntrk,
        known,
        closed,
        x_target,
        x_applied,
        Base(base),
        entry_id,
        version,
        bool(needs_type),
        created,
        op_id,
        None if op_kind is None else WriteKind(op_kind),
        op_delta,
        op_base,
        bool(in_doubt),
        tuple(superseded.split()),
        *rest,
    )


def outbox_parameters(row: OutboxRow) -> Sequence[Any]:
    """The parameters of `outbox_put`: all but the figures, which only recomputing the key changes."""
    return (
        row.key.channel,
        row.key.sku,
        row.closed,
        row.x_applied,
        row.base.value,
        row.entry_id,
        row.version,
        int(row.needs_type),
        row.entry_created_ms,
        row.op_id,
        None if row.op_kind is None else row.op_kind.value,
        row.op_delta,
        row.op_base,
        int(row.in_doubt),
        " ".join(row.superseded),
        row.due_class,
        row.nearness,
        row.since_ms,
        row.run,
        row.not_before,
        row.attempts,
        row.parked,
        row.check_due_ms,
        row.read_stock,
        row.read_version,
        row.read_at_ms,
        row.seen,
        row.based_at_ms,
        row.late,
    )


async def outbox_rows(scope: Scope, keys: Iterable[StockKey]) -> dict[StockKey, OutboxRow]:
    """The rows of these keys that exist."""
    found = {row.key: row for row in map(outbox_row, await scope.tx.rows("outbox_by_key", (pairs(keys),)))}
    scope.before.update(found)
    return found


async def put_outbox_rows(scope: Scope, rows: Iterable[OutboxRow]) -> None:
    """Write rows that exist as they are, but for their figures; of several for one key the last.

    What this changes of what is applied goes into the history of its key: no other statement changes it.
    """
    parks = scope.rules.parks
    # Whatever a step freed: nothing that the rollout does not reach, or that was let go, may be written.
    rows = [
        replace(row, parked=why) if row.parked is None and (why := parks(row.key)) else row for row in rows
    ]
    last = {row.key: row for row in rows}
    if unread := [key for key in last if key not in scope.before]:
        await outbox_rows(scope, unread)
    await keep_changes(scope, last)
    await scope.tx.run_many("outbox_put", [outbox_parameters(row) for row in last.values()])
