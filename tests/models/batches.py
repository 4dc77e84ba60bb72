"""Orders and receipts of several units, imported in portions, behind a policy; one location, one daemon.

It must not know where a portion is kept: that is the business of `locations`.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from tests.models.entry import Entry, drain
from tests.models.explore import Model


class Rule(Enum):
    """What a daemon makes of an acknowledged portion, and of a debt."""

    PER_UNIT = auto()  # the portion's units are reflected
    WHOLE_LINE = auto()  # wrong: the first portion reflects all units of the line
    PER_LINE = auto()  # wrong: a line counts as one unit
    CLAMPED = auto()  # wrong: a decrease stops at zero and is booked in full


class Portion(NamedTuple):
    """Units of one order that the warehouse imported together at a feed position."""

    seq: int
    units: int
    told: bool


class State(NamedTuple):
    """Levels by feed position, how far they are read, the entry, and the orders by index."""

    levels: tuple[int, ...]
    position: int
    entry: Entry
    committed: int
    known: int
    portions: tuple[tuple[Portion, ...], ...]
    receipts: int
    shrinks: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Batches(Model[State]):
    """A rule with its world, and the policy between the warehouse's figure and the published one."""

    rule: Rule = Rule.PER_UNIT
    quantities: tuple[int, ...] = (2, 1, 2)
    stock: int = 3
    receipts: int = 1
    receipt_units: int = 2
    shrinks: int = 0
    percentage: int = 100
    safety_stock: int = 0

    def sellable(self, level: int) -> int:
        """Return the policy's figure for a level; negative levels and results stay what they are."""
        share = level * self.percentage // 100 if level > 0 else level
        return share - self.safety_stock

    def initial(self) -> State:
        """Return a shop that publishes what the policy allows."""
        published = self.sellable(self.stock)
        none = ((),) * len(self.quantities)
        entry = Entry(published, published)
        return State((self.stock,), 0, entry, 0, 0, none, self.receipts, self.shrinks)

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than the warehouse has."""
        promised = 0
        for order, quantity in enumerate(self.quantities):
            if state.committed >> order & 1:
                promised += quantity - imported_units(state.portions[order])
        return state.levels[-1] < promised

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below what the policy allows."""
        wanted = self.sellable(state.levels[-1])
        if state.entry.stock == wanted:
            return None
        return "high" if state.entry.stock > wanted else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, the warehouse and the daemon."""
        found: list[Step] = []
        for order, quantity in enumerate(self.quantities):
            self._order_steps(found, state, order, quantity)
        level = state.levels[-1]
        if state.receipts:
            grown = (*state.levels, level + self.receipt_units)
            found.append(("receipt", state._replace(levels=grown, receipts=state.receipts - 1)))
        if state.shrinks:
            shrunk = (*state.levels, level - 1)
            found.append(("shrink", state._replace(levels=shrunk, shrinks=state.shrinks - 1)))
        if state.position < len(state.levels) - 1:
            found.append(("feed", state._replace(position=state.position + 1)))
        drained = drain(state.entry, self._target(state))
        if drained is not None:
            label, entry = drained
            if self.rule is Rule.CLAMPED and state.entry.flight < 0:
                entry = entry._replace(stock=max(entry.stock, 0))
            found.append((label, state._replace(entry=entry)))
        return found

    def _order_steps(self, found: list[Step], state: State, order: int, quantity: int) -> None:
        bit = 1 << order
        if not state.committed & bit:
            if state.entry.stock >= quantity:
                entry = state.entry.sold(quantity)
                found.append((f"order{order}", state._replace(entry=entry, committed=state.committed | bit)))
            return
        if not state.known & bit:
            found.append((f"learn{order}", state._replace(known=state.known | bit)))
            return
        portions = state.portions[order]
        for units in range(1, quantity - imported_units(portions) + 1):
            portion = Portion(len(state.levels), units, False)
            after = _with_portions(state, order, (*portions, portion))
            levels = (*state.levels, state.levels[-1] - units)
            found.append((f"import{order}x{units}", after._replace(levels=levels)))
        for number, portion in enumerate(portions):
            if not portion.told:
                told = (*portions[:number], portion._replace(told=True), *portions[number + 1 :])
                found.append((f"ack{order}.{number}", _with_portions(state, order, told)))

    def _target(self, state: State) -> int:
        units = 0
        for order, quantity in enumerate(self.quantities):
            proven = 0
            for portion in state.portions[order]:
                if portion.told and portion.seq <= state.position:
                    proven += portion.units
            if self.rule is Rule.WHOLE_LINE and proven:
                proven = quantity
            elif self.rule is Rule.PER_LINE and proven:
                proven = 1
            units += proven
        return self.sellable(state.levels[state.position]) + units


def imported_units(portions: tuple[Portion, ...]) -> int:
    """Return how many units of a line the warehouse has imported."""
    units = 0
    for portion in portions:
        units += portion.units
    return units


def _with_portions(state: State, order: int, portions: tuple[Portion, ...]) -> State:
    lines = state.portions
    return state._replace(portions=(*lines[:order], portions, *lines[order + 1 :]))
