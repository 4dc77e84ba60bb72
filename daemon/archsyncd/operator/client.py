"""Talks to the control socket, blocking, with limits. Knows no verb and imports nothing heavy: the tool must start at once."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from archsyncd.operator.protocol import (
    ANSWER_LIMIT_BYTES,
    EXIT_UNREACHED,
    Refusal,
    request_line,
)

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 300.0
CHUNK_BYTES = 64 * 1024


class Client:
    """One connection to the daemon. Every method raises Refusal; code 3 when the daemon cannot be reached."""

    def __init__(self, path: str, answer_seconds: float = ANSWER_SECONDS, by: str | None = None) -> None:
        """`by`: who asks; None: as the environment says."""
        self._path = path
        self._answer_seconds = answer_seconds
        self._by = asker(os.environ, os.getuid()) if by is None else by
        self._connect()

    def _connect(self) -> None:
        self._buffer = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(CONNECT_SECONDS)
        try:
            self._socket.connect(self._path)
        except OSError as error:
            self._socket.close()
            raise Refusal(_unreached(self._path, error), EXIT_UNREACHED) from None
        self._socket.settimeout(self._answer_seconds)

    def renew(self) -> None:
        """Connect anew, after a time without a question: the daemon hangs up on who is silent for a minute."""
        self._socket.close()
        self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def ask(self, verb: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One question, one answer."""
        self._send(verb, arguments or {})
        return self._answer()

    def watch(self) -> Iterator[dict[str, Any]]:
        """One status a second for as long as the caller goes on."""
        self._send("watch", {})
        while True:
            yield self._answer()

    def pages(
        self, verb: str, arguments: Mapping[str, Any], limit: int = 1_000_000
    ) -> Iterator[dict[str, Any]]:
        """The answers to a question that is told in pages, one after another."""
        place: Mapping[str, Any] = {}
        for _ in range(limit):
            answer = self.ask(verb, {**arguments, **place})
            yield answer
            following = answer.get("next")
            if following is None:
                return
            place = following if isinstance(following, dict) else {"after": following}

    def _send(self, verb: str, arguments: Mapping[str, Any]) -> None:
        line = request_line(verb, arguments, self._by)
        try:
            self._socket.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it said why before it hung up: that is read below
        except OSError as error:
            raise Refusal(_unreached(self._path, error), EXIT_UNREACHED) from None

    def _answer(self) -> dict[str, Any]:
        try:
            answer = json.loads(self._line())
        except ValueError:
            raise Refusal(f"What listens on {self._path} is not archsyncd.", EXIT_UNREACHED) from None
        if not isinstance(answer, dict):
            raise Refusal(f"What listens on {self._path} is not archsyncd.", EXIT_UNREACHED)
        if not answer.get("ok"):
            raise Refusal(str(answer.get("error", "The daemon refused.")), int(answer.get("code", 1)))
        data = answer.get("data")
        return data if isinstance(data, dict) else {}

    def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > ANSWER_LIMIT_BYTES:
                raise Refusal(f"What listens on {self._path} does not end its answer.", EXIT_UNREACHED)
            try:
                more = self._socket.recv(CHUNK_BYTES)
            except TimeoutError:
                raise Refusal("The daemon did not answer in time.", EXIT_UNREACHED) from None
            except OSError as error:
                raise Refusal(_unreached(self._path, error), EXIT_UNREACHED) from None
            if not more:
                raise Refusal("The daemon closed the connection: it may be stopping.", EXIT_UNREACHED)
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def asker(environment: Mapping[str, str], uid: int) -> str:
    """Who sits before this program, as the environment says: the one behind sudo first. Proves nothing."""
    name = environment.get("SUDO_USER") or environment.get("USER") or environment.get("LOGNAME") or ""
    clean = "".join(each for each in name if each.isprintable())[:64]
    return f"{clean} (uid {uid})" if clean else f"uid {uid}"


def _unreached(path: str, error: OSError) -> str:
    if error.errno in {errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR}:
        return f"archsyncd does not run: nothing listens on {path}. Try: systemctl status archsyncd"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"You may not ask archsyncd: {path} is for members of {_group_of(path)}. Join it, or use sudo."
    return f"archsyncd cannot be reached on {path}: {error.strerror or error}."


def _group_of(path: str) -> str:
    try:
        import grp  # noqa: PLC0415 - for this sentence alone

        return f"the group {grp.getgrgid(os.stat(path).st_gid).gr_name}"  # noqa: PTH116 - pathlib is slow to load
    except (OSError, KeyError):
        return "its group"
