"""Orders that were created before their entry exists, or before it was deleted and came back; one daemon.

Such an order never touches the entry's stock.  It must not know foreign writers of the stock: an entry that
vanishes is all that anybody else does here.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, NamedTuple, TypeAlias

from tests.models.entry import Entry, drain
from tests.models.explore import Model


class Rule(Enum):
    """How an order older than its entry counts."""

    UNTRACKED = auto()  # against the target until it is reflected, and not at all afterwards
    COUNTED_AS_TRACKED = auto()  # wrong: as if it had lowered the entry's stock
    UNTRACKED_FOR_EVER = auto()  # wrong: against the target even when the level excludes it


class State(NamedTuple):
    """Levels by feed position, how far they are read, the entry if there is one, and orders as bit sets.

    `touched`: the order lowered the stock of the entry that exists now.
    """

    levels: tuple[int, ...]
    position: int
    entry: Entry | None
    touched: int
    committed: int
    known: int
    imported: tuple[int, ...]
    acknowledged: int
    receipts: int
    deletions: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class BeforeEntry(Model[State]):
    """A rule with its world.

    `cautious`: a new entry starts at zero or below, and the first raise waits until every order that is
    older than the entry is known.  `bare_orders`: the shop takes orders while there is no entry.
    """

    rule: Rule = Rule.UNTRACKED
    cautious: bool = True
    bare_orders: bool = True
    quantities: tuple[int, ...] = (1, 1, 1)
    stock: int = 2
    receipts: int = 1
    deletions: int = 0

    voluntary: ClassVar[tuple[str, ...]] = ("order", "delete")

    def initial(self) -> State:
        """Return a warehouse with stock and a shop without an entry."""
        none = (0,) * len(self.quantities)
        return State((self.stock,), 0, None, 0, 0, 0, none, 0, self.receipts, self.deletions)

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than the warehouse has."""
        return self._free(state) < 0

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below the warehouse's."""
        stock = None if state.entry is None else state.entry.stock
        if stock == state.levels[-1]:
            return None
        return "high" if stock is not None and stock > state.levels[-1] else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, somebody who deletes, the warehouse and the daemon."""
        found: list[Step] = []
        for order, quantity in enumerate(self.quantities):
            if state.committed >> order & 1:
                _follow(found, state, order, quantity)
            else:
                self._sell(found, state, order, quantity)
        if state.receipts:
            grown = (*state.levels, state.levels[-1] + 1)
            found.append(("receipt", state._replace(levels=grown, receipts=state.receipts - 1)))
        if state.position < len(state.levels) - 1:
            found.append(("feed", state._replace(position=state.position + 1)))
        self._publish(found, state)
        if state.deletions and state.entry is not None:
            bare = state._replace(entry=None, touched=0, deletions=state.deletions - 1)
            found.append(("delete", bare))
        return found

    def _free(self, state: State) -> int:
        free = state.levels[-1]
        for order, quantity in enumerate(self.quantities):
            if state.committed >> order & 1 and not state.imported[order]:
                free -= quantity
        return free

    def _sell(self, found: list[Step], state: State, order: int, quantity: int) -> None:
        """Take an order: against the stock where there is an entry, else at the shop's own risk.

        Without an entry the platform checks nothing, so only orders that fit are of interest.
        """
        committed = state.committed | 1 << order
        if state.entry is None:
            if self.bare_orders and self._free(state) >= quantity:
                found.append((f"order{order} without entry", state._replace(committed=committed)))
        elif state.entry.stock >= quantity:
            entry, touched = state.entry.sold(quantity), state.touched | 1 << order
            found.append((f"order{order}", state._replace(entry=entry, touched=touched, committed=committed)))

    def _publish(self, found: list[Step], state: State) -> None:
        target = self._target(state)
        if state.entry is None:
            first = min(target, 0) if self.cautious else target
            found.append((f"create={first}", state._replace(entry=Entry(first, first))))
            return
        unknown = state.committed & ~state.touched & ~state.known
        if self.cautious and unknown and not state.entry.flight and target > state.entry.applied:
            return
        drained = drain(state.entry, target)
        if drained is not None:
            found.append((drained[0], state._replace(entry=drained[1])))

    def _target(self, state: State) -> int:
        target = state.levels[state.position]
        for order, quantity in enumerate(self.quantities):
            if not state.known >> order & 1:
                continue
            told = state.acknowledged >> order & 1
            reflected = told and state.imported[order] <= state.position
            if state.touched >> order & 1 or self.rule is Rule.COUNTED_AS_TRACKED:
                target += quantity if reflected else 0
            elif not reflected or self.rule is Rule.UNTRACKED_FOR_EVER:
                target -= quantity
        return target


def _follow(found: list[Step], state: State, order: int, quantity: int) -> None:
    """Learn an order with its time of creation, import it, hear of it."""
    bit, imported = 1 << order, state.imported
    if not state.known & bit:
        found.append((f"learn{order}", state._replace(known=state.known | bit)))
    elif not imported[order]:
        seqs = (*imported[:order], len(state.levels), *imported[order + 1 :])
        levels = (*state.levels, state.levels[-1] - quantity)
        found.append((f"import{order}", state._replace(levels=levels, imported=seqs)))
    elif not state.acknowledged & bit:
        found.append((f"ack{order}", state._replace(acknowledged=state.acknowledged | bit)))
