"""The campaign of large searches: what it complains about, and that its list can be trusted."""

from tests.models.campaign import Run, main, runs
from tests.models.explore import explore
from tests.models.reconcile import Reconcile, Rule


def test_a_run_as_expected_has_no_complaints() -> None:
    """A search with the expected states and outcome passes, be it exact or a negative control."""
    exact = Run("guarded", Reconcile(Rule.GUARDED), 3_703)
    wrong = Run("unguarded", Reconcile(Rule.ENTRY_THEN_ORDERS), 8_419, True)
    assert exact.complaints(explore(exact.model)) == []
    assert wrong.complaints(explore(wrong.model)) == []


def test_other_counts_and_outcomes_are_complained_about() -> None:
    """Another number of states, a missing oversell, an unexpected one and a cut-off search are all told."""
    good = explore(Reconcile(Rule.GUARDED))
    bad = explore(Reconcile(Rule.ENTRY_THEN_ORDERS))
    model = Reconcile(Rule.GUARDED)
    assert Run("x", model, 1).complaints(good) == ["1 states were expected"]
    assert Run("x", model, 3_703, True).complaints(good) == ["an oversell was expected"]
    told = Run("x", model, 8_419).complaints(bad)
    assert [line.split(":")[0] for line in told] == ["oversell", "high at rest"]
    assert "the search was cut off" in Run("x", model, 9).complaints(explore(model, limit=8))


def test_the_campaign_names_each_search_once() -> None:
    """Every search has a name of its own, by which it can be chosen."""
    names = [run.name for run in runs()]
    assert len(names) == len(set(names))


def test_a_word_that_chooses_nothing_is_a_failure() -> None:
    """A campaign that ran no search must not look like one that passed."""
    assert main(["no such search"]) == 1
