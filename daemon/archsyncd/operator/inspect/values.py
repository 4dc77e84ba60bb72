"""How the values of a sample are written: times by which pattern, numbers with which signs. Judges samples alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from archsyncd.wire.profile.times import TimeRule, parse_pattern
from archsyncd.wire.r247_values import Literal, Misread, checked_instant

# The first that fits every value is taken; those that could be confused stand beside each other.
PATTERNS: Final = (
    "yyyy-MM-dd'T'HH:mm:ss[.S]XXX",
    "yyyy-MM-dd'T'HH:mm[:ss][.S]",
    "yyyy-MM-dd HH:mm[:ss][.S]",
    "yyyy-MM-dd",
    "dd/MM/yyyy HH:mm[:ss]",
    "MM/dd/yyyy HH:mm[:ss]",
    "MM/dd/yyyy hh:mm[:ss] a",
    "dd/MM/yyyy",
    "MM/dd/yyyy",
    "dd.MM.yyyy HH:mm[:ss]",
    "dd.MM.yyyy",
    "dd-MM-yyyy HH:mm[:ss]",
    "dd-MMM-yyyy HH:mm[:ss]",
    "dd-MMM-yyyy",
    "yyyyMMddHHmmss",
    "yyyyMMddHHmm",
    "yyyyMMdd HHmmss",
    "yyyyMMdd",
    "YYYY-'W'ww-e",
    "dotnet",
)
_RULES: Final = tuple((text, TimeRule(parse_pattern(text), UTC, "UTC")) for text in PATTERNS)
_SECONDS: Final = re.compile(r"1[0-9]{9}")
_MILLISECONDS: Final = re.compile(r"1[0-9]{12}")
_NUMBER: Final = re.compile(
    r"[+-]?[0-9]{1,3}(?:[.,' ]?[0-9]{3})*(?:[.,][0-9]+)?-?|[+-]?[0-9]+(?:[.,][0-9]+)?-?"
)
_PLAIN: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """A pattern that fits ("" for RFC 3339, which needs none), and another that fits as well."""

    pattern: str
    other: str = ""

    @property
    def needs_zone(self) -> bool:
        """Whether the written time does not say which instant it is."""
        return bool(self.pattern) and not parse_pattern(self.pattern).tells_offset


def guess_time(texts: Sequence[str]) -> TimeGuess | None:
    """By which pattern these are times; None when they are none."""
    if not texts:
        return None
    if all(_is_instant(text) for text in texts):
        return TimeGuess("")
    for expression, word in ((_SECONDS, "epoch-seconds"), (_MILLISECONDS, "epoch-milliseconds")):
        if all(expression.fullmatch(text) for text in texts):
            return TimeGuess(word)
    fitting = [text for text, rule in _RULES if all(_fits(rule, one) for one in texts)]
    if not fitting:
        return None
    first = fitting[0]
    swapped = first.replace("dd/MM", "MM/dd")
    return TimeGuess(first, swapped if swapped != first and swapped in fitting else "")


def _is_instant(text: str) -> bool:
    try:
        checked_instant(text, "")
    except Misread:
        return False
    return True


def _fits(rule: TimeRule, text: str) -> bool:
    try:
        rule.instant(text)
    except Misread:
        return False
    return True


@dataclass(frozen=True, slots=True)
class NumberGuess:
    """How numbers are written: keys for a profile (none for plain integers), and what cannot be told for sure."""

    keys: dict[str, Any]
    note: str = ""
    fractions: bool = False


# Of a column of numbers so many may be none: they are faults of single records, which would hide the column.
ODD_SHARE: Final = 0.25


def numbers_among(values: Sequence[Any]) -> tuple[list[Any], list[str]]:
    """The values that are numbers, and the texts that are none, where these are few; all of them where they are many."""
    good = [value for value in values if guess_number([value]) is not None]
    odd = [str(value) for value in values if guess_number([value]) is None]
    return (good, odd) if good and len(odd) <= ODD_SHARE * len(values) else (list(values), [])


def guess_number(values: Sequence[Any]) -> NumberGuess | None:
    """How these are numbers; None when they are none."""
    texts = [value.text if isinstance(value, Literal) else str(value) for value in values]
    if not texts or any(isinstance(value, bool) for value in values):
        return None
    stripped = [text.strip() for text in texts]
    if not all(_NUMBER.fullmatch(text) for text in stripped):
        return None
    keys: dict[str, Any] = {"trim": True} if stripped != texts else {}
    if any(text.endswith("-") for text in stripped):
        keys["minus"] = "trailing"
    if all(_PLAIN.fullmatch(text) for text in stripped):
        # A number in quotes is a text to JSON, and is read as a number only where the profile says so.
        return NumberGuess(keys)
    return _with_signs(stripped, keys)


def _with_signs(texts: Sequence[str], keys: dict[str, Any]) -> NumberGuess:
    for decimal, thousands in ((",", "."), (".", ",")):
        both = any(decimal in text and thousands in text for text in texts)
        ends = [text.rstrip("-").rpartition(decimal)[2] for text in texts if decimal in text]
        single = all(text.count(decimal) <= 1 for text in texts)
        if not ends or not single:
            continue
        if both and not all(
            text.find(thousands) < text.find(decimal)
            for text in texts
            if thousands in text and decimal in text
        ):
            continue
        if both or any(len(end) != 3 for end in ends):  # noqa: PLR2004 - a group of thousands
            keys = {**keys, "decimal": decimal}
            if any(thousands in text for text in texts):
                keys["thousands"] = thousands
            return NumberGuess(keys, fractions=any(end.strip("0") for end in ends))
    for sign in (",", "."):
        if any(sign in text for text in texts):
            return NumberGuess(
                {**keys, "decimal": "," if sign == "." else ".", "thousands": sign},
                f'"{sign}" is taken for a sign between thousands: if it stands before a fraction, say "decimal": "{sign}"',
            )
    thousands = next((sign for sign in ("'", " ") if any(sign in text for text in texts)), "")
    return NumberGuess({**keys, "decimal": "."} | ({"thousands": thousands} if thousands else {}))
