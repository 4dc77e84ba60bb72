"""One line on a terminal that says how far long work has come. Knows no verb and no clock; elsewhere it shows nothing."""

from __future__ import annotations

from typing import TextIO

from archsyncd.operator.tables import shown

BAR_CHARACTERS = 24
UNMEASURED_STEP = 100
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows on `err` how many `noun`s of `total` are done; None: nobody knows how many there will be."""

    def __init__(self, err: TextIO, total: int | None, noun: str) -> None:
        self._err = err
        self._total = total
        self._noun = noun
        self._what = ""
        self._drawn: int | None = None
        self._on_terminal = err.isatty()

    def phase(self, what: str, total: int | None) -> None:
        """Another part of the work, named `what`, is under way, or it is known by now how much of it there is."""
        if (what, total) != (self._what, self._total):
            self._what, self._total, self._drawn = what, total, None

    def to(self, done: int) -> None:
        """So many are done; drawn only where that is to be seen."""
        step = self._step(done)
        if not self._on_terminal or step == self._drawn:
            return
        self._drawn = step
        self._err.write(f"{_CLEAR}{self._line(done)}")
        self._err.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._drawn is not None:
            self._drawn = None
            self._err.write(_CLEAR)
            self._err.flush()

    def _step(self, done: int) -> int:
        if not self._total:
            return done // UNMEASURED_STEP
        return min(100 * done // self._total, 100)

    def _line(self, done: int) -> str:
        what = f"  {shown(self._what)}" if self._what else ""
        if not self._total:
            return f"{done:,} {self._noun}s{what}"
        percent = self._step(done)
        full = BAR_CHARACTERS * percent // 100
        return f"[{'#' * full}{' ' * (BAR_CHARACTERS - full)}] {percent:3} %  {done:,} of {self._total:,} {self._noun}s{what}"
