"""f(W): what a channel may sell of what its locations hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.stock import ChannelPolicy, LocationPolicy, StoredLevel, needs_person, sellable_quantity
from tests.domain.nouns import channel, place

QUANTITIES = st.integers(-(10**6), 10**6)
NAMES = ("WH1", "WH2", "WH3")


@st.composite
def policies_and_levels(draw: st.DrawFn) -> tuple[ChannelPolicy, list[StoredLevel]]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    locations = {
        name: LocationPolicy(name, "web", draw(st.sampled_from(Figure)), draw(st.integers(0, 50)))
        for name in names
    }
    policy = ChannelPolicy("web", locations, draw(st.integers(0, 50)), draw(st.integers(0, 100)))
    levels = [
        StoredLevel(name, "main", Position(1, 1), draw(st.none() | QUANTITIES), draw(st.none() | QUANTITIES))
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    ]
    return policy, levels


def stated(policy: ChannelPolicy, levels: list[StoredLevel]) -> list[int]:
    """What the locations of the channel state of the figure they sell by."""
    found = []
    for one in levels:
        if one.location in policy.locations:
            quantity = one.figure(policy.locations[one.location].sellable)
            found.extend([] if quantity is None else [quantity])
    return found


@given(policies_and_levels())
def test_f119_the_sellable_quantity_never_exceeds_what_the_warehouse_states(
    drawn: tuple[ChannelPolicy, list[StoredLevel]],
) -> None:
    """f(W) ≤ ΣW for every percentage up to 100, also where W is negative."""
    policy, levels = drawn
    assert sellable_quantity(policy, levels) <= sum(stated(policy, levels))


@given(policies_and_levels(), st.integers(1, 1000))
def test_f119_nothing_is_clamped(drawn: tuple[ChannelPolicy, list[StoredLevel]], more: int) -> None:
    """Below zero every piece less in the warehouse is a piece less in f: a debt is never cut off (S9)."""
    policy, levels = drawn
    worse = [
        StoredLevel(
            one.location,
            one.feed,
            one.position,
            None if one.on_hand is None else one.on_hand - 10**7 - more,
            None if one.available is None else one.available - 10**7 - more,
        )
        for one in levels
    ]
    deep = [
        StoredLevel(
            one.location,
            one.feed,
            one.position,
            None if one.on_hand is None else one.on_hand - 10**7,
            None if one.available is None else one.available - 10**7,
        )
        for one in levels
    ]
    count = len(stated(policy, levels))
    assert sellable_quantity(policy, deep) - sellable_quantity(policy, worse) == more * count


@given(policies_and_levels(), st.sets(st.sampled_from(NAMES)))
def test_f117_withholding_a_location_never_raises_what_is_sold(
    drawn: tuple[ChannelPolicy, list[StoredLevel]], withheld: set[str]
) -> None:
    """Failing closed may only take away: a withheld location that is in debt keeps its debt."""
    policy, levels = drawn
    assert sellable_quantity(policy, levels, frozenset(withheld)) <= sellable_quantity(policy, levels)


def test_f126_two_locations_of_one_channel_are_summed_each_by_its_own_figure() -> None:
    """One location sells what is available, the other what is on hand; a third is not the channel's."""
    policy = channel(place("WH1"), place("WH2", sells=Figure.ON_HAND, buffer=2))
    levels = [
        StoredLevel("WH1", "main", Position(1, 1), 100, 7),
        StoredLevel("WH2", "main", Position(1, 2), 9, 1),
        StoredLevel("WH9", "main", Position(1, 3), 50, 50),
    ]
    assert sellable_quantity(policy, levels) == 7 + (9 - 2)


def test_f121_only_a_raise_above_the_maximum_waits_for_a_person() -> None:
    """A fall never waits, not even one that stays above the maximum."""
    policy = channel(place("WH1"), maximum=100)
    assert needs_person(policy, None, 101)
    assert needs_person(policy, 100, 101)
    assert not needs_person(policy, 500, 101)
    assert not needs_person(policy, 5, 100)


def test_f121_a_leap_beyond_the_channels_factor_needs_a_person() -> None:
    """Cartons told as pieces: ten times what it was is allowed, more is not; from nothing or a debt any rise may go."""
    policy = ChannelPolicy("web", {}, maximum_factor=10)
    assert not needs_person(policy, 5, 50)
    assert needs_person(policy, 5, 51)
    assert not needs_person(policy, 0, 5_000)
    assert not needs_person(policy, -3, 5_000)
    assert not needs_person(policy, None, 5_000)
    assert not needs_person(policy, 900, 1)
    assert not needs_person(ChannelPolicy("web", {}), 5, 5_000)


def test_a_line_is_fulfilled_where_it_is_told_or_configured_or_only_can_be() -> None:
    """Told first, then the channel's order location, then its only one; else it stays open."""
    assert channel(place("WH1"), place("WH2"), order_location="WH2").place_of("WH1") == "WH1"
    assert channel(place("WH1"), place("WH2"), order_location="WH2").place_of(None) == "WH2"
    assert channel(place("WH1")).place_of(None) == "WH1"
    assert channel(place("WH1"), place("WH2")).place_of(None) is None
