"""A standby takes one key over from a predecessor; it must not know how either is built.

The predecessor may be dead, paused or still writing, and what it sent may land late.  The standby has its
own database.  Order 0 is old: imported before the predecessor's ledger began, so each of the two ledgers
counts it or not.  The standby bases its ledger on the entry's marker, or re-bases it on the stock it reads
plus the orders it knows.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from tests.models.explore import Model

_OLD = 1
_WRITES_LIMIT = 6


class Marker(NamedTuple):
    """Whose increment the entry carries, and the ledger value it left."""

    owner: Literal["P", "B"]
    value: int


class Sent(NamedTuple):
    """The predecessor's request: what it adds, from which base and version, and what became of it."""

    delta: int
    base: int
    version: int
    fate: Literal["sent", "done", "refused"]


class Predecessor(NamedTuple):
    """The writer whose key is taken over; once it is gone only a request of its may remain."""

    position: int
    applied: int
    version: int
    flight: Sent | None
    life: Literal["alive", "dead", "stopped"]


class Listing(NamedTuple):
    """The orders the standby has read before it reads the entry, and whether nothing of P could land then."""

    listed: int
    gone: bool


class Move(NamedTuple):
    """The standby's request: what it adds, and to which version."""

    delta: int
    version: int


class Standby(NamedTuple):
    """The writer that takes over: `clean` allows raises, `confirmed` means the confirm read has happened.

    `unlisted`: orders that its base may show and that it had not read in the list by then.
    """

    phase: Literal["off", "new", "ready"] | Listing
    applied: int
    version: int
    position: int
    clean: bool
    flight: Move | None
    confirmed: bool
    unlisted: int = 0


class State(NamedTuple):
    """The entry, the orders as bit sets by index, levels by feed position, and both writers."""

    stock: int
    version: int
    marker: Marker
    committed: int
    visible: int
    listed: int
    imported: tuple[int, ...]
    acknowledged: int
    receipts: int
    shrinks: int
    levels: tuple[int, ...]
    predecessor: Predecessor
    standby: Standby


Step: TypeAlias = tuple[str, State]
_OFF = Standby("off", 0, 0, 0, False, None, False)


@dataclass(frozen=True)
class Takeover(Model[State]):
    """How the standby bases its ledger, which ledgers count the old order, and which rules are kept.

    `guard`: raise only after a clean read.  `confirm`: read once more when nothing of the predecessor can
    land.  `lease_checked`: the predecessor looks at its lease before each new intent.  `late`: an order that
    is listed after the base was read, and was placed before, counts in the base until it is clean.
    `watch`: what must not be: a shortage, or an idle standby that offers more than there is.
    """

    base: Literal["adopt", "rebase"]
    predecessor_counts_old: bool = False
    standby_counts_old: bool = False
    guard: bool = True
    confirm: bool = True
    lease_checked: bool = True
    late: bool = False
    watch: Literal["shortage", "offer"] = "shortage"
    orders: int = 3
    stock: int = 1
    receipts: int = 1
    shrinks: int = 0

    def initial(self) -> State:
        """Return a predecessor that is up to date and a standby that is off."""
        applied = self.stock + self.predecessor_counts_old
        return State(
            stock=self.stock,
            version=0,
            marker=Marker("P", applied),
            committed=_OLD,
            visible=_OLD,
            listed=_OLD,
            imported=(1,) + (0,) * (self.orders - 1),
            acknowledged=_OLD,
            receipts=self.receipts,
            shrinks=self.shrinks,
            levels=(self.stock,),
            predecessor=Predecessor(0, applied, 0, None, "alive"),
            standby=_OFF,
        )

    def within(self, state: State) -> bool:
        """Bound the number of direct writes."""
        return state.version <= _WRITES_LIMIT

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than the warehouse has, or offered by a standby with nothing left to do."""
        promised = 0
        for order in range(self.orders):
            promised += state.committed >> order & 1 and not state.imported[order]
        if self.watch == "offer":
            return self._idle(state) and state.stock > state.levels[-1] - promised
        return state.levels[-1] < promised

    def _idle(self, state: State) -> bool:
        """Tell whether the standby knows all orders and levels, nothing of P can land, and nothing is due."""
        mine, told = state.standby, len(state.levels) - 1
        if mine.phase != "ready" or not mine.confirmed or mine.flight is not None or mine.position != told:
            return False
        return state.listed == state.committed and self._owed(state, mine) >= 0

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below the warehouse's."""
        if state.stock == state.levels[-1]:
            return None
        return "high" if state.stock > state.levels[-1] else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of the shop, the warehouse and both writers."""
        found: list[Step] = []
        self._sell(found, state)
        for order in range(1, self.orders):
            _follow(found, state, order)
        level = state.levels[-1]
        if state.receipts:
            grown = state._replace(receipts=state.receipts - 1, levels=(*state.levels, level + 1))
            found.append(("receipt", grown))
        if state.shrinks and level > 0:
            shrunk = state._replace(shrinks=state.shrinks - 1, levels=(*state.levels, level - 1))
            found.append(("shrink", shrunk))
        if state.predecessor.life == "alive":
            self._predecessor_steps(found, state)
        _landing(found, state)
        if state.standby.phase == "off":
            position = state.standby.position
            found.append(("B.lease", state._replace(standby=_OFF._replace(phase="new", position=position))))
        else:
            self._standby_steps(found, state)
        return found

    def _sell(self, found: list[Step], state: State) -> None:
        """Sell to the next customer; orders come by index, for they are alike."""
        for order in range(1, self.orders):
            if not state.committed >> order & 1:
                if state.stock >= 1:
                    sold = state._replace(stock=state.stock - 1, committed=state.committed | 1 << order)
                    found.append((f"order{order}", sold))
                return

    def _predecessor_steps(self, found: list[Step], state: State) -> None:
        mine = state.predecessor
        position, applied, version, flight, _ = mine
        if position < len(state.levels) - 1:
            found.append(("P.feed", state._replace(predecessor=mine._replace(position=position + 1))))
        gone = Predecessor(0, 0, 0, None, "stopped")
        if flight is None:
            target = state.levels[position] + self._reflected(
                state, position, old=self.predecessor_counts_old
            )
            if self.lease_checked and state.standby.phase != "off":
                found.append(("P.leaseLost", state._replace(predecessor=gone)))
            elif target != applied:
                sent = Sent(target - applied, applied, version, "sent")
                found.append(("P.send", state._replace(predecessor=mine._replace(flight=sent))))
        elif flight.fate == "done":
            after = mine._replace(applied=applied + flight.delta, version=flight.version + 1, flight=None)
            found.append(("P.book", state._replace(predecessor=after)))
        elif flight.fate == "refused":
            if state.marker.owner == "B":
                found.append(("P.fenced", state._replace(predecessor=gone)))
            else:
                after = mine._replace(applied=state.marker.value, version=state.version, flight=None)
                found.append(("P.reread", state._replace(predecessor=after)))
        left = flight if flight and flight.fate == "sent" else None
        found.append(("P.die", state._replace(predecessor=Predecessor(0, 0, 0, left, "dead"))))

    def _standby_steps(self, found: list[Step], state: State) -> None:
        mine = state.standby
        if mine.position < len(state.levels) - 1:
            found.append(("B.feed", state._replace(standby=mine._replace(position=mine.position + 1))))
        if mine.flight is not None:
            found.append(_standby_landing(state, mine, mine.flight))
            return
        life, left = state.predecessor.life, state.predecessor.flight
        gone = life != "alive" and left is None
        if mine.phase == "new" or (mine.phase == "ready" and not mine.clean):
            listing = mine._replace(phase=Listing(state.listed, gone), clean=False)
            found.append(("B.list", state._replace(standby=listing)))
        elif mine.phase == "ready" and self.confirm and gone and not mine.confirmed:
            listing = mine._replace(phase=Listing(state.listed, True), clean=False, confirmed=False)
            found.append(("B.confirm", state._replace(standby=listing)))
        if isinstance(mine.phase, Listing):
            found.append(("B.read", state._replace(standby=self._based(state, mine, mine.phase))))
        elif mine.phase == "ready":
            delta = self._owed(state, mine)
            if delta < 0 or (delta > 0 and mine.clean):
                sent = mine._replace(flight=Move(delta, mine.version))
                found.append(("B.send", state._replace(standby=sent)))

    def _owed(self, state: State, mine: Standby) -> int:
        old = self.standby_counts_old
        target = state.levels[mine.position] + self._reflected(state, mine.position, old=old)
        return target - mine.applied - (mine.unlisted & state.listed).bit_count()

    def _based(self, state: State, mine: Standby, listing: Listing) -> Standby:
        applied, clean = state.marker.value, True
        if self.base == "rebase":
            pending = state.committed & ~state.visible
            counted = listing.listed if self.standby_counts_old else listing.listed & ~_OLD
            applied = state.stock + pending.bit_count() + counted.bit_count()
            clean = not self.guard or not (pending or state.committed & ~listing.listed)
        unlisted = state.committed & ~listing.listed if self.late and not clean else 0
        return Standby("ready", applied, state.version, mine.position, clean, None, listing.gone, unlisted)

    def _reflected(self, state: State, position: int, *, old: bool) -> int:
        units = 0
        for order in range(0 if old else 1, self.orders):
            units += state.acknowledged >> order & 1 and state.imported[order] - 1 <= position
        return units


def _follow(found: list[Step], state: State, order: int) -> None:
    """Let an order show on the entry and in the list, be imported and be acknowledged."""
    bit, imported = 1 << order, state.imported
    if state.committed & bit and not state.visible & bit:
        found.append((f"visible{order}", state._replace(visible=state.visible | bit)))
    if state.committed & bit and not state.listed & bit:
        found.append((f"listed{order}", state._replace(listed=state.listed | bit)))
    if state.listed & bit and not imported[order]:
        seqs = (*imported[:order], len(state.levels) + 1, *imported[order + 1 :])
        levels = (*state.levels, state.levels[-1] - 1)
        found.append((f"import{order}", state._replace(imported=seqs, levels=levels)))
    if imported[order] and not state.acknowledged & bit:
        found.append((f"ack{order}", state._replace(acknowledged=state.acknowledged | bit)))


def _landing(found: list[Step], state: State) -> None:
    """Let the predecessor's request reach the entry, whether or not its sender still lives."""
    flight, alive = state.predecessor.flight, state.predecessor.life == "alive"
    if flight is None or flight.fate != "sent":
        return
    silent = Predecessor(0, 0, 0, None, state.predecessor.life)
    if flight.version == state.version and state.marker == ("P", flight.base):
        told = state.predecessor._replace(flight=flight._replace(fate="done"))
        landed = state._replace(
            stock=state.stock + flight.delta,
            version=state.version + 1,
            marker=Marker("P", flight.base + flight.delta),
            predecessor=told if alive else silent,
        )
        found.append(("P.lands", landed))
    else:
        told = state.predecessor._replace(flight=flight._replace(fate="refused"))
        found.append(("P.refused", state._replace(predecessor=told if alive else silent)))


def _standby_landing(state: State, mine: Standby, flight: Move) -> Step:
    """Return what becomes of the standby's request; a refused one sends it back to reading."""
    if flight.version != state.version:
        again = Standby("new", mine.applied, mine.version, mine.position, False, None, False)
        return "B.409", state._replace(standby=again)
    applied = mine.applied + flight.delta
    landed = mine._replace(applied=applied, version=flight.version + 1, flight=None)
    return "B.lands", state._replace(
        stock=state.stock + flight.delta,
        version=state.version + 1,
        marker=Marker("B", applied),
        standby=landed,
    )
