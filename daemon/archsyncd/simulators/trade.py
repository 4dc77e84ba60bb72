"""A day of trade compressed into seconds: what happens, in which order and how much; it must not know the daemon.

The plan is drawn before anything happens, so equal chance gives equal decisions whatever the timing. Acting goes through
the administration of both simulators, in this process or over HTTP.
"""

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from archsyncd.simulators.r247 import Clock
from archsyncd.simulators.r247.log import stamp
from archsyncd.simulators.trade_plan import PHASES, Act, Phase, Step, TradeConfig, plan

__all__ = [
    "PHASES",
    "Act",
    "Administer",
    "Phase",
    "Step",
    "Trade",
    "TradeConfig",
    "TradeEvent",
    "http_admin",
    "plan",
]
OK = 200
FIRST_NUMBER = 1001
HTTP_SECONDS = 30.0


class Administer(Protocol):
    """One administrative call to a simulator: `(method, name, body)` gives (HTTP status, parsed JSON)."""

    async def __call__(
        self, method: str, name: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Call `/_simulator/<name>`."""
        ...


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """What a live table shows: time of the day, its phase, whether that has just begun, and counters so far."""

    at_seconds: float
    phase: str
    begins: bool
    counters: Mapping[str, int]


class Trade:
    """Plays a planned day against both simulators.

    `open` seeds the warehouse, the channels and the catalogue; `run` plays the day and yields events; `settle` waits for
    the last late import; `verdict` asks the judge. The entries in commercetools are the daemon's to create. Orders are
    numbered CT-1001 and on in the order in which commercetools takes them; a refused one leaves its number to the next.
    """

    def __init__(
        self,
        config: TradeConfig,
        commercetools_admin: Administer,
        r247_admin: Administer,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self.config = config
        self.plan = plan(config, chance)
        self.counters: Counter[str] = Counter()
        self._shop = commercetools_admin
        self._house = r247_admin
        self._clock = clock
        self._pieces = {sku: chance.randint(1, 2 * config.pieces_per_key) for sku in config.skus}
        self._placed: dict[int, tuple[str, Step]] = {}
        self._cancelled: set[str] = set()
        self._returned: set[str] = set()
        self._next_number = FIRST_NUMBER
        self._free_numbers: list[int] = []
        self._shopping = asyncio.Semaphore(config.shoppers)
        self._open: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Seed both sides. Raises RuntimeError when a simulator refuses."""
        for channel in dict.fromkeys(self.config.locations.values()):
            await self._must(self._shop("POST", "channels", {"key": channel}))
        await self._must(self._shop("POST", "products", {"skus": list(self.config.skus)}))
        stock = [
            {"sku": sku, "location": location, "onHand": pieces}
            for sku, pieces in self._pieces.items()
            for location in self.config.locations
        ]
        await self._must(self._house("POST", "seed", {"stock": stock}))

    async def run(self) -> AsyncIterator[TradeEvent]:
        """Play the day: an event as each phase begins, others at most every `report_seconds`, and a last one."""
        began, steps, told = self._clock.now(), list(reversed(self.plan)), ""
        try:
            while (at_seconds := self._clock.now() - began) < self.config.seconds or steps:
                phase = self._phase(at_seconds)
                yield TradeEvent(at_seconds, phase, phase != told, dict(self.counters))
                told = phase
                reported = self._clock.now()
                while self._clock.now() - reported < self.config.report_seconds:
                    if not await self._go_on(steps, began, reported + self.config.report_seconds):
                        break
            await asyncio.gather(*self._open)
            yield TradeEvent(self._clock.now() - began, "closed", True, dict(self.counters))
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def settle(self, patience_seconds: float = 60.0) -> bool:
        """Wait until R247 has imported what it was told; False when it has not within `patience_seconds`."""
        until = self._clock.now() + patience_seconds
        while (await self._must(self._house("GET", "state")))["waitingImports"]:
            if self._clock.now() >= until:
                return False
            await self._clock.sleep(self.config.report_seconds)
        return True

    async def verdict(
        self, drain_seconds: float = 5.0, outages: Sequence[tuple[float, float]] = ()
    ) -> dict[str, Any]:
        """Ask the judge (`simulators.r247.judge`) about everything commercetools accepted and shows now.

        `outages`: when no daemon could act, in UTC seconds (from, to).
        """
        admissions = (await self._must(self._shop("GET", "admissions")))["result"]
        events = (await self._must(self._shop("GET", "order-events")))["result"]
        entries = (await self._must(self._shop("GET", "entries")))["result"]
        ended = {
            one["order_id"]: _moment(one["at"])
            for one in events
            if one["what"] == "OrderStateChanged" and one["order_id"] in self._cancelled
        }
        commitments = [
            {
                "orderId": line["order_id"],
                "at": _moment(line["at"]),
                "sku": line["sku"],
                "channel": line["channel"],
                "quantity": line["quantity"],
                "releasedAt": ended.get(line["order_id"]),
            }
            for line in admissions
            if line["mode"] != "None"
        ]
        published = [
            {"sku": entry["sku"], "channel": entry["channel"], "quantityOnStock": entry["trueStock"]}
            for entry in entries
            if entry["channel"] is not None
        ]
        body = {
            "commitments": commitments,
            "published": published,
            "drain_seconds": drain_seconds,
            "outages": [{"from": _moment(begin), "to": _moment(end)} for begin, end in outages],
        }
        said: dict[str, Any] = await self._must(self._house("POST", "verdict", body))
        return said

    async def _go_on(self, steps: list[Step], began: float, until: float) -> bool:
        """Start the next step at its time, or wait until the next report; False when the day is over."""
        due = began + (steps[-1].at_seconds if steps else self.config.seconds)
        wait = min(due, until) - self._clock.now()
        if wait > 0:
            await self._clock.sleep(wait)
        if steps and self._clock.now() >= due:
            await self._begin(steps.pop())
        return bool(steps) or self._clock.now() - began < self.config.seconds

    async def _begin(self, step: Step) -> None:
        # As many shoppers as there are: when all are busy the day waits for one, as a shop with one door does.
        await self._shopping.acquire()
        task = asyncio.create_task(self._do(step))
        self._open.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._shopping.release()
        # A failed act stays in the set, so that the end of the day raises what went wrong.
        if task.cancelled() or task.exception() is None:
            self._open.discard(task)

    async def _do(self, step: Step) -> None:
        if step.act is Act.ORDER:
            await self._order(step)
        elif step.act is Act.CANCEL:
            await self._cancel(step)
        elif step.act is Act.RETURN:
            await self._return(step)
        elif step.act is Act.THROTTLE:
            await self._throttle(step)
        elif step.act is Act.RECOUNT:
            told = await self._must(self._house("POST", "floods", {"copies": step.number}))
            self.counters["recounted"] += told["records"]
        else:
            await self._move(step)

    async def _throttle(self, step: Step) -> None:
        fault = {"route": "*", "kind": "throttled", "count": step.number}
        await self._must(self._shop("POST", "faults", fault | {"retry_after": "seconds", "seconds": 1}))
        self.counters["throttled"] += step.number

    async def _order(self, step: Step) -> None:
        bought = [
            {"sku": sku, "channel": self.config.locations[location], "quantity": pieces}
            for sku, location, pieces in step.lines
        ]
        number = self._take_number()
        body = {"lines": bought, "mode": "ReserveOnOrder", "order_number": f"CT-{number}"}
        status, said = await self._shop("POST", "orders", body)
        if status != OK:
            heapq.heappush(self._free_numbers, number)
            self.counters["refused"] += 1
            return
        order_id = said["result"]
        self._placed[step.number] = (order_id, step)
        self.counters["ordered"] += 1
        self.counters["ordered_pieces"] += sum(pieces for _, _, pieces in step.lines)
        if self.config.imports_late:
            order = (await self._must(self._shop("GET", "order", {"id": order_id})))["result"]
            await self._must(self._house("POST", "orders", _told(order, step.lines)))

    def _take_number(self) -> int:
        if self._free_numbers:
            return heapq.heappop(self._free_numbers)
        self._next_number += 1
        return self._next_number - 1

    async def _cancel(self, step: Step) -> None:
        placed = self._placed.get(step.number)
        if placed is None or await self._on_its_way(placed[0]):
            return
        del self._placed[step.number]
        self._cancelled.add(placed[0])
        await self._must(self._shop("POST", "order-cancellations", {"id": placed[0]}))
        self.counters["cancelled"] += 1
        if self.config.imports_late:
            # The house refuses when the goods have left; then they are lost to a cancelled order.
            await self._house("POST", "cancellations", {"reference": placed[0]})

    async def _on_its_way(self, order_id: str) -> bool:
        """Whether the shop shows that goods have left: then it offers no cancellation any more."""
        if self.config.imports_late:
            return False
        order = (await self._must(self._shop("GET", "order", {"id": order_id})))["result"]
        return "shipmentState" in order

    async def _return(self, step: Step) -> None:
        if self.config.imports_late:
            placed = self._placed.get(step.number)
            found = None if placed is None else (placed[0], *placed[1].lines[0][:2])
        else:
            found = await self._somebodys_goods(step.number)
        if found is None:
            return
        order_id, sku, location = found
        disposition = "sellable" if self.config.returns_sellable else "damaged"
        line = {"sku": sku, "quantity": 1, "disposition": disposition, "reason": "unwanted"}
        body = {"reference": order_id, "location": location, "lines": [line]}
        await self._must(self._house("POST", "returns", body))
        self.counters["returned"] += 1

    async def _somebodys_goods(self, number: int) -> tuple[str, str, str] | None:
        """A piece that has left the house, of an order of which nothing has come back yet."""
        shipped = [
            (order["orderId"], line["sku"], line["location"])
            for order in await self._must(self._house("GET", "orders"))
            if order["orderId"] not in self._returned
            for line in order["lines"][:1]
            if line["shipped"]
        ]
        if not shipped:
            return None
        found = shipped[number % len(shipped)]
        self._returned.add(found[0])
        return found

    async def _move(self, step: Step) -> None:
        sku, location, pieces = step.lines[0]
        body: dict[str, Any] = {"sku": sku, "location": location}
        if step.act is Act.RECEIPT:
            await self._must(self._house("POST", "receipts", body | {"quantity": pieces}))
            self.counters["received_pieces"] += pieces
            return
        breaks = step.act is Act.BREAKAGE
        act = "breakages" if breaks else "store-sales"
        status, _ = await self._house("POST", act, body | {"quantity": pieces})
        if status == OK:  # refused where nothing lies any more
            self.counters["broken" if breaks else "store_sales"] += 1

    def _phase(self, at_seconds: float) -> str:
        part = at_seconds / self.config.seconds
        return next((phase.name for phase in PHASES if part < phase.until), PHASES[-1].name)

    async def _must(self, call: Awaitable[tuple[int, Any]]) -> Any:
        status, said = await call
        if status != OK:
            raise RuntimeError(f"a simulator answered {status}: {said}")
        return said


def http_admin(session: aiohttp.ClientSession, base_url: str) -> Administer:
    """Administer a simulator in another process over HTTP."""

    async def call(method: str, name: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        url, given = f"{base_url}/_simulator/{name}", dict(body or {})
        asked: dict[str, Any] = {"params": given} if method == "GET" else {"json": given}
        limit = aiohttp.ClientTimeout(total=HTTP_SECONDS)
        async with session.request(method, url, timeout=limit, allow_redirects=False, **asked) as response:
            return response.status, await response.json(content_type=None)

    return call


def _told(order: Mapping[str, Any], lines: Sequence[tuple[str, str, int]]) -> dict[str, Any]:
    """Write what the importer is told of an order: its lines stand in the order they were bought in."""
    items = [
        {"lineRef": item["id"], "sku": sku, "quantity": pieces, "location": location}
        for item, (sku, location, pieces) in zip(order["lineItems"], lines, strict=True)
    ]
    return {
        "orderId": order["id"],
        "orderNumber": order.get("orderNumber"),
        "createdAt": order["createdAt"],
        "lines": items,
    }


def _moment(seconds: float) -> str:
    return stamp(int(seconds * 1000))
