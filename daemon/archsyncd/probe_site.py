"""What a probe makes in a project, and takes away again: a type, entries and orders under one prefix. Settles no question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.domain.inventory import (
    Conflict,
    Failure,
    Missing,
    Throttled,
    Unknown,
    Unreached,
)
from archsyncd.domain.retry import delay
from archsyncd.engine.limiter import Limiter, Priority
from archsyncd.engine.ports import Clock
from archsyncd.engine.shared import describe
from archsyncd.wire.commercetools import probing
from archsyncd.wire.commercetools.exchange import Request

PREFIX = "archsyncd-probe-"
TRIES = 5
POLL_SECONDS = 0.5
# Documented is an effect within ten seconds; what is not there after three times that is taken for not coming.
WATCH_SECONDS = 30.0


class Unsettled(Exception):
    """A question cannot be answered; the message says why."""


class ProbeSite:
    """The project, as far as the probe touches it. Everything it makes is written down before it is made."""

    def __init__(
        self, client: HttpCommercetools, limiter: Limiter, clock: Clock, name: str, channel: str
    ) -> None:
        """`name`: what makes this probe's prefix its own; `channel`: the supply channel of its entries."""
        self.client = client
        self.clock = clock
        self.prefix = f"{PREFIX}{name}"
        self.channel = channel
        self._limiter = limiter
        self._made: list[str] = []
        self._gone: set[str] = set()
        self._doubtful = False

    async def ask(self, request: Request) -> Any:
        """The answer, or the failure that it is; what certainly had no effect is tried again."""
        return await self.call(lambda: self.client.raw(request))

    async def call(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """As `ask`, for a call of the client."""
        for failures in range(1, TRIES + 1):
            try:
                answer = await self._limiter.call(Priority.CHECK, 1.0, make)
            except asyncio.CancelledError:
                # It may be on its way.
                self._doubtful = True
                raise
            if not isinstance(answer, Throttled | Unreached) or failures == TRIES:
                break
            await self.clock.sleep(delay(failures, 0.5))
        self._doubtful |= isinstance(answer, Unknown)
        return answer

    async def must(self, request: Request) -> Any:
        """The answer. Raises Unsettled for a failure."""
        answer = await self.ask(request)
        if isinstance(answer, Failure):
            raise Unsettled(f"{request.method} {request.path}: {describe(answer)}")
        return answer

    def will_make(self, path: str) -> None:
        """Something is about to be made at this path: it is taken away in the end, whatever becomes of this."""
        self._made.append(path)

    async def make_type(self) -> None:
        """The type of every entry."""
        self.will_make(probing.by_key("types", self.prefix))
        await self.must(probing.make_type(self.prefix))

    async def entry(self, name: str, quantity: int, **more: Any) -> str:
        """Make an entry; its path. Its SKU is prefix and name."""
        path = probing.by_key("inventory", self.sku(name))
        self.will_make(path)
        await self.must(probing.make_entry(self.sku(name), self.channel, quantity, self.prefix, **more))
        return path

    async def order(self, name: str, quantity: int) -> Any:
        """Import an order of an entry; the order, or the failure."""
        self.will_make(probing.by_number(self.sku(name)))
        return await self.ask(probing.import_order(self.sku(name), self.sku(name), self.channel, quantity))

    async def ordered(self, name: str, quantity: int) -> Any:
        """Import an order. Raises Unsettled when it is refused."""
        order = await self.order(name, quantity)
        if isinstance(order, Failure):
            raise Unsettled(f"no order can be imported ({describe(order)})")
        return order

    def sku(self, name: str) -> str:
        """The SKU, entry key and order number of one question."""
        return f"{self.prefix}-{name}"

    async def stock_becomes(self, path: str, wanted: int) -> tuple[float | None, Any]:
        """Watch an entry until its stock is as wanted: after how many seconds (None: not at all), and the entry."""
        began = self.clock.monotonic()
        while True:
            entry = await self.must(probing.read(path))
            waited = self.clock.monotonic() - began
            if entry.get("quantityOnStock") == wanted:
                return waited, entry
            if waited >= WATCH_SECONDS:
                return None, entry
            await self.clock.sleep(POLL_SECONDS)

    async def clean(self, within_seconds: float) -> list[str]:
        """Take away what was made; what is left after all, each with the reason."""
        try:
            async with asyncio.timeout(within_seconds):
                return await self._clean()
        except TimeoutError:
            late = f"not known to be gone after {within_seconds:.0f} s"
            return [f"{path} ({late})" for path in self._made if path not in self._gone]

    async def _clean(self) -> list[str]:
        left = await self._pass()
        if self._doubtful or left:
            # A request without an answer may have taken effect after all, and later than it was looked for.
            await self.clock.sleep(WATCH_SECONDS)
            left = await self._pass()
        return left

    async def _pass(self) -> list[str]:
        left = []
        self._gone.clear()
        for path in sorted(self._made, key=_after_orders):
            reason = await self._take_away(path)
            if reason:
                left.append(f"{path} ({reason})")
            else:
                self._gone.add(path)
        return left

    async def _take_away(self, path: str) -> str:
        """Remove one resource at whatever version it has by now; why it is left, "" when it is gone."""
        answer: Any = None
        for failures in range(1, TRIES + 1):
            found = await self.ask(probing.read(path))
            if isinstance(found, Missing):
                return ""
            if not isinstance(found, Failure):
                answer = await self.ask(probing.remove(path, found["version"]))
                if not isinstance(answer, Failure) or isinstance(answer, Missing):
                    return ""
            else:
                answer = found
            if not isinstance(answer, Conflict | Unknown):
                break
            await self.clock.sleep(delay(failures, 0.5))
        return describe(answer)


def _after_orders(path: str) -> int:
    """Orders go first: to delete one may touch an entry; the type goes last, when nothing has it."""
    return 0 if path.startswith("/orders") else 2 if path.startswith("/types") else 1
