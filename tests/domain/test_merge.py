"""Merging: positions decide, never the order of arrival (faults 94 to 96, 121; F3, F4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Level, Movement, StockRecord
from archsyncd.domain.merge import QUANTITY_LIMIT, KeptLevel, Verdict, merge
from archsyncd.domain.stock import ChannelPolicy
from tests.domain.nouns import ON_HAND, channel, level, movement, place, removal

WEB = channel(place("WH1"), maximum=100)
HANDS = channel(place("WH1", sells=ON_HAND), maximum=100)
QUANTITIES = st.integers(-50, 100)


def merged(
    records: Sequence[tuple[int, StockRecord]],
    policy: ChannelPolicy | None = WEB,
    kept: KeptLevel | None = None,
) -> KeptLevel | None:
    """What is kept after these (epoch, record) pairs, in this order."""
    for epoch, record in records:
        _, after = merge(kept, record, "main", epoch, policy)
        verdict, _ = merge(kept, record, "main", epoch, policy)
        if verdict in {Verdict.APPLIED, Verdict.UNCHANGED}:
            kept = after
    return kept


LEVELS = st.lists(
    st.builds(
        lambda epoch, seq, quantity: (epoch, level(seq, quantity)),
        st.integers(1, 2),
        st.integers(1, 9),
        QUANTITIES,
    ),
    max_size=8,
    unique_by=lambda pair: (pair[0], pair[1].seq),
)


@given(LEVELS, st.randoms(use_true_random=False))
def test_f095_any_permutation_of_levels_comes_to_the_same(
    records: list[tuple[int, Level]], chance: object
) -> None:
    """F4: per key the newest position wins, in whatever order the levels come."""
    shuffled = list(records)
    assert hasattr(chance, "shuffle")
    chance.shuffle(shuffled)
    newest = max(records, key=lambda pair: (pair[0], pair[1].seq), default=None)
    kept = merged(shuffled)
    assert kept == merged(records)
    assert (kept is None) == (newest is None)
    if kept is not None and newest is not None:
        assert (kept.epoch, kept.seq, kept.available) == (newest[0], newest[1].seq, newest[1].available)


MIXED = st.lists(
    st.one_of(
        st.builds(level, st.integers(1, 9), QUANTITIES),
        st.builds(movement, st.integers(1, 9), st.integers(-5, 5)),
        st.builds(removal, st.integers(1, 9)),
    ),
    max_size=8,
    unique_by=lambda record: record.seq,
).map(lambda records: sorted(records, key=lambda record: record.seq))


@given(MIXED, st.integers(0, 8))
def test_f094_replaying_any_suffix_changes_nothing(records: list[StockRecord], start: int) -> None:
    """F3: what was read twice counts once, movements too."""
    once = merged([(1, record) for record in records])
    assert merged([(1, record) for record in records[start:]], kept=once) == once


def test_f096_a_movement_without_a_baseline_waits_for_a_level() -> None:
    """Nothing known, another epoch, another feed, or a figure never stated: the key is read anew."""
    kept = merged([(1, level(1, 10))])
    assert merge(None, movement(2, -1), "main", 1, WEB)[0] is Verdict.RESYNC
    assert merge(kept, movement(2, -1), "main", 2, WEB)[0] is Verdict.RESYNC
    assert merge(kept, movement(2, -1, figure=ON_HAND), "main", 1, WEB)[0] is Verdict.RESYNC
    assert merge(merged([(1, removal(1))]), movement(2, -1), "main", 1, WEB)[0] is Verdict.RESYNC


def test_f096_a_movement_after_a_record_that_was_set_aside_waits_too() -> None:
    """What lies between is unknown: the movement has nothing to stand on, however old it would say the level is."""
    kept = merged([(1, level(1, 10))])
    assert merge(kept, movement(3, -1), "main", 1, WEB, interrupted=True)[0] is Verdict.RESYNC
    assert merge(kept, movement(1, -1), "main", 1, WEB, interrupted=True)[0] is Verdict.STALE
    assert merge(kept, level(3, 4), "main", 1, WEB, interrupted=True)[0] is Verdict.APPLIED


def test_a_movement_applies_to_its_baseline_and_a_balance_is_a_level() -> None:
    """The balance wins over the delta, which is only audited then."""
    kept = merged([(1, level(1, 10)), (1, movement(2, -3))])
    assert kept is not None
    assert (kept.seq, kept.available) == (2, 7)
    stated = merged([(1, movement(5, -3, balance_available=40))], kept=kept)
    assert stated is not None
    assert (stated.seq, stated.available) == (5, 40)


def test_a_balance_of_another_figure_than_is_sold_is_no_level() -> None:
    """A channel that sells what is available learns nothing from a balance on hand."""
    assert merge(None, movement(5, -3, balance_on_hand=40), "main", 1, WEB)[0] is Verdict.UNUSABLE
    assert merge(None, movement(5, -3, balance_on_hand=40), "main", 1, HANDS)[0] is Verdict.APPLIED


def test_f121_a_raise_above_the_maximum_is_held_and_a_fall_is_not() -> None:
    """Held: the level before stays; the fall from above the maximum applies."""
    kept = merged([(1, level(1, 10))])
    verdict, held = merge(kept, level(2, 101), "main", 1, WEB)
    assert verdict is Verdict.HELD
    assert held is not None
    assert held.available == 101
    high = KeptLevel("WH1", "A", "main", 1, 1, None, 500)
    assert merge(high, level(2, 300), "main", 1, WEB)[0] is Verdict.APPLIED
    assert merge(high, movement(2, 1), "main", 1, WEB)[0] is Verdict.HELD


@pytest.mark.parametrize("quantity", [QUANTITY_LIMIT + 1, -QUANTITY_LIMIT - 1, 2**63 - 1, -(2**63)])
def test_f120_a_quantity_no_site_can_hold_is_set_aside(quantity: int) -> None:
    """It would leave 64 bits once summed over locations; what is kept stays, also where nothing is mapped."""
    kept = merged([(1, level(1, 10))])
    assert merge(kept, level(2, quantity), "main", 1, WEB)[0] is Verdict.UNUSABLE
    assert merge(kept, level(2, quantity), "main", 1, None)[0] is Verdict.UNUSABLE
    assert merge(kept, level(2, 5, on_hand=quantity), "main", 1, WEB)[0] is Verdict.UNUSABLE


def test_f120_movements_cannot_add_up_to_a_quantity_no_site_can_hold() -> None:
    """The sum is bounded as the level is."""
    low = KeptLevel("WH1", "A", "main", 1, 1, None, -QUANTITY_LIMIT)
    assert merge(low, movement(2, -1), "main", 1, WEB)[0] is Verdict.UNUSABLE


def test_f101_a_level_without_the_figure_that_is_sold_changes_nothing() -> None:
    """Not stated is not zero (S8)."""
    assert merge(None, level(1, None, on_hand=5), "main", 1, WEB)[0] is Verdict.UNUSABLE
    assert merge(None, level(1, None, on_hand=5), "main", 1, HANDS)[0] is Verdict.APPLIED


def test_f110_the_revision_only_breaks_ties() -> None:
    """The same position again is old, unless its revision is higher; a higher revision never beats a position."""
    kept = merged([(1, level(5, 10, rev="9"))])
    assert merge(kept, level(5, 11, rev="10"), "main", 1, WEB)[0] is Verdict.APPLIED
    assert merge(kept, level(5, 11, rev="9"), "main", 1, WEB)[0] is Verdict.STALE
    assert merge(kept, level(5, 11), "main", 1, WEB)[0] is Verdict.STALE
    assert merge(kept, level(4, 11, rev="99"), "main", 1, WEB)[0] is Verdict.STALE


def test_f110_another_feed_is_newer_only_by_its_own_capture_time() -> None:
    """Positions of two feeds do not compare."""
    kept = merge(None, level(500, 10), "main", 1, WEB, 1_000)[1]
    assert merge(kept, level(1, 3), "north", 1, WEB, 2_000)[0] is Verdict.APPLIED
    assert merge(kept, level(900, 3), "north", 1, WEB, 1_000)[0] is Verdict.STALE
    assert merge(kept, level(900, 3), "north", 1, WEB, None)[0] is Verdict.OTHER_FEED
    assert merge(kept, removal(900), "north", 1, WEB, None)[0] is Verdict.OTHER_FEED
    assert merge(kept, movement(900, -3), "north", 1, WEB, None)[0] is Verdict.RESYNC


def test_f110_a_feed_that_is_read_no_more_is_followed_by_another_without_any_times() -> None:
    """And so is whatever was told before a question whose answer this is; a movement needs a level all the same."""
    kept = merge(None, level(500, 10), "old", 1, WEB, 1_000)[1]
    assert merge(kept, level(1, 3), "main", 1, WEB, None, takes_over=True)[0] is Verdict.APPLIED
    assert merge(kept, level(1, 3), "main", 1, WEB, 500, takes_over=True)[0] is Verdict.APPLIED
    assert merge(kept, movement(1, 3), "main", 1, WEB, None, takes_over=True)[0] is Verdict.RESYNC


def test_the_same_figures_at_a_newer_position_move_the_position_only() -> None:
    """UNCHANGED is not STALE: proofs are compared with the new position."""
    kept = merged([(1, level(1, 10))])
    verdict, after = merge(kept, level(2, 10), "main", 1, WEB)
    assert verdict is Verdict.UNCHANGED
    assert kept is not None
    assert after == kept._replace(seq=2)


def test_a_removal_leaves_a_position_without_figures() -> None:
    """The tombstone keeps its place in the feed, so that an older level cannot bring the SKU back."""
    kept = merged([(1, level(1, 10)), (1, removal(3)), (1, level(2, 8))])
    assert kept is not None
    assert (kept.seq, kept.on_hand, kept.available) == (3, None, None)
    assert isinstance(movement(4, 1), Movement)
    assert merge(kept, movement(4, 1), "main", 1, WEB)[0] is Verdict.RESYNC


def lapsed(seq: int, quantity: int | None = None, epoch: int = 2, feed: str = "main") -> KeptLevel:
    return KeptLevel("WH1", "A", feed, epoch, seq, None, quantity, lapsed=1)


@pytest.mark.parametrize(
    ("record", "epoch", "stated_at", "verdict", "seq"),
    [
        (level(7, 10), 2, 50, Verdict.APPLIED, 7),  # the very record that it stood on, as of a full
        (level(2, 10), 2, 50, Verdict.APPLIED, 7),  # an older one, as where another article has the name now
        (level(2, 10), 2, 7, Verdict.APPLIED, 7),
        (level(2, 10), 2, 6, Verdict.STALE, None),  # a full of before
        (level(7, 10), 2, None, Verdict.STALE, None),  # a record that comes again
        (level(8, 10), 2, None, Verdict.APPLIED, 8),
        (movement(6, 1), 2, None, Verdict.STALE, None),
        (movement(8, 1), 2, None, Verdict.RESYNC, None),
        (level(9, 10), 1, 50, Verdict.STALE, None),  # of an epoch that the source has left
        (level(1, 10), 3, 50, Verdict.APPLIED, 1),
        (removal(50), 2, 50, Verdict.UNCHANGED, 50),
    ],
)
def test_a_level_that_lapsed_gives_way_to_whoever_shows_the_key_as_it_is(
    record: StockRecord, epoch: int, stated_at: int | None, verdict: Verdict, seq: int | None
) -> None:
    """Its position stays at least where it was, and what takes its place has not lapsed."""
    found, after = merge(lapsed(7), record, "main", epoch, WEB, stated_at=stated_at)
    assert found is verdict
    assert (None if after is None else after.seq) == seq
    assert after is None or after.lapsed == 0


def test_a_level_that_lapsed_carries_no_movement_though_it_has_a_figure() -> None:
    """And a full of another feed takes its place, which a record of that feed does not."""
    assert merge(lapsed(7, 120), movement(8, -6), "main", 2, WEB) == (Verdict.RESYNC, None)
    assert merge(lapsed(7, 120), movement(8, -6, balance_available=54), "main", 2, WEB)[0] is Verdict.APPLIED
    assert merge(lapsed(7), level(3, 4), "other", 1, WEB)[0] is Verdict.OTHER_FEED
    assert merge(lapsed(7), level(3, 4), "other", 1, WEB, stated_at=9)[0] is Verdict.APPLIED
