"""What the targets of the fuzzer share: how a target is told, and what it may raise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "packaging/r247/golden"
EXAMPLES = ROOT / "packaging/examples"
INPUT_LIMIT_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under the fuzzer. `run` raises for whatever the parser must not do; `seeds` are inputs to begin with."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def tried(read: Callable[[], Any], *documented: type[Exception]) -> Any:
    """What a reader reads, None where it raises what it says that it may raise."""
    with contextlib.suppress(*documented):
        return read()
    return None


def files(*patterns: str, below: Path = GOLDEN) -> list[bytes]:
    """The contents of files by their patterns."""
    found = [
        path.read_bytes() for pattern in patterns for path in sorted(below.glob(pattern)) if path.is_file()
    ]
    assert found, patterns
    return found


def with_choice(seeds: Iterable[bytes], choices: int) -> list[bytes]:
    """Each seed once for each choice that a target's first byte makes."""
    return [bytes([choice]) + seed for seed in seeds for choice in range(choices)]
