"""A scripted commercetools on a real socket and a client in front of it. Judges nothing: tests say what is right."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

from archsyncd.adapters.commercetools import ClientOptions, HttpCommercetools, tcp_connector
from archsyncd.adapters.commercetools.transport import ConnectorFactory
from archsyncd.domain.inventory import EntryWrite, Marker, StockKey, SupplyChannel, WriteKind

PROJECT = "shop"
SECRET = "canary-secret-5f2d81"
CHANNEL = SupplyChannel("warehouse-1", "0a4c7a52-6a2e-4b39-8d2e-0d8f6f6f0001", supplies=True)
ENTRY_ID = "7c1b4d8e-0000-4000-8000-000000000001"
KEY = StockKey(CHANNEL.key, "ABC-1")
SCOPES = " ".join(
    f"{name}:{PROJECT}"
    for name in (
        "manage_products",
        "view_channels",
        "manage_orders",
        "view_messages",
        "manage_types",
        "manage_key_value_documents",
        "view_project_settings",
    )
)
INCREMENT = EntryWrite(WriteKind.INCREMENT, KEY, 3, Marker("ledger-1", "op-7", 12, "90", 2), ENTRY_ID, 4)


class ManualClock:
    """Time that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.wall = 1_767_225_600_000

    def wall_ms(self) -> int:
        return self.wall

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to give."""

    status: int = 200
    tree: Any = None
    text: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    # The answer waits for it.
    after: asyncio.Event | None = None

    def response(self) -> web.Response:
        body = self.text if self.text is not None else orjson.dumps(self.tree)
        kind = "application/json" if self.text is None else "text/html"
        return web.Response(status=self.status, body=body, headers=dict(self.headers), content_type=kind)


Answering = Callable[[Seen], Said | Awaitable[Said]]


def fault(status: int, code: str, message: str = "as scripted", **more: Any) -> Said:
    """An error in commercetools' own form."""
    errors = [{"code": code, "message": message, **more}]
    return Said(status, {"statusCode": status, "message": message, "errors": errors})


def entry_tree(version: int = 5, quantity: int = 12, **more: Any) -> dict[str, Any]:
    """An inventory entry as commercetools tells it."""
    return {
        "id": ENTRY_ID,
        "version": version,
        "createdAt": "2026-03-01T10:00:00.000Z",
        "lastModifiedAt": "2026-03-02T10:00:00.000Z",
        "sku": KEY.sku,
        "supplyChannel": {"typeId": "channel", "id": CHANNEL.id},
        "quantityOnStock": quantity,
        "availableQuantity": quantity,
        **more,
    }


def page_of(*rows: Any) -> Said:
    """A query answer."""
    return Said(tree={"limit": 500, "offset": 0, "count": len(rows), "results": list(rows)})


class ScriptedApi:
    """API and token endpoint on one port. `answers` are used up one by one, then `otherwise` answers."""

    def __init__(self) -> None:
        self.answers: deque[Said] = deque()
        self.token_answers: deque[Said] = deque()
        self.otherwise: Answering = lambda _seen: Said(tree=entry_tree())
        self.seen: list[Seen] = []
        self.token_seen: list[Seen] = []
        self.scope = SCOPES
        self.lifetime_seconds = 172_800
        self._names = itertools.count(1)
        self._runner: web.ServerRunner | None = None
        self._arrival = asyncio.Event()
        self.port = 0

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait until what arrived is enough."""
        while not enough():
            await self._arrival.wait()

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), handle_signals=False, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Seen(request.method, request.raw_path, dict(request.headers), await request.read())
        if seen.target == "/oauth/token":
            self.token_seen.append(seen)
            said = self.token_answers.popleft() if self.token_answers else self.token()
        else:
            self.seen.append(seen)
            found = self.answers.popleft() if self.answers else self.otherwise(seen)
            said = found if isinstance(found, Said) else await found
        arrival, self._arrival = self._arrival, asyncio.Event()
        arrival.set()
        if said.after is not None:
            await said.after.wait()
        return said.response()

    def token(self, **more: Any) -> Said:
        """A fresh token."""
        tree = {
            "access_token": f"token-{next(self._names)}",
            "expires_in": self.lifetime_seconds,
            "scope": self.scope,
            "token_type": "Bearer",
        }
        return Said(tree=tree | more)


@dataclass(slots=True)
class Bench:
    """The client under test with everything it was given."""

    api: ScriptedApi
    client: HttpCommercetools
    clock: ManualClock
    taken: list[float]
    correlations: list[str]


def options_for(port: int, **more: Any) -> ClientOptions:
    """Options for a loopback API."""
    url = f"http://127.0.0.1:{port}"
    plain = ClientOptions(
        api_url=url,
        auth_url=url,
        project_key=PROJECT,
        client_id="client-1",
        host_name="host.example",
        connect_seconds=2.0,
        write_seconds=5.0,
        read_seconds=5.0,
        token_seconds=5.0,
        silence_seconds=5.0,
    )
    return replace(plain, **more)


@asynccontextmanager
async def open_client(
    options: ClientOptions,
    connector: ConnectorFactory = tcp_connector,
    secret: Callable[[], str] = lambda: SECRET,
) -> AsyncIterator[tuple[HttpCommercetools, ManualClock, list[float], list[str]]]:
    """A client with a clock that stands still, a budget that counts and correlation ids that can be told apart."""
    clock = ManualClock()
    taken: list[float] = []
    correlations: list[str] = []

    async def take() -> None:
        taken.append(clock.now)

    def correlation() -> str:
        correlations.append(f"correlation-{len(correlations) + 1}")
        return correlations[-1]

    client = HttpCommercetools(
        options,
        secret=secret,
        clock=clock,
        chance=random.Random(68).random,
        budget=take,
        correlation=correlation,
        connector=connector,
    )
    client.use_channels([CHANNEL])
    try:
        yield client, clock, taken, correlations
    finally:
        await client.close()


@asynccontextmanager
async def open_bench(**more: Any) -> AsyncIterator[Bench]:
    """A scripted API and a client in front of it."""
    async with (
        ScriptedApi() as api,
        open_client(options_for(api.port, **more)) as (client, clock, taken, correlations),
    ):
        yield Bench(api, client, clock, taken, correlations)
