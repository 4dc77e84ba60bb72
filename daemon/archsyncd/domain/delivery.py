"""Expected deliveries: what an entry should show of goods to come. It never moves a quantity. Plain values."""

from __future__ import annotations

from dataclasses import dataclass

from archsyncd.domain.inventory import StockKey


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """An entry that should show other goods to come. `expected`: when (RFC 3339, UTC), "" for none."""

    key: StockKey
    expected: str
    entry_id: str
    version: int
