"""What changes on an open screen, sent to it every second: one rendering for all viewers. Decides nothing.

A stream ends by itself before the door would cut it, and the browser comes back: a viewer who has gone, or reads nothing, keeps
no place for longer than anybody else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from archsyncd.engine.ports import Clock
from archsyncd.operator.gauges import Kept
from archsyncd.operator.page.door import CONNECTION_SECONDS
from archsyncd.operator.protocol import Refusal

STREAMS = 12
STREAM_SECONDS = CONNECTION_SECONDS - 4.0
EVERY_SECONDS = 1.0
KEEP_SECONDS = 0.9
SEND_SECONDS = 3.0
RETRY_MS = 500
Pieces = Mapping[str, str]


class Live:
    """The streams of one process. `render(topic)`: the pieces of a topic by their ids."""

    def __init__(self, clock: Clock, render: Mapping[str, Callable[[], Awaitable[Pieces]]]) -> None:
        self._clock = clock
        self._kept = {topic: Kept(clock, made, KEEP_SECONDS, cost_share=0) for topic, made in render.items()}
        self._streams = 0
        self._closing = False

    async def close(self, _application: web.Application) -> None:
        """Let streams end, so that nobody waits for them."""
        self._closing = True

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A stream of one topic; 404 for another, 503 where there are too many."""
        kept = self._kept.get(request.query.get("of", ""))
        if kept is None:
            raise web.HTTPNotFound
        if self._streams >= STREAMS:
            return web.Response(status=503, text="too many screens are live\n", headers={"Retry-After": "10"})
        self._streams += 1
        try:
            return await self._stream(request, kept)
        finally:
            self._streams -= 1

    async def _stream(self, request: web.Request, kept: Kept[Pieces]) -> web.StreamResponse:
        stream = EventSourceResponse(send_timeout=SEND_SECONDS)
        # The next stream needs a connection of its own, whose time begins with it.
        stream.headers["Connection"] = "close"
        stream.force_close()
        await kept.get()
        # Whoever leaves does so in the middle of something, and where nothing can be shown any more the stream just ends: the
        # screen says since when.
        with contextlib.suppress(ConnectionResetError, TimeoutError, Refusal):
            await stream.prepare(request)
            async with stream:
                await self._send(stream, kept)
        return stream

    async def _send(self, stream: EventSourceResponse, kept: Kept[Pieces]) -> None:
        """Send what has changed, every second, until the stream's time is over."""
        sent: Pieces = {}
        ends = self._clock.monotonic() + STREAM_SECONDS
        while not self._closing and stream.is_connected() and self._clock.monotonic() < ends:
            pieces = await kept.get()
            fresh = {name: text for name, text in pieces.items() if sent.get(name) != text}
            await stream.send(json.dumps(fresh), event="look", retry=RETRY_MS)
            sent = pieces
            await self._clock.sleep(EVERY_SECONDS)
