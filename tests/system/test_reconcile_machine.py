"""A search over what lags, is edited and is in flight while pages of the inventory are compared, and controls for it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.support.examples import examples
from tests.system.ground import MEMORY
from tests.system.reconcile_plant import Guarded, ReconcilePlant, Unguarded
from tests.system.truth import Violation

EXAMPLES = 60
CONTROL_EXAMPLES = 400
STEPS = 40

lags = st.sampled_from([0, 300, 4_000, 9_900])
waits = st.sampled_from([0, 300, 700])


class Comparing(RuleBasedStateMachine):
    """One key, its shoppers, its people, the warehouse, and the daemon's store between them."""

    judging = Guarded()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.plant: ReconcilePlant | None = None
        self.sound = True

    @initialize(moves_version=st.booleans())
    def opens(self, *, moves_version: bool) -> None:
        self.directory = tempfile.TemporaryDirectory(dir=MEMORY)
        self.plant = ReconcilePlant(self.judging, moves_version=moves_version)
        self.runner.run(self.plant.open(Path(self.directory.name)))

    @property
    def world(self) -> ReconcilePlant:
        assert self.plant is not None
        return self.plant

    @rule(pieces=st.integers(1, 3), entry=lags, listed=lags, listing=st.booleans(), after=waits)
    def sells(self, pieces: int, entry: int, listed: int, *, listing: bool, after: int) -> None:
        """`listing`: the walk comes by just then."""
        self.world.sells(pieces, entry, listed)
        if listing:
            self.world.passes(after)
            self.world.lists()

    @rule(pieces=st.sampled_from([-4, -1, 2]))
    def edits(self, pieces: int) -> None:
        self.world.edits(pieces)

    @rule(pieces=st.integers(1, 5))
    def receives(self, pieces: int) -> None:
        self.runner.run(self.world.receives(pieces))

    @rule()
    def lists(self) -> None:
        self.world.lists()

    @rule()
    def judges(self) -> None:
        self._do("learns", "judges")

    @rule(waits=st.sampled_from([0, 25_000]))
    def turns(self, waits: int) -> None:
        """The daemon does all that it does."""
        self.world.passes(waits)
        self._do("learns", "judges", "checks", "sends", "answers")

    @rule()
    def checks(self) -> None:
        self._do("learns", "checks")

    @rule()
    def sends(self) -> None:
        self._do("sends")

    @rule()
    def answers(self) -> None:
        self._do("answers")

    @rule(milliseconds=st.sampled_from([300, 2_000, 7_000, 15_000, 40_000]))
    def passes(self, milliseconds: int) -> None:
        self.world.passes(milliseconds)

    def _do(self, *steps: str) -> None:
        self.sound = False
        for step in steps:
            self.runner.run(getattr(self.world, step)())
        self.sound = True

    def teardown(self) -> None:
        """Let it come to rest, unless it has failed already."""
        try:
            if self.plant is not None and self.sound:
                self.runner.run(self.plant.comes_to_rest())
        finally:
            if self.plant is not None:
                self.runner.run(self.plant.close())
                self.directory.cleanup()
            self.runner.close()


def searched(machine: type[Comparing], count: int) -> None:
    """Search without shrinking: what is found is enough."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=count,
            stateful_step_count=STEPS,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=checks,
            print_blob=False,
        ),
    )


def test_f084_no_comparison_raises_what_an_order_or_a_write_of_ours_explains() -> None:
    """S11 however late orders show, whoever edits and however late a page is judged; and at rest all is as it should be."""
    searched(Comparing, examples(EXAMPLES))


@pytest.mark.parametrize("without", ["complete orders", "a quiet window", "the newest version"])
def test_f084_a_comparison_without_one_of_its_guards_oversells(without: str) -> None:
    """A control for each guard: the same search finds the oversell that the guard prevents."""

    class Loose(Comparing):
        judging = Unguarded(without)

    with pytest.raises((Violation, ExceptionGroup)) as found:
        searched(Loose, CONTROL_EXAMPLES)
    assert "S11" in repr(found.value)
