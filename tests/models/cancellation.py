"""Orders that are cancelled before or after the warehouse imported them; one location, one daemon.

A cancellation in commercetools moves no stock.  It must not know returns: they are levels like any other.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from tests.models.entry import Entry, drain
from tests.models.explore import Model


class Rule(Enum):
    """When the units of a cancelled line may be sold again."""

    WAREHOUSE_PROOF = (
        auto()
    )  # with the warehouse's record, or when it was never handed over and never will be
    AT_ONCE = auto()  # wrong: as soon as the cancellation is learnt
    UNSENT = auto()  # as soon as it is learnt, unless we sent it: wrong where others hand orders over


class Line(NamedTuple):
    """One order: what the shop says, what the daemon knows, and what the warehouse did with it.

    `imported` and `cancelled` are feed positions, 0 for not yet; `sent` means a hand-over may still arrive.
    """

    shop: Literal["none", "open", "cancelled"] = "none"
    known: Literal["none", "open", "cancelled"] = "none"
    sent: bool = False
    imported: int = 0
    cancelled: int = 0
    shipped: bool = False
    import_told: bool = False
    cancel_told: bool = False


class State(NamedTuple):
    """Levels by feed position, how far they are read, the entry, and the lines by index."""

    levels: tuple[int, ...]
    position: int
    entry: Entry
    lines: tuple[Line, ...]
    receipts: int
    cancellations: int


Step: TypeAlias = tuple[str, State]


@dataclass(frozen=True)
class Cancellation(Model[State]):
    """A rule with its world.  `observed`: another system hands orders over, unseen by the daemon.

    `strict` calls it an oversell as soon as the warehouse has less than every line that it may still import;
    otherwise only when even all cancellations that it may still grant do not make up for it.
    """

    rule: Rule = Rule.WAREHOUSE_PROOF
    observed: bool = False
    strict: bool = True
    quantities: tuple[int, ...] = (2, 1)
    stock: int = 2
    receipts: int = 1
    cancellations: int = 2

    voluntary: ClassVar[tuple[str, ...]] = ("order", "cancel", "ship")

    def initial(self) -> State:
        """Return a shop whose stock equals the warehouse's."""
        lines = (Line(),) * len(self.quantities)
        return State(
            (self.stock,), 0, Entry(self.stock, self.stock), lines, self.receipts, self.cancellations
        )

    def oversold(self, state: State) -> bool:
        """Tell whether more is promised than the warehouse has or may get back."""
        free = state.levels[-1]
        for line, quantity in zip(state.lines, self.quantities, strict=True):
            if self.strict:
                free -= quantity if self._may_import(line) else 0
            elif line.shop == "open" and not line.imported:
                free -= quantity
            elif line.shop == "cancelled" and line.imported and not line.cancelled and not line.shipped:
                free += quantity
        return free < 0

    def _may_import(self, line: Line) -> bool:
        """Tell whether the warehouse may still take the line's units out of its figure."""
        if line.shop == "none" or line.imported or line.cancelled:
            return False
        return line.shop == "open" or self.observed or line.sent or line.known == "open"

    def stuck(self, state: State) -> str | None:
        """Name stock at rest above or below the warehouse's."""
        if state.entry.stock == state.levels[-1]:
            return None
        return "high" if state.entry.stock > state.levels[-1] else "low"

    def steps(self, state: State) -> list[Step]:
        """Return the steps of customers, the warehouse and the daemon."""
        found: list[Step] = []
        for number, quantity in enumerate(self.quantities):
            line = state.lines[number]
            self._shop_steps(found, state, number, quantity)
            if line.shop != "none":
                self._daemon_steps(found, state, number)
                self._warehouse_steps(found, state, number, quantity)
        if state.receipts:
            grown = (*state.levels, state.levels[-1] + 1)
            found.append(("receipt", state._replace(levels=grown, receipts=state.receipts - 1)))
        if state.position < len(state.levels) - 1:
            found.append(("feed", state._replace(position=state.position + 1)))
        drained = drain(state.entry, self._target(state))
        if drained is not None:
            found.append((drained[0], state._replace(entry=drained[1])))
        return found

    @staticmethod
    def _shop_steps(found: list[Step], state: State, number: int, quantity: int) -> None:
        line = state.lines[number]
        if line.shop == "none" and state.entry.stock >= quantity:
            sold = state._replace(entry=state.entry.sold(quantity))
            found.append((f"order{number}", _with(sold, number, line._replace(shop="open"))))
        elif line.shop == "open" and state.cancellations:
            fewer = state._replace(cancellations=state.cancellations - 1)
            found.append((f"cancel{number}", _with(fewer, number, line._replace(shop="cancelled"))))

    def _daemon_steps(self, found: list[Step], state: State, number: int) -> None:
        """Learn the order as it is now, hand it over unless it is known as cancelled, and hear answers."""
        line = state.lines[number]
        if line.known != line.shop:
            found.append((f"learn{number}", _with(state, number, line._replace(known=line.shop))))
        if line.known == "open" and not line.sent and not self.observed:
            found.append((f"send{number}", _with(state, number, line._replace(sent=True))))
        if line.imported and not line.import_told:
            found.append((f"ack{number}", _with(state, number, line._replace(import_told=True))))
        if line.cancelled and not line.cancel_told:
            found.append((f"released{number}", _with(state, number, line._replace(cancel_told=True))))

    def _warehouse_steps(self, found: list[Step], state: State, number: int, quantity: int) -> None:
        """Import what arrives; ship it; grant a cancellation only of what is not shipped."""
        line = state.lines[number]
        here, level = len(state.levels), state.levels[-1]
        arrives = self.observed or line.sent
        asked = line.shop == "cancelled" if self.observed else line.known == "cancelled" and line.sent
        if arrives and not line.imported and not line.cancelled:
            lower = state._replace(levels=(*state.levels, level - quantity))
            found.append((f"import{number}", _with(lower, number, line._replace(imported=here))))
        if line.imported and not line.cancelled and not line.shipped:
            found.append((f"ship{number}", _with(state, number, line._replace(shipped=True))))
        if asked and not line.cancelled and not line.shipped:
            back = quantity if line.imported else 0
            told = state._replace(levels=(*state.levels, level + back))
            label = "deallocate" if line.imported else "refuse"
            found.append((f"{label}{number}", _with(told, number, line._replace(cancelled=here))))

    def _target(self, state: State) -> int:
        units = state.levels[state.position]
        for line, quantity in zip(state.lines, self.quantities, strict=True):
            if self._reflected(line, state.position):
                units += quantity
        return units

    def _reflected(self, line: Line, position: int) -> bool:
        if line.import_told and line.imported <= position:
            return True
        if line.cancel_told and line.cancelled <= position:
            return True
        if line.known != "cancelled":
            return False
        unsent = not line.sent and (not self.observed or self.rule is Rule.UNSENT)
        return unsent or self.rule is Rule.AT_ONCE


def _with(state: State, number: int, line: Line) -> State:
    lines = state.lines
    return state._replace(lines=(*lines[:number], line, *lines[number + 1 :]))
