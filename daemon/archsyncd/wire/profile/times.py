"""Times as foreign systems write them: a small closed language of patterns. Reads no clock.

Letters stand for figures, everything else for itself; text with letters in it goes between single quotes, what may be
missing between brackets: `dd/MM/yyyy HH:mm[:ss]`, `yyyy-MM-dd'T'HH:mm:ss[.S]XXX`, `YYYY-'W'ww-e`.

A local time that the clocks leave out or show twice is told as a fault; nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from archsyncd.wire.r247_values import Literal, Misread

PATTERN_LIMIT_CHARACTERS: Final = 80
TIME_LIMIT_CHARACTERS: Final = 80
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Each token: what it is called when it is read, and how it is written. The longest that fits is taken.
TOKENS: Final[Mapping[str, tuple[str, str]]] = {
    "yyyy": ("year", "[0-9]{4}"),
    "yy": ("short_year", "[0-9]{2}"),
    "YYYY": ("week_year", "[0-9]{4}"),
    "ww": ("week", "[0-9]{2}"),
    "e": ("weekday", "[1-7]"),
    "DDD": ("day_of_year", "[0-9]{3}"),
    "MMM": ("month_name", "[A-Za-z]{3}"),
    "MM": ("month", "[0-9]{2}"),
    "M": ("month", "[0-9]{1,2}"),
    "dd": ("day", "[0-9]{2}"),
    "d": ("day", "[0-9]{1,2}"),
    "HH": ("hour", "[0-9]{2}"),
    "H": ("hour", "[0-9]{1,2}"),
    "hh": ("half_hour", "[0-9]{2}"),
    "h": ("half_hour", "[0-9]{1,2}"),
    "a": ("half", "[AaPp][Mm]"),
    "mm": ("minute", "[0-9]{2}"),
    "ss": ("second", "[0-9]{2}"),
    "S": ("fraction", "[0-9]{1,9}"),
    "XXX": ("offset", "Z|[+-][0-9]{2}:[0-9]{2}"),
    "XX": ("offset", "Z|[+-][0-9]{4}"),
}
_RUN: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z'])|(')", re.ASCII)
_VARIABLE: Final = frozenset({"M", "d", "H", "h", "S"})
_DATES: Final = (
    {"year", "month", "day"},
    {"year", "month_name", "day"},
    {"short_year", "month", "day"},
    {"short_year", "month_name", "day"},
    {"year", "day_of_year"},
    {"short_year", "day_of_year"},
    {"week_year", "week", "weekday"},
)
WORDS: Final = frozenset({"epoch-seconds", "epoch-milliseconds", "dotnet"})
_DOTNET: Final = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_DAY_HOURS: Final = 12


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern that was understood. `word`: not a pattern but one of the named forms of numbers."""

    text: str
    expression: re.Pattern[str] | None
    names: frozenset[str]
    word: str = ""

    @property
    def tells_offset(self) -> bool:
        """Whether the written time says by itself which instant it is."""
        return bool(self.word) or "offset" in self.names


def parse_pattern(text: str) -> Pattern:
    """Read a pattern. Raises ValueError with a sentence for its writer."""
    if text in WORDS:
        return Pattern(text, None, frozenset(), text)
    if len(text) > PATTERN_LIMIT_CHARACTERS:
        raise ValueError(f"must have at most {PATTERN_LIMIT_CHARACTERS} characters")
    expression, names = _expression(text)
    if len(set(names)) != len(names):
        raise ValueError("names a figure twice")
    found = frozenset(names)
    dates = found - {"hour", "half_hour", "half", "minute", "second", "fraction", "offset"}
    if dates not in _DATES:
        raise ValueError("must tell one day: yyyy MM dd, yyyy DDD or YYYY ww e")
    if ("half_hour" in found) != ("half" in found) or {"hour", "half_hour"} <= found:
        raise ValueError("must tell the hour as HH, or as hh with a (AM or PM)")
    _check_order(found)
    return Pattern(text, re.compile(expression), found)


def _check_order(found: frozenset[str]) -> None:
    if "minute" in found and not found & {"hour", "half_hour"}:
        raise ValueError("tells minutes (mm) without an hour (HH); months are MM")
    if ("second" in found and "minute" not in found) or ("fraction" in found and "second" not in found):
        raise ValueError("tells a smaller figure without the larger one before it")


def _expression(text: str) -> tuple[str, list[str]]:
    """The regular expression of a pattern, and the figures that it names. Raises ValueError."""
    parts: list[str] = []
    names: list[str] = []
    depth, variable = 0, False
    for found in _RUN.finditer(text):
        run = found.group()
        if found[2] is not None:
            name, expression = _token(run, behind_variable=variable)
            parts.append(f"(?P<{name}>{expression})")
            names.append(name)
            variable = run in _VARIABLE
        elif run in "[]":
            # What may be missing changes nothing about what stands before it.
            depth += 1 if run == "[" else -1
            if depth not in {0, 1}:
                raise ValueError("has brackets that do not match, or stand within each other")
            parts.append("(?:" if run == "[" else ")?")
        else:
            variable = False
            parts.append(_literal(found))
    if depth:
        raise ValueError("has a bracket that is not closed")
    return "".join(parts), names


def _token(run: str, *, behind_variable: bool) -> tuple[str, str]:
    if run not in TOKENS:
        raise ValueError(f"says {run}, which is no figure; letters that stand for themselves go in '…'")
    name, expression = TOKENS[run]
    if behind_variable and expression.startswith("[0-9]"):
        raise ValueError(f"has {run} right behind a figure of unknown length")
    return name, expression


def _literal(found: re.Match[str]) -> str:
    if found[4] is not None:
        raise ValueError("opens a quote that does not end")
    quoted = found[1]
    return re.escape(found.group() if quoted is None else quoted.replace("''", "'") or "'")


def zone(name: str) -> tzinfo:
    """Find a time zone. Raises ValueError when this machine knows none of that name."""
    if name in {"UTC", "Z"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError('must name a time zone of this machine, such as "Europe/London" or "UTC"') from None


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How a time is written. `later`: which of two is meant when the clocks show a time twice; None: say so as a fault."""

    pattern: Pattern
    zone: tzinfo | None
    zone_name: str
    later: bool | None = None

    def instant(self, value: object) -> str:
        """Read a time as RFC 3339 in UTC. Raises Misread without a path."""
        try:
            return _written(self._instant(value))
        except (ValueError, OverflowError):
            raise Misread("not_a_time", "is no time that exists", "", value) from None

    def day(self, value: object) -> str:
        """Read the date alone, `yyyy-MM-dd`, whatever the zone. Raises Misread without a path."""
        try:
            if self.pattern.word:
                return self._instant(value).date().isoformat()
            return _day(self._figures(value)).isoformat()
        except (ValueError, OverflowError):
            raise Misread("not_a_time", "is no day that exists", "", value) from None

    def _instant(self, value: object) -> datetime:
        if self.pattern.word:
            return self._counted(value)
        figures = self._figures(value)
        local = datetime.combine(_day(figures), datetime.min.time()) + _since_midnight(figures)
        offset = figures.get("offset")
        if offset is not None:
            return local.replace(tzinfo=_offset(offset))
        if self.zone is None:
            raise Misread("not_a_time", "tells no offset, and the profile no zone", "", value)
        return self._aware(local, self.zone, value)

    def _aware(self, local: datetime, zone: tzinfo, value: object) -> datetime:
        first, second = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
        if first.utcoffset() == second.utcoffset():
            return first
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
            reason = f"is a time that the clocks of {self.zone_name} leave out"
            raise Misread("skipped_time", reason, "", value)
        if self.later is None:
            reason = (
                f"is a time that the clocks of {self.zone_name} show twice; a fold in the profile can choose"
            )
            raise Misread("ambiguous_time", reason, "", value)
        return second if self.later else first

    def _figures(self, value: object) -> Mapping[str, str]:
        text = str(value) if type(value) is int else value
        expression = self.pattern.expression
        if not isinstance(text, str) or len(text) > TIME_LIMIT_CHARACTERS or expression is None:
            raise Misread("not_a_time", f"must be a time like {self.pattern.text}", "", value)
        found = expression.fullmatch(text)
        if found is None:
            raise Misread("not_a_time", f"must be a time like {self.pattern.text}", "", value)
        return {name: part for name, part in found.groupdict().items() if part is not None}

    def _counted(self, value: object) -> datetime:
        word = self.pattern.word
        text = str(value) if type(value) is int else value
        if isinstance(text, Literal):
            text = text.text
        found = (_DOTNET if word == "dotnet" else _NUMBER).fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise Misread("not_a_time", f"must be a time like {_EXAMPLES[word]}", "", value)
        count = int(found[1] if word == "dotnet" else found.group())
        unit = timedelta(seconds=1) if word == "epoch-seconds" else timedelta(milliseconds=1)
        return _EPOCH + count * unit


_EXAMPLES: Final = {
    "dotnet": "/Date(1795427702000)/",
    "epoch-seconds": "1795427702",
    "epoch-milliseconds": "1795427702000",
}


def _day(figures: Mapping[str, str]) -> date:
    if "week" in figures:
        return date.fromisocalendar(int(figures["week_year"]), int(figures["week"]), int(figures["weekday"]))
    year = int(figures["year"]) if "year" in figures else 2000 + int(figures["short_year"])
    if "day_of_year" in figures:
        day = date(year, 1, 1) + timedelta(days=int(figures["day_of_year"]) - 1)
        if day.year != year:
            raise ValueError
        return day
    name = figures.get("month_name")
    month = int(figures["month"]) if name is None else _MONTHS.index(name.lower()) + 1
    return date(year, month, int(figures["day"]))


def _since_midnight(figures: Mapping[str, str]) -> timedelta:
    hour, minute = int(figures.get("hour", 0)), int(figures.get("minute", 0))
    if "half_hour" in figures:
        hour = int(figures["half_hour"])
        if not 1 <= hour <= _HALF_DAY_HOURS:
            raise ValueError
        hour = hour % _HALF_DAY_HOURS + (_HALF_DAY_HOURS if figures["half"].lower() == "pm" else 0)
    second = int(figures.get("second", 0))
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - hours, minutes, seconds
        raise ValueError
    micros = int(figures.get("fraction", "0").ljust(6, "0")[:6])
    return timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)


def _offset(written: str) -> timezone:
    if written == "Z":
        return UTC
    hours, minutes = int(written[1:3]), int(written[-2:])
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - hours and minutes
        raise ValueError
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if written.startswith("-") else span)


def _written(moment: datetime) -> str:
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    exact = "auto" if plain.microsecond % 1000 else "milliseconds" if plain.microsecond else "seconds"
    return plain.isoformat(timespec=exact) + "Z"
