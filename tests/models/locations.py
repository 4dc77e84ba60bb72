"""Two locations behind one channel, each with its own position on one feed; one daemon.

The published stock is the sum of both.  The warehouse imports a line unit by unit where it has stock.  It
must not know percentages and buffers: those are in `batches`.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from tests.models.entry import Entry, drain
from tests.models.explore import Model


class Rule(Enum):
    """Against which location's level an acknowledged unit is held."""

    OWN_LOCATION = auto()  # the acknowledgement names the location: its level counts
    EVERY_LOCATION = auto()  # it names none: every location has a level at or after it
    FIRST_TO_REACH = auto()  # wrong: whichever location has a level at or after it
    FIRST_LISTED = auto()  # wrong: the channel's first location
    WHOLE_LINE = auto()  # wrong: one unit proven at its own location proves the line


class Unit(NamedTuple):
    """One unit of a line: where and at which feed position it was imported, and whether we were told."""

    place: int
    seq: int
    told: bool


class Place(NamedTuple):
    """One location: the level merged last, its position, and the levels on their way as (position, units)."""

    position: int
    level: int
    unread: tuple[tuple[int, int], ...] = ()

    def truth(self) -> int:
        """Return what the warehouse has here."""
        return self.unread[-1][1] if self.unread else self.level

    def moved(self, seq: int, units: int) -> "Place":
        """Return the location after its figure changed by some units at a feed position."""
        return Place(self.position, self.level, (*self.unread, (seq, self.truth() + units)))

    def merged(self) -> "Place":
        """Return the location after the next level on its way was merged."""
        position, level = self.unread[0]
        return Place(position, level, self.unread[1:])


class State(NamedTuple):
    """The feed's last position, the locations, the entry, and the orders by index."""

    seq: int
    places: tuple[Place, ...]
    entry: Entry
    committed: int
    known: int
    lines: tuple[tuple[Unit, ...], ...]
    receipts: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Locations(Model[State]):
    """A rule with its world: order quantities, first stock per location, receipts that come to either."""

    rule: Rule
    quantities: tuple[int, ...] = (2, 1)
    stock: tuple[int, ...] = (1, 1)
    receipts: int = 1

    def initial(self) -> State:
        """Return a shop that publishes the sum of all locations."""
        total = sum(self.stock)
        places = tuple(Place(0, units) for units in self.stock)
        return State(0, places, Entry(total, total), 0, 0, ((),) * len(self.quantities), self.receipts)

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than all locations have."""
        free = _total(state)
        for order, quantity in enumerate(self.quantities):
            if state.committed >> order & 1:
                free -= quantity - len(state.lines[order])
        return free < 0

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below the warehouse's."""
        total = _total(state)
        if state.entry.stock == total:
            return None
        return "high" if state.entry.stock > total else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, the warehouse and the daemon."""
        found: list[Step] = []
        for order, quantity in enumerate(self.quantities):
            self._order_steps(found, state, order, quantity)
        for number, place in enumerate(state.places):
            if state.receipts:
                grown = _moved(state, number, 1)
                found.append((f"receipt@{number}", grown._replace(receipts=state.receipts - 1)))
            if place.unread:
                found.append((f"feed@{number}", _with_place(state, number, place.merged())))
            if self._doubted(state, place):
                fresh = Place(state.seq, place.truth())
                found.append((f"read@{number}", _with_place(state, number, fresh)))
        drained = drain(state.entry, self._target(state))
        if drained is not None:
            found.append((drained[0], state._replace(entry=drained[1])))
        return found

    @staticmethod
    def _order_steps(found: list[Step], state: State, order: int, quantity: int) -> None:
        bit, units = 1 << order, state.lines[order]
        if not state.committed & bit:
            if state.entry.stock >= quantity:
                entry = state.entry.sold(quantity)
                found.append((f"order{order}", state._replace(entry=entry, committed=state.committed | bit)))
            return
        if not state.known & bit:
            found.append((f"learn{order}", state._replace(known=state.known | bit)))
            return
        for number, place in enumerate(state.places):
            # A warehouse that has nothing left takes the order all the same: its figure becomes a debt.
            if len(units) < quantity and (place.truth() > 0 or _total(state) <= 0):
                after = _moved(state, number, -1)
                grown = (*units, Unit(number, after.seq, False))
                found.append((f"import{order}@{number}", _with_line(after, order, grown)))
        for index, unit in enumerate(units):
            if not unit.told:
                told = (*units[:index], unit._replace(told=True), *units[index + 1 :])
                found.append((f"ack{order}.{index}", _with_line(state, order, told)))

    def _doubted(self, state: State, place: Place) -> bool:
        """Tell whether an acknowledgement that names no location waits for a level here: then it is asked for."""
        if self.rule is not Rule.EVERY_LOCATION:
            return False
        return any(unit.told and unit.seq > place.position for units in state.lines for unit in units)

    def _target(self, state: State) -> int:
        target = 0
        for place in state.places:
            target += place.level
        for units, quantity in zip(state.lines, self.quantities, strict=True):
            proven = 0
            for unit in units:
                proven += unit.told and self._reflected(state, unit)
            target += quantity if proven and self.rule is Rule.WHOLE_LINE else proven
        return target

    def _reflected(self, state: State, unit: Unit) -> bool:
        if self.rule is Rule.EVERY_LOCATION:
            return all(unit.seq <= place.position for place in state.places)
        if self.rule is Rule.FIRST_TO_REACH:
            return any(unit.seq <= place.position for place in state.places)
        if self.rule is Rule.FIRST_LISTED:
            return unit.seq <= state.places[0].position
        return unit.seq <= state.places[unit.place].position


def _total(state: State) -> int:
    total = 0
    for place in state.places:
        total += place.truth()
    return total


def _moved(state: State, number: int, units: int) -> State:
    seq = state.seq + 1
    return _with_place(state, number, state.places[number].moved(seq, units))._replace(seq=seq)


def _with_place(state: State, number: int, place: Place) -> State:
    places = state.places
    return state._replace(places=(*places[:number], place, *places[number + 1 :]))


def _with_line(state: State, order: int, units: tuple[Unit, ...]) -> State:
    lines = state.lines
    return state._replace(lines=(*lines[:order], units, *lines[order + 1 :]))
