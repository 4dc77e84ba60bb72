"""Asking in portions: everything is asked for once, whatever is too large, and the portions stay as large as they may."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.inventory import Failure, Throttled, TooLarge
from archsyncd.engine.portions import PATIENCE, Portion, in_portions

TOO_LARGE = TooLarge("ContentTooLarge", "too much")


@given(st.sets(st.integers(0, 199), max_size=5), st.integers(1, 60))
async def test_f082_all_but_what_is_too_large_alone_is_answered(poison: set[int], most: int) -> None:
    """Things that spoil every answer they are in are found one by one; all others are answered exactly once."""
    requests = 0

    async def ask(part: Sequence[int]) -> Sequence[int] | Failure:
        nonlocal requests
        requests += 1
        return TOO_LARGE if len(part) > most or poison & set(part) else part

    answered: list[int] = []
    refused: list[int] = []
    async for part, answer in in_portions(range(200), Portion(128), ask):
        (refused if isinstance(answer, TooLarge) else answered).extend(part)
    assert refused == sorted(poison)
    assert answered == [each for each in range(200) if each not in poison]
    assert requests <= 2 * 200


async def test_f082_another_failure_ends_the_asking_and_names_what_is_left() -> None:
    """An overload is no matter of size: what was not asked for yet comes with it."""
    answers: list[object] = [TOO_LARGE, "first", Throttled(429, "")]

    async def ask(_part: Sequence[int]) -> object:
        return answers.pop(0)

    told = [(list(part), answer) async for part, answer in in_portions(range(8), Portion(4), ask)]
    assert told == [([0, 1], "first"), ([2, 3, 4, 5, 6, 7], Throttled(429, ""))]


def test_a_portion_grows_again_with_patience() -> None:
    """Only whole portions count, and the limit holds."""
    portion = Portion(10)
    portion.too_large(10)
    for _ in range(PATIENCE):
        portion.went_well(3)
    assert portion.now == 5
    for _ in range(2 * PATIENCE):
        portion.went_well(portion.now)
    assert portion.now == 10
