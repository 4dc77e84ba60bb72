"""The narrow protocols the loops talk through. Adapters implement them; nothing here performs I/O."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from archsyncd.domain.audit import SkuPage
from archsyncd.domain.booking import OrderAction
from archsyncd.domain.feed import (
    Batch,
    FileNews,
    KeyReading,
    OrderLookup,
    Outcome,
    SnapshotDue,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
    SnapshotStatus,
)
from archsyncd.domain.handover import BookedDispatch, CancelAnswer, Objection, PlacedLine, Taken
from archsyncd.domain.inventory import (
    EntryPage,
    EntryWrite,
    Failure,
    MarkerType,
    MessageCursor,
    MessagePage,
    Order,
    OrderPage,
    Project,
    StockKey,
    SupplyChannel,
    TenureRecord,
    WriteAnswer,
)
from archsyncd.domain.notices import Notice
from archsyncd.domain.reconciling import Listing
from archsyncd.domain.tenure import Tenure
from archsyncd.domain.whole_order import WholeOrder, WholePage


class Clock(Protocol):
    """Time, passed in. `wall_ms` is for display and ages, `monotonic` for every wait and order of work."""

    def wall_ms(self) -> int:
        """UTC milliseconds since 1970; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so long (0 gives way once)."""
        ...


class FeedFault(Exception):
    """A source cannot be read now. Carries what the loop must know to wait, snapshot or alarm."""

    def __init__(
        self,
        reason: str,
        *,
        blind: bool = False,
        retry_after_seconds: float | None = None,
        answered: bool = False,
        unreached: bool = False,
        awaits: FileNews | None = None,
        again_seconds: float | None = None,
    ) -> None:
        """`blind`: refused credentials, a person must act; else it is tried again with backoff.

        `awaits`: the file without which the feed does not go on. `again_seconds`: to look again costs nothing, so it is done
        after so long, and no later the longer it lasts.

        `answered`: the source is there, and only what it says of this one thing is of no use. `unreached`: no byte of the
        request can have arrived.
        """
        super().__init__(reason)
        self.reason = reason
        self.blind = blind
        self.answered = answered
        self.unreached = unreached
        self.retry_after_seconds = retry_after_seconds
        self.awaits = awaits
        self.again_seconds = again_seconds


class OtherTerms(FeedFault):
    """Something was translated by other names or units of SKUs than are in force: nothing of it was stored."""

    def __init__(self, what: str) -> None:
        """`what` was translated so."""
        super().__init__(f"{what} came while the names or units of SKUs were changed; it is read again")


class SecretFault(Exception):
    """A credential cannot be used now. The text names it and says what to do, never what stands in it."""


class StoreBroken(Exception):
    """The database cannot be trusted or used any more in this process; only a restart may go on."""


class StoreNewer(StoreBroken):
    """The file was written by a newer version of this program."""


class StoreTracked(Exception):
    """The file counts orders that commercetools took from its entries; absolute figures would put them back on sale."""


class StoreFull(Exception):
    """No room on the disk: nothing was stored. Whoever reads must stop reading until there is room again."""


class StoreBusy(StoreFull):
    """Another process holds the database locked: nothing was stored; try again, as with no room."""


class AuditLost(Exception):
    """The last audit cannot be read any more; a new one can be made."""


class FencedOff(Exception):
    """Another tenure holds this store: this process may not write any more."""

    def __init__(self, reason: str, newer: Tenure | None = None) -> None:
        """`newer`: the tenure whose marker says so, where it was met outside the store."""
        super().__init__(reason)
        self.newer = newer


class SnapshotSource(Protocol):
    """One snapshot being read: head first, then pages, then the trailer, then what became of it."""

    async def head(self) -> SnapshotHead:
        """Say what the snapshot is. Raises FeedFault."""
        ...

    def pages(self) -> AsyncIterator[SnapshotPage]:
        """Yield the items, a bounded number at a time. Raises FeedFault when the snapshot is cut off."""
        ...

    def end(self) -> SnapshotEnd:
        """Tell the trailer; valid after `pages` is exhausted."""
        ...

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Tell the source what became of it (a drop receipt); durable before it returns."""
        ...


class HeldReceipts(Protocol):
    """Where a source reads what became of its fulls, also of those that were held."""

    @property
    def holds(self) -> bool:
        """Whether the source was told of a full that it is held."""
        ...

    async def decided(self, epoch: str, seq_at: int, status: SnapshotStatus, outcome: Outcome) -> None:
        """Tell what became of a held full, by the place that it stands at; any other is passed over. Raises FeedFault."""
        ...


class Feed(Protocol):
    """One source of Archean records.

    It is built with a beat, which it calls while it reads: at least once within `step_seconds` and a little, also while
    there is nothing to tell (an empty directory, a snapshot that is not ready).
    """

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        ...

    @property
    def step_seconds(self) -> float:
        """How long one step (a request and its answer) may take by right; one that takes longer hangs."""
        ...

    def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what follows the checkpoint `after` (None: from the oldest the source keeps), for ever.

        An empty Batch is a sign of life and moves the checkpoint. After SnapshotDue the iterator ends.
        A SnapshotSource is a full file met in sequence. Raises FeedFault.
        """
        ...

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        """Tell the source that everything up to `checkpoint` is durable here. Called only after the commit."""
        ...

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        """Ask for a snapshot; None when this source cannot be asked (a drop waits for a full file)."""
        ...

    async def read_key(self, sku: str) -> KeyReading | None:
        """Read one SKU's levels at all locations now; None when the source offers no such read. Raises FeedFault."""
        ...

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Ask for an order by commercetools id or number; None when unknown there. Raises FeedFault."""
        ...

    @property
    def offers_lookup(self) -> bool:
        """Whether `look_up_order` and `read_key` can be asked of this source at all."""
        ...

    async def close(self) -> None:
        """Release connections, handles and watches."""
        ...


class Notices(Protocol):
    """Notifications of what happened in commercetools; at least once, in any order."""

    @property
    def step_seconds(self) -> float:
        """How long one step may take by right."""
        ...

    async def take(self) -> Sequence[Notice]:
        """Wait for some; empty when none came in the time that the queue waits. Raises FeedFault."""
        ...

    async def done(self, notices: Sequence[Notice]) -> None:
        """What they told of is durable here, or of no use. Raises FeedFault; they may come again then."""
        ...

    async def close(self) -> None:
        """Give back what is not done, and release connections."""
        ...


class OrderDesk(Protocol):
    """Where a source takes orders (r247/1, section 9). A fault leaves open what became of a call, unless `unreached`."""

    @property
    def again_seconds(self) -> float:
        """How soon an answer that the source owes is looked for again."""
        ...

    def body(self, order: WholeOrder, lines: Sequence[PlacedLine]) -> str:
        """What the source is told of an order; kept as it is, so that a repeat is the same to the byte."""
        ...

    async def hand_over(self, order_id: str, body: str) -> OrderLookup | Objection:
        """Give an order to the source under its commercetools id; "received" where it answers later. Raises FeedFault."""
        ...

    async def answer(self, order_id: str, body: str) -> OrderLookup | Objection | None:
        """What the source has said since of an order it was given; None: nothing, or only a look-up tells. Raises FeedFault."""
        ...

    async def ask_to_cancel(self, order_id: str, reason: str) -> CancelAnswer:
        """Ask to cancel an order; asking again changes nothing and may bring the answer. Raises FeedFault."""
        ...

    async def acknowledge_dispatch(self, booked: BookedDispatch) -> Taken | Objection:
        """Tell that the storefront has booked a dispatch; telling again may bring the answer. Raises FeedFault."""
        ...


class Commercetools(Protocol):
    """commercetools, one HTTP request a call. Nothing raises for an answer: failures are values.

    Each call must have been given a place by the Budget before; calls that the client makes on its own account (tokens,
    the one replay after a 401) take theirs from the budget given to it.
    """

    async def write(self, write: EntryWrite) -> WriteAnswer:
        """One REST POST: create, increment or set one entry with its marker."""
        ...

    async def write_many(self, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
        """One GraphQL POST of aliased writes, a key at most once, answered in the order given or failed as a whole."""
        ...

    def use_channels(self, channels: Collection[SupplyChannel]) -> None:
        """Learn the project's channels; entries can be asked for and written only below known ones."""
        ...

    def split_keys(self, keys: Sequence[StockKey]) -> tuple[tuple[StockKey, ...], ...]:
        """Cut keys into look-ups whose URLs stay within bounds and whose answers fit one page."""
        ...

    async def entries_by_key(self, keys: Sequence[StockKey]) -> EntryPage | Failure:
        """Entries of these keys (one part of `split_keys`)."""
        ...

    async def entries_by_id(self, ids: Sequence[str]) -> EntryPage | Failure:
        """Entries by id, at most `entries_per_request`."""
        ...

    async def inventory(
        self, after_id: str, *, channel: str = "", sku: str = "", limit: int = 500
    ) -> Listing | Failure:
        """A page of all entries in the order of their ids, after one ("": from the first); of one channel or SKU only if told.

        It is a query and may lag: what it shows is looked at again before anything rests on it.
        """
        ...

    async def products(self, skus: Sequence[str]) -> frozenset[str] | Failure:
        """Which of these SKUs (at most 500) some product's current data carries."""
        ...

    async def catalogue(
        self, after_id: str | None, limit: int, *, counted: bool = False
    ) -> SkuPage | Failure:
        """SKUs of the next published products (at most 500) after an id, by id; a page without items is beyond the last.

        `counted`: how many there are is asked for as well, which may take the platform too long.
        """
        ...

    async def stocked(
        self, channel: str, after_id: str | None, limit: int, *, counted: bool = False
    ) -> SkuPage | Failure:
        """SKUs of the next entries (at most 500) of a known channel after an id, by id."""
        ...

    async def channels(self, after_id: str | None) -> tuple[tuple[SupplyChannel, ...], str | None] | Failure:
        """One page of channels and the id to go on from (None: no more)."""
        ...

    async def project(self) -> Project | Failure:
        """The project's settings."""
        ...

    async def marker_type(self) -> MarkerType | Failure:
        """The marker type as it is."""
        ...

    async def create_marker_type(self) -> MarkerType | Failure:
        """Create the marker type with its four fields."""
        ...

    async def extend_type(self, type_id: str) -> MarkerType | Failure:
        """Add our fields to a type that entries already use; the type is never replaced."""
        ...

    async def messages(
        self, after: MessageCursor | None, until: str | None, limit: int
    ) -> MessagePage | Failure:
        """Order messages after the cursor with createdAt ≤ `until` (None: no bound)."""
        ...

    async def newest_messages(self, since: str, limit: int) -> MessagePage | Failure:
        """Order messages with createdAt ≥ `since`, newest first: the fast head read without the lag."""
        ...

    async def orders_by_id(self, ids: Sequence[str]) -> OrderPage | Failure:
        """Orders by id through the query endpoint, which may lag: absent ones are read singly."""
        ...

    async def order(self, order_id: str) -> Order | Failure:
        """One order by id, strongly consistent."""
        ...

    async def whole_order(self, order_id: str) -> WholeOrder | Failure:
        """One order with everything that handing it over and booking its dispatch need, strongly consistent."""
        ...

    async def whole_orders(self, ids: Sequence[str]) -> WholePage | Failure:
        """Orders whole through the query endpoint, which may lag or leave some out; at most `ids_per_request`."""
        ...

    async def note_source_order(
        self, order_id: str, version: int, channel: str, source_order: str
    ) -> WholeOrder | Failure:
        """Note on the order under which number another system has it, under a channel's key; Conflict when it changed."""
        ...

    async def book_dispatch(
        self, order_id: str, version: int, actions: Sequence[OrderAction]
    ) -> WholeOrder | Failure:
        """Book what a dispatch makes of an order, all or none; Conflict when it has another version by now."""
        ...

    async def orders_created(
        self, after: MessageCursor | None, since: str, until: str, limit: int
    ) -> OrderPage | Failure:
        """Orders with since ≤ createdAt ≤ until after the cursor, by (createdAt, id)."""
        ...

    async def orders_open_before(
        self, after: MessageCursor | None, before: str, limit: int
    ) -> OrderPage | Failure:
        """Orders created before `before` that are not Complete or Cancelled, by (createdAt, id)."""
        ...

    async def read_tenure(self) -> TenureRecord | Failure | None:
        """The lease's Custom Object; None when there is none."""
        ...

    async def write_tenure(self, record: TenureRecord) -> TenureRecord | Failure:
        """Compare-and-set the lease on `record.version` (None: create); Conflict when somebody was first."""
        ...

    @property
    def ids_per_request(self) -> int:
        """How many ids fit the URL of one `…_by_id` call."""
        ...

    @property
    def entries_per_request(self) -> int:
        """How many ids fit one `entries_by_id` call; fewer for a while after such a call was refused."""
        ...
