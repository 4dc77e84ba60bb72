"""The ledger's rules: what is reflected, what became of an operation, what may be adopted, when a read is clean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.feed import Figure, Position
from archsyncd.domain.inventory import Marker
from archsyncd.domain.ledger import (
    CleanRead,
    Figures,
    Finding,
    Line,
    Operation,
    Proof,
    adoptable,
    drift,
    figures,
    holds,
    judge,
    rebased,
    reflected_units,
    signature,
)
from archsyncd.domain.stock import ChannelPolicy, StoredLevel
from tests.domain.nouns import AVAILABLE, ON_HAND, channel, place

OURS = "ledger-1"
OPERATION = Operation("7.12", 3, 10)


def stored(location: str, seq: int, epoch: int = 1, feed: str = "main", quantity: int = 10) -> StoredLevel:
    return StoredLevel(location, feed, Position(epoch, seq), quantity, quantity)


PROOFS = st.builds(
    Proof,
    feed=st.sampled_from(["main", "north"]),
    position=st.builds(Position, epoch=st.integers(1, 2), seq=st.integers(0, 9)),
    figure=st.sampled_from(Figure),
    quantity=st.integers(0, 9),
    location=st.sampled_from([None, "WH1", "WH2", "WH9"]),
    source=st.sampled_from(["", "F1", "F2", "times"]),
)
LINES = st.builds(
    Line,
    order_id=st.just("o1"),
    line_id=st.just("n1"),
    quantity=st.integers(0, 6),
    tracked=st.booleans(),
    proofs=st.lists(PROOFS, max_size=5).map(tuple),
    released=st.booleans(),
)
CHANNELS = st.sampled_from(
    [
        channel(place("WH1")),
        channel(place("WH1"), place("WH2")),
        channel(place("WH1"), place("WH2", sells=ON_HAND)),
    ]
)


@st.composite
def level_maps(draw: st.DrawFn) -> dict[str, StoredLevel]:
    names = draw(st.sets(st.sampled_from(["WH1", "WH2"])))
    return {
        name: stored(
            name, draw(st.integers(0, 9)), draw(st.integers(1, 2)), draw(st.sampled_from(["main", "north"]))
        )
        for name in names
    }


@given(LINES, CHANNELS, level_maps())
def test_s13_reflected_stays_between_nothing_and_what_was_committed(
    line: Line, policy: ChannelPolicy, levels: dict[str, StoredLevel]
) -> None:
    """S13: 0 ≤ reflected ≤ committed, whatever is claimed of a line."""
    assert 0 <= reflected_units(line, policy, levels) <= line.quantity


@given(LINES, CHANNELS, level_maps(), st.sampled_from(["WH1", "WH2"]), st.integers(0, 5))
def test_s13_inside_an_epoch_reflected_only_grows(
    line: Line, policy: ChannelPolicy, levels: dict[str, StoredLevel], where: str, further: int
) -> None:
    """S13: a newer level of the same epoch never takes a proof away."""
    before = reflected_units(line, policy, levels)
    if where in levels:
        old = levels[where]
        moved = stored(where, old.position.seq + further, old.position.epoch, old.feed)
        levels = {**levels, where: moved}
    assert reflected_units(line, policy, levels) >= before


@given(LINES, CHANNELS, level_maps())
def test_s12_nothing_is_reflected_without_a_proof_that_some_level_has_passed(
    line: Line, policy: ChannelPolicy, levels: dict[str, StoredLevel]
) -> None:
    """S12: units count as reflected only where a level of the proof's feed and epoch stands at or after it."""
    passed = any(
        proof.feed == kept.feed
        and proof.position.epoch == kept.position.epoch
        and proof.position.seq <= kept.position.seq
        for proof in line.proofs
        for kept in levels.values()
    )
    if reflected_units(line, policy, levels) and not line.released:
        assert passed


def test_an_acceptance_holds_for_available_and_a_shipment_for_both() -> None:
    """A shipment took the pieces off the shelf, an acceptance only promised them."""
    here = stored("WH1", 5)
    acceptance = Proof("main", Position(1, 5), AVAILABLE, 1)
    shipment = Proof("main", Position(1, 5), ON_HAND, 1)
    assert holds(acceptance, here, AVAILABLE)
    assert not holds(acceptance, here, ON_HAND)
    assert holds(shipment, here, AVAILABLE)
    assert holds(shipment, here, ON_HAND)


@given(st.integers(-9, 9), st.lists(LINES, max_size=4), st.integers(0, 9))
def test_the_target_is_what_is_left_when_every_known_unit_is_subtracted(
    quantity: int, lines: list[Line], closed: int
) -> None:
    """A* = f − U − N: known tracked units that no level excludes, and untracked ones, are all that is taken off."""
    policy = channel(place("WH1"))
    levels = {"WH1": stored("WH1", 5, quantity=quantity)}
    result = figures(policy, levels, lines, closed)
    unreflected = sum(line.quantity - reflected_units(line, policy, levels) for line in lines)
    assert result.stock_target == result.f - unreflected
    assert result.x_target == result.f + result.refl - result.ntrk


def test_closed_units_cancel_out_of_the_target() -> None:
    """What is folded into a number was reflected for good: it moves X and the known units alike."""
    assert Figures(5, 4, 0, 4).stock_target == Figures(5, 0, 0, 0).stock_target


@pytest.mark.parametrize(
    ("marker", "superseded", "seen", "finding"),
    [
        (Marker(OURS, "7.12", 13, "", 7), (), None, Finding.APPLIED),
        (Marker(OURS, "7.11", 10, "", 7), (), None, Finding.NOT_APPLIED),
        (Marker(OURS, "7.9", 12, "", 7), ("7.9",), None, Finding.LATE_OWN),
        (Marker(OURS, "7.9", 10, "", 7), ("7.9",), None, Finding.NOT_APPLIED),
        (Marker(OURS, "7.9", 12, "", 7), (), None, Finding.FOREIGN),
        (Marker(), (), None, Finding.FOREIGN),
        (Marker(), (), "", Finding.NOT_APPLIED),
        (Marker("other", "1.1", 10, "", 1), (), None, Finding.FOREIGN),
        (Marker("other", "1.1", 10, "", 1), (), "other/1.1", Finding.NOT_APPLIED),
        (Marker("other", "7.12", 13, "", 1), (), None, Finding.FOREIGN),
        (Marker(OURS, "8.1", 10, "", 8), (), None, Finding.FENCED),
        (Marker("other", "8.1", 10, "", 8), (), "other/8.1", Finding.FENCED),
        (Marker(OURS, "7.12", 13, "", 8), (), None, Finding.FENCED),
    ],
)
def test_f006_the_marker_tells_what_became_of_an_operation(
    marker: Marker, superseded: tuple[str, ...], seen: str | None, finding: Finding
) -> None:
    """Applied, not applied, an earlier one of ours, somebody else's, or the sign of a newer tenure."""
    assert judge(marker, OURS, 7, OPERATION, superseded, seen) is finding


def test_f032_a_value_is_adopted_from_our_own_ledger_and_complete_orders_only() -> None:
    """Not another ledger's, not while orders may be missing, not one written from a provisional base."""
    own = Marker(OURS, "7.12", 13, "", 7)
    assert adoptable(own, OURS, orders_complete=True)
    assert not adoptable(own, OURS, orders_complete=False)
    assert not adoptable(Marker("other", "7.12", 13, "", 7), OURS, orders_complete=True)
    assert not adoptable(Marker(OURS, "7.12", None, "", 7), OURS, orders_complete=True)
    assert not adoptable(Marker(OURS, "7.12p", 13, "", 7), OURS, orders_complete=True)
    assert not adoptable(Marker(), OURS, orders_complete=True)


def test_markers_are_told_apart_by_ledger_and_operation() -> None:
    """An entry without our fields has the empty signature, which is a signature all the same."""
    assert signature(Marker()) == ""
    assert signature(Marker(OURS, "1.1", 5)) == f"{OURS}/1.1"
    assert signature(Marker(OURS, "1.1", 5)) != signature(Marker(OURS, "1.2", 5))


@given(st.integers(-99, 99), st.integers(0, 99))
def test_a_base_explains_exactly_what_the_entry_shows(stock: int, known: int) -> None:
    """Taking a base leaves no drift: the entry is what our increments and the known orders explain."""
    assert drift(stock, rebased(stock, known), known) == 0


@pytest.mark.parametrize(
    ("complete_ms", "orders_ms", "clean"),
    [
        (110_000, (), True),
        (109_999, (), False),
        (110_000, (89_999, 110_001), True),
        (110_000, (90_000,), False),
        (110_000, (100_000,), False),
        (110_000, (110_000,), False),
    ],
)
def test_f084_a_read_is_clean_when_no_order_can_be_half_visible_in_it(
    complete_ms: int, orders_ms: tuple[int, ...], clean: bool
) -> None:
    """The list is complete beyond the read by the lag, and no order falls within the lag on either side."""
    assert CleanRead(100_000, 10_000).clean(complete_ms, orders_ms) is clean
