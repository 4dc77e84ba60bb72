"""What is read over HTTP: health by the data, the status as text and JSON, nothing that changes anything, within limits."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from archsyncd.config import CredentialFault, ListenAddress
from archsyncd.operator.commands import Commands
from archsyncd.operator.page import CONNECTION_SECONDS, CONNECTIONS, showing
from tests.operator.daemon import SmallDaemon, break_store, small_daemon
from tests.support.virtual_time import virtual

TOKEN = "canary-5a5a"
CALLS = '[[feed]]\nname = "calls"\ntransport = "push"\nsnapshot_from = "main"\n'


@asynccontextmanager
async def shown(
    directory: Path, address: ListenAddress | None = None, passed: socket.socket | None = None
) -> AsyncIterator[tuple[SmallDaemon, Path]]:
    """A daemon with its page on a socket of its own, or as it is told."""
    path = directory / "status.sock"
    async with small_daemon(directory) as daemon:
        status = replace(daemon.settings.status, listen=address or ListenAddress(path=path))
        daemon.settings = replace(daemon.settings, status=status)
        given = {} if passed is None else {"status": passed}
        async with showing(daemon, lambda _name: TOKEN, given):
            yield daemon, path


async def asked(
    where: Path | int, target: str, *headers: str, method: str = "GET"
) -> tuple[int, dict[str, str], str]:
    """One request by hand: status, headers, body."""
    if isinstance(where, int):
        reader, writer = await asyncio.open_connection("127.0.0.1", where)
    else:
        reader, writer = await asyncio.open_unix_connection(str(where))
    lines = [f"{method} {target} HTTP/1.1", "Host: archsyncd", "Connection: close", *headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    return int(first.split(" ")[1]), dict(line.split(": ", 1) for line in rest), body


@virtual
async def test_health_is_told_by_the_data(tmp_path: Path) -> None:
    """200 and a sentence while all is well; 503 once the store is broken, though the process is up."""
    async with shown(tmp_path) as (daemon, path):
        status, headers, body = await asked(path, "/healthz")
        assert (status, body.split(":")[0]) == (200, "healthy")
        assert headers["Cache-Control"] == "no-store"
        await break_store(daemon)
        await daemon.clock.sleep(2)
        status, _, body = await asked(path, "/healthz")
        assert status == 503
        assert body.startswith("critical")


@virtual
async def test_the_status_is_told_as_text_and_as_json(tmp_path: Path) -> None:
    """The same that archsyncctl tells."""
    async with shown(tmp_path) as (daemon, path):
        status, headers, body = await asked(path, "/status.json")
        assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
        assert json.loads(body)["verdict"] == (await Commands(daemon).answer("status", {}))["verdict"]
        status, headers, body = await asked(path, "/")
        assert headers["Content-Type"].startswith("text/plain")
        assert body.splitlines()[0].startswith("healthy")


@virtual
async def test_metrics_are_told_beside_the_status_and_cost_one_look_a_second(tmp_path: Path) -> None:
    """As text of Prometheus; whoever asks more often gets the same look again."""
    async with shown(tmp_path) as (daemon, path):
        status, headers, first = await asked(path, "/metrics")
        assert (status, headers["Content-Type"]) == (200, CONTENT_TYPE_LATEST)
        assert 'archsyncd_verdict{verdict="healthy"} 1.0' in first
        await daemon.clock.sleep(0.5)
        assert uptime(first) == uptime((await asked(path, "/metrics"))[2])
        await daemon.clock.sleep(1)
        assert uptime(first) < uptime((await asked(path, "/metrics"))[2])


def uptime(text: str) -> float:
    (found,) = [line for line in text.splitlines() if line.startswith("archsyncd_uptime_seconds ")]
    return float(found.split(" ")[1])


@virtual
async def test_f169_metrics_over_tcp_need_the_token(tmp_path: Path) -> None:
    """They are read with the credential, or not at all."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with shown(tmp_path, ListenAddress(host="127.0.0.1", port=port)):
        status, _, body = await asked(port, "/metrics")
        assert (status, "archsyncd_" in body) == (401, False)
        assert (await asked(port, "/metrics", f"Authorization: Bearer {TOKEN}"))[0] == 200


@virtual
async def test_what_is_not_there_and_what_would_change_something_is_refused(tmp_path: Path) -> None:
    """Another path, another method, a request line beyond reason."""
    async with shown(tmp_path) as (_, path):
        assert (await asked(path, "/etc/passwd"))[0] == 404
        assert (await asked(path, "/healthz", method="POST"))[0] == 405
        assert (await asked(path, "/" + "x" * 9_000))[0] == 400


@virtual
async def test_over_tcp_only_who_knows_the_token_reads(tmp_path: Path) -> None:
    """Neither without it, nor with another, nor with part of it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with shown(tmp_path, ListenAddress(host="127.0.0.1", port=port)):
        for headers in ((), ("Authorization: Bearer canary",), (f"Authorization: Basic {TOKEN}",)):
            status, _, body = await asked(port, "/status.json", *headers)
            assert (status, "verdict" in body) == (401, False)
        assert (await asked(port, "/healthz", f"Authorization: Bearer {TOKEN}"))[0] == 200


@virtual
async def test_a_socket_of_systemd_is_served_whatever_its_address(tmp_path: Path) -> None:
    """One that is bound to TCP needs the token, though the configuration names a Unix socket... which it does not make."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    async with shown(tmp_path, passed=listening) as (_, path):
        port = listening.getsockname()[1]
        assert (await asked(port, "/healthz"))[0] == 401
        assert (await asked(port, "/healthz", f"Authorization: Bearer {TOKEN}"))[0] == 200
        assert not path.exists()


@virtual
async def test_silent_clients_take_nobodys_place_for_long(tmp_path: Path) -> None:
    """Beyond the limit one is sent away; who says nothing is let go."""
    async with shown(tmp_path) as (daemon, path):
        idle = [await asyncio.open_unix_connection(str(path)) for _ in range(CONNECTIONS)]
        assert (await asked(path, "/healthz"))[0] == 503
        await daemon.clock.sleep(CONNECTION_SECONDS + 1)
        assert (await asked(path, "/healthz"))[0] == 200
        for reader, writer in idle:
            assert await reader.read() == b""
            writer.close()


@virtual
async def test_where_it_cannot_be_served_the_journal_says_so_and_all_else_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A directory that is not there."""
    with caplog.at_level(logging.WARNING):
        async with shown(tmp_path, ListenAddress(path=tmp_path / "nowhere" / "status.sock")):
            pass
    assert "the status page is not served" in caplog.text
    assert "status.listen" in caplog.text


@virtual
async def test_a_call_of_a_source_is_answered_with_503(tmp_path: Path) -> None:
    """No feed is called here: nothing counts as delivered."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    async with small_daemon(tmp_path) as daemon:
        daemon.settings = replace(daemon.settings, status=replace(daemon.settings.status, listen=None))
        async with showing(daemon, lambda _name: TOKEN, {"webhook": listening}):
            status, headers, _ = await asked(listening.getsockname()[1], "/hooks/r247", method="POST")
            assert (status, headers["Retry-After"]) == (503, "3600")


@virtual
async def test_a_socket_that_a_feed_is_called_at_is_left_to_it(tmp_path: Path) -> None:
    """The page neither answers there nor closes it; one that is called elsewhere leaves it to the refusal."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    async with small_daemon(tmp_path, CALLS) as daemon:
        daemon.settings = replace(daemon.settings, status=replace(daemon.settings.status, listen=None))
        async with showing(daemon, lambda _name: TOKEN, {"webhook": listening}):
            with pytest.raises(BlockingIOError):
                listening.accept()
        assert listening.fileno() >= 0
        elsewhere = tuple(
            replace(feed, listen=ListenAddress(host="127.0.0.1", port=1)) for feed in daemon.settings.feeds
        )
        daemon.settings = replace(daemon.settings, feeds=elsewhere)
        async with showing(daemon, lambda _name: TOKEN, {"webhook": listening}):
            assert (await asked(listening.getsockname()[1], "/hooks/r247", method="POST"))[0] == 503


@virtual
async def test_a_client_that_reads_nothing_is_cut_off(tmp_path: Path) -> None:
    """What it asked for waits in nobody's memory for longer than its time."""
    async with shown(tmp_path) as (daemon, path):
        deaf = [await asyncio.open_unix_connection(str(path), limit=1) for _ in range(CONNECTIONS)]
        for _, writer in deaf:
            writer.write(b"GET /status.json HTTP/1.1\r\nHost: archsyncd\r\n\r\n" * 200)
        await daemon.clock.sleep(CONNECTION_SECONDS + 1)
        assert (await asked(path, "/healthz"))[0] == 200
        for _, writer in deaf:
            writer.transport.abort()


@virtual
async def test_without_its_token_an_address_is_not_served_and_all_else_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The administrator opened a TCP socket and gave no credential for it."""
    listening = socket.create_server(("127.0.0.1", 0))

    def nothing(name: str) -> str:
        raise CredentialFault(name, f"the credential {name} is missing")

    with caplog.at_level(logging.WARNING):
        async with small_daemon(tmp_path) as daemon, showing(daemon, nothing, {"status": listening}):
            pass
    assert "the status page is not served: the credential status-token is missing" in caplog.text


@virtual
async def test_an_address_that_systemd_did_not_open_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The socket unit decides; the configuration that says otherwise is named, and so is what to change."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "opened.sock"))
    listening.listen()
    with caplog.at_level(logging.WARNING):
        async with shown(tmp_path, ListenAddress(host="127.0.0.1", port=9470), listening):
            assert (await asked(tmp_path / "opened.sock", "/healthz"))[0] == 200
    assert "status.listen says 127.0.0.1:9470, and systemd opened" in caplog.text
    assert "archsyncd-status.socket" in caplog.text


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@virtual
async def test_an_address_that_systemd_opened_as_configured_is_no_reason_to_warn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    """A drop-in of the socket unit and status.listen that say the same, as the guide has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, 0), family=family)
    address = ListenAddress(host=host, port=listening.getsockname()[1])
    with caplog.at_level(logging.WARNING):
        async with shown(tmp_path, address, listening):
            pass
    assert "systemd opened" not in caplog.text


@virtual
async def test_a_page_that_is_switched_off_leaves_nobody_waiting(tmp_path: Path) -> None:
    """The socket is open all the same, since systemd opened it."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "opened.sock"))
    listening.listen()
    async with small_daemon(tmp_path) as daemon:
        daemon.settings = replace(daemon.settings, status=replace(daemon.settings.status, listen=None))
        async with showing(daemon, lambda _name: TOKEN, {"status": listening}):
            status, _, body = await asked(tmp_path / "opened.sock", "/status.json")
    assert (status, body) == (503, 'status.listen is ""\n')
