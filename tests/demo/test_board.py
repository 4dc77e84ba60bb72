"""What the demo shows: rates, waiting, the daemon's log and its status, on a terminal and in lines."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from archsyncd.demo.board import NOTES_SHOWN, Board, Meter, Note, from_log
from archsyncd.demo.orders import OrderFigures
from archsyncd.demo.screen import Lines, Terminal, picture, screen
from archsyncd.demo.watching import ask, ask_subjects, reading
from archsyncd.domain.lags import Lag

STATUS: dict[str, Any] = {
    "sentence": "healthy: 12 keys wait",
    "writes": True,
    "feeds": [{"read": 700}, {"read": 7}],
    "requests": {"limit_per_second": 12.5},
    "waiting": [
        {"name": "decreases near zero", "keys": 2, "oldest_seconds": 0.5},
        {"name": "decreases", "keys": 1, "oldest_seconds": 1.25},
        {"name": "increases", "keys": 9, "oldest_seconds": 4.0},
    ],
    "exceptions": [{"kind": "sku_not_found", "cases": 1}],
}


def board() -> Board:
    made = Board(40.0, "/tmp/x/archsyncd.log", running=True)
    made.sent(10.0, 100, 3)
    made.read(reading(STATUS))
    made.trade = {"ordered": 50, "refused": 4}
    lag = Lag(45, 900, 3_200)
    made.orders = OrderFigures(placed=50, handed_over=45, shipped=40, booked=38, handing_over=lag)
    return made


def test_a_status_is_read() -> None:
    """Records of all feeds, waiting keys by class, the oldest of each direction, open exceptions."""
    read = reading(STATUS)
    assert read is not None
    assert read.records == 707
    assert (read.oldest_decrease_seconds, read.oldest_increase_seconds) == (1.25, 4.0)
    assert read.exceptions == {"sku_not_found": 1}


def test_a_status_without_a_store_is_none() -> None:
    """While the store cannot be asked there are no figures to show."""
    assert reading({"sentence": "broken"}) is None


async def test_a_daemon_that_does_not_answer_is_none(tmp_path: Path) -> None:
    """No socket, no reading, and no error."""
    assert await ask(tmp_path / "control.sock") is None
    assert await ask_subjects(tmp_path / "control.sock") is None


def test_a_rate_is_taken_over_the_last_seconds() -> None:
    """What happened long ago does not count; without two samples there is no rate."""
    meter = Meter()
    assert meter.per_second == 0.0
    for second, total in enumerate((0, 1000, 1010, 1020, 1030, 1040)):
        meter.note(float(second), total)
    assert meter.per_second == 10.0


def test_records_never_go_back_while_the_daemon_is_away() -> None:
    """A killed daemon leaves the last number standing."""
    shown = board()
    shown.read(None)
    assert (shown.records, shown.waiting(), shown.exceptions()) == (707, "?", "?")


@pytest.mark.parametrize(
    ("running", "restarts", "text"),
    [
        (True, 0, "healthy: 12 keys wait"),
        (True, 1, "healthy: 12 keys wait (started again 1×)"),
        (False, 0, "does not run"),
    ],
)
def test_the_daemon_is_told_as_it_is(running: bool, restarts: int, text: str) -> None:
    """Its own sentence while it answers."""
    shown = board()
    shown.running, shown.restarts = running, restarts
    assert shown.daemon() == text


def test_a_daemon_that_does_not_answer_yet_starts() -> None:
    """Its process exists and says nothing so far."""
    assert Board(40.0, "log", running=True).daemon() == "starts"


def test_ages_are_remembered_when_asked() -> None:
    """The longest waits of the overload stay."""
    shown = board()
    shown.remember_waiting()
    shown.read(reading(STATUS | {"waiting": []}))
    shown.remember_waiting()
    assert (shown.oldest_decrease_seconds, shown.oldest_increase_seconds) == (1.25, 4.0)
    assert (shown.waiting(), shown.oldest_decrease()) == ("nothing", "–")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "22:40:22 info    this host writes, with fence 1",
            "this host writes, with fence 1",
        ),
        (
            "22:40:30 warning exception 2 invalid_record: bad kind=invalid_record feed=main sku=A-1",
            "exception 2 invalid_record: bad",
        ),
        ("22:40:30 warning its filesystem does not outlive the machine", None),
        ("22:40:22 info    orders.sync_channel is not set: Archean's numbers are not noted", None),
        ("22:40:30 debug   stock written", None),
        ("    a line of a traceback", None),
    ],
)
def test_a_log_line_is_its_message(line: str, text: str | None) -> None:
    """Time, level and fields are left out; what does not matter here is not shown."""
    assert from_log(line) == text


def test_lines_come_every_few_seconds_and_notes_at_once() -> None:
    """Without a terminal: figures when they are due, what happens when it happens."""
    stream = io.StringIO()
    with screen(stream) as shown:
        assert isinstance(shown, Lines)
        made = board()
        shown.draw(made)
        shown.draw(made)
        shown.note(Note(10.5, "demo", "kill -9"))
        shown.end()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    for figure in ("records 707", "requests 100", "waiting 3 down, 9 up", "oldest decrease 1.2 s"):
        assert figure in lines[0]
    for figure in ("50 placed", "45 with Archean", "40 shipped", "38 booked", "4 refused", "1 sku_not_found"):
        assert figure in lines[1]
    assert lines[2].split() == ["10.5", "s", "demo:", "kill", "-9"]


def test_the_table_shows_every_figure() -> None:
    """On a terminal: the phase, both rates, waiting by class, exceptions, shoppers, orders, the log's path, the notes."""
    stream = io.StringIO()
    made = board()
    made.phase = "flash sale"
    made.notes.append(Note(10.5, "archsyncd", "store open"))
    Console(file=stream, width=120, force_terminal=False).print(picture(made))
    text = stream.getvalue()
    assert len(text.splitlines()) + NOTES_SHOWN - 1 < 24
    for figure in (
        "flash sale",
        "707 read",
        "100 sent",
        "limit 12/s",
        "3 answered 429",
        "2 decreases near zero · 1 decreases · 9 increases",
        "1.2 s",
        "1 sku_not_found",
        "50 served   4 refused",
        "50 placed   45 with Archean   40 shipped   38 booked",
        "half within 0.9 s, 99 % within 3.2 s",
        "/tmp/x/archsyncd.log",
        "store open",
    ):
        assert figure in text


def test_a_terminal_keeps_the_last_table_and_prints_below() -> None:
    """After the end the verdict follows the table."""
    stream = io.StringIO()
    terminal = Terminal(Console(file=stream, width=120, force_terminal=True))
    terminal.open()
    terminal.draw(board())
    terminal.note(Note(1.0, "demo", "x"))
    terminal.end()
    terminal.end()
    terminal.say(["Verdict: [in step]"])
    text = stream.getvalue()
    assert text.index("707 read") < text.index("Verdict: [in step]")
