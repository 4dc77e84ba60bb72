"""The order of the drain: which class a key is in, and when nothing may be sent for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.ledger import Base
from archsyncd.domain.priority import (
    INCREASE_BOUND_SECONDS,
    NEAR_ZERO_PIECES,
    SUSTAINED_SHARE,
    DueClass,
    Sustained,
    due,
    increase_bound_seconds,
    overdue_seconds,
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


@given(st.integers(0, 10**6), st.floats(0, 1000), st.floats(0, 3600))
def test_the_bound_of_waiting_follows_from_rate_and_backlog(
    increases: int, rate: float, interval: float
) -> None:
    """Sixty seconds where the rate allows it; else what every increase needs that goes out as every fourth key."""
    bound = increase_bound_seconds(increases, rate, interval)
    assert bound >= INCREASE_BOUND_SECONDS
    left = bound - overdue_seconds(bound)
    # What is left suffices for all of them even when a third of the rate is lost to other calls.
    assert left * max(rate, 0.01) * (2 / 3) / SUSTAINED_SHARE >= increases * (1 - 1e-9)
    assert overdue_seconds(bound) >= interval
    if 8 * increases <= 40 * rate and interval <= 30:
        assert bound == pytest.approx(INCREASE_BOUND_SECONDS)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80))
def test_every_fourth_key_may_be_an_increase_however_few_go_out_at_once(sizes: list[int]) -> None:
    """Singly or in batches, a quarter of what went out, and the next one never further away than three keys."""
    share, places, keys = Sustained(), 0, 0
    for size in sizes:
        places += share.places(size)
        share = share.after(size)
        keys += size
        assert places == keys // SUSTAINED_SHARE
