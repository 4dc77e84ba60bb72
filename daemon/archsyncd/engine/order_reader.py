"""Reading orders by id, and telling of those that cannot be read. Knows neither messages nor sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import Failure, Missing, Order, OrderPage, Refused, TooLarge
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.portions import Portion, in_portions
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.store import Store

UNREADABLE_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """Orders read by id. `missing`: commercetools does not know them. What is in neither cannot be read, and is a case."""

    orders: tuple[Order, ...]
    missing: frozenset[str]


class OrderReader:
    """Reads orders whose ids are known."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        channels_known: Callable[[Iterable[Order]], bool],
    ) -> None:
        """`channels_known`: whether every line's channel can be told by now."""
        self._store = store
        self._client = client
        self._limiter = limiter
        self._channels_known = channels_known
        self._unreadable: set[str] = set()
        self._portion = Portion(client.ids_per_request)

    async def fetch(self, ids: Sequence[str], beat: Callable[[], None]) -> Fetched | None:
        """Orders by id; what the list does not show yet is read singly. `beat`: before each request.

        None when commercetools did not answer, or when a line's channel is not known yet.
        """
        found: dict[str, Order] = {}
        missing: set[str] = set()
        unread: dict[str, str] = {}

        async def list_of(part: Sequence[str]) -> OrderPage | Failure:
            beat()
            return await self._page(part)

        async for part, page in in_portions(ids, self._portion, list_of):
            if isinstance(page, OrderPage):
                found.update((order.id, order) for order in page.orders)
                unread.update(dict.fromkeys(page.faults, ""))
            elif not isinstance(page, TooLarge):
                return None
            for order_id in part:
                if order_id in found or order_id in unread:
                    continue
                beat()
                answer = await self._one(order_id)
                if isinstance(answer, Order):
                    found[order_id] = answer
                elif isinstance(answer, Missing):
                    missing.add(order_id)
                elif isinstance(answer, Refused | TooLarge):
                    # Asking again would not help, and the others must not wait for it.
                    unread[order_id] = answer.correlation
                else:
                    return None
        await self.tell_unreadable(unread, found, unread)
        fetched = Fetched(tuple(found.values()), frozenset(missing))
        return fetched if self._channels_known(fetched.orders) else None

    async def _page(self, ids: Sequence[str]) -> OrderPage | Failure:
        return await self._limiter.call(Priority.ORDERS, 1.0, lambda: self._client.orders_by_id(ids))

    async def _one(self, order_id: str) -> Order | Failure:
        return await self._limiter.call(Priority.ORDERS, 1.0, lambda: self._client.order(order_id))

    async def tell_unreadable(
        self,
        unread: Iterable[str],
        found: Iterable[str],
        correlations: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """An order that cannot be read is counted nowhere: somebody must know, until it can be read."""
        for order_id in set(unread) - self._unreadable:
            reason = (
                f"commercetools' answer about order {order_id or '(without id)'} cannot be read: none of its pieces are "
                "counted, so they may be sold twice"
            )
            case = NewCase(
                CaseKind.ORDER_UNMAPPED_LINE,
                "orders",
                order_id or "?",
                reason,
                code="unreadable",
                correlation=correlations.get(order_id, ""),
            )
            await self._store.cases.open(case)
            if len(self._unreadable) < UNREADABLE_LIMIT:
                self._unreadable.add(order_id)
        for order_id in self._unreadable & set(found):
            self._unreadable.discard(order_id)
            note = "it can be read now"
            await self._store.cases.resolve(CaseKind.ORDER_UNMAPPED_LINE, "orders", order_id, note)
