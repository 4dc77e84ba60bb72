"""What every order desk does, whatever carries it: a transport joins by a `Site` with a simulated source behind it.

The promises are those of `engine.ports.OrderDesk`. What a desk owes is asked for as the engine does: the desk first, then
the feed's look-up where there is one.
"""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import BookedDispatch, CancelAnswer, Objection, Taken
from archsyncd.engine.ports import Feed, FeedFault, OrderDesk
from archsyncd.simulators.r247 import R247Simulator
from tests.simulators.r247.houses import ORDER_ID, order_body
from tests.support.virtual_time import VirtualClock, virtual

LATER: dict[str, Any] = {"acceptance": "later", "acceptance_seconds": (5.0, 5.0)}


class Site(Protocol):
    """A source that takes orders, and the desk and the feed that reach it."""

    @property
    def desk(self) -> OrderDesk:
        """The desk as it is now; `reopen` makes another."""
        ...

    @property
    def feed(self) -> Feed:
        """The feed that the desk belongs to."""
        ...

    @property
    def house(self) -> R247Simulator:
        """The source itself."""
        ...

    async def settle(self) -> None:
        """The source looks at what it was told."""
        ...

    async def vanish(self) -> None:
        """The source cannot be reached any more."""
        ...

    async def reopen(self) -> None:
        """Close desk and feed and open others, as after a restart."""
        ...


def body(order_id: str = ORDER_ID, **changes: Any) -> str:
    """An order as it is sent: two of X at WH1."""
    return json.dumps(order_body(order_id, **changes))


def booked(fulfilment_id: str = "F-1", **changes: str) -> BookedDispatch:
    """A dispatch that the storefront has booked."""
    told = {"order_id": ORDER_ID, "delivery_key": "F-1", "shipment_state": "Shipped"} | changes
    return BookedDispatch(fulfilment_id, at="2026-07-25T17:30:00Z", **told)


async def handed(site: Site, order: str | None = None) -> OrderLookup | Objection:
    """Hand an order over, and take what is owed once the source has looked at it."""
    order = order or body()
    found = await site.desk.hand_over(ORDER_ID, order)
    if isinstance(found, OrderLookup) and found.status == "received":
        await site.settle()
        return await later(site, order) or found
    return found


async def later(site: Site, order: str | None = None) -> OrderLookup | Objection | None:
    """What the source has said since."""
    found = await site.desk.answer(ORDER_ID, order or body())
    if found is None and site.feed.offers_lookup:
        found = await site.feed.look_up_order(ORDER_ID)
    return found


async def cancelled(site: Site, order_id: str = ORDER_ID) -> CancelAnswer:
    """Ask to cancel until that is answered."""
    found = await site.desk.ask_to_cancel(order_id, "shopper")
    if found is CancelAnswer.PENDING:
        await site.settle()
        found = await site.desk.ask_to_cancel(order_id, "shopper")
    return found


async def acknowledged(site: Site, dispatch: BookedDispatch) -> Taken | Objection:
    """Tell of a booked dispatch until that is answered."""
    found = await site.desk.acknowledge_dispatch(dispatch)
    if found is Taken.PENDING:
        await site.settle()
        found = await site.desk.acknowledge_dispatch(dispatch)
    return found


def code_of(found: OrderLookup | Objection | None) -> str | None:
    """The code of a refusal, told by the desk or by the books."""
    if isinstance(found, Objection):
        return found.code
    return found.extra.get("code") if found is not None and found.status == "rejected" else None


class DeskContract:
    """Subclass and give a site; every transport passes all of it."""

    def site(self, **settings: Any) -> AbstractAsyncContextManager[Site]:
        """Open a source with ten of X at WH1, and its desk."""
        raise NotImplementedError

    @virtual
    async def test_an_order_is_accepted_with_number_and_position(self) -> None:
        """What the source books is what it was told, and it tells where that stands in its feed."""
        async with self.site() as site:
            found = await handed(site)
            assert isinstance(found, OrderLookup)
            assert (found.status, found.source_order) == ("accepted", "SO-991")
            order = site.house.warehouse.book.orders[ORDER_ID]
            assert (found.epoch, found.seq) == order.position
            assert json.loads(order.asked.content) == order_body()
            assert site.house.warehouse.available("X", "WH1") == 8

    @virtual
    async def test_an_order_may_be_accepted_later(self) -> None:
        """Received first; accepted with its number once the source has decided."""
        async with self.site(**LATER) as site:
            assert await handed(site) == OrderLookup("received")
            await VirtualClock().sleep(10)
            await site.settle()
            found = await later(site)
            assert isinstance(found, OrderLookup)
            assert (found.status, found.source_order) == ("accepted", "SO-991")

    @virtual
    async def test_an_order_may_be_turned_down_later(self) -> None:
        """With the code that the source's people gave it."""
        async with self.site(**LATER) as site:
            assert await handed(site) == OrderLookup("received")
            site.house.warehouse.book.reject(ORDER_ID, "invalid_address")
            await site.settle()
            assert code_of(await later(site)) == "invalid_address"

    @virtual
    async def test_an_order_that_cannot_be_taken_is_an_objection_with_its_code(self) -> None:
        """And nothing of it is taken."""
        async with self.site() as site:
            line = {"lineId": "l1", "sku": "Q", "quantity": 1, "location": "WH1"}
            found = await handed(site, body(lines=[line]))
            assert isinstance(found, Objection)
            assert (found.code, found.different) == ("unknown_sku", False)
            assert site.house.warehouse.book.orders == {}

    @virtual
    async def test_what_was_turned_down_is_taken_once_its_cause_is_gone(self) -> None:
        """The very same order, handed over again by a person's word."""
        async with self.site() as site:
            line = {"lineId": "l1", "sku": "Q", "quantity": 1, "location": "WH1"}
            assert code_of(await handed(site, body(lines=[line]))) == "unknown_sku"
            site.house.warehouse.seed("Q", "WH1", 5)
            found = await handed(site, body(lines=[line]))
            assert isinstance(found, OrderLookup)
            assert found.status == "accepted"

    @virtual
    async def test_another_order_under_the_same_id_is_told_apart(self) -> None:
        """However often it is tried, the first one stays as it is."""
        async with self.site() as site:
            await handed(site)
            other = body(version=4, notes="call first")
            for _ in range(2):
                found = await handed(site, other)
                assert isinstance(found, Objection)
                assert (found.code, found.different) == ("different_content", True)
            assert site.house.warehouse.available("X", "WH1") == 8

    @virtual
    async def test_o1_a_repeat_changes_nothing(self) -> None:
        """Before it is answered, after that and by another process: one order, the same answer."""
        async with self.site() as site:
            await site.desk.hand_over(ORDER_ID, body())
            first = await handed(site)
            told = site.house.log.head_seq
            assert await handed(site) == first
            await site.reopen()
            assert await handed(site) == first
            await site.settle()
            assert site.house.log.head_seq == told
            assert site.house.warehouse.available("X", "WH1") == 8
            assert site.house.warehouse.book.duplicates == []

    @virtual
    async def test_an_order_is_cancelled_before_it_is_shipped(self) -> None:
        """Asking again changes nothing."""
        async with self.site() as site:
            await handed(site)
            for _ in range(2):
                assert await cancelled(site) is CancelAnswer.CANCELLED
            assert site.house.warehouse.available("X", "WH1") == 10

    @virtual
    async def test_an_order_is_cancelled_before_it_is_decided_on(self) -> None:
        """It is not accepted afterwards."""
        async with self.site(**LATER) as site:
            await handed(site)
            assert await cancelled(site) is CancelAnswer.CANCELLED
            await VirtualClock().sleep(10)
            await site.settle()
            assert site.house.warehouse.available("X", "WH1") == 10

    @virtual
    async def test_what_was_shipped_is_not_cancelled(self) -> None:
        """And stays shipped."""
        async with self.site() as site:
            await handed(site)
            site.house.warehouse.dispatch.ship(ORDER_ID)
            assert await cancelled(site) is CancelAnswer.ALREADY_SHIPPED

    @virtual
    async def test_an_order_that_was_never_there_cannot_be_cancelled(self) -> None:
        """The source's own word for that."""
        async with self.site() as site:
            assert await cancelled(site) is CancelAnswer.UNKNOWN_THERE

    @virtual
    async def test_a_wish_right_behind_its_order_does_not_overtake_it(self) -> None:
        """The source never says that it does not know an order which it then takes."""
        async with self.site() as site:
            await site.desk.hand_over(ORDER_ID, body())
            answers = []
            for _ in range(4):
                answers.append(await site.desk.ask_to_cancel(ORDER_ID, "shopper"))
                await site.settle()
            assert answers[-1] is CancelAnswer.CANCELLED
            assert set(answers) <= {CancelAnswer.CANCELLED, CancelAnswer.PENDING}
            assert site.house.warehouse.available("X", "WH1") == 10

    @virtual
    async def test_a_booked_dispatch_is_taken_notice_of(self) -> None:
        """However often it is told, also by another process."""
        async with self.site() as site:
            await handed(site)
            site.house.warehouse.dispatch.ship(ORDER_ID)
            for _ in range(2):
                assert await acknowledged(site, booked()) is Taken.TAKEN
            await site.reopen()
            assert await acknowledged(site, booked()) is Taken.TAKEN
            _, fulfilment = site.house.warehouse.dispatch.fulfilments["F-1"]
            assert fulfilment.acknowledgement == {
                "orderId": ORDER_ID,
                "deliveryKey": "F-1",
                "shipmentState": "Shipped",
                "at": "2026-07-25T17:30:00Z",
            }

    @virtual
    async def test_a_dispatch_that_the_source_does_not_know_is_an_objection(self) -> None:
        """Whatever its id looks like; told again once it is known there, it is taken notice of."""
        async with self.site() as site:
            await handed(site)
            for strange in ("F-1", "../F/1", "..", "F.1%2F", "€" * 128):
                assert code_of_taken(await acknowledged(site, booked(strange))) == "unknown_fulfilment"
            site.house.warehouse.dispatch.ship(ORDER_ID)
            assert await acknowledged(site, booked()) is Taken.TAKEN

    @virtual
    async def test_a_dispatch_of_another_order_is_an_objection(self) -> None:
        """The source holds it against its own books."""
        async with self.site() as site:
            await handed(site)
            site.house.warehouse.dispatch.ship(ORDER_ID)
            found = await acknowledged(site, booked(order_id="another"))
            assert code_of_taken(found) == "different_content"

    @virtual
    async def test_a_source_out_of_reach_was_told_nothing(self) -> None:
        """Certainly so, and it is no reason to think the credentials wrong."""
        async with self.site() as site:
            await site.vanish()
            with pytest.raises(FeedFault) as refused:
                await site.desk.hand_over(ORDER_ID, body())
            assert refused.value.unreached
            assert not refused.value.blind
            with pytest.raises(FeedFault):
                await site.desk.ask_to_cancel(ORDER_ID, "shopper")
            with pytest.raises(FeedFault):
                await site.desk.acknowledge_dispatch(booked())


def code_of_taken(found: Taken | Objection) -> str | None:
    """The code of a refusal."""
    return found.code if isinstance(found, Objection) else None
