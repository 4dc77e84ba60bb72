"""The stage: both simulators in this process, and the count of what the daemon sends them. Knows neither screen nor daemon."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

from archsyncd.demo.orders import OrderFigures, figures
from archsyncd.simulators import commercetools, r247
from archsyncd.simulators.circle import order_named, trace
from archsyncd.simulators.commercetools.admin import Administration
from archsyncd.simulators.commercetools.exchange import Reply, Request
from archsyncd.simulators.trade import TradeConfig

PROJECT = "demo"
CLIENT = "archsyncd"
SECRET = "simulator-secret"  # noqa: S105 - the simulator's, which guards nothing
LOCATIONS = {"WH1": "warehouse-1", "WH2": "warehouse-2"}
OK = 200
TOO_MANY_REQUESTS = "429"


class Project(commercetools.CommercetoolsSimulator):
    """The simulated project, counting writes as they arrive: REST writes of entries, and GraphQL requests that mutate."""

    writes = 0
    writes_under_way = 0

    async def respond(self, request: Request) -> Reply:
        """Answer one request; the effect comes at once, the answer after the latency."""
        write = is_write(request)
        self.writes += write
        self.writes_under_way += write
        try:
            return await super().respond(request)
        finally:
            self.writes_under_way -= write

    @property
    def requests(self) -> int:
        """Every request of the daemon so far, whatever was answered, token calls included."""
        return sum(self.journal.requests.values())

    @property
    def throttled(self) -> int:
        """How many of them were answered 429."""
        answers = self.journal.answers
        return sum(number for name, number in answers.items() if name.endswith(f" {TOO_MANY_REQUESTS}"))

    @property
    def changes(self) -> int:
        """Applied operations: for each entry the different operation markers that it has carried."""
        return sum(
            len({line.operation for line in lines if line.operation is not None})
            for lines in self.journal.stock.values()
        )

    @property
    def empty_changes(self) -> int:
        """Applied operations that moved no stock, creations aside."""
        lines = (line for entry in self.journal.stock.values() for line in entry[1:])
        return sum(line.operation is not None and not line.delta for line in lines)


class House(r247.R247Simulator):
    """The simulated source, counting orders that are being told to it."""

    orders_under_way = 0

    async def handle(self, asked: r247.Asked) -> r247.Answer:
        """Answer one request."""
        telling = asked.method == "PUT" and asked.parts[:2] == ("v1", "orders")
        self.orders_under_way += telling
        try:
            return await super().handle(asked)
        finally:
            self.orders_under_way -= telling


def is_write(request: Request) -> bool:
    """Whether a request writes stock: it creates or updates entries, alone or in a batch. Refused ones count as well."""
    if request.method != "POST":
        return False
    if request.path.endswith("/graphql"):
        return b"mutation" in request.body
    return request.path.startswith(f"/{PROJECT}/inventory")


class Stage:
    """Both simulators with their addresses, administered without sockets."""

    def __init__(self, seed: int) -> None:
        clock = commercetools.SystemClock()
        shop = commercetools.SimulatorConfig(
            project_key=PROJECT,
            clients=(commercetools.ApiClient(CLIENT, SECRET),),
            stock_lag_seconds=3.0,
            message_lag_seconds=1.0,
            latency_seconds=0.04,
        )
        house = r247.R247Config(
            locations=tuple(LOCATIONS),
            channels=LOCATIONS,
            heartbeat_seconds=5.0,
            acceptance="later",
            later_share=0.3,
            acceptance_seconds=(0.5, 3.0),
            floor_seconds=(0.3, 1.5),
            floor_parts=0.2,
            floor_shorts=0.03,
            # An order that is told twice is made twice: nothing but the daemon's care keeps duplicates away.
            idempotent=False,
        )
        self.clock = clock
        self.shop = Project(shop, clock, random.Random(f"shop {seed}"))
        self.house = House(house, clock, random.Random(f"house {seed}"))
        self.shop_url = self.house_url = ""
        self._shop_admin, self._house_admin = Administration(self.shop), r247.Admin(self.house)

    async def ask_shop(
        self, method: str, name: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Administer commercetools: (HTTP status, parsed JSON)."""
        query = urlencode(body or {}) if method == "GET" else ""
        raw = b"" if method == "GET" else json.dumps(body or {}).encode()
        status, said = self._shop_admin.answer(method, f"/_simulator/{name}", query, raw)
        return status, json.loads(said)

    async def ask_house(
        self, method: str, name: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Administer R247: (HTTP status, parsed JSON)."""
        raw = b"" if method == "GET" else json.dumps(body or {}).encode()
        answer = self._house_admin.handle(r247.Asked(method, f"/_simulator/{name}", body=raw))
        return answer.status, answer.json()

    async def act(self, name: str, **body: Any) -> None:
        """Do one act in R247. Raises RuntimeError when it refuses."""
        status, said = await self.ask_house("POST", name, body)
        if status != OK:
            raise RuntimeError(f"R247's simulator answered {status} to {name}: {said}")

    def orders(self, subjects: Collection[str] | None) -> OrderFigures:
        """What became of every order so far. `subjects` of the daemon's open exceptions; None: it does not say."""
        house = self.house.warehouse
        named = None if subjects is None else {order_named(subject, house) or "" for subject in subjects}
        return figures(trace(self.shop, house), named)

    @property
    def at_work(self) -> bool:
        """Whether the warehouse still has orders in hand."""
        return len(self.house.agenda) > 0

    @property
    def answers_lost(self) -> int:
        """How many answers about orders were lost, of both sides."""
        rules = self.shop.faults.rules.values()
        lost = sum(rule.hits for rule in rules if rule.fault.kind is commercetools.FaultKind.LOST_ANSWER)
        return lost + self.house.script.struck.get(r247.FaultKind.DROP_AFTER.value, 0)

    @property
    def entries(self) -> int:
        """How many inventory entries commercetools has."""
        return len(self.shop.project.inventory)


def day(seconds: float) -> TradeConfig:
    """The day's trade: 200 SKUs in two warehouses, eight of them in the flash sale."""
    return TradeConfig(
        seconds=seconds,
        keys=200,
        hot_keys=8,
        shoppers=40,
        orders_per_second=12.5,
        store_sales_per_second=4.0,
        pieces_per_key=40,
        locations=LOCATIONS,
        imports_late=False,
        # Of goods that are for sale again a key is raised only once its entry was read cleanly, which takes longer than a day
        # lasts here.
        returns_sellable=False,
    )


@asynccontextmanager
async def stage(seed: int) -> AsyncIterator[Stage]:
    """Both simulators, served on loopback for as long as the block lasts."""
    made = Stage(seed)
    async with commercetools.serve(made.shop) as shop_url, r247.serve(made.house) as house_url:
        made.shop_url, made.house_url = shop_url, house_url
        yield made
