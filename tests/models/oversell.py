"""Ways of publishing stock, checked against all orders of events; it must not know the daemon's code.

One key.  commercetools takes an order's units from its stock when the order is created, the warehouse when
it imports the order; the daemon learns, hands over and reads its feed late.  A state is unsafe when the
warehouse has fewer units than are promised and not yet imported, and stuck when at rest the two differ.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from tests.models.explore import Model


class Strategy(Enum):
    """How the daemon computes and writes the published quantity."""

    ABSOLUTE = auto()  # writes the warehouse's figure
    KNOWN_ORDERS = auto()  # writes the figure minus the orders it knows and has not seen imported
    KNOWN_ORDERS_VERSIONED = auto()  # the same, and only on the version it has read
    CURRENT_ORDERS = auto()  # the same with a list of orders and a version that are never late
    LEDGER = auto()  # increments of (figure + reflected orders), guarded by a marker
    LEDGER_BLIND_RETRY = auto()  # increments, sent again when the answer was lost
    LEDGER_UNPLACED = auto()  # increments, an acknowledgement counted at whatever level is at hand
    LEDGER_UNFENCED = auto()  # increments of several daemons that do not look at each other's marker


Inputs: TypeAlias = int | tuple[int, int, int] | None
_KNOWN_ORDERS = (Strategy.KNOWN_ORDERS, Strategy.KNOWN_ORDERS_VERSIONED, Strategy.CURRENT_ORDERS)
_ABSOLUTE = (Strategy.ABSOLUTE, *_KNOWN_ORDERS)
_WRITES_LIMIT = 8


class Absolute(NamedTuple):
    """A write in flight that sets the quantity."""

    quantity: int
    version: int | None
    inputs: Inputs


class Increment(NamedTuple):
    """A write in flight that moves the quantity, from a base of the ledger."""

    delta: int
    base: int
    landed: bool


class Daemon(NamedTuple):
    """What one daemon holds: its place in the feed, its ledger base, its write in flight."""

    position: int
    applied: int
    flight: Absolute | Increment | None
    inputs: Inputs


class State(NamedTuple):
    """Levels by feed position (the last is the truth), the entry, and the orders as bit sets by index."""

    levels: tuple[int, ...]
    stock: int
    writes: int
    marker: int
    committed: int
    known: int
    imported: tuple[int, ...]
    acknowledged: int
    receipts: int
    shrinks: int
    daemons: tuple[Daemon, ...]


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Oversell(Model[State]):
    """A strategy with its world: order quantities, first stock, receipts, falls for foreign reasons."""

    strategy: Strategy
    quantities: tuple[int, ...] = (1, 1, 1)
    stock: int = 2
    receipts: int = 1
    receipt_units: int = 1
    shrinks: int = 0
    daemons: int = 1

    def initial(self) -> State:
        """Return a shop whose stock equals the warehouse's and a daemon that knows it."""
        daemon = Daemon(0, self.stock, None, None)
        none_imported = (0,) * len(self.quantities)
        daemons = (daemon,) * self.daemons
        return State(
            (self.stock,),
            self.stock,
            0,
            self.stock,
            0,
            0,
            none_imported,
            0,
            self.receipts,
            self.shrinks,
            daemons,
        )

    def within(self, state: State) -> bool:
        """Bound the number of direct writes."""
        return state.writes <= _WRITES_LIMIT

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than the warehouse has."""
        promised = 0
        for order, quantity in enumerate(self.quantities):
            if state.committed >> order & 1 and not state.imported[order]:
                promised += quantity
        return state.levels[-1] < promised

    def stuck(self, state: State) -> str | None:
        """Name stock at rest that is not the warehouse's."""
        return "hidden or phantom" if state.stock != state.levels[-1] else None

    def steps(self, state: State) -> list[Step]:
        """Return the steps of the shop, the warehouse and each daemon."""
        found: list[Step] = []
        for order, quantity in enumerate(self.quantities):
            self._order_steps(found, state, order, quantity)
        if state.receipts:
            grown = (*state.levels, state.levels[-1] + self.receipt_units)
            found.append(("receipt", state._replace(levels=grown, receipts=state.receipts - 1)))
        if state.shrinks and state.levels[-1] > 0:
            shrunk = (*state.levels, state.levels[-1] - 1)
            found.append(("shrink", state._replace(levels=shrunk, shrinks=state.shrinks - 1)))
        for number in range(self.daemons):
            self._daemon_steps(found, state, number)
        return found

    @staticmethod
    def _order_steps(found: list[Step], state: State, order: int, quantity: int) -> None:
        bit, imported = 1 << order, state.imported
        if not state.committed & bit:
            if state.stock >= quantity:
                sold = state._replace(stock=state.stock - quantity, committed=state.committed | bit)
                found.append((f"order{order}", sold))
            return
        if not state.known & bit:
            found.append((f"learn{order}", state._replace(known=state.known | bit)))
        elif not imported[order]:
            seqs = (*imported[:order], len(state.levels), *imported[order + 1 :])
            levels = (*state.levels, state.levels[-1] - quantity)
            found.append((f"import{order}", state._replace(levels=levels, imported=seqs)))
        elif not state.acknowledged & bit:
            found.append((f"ack{order}", state._replace(acknowledged=state.acknowledged | bit)))

    def _daemon_steps(self, found: list[Step], state: State, number: int) -> None:
        daemon, name = state.daemons[number], f"d{number}"
        if daemon.position < len(state.levels) - 1:
            moved = daemon._replace(position=daemon.position + 1)
            found.append((f"{name}.feed", _with(state, number, moved)))
        flight = daemon.flight
        if flight is None:
            write = self._computed(state, daemon)
            if write is not None:
                found.append((f"{name}.compute", _with(state, number, daemon._replace(flight=write))))
        elif isinstance(flight, Absolute):
            found.append(self._set(state, number, flight))
        elif flight.landed:
            booked = daemon._replace(applied=daemon.applied + flight.delta, flight=None)
            found.append((f"{name}.resp", _with(state, number, booked)))
            if self.strategy is Strategy.LEDGER_BLIND_RETRY and state.writes < 3:
                again = daemon._replace(flight=flight._replace(landed=False))
                found.append((f"{name}.resend", _with(state, number, again)))
        else:
            found.append(self._move(state, number, flight))

    def _computed(self, state: State, daemon: Daemon) -> Absolute | Increment | None:
        level = state.levels[daemon.position]
        if self.strategy not in _ABSOLUTE:
            target = level + self._reflected(state, daemon.position)
            return (
                Increment(target - daemon.applied, daemon.applied, False)
                if target != daemon.applied
                else None
            )
        if self.strategy is Strategy.ABSOLUTE:
            wanted = Absolute(level, None, daemon.position)
        else:
            current = self.strategy is Strategy.CURRENT_ORDERS
            orders = state.committed if current else state.known
            quantity = level - self._unreflected(state, daemon.position, orders)
            version = None if self.strategy is Strategy.KNOWN_ORDERS else self._version(state)
            wanted = Absolute(quantity, version, (daemon.position, orders, state.acknowledged))
        return wanted if wanted.inputs != daemon.inputs else None

    def _set(self, state: State, number: int, write: Absolute) -> Step:
        daemon = state.daemons[number]
        if write.version is not None and write.version != self._version(state):
            return f"d{number}.409", _with(state, number, daemon._replace(flight=None))
        done = _with(state, number, daemon._replace(flight=None, inputs=write.inputs))
        return f"d{number}.apply", done._replace(stock=write.quantity, writes=state.writes + 1)

    def _move(self, state: State, number: int, write: Increment) -> Step:
        daemon = state.daemons[number]
        chained = self.strategy is Strategy.LEDGER and self.daemons > 1
        if chained and state.marker != write.base:
            return f"d{number}.foreign", _with(
                state, number, daemon._replace(applied=state.marker, flight=None)
            )
        done = _with(state, number, daemon._replace(flight=write._replace(landed=True)))
        return f"d{number}.apply", done._replace(
            stock=state.stock + write.delta, marker=state.marker + write.delta, writes=state.writes + 1
        )

    def _version(self, state: State) -> int:
        """Return the entry's version; only the never-late shop counts orders in it at once."""
        if self.strategy is Strategy.CURRENT_ORDERS:
            return state.writes + state.committed.bit_count()
        return state.writes

    def _reflected(self, state: State, position: int) -> int:
        unplaced = self.strategy is Strategy.LEDGER_UNPLACED
        units = 0
        for order, quantity in enumerate(self.quantities):
            if state.acknowledged >> order & 1 and (unplaced or state.imported[order] <= position):
                units += quantity
        return units

    def _unreflected(self, state: State, position: int, orders: int) -> int:
        units = 0
        for order, quantity in enumerate(self.quantities):
            proven = state.acknowledged >> order & 1 and state.imported[order] <= position
            if orders >> order & 1 and not proven:
                units += quantity
        return units


def _with(state: State, number: int, daemon: Daemon) -> State:
    daemons = state.daemons
    return state._replace(daemons=(*daemons[:number], daemon, *daemons[number + 1 :]))
