"""Tables and figures as text: plain for pipes, with rich on a terminal. Knows no verb; shows no control character."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

LEFT, RIGHT = "<", ">"
CELL_LIMIT_CHARACTERS = 120


class Table:
    """Columns with their alignment, and rows of text."""

    def __init__(self, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(shown(cell) for cell in row) for row in rows]

    def lines(self) -> list[str]:
        """The table as plain lines, columns two spaces apart, long cells cut."""
        heads = tuple(name for name, _ in self.columns)
        cut = [tuple(_cut(cell) for cell in row) for row in self.rows]
        widths = [max(len(row[index]) for row in (heads, *cut)) for index in range(len(heads))]
        return [
            "  ".join(
                f"{cell:{align}{width}}"
                for cell, (_, align), width in zip(row, self.columns, widths, strict=True)
            ).rstrip()
            for row in (heads, *cut)
        ]

    def write(self, out: TextIO) -> None:
        """Write it: with rich where `out` is a terminal, in plain lines elsewhere."""
        if out.isatty():
            self._on_terminal(out)
            return
        out.writelines(line + "\n" for line in self.lines())

    def _on_terminal(self, out: TextIO) -> None:
        # Imported here: it costs more than all the rest of the tool.
        from rich.box import SIMPLE_HEAD  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415
        from rich.table import Table as RichTable  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
        for name, align in self.columns:
            table.add_column(name, justify="right" if align == RIGHT else "left", overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(file=out, highlight=False).print(table)


def shown(value: Any) -> str:
    """A value as one line of printable text; what came from outside may hold escape sequences."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def age(seconds: float | None) -> str:
    """A duration in at most two units."""
    # Imported here: the tool's start loads nothing of the daemon's.
    from archsyncd.domain.times import age as told  # noqa: PLC0415

    return told(seconds)


def counted(number: int, noun: str, many: str = "") -> str:
    """As domain/counting."""
    # What the tool loads is kept small.
    from archsyncd.domain.counting import counted as told  # noqa: PLC0415

    return told(number, noun, many)


def _cut(cell: str) -> str:
    return cell if len(cell) <= CELL_LIMIT_CHARACTERS else cell[: CELL_LIMIT_CHARACTERS - 1] + "…"
