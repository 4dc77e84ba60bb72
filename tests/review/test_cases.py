"""Exceptions that close when their cause is gone, and only then."""

from __future__ import annotations

from typing import cast

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import EntryFault, EntryPage
from archsyncd.engine.entry_reader import EntryReader
from archsyncd.engine.limiter import Priority
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.domain.nouns import key, level
from tests.review.shop import limiter

FAILED = CaseKind.STOCK_UPDATE_FAILED


class Shown:
    """Answers every look-up by id with one page."""

    def __init__(self, page: EntryPage) -> None:
        self.page = page

    async def entries_by_id(self, _ids: object) -> EntryPage:
        return self.page


UNREADABLE = EntryPage((), 1, (EntryFault("E", key(), "quantityOnStock is no integer"),))
READABLE = EntryPage((entry(5),), 1)


async def looked(shelf: Shelf, page: EntryPage, *, told: EntryReader | None = None) -> EntryReader:
    """Read the entry once, by a reader that knows nothing of before or by this one."""
    if told is None:
        client = cast("Commercetools", Shown(page))
        told = EntryReader(
            shelf.store, client, limiter(shelf.clock), Shared(shelf.clock), Priority.CHECK, lambda: None
        )
    else:
        cast("Shown", told.client).page = page
    async for _ in told.by_id([await shelf.row()]):
        pass
    return told


async def test_an_unreadable_entry_s_case_closes_after_a_restart_too(shelf: Shelf) -> None:
    """Whoever opened it is gone: the next reader knows from the store."""
    await shelf.read(level(1, 5))
    await shelf.based(5)
    await looked(shelf, UNREADABLE)
    assert await shelf.kinds() == [FAILED]
    await looked(shelf, READABLE)
    assert await shelf.cases() == []


async def test_an_entry_that_can_be_read_closes_no_refusal_of_its_stock(shelf: Shelf) -> None:
    """The key stays parked for that, and so must its case."""
    await shelf.read(level(1, 5))
    await shelf.based(5)
    reader = await looked(shelf, UNREADABLE)
    refused = NewCase(FAILED, key().channel, key().sku, "commercetools refuses it", code="InvalidField")
    await shelf.store.cases.open(refused)
    await looked(shelf, READABLE, told=reader)
    assert [(case.kind, case.code) for case in await shelf.cases()] == [(FAILED, "InvalidField")]
