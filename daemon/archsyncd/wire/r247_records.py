"""One JSON object to one record of `r247/1`, section 1. Knows the fields of each type, not how records travel.

There are two ways in. `read_clean` is the fast one: it reads a list of parsed objects or gives up on the whole list at
the first doubt. `read_record` is the exact one: it reads one object and says what is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from archsyncd.domain.feed import (
    ID_LIMIT_CHARACTERS,
    INT64_MAXIMUM,
    INT64_MINIMUM,
    SKU_LIMIT_CHARACTERS,
    DispatchedParcel,
    Disposition,
    Figure,
    Fulfilment,
    Heartbeat,
    Level,
    LineShare,
    Movement,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    Record,
    Reject,
    Removal,
    ReturnedLine,
    ReturnReceived,
)
from archsyncd.domain.packing import clean_text
from archsyncd.domain.times import rfc3339
from archsyncd.domain.units import UNIT_LIMIT_CHARACTERS, is_decimal
from archsyncd.wire.r247_values import (
    LIST_LIMIT,
    SEQ_LIMIT_DIGITS,
    Misread,
    Repeated,
    checked_instant,
    checked_text,
    entries,
    flag,
    instant,
    instant_ms,
    integer,
    mapping,
    optional_integer,
    optional_text,
    reject,
    sequence,
    stated,
    text,
    to_ms,
)

FULFILMENT_STATUSES: Final = frozenset(
    {"allocated", "picking", "picked", "packed", "shipped", "short", "cancelled"}
)
_PLAIN_TIMES: Final = re.compile(
    r"(?:\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{3})?Z\n)*+", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_Fields = Mapping[str, Any]


def read_record(value: Any, payload: bytes, line: int | None = None) -> Record | Reject:
    """Read one record, or say why it cannot be read. Unknown fields are ignored, an unknown type is a Reject."""
    try:
        fields = mapping(value, "")
        kind = text(fields, "type", ID_LIMIT_CHARACTERS)
        read = _READERS.get(kind)
        if read is None:
            raise Misread("unknown_type", "is a type that r247/1 does not know", "/type", kind)
        return read(fields, text(fields, "id", ID_LIMIT_CHARACTERS), sequence(fields, "seq"))
    except Misread as fault:
        return reject(fault, _named(value), payload, line)
    except Exception as error:  # noqa: BLE001 - whatever one record trips, the feed goes on
        return reject(_our_fault(error), _named(value), payload, line)


def read_item(
    value: Any, payload: bytes, default_id: Callable[[_Fields], str], seq_at: int
) -> Level | Reject:
    """Read one item of a snapshot: a level that may leave out its type, id and seq (section 2, "Snapshot")."""
    try:
        fields = mapping(value, "")
        kind = optional_text(fields, "type", ID_LIMIT_CHARACTERS)
        if kind not in (None, "stock.level"):
            raise Misread("unknown_type", "a snapshot holds levels only", "/type", kind)
        seq = seq_at if fields.get("seq") is None else sequence(fields, "seq")
        own_id = optional_text(fields, "id", ID_LIMIT_CHARACTERS)
        return _level(fields, default_id(fields) if own_id is None else own_id, seq)
    except Misread as fault:
        return reject(fault, _named(value), payload)
    except Exception as error:  # noqa: BLE001 - as above
        return reject(_our_fault(error), _named(value), payload)


def _our_fault(error: Exception) -> Misread:
    told = f"{type(error).__name__}: {error}"
    return Misread("reader_failed", f"trips a fault of archsyncd itself, which we ask you to report ({told})")


def _named(value: Any) -> _Fields | None:
    if isinstance(value, Repeated):
        return value.fields
    return value if isinstance(value, dict) else None


def read_clean(items: list[Any]) -> list[Record] | None:
    """Read a whole list fast; None when any of it needs the exact reader. Says nothing that `read_record` would not."""
    records: list[Record] = []
    times: list[str] = []
    append, note_time = records.append, times.append
    try:
        for fields in items:
            get = fields.get
            if fields["type"] != "stock.level" or "ordersThrough" in fields:
                append(_exactly(fields))
                continue
            record_id, seq, sku, location = fields["id"], fields["seq"], fields["sku"], fields["location"]
            on_hand, available = get("onHand"), get("available")
            as_of, occurred_at = get("asOf"), get("occurredAt")
            rev, included, unit, future = get("rev"), get("ordersIncluded"), get("uom"), get("future")
            if as_of is not None:
                note_time(as_of)
            if occurred_at is not None and occurred_at != as_of:
                note_time(occurred_at)
            if (
                (type(on_hand) is int or (on_hand is None and available is not None))
                and (type(available) is int or available is None)
                and 0 < len(record_id) <= ID_LIMIT_CHARACTERS
                and record_id.isprintable()
                and 0 < len(sku) <= SKU_LIMIT_CHARACTERS
                and sku.isprintable()
                and 0 < len(location) <= SKU_LIMIT_CHARACTERS
                and location.isprintable()
                and len(seq) < SEQ_LIMIT_DIGITS
                and seq.isdigit()
                and seq.isascii()
                and (on_hand is None or INT64_MINIMUM <= on_hand <= INT64_MAXIMUM)
                and (available is None or INT64_MINIMUM <= available <= INT64_MAXIMUM)
                and (rev is None or (0 < len(rev) <= ID_LIMIT_CHARACTERS and rev.isprintable()))
                and (unit is None or (0 < len(unit) <= UNIT_LIMIT_CHARACTERS and unit.isprintable()))
            ):
                orders = () if included is None else _plain_orders(included)
                append(
                    Level(
                        record_id,
                        int(seq),
                        sku,
                        location,
                        on_hand,
                        available,
                        as_of,
                        occurred_at,
                        rev,
                        orders,
                        unit=unit,
                        expected=None if future is None else _expected(future),
                    )
                )
            else:
                append(_exactly(fields))
        return records if _are_plain(times) else None
    except Exception:  # noqa: BLE001 - any doubt is for the exact reader
        return None


def _exactly(fields: Any) -> Record:
    found = read_record(fields, b"")
    if isinstance(found, Reject):
        raise Misread(found.code, found.reason)
    return found


def _plain_orders(included: list[str]) -> tuple[str, ...]:
    """Take over a list of order references. Raises ValueError for any doubt, TypeError for what is no text."""
    plain = type(included) is list and len(included) <= LIST_LIMIT
    if not plain or not all(0 < len(one) <= SKU_LIMIT_CHARACTERS for one in included):
        raise ValueError
    if not "".join(included).isprintable():
        raise ValueError
    return tuple(included)


def _are_plain(times: list[str]) -> bool:
    """Whether all are times in the form nearly all are in: `2026-11-23T10:15:02Z`, with milliseconds or without.

    One expression over all of them costs a fraction of one each. Raises ValueError for a day that does not exist,
    TypeError for what is no text.
    """
    if _PLAIN_TIMES.fullmatch("\n".join(times) + "\n" if times else "") is None:
        return False
    for written in times:
        datetime.fromisoformat(written)
    return True


def _level(fields: _Fields, record_id: str, seq: int) -> Level:
    unit = _unit(fields)
    decimals = _decimals(fields, ("onHand", "available"), unit)
    on_hand, available = (
        None if name in decimals else optional_integer(fields, name) for name in ("onHand", "available")
    )
    if on_hand is None and available is None and not decimals:
        raise Misread("no_quantity", "states neither onHand nor available", "/onHand")
    return Level(
        id=record_id,
        seq=seq,
        sku=text(fields, "sku"),
        location=text(fields, "location"),
        on_hand=on_hand,
        available=available,
        as_of=instant(fields, "asOf"),
        occurred_at=instant(fields, "occurredAt"),
        rev=optional_text(fields, "rev", ID_LIMIT_CHARACTERS),
        orders_included=_orders_included(fields),
        orders_through_ms=instant_ms(fields, "ordersThrough"),
        unit=unit,
        decimals=tuple(decimals.items()),
        expected=_expected(fields.get("future")),
    )


def _expected(future: Any) -> str | None:
    """When the next goods are expected; None where that cannot be read: it is never a reason to lose a level."""
    if type(future) is not list or len(future) > LIST_LIMIT:
        return None
    found = []
    for entry in future:
        quantity, at = (
            (entry.get("quantity"), entry.get("expectedAt")) if type(entry) is dict else (None, None)
        )
        moment = _moment(at) if isinstance(at, str) else None
        if type(quantity) is not int or moment is None:
            return None
        if quantity > 0:
            found.append(moment)
    return min(found, default="")


def _moment(written: str) -> str | None:
    """A date, which is its first moment, or a time with its offset, in UTC to the millisecond."""
    try:
        ms = to_ms(checked_instant(f"{written}T00:00:00Z" if _DATE.fullmatch(written) else written, ""))
    except (Misread, OverflowError):
        return None
    return rfc3339(ms) if ms >= 0 else None


def _unit(fields: _Fields, path: str = "") -> str | None:
    return optional_text(fields, "uom", UNIT_LIMIT_CHARACTERS, path)


def _decimals(fields: _Fields, names: tuple[str, ...], unit: str | None) -> dict[str, str]:
    """Quantities written as decimal texts, which only a record that tells its unit may (section 1)."""
    found = {name: fields[name] for name in names if unit is not None and isinstance(fields.get(name), str)}
    return {name: written for name, written in found.items() if is_decimal(written)}


def _orders_included(fields: _Fields) -> tuple[str, ...]:
    return tuple(
        checked_text(entry, f"/ordersIncluded/{place}", SKU_LIMIT_CHARACTERS)
        for place, entry in enumerate(entries(fields, "ordersIncluded"))
    )


def _movement(fields: _Fields, record_id: str, seq: int) -> Movement:
    figure = text(fields, "state", ID_LIMIT_CHARACTERS)
    if figure not in (Figure.ON_HAND, Figure.AVAILABLE):
        raise Misread("unknown_value", "must be onHand or available", "/state", figure)
    balance = {} if fields.get("balanceAfter") is None else mapping(fields["balanceAfter"], "/balanceAfter")
    unit = _unit(fields)
    decimals, after = _decimals(fields, ("delta",), unit), _decimals(balance, ("onHand", "available"), unit)
    on_hand, available = (
        None if name in after else optional_integer(balance, name, "/balanceAfter")
        for name in ("onHand", "available")
    )
    return Movement(
        id=record_id,
        seq=seq,
        sku=text(fields, "sku"),
        location=text(fields, "location"),
        delta=0 if decimals else integer(fields, "delta"),
        figure=Figure(figure),
        reason=optional_text(fields, "reason", ID_LIMIT_CHARACTERS),
        balance_on_hand=on_hand,
        balance_available=available,
        occurred_at=instant(fields, "occurredAt"),
        unit=unit,
        decimals=tuple((decimals | after).items()),
    )


def _removal(fields: _Fields, record_id: str, seq: int) -> Removal:
    return Removal(record_id, seq, text(fields, "sku"), text(fields, "location"))


def _order(fields: _Fields) -> tuple[str | None, str | None]:
    """Return the order's id and number, one of which must be stated (section 1)."""
    order_id, order_number = optional_text(fields, "orderId"), optional_text(fields, "orderNumber")
    if order_id is None and order_number is None:
        raise Misread("missing", "states neither orderId nor orderNumber", "/orderId")
    return order_id, order_number


def _lines(fields: _Fields) -> tuple[LineShare, ...]:
    return tuple(
        _line(mapping(entry, f"/lines/{place}"), f"/lines/{place}")
        for place, entry in enumerate(entries(fields, "lines"))
    )


def _line(fields: _Fields, path: str) -> LineShare:
    return LineShare(
        sku=text(fields, "sku", path=path),
        quantity=integer(fields, "quantity", path, minimum=0),
        line_ref=optional_text(fields, "lineRef", path=path),
        location=optional_text(fields, "location", path=path),
        short_quantity=optional_integer(fields, "shortQuantity", path, minimum=0) or 0,
        unit=_unit(fields, path),
    )


def _accepted(fields: _Fields, record_id: str, seq: int) -> OrderAccepted:
    order_id, order_number = _order(fields)
    source_order = optional_text(fields, "sourceOrder")
    return OrderAccepted(record_id, seq, order_id, order_number, source_order, _lines(fields))


def _rejected(fields: _Fields, record_id: str, seq: int) -> OrderRejected:
    return OrderRejected(record_id, seq, *_order(fields), code=text(fields, "code", ID_LIMIT_CHARACTERS))


def _cancelled(fields: _Fields, record_id: str, seq: int) -> OrderCancelled:
    return OrderCancelled(record_id, seq, *_order(fields), imported=flag(fields, "imported"))


def _fulfilment(fields: _Fields, record_id: str, seq: int) -> Fulfilment:
    status = text(fields, "status", ID_LIMIT_CHARACTERS)
    if status not in FULFILMENT_STATUSES:
        raise Misread("unknown_value", "is no status of a fulfilment", "/status", status)
    if status != "cancelled":
        # It restates the whole: without lines it would prove nothing and book nothing, silently.
        stated(fields, "lines")
    order_id, order_number = _order(fields)
    return Fulfilment(
        id=record_id,
        seq=seq,
        fulfilment_id=text(fields, "fulfilmentId"),
        order_id=order_id,
        order_number=order_number,
        status=status,
        location=optional_text(fields, "location"),
        lines=_lines(fields),
        parcels=tuple(
            _parcel(mapping(entry, f"/parcels/{place}"), f"/parcels/{place}")
            for place, entry in enumerate(entries(fields, "parcels"))
        ),
        at=instant(fields, "at"),
    )


def _parcel(fields: _Fields, path: str) -> DispatchedParcel:
    """A parcel by its own id, else by its SSCC. What is printed on it is for people: never a reason to lose a dispatch."""
    named = "parcelId" if fields.get("parcelId") is not None or fields.get("sscc") is None else "sscc"
    pieces: dict[str, int] = {}
    for place, entry in enumerate(entries(fields, "lines", path)):
        where = f"{path}/lines/{place}"
        line = mapping(entry, where)
        sku = text(line, "sku", path=where)
        pieces[sku] = pieces.get(sku, 0) + integer(line, "quantity", where, minimum=0)
    return DispatchedParcel(
        parcel_id=text(fields, named, path=path),
        carrier=_for_people(fields.get("carrier")),
        tracking=_for_people(fields.get("trackingNumber")),
        pieces=pieces,
    )


def _for_people(value: Any) -> str | None:
    if type(value) is int:
        return clean_text(str(value))
    return clean_text(value) if isinstance(value, str) else None


def _return(fields: _Fields, record_id: str, seq: int) -> ReturnReceived:
    return ReturnReceived(
        id=record_id,
        seq=seq,
        return_id=text(fields, "returnId"),
        order_id=optional_text(fields, "orderId"),
        order_number=optional_text(fields, "orderNumber"),
        lines=tuple(
            _returned(mapping(entry, f"/lines/{place}"), f"/lines/{place}")
            for place, entry in enumerate(entries(fields, "lines"))
        ),
    )


def _returned(fields: _Fields, path: str) -> ReturnedLine:
    written = text(fields, "disposition", ID_LIMIT_CHARACTERS, path)
    if written not in {each.value for each in Disposition}:
        raise Misread("unknown_value", "is no disposition of returned goods", f"{path}/disposition", written)
    return ReturnedLine(
        sku=text(fields, "sku", path=path),
        quantity=integer(fields, "quantity", path, minimum=0),
        disposition=Disposition(written),
        line_ref=optional_text(fields, "lineRef", path=path),
        unit=_unit(fields, path),
    )


def _heartbeat(fields: _Fields, record_id: str, seq: int) -> Heartbeat:
    at = instant(fields, "at")
    if at is None:
        raise Misread("missing", "at is not stated", "/at")
    return Heartbeat(record_id, seq, at)


_READERS: Final[Mapping[str, Callable[[_Fields, str, int], Record]]] = {
    "stock.level": _level,
    "stock.movement": _movement,
    "stock.removed": _removal,
    "order.accepted": _accepted,
    "order.rejected": _rejected,
    "order.cancelled": _cancelled,
    "fulfilment": _fulfilment,
    "return.received": _return,
    "feed.heartbeat": _heartbeat,
}
RECORD_TYPES: Final = frozenset(_READERS)
