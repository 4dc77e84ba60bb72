"""Wrong parts for the machine of `test_order_machine`, one for each rule about orders that somebody might leave out."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, cast

from archsyncd.domain.advice import Advice, AdviceStage
from archsyncd.domain.booking import AddDelivery, AddReturn, OrderAction
from archsyncd.domain.feed import Batch, Fulfilment
from archsyncd.domain.handover import Carried, PlacedLine, Stage
from archsyncd.domain.packing import wire_key
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.ports import Commercetools, Feed, FeedFault
from archsyncd.engine.store import Store
from tests.system.host import Around, Bent


def sends_again_without_a_look() -> Bent:
    """Takes an answer that was lost for an order that is not there."""

    def bend(feed: Feed) -> Feed:
        desk = cast("Any", feed).desk

        async def hand_over(order_id: str, body: str) -> object:
            try:
                return await desk.hand_over(order_id, body)
            except FeedFault:
                return await desk.hand_over(order_id, body)

        return cast("Feed", Around(feed, desk=Around(desk, hand_over=hand_over)))

    return Bent(feed=bend)


def forgets_the_intent() -> Bent:
    """Sends first and writes down afterwards."""

    def bend(store: Store, _client: Commercetools) -> Store:
        async def ready(carried: Carried, body: str, lines: str, version: int, *_kits: Any) -> Carried:
            kept = carried.body or body
            return replace(carried, stage=Stage.SENDING, body=kept, lines=lines, version=version, sent=1)

        return cast("Store", Around(store, handovers=Around(store.handovers, ready=ready)))

    return Bent(store=bend)


def sends_what_it_can() -> Bent:
    """Leaves out a line rather than hold the order."""

    def bend(feed: Feed) -> Feed:
        desk = cast("Any", feed).desk

        def body(order: WholeOrder, lines: Sequence[PlacedLine]) -> str:
            told: str = desk.body(order, lines[:1])
            return told

        return cast("Feed", Around(feed, desk=Around(desk, body=body)))

    return Bent(feed=bend)


def never_hears_of_a_cancellation() -> Bent:
    """Looks at everything of an order but its state."""

    def bend(client: Commercetools, _store: Store) -> Commercetools:
        async def whole_order(order_id: str) -> object:
            found = await client.whole_order(order_id)
            if not isinstance(found, WholeOrder):
                return found
            return replace(found, order=replace(found.order, order_state="Open"))

        return cast("Commercetools", Around(client, whole_order=whole_order))

    return Bent(client=bend)


def books_without_a_key() -> Bent:
    """Gives each delivery a name of its own, so that a repeat does not find it."""
    numbers = itertools.count()

    def bend(client: Commercetools, _store: Store) -> Commercetools:
        async def book(order_id: str, version: int, actions: Sequence[OrderAction]) -> object:
            named = [
                replace(action, key=f"{action.key}-{next(numbers)}")
                if isinstance(action, AddDelivery)
                else action
                for action in actions
            ]
            return await client.book_dispatch(order_id, version, named)

        return cast("Commercetools", Around(client, book_dispatch=book))

    return Bent(client=bend)


def returns_without_a_key() -> Bent:
    """The same for pieces that came back."""
    numbers = itertools.count(1)

    def bend(client: Commercetools, _store: Store) -> Commercetools:
        async def book(order_id: str, version: int, actions: Sequence[OrderAction]) -> object:
            named = [
                AddReturn(tuple(replace(each, key=f"{each.key}{next(numbers)}") for each in action.items))
                for action in actions
                if isinstance(action, AddReturn)
            ]
            return await client.book_dispatch(order_id, version, named or actions)

        async def whole_order(order_id: str) -> object:
            found = await client.whole_order(order_id)
            return replace(found, returns=()) if isinstance(found, WholeOrder) else found

        return cast("Commercetools", Around(client, book_dispatch=book, whole_order=whole_order))

    return Bent(client=bend)


def acknowledges_before_booking() -> Bent:
    """Tells Archean that a dispatch is booked as soon as it hears of it."""

    def bend(store: Store, _client: Commercetools) -> Store:
        async def due(limit: int) -> list[Advice]:
            return [
                replace(advice, stage=AdviceStage.BOOKED, delivery_key=wire_key(advice.name))
                if advice.is_shipped
                else advice
                for advice in await store.advices.due(limit)
            ]

        return cast("Store", Around(store, advices=Around(store.advices, due=due)))

    return Bent(store=bend)


def takes_packed_for_shipped() -> Bent:
    """Tells the shopper what the warehouse has not done yet."""

    def bend(feed: Feed) -> Feed:
        async def batches(after: str | None) -> AsyncIterator[object]:
            async for event in feed.batches(after):
                if isinstance(event, Batch):
                    records = [
                        replace(record, status="shipped")
                        if isinstance(record, Fulfilment) and record.status == "packed"
                        else record
                        for record in event.records
                    ]
                    yield replace(event, records=tuple(records))
                else:
                    yield event

        return cast("Feed", Around(feed, batches=batches))

    return Bent(feed=bend)
