"""Ways of correcting drift between the ledger and the entry; it must not know how the ledger came about.

One key whose ledger stands still at X units.  An order's effect shows on the entry late and, independently,
in the list of orders late; somebody may lower the stock by hand once.  The correction is an increment.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from tests.models.explore import Model


class Rule(Enum):
    """In which order, and under which guard, the entry and the orders are read."""

    ORDERS_THEN_ENTRY = auto()
    ENTRY_THEN_ORDERS = auto()
    GUARDED = auto()  # entry first, the list complete beyond that read, no raise while an effect was pending


class Phase(NamedTuple):
    """How far a correction has come: `units` is the listed orders, the quantity shown, or the drift.

    `committed` and `visible` are the orders that were so when the entry was read.
    """

    stage: Literal["orders read", "entry read", "computed"]
    units: int
    committed: int = 0
    visible: int = 0


class State(NamedTuple):
    """The true stock, orders as bit sets by index, and how far the current correction has come."""

    stock: int
    committed: int
    visible: int
    listed: int
    manual: bool
    phase: Phase | None
    rounds: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Reconcile(Model[State]):
    """A rule with its world: the units the ledger stands for, the orders that may come, the corrections."""

    rule: Rule
    units: int = 2
    orders: int = 3
    rounds: int = 2

    voluntary: ClassVar[tuple[str, ...]] = ("order", "manual")

    def initial(self) -> State:
        """Return an entry that agrees with the ledger."""
        return State(self.units, 0, 0, 0, True, None, self.rounds)

    def oversold(self, state: State) -> bool:
        """Tell whether more orders were admitted than the ledger has units."""
        return state.committed.bit_count() > self.units

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above the ledger; what somebody took away by hand at the end stays away."""
        return "high" if state.stock > self.units - state.committed.bit_count() else None

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, of late effects, of a hand in the stock and of the correction."""
        found: list[Step] = []
        for order in range(self.orders):
            self._order_steps(found, state, order)
        if state.manual:
            # A hand that raises oversells by itself; the daemon could only repair it.
            found.append(("manual-1", state._replace(stock=state.stock - 1, manual=False)))
        if state.rounds:
            self._correction_steps(found, state)
        return found

    @staticmethod
    def _order_steps(found: list[Step], state: State, order: int) -> None:
        bit = 1 << order
        if not state.committed & bit:
            if state.stock >= 1:
                sold = state._replace(stock=state.stock - 1, committed=state.committed | bit)
                found.append((f"order{order}", sold))
            return
        if not state.visible & bit:
            found.append((f"visible{order}", state._replace(visible=state.visible | bit)))
        if not state.listed & bit:
            found.append((f"listed{order}", state._replace(listed=state.listed | bit)))

    def _correction_steps(self, found: list[Step], state: State) -> None:
        shown = state.stock + (state.committed & ~state.visible).bit_count()
        phase = state.phase
        if phase is None and self.rule is Rule.ORDERS_THEN_ENTRY:
            listed = Phase("orders read", state.listed.bit_count())
            found.append(("readO", state._replace(phase=listed)))
        elif phase is None:
            read = Phase("entry read", shown, state.committed, state.visible)
            found.append(("readA", state._replace(phase=read)))
        elif phase.stage == "orders read":
            drift = Phase("computed", shown - (self.units - phase.units))
            found.append(("readA", state._replace(phase=drift)))
        elif phase.stage == "entry read":
            self._orders_after_entry(found, state, phase)
        else:
            done = state._replace(stock=state.stock - phase.units, phase=None, rounds=state.rounds - 1)
            found.append((f"inc{-phase.units:+d}", done))

    def _orders_after_entry(self, found: list[Step], state: State, read: Phase) -> None:
        drift = read.units - (self.units - state.listed.bit_count())
        if self.rule is Rule.GUARDED:
            if read.committed & ~state.listed:
                return
            if drift < 0 and state.listed != read.visible:
                found.append(("skip", state._replace(phase=None, rounds=state.rounds - 1)))
                return
        found.append(("readO", state._replace(phase=Phase("computed", drift))))
