"""Units of measure: what a quantity told in cartons or kilograms comes to in pieces. Knows no record and no file.

A quantity is pieces unless its unit says otherwise. A unit nobody gave a factor for is never a number (fault 122). What is
not whole is rounded down, a debt as well: fewer pieces than there are may be offered, never more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Final

# Names of one piece: UN/ECE Recommendation 20 and what else is met.
PIECES: Final = ("EA", "PCE", "PC", "PCS", "C62", "H87")
UNIT_LIMIT_CHARACTERS: Final = 32
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,9})?", re.ASCII)


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal number as the contract writes it: a point, no blanks, no exponent, no sign but minus."""
    return _DECIMAL.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Units:
    """Pieces per unit. `own`: of single SKUs (Archean's name, unit; "" where a record tells none), before `factors`."""

    factors: Mapping[str, Fraction] = field(default_factory=dict)
    own: Mapping[tuple[str, str], Fraction] = field(default_factory=dict)
    pieces: frozenset[str] = frozenset(PIECES)

    def plain(self, unit: str | None) -> bool:
        """Whether what is told in a unit (None: in none) is pieces as it is, whatever its SKU."""
        if self.own:
            return False
        return unit is None or (unit in self.pieces and unit not in self.factors)

    def factor(self, sku: str, unit: str) -> Fraction | None:
        """Pieces in one unit of a SKU; `unit` "": none was told. None: nobody knows."""
        found = self.own.get((sku, unit))
        if found is None:
            found = self.factors.get(unit)
        if found is None and (not unit or unit in self.pieces):
            return Fraction(1)
        return found

    def configured(self, sku: str, unit: str) -> bool:
        """Whether the configuration gives this unit a factor: decimals may be told in it."""
        return (sku, unit) in self.own or unit in self.factors

    def fingerprint(self) -> str:
        """The same for the same units in every process, "" where nothing is configured."""
        if not self.factors and not self.own and self.pieces == frozenset(PIECES):
            return ""
        told = (sorted(self.factors.items()), sorted(self.own.items()), sorted(self.pieces))
        return hashlib.sha256(repr(told).encode()).hexdigest()

    def text(self) -> str:
        """All of it as JSON, for `units_of_text`."""
        factors = [(unit, str(factor)) for unit, factor in sorted(self.factors.items())]
        own = [(sku, unit, str(factor)) for (sku, unit), factor in sorted(self.own.items())]
        return json.dumps([factors, own, sorted(self.pieces)])

    def recount(self, before: Units, sku: str, told: str | None) -> Fraction | None:
        """By what pieces must be multiplied that these other units made of a SKU, where that lowers them, else 1.

        `told`: in which unit that was, "" for none, None for pieces by whatever name, of which it may be any. None as answer:
        they come to the same.
        """
        names = ("", *before.pieces) if told is None else (told,)
        found = [(self.factor(sku, unit), before.factor(sku, unit)) for unit in names]
        if all(now == then for now, then in found):
            return None
        return min([Fraction(1), *(now / then for now, then in found if now is not None and then)])


def units_of_text(text: str) -> Units:
    """Units from their JSON."""
    factors, own, pieces = json.loads(text)
    return Units(
        {unit: Fraction(factor) for unit, factor in factors},
        {(sku, unit): Fraction(factor) for sku, unit, factor in own},
        frozenset(pieces),
    )


def in_pieces(quantity: int | str, factor: Fraction) -> int:
    """A quantity (a whole number, or a text that `is_decimal`) in whole pieces, rounded towards minus infinity."""
    if isinstance(quantity, int):
        return quantity * factor.numerator // factor.denominator
    return floor(Fraction(quantity) * factor)


def lowered(pieces: int, ratio: Fraction) -> int:
    """Pieces counted by too high a factor, until somebody tells them anew: never more, and not nothing for something."""
    fewer = in_pieces(pieces, ratio)
    return pieces if fewer <= 0 < pieces else min(pieces, fewer)
