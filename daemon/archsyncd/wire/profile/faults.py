"""What is wrong with a mapping profile, told to its writer: where, what stands there, what may. Reads nothing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

NodePath: TypeAlias = tuple[str | int, ...]

FAULTS_LIMIT: Final = 200
SHOWN_CHARACTERS: Final = 60
_CANDIDATES_LIMIT: Final = 500
_LIKENESS: Final = 0.6


@dataclass(frozen=True, slots=True)
class ProfileFault:
    """One thing wrong. `line` and `column` count from 1. `value` is what stands there, as JSON, shortened, or None."""

    file: str
    line: int
    column: int
    path: str
    value: str | None
    says: str
    suggestion: str | None = None

    def __str__(self) -> str:
        subject = self.path if self.value is None else f"{self.path} = {self.value}"
        told = f"{self.file}:{self.line}:{self.column}: {subject}: {self.says}".replace(": : ", ": ")
        return f"{told}; did you mean {self.suggestion}?" if self.suggestion else told


class ProfileFaults(Exception):
    """Every fault that one reading found, in the order of the file. Never empty."""

    def __init__(self, faults: Sequence[ProfileFault]) -> None:
        ordered = sorted(dict.fromkeys(faults), key=lambda one: (one.line, one.column, one.path))
        self.faults: tuple[ProfileFault, ...] = tuple(ordered[:FAULTS_LIMIT])
        self.left_out = len(ordered) - len(self.faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        rest = [f"and {self.left_out} more faults that are not listed"] if self.left_out else []
        return "\n".join([*map(str, self.faults), *rest])


def quoted(text: str) -> str:
    """Write a text on one line of printable characters, in double quotes, shortened."""
    kept = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return json.dumps(kept, ensure_ascii=not kept.isprintable())


def dotted(path: NodePath) -> str:
    """Write a place in the profile as people do: `fields.onHand.path`, `when[1].fields`."""
    told = ""
    for part in path:
        if isinstance(part, int):
            told += f"[{part}]"
        else:
            plain = part.replace("_", "").replace("-", "").isalnum()
            told += ("." if told else "") + (part if plain else quoted(part))
    return told


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like this one, or None when nothing is near; case does not count."""
    plain = {one.casefold(): one for one in islice(known, _CANDIDATES_LIMIT)}
    found = difflib.get_close_matches(word[:SHOWN_CHARACTERS].casefold(), plain, n=1, cutoff=_LIKENESS)
    return plain[found[0]] if found else None
