"""The explorer itself, on machines small enough to count by hand."""

from dataclasses import dataclass

import pytest

from tests.models.explore import Model, explore


@dataclass(frozen=True)
class Walk(Model[tuple[int, int]]):
    """A walk over a grid: right is voluntary, up is not, and the far corner is forbidden when asked for."""

    size: int
    forbidden: tuple[int, int] | None = None
    bound: int = 1_000

    voluntary = ("right",)

    def initial(self) -> tuple[int, int]:
        return (0, 0)

    def steps(self, state: tuple[int, int]) -> list[tuple[str, tuple[int, int]]]:
        x, y = state
        found = [("right", (x + 1, y))] if x < self.size else []
        if y < self.size:
            found.append(("up", (x, y + 1)))
        return found

    def oversold(self, state: tuple[int, int]) -> bool:
        return state == self.forbidden

    def stuck(self, state: tuple[int, int]) -> str | None:
        return "odd" if state[0] % 2 else None

    def within(self, state: tuple[int, int]) -> bool:
        return sum(state) <= self.bound


def test_every_state_is_counted_once() -> None:
    """A grid of 4 by 4 crossings has sixteen states, however many ways lead to each."""
    result = explore(Walk(3))
    assert (result.states, result.complete) == (16, True)
    result.require_safe()


def test_a_forbidden_state_is_reported_with_a_shortest_trace() -> None:
    """The trace to a forbidden state is a shortest one and stands in the message."""
    result = explore(Walk(3, forbidden=(2, 1)))
    assert result.oversell is not None
    assert sorted(result.oversell) == ["right", "right", "up"]
    with pytest.raises(AssertionError, match=r"^oversell: right -> right -> up$"):
        result.require_safe()


def test_a_search_may_stop_at_the_first_forbidden_state() -> None:
    """Stopping at the first failure visits fewer states, finds the same trace and claims no completeness."""
    whole = explore(Walk(9, forbidden=(1, 1)))
    brief = explore(Walk(9, forbidden=(1, 1)), stop_at_oversell=True)
    assert brief.oversell == whole.oversell
    assert brief.states < whole.states
    assert (brief.complete, whole.complete) == (False, True)


def test_the_first_state_may_be_the_forbidden_one() -> None:
    """A machine that is wrong from the start is reported with an empty trace."""
    assert explore(Walk(2, forbidden=(0, 0))).oversell == ()


def test_only_states_with_nothing_but_voluntary_steps_are_at_rest() -> None:
    """The four states of the top row are at rest, and the odd ones among them are judged."""
    result = explore(Walk(3))
    assert result.resting == 4
    with pytest.raises(AssertionError, match=r"^wrong at rest: odd: right -> up -> up -> up$"):
        result.require_live()


def test_a_search_that_was_cut_off_proves_nothing() -> None:
    """A search that reached its limit fails both checks even though it met nothing wrong."""
    result = explore(Walk(3), limit=5)
    with pytest.raises(AssertionError, match="stopped at"):
        result.require_safe()
    with pytest.raises(AssertionError, match="stopped at"):
        result.require_live()


def test_a_machine_that_never_rests_is_not_called_live() -> None:
    """When no state comes to rest, nothing was judged and the check says so."""
    with pytest.raises(AssertionError, match="nothing ever came to rest"):
        explore(Walk(3, bound=2)).require_live()


def test_the_bound_keeps_states_out_without_making_their_neighbours_rest() -> None:
    """States beyond the bound are not visited, and a state with a step over the bound is not at rest."""
    result = explore(Walk(3, bound=2))
    assert (result.states, result.resting) == (6, 0)
