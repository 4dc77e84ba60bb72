"""A TCP proxy that does what networks do: resets, stalls, slices, loses answers, repeats requests late.

Knows bytes only, so TLS goes through it too. One fate is taken from `script` for each exchange (a request and its
answer on one connection); when the script is empty, everything passes.

    async with ChaosProxy("127.0.0.1", server_port) as proxy:
        proxy.script.append(Fate(Kind.DROP_ANSWER))
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close() sends RST


class Kind(enum.Enum):
    """What becomes of an exchange."""

    PASS = enum.auto()
    RESET_AT_CONNECT = enum.auto()  # RST as soon as the connection is accepted
    RESET_REQUEST = enum.auto()  # RST after `after_bytes` of the request; those bytes are not forwarded
    RESET_ANSWER = enum.auto()  # RST after `after_bytes` of the answer reached the client
    CLOSE_ANSWER = enum.auto()  # FIN instead of RST, after `after_bytes` of the answer
    STALL_CONNECT = enum.auto()  # accepted, then silence; nothing is forwarded, ever
    STALL_REQUEST = enum.auto()  # the request is swallowed and never answered
    STALL_ANSWER = enum.auto()  # silence after `after_bytes` of the answer
    SLICE = enum.auto()  # the answer arrives in pieces of `slice_bytes`
    DROP_ANSWER = enum.auto()  # forwarded and applied; the answer is lost and the connection reset
    DUPLICATE_LATE = enum.auto()  # passes; its bytes are sent once more by `repeat_late()`


@dataclass(frozen=True, slots=True)
class Fate:
    """One exchange's fate."""

    kind: Kind
    after_bytes: int = 0
    slice_bytes: int = 1


_PASS = Fate(Kind.PASS)


class ChaosProxy:
    """Listens on a loopback port and relays to the target, one fate per exchange."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._late: list[bytes] = []
        self.script: deque[Fate] = deque()
        self.connections = 0
        self.exchanges = 0
        # Set whenever an exchange met its fate, so that tests wait for it instead of sleeping.
        self.struck = asyncio.Event()

    @property
    def port(self) -> int:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        assert isinstance(port, int)
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def repeat_late(self) -> None:
        """Send every request kept by DUPLICATE_LATE once more and wait for its answer, which nobody sees."""
        for request in self._late:
            reader, writer = await asyncio.open_connection(*self._target)
            writer.write(request)
            await writer.drain()
            await reader.read(CHUNK_BYTES)
            await _shut(writer)
        self._late.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await _Relay(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            # The proxy closes: its connections end without an error of their own.
            pass
        finally:
            self._tasks.discard(task)
            await _shut(writer)

    def next_fate(self) -> Fate:
        """Take the next exchange's fate."""
        self.exchanges += 1
        return self.script.popleft() if self.script else _PASS

    def refuses(self) -> Fate | None:
        """Take the fate that strikes at connect, if that is what comes next."""
        if self.script and self.script[0].kind in {Kind.RESET_AT_CONNECT, Kind.STALL_CONNECT}:
            return self.script.popleft()
        return None

    def keep_for_late(self, request: bytes) -> None:
        """Remember a request's bytes."""
        self._late.append(request)

    async def open_target(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to what stands behind."""
        return await asyncio.open_connection(*self._target)


class _Relay:
    """One connection: the client's side and the target's, and the fate of the exchange under way."""

    def __init__(self, proxy: ChaosProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client_reader, self._client = reader, writer
        self._fate = _PASS
        self._answering = True  # the next request bytes begin an exchange
        self._passed_bytes = 0
        self._request = bytearray()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        fate = self._proxy.refuses()
        if fate is not None:
            self._proxy.struck.set()
            if fate.kind is Kind.STALL_CONNECT:
                await self._until_client_leaves()
            _reset(self._client)
            return
        reader, target = await self._proxy.open_target()
        pumps = [asyncio.create_task(self._upwards(target)), asyncio.create_task(self._downwards(reader))]
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait([*pumps, ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Closed before anything is awaited: this task may be cancelled at every await.
            target.close()
            for task in (*pumps, ended):
                task.cancel()
            await asyncio.gather(*pumps, ended, return_exceptions=True)
            await _shut(target)

    async def _until_client_leaves(self) -> None:
        while await self._client_reader.read(CHUNK_BYTES):
            continue

    async def _upwards(self, target: asyncio.StreamWriter) -> None:
        while chunk := await self._client_reader.read(CHUNK_BYTES):
            if self._answering:
                self._begin()
            self._request += chunk
            if self._fate.kind is Kind.RESET_REQUEST:
                if len(self._request) >= self._fate.after_bytes:
                    self._strike()
                continue
            if self._fate.kind is Kind.STALL_REQUEST:
                self._proxy.struck.set()
                continue
            target.write(chunk)
            await target.drain()

    def _begin(self) -> None:
        self._fate = self._proxy.next_fate()
        self._answering = False
        self._passed_bytes = 0
        self._request.clear()

    async def _downwards(self, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if not self._answering:
                self._answering = True
                if self._fate.kind is Kind.DUPLICATE_LATE:
                    self._proxy.keep_for_late(bytes(self._request))
                    self._proxy.struck.set()
            await self._pass_down(chunk)

    async def _pass_down(self, chunk: bytes) -> None:
        kind = self._fate.kind
        if kind is Kind.DROP_ANSWER:
            self._strike()
            return
        if kind in {Kind.RESET_ANSWER, Kind.CLOSE_ANSWER, Kind.STALL_ANSWER}:
            room = max(self._fate.after_bytes - self._passed_bytes, 0)
            chunk, cut = chunk[:room], len(chunk) > room
            await self._send_down(chunk)
            if cut:
                self._cut(kind)
            return
        await self._send_down(chunk)

    def _cut(self, kind: Kind) -> None:
        if kind is Kind.RESET_ANSWER:
            self._strike()
        elif kind is Kind.CLOSE_ANSWER:
            self._proxy.struck.set()
            self._ended.set()
        else:
            self._proxy.struck.set()

    async def _send_down(self, chunk: bytes) -> None:
        self._passed_bytes += len(chunk)
        size = self._fate.slice_bytes if self._fate.kind is Kind.SLICE else max(len(chunk), 1)
        for start in range(0, len(chunk), size):
            self._client.write(chunk[start : start + size])
            await self._client.drain()
            await asyncio.sleep(0)

    def _strike(self) -> None:
        self._proxy.struck.set()
        _reset(self._client)
        self._ended.set()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
