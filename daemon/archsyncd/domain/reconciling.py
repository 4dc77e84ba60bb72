"""Comparing the whole inventory with the ledger: what one listed entry says of its key, and how much may be raised unasked.

A comparison is a screen and corrects nothing: what looks wrong is read once more by its id and judged by the guards of the
ledger. Pure: it knows no listing, no store, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from enum import StrEnum

from archsyncd.domain.inventory import Entry, EntryFault
from archsyncd.domain.ledger import Base, drift, signature
from archsyncd.domain.outbox import OutboxRow

DAY_MS = 24 * 3600 * 1000
HELD_CODE = "raises-held"
HELD_SCOPE, HELD_SUBJECT = "reconcile", "raises held"
NO_CHANNEL = "no-channel"
# Beyond every id of an entry: the place of a run that has judged everything.
END = "\U0010ffff"


class Mode(StrEnum):
    """Whether what is found is corrected, or only listed."""

    DRY_RUN = "dry-run"
    APPLY = "apply"


class RunState(StrEnum):
    """How far a run has come. STOPPED: a person ended it; FAILED: commercetools refuses to list entries."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Found(StrEnum):
    """What was found of a key or an entry; the names are part of the contract with reports.

    BUSY: orders or a write of ours around the read leave it open. UNPROVEN: its base waits for a clean read anyway.
    """

    AGREES = "agrees"
    BUSY = "busy"
    UNPROVEN = "unproven"
    TOO_MANY = "too-many"
    TOO_FEW = "too-few"
    FOREIGN = "foreign"
    MISSING = "missing"
    RESTOCKABLE = "restockable"
    UNREADABLE = "unreadable"
    NO_CHANNEL = NO_CHANNEL
    UNMANAGED = "unmanaged"
    UNKNOWN_CHANNEL = "unknown-channel"


# What is as it should be, or will be known in its turn: counted, and not listed one by one.
UNLISTED = frozenset({Found.AGREES, Found.BUSY, Found.UNPROVEN})
# What this run could not judge: nobody may take these for right.
UNDECIDED = frozenset({Found.BUSY, Found.UNPROVEN})
# What makes a key's entry be read once more by its id.
DIFFERING = frozenset({Found.TOO_MANY, Found.TOO_FEW, Found.FOREIGN, Found.MISSING})


@dataclass(frozen=True, slots=True)
class Compared:
    """What one entry says of its key. `off`: pieces that it shows beyond what our writes and the known orders explain."""

    found: Found
    expected: int | None = None
    off: int = 0


def compared(row: OutboxRow, entry: Entry, later: int, *, around: bool, tracked: bool) -> Compared:
    """Compare an entry with its row, which may have moved on since the entry was listed.

    `later`: tracked pieces of the key ordered after the read. `around`: some order of it lies so near to the read that
    nobody can say whether it shows. Untracked no order ever moves an entry, and what we wrote is what it must show.
    """
    if row.base is Base.UNKNOWN or row.entry_id is None or row.x_applied is None:
        return Compared(Found.UNPROVEN)
    if row.op_id is not None or entry.version < (row.version or 0):
        return Compared(Found.BUSY)
    if entry.id != row.entry_id:
        return Compared(Found.FOREIGN)
    if not tracked:
        return _by_difference(entry.quantity_on_stock - row.x_applied, row.x_applied)
    if row.seen is not None and row.seen != signature(entry.marker):
        return Compared(Found.FOREIGN)
    if row.base is not Base.PROVEN:
        return Compared(Found.UNPROVEN)
    known = row.known - later
    off = drift(entry.quantity_on_stock, row.x_applied, known)
    if around:
        return Compared(Found.BUSY, row.x_applied - known, off)
    return _by_difference(off, row.x_applied - known)


def _by_difference(off: int, expected: int) -> Compared:
    found = Found.TOO_MANY if off > 0 else Found.TOO_FEW if off < 0 else Found.AGREES
    return Compared(found, expected, off)


@dataclass(frozen=True, slots=True)
class Stray:
    """An entry of no channel that the project has, or of none at all (`channel_id` None)."""

    id: str
    sku: str
    channel_id: str | None
    quantity: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the inventory in the order of entry ids, after the id `after` ("": from the first).

    `last`: the id to go on from, the highest of the page. `full`: the limit was reached, more may follow. `ordered`: the ids
    rise, so that a key whose entry's id lies between `after` and `last` and is not among them has no such entry.
    """

    after: str
    entries: tuple[Entry, ...]
    strays: tuple[Stray, ...]
    faults: tuple[EntryFault, ...]
    last: str
    full: bool
    ordered: bool
    server_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is to compare: everything, or one channel, or one SKU ("" each: no bound). `cause`: nightly or operator."""

    mode: Mode
    cause: str = "operator"
    channel: str = ""
    sku: str = ""

    @property
    def whole(self) -> bool:
        """Whether it walks the whole inventory."""
        return not self.channel and not self.sku


@dataclass(frozen=True, slots=True)
class Run:
    """A run as kept. `after`: entries up to this id are judged. `keys`: keys there were when it began. Times in UTC milliseconds.

    `totals`: keys and pieces off by (channel, what was found).
    """

    id: int
    wanted: Wanted
    state: RunState
    began_ms: int
    after: str = ""
    keys: int = 0
    pages: int = 0
    entries: int = 0
    planned: int = 0
    ended_ms: int | None = None
    reason: str = ""
    totals: Mapping[tuple[str, Found], tuple[int, int]] = field(default_factory=dict)

    def counted(self, *kinds: Found) -> int:
        """Keys of which this was found, over all channels."""
        return sum(keys for (_, found), (keys, _) in self.totals.items() if found in kinds)

    @property
    def differing(self) -> int:
        """Keys that are not as they should be."""
        return self.counted(*DIFFERING)

    @property
    def undecided(self) -> int:
        """Keys of which it could not be said whether they are as they should be."""
        return self.counted(*UNDECIDED)


@dataclass(frozen=True, slots=True)
class RunFinding:
    """One thing that a run found. `number` orders those of a run. `channel`: its key, or its id where it has no key here."""

    number: int
    found: Found
    channel: str
    sku: str
    entry_id: str
    shown: int | None
    expected: int | None
    says: str


@dataclass(frozen=True, slots=True)
class RaiseGuard:
    """How many keys may be raised within a day because their entries showed too few: `least`, or a share of all keys."""

    least: int = 20
    permille: int = 5

    def limit(self, keys: int) -> int:
        """The limit for so many keys."""
        return max(self.least, keys * self.permille // 1000)


def next_at(after_ms: int, at: time, zone: tzinfo | None = None) -> int:
    """When a clock of the zone (None: the host's) next shows `at`, in UTC milliseconds after `after_ms`."""
    here = datetime.fromtimestamp(after_ms / 1000, zone)
    for days in range(3):
        due = datetime.combine(here.date() + timedelta(days=days), at, zone)
        due_ms = int(due.timestamp() * 1000)
        if due_ms > after_ms:
            return due_ms
    return after_ms + DAY_MS
