"""The simulated source on a socket: turns aiohttp requests into exchanges and back; decides nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from archsyncd.simulators.r247.admin import Admin
from archsyncd.simulators.r247.changes import BrokenStream
from archsyncd.simulators.r247.exchange import BODY_LIMIT_BYTES, Answer, Asked
from archsyncd.simulators.r247.simulator import R247Simulator


def application(simulator: R247Simulator) -> web.Application:
    """Build the aiohttp application of a source."""
    admin = Admin(simulator)

    async def respond(request: web.Request) -> web.StreamResponse:
        url, body = request.rel_url, await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, url.raw_path, tuple(url.query.items()), headers, body)
        if asked.parts[0] == "_simulator":
            return await _send(request, admin.handle(asked))
        return await _send(request, await simulator.handle(asked))

    app = web.Application(client_max_size=2 * BODY_LIMIT_BYTES)
    app.router.add_route("*", "/{path:.*}", respond)
    return app


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.stream is not None:
        return await _stream(request, answer)
    response = web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))
    if answer.cut_after is None:
        return response
    if answer.cut_after:
        partial = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
        partial.content_length = len(answer.body)
        await partial.prepare(request)
        await partial.write(answer.body[: answer.cut_after])
    _break(request)
    return response


async def _stream(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
    if answer.cut_after is not None:
        _break(request)
        return response
    await response.prepare(request)
    assert answer.stream is not None
    try:
        async for chunk in answer.stream:
            await response.write(chunk)
    except BrokenStream:
        _break(request)
    return response


def _break(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


@asynccontextmanager
async def serve(simulator: R247Simulator, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Run the source on a socket while the block lasts, its clock's work included; yields the base address."""
    runner = web.AppRunner(
        application(simulator), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
    )
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    ticking = asyncio.create_task(_tick(simulator))
    try:
        bound = runner.addresses[0]
        yield f"http://{bound[0]}:{bound[1]}"
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        simulator.script.clear()
        await runner.cleanup()


async def _tick(simulator: R247Simulator) -> None:
    while True:
        simulator.tick()
        await simulator.clock.sleep(simulator.config.tick_seconds)
