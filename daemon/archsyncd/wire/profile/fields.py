"""Which fields r247/1 knows, by type of record, and what each holds. Knows no payload and no profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias


class Kind(StrEnum):
    """What a field holds; the values are words for people."""

    TEXT = "a text"
    SEQUENCE = "a sequence number"
    WHOLE = "a whole number"
    TIME = "a time"
    DATE = "a date"
    FLAG = "true or false"
    TEXTS = "a list of texts"


@dataclass(frozen=True, slots=True)
class Nest:
    """A field that holds objects: a list of them (`many`) or one."""

    fields: Mapping[str, Kind | Nest]
    many: bool = True


Shape: TypeAlias = Kind | Nest

_LINE: Final[Mapping[str, Shape]] = {
    "lineRef": Kind.TEXT,
    "sku": Kind.TEXT,
    "quantity": Kind.WHOLE,
    "shortQuantity": Kind.WHOLE,
    "location": Kind.TEXT,
    "reason": Kind.TEXT,
}
_COMMON: Final[Mapping[str, Shape]] = {
    "id": Kind.TEXT,
    "type": Kind.TEXT,
    "seq": Kind.SEQUENCE,
    "occurredAt": Kind.TIME,
}
_KEY: Final[Mapping[str, Shape]] = {"sku": Kind.TEXT, "location": Kind.TEXT}
_ORDER: Final[Mapping[str, Shape]] = {"orderId": Kind.TEXT, "orderNumber": Kind.TEXT}
_FIGURES: Final = (
    "onHand",
    "available",
    "allocated",
    "picked",
    "unavailable",
    "backordered",
    "safety",
)
_LEVEL: Final[Mapping[str, Shape]] = {
    **_KEY,
    **dict.fromkeys(_FIGURES, Kind.WHOLE),
    "future": Nest({"quantity": Kind.WHOLE, "expectedAt": Kind.DATE, "ref": Kind.TEXT}),
    "asOf": Kind.TIME,
    "rev": Kind.TEXT,
    "ordersThrough": Kind.TIME,
    "ordersIncluded": Kind.TEXTS,
    "gtin": Kind.TEXT,
    "uom": Kind.TEXT,
}
_MOVEMENT: Final[Mapping[str, Shape]] = {
    **_KEY,
    "delta": Kind.WHOLE,
    "state": Kind.TEXT,
    "reason": Kind.TEXT,
    "ref": Kind.TEXT,
    "uom": Kind.TEXT,
    "balanceAfter": Nest({"onHand": Kind.WHOLE, "available": Kind.WHOLE}, many=False),
}
_PARCEL: Final[Mapping[str, Shape]] = {
    "parcelId": Kind.TEXT,
    "sscc": Kind.TEXT,
    "carrier": Kind.TEXT,
    "service": Kind.TEXT,
    "trackingNumber": Kind.TEXT,
    "lines": Nest({"sku": Kind.TEXT, "quantity": Kind.WHOLE}),
}
_FULFILMENT: Final[Mapping[str, Shape]] = {
    **_ORDER,
    "fulfilmentId": Kind.TEXT,
    "status": Kind.TEXT,
    "location": Kind.TEXT,
    "at": Kind.TIME,
    "lines": Nest(_LINE),
    "parcels": Nest(_PARCEL),
}
_RETURN: Final[Mapping[str, Shape]] = {
    **_ORDER,
    "returnId": Kind.TEXT,
    "location": Kind.TEXT,
    "lines": Nest({**_LINE, "disposition": Kind.TEXT}),
}
TYPES: Final[Mapping[str, Mapping[str, Shape]]] = {
    "stock.level": {**_COMMON, **_LEVEL},
    "stock.movement": {**_COMMON, **_MOVEMENT},
    "stock.removed": {**_COMMON, **_KEY},
    "order.accepted": {**_COMMON, **_ORDER, "sourceOrder": Kind.TEXT, "lines": Nest(_LINE)},
    "order.rejected": {**_COMMON, **_ORDER, "code": Kind.TEXT, "lines": Nest(_LINE)},
    "order.cancelled": {**_COMMON, **_ORDER, "imported": Kind.FLAG},
    "fulfilment": {**_COMMON, **_FULFILMENT},
    "return.received": {**_COMMON, **_RETURN},
    "feed.heartbeat": {**_COMMON, "at": Kind.TIME},
}
# One of each group must be given for a record of the type to be usable at all (section 1).
NEEDED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "stock.level": (("sku",), ("location",), ("onHand", "available")),
    "stock.movement": (("sku",), ("location",), ("delta",), ("state",)),
    "stock.removed": (("sku",), ("location",)),
    "order.accepted": (("orderId", "orderNumber"),),
    "order.rejected": (("orderId", "orderNumber"), ("code",)),
    "order.cancelled": (("orderId", "orderNumber"), ("imported",)),
    "fulfilment": (("fulfilmentId",), ("orderId", "orderNumber"), ("status",)),
    "return.received": (("returnId",),),
    "feed.heartbeat": (("at",),),
}


def fields_of(kind: str | None) -> Mapping[str, Shape]:
    """The fields of a type; of all types where it is not known before the record is read."""
    if kind is not None:
        return TYPES.get(kind, _COMMON)
    every: dict[str, Shape] = {}
    for fields in TYPES.values():
        for name, shape in fields.items():
            known = every.get(name)
            every[name] = _wider(known, shape) if isinstance(known, Nest) else shape
    return every


def _wider(one: Nest, other: Shape) -> Nest:
    return Nest({**one.fields, **other.fields}, one.many) if isinstance(other, Nest) else one


def names_within(fields: Mapping[str, Shape], path: str = "") -> Iterator[str]:
    """Every r247/1 path of these fields: `/sku`, `/lines/*/sku`."""
    for name, shape in fields.items():
        yield f"{path}/{name}"
        if isinstance(shape, Nest):
            yield from names_within(shape.fields, f"{path}/{name}/*" if shape.many else f"{path}/{name}")
