"""The simulated source: routes a request past its faults to what answers it; must not know of sockets."""

import base64
import hmac
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace

from archsyncd.simulators.r247.changes import ChangeFeed
from archsyncd.simulators.r247.config import Auth, Clock, R247Config
from archsyncd.simulators.r247.desk import OrderDesk, Said
from archsyncd.simulators.r247.drop import DropFault
from archsyncd.simulators.r247.exchange import Answer, Asked, Problem, answer, parameters
from archsyncd.simulators.r247.faults import SNAPSHOT_KINDS, Fault, FaultKind, Script, poison
from archsyncd.simulators.r247.snapshots import Snapshots
from archsyncd.simulators.r247.staff import Acceptance, Agenda, Floor, OrderImporter
from archsyncd.simulators.r247.warehouse import Warehouse

ELSEWHERE = "https://elsewhere.example/v1/changes?cursor="
LINKS = re.compile(rb'"(next|nextPage|cursor)":"')
UNAUTHORISED = 401
METHODS = {
    "changes": "GET",
    "ack": "POST",
    "snapshots": "GET, POST",
    "stock": "GET",
    "locations": "GET",
    "orders": "GET, PUT, POST",
    "fulfilments": "POST",
}


class R247Simulator:
    """An Archean R247 that speaks r247/1 (sections 1, 2 and 9) over `handle`, with a warehouse behind it.

    `tick` does what is due by the clock: imports, acceptances, floor work, heartbeats, retention. `serve` calls it.
    """

    def __init__(self, config: R247Config, clock: Clock, chance: random.Random) -> None:
        self.config = config
        self.clock = clock
        self.script = Script()
        self.warehouse = Warehouse(config, clock, chance)
        self.log = self.warehouse.log
        self.agenda = Agenda(clock)
        self.importer = OrderImporter(config, self.warehouse, self.agenda, chance)
        self.changes = ChangeFeed(config, self.log, clock, chance)
        self.snapshots = Snapshots(config, self.warehouse, clock, self.script)
        acceptance = Acceptance(config, self.warehouse, self.agenda, chance)
        self.desk = OrderDesk(config, self.warehouse, acceptance.later)
        self.requests: dict[str, int] = {}
        self.drop_faults: list[DropFault] = []
        if config.floor_seconds is not None:
            floor = Floor(config, config.floor_seconds, self.warehouse, self.agenda, chance)
            self.warehouse.book.listeners.append(floor.begin)

    def tick(self) -> None:
        """Do what is due now."""
        self.agenda.run()
        if self.log.now_ms() - self.log.head_at_ms >= self.config.heartbeat_seconds * 1000:
            self.warehouse.heartbeat()
        self.log.prune()

    def poison(self, kind: str, sku: str, location: str) -> int:
        """Write a wrong record into the feed (kinds: `faults.POISONS`); return its seq."""
        text = poison(kind, json.dumps(sku), json.dumps(location))
        return self.log.append_raw(text, kind="stock.level", location=location)

    def flood(self, copies: int) -> int:
        """Recount every holding so many times without a change; return how many records were written."""
        keys = list(self.warehouse.room.holdings.items())
        for _ in range(copies):
            for (sku, location), holding in keys:
                self.warehouse.room.recount(sku, location, holding.on_hand)
        return copies * len(keys)

    async def handle(self, asked: Asked) -> Answer:
        """Answer one request as the source would, scripted faults included."""
        parts = asked.parts
        endpoint = parts[1] if len(parts) > 1 and parts[0] == "v1" else ""
        if endpoint not in METHODS:
            return Problem(404, "not_found", "nothing answers at this path").answer()
        self.requests[endpoint] = self.requests.get(endpoint, 0) + 1
        hits = self.script.strike(endpoint, set(FaultKind) - SNAPSHOT_KINDS)
        refused = await self._refuse(hits)
        if refused is not None:
            return refused
        try:
            self._authorise(asked)
            told = await self._route(asked, parts, hits)
        except Problem as problem:
            told = problem.answer({"www-authenticate": "Bearer"} if problem.status == UNAUTHORISED else None)
        return _tear(told, hits)

    async def _refuse(self, hits: Sequence[Fault]) -> Answer | None:
        """Let the faults act that come before anything is done."""
        for fault in hits:
            if fault.kind is FaultKind.SLOW:
                await self.clock.sleep(fault.seconds)
            elif fault.kind is FaultKind.STALL:
                await self.script.cleared()
                return Answer(503, cut_after=0)
            elif fault.kind is FaultKind.DROP_BEFORE:
                return Answer(503, cut_after=0)
            elif fault.kind is FaultKind.STATUS:
                headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
                return Problem(fault.status, "scripted", "a scripted fault").answer(headers)
            elif fault.kind is FaultKind.REDIRECT:
                return Answer(302, headers={"location": ELSEWHERE})
            elif fault.kind is FaultKind.EXPIRED:
                return Problem(410, "cursor_expired", "records after the cursor are no longer kept").answer()
            elif fault.kind is FaultKind.EPOCH:
                return Problem(410, "epoch_changed", "the feed begins another epoch").answer()
        return None

    def _authorise(self, asked: Asked) -> None:
        mode, secret = self.config.auth, self.config.credential
        if mode is Auth.NONE:
            return
        given = asked.headers.get("x-api-key" if mode is Auth.API_KEY else "authorization", "")
        wanted = secret
        if mode is Auth.BEARER:
            wanted = f"Bearer {secret}"
        elif mode is Auth.BASIC:
            wanted = f"Basic {base64.b64encode(secret.encode()).decode()}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Problem(401, "unauthorised", "credentials are missing or wrong")

    async def _route(self, asked: Asked, parts: tuple[str, ...], hits: Sequence[Fault]) -> Answer:
        match (asked.method, *parts[1:]):
            case ("GET", "changes"):
                return await self.changes.changes(asked, hits)
            case ("POST", "ack"):
                return self.changes.acknowledge(asked)
            case ("POST", "snapshots"):
                return self.snapshots.order(asked)
            case ("GET", "snapshots", snapshot_id):
                return self.snapshots.page(asked, snapshot_id)
            case ("GET", "stock"):
                return self.snapshots.stock(asked)
            case ("GET", "stock", sku):
                return self.snapshots.one(asked, sku)
            case ("GET", "locations"):
                return self.snapshots.locations(asked)
        return self._desk(asked, parts)

    def _desk(self, asked: Asked, parts: tuple[str, ...]) -> Answer:
        endpoint = parts[1]
        if endpoint in {"orders", "fulfilments"} and not self.config.offers_orders:
            raise Problem(404, "not_offered", "this source takes no orders")
        match (asked.method, *parts[1:]):
            case ("PUT", "orders", order_id):
                parameters(asked, ())
                return _said(self.desk.put(order_id, asked.body))
            case ("GET", "orders", reference):
                parameters(asked, ())
                return _said(self.desk.get(reference))
            case ("POST", "orders", order_id, "cancellation"):
                parameters(asked, ())
                return _said(self.desk.cancel(order_id, asked.body))
            case ("POST", "fulfilments", fulfilment_id, "acknowledgement"):
                parameters(asked, ())
                return _said(self.desk.acknowledge(fulfilment_id, asked.body))
        return Problem(405, "method_not_allowed", "this is not how to ask here").answer(
            {"allow": METHODS[endpoint]}
        )


def _said(said: Said) -> Answer:
    status, body = said
    return Answer(status) if body is None else answer(status, body)


def _tear(told: Answer, hits: Sequence[Fault]) -> Answer:
    """Let the faults act that spoil a finished answer."""
    for fault in hits:
        if fault.kind is FaultKind.DROP_AFTER:
            told = replace(told, cut_after=0)
        elif fault.kind is FaultKind.CUT_BODY:
            told = replace(told, cut_after=max(1, len(told.body) // 2))
        elif fault.kind is FaultKind.GARBAGE:
            told = replace(told, body=b"<html>maintenance</html>")
        elif fault.kind is FaultKind.FOREIGN_NEXT:
            told = replace(told, body=LINKS.sub(rb'"\1":"' + ELSEWHERE.encode(), told.body))
    return told
