"""Telling of entries that exist and cannot be read, once each until they can. Knows not what is done about them."""

from __future__ import annotations

from collections.abc import Iterable

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import EntryFault, StockKey
from archsyncd.engine.store import Store

UNREADABLE_LIMIT = 20_000


class UnreadableEntries:
    """Keeps the exceptions of unreadable entries."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: set[StockKey] = set()

    async def tell(self, faults: Iterable[EntryFault], read: Iterable[StockKey]) -> None:
        """Open a case for each fault whose key is known, and close those of keys that were read."""
        for fault in faults:
            if fault.key is None or fault.key in self._told or len(self._told) >= UNREADABLE_LIMIT:
                continue
            self._told.add(fault.key)
            reason = (
                f"the entry of {fault.key.sku} in {fault.key.channel} cannot be read ({fault.reason}): nothing is written "
                "to it until it can"
            )
            case = NewCase(
                CaseKind.STOCK_UPDATE_FAILED, fault.key.channel, fault.key.sku, reason, code="unreadable"
            )
            await self._store.cases.open(case)
        for key in self._told & set(read):
            self._told.discard(key)
            note = "the entry can be read now"
            await self._store.cases.resolve(CaseKind.STOCK_UPDATE_FAILED, key.channel, key.sku, note)
