"""SKU aliases: what commercetools calls the goods that Archean calls otherwise. Knows no file and no record.

A listed SKU goes by its line, any other by the rules. Two Archean SKUs never become one commercetools SKU: their levels would
be summed up or take each other's place, silently. The second of two is a collision, which is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Collision:
    """An Archean SKU that would become a commercetools SKU which is another Archean SKU's already."""

    sku: str
    owner: str


Named: TypeAlias = str | Collision


@dataclass(frozen=True, slots=True)
class Aliases:
    """How Archean's SKUs are called in commercetools.

    `listed`: Archean's to commercetools', no two to the same. The rules apply in this order to whatever is not listed:
    `strip_prefix` is taken away in front, `upper` writes capitals, `pad_left` fills SKUs of digits alone with zeros up to so
    many characters.
    """

    listed: Mapping[str, str] = field(default_factory=dict)
    strip_prefix: str = ""
    upper: bool = False
    pad_left: int = 0
    owners: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "owners", {sku: archean for archean, sku in self.listed.items()})

    @property
    def rules(self) -> bool:
        """Whether SKUs that are not listed may be called otherwise."""
        return bool(self.strip_prefix or self.upper or self.pad_left)

    @property
    def active(self) -> bool:
        """Whether any SKU may be called otherwise."""
        return bool(self.listed) or self.rules

    def named(self, archean: str) -> Named:
        """What commercetools calls it, or whose that name is already by a line of the list."""
        listed = self.listed.get(archean)
        if listed is not None:
            return listed
        sku = self._ruled(archean)
        owner = self.owners.get(sku)
        return sku if owner is None else Collision(sku, owner)

    def _ruled(self, archean: str) -> str:
        # A name that consists of the prefix alone is left as it is: nothing is no name.
        bare = archean.removeprefix(self.strip_prefix) or archean
        raised = bare.upper() if self.upper else bare
        digits = raised.isascii() and raised.isdigit()
        return raised.zfill(self.pad_left) if digits else raised

    def fingerprint(self) -> str:
        """The same for the same aliases in every process, "" for none: tells whether stored names were made by them."""
        if not self.active:
            return ""
        told = (sorted(self.listed.items()), self.strip_prefix, self.upper, self.pad_left)
        return hashlib.sha256(repr(told).encode()).hexdigest()
