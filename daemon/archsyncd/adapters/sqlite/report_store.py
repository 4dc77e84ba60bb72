"""What people ask the store."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from archsyncd.adapters.sqlite.cases import case_of
from archsyncd.adapters.sqlite.codec import outbox_rows
from archsyncd.adapters.sqlite.connection import Transaction
from archsyncd.adapters.sqlite.handed_kits import kits_with, made_of_orders
from archsyncd.adapters.sqlite.scope import array, pairs
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.explained.orders import ORDER_KINDS
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import shelf_places, shelf_skus
from archsyncd.domain.kits import Components
from archsyncd.domain.pools import members_of, pools_of
from archsyncd.domain.report import (
    UNLOOKED_LIMIT,
    Backlog,
    KeyCounts,
    KeyStory,
    PlanRow,
)

_OF_ORDERS = frozenset(each.code for each in ORDER_KINDS)


class _Line(NamedTuple):
    """What a line was handed over as, and where it counts."""

    key: StockKey
    made_of: Components


class ReportStore:
    """Looks that change nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def backlog(self) -> Backlog:
        """Waiting keys by class, writes in doubt, and keys not looked at yet."""

        async def step(tx: Transaction) -> Backlog:
            classes = {int(row[0]): (int(row[1]), row[2]) for row in await tx.rows("outbox_backlog")}
            doubts = await tx.row("outbox_doubtful")
            unlooked = await tx.row("outbox_unlooked", (UNLOOKED_LIMIT,))
            oldest = (0, None) if doubts is None else (int(doubts[0]), doubts[1])
            return Backlog(classes, oldest, int(unlooked[0]) if unlooked else 0)

        return await self._session.look(step)

    async def parked(self) -> dict[str, int]:
        """Parked keys by reason. Counts every one of them: not for each second."""
        return {str(row[0]): int(row[1]) for row in await self._session.rows("outbox_parked_count")}

    async def key_counts(self) -> KeyCounts:
        """How many keys there are, and how many are not in step, and why. Counts every row: not for each second."""
        async with self._session.read() as tx:
            keys, off = await tx.row("outbox_count"), await tx.row("outbox_out_of_step")
        out_of_step, to_write, parked = (int(count) for count in off) if off else (0, 0, 0)
        return KeyCounts(int(keys[0]) if keys else 0, to_write, out_of_step - to_write - parked, parked)

    async def order_counts(self) -> tuple[int, int | None]:
        """Orders that are not done yet, and the oldest one's creation time."""
        row = await self._session.row("orders_not_done")
        return (int(row[0]), row[1]) if row else (0, None)

    async def plan(self, after: StockKey | None, limit: int) -> list[PlanRow]:
        """Keys that are not as they should be: what would be written."""
        start = after or StockKey("", "")
        rows = await self._session.rows(
            "outbox_plan", {"channel": start.channel, "sku": start.sku, "limit": limit}
        )
        return [PlanRow(StockKey(row[0], row[1]), *row[2:]) for row in rows]

    async def story(self, sku: str) -> KeyStory:
        """Everything known of one SKU: levels, rows, lines, open cases."""
        async with self._session.read() as tx:
            scope = self._session.scope(tx)
            places = [(row[0], sku) for row in await tx.rows("level_locations")]
            levels = await tx.rows("levels_by_place", (array(places),))
            keys = [StockKey(row[0], sku) for row in await tx.rows("outbox_channels")]
            rows = await outbox_rows(scope, keys)
            lines = await tx.rows("lines_by_key", (pairs(keys),))
            orders = (array(sorted({row[2] for row in lines})),)
            proofs = await tx.rows("proofs_by_order", orders)
            heads = await tx.rows("heads_by_id", orders)
            wanted = {"state": "open", "kind": "", "subject": sku, "after": 0, "limit": 100}
            found = [case_of(row) for row in await tx.rows("cases", wanted)]
            # An order or a dispatch that is called as a SKU would be is none.
            cases = [case for case in found if case.kind not in _OF_ORDERS]
            answered = await tx.rows("story_answered", (pairs(keys),))
            others = {member for key in rows for member in members_of(pools_of(key, scope.policies))}
            handed = await made_of_orders(scope, sorted({row[2] for row in lines}))
            own = [_Line(StockKey(row[0], row[1]), handed.get((row[2], row[3]), ())) for row in lines]
            made = {key: [line for line in own if line.key == key] for key in rows}
            shelf = {place for place in shelf_places(rows, scope.policies, made) if place[1] != sku}
            others |= {
                StockKey(key.channel, part)
                for key in rows
                for part in shelf_skus(key, scope.policies, made[key])
            }
            taken = frozenset(await kits_with(scope, keys))
            beside = await outbox_rows(scope, others) if others else {}
            debts = await tx.rows("debts_of", (pairs(others),)) if others else []
            parts = await tx.rows("levels_by_place", (array(sorted(shelf)),)) if shelf else []
            waits = await tx.rows("waits_of", (pairs(rows),))
        return KeyStory(
            sku,
            tuple(levels),
            tuple(rows.values()),
            tuple(lines),
            tuple(cases),
            tuple(proofs),
            tuple(heads),
            tuple(parts),
            tuple(beside.values()),
            tuple(debts),
            tuple(waits),
            tuple(answered),
            handed,
            taken,
        )

    async def digest(self) -> str:
        """A digest of the state that records and orders lead to, free of times and of what was sent."""
        digest = hashlib.sha256()
        async with self._session.read() as tx:
            for name in ("digest_levels", "digest_outbox"):
                for row in await tx.rows(name):
                    digest.update(repr(row).encode())
        return digest.hexdigest()
