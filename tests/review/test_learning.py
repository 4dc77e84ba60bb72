"""Learning orders when lists lag, orders cannot be read, clocks jump and the first answers fail."""

from __future__ import annotations

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Missing
from archsyncd.engine.proving import Proving, ProvingOptions
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import BORN_MS, level, line, order
from tests.review.shop import IDS_PER_REQUEST, LOST, Desk

HOUR = 3_600.0
OLD_MS = BORN_MS - 120_000


def proving(desk: Desk) -> Proving:
    options = ProvingOptions(60.0, 60.0, 2.0, HOUR, frozenset(), 0)
    return Proving(desk.shelf.store, (), desk.orders, desk.shared, options, lambda: None)


async def test_f085_a_change_that_the_list_showed_too_late_is_learnt_by_the_complete_read(
    shelf: Shelf,
) -> None:
    """The head read met the message and an order as it was before it; a minute later the list has caught up."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 10))
    desk.shop.put(order(line(3)))
    assert await desk.orders.poll()
    desk.shop.say("OrderEditApplied", "o1", desk.shop.now_ms() + 1_000)
    await desk.pass_by(10)
    desk.shop.put(order(line(5), version=2))
    await desk.pass_by(90)
    assert (await shelf.figures()).known == 5


async def test_an_unreadable_order_is_a_case_until_it_can_be_read_and_stops_nobody(shelf: Shelf) -> None:
    """Nothing of it can be counted, which must not stay unknown; the orders beside it are learnt."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 10))
    for number in range(IDS_PER_REQUEST + 2):
        desk.shop.put(order(line(1), name=f"o{number}", created_ms=OLD_MS))
    desk.shop.unreadable = {"o1", f"o{IDS_PER_REQUEST + 1}"}
    assert await desk.orders.poll()
    assert (await shelf.figures()).known == IDS_PER_REQUEST
    cases = await shelf.cases(CaseKind.ORDER_UNMAPPED_LINE.value)
    assert {case.subject for case in cases} == desk.shop.unreadable
    desk.shop.unreadable = set()
    await desk.pass_by(20)
    assert await shelf.cases(CaseKind.ORDER_UNMAPPED_LINE.value) == []
    assert (await shelf.figures()).known == IDS_PER_REQUEST + 2


async def test_an_unreadable_order_is_not_taken_for_a_deleted_one(shelf: Shelf) -> None:
    """Its pieces stay subtracted: that an answer cannot be read says nothing about the order."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 10))
    desk.shop.put(order(line(3), created_ms=OLD_MS))
    assert await desk.orders.poll()
    desk.shop.unreadable = {"o1"}
    shelf.clock.pass_by(2 * HOUR)
    assert await proving(desk).refresh_some() == 1
    story = await shelf.store.report.story("A")
    assert story.heads[0][4] == "Open"
    assert await proving(desk).refresh_some() == 0


async def test_more_open_orders_than_one_request_names_are_refreshed(shelf: Shelf) -> None:
    """An address has a limit: beyond it everything would be refused, for ever, and nothing folded any more."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 100))
    for number in range(3 * IDS_PER_REQUEST):
        desk.shop.put(order(line(1), name=f"o{number}", created_ms=OLD_MS))
    assert await desk.orders.poll()
    shelf.clock.pass_by(2 * HOUR)
    assert await proving(desk).refresh_some() == 3 * IDS_PER_REQUEST
    assert await proving(desk).refresh_some() == 0


async def test_f042_a_jump_of_our_clock_does_not_make_orders_complete(shelf: Shelf) -> None:
    """Up to when orders are known is told by commercetools' clock, counted on in time that does not jump (S11)."""
    desk = Desk.of(shelf)
    assert await desk.orders.poll()
    for jump in (HOUR, -2 * HOUR, 10 * 365 * 86_400.0):
        shelf.clock.jump_wall(jump)
        await desk.pass_by(20)
        behind_ms = desk.shop.now_ms() - desk.shared.orders_complete_ms
        assert 60_000 <= behind_ms <= 90_000


async def test_f044_without_messages_the_first_sweep_already_goes_by_commercetools_clock(
    shelf: Shelf,
) -> None:
    """Our own may be an hour ahead; nothing is complete up to a time that has not come."""
    desk = Desk.of(shelf)
    desk.shop.messages_enabled = False
    desk.shop.messages_answer = Missing()
    shelf.clock.jump_wall(HOUR)
    assert await desk.orders.poll()
    assert desk.shared.orders_complete_ms <= desk.shop.now_ms() - 60_000
    assert desk.shared.tenure_since_ms <= desk.shop.now_ms()


async def test_a_lost_answer_at_the_start_does_not_switch_messages_off_for_good(shelf: Shelf) -> None:
    """The project says that they are on: the query is tried again, and changes are learnt at once afterwards."""
    desk = Desk.of(shelf)
    desk.shop.messages_answer = LOST
    assert not await desk.orders.poll()
    desk.shop.messages_answer = None
    assert await desk.orders.poll()
    assert "messages" not in desk.shared.notes
