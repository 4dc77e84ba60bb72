"""The first start: which orders of the past count, and what settles them (stock ledger, "Take-over")."""

from __future__ import annotations

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import OrderLookup
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import BORN_MS, accepted, level, line, order
from tests.review.shop import Desk
from tests.review.test_proving import HOUR, House, proving, seek

DAY_MS = 24 * 3600 * 1000
DONE = [("Complete", None), ("Open", "Shipped"), ("Cancelled", None)]


@pytest.mark.parametrize(("state", "shipment"), DONE)
async def test_an_order_done_in_commercetools_counts_until_archeans_figure_is_proven_to_exclude_it(
    shelf: Shelf, state: str, shipment: str | None
) -> None:
    """Ten pieces in a level from before the import, three of them sold and "done": the seven left are not made ten."""
    desk = Desk.of(shelf)
    desk.shop.put(order(line(3), created_ms=BORN_MS - 10 * DAY_MS, state=state, shipment=shipment))
    assert await desk.orders.poll()
    await shelf.read(level(1, 10))
    await shelf.based(7)
    assert await shelf.drain() == []
    assert (await shelf.figures()).stock_target == 7
    house = House(says=lambda _: OrderLookup("accepted", "SO-1", "e1", 2))
    await seek(shelf, proving(shelf, house))
    await shelf.read(level(3, 7))
    assert (await shelf.figures()).stock_target == 7
    assert await shelf.drain() == []
    await shelf.read(level(4, 9))
    assert [lease.operation.delta for lease in await shelf.drain()] == [2]


async def test_orders_done_before_the_history_or_the_sites_statement_count_nowhere(shelf: Shelf) -> None:
    """Neither lines nor look-ups of them: a statement of the cut-over makes a first start as short as the open orders."""
    desk = Desk.of(shelf, reflected_before_ms=BORN_MS - 5 * DAY_MS)
    for days in (400, 91, 89, 6, 4):
        state = "Open" if days == 400 else "Complete"
        desk.shop.put(order(line(1), name=f"d{days}", created_ms=BORN_MS - days * DAY_MS, state=state))
    await shelf.read(level(1, 10))
    assert await desk.orders.poll()
    assert (await shelf.figures()).known == 2
    assert (await shelf.figures()).stock_target == 9, "the open one is old enough for the statement"
    shelf.clock.pass_by(60)
    assert [due.order_id for due in await shelf.store.orders.lookups_due(10)] == ["d4"]


async def test_where_the_history_begins_stays_for_the_ledger(shelf: Shelf) -> None:
    """A longer history in the configuration afterwards must not count orders that no base knows of."""
    first = Desk.of(shelf, history_days=10)
    old = order(line(3), created_ms=BORN_MS - 20 * DAY_MS, state="Complete")
    first.shop.put(old)
    await shelf.read(level(1, 10))
    assert await first.orders.poll()
    assert (await shelf.figures()).known == 0
    await shelf.again()
    later = Desk.of(shelf, history_days=90)
    later.shop.put(old)
    later.shop.say("ReturnInfoAdded", "o1", later.shop.now_ms())
    assert await later.orders.poll()
    assert (await shelf.figures()).known == 0


async def test_what_nothing_proves_is_told_and_settled_by_the_sites_statement(shelf: Shelf) -> None:
    """A directory of files answers no look-ups: the pieces stay back, a person is told, and states the cut-over."""
    desk = Desk.of(shelf)
    desk.shop.put(order(line(3), created_ms=BORN_MS - 10 * DAY_MS, state="Complete"))
    assert await desk.orders.poll()
    await shelf.read(level(1, 7))
    files = House(mute=True)
    await seek(shelf, proving(shelf, files), 1.5 * HOUR, 30)
    assert (await shelf.figures()).stock_target == 4
    (case,) = await shelf.cases(CaseKind.UNPROVEN_REFLECTION.value)
    assert "reflected_before" in case.reason
    await seek(shelf, proving(shelf, files, before_ms=BORN_MS - DAY_MS), 700)
    assert (await shelf.figures()).stock_target == 7
    assert await shelf.cases(CaseKind.UNPROVEN_REFLECTION.value) == []


async def test_a_proven_order_of_the_past_is_folded(shelf: Shelf) -> None:
    """What is open stays bounded: a history of done orders goes into one number a key once it is proven."""
    desk = Desk.of(shelf)
    for number in range(5):
        created = BORN_MS - (number + 2) * DAY_MS
        desk.shop.put(order(line(1), name=f"o{number}", created_ms=created, state="Complete"))
    await shelf.read(level(1, 10))
    assert await desk.orders.poll()
    await shelf.read(*(accepted(2 + number, f"o{number}") for number in range(5)), level(9, 5))
    shelf.clock.pass_by(HOUR + 1)
    await proving(shelf, House(), desk=desk).refresh_some()
    assert await shelf.store.report.order_counts() == (0, None)
    assert (await shelf.figures()).stock_target == 5
