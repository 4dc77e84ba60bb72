"""Reading entries, and telling of those that exist and cannot be read. Knows not what is done about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import (
    EntryFault,
    EntryPage,
    Failure,
    Forbidden,
    Missing,
    Refused,
    StockKey,
    TooLarge,
)
from archsyncd.domain.outbox import OutboxRow
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.portions import Portion, in_portions
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared, describe
from archsyncd.engine.store import Store

UNREADABLE_LIMIT = 20_000
KEYS_AT_ONCE = 500
_NOTE = "entries"
_UNREADABLE = "unreadable"

T = TypeVar("T")


class EntryReader:
    """Reads entries in portions that commercetools answers. One whose answer is too large even alone is told as a fault."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        priority: Priority,
        beat: Callable[[], None],
    ) -> None:
        """`beat`: before each request, as many may be needed until one is small enough."""
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._priority = priority
        self._beat = beat
        self._portion = Portion(KEYS_AT_ONCE)
        self._told: set[StockKey] | None = None

    async def by_key(self, keys: Sequence[StockKey]) -> AsyncIterator[tuple[Sequence[StockKey], EntryPage]]:
        """Entries of these keys, as far as commercetools answers: what was asked, and what is there."""
        for part in self._client.split_keys(keys) if keys else ():
            async for asked, page in self._pages(part, self._client.entries_by_key, _key_fault):
                yield asked, page

    async def by_id(self, rows: Sequence[OutboxRow]) -> AsyncIterator[tuple[Sequence[OutboxRow], EntryPage]]:
        """The entries of these rows, which must have one."""

        async def ask(part: Sequence[OutboxRow]) -> EntryPage | Failure:
            return await self._client.entries_by_id([row.entry_id or "" for row in part])

        async for asked, page in self._pages(rows, ask, _row_fault):
            yield asked, page

    async def _pages(
        self,
        things: Sequence[T],
        ask: Callable[[Sequence[T]], Awaitable[EntryPage | Failure]],
        fault: Callable[[T, TooLarge], EntryFault],
    ) -> AsyncIterator[tuple[Sequence[T], EntryPage]]:
        async def call(part: Sequence[T]) -> EntryPage | Failure:
            self._beat()
            return await self._limiter.call(self._priority, 1.0, lambda: ask(part))

        async for part, answer in in_portions(things, self._portion, call):
            if isinstance(answer, TooLarge):
                page = EntryPage((), 0, (fault(part[0], answer),))
            elif isinstance(answer, EntryPage):
                page = answer
                self._shared.saw_server_time(page.server_ms)
                self._shared.notes.pop(_NOTE, None)
            else:
                self._unanswered(answer)
                return
            await self._tell(page.faults, (entry.key for entry in page.entries))
            yield part, page

    def _unanswered(self, answer: Failure) -> None:
        """A plain refusal would not show anywhere else; everything else is told as the limiter finds it."""
        if isinstance(answer, Refused | Forbidden | Missing):
            self._shared.notes[_NOTE] = (
                f"commercetools refuses to show inventory entries ({describe(answer)}); what needs a look waits until it "
                "does: see that the API client has the scope manage_products"
            )

    async def _tell(self, faults: Iterable[EntryFault], read: Iterable[StockKey]) -> None:
        """Open a case for each fault whose key is known, and close those of keys that were read."""
        if self._told is None:
            self._told = await self._told_before()
        for fault in faults:
            if fault.key is None:
                continue
            if len(self._told) < UNREADABLE_LIMIT:
                self._told.add(fault.key)
            reason = (
                f"the entry of {fault.key.sku} in {fault.key.channel} cannot be read ({fault.reason}): nothing is written "
                "to it until it can; it is asked for again by itself"
            )
            case = NewCase(
                CaseKind.STOCK_UPDATE_FAILED,
                fault.key.channel,
                fault.key.sku,
                reason,
                code=_UNREADABLE,
                correlation=fault.correlation,
            )
            await self._store.cases.open(case)
        for key in self._told & set(read):
            self._told.discard(key)
            note = "the entry can be read now"
            await self._store.cases.resolve(
                CaseKind.STOCK_UPDATE_FAILED, key.channel, key.sku, note, code=_UNREADABLE
            )

    async def _told_before(self) -> set[StockKey]:
        """Keys whose cases an earlier run left open."""
        told: set[StockKey] = set()
        after = 0
        while found := await self._store.cases.listed(kind=CaseKind.STOCK_UPDATE_FAILED, after=after):
            after = found[-1].id
            told |= {StockKey(case.scope, case.subject) for case in found if case.code == _UNREADABLE}
        return told


def _key_fault(key: StockKey, answer: TooLarge) -> EntryFault:
    return EntryFault("", key, f"{answer.code}: {answer.message}", answer.correlation)


def _row_fault(row: OutboxRow, answer: TooLarge) -> EntryFault:
    return EntryFault(row.entry_id or "", row.key, f"{answer.code}: {answer.message}", answer.correlation)
