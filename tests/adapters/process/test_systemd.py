"""What systemd hears from us, and that nothing it does to us matters (fault 175)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from archsyncd.adapters import systemd
from archsyncd.adapters.systemd import Notifier, activated_sockets, datagram_sender, notifier

DAEMON = str(Path(systemd.__file__).parents[2])


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Systemd's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.settimeout(5)
        yield receiver


def heard(manager: socket.socket) -> str:
    return manager.recv(65_536).decode()


def silent(manager: socket.socket) -> bool:
    manager.setblocking(False)
    try:
        manager.recv(65_536)
    except BlockingIOError:
        return True
    finally:
        manager.settimeout(5)
    return False


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code against the genuine binding, which reads its own process's environment."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": DAEMON, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def spoken(manager: socket.socket) -> Notifier:
    address = manager.getsockname()
    assert isinstance(address, str)
    return Notifier(datagram_sender(address))


def test_every_change_is_told_in_systemds_words(spoken: Notifier, manager: socket.socket) -> None:
    """READY, STATUS, RELOADING with the monotonic time, STOPPING, EXTEND_TIMEOUT_USEC and WATCHDOG (sd_notify(3))."""
    spoken.ready("in sync: 41,250 keys")
    spoken.status("commercetools answers 429")
    spoken.reloading(12.3456789)
    spoken.extend(30)
    spoken.watchdog()
    spoken.stopping("stopping")
    assert [heard(manager) for _ in range(6)] == [
        "READY=1\nSTATUS=in sync: 41,250 keys",
        "STATUS=commercetools answers 429",
        "RELOADING=1\nMONOTONIC_USEC=12345678",
        "EXTEND_TIMEOUT_USEC=30000000",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


def test_the_status_is_told_only_when_it_changes(spoken: Notifier, manager: socket.socket) -> None:
    """The same line again is not worth a message."""
    spoken.ready("a")
    spoken.status("a")
    spoken.status("b")
    spoken.status("b")
    assert [heard(manager), heard(manager)] == ["READY=1\nSTATUS=a", "STATUS=b"]
    assert silent(manager)


def test_a_status_cannot_smuggle_in_assignments(spoken: Notifier, manager: socket.socket) -> None:
    """Line breaks in a status (a SKU, an answer) become spaces, and its length is bounded."""
    spoken.status("x\nWATCHDOG=1\0\u2028y" + "z" * 5_000)
    told = heard(manager)
    assert told.startswith("STATUS=x WATCHDOG=1  yzzz")
    assert "\n" not in told
    assert len(told) == len("STATUS=") + 1_000


def test_an_abstract_address_is_understood() -> None:
    """An address beginning with @ is in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0archsyncd-test-{os.getpid()}")
        receiver.settimeout(5)
        assert datagram_sender(f"@archsyncd-test-{os.getpid()}")("READY=1")
        assert heard(receiver) == "READY=1"


@pytest.mark.skipif(find_spec("systemd") is None, reason="systemd-python is not installed here")
def test_the_genuine_binding_is_used_where_it_is_installed(manager: socket.socket) -> None:
    """The same messages go through systemd's own library."""
    code = (
        "import os; from archsyncd.adapters.systemd import notifier;"
        "told = notifier(os.environ, os.getpid()); told.ready('through the library'); told.watchdog()"
    )
    ended = in_a_process(code, NOTIFY_SOCKET=manager.getsockname())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert heard(manager) == "READY=1\nSTATUS=through the library"
    assert heard(manager) == "WATCHDOG=1"


def test_without_the_binding_the_program_speaks_for_itself(manager: socket.socket) -> None:
    """Where systemd-python cannot be imported nothing is missing."""
    code = (
        "import sys; sys.modules['systemd'] = None\n"
        "import os; from archsyncd.adapters import systemd\n"
        "assert systemd._notify is None\n"
        "systemd.notifier(os.environ, os.getpid()).ready('by ourselves')"
    )
    ended = in_a_process(code, NOTIFY_SOCKET=manager.getsockname())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert heard(manager) == "READY=1\nSTATUS=by ourselves"


@pytest.mark.parametrize(
    "address", ["", "relative/path", "vsock:2:1234", "/nowhere/at/all", "@nobody-listens-here"]
)
def test_f175_a_missing_or_refusing_socket_is_a_quiet_nothing(address: str) -> None:
    """Without systemd the program runs in the foreground as if it were told."""
    told = notifier({"NOTIFY_SOCKET": address}, os.getpid())
    told.ready("in sync")
    told.status("other")
    told.reloading(1.0)
    told.watchdog()
    told.stopping("stopping")
    assert told.watchdog_seconds is None


def test_f175_no_socket_at_all_is_a_quiet_nothing() -> None:
    """Started by hand there is no NOTIFY_SOCKET."""
    notifier({}, os.getpid()).ready("in sync")


def test_f175_a_receiver_that_does_not_read_never_blocks_us(spoken: Notifier, manager: socket.socket) -> None:
    """Messages that find no room are dropped; the status is told again when there is room."""
    for _ in range(5_000):
        spoken.watchdog()
    spoken.status("while it was full")
    while not silent(manager):
        pass
    spoken.status("while it was full")
    assert heard(manager) == "STATUS=while it was full"


@pytest.mark.skipif(find_spec("systemd") is None, reason="systemd-python is not installed here")
def test_f175_the_genuine_binding_is_not_let_into_a_full_queue(manager: socket.socket) -> None:
    """sd_notify would wait for room: we look first."""
    code = (
        "import os; from archsyncd.adapters.systemd import notifier\n"
        "told = notifier(os.environ, os.getpid())\n"
        "for _ in range(5000): told.watchdog()\n"
    )
    ended = in_a_process(code, NOTIFY_SOCKET=manager.getsockname())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert heard(manager) == "WATCHDOG=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "77"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "٣"}, None),
        ({"WATCHDOG_USEC": "1e9"}, None),
        ({"WATCHDOG_USEC": "9" * 400}, None),
    ],
)
def test_the_watchdog_interval_is_taken_only_when_it_is_meant_for_us(
    environment: dict[str, str], seconds: float | None
) -> None:
    """WATCHDOG_PID of another process, or nonsense, means that no watchdog waits (sd_watchdog_enabled(3))."""
    assert notifier(environment, 77).watchdog_seconds == seconds


def test_sockets_opened_by_systemd_are_taken_over_by_name() -> None:
    """Names, order, non-blocking, closed on exec; a descriptor that is no socket is left out (sd_listen_fds(3))."""
    code = """
import os, socket
made = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET), socket.socket(socket.AF_UNIX)]
null = os.open(os.devnull, os.O_RDONLY)
kept = [os.dup2(os.dup(one.fileno()), 30 + place) for place, one in enumerate(made)] + [os.dup2(null, 33)]
os.closerange(3, 30)
for place, number in enumerate(kept): os.dup2(number, 3 + place)
from archsyncd.adapters.systemd import activated_sockets
environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "4", "LISTEN_FDNAMES": "control:status:control:odd"}
found = activated_sockets(environment, os.getpid())
assert {name: len(group) for name, group in found.items()} == {"control": 2, "status": 1}, found
assert found["status"][0].family == socket.AF_INET
for group in found.values():
    for one in group:
        assert not one.get_inheritable() and one.gettimeout() == 0
        one.close()
os._exit(0)
"""
    ended = in_a_process(code)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LISTEN_FDS": "3"},
        {"LISTEN_FDS": "3", "LISTEN_PID": "1"},
        {"LISTEN_FDS": "x", "LISTEN_PID": "77"},
    ],
)
def test_sockets_meant_for_another_process_are_left_alone(environment: dict[str, str]) -> None:
    """Variables inherited from a parent, or nonsense, take nothing over."""
    assert activated_sockets(environment, 77) == {}
