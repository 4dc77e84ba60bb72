"""Orders and receipts of several units, imported in portions, behind a percentage and a safety stock."""

import pytest

from tests.models.batches import Batches, Rule
from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.explore import explore


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Batches(quantities=(2, 1), receipts=2), 29_339, 55),
        (Batches(percentage=50, stock=5), 11_981, 207),
        (Batches(quantities=(2, 1), shrinks=1, safety_stock=1), 16_033, 77),
    ],
    ids=["all for sale", "half for sale", "one unit kept back, one breaks"],
)
def test_reflection_per_unit_is_exact(model: Batches, states: int, resting: int) -> None:
    """Lines that are proven portion by portion are exact, and a safety stock absorbs as many foreign falls."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


def test_a_portion_that_proves_its_whole_line_oversells() -> None:
    """Counting two units as reflected when one was imported sells the other one twice."""
    must_oversell(
        explore(Batches(Rule.WHOLE_LINE), stop_at_oversell=True),
        "order0 -> learn0 -> import0x1 -> ack0.0 -> feed -> send+1 -> land+1 -> order2",
    )


def test_a_line_that_counts_as_one_unit_hides_stock() -> None:
    """Counting lines where units are meant keeps the second unit of each line from sale for ever."""
    result = explore(Batches(Rule.PER_LINE, quantities=(2, 1)))
    result.require_safe()
    assert result.states == 6_979
    trace = "order0 -> learn0 -> import0x2 -> ack0.0 -> receipt -> feed -> feed -> send+1 -> land+1"
    must_be_wrong_at_rest(result, "low", trace)


def test_a_decrease_that_is_clamped_at_zero_oversells() -> None:
    """A debt that was cut off at zero comes back as a phantom unit with the next increase."""
    result = explore(Batches(Rule.CLAMPED, quantities=(2, 1), shrinks=1, safety_stock=1))
    assert result.states == 31_816
    must_oversell(
        result,
        "order0 -> learn0 -> import0x1 -> shrink -> feed -> send-1 -> ack0.0 -> land-1"
        " -> send+1 -> land+1 -> order1",
    )
    assert "high" in result.stuck
