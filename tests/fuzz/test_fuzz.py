"""The fuzzer's targets hold for a few inputs in every run of the suite, so that the command cannot rot; and it does find."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import by_chance, main, targets
from tests.fuzz.mutating import mutants
from tests.fuzz.parts import INPUT_LIMIT_BYTES, Target
from tests.support.examples import examples

TARGETS = targets()


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds_and_for_what_chance_makes_of_them(name: str) -> None:
    """Nothing is raised that is not documented."""
    target = TARGETS[name]
    seeds = list(target.seeds())
    for data in islice(mutants(seeds, random.Random(7)), len(seeds) + 25):
        target.run(data)


@settings(max_examples=examples(40, 2_000))
@given(name=st.sampled_from(sorted(TARGETS)), data=st.binary(max_size=120))
def test_a_target_holds_for_bytes_that_mean_nothing(name: str, data: bytes) -> None:
    """Nor for noise."""
    TARGETS[name].run(data)


def test_the_command_tells_what_was_done_and_what_it_does_not_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without targets it lists them; every one of them has seeds."""
    assert main([]) == 0
    assert capsys.readouterr().out.split() == list(TARGETS)
    assert main(["page", "csv", "--runs", "5"]) == 0
    assert "csv: 5 inputs by chance, nothing found" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["pages", "--runs", "5"])
    assert all(list(target.seeds()) for target in TARGETS.values())


def test_what_a_target_must_not_do_is_found_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A parser that trips over half a character is found out within a few hundred inputs; the input trips it again."""

    def trips(data: bytes) -> None:
        data.decode("utf-8")

    target = Target("tripping", trips, lambda: [b'{"sku":"A"}'])
    assert by_chance(target, 1_000, 0.0, 1, tmp_path) == 1
    (kept,) = tmp_path.iterdir()
    assert str(kept) in capsys.readouterr().out
    with pytest.raises(UnicodeDecodeError):
        trips(kept.read_bytes())


def test_inputs_are_bounded_and_the_same_for_the_same_chance() -> None:
    """Otherwise nothing that was found could be found again."""
    one, two = (list(islice(mutants([b"[1,2]", b"x" * 99], random.Random(3)), 300)) for _ in range(2))
    assert one == two
    assert len(set(one)) > 200
    assert max(map(len, one)) <= INPUT_LIMIT_BYTES
