"""How far an increase may go while other keys that sell the same pieces still show more than their part. Pure.

A level that moves pieces from one key to another lowers the one and raises the other. Were the increase booked first, the
same piece would be for sale twice. So an increase leaves as many pieces as the others hold beyond their part: what they show,
or may come to show by a write under way, above what they should. What nobody can say of another key holds all of it.

A fall that is booked is not the end of it: what was sold of that key before it landed, and is not known yet, is owed beyond
its part and will be served out of this one's. So falls count until the orders are known completely up to then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.ledger import Base
from archsyncd.domain.lookup import AWAITING_ENTRY
from archsyncd.domain.outbox import OutboxRow
from archsyncd.domain.pools import Pool, left_to_others, members_of

# An increase that had to wait is looked at again by then, whether or not what it waits for was heard of.
LOOK_AGAIN_MS = 5_000
BLOCKERS_TOLD = 3


def held_beyond(row: OutboxRow | None) -> int | None:
    """Pieces that a key shows, or may come to show, beyond its part; None: nobody can say.

    Not known are an entry that was not looked at, a base that may be too low, and a request that was given up and may land
    yet. An entry that does not exist shows nothing.
    """
    if row is None:
        return 0
    if row.superseded:
        return None
    operation = row.operation
    if row.entry_id is None:
        if row.base is Base.UNKNOWN:
            return 0 if row.parked in AWAITING_ENTRY else None
        return 0 if operation is None else max(operation.x_after - row.x_target, 0)
    if row.base in {Base.UNKNOWN, Base.PROVISIONAL} or row.applied is None:
        return None
    most = row.applied if operation is None else max(row.applied, operation.x_after + row.late)
    return max(most - row.x_target, 0)


@dataclass(frozen=True, slots=True)
class Room:
    """How far a key may rise: up to `limit` of X, None: not at all. `blockers`: whom it waits for, with the pieces they hold."""

    limit: int | None
    blockers: tuple[tuple[StockKey, int | None], ...] = ()


def room_of(
    row: OutboxRow, pools: Iterable[Pool], rows: Mapping[StockKey, OutboxRow], fallen: Mapping[StockKey, int]
) -> Room:
    """How far a key may be raised now, by the rows of the others in its pools.

    `fallen`: pieces that were taken from them since orders are not known completely.
    """
    own = tuple(pools)
    held: dict[StockKey, int | None] = {}
    for key in members_of(own):
        beyond = held_beyond(rows.get(key))
        held[key] = None if beyond is None else beyond + fallen.get(key, 0)
    blockers = sorted(
        ((key, pieces) for key, pieces in held.items() if pieces is None or pieces > 0),
        key=lambda each: (each[1] is not None, -(each[1] or 0), each[0]),
    )
    told = tuple(blockers[:BLOCKERS_TOLD])
    if any(pieces is None for _, pieces in blockers):
        return Room(None, told)
    left = left_to_others(own, {key: pieces for key, pieces in held.items() if pieces is not None})
    return Room(row.x_target - left, told)


def fall_of(before: OutboxRow, after: OutboxRow) -> int:
    """Pieces that a write of ours has taken from a key; 0 where it took none."""
    if before.x_applied is None or after.x_applied is None or before.entry_id is None:
        return 0
    return max(before.x_applied - after.x_applied, 0)


def raised_to(row: OutboxRow) -> int | None:
    """The X that the next write of a row would raise it to; None when it would not raise it."""
    operation = row.operation
    if operation is not None:
        return operation.x_after if operation.delta > 0 else None
    target = row.x_target
    if row.to_create and row.base is Base.PROVISIONAL:
        target = min(target, 0)
    return target if target > (row.applied or 0) else None
