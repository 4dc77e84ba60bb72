"""Rules of single SKUs in a supply channel: another safety stock or percentage, or no offer at all. Knows no quantity.

A SKU that is named goes by its own rule, any other by the first pattern that fits. What a rule leaves open is the channel's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any

PATTERN_SIGNS = frozenset("*?")


@dataclass(frozen=True, slots=True)
class SkuRule:
    """What differs for a SKU; None: as the channel says. `offer` False: what is left is drawn down to what is owed."""

    safety_stock: int | None = None
    percentage: int | None = None
    offer: bool = True

    def __str__(self) -> str:
        if not self.offer:
            return "not offered"
        told = (
            None if self.safety_stock is None else f"safety_stock {self.safety_stock}",
            None if self.percentage is None else f"percentage {self.percentage}",
        )
        return ", ".join(each for each in told if each) or "as the channel"


@dataclass(frozen=True, slots=True)
class SkuRules:
    """All rules of one channel. `named`: by SKU; `patterns`: with * and ? for what differs, the first that fits counts."""

    named: Mapping[str, SkuRule] = field(default_factory=dict)
    patterns: tuple[tuple[str, SkuRule], ...] = ()
    text: str = field(init=False, compare=False)
    digest: str = field(init=False, compare=False)
    _any: re.Pattern[str] | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Asked for every second, of rules that may be very many and change with a reload at most.
        text = json.dumps([_rows(sorted(self.named.items())), _rows(self.patterns)]) if self else ""
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).hexdigest() if text else "")
        whole = "|".join(_expression(pattern) for pattern, _ in self.patterns)
        object.__setattr__(self, "_any", re.compile(whole) if whole else None)

    def __bool__(self) -> bool:
        return bool(self.named or self.patterns)

    def of(self, sku: str) -> SkuRule | None:
        """The rule of a SKU, None where it has none of its own."""
        found = self.named.get(sku)
        if found is not None or self._any is None or self._any.match(sku) is None:
            return found
        return next(rule for pattern, rule in self.patterns if re.match(_expression(pattern), sku))


def _expression(pattern: str) -> str:
    # A bracket is a sign like any other in a SKU.
    return translate(pattern.replace("[", "[[]"))


def _rows(rules: Any) -> list[list[Any]]:
    return [[sku, rule.safety_stock, rule.percentage, rule.offer] for sku, rule in rules]


def sku_rules_of_text(text: str) -> SkuRules:
    """The rules whose `text` this is."""
    if not text:
        return SkuRules()
    named, patterns = json.loads(text)
    return SkuRules(
        {sku: SkuRule(safety, percentage, offer) for sku, safety, percentage, offer in named},
        tuple((sku, SkuRule(safety, percentage, offer)) for sku, safety, percentage, offer in patterns),
    )
