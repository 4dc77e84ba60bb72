"""The outbox: one row per key of what commercetools must come to show, and every step a row may take.

Each step is a plain function from a row to the row after it; the store only keeps them. At most one operation of a key
is in flight, and its intent is part of the row that is committed before its first byte is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from archsyncd.domain.inventory import Entry, StockKey, WriteKind
from archsyncd.domain.ledger import PROVISIONAL_SIGN, Base, CleanRead, Operation, bounded, rebased, signature
from archsyncd.domain.lookup import AWAITING_ENTRY
from archsyncd.domain.priority import due

SUPERSEDED_LIMIT = 16
# commercetools ends a request after 60 s; what was given up before that and a margin cannot land any more.
LATE_LANDING_MS = 90_000
# The time of a read is that of its answer's Date header, which drops the fraction of a second.
READ_TIME_SLACK_MS = 1_000


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A key's row. Quantities in pieces, times in UTC milliseconds of our clock unless said otherwise.

    `closed`: tracked pieces of closed lines. `entry_id` None and `base` not UNKNOWN: the entry is known not to exist and
    will be created; with all of X when the base is PROVEN, with nothing to sell when it is PROVISIONAL. `in_doubt`: the
    operation was sent and its outcome is not known. `superseded`: op ids given up after a negative read-back, any of which
    may still land. `parked`: why nothing may be sent (an exception kind, or `rollout`). `not_before`: monotonic milliseconds
    of process run `run`. `check_due_ms`: wall time from when the entry is to be read again; `read_*`: that read (server
    time), waiting to be judged clean. `seen`: the signature of the marker that our last look or write left on the entry,
    None when not known. `based_at_ms`: the read (server time) that a PROVISIONAL base rests on, where it rests on one.
    `late`: tracked pieces learnt since of orders that this read may have shown already; x_applied falls short by them.
    """

    key: StockKey
    f: int = 0
    refl: int = 0
    ntrk: int = 0
    known: int = 0
    closed: int = 0
    x_target: int = 0
    x_applied: int | None = None
    base: Base = Base.UNKNOWN
    entry_id: str | None = None
    version: int | None = None
    needs_type: bool = False
    entry_created_ms: int | None = None
    op_id: str | None = None
    op_kind: WriteKind | None = None
    op_delta: int | None = None
    op_base: int | None = None
    in_doubt: bool = False
    superseded: tuple[str, ...] = ()
    due_class: int | None = None
    nearness: int | None = None
    since_ms: int | None = None
    run: int = 0
    not_before: int = 0
    attempts: int = 0
    parked: str | None = None
    check_due_ms: int | None = None
    read_stock: int | None = None
    read_version: int | None = None
    read_at_ms: int | None = None
    seen: str | None = None
    based_at_ms: int | None = None
    late: int = 0

    @property
    def applied(self) -> int | None:
        """What the entry's stock stands for with the effect of the known tracked orders undone, None when not known.

        Apart from x_applied, which is what our markers say: it only moves by writes and reads.
        """
        return None if self.x_applied is None else self.x_applied + self.late

    @property
    def operation(self) -> Operation | None:
        """The operation in flight."""
        if self.op_id is None or self.op_delta is None or self.op_base is None:
            return None
        return Operation(self.op_id, self.op_delta, self.op_base)

    @property
    def to_create(self) -> bool:
        """Whether the entry is known not to exist."""
        return self.base is not Base.UNKNOWN and self.entry_id is None


@dataclass(frozen=True, slots=True)
class Lease:
    """A row taken for sending: what to write and on which version. Its intent is durable."""

    key: StockKey
    kind: WriteKind
    operation: Operation
    quantity: int
    entry_id: str | None
    version: int | None
    needs_type: bool
    increases: bool


def scheduled(row: OutboxRow, now_ms: int) -> OutboxRow:
    """The row with its place in the drain order; one with an operation keeps what place that operation has."""
    if row.op_id is not None:
        return row
    place = due(row.base, row.applied, row.x_target, row.known, exists=not row.to_create)
    if place is None:
        return replace(row, due_class=None, nearness=None, since_ms=None)
    return replace(
        row,
        due_class=int(place.due_class),
        nearness=place.nearness,
        since_ms=now_ms if row.since_ms is None else row.since_ms,
    )


def leased(
    row: OutboxRow, op_id: str, *, absolute: bool, limit: int | None = None
) -> tuple[OutboxRow, Lease]:
    """Put an operation in flight. `absolute`: untracked mode, where the target itself is written.

    `limit`: X may not be raised beyond it now, as others show pieces that are this key's by now; None: no limit.
    Whatever the row had to wait for is over. An op id issued on a provisional base says so, for whoever finds the marker.
    """
    if row.op_id is not None and row.op_delta is not None and row.op_base is not None:
        # An operation put back after a negative read-back with its list of superseded ids full: the same op id again.
        op_id, delta, base, kind = row.op_id, row.op_delta, row.op_base, row.op_kind or WriteKind.INCREMENT
    else:
        base = row.x_applied or 0
        target = row.x_target
        if row.to_create and row.base is Base.PROVISIONAL:
            target = min(target, 0)
        if limit is not None:
            target = min(target, limit)
        delta = target - base - row.late
        op_id += "" if row.base is Base.PROVEN else PROVISIONAL_SIGN
        kind = WriteKind.CREATE if row.to_create else WriteKind.SET if absolute else WriteKind.INCREMENT
    operation = Operation(op_id, delta, base)
    quantity = delta if kind is WriteKind.INCREMENT else operation.x_after
    lease = Lease(
        row.key,
        kind,
        operation,
        quantity,
        row.entry_id,
        row.version,
        row.needs_type,
        increases=delta > 0,
    )
    after = replace(
        row,
        op_id=op_id,
        op_kind=kind,
        op_delta=delta,
        op_base=base,
        in_doubt=False,
        due_class=None,
        nearness=None,
        not_before=0,
    )
    return after, lease


def _without_operation(row: OutboxRow) -> OutboxRow:
    return replace(row, op_id=None, op_kind=None, op_delta=None, op_base=None, in_doubt=False)


def booked(row: OutboxRow, entry_id: str, version: int, now_ms: int, ledger: str) -> OutboxRow:
    """The operation took effect: it stands in x_applied, and nothing we gave up before can land any more."""
    operation = row.operation
    if operation is None:
        return row
    seen = None if row.op_kind is WriteKind.SET else f"{ledger}/{operation.op_id}"
    place = due(row.base, operation.x_after + row.late, row.x_target, row.known)
    # Written out rather than step by step: each copy of a row costs as much as everything else here.
    return replace(
        row,
        op_id=None,
        op_kind=None,
        op_delta=None,
        op_base=None,
        in_doubt=False,
        x_applied=operation.x_after,
        entry_id=entry_id,
        version=version,
        needs_type=False,
        superseded=(),
        attempts=0,
        parked=None,
        seen=seen,
        check_due_ms=now_ms if row.to_create and row.base is Base.PROVISIONAL else row.check_due_ms,
        due_class=None if place is None else int(place.due_class),
        nearness=None if place is None else place.nearness,
        since_ms=None if place is None else now_ms,
    )


def put_back(
    row: OutboxRow,
    now_ms: int,
    *,
    version: int | None = None,
    needs_type: bool | None = None,
    its_own_fault: bool = True,
) -> OutboxRow:
    """The operation certainly took no effect (refused, turned away, or never sent): forget it, the next one is new.

    What befalls everybody (an overload, no connection) is no attempt of this key: the limiter waits for all of them, and a
    key that waited by itself on top would come long after the overload is over.
    """
    attempts = row.attempts + (1 if its_own_fault else 0)
    typed = row.needs_type if needs_type is None else needs_type
    after = replace(
        _without_operation(row), version=version or row.version, needs_type=typed, attempts=attempts
    )
    return scheduled(after, now_ms)


def retaken(row: OutboxRow, entry: Entry, now_ms: int, check_due_ms: int | None) -> OutboxRow:
    """Untracked mode: what the entry shows stands there, whoever wrote it; the next write goes on from its version."""
    after = replace(
        _without_operation(row),
        x_applied=entry.quantity_on_stock,
        entry_id=entry.id,
        version=entry.version,
        entry_created_ms=entry.created_at_ms,
        check_due_ms=check_due_ms,
        attempts=row.attempts + 1,
    )
    return scheduled(after, now_ms)


def doubted(row: OutboxRow) -> OutboxRow:
    """The operation was sent and its outcome is unknown: it stays in flight until the entry was read."""
    return replace(row, in_doubt=True, due_class=None, nearness=None)


def given_up(row: OutboxRow, version: int, now_ms: int, *, needs_type: bool = False) -> OutboxRow:
    """A read-back did not show the operation: replace it by the newer target, remembering that it may still land.

    The entry is read once more when it cannot land any more: what is read until then proves nothing.
    """
    operation = row.operation
    if operation is None:
        return row
    row = read_discarded(row, max(row.check_due_ms or 0, now_ms + LATE_LANDING_MS))
    row = replace(row, needs_type=needs_type)
    if len(row.superseded) >= SUPERSEDED_LIMIT:
        # Too many may still land: the same op id goes out again rather than one more to remember.
        place = due(
            row.base,
            operation.base + row.late,
            operation.x_after + row.late,
            row.known,
            exists=not row.to_create,
        )
        return replace(
            row,
            in_doubt=False,
            version=version,
            due_class=int(place.due_class) if place else 1,
            nearness=place.nearness if place else 0,
            attempts=row.attempts + 1,
        )
    superseded = (*row.superseded, operation.op_id)
    after = replace(
        _without_operation(row), version=version, superseded=superseded, attempts=row.attempts + 1
    )
    return scheduled(after, now_ms)


def landed_late(
    row: OutboxRow, x: int, entry_id: str, version: int, now_ms: int, seen: str | None
) -> OutboxRow:
    """An operation we had given up took effect after all, so the present one was not applied: go on from there.

    All others were sent on the same version or an older one, which is gone: they cannot land any more.
    """
    after = replace(
        _without_operation(row),
        x_applied=x,
        entry_id=entry_id,
        version=version,
        needs_type=False,
        superseded=(),
        seen=seen,
    )
    return scheduled(after, now_ms)


def adopted(row: OutboxRow, entry: Entry, x: int, now_ms: int, check_due_ms: int | None) -> OutboxRow:
    """The entry carries our own ledger's value and our orders are complete: it is x_applied."""
    return scheduled(
        replace(
            _from_entry(row, entry),
            x_applied=x,
            base=Base.PROVEN,
            check_due_ms=check_due_ms,
            superseded=(),
            based_at_ms=None,
            late=0,
        ),
        now_ms,
    )


def based(row: OutboxRow, entry: Entry, now_ms: int, check_due_ms: int) -> OutboxRow:
    """The entry's history is not ours: a provisional base from what it shows, to be proven by a clean read."""
    after = replace(
        _from_entry(row, entry),
        x_applied=rebased(entry.quantity_on_stock, row.known),
        base=Base.PROVISIONAL,
        check_due_ms=check_due_ms,
        superseded=(),
        based_at_ms=entry.read_at_ms,
        late=0,
    )
    return scheduled(after, now_ms)


def learnt_late(row: OutboxRow, pieces: int, created_ms: int, now_ms: int) -> OutboxRow:
    """Tracked pieces of an order learnt now, perhaps after the entry was read that a provisional base rests on.

    If the read showed them, x_applied is too low by them, and a decrease that is due would not be seen for as long as the
    base is not proven. Counted on top they can only lower too much, which the clean read gives back.
    """
    if row.base is not Base.PROVISIONAL or row.based_at_ms is None:
        return row
    if created_ms > row.based_at_ms + READ_TIME_SLACK_MS:
        return row
    return scheduled(replace(row, late=row.late + pieces), now_ms)


def _from_entry(row: OutboxRow, entry: Entry) -> OutboxRow:
    return replace(
        _without_operation(row),
        entry_id=entry.id,
        version=entry.version,
        needs_type=entry.type_id is None,
        entry_created_ms=entry.created_at_ms,
        # What was read before may have been another entry under the same key.
        read_stock=None,
        read_version=None,
        read_at_ms=None,
        seen=signature(entry.marker),
        parked=None if row.parked in AWAITING_ENTRY else row.parked,
    )


def absent(row: OutboxRow, now_ms: int, *, tracked: bool = True) -> OutboxRow:
    """There is no entry: it will be created. What is known of earlier lines never touched the new entry's stock.

    Where an entry stood before, or lines are known, an order that we have not learnt yet may have been taken on the entry
    that is gone; its pieces are no longer subtracted anywhere. So the new one starts with nothing to sell, and is raised
    after a clean read. A first entry cannot have been ordered from, and untracked no order ever takes from one.
    """
    first = row.entry_created_ms is None and row.known == 0 and row.ntrk == 0 and row.x_applied is None
    after = replace(
        _without_operation(row),
        entry_id=None,
        version=None,
        needs_type=False,
        entry_created_ms=None,
        x_applied=None,
        base=Base.PROVEN if first or not tracked else Base.PROVISIONAL,
        closed=0,
        superseded=(),
        check_due_ms=None,
        read_stock=None,
        read_version=None,
        read_at_ms=None,
        seen=None,
        based_at_ms=None,
        late=0,
    )
    return scheduled(after, now_ms)


def unbased(row: OutboxRow) -> OutboxRow:
    """The entry must be looked at again before anything is written (it is gone, or its marker is not ours)."""
    return replace(
        _without_operation(row),
        base=Base.UNKNOWN,
        due_class=None,
        nearness=None,
        check_due_ms=None,
        read_stock=None,
        read_version=None,
        read_at_ms=None,
        based_at_ms=None,
        late=0,
    )


def parked(row: OutboxRow, reason: str) -> OutboxRow:
    """Nothing is sent for this key until its cause is gone; an operation that took no effect is forgotten."""
    return replace(_without_operation(row), parked=reason, due_class=None, nearness=None)


def freed(row: OutboxRow, now_ms: int) -> OutboxRow:
    """The cause is gone."""
    return scheduled(replace(row, parked=None, attempts=0, not_before=0), now_ms)


def read_for_check(row: OutboxRow, entry: Entry) -> OutboxRow:
    """The entry was read for a check; it is judged once the orders are complete beyond the read."""
    return replace(
        row,
        read_stock=entry.quantity_on_stock,
        read_version=entry.version,
        read_at_ms=entry.read_at_ms,
        version=entry.version if row.op_id is None else row.version,
        needs_type=entry.type_id is None if row.op_id is None else row.needs_type,
    )


def read_in(row: OutboxRow, lag_ms: int) -> CleanRead | None:
    """The pending read, None when there is none or a write of ours came between."""
    if row.read_at_ms is None or row.read_version != row.version or row.op_id is not None:
        return None
    return CleanRead(row.read_at_ms, lag_ms)


def proven(row: OutboxRow, known_at_read: int, now_ms: int) -> OutboxRow:
    """The pending read is clean: what it shows with the orders known then undone is x_applied, beyond doubt."""
    if row.read_stock is None:
        return row
    after = replace(
        row,
        x_applied=rebased(row.read_stock, known_at_read),
        base=Base.PROVEN,
        check_due_ms=None,
        superseded=(),
        read_stock=None,
        read_version=None,
        read_at_ms=None,
        based_at_ms=None,
        late=0,
    )
    return scheduled(after, now_ms)


def narrowed(row: OutboxRow, known: int, under_way: int, now_ms: int, check_due_ms: int) -> OutboxRow:
    """The pending read is not clean, but the order list covers it: x_applied cannot be above what it shows with all undone."""
    if row.read_stock is None:
        return row
    before = row.x_applied if row.base is Base.BOUNDED else None
    after = replace(
        read_discarded(row, check_due_ms),
        x_applied=bounded(before, row.read_stock, known, under_way),
        base=Base.BOUNDED,
        superseded=(),
        based_at_ms=None,
        late=0,
    )
    return scheduled(after, now_ms)


def read_discarded(row: OutboxRow, check_due_ms: int) -> OutboxRow:
    """The pending read cannot be judged: read again later."""
    return replace(row, read_stock=None, read_version=None, read_at_ms=None, check_due_ms=check_due_ms)
