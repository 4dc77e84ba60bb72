"""What a source tells us: records, the position each stands at, and the unreadable ones. Knows no payload format.

The record model is r247/1, section 1. Levels are absolute, movements relative; only levels (and movements that state
the balance after them) set a quantity. Orders and fulfilments are proofs for the ledger, never quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

INT64_MAXIMUM = 2**63 - 1
INT64_MINIMUM = -(2**63)
SKU_LIMIT_CHARACTERS = 256
ID_LIMIT_CHARACTERS = 128
PAYLOAD_LIMIT_BYTES = 4096


class Figure(StrEnum):
    """Which of Archean's figures is meant; the values are r247/1's field names."""

    ON_HAND = "onHand"
    AVAILABLE = "available"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in one feed. `epoch` is the ordinal of the source's epoch by first sight, `seq` its sequence number."""

    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Level:
    """`stock.level`: what one location holds of one SKU. A figure that is None was not stated.

    `unit`: what the source tells it in, None where it does not say. As it was read its figures are in that unit, and those that
    were told as decimal texts stand in `decimals`, by the contract's name, and are None themselves; translated they are pieces.
    `expected`: the earliest time at which more is expected (UTC, to the millisecond), "" for nothing, None: that is not told.
    """

    id: str
    seq: int
    sku: str
    location: str
    on_hand: int | None
    available: int | None
    as_of: str | None = None
    occurred_at: str | None = None
    rev: str | None = None
    orders_included: tuple[str, ...] = ()
    orders_through_ms: int | None = None
    unit: str | None = None
    decimals: tuple[tuple[str, str], ...] = ()
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """`stock.movement`: a change of one figure by `delta` pieces, with the balance after it where the source tells it.

    `unit` and `decimals`: as in a Level; a `delta` that was told as a decimal text is 0 itself.
    """

    id: str
    seq: int
    sku: str
    location: str
    delta: int
    figure: Figure
    reason: str | None = None
    balance_on_hand: int | None = None
    balance_available: int | None = None
    occurred_at: str | None = None
    unit: str | None = None
    decimals: tuple[tuple[str, str], ...] = ()

    @property
    def states_balance(self) -> bool:
        """Whether this movement can be read as a level at its position."""
        return self.balance_on_hand is not None or self.balance_available is not None


@dataclass(frozen=True, slots=True)
class Removal:
    """`stock.removed`: the source no longer keeps this SKU at this location."""

    id: str
    seq: int
    sku: str
    location: str


@dataclass(frozen=True, slots=True)
class LineShare:
    """A quantity of one order line at one location; what is None was not told. In `unit` until translated."""

    sku: str
    quantity: int
    line_ref: str | None = None
    location: str | None = None
    short_quantity: int = 0
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """`order.accepted`: from `seq` on, `available` excludes the order. `reference` fields: one of the two is told."""

    id: str
    seq: int
    order_id: str | None
    order_number: str | None
    source_order: str | None = None
    lines: tuple[LineShare, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderRejected:
    """`order.rejected`: Archean did not take the order; it never left any figure."""

    id: str
    seq: int
    order_id: str | None
    order_number: str | None
    code: str


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """`order.cancelled`: `imported` tells whether the stock comes back by levels (True) or never left (False)."""

    id: str
    seq: int
    order_id: str | None
    order_number: str | None
    imported: bool


@dataclass(frozen=True, slots=True)
class DispatchedParcel:
    """A parcel as Archean tells it; `pieces` by SKU, empty where nobody said what is in it."""

    parcel_id: str
    carrier: str | None = None
    tracking: str | None = None
    pieces: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """`fulfilment`: one whole fulfilment as it stands at `seq`; a newer record of the same id replaces it."""

    id: str
    seq: int
    fulfilment_id: str
    order_id: str | None
    order_number: str | None
    status: str
    location: str | None
    lines: tuple[LineShare, ...] = ()
    parcels: tuple[DispatchedParcel, ...] = ()
    at: str | None = None


class Disposition(StrEnum):
    """What becomes of returned goods; the values are r247/1's."""

    SELLABLE = "sellable"
    DAMAGED = "damaged"
    QUARANTINE = "quarantine"
    SCRAP = "scrap"


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """What came back, in `unit` until translated. `line_ref`: the line item's id or key, where it is told."""

    sku: str
    quantity: int
    disposition: Disposition
    line_ref: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnReceived:
    """`return.received`: goods came back; their quantity arrives by levels. A newer record of the same id replaces it."""

    id: str
    seq: int
    return_id: str
    order_id: str | None
    order_number: str | None
    lines: tuple[ReturnedLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """`feed.heartbeat`: quiet is not dead."""

    id: str
    seq: int
    at: str


StockRecord: TypeAlias = Level | Movement | Removal
OrderRecord: TypeAlias = OrderAccepted | OrderRejected | OrderCancelled | Fulfilment | ReturnReceived
Record: TypeAlias = StockRecord | OrderRecord | Heartbeat


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that cannot be understood: where in it the fault is, what stood there and the bytes, capped.

    `line` is the line in a file, `path` a JSON pointer or column name. `code` is short and stable (`not_an_integer`,
    `unknown_type`, …); `reason` is a sentence for a person. `seq`: where it stands or, where that cannot be read, the last
    place at which it may. `stock`: it may have told of stock; where `sku` or `location` is None, of any key's. `place`: where it
    stands as people find it, such as a file and a line; "" where `seq` or `line` are all there is.
    """

    code: str
    reason: str
    path: str = ""
    value: str = ""
    record_id: str | None = None
    seq: int | None = None
    sku: str | None = None
    location: str | None = None
    line: int | None = None
    payload: bytes = b""
    stock: bool = True
    place: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a source pushed: by which id it is known again, and when it was sent, in UTC milliseconds."""

    id: str
    sent_ms: int


@dataclass(frozen=True, slots=True)
class SnapshotPart:
    """A piece of a snapshot that comes among the records, in any order. `part` counts from 1.

    An item whose seq is 0 stands where the whole snapshot stands.
    """

    snapshot_id: str
    part: int
    items: tuple[Level, ...]
    rejects: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotClosing:
    """The trailer of a snapshot sent in parts: how many there are, and the source's figures to check them by.

    `locations`: what it covers; empty where it does not say.
    """

    snapshot_id: str
    parts: int
    seq_at: int
    as_of: str | None = None
    locations: tuple[str, ...] = ()
    records: int | None = None
    sum_on_hand: int | None = None


@dataclass(frozen=True, slots=True)
class FileNews:
    """What became of a file as a whole: read to its end (`code` ""), or refused, or missed, and why.

    `name`: what people call it; `kind`: full, delta and so on, "" of one that never came. `seq`: the place of its records in the
    epoch. `awaited`: nothing that comes after it in its sequence is read before it, corrected, or a full has come. `does`: what
    happens now and what a person can do, for the one who reads of it.
    """

    name: str
    kind: str
    seq: int
    code: str = ""
    reason: str = ""
    does: str = ""
    awaited: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are committed together with the checkpoint that stands after them.

    `checkpoint` is opaque: the source's cursor, or the adapter's own encoding of a file and line. `more` tells that the
    source has further records ready. `head_seq` and `head_at` describe the source's newest record, for the lag gauge.
    `ordered`: what comes later here happened later, and nothing between was lost; without it no movement may be added up.
    `deliveries`: the messages it came in, remembered with it. `skus`: only named, their levels are to be read singly. `void`: of
    an epoch that the source had left before the one that counts, or of none that is told; nothing of it is applied. `parts` and
    `closings`: pieces of snapshots among the records. `terms`: the fingerprint of the names and units that it was
    translated by, None where it was told in ours. `attempts`: how often the transport has delivered one of them at the most,
    as far as it tells (0: it does not). `file`: the file that it ends, or that was not read.
    """

    feed: str
    epoch: str
    records: tuple[Record, ...]
    rejects: tuple[Reject, ...]
    checkpoint: str
    more: bool = False
    head_seq: int | None = None
    head_at: str | None = None
    ordered: bool = True
    deliveries: tuple[Delivery, ...] = ()
    skus: tuple[str, ...] = ()
    void: bool = False
    parts: tuple[SnapshotPart, ...] = ()
    closings: tuple[SnapshotClosing, ...] = ()
    attempts: int = 0
    terms: str | None = None
    file: FileNews | None = None


class SnapshotCause(StrEnum):
    """Why a source cannot be tailed further without a snapshot."""

    START = "start"
    CURSOR_EXPIRED = "cursor_expired"
    EPOCH_CHANGED = "epoch_changed"
    GAP = "gap"
    ALIASES_CHANGED = "aliases_changed"


@dataclass(frozen=True, slots=True)
class SnapshotDue:
    """The feed cannot go on from the checkpoint: a snapshot must be taken and its cursor followed."""

    cause: SnapshotCause
    detail: str


@dataclass(frozen=True, slots=True)
class SnapshotHead:
    """What a snapshot says of itself. `cursor` is the checkpoint to resume from, at or before the state shown.

    `seq_at` is the position its items stand at unless they tell their own. `records` and `sum_on_hand` are the source's
    check figures (None: not told). `locations` scopes what an absent key means. `digest` names the exact content.
    `over_gap`: it makes up for what is missing before it, so reading goes on behind it only once it is applied.
    `among_records`: it came in parts between records, some of which are newer and were applied before it. `terms`: as a batch's.
    `keeps_place`: where the feed's own checkpoint still counts, reading goes on from there, so that no record is left out.
    """

    feed: str
    epoch: str
    snapshot_id: str
    seq_at: int
    cursor: str | None
    as_of: str | None
    locations: tuple[str, ...]
    over_gap: bool = False
    among_records: bool = False
    terms: str | None = None
    keeps_place: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """Some of a snapshot's items and the unreadable ones among them; `set_aside` more were told when they came.

    `terms`: as a batch's.
    """

    items: tuple[Level, ...]
    rejects: tuple[Reject, ...] = ()
    set_aside: int = 0
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class SnapshotEnd:
    """The trailer: the source's own figures to check what arrived. `complete` is False when the trailer was missing.

    `name`: what people call the whole, such as its file's name; "" where it has none.
    """

    complete: bool
    records: int | None = None
    sum_on_hand: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class RecordFault:
    """One record that was not applied, for a receipt: `line` in its file, a stable code, the SKU if known."""

    code: str
    line: int | None = None
    sku: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: counts that add up to `read`, and the first faults (at most 100).

    `forgotten`: messages of before that are not known any more, for lack of room.
    """

    read: int = 0
    applied: int = 0
    unchanged: int = 0
    stale: int = 0
    rejected: int = 0
    faults: tuple[RecordFault, ...] = ()
    forgotten: int = 0

    def plus(self, other: Outcome) -> Outcome:
        """Both together; the faults stay capped."""
        return Outcome(
            self.read + other.read,
            self.applied + other.applied,
            self.unchanged + other.unchanged,
            self.stale + other.stale,
            self.rejected + other.rejected,
            (self.faults + other.faults)[:100],
            self.forgotten + other.forgotten,
        )


class SnapshotStatus(StrEnum):
    """How a snapshot ended, as a receipt tells it."""

    APPLIED = "applied"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class KeyReading:
    """The answer to a single-key read: the levels of one SKU as of `seq_at` of the feed's epoch. `terms`: as a batch's."""

    feed: str
    epoch: str
    seq_at: int
    levels: tuple[Level, ...]
    rejects: tuple[Reject, ...] = ()
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class OrderLookup:
    """What Archean says of an order when asked: None as answer means it does not know the order.

    `status` is `accepted`, `received`, `rejected` or `cancelled`; the position, where told, is a proof of reflection.
    """

    status: str
    source_order: str | None = None
    epoch: str | None = None
    seq: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
