"""Tells systemd how the process fares, and takes over the sockets it opened. Decides nothing, never raises, never blocks.

Without systemd every call is a quiet no-op (fault 175). The genuine binding speaks where it is installed; a datagram of
our own does where it is not. Either is used only while the receiver's queue has room, because sd_notify would wait.
Protocol: sd_notify(3), sd_listen_fds(3).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
from collections.abc import Callable, Mapping
from typing import Final

try:
    from systemd.daemon import notify as _notify
except ImportError:  # the program runs where the binding is not installed
    _notify = None

STATUS_LIMIT_CHARACTERS: Final = 1_000
_FIRST_PASSED_DESCRIPTOR: Final = 3
_PASSED_LIMIT: Final = 64
_MICROSECONDS: Final = 1_000_000


class Notifier:
    """Messages to the service manager."""

    def __init__(self, send: Callable[[str], bool] | None, watchdog_seconds: float | None = None) -> None:
        """`send` hands one message over without blocking and says whether it went; None: nobody listens."""
        self._send = send
        self._status = ""
        self.watchdog_seconds: Final = watchdog_seconds

    def ready(self, status: str) -> None:
        """The start, or a reload, is complete."""
        self._status = _one_line(status)
        self._tell("READY=1", f"STATUS={self._status}")

    def status(self, status: str) -> None:
        """One line for people; told only when it changed and until it was heard."""
        line = _one_line(status)
        if line != self._status and self._tell(f"STATUS={line}"):
            self._status = line

    def reloading(self, monotonic_seconds: float) -> None:
        """A reload begins; `ready` ends it. Monotonic time of this moment, as systemd compares it with its own."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={int(monotonic_seconds * _MICROSECONDS)}")

    def stopping(self, status: str) -> None:
        """The stop begins."""
        self._status = _one_line(status)
        self._tell("STOPPING=1", f"STATUS={self._status}")

    def extend(self, seconds: float) -> None:
        """Starting or stopping takes longer: so long from now, and not longer (a migration, a snapshot)."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}")

    def watchdog(self) -> None:
        """All pumps progress."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> bool:
        return self._send is not None and self._send("\n".join(lines))


def notifier(environment: Mapping[str, str], pid: int) -> Notifier:
    """The notifier for this process, from NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
    address = environment.get("NOTIFY_SOCKET", "")
    watchdog_seconds = _watchdog_seconds(environment, pid)
    if not address.startswith(("/", "@")):
        return Notifier(None, watchdog_seconds)
    # The binding reads the process's own environment, so it can only speak to that address.
    bound = _notify is not None and os.environ.get("NOTIFY_SOCKET") == address
    return Notifier(_through_binding(address) if bound else datagram_sender(address), watchdog_seconds)


def datagram_sender(address: str) -> Callable[[str], bool]:
    """Send notifications by datagrams of our own. An address beginning with @ is abstract."""

    def send(message: str) -> bool:
        with contextlib.suppress(OSError), _connected(address) as receiver:
            receiver.send(message.encode())
            return True
        return False

    return send


def _through_binding(address: str) -> Callable[[str], bool]:
    def send(message: str) -> bool:
        with contextlib.suppress(Exception), _connected(address) as receiver:
            if select.select([], [receiver], [], 0)[1]:
                return bool(_notify(message))
        return False

    return send


def _connected(address: str) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        receiver.connect("\0" + address[1:] if address.startswith("@") else address)
    except BaseException:
        receiver.close()
        raise
    return receiver


def _watchdog_seconds(environment: Mapping[str, str], pid: int) -> float | None:
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = _number(environment.get("WATCHDOG_USEC", ""))
    return microseconds / _MICROSECONDS if microseconds else None


def activated_sockets(environment: Mapping[str, str], pid: int) -> dict[str, tuple[socket.socket, ...]]:
    """Listening sockets that systemd opened for us, by FileDescriptorName=. Closed on exec, non-blocking.

    To be called once: the descriptors belong to the returned objects from then on. What is no socket is left alone.
    """
    if environment.get("LISTEN_PID") != str(pid):
        return {}
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    passed: dict[str, tuple[socket.socket, ...]] = {}
    for place in range(min(_number(environment.get("LISTEN_FDS", "")), _PASSED_LIMIT)):
        taken = _taken_over(_FIRST_PASSED_DESCRIPTOR + place)
        if taken is not None:
            name = names[place] if place < len(names) else "unknown"
            passed[name] = (*passed.get(name, ()), taken)
    return passed


def _taken_over(descriptor: int) -> socket.socket | None:
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
        taken = socket.socket(fileno=descriptor)
    except OSError:
        return None
    taken.setblocking(False)
    return taken


def _number(text: str) -> int:
    """A plain decimal number, 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0  # noqa: PLR2004 - 64 bits


def _one_line(text: str) -> str:
    """A status may not smuggle in further assignments."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:STATUS_LIMIT_CHARACTERS]
