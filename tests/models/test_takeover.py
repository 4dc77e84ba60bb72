"""Which ways of taking a key over are exact, with late reads and late requests of the predecessor."""

from dataclasses import replace

import pytest

from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.explore import explore
from tests.models.takeover import Takeover

# The largest searches take some fifteen seconds of a quiet core; a busy machine gets more.
pytestmark = pytest.mark.timeout(600)

_LATE_REQUEST = (
    "order1 -> visible1 -> listed1 -> receipt -> import1 -> P.feed -> P.send -> P.feed -> P.lands -> P.book"
    " -> P.send -> ack1 -> P.die -> B.lease -> B.feed -> B.feed -> B.list -> B.read -> P.lands"
)


@pytest.mark.parametrize(
    ("model", "states"),
    [
        (Takeover("adopt"), 178_932),
        (Takeover("adopt", predecessor_counts_old=True, standby_counts_old=True, orders=2), 9_424),
        (Takeover("adopt", lease_checked=False, orders=2), 9_518),
    ],
    ids=["neither counts the old order", "both count it", "lease never checked"],
)
def test_adopting_the_marker_of_the_same_ledger_is_exact(model: Takeover, states: int) -> None:
    """A standby whose ledger counts the same orders may go on from the marker."""
    result = explore(model)
    result.require_exact()
    assert result.states == states


def test_adopting_a_marker_that_counts_fewer_orders_oversells() -> None:
    """A standby that counts an old order which its predecessor did not publishes that unit again."""
    result = explore(Takeover("adopt", standby_counts_old=True), stop_at_oversell=True)
    must_oversell(result, "order1 -> B.lease -> B.list -> B.read -> B.send -> B.lands -> order2")


def test_adopting_a_marker_that_counts_more_orders_hides_stock() -> None:
    """A standby that does not count an old order which its predecessor did undersells for ever."""
    result = explore(Takeover("adopt", predecessor_counts_old=True, orders=2))
    assert result.states == 11_929
    result.require_safe()
    must_be_wrong_at_rest(result, "low", "receipt -> P.die -> B.lease -> B.feed -> B.list -> B.read")


@pytest.mark.parametrize(
    ("model", "states"),
    [
        (Takeover("adopt", orders=2, confirm=False), 8_636),
        (Takeover("rebase", standby_counts_old=True, orders=2, confirm=False), 23_911),
    ],
    ids=["adopt", "rebase"],
)
def test_without_the_confirm_read_a_late_request_stays_wrong(model: Takeover, states: int) -> None:
    """A request of the dead predecessor that lands after the only read leaves the stock wrong for ever."""
    result = explore(model)
    assert result.states == states
    must_be_wrong_at_rest(result, "low", _LATE_REQUEST)


def test_without_the_clean_read_rebasing_is_wrong_both_ways() -> None:
    """A raise from a base that was read amid pending orders leaves the stock too high or too low for ever."""
    result = explore(Takeover("rebase", standby_counts_old=True, orders=2, guard=False))
    assert result.states == 18_940
    must_be_wrong_at_rest(
        result,
        "high",
        "order1 -> visible1 -> receipt -> P.die -> B.lease -> B.feed -> B.list -> listed1 -> import1 -> ack1"
        " -> B.feed -> B.read -> B.send -> B.lands",
    )
    assert sorted(result.stuck) == ["high", "low"]


@pytest.mark.parametrize(
    ("model", "states"),
    [
        (Takeover("rebase", orders=2), 24_624),
        (Takeover("rebase", predecessor_counts_old=True, orders=2), 24_624),
        (Takeover("rebase", standby_counts_old=True, orders=2), 25_071),
    ],
    ids=["same window", "shorter window", "longer window"],
)
def test_rebasing_is_exact_whatever_the_predecessor_counted(model: Takeover, states: int) -> None:
    """Re-basing with a clean read and a confirm read is exact; the lease only saves work."""
    result = explore(model)
    result.require_exact()
    assert result.states == states


@pytest.mark.parametrize(
    ("model", "states"),
    [
        (Takeover("adopt", orders=2, shrinks=1), 85_733),
        (Takeover("rebase", standby_counts_old=True, orders=2, shrinks=1), 203_389),
    ],
    ids=["adopt", "rebase, longer window"],
)
def test_a_foreign_fall_during_a_takeover_ends_exact(model: Takeover, states: int) -> None:
    """A unit that breaks after it was sold is the only way to be short, and the stock ends exact."""
    result = explore(model)
    assert result.states == states
    must_oversell(result, "order1 -> shrink")
    result.require_live()


def test_a_foreign_fall_without_the_confirm_read_stays_wrong() -> None:
    """With falls as well as receipts, a late request leaves the stock too high or too low for ever."""
    result = explore(Takeover("adopt", orders=2, shrinks=1, confirm=False))
    assert result.states == 80_675
    must_be_wrong_at_rest(
        result,
        "high",
        "receipt -> shrink -> P.feed -> P.send -> P.die -> B.lease -> B.feed -> B.feed -> B.list -> B.read"
        " -> P.lands",
    )
    assert sorted(result.stuck) == ["high", "low"]


_UNSEEN = "order1 -> visible1 -> shrink -> P.die -> B.lease -> B.feed -> B.list -> listed1 -> B.read"


def test_an_order_learnt_after_the_base_was_read_hides_no_decrease() -> None:
    """A base read amid pending orders must not keep an idle standby from lowering what it owes."""
    blind = Takeover("rebase", orders=2, receipts=0, shrinks=1, watch="offer")
    must_oversell(explore(blind), _UNSEEN)
    result = explore(replace(blind, late=True))
    result.require_exact()
    assert result.states == 23_855


def test_orders_learnt_late_leave_a_takeover_exact() -> None:
    """What is counted on top of a base until it is clean is gone with the clean read."""
    result = explore(Takeover("rebase", standby_counts_old=True, orders=2, late=True))
    result.require_exact()
    assert result.states == 30_925
