"""A warehouse that comes back from a backup and has forgotten imports."""

import pytest

from tests.models.control import must_be_wrong_at_rest, must_oversell
from tests.models.epochs import Epochs, Rule
from tests.models.explore import explore


@pytest.mark.parametrize(
    ("model", "states", "resting"),
    [
        (Epochs(), 2_055, 29),
        (Epochs(quantities=(2, 1)), 17_939, 93),
        (Epochs(restores=2), 19_172, 114),
    ],
    ids=["two and two", "two and one", "restored twice"],
)
def test_proofs_withdrawn_at_a_new_epoch_are_exact(model: Epochs, states: int, resting: int) -> None:
    """Proofs that end with their epoch and are sought again neither oversell nor leave stock hidden."""
    result = explore(model)
    result.require_exact()
    assert (result.states, result.resting) == (states, resting)


@pytest.mark.parametrize(
    ("rule", "trace"),
    [
        (
            Rule.KEPT,
            (
                "order0 -> learn0 -> import0 -> ack0@0.1 -> restore without 0 -> new epoch -> send+2 -> land+2"
                " -> order1"
            ),
        ),
        (
            Rule.NUMBER_ONLY,
            (
                "order0 -> learn0 -> receipt -> restore -> import0 -> ack0@1.1 -> feed -> send+3 -> land+3"
                " -> order1"
            ),
        ),
    ],
    ids=["kept", "numbers compared across epochs"],
)
def test_a_proof_of_another_epoch_oversells(rule: Rule, trace: str) -> None:
    """A proof that counts at a level of another epoch counts an import which that level does not exclude."""
    must_oversell(explore(Epochs(rule), stop_at_oversell=True), trace)


def test_a_withdrawn_proof_that_nobody_seeks_hides_stock() -> None:
    """An import that the backup does hold stays unproven until somebody asks for it."""
    result = explore(Epochs(Rule.NEVER_SOUGHT))
    result.require_safe()
    assert result.states == 1_859
    must_be_wrong_at_rest(
        result,
        "low",
        "order0 -> learn0 -> import0 -> ack0@0.1 -> receipt -> restore -> new epoch -> send-1 -> land-1",
    )
