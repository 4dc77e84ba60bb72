"""Increases that leave room to other keys of their pool: how far each may go now, and who waits for whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archsyncd.adapters.sqlite.codec import outbox_rows
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.pools import Member, Pool, members_of, pools_of
from archsyncd.domain.stock import Policies
from archsyncd.domain.yielding import Room, fall_of, held_beyond, raised_to, room_of


def _any_pools(policies: Policies) -> bool:
    return policies.pooled or bool(policies.peers or policies.past_kits)


async def rooms_for(
    scope: Scope, rows: Mapping[StockKey, OutboxRow], orders_complete_ms: int
) -> dict[StockKey, Room]:
    """How far these keys may rise that are to be raised and sell what others sell too; others are not named.

    `orders_complete_ms`: orders are known completely up to then, by commercetools' clock.
    """
    policies = scope.policies
    rising = [key for key, row in rows.items() if raised_to(row) is not None]
    earlier = await _earlier_names(scope, rising)
    if not earlier and not _any_pools(policies):
        return {}
    pools: dict[StockKey, Sequence[Pool]] = {}
    for key in rising:
        found = (*pools_of(key, policies, past=True), *earlier.get(key, ()))
        if found:
            pools[key] = found
    if not pools:
        return {}
    others = {member for each in pools.values() for member in members_of(each)}
    found_rows = await outbox_rows(scope, others)
    beside = {key: row for key, row in found_rows.items() if not _never_there(row, policies)}
    fallen = await _fallen(scope, others, orders_complete_ms)
    rooms = {key: room_of(rows[key], own, beside, fallen) for key, own in pools.items()}
    await scope.tx.run("waits_end", (pairs(rooms),))
    return rooms


async def _earlier_names(scope: Scope, keys: Collection[StockKey]) -> Mapping[StockKey, Sequence[Pool]]:
    """Keys under which the goods of these were sold before they were called otherwise: pieces that move from name to name."""
    if not keys or await scope.tx.row("successors_any") is None:
        return {}
    before: dict[str, list[str]] = {}
    for old, new in await scope.tx.rows("successors_to", (array(sorted({key.sku for key in keys})),)):
        before.setdefault(new, []).append(old)
    return {
        key: [Pool(1, tuple(Member(StockKey(key.channel, old), 1) for old in before[key.sku]))]
        for key in keys
        if key.sku in before
    }


def _never_there(row: OutboxRow, policies: Policies) -> bool:
    """Whether a channel that sells nothing any more never had an entry that we met: one whose key was mistyped holds nothing."""
    channel = policies.channels.get(row.key.channel)
    retired = channel is None or not channel.locations
    met = row.entry_id is not None or row.x_applied is not None or row.operation is not None or row.superseded
    return retired and not met


async def past_settled(scope: Scope, keys: Collection[StockKey], orders_complete_ms: int) -> bool:
    """Whether none of these keys, which sold others' pieces by earlier rules, shows any of them or may owe them."""
    rows = await outbox_rows(scope, keys)
    if any(_owes(row) for row in rows.values()):
        return False
    held = (held_beyond(row) for row in rows.values() if not _never_there(row, scope.policies))
    if any(pieces is None or pieces > 0 for pieces in held):
        return False
    return not await _fallen(scope, keys, orders_complete_ms)


def _owes(row: OutboxRow) -> bool:
    """Whether orders of a key are open that are more than its part: they will be served out of what is others' by now."""
    open_units = row.known - row.refl + row.ntrk
    return row.known > row.x_target and open_units > 0


async def _fallen(
    scope: Scope, keys: Collection[StockKey], orders_complete_ms: int
) -> Mapping[StockKey, int]:
    if await scope.tx.row("falls_any") is None:
        return {}
    await scope.tx.run("falls_known", (orders_complete_ms,))
    rows = await scope.tx.rows("falls_of", (pairs(keys), orders_complete_ms))
    return {StockKey(row[0], row[1]): int(row[2]) for row in rows}


async def note_falls(
    scope: Scope,
    before: Mapping[StockKey, OutboxRow],
    after: Mapping[StockKey, OutboxRow],
    server_now_ms: int,
) -> None:
    """Keep what writes of ours have taken from keys that share their pieces."""
    fallen = {key: pieces for key, row in after.items() if (pieces := fall_of(before[key], row))}
    if not fallen:
        return
    given_up = set()
    if await scope.tx.row("successors_any") is not None:
        named = await scope.tx.rows("successors_of", (array(sorted({key.sku for key in fallen})),))
        given_up = {row[0] for row in named}
    if not given_up and not _any_pools(scope.policies):
        return
    # A time of theirs may lack its fraction of a second.
    at_ms = (server_now_ms // 1000 + 2) * 1000
    rows = [
        (key.channel, key.sku, at_ms, pieces)
        for key, pieces in fallen.items()
        if key.sku in given_up or pools_of(key, scope.policies, past=True)
    ]
    await scope.tx.run_many("fall_put", rows)


def holds_back(row: OutboxRow, room: Room | None) -> bool:
    """Whether nothing of a key's increase may go now. What went out once and goes out again goes whole, or waits."""
    if room is None:
        return False
    wanted = raised_to(row)
    if wanted is None:
        return False
    if room.limit is None:
        return True
    return wanted > room.limit if row.operation is not None else room.limit <= (row.applied or 0)


async def note_waits(scope: Scope, waiting: Mapping[StockKey, Room]) -> None:
    """Keep who waits for whom, so that it can be told and ends when the other is down to its part."""
    rows = [
        (key.channel, key.sku, blocker.channel, blocker.sku, pieces, scope.now_ms)
        for key, room in waiting.items()
        for blocker, pieces in room.blockers
    ]
    await scope.tx.run_many("wait_put", rows)


async def wake(scope: Scope, keys: Collection[StockKey]) -> None:
    """Something became of these keys: have those looked at again that wait for one of them."""
    if not keys or await scope.tx.row("waits_any") is None:
        return
    rows = await scope.tx.rows("waits_over", (pairs(keys),))
    await scope.tx.run("outbox_wake", (pairs(StockKey(row[0], row[1]) for row in rows),))
