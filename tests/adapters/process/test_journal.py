"""What reaches the journal: fields, ids, cleaning, floods, and a journald that does not listen (faults 171, 174)."""

from __future__ import annotations

import logging
import re
import shutil
import socket
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.adapters import journal as module
from archsyncd.adapters.journal import (
    IDENTIFIER,
    Journal,
    JournalSocket,
    JournalWriter,
    PlainFormatter,
    say,
    set_up,
    writes_to_journal,
)
from archsyncd.config.credentials import Secret
from archsyncd.domain.events import Event, catalog
from archsyncd.domain.telling import FLOOD_BURST, FLOOD_WINDOW_SECONDS, cleaned, trace_text

CANARY = "canary-4711-do-not-tell"


class Journald:
    """journald's end of its socket; reads entries of the native protocol strictly."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)
        self.flush: Callable[[], object] = lambda: None

    def entries(self) -> list[dict[str, str]]:
        """All that was sent, reading and letting the sender flush in turns as the queue is short."""
        found: list[dict[str, str]] = []
        while batch := self.batch():
            found += batch
            self.flush()
        return found

    def batch(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                found.append(parsed(self.socket.recv(1 << 20)))
            except BlockingIOError:
                return found

    def entry(self) -> dict[str, str]:
        (only,) = self.entries()
        return only

    def close(self) -> None:
        self.socket.close()
        self.path.unlink()


def parsed(data: bytes) -> dict[str, str]:
    fields: dict[str, str] = {}
    while data:
        line, _, data = data.partition(b"\n")
        name, plain, value = line.partition(b"=")
        if not plain:
            (size,) = struct.unpack("<Q", data[:8])
            value, data = data[8 : 8 + size], data[8 + size :]
            assert data[:1] == b"\n"
            data = data[1:]
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name), name
        assert name.decode() not in fields
        fields[name.decode()] = value.decode()
    return fields


class Now:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[Journald]:
    end = Journald(tmp_path / "socket")
    yield end
    end.close()


@pytest.fixture
def now() -> Now:
    return Now()


Handlers = [
    pytest.param(module._journal_handler, id="library"),
    pytest.param(
        lambda writer: module._OwnJournalHandler(writer, SYSLOG_IDENTIFIER=IDENTIFIER),
        id="without-the-library",
    ),
]


@pytest.fixture
def logger(journald: Journald, tmp_path: Path, now: Now) -> Iterator[logging.Logger]:
    """The program's logger, set up for the journal as under systemd."""
    with (tmp_path / "stderr").open("w") as stream:
        found = (tmp_path / "stderr").stat()
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        journal = set_up("debug", environment, stream, now, str(journald.path))
        assert journal.destination is not None
        journald.flush = journal.destination.flush
        yield logging.getLogger("archsyncd.test")
        journal.close()
    assert (tmp_path / "stderr").read_text() == ""


@pytest.mark.parametrize("make", Handlers)
def test_an_event_carries_its_fields_id_and_place(
    journald: Journald, make: Callable[[JournalWriter], logging.Handler]
) -> None:
    """Structured fields, the class's MESSAGE_ID, the syslog priority, and where it was said; the same either way."""
    logger = logging.getLogger("archsyncd.drain")
    destination = JournalSocket(str(journald.path))
    handler = make(JournalWriter(destination))
    logger.addHandler(handler)
    say(
        logger,
        Event.FOREIGN_WRITER,
        "100% foreign: %s %d",
        sku="ABC-1",
        channel="warehouse-1",
        order="1001",
        feed="main",
        seq=7,
        kind="foreign_writer",
        owner="operations",
        correlation="c-1",
        location=None,
    )
    logger.removeHandler(handler)
    destination.close()
    entry = journald.entry()
    assert entry.pop("CODE_FILE") == __file__
    assert int(entry.pop("CODE_LINE")) > 0
    assert entry == {
        "MESSAGE": "100% foreign: %s %d",
        "MESSAGE_ID": "04b0341bef6844f089f7cc50ab9dbe1b",
        "PRIORITY": "4",
        "LOGGER": "archsyncd.drain",
        "CODE_FUNC": "test_an_event_carries_its_fields_id_and_place",
        "SYSLOG_IDENTIFIER": "archsyncd",
        "ARCHSYNCD_SKU": "ABC-1",
        "ARCHSYNCD_CHANNEL": "warehouse-1",
        "ARCHSYNCD_ORDER": "1001",
        "ARCHSYNCD_FEED": "main",
        "ARCHSYNCD_SEQ": "7",
        "ARCHSYNCD_KIND": "foreign_writer",
        "ARCHSYNCD_OWNER": "operations",
        "ARCHSYNCD_CORRELATION": "c-1",
    }


@pytest.mark.parametrize("make", Handlers)
def test_an_error_carries_its_traceback_in_a_field_of_its_own(
    journald: Journald, make: Callable[[JournalWriter], logging.Handler]
) -> None:
    """The message stays one line, and the traceback keeps its lines."""
    logger = logging.getLogger("archsyncd.test")
    destination = JournalSocket(str(journald.path))
    handler = make(JournalWriter(destination))
    logger.addHandler(handler)
    try:
        raise LookupError("a\x1b[31mb")
    except LookupError:
        logger.exception("it failed for %s", "K-1")
    logger.removeHandler(handler)
    destination.close()
    entry = journald.entry()
    assert entry["MESSAGE"] == "it failed for K-1"
    assert entry["PRIORITY"] == "3"
    assert entry["MESSAGE_ID"] == Event.OTHER.value.message_id
    assert entry["EXCEPTION_TEXT"].startswith("Traceback")
    assert entry["EXCEPTION_TEXT"].endswith("LookupError: a\\x1b[31mb")


def test_f171_secrets_and_other_objects_are_never_told(logger: logging.Logger, journald: Journald) -> None:
    """A Secret in a field, an argument or an exception leaves no trace, nor does any attribute of the record."""
    secret = Secret(CANARY)
    say(logger, Event.OPERATOR, f"with {secret}", sku=secret, owner=[CANARY], kind={"a": CANARY}, code=b"x")
    logger.warning("argument %s", secret, extra={"password": CANARY, "headers": {"Authorization": CANARY}})
    try:
        raise LookupError(secret)
    except LookupError:
        logger.exception("failed")
    entries = journald.entries()
    assert len(entries) == 3
    assert CANARY not in repr(entries)
    assert entries[0]["ARCHSYNCD_SKU"] == "(Secret)"
    assert entries[0]["ARCHSYNCD_OWNER"] == "(list)"
    assert entries[1]["MESSAGE"] == "argument Secret(hidden)"


def test_nobody_can_forge_fields_or_lines(logger: logging.Logger, journald: Journald) -> None:
    """Line breaks, escapes, direction marks and lone surrogates in a SKU are shown as escapes."""
    say(logger, Event.DRIFT, "SKU a\nPRIORITY=0\r\x1b[2J", sku="a\n_SYSTEMD_UNIT=x\u202e\ud800\u2028")
    entry = journald.entry()
    assert entry["MESSAGE"] == "SKU a\\x0aPRIORITY=0\\x0d\\x1b[2J"
    assert entry["PRIORITY"] == "4"
    assert entry["ARCHSYNCD_SKU"] == "a\\x0a_SYSTEMD_UNIT=x\\u202e\\ud800\\u2028"


@given(st.text(st.characters(codec=None), max_size=400), st.integers(2, 50))
def test_cleaned_text_is_printable_and_bounded(text: str, limit: int) -> None:
    """Whatever comes in, one line of bounded printable text comes out; plain text stays as it is."""
    out = cleaned(text, limit)
    assert out.isprintable()
    assert len(out) <= 10 * limit
    assert out.encode() is not None
    if text.isprintable() and len(text) <= limit:
        assert out == text
    assert all(line.isprintable() for line in trace_text(text).split("\n"))


def test_an_unknown_field_is_an_error_of_the_caller(logger: logging.Logger) -> None:
    """Fields are a contract with people's filters: no loop invents one."""
    with pytest.raises(TypeError, match="skuu"):
        say(logger, Event.DRIFT, "x", skuu="A")


def test_long_texts_are_cut(logger: logging.Logger, journald: Journald) -> None:
    """A megabyte of message or SKU does not reach the journal."""
    say(logger, Event.DRIFT, "m" * 1_000_000, sku="s" * 1_000_000)
    entry = journald.entry()
    assert len(entry["MESSAGE"]) == 2_000
    assert len(entry["ARCHSYNCD_SKU"]) == 300


def test_f174_a_stopped_journald_never_blocks_and_losses_are_told(
    logger: logging.Logger, journald: Journald
) -> None:
    """Megabytes into a socket nobody reads return at once; what could not wait is counted, and told when it reads again."""
    for event in Event:
        for _ in range(FLOOD_BURST):
            say(logger, event, "into the void" * 150, sku="s" * 300, order="o" * 300, location="l" * 300)
    before = journald.entries()
    assert 100 < len(before) < FLOOD_BURST * len(Event) - 100
    logger.warning("it listens again")
    after = journald.entries()
    assert after[-1]["MESSAGE"] == "it listens again"
    losses = [
        entry for entry in before + after if entry["MESSAGE_ID"] == Event.JOURNAL_DROPPED.value.message_id
    ]
    told = sum(int(entry["ARCHSYNCD_COUNT"]) for entry in losses)
    kept = sum(entry["MESSAGE"].startswith("into the void") for entry in before)
    assert told + kept == FLOOD_BURST * len(Event)


def test_f174_a_restarted_journald_is_found_again(tmp_path: Path) -> None:
    """What is told while it is away waits for it, in order, without anybody reconnecting."""
    first = Journald(tmp_path / "socket")
    destination = JournalSocket(str(first.path))
    assert destination.send({"MESSAGE": "one"})
    assert first.entry() == {"MESSAGE": "one"}
    first.close()
    assert destination.send({"MESSAGE": "two"})
    second = Journald(tmp_path / "socket")
    assert destination.send({"MESSAGE": "three"})
    assert second.entries() == [{"MESSAGE": "two"}, {"MESSAGE": "three"}]
    second.close()
    third = Journald(tmp_path / "socket")
    assert destination.send({"MESSAGE": "four"})
    assert third.entry() == {"MESSAGE": "four"}
    third.close()
    destination.close()
    assert destination.dropped == 0


def test_floods_are_cut_and_counted(logger: logging.Logger, journald: Journald, now: Now) -> None:
    """Of one class at most a burst in a window is told, then how many were suppressed; other classes are not touched."""
    for number in range(500):
        say(logger, Event.CASE_OPENED, f"case {number}")
    say(logger, Event.STORE_FULL, "disk full")
    assert [entry["MESSAGE"] for entry in journald.entries()] == [
        *(f"case {number}" for number in range(FLOOD_BURST)),
        "disk full",
    ]
    now.seconds += FLOOD_WINDOW_SECONDS
    say(logger, Event.CASE_OPENED, "case 500")
    summary, case = journald.entries()
    assert summary["MESSAGE"] == f"suppressed {500 - FLOOD_BURST} messages: case_opened"
    assert summary["MESSAGE_ID"] == Event.SUPPRESSED.value.message_id
    assert summary["ARCHSYNCD_COUNT"] == str(500 - FLOOD_BURST)
    assert case["MESSAGE"] == "case 500"


def test_a_flood_of_hours_is_a_bounded_number_of_lines(
    logger: logging.Logger, journald: Journald, now: Now
) -> None:
    """Row 80: an outage of half an hour with ten messages a second is some lines a minute, and none is uncounted."""
    told = 0
    for _ in range(1_800):
        now.seconds += 1
        for _ in range(10):
            logger.warning("commercetools answers 503")
        told += len(journald.entries())
    assert told <= 1_800 / FLOOD_WINDOW_SECONDS * (FLOOD_BURST + 1) + FLOOD_BURST + 1


def test_what_was_suppressed_is_told_at_the_end(journald: Journald, tmp_path: Path, now: Now) -> None:
    """Closing tells the rest, takes the handler away, and counts what was dropped."""
    with (tmp_path / "stderr").open("w") as stream:
        found = (tmp_path / "stderr").stat()
        environment = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        journal = set_up("info", environment, stream, now, str(journald.path))
        told: list[dict[str, str]] = []
        for _ in range(FLOOD_BURST + 3):
            logging.getLogger("archsyncd").info("same")
            told += journald.batch()
        logging.getLogger("archsyncd").debug("not at this level")
        logging.getLogger("aiohttp.access").info("others' chatter")
        journal.close()
    told += journald.entries()
    assert [entry["MESSAGE"] for entry in told][FLOOD_BURST:] == [
        f"suppressed 3 messages: archsyncd:{_line_of('same')}"
    ]
    assert len(told) == FLOOD_BURST + 1
    assert journal.dropped == 0
    assert journal.handler not in logging.getLogger().handlers


def _line_of(message: str) -> int:
    lines = Path(__file__).read_text().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if f'.info("{message}")' in line)


def plain(now: Now) -> tuple[Journal, StringIO, logging.Logger]:
    stream = StringIO()
    return set_up("info", {}, stream, now), stream, logging.getLogger("archsyncd.test")


def test_by_hand_plain_lines_are_written(now: Now) -> None:
    """Without the journal a person reads time, level, message and fields, equally cleaned."""
    journal, stream, logger = plain(now)
    say(logger, Event.DRIFT, "differs\x1b[2J", sku="A\n1", channel="w", owner=Secret(CANARY))
    try:
        raise LookupError("x\x1by")
    except LookupError:
        logger.exception("failed")
    journal.close()
    first, second, *trace = stream.getvalue().splitlines()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d warning differs\\x1b\[2J sku=A\\x0a1 channel=w owner=\(Secret\)", first
    ), first
    assert second.endswith("error   failed")
    assert trace[0] == "    Traceback (most recent call last):"
    assert trace[-1] == "    LookupError: x\\x1by"
    assert journal.dropped == 0


def test_plain_lines_are_flood_limited_too(now: Now) -> None:
    """A terminal is protected like the journal."""
    journal, stream, logger = plain(now)
    for _ in range(100):
        say(logger, Event.CASE_OPENED, "case")
    journal.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == FLOOD_BURST + 1
    assert lines[-1].endswith(
        f"suppressed {100 - FLOOD_BURST} messages: case_opened count={100 - FLOOD_BURST}"
    )


def test_the_journal_is_used_only_when_the_stream_is_connected_to_it(tmp_path: Path) -> None:
    """JOURNAL_STREAM inherited by a redirected process names another file (systemd.exec(5))."""
    with (tmp_path / "a").open("w") as stream:
        found = (tmp_path / "a").stat()
        ours = f"{found.st_dev}:{found.st_ino}"
        assert writes_to_journal({"JOURNAL_STREAM": ours}, stream)
        assert not writes_to_journal({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino + 1}"}, stream)
        assert not writes_to_journal({"JOURNAL_STREAM": "nonsense"}, stream)
        assert not writes_to_journal({}, stream)
        assert not writes_to_journal({"JOURNAL_STREAM": ours}, StringIO())
    assert not writes_to_journal({"JOURNAL_STREAM": ours}, stream)


def test_a_plain_line_has_no_fields_where_none_were_told() -> None:
    """A library's message is told like ours."""
    record = logging.LogRecord("aiohttp", logging.WARNING, __file__, 1, "late %s", ("answer",), None)
    assert PlainFormatter().format(record).endswith("warning late answer")


def test_every_class_of_events_has_an_id_of_its_own() -> None:
    """Random (version 4) ids, never shared."""
    ids = [event.value.message_id for event in Event]
    assert len(set(ids)) == len(ids)
    assert all(uuid.UUID(found).version == 4 and uuid.UUID(found).hex == found for found in ids)


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is not installed")
def test_the_catalog_is_accepted_by_journalctl(tmp_path: Path) -> None:
    """Every class of events has an explanation that journald's own compiler takes."""
    place = tmp_path / "usr/lib/systemd/catalog"
    place.mkdir(parents=True)
    (place / "archsyncd.catalog").write_text(catalog())
    for command in ("--update-catalog", "--list-catalog"):
        done = subprocess.run(
            ["journalctl", f"--root={tmp_path}", command],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    listed = {line.split(" ")[0] for line in done.stdout.splitlines()}
    assert listed == {event.value.message_id for event in Event}


def test_without_the_binding_the_journal_is_written_all_the_same() -> None:
    """Where systemd-python cannot be imported our own handler takes its place."""
    code = (
        "import sys; sys.modules['systemd'] = None; sys.modules['systemd.journal'] = None\n"
        "from archsyncd.adapters import journal\n"
        "assert journal._JournalHandler is None\n"
        "handler = journal._journal_handler(journal.JournalWriter(journal.JournalSocket('/nowhere')))\n"
        "assert type(handler) is journal._OwnJournalHandler\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(module.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
