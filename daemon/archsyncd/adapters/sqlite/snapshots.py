"""Snapshots in the store: staged page by page, judged as a whole, applied by position, or held for a person."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from archsyncd.adapters.sqlite.cases import open_case, open_cases, resolve_case
from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.file_cases import full_applied
from archsyncd.adapters.sqlite.merging import apply_stock, finish_merge, reject_case
from archsyncd.adapters.sqlite.proofs import doubt_dispatches, enter_epoch, newest_epoch
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, require_terms
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import (
    Level,
    Outcome,
    Removal,
    SnapshotCause,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
)
from archsyncd.domain.guard import BatchFigures, GuardLimits, objections
from archsyncd.domain.snapshot import LevelChange, Snapshot
from archsyncd.domain.times import rfc3339, utc_ms
from archsyncd.engine.ports import OtherTerms

STEP_RECORDS = 2_000
# Causes for which the place to read on from is gone.
_LOST = frozenset({SnapshotCause.START, SnapshotCause.CURSOR_EXPIRED, SnapshotCause.GAP})
DIGEST_ROWS = 10_000
# Sums are made of two halves: a sum beyond 64 bits would be an error of the whole store.
SUM_HALF = 10**9
WHOLE = "(full)"
KEEP_MS = 7 * 24 * 3600 * 1000


def snapshot_of(row: Row) -> Snapshot:
    """A snapshot from its row."""
    figures = json.loads(row[12]) if row[12] else None
    if figures is not None:
        figures = BatchFigures(**{**figures, "missing_locations": tuple(figures["missing_locations"])})
    reasons = tuple(json.loads(row[11])) if row[11] else ()
    values: list[Any] = [*row[:7], tuple(json.loads(row[7])), *row[8:11], reasons, figures, row[13]]
    return Snapshot(*values)


async def begin(scope: Scope, head: SnapshotHead, snapshot_id: str) -> None:
    """Open a staging place; an unfinished one of the same feed is dropped: it is read again from the start. Raises OtherTerms."""
    await require_terms(scope, head.terms, f"a full of feed {head.feed}")
    await scope.tx.run("feed_insert", (head.feed,))
    await scope.tx.run("snapshot_drop_unfinished", (head.feed,))
    await scope.tx.run("snapshot_drop_old", (scope.now_ms - KEEP_MS,))
    await scope.tx.run(
        "snapshot_insert",
        (
            snapshot_id,
            head.feed,
            head.epoch,
            head.seq_at,
            head.cursor,
            head.as_of,
            json.dumps(sorted(head.locations)),
            scope.now_ms,
        ),
    )


async def stage(scope: Scope, feed: str, snapshot_id: str, page: SnapshotPage) -> None:
    """Keep a page's items apart; unreadable items become exceptions at once. Raises OtherTerms."""
    await require_terms(scope, page.terms, f"a full of feed {feed}")
    await still_read(scope, snapshot_id)
    rows = [
        (
            snapshot_id,
            item.location,
            item.sku,
            item.seq,
            item.on_hand,
            item.available,
            _extra(item),
        )
        for item in page.items
    ]
    await scope.tx.run_many("snapshot_item_put", rows)
    await open_cases(scope.tx, (reject_case(feed, reject) for reject in page.rejects), scope.now_ms)


async def still_read(scope: Scope, snapshot_id: str) -> Snapshot:
    """A snapshot that nobody has judged yet. Raises OtherTerms where the terms it was begun in have changed."""
    snapshot = await find(scope, snapshot_id)
    if snapshot is None or snapshot.state != "reading":
        raise OtherTerms(f"the full {snapshot_id}")
    return snapshot


def _extra(item: Level) -> str | None:
    expected = [] if item.expected is None else [item.expected]
    if not item.orders_included and item.orders_through_ms is None and item.as_of is None and not expected:
        return None
    return json.dumps([item.as_of, list(item.orders_included), item.orders_through_ms, *expected])


async def _digest(scope: Scope, snapshot_id: str) -> str:
    digest = hashlib.sha256()
    place = ("", "")
    while rows := await scope.tx.rows("snapshot_items", (snapshot_id, *place, DIGEST_ROWS)):
        for row in rows:
            digest.update(repr(row).encode())
        place = (rows[-1][0], rows[-1][1])
    return digest.hexdigest()[:16]


async def assess(
    scope: Scope,
    snapshot: Snapshot,
    end: SnapshotEnd,
    rejected: int,
    read: int,
    limits: GuardLimits,
    *,
    resumes: bool,
    absent: str,
    among_records: bool,
    keeps_place: bool = False,
) -> Snapshot:
    """Judge a snapshot that was read to its end: rejected when broken, held beyond the guards, else to be applied.

    `absent`: what will be done with keys it does not name. `resumes`: the feed goes on from the snapshot's cursor whatever
    becomes of it, so that deltas are never held up. `among_records`: newer records were applied before it by right.
    `keeps_place`: as its head says.
    """
    sums = await scope.tx.row("snapshot_sums", (snapshot.id,))
    count, on_hand = (sums[0], sums[1] * SUM_HALF + sums[2]) if sums else (0, 0)
    broken = await _broken(scope, snapshot, end, read, on_hand, rejected, among_records=among_records)
    figures = await _figures(scope, snapshot, count, zeroing=absent == "zero")
    reasons = broken or objections(figures, limits)
    state = "rejected" if broken else "held" if reasons else "applying"
    digest = await _digest(scope, snapshot.id)
    await scope.tx.run(
        "snapshot_state",
        (state, count, rejected, digest, json.dumps(reasons), json.dumps(asdict(figures)), snapshot.id),
    )
    if state == "rejected":
        await scope.tx.run("snapshot_items_drop", (snapshot.id,))
        if resumes:
            await scope.tx.run("feed_resumes_from", (snapshot.cursor, snapshot.feed, snapshot.epoch))
        what = f"the full {end.name}" if end.name else "a full"
        reason = f"{what} of feed {snapshot.feed} was not used: " + "; ".join(reasons)
        case = NewCase(CaseKind.INVALID_RECORD, snapshot.feed, WHOLE, reason, code="broken_full")
        await open_case(scope.tx, case, scope.now_ms)
    else:
        await _supersede(scope, snapshot)
        if resumes or state == "applying":
            await _resume(scope, snapshot, held=state == "held", keeps_place=keeps_place)
    if state == "held":
        what = f"the full {end.name}" if end.name else "the snapshot"
        reason = f"{what} of feed {snapshot.feed} is held: " + "; ".join(reasons)
        case = NewCase(CaseKind.HELD_SNAPSHOT, snapshot.feed, snapshot.id, reason)
        await open_case(scope.tx, case, scope.now_ms)
    row = await scope.tx.row("snapshot_by_id", (snapshot.id,))
    return snapshot_of(row) if row else snapshot


async def _broken(
    scope: Scope,
    snapshot: Snapshot,
    end: SnapshotEnd,
    read: int,
    on_hand: int,
    rejected: int,
    *,
    among_records: bool,
) -> tuple[str, ...]:
    if not end.complete:
        return ("it ended without saying that it is complete",)
    if end.records is not None and end.records != read:
        return (f"its trailer counts {end.records} records, {read} arrived",)
    if end.sum_on_hand is not None and not rejected and end.sum_on_hand != on_hand:
        return (f"its trailer sums {end.sum_on_hand} pieces on hand, {on_hand} arrived",)
    feed = await scope.tx.row("feed", (snapshot.feed,))
    known = await scope.tx.row("epoch", (snapshot.feed, snapshot.epoch))
    if feed is not None and known is not None:
        if known[0] < feed[1]:
            return (f"it is of the retired epoch {snapshot.epoch}",)
        if known[0] == feed[1] and snapshot.seq_at < feed[2] and not among_records:
            return (f"it stands at {snapshot.seq_at}, before what was applied already ({feed[2]})",)
    return ()


async def _figures(scope: Scope, snapshot: Snapshot, count: int, *, zeroing: bool) -> BatchFigures:
    row = await scope.tx.row("epoch", (snapshot.feed, snapshot.epoch))
    epoch = int(row[0]) if row else await newest_epoch(scope, snapshot.feed) + 1
    places: dict[str, int] = dict(await scope.tx.rows("snapshot_places", (snapshot.id,)))
    policies = scope.policies
    total: Counter[str] = Counter()
    unmapped = latest_ms = 0
    for location in sorted({*places, *snapshot.locations} - policies.ignored):
        if location not in policies.by_location:
            unmapped += int(places.get(location, 0))
            continue
        total.update(await _figures_at(scope, snapshot, location, epoch, zeroing=zeroing))
        past = await scope.tx.row("levels_taken_before_epoch", (location, snapshot.feed, epoch))
        latest_ms = max(latest_ms, (past[0] if past else None) or 0)
    previous = await scope.tx.row("snapshot_before", (snapshot.feed, json.dumps(snapshot.locations)))
    expected = [name for name in snapshot.locations if name in policies.by_location]
    return BatchFigures(
        records=count,
        previous_records=previous[0] if previous else None,
        known=total["known"],
        in_stock=total["in_stock"],
        to_zero=total["to_zero"],
        changed=total["changed"],
        unmapped=unmapped,
        absent=max(total["known"] - total["matched"], 0),
        older_than_applied=total["newer"],
        missing_locations=tuple(name for name in expected if not places.get(name)),
        pieces_up=total["up"],
        pieces_down=total["down"],
        absent_to_zero=total["emptied"],
        newer_applied=_newer_than(snapshot, latest_ms),
    )


async def _figures_at(
    scope: Scope, snapshot: Snapshot, location: str, epoch: int, *, zeroing: bool
) -> dict[str, int]:
    """What the snapshot would do to the levels of one location."""
    sells = scope.policies.by_location[location][0].sellable.value
    at = {
        "snapshot": snapshot.id,
        "location": location,
        "sells": sells,
        "feed": snapshot.feed,
        "epoch": epoch,
        "seq": snapshot.seq_at,
    }
    figures: dict[str, int] = {}
    if zeroing and location in snapshot.locations:
        gone = await scope.tx.row("levels_absent_in_stock", at)
        figures["emptied"] = gone[0] if gone else 0
    kept = await scope.tx.row("levels_in_location", {"location": location, "sells": sells})
    found = await scope.tx.row("snapshot_against_levels", at)
    if kept is None or found is None:
        return figures
    names = ("matched", "_", "to_zero", "changed", "up", "down", "newer")
    return figures | {"known": kept[0], "in_stock": kept[1], **dict(zip(names, found, strict=False))}


async def largest_changes(scope: Scope, snapshot: Snapshot, most: int) -> Sequence[LevelChange]:
    """The levels that it would move the furthest, as the levels stand now."""
    row = await scope.tx.row("epoch", (snapshot.feed, snapshot.epoch))
    epoch = int(row[0]) if row else await newest_epoch(scope, snapshot.feed) + 1
    found: list[LevelChange] = []
    for location in snapshot.locations:
        places = scope.policies.by_location.get(location)
        if places is None:
            continue
        at = {
            "snapshot": snapshot.id,
            "location": location,
            "sells": places[0].sellable.value,
            "feed": snapshot.feed,
            "epoch": epoch,
            "seq": snapshot.seq_at,
            "most": most,
        }
        rows = await scope.tx.rows("snapshot_largest_changes", at)
        found += [LevelChange(location, sku, before, after) for sku, before, after in rows]
    return sorted(found, key=lambda one: (-abs((one.after or 0) - (one.before or 0)), one.location, one.sku))[
        :most
    ]


def _newer_than(snapshot: Snapshot, latest_ms: int) -> str | None:
    taken_ms = utc_ms(snapshot.as_of) if snapshot.as_of else None
    return rfc3339(latest_ms) if taken_ms is not None and latest_ms > taken_ms else None


async def _supersede(scope: Scope, snapshot: Snapshot) -> None:
    """A held one whose every place this one speaks of as well is needed no more."""
    for old, locations in await scope.tx.rows("snapshots_held", (snapshot.feed, snapshot.id)):
        if not set(json.loads(locations)) <= set(snapshot.locations):
            continue
        await scope.tx.run("snapshot_moves", ("rejected", old, "held"))
        await scope.tx.run("snapshot_items_drop", (old,))
        await resolve_case(
            scope.tx,
            CaseKind.HELD_SNAPSHOT,
            snapshot.feed,
            old,
            "a newer snapshot took its place",
            scope.now_ms,
        )


async def _resume(scope: Scope, snapshot: Snapshot, *, held: bool, keeps_place: bool) -> None:
    """Let the feed go on behind the snapshot. Where that is beyond what was read, a held one leaves a gap.

    A held one tells nothing yet, so it goes on from the first snapshot that was taken for this cause: later records are there.
    One that somebody asked for, or other names, or a new epoch met in the reading, has lost no place: what was told between that
    place and the snapshot may be a dispatch, and is read. Levels among it are old by their positions.
    """
    feed = await scope.tx.row("feed", (snapshot.feed,))
    before = None if feed is None else feed[1]
    epoch, touched = await enter_epoch(scope, snapshot.feed, snapshot.epoch)
    due = None if feed is None else feed[3]
    kept = keeps_place and feed is not None and feed[0] is not None and before == epoch and due not in _LOST
    if due is not None and not kept:
        touched |= await doubt_dispatches(scope, snapshot.feed)
    await recompute(scope, touched)
    if held and due is not None and not kept:
        await scope.tx.run("feed_gap", (epoch, snapshot.seq_at, snapshot.feed))
    cursor = None if kept else snapshot.cursor
    await scope.tx.run("feed_resumed", (cursor, epoch, scope.now_ms, snapshot.feed, held and not kept))
    await scope.tx.run("snapshot_resumed", (snapshot.id,))


async def apply_step(
    scope: Scope, snapshot: Snapshot, after: tuple[str, str]
) -> tuple[tuple[str, str] | None, Outcome]:
    """Apply some items; the place to go on from (None: all are applied) and what became of them.

    Items apply by position: a key that the deltas have moved on is left alone.
    """
    rows = await scope.tx.rows("snapshot_items", (snapshot.id, *after, STEP_RECORDS))
    if not rows or not await _applying(scope, snapshot):
        return None, Outcome()
    epoch, touched = await enter_epoch(scope, snapshot.feed, snapshot.epoch)
    await recompute(scope, touched)
    items = [_level(row) for row in rows]
    done = await apply_stock(scope, snapshot.feed, epoch, items, stated_at=snapshot.seq_at)
    await finish_merge(scope, snapshot.feed, done)
    outcome = Outcome(len(rows), done.applied, done.unchanged, done.stale, done.rejected, tuple(done.faults))
    await _count(scope, snapshot.feed, outcome)
    return (rows[-1][0], rows[-1][1]), outcome


async def _count(scope: Scope, feed: str, outcome: Outcome) -> None:
    """Records of a full count as any others of their feed do."""
    counts = (outcome.read, outcome.applied, outcome.stale, outcome.rejected)
    await scope.tx.run("feed_counts", (*counts, feed))


async def _applying(scope: Scope, snapshot: Snapshot) -> bool:
    """Whether it is still to be applied: once it is done its items are gone, and every key would seem absent from it."""
    row = await scope.tx.row("snapshot_by_id", (snapshot.id,))
    return row is not None and row[2] == "applying"


def _level(row: Row) -> Level:
    location, sku, seq, on_hand, available, extra = row
    as_of, included, through, *expected = json.loads(extra) if extra else (None, [], None)
    return Level(
        "",
        seq,
        sku,
        location,
        on_hand,
        available,
        as_of=as_of,
        orders_included=tuple(included),
        orders_through_ms=through,
        expected=expected[0] if expected else None,
    )


async def absent_step(scope: Scope, snapshot: Snapshot, location: str, after: str, absent: str) -> str | None:
    """Deal with keys the snapshot does not name at a location it covers; the SKU to go on from.

    `absent`: report (an exception, the quantity stays), zero (as a removal), keep (nothing).
    """
    if not await _applying(scope, snapshot):
        return None
    if absent == "zero" and snapshot.rejected:
        # Some items could not be read: what is not among the others may be one of them.
        absent = "report"
    epoch, _ = await enter_epoch(scope, snapshot.feed, snapshot.epoch)
    rows = await scope.tx.rows(
        "levels_absent",
        (snapshot.id, location, after, snapshot.feed, epoch, snapshot.seq_at, STEP_RECORDS),
    )
    if not rows:
        return None
    if absent == "zero":
        removals = [Removal("", snapshot.seq_at, sku, place) for place, sku in rows]
        done = await apply_stock(scope, snapshot.feed, epoch, removals, stated_at=snapshot.seq_at)
        # Nobody said that it is gone: whichever full names it next, be it by a record of before, shows that it is not.
        done.changed = {at: level._replace(lapsed=1) for at, level in done.changed.items()}
        await finish_merge(scope, snapshot.feed, done)
    elif absent == "report":
        await open_cases(scope.tx, [_absent_case(snapshot, place, sku) for place, sku in rows], scope.now_ms)
    return str(rows[-1][1])


def _absent_case(snapshot: Snapshot, location: str, sku: str) -> NewCase:
    reason = f"{sku} at {location} is not in the full of {snapshot.as_of or snapshot.id}; its quantity stays as it was"
    return NewCase(CaseKind.NEEDS_RESYNC, snapshot.feed, f"{sku} at {location}", reason, code="absent")


async def finish(scope: Scope, snapshot: Snapshot) -> None:
    """All is applied: drop the staged items, keep the summary. Raises OtherTerms where it was dropped meanwhile."""
    if await scope.tx.run("snapshot_moves", ("applied", snapshot.id, "applying")):
        await scope.tx.run("feed_last_full", (snapshot.records, snapshot.feed))
        await _count(scope, snapshot.feed, Outcome(read=snapshot.rejected, rejected=snapshot.rejected))
        await _caught_up(scope, snapshot)
        note = "a later full was applied"
        await resolve_case(scope.tx, CaseKind.INVALID_RECORD, snapshot.feed, WHOLE, note, scope.now_ms)
        await full_applied(scope, snapshot)
    elif snapshot.state == "applying":
        found = await find(scope, snapshot.id)
        if found is not None and found.state == "rejected":
            raise OtherTerms(f"the full {snapshot.id}")
    await scope.tx.run("snapshot_items_drop", (snapshot.id,))


async def _caught_up(scope: Scope, snapshot: Snapshot) -> None:
    """What was missed before it is made up for; one that reading waited for lets it go on now."""
    row, feed = (
        await scope.tx.row("snapshot_by_id", (snapshot.id,)),
        await scope.tx.row("feed", (snapshot.feed,)),
    )
    epoch = await scope.tx.row("epoch", (snapshot.feed, snapshot.epoch))
    if row is None or feed is None or epoch is None:
        return
    at = (int(epoch[0]), snapshot.seq_at)
    await scope.tx.run("feed_gap_closed", (snapshot.feed, *at))
    if row[5] is not None and (feed[1], feed[2]) <= at:
        await scope.tx.run("feed_resumed", (row[5], at[0], scope.now_ms, snapshot.feed, False))


async def unfinished(tx: Transaction) -> Sequence[Snapshot]:
    """Those to be applied, the oldest first."""
    return [snapshot_of(row) for row in await tx.rows("snapshots_unfinished")]


async def decide(scope: Scope, snapshot: Snapshot, note: str, *, approve: bool) -> bool:
    """A person decided on a held snapshot; False when it is no longer held."""
    state = "applying" if approve else "rejected"
    if not await scope.tx.run("snapshot_moves", (state, snapshot.id, "held")):
        return False
    if not approve:
        await scope.tx.run("snapshot_items_drop", (snapshot.id,))
    await resolve_case(scope.tx, CaseKind.HELD_SNAPSHOT, snapshot.feed, snapshot.id, note, scope.now_ms)
    return True


async def find(scope: Scope, snapshot_id: str) -> Snapshot | None:
    """One snapshot by its id."""
    row = await scope.tx.row("snapshot_by_id", (snapshot_id,))
    return None if row is None else snapshot_of(row)


async def listed(scope: Scope, limit: int) -> Sequence[Snapshot]:
    """The newest snapshots first."""
    return [snapshot_of(row) for row in await scope.tx.rows("snapshots", (limit,))]
