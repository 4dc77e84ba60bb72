"""Reading orders whole: many with one request, and those that the list does not show as they are known, by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from archsyncd.domain.inventory import Failure
from archsyncd.domain.whole_order import WholeOrder, WholePage
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.portions import Portion, in_portions
from archsyncd.engine.ports import Commercetools


class WholeReader:
    """Reads orders whose ids are known. An order costs a fraction of a request."""

    def __init__(
        self, client: Commercetools, limiter: Limiter, priority: Priority, beat: Callable[[], None]
    ) -> None:
        self._client = client
        self._limiter = limiter
        self._priority = priority
        self._beat = beat
        self._portion = Portion(client.ids_per_request)

    async def several(self, known: Mapping[str, int]) -> dict[str, WholeOrder]:
        """Orders by id, of those that the list shows at least at the version that is known of them.

        The list lags behind and fails now and then: what is missing here is read by itself.
        """
        found: dict[str, WholeOrder] = {}
        if len(known) < 2:  # noqa: PLR2004 - one alone is read as it is
            return found

        async def list_of(part: Sequence[str]) -> WholePage | Failure:
            self._beat()
            return await self._limiter.call(self._priority, 1.0, lambda: self._client.whole_orders(part))

        async for _, page in in_portions(list(known), self._portion, list_of):
            if isinstance(page, WholePage):
                found.update(
                    (each.order.id, each)
                    for each in page.orders
                    if each.order.version >= known.get(each.order.id, 0)
                )
        return found

    async def one(self, order_id: str) -> WholeOrder | Failure:
        """One order as it is now."""
        return await self._limiter.call(self._priority, 1.0, lambda: self._client.whole_order(order_id))
