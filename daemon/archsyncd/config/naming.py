"""The keys of what Archean calls otherwise: SKUs and units of measure. Reads no file, decides nothing.

Rules: r247/1 (feeds), section 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Final

from archsyncd.config.keys import key
from archsyncd.config.kinds import FilePath, Flag, Kind, ListOf, Refused, Whole, Word, as_toml
from archsyncd.domain.units import PIECES, UNIT_LIMIT_CHARACTERS, is_decimal

UNIT: Final = Word(
    "a unit's name of at most 32 characters, as the source writes it", most_characters=UNIT_LIMIT_CHARACTERS
)
FACTOR_MOST: Final = 1_000_000
_UNITS_MOST: Final = 1_000


def factor_of(value: object) -> Fraction | None:
    """Pieces in one unit: a whole number or a decimal text, above 0 and at most a million; None for anything else."""
    number = isinstance(value, int) and not isinstance(value, bool)
    if not number and not (isinstance(value, str) and is_decimal(value)):
        return None
    factor = Fraction(str(value))
    return factor if 0 < factor <= FACTOR_MOST else None


@dataclass(frozen=True, slots=True)
class Factors(Kind):
    """Pieces per unit, by the unit's name."""

    def _phrase(self) -> str:
        return 'a table of units and the pieces in one of each, such as { CTN = 12, KG = "2.5" }'

    def _read(self, value: object) -> Mapping[str, Fraction]:
        if not isinstance(value, dict) or len(value) > _UNITS_MOST:
            raise self.refusal()
        found = {}
        for name, told in value.items():
            factor = factor_of(told)
            if factor is None:
                raise Refused(
                    f"must give {name!r} a whole number or a decimal text above 0 and up to {FACTOR_MOST:,}, "
                    f"which {as_toml(told)} is not"
                )
            found[UNIT.read(name)] = factor
        return MappingProxyType(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasSettings:
    """SKUs that Archean and commercetools write differently. Listed ones first, then the rules, in the order below."""

    file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(relative=True),
            """A CSV file with the columns archean_sku and commercetools_sku, one line a SKU; lines that begin with # are left
            out. Two lines with one SKU on either side are a fault. A relative path starts at this file's directory.""",
        ),
    )
    strip_prefix: str = field(
        default="",
        metadata=key(
            Word("a text in front of Archean's SKUs", empty=True, most_characters=64),
            "What is taken away in front of SKUs that are not listed.",
        ),
    )
    upper: bool = field(
        default=False,
        metadata=key(Flag(), "Write SKUs that are not listed in capitals."),
    )
    pad_left: int = field(
        default=0,
        metadata=key(
            Whole(0, 64),
            "Fill SKUs that are not listed and consist of digits with zeros in front, up to so many characters; 0 fills none.",
        ),
    )
    accept: str = field(
        default="",
        metadata=key(
            Word("the digest that a refusal names", r"[0-9a-f]{12}|none", empty=True),
            """Aliases that would give other names to more than `guards.maximum_to_zero_percent` of the levels are refused, as
            their stock would go to nothing under the names before. The refusal tells the digest that allows them.""",
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSettings:
    """Units of measure. Quantities are pieces unless a record tells its unit (`uom`); what is not whole is rounded down."""

    factors: Mapping[str, Fraction] = field(
        default_factory=lambda: MappingProxyType({}),
        metadata=key(
            Factors(),
            """How many pieces one of a unit is. A record in a unit without a factor is an exception, never a number. Decimal
            quantities are read in these units only.""",
        ),
    )
    pieces: tuple[str, ...] = field(
        default=PIECES,
        metadata=key(ListOf(UNIT), "Units that mean one piece."),
    )
    file: Path | None = field(
        default=None,
        metadata=key(
            FilePath(relative=True),
            """A CSV file with the columns sku (Archean's), uom and factor, for SKUs whose factor differs; an empty uom is for
            records that tell none. A relative path starts at this file's directory.""",
        ),
    )
