"""Names of files that a foreign program writes: which are data, what they are for, and in what order. Knows no directory.

    BESTAND_{time:yyyyMMdd_HHmm}.csv     order_{number}.xml     {location}-{number}.json     x_{time:yyyyMMddHHmmss}-{any}.csv

`{number}` orders files by their number and shows a missing one. `{time:…}` orders them by the time in the name; then nobody
can tell whether one is missing, and two of one time are one too many. Every other word in braces is a part of the name that
fields can use; `{any}` is what does not matter. The part `time` is the instant that `{time:…}` tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from archsyncd.wire.profile.times import Pattern, TimeRule, parse_pattern
from archsyncd.wire.r247_values import Misread

NAMES_LIMIT: Final = 20
PARTS_LIMIT: Final = 3
NUMBER_LIMIT: Final = 10**12
# Files ordered by time: its seconds since 1970, and room for as many patterns as there can be.
PER_SECOND: Final = 100
ANY: Final = "any"
TIME: Final = "time"  # the part that is the time in the name, as an instant
_PLACEHOLDER: Final = re.compile(r"\{(?P<word>[A-Za-z][A-Za-z0-9]{0,31})(?::(?P<pattern>[^{}]{1,80}))?\}")
_PART: Final = r"[^/\x00-\x1f]{1,80}?"


@dataclass(frozen=True, slots=True)
class NamePattern:
    """One pattern: `expression` for the whole name; either `number` or `time` tells the order."""

    text: str
    expression: re.Pattern[str]
    parts: frozenset[str]
    time: Pattern | None
    number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """What files of one pattern are. `constants`: parts that the name does not tell itself.

    `locations`: what a full file of this name is about; empty: all that its feed tells of.
    """

    line: int
    pattern: NamePattern
    kind: str
    time: TimeRule | None
    locations: tuple[str, ...] = ()
    constants: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamedFile:
    """What a name says. `number` orders the files of a feed; `counted`: a missing number is a missing file.

    `at`: the time in the name, RFC 3339 in UTC, None where it tells none.
    """

    rule: NameRule
    number: int
    counted: bool
    at: str | None
    parts: Mapping[str, str]


def parse_name_pattern(text: str) -> NamePattern:
    """Read a pattern. Raises ValueError with a sentence for its writer."""
    if "/" in text or text.startswith("."):
        raise ValueError("must be the name of a file, without a directory and without a dot before it")
    expression, parts, time, number, end = "", [], None, False, 0
    for found in _PLACEHOLDER.finditer(text):
        if found.start() == end > 0:
            raise ValueError("has two placeholders beside each other: where one ends could not be told")
        expression += _literal(text[end : found.start()])
        end = found.end()
        word, pattern = found["word"], found["pattern"]
        if word == "time" and pattern is not None and time is None:
            time = parse_pattern(pattern)
            expression += "(?P<time__>.{1,40}?)" if time.expression is None else f"(?P<time__>{_bare(time)})"
        elif word == "number" and pattern is None and not number:
            number = True
            expression += r"(?P<number__>[0-9]{1,12})"
        elif pattern is None and word not in {"time", "number"} and (word == ANY or word not in parts):
            expression += _PART if word == ANY else f"(?P<{word}>{_PART})"
            parts.append(word)
        else:
            raise ValueError(
                f"{found.group()} is not understood: {{number}}, {{time:yyyyMMdd_HHmm}} or a word, each once"
            )
    expression += _literal(text[end:])
    if time is None and not number:
        raise ValueError("must say in what order files come: by {number} or {time:yyyyMMdd_HHmm}")
    if len(parts) > PARTS_LIMIT:
        raise ValueError(f"must have at most {PARTS_LIMIT} parts beside number and time")
    return NamePattern(text, re.compile(expression), frozenset(parts) - {ANY}, time, number)


def _literal(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("has a brace that is no placeholder: {number}, {time:yyyyMMdd_HHmm} or a word")
    return re.escape(text)


def _bare(time: Pattern) -> str:
    """The expression of a time without the names of its groups, which are read a second time by themselves."""
    return "" if time.expression is None else re.sub(r"\(\?P<[a-z_]+>", "(?:", time.expression.pattern)


def read_file_name(name: str, rules: tuple[NameRule, ...]) -> NamedFile | None:
    """Say what a name says by the first pattern that it fits; None when it fits none, or could not be written down."""
    if not name.isprintable():
        return None
    for place, rule in enumerate(rules):
        found = rule.pattern.expression.fullmatch(name)
        if found is None:
            continue
        try:
            at = None if rule.time is None else rule.time.instant(found["time__"])
        except Misread:
            continue
        number = int(found["number__"]) if rule.pattern.number else _by_time(at, place)
        parts = {part: found[part] for part in rule.pattern.parts} | ({} if at is None else {TIME: at})
        return NamedFile(rule, number, rule.pattern.number, at, {**rule.constants, **parts})
    return None


def _by_time(at: str | None, place: int) -> int:
    if at is None:
        return place
    seconds = int((datetime.fromisoformat(at) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    return max(seconds, 0) * PER_SECOND + place
