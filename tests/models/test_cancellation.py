"""When the units of a cancelled order may be sold again."""

import pytest

from tests.models.cancellation import Cancellation, Rule
from tests.models.control import must_oversell
from tests.models.explore import explore


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Cancellation(), 35_714, 206),
        (Cancellation(observed=True, cancellations=1), 42_258, 107),
    ],
    ids=["handed over by us", "handed over by others"],
)
def test_release_by_the_warehouse_proof_is_exact(model: Cancellation, states: int, resting: int) -> None:
    """A line released by the warehouse's record, or never sent at all, neither oversells nor hides stock."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


def test_release_at_once_oversells() -> None:
    """A cancelled line that was released at once may have been imported and shipped: its units are gone."""
    must_oversell(
        explore(Cancellation(Rule.AT_ONCE, strict=False), stop_at_oversell=True),
        "order0 -> learn0 -> cancel0 -> send0 -> learn0 -> import0 -> ship0 -> send+2 -> land+2 -> order1",
    )


def test_release_of_unsent_lines_is_exact_where_we_hand_over() -> None:
    """A line that we never sent and never will is free as soon as its cancellation is learnt."""
    result = explore(Cancellation(Rule.UNSENT))
    result.require_exact()
    assert result.states == 35_714


def test_release_of_unsent_lines_oversells_where_others_hand_over() -> None:
    """Where somebody else hands orders over, a line that we did not send may be imported and shipped."""
    must_oversell(
        explore(Cancellation(Rule.UNSENT, observed=True, strict=False), stop_at_oversell=True),
        "order0 -> cancel0 -> learn0 -> import0 -> ship0 -> send+2 -> land+2 -> order1",
    )
