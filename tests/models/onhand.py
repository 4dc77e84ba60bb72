"""A location that sells what is on hand: only shipping lowers its figure; one daemon.

A fulfilment record stands in the feed before the level that follows from it.  It must not know where the
units are allocated: on hand does not tell.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from tests.models.entry import Entry, drain
from tests.models.explore import Model


class Rule(Enum):
    """What proves that the level excludes units of a line."""

    SHIPPED_BEFORE = auto()  # their shipped fulfilment stands before the level
    ACCEPTED_BEFORE = auto()  # wrong: the line's acceptance does
    SHIPPED = auto()  # wrong: they were shipped, whatever the level
    PART_SHIPPED = auto()  # wrong: any shipped fulfilment of the line before the level proves all of it


class Shipment(NamedTuple):
    """Units of one line that left together, their record's feed position, and whether we were told."""

    seq: int
    units: int
    told: bool


class Line(NamedTuple):
    """What became of one order; `accepted` is a feed position, 0 for not yet."""

    committed: bool = False
    known: bool = False
    accepted: int = 0
    accept_told: bool = False
    shipments: tuple[Shipment, ...] = ()


class State(NamedTuple):
    """The feed's records (levels, or None for another record), how far they are read, entry, and lines."""

    records: tuple[int | None, ...]
    position: int
    on_hand: int
    entry: Entry
    lines: tuple[Line, ...]
    receipts: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class OnHand(Model[State]):
    """A rule with its world."""

    rule: Rule = Rule.SHIPPED_BEFORE
    quantities: tuple[int, ...] = (2, 1)
    stock: int = 2
    receipts: int = 1

    def initial(self) -> State:
        """Return a shop that publishes what is on hand."""
        lines = (Line(),) * len(self.quantities)
        return State((self.stock,), 0, self.stock, Entry(self.stock, self.stock), lines, self.receipts)

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised and not shipped than is on hand."""
        free = state.on_hand
        for line, quantity in zip(state.lines, self.quantities, strict=True):
            if line.committed:
                free -= quantity - _shipped_units(line)
        return free < 0

    def stuck(self, state: State) -> str | None:
        """Name stock at rest, when all is shipped, above or below what is on hand."""
        if state.entry.stock == state.on_hand:
            return None
        return "high" if state.entry.stock > state.on_hand else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, the warehouse and the daemon."""
        found: list[Step] = []
        for order, quantity in enumerate(self.quantities):
            line = state.lines[order]
            if line.known:
                self._warehouse_steps(found, state, order, quantity)
                self._hear_steps(found, state, order)
            elif line.committed:
                found.append((f"learn{order}", _with(state, order, line._replace(known=True))))
            elif state.entry.stock >= quantity:
                sold = state._replace(entry=state.entry.sold(quantity))
                found.append((f"order{order}", _with(sold, order, line._replace(committed=True))))
        if state.receipts:
            grown = _levelled(state, (), 1)
            found.append(("receipt", grown._replace(receipts=state.receipts - 1)))
        if state.position < len(state.records) - 1:
            found.append(("feed", state._replace(position=state.position + 1)))
        drained = drain(state.entry, self._target(state))
        if drained is not None:
            found.append((drained[0], state._replace(entry=drained[1])))
        return found

    @staticmethod
    def _warehouse_steps(found: list[Step], state: State, order: int, quantity: int) -> None:
        line, here = state.lines[order], len(state.records)
        if not line.accepted:
            accepted = state._replace(records=(*state.records, None))
            found.append((f"accept{order}", _with(accepted, order, line._replace(accepted=here))))
            return
        for units in range(1, quantity - _shipped_units(line) + 1):
            shipments = (*line.shipments, Shipment(here, units, False))
            after = _levelled(state, (None,), -units)
            found.append((f"ship{order}x{units}", _with(after, order, line._replace(shipments=shipments))))

    @staticmethod
    def _hear_steps(found: list[Step], state: State, order: int) -> None:
        line = state.lines[order]
        if line.accepted and not line.accept_told:
            found.append((f"ack{order}", _with(state, order, line._replace(accept_told=True))))
        shipments = line.shipments
        for index, shipment in enumerate(shipments):
            if not shipment.told:
                told = (*shipments[:index], shipment._replace(told=True), *shipments[index + 1 :])
                found.append((f"shipped{order}.{index}", _with(state, order, line._replace(shipments=told))))

    def _target(self, state: State) -> int:
        position, level = state.position, state.records[state.position]
        while level is None:
            position -= 1
            level = state.records[position]
        for line, quantity in zip(state.lines, self.quantities, strict=True):
            level += self._reflected(line, quantity, position)
        return level

    def _reflected(self, line: Line, quantity: int, position: int) -> int:
        if self.rule is Rule.ACCEPTED_BEFORE:
            return quantity if line.accept_told and line.accepted < position else 0
        units = 0
        for shipment in line.shipments:
            if shipment.told and (self.rule is Rule.SHIPPED or shipment.seq < position):
                units += shipment.units
        return quantity if units and self.rule is Rule.PART_SHIPPED else units


def _shipped_units(line: Line) -> int:
    units = 0
    for shipment in line.shipments:
        units += shipment.units
    return units


def _levelled(state: State, before: tuple[None, ...], units: int) -> State:
    on_hand = state.on_hand + units
    return state._replace(records=(*state.records, *before, on_hand), on_hand=on_hand)


def _with(state: State, order: int, line: Line) -> State:
    lines = state.lines
    return state._replace(lines=(*lines[:order], line, *lines[order + 1 :]))
