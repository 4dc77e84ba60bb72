"""The control socket's server: clients within limits, one request line and one answer line at a time. Knows no verb's meaning.

Who may ask is decided by the file's group and mode alone: under PrivateUsers= peers cannot be told apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from archsyncd.operator.commands import Commands
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.protocol import (
    ANSWER_LIMIT_BYTES,
    EXIT_CRITICAL,
    EXIT_UNREACHED,
    EXIT_USAGE,
    LINE_LIMIT_BYTES,
    Refusal,
    read_request,
)
from archsyncd.operator.sockets import Listening, listen

CHUNK_BYTES = 16 * 1024
TICK_SECONDS = 1.0
NO_HANDLES_SECONDS = 1.0
WATCH = "watch"
_LOG = logging.getLogger("archsyncd.operator")


@dataclass(frozen=True, slots=True)
class ControlLimits:
    """Bounds on clients. `half_line_seconds`: from a line's first byte to its end; `write_seconds`: to take an answer."""

    clients: int = 32
    line_bytes: int = LINE_LIMIT_BYTES
    idle_seconds: float = 60.0
    half_line_seconds: float = 5.0
    write_seconds: float = 10.0


class ControlServer:
    """Listens from `start` to `close`; belongs to one event loop."""

    def __init__(
        self,
        daemon: Daemon,
        passed: socket.socket | None = None,
        limits: ControlLimits | None = None,
    ) -> None:
        """`passed`: the socket that systemd opened, if it did."""
        self._daemon = daemon
        self._passed = passed
        self._limits = limits or ControlLimits()
        self._commands = Commands(daemon)
        self._listening: Listening | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Raises Fatal when that is not possible."""
        self._listening = listen(self._daemon.settings.daemon.control_socket, self._passed)
        for work, name in ((self._accept(self._listening.socket), "control"), (self._tick(), "control-tick")):
            self._tasks.add(asyncio.create_task(work, name=name))

    async def close(self) -> None:
        """Let nobody in any more and send everybody away."""
        tasks = [*self._tasks, *self._clients]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._commands.backlog_desk.close()
        self._tasks.clear()
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def _tick(self) -> None:
        while True:
            self._daemon.desk.tick()
            self._commands.backlog_desk.tick()
            await self._daemon.clock.sleep(TICK_SECONDS)

    async def _accept(self, listening: socket.socket) -> None:
        while True:
            await _readable(listening)
            try:
                # Taken in one breath with its task: a stop between the two would leave a client that nobody closes.
                client, _ = listening.accept()
            except BlockingIOError:
                continue  # the client left before it was let in
            except OSError as error:
                _LOG.warning("the control socket cannot take a client: %s", error.strerror)
                await self._daemon.clock.sleep(NO_HANDLES_SECONDS)
                continue
            client.setblocking(False)
            if len(self._clients) >= self._limits.clients:
                _send_away(client)
                continue
            task = asyncio.create_task(self._client(client), name="control-client")
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
            # One that is cancelled before its first step never comes to its own end.
            task.add_done_callback(lambda _, client=client: client.close())  # type: ignore[misc]

    async def _client(self, client: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(sock=client, limit=CHUNK_BYTES)
        except BaseException:
            # The server closes in this very moment: nobody else would close what was just taken in.
            client.close()
            raise
        talk = Conversation(reader, writer, self._limits)
        try:
            await self._converse(talk)
            await talk.bye()
        except (ConnectionError, TimeoutError):
            pass  # the client left, or does not take its answer
        finally:
            writer.transport.abort()

    async def _converse(self, talk: Conversation) -> None:
        while True:
            try:
                line = await talk.line()
            except Refusal as refusal:
                await talk.say(_refused(refusal))
                return
            if line is None:
                return
            try:
                verb, arguments, by = read_request(line)
            except Refusal as refusal:
                await talk.say(_refused(refusal))
                continue
            if verb == WATCH:
                await self._watch(talk)
                return
            await talk.say(await self._answer(verb, arguments, by))

    async def _answer(self, verb: str, arguments: Mapping[str, Any], by: str = "") -> bytes:
        try:
            data = await self._commands.answer(verb, arguments, by)
            answer = orjson.dumps({"ok": True, "data": data})
        except Refusal as refusal:
            return _refused(refusal)
        except Exception:  # noqa: BLE001 - one verb's fault must not end the server, nor show its inside
            _LOG.exception("the verb %r failed", verb[:64])
            return _refused(Refusal("The daemon failed at this; the journal says more.", EXIT_CRITICAL))
        if len(answer) > ANSWER_LIMIT_BYTES:
            return _refused(Refusal("The answer is too long to be told at once.", EXIT_USAGE))
        return answer

    async def _watch(self, talk: Conversation) -> None:
        """One status a second until the client says anything or leaves."""
        gone = asyncio.create_task(talk.gone())
        pause = None
        try:
            while not gone.done():
                await talk.say(await self._answer("status", {}))
                pause = asyncio.create_task(self._daemon.clock.sleep(TICK_SECONDS))
                await asyncio.wait({gone, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, pause):
                if task is not None:
                    task.cancel()
            await asyncio.gather(*(task for task in (gone, pause) if task), return_exceptions=True)


@asynccontextmanager
async def serving(daemon: Daemon, passed: socket.socket | None = None) -> AsyncIterator[ControlServer]:
    """Serve operators for as long as the context lasts. Raises Fatal when the socket cannot be had."""
    server = ControlServer(daemon, passed)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


class Conversation:
    """Lines from and to one client, within limits of size and time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: ControlLimits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._buffer = b""

    async def line(self) -> bytes | None:
        """The next line, None when the client left or was idle for too long. Raises Refusal."""
        if not self._buffer:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    self._buffer = await self._reader.read(CHUNK_BYTES)
            except TimeoutError:
                return None
            if not self._buffer:
                return None
        try:
            async with asyncio.timeout(self._limits.half_line_seconds):
                return await self._rest_of_line()
        except TimeoutError:
            seconds = self._limits.half_line_seconds
            raise Refusal(f"The request did not end within {seconds:g} s.", EXIT_USAGE) from None

    async def _rest_of_line(self) -> bytes | None:
        while b"\n" not in self._buffer:
            if len(self._buffer) > self._limits.line_bytes:
                break
            more = await self._reader.read(CHUNK_BYTES)
            if not more:
                return None
            self._buffer += more
        line, _, rest = self._buffer.partition(b"\n")
        if len(line) > self._limits.line_bytes:
            raise Refusal(f"The request is longer than {self._limits.line_bytes // 1024} KiB.", EXIT_USAGE)
        self._buffer = rest
        return line

    async def say(self, answer: bytes) -> None:
        """Send one line. Raises TimeoutError when the client does not take it."""
        self._writer.write(answer + b"\n")
        async with asyncio.timeout(self._limits.write_seconds):
            await self._writer.drain()

    async def bye(self) -> None:
        """Close once everything said has left. Raises TimeoutError when the client does not take it."""
        self._writer.close()
        async with asyncio.timeout(self._limits.write_seconds):
            await self._writer.wait_closed()

    async def gone(self) -> None:
        """Wait until the client says anything or leaves."""
        with contextlib.suppress(ConnectionError):
            await self._reader.read(1)


async def _readable(listening: socket.socket) -> None:
    """Wait until somebody knocks."""
    loop = asyncio.get_running_loop()
    knocked = loop.create_future()
    loop.add_reader(listening, lambda: None if knocked.done() else knocked.set_result(None))
    try:
        await knocked
    finally:
        loop.remove_reader(listening)


def _refused(refusal: Refusal) -> bytes:
    return orjson.dumps({"ok": False, "error": refusal.sentence, "code": refusal.code})


def _send_away(client: socket.socket) -> None:
    busy = Refusal("Too many clients are connected; try again in a moment.", EXIT_UNREACHED)
    with contextlib.suppress(OSError):
        client.setblocking(False)
        client.send(_refused(busy) + b"\n")
    client.close()
