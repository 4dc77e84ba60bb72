"""The outbox in the store: leasing what is due, settling what was sent, basing and checking keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.codec import outbox_rows, put_outbox_rows
from archsyncd.adapters.sqlite.history import because, drifted, suspect
from archsyncd.adapters.sqlite.raising import (
    ANOTHER_WRITER,
    HELD_AGAIN_MS,
    Breaker,
    no_longer_suspect,
    seen_twice,
    suspect_another,
)
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.yielding import holds_back, note_falls, note_waits, rooms_for, wake
from archsyncd.domain import outbox
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.counting import counted
from archsyncd.domain.history import Kind
from archsyncd.domain.inventory import Entry, StockKey
from archsyncd.domain.ledger import Base, adoptable, drift, signature
from archsyncd.domain.lookup import AWAITING_ENTRY, Unentered
from archsyncd.domain.outbox import Lease, OutboxRow
from archsyncd.domain.priority import DueClass
from archsyncd.domain.reconciling import RaiseGuard
from archsyncd.domain.rules import LET_GO, ROLLOUT, DrainLimits, SettleRules, Turn
from archsyncd.domain.settlement import (
    Booked,
    Doubted,
    Foreign,
    GivenUp,
    LandedLate,
    Parked,
    PutBack,
    Retaken,
    Settled,
    Vanished,
)
from archsyncd.domain.yielding import LOOK_AGAIN_MS, Room

_ALL_LINES_MS = 10**12
UNBOOKABLE_MS = 30_000


async def lease(scope: Scope, turn: Turn, limits: DrainLimits, limit: int) -> list[Lease]:
    """Take up to `limit` due keys in drain order and put an operation in flight for each.

    So many of the places as the limits say, the last ones, go to increases that have waited their time, so that a stream of
    decreases cannot hold them back for ever.
    """
    keys = await _due_keys(scope, turn, limits, limit)
    if not keys:
        return []
    rows = await outbox_rows(scope, keys)
    creating = [key for key, row in rows.items() if row.to_create]
    if creating:
        await _untrack(scope, [(key, scope.now_ms + _ALL_LINES_MS) for key in creating])
        rows = await outbox_rows(scope, keys)
    taken = await scope.tx.row("operations_take", (len(keys),))
    last = int(taken[0]) if taken else 0
    rooms = await rooms_for(scope, rows, limits.orders_complete_ms)
    leases: list[Lease] = []
    changed: list[OutboxRow] = []
    waiting: dict[StockKey, Room] = {}
    for number, key in enumerate(keys, start=last - len(keys) + 1):
        row = rows[key]
        if not row.to_create and row.x_applied is None:
            continue
        room = rooms.get(key)
        if room is not None and holds_back(row, room):
            waiting[key] = room
            changed.append(_waiting(row, turn, LOOK_AGAIN_MS))
            continue
        after, taken_row = outbox.leased(
            row, f"{turn.fence}.{number}", absolute=limits.absolute, limit=room.limit if room else None
        )
        changed.append(after)
        leases.append(taken_row)
    await put_outbox_rows(scope, changed)
    if waiting:
        await note_waits(scope, waiting)
    return leases


async def _due_keys(scope: Scope, turn: Turn, limits: DrainLimits, limit: int) -> list[StockKey]:
    share = min(limits.overdue_keys, limit) if limits.increases else 0
    overdue = await scope.tx.rows("outbox_overdue", due_parameters(turn, limits, share)) if share else []
    waited = dict.fromkeys(StockKey(row[0], row[1]) for row in overdue)
    due = await scope.tx.rows("outbox_due", due_parameters(turn, limits, limit))
    first = [key for row in due if (key := StockKey(row[0], row[1])) not in waited]
    return [*first[: limit - len(waited)], *waited]


def due_parameters(turn: Turn, limits: DrainLimits, limit: int) -> dict[str, Any]:
    """What the queries for due keys ask by."""
    return {
        "run": turn.run,
        "now": turn.now,
        "highest": max(DueClass) if limits.increases else DueClass.DECREASE,
        "paused": array(limits.paused),
        "before": limits.overdue_before_ms,
        "limit": limit,
    }


async def _untrack(scope: Scope, older: Iterable[tuple[StockKey, int]]) -> list[StockKey]:
    """Lines older than their entry never touched its stock: they count untracked from now on; the keys this changed."""
    keys: list[StockKey] = []
    if await scope.tx.row("lines_any") is None:
        return keys
    for key, created_ms in older:
        if await scope.tx.run("lines_untrack_older", (key.channel, key.sku, created_ms)):
            keys.append(key)
    if keys:
        await recompute(scope, keys)
    return keys


async def settle(scope: Scope, turn: Turn, settled: Sequence[Settled], rules: SettleRules) -> None:
    """Book what became of operations; one that is no longer in flight is left alone."""
    rows = await outbox_rows(scope, {item.key for item in settled})
    changed: dict[StockKey, OutboxRow] = {}
    for item in settled:
        row = changed.get(item.key) or rows.get(item.key)
        if row is None or row.op_id != item.op_id:
            continue
        changed[item.key] = await _settled_row(scope, turn, row, item, rules)
    await put_outbox_rows(scope, changed.values())
    await note_falls(scope, rows, changed, rules.server_now_ms)
    await wake(scope, changed)
    if await scope.tx.row("case_any", (CaseKind.STOCK_UPDATE_FAILED,)) is not None:
        for item in settled:
            if isinstance(item.settlement, Booked) and item.key in changed:
                await _recovered(scope, item.key)


async def unbookable(scope: Scope, turn: Turn, item: Settled, why: str) -> None:
    """Keep an operation whose outcome cannot be stored in doubt, so that its entry is read again, and tell of it."""
    rows = await outbox_rows(scope, [item.key])
    row = rows.get(item.key)
    if row is None or row.op_id != item.op_id:
        return
    await put_outbox_rows(scope, [_waiting(outbox.doubted(row), turn, UNBOOKABLE_MS)])
    reason = (
        f"what became of a write to {item.key.sku} in {item.key.channel} cannot be stored ({why}); nothing more is sent "
        "for it, and its entry is read again every half minute until it can be"
    )
    kind = CaseKind.STOCK_UPDATE_FAILED
    case = NewCase(kind, item.key.channel, item.key.sku, reason, code="unbookable")
    await open_case(scope.tx, case, scope.now_ms)


async def _settled_row(
    scope: Scope, turn: Turn, row: OutboxRow, item: Settled, rules: SettleRules
) -> OutboxRow:
    now = scope.now_ms
    match item.settlement:
        case Booked(entry_id, version, created):
            paced = row.op_delta is not None and row.op_delta > 0
            row = await _created(scope, row, created)
            after = outbox.booked(row, entry_id, version, now, turn.ledger)
            return _waiting(after, turn, rules.increase_interval_ms) if paced else after
        case PutBack(delay, version, check, needs_type):
            own = version is not None or delay > 0
            free = outbox.put_back(row, now, version=version, needs_type=needs_type, its_own_fault=own)
            after = _waiting(free, turn, delay)
            return replace(after, check_due_ms=now, read_at_ms=None) if check else after
        case Doubted(delay):
            return _waiting(outbox.doubted(row), turn, delay)
        case GivenUp(version, delay, needs_type):
            return _waiting(outbox.given_up(row, version, now, needs_type=needs_type), turn, delay)
        case Retaken(entry, may_land, delay):
            check_due_ms = now + outbox.LATE_LANDING_MS if may_land else None
            because(scope, row.key, Kind.RETAKEN, who=entry.written_by)
            return _waiting(outbox.retaken(row, entry, now, check_due_ms), turn, delay)
        case LandedLate(x, entry_id, version, op_id, created):
            row = await _created(scope, row, created)
            because(scope, row.key, Kind.LANDED_LATE, op_id)
            seen = f"{turn.ledger}/{op_id}" if op_id else None
            return outbox.landed_late(row, x, entry_id, version, now, seen)
        case Foreign(entry):
            await _foreign_case(scope, row, entry, turn)
            return await rebase(scope, turn, row, entry, rules)
        case Vanished():
            await no_longer_suspect(scope, row.key)
            return outbox.unbased(row)
        case Parked(kind, code, message, correlation):
            case = NewCase(kind, row.key.channel, row.key.sku, message, code=code, correlation=correlation)
            await open_case(scope.tx, case, now)
            return outbox.parked(row, kind.value)


async def _created(scope: Scope, row: OutboxRow, created_ms: int | None) -> OutboxRow:
    """The row once its entry exists: a line learnt while it was being created may be older than the entry."""
    if created_ms is None:
        return row
    if await _untrack(scope, [(row.key, created_ms)]):
        row = (await outbox_rows(scope, [row.key]))[row.key]
    return replace(row, entry_created_ms=created_ms)


def _waiting(row: OutboxRow, turn: Turn, delay_ms: int) -> OutboxRow:
    return replace(row, run=turn.run, not_before=turn.now + delay_ms) if delay_ms > 0 else row


async def _recovered(scope: Scope, key: StockKey) -> None:
    await resolve_case(
        scope.tx,
        CaseKind.STOCK_UPDATE_FAILED,
        key.channel,
        key.sku,
        "a later write was accepted",
        scope.now_ms,
    )


async def _foreign_case(scope: Scope, row: OutboxRow, entry: Entry, turn: Turn) -> None:
    because(scope, row.key, Kind.FOREIGN, who=entry.written_by)
    who = f" by {entry.written_by}" if entry.written_by else ""
    found = entry.marker.ledger
    what = "it carries no marker" if found is None else "its marker is from another point of our history"
    if found is not None and found != turn.ledger:
        what = f"its marker is from the ledger {found}"
    reason = (
        f"{row.key.sku} in {row.key.channel} was last written{who} and {what}; its base is taken anew, "
        "lowered at once where it must be and raised only after a clean read"
    )
    code = "" if found == turn.ledger else ANOTHER_WRITER
    case = NewCase(CaseKind.FOREIGN_WRITER, row.key.channel, row.key.sku, reason, code=code)
    await open_case(scope.tx, case, scope.now_ms)
    if code:
        await suspect_another(scope, row.key)


async def rebase(scope: Scope, turn: Turn, row: OutboxRow, entry: Entry, rules: SettleRules) -> OutboxRow:
    """Give a key its base from its entry, adopting our own marker where nothing is missing between."""
    await watch_restockable(scope, entry)
    if await _untrack(scope, [(row.key, entry.created_at_ms)]):
        row = (await outbox_rows(scope, [row.key]))[row.key]
    if not scope.policies.tracked:
        based = outbox.based(row, entry, scope.now_ms, 0)
        return outbox.scheduled(replace(based, base=Base.PROVEN, check_due_ms=None), scope.now_ms)
    complete = 0 < rules.tenure_since_ms <= rules.orders_complete_ms
    if adoptable(entry.marker, turn.ledger, orders_complete=complete) and entry.marker.x is not None:
        return outbox.adopted(row, entry, entry.marker.x, scope.now_ms, scope.now_ms + rules.confirm_ms)
    # Whoever wrote a marker may have a request under way: the read that proves this base comes when none can land any more.
    wait_ms = rules.confirm_ms if entry.marker.ledger is not None else rules.late_ms
    return outbox.based(row, entry, scope.now_ms, max(scope.now_ms + wait_ms, row.check_due_ms or 0))


async def watch_restockable(scope: Scope, entry: Entry) -> None:
    """Commercetools sells without stock while restockableInDays is set, even to 0."""
    kind, key = CaseKind.RESTOCKABLE_IN_DAYS, entry.key
    if entry.restockable_in_days is None:
        await resolve_case(scope.tx, kind, key.channel, key.sku, "the field is unset now", scope.now_ms)
        return
    reason = (
        f"restockableInDays is {entry.restockable_in_days} on {key.sku} in {key.channel}: "
        "commercetools accepts orders for it without stock"
    )
    await open_case(scope.tx, NewCase(kind, key.channel, key.sku, reason), scope.now_ms)


async def book_lookups(
    scope: Scope,
    turn: Turn,
    entries: Sequence[Entry],
    creatable: Collection[StockKey],
    withheld: Collection[Unentered],
    rules: SettleRules,
) -> None:
    """Book what look-ups of unknown keys found: entries, keys to create, and keys that stay without an entry for now."""
    told = {item.key: item for item in withheld}
    rows = await outbox_rows(scope, {entry.key for entry in entries} | set(creatable) | told.keys())
    changed: list[OutboxRow] = []
    for entry in entries:
        row = rows.get(entry.key)
        if row is not None and row.base is Base.UNKNOWN:
            await _found(scope, row)
            changed.append(replace(await rebase(scope, turn, row, entry, rules), attempts=0, not_before=0))
    for key in creatable:
        row = rows.get(key)
        if row is not None and row.base is Base.UNKNOWN:
            await _found(scope, row)
            freed = replace(row, parked=None) if row.parked in AWAITING_ENTRY else row
            created = outbox.absent(freed, scope.now_ms, tracked=scope.policies.tracked)
            changed.append(replace(created, attempts=0, not_before=0))
    for key, item in told.items():
        row = rows.get(key)
        if row is not None and row.base is Base.UNKNOWN:
            changed.append(await _withheld(scope, turn, row, item))
    await put_outbox_rows(scope, changed)
    await wake(scope, [row.key for row in changed])
    # A new entry knows nothing of earlier lines, open or folded: their effect on X goes with the entry that is gone.
    await _untrack(scope, [(key, scope.now_ms + _ALL_LINES_MS) for key in creatable])
    await recompute(scope, creatable)


async def _withheld(scope: Scope, turn: Turn, row: OutboxRow, item: Unentered) -> OutboxRow:
    parked = row.parked
    # A key that is parked for something else (the rollout) stays so, whatever the catalogue says.
    if item.case is not None and parked != item.case.kind and (parked is None or parked in AWAITING_ENTRY):
        await _found(scope, row, "another reason has taken its place")
        await open_case(scope.tx, item.case, scope.now_ms)
        parked = item.case.kind.value
    return _waiting(replace(row, parked=parked, attempts=row.attempts + 1), turn, item.delay_ms)


async def _found(scope: Scope, row: OutboxRow, note: str = "what was missing is there now") -> None:
    if row.parked in AWAITING_ENTRY:
        kind = CaseKind(row.parked)
        await resolve_case(scope.tx, kind, row.key.channel, row.key.sku, note, scope.now_ms)


async def book_reads(
    scope: Scope, turn: Turn, entries: Sequence[Entry], missing: Collection[StockKey]
) -> None:
    """Book entries read for a check; one that has an operation in flight by now, or was written since, is left for later.

    A marker that neither we left there nor have seen there is somebody's write: the base is taken anew, never adopted.
    """
    await _untrack(scope, [(entry.key, entry.created_at_ms) for entry in entries])
    rows = await outbox_rows(scope, {entry.key for entry in entries} | set(missing))
    changed: list[OutboxRow] = []
    for entry in entries:
        await watch_restockable(scope, entry)
        row = rows.get(entry.key)
        if (
            row is None
            or row.op_id is not None
            or row.check_due_ms is None
            or entry.version < (row.version or 0)
        ):
            continue
        if not scope.policies.tracked:
            because(scope, row.key, Kind.RETAKEN, who=entry.written_by)
            changed.append(outbox.retaken(row, entry, scope.now_ms, None))
            continue
        if row.seen is None or row.seen == signature(entry.marker):
            await suspect(scope, row, entry)
            changed.append(outbox.read_for_check(row, entry))
            continue
        await _foreign_case(scope, row, entry, turn)
        changed.append(outbox.based(row, entry, scope.now_ms, scope.now_ms + outbox.LATE_LANDING_MS))
    gone = [row for key in missing if (row := rows.get(key)) and row.op_id is None]
    for row in gone:
        await no_longer_suspect(scope, row.key)
    changed.extend(outbox.unbased(row) for row in gone)
    await put_outbox_rows(scope, changed)


async def judge_reads(
    scope: Scope, complete_ms: int, lag_ms: int, limit: int, guard: RaiseGuard | None = None
) -> tuple[int, int]:
    """Judge pending reads that the order list covers; how many were proven, and how many must be read again.

    `guard`: how many keys may be raised because their entries show too few; what is beyond it waits for a person. None is judged
    while orders are still to be counted by another mapping: what they took from an entry would pass for nobody's.
    """
    if await scope.tx.row("heads_uncounted") is not None:
        return 0, 0
    found = await scope.tx.rows("outbox_check_read", {"before": complete_ms - lag_ms, "limit": limit})
    rows = await outbox_rows(scope, [StockKey(row[0], row[1]) for row in found])
    breaker = Breaker(scope, guard)
    proven: list[OutboxRow] = []
    again: list[OutboxRow] = []
    for row in rows.values():
        read = outbox.read_in(row, lag_ms)
        if read is None:
            again.append(outbox.read_discarded(row, scope.now_ms))
            continue
        window = (row.key.channel, row.key.sku, read.read_at_ms - lag_ms, read.read_at_ms + lag_ms)
        times = [line[0] for line in await scope.tx.rows("lines_in_window", window)]
        judged = await _proven(scope, row, lag_ms, breaker) if read.clean(complete_ms, times) else None
        if judged is None:
            again.append(await _narrowed(scope, row, read.read_at_ms, lag_ms, breaker))
        else:
            proven.append(judged)
    if any(_is_held(scope, row) for row in (*proven, *again)):
        await breaker.tell_held()
    await put_outbox_rows(scope, [*proven, *again])
    await wake(scope, [row.key for row in proven])
    return len(proven), len(again)


def _held(scope: Scope, row: OutboxRow) -> OutboxRow:
    """The row while it may not be raised: as it is, and looked at again from time to time."""
    return outbox.read_discarded(row, scope.now_ms + HELD_AGAIN_MS)


def _is_held(scope: Scope, row: OutboxRow) -> bool:
    return row.check_due_ms == scope.now_ms + HELD_AGAIN_MS


async def _narrowed(
    scope: Scope, row: OutboxRow, read_at_ms: int, lag_ms: int, breaker: Breaker
) -> OutboxRow:
    """A key that is ordered all the time: its orders around the read bound what the read can mean.

    A proven base is left alone unless the entry offers more than any of them can explain: that is cut at once.
    """
    later = await _known_after(scope, row.key, read_at_ms + lag_ms)
    around = await _known_after(scope, row.key, read_at_ms - lag_ms - 1) - later
    known, again_ms = row.known - later, scope.now_ms + lag_ms
    if row.base is Base.PROVEN and row.x_applied is not None and row.read_stock is not None:
        off = drift(row.read_stock, row.x_applied, known) - around
        if off <= 0:
            return outbox.read_discarded(row, again_ms)
        await open_case(scope.tx, _drift_case(row.key, off, "at least "), scope.now_ms)
        await drifted(scope, row.key)
    after = outbox.narrowed(row, known, around, scope.now_ms, again_ms)
    return after if await breaker.may_raise_after(row, after) else _held(scope, row)


def _drift_case(key: StockKey, off: int, how: str = "") -> NewCase:
    way = "more" if off > 0 else "fewer"
    reason = (
        f"{key.sku} in {key.channel} shows {how}{counted(abs(off), 'piece')} {way} than our writes and the known orders explain: "
        "somebody else changed it; it is being corrected"
    )
    return NewCase(CaseKind.DRIFT, key.channel, key.sku, reason, code=f"{off:+d}")


async def _known_after(scope: Scope, key: StockKey, at_ms: int) -> int:
    """Tracked pieces of the key that were ordered after a time."""
    found = await scope.tx.row("lines_known_after", (key.channel, key.sku, at_ms))
    return int(found[0]) if found else 0


async def _proven(scope: Scope, row: OutboxRow, lag_ms: int, breaker: Breaker) -> OutboxRow | None:
    """The row as its clean read proves it; None when it must be seen once more before it may raise.

    A key that the rollout does not reach, or that was let go, is kept by somebody else: what it shows is taken as it is.
    """
    read_at_ms = row.read_at_ms or 0
    known = row.known - await _known_after(scope, row.key, read_at_ms)
    scope_key = (row.key.channel, row.key.sku)
    off = 0
    if row.base is Base.PROVEN and row.x_applied is not None and row.read_stock is not None:
        off = drift(row.read_stock, row.x_applied, known)
    if off and row.parked in {ROLLOUT, LET_GO}:
        because(scope, row.key, Kind.PROVEN)
        off = 0
    # Looked at once more after a correction, so that the case closes when all is well.
    check_due_ms = scope.now_ms + lag_ms if off else None
    if off:
        twice = await seen_twice(scope, row.key, off, read_at_ms)
        await open_case(scope.tx, _drift_case(row.key, off), scope.now_ms)
        if off < 0 and not twice:
            return None
        if off < 0 and not await breaker.may_raise(row.key, -off):
            return _held(scope, row)
        await drifted(scope, row.key)
    else:
        await resolve_case(scope.tx, CaseKind.DRIFT, *scope_key, "a clean read agrees", scope.now_ms)
    after = replace(outbox.proven(row, known, scope.now_ms), check_due_ms=check_due_ms)
    if not await breaker.may_raise_after(row, after):
        return _held(scope, row)
    note = "its base was proven by a clean read"
    await resolve_case(scope.tx, CaseKind.FOREIGN_WRITER, *scope_key, note, scope.now_ms)
    await no_longer_suspect(scope, row.key)
    return after
