"""How the demo is shown: a live table on a terminal, plain lines elsewhere. Knows the board only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archsyncd.demo.board import DAEMON, Board, Note
from archsyncd.demo.orders import told

LINE_SECONDS = 3.0
WIDTH = 110


class Screen(Protocol):
    """Where the demo is shown."""

    def draw(self, board: Board) -> None:
        """Show the board of this moment."""
        ...

    def note(self, note: Note) -> None:
        """Show something that happened; it also stands on the board."""
        ...

    def say(self, lines: list[str]) -> None:
        """Show text that stays."""
        ...

    def end(self) -> None:
        """The day is over: leave the last board standing."""
        ...


class Lines:
    """Plain lines: notes as they come, the figures every few seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._due = 0.0

    def draw(self, board: Board) -> None:
        """Write the figures when it is time."""
        if board.at_seconds < self._due:
            return
        self._due = board.at_seconds + LINE_SECONDS
        stock = [
            f"records {board.records:,} ({board.records_meter.per_second:.0f}/s)",
            f"requests {board.requests:,} ({board.requests_meter.per_second:.0f}/s)",
            f"waiting {board.waiting_shortly()}",
            f"oldest decrease {board.oldest_decrease()}",
        ]
        orders = [board.carried(), f"{board.refused:,} refused", f"exceptions {board.exceptions()}"]
        lead = f"{board.at_seconds:5.1f} s  {board.phase:12}"
        self.say([f"{lead}stock   {'   '.join(stock)}", f"{'':{len(lead)}}orders  {'   '.join(orders)}"])

    def note(self, note: Note) -> None:
        """Write it."""
        self.say([f"{note.at_seconds:5.1f} s  {note.who + ':':12}{note.text}"])

    def say(self, lines: list[str]) -> None:
        """Write them."""
        self._stream.writelines(line + "\n" for line in lines)
        self._stream.flush()

    def end(self) -> None:
        """Nothing is left to do."""


class Terminal:
    """A table that changes in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def open(self) -> None:
        """Take the terminal."""
        self._live.start()

    def draw(self, board: Board) -> None:
        """Draw the board."""
        self._live.update(picture(board), refresh=True)

    def note(self, note: Note) -> None:
        """Nothing: the board shows it with the next drawing."""

    def say(self, lines: list[str]) -> None:
        """Write below or above the table."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def end(self) -> None:
        """Give the terminal back; more than once is harmless."""
        self._live.stop()


@contextmanager
def screen(stream: TextIO) -> Iterator[Screen]:
    """The right screen for this stream."""
    if not stream.isatty():
        yield Lines(stream)
        return
    terminal = Terminal(Console(file=stream, highlight=False))
    terminal.open()
    try:
        yield terminal
    finally:
        terminal.end()


def picture(board: Board) -> Group:
    """The board as a table with what happened last below it."""
    panel = Panel(
        _figures(board),
        title="archsyncd demo · Archean R247 ⇄ commercetools",
        subtitle=f"the daemon's log: {board.log}",
        width=WIDTH,
    )
    notes = Table.grid(padding=(0, 1))
    notes.add_column(justify="right", no_wrap=True, min_width=7)
    notes.add_column(no_wrap=True, min_width=9)
    notes.add_column(no_wrap=True, overflow="ellipsis", max_width=WIDTH - 20)
    for note in board.notes:
        style = "cyan" if note.who == DAEMON else "bold"
        notes.add_row(f"{note.at_seconds:.1f} s", Text(note.who, style), Text(note.text))
    return Group(panel, notes)


def _figures(board: Board) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=15)
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=WIDTH - 26)
    bar = ProgressBar(
        total=board.day_seconds, completed=min(board.day_at_seconds, board.day_seconds), width=40
    )
    hour = Table.grid(padding=(0, 2))
    hour.add_row(Text(f"{board.phase:12}", "bold"), bar, f"{board.at_seconds:.0f} s")
    table.add_row("the day", hour)
    table.add_row("archsyncd", Text(board.daemon(), "" if board.running else "bold red"))
    table.add_row("records", f"{board.records:,} read   {board.records_meter.per_second:.0f}/s")
    limit = "" if board.reading is None else f"   limit {board.reading.limit_per_second:.0f}/s"
    refused = f"   {board.throttled:,} answered 429" if board.throttled else ""
    rate = f"{board.requests:,} sent   {board.requests_meter.per_second:.0f}/s"
    table.add_row("requests", f"{rate}{limit}{refused}")
    table.add_row("waiting", board.waiting())
    table.add_row("oldest decrease", board.oldest_decrease())
    table.add_row("exceptions", Text(board.exceptions(), "" if board.exceptions() == "none" else "yellow"))
    table.add_row("shoppers", f"{board.served:,} served   {board.refused:,} refused (sold out)")
    table.add_row("orders", board.carried())
    table.add_row("to Archean", told(board.orders.handing_over))
    table.add_row("dispatch booked", told(board.orders.booking))
    return table
