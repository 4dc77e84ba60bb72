"""The fields of every `r247/1` document as one table: what must be told, what may be, and in which form. Reads nothing.

The readers beside this module judge; this says the same as a declaration, from which the JSON Schemas in
packaging/r247/schemas are made. tests/wire/r247/test_schemas.py holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    INT64_MAXIMUM,
    INT64_MINIMUM,
    SKU_LIMIT_CHARACTERS,
    Disposition,
    Figure,
)
from archsyncd.domain.units import UNIT_LIMIT_CHARACTERS
from archsyncd.wire.drop_names import Kind as FileKind
from archsyncd.wire.r247_answers import ORDER_STATUSES, SUM_LIMIT_DIGITS
from archsyncd.wire.r247_json import ITEMS_LIMIT
from archsyncd.wire.r247_messages import END, LOCATIONS_LIMIT, PART, PARTS_LIMIT
from archsyncd.wire.r247_order_files import ACKNOWLEDGED, CANCELLED, RECEIVED, REJECTED
from archsyncd.wire.r247_records import FULFILMENT_STATUSES
from archsyncd.wire.r247_values import CURSOR_LIMIT_CHARACTERS, LIST_LIMIT, SCHEMA

PUBSUB_ITEMS_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Text:
    """A text of 1 to `limit` characters without control characters."""

    limit: int = SKU_LIMIT_CHARACTERS


@dataclass(frozen=True, slots=True)
class Whole:
    """A JSON integer between two bounds."""

    minimum: int = INT64_MINIMUM
    maximum: int = INT64_MAXIMUM


@dataclass(frozen=True, slots=True)
class Number:
    """A sequence number: decimal digits in a string, within int64."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An RFC 3339 time with its offset."""


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum: decimal digits in a string, which may be negative and exceed 64 bits."""

    digits: int = SUM_LIMIT_DIGITS


@dataclass(frozen=True, slots=True)
class Digest:
    """A SHA-256 as 64 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of at most `limit` entries."""

    entry: Kind
    limit: int = LIST_LIMIT


@dataclass(frozen=True, slots=True)
class Told:
    """Whatever the source tells, in the form it says here: archsyncd does not look at it, or never refuses it."""

    form: str


@dataclass(frozen=True, slots=True)
class Field:
    """One member of an object. Not stated (absent or null) is refused where it is `required`."""

    name: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Unless:
    """A member that must be stated unless another one says a certain word."""

    field: str
    other: str
    word: str


@dataclass(frozen=True, slots=True)
class Structure:
    """An object. Members that are not named here are ignored.

    `any_of`: one of these must be stated. `instead`: a member and the one that counts in its place where it is not stated.
    `empty`: an object without members counts as not stated.
    """

    title: str
    fields: tuple[Field, ...]
    any_of: tuple[str, ...] = ()
    instead: tuple[Field, Field] | None = None
    unless: Unless | None = None
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Either:
    """One of several forms."""

    forms: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class AnyRecord:
    """A record of any type, told by its `type`."""


Kind: TypeAlias = (
    Text
    | Whole
    | Number
    | Moment
    | Flag
    | Sum
    | Digest
    | OneOf
    | ListOf
    | Told
    | Structure
    | Either
    | AnyRecord
)

_ID: Final = Text(ID_LIMIT_CHARACTERS)
_CURSOR: Final = Text(CURSOR_LIMIT_CHARACTERS)
_COUNT: Final = Whole(minimum=0)
_INTEGER: Final = Told("a JSON integer; not used by archsyncd")
_ANY_TEXT: Final = Told("a text; not used by archsyncd")
_PRINTED: Final = Told("a text or a whole number, for people")
_MARK: Final = Told('{"seq":"107","at":"2026-11-23T10:15:02Z"}; one that cannot be read is passed over')


def _word(*words: str) -> OneOf:
    return OneOf(words)


def _record(
    kind: str, *fields: Field, any_of: tuple[str, ...] = (), unless: Unless | None = None
) -> Structure:
    common = (
        Field("id", _ID, required=True),
        Field("type", _word(kind), required=True),
        Field("seq", Number(), required=True),
    )
    return Structure(kind, (*common, *fields), any_of, unless=unless)


_KEY: Final = (Field("sku", Text(), required=True), Field("location", Text(), required=True))
_OCCURRED: Final = Field("occurredAt", Moment())
_OCCURRED_TOLD: Final = Field("occurredAt", Told("an RFC 3339 time with its offset; not used by archsyncd"))
# A record that tells its unit may write its quantities as decimal texts.
_UNIT: Final = Field("uom", Text(UNIT_LIMIT_CHARACTERS))
_FIGURES: Final = (Field("onHand", Whole()), Field("available", Whole()))
_LEVEL: Final = (
    *_KEY,
    *_FIGURES,
    _OCCURRED,
    Field("asOf", Moment()),
    Field("rev", _ID),
    Field("ordersIncluded", ListOf(Text())),
    Field("ordersThrough", Moment()),
    *(Field(name, _INTEGER) for name in ("allocated", "picked", "unavailable", "backordered", "safety")),
    Field("future", Told("a list of {quantity, expectedAt, ref}")),
    Field("gtin", _ANY_TEXT),
    _UNIT,
)
_EITHER_FIGURE: Final = ("onHand", "available")
_ORDER: Final = (Field("orderId", Text()), Field("orderNumber", Text()))
_EITHER_NAME: Final = ("orderId", "orderNumber")
_LINES: Final = Field(
    "lines",
    ListOf(
        Structure(
            "line",
            (
                Field("sku", Text(), required=True),
                Field("quantity", _COUNT, required=True),
                Field("lineRef", Text()),
                Field("location", Text()),
                Field("shortQuantity", _COUNT),
                Field("reason", _ANY_TEXT),
                _UNIT,
            ),
        )
    ),
)
_PARCELS: Final = Field(
    "parcels",
    ListOf(
        Structure(
            "parcel",
            (
                Field("carrier", _PRINTED),
                Field("service", _PRINTED),
                Field("trackingNumber", _PRINTED),
                Field(
                    "lines",
                    ListOf(
                        Structure(
                            "parcel line",
                            (Field("sku", Text(), required=True), Field("quantity", _COUNT, required=True)),
                        )
                    ),
                ),
            ),
            instead=(Field("parcelId", Text()), Field("sscc", Text())),
        )
    ),
)
_RETURNED: Final = ListOf(
    Structure(
        "returned line",
        (
            Field("sku", Text(), required=True),
            Field("quantity", _COUNT, required=True),
            Field("disposition", OneOf(tuple(each.value for each in Disposition)), required=True),
            Field("lineRef", Text()),
            Field("reason", _ANY_TEXT),
            _UNIT,
        ),
    )
)

RECORDS: Final[tuple[Structure, ...]] = (
    _record("stock.level", *_LEVEL, any_of=_EITHER_FIGURE),
    _record(
        "stock.movement",
        *_KEY,
        _OCCURRED,
        Field("delta", Whole(), required=True),
        Field("state", OneOf(tuple(each.value for each in Figure)), required=True),
        Field("reason", _ID),
        Field("balanceAfter", Structure("balance", _FIGURES)),
        Field("ref", _ANY_TEXT),
        _UNIT,
    ),
    _record("stock.removed", *_KEY, _OCCURRED_TOLD),
    _record(
        "order.accepted", *_ORDER, _OCCURRED_TOLD, Field("sourceOrder", Text()), _LINES, any_of=_EITHER_NAME
    ),
    _record(
        "order.rejected",
        *_ORDER,
        _OCCURRED_TOLD,
        Field("code", _ID, required=True),
        Field("lines", Told("the lines that were refused")),
        any_of=_EITHER_NAME,
    ),
    _record(
        "order.cancelled",
        *_ORDER,
        _OCCURRED_TOLD,
        Field("imported", Flag(), required=True),
        any_of=_EITHER_NAME,
    ),
    _record(
        "fulfilment",
        *_ORDER,
        _OCCURRED_TOLD,
        Field("fulfilmentId", Text(), required=True),
        Field("status", OneOf(tuple(sorted(FULFILMENT_STATUSES))), required=True),
        Field("location", Text()),
        Field("at", Moment()),
        _LINES,
        _PARCELS,
        any_of=_EITHER_NAME,
        unless=Unless("lines", "status", "cancelled"),
    ),
    _record(
        "return.received",
        *_ORDER,
        _OCCURRED_TOLD,
        Field("returnId", Text(), required=True),
        Field("location", _ANY_TEXT),
        Field("lines", _RETURNED),
    ),
    _record("feed.heartbeat", _OCCURRED_TOLD, Field("at", Moment(), required=True)),
)
RECORD_FIELDS: Final = {each.title: frozenset(field.name for field in each.fields) for each in RECORDS}

_SCHEMA: Final = Field("schema", _word(SCHEMA), required=True)
_SCHEMA_OR_NOTHING: Final = Field("schema", _word(SCHEMA))
_FEED: Final = Field("feed", _ID, required=True)
_EPOCH: Final = Field("epoch", _ID, required=True)
_ITEMS: Final = Field("items", ListOf(AnyRecord(), ITEMS_LIMIT), required=True)

PAGE: Final = Structure(
    "page of changes",
    (
        _SCHEMA,
        _FEED,
        _EPOCH,
        _ITEMS,
        Field("next", _CURSOR, required=True),
        Field("more", Flag()),
        Field("head", _MARK),
        Field("oldest", _MARK),
    ),
)
CURSOR_LINE: Final = Structure(
    "cursor line",
    (
        Field("type", _word("feed.cursor"), required=True),
        Field("next", _CURSOR, required=True),
        _SCHEMA_OR_NOTHING,
        Field("feed", _ID),
        Field("epoch", _ID),
        Field("head", _MARK),
        Field("oldest", _MARK),
    ),
)
_CHECK: Final = Structure("check", (Field("records", _COUNT), Field("sumOnHand", Sum())))
_ITEM: Final = Structure(
    "level of a snapshot",
    (Field("type", _word("stock.level")), Field("id", _ID), Field("seq", Number()), *_LEVEL),
    _EITHER_FIGURE,
)
SNAPSHOT_PAGE: Final = Structure(
    "page of a snapshot",
    (
        _SCHEMA_OR_NOTHING,
        Field("feed", _ID),
        _EPOCH,
        Field("seqAt", Number(), required=True),
        Field("items", ListOf(_ITEM, ITEMS_LIMIT), required=True),
        Field("snapshotId", Text()),
        Field("status", _word("ready")),
        Field("asOf", Moment()),
        Field("cursor", _CURSOR),
        Field("nextPage", _CURSOR),
        Field("complete", Flag()),
        Field("total", _COUNT),
        Field("check", _CHECK),
    ),
)
SNAPSHOT_ANSWER: Final = Structure(
    "answer to the wish for a snapshot",
    (
        Field("snapshotId", Text(), required=True),
        Field("status", Told("running, until its pages can be read")),
    ),
)
LOCATIONS: Final = Structure(
    "list of locations",
    (
        Field("schema", Told("r247/1")),
        Field(
            "locations",
            ListOf(Either((Text(), Structure("location", (Field("location", Text(), required=True),))))),
        ),
    ),
)
PROBLEM: Final = Structure(
    "problem",
    (
        Field("code", Text(), required=True),
        Field("type", Told("a URI")),
        Field("title", Told("a text")),
        Field("status", Told("the HTTP status")),
        Field("detail", Told("a sentence for people, of at most 256 characters")),
        Field("lines", Told("what the code is about")),
    ),
)
_POSITION: Final = Structure("position", (_EPOCH, Field("seq", Number(), required=True)), empty=True)
ORDER_ANSWER: Final = Structure(
    "answer about an order",
    (
        Field("status", OneOf(tuple(sorted(ORDER_STATUSES))), required=True),
        Field("sourceOrder", Text()),
        Field("position", _POSITION),
        Field("code", _ID),
        Field("detail", Told("a sentence for people")),
    ),
)
CANCELLATION_ANSWER: Final = Structure(
    "answer to a cancellation in a file",
    (
        Field("status", _word(CANCELLED, RECEIVED, REJECTED), required=True),
        Field(
            "code", Told("why it is rejected: already_shipped or unknown_order; anything else leaves it open")
        ),
    ),
)
DISPATCH_ANSWER: Final = Structure(
    "answer to a booked dispatch in a file",
    (
        Field("status", _word(ACKNOWLEDGED, RECEIVED, REJECTED), required=True),
        Field("code", Told("why it is rejected")),
    ),
)
MANIFEST: Final = Structure(
    "manifest of a file",
    (
        _SCHEMA,
        Field("file", Text(), required=True),
        Field("kind", OneOf(tuple(each.value for each in FileKind)), required=True),
        Field("feed", Text(), required=True),
        _EPOCH,
        Field("fileSeq", Number(), required=True),
        Field("prevFileSeq", Number()),
        Field("asOf", Moment()),
        Field("bytes", _COUNT),
        Field("records", _COUNT),
        Field("sha256", Digest()),
        Field("locations", ListOf(Text())),
        Field("complete", Flag()),
    ),
)
RECEIPT: Final = Structure(
    "receipt of a file",
    (
        Field("file", Text(), required=True),
        Field("sha256", Told("the file's digest; empty where it was not read")),
        Field("status", _word("applied", "partial", "rejected", "held", "duplicate"), required=True),
        *(
            Field(name, _COUNT, required=True)
            for name in ("read", "applied", "unchanged", "stale", "rejected")
        ),
        Field(
            "errors",
            ListOf(
                Structure(
                    "fault",
                    (Field("code", Text(), required=True), Field("line", _COUNT), Field("sku", Text())),
                )
            ),
        ),
        Field("code", Text()),
        Field("reasons", ListOf(Told("a sentence"))),
        Field("at", Moment(), required=True),
    ),
)
REFUSAL: Final = Structure(
    "why a file lies in error",
    (
        Field("file", Text(), required=True),
        Field("code", Text(), required=True),
        Field("reasons", ListOf(Told("a sentence")), required=True),
        Field("at", Moment(), required=True),
    ),
)
_PRICE: Final = Structure(
    "price",
    (
        Field("centAmount", Whole(), required=True),
        Field("fractionDigits", _COUNT, required=True),
    ),
)
# The line that a component's is part of: what was sold, how often, and for how much each.
_KIT: Final = Structure(
    "kit",
    (
        Field("lineId", Text(), required=True),
        Field("sku", Text(), required=True),
        Field("quantity", _COUNT, required=True),
        Field("unitPrice", _PRICE),
    ),
)
ORDER: Final = Structure(
    "order",
    (
        _SCHEMA,
        Field("orderId", Text(), required=True),
        Field("orderNumber", Text()),
        Field("version", _COUNT, required=True),
        Field("createdAt", Moment(), required=True),
        Field("currency", Text(), required=True),
        Field(
            "lines",
            ListOf(
                Structure(
                    "order line",
                    (
                        Field("lineId", Text(), required=True),
                        Field("sku", Text(), required=True),
                        Field("quantity", _COUNT, required=True),
                        Field("location", Text()),
                        Field("unitPrice", _PRICE),
                        Field("kit", _KIT),
                    ),
                )
            ),
            required=True,
        ),
        Field("shipTo", Told("the address as commercetools has it, or null")),
        Field("shippingMethod", Told("the shipping method's key or name, or null")),
        Field("notes", Told("null")),
    ),
)
CANCELLATION: Final = Structure("cancellation", (Field("reason", Text(), required=True),))
ACKNOWLEDGEMENT: Final = Structure(
    "booked dispatch",
    (
        Field("orderId", Text(), required=True),
        Field("deliveryKey", Text(), required=True),
        Field("shipmentState", Text(), required=True),
        Field("at", Moment(), required=True),
    ),
)
_BY_ATTRIBUTE: Final = Told("a text, where the message's attributes do not tell it")
_IN_MESSAGE: Final = (_SCHEMA_OR_NOTHING, Field("feed", _BY_ATTRIBUTE), Field("epoch", _BY_ATTRIBUTE))
PUBSUB_ITEMS: Final = Structure(
    "several records in one Pub/Sub message",
    (*_IN_MESSAGE, Field("items", ListOf(AnyRecord(), PUBSUB_ITEMS_LIMIT), required=True)),
)
PUBSUB_PART: Final = Structure(
    "part of a snapshot over Pub/Sub",
    (
        *_IN_MESSAGE,
        Field("type", _word(PART), required=True),
        Field("snapshotId", _ID, required=True),
        Field("part", Whole(1, PARTS_LIMIT), required=True),
        Field("items", ListOf(_ITEM, ITEMS_LIMIT), required=True),
    ),
)
PUBSUB_END: Final = Structure(
    "end of a snapshot over Pub/Sub",
    (
        *_IN_MESSAGE,
        Field("type", _word(END), required=True),
        Field("snapshotId", _ID, required=True),
        Field("parts", Whole(1, PARTS_LIMIT), required=True),
        Field("seqAt", Number(), required=True),
        Field("asOf", Moment()),
        Field("check", _CHECK),
        Field("locations", ListOf(_ID, LOCATIONS_LIMIT)),
    ),
)
PUBSUB_ATTRIBUTES: Final = Structure(
    "attributes of a Pub/Sub message",
    (
        _SCHEMA,
        _FEED,
        _EPOCH,
        Field("seq", Number()),
        Field("type", Told("the records' type where all have the same")),
        Field("contentType", Told("application/json")),
        Field("contentEncoding", _word("gzip")),
        Field("location", Told("the records' location where all have the same")),
    ),
)
WEBHOOK: Final = Structure(
    "body of a webhook",
    (
        Field("type", _word("stock.batch"), required=True),
        Field("timestamp", Moment(), required=True),
        Field("data", Structure("batch", (_SCHEMA, _FEED, _EPOCH, _ITEMS)), required=True),
    ),
)

# Each becomes a file of its own; records are added by their types.
DOCUMENTS: Final[dict[str, Structure]] = {
    "page": PAGE,
    "cursor-line": CURSOR_LINE,
    "snapshot-page": SNAPSHOT_PAGE,
    "snapshot-answer": SNAPSHOT_ANSWER,
    "locations": LOCATIONS,
    "problem": PROBLEM,
    "manifest": MANIFEST,
    "receipt": RECEIPT,
    "refusal": REFUSAL,
    "order": ORDER,
    "order-answer": ORDER_ANSWER,
    "cancellation": CANCELLATION,
    "cancellation-answer": CANCELLATION_ANSWER,
    "acknowledgement": ACKNOWLEDGEMENT,
    "acknowledgement-answer": DISPATCH_ANSWER,
    "pubsub-items": PUBSUB_ITEMS,
    "pubsub-snapshot-part": PUBSUB_PART,
    "pubsub-snapshot-end": PUBSUB_END,
    "pubsub-attributes": PUBSUB_ATTRIBUTES,
    "webhook": WEBHOOK,
} | {each.title.replace(".", "-"): each for each in RECORDS}
