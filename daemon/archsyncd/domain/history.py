"""The history of a key: what each change of the applied ledger value was, why it happened, and how old changes are folded.

Bookkeeping beside the outbox: it decides nothing about stock, and knows neither a store nor a clock. What an entry's stock
stands for (`OutboxRow.applied`) only moves from one row of the history to the next, so that the opening and all deltas come
to what is applied now. No value counts as 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

from archsyncd.domain.inventory import StockKey, WriteKind
from archsyncd.domain.ledger import Base
from archsyncd.domain.outbox import OutboxRow

DAY_MS = 86_400_000
WHO_LIMIT_CHARACTERS = 200


class Kind(StrEnum):
    """What a row of the history is about."""

    OPENING = "opening"
    DAY = "day"
    CREATE = "create"
    INCREMENT = "increment"
    SET = "set"
    LANDED_LATE = "landed_late"
    BASED = "based"
    ADOPTED = "adopted"
    FOREIGN = "foreign"
    RETAKEN = "retaken"
    LEARNT_LATE = "learnt_late"
    PROVEN = "proven"
    BOUNDED = "bounded"
    DRIFT = "drift"
    UNBASED = "unbased"
    GONE = "gone"


# What people ask for by name stays a row of its own for as long as there is room.
LASTING = frozenset({Kind.DRIFT, Kind.FOREIGN, Kind.GONE})
WRITES = {
    WriteKind.CREATE: Kind.CREATE,
    WriteKind.INCREMENT: Kind.INCREMENT,
    WriteKind.SET: Kind.SET,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a row is about to change, where the row before and the row after cannot tell. `who`: who wrote last."""

    kind: Kind
    op_id: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One row: `delta` pieces at `at_ms` (UTC) led to `x_after`, None without an entry.

    The figures are those of the key at that time. `n` rises within a key; the opening has 0. `count`: how many changes
    were folded into it.
    """

    at_ms: int
    kind: Kind
    delta: int
    x_after: int | None
    f: int = 0
    refl: int = 0
    ntrk: int = 0
    known: int = 0
    op_id: str = ""
    who: str = ""
    count: int = 1
    n: int = 0


def change_between(before: OutboxRow, after: OutboxRow, cause: Cause | None, now_ms: int) -> Change | None:
    """What became of what is applied from one state of a row to the next; None when it is the same."""
    if before.applied == after.applied:
        return None
    why = cause or _told_by(before, after)
    return Change(
        now_ms,
        why.kind,
        (after.applied or 0) - (before.applied or 0),
        after.applied,
        after.f,
        after.refl,
        after.ntrk,
        after.known,
        why.op_id,
        why.who[:WHO_LIMIT_CHARACTERS],
    )


def _told_by(before: OutboxRow, after: OutboxRow) -> Cause:
    """The cause as the two rows tell it; what they cannot tell is passed in by whoever knows."""
    operation, kind = before.operation, before.op_kind
    if after.x_applied is None:
        return Cause(Kind.GONE)
    if operation is not None and after.op_id is None and after.x_applied == operation.x_after:
        return Cause(WRITES[kind or WriteKind.INCREMENT], operation.op_id)
    if after.late > before.late:
        return Cause(Kind.LEARNT_LATE)
    return Cause(_of_base(before.base, after.base))


def _of_base(before: Base, after: Base) -> Kind:
    match after:
        case Base.UNKNOWN:
            return Kind.UNBASED
        case Base.PROVISIONAL:
            return Kind.BASED
        case Base.BOUNDED:
            return Kind.DRIFT if before is Base.PROVEN else Kind.BOUNDED
        case Base.PROVEN:
            looked_up = Kind.ADOPTED if before is Base.UNKNOWN else Kind.PROVEN
            return Kind.DRIFT if before is Base.PROVEN else looked_up


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long changes are kept: one by one for `fold_days`, by days up to `keep_days`, after that in the opening.

    -1 `fold_days` folds today's too. `lasting`: drift, foreign writers and vanished entries stay rows of their own.
    """

    fold_days: int
    keep_days: int
    lasting: bool = False

    def fold_before_ms(self, now_ms: int) -> int:
        """The beginning of the first day (UTC) that is told change by change."""
        return (now_ms // DAY_MS - self.fold_days) * DAY_MS

    def drop_before_ms(self, now_ms: int) -> int:
        """The beginning of the first day that is told at all."""
        return (now_ms // DAY_MS - self.keep_days) * DAY_MS


# Where the rows do not fit, each pass goes one step further: days are folded sooner first, and dropped sooner last.
STEPS = (
    Keeping(30, 400, lasting=True),
    Keeping(7, 400),
    Keeping(1, 400),
    Keeping(0, 400),
    Keeping(0, 200),
    Keeping(0, 90),
    Keeping(0, 30),
    Keeping(0, 7),
    Keeping(-1, 1),
)
EASED_SHARE = 0.7


def next_step(step: int, rows: int, most_rows: int) -> int:
    """How far the next pass goes, after one that ended with so many rows."""
    if rows > most_rows:
        return min(step + 1, len(STEPS) - 1)
    return step - 1 if step > 0 and rows < most_rows * EASED_SHARE else step


def folded(
    changes: Sequence[Change], keeping: Keeping, now_ms: int, *, from_start: bool = True
) -> list[Change]:
    """A key's rows, oldest first, as they are kept from now on: fewer or the same, with the same sum and the same end.

    `from_start`: the rows begin with the key's first one; others are dropped into no opening. Done twice it changes nothing
    more.
    """
    times = list(_times(changes, now_ms))
    dated = [replace(change, at_ms=at_ms) for change, at_ms in zip(changes, times, strict=True)]
    drop_before_ms = keeping.drop_before_ms(now_ms)
    start = 0
    if from_start:
        while start < len(changes) and (changes[start].n == 0 or times[start] < drop_before_ms):
            start += 1
    kept: list[Change] = []
    if start:
        kept.append(changes[0] if changes[0].n == 0 and start == 1 else _merged(dated[:start], Kind.OPENING))
    for day, found in groupby(
        range(start, len(changes)), lambda at: _day_to_fold(changes[at], times[at], keeping, now_ms)
    ):
        group = list(found)
        kept += (
            [changes[at] for at in group] if day is None else [_merged([dated[at] for at in group], Kind.DAY)]
        )
    return kept


def _day_to_fold(change: Change, at_ms: int, keeping: Keeping, now_ms: int) -> int | None:
    """The day that a change is folded into, None where it stays a row of its own."""
    if at_ms >= keeping.fold_before_ms(now_ms) or (keeping.lasting and change.kind in LASTING):
        return None
    return at_ms // DAY_MS


def _times(changes: Sequence[Change], now_ms: int) -> Iterator[int]:
    """When each change was at the latest: a clock that was wrong for a while neither drops what is young nor keeps the old.

    What claims to be of a day to come is as old as the next one that does not; no change is older than the one before it.
    """
    told: list[int] = []
    following = now_ms
    for change in reversed(changes):
        following = change.at_ms if change.at_ms <= now_ms + DAY_MS else following
        told.append(following)
    newest = 0
    for at_ms in reversed(told):
        newest = max(newest, at_ms)
        yield newest


def _merged(changes: Sequence[Change], kind: Kind) -> Change:
    last = changes[-1]
    if len(changes) == 1 and kind is Kind.DAY:
        return last
    return replace(
        last,
        kind=kind,
        delta=sum(change.delta for change in changes),
        count=sum(change.count for change in changes),
        op_id="",
        who="",
        n=0 if kind is Kind.OPENING else last.n,
    )


@dataclass(frozen=True, slots=True)
class Folding:
    """One step of folding: how many rows there are now, which of STEPS holds, and whether it was the last of its pass."""

    rows: int
    step: int
    ended: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on a key's timeline that moved nothing applied: an order was placed, a case opened or closed."""

    at_ms: int
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A key's history in one look. `changes`: those asked for, oldest first, without the opening.

    `rows`: how many there are beside the opening; `deltas`: what all of them come to. `drifts`: the newest corrections by
    clean reads, newest first, of `drift_count` that still stand as rows of their own.
    """

    key: StockKey
    current: int | None
    opening: Change | None
    rows: int
    deltas: int
    changes: tuple[Change, ...]
    marks: tuple[Mark, ...] = ()
    drifts: tuple[Change, ...] = ()
    drift_count: int = 0

    @property
    def opened_with(self) -> int:
        """The opening's value, 0 without one."""
        return 0 if self.opening is None else self.opening.delta

    @property
    def adds_up(self) -> bool:
        """Whether opening and deltas come to what is applied."""
        return self.opened_with + self.deltas == (self.current or 0)
