"""commercetools' side in the trade's nouns: entries, markers, orders. Knows no HTTP and no JSON."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

CHANNEL_ROLE_SUPPLY = "InventorySupply"
CHANNEL_ROLE_EXPORT = "OrderExport"
_READABLE_KEY = re.compile(r"[A-Za-z0-9_-]{2,256}")
_SEPARATOR = "__"


@dataclass(frozen=True, slots=True, order=True)
class StockKey:
    """An entry's identity. `channel` is the supply channel's key (never its id), the channel-less entry is never ours."""

    channel: str
    sku: str


def entry_key(key: StockKey) -> str:
    """Derive the `key` of an entry we create, within `[A-Za-z0-9_-]{2,256}`: readable where it can be, else a hash.

    No two stock keys share one: a readable form has its first double underscore where the channel ends, and a hash
    has none.
    """
    readable = f"{key.channel}{_SEPARATOR}{key.sku}"
    if _READABLE_KEY.fullmatch(readable) and readable.find(_SEPARATOR) == len(key.channel):
        return readable
    identity = f"{key.channel}\0{key.sku}".encode("utf-8", "surrogatepass")
    return f"sha256-{hashlib.sha256(identity).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Marker:
    """Our signature on an entry: the custom fields archOp, archX, archSeq, archFence. Fields are None when not set."""

    ledger: str | None = None
    op_id: str | None = None
    x: int | None = None
    seq: str | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An inventory entry as read. Quantities in pieces, negative ones are legal.

    `type_id` is the id of the entry's custom type, None without one. `written_by` is lastModifiedBy.externalUserId.
    `expected_delivery` is told by REST alone.
    `created_at_ms` is UTC. `read_at_ms` is the server's clock (its Date header) when the answer was made.
    """

    id: str
    version: int
    key: StockKey
    quantity_on_stock: int
    available_quantity: int
    marker: Marker
    type_id: str | None
    created_at_ms: int
    read_at_ms: int
    restockable_in_days: int | None = None
    written_by: str | None = None
    expected_delivery: str | None = None


class WriteKind(StrEnum):
    """What a write does: create an entry, move it by a delta, set it (untracked mode only), show an expected delivery alone."""

    CREATE = "create"
    INCREMENT = "increment"
    SET = "set"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class EntryWrite:
    """One write to one entry, the marker with it, all or nothing.

    `quantity` is the signed delta of an INCREMENT (never 0), the absolute quantity of CREATE and SET.
    `entry_id` and `version` are None for CREATE. `needs_type` asks for setCustomType with our fields instead of
    setCustomField (the entry has no custom type yet). `marker` is None in untracked mode. `delivery`: when more is expected
    (RFC 3339), "" for never, None: what the entry shows of it stays; it is all that a DELIVERY does.
    """

    kind: WriteKind
    key: StockKey
    quantity: int
    marker: Marker | None
    entry_id: str | None = None
    version: int | None = None
    needs_type: bool = False
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """commercetools answered that the write took effect. `created_at_ms` is told where the entry was created by it."""

    entry_id: str
    version: int
    quantity_on_stock: int
    created_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What every failure has: the correlation id of its call, to find it in the journal and in commercetools' own logs."""

    correlation: str = field(default="", compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Conflict(_Told):
    """409: another write came first, or the entry's version rose. Nothing was changed."""

    current_version: int | None = None


@dataclass(frozen=True, slots=True)
class Exists(_Told):
    """400 DuplicateField on a create: the entry exists already.

    `field` is the field that is taken: "sku" for the entry itself, "key" when another entry may carry the derived key:
    only reading tells, as our own entry has both.
    """

    field: str = "sku"


@dataclass(frozen=True, slots=True)
class Missing(_Told):
    """404: the entry is gone."""


@dataclass(frozen=True, slots=True)
class Refused(_Told):
    """A permanent refusal: never retried unchanged. `code` is commercetools' error code."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TooLarge(_Told):
    """The request or its answer was too large or too complex: ask for less at once."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Throttled(_Told):
    """Turned away before any effect: back off. `retry_after_seconds` is a lower bound (None: not told)."""

    status: int
    code: str
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unreached(_Told):
    """No byte of the request can have arrived (name, connect or TLS failed): safe to repeat."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown(_Told):
    """The outcome is unknown: it may have been applied, or may yet be. For reads: simply no answer.

    `retry_after_seconds` is a lower bound where the answer told one.
    """

    reason: str
    status: int | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unauthorised(_Told):
    """401 after one fresh token, or the token endpoint refuses our secret: nobody may call until a restart."""

    reason: str


@dataclass(frozen=True, slots=True)
class Forbidden(_Told):
    """403: a scope is missing; `scope` names it where it is known."""

    scope: str
    message: str


# Everything that is not success. One table in the wire layer maps status and code to exactly one of them.
Failure: TypeAlias = (
    Conflict
    | Exists
    | Missing
    | Refused
    | TooLarge
    | Throttled
    | Unreached
    | Unknown
    | Unauthorised
    | Forbidden
)
WriteAnswer: TypeAlias = Written | Failure


@dataclass(frozen=True, slots=True)
class SupplyChannel:
    """A channel: key and id, and whether it has the roles InventorySupply and OrderExport."""

    key: str
    id: str
    supplies: bool
    exports: bool = False


class LineMode(StrEnum):
    """How commercetools treats a line's stock; NONE never touches an entry."""

    NONE = "None"
    TRACK_ONLY = "TrackOnly"
    RESERVE_ON_ORDER = "ReserveOnOrder"
    RESERVE_ON_CART = "ReserveOnCart"


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line item. `sku` is None for a variant without one; `channel_id` is the supply channel's id, None without."""

    line_id: str
    sku: str | None
    quantity: int
    channel_id: str | None
    mode: LineMode


@dataclass(frozen=True, slots=True)
class Order:
    """An order as read. `created_at_ms` is commercetools' clock, UTC. States are commercetools' own words."""

    id: str
    version: int
    number: str | None
    created_at_ms: int
    order_state: str
    shipment_state: str | None
    lines: tuple[OrderLine, ...]


@dataclass(frozen=True, slots=True, order=True)
class MessageCursor:
    """The keyset place (createdAt, id) in the messages or the orders query. `created_at` is the server's own text."""

    created_at: str
    id: str


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """A message about an order. `sequence_number` orders the messages of one order only.

    `client_id` is the API client that caused it, None where it is not told: ours are told apart by it.
    """

    id: str
    type: str
    order_id: str
    created_at: str
    sequence_number: int
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages in (createdAt, id) order. `full`: the limit was reached, more may follow. `server_ms`: Date header.

    `last` is the place of the last readable row, to go on from. `faults`: ids of messages that could not be read.
    """

    messages: tuple[OrderMessage, ...]
    full: bool
    server_ms: int
    last: MessageCursor | None = None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Orders in the asked order. `cursors` stand beside the orders. `faults`: ids of orders that could not be read.

    `last` is the place to go on from, also when the last rows are among the faults.
    """

    orders: tuple[Order, ...]
    cursors: tuple[MessageCursor, ...]
    full: bool
    server_ms: int
    faults: tuple[str, ...] = ()
    last: MessageCursor | None = None


@dataclass(frozen=True, slots=True)
class EntryFault:
    """An entry that exists but could not be read. `key` is None when not even that could be told."""

    id: str
    key: StockKey | None
    reason: str
    correlation: str = ""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries found; an asked key that is absent and in no fault has no entry. `server_ms`: the server's clock.

    `faults` name the entries that exist but could not be read: their keys are known where the entry told them.
    """

    entries: tuple[Entry, ...]
    server_ms: int
    faults: tuple[EntryFault, ...] = ()


@dataclass(frozen=True, slots=True)
class TenureRecord:
    """The single-writer lease as stored in a Custom Object. `version` is None when there is none yet.

    `host`: where its holder runs; empty where that was not told.
    `modified_at_ms` and `server_ms` are the server's clock: expiry is judged by them alone.
    """

    version: int | None
    ledger: str
    holder: str
    fence: int
    seconds: float
    modified_at_ms: int
    server_ms: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """Project settings that matter here."""

    key: str
    messages_enabled: bool
    created_at: str


@dataclass(frozen=True, slots=True)
class MarkerType:
    """Our custom type on inventory entries: `type_id` of the type `marker_type_key`, and fields still missing on it."""

    type_id: str | None
    version: int | None = None
    missing: tuple[str, ...] = field(default=())
