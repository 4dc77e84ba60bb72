"""A commercetools that says what a test tells it to, for the loops that learn orders. Answers nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from archsyncd.domain.inventory import (
    Failure,
    MessageCursor,
    MessagePage,
    Missing,
    Order,
    OrderMessage,
    OrderPage,
    Project,
    Unknown,
)
from archsyncd.domain.times import rfc3339
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.orders import OrderOptions, Orders
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from tests.adapters.sqlite.shelf import HandClock, Shelf
from tests.domain.nouns import BORN_MS, CHANNEL_IDS

IDS_PER_REQUEST = 3


def half() -> float:
    return 0.5


def no_types(client: Commercetools, requests: Limiter, shared: Shared) -> MarkerTypes:
    """Of types nothing is asked: as in untracked mode."""
    return MarkerTypes(client, requests, shared, tracked=False, writes=lambda: True)


def limiter(clock: HandClock) -> Limiter:
    """A budget that is never short."""
    return Limiter(10_000.0, 10_000.0, 100, clock, half)


@dataclass
class Shop:
    """Orders by id as the single read shows them; `listed` is what the lists show of them, which may lag.

    `unreadable`: ids of orders that exist and cannot be read. `now_ms`: the server's clock.
    """

    now_ms: Callable[[], int]
    orders: dict[str, Order] = field(default_factory=dict)
    listed: dict[str, Order] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)
    told: list[OrderMessage] = field(default_factory=list)
    messages_answer: Failure | None = None
    messages_enabled: bool = True
    asked: list[Sequence[str]] = field(default_factory=list)
    ids_per_request: int = IDS_PER_REQUEST

    def put(self, order: Order, *, lists: bool = True) -> None:
        self.orders[order.id] = order
        if lists:
            self.listed[order.id] = order

    def say(self, kind: str, order_id: str, at_ms: int) -> None:
        name = f"m{len(self.told)}"
        self.told.append(OrderMessage(name, kind, order_id, rfc3339(at_ms), 1))

    async def project(self) -> Project:
        return Project("p", self.messages_enabled, "2026-01-01T00:00:00.000Z")

    async def newest_messages(self, since: str, limit: int) -> MessagePage | Failure:
        found = tuple(one for one in reversed(self.told) if one.created_at >= since)[:limit]
        return self.messages_answer or MessagePage(found, full=False, server_ms=self.now_ms())

    async def messages(
        self, after: MessageCursor | None, until: str | None, limit: int
    ) -> MessagePage | Failure:
        place = (after.created_at, after.id) if after else ("", "")
        found = [
            one for one in self.told if place < (one.created_at, one.id) and one.created_at <= (until or "~")
        ]
        page = found[:limit]
        last = MessageCursor(page[-1].created_at, page[-1].id) if page else None
        return self.messages_answer or MessagePage(
            tuple(page), full=len(page) >= limit, server_ms=self.now_ms(), last=last
        )

    async def orders_by_id(self, ids: Sequence[str]) -> OrderPage | Failure:
        assert len(ids) <= self.ids_per_request, "the address would be too long"
        self.asked.append(ids)
        return self._page([each for each in ids if each in self.listed or each in self.unreadable])

    async def order(self, order_id: str) -> Order | Failure:
        return self.orders.get(order_id) or Missing()

    async def orders_created(
        self, after: MessageCursor | None, since: str, until: str, limit: int
    ) -> OrderPage | Failure:
        place = (after.created_at, after.id) if after else ("", "")
        ids = [each for each in sorted(self.listed) if since <= self._born(each) <= until]
        return self._page([each for each in ids if place < (self._born(each), each)][:limit], limit)

    async def orders_open_before(
        self, after: MessageCursor | None, before: str, limit: int
    ) -> OrderPage | Failure:
        place = (after.created_at, after.id) if after else ("", "")
        ids = [
            each
            for each in sorted(self.listed, key=lambda name: (self._born(name), name))
            if self._born(each) < before and self.listed[each].order_state not in {"Complete", "Cancelled"}
        ]
        return self._page([each for each in ids if place < (self._born(each), each)][:limit], limit)

    def _born(self, order_id: str) -> str:
        return rfc3339(self.listed[order_id].created_at_ms)

    def _page(self, ids: Sequence[str], limit: int = 500) -> OrderPage:
        readable = [each for each in ids if each not in self.unreadable]
        places = [MessageCursor(self._born(each) if each in self.listed else "", each) for each in ids]
        return OrderPage(
            tuple(self.listed[each] for each in readable),
            tuple(place for place in places if place.id in readable),
            full=len(ids) >= limit,
            server_ms=self.now_ms(),
            faults=tuple(each for each in ids if each in self.unreadable),
            last=places[-1] if places else None,
        )


AnyShop = TypeVar("AnyShop", bound=Shop)


@dataclass
class Desk:
    """The loop that learns orders, on a store and a shop of a test's making."""

    shelf: Shelf
    shop: Shop
    shared: Shared
    orders: Orders

    @classmethod
    def of(cls, shelf: Shelf, *, history_days: int = 90, reflected_before_ms: int = 0) -> Desk:
        clock = shelf.clock
        shop = Shop(lambda: BORN_MS + int((clock.seconds - 1_000.0) * 1000))
        shared = Shared(clock, channel_keys=CHANNEL_IDS, channels_read=1)
        options = OrderOptions(
            2.0, 60.0, history_days, 15.0, reflected_before_ms, 30.0, 3_600.0, restores_on_cancel=False
        )
        client = cast("Commercetools", shop)
        return cls(
            shelf, shop, shared, Orders(shelf.store, client, limiter(clock), shared, options, lambda: None)
        )

    def use(self, shop: AnyShop) -> AnyShop:
        """Have the loop talk to another shop."""
        self.shop, options = shop, self.orders.options
        client, clock = cast("Commercetools", shop), self.shelf.clock
        self.orders = Orders(self.shelf.store, client, limiter(clock), self.shared, options, lambda: None)
        return shop

    async def pass_by(self, seconds: float, step: float = 2.0) -> None:
        """Let time pass, polling on the way."""
        end = self.shelf.clock.seconds + seconds
        while self.shelf.clock.seconds < end:
            self.shelf.clock.pass_by(step)
            await self.orders.poll()


LOST = Unknown("the answer was lost")
