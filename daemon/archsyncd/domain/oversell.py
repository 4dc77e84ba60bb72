"""Whether more pieces were ordered than are there. Pure; knows nothing of how the offer is made smaller on purpose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.stock import ChannelPolicy, Stated


@dataclass(frozen=True, slots=True)
class Owed:
    """A key: pieces that are ordered and not excluded from Archean's figures yet, and pieces that are there by these."""

    key: StockKey
    ordered: int
    there: int

    @property
    def short(self) -> int:
        """Pieces ordered beyond what is there; nothing or less where all are covered."""
        return self.ordered - self.there


def there(policy: ChannelPolicy, levels: Iterable[Stated]) -> int:
    """All pieces of a SKU at a channel's locations by the figure that is sold, negative where Archean has promised more.

    No buffer, percentage or safety stock is taken off, and nothing is withheld: what is kept back covers orders all the same.
    """
    total = 0
    for level in levels:
        location = policy.locations.get(level.location)
        if location is not None:
            total += level.figure(location.sellable) or 0
    return total
