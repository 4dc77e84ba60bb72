"""What the store tells of its state: plain values for the loops and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from archsyncd.domain.cases import Case
from archsyncd.domain.inventory import MessageCursor, StockKey
from archsyncd.domain.kits import Components
from archsyncd.domain.outbox import OutboxRow


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The lineage of one database file. `run` counts how often it was opened.

    `project` and `host` are where it was made; `rules` is the fingerprint of the rules its targets were reckoned by, empty
    while they are reckoned anew. `mapping`: under which mapping orders were counted (Rules.mapping). `in_force`: the policies
    that the targets go by (policies_text), empty before the first.
    """

    id: str
    project: str
    host: str
    created_ms: int
    run: int
    rules: str = ""
    mapping: str = ""
    in_force: str = ""


@dataclass(frozen=True, slots=True)
class FeedState:
    """Where a feed stands. `sign_ms`: last sign of life; `record_ms`: last record. UTC milliseconds of our clock."""

    name: str
    checkpoint: str | None = None
    epoch: int = 0
    seq: int = 0
    head_seq: int | None = None
    head_at: str | None = None
    sign_ms: int | None = None
    record_ms: int | None = None
    snapshot_due: str | None = None
    last_full_records: int | None = None
    read_total: int = 0
    applied_total: int = 0
    stale_total: int = 0
    rejected_total: int = 0


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """A checkpoint that a feed stood at; `at_ms`: when (UTC milliseconds)."""

    at_ms: int
    checkpoint: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list of commercetools. `complete_ms`: orders are known completely up to this server time."""

    name: str
    place: MessageCursor
    complete_ms: int


@dataclass(frozen=True, slots=True)
class Resync:
    """A key whose level must be read or sent again."""

    feed: str
    sku: str
    location: str


@dataclass(frozen=True, slots=True)
class LookupDue:
    """An order that Archean is to be asked about. `sought_ms`: since when some piece of it is unproven."""

    order_id: str
    number: str | None
    accepted_ms: int | None
    sought_ms: int
    order_state: str
    created_ms: int


# The steps of age in which waiting keys are told, in seconds; the last count is of those older than all of them.
AGE_STEPS_SECONDS = (5, 30, 60, 300, 900, 3_600)


# More need not be counted to say that there is work.
UNLOOKED_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Waiting keys by class: how many, and since when the oldest waits.

    `doubts`: writes whose outcome is not known, and since when the change of the oldest waits. `unlooked`: keys whose entry
    was not looked at yet, counted up to UNLOOKED_LIMIT.
    """

    classes: Mapping[int, tuple[int, int]]
    doubts: tuple[int, int | None] = (0, None)
    unlooked: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes: of the database and of its log, free on its file system, and below how many nothing more is read."""

    database_bytes: int
    log_bytes: int
    free_bytes: int
    floor_bytes: int


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A key that is not as it should be: what it shows by our books, and what it should."""

    key: StockKey
    applied: int | None
    x_target: int
    known: int
    base: str
    entry_id: str | None
    parked: str | None
    due_class: int | None


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """How many keys there are, and how many are not in step, each for one reason.

    `to_write`: a change waits or is under way. `to_read`: it waits for a clean read of its entry. `parked`: nothing is written.
    """

    total: int = 0
    to_write: int = 0
    to_read: int = 0
    parked: int = 0

    @property
    def out_of_step(self) -> int:
        """Keys whose entry is not, or is not proven to be, what it should be."""
        return self.to_write + self.to_read + self.parked


@dataclass(frozen=True, slots=True)
class KeyStory:
    """Everything known of one SKU. `levels`, `lines`, `proofs` and `heads` are rows in the order of their queries.

    `shelf`: levels of components, where it is a kit; `beside`: rows of other keys that sell the same pieces. `debts`: channel,
    SKU and the pieces owed beyond a part; `waits`: who waits for whom, with the pieces these hold and since when. `handed`: by
    order and line, what kits' lines were handed over as; `taken`: its keys that such lines take pieces of.
    """

    sku: str
    levels: tuple[tuple[Any, ...], ...]
    rows: tuple[OutboxRow, ...]
    lines: tuple[tuple[Any, ...], ...]
    cases: tuple[Case, ...]
    proofs: tuple[tuple[Any, ...], ...] = ()
    heads: tuple[tuple[Any, ...], ...] = ()
    shelf: tuple[tuple[Any, ...], ...] = ()
    beside: tuple[OutboxRow, ...] = ()
    debts: tuple[tuple[Any, ...], ...] = ()
    waits: tuple[tuple[Any, ...], ...] = ()
    answered: tuple[tuple[Any, ...], ...] = ()
    handed: Mapping[tuple[str, str], Components] = field(default_factory=dict)
    taken: frozenset[StockKey] = frozenset()
