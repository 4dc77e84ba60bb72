"""A warehouse that comes back from a backup: a new epoch of its feed, some imports forgotten; one daemon.

It must not know how a source numbers its epochs: they are counted by first sight.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import combinations
from typing import ClassVar, NamedTuple, TypeAlias

from tests.models.entry import Entry, drain
from tests.models.explore import Model


class Rule(Enum):
    """What a proof of an older epoch is worth at a level of a newer one."""

    WITHDRAWN = auto()  # nothing: the line is proven again, by look-up or by a fresh acceptance
    KEPT = auto()  # wrong: what was reflected once stays reflected
    NUMBER_ONLY = auto()  # wrong: sequence numbers are compared, epochs are not
    NEVER_SOUGHT = auto()  # withdrawn, but nobody asks again: stock stays hidden


class Position(NamedTuple):
    """A place in the feed."""

    epoch: int
    seq: int


_NEVER = Position(-1, 0)


class Line(NamedTuple):
    """One order: where the warehouse remembers its import, the answers on their way, the best one heard."""

    committed: bool = False
    known: bool = False
    imported: Position | None = None
    answers: tuple[Position, ...] = ()
    proof: Position = _NEVER


class State(NamedTuple):
    """Levels by epoch and sequence number, the position read, the entry, and the orders by index."""

    levels: tuple[tuple[int, ...], ...]
    position: Position
    entry: Entry
    lines: tuple[Line, ...]
    receipts: int
    restores: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Epochs(Model[State]):
    """A rule with its world."""

    rule: Rule = Rule.WITHDRAWN
    quantities: tuple[int, ...] = (2, 2)
    stock: int = 2
    receipts: int = 1
    restores: int = 1

    voluntary: ClassVar[tuple[str, ...]] = ("order", "restore")

    def initial(self) -> State:
        """Return a shop whose stock equals the warehouse's, in the first epoch."""
        entry = Entry(self.stock, self.stock)
        lines = (Line(),) * len(self.quantities)
        return State(((self.stock,),), Position(0, 0), entry, lines, self.receipts, self.restores)

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than the warehouse has."""
        free = state.levels[-1][-1]
        for line, quantity in zip(state.lines, self.quantities, strict=True):
            if line.committed and line.imported is None:
                free -= quantity
        return free < 0

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below the warehouse's."""
        level = state.levels[-1][-1]
        if state.entry.stock == level:
            return None
        return "high" if state.entry.stock > level else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, the warehouse and the daemon."""
        found: list[Step] = []
        for order, quantity in enumerate(self.quantities):
            line = state.lines[order]
            if line.known:
                self._known_steps(found, state, order, quantity)
            elif line.committed:
                found.append((f"learn{order}", _with(state, order, line._replace(known=True))))
            elif state.entry.stock >= quantity:
                sold = state._replace(entry=state.entry.sold(quantity))
                found.append((f"order{order}", _with(sold, order, line._replace(committed=True))))
        if state.receipts:
            found.append(("receipt", _moved(state, 1)._replace(receipts=state.receipts - 1)))
        if state.restores:
            found.extend(self._restores(state))
        found.extend(_reads(state))
        drained = drain(state.entry, self._target(state))
        if drained is not None:
            found.append((drained[0], state._replace(entry=drained[1])))
        return found

    def _known_steps(self, found: list[Step], state: State, order: int, quantity: int) -> None:
        """Hand the order over while the warehouse does not have it, hear answers, ask again."""
        line = state.lines[order]
        now = Position(len(state.levels) - 1, len(state.levels[-1]) - 1)
        if line.imported is None:
            seq = Position(now.epoch, now.seq + 1)
            taken = line._replace(imported=seq, answers=(*line.answers, seq))
            found.append((f"import{order}", _with(_moved(state, -quantity), order, taken)))
        elif self._sought(state, line):
            asked = line._replace(answers=(*line.answers, now))
            found.append((f"lookup{order}", _with(state, order, asked)))
        for index, answer in enumerate(line.answers):
            left = (*line.answers[:index], *line.answers[index + 1 :])
            heard = line._replace(answers=left, proof=max(line.proof, answer))
            found.append((f"ack{order}@{answer.epoch}.{answer.seq}", _with(state, order, heard)))

    def _sought(self, state: State, line: Line) -> bool:
        """Tell whether the daemon asks for an order whose proof is of an epoch that it has left."""
        if self.rule is Rule.NEVER_SOUGHT or line.answers:
            return False
        return line.proof > _NEVER and line.proof.epoch < state.position.epoch

    def _restores(self, state: State) -> Iterator[Step]:
        """Yield a new epoch for each set of imports that the backup does not hold."""
        imported = [order for order, line in enumerate(state.lines) if line.imported is not None]
        start = Position(len(state.levels), 0)
        for size in range(len(imported) + 1):
            for forgotten in combinations(imported, size):
                level = state.levels[-1][-1]
                lines = list(state.lines)
                for order in imported:
                    lost = order in forgotten
                    level += self.quantities[order] if lost else 0
                    lines[order] = lines[order]._replace(imported=None if lost else start)
                after = state._replace(levels=(*state.levels, (level,)), lines=tuple(lines))
                label = "restore" + "".join(f" without {order}" for order in forgotten)
                yield label, after._replace(restores=state.restores - 1)

    def _target(self, state: State) -> int:
        target = state.levels[state.position.epoch][state.position.seq]
        for line, quantity in zip(state.lines, self.quantities, strict=True):
            if line.proof != _NEVER and self._reflected(line.proof, state.position):
                target += quantity
        return target

    def _reflected(self, proof: Position, level: Position) -> bool:
        if self.rule is Rule.KEPT:
            return proof <= level
        if self.rule is Rule.NUMBER_ONLY:
            return proof.seq <= level.seq
        return proof.epoch == level.epoch and proof.seq <= level.seq


def _reads(state: State) -> Iterator[Step]:
    """Yield the next level of the epoch at hand, and the step into the next epoch, which retires this one."""
    epoch, seq = state.position
    if seq < len(state.levels[epoch]) - 1:
        yield "feed", state._replace(position=Position(epoch, seq + 1))
    if epoch < len(state.levels) - 1:
        yield "new epoch", state._replace(position=Position(epoch + 1, 0))


def _moved(state: State, units: int) -> State:
    level = state.levels[-1][-1] + units
    return state._replace(levels=(*state.levels[:-1], (*state.levels[-1], level)))


def _with(state: State, order: int, line: Line) -> State:
    lines = state.lines
    return state._replace(lines=(*lines[:order], line, *lines[order + 1 :]))
