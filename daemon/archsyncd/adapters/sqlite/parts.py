"""Snapshots sent in parts: kept with the batch that brings them, told once they are whole, given up when they never are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import Batch, Level, Reject, SnapshotClosing, SnapshotPage, SnapshotPart
from archsyncd.domain.parts import Sending

OPEN_LIMIT = 3
ITEMS_LIMIT = 5_000_000
PARTS_LIMIT = 100_000
REMEMBERED = 200
ATTEMPTS_TOLD = 4
UNFINISHED = "(parts)"


async def stage_parts(scope: Scope, batch: Batch) -> list[Reject]:
    """Keep a batch's pieces of snapshots; the items among them that could not be read, of parts that are new."""
    rejects: list[Reject] = []
    for part in batch.parts:
        if await _begin(scope, batch, part.snapshot_id) and part.part <= PARTS_LIMIT:
            fresh = await scope.tx.run("sending_part_put", _part_row(batch, part))
            rejects += part.rejects if fresh else ()
    for closing in batch.closings:
        if await _begin(scope, batch, closing.snapshot_id):
            await scope.tx.run("sending_close", _closing_row(batch, closing))
    if batch.parts or batch.closings:
        await _keep_within_bounds(scope, batch.feed)
    return rejects


async def _begin(scope: Scope, batch: Batch, snapshot: str) -> bool:
    """Whether the snapshot is still being put together."""
    key = (batch.feed, batch.epoch, snapshot)
    await scope.tx.run("sending_begin", (*key, scope.now_ms))
    row = await scope.tx.row("sending_done", key)
    return row is not None and not row[0]


def _part_row(batch: Batch, part: SnapshotPart) -> Sequence[str | int]:
    items = [
        (
            item.location,
            item.sku,
            item.seq,
            item.on_hand,
            item.available,
            item.as_of,
            item.orders_included,
            item.orders_through_ms,
            item.expected,
        )
        for item in part.items
    ]
    records = len(part.items) + len(part.rejects)
    key = (batch.feed, batch.epoch, part.snapshot_id, part.part)
    return (*key, records, len(part.rejects), json.dumps(items))


def _closing_row(batch: Batch, closing: SnapshotClosing) -> Sequence[str | int | None]:
    return (
        closing.parts,
        closing.seq_at,
        closing.as_of,
        json.dumps(closing.locations),
        closing.records,
        # A sum may be beyond 64 bits.
        None if closing.sum_on_hand is None else str(closing.sum_on_hand),
        batch.feed,
        batch.epoch,
        closing.snapshot_id,
    )


async def _keep_within_bounds(scope: Scope, feed: str) -> None:
    """A newer snapshot takes the place of those that are not whole yet; one that grows without end is given up."""
    items = 0
    for place, row in enumerate(await scope.tx.rows("sending_open", (feed,))):
        items += row[5]
        if place >= OPEN_LIMIT or items > ITEMS_LIMIT:
            why = "newer ones have begun" if place >= OPEN_LIMIT else f"it has more than {ITEMS_LIMIT} items"
            await _give_up(scope, feed, row, why)
    await scope.tx.run("sending_forget", (feed, REMEMBERED))


async def _give_up(scope: Scope, feed: str, row: Sequence[str | int], why: str) -> None:
    epoch, snapshot, _, parts, came = row[:5]
    of = f"{parts}" if parts is not None else "nobody knows how many (its end has not come)"
    reason = (
        f"the snapshot {snapshot} of feed {feed} was given up, as {why}: {came} parts of {of} have come. Nothing of it is used; "
        "have the source send a whole one"
    )
    case = NewCase(CaseKind.INVALID_RECORD, feed, UNFINISHED, reason, code="unfinished_full")
    await open_case(scope.tx, case, scope.now_ms)
    await _end(scope, feed, str(epoch), str(snapshot))


async def _end(scope: Scope, feed: str, epoch: str, snapshot: str) -> None:
    await scope.tx.run("sending_parts_drop", (feed, epoch, snapshot))
    await scope.tx.run("sending_end", (feed, epoch, snapshot))


async def give_up_old(scope: Scope, feed: str, timeout_ms: int) -> int:
    """Give up snapshots that began longer ago than that and are not whole; how many."""
    given_up = 0
    for row in await scope.tx.rows("sending_open", (feed,)):
        if row[2] <= scope.now_ms - timeout_ms:
            await _give_up(scope, feed, row, f"not all of it came within {timeout_ms // 60_000} minutes")
            given_up += 1
    return given_up


async def give_up_all(scope: Scope, feed: str, why: str) -> None:
    """Give up every snapshot of which nobody has judged anything yet."""
    for row in await scope.tx.rows("sending_open", (feed,)):
        await _give_up(scope, feed, row, why)


async def next_whole(scope: Scope, feed: str) -> Sending | None:
    """The oldest snapshot of a feed of which nothing is missing any more."""
    row = await scope.tx.row("sending_whole", (feed,))
    if row is None:
        return None
    total = None if row[8] is None else int(row[8])
    closing = SnapshotClosing(row[2], row[3], row[4], row[5], tuple(json.loads(row[6])), row[7], total)
    return Sending(row[0], row[1], closing)


async def page_after(scope: Scope, sending: Sending, part: int) -> tuple[int, SnapshotPage] | None:
    """The next part: its number and its items; None behind the last."""
    closing = sending.closing
    key = (sending.feed, sending.epoch, closing.snapshot_id)
    row = await scope.tx.row("sending_next_part", (*key, part))
    if row is None or row[0] > closing.parts:
        return None
    items = tuple(_level(item, closing.seq_at) for item in json.loads(row[1]))
    return int(row[0]), SnapshotPage(items, set_aside=row[2])


def _level(item: Sequence[Any], seq_at: int) -> Level:
    location, sku, seq, on_hand, available, as_of, included, through_ms, expected = item
    return Level(
        "",
        seq or seq_at,
        sku,
        location,
        on_hand,
        available,
        as_of=as_of,
        orders_included=tuple(included),
        orders_through_ms=through_ms,
        expected=expected,
    )


async def taken(scope: Scope, sending: Sending) -> None:
    """The snapshot was judged: its parts are needed no more."""
    await _end(scope, sending.feed, sending.epoch, sending.closing.snapshot_id)
    note = "a later one came whole"
    await resolve_case(scope.tx, CaseKind.INVALID_RECORD, sending.feed, UNFINISHED, note, scope.now_ms)


async def watch_attempts(scope: Scope, batch: Batch) -> None:
    """A transport that delivers the same again and again takes it away in the end: somebody must know before that."""
    subject = f"{batch.feed} delivery"
    if batch.attempts >= ATTEMPTS_TOLD:
        reason = (
            f"records of feed {batch.feed} were delivered {batch.attempts} times: acknowledgements do not arrive, or another "
            "reader returns them. What was read is kept and counts once; after the last attempt the dead-letter topic takes "
            "a message away that was never read. Look for a second reader, and at the subscription's deadline"
        )
        case = NewCase(CaseKind.STALE_FEED, batch.feed, subject, reason, code="delivered_again")
        await open_case(scope.tx, case, scope.now_ms)
    elif batch.attempts:
        note = "records are taken at their first delivery again"
        await resolve_case(scope.tx, CaseKind.STALE_FEED, batch.feed, subject, note, scope.now_ms)
