"""A location that sells what is on hand: what proves that its level excludes a line."""

import pytest

from tests.models.control import must_oversell
from tests.models.explore import explore
from tests.models.onhand import OnHand, Rule


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [(OnHand(), 40_999, 50), (OnHand(quantities=(2, 2)), 2_745, 15)],
    ids=["two and one", "two and two"],
)
def test_a_shipment_before_the_level_is_exact(model: OnHand, states: int, resting: int) -> None:
    """Units whose shipped fulfilment stands before the level are excluded by it, and no others are."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


@pytest.mark.parametrize(
    ("rule", "trace"),
    [
        (
            Rule.ACCEPTED_BEFORE,
            (
                "order0 -> learn0 -> accept0 -> ship0x1 -> ack0 -> feed -> feed -> feed -> send+1 -> land+1"
                " -> order1"
            ),
        ),
        (
            Rule.SHIPPED,
            "order0 -> learn0 -> accept0 -> ship0x1 -> shipped0.0 -> send+1 -> land+1 -> order1",
        ),
        (
            Rule.PART_SHIPPED,
            (
                "order0 -> learn0 -> accept0 -> ship0x1 -> shipped0.0 -> feed -> feed -> feed -> send+1 -> land+1"
                " -> order1"
            ),
        ),
    ],
    ids=["acceptance", "shipment without position", "part of the line"],
)
def test_anything_less_than_the_shipment_before_the_level_oversells(rule: Rule, trace: str) -> None:
    """An acceptance, a shipment after the level, or a part of the line proves nothing about on-hand stock."""
    must_oversell(explore(OnHand(rule), stop_at_oversell=True), trace)
