"""Two keys that sell out of one pool: the right rules are exact, and each that is left out is missed by a trace."""

import pytest

from tests.models.control import must_oversell
from tests.models.explore import explore
from tests.models.pools import Pools, Rule

pytestmark = pytest.mark.timeout(600)

# Two channels with half of a location each; a kit of two pieces that half of its component is kept for.
SHARES = Pools(orders=((0, 2), (0, 1), (1, 2)), receipts=0)
KIT = Pools(orders=((0, 2), (0, 1), (1, 4)), weights=(2, 1), stock=8, receipts=0)
SHARES_LOSING = Pools(orders=((0, 2), (1, 1)), receipts=0, shrinks=2)
KIT_LOSING = Pools(orders=((1, 4), (0, 1)), weights=(2, 1), stock=8, receipts=0, shrinks=3)
UNANSWERED = Pools(orders=((0, 4), (1, 2), (0, 2)), stock=8, receipts=0, losses=1)


def by(rule: Rule, model: Pools) -> Pools:
    """The same world by another rule."""
    return Pools(
        rule,
        model.orders,
        model.weights,
        model.percent,
        model.stock,
        model.receipts,
        model.receipt_units,
        model.shrinks,
        model.losses,
    )


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (SHARES, 4_980, 9),
        (KIT, 5_239, 9),
        (by(Rule.WAITING, SHARES), 4_304, 9),
        (UNANSWERED, 54_143, 21),
        (SHARES_LOSING, 61_473, 19),
    ],
    ids=["shares", "kit", "shares, waiting for all of it", "an unanswered write", "goods that are lost"],
)
def test_increases_that_leave_room_never_oversell_and_hide_nothing(
    model: Pools, states: int, resting: int
) -> None:
    """No piece is sold twice, whatever order events come in, and at rest each key shows its part."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


@pytest.mark.parametrize("model", [SHARES, KIT], ids=["shares", "kit"])
def test_an_increase_before_the_other_falls_oversells(model: Pools) -> None:
    """An import moves pieces from one key to the other; raised first, they are for sale in both."""
    result = explore(by(Rule.EAGER, model), stop_at_oversell=True)
    must_oversell(
        result, "order0 -> learn0 -> import0 -> feed -> ack0 -> a.sends+1 -> a.lands+1 -> order1 -> order2"
    )


@pytest.mark.parametrize("model", [SHARES, KIT], ids=["shares", "kit"])
def test_a_booked_fall_is_not_enough_while_orders_before_it_are_unknown(model: Pools) -> None:
    """What was sold of the other key before its fall landed is owed out of this one's part, and nobody knows it yet."""
    result = explore(by(Rule.BOOKED, model), stop_at_oversell=True)
    fall = -2 * model.weights[0]
    must_oversell(
        result,
        f"order0 -> learn0 -> import0 -> feed -> b.sends{fall} -> ack0 -> order2 -> b.lands{fall} -> b.booked"
        " -> a.sends+1 -> a.lands+1 -> order1",
    )


@pytest.mark.parametrize("model", [SHARES, KIT], ids=["shares", "kit"])
def test_two_keys_that_offer_the_whole_oversell(model: Pools) -> None:
    """Nothing need go wrong for that."""
    must_oversell(explore(by(Rule.WHOLE, model), stop_at_oversell=True), "order0 -> order1 -> order2")


@pytest.mark.parametrize("model", [SHARES_LOSING, KIT_LOSING], ids=["shares", "kit"])
def test_a_key_that_owes_more_than_its_part_takes_it_from_the_other(model: Pools) -> None:
    """Goods are lost after they were sold: with all of that known, the other key must not sell what will be sent to them."""
    explore(model).require_exact()
    assert explore(by(Rule.OWN_DEBT, model), stop_at_oversell=True).oversell is not None
