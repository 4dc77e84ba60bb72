"""The history of keys as its keeper and operators see it in the store; folding may raise StoreFull, StoreBroken, FencedOff."""

from __future__ import annotations

from typing import Protocol

from archsyncd.domain.history import Folding, Timeline
from archsyncd.domain.inventory import StockKey


class Histories(Protocol):
    """What changed what is applied of each key."""

    async def channels(self, sku: str) -> list[str]:
        """The channels in which a SKU has a key."""
        ...

    async def newest(self, key: StockKey, limit: int) -> Timeline:
        """A key's timeline with its newest rows, so many at most."""
        ...

    async def after(self, key: StockKey, n: int, limit: int) -> Timeline:
        """A key's timeline with the rows behind number `n`, the oldest first, so many at most."""
        ...

    async def fold(self, most_rows: int, step_rows: int) -> Folding:
        """Fold the next rows in one small transaction; `most_rows` is what all of them are to come to at most."""
        ...
