"""Quantities as foreign systems write them, to whole numbers. Never through a float.

A plain integer is one. A text, or a number with a fraction, is one only where the profile says how numbers are written
(`decimal`, `thousands`). A factor turns another unit into pieces, rounded down: a debt grows, an offer never does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from archsyncd.wire.r247_values import Literal, Misread

NUMBER_LIMIT_CHARACTERS: Final = 40
DECIMALS: Final = frozenset({".", ","})
THOUSANDS: Final = frozenset({".", ",", " ", "'", "\u00a0", "\u202f", "\u2019"})
_FRACTION: Final = (
    'is not a whole number: a fraction is read where "unit" and "factors", or "factor", stand beside its path'
)
_PLAIN: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_JSON_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")


@dataclass(frozen=True, slots=True)
class NumberRule:
    """How a number is written, and what one unit of it is in pieces.

    `texts`: a text may be a number without more said (CSV, XML). `expression`: what a stated way of writing allows; None
    where none is stated. `factor`: None means that nothing is converted, so a fraction is a fault.
    """

    texts: bool
    expression: re.Pattern[str] | None = None
    decimal: str | None = None
    thousands: str | None = None
    factor: Fraction | None = None
    factors: Mapping[str, Fraction] | None = None

    def whole(self, value: object, factor: Fraction | None = None) -> int:
        """Read a number; `factor` stands in for the rule's own. Raises Misread without a path."""
        exact = self._exact(value)
        factor = self.factor if factor is None else factor
        if factor is not None:
            return floor(exact * factor)
        if type(exact) is int:
            return exact
        if exact.denominator != 1:
            raise Misread("not_an_integer", _FRACTION, "", value)
        return int(exact)

    def _exact(self, value: object) -> int | Fraction:
        if type(value) is int:
            return value
        if isinstance(value, str):
            return self._of_text(value)
        stated = self.expression is not None or self.factor is not None or self.factors is not None
        if isinstance(value, Literal) and stated and len(value.text) <= NUMBER_LIMIT_CHARACTERS:
            found = _JSON_DECIMAL.fullmatch(value.text)
            if found is not None:
                return Fraction(found.group())
        reason = "is not a whole number" if isinstance(value, Literal) else "must be a number"
        raise Misread("not_an_integer", reason, "", value)

    def _of_text(self, text: str) -> int | Fraction:
        if self.expression is None:
            if self.texts and _PLAIN.fullmatch(text):
                return int(text)
            reason = (
                "is not a whole number" if self.texts else "is a text; decimal says how numbers are written"
            )
            raise Misread("not_an_integer", reason, "", text)
        found = self.expression.fullmatch(text) if len(text) <= NUMBER_LIMIT_CHARACTERS else None
        if found is None:
            raise Misread("not_an_integer", f"is no number written with {self._signs()}", "", text)
        whole = found["whole"].replace(self.thousands, "") if self.thousands else found["whole"]
        sign = "-" if "-" in (found["sign"] or "") + (found["after"] or "") else ""
        return Fraction(f"{sign}{whole}.{found['part'] or '0'}")

    def _signs(self) -> str:
        told = [f'"{self.decimal}" before the fraction'] if self.decimal else []
        told += [f'"{self.thousands}" between thousands'] if self.thousands else []
        return " and ".join(told)


def number_rule(
    *,
    texts: bool,
    decimal: str | None = None,
    thousands: str | None = None,
    trailing: bool = False,
    factor: Fraction | None = None,
    factors: Mapping[str, Fraction] | None = None,
) -> NumberRule:
    """Make a rule. `trailing`: a minus may stand behind the digits."""
    expression = None
    if decimal is not None or thousands is not None or trailing:
        group = f"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|" if thousands else ""
        part = f"(?:{re.escape(decimal)}(?P<part>[0-9]{{1,30}}))?" if decimal else "(?P<part>)"
        after = "(?P<after>-)?" if trailing else "(?P<after>)"
        expression = re.compile(f"(?P<sign>[+-])?(?P<whole>{group}[0-9]{{1,30}}){part}{after}")
    return NumberRule(texts, expression, decimal, thousands, factor, factors)
