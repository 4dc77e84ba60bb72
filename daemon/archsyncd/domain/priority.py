"""The order of the drain: which key's change goes first when requests are scarce. Knows no clock and no storage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from archsyncd.domain.ledger import Base

NEAR_ZERO_PIECES = 5
INCREASE_BOUND_SECONDS = 60.0


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


def increase_bound_seconds(waiting: int, requests_per_second: float, keys_per_request: int) -> float:
    """How long an increase may wait at most: 60 s, or twice what the whole backlog needs at the present rate."""
    rate = max(requests_per_second, 0.01) * max(keys_per_request, 1)
    return max(INCREASE_BOUND_SECONDS, 2 * waiting / rate)
