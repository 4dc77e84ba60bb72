"""Serves a simulator over HTTP and carries out what is to go wrong on the wire; decides no answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from archsyncd.simulators.commercetools.admin import PREFIX, Administration
from archsyncd.simulators.commercetools.exchange import Delivery, Reply, Request
from archsyncd.simulators.commercetools.simulator import CommercetoolsSimulator

MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
MAXIMUM_LINE_BYTES = 65_536
CHUNK = b" " * 65_536


class Front:
    """The HTTP face of one simulator."""

    def __init__(self, simulator: CommercetoolsSimulator) -> None:
        self._simulator = simulator
        self._administration = Administration(simulator)
        self.closing = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        body = await request.read() if request.body_exists else b""
        path, _, query = request.raw_path.partition("?")
        if path.startswith(PREFIX):
            status, answer = self._administration.answer(request.method, path, query, body)
            return web.Response(status=status, body=answer, content_type="application/json")
        reply = await self._simulator.respond(Request(request.method, path, query, request.headers, body))
        if reply.delivery is Delivery.WHOLE:
            return web.Response(status=reply.status, body=reply.body, headers=reply.headers)
        return await self._spoil(request, reply)

    async def _spoil(self, request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
        if reply.delivery is Delivery.STALLED:
            await self.closing.wait()
        if reply.delivery in (Delivery.TRUNCATED, Delivery.ENDLESS):
            response = web.StreamResponse(status=reply.status, headers=reply.headers)
            if reply.delivery is Delivery.TRUNCATED:
                response.content_length = len(reply.body)
                await response.prepare(request)
                await response.write(reply.body[: len(reply.body) // 2])
            else:
                response.enable_chunked_encoding()
                await response.prepare(request)
                await self._pour(request, response)
        _cut(request)
        return web.Response(status=500)

    async def _pour(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        try:
            while not self.closing.is_set() and request.transport is not None:
                await response.write(CHUNK)
                await asyncio.sleep(0)
        except ConnectionError:
            return


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def application(simulator: CommercetoolsSimulator) -> web.Application:
    """Return an aiohttp application, whose runner should allow lines of MAXIMUM_LINE_BYTES; `serve` does and is faster."""
    front = Front(simulator)

    async def close(_: web.Application) -> None:
        front.closing.set()

    app = web.Application(client_max_size=MAXIMUM_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", front.handle)
    app.on_shutdown.append(close)
    return app


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAXIMUM_BODY_BYTES)


@asynccontextmanager
async def serve(
    simulator: CommercetoolsSimulator, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve until the block is left; gives the base URL."""
    front = Front(simulator)
    # A bare server: one handler needs no router, and the benchmark's floor is lower by its cost.
    server = web.Server(
        front.handle,
        request_factory=_request,
        access_log=None,
        max_line_size=MAXIMUM_LINE_BYTES,
        max_field_size=MAXIMUM_LINE_BYTES,
    )
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = runner.addresses[0]
        yield f"http://{address[0]}:{address[1]}"
    finally:
        front.closing.set()
        await runner.cleanup()
