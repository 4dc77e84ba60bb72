"""The control socket against clients of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, Fatal
from archsyncd.operator.control import ControlLimits, ControlServer
from archsyncd.operator.protocol import LINE_LIMIT_BYTES
from archsyncd.operator.sockets import listen
from tests.operator.daemon import raw, served, small_daemon
from tests.support.virtual_time import virtual


def open_handles() -> int:
    """How many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


STATUS = b'{"verb": "status", "arguments": {}}\n'


@virtual
async def test_an_answer_is_one_json_line(tmp_path: Path) -> None:
    """A request line is answered by one line that says ok and carries data."""
    async with served(tmp_path) as daemon:
        answer = json.loads(await raw(daemon, STATUS, end=True))
        assert answer["ok"] is True
        assert answer["data"]["verdict"] == "healthy"


@virtual
async def test_one_connection_serves_many_requests(tmp_path: Path) -> None:
    """Lines that arrive together are answered one after another, a bad one among them too."""
    async with served(tmp_path) as daemon:
        reader, writer = await asyncio.open_unix_connection(str(daemon.settings.daemon.control_socket))
        writer.write(STATUS + b'nonsense\n{"verb": "fly"}\n' + STATUS)
        found = [json.loads(await reader.readline()) for _ in range(4)]
        writer.close()
        assert [each["ok"] for each in found] == [True, False, False, True]
        assert found[1]["code"] == found[2]["code"] == 64
        assert "'fly'" in found[2]["error"]


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b'{"verb": 3}',
        b'{"verb": "status", "arguments": []}',
        b'{"verb": "status", "more": 1}',
        b'{"verb": "status", "arguments": {"x": 1}}',
        b'{"verb": "exceptions.show", "arguments": {"id": true}}',
        b'{"verb": "exceptions.show", "arguments": {"id": 99999999999999999999999}}',
        b'{"verb": "exceptions.list", "arguments": {"kind": "no_such"}}',
        b'{"verb": "sku", "arguments": {"sku": ["a"]}}',
        b'{"verb": "plan", "arguments": {"channel": 1}}',
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_a_sentence(tmp_path: Path, line: bytes) -> None:
    """No malformed request ends the connection without a word, and none is taken."""

    @virtual
    async def check() -> None:
        async with served(tmp_path) as daemon:
            answer = json.loads(await raw(daemon, line + b"\n", end=True))
            assert answer["ok"] is False
            assert answer["code"] == 64
            assert answer["error"].endswith(".")

    check()


@virtual
async def test_f169_a_huge_line_is_cut_off(tmp_path: Path) -> None:
    """A line beyond the limit is refused before it is held whole, and the connection ends."""

    def flood(path: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(1_000):
                    client.sendall(b"x" * LINE_LIMIT_BYTES)
            return client.makefile("rb").readline()

    async with served(tmp_path) as daemon:
        path = str(daemon.settings.daemon.control_socket)
        answer = json.loads(await asyncio.to_thread(flood, path))
        assert "longer than 64 KiB" in answer["error"]
        assert answer["code"] == 64


@virtual
async def test_f169_half_a_line_is_not_waited_for(tmp_path: Path) -> None:
    """A client that begins a line and trickles on is told so and cut off when its time is over."""
    async with served(tmp_path) as daemon:
        began = daemon.clock.monotonic()
        answer = json.loads(await raw(daemon, b'{"verb": '))
        assert "did not end within 5 s" in answer["error"]
        assert daemon.clock.monotonic() - began < 6


@virtual
async def test_f169_an_idle_client_is_let_go(tmp_path: Path) -> None:
    """A client that never says anything does not hold a place for ever."""
    async with served(tmp_path) as daemon:
        began = daemon.clock.monotonic()
        assert await raw(daemon) == b""
        assert daemon.clock.monotonic() - began < 61


@virtual
async def test_f169_a_client_that_takes_no_answer_is_cut_off(tmp_path: Path) -> None:
    """A client that asks and never reads is dropped, and others are served meanwhile."""
    limits = ControlLimits(write_seconds=2.0)
    async with served(tmp_path, limits=limits) as daemon:
        deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        deaf.connect(str(daemon.settings.daemon.control_socket))
        with contextlib.suppress(BlockingIOError):
            for _ in range(5_000):
                deaf.send(STATUS)
                await asyncio.sleep(0)
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True
        await daemon.clock.sleep(5)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            deaf.send(STATUS)
        deaf.close()


@virtual
async def test_f169_a_thousand_connections_leave_room_for_nobody_but_no_trace(tmp_path: Path) -> None:
    """Beyond 32 clients each further one is told so and closed; when they leave, the next one is served."""
    async with served(tmp_path) as daemon:
        path = str(daemon.settings.daemon.control_socket)
        handles = open_handles()
        crowd: list[socket.socket] = []
        refused = 0
        for _ in range(1_000):
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            client.connect(path)
            for _ in range(4):
                await asyncio.sleep(0)
            with contextlib.suppress(BlockingIOError):
                answer = json.loads(client.recv(10_000))
                assert answer["code"] == 3
                refused += 1
                client.close()
                continue
            crowd.append(client)
        assert len(crowd) == 32
        assert refused == 968
        for client in crowd:
            client.close()
        await daemon.clock.sleep(1)
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True
        await daemon.clock.sleep(1)
        assert open_handles() == handles


@virtual
async def test_watch_tells_a_status_a_second_until_the_client_leaves(tmp_path: Path) -> None:
    """A watcher gets one status at once and one each second; its place is free when it leaves."""
    async with served(tmp_path, limits=ControlLimits(clients=1)) as daemon:
        reader, writer = await asyncio.open_unix_connection(str(daemon.settings.daemon.control_socket))
        began = daemon.clock.monotonic()
        writer.write(b'{"verb": "watch"}\n')
        found = [json.loads(await reader.readline())["data"] for _ in range(4)]
        assert 2.9 < daemon.clock.monotonic() - began < 3.5
        assert len({each["at"] for each in found}) == 4
        writer.close()
        await daemon.clock.sleep(1)
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True


@virtual
async def test_the_socket_is_for_owner_and_group_only(tmp_path: Path) -> None:
    """The socket's mode is 0660 whatever the umask, and the file goes when the server does."""
    before = os.umask(0)
    try:
        async with served(tmp_path) as daemon:
            path = daemon.settings.daemon.control_socket
            assert stat.S_IMODE(path.lstat().st_mode) == 0o660
    finally:
        os.umask(before)
    assert not path.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can ask as another user")
@virtual
async def test_f169_another_user_outside_the_group_is_turned_away(tmp_path: Path) -> None:
    """Whoever is neither owner nor in the socket's group cannot connect."""
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o011)
    async with served(tmp_path) as daemon:
        path = daemon.settings.daemon.control_socket
        script = f"""
import os, socket
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    socket.socket(socket.AF_UNIX).connect({str(path)!r})
    print("let in")
except PermissionError:
    print("turned away")
"""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert out == b"turned away\n"


@virtual
async def test_f161_a_second_daemon_does_not_take_the_socket(tmp_path: Path) -> None:
    """A socket on which somebody listens is left alone and the second daemon ends with 73."""
    async with served(tmp_path) as daemon:
        with pytest.raises(Fatal) as fatal:
            await ControlServer(daemon, None).start()
        assert fatal.value.code == EXIT_FENCED_OFF
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True


@virtual
async def test_a_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    """A socket file that nobody listens on any more does not stop the next start."""
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "control.sock"))
    stale.close()
    async with served(tmp_path) as daemon:
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True


def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    """What is no socket is never removed; the start ends with 78 and names the key."""
    path = tmp_path / "control.sock"
    path.write_text("mine")
    with pytest.raises(Fatal, match=r"daemon\.control_socket") as fatal:
        listen(path)
    assert fatal.value.code == EXIT_CONFIGURATION
    assert path.read_text() == "mine"


@pytest.mark.parametrize("path", ["/nonexistent/x.sock", "/tmp/" + "x" * 120])
def test_a_place_that_can_hold_no_socket_is_a_configuration_fault(path: str) -> None:
    """A missing directory or an endless name ends the start with 78."""
    with pytest.raises(Fatal) as fatal:
        listen(Path(path))
    assert fatal.value.code == EXIT_CONFIGURATION


@virtual
async def test_a_socket_that_systemd_passes_is_served_and_left_in_place(tmp_path: Path) -> None:
    """The unit's socket is used as it is, and its file stays when the daemon stops."""
    path = tmp_path / "control.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    async with small_daemon(tmp_path) as daemon:
        server = ControlServer(daemon, listening)
        await server.start()
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True
        await server.close()
    assert path.exists()
    listening.close()


@virtual
async def test_a_verb_that_fails_tells_nothing_of_its_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error is for the journal; the client hears that there was one, and the server goes on."""
    async with served(tmp_path) as daemon:

        def fail() -> list[str]:
            raise ZeroDivisionError("inside")

        daemon.reloading = fail
        answer = json.loads(await raw(daemon, b'{"verb": "reload"}\n', end=True))
        assert answer["code"] == 2
        assert "inside" not in answer["error"]
        assert "ZeroDivisionError" in caplog.text
        assert json.loads(await raw(daemon, STATUS, end=True))["ok"] is True
