"""Two keys that sell the same pieces: channels that share a location, or a kit and its component; one daemon.

commercetools takes an order's units from the key's own stock when it is created, the warehouse takes them (a kit's times the
pieces it is made of) from the one pool when it imports the order.  A level of the pool moves the parts of both keys.  It must
not know the daemon's code.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, TypeAlias

from tests.models.explore import Model


class Rule(Enum):
    """How the two keys share the pool, and what an increase of one waits for."""

    LEAVING = (
        auto()
    )  # it goes as far as what the other shows beyond its part, or sold before it fell, leaves room
    WAITING = auto()  # it goes when there is nothing of that
    BOOKED = auto()  # wrong: it goes once the fall of the other is booked, whatever was sold of that before
    EAGER = auto()  # wrong: it goes at once
    BLIND_TO_LATE = auto()  # wrong: a request of the other that was given up is forgotten
    WHOLE = auto()  # wrong: both offer all that there is
    OWN_DEBT = auto()  # wrong: what one owes beyond its part stays in the other's offer


class Entry(NamedTuple):
    """One key: its stock, the ledger value applied, the write in flight and the one given up (0 for none)."""

    stock: int
    applied: int
    flight: int = 0
    landed: bool = False
    lost: int = 0
    surprise: int = 0  # what landed late and was not noticed yet
    fallen: tuple[
        tuple[int, int], ...
    ] = ()  # booked falls, each with the orders of the key that were placed by then


class State(NamedTuple):
    """Levels of the pool by feed position (the last is the truth), how far they were read, the keys and the orders."""

    levels: tuple[int, ...]
    read: int
    entries: tuple[Entry, Entry]
    committed: int
    known: int
    imported: tuple[int, ...]
    acknowledged: int
    receipts: int
    shrinks: int
    losses: int
    late_sale: bool = False


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Pools(Model[State]):
    """A rule with its world. `orders`: the key and the quantity of each; `weights`: pieces of the pool for one of each key.

    `percent`: of the first key. With weights of 1 the second has the rest by its own share; a kit is the first key, and its
    component has what is not kept for it. `losses`: writes that are answered by nothing and may land at any time after.
    Where goods are lost in the warehouse, only an order that is taken while the daemon has nothing left to do is held
    against it.
    """

    rule: Rule = Rule.LEAVING
    orders: tuple[tuple[int, int], ...] = ((0, 1), (0, 1), (1, 1))
    weights: tuple[int, int] = (1, 1)
    percent: int = 50
    stock: int = 4
    receipts: int = 1
    receipt_units: int = 2
    shrinks: int = 0
    losses: int = 0

    def initial(self) -> State:
        """Return a shop that shows of each key its part."""
        parts = self.parts(self.stock)
        entries = (Entry(parts[0], parts[0]), Entry(parts[1], parts[1]))
        nothing = (0,) * len(self.orders)
        return State((self.stock,), 0, entries, 0, 0, nothing, 0, self.receipts, self.shrinks, self.losses)

    def parts(self, level: int) -> tuple[int, int]:
        """Return what each key may sell of a level of the pool."""
        if self.weights[0] == 1:
            if self.rule is Rule.WHOLE or level <= 0:
                return level, level
            return level * self.percent // 100, level * (100 - self.percent) // 100
        if self.rule is Rule.WHOLE:
            return level // self.weights[0], level
        kept = max(level, 0) * self.percent // 100
        return kept // self.weights[0], level - kept

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than is there, or was sold when that was known to everybody."""
        return state.late_sale or (not self.shrinks and self._promised(state) > state.levels[-1])

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below a key's part."""
        parts = self.parts(state.levels[-1])
        shown = tuple(entry.stock for entry in state.entries)
        if shown == parts:
            return None
        return "high" if any(have > part for have, part in zip(shown, parts, strict=True)) else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, the warehouse and the daemon."""
        found: list[Step] = []
        if state.read < len(state.levels) - 1:
            found.append(("feed", state._replace(read=state.read + 1)))
        for key in (0, 1):
            self._key_steps(found, state, key)
        quiet = not found and state.committed == state.known
        for order in range(len(self.orders)):
            self._known_order_steps(found, state, order)
        for order, (key, quantity) in enumerate(self.orders):
            if not state.committed >> order & 1 and state.entries[key].stock >= quantity:
                found.append((f"order{order}", self._sold(state, order, quiet=quiet)))
        if state.receipts:
            grown = (*state.levels, state.levels[-1] + self.receipt_units)
            found.append(("receipt", state._replace(levels=grown, receipts=state.receipts - 1)))
        if state.shrinks and state.levels[-1] > 0:
            shrunk = (*state.levels, state.levels[-1] - 1)
            found.append(("shrink", state._replace(levels=shrunk, shrinks=state.shrinks - 1)))
        return found

    def _promised(self, state: State) -> int:
        promised = 0
        for order, (key, quantity) in enumerate(self.orders):
            if state.committed >> order & 1 and not state.imported[order]:
                promised += quantity * self.weights[key]
        return promised

    def _sold(self, state: State, order: int, *, quiet: bool) -> State:
        key, quantity = self.orders[order]
        entry = state.entries[key]
        sold = _with(state, key, entry._replace(stock=entry.stock - quantity))
        after = sold._replace(committed=state.committed | 1 << order)
        beyond = bool(self.shrinks) and quiet and self._promised(after) > state.levels[-1]
        return after._replace(late_sale=beyond)

    def _known_order_steps(self, found: list[Step], state: State, order: int) -> None:
        bit, imported = 1 << order, state.imported
        key, quantity = self.orders[order]
        if not state.committed & bit:
            return
        if not state.known & bit:
            found.append((f"learn{order}", state._replace(known=state.known | bit)))
        elif not imported[order]:
            seqs = (*imported[:order], len(state.levels), *imported[order + 1 :])
            levels = (*state.levels, state.levels[-1] - quantity * self.weights[key])
            found.append((f"import{order}", state._replace(levels=levels, imported=seqs)))
        elif not state.acknowledged & bit:
            found.append((f"ack{order}", state._replace(acknowledged=state.acknowledged | bit)))

    def _key_steps(self, found: list[Step], state: State, key: int) -> None:
        entry, name = state.entries[key], "ab"[key]
        if entry.fallen and not entry.fallen[0][1] & ~state.known:
            found.append((f"{name}.all known", _with(state, key, entry._replace(fallen=entry.fallen[1:]))))
        if entry.lost:
            late = entry._replace(stock=entry.stock + entry.lost, lost=0, surprise=entry.lost)
            # What was sent before on the same version is refused once this one has landed.
            found.append((f"{name}.late{entry.lost:+d}", _with(state, key, late)))
            if not entry.flight:
                settled = entry._replace(lost=0)
                found.append((f"{name}.over", _with(state, key, settled)))
        if entry.flight and entry.landed:
            found.append((f"{name}.booked", _with(state, key, self._booked(state, key, entry.flight))))
        elif entry.flight and entry.surprise:
            # Refused by the version; the entry is read, and tells of the late one.
            found.append((f"{name}.noticed", _with(state, key, self._booked(state, key, entry.surprise))))
        elif entry.flight:
            landed = entry._replace(stock=entry.stock + entry.flight, landed=True, lost=0)
            found.append((f"{name}.lands{entry.flight:+d}", _with(state, key, landed)))
            if state.losses and not entry.lost:
                lost = entry._replace(flight=0, lost=entry.flight)
                found.append((f"{name}.lost", _with(state, key, lost)._replace(losses=state.losses - 1)))
        elif entry.surprise:
            found.append((f"{name}.noticed", _with(state, key, self._booked(state, key, entry.surprise))))
        else:
            delta = self._wanted(state, key) - entry.applied
            if delta:
                found.append((f"{name}.sends{delta:+d}", _with(state, key, entry._replace(flight=delta))))

    def _booked(self, state: State, key: int, delta: int) -> Entry:
        """Return the entry after a write of ours was found to have taken effect."""
        entry = state.entries[key]
        placed = 0
        for order, (sold, _) in enumerate(self.orders):
            placed |= (state.committed >> order & 1 and sold == key) << order
        fallen = entry.fallen
        if delta < 0 and placed & ~state.known:
            fallen = (*fallen, (-delta, placed))
        return Entry(entry.stock, entry.applied + delta, lost=entry.lost, fallen=fallen)

    def _wanted(self, state: State, key: int) -> int:
        """Return X of a key as far as it may go now."""
        targets = self._targets(state)
        wanted, applied = targets[key], state.entries[key].applied
        if wanted <= applied or self.rule in {Rule.EAGER, Rule.WHOLE}:
            return wanted
        other = state.entries[1 - key]
        blind = self.rule is Rule.BLIND_TO_LATE
        if (other.lost and not blind) or (other.surprise and not blind):
            return applied
        beyond = max(max(other.applied, other.applied + other.flight) - targets[1 - key], 0)
        if self.rule is not Rule.BOOKED:
            beyond += sum(pieces for pieces, _ in other.fallen)
        if not beyond:
            return wanted
        if self.rule in {Rule.WAITING, Rule.BOOKED}:
            return applied
        left = -(-beyond * self.weights[1 - key] // self.weights[key])
        return max(wanted - left, applied)

    def _targets(self, state: State) -> tuple[int, int]:
        """Return X of both keys by the level read last, the orders known and those proven by then."""
        parts = self.parts(state.levels[state.read])
        reflected, open_units = [0, 0], [0, 0]
        for order, (key, quantity) in enumerate(self.orders):
            proven = state.acknowledged >> order & 1 and state.imported[order] <= state.read
            if proven:
                reflected[key] += quantity
            elif state.known >> order & 1:
                open_units[key] += quantity
        own = [part - units for part, units in zip(parts, open_units, strict=True)]
        targets = []
        for key in (0, 1):
            owed = max(-own[1 - key], 0) * self.weights[1 - key]
            left = min(-(-owed // self.weights[key]), max(own[key], 0))
            if self.rule in {Rule.OWN_DEBT, Rule.WHOLE}:
                left = 0
            targets.append(parts[key] + reflected[key] - left)
        return targets[0], targets[1]


def _with(state: State, key: int, entry: Entry) -> State:
    entries = (entry, state.entries[1]) if key == 0 else (state.entries[0], entry)
    return state._replace(entries=entries)
