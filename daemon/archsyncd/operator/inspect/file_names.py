"""A pattern for the names of files like a sample's, guessed from the sample's own name. Reads no file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from archsyncd.operator.inspect.synonyms import plain
from archsyncd.wire.profile.file_names import NameRule, parse_name_pattern, read_file_name
from archsyncd.wire.profile.times import TimeRule, zone

# The first that fits is taken: the longest are the surest.
_TIMES: Final = (
    (re.compile(r"[0-9]{8}T[0-9]{6}Z"), "yyyyMMdd'T'HHmmss'Z'"),
    (re.compile(r"[0-9]{8}-[0-9]{6}"), "yyyyMMdd-HHmmss"),
    (re.compile(r"[0-9]{8}_[0-9]{6}"), "yyyyMMdd_HHmmss"),
    (re.compile(r"[0-9]{8}-[0-9]{4}"), "yyyyMMdd-HHmm"),
    (re.compile(r"[0-9]{8}_[0-9]{4}"), "yyyyMMdd_HHmm"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}"), "yyyy-MM-dd_HH-mm"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), "yyyy-MM-dd"),
    (re.compile(r"[0-9]{14}"), "yyyyMMddHHmmss"),
    (re.compile(r"[0-9]{12}"), "yyyyMMddHHmm"),
    (re.compile(r"[0-9]{8}"), "yyyyMMdd"),
)
_NUMBER: Final = re.compile(r"[0-9]{2,12}(?![0-9])")
_FULL: Final = ("full", "voll", "bestand", "stock", "inventory", "snapshot", "nightly", "inventur")
_DELTA: Final = ("delta", "change", "aend", "update", "bewegung", "movement", "diff")


@dataclass(frozen=True, slots=True)
class NameGuess:
    """A pattern, what its files are for, and whether it orders them by a time."""

    pattern: str
    kind: str
    timed: bool


def guess_name(name: str, tz: str) -> NameGuess | None:
    """A pattern that fits the name of a sample; None where nothing in it says in what order files come."""
    if any(sign in name for sign in "{}/") or name.startswith("."):
        return None
    for expression, pattern in _TIMES:
        for found in expression.finditer(name):
            text = f"{name[: found.start()]}{{time:{pattern}}}{name[found.end() :]}"
            alone = not (name[: found.start()][-1:].isdigit() or name[found.end() :][:1].isdigit())
            if alone and _fits(text, name, tz):
                return NameGuess(text, _kind(name, timed=True), timed=True)
    numbers = list(_NUMBER.finditer(name))
    if not numbers:
        return None
    found = numbers[-1]
    text = f"{name[: found.start()]}{{number}}{name[found.end() :]}"
    return NameGuess(text, _kind(name, timed=False), timed=False)


def _fits(text: str, name: str, tz: str) -> bool:
    pattern = parse_name_pattern(text)
    assert pattern.time is not None
    rule = NameRule(line=1, pattern=pattern, kind="full", time=TimeRule(pattern.time, zone(tz), tz))
    return read_file_name(name, (rule,)) is not None


def _kind(name: str, *, timed: bool) -> str:
    told = plain(name)
    if any(word in told for word in _DELTA):
        return "delta"
    return "full" if timed or any(word in told for word in _FULL) else "delta"
