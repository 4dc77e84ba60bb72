"""Which ways of correcting drift oversell, over all orders of late effects."""

import pytest

from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.explore import explore
from tests.models.reconcile import Reconcile, Rule


@pytest.mark.parametrize(
    ("rule", "states", "trace"),
    [
        (
            Rule.ORDERS_THEN_ENTRY,
            5_326,
            "order0 -> visible0 -> order1 -> readO -> readA -> inc+1 -> order2",
        ),
        (
            Rule.ENTRY_THEN_ORDERS,
            8_419,
            "order0 -> visible0 -> order1 -> readA -> readO -> inc+1 -> order2",
        ),
    ],
    ids=["orders first", "entry first"],
)
def test_an_unguarded_correction_oversells(rule: Rule, states: int, trace: str) -> None:
    """A raise computed while an order is still on its way to the entry or the list sells its unit again."""
    result = explore(Reconcile(rule))
    assert (result.states, result.resting) == (states, 70)
    must_oversell(result, trace)


def test_an_unguarded_correction_leaves_phantom_stock() -> None:
    """What an unguarded raise added stays for sale when everything has come to rest."""
    trace = "order0 -> visible0 -> readO -> readA -> inc+1 -> readO -> listed0 -> readA -> inc+0"
    must_be_wrong_at_rest(explore(Reconcile(Rule.ORDERS_THEN_ENTRY)), "high", trace)


def test_a_guarded_correction_never_oversells() -> None:
    """Entry first, orders complete beyond that read, no raise while an effect was pending: never too high."""
    result = explore(Reconcile(Rule.GUARDED))
    result.require_exact()
    assert (result.states, result.resting) == (3_703, 39)
