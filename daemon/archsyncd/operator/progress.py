"""A progress bar for long work, on a terminal alone. Knows no verb; imports nothing heavy."""

from __future__ import annotations

from typing import TextIO

from archsyncd.operator.tables import shown

WIDTH = 30
_START_OF_LINE = "\r\x1b[2K"


class Bar:
    """Draws over one line of `out`; on anything but a terminal it stays silent."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._on = out.isatty()
        self._drawn = False

    def draw(self, what: str, done: int, total: int | None) -> None:
        """Show how far `what` is; without a total only the count."""
        if not self._on:
            return
        text = f"{shown(what)}  {done:,}" if done or total else shown(what)
        if total:
            filled = min(WIDTH * done // total, WIDTH)
            text = f"[{'#' * filled}{'.' * (WIDTH - filled)}] {text} of {total:,}"
        self._out.write(_START_OF_LINE + text)
        self._out.flush()
        self._drawn = True

    def end(self) -> None:
        """Leave the line empty."""
        if self._drawn:
            self._out.write(_START_OF_LINE)
            self._out.flush()
            self._drawn = False
