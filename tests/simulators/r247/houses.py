"""Small sources for the tests, and a reader that asks them without sockets."""

import asyncio
import json
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from archsyncd.simulators.commercetools.clock import HandClock
from archsyncd.simulators.r247 import Answer, Asked, AskedLine, AskedOrder, R247Config, R247Simulator

ORDER_ID = "0f1c7a52-3a1e-4a8e-9a52-0f4d3f6f0001"


class House:
    """A source with a clock moved by hand and helpers to ask it."""

    def __init__(self, **settings: Any) -> None:
        self.clock = HandClock()
        self.simulator = R247Simulator(R247Config(**settings), self.clock, random.Random(7))
        self.warehouse = self.simulator.warehouse
        self.log = self.simulator.log

    def stock(self, **pieces: int) -> "House":
        """Seed SKUs at the first location."""
        for sku, on_hand in pieces.items():
            self.warehouse.seed(sku, self.simulator.config.locations[0], on_hand)
        return self

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask the source; a body that is not bytes is written as JSON."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        pairs = tuple((name, str(value)) for name, value in (query or {}).items())
        return await self.simulator.handle(Asked(method, path, pairs, dict(headers or {}), raw))

    async def page(self, cursor: str | None = None, **query: str | int) -> dict[str, Any]:
        """Read one page of changes that must be answered with 200."""
        asked = dict(query) | ({} if cursor is None else {"cursor": cursor})
        answer = await self.ask("GET", "/v1/changes", query=asked)
        assert answer.status == 200, answer.body
        found: dict[str, Any] = answer.json()
        return found

    async def records(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Read every record kept, of one type or of all."""
        items = (await self.page(limit=5000))["items"]
        return [item for item in items if kind in {None, item["type"]}]

    def order(
        self, *lines: tuple[str, int], number: str | None = "CT-1", order_id: str = ORDER_ID
    ) -> AskedOrder:
        """Make an order whose line references are l1, l2, …."""
        asked = tuple(
            AskedLine(f"l{index}", sku, quantity) for index, (sku, quantity) in enumerate(lines, start=1)
        )
        return AskedOrder(order_id, number, int(self.clock.now() * 1000), asked)

    def imported(self, *lines: tuple[str, int], order_id: str = ORDER_ID) -> str:
        """Import an order and return its id."""
        self.warehouse.book.take(self.order(*lines, order_id=order_id, number=f"N-{order_id[-4:]}"))
        return order_id


def order_body(order_id: str = ORDER_ID, **changes: Any) -> dict[str, Any]:
    """Write the body of a hand-over as section 9 shows it."""
    line = {"lineId": "l1", "sku": "X", "quantity": 2, "location": "WH1"}
    line["unitPrice"] = {"centAmount": 1999, "fractionDigits": 2}
    body = {"schema": "r247/1", "orderId": order_id, "orderNumber": "CT-10045", "version": 3}
    body |= {"createdAt": "2026-07-01T10:00:00Z", "currency": "EUR", "lines": [line]}
    body |= {"shipTo": {"city": "Berlin"}, "shippingMethod": "DHL_EXPRESS", "notes": None}
    return body | changes


async def idle() -> None:
    """Let every task go on until it waits for something from outside."""
    for _ in range(20):
        await asyncio.sleep(0)


def sku_path(sku: str) -> str:
    """Write the address of one SKU's stock."""
    return f"/v1/stock/{quote(sku, safe='')}"
