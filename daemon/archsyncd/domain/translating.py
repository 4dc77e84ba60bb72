"""A record in the source's own terms to one in ours: commercetools' SKUs, pieces. Knows no source and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

from archsyncd.domain.aliases import Collision, Named
from archsyncd.domain.feed import (
    INT64_MAXIMUM,
    INT64_MINIMUM,
    Fulfilment,
    Level,
    LineShare,
    Movement,
    OrderAccepted,
    Record,
    Reject,
    Removal,
    ReturnedLine,
    ReturnReceived,
)
from archsyncd.domain.units import Units, in_pieces

COLLISION_CODE: Final = "sku_collision"
_FIGURES: Final[Mapping[str, str]] = {"onHand": "on_hand", "available": "available"}
_BALANCES: Final[Mapping[str, str]] = {"onHand": "balance_on_hand", "available": "balance_available"}


class Untranslatable(Exception):
    """A record that must not become a quantity of ours, and why."""

    def __init__(self, code: str, reason: str, path: str, value: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.path, self.value = code, reason, path, value


def skus_of(record: Record) -> Iterable[str]:
    """Every SKU that a record names."""
    if isinstance(record, (Level, Movement, Removal)):
        return (record.sku,)
    if isinstance(record, Fulfilment):
        packed = (sku for parcel in record.parcels for sku in parcel.pieces)
        return (*(line.sku for line in record.lines), *packed)
    if isinstance(record, (OrderAccepted, ReturnReceived)):
        return tuple(line.sku for line in record.lines)
    return ()


def stock_unit(record: Record) -> tuple[str, str] | None:
    """The SKU whose stock a record tells, with the unit it is told in ("": none was)."""
    return (record.sku, record.unit or "") if isinstance(record, (Level, Movement)) else None


def plain(record: Record, units: Units) -> bool:
    """Whether a record is in pieces as it was told, which nearly all are."""
    if isinstance(record, (Level, Movement)):
        return units.plain(record.unit) and not record.decimals
    if isinstance(record, (Fulfilment, OrderAccepted, ReturnReceived)):
        return all(units.plain(line.unit) for line in record.lines)
    return True


def in_our_units(record: Record, units: Units, before: Mapping[str, str]) -> Record | Reject:
    """The record in pieces. `before`: the unit in which each SKU was told last, where that is known."""
    try:
        if isinstance(record, Level):
            return _level(record, _factor(record.sku, record.unit, units, before), units)
        if isinstance(record, Movement):
            return _movement(record, _factor(record.sku, record.unit, units, before), units)
        if isinstance(record, (Fulfilment, OrderAccepted)):
            shares = tuple(_share(line, _factor(line.sku, line.unit, units, {})) for line in record.lines)
            return replace(record, lines=shares)
        if isinstance(record, ReturnReceived):
            lines = tuple(_returned(line, _factor(line.sku, line.unit, units, {})) for line in record.lines)
            return replace(record, lines=lines)
    except Untranslatable as fault:
        return _rejected(record, fault)
    return record


def _factor(sku: str, unit: str | None, units: Units, before: Mapping[str, str]) -> Fraction:
    told = unit or ""
    last = before.get(sku, "")
    if not told and last and units.factor(sku, last) != 1 and not units.configured(sku, told):
        reason = f"tells no unit, and {sku} was told in {last} before: nobody can say what it counts"
        raise Untranslatable("unit_not_stated", reason, "/uom", "")
    factor = units.factor(sku, told)
    if factor is None:
        reason = f"is a unit without a factor in [units]: how many pieces of {sku} it is, nobody has said"
        raise Untranslatable("unknown_unit", reason, "/uom", told)
    return factor


def _level(record: Level, factor: Fraction, units: Units) -> Level:
    if factor == 1 and not record.decimals:
        return record
    found = _pieces(record, _FIGURES, factor, units)
    return _level_as(record, record.sku, found["on_hand"], found["available"])


def _level_as(record: Level, sku: str, on_hand: int | None, available: int | None) -> Level:
    """A level under another name or with other figures, in whole pieces; a third of the price of `replace`, as nearly all are."""
    return Level(
        record.id,
        record.seq,
        sku,
        record.location,
        on_hand,
        available,
        record.as_of,
        record.occurred_at,
        record.rev,
        record.orders_included,
        record.orders_through_ms,
        record.unit,
        (),
        record.expected,
    )


def _movement(record: Movement, factor: Fraction, units: Units) -> Movement:
    if factor == 1 and not record.decimals:
        return record
    found = _pieces(record, {"delta": "delta", **_BALANCES}, factor, units)
    return replace(record, decimals=(), **found)


def _pieces(
    record: Level | Movement, names: Mapping[str, str], factor: Fraction, units: Units
) -> dict[str, Any]:
    decimals = dict(record.decimals)
    if decimals and not units.configured(record.sku, record.unit or ""):
        name, written = record.decimals[0]
        reason = f"must be a JSON integer: {record.unit} has no factor in [units]"
        raise Untranslatable("not_an_integer", reason, f"/{name}", written)
    found: dict[str, int | None] = {}
    for name, field in names.items():
        told = decimals.get(name, getattr(record, field))
        found[field] = None if told is None else _within(in_pieces(told, factor), name)
    return found


def _within(pieces: int, name: str) -> int:
    if not INT64_MINIMUM <= pieces <= INT64_MAXIMUM:
        raise Untranslatable("out_of_range", "is beyond 64 bits once it is in pieces", f"/{name}", "")
    return pieces


def _share(line: LineShare, factor: Fraction) -> LineShare:
    if factor == 1:
        return line
    quantity = _within(in_pieces(line.quantity, factor), "lines")
    short = _within(in_pieces(line.short_quantity, factor), "lines")
    return replace(line, quantity=quantity, short_quantity=short)


def _returned(line: ReturnedLine, factor: Fraction) -> ReturnedLine:
    if factor == 1:
        return line
    return replace(line, quantity=_within(in_pieces(line.quantity, factor), "lines"))


def _rejected(record: Record, fault: Untranslatable) -> Reject:
    stock = isinstance(record, (Level, Movement))
    return Reject(
        fault.code,
        fault.reason,
        fault.path,
        fault.value,
        record.id,
        record.seq,
        record.sku if isinstance(record, (Level, Movement)) else None,
        record.location if isinstance(record, (Level, Movement)) else None,
        stock=stock,
    )


def in_our_names(record: Record, names: Mapping[str, Named]) -> Record | Reject:
    """The record with commercetools' SKUs. `names`: what each of its SKUs is called, or whose that name is already."""
    collision = next((sku for sku in skus_of(record) if isinstance(names[sku], Collision)), None)
    if collision is not None:
        return _collided(record, collision, names)
    called = partial(_called, names)
    if isinstance(record, (Level, Movement, Removal)):
        sku = called(record.sku)
        if sku == record.sku:
            return record
        if isinstance(record, Level):
            return _level_as(record, sku, record.on_hand, record.available)
        return replace(record, sku=sku)
    if isinstance(record, Fulfilment):
        lines = tuple(replace(line, sku=called(line.sku)) for line in record.lines)
        parcels = tuple(
            replace(parcel, pieces={called(sku): pieces for sku, pieces in parcel.pieces.items()})
            for parcel in record.parcels
        )
        return replace(record, lines=lines, parcels=parcels)
    if isinstance(record, OrderAccepted):
        return replace(record, lines=tuple(replace(line, sku=called(line.sku)) for line in record.lines))
    if isinstance(record, ReturnReceived):
        return replace(record, lines=tuple(replace(line, sku=called(line.sku)) for line in record.lines))
    return record


def _called(names: Mapping[str, Named], sku: str) -> str:
    named = names[sku]
    assert isinstance(named, str)
    return named


def _collided(record: Record, sku: str, names: Mapping[str, Named]) -> Reject:
    """It is no record of the key that both SKUs would share, so it leaves no gap there: `stock` is False."""
    found = names[sku]
    assert isinstance(found, Collision)
    reason = (
        f"Archean's {sku} would be {found.sku} in commercetools, which Archean's {found.owner} is already: nothing of it is "
        "used, so that two articles are never one quantity"
    )
    return Reject(COLLISION_CODE, reason, "/sku", sku, record_id=sku, seq=record.seq, stock=False)
