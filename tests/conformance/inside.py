"""A simulated source asked without sockets, in virtual time, and what may be done to its answers on the way."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

from archsyncd.adapters.r247_pull.caller import JSON, Call
from archsyncd.conformance.asking import Reply, told
from archsyncd.conformance.findings import Finding, Report, Verdict
from archsyncd.conformance.pull import Wishes, verify_pull
from archsyncd.simulators.r247 import Asked, AskedLine, AskedOrder, Auth, R247Config, R247Simulator
from tests.support.virtual_time import VirtualClock
from tests.system.inside import SiteClock

SECRET = "s3cret"
Spoil = Callable[[str, Reply], Reply]


@dataclass(slots=True)
class Inside:
    """The source. `spoil` may change an answer; `writes` counts what was not a GET."""

    simulator: R247Simulator
    clock: VirtualClock
    spoil: Spoil = lambda _, reply: reply
    writes: int = 0

    async def ask(self, call: Call, *, credential: bool = True) -> Reply:
        """Ask once, as over HTTP; a broken or late answer is a fault."""
        self.writes += call.method != "GET"
        asked, began = told(call), self.clock.monotonic()
        headers = {"accept": call.accept} | ({"authorization": f"Bearer {SECRET}"} if credential else {})
        raw = b"" if call.body is None else json.dumps(call.body).encode()
        try:
            async with asyncio.timeout(call.wait_seconds + 30.0):
                answer = await self.simulator.handle(Asked(call.method, call.path, call.query, headers, raw))
        except TimeoutError:
            return Reply(asked, fault="no answer within 30 s", seconds=self.clock.monotonic() - began)
        seconds = self.clock.monotonic() - began
        if answer.stream is not None:
            answer = replace(answer, body=b"".join([piece async for piece in answer.stream]))
        if answer.cut_after is not None:
            return Reply(asked, fault="ClientPayloadError", seconds=seconds)
        headers = dict(answer.headers)
        reply = Reply(
            asked,
            answer.status,
            answer.body,
            headers.get("content-type", ""),
            headers.get("retry-after"),
            formatdate(self.clock.wall_ms() / 1000, usegmt=True),
            seconds=seconds,
        )
        return self.spoil(call.path, reply)


@asynccontextmanager
async def trading(**settings: Any) -> AsyncIterator[Inside]:
    """A source with some stock and history, whose time goes on."""
    clock = VirtualClock()
    config: dict[str, Any] = {
        "locations": ("WH1", "WH2"),
        "auth": Auth.BEARER,
        "credential": SECRET,
        "page_limit": 50,
    }
    simulator = R247Simulator(R247Config(**(config | settings)), SiteClock(clock), random.Random(3))
    house = simulator.warehouse
    for number in range(12):
        house.seed(f"SKU-{number}", "WH1", 20 + number)
        house.seed(f"SKU-{number}", "WH2", 5)
    for number in range(12):
        house.store_sale(f"SKU-{number}", "WH1", 1)
        house.receipt(f"SKU-{number}", "WH2", 2)
    order = AskedOrder("o-1", "CT-1", clock.wall_ms(), (AskedLine("l1", "SKU-1", 2, "WH1"),))
    house.book.take(order)

    async def tick() -> None:
        while True:
            simulator.tick()
            await clock.sleep(0.05)

    ticking = asyncio.create_task(tick())
    try:
        yield Inside(simulator, clock)
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)


async def verified(source: Inside, **wishes: Any) -> Report:
    """The report on a source."""
    return await verify_pull(source, "http://here", Wishes(**wishes), source.clock)


def failing(report: Report) -> dict[str, Finding]:
    """What does not hold, by the rules' names."""
    return {each.rule.name: each for each in report.of(Verdict.FAILS)}


def in_json(change: Callable[[str, dict[str, Any]], Any], path: str = "/v1/changes") -> Spoil:
    """An answer's JSON changed on the way, of one path (and what lies below it) alone."""

    def spoil(asked: str, reply: Reply) -> Reply:
        if reply.content_type != JSON or reply.status != 200 or not asked.startswith(path):
            return reply
        members = json.loads(reply.body)
        changed = change(reply.asked, members)
        return replace(reply, body=json.dumps(members if changed is None else changed).encode())

    return spoil
