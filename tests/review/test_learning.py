"""Learning orders when lists lag, orders cannot be read, clocks jump and the first answers fail."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field, replace

import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import Failure, LineMode, MessageCursor, MessagePage, Missing, OrderPage
from archsyncd.domain.times import rfc3339
from archsyncd.engine.proving import Proving, ProvingOptions
from tests.adapters.sqlite.shelf import Shelf
from tests.domain.nouns import BORN_MS, key, level, line, order
from tests.review.shop import IDS_PER_REQUEST, LOST, Desk, Shop

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


async def test_messages_that_are_switched_off_while_it_runs_leave_the_sweep(shelf: Shelf) -> None:
    """Told at once and learnt a little later; switched on again they are used within minutes."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 10))
    assert await desk.orders.poll()
    assert "messages" not in desk.shared.notes
    desk.shop.messages_enabled = False
    desk.shop.messages_answer = Missing()
    desk.shop.put(order(line(3), created_ms=desk.shop.now_ms()))
    await desk.pass_by(10)
    assert "sweep" in desk.shared.notes["messages"]
    assert (await shelf.figures()).known == 3
    desk.shop.messages_enabled = True
    desk.shop.messages_answer = None
    await desk.pass_by(700)
    assert "messages" not in desk.shared.notes


@pytest.mark.parametrize("kind", ["OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"])
async def test_f144_every_way_an_order_is_made_is_learnt_from_its_message(shelf: Shelf, kind: str) -> None:
    """Bought, imported or recurring: its lines count by their inventory mode, before the list of orders shows it."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 10), level(2, 10, sku="B"))
    assert await desk.orders.poll()
    untracked = line(2, "B", "n2", mode=LineMode.NONE)
    desk.shop.put(order(line(3), untracked, created_ms=desk.shop.now_ms()), lists=False)
    desk.shop.say(kind, "o1", desk.shop.now_ms())
    await desk.pass_by(4)
    assert (await shelf.figures()).stock_target == 7
    assert (await shelf.figures(key("B"))).ntrk == 2


@dataclass
class Backlog(Shop):
    """Orders that came while nobody looked: made when they are asked for, `count` of them, ten a second."""

    count: int = 4_000
    since_ms: int = BORN_MS - 86_400_000
    pages: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    fails_at: int = -1

    async def orders_created(
        self, after: MessageCursor | None, since: str, until: str, limit: int
    ) -> OrderPage | Failure:
        del since, until
        start = int(after.id) + 1 if after else 0
        if start == self.fails_at:
            return LOST
        self.pages.append(start)
        self.held.append(tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0)
        found = tuple(
            order(line(1, f"S{n % 50}"), name=f"{n:06}", created_ms=self.since_ms + n * 100)
            for n in range(start, min(start + limit, self.count))
        )
        places = tuple(MessageCursor(rfc3339(one.created_at_ms), one.id) for one in found)
        last = places[-1] if places else None
        return OrderPage(found, places, full=len(found) == limit, server_ms=self.now_ms(), last=last)


async def test_f146_a_backlog_is_learnt_oldest_first_in_memory_that_stays_flat(shelf: Shelf) -> None:
    """Page by page: what was read of one is gone when the next comes."""
    desk = Desk.of(shelf)
    shop = desk.use(Backlog(desk.shop.now_ms))
    tracemalloc.start()
    try:
        assert await desk.orders.poll()
    finally:
        tracemalloc.stop()
    assert shop.pages[:8] == list(range(0, 4_000, 500))
    assert (await shelf.store.report.order_counts()) == (4_000, shop.since_ms)
    assert max(shop.held[6:]) < max(shop.held[1:3]) + 1_000_000


async def test_f146_a_backlog_goes_on_from_the_page_it_had_reached(shelf: Shelf) -> None:
    """A failure or a restart in the middle costs one page, not the beginning."""
    desk = Desk.of(shelf)
    desk.use(Backlog(desk.shop.now_ms, count=2_000, fails_at=1_000))
    assert not await desk.orders.poll()
    assert not desk.shared.orders_known
    again = Desk.of(shelf)
    shop = again.use(Backlog(again.shop.now_ms, count=2_000))
    assert await again.orders.poll()
    assert shop.pages[:2] == [1_000, 1_500]
    assert (await shelf.store.report.order_counts())[0] == 2_000


@dataclass
class GarbledShop(Shop):
    """Some of its messages cannot be read."""

    async def newest_messages(self, since: str, limit: int) -> MessagePage | Failure:
        page = await super().newest_messages(since, limit)
        return replace(page, faults=("m-garbled",)) if isinstance(page, MessagePage) else page


async def test_a_message_that_cannot_be_read_is_told_once(shelf: Shelf) -> None:
    """It may have told of a change; the head is read every two seconds and shows it each time."""
    desk = Desk.of(shelf)
    desk.use(GarbledShop(desk.shop.now_ms))
    await desk.pass_by(20)
    (case,) = await shelf.cases(CaseKind.INVALID_RECORD.value)
    assert (case.subject, case.count) == ("message m-garbled", 1)


async def test_a_change_that_an_unreadable_message_told_of_is_found_within_minutes(shelf: Shelf) -> None:
    """Not at once, since the lists lag, and not again and again: a young order that is as it was is put off like any other."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 100))
    before_sweeps_ms = BORN_MS - 7_200_000
    desk.shop.put(order(line(3), created_ms=before_sweeps_ms))
    desk.shop.put(order(line(4), name="o2", created_ms=OLD_MS))
    assert await desk.orders.poll()
    shop = desk.use(GarbledShop(desk.shop.now_ms, desk.shop.orders, desk.shop.listed))
    assert await desk.orders.poll()
    assert await proving(desk).refresh_some() == 0
    shop.put(order(line(5), version=2, created_ms=before_sweeps_ms))
    await desk.pass_by(70)
    assert (await shelf.figures()).known == 7
    assert await proving(desk).refresh_some() == 2
    assert (await shelf.figures()).known == 9
    await desk.pass_by(70)
    assert await proving(desk).refresh_some() == 0


async def test_an_order_whose_deletion_could_not_be_read_is_forgotten_within_minutes(shelf: Shelf) -> None:
    """Its id is not known any more when it is read again."""
    desk = Desk.of(shelf)
    await shelf.read(level(1, 100))
    desk.shop.put(order(line(3), created_ms=OLD_MS))
    assert await desk.orders.poll()
    desk.use(GarbledShop(desk.shop.now_ms))
    await desk.pass_by(70)
    assert await proving(desk).refresh_some() == 1
    story = await shelf.store.report.story("A")
    assert story.heads[0][4] == "Deleted"
