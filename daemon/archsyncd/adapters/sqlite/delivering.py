"""Messages that a source pushed, remembered with what they told; and keys that wait until another feed tells of them.

A transport without order, where a message may be lost, adds no movement up: the key waits for a level of its own feed, for a
single-key read, or for a figure that another feed took later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from archsyncd.adapters.sqlite.cases import resolve_case
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import Batch
from archsyncd.domain.merge import KeptLevel

# Senders try again for some days, each time under the same id.
KEEP_MS = 4 * 24 * 3600 * 1000
KEEP_ROWS = 200_000
FORGET_AT_ONCE = 1_000


async def keep_deliveries(
    scope: Scope, batch: Batch, epoch: int, waiting: Sequence[tuple[str, str, int]]
) -> int:
    """Remember a batch's messages, and what of it must be read; `waiting`: SKU, location and position of keys that wait.

    How many messages were forgotten before their time, for lack of room.
    """
    tx = scope.tx
    if waiting and not batch.ordered:
        since_ms = max(scope.now_ms, *(one.sent_ms for one in batch.deliveries), 0)
        keys = array([(sku, location) for sku, location, _ in waiting])
        await tx.run("resync_since", (since_ms, batch.feed, keys))
    if batch.skus:
        await tx.run_many("resync_want", [(batch.feed, sku, epoch) for sku in batch.skus])
    if not batch.deliveries:
        return 0
    rows = [(batch.feed, one.id, scope.now_ms) for one in batch.deliveries]
    await tx.run_many("delivery_put", rows)
    await tx.run("deliveries_old", (scope.now_ms - KEEP_MS, FORGET_AT_ONCE))
    return await tx.run("deliveries_beyond", (KEEP_ROWS,))


async def settle_overtaken(scope: Scope, feed: str, levels: Collection[KeptLevel]) -> None:
    """Let go of what other feeds' keys waited for, where a level of this feed was taken after it had happened."""
    told = array([(level.sku, level.location, level.as_of_ms) for level in levels if level.as_of_ms])
    for other, sku, location in await scope.tx.rows("resync_overtaken", (feed, told)):
        note = f"feed {feed} has told a later level"
        await resolve_case(scope.tx, CaseKind.NEEDS_RESYNC, other, f"{sku} at {location}", note, scope.now_ms)


async def settle_answered(scope: Scope, feed: str, sku: str, locations: Collection[str]) -> None:
    """Let go of what a feed's SKU waited for at these locations: another feed was asked for it after that, and has answered."""
    for row in await scope.tx.rows("resync_answered", (feed, sku, array(sorted(locations)))):
        if row[0]:
            subject = f"{sku} at {row[0]}"
            note = "its level was read singly"
            await resolve_case(scope.tx, CaseKind.NEEDS_RESYNC, feed, subject, note, scope.now_ms)
