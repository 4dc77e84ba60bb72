"""Alerts from the running daemon to a real server: across restarts, beside the stock, and without anybody's name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import Stage
from archsyncd.operator.commands import Commands
from archsyncd.simulators.r247 import Fault, FaultKind
from tests.support.virtual_time import virtual
from tests.system.circling import HAND_OVER, buys, until
from tests.system.inside import LOCATION, Running, inside
from tests.system.test_privacy import EMAIL, FIRST, LAST, sung


class Hook:
    """Takes messages. `status`: what it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.address = ""
        self.bodies: list[dict[str, Any]] = []
        self.numbers: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if self.status // 100 == 2:
            self.bodies.append(body)
            self.numbers.append(request.headers["webhook-id"])
        return web.Response(status=self.status)

    @property
    def heads(self) -> list[str]:
        return [body["text"].split("\n")[0] for body in self.bodies]

    async def until(self, running: Running, text: str, seconds: float = 300.0) -> None:
        """Wait until a message begins so."""
        end = running.app.clock.monotonic() + seconds
        while not any(text in head for head in self.heads):
            assert running.app.clock.monotonic() < end, f"{text!r} never came: {self.heads}"
            await running.app.clock.sleep(1)


@asynccontextmanager
async def hooked() -> AsyncIterator[Hook]:
    hook, application = Hook(), web.Application()
    application.router.add_post("/hook", hook.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.address = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()


@virtual
async def test_an_unknown_sku_is_told_once_across_a_restart_and_its_end_too() -> None:
    """The daemon is stopped while the case is young, and again while its message cannot go."""
    async with inside(seed=51) as (site, house), hooked() as hook:
        site.open({"A": 10})
        more = f'[alerts]\nwebhook_url = "{hook.address}"\n'
        async with house.daemon(more=more) as running:
            await site.until_stock({"A": 10})
            site.house.warehouse.seed("Z", LOCATION, 0)
            site.house.warehouse.receipt("Z", LOCATION, 5)
            await running.until_case(CaseKind.SKU_NOT_FOUND)
        assert hook.heads == []
        hook.status = 503
        async with house.daemon() as running:
            await running.app.clock.sleep(60)
            assert "answers 503" in running.app.shared.notes["alerts by webhook"]
            site.house.warehouse.adjustment("A", LOCATION, -3)
            await site.until_stock({"A": 7})
        hook.status = 200
        async with house.daemon() as running:
            await hook.until(running, "1 open sku_not_found")
            site.shop.add_products(["Z"])
            await running.until_case(CaseKind.SKU_NOT_FOUND, open_=False)
            await hook.until(running, "over: 1 open sku_not_found")
            await running.app.clock.sleep(120)
            assert running.app.shared.notes == {}
        assert hook.heads == ["[degraded] 1 open sku_not_found", "[well] over: 1 open sku_not_found"]
        assert len(set(hook.numbers)) == 2


@virtual
async def test_f148_no_name_and_no_address_is_in_any_alert() -> None:
    """Not where Archean's rejection quotes it; neither in the body, nor in what is kept, nor in the journal."""
    async with inside(seed=52) as (site, house), hooked() as hook:
        site.open({"A": 10})
        site.shop.add_products(["Z"])
        more = f'[alerts]\nwebhook_url = "{hook.address}"\n'
        async with house.daemon(orders=HAND_OVER, more=more) as running:
            await site.until_stock({"A": 10})
            site.house.script.add(Fault(FaultKind.STATUS, endpoint="orders", times=2))
            person = {"email": EMAIL, "name": (FIRST, LAST)}
            refused = buys(site, ("Z", 1), mode="None", order_number="CT-2", **person)
            await until(running, refused, Stage.HELD, seconds=600)
            await hook.until(running, "order_rejected")
            assert sung(json.dumps(hook.bodies)) == []
            listed = await Commands(running.app).answer("alerts.list", {})
            assert sung(json.dumps(listed)) == []
            assert "order_rejected" in json.dumps(listed)
            (case,) = await running.cases(CaseKind.ORDER_REJECTED)
            assert (await Commands(running.app).answer("exceptions.retry", {"id": case.id}, "anna"))["done"]
        assert [line for line in house.journal.lines if sung(line)] == []


@virtual
async def test_a_credential_that_is_refused_at_the_start_is_told_though_there_is_no_lease() -> None:
    """Nothing can be kept before there is a lease; people are told all the same, once, and of nothing that follows from it."""
    async with inside(seed=53) as (site, house), hooked() as hook:
        site.open({"A": 10})
        more = f'[alerts]\nwebhook_url = "{hook.address}"\n'
        secret = house.place("one") / "credentials" / "commercetools-client-secret"
        secret.write_text("the wrong one")
        async with house.daemon(ready=False, quiet=False, lease_seconds=30, more=more) as running:
            await hook.until(running, "[critical] commercetools refuses our credential")
            await running.app.clock.sleep(1_800)
            assert len(hook.heads) == 1
            assert not running.app.ready.is_set()
            assert await running.app.store.alerts.causes() == {}


@virtual
async def test_a_copied_database_is_told_though_nothing_is_written_there() -> None:
    """Whoever started the wrong host gets a message, and the copy keeps none of it."""
    async with inside(seed=54) as (site, house), hooked() as hook:
        site.open({"A": 10})
        more = f'[alerts]\nwebhook_url = "{hook.address}"\n'
        async with house.daemon(more=more) as running:
            await site.until_stock({"A": 10})
        async with house.daemon(host="b", ready=False, quiet=False) as running:
            hook.status = 503
            await running.app.clock.sleep(60)
            hook.status = 200
            await hook.until(running, "[critical] the database was made on another host")
            await running.app.clock.sleep(1_800)
            assert len(hook.heads) == 1
            assert ("copied", "") not in await running.app.store.alerts.causes()


@virtual
async def test_what_was_told_while_waiting_for_the_lease_is_over_once_it_is_held() -> None:
    """A second host waits while the first one works: told once, and its end, from what was handed over."""
    async with inside(seed=55) as (site, house), hooked() as hook:
        site.open({"A": 10})
        more = f'[alerts]\nwebhook_url = "{hook.address}"\n'
        async with house.daemon(quiet=False, lease_seconds=30) as first:
            await site.until_stock({"A": 10})
            async with house.daemon("two", ready=False, quiet=False, lease_seconds=30, more=more) as second:
                await hook.until(second, "nothing is written here", seconds=600)
                first.app.stop()
                await hook.until(second, "over: nothing is written here", seconds=900)
                assert len(hook.heads) == 2
