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


def reader(shelf: Shelf, shown: Shown) -> EntryReader:
    """One that knows nothing of before."""
    client, requests = cast("Commercetools", shown), limiter(shelf.clock)
    return EntryReader(shelf.store, client, requests, Shared(shelf.clock), Priority.CHECK, lambda: None)


async def read_once(shelf: Shelf, by: EntryReader) -> None:
    async for _ in by.by_id([await shelf.row()]):
        pass


async def test_an_unreadable_entry_s_case_closes_after_a_restart_too(shelf: Shelf) -> None:
    """Whoever opened it is gone: the next reader knows from the store."""
    await shelf.read(level(1, 5))
    await shelf.based(5)
    await read_once(shelf, reader(shelf, Shown(UNREADABLE)))
    assert await shelf.kinds() == [FAILED]
    await read_once(shelf, reader(shelf, Shown(READABLE)))
    assert await shelf.cases() == []


async def test_an_entry_that_can_be_read_closes_no_refusal_of_its_stock(shelf: Shelf) -> None:
    """The key stays parked for that, and so must its case."""
    await shelf.read(level(1, 5))
    await shelf.based(5)
    shown = Shown(UNREADABLE)
    by = reader(shelf, shown)
    await read_once(shelf, by)
    refused = NewCase(FAILED, key().channel, key().sku, "commercetools refuses it", code="InvalidField")
    await shelf.store.cases.open(refused)
    shown.page = READABLE
    await read_once(shelf, by)
    assert [(case.kind, case.code) for case in await shelf.cases()] == [(FAILED, "InvalidField")]
