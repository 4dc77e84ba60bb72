"""Which ways of publishing stock oversell, over all orders of events of one key."""

import pytest

from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.explore import explore
from tests.models.oversell import Oversell, Strategy

# The largest searches take some ten seconds of a quiet core; a busy machine gets more.
pytestmark = pytest.mark.timeout(600)

_UNIT_BY_UNIT = "order0 -> order1 -> d0.compute -> d0.apply -> order2"


def test_writing_the_warehouse_figure_oversells() -> None:
    """An absolute write of the warehouse's figure sells again what the warehouse has not imported yet."""
    result = explore(Oversell(Strategy.ABSOLUTE))
    assert (result.states, result.resting) == (50_221, 188)
    must_oversell(result, _UNIT_BY_UNIT)


@pytest.mark.parametrize("strategy", [Strategy.KNOWN_ORDERS, Strategy.KNOWN_ORDERS_VERSIONED])
def test_subtracting_the_known_orders_does_not_repair_it(strategy: Strategy) -> None:
    """An absolute write minus the known orders oversells in five steps, with the version check as without."""
    must_oversell(explore(Oversell(strategy), stop_at_oversell=True), _UNIT_BY_UNIT)


def test_only_a_shop_that_is_never_late_would_save_absolute_writes() -> None:
    """With order lists and versions that lag by nothing, absolute writes minus open orders are exact."""
    result = explore(Oversell(Strategy.CURRENT_ORDERS, (1, 1)))
    assert (result.states, result.resting) == (26_349, 70)
    result.require_exact()


def test_a_repeated_increment_oversells() -> None:
    """An increment that is sent again after a lost answer oversells, and leaves phantom stock at rest."""
    result = explore(Oversell(Strategy.LEDGER_BLIND_RETRY, stock=1))
    assert (result.states, result.resting) == (20_794, 402)
    must_oversell(
        result,
        "order0 -> receipt -> d0.feed -> d0.compute -> d0.apply -> order1 -> d0.resend -> d0.apply -> order2",
    )
    again = "receipt -> d0.feed -> d0.compute -> d0.apply -> d0.resend -> d0.apply -> d0.resp"
    must_be_wrong_at_rest(result, "hidden or phantom", again)


def test_an_acknowledgement_without_a_position_oversells() -> None:
    """An import that counts at whatever level is at hand is counted before the level excludes it."""
    result = explore(Oversell(Strategy.LEDGER_UNPLACED))
    assert (result.states, result.resting) == (51_226, 277)
    must_oversell(result, "order0 -> learn0 -> import0 -> ack0 -> order1 -> d0.compute -> d0.apply -> order2")


def test_two_daemons_without_a_fence_oversell() -> None:
    """Two daemons that do not look at each other's marker both publish the same receipt."""
    must_oversell(
        explore(Oversell(Strategy.LEDGER_UNFENCED, stock=1, daemons=2), stop_at_oversell=True),
        "order0 -> receipt -> d0.feed -> d0.compute -> d0.apply -> order1"
        " -> d1.feed -> d1.compute -> d1.apply -> order2",
    )
    few = explore(Oversell(Strategy.LEDGER_UNFENCED, (1, 1), stock=1, daemons=2))
    assert (few.states, few.resting) == (21_790, 45)
    assert few.stuck


def test_a_foreign_fall_before_its_decrease_is_the_only_residue() -> None:
    """A unit that breaks after it was sold cannot be taken back: the ledger's one way to be short."""
    result = explore(Oversell(Strategy.LEDGER, shrinks=1))
    assert (result.states, result.resting) == (93_041, 847)
    must_oversell(result, "order0 -> order1 -> shrink")
    result.require_live()


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Oversell(Strategy.LEDGER), 13_966, 232),
        (Oversell(Strategy.LEDGER, quantities=(1, 1, 1, 1)), 45_206, 705),
        (Oversell(Strategy.LEDGER, receipts=2), 87_238, 668),
        (Oversell(Strategy.LEDGER, stock=1, daemons=2), 101_257, 118),
    ],
    ids=["three orders", "four orders", "two receipts", "two daemons"],
)
def test_ledger_increments_with_a_marker_are_exact(model: Oversell, states: int, resting: int) -> None:
    """Ledger increments behind a marker never oversell and hide nothing at rest."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Oversell(Strategy.LEDGER, (2, 1, 2), receipts=2, receipt_units=2), 41_880, 434),
        (Oversell(Strategy.LEDGER, (2, 1), stock=1, receipt_units=2, daemons=2), 46_944, 38),
    ],
    ids=["one daemon", "two daemons"],
)
def test_ledger_increments_of_several_units_are_exact(model: Oversell, states: int, resting: int) -> None:
    """Orders and receipts of two units change nothing: the ledger stays exact."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


def test_two_daemons_without_a_fence_oversell_several_units() -> None:
    """A receipt of two units that is published twice promises four units where there are three."""
    model = Oversell(Strategy.LEDGER_UNFENCED, (2, 1, 1), stock=1, receipt_units=2, daemons=2)
    must_oversell(
        explore(model, stop_at_oversell=True),
        "order1 -> receipt -> d0.feed -> d0.compute -> d0.apply -> order0"
        " -> d1.feed -> d1.compute -> d1.apply -> order2",
    )
