"""The order of the drain: which key's change goes first when requests are scarce. Knows no clock and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from archsyncd.domain.ledger import Base

NEAR_ZERO_PIECES = 5
INCREASE_BOUND_SECONDS = 60.0
SUSTAINED_SHARE = 4
LOST_SHARE = 1 / 3


class DueClass(IntEnum):
    """Decreases first, the nearest to empty first of all; increases from empty before other increases."""

    DECREASE_NEAR_ZERO = 1
    DECREASE = 2
    INCREASE_FROM_ZERO = 3
    INCREASE = 4


@dataclass(frozen=True, slots=True)
class Due:
    """A place in the drain order: class, then nearness to zero (pieces), then age."""

    due_class: DueClass
    nearness: int


def due(base: Base, x_applied: int | None, x_target: int, known: int, *, exists: bool = True) -> Due | None:
    """Where a key stands in the drain order, None when nothing may be sent for it.

    A base that may be too low may lower and may not raise (stock ledger, "Take-over"). An entry that does not exist yet
    (`exists` False) is created with its target: an increase from nothing.
    """
    stock_after = x_target - known
    if not exists:
        return Due(DueClass.INCREASE_FROM_ZERO, abs(stock_after))
    if base is Base.UNKNOWN or x_applied is None or x_target == x_applied:
        return None
    if x_target < x_applied:
        near = stock_after <= NEAR_ZERO_PIECES
        return Due(DueClass.DECREASE_NEAR_ZERO if near else DueClass.DECREASE, abs(stock_after))
    if base is Base.PROVISIONAL:
        return None
    stock_before = x_applied - known
    return Due(DueClass.INCREASE_FROM_ZERO if stock_before <= 0 else DueClass.INCREASE, abs(stock_before))


@dataclass(frozen=True, slots=True)
class Sustained:
    """Every fourth key that goes out may be an increase that has waited its time, however few go out at once.

    `passed`: how many went out since the last one that may have been.
    """

    passed: int = 0

    def places(self, keys: int) -> int:
        """How many of the next so many keys may be such increases."""
        return (self.passed + keys) // SUSTAINED_SHARE

    def after(self, keys: int) -> Sustained:
        """So many keys went out."""
        return Sustained((self.passed + keys) % SUSTAINED_SHARE)


def increase_bound_seconds(increases: int, keys_per_second: float, interval_seconds: float = 0.0) -> float:
    """How long an increase may wait at most that becomes due now: 60 s where the rate allows it.

    Half of it may pass before decreases must make room. Then all increases that were due before it go out as every fourth
    key, and a third of the present rate may be lost to other calls. Increases of one key keep their interval.
    """
    rate = max(keys_per_second, 0.01)
    needed_seconds = SUSTAINED_SHARE * increases / rate / (1 - LOST_SHARE)
    return max(INCREASE_BOUND_SECONDS, 2 * needed_seconds, 2 * interval_seconds)


def overdue_seconds(bound_seconds: float) -> float:
    """After how long an increase takes its share of what goes out, so that it does not wait beyond the bound."""
    return bound_seconds / 2
