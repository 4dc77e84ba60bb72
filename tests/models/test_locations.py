"""Two locations behind one channel: at whose level an import counts."""

import pytest

from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.explore import explore
from tests.models.locations import Locations, Rule

_UNITS = (1, 1, 1)


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Locations(Rule.OWN_LOCATION), 12_689, 66),
        (Locations(Rule.OWN_LOCATION, _UNITS), 38_593, 218),
    ],
    ids=["a line over both", "three orders"],
)
def test_a_proof_at_its_own_location_is_exact(model: Locations, states: int, resting: int) -> None:
    """An import that names its location counts when that location has a level at or after it."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Locations(Rule.EVERY_LOCATION), 22_551, 74),
        (Locations(Rule.EVERY_LOCATION, _UNITS), 67_207, 254),
    ],
    ids=["a line over both", "three orders"],
)
def test_an_unlocated_proof_waits_for_every_location(model: Locations, states: int, resting: int) -> None:
    """An import that names no location counts when every location has a level, read afresh, at or after it."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


def test_an_unlocated_proof_at_the_first_level_to_come_oversells() -> None:
    """Counting it at whichever location gets a level first counts it where it was not taken from."""
    must_oversell(
        explore(Locations(Rule.FIRST_TO_REACH, _UNITS), stop_at_oversell=True),
        "order0 -> learn0 -> import0@0 -> ack0.0 -> order1 -> learn1 -> import1@1 -> ack1.0"
        " -> feed@1 -> send+1 -> land+1 -> order2",
    )


def test_an_unlocated_proof_at_the_first_location_oversells() -> None:
    """Counting it at the channel's first location oversells, and hides stock when that one stays silent."""
    result = explore(Locations(Rule.FIRST_LISTED, _UNITS))
    assert result.states == 40_822
    must_oversell(
        result,
        "order0 -> learn0 -> import0@1 -> ack0.0 -> order1 -> learn1 -> import1@0 -> ack1.0"
        " -> feed@0 -> send+1 -> land+1 -> order2",
    )
    must_be_wrong_at_rest(
        result, "low", "order0 -> learn0 -> import0@1 -> ack0.0 -> receipt@1 -> feed@1 -> feed@1"
    )


def test_one_location_that_proves_a_split_line_oversells() -> None:
    """A line over two locations that counts whole at the first one's proof sells the other's unit again."""
    must_oversell(
        explore(Locations(Rule.WHOLE_LINE), stop_at_oversell=True),
        "order0 -> learn0 -> import0@0 -> ack0.0 -> feed@0 -> send+1 -> land+1 -> order1",
    )
