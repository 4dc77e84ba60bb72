"""What is wrong with a configuration, told to a person: where, what stands there, what may. Reads no file.

Exception
├── ConfigurationFaults   every fault of one reading, together; the process exits with 78
├── CredentialFault       one credential file cannot be used (see credentials.py)
└── UnknownKey            `explain` was asked for a key that does not exist (see explaining.py)
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

EXIT_CONFIGURATION: Final = 78
FAULTS_LIMIT: Final = 1000
SHOWN_CHARACTERS: Final = 60
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_LIKENESS: Final = 0.6
_CANDIDATES_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. `line` and `column` count from 1; both are 0 for what does not stand in the file.

    `value` is the value as written, shortened; None where there is none or where it may be a secret.
    `allowed` is a sentence: what is allowed here. `suggestion` is what was probably meant, or None.
    """

    source: str
    path: str
    line: int
    column: int
    value: str | None
    allowed: str
    suggestion: str | None = None

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        subject = f"{self.path} = {self.value}" if self.value is not None else self.path
        told = f"{place}: {subject}: {self.allowed}" if subject else f"{place}: {self.allowed}"
        return f"{told}; did you mean {self.suggestion}?" if self.suggestion else told


class ConfigurationFaults(Exception):
    """Every fault that one reading found, in the order of the file. Never empty; at most `FAULTS_LIMIT` and a rest."""

    exit_code: Final = EXIT_CONFIGURATION

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(str(fault) for fault in self.faults)


class CredentialFault(Exception):
    """A credential cannot be used. `name` is its file's name; the text says why and what to do, never its value."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(name, reason)

    def __str__(self) -> str:
        return self.reason


class CredentialMissing(CredentialFault):
    """There is no such credential; one that need not be there is not used then."""


class UnknownKey(LookupError):
    """There is no such key. `suggestions` are the nearest ones, best first."""

    def __init__(self, asked: str, suggestions: Sequence[str]) -> None:
        self.asked = asked
        self.suggestions: tuple[str, ...] = tuple(suggestions)
        super().__init__(asked)

    def __str__(self) -> str:
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"no configuration key is called {quoted(self.asked)}{hint}"


def quoted(text: str) -> str:
    """Text in double quotes on one line of printable characters, shortened to `SHOWN_CHARACTERS`."""
    kept = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    body = "".join(_printable(character) for character in kept)
    return f'"{body}"'


def _printable(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


def path_text(path: KeyPath) -> str:
    """A path as an administrator would write it: `feed[0].url`, `channels."a b".maximum`."""
    told = ""
    for part in path:
        if isinstance(part, int):
            told += f"[{part}]"
        else:
            told += ("." if told else "") + (part if _BARE_KEY.match(part) else quoted(part))
    return told


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, or None when nothing is near. Case, `-` and `_` do not count."""
    plain = {_plain(candidate): candidate for candidate in islice(known, _CANDIDATES_LIMIT)}
    found = difflib.get_close_matches(_plain(word[:SHOWN_CHARACTERS]), plain, n=1, cutoff=_LIKENESS)
    return plain[found[0]] if found else None


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_").strip()


def in_file_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Faults by place, those without one last, each once, bounded: a rest is counted in a last fault."""
    unique = dict.fromkeys(faults)
    ordered = sorted(unique, key=lambda fault: (fault.line == 0, fault.line, fault.column, fault.path))
    if len(ordered) <= FAULTS_LIMIT:
        return tuple(ordered)
    rest = len(ordered) - FAULTS_LIMIT
    more = Fault(ordered[0].source, "", 0, 0, None, f"and {rest} more faults that are not listed")
    return (*ordered[:FAULTS_LIMIT], more)
