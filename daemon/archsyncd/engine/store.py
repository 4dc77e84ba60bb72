"""The store as the loops see it, part by part; each step may raise StoreFull, StoreBroken or FencedOff."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from archsyncd.domain.cases import Case, CaseKind, NewCase
from archsyncd.domain.feed import (
    Batch,
    FileNews,
    KeyReading,
    OrderLookup,
    Outcome,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
)
from archsyncd.domain.guard import GuardLimits, RuleFigures
from archsyncd.domain.inventory import Entry, Order, StockKey
from archsyncd.domain.lags import Lags
from archsyncd.domain.lookup import Unentered
from archsyncd.domain.outbox import Lease, OutboxRow
from archsyncd.domain.oversell import Owed
from archsyncd.domain.parts import Sending
from archsyncd.domain.priority import DueClass
from archsyncd.domain.reconciling import RaiseGuard
from archsyncd.domain.report import (
    Backlog,
    Cursor,
    FeedPlace,
    FeedState,
    KeyCounts,
    KeyStory,
    LedgerState,
    LookupDue,
    PlanRow,
    Resync,
    Room,
)
from archsyncd.domain.rules import Carrying, DrainLimits, LearnRules, Rules, SettleRules
from archsyncd.domain.settlement import Settled
from archsyncd.domain.snapshot import LevelChange, Snapshot
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.advices import Advices
from archsyncd.engine.alerts import Actions, Alerts, Mutes
from archsyncd.engine.handovers import Handovers
from archsyncd.engine.histories import Histories
from archsyncd.engine.reconciles import Reconciles
from archsyncd.engine.reporting import Reporting


class Feeds(Protocol):
    """What was read from Archean."""

    async def state(self, feed: str) -> FeedState:
        """Where a feed stands; a feed never heard of stands at its beginning."""
        ...

    async def locations(self) -> list[str]:
        """The locations of which something was told."""
        ...

    async def note_place(self, feed: str, checkpoint: str, keep_ms: int) -> None:
        """Remember that the feed stands here now, and forget what is older than `keep_ms`."""
        ...

    async def place_before(self, feed: str, at_ms: int) -> FeedPlace | None:
        """The last remembered place that the feed stood at by then."""
        ...

    async def first_place(self, feed: str) -> FeedPlace | None:
        """The earliest remembered place."""
        ...

    async def newest_epoch(self, feed: str) -> str | None:
        """The newest epoch seen of a feed, by the source's name for it."""
        ...

    async def told_skus(self, location: str, after: str, limit: int) -> list[str]:
        """SKUs of which something was told at a location, after one of them."""
        ...

    async def feeds_of(self, location: str) -> list[str]:
        """The feeds that told last of some SKU at a location."""
        ...

    async def states(self) -> list[FeedState]:
        """All feeds ever read."""
        ...

    async def record(self, batch: Batch) -> Outcome:
        """Merge a batch, keep its rejects and move the checkpoint, all or nothing."""
        ...

    async def record_again(self, batch: Batch) -> Outcome:
        """Merge a batch from an earlier place. Where the feed stands, and the head that it told, stay as they are."""
        ...

    async def await_file(self, feed: str, file: FileNews) -> None:
        """Tell people that a feed does not go on without a file, in the epoch that it stands in."""
        ...

    async def needs_snapshot(self, feed: str, cause: str | None) -> None:
        """Remember that a feed cannot go on without a snapshot, across restarts."""
        ...

    async def seen(self, feed: str, ids: Collection[str]) -> frozenset[str]:
        """Which of these pushed messages of a feed are remembered."""
        ...

    async def record_reading(self, reading: KeyReading, wanted: Resync | None = None) -> Outcome:
        """Merge the answer to a single-key read; `wanted`: what needed it, where that is another feed's."""
        ...

    async def resyncs(self, feed: str, asked_before_ms: int, limit: int) -> list[Resync]:
        """Keys of this feed whose level must be read or sent again."""
        ...

    async def resync_asked(self, feed: str, sku: str) -> None:
        """Remember when a key's level was asked for."""
        ...


class Snapshots(Protocol):
    """Staged, held and applied snapshots."""

    async def begin(self, head: SnapshotHead) -> str:
        """Open a staging place for a snapshot; its id here."""
        ...

    async def stage(self, feed: str, snapshot_id: str, page: SnapshotPage) -> None:
        """Keep a page apart."""
        ...

    async def assess(
        self,
        snapshot_id: str,
        end: SnapshotEnd,
        read: int,
        rejected: int,
        limits: GuardLimits,
        *,
        resumes: bool,
        absent: str = "report",
        among_records: bool = False,
        keeps_place: bool = False,
    ) -> Snapshot:
        """Judge a snapshot read to its end: applying, held or rejected. `absent`: what its absent keys will come to.

        `among_records`: it came in parts between records, so newer ones were applied before it by right.
        `keeps_place`: see SnapshotHead.
        """
        ...

    async def apply(
        self, snapshot: Snapshot, absent: str, beat: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Apply a snapshot, a bounded number of items a transaction; safe to repeat after a crash. `beat`: each step."""
        ...

    async def unfinished(self) -> Sequence[Snapshot]:
        """Snapshots that are to be applied and are not yet, the oldest first."""
        ...

    async def listed(self, limit: int = 50) -> Sequence[Snapshot]:
        """The newest snapshots."""
        ...

    async def largest_changes(self, snapshot: Snapshot, most: int) -> Sequence[LevelChange]:
        """The levels that a snapshot which is kept would move the furthest."""
        ...

    async def decide(self, snapshot: Snapshot, note: str, *, approve: bool) -> bool:
        """Carry out a person's decision on a held snapshot; False when it is no longer held."""
        ...


class Parts(Protocol):
    """Snapshots that come in parts among the records of a feed; recording a batch keeps its parts."""

    async def whole(self, feed: str) -> Sending | None:
        """The oldest one of which nothing is missing any more."""
        ...

    async def page_after(self, sending: Sending, part: int) -> tuple[int, SnapshotPage] | None:
        """Its next part: the number and the items; None behind the last."""
        ...

    async def taken(self, sending: Sending) -> None:
        """It was judged, whatever came of it: its parts are dropped."""
        ...

    async def give_up(self, feed: str, timeout_seconds: float) -> int:
        """Drop those that are not whole after so long, each an exception; how many."""
        ...


class Outbox(Protocol):
    """Leases, settlements, bases, checks."""

    async def lease(self, limits: DrainLimits, limit: int) -> list[Lease]:
        """Take due keys in drain order; their intents are durable when this returns."""
        ...

    async def settle(self, settled: Sequence[Settled], rules: SettleRules) -> None:
        """Book what became of operations. One that cannot be booked stays in doubt and takes no other with it."""
        ...

    async def doubt_leased(self) -> int:
        """Have the entry read of every operation that is in flight and that nobody holds any more; how many."""
        ...

    async def due_count(self, limits: DrainLimits, at_most: int) -> int:
        """How many keys may be leased now, counted up to a bound."""
        ...

    async def increases_waiting(self, paused: Collection[str]) -> int:
        """How many increases wait, but for those of paused channels."""
        ...

    async def most_urgent(self, limits: DrainLimits) -> DueClass | None:
        """The class of the key that would be leased first; None when nothing is due now.

        An increase that has waited its time is as urgent as a decrease.
        """
        ...

    async def in_doubt(self, limit: int) -> list[OutboxRow]:
        """Rows whose operation has an unknown outcome and may be resolved now."""
        ...

    async def rows(self, keys: Iterable[StockKey]) -> dict[StockKey, OutboxRow]:
        """Outbox rows by key."""
        ...

    async def unknown_bases(self, after: StockKey | None, limit: int) -> list[OutboxRow]:
        """Rows whose entry was never looked at, after a key."""
        ...

    async def unknown_again_ms(self) -> int | None:
        """When the next of those rows may be looked up, in monotonic milliseconds; None: there is none."""
        ...

    async def book_lookups(
        self,
        entries: Sequence[Entry],
        creatable: Collection[StockKey],
        withheld: Collection[Unentered],
        rules: SettleRules,
    ) -> None:
        """Book what look-ups of unknown keys found."""
        ...

    async def free(self, reason: str, note: str, scope_name: str = "") -> int:
        """Let keys parked for a reason go on (in one channel where named); how many."""
        ...

    async def free_key(self, key: StockKey) -> None:
        """Let one key go on, as a person asked."""
        ...

    async def check_now(self, key: StockKey) -> bool:
        """Have a key's entry read once more; False when there is no such key."""
        ...

    async def plan_checks(self, after: StockKey | None, limit: int) -> StockKey | None:
        """Have the entries of the next keys read once more; the key to go on from, None at the end."""
        ...

    async def checks_due(self, limit: int) -> list[OutboxRow]:
        """Rows whose entry is to be read once more."""
        ...

    async def book_reads(self, entries: Sequence[Entry], missing: Collection[StockKey]) -> None:
        """Book entries read for a check."""
        ...

    async def put_off_checks(self, keys: Collection[StockKey], delay_ms: int) -> None:
        """Entries that could not be read for their check: again after so long."""
        ...

    async def judge_reads(
        self, complete_ms: int, lag_ms: int, limit: int, guard: RaiseGuard | None = None
    ) -> tuple[int, int]:
        """Judge pending reads; how many were proven, how many must be read again. `guard`: None holds no raise."""
        ...


class Orders(Protocol):
    """What is known of orders."""

    async def learn(self, orders: Sequence[Order], rules: LearnRules, cursor: Cursor | None = None) -> int:
        """Take orders in and move the cursor with them; how many were new."""
        ...

    async def known_orders(self, ids: Iterable[str]) -> dict[str, int]:
        """Versions of orders that are known; a folded one has the highest possible."""
        ...

    async def forget(self, order_id: str) -> None:
        """An order was deleted in commercetools."""
        ...

    async def cursor(self, name: str) -> Cursor:
        """A place in one of commercetools' lists."""
        ...

    async def lookups_due(self, limit: int) -> list[LookupDue]:
        """Orders with lines unproven for so long that Archean is asked."""
        ...

    async def unproven_lines(self, order_ids: Collection[str]) -> Mapping[str, Sequence[StockKey]]:
        """Keys in which lines of these orders are not yet fully reflected; a proven order is not named."""
        ...

    async def next_lookups(self, due: Mapping[str, int]) -> None:
        """When orders are asked for next."""
        ...

    async def settle_lookups(self, order_ids: Collection[str]) -> frozenset[str]:
        """Ask no more for those of these orders that are proven by now; which they are."""
        ...

    async def sources_of(self, order_id: str) -> frozenset[str]:
        """The feeds whose levels count where this order does; "" where nobody has told a level of a location yet."""
        ...

    async def accepted_by(self, order_id: str) -> frozenset[str]:
        """The feeds that have told of an acceptance of this order's lines."""
        ...

    async def book_order_lookups(self, answers: Sequence[tuple[str, str, OrderLookup]]) -> None:
        """Book what Archean says of orders when asked: order id, feed and answer."""
        ...

    async def book_fresh_read(self, orders: Mapping[str, bool], reading: KeyReading) -> None:
        """A linearizable read of a SKU begun after acceptances were known: it excludes what was accepted from there on.

        The reading's levels are recorded before this. By order: whether it is known as accepted as it is; else what its
        source told of before, line by line.
        """
        ...

    async def settle_as_stated(self, order_ids: Collection[str]) -> None:
        """The site states that Archean's figures exclude these orders: none of their lines needs a proof any more."""
        ...

    async def release(self, order_id: str) -> None:
        """An order that Archean does not know and commercetools has cancelled takes nothing from the warehouse."""
        ...

    async def refresh_due(self, limit: int) -> list[str]:
        """Open orders to be read again or folded."""
        ...

    async def refresh_soon(self) -> None:
        """Have every open order read again: something was told of one of them, and nobody knows what."""
        ...

    async def fold(self, order_ids: Sequence[str], refresh_due_ms: int, young: Collection[str] = ()) -> int:
        """Fold what is done for good among these orders, the young ones never; how many. The rest is looked at again then."""
        ...

    async def tidy(self, closed_orders_before_ms: int) -> None:
        """Drop what no source can speak of any more."""
        ...


class Cases(Protocol):
    """Exceptions."""

    async def open(self, case: NewCase) -> None:
        """Open an exception or count it again."""
        ...

    async def resolve(
        self, kind: CaseKind, scope_name: str, subject: str, note: str, code: str | None = None
    ) -> None:
        """Close an exception whose cause is gone; with a code only if it is open for that."""
        ...

    async def close(self, case_id: int, state: str, note: str) -> bool:
        """Close a case as a person decided; False when it is not open."""
        ...

    async def listed(
        self, *, state: str = "open", kind: str = "", subject: str = "", after: int = 0, limit: int = 100
    ) -> list[Case]:
        """Exceptions by state and kind, oldest first, after an id."""
        ...

    async def find(self, case_id: int) -> Case | None:
        """One exception."""
        ...

    async def counts(self) -> Mapping[str, tuple[int, int, int]]:
        """Open exceptions by kind: cases, occurrences, first seen (UTC milliseconds)."""
        ...

    async def apply_held_level(self, case: Case) -> bool:
        """Apply a level that was held above the maximum, exactly as it came; False when it is superseded."""
        ...


class Reports(Protocol):
    """Looks that change nothing."""

    async def backlog(self) -> Backlog:
        """Waiting keys by class, writes in doubt, and keys not looked at yet."""
        ...

    async def parked(self) -> Mapping[str, int]:
        """Parked keys by reason. Counts every one of them: not for each second."""
        ...

    async def key_counts(self) -> KeyCounts:
        """How many keys there are, and how many are not in step, and why. Counts every row: not for each second."""
        ...

    async def order_counts(self) -> tuple[int, int | None]:
        """Orders that are not done yet, and the oldest one's creation time."""
        ...

    async def plan(self, after: StockKey | None, limit: int) -> list[PlanRow]:
        """Keys that are not as they should be: what would be written."""
        ...

    async def story(self, sku: str) -> KeyStory:
        """Everything known of one SKU: levels, rows, lines, open cases."""
        ...

    async def digest(self) -> str:
        """A digest of the state that records and orders lead to, free of times and of what was sent."""
        ...


class Health(Protocol):
    """What tells whether the data is to be trusted; each look is bounded."""

    async def begin(self, now_ms: int) -> None:
        """Locations that were told before this was noted count as told now; those that are not sold any more are forgotten."""
        ...

    async def told(self) -> Mapping[str, Mapping[str, int]]:
        """By location, when each feed last told a level of it, in UTC milliseconds."""
        ...

    async def beyond(self, after: StockKey | None, limit: int) -> tuple[Sequence[Owed], StockKey | None]:
        """Keys whose entry should stand below nothing, after a key: where more may be ordered than is there.

        And the key to go on after, None at the end.
        """
        ...

    async def untold(self, keys: Collection[StockKey]) -> frozenset[StockKey]:
        """Those of these SKUs of which no level was ever told at a location of the channel."""
        ...

    async def owed(self, keys: Collection[StockKey]) -> Mapping[StockKey, Owed]:
        """What these keys owe and have; one that is not sold any more is not named."""
        ...

    async def untracked(self) -> tuple[int, int]:
        """Open lines that commercetools does not count itself, and their pieces."""
        ...

    def room(self) -> Room:
        """The database's size and the room that is left for it."""
        ...


class Store(Protocol):
    """The store whole."""

    @property
    def feeds(self) -> Feeds:
        """Feeds."""
        ...

    @property
    def snapshots(self) -> Snapshots:
        """Snapshots."""
        ...

    @property
    def parts(self) -> Parts:
        """Snapshots sent in parts."""
        ...

    @property
    def outbox(self) -> Outbox:
        """The outbox."""
        ...

    @property
    def orders(self) -> Orders:
        """Orders."""
        ...

    @property
    def handovers(self) -> Handovers:
        """Orders on their way."""
        ...

    @property
    def advices(self) -> Advices:
        """What Archean advises of goods."""
        ...

    @property
    def reconciles(self) -> Reconciles:
        """Comparisons of the whole inventory."""
        ...

    @property
    def lags(self) -> Lags:
        """How long orders and dispatches took of late: `handed_over`, `booked`."""
        ...

    def carry(self, carrying: Carrying | None) -> None:
        """Carry orders to Archean and their dispatches back by these rules from now on; None: another system does."""
        ...

    @property
    def cases(self) -> Cases:
        """Exceptions."""
        ...

    @property
    def alerts(self) -> Alerts:
        """What people are told."""
        ...

    @property
    def mutes(self) -> Mutes:
        """What people have muted."""
        ...

    @property
    def actions(self) -> Actions:
        """What people did."""
        ...

    @property
    def report(self) -> Reports:
        """Looks that change nothing."""
        ...

    @property
    def health(self) -> Health:
        """What tells whether the data is to be trusted."""
        ...

    @property
    def history(self) -> Histories:
        """What changed what is applied of each key."""
        ...

    @property
    def reporting(self) -> Reporting:
        """What people's reports ask."""
        ...

    @property
    def ledger(self) -> LedgerState:
        """The lineage of the store."""
        ...

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        ...

    async def fence(self) -> int:
        """The highest fence this store was held under or has seen."""
        ...

    async def take_tenure(self, tenure: Tenure) -> int:
        """Hold the store under this tenure; how many operations are in doubt. Raises FencedOff for a newer fence."""
        ...

    async def saw_tenure(self, newer: Tenure) -> None:
        """Remember a newer tenure: this one may write nothing any more, and the next begins above it."""
        ...

    async def begin_rules(self, rules: Rules) -> None:
        """Reckon by new rules what is merged from now on."""
        ...

    async def assess_rules(self, rules: Rules, beat: Callable[[], None] = lambda: None) -> RuleFigures | None:
        """What other policies would do to every key; None when there are none before them. Nothing is changed."""
        ...

    async def forget_past(self, orders_complete_ms: int, beat: Callable[[], None] = lambda: None) -> bool:
        """Forget what was sold where by earlier rules once all of that is settled; whether there is nothing left to wait for.

        `orders_complete_ms`: orders are known completely up to then, by commercetools' clock.
        """
        ...

    async def use_rules(self, rules: Rules, beat: Callable[[], None] = lambda: None) -> int:
        """Put new rules in force and recompute every key; how many targets changed. `beat`: each step."""
        ...

    async def mend_times(self) -> None:
        """Bring back times that an earlier, wrong clock put out of reach."""
        ...
