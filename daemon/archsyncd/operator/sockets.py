"""Listening sockets: one that systemd passed, or our own with group and mode. Knows no client and no verb."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from archsyncd.adapters.journal import say
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, Fatal

SOCKET_MODE = 0o660
CONTROL, STATUS, WEBHOOK = "control", "status", "webhook"
KEYS = {CONTROL: "daemon.control_socket", STATUS: "status.listen", WEBHOOK: "feed.listen"}
PATH_LIMIT_BYTES = 107
BACKLOG = 64
_LOG = logging.getLogger("archsyncd.operator")


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket; `own` is the (device, inode) of a socket file that we made and take away again."""

    socket: socket.socket
    path: Path
    own: tuple[int, int] | None

    def close(self) -> None:
        """Close it, and remove the file if it is still ours."""
        self.socket.close()
        if self.own is None:
            return
        with contextlib.suppress(OSError):
            found = os.lstat(self.path)
            if (found.st_dev, found.st_ino) == self.own:
                self.path.unlink()


def listen(path: Path, passed: socket.socket | None = None, name: str = CONTROL) -> Listening:
    """The socket at `path`: the one that systemd's socket unit passed, else bound here with mode 0660.

    Raises Fatal: when another process listens there (73), or the place cannot hold a socket (78).
    """
    if passed is not None:
        passed.setblocking(False)
        opened = address_of(passed)
        if opened != str(path):
            told = f"{KEYS[name]} says {path}, and systemd opened {opened}, which is served: a drop-in of "
            say(_LOG, Event.PAGE_UNSERVED, f"{told}archsyncd-{name}.socket changes it")
        return Listening(passed, path, None)
    _free_place(path, name)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.bind(str(path))
        # Nobody can connect before listen(), so the mode is right from the first moment.
        path.chmod(SOCKET_MODE)
        made.listen(BACKLOG)
        found = os.lstat(path)
    except OSError as error:
        made.close()
        raise _fatal(path, name, f"cannot be made: {error.strerror}") from error
    return Listening(made, path, (found.st_dev, found.st_ino))


def address_of(opened: socket.socket) -> str:
    """Where a socket listens, written as the configuration writes it: a path, or host and port."""
    name = opened.getsockname()
    if not isinstance(name, tuple):
        return os.fsdecode(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _free_place(path: Path, name: str) -> None:
    if len(os.fsencode(path)) > PATH_LIMIT_BYTES:
        raise _fatal(path, name, f"is longer than {PATH_LIMIT_BYTES} bytes, which no Unix socket can be")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _fatal(path, name, f"cannot be looked at: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise _fatal(path, name, "is in the way and no socket; move it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as caller:
        answer = caller.connect_ex(str(path))
    if answer in {0, errno.EAGAIN}:
        raise Fatal(EXIT_FENCED_OFF, f"another archsyncd listens on {path}: only one may run on this host")
    with contextlib.suppress(OSError):
        path.unlink()


def _fatal(path: Path, name: str, trouble: str) -> Fatal:
    return Fatal(EXIT_CONFIGURATION, f"the {name} socket {path} {trouble} ({KEYS[name]})")
