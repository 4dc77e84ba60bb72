"""The simulator as a process of its own, and as an aiohttp application."""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from archsyncd.simulators.commercetools import ApiClient
from tests.simulators.commercetools.caller import Caller, basic

SOURCE = Path(__file__).parents[3] / "daemon"


async def test_standalone_process_serves_and_is_administered() -> None:
    """The first line of output is the URL; a token is granted, a channel made; SIGTERM ends it cleanly."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "archsyncd.simulators.commercetools",
        "--project-key=shop",
        "--client-id=me",
        env={**os.environ, "PYTHONPATH": str(SOURCE), "ARCHSYNCD_SIMULATOR_SECRET": "s3cret"},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{url}/_simulator/channels", json={"key": "wh-1"}) as response:
            assert response.status == 200
        headers = {"Authorization": basic(ApiClient("me", "s3cret"))}
        form = {"grant_type": "client_credentials"}
        async with session.post(f"{url}/oauth/token", data=form, headers=headers) as response:
            token = (await response.json())["access_token"]
        async with session.get(
            f"{url}/shop/channels", headers={"Authorization": f"Bearer {token}"}
        ) as response:
            assert (await response.json())["results"][0]["key"] == "wh-1"
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    await process.stdout.read()


async def test_application_runs_under_any_aiohttp_runner() -> None:
    """The application answers as `serve` does and stops with a stalled request under way."""
    caller = Caller()
    await caller.token()
    caller.simulator.faults.add("channels.query", "stall", skip=1)
    runner = web.AppRunner(caller.simulator.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
        async with session.get("/demo/channels", headers=caller.headers) as response:
            assert response.status == 200
        stalled = asyncio.create_task(
            session.post("/demo/custom-objects", headers=caller.headers, data=b"{}")
        )
        stalled_get = asyncio.create_task(session.get("/demo/channels", headers=caller.headers))
        assert (await asyncio.wait_for(stalled, 10)).status == 400
        await runner.cleanup()
        result = await asyncio.wait_for(asyncio.gather(stalled_get, return_exceptions=True), 10)
        assert isinstance(result[0], aiohttp.ClientError)
