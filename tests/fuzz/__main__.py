"""Fuzzes the parsers of everything that comes from outside; run `python -m tests.fuzz TARGET --seconds N` from the root.

Each target reads without raising anything but what it documents, within bounds of memory and time. Guided by coverage where
atheris is installed (`packaging/environment fuzz` makes an environment with it), else by chance. What it finds is written to
build/fuzz/found, and read again by `--replay FILE`. `all` takes every target in turn. Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.mutating import mutants
from tests.fuzz.parts import INPUT_LIMIT_BYTES, ROOT

if TYPE_CHECKING:
    from tests.fuzz.parts import Target

BUILD: Final = ROOT / "build/fuzz"
INPUT_SECONDS, MEMORY_MEGABYTES = 20, 1_024
GUIDED: Final = importlib.util.find_spec("atheris") is not None


def targets() -> dict[str, Target]:
    """Every target by its name. Imported here: the guided fuzzer watches what is imported after it."""
    from tests.fuzz.our_side import OUR_TARGETS  # noqa: PLC0415
    from tests.fuzz.source_side import SOURCE_TARGETS  # noqa: PLC0415

    return {**SOURCE_TARGETS, **OUR_TARGETS}


def by_chance(target: Target, runs: int | None, seconds: float, seed: int, found: Path) -> int:
    """Try so many inputs, or as many as there is time for; the exit code. The input that fails is kept in `found`."""
    end, tried = time.monotonic() + seconds, 0
    for data in mutants(list(target.seeds()), random.Random(seed)):
        if tried >= runs if runs is not None else time.monotonic() >= end:
            break
        tried += 1
        try:
            target.run(data)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it was found
            found.mkdir(parents=True, exist_ok=True)
            file = found / f"{target.name}-{tried}"
            file.write_bytes(data)
            sys.stdout.write(f"{target.name}: {type(fault).__name__}: {fault}\n  --replay {file}\n")
            return 1
    sys.stdout.write(f"{target.name}: {tried} inputs by chance, nothing found\n")
    return 0


def guided(name: str, seconds: float) -> int:
    """Fuzz one target by coverage. Does not return where it finds something: libFuzzer ends the process."""
    import atheris  # noqa: PLC0415 - not everywhere

    with atheris.instrument_imports(include=["archsyncd"]):
        target = targets()[name]
    corpus, found = BUILD / "corpus" / name, BUILD / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    bounds = (
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MEGABYTES}",
        f"-max_len={INPUT_LIMIT_BYTES}",
    )
    ends = (f"-max_total_time={max(1, round(seconds))}", f"-artifact_prefix={found}/{name}-", "-verbosity=0")
    atheris.Setup([sys.argv[0], *bounds, *ends, "-print_final_stats=1", str(corpus)], target.run)
    atheris.Fuzz()
    return 0


def one_by_one(names: Sequence[str], seconds: float) -> int:
    """Each target in a process of its own, whose end is its verdict."""
    wrong = 0
    for name in names:
        began = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
        done = subprocess.run(
            command, cwd=ROOT, check=False, capture_output=True, text=True, errors="replace"
        )
        told = done.stderr + done.stdout
        if done.returncode:
            wrong += 1
            sys.stdout.write(told[-4_000:])
        units = next(
            (line.split()[-1] for line in told.splitlines() if "number_of_executed_units" in line), "?"
        )
        verdict = "something was found" if done.returncode else "nothing found"
        sys.stdout.write(f"{name:16} {units:>10} inputs {time.monotonic() - began:5.0f} s  {verdict}\n")
        sys.stdout.flush()
    return int(wrong > 0)


def main(words: Sequence[str] | None = None) -> int:
    """Do what the words say; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", metavar="TARGET", help="which parsers, or all; none lists them")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (default %(default)s)")
    parser.add_argument("--runs", type=int, help="so many inputs by chance, whatever is installed")
    parser.add_argument("--seed", type=int, default=1, help="of chance (default %(default)s)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="read one input again")
    given = parser.parse_args(words)
    if (
        GUIDED
        and given.runs is None
        and given.replay is None
        and len(given.target) == 1
        and given.target != ["all"]
    ):
        return guided(given.target[0], given.seconds)
    known = targets()
    names = list(known) if given.target == ["all"] else given.target
    if unknown := [name for name in names if name not in known]:
        parser.error(f"{', '.join(unknown)}: the targets are {', '.join(known)}")
    if not names:
        sys.stdout.write("\n".join(known) + "\n")
        return 0
    if given.replay is not None:
        for name in names:
            known[name].run(given.replay.read_bytes())
        return 0
    if GUIDED and given.runs is None:
        return one_by_one(names, given.seconds)
    ends = [by_chance(known[name], given.runs, given.seconds, given.seed, BUILD / "found") for name in names]
    return max(ends)


if __name__ == "__main__":
    sys.exit(main())
