"""Writes what happens to the journal, or as plain lines where there is none. Decides nothing, and never makes anybody wait.

Every line passes one cleaning: only known fields leave, control characters are escaped, lengths are bounded, and values
that are no plain text or number are not shown. systemd's JournalHandler gives records their journal form; the datagram is
sent by us, because the library's own call would wait for a stopped journald (fault 174).
Protocol: systemd.io/JOURNAL_NATIVE_PROTOCOL.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from archsyncd.domain.events import Event
from archsyncd.domain.telling import (
    FIELD_LIMIT_CHARACTERS,
    MESSAGE_LIMIT_CHARACTERS,
    Flood,
    cleaned,
    trace_text,
)

try:
    from systemd.journal import JournalHandler as _JournalHandler
except ImportError:  # the program runs where the binding is not installed
    _JournalHandler = None

JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "archsyncd"
FIELDS: Final = frozenset(
    {
        "sku",
        "channel",
        "location",
        "order",
        "feed",
        "seq",
        "kind",
        "owner",
        "case",
        "correlation",
        "pump",
        "count",
        "code",
    }
)
BACKLOG_LIMIT_BYTES: Final = 1 << 20
_FIELD_PREFIX: Final = "ARCHSYNCD_"
_OURS: Final = "archsyncd"
_KNOWN_TO_JOURNALD: Final = ("PRIORITY", "LOGGER", "CODE_FILE", "CODE_LINE", "CODE_FUNC", "SYSLOG_IDENTIFIER")
_SYSLOG_OF: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_SYSLOG_DEBUG: Final = 7


def say(logger: logging.Logger, event: Event, message: str, **fields: object) -> None:
    """Tell that something happened. `fields` become ARCHSYNCD_… fields; None is left out. Raises TypeError for others.

    `message` is told as it is (no % formatting), after cleaning.
    """
    unknown = fields.keys() - FIELDS
    if unknown:
        raise TypeError(f"the journal knows no field {', '.join(sorted(unknown))}")
    told = {name: value for name, value in fields.items() if value is not None}
    logger.log(event.value.level, message, extra={"event": event, "told": told}, stacklevel=2)


class JournalSocket:
    """Datagrams to journald. What it does not take at once waits in a bounded backlog; beyond that it is dropped.

    journald's queue is short, so a burst fills it even while all is well.
    """

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self.dropped = 0

    def send(self, fields: Mapping[str, str]) -> bool:
        """Send one entry, or keep it for `flush`; False when it was dropped."""
        data = b"".join(_encoded(name, value) for name, value in fields.items())
        if self.flush() and self._went(data):
            return True
        if self._backlog_bytes + len(data) > BACKLOG_LIMIT_BYTES:
            self.dropped += 1
            return False
        self._backlog.append(data)
        self._backlog_bytes += len(data)
        return True

    def flush(self) -> bool:
        """Send what waits, as far as there is room; whether nothing waits any more."""
        while self._backlog and self._went(self._backlog[0]):
            self._backlog_bytes -= len(self._backlog.popleft())
        return not self._backlog

    def _went(self, data: bytes) -> bool:
        # A connected socket outlives a restart of journald only as an error: one fresh try.
        for _ in range(2):
            try:
                self._connected().send(data)
            except BlockingIOError:
                return False
            except OSError:
                self.close()
            else:
                return True
        return False

    def close(self) -> None:
        """Close the socket; the next entry opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, kind)
            self._socket.connect(self._path)
        return self._socket


def _encoded(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"


class JournalWriter:
    """The sender given to JournalHandler: keeps known fields, cleans them, and sends without waiting."""

    def __init__(self, destination: JournalSocket) -> None:
        self._destination = destination
        self._unreported = 0

    def __call__(self, message: str, /, **extras: Any) -> None:
        """Send one record as JournalHandler describes it."""
        fields = {"MESSAGE": _message(message, extras)}
        fields |= {
            name: cleaned(extras[name], FIELD_LIMIT_CHARACTERS)
            for name in _KNOWN_TO_JOURNALD
            if name in extras
        }
        fields |= _event_fields(extras)
        if extras.get("EXCEPTION_TEXT"):
            fields["EXCEPTION_TEXT"] = trace_text(str(extras["EXCEPTION_TEXT"]))
        self._report_losses()
        self._unreported += not self._destination.send(fields)

    def _report_losses(self) -> None:
        if not self._unreported:
            return
        lost = {
            "MESSAGE": f"{self._unreported} messages were lost because the journal did not take them",
            "PRIORITY": "4",
            "MESSAGE_ID": Event.JOURNAL_DROPPED.value.message_id,
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "ARCHSYNCD_COUNT": str(self._unreported),
        }
        if self._destination.send(lost):
            self._unreported = 0


def _message(formatted: str, extras: Mapping[str, Any]) -> str:
    # The formatter puts a traceback behind the message; it goes into a field of its own.
    trace = extras.get("EXCEPTION_TEXT") or extras.get("exc_text")
    if trace and formatted.endswith(str(trace)):
        formatted = formatted[: -len(str(trace))].rstrip("\n")
    return cleaned(formatted, MESSAGE_LIMIT_CHARACTERS)


def _event_fields(extras: Mapping[str, Any]) -> dict[str, str]:
    event = extras.get("event")
    fields = {"MESSAGE_ID": (event if isinstance(event, Event) else Event.OTHER).value.message_id}
    told = extras.get("told")
    if isinstance(told, dict):
        fields |= {
            _FIELD_PREFIX + name.upper(): cleaned(value, FIELD_LIMIT_CHARACTERS)
            for name, value in told.items()
            if name in FIELDS
        }
    return fields


class _OwnJournalHandler(logging.Handler):
    """What JournalHandler does, for where the binding is missing."""

    def __init__(self, sender_function: Callable[..., None], SYSLOG_IDENTIFIER: str) -> None:  # noqa: N803 - its name there
        super().__init__()
        self._send = sender_function
        self._identifier = SYSLOG_IDENTIFIER

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            message = self.format(record)
            extras = {
                "PRIORITY": str(_syslog_level(record.levelno)),
                "LOGGER": record.name,
                "CODE_FILE": record.pathname,
                "CODE_LINE": record.lineno,
                "CODE_FUNC": record.funcName,
                "SYSLOG_IDENTIFIER": self._identifier,
                "EXCEPTION_TEXT": record.exc_text,
            }
            self._send(message, **(record.__dict__ | extras))
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)


def _syslog_level(level: int) -> int:
    return next((syslog for least, syslog in _SYSLOG_OF if level >= least), _SYSLOG_DEBUG)


class PlainFormatter(logging.Formatter):
    """One line for people: time, level, message, fields; a traceback indented below it."""

    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        message = cleaned(record.getMessage(), MESSAGE_LIMIT_CHARACTERS)
        told = getattr(record, "told", None) or {}
        fields = "".join(
            f" {name}={cleaned(value, FIELD_LIMIT_CHARACTERS)}"
            for name, value in told.items()
            if name in FIELDS
        )
        line = f"{self.formatTime(record, self.datefmt)} {record.levelname.lower():7} {message}{fields}"
        if not record.exc_info:
            return line
        trace = trace_text(self.formatException(record.exc_info))
        return line + "\n    " + trace.replace("\n", "\n    ")


@dataclass(slots=True)
class Journal:
    """Logging as it was set up; `close` undoes it. `dropped`: entries that the journal did not take."""

    handler: logging.Handler
    monotonic: Callable[[], float]
    destination: JournalSocket | None
    flood: Flood = field(default_factory=Flood)

    @property
    def dropped(self) -> int:
        """Entries lost because journald did not take them."""
        return self.destination.dropped if self.destination is not None else 0

    def close(self) -> None:
        """Tell what was suppressed and what waits, and take the handler away again."""
        self.tick(all_of_them=True)
        logging.getLogger().removeHandler(self.handler)
        self.handler.close()
        if self.destination is not None:
            self.destination.close()

    def tick(self, *, all_of_them: bool = False) -> None:
        """Send what waits for journald, and tell what was suppressed in windows that are over. Every few seconds."""
        for kind, number in self.flood.over(self.monotonic(), all_of_them=all_of_them).items():
            message = f"suppressed {number} messages: {kind}"
            record = logging.LogRecord(_OURS, logging.WARNING, __file__, 0, message, (), None)
            record.event, record.told = Event.SUPPRESSED, {"count": number}
            self.handler.handle(record)
        if self.destination is not None:
            self.destination.flush()

    def admit(self, record: logging.LogRecord) -> bool:
        """The handler's filter."""
        if getattr(record, "event", None) is Event.SUPPRESSED:
            return True
        if self.flood.due(self.monotonic()):
            self.tick()
        return self.flood.admits(_kind(record), self.monotonic())


def set_up(
    level: str,
    environment: Mapping[str, str],
    stream: TextIO,
    monotonic: Callable[[], float],
    journal_socket: str = JOURNAL_SOCKET,
) -> Journal:
    """Send our messages from `level` (debug, info, warning, error) and others' from warning to the journal.

    Plain lines go to `stream` when it is a terminal or not connected to the journal ($JOURNAL_STREAM, systemd.exec(5)).
    """
    destination = JournalSocket(journal_socket) if writes_to_journal(environment, stream) else None
    handler = (
        logging.StreamHandler(stream) if destination is None else _journal_handler(JournalWriter(destination))
    )
    if destination is None:
        handler.setFormatter(PlainFormatter())
    journal = Journal(handler, monotonic, destination)
    handler.addFilter(journal.admit)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger(_OURS).setLevel(level.upper())
    return journal


def _journal_handler(writer: JournalWriter) -> logging.Handler:
    make: Callable[..., logging.Handler] = _JournalHandler or _OwnJournalHandler
    return make(sender_function=writer, SYSLOG_IDENTIFIER=IDENTIFIER)


def writes_to_journal(environment: Mapping[str, str], stream: TextIO) -> bool:
    """Whether this stream is the one that systemd connected to the journal."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}" and not stream.isatty()


def _kind(record: logging.LogRecord) -> str:
    event = getattr(record, "event", None)
    if isinstance(event, Event):
        return event.name.lower()
    return f"{record.name}:{record.lineno}"
