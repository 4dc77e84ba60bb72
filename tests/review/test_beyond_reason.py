"""One entry or order whose figures are beyond reason: told, and no harm to any other (F5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import EntryFault, EntryPage, LineMode
from archsyncd.engine.bases import BaseOptions, Bases
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from archsyncd.wire.commercetools.entries import ChannelMap, entry_page
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.domain.nouns import CHANNEL_IDS, key, level, line, order
from tests.review.shop import limiter, no_types

MOST = 2**63 - 1


@pytest.mark.parametrize("quantity", [MOST, -MOST, 10**15 + 1])
def test_f121_an_entry_beyond_reason_is_a_fault_of_its_own(quantity: int) -> None:
    """What was mistyped in the Merchant Center must not leave 64 bits in our sums and stop the program at every start."""
    rows = [
        {
            "id": name,
            "version": 1,
            "sku": name,
            "supplyChannel": {"typeId": "channel", "id": "id-web"},
            "quantityOnStock": stock,
            "availableQuantity": stock,
            "createdAt": "2026-01-01T00:00:00.000Z",
        }
        for name, stock in (("A", quantity), ("B", 5))
    ]
    page = entry_page({"results": rows}, ChannelMap({"web": "id-web"}, {"id-web": "web"}), 1)
    assert [found.key for found in page.entries] == [key("B")]
    assert [fault.key for fault in page.faults] == [key("A")]


async def test_f139_lines_about_more_pieces_than_can_be_meant_stop_no_other_order(shelf: Shelf) -> None:
    """A cart that nobody tracks takes any quantity; the order is told, the others count."""
    await shelf.read(level(1, 10))
    lines = [line(MOST, line_id=f"n{number}", mode=LineMode.NONE) for number in range(3)]
    await shelf.learn(order(*lines), order(line(2), name="o2"))
    assert (await shelf.figures()).known == 2
    (case,) = await shelf.cases(CaseKind.ORDER_UNMAPPED_LINE.value)
    assert case.reason.endswith("(and 2 more of its lines)")


class Shelves:
    """Entries that can be read, and those that cannot."""

    entries_per_request = 2

    def __init__(self) -> None:
        self.unreadable = True
        self.asked: list[Sequence[str]] = []

    async def entries_by_id(self, ids: Sequence[str]) -> EntryPage:
        self.asked.append(ids)
        if self.unreadable:
            return EntryPage((), 1, tuple(EntryFault(each, key(), "is spoilt") for each in ids))
        return EntryPage(tuple(entry(9, name=each, version=3) for each in ids), 1)


async def test_an_entry_that_cannot_be_read_for_its_check_is_told_and_asked_for_with_pauses(
    shelf: Shelf,
) -> None:
    """Due as it is, it would be read at the full rate for ever, before every other check."""
    await shelf.read(level(1, 10))
    await shelf.store.outbox.book_lookups([entry(9)], (), (), shelf.settle_rules)
    shelf.clock.pass_by(100)
    shared, requests = Shared(shelf.clock, channel_keys=CHANNEL_IDS, channels_read=1), limiter(shelf.clock)
    shelves = Shelves()
    client = cast("Commercetools", shelves)
    drain_options = DrainOptions(1, 1.0, 0.0, 75.0, tracked=True, writes=True, ledger="l", fence=1)
    drain = Drain(shelf.store, client, requests, shared, drain_options, lambda: None)
    options = BaseOptions(
        create_missing=True, check_products=True, lag_seconds=15.0, tracked=True, sample_keys_per_minute=0
    )
    bases = Bases(
        shelf.store,
        client,
        requests,
        shared,
        drain,
        options,
        no_types(client, requests, shared),
        lambda: None,
    )
    for _ in range(3):
        await bases.check_some()
    assert len(shelves.asked) == 1
    (case,) = await shelf.cases(CaseKind.STOCK_UPDATE_FAILED.value)
    assert "is spoilt" in case.reason
    shelves.unreadable = False
    shelf.clock.pass_by(60)
    await bases.check_some()
    assert await shelf.cases(CaseKind.STOCK_UPDATE_FAILED.value) == []
    assert (await shelf.row()).read_stock == 9
