"""The order of the drain: which class a key is in, and when nothing may be sent for it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.ledger import Base
from archsyncd.domain.priority import (
    INCREASE_BOUND_SECONDS,
    NEAR_ZERO_PIECES,
    DueClass,
    due,
    increase_bound_seconds,
)

PIECES = st.integers(-30, 30)
BASES = st.sampled_from(Base)


@given(BASES, PIECES | st.none(), PIECES, st.integers(0, 20))
def test_s2_an_increase_is_due_only_on_a_proven_base(
    base: Base, applied: int | None, target: int, known: int
) -> None:
    """A provisional base may lower at once and may not raise; an unknown one may do nothing."""
    place = due(base, applied, target, known)
    if place is None:
        assert (
            applied is None
            or base is Base.UNKNOWN
            or target == applied
            or (target > applied and base is Base.PROVISIONAL)
        )
        return
    assert applied is not None
    assert base is not Base.UNKNOWN
    assert (target < applied) == (place.due_class <= DueClass.DECREASE)
    assert target < applied or base in {Base.PROVEN, Base.BOUNDED}


@given(PIECES, PIECES, st.integers(0, 20))
def test_the_class_follows_from_what_the_entry_will_show(applied: int, target: int, known: int) -> None:
    """Decreases towards empty first, then other decreases, then increases from empty, then the others."""
    place = due(Base.PROVEN, applied, target, known)
    if place is None:
        assert applied == target
        return
    if target < applied:
        near = target - known <= NEAR_ZERO_PIECES
        assert place.due_class is (DueClass.DECREASE_NEAR_ZERO if near else DueClass.DECREASE)
        assert place.nearness == abs(target - known)
    else:
        empty = applied - known <= 0
        assert place.due_class is (DueClass.INCREASE_FROM_ZERO if empty else DueClass.INCREASE)
        assert place.nearness == abs(applied - known)


def test_an_entry_that_does_not_exist_is_created_whatever_its_target() -> None:
    """An entry must exist before a tracked order can succeed, also with nothing to sell."""
    for base in (Base.PROVEN, Base.PROVISIONAL):
        place = due(base, None, -3, 0, exists=False)
        assert place is not None
        assert place.due_class is DueClass.INCREASE_FROM_ZERO


@given(st.integers(0, 10**6), st.floats(0, 1000), st.integers(0, 50))
def test_the_bound_of_waiting_follows_from_rate_and_backlog(waiting: int, rate: float, keys: int) -> None:
    """Sixty seconds where the rate allows it, else twice what the whole backlog needs."""
    bound = increase_bound_seconds(waiting, rate, keys)
    assert bound >= INCREASE_BOUND_SECONDS
    if waiting <= 30 * rate * max(keys, 1):
        assert bound == INCREASE_BOUND_SECONDS
    else:
        assert bound >= waiting / (max(rate, 0.01) * max(keys, 1))
