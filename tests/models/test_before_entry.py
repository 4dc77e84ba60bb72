"""Orders that are older than their entry, because it did not exist yet or was deleted and came back."""

import pytest

from tests.models.before_entry import BeforeEntry, Rule
from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.explore import explore


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (BeforeEntry(), 34_065, 205),
        (BeforeEntry(deletions=1), 68_130, 410),
        (BeforeEntry(quantities=(2, 1), receipts=2, deletions=2), 21_045, 147),
    ],
    ids=["no entry yet", "deleted once", "deleted twice"],
)
def test_older_orders_count_as_untracked(model: BeforeEntry, states: int, resting: int) -> None:
    """An order older than its entry counts against it until reflected; the first raise waits for the list."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


def test_an_older_order_that_counts_as_tracked_oversells() -> None:
    """It never lowered the entry's stock, so treating it as if it had sells its unit again."""
    result = explore(BeforeEntry(Rule.COUNTED_AS_TRACKED))
    assert result.states == 82_697
    must_oversell(
        result, "order0 without entry -> learn0 -> create=0 -> send+2 -> land+2 -> order1 -> order2"
    )
    assert "high" in result.stuck


def test_an_older_order_that_stays_untracked_hides_stock() -> None:
    """Subtracting it from a level that excludes it already hides its unit for ever."""
    result = explore(BeforeEntry(Rule.UNTRACKED_FOR_EVER))
    result.require_safe()
    assert result.states == 30_087
    must_be_wrong_at_rest(
        result,
        "low",
        "order0 without entry -> learn0 -> import0 -> ack0 -> receipt -> feed -> feed -> create=0"
        " -> send+1 -> land+1",
    )


def test_an_entry_created_with_its_full_target_oversells_over_unseen_orders() -> None:
    """A new entry that starts with the whole target sells what an order not learnt yet has taken."""
    must_oversell(
        explore(BeforeEntry(cautious=False), stop_at_oversell=True),
        "order0 without entry -> order1 without entry -> create=2 -> order2",
    )


def test_a_full_first_entry_is_exact_only_where_no_order_can_precede_it() -> None:
    """Where the shop takes no order without an entry, a first entry may start with the whole target."""
    result = explore(BeforeEntry(cautious=False, bare_orders=False))
    result.require_exact()
    assert result.states == 4_711


def test_a_full_entry_after_a_deletion_oversells_even_there() -> None:
    """Orders that lowered the deleted entry and are not learnt yet are sold again by the entry that follows."""
    must_oversell(
        explore(BeforeEntry(cautious=False, bare_orders=False, deletions=1), stop_at_oversell=True),
        "create=2 -> order0 -> order1 -> delete -> create=2 -> order2",
    )
