"""Orders in the store: learnt, proven, folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from archsyncd.adapters.sqlite import handing, learning, proofs
from archsyncd.adapters.sqlite.lines import give_lines_back, no_longer_unproven, open_lines, release_order
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.session import Session
from archsyncd.adapters.sqlite.statements import Statement, book_statement, book_whole
from archsyncd.domain.cases import CLOSED_LIMIT_CASES
from archsyncd.domain.feed import (
    KeyReading,
    OrderLookup,
    Position,
)
from archsyncd.domain.handover import CancelAnswer
from archsyncd.domain.inventory import MessageCursor, Order, StockKey
from archsyncd.domain.kit_lines import kit_line, shelf_places, shelf_skus
from archsyncd.domain.report import (
    Cursor,
    LookupDue,
)
from archsyncd.domain.rules import LearnRules

EARLY_KEEP_MS = 24 * 3600 * 1000
CLOSED_CASE_KEEP_MS = 90 * 24 * 3600 * 1000


class OrderStore:
    """What is known of orders."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def learn(self, orders: Sequence[Order], rules: LearnRules, cursor: Cursor | None = None) -> int:
        """Take orders in and move the cursor with them; how many were new."""

        async def step(scope: Scope) -> int:
            fresh = await learning.learn_orders(scope, orders, rules)
            if cursor is not None:
                place = (cursor.name, cursor.place.created_at, cursor.place.id, cursor.complete_ms)
                await scope.tx.run("cursor_put", place)
            return fresh

        return await self._session.write(step)

    async def known_orders(self, ids: Iterable[str]) -> dict[str, int]:
        """Versions of orders that are known; a folded one has the highest possible."""
        wanted = array(ids)
        async with self._session.read() as tx:
            heads = {row[0]: int(row[2]) for row in await tx.rows("heads_by_id", (wanted,))}
            closed = {row[0]: 2**62 for row in await tx.rows("closed_by_reference", (wanted,))}
        return {**heads, **closed}

    async def forget(self, order_id: str) -> None:
        """An order was deleted in commercetools."""
        await self._session.write(lambda scope: learning.forget_order(scope, order_id))

    async def cursor(self, name: str) -> Cursor:
        """A place in one of commercetools' lists."""
        row = await self._session.row("cursor", (name,))
        if row is None:
            return Cursor(name, MessageCursor("", ""), 0)
        return Cursor(name, MessageCursor(row[0], row[1]), row[2])

    async def lookups_due(self, limit: int) -> list[LookupDue]:
        """Orders with lines unproven for so long that Archean is asked."""
        rows = await self._session.rows("heads_to_look_up", (self._session.clock.wall_ms(), limit))
        return [LookupDue(*row) for row in rows]

    async def unproven_lines(self, order_ids: Collection[str]) -> Mapping[str, Sequence[StockKey]]:
        """Keys in which lines of these orders are not yet fully reflected; a proven order is not named."""
        async with self._session.read() as tx:
            return await learning.unproven_keys(self._session.scope(tx), order_ids)

    async def next_lookups(self, due: Mapping[str, int]) -> None:
        """When orders are asked for next."""
        rows = [(due_ms, order_id) for order_id, due_ms in due.items()]
        await self._session.write(lambda scope: scope.tx.run_many("head_lookup_due", rows))

    async def settle_lookups(self, order_ids: Collection[str]) -> frozenset[str]:
        """Ask no more for those of these orders that are proven by now; which they are."""

        async def step(scope: Scope) -> frozenset[str]:
            proven = frozenset(order_ids) - (await learning.unproven_keys(scope, order_ids)).keys()
            await scope.tx.run_many("head_lookup_due", [(None, order_id) for order_id in sorted(proven)])
            for order_id in sorted(proven):
                await no_longer_unproven(scope, order_id, "it is proven now")
            return proven

        return await self._session.write(step)

    async def sources_of(self, order_id: str) -> frozenset[str]:
        """The feeds whose levels count where this order does; "" where nobody has told a level of a location yet."""
        async with self._session.read() as tx:
            scope = self._session.scope(tx)
            lines = (await open_lines(scope, (order_id,))).get(order_id, ())
            own = {each.key: [line for line in lines if line.key == each.key] for each in lines}
            places = set(shelf_places(own, scope.policies, own))
            found = [await tx.row("level_source", place) for place in sorted(places)]
        return frozenset(str(row[0] or "") if row else "" for row in found)

    async def accepted_by(self, order_id: str) -> frozenset[str]:
        """The feeds that have told of an acceptance of this order's lines."""
        return frozenset(str(row[1]) for row in await self._session.rows("proofs_of_acceptance", (order_id,)))

    async def book_order_lookups(self, answers: Sequence[tuple[str, str, OrderLookup]]) -> None:
        """Book what Archean says of orders when asked: order id, feed and answer."""

        async def step(scope: Scope) -> None:
            touched: set[StockKey] = set()
            for order_id, feed, found in answers:
                touched |= await book_answer(scope, order_id, feed, found)
            await recompute(scope, touched)

        await self._session.write(step)

    async def book_fresh_read(self, orders: Mapping[str, bool], reading: KeyReading) -> None:
        """A linearizable read of a SKU begun after acceptances were known: it excludes what was accepted from there on.

        The reading's levels are recorded before this. By order: whether it is known as accepted as it is; else what its
        source told of before, line by line.
        """
        skus = {level.sku for level in reading.levels}

        async def step(scope: Scope) -> None:
            epoch, touched = await proofs.enter_epoch(scope, reading.feed, reading.epoch)
            position = Position(epoch, reading.seq_at)
            for order_id, lines in (await open_lines(scope, orders)).items():
                read = [
                    line for line in lines if skus.intersection(shelf_skus(line.key, scope.policies, (line,)))
                ]
                touched |= {line.key for line in read}
                rows = await scope.tx.rows("proofs_of_acceptance", (order_id,))
                names = {row[0] for row in rows if (row[1], row[2]) == (reading.feed, epoch)}
                told = {kit_line(name) for name in names}
                whole = {line.line_id for line in read}
                ids = array(sorted(name for name in names if kit_line(name) in whole))
                await scope.tx.run("proofs_from", (reading.seq_at, order_id, reading.feed, epoch, ids))
                if orders[order_id]:
                    untold = [line for line in read if line.line_id not in told]
                    await book_whole(scope, untold, Statement("accepted", reading.feed, position))
            await recompute(scope, touched)

        await self._session.write(step)

    async def settle_as_stated(self, order_ids: Collection[str]) -> None:
        """The site states that Archean's figures exclude these orders: none of their lines needs a proof any more."""

        async def step(scope: Scope) -> None:
            await recompute(scope, {key for each in order_ids for key in await give_lines_back(scope, each)})

        await self._session.write(step)

    async def release(self, order_id: str) -> None:
        """An order that Archean does not know and commercetools has cancelled takes nothing from the warehouse."""

        async def step(scope: Scope) -> None:
            if not await handing.under_way(scope, order_id):
                await recompute(scope, await release_order(scope, order_id))

        await self._session.write(step)

    async def refresh_due(self, limit: int) -> list[str]:
        """Open orders to be read again or folded."""
        return [
            row[0]
            for row in await self._session.rows("heads_to_refresh", (self._session.clock.wall_ms(), limit))
        ]

    async def refresh_soon(self) -> None:
        """Have every open order read again: something was told of one of them, and nobody knows what."""
        await self._session.write(lambda scope: scope.tx.run("heads_refresh_soon", (scope.now_ms,)))

    async def fold(self, order_ids: Sequence[str], refresh_due_ms: int, young: Collection[str] = ()) -> int:
        """Fold what is done for good among these orders, the young ones never; how many. The rest is looked at again then."""

        async def step(scope: Scope) -> int:
            count = 0
            heads = {row[0]: row for row in await scope.tx.rows("heads_by_id", (array(order_ids),))}
            for order_id in order_ids:
                final = bool(heads[order_id][5]) if order_id in heads else False
                if order_id not in young and await learning.fold_order(scope, order_id, final=final):
                    count += 1
                else:
                    await scope.tx.run("head_refresh_due", (refresh_due_ms, order_id))
            return count

        return await self._session.write(step)

    async def tidy(self, closed_orders_before_ms: int) -> None:
        """Drop what no source can speak of any more. Orders must be known completely up to that time (server's clock)."""

        async def step(scope: Scope) -> None:
            if closed_orders_before_ms > 0:
                await scope.tx.run("closed_purge", (closed_orders_before_ms,))
                await scope.tx.run("cursor_put", (learning.FORGOTTEN, "", "", closed_orders_before_ms))
            await scope.tx.run("early_expire", (scope.now_ms - EARLY_KEEP_MS,))
            await scope.tx.run("cases_purge", (scope.now_ms - CLOSED_CASE_KEEP_MS, CLOSED_LIMIT_CASES))

        await self._session.write(step)


async def book_answer(scope: Scope, order_id: str, feed: str, found: OrderLookup) -> set[StockKey]:
    """Apply what Archean answers about an order; the keys it touches."""
    nowhere = Position(0, 0)
    if found.status == "cancelled":
        answer = Statement("released", feed, nowhere, "", CancelAnswer.CANCELLED.value)
        return await book_statement(scope, order_id, answer)
    if found.status == "rejected":
        told = found.extra.get("code")
        return await book_statement(scope, order_id, Statement("refused", feed, nowhere, "", told))
    if found.status != "accepted":
        return set()
    # The position is of the epoch in which the order was imported, which may be long gone: an answer about an order never
    # opens an epoch, as a batch of it would, and one that no batch has told of yet proves nothing until it is asked again.
    epoch = None if found.epoch is None else await proofs.known_epoch(scope, feed, found.epoch)
    if epoch is None or found.seq is None:
        await scope.tx.run("head_accepted", (scope.now_ms, found.source_order, order_id))
        await handing.stated(scope, order_id, "accepted", found.source_order)
        return set()
    place = Position(epoch, found.seq)
    statement = Statement("accepted", feed, place, "", found.source_order, (), scope.now_ms)
    return await book_statement(scope, order_id, statement)
