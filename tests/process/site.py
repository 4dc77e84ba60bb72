"""Both simulators of one site on loopback sockets, watched; knows nothing of the daemon.

Every request to either side passes here before its effect and after it.
Time comes from a clock that is passed in: real seconds for processes, virtual ones for a daemon in this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from archsyncd.simulators import commercetools
from archsyncd.simulators.commercetools.admin import Administration
from archsyncd.simulators.commercetools.exchange import Reply, Request
from archsyncd.simulators.r247 import Admin, Answer, Asked, R247Config, R247Simulator
from archsyncd.simulators.r247 import serve as serve_house
from archsyncd.simulators.trade import Trade, TradeConfig
from tests.process import exchanges
from tests.vendor_api import VendorMismatchError

CHANNEL = "warehouse-1"
LOCATION = "WH1"
PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 0.1
DRAIN_SECONDS = 5.0
SECRET = "simulator-secret"  # the simulator's own default
CHANGES = ("POST", "DELETE", "PUT")


class Ticking(Protocol):
    """UTC seconds, and a wait measured on the same clock."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(slots=True)
class Watcher:
    """What was sent to commercetools and answered, and a hook before and after each effect.

    With a folder of the vendor's description every exchange is held against it, one of each shape.
    """

    folder: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    before: Callable[[Request], Awaitable[None]] | None = None
    after: Callable[[Request, Reply], Awaitable[None]] | None = None

    def note(self, request: Request, reply: Reply) -> None:
        kind = f"{request.method} {_what(request)} {reply.status}"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self.folder is not None:
            self.mismatches += exchanges.mismatches(self.folder, request, reply)


def _what(request: Request) -> str:
    parts = request.path.split("/")
    what = "/".join(parts[2:3]) or request.path
    if what != "graphql" or b"mutation" not in request.body[:200]:
        return what
    return "graphql-mutation"


class WatchedCommercetools(commercetools.CommercetoolsSimulator):
    """The simulated project with its watcher in the way of every request."""

    def __init__(
        self, config: commercetools.SimulatorConfig, clock: Ticking, chance: random.Random, watcher: Watcher
    ) -> None:
        super().__init__(config, clock, chance)
        self.watcher = watcher

    async def respond(self, request: Request) -> Reply:
        """Answer a request, watched before its effect and after it."""
        if self.watcher.before is not None:
            await self.watcher.before(request)
        reply = await super().respond(request)
        self.watcher.note(request, reply)
        if self.watcher.after is not None:
            await self.watcher.after(request, reply)
        return reply


class WatchedHouse(R247Simulator):
    """The simulated source with hooks in the way of every request: before its effect, and after it.

    An answer of the first hook is given instead of the source's own.
    """

    before: Callable[[Asked], Awaitable[Answer | None]] | None = None
    after: Callable[[Asked, Answer], Awaitable[None]] | None = None

    async def handle(self, asked: Asked) -> Answer:
        """Answer a request, watched."""
        answer = None if self.before is None else await self.before(asked)
        if answer is not None:
            return answer
        answer = await super().handle(asked)
        if self.after is not None:
            await self.after(asked, answer)
        return answer


@dataclass(slots=True)
class Site:
    """One warehouse, one shop, and the addresses at which they answer."""

    shop: WatchedCommercetools
    house: WatchedHouse
    clock: Ticking
    chance: random.Random
    shop_url: str = ""
    house_url: str = ""

    @property
    def watcher(self) -> Watcher:
        return self.shop.watcher

    def open(self, stock: Mapping[str, int], channel: str = CHANNEL, location: str = LOCATION) -> None:
        """A channel, products and goods on the shelf, without entries in commercetools."""
        self.shop.add_channel(channel)
        self.shop.add_products(stock)
        for sku, pieces in stock.items():
            self.house.warehouse.seed(sku, location, pieces)

    def order(
        self,
        sku: str,
        pieces: int,
        *,
        channel: str | None = CHANNEL,
        mode: str = "ReserveOnOrder",
        import_seconds: float | None = 1.0,
        number: str | None = None,
        location: str = LOCATION,
    ) -> str:
        """A shopper buys; Archean imports it so many seconds later, or never (None). Returns the order's id."""
        line = commercetools.OrderLine(sku, pieces, channel)
        order_id = self.shop.place_order([line], mode=mode, order_number=number)
        if import_seconds is not None:
            self.tell_house(order_id, import_seconds, location)
        return order_id

    def tell_house(self, order_id: str, seconds: float, location: str = LOCATION) -> None:
        """Another system hands an order over to Archean."""
        order = self.shop.order(order_id)
        lines = [
            {
                "lineRef": line["id"],
                "sku": line["variant"]["sku"],
                "quantity": line["quantity"],
                "location": location,
            }
            for line in order["lineItems"]
        ]
        body = {
            "orderId": order_id,
            "orderNumber": order.get("orderNumber"),
            "createdAt": order["createdAt"],
            "lines": lines,
            "delay_seconds": seconds,
        }
        self.ask_house("orders", body)

    def ask_house(self, act: str, body: Mapping[str, Any], *, may_refuse: bool = False) -> None:
        """Something happens in the warehouse. `may_refuse`: it need not be possible."""
        asked = Asked("POST", f"/_simulator/{act}", body=json.dumps(body).encode())
        answer = Admin(self.house).handle(asked)
        assert answer.status == 200 or (may_refuse and answer.status == 409), answer.body

    def stock(self, sku: str, channel: str = CHANNEL) -> int | None:
        """What commercetools really has for sale, None without an entry."""
        return self.shop.true_stock(sku, channel) if self.shop.has_entry(sku, channel) else None

    async def until(
        self, holds: Callable[[], object], what: str, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait for a condition by looking, so long at most."""
        end = self.clock.now() + patience_seconds
        while not holds():
            assert self.clock.now() < end, f"not within {patience_seconds:g} s: {what}"
            await self.clock.sleep(LOOK_SECONDS)

    async def until_stock(
        self, wanted: Mapping[str, int], patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait until entries show these quantities."""
        end = self.clock.now() + patience_seconds
        while (found := {sku: self.stock(sku) for sku in wanted}) != dict(wanted):
            assert self.clock.now() < end, f"wanted {dict(wanted)}, found {found}"
            await self.clock.sleep(LOOK_SECONDS)

    async def stays(self, holds: Callable[[], object], what: str, seconds: float) -> None:
        """Nothing changes for so long."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            assert holds(), what
            await self.clock.sleep(LOOK_SECONDS)

    def trade(self, config: TradeConfig, seed: int) -> Trade:
        """A day of trade against both."""
        shop, house = Administration(self.shop), Admin(self.house)

        async def ask_shop(method: str, name: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
            query = urlencode(body or {}) if method == "GET" else ""
            raw = b"" if method == "GET" else json.dumps(body or {}).encode()
            status, said = shop.answer(method, f"/_simulator/{name}", query, raw)
            return status, json.loads(said)

        async def ask_house(method: str, name: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
            raw = b"" if method == "GET" else json.dumps(body or {}).encode()
            answer = house.handle(Asked(method, f"/_simulator/{name}", body=raw))
            return answer.status, answer.json()

        return Trade(config, ask_shop, ask_house, self.clock, random.Random(seed))


@asynccontextmanager
async def site(
    clock: Ticking,
    *,
    seed: int = 1,
    shop: Mapping[str, Any] | None = None,
    house: Mapping[str, Any] | None = None,
) -> AsyncIterator[Site]:
    """Serve both simulators; `shop` and `house` change their configurations.

    Raises VendorMismatchError at the end when an exchange did not fit the vendor's description, where that is at hand.
    """
    watcher = Watcher(exchanges.folder(os.environ))
    given: dict[str, Any] = {"stock_lag_seconds": 3.0, "message_lag_seconds": 1.0} | dict(shop or {})
    project = WatchedCommercetools(
        commercetools.SimulatorConfig(**given), clock, random.Random(seed), watcher
    )
    source: dict[str, Any] = {"channels": {LOCATION: CHANNEL}, "import_seconds": (0.5, 3.0)} | dict(
        house or {}
    )
    warehouse = WatchedHouse(R247Config(**source), clock, random.Random(seed + 1))
    async with commercetools.serve(project) as shop_url, serve_house(warehouse) as house_url:
        yield Site(project, warehouse, clock, random.Random(seed + 2), shop_url, house_url)
    if watcher.mismatches:
        raise VendorMismatchError("\n".join(watcher.mismatches))


async def in_step(
    site: Site,
    trade: Trade,
    patience_seconds: float,
    drain_seconds: float = DRAIN_SECONDS,
    outages: Sequence[tuple[float, float]] = (),
) -> dict[str, Any]:
    """Wait until everything that may be sold is offered and nothing else; the judge's last words.

    `drain_seconds`: how long a running daemon may take over what it was told; `outages`: when none was running, in UTC
    seconds (from, to).
    """
    end = site.clock.now() + patience_seconds
    while True:
        verdict = await trade.verdict(drain_seconds, outages)
        if not verdict["hidden_units"] and not verdict["excess_units"]:
            return verdict
        if site.clock.now() >= end:
            return verdict
        await site.clock.sleep(0.5)


def assert_right(verdict: Mapping[str, Any]) -> None:
    """Nothing was sold beyond physics, nothing is hidden, nothing offered that is not there, nothing doubled."""
    wrong = {
        name: verdict[name]
        for name in ("oversold_beyond_physics", "hidden_units", "excess_units", "duplicate_orders")
        if verdict[name]
    }
    assert not wrong, (wrong, verdict["pools"][:5])


async def gather_all(*work: Awaitable[object]) -> None:
    """Run scenarios side by side; the first failure is raised after the others were cancelled."""
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(_awaited(one))


async def _awaited(work: Awaitable[object]) -> None:
    await work
