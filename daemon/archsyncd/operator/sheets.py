"""CSV that a spreadsheet shows and does not obey. Knows no verb."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

# A cell that begins with one of these, in its wide form too, is a formula to a spreadsheet, or becomes one when it is pasted.
_OBEYED = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe(cell: Any) -> Any:
    """The cell with a quote before what a spreadsheet would obey; numbers, and nothing, stay as they are.

    None is an empty cell, truth is yes or no.
    """
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int | float):
        return cell
    text = str(cell).replace("\x00", "\\x00")
    return f"'{text}" if text.lstrip(" ").startswith(_OBEYED) else text


class Sheet:
    """Rows of the same fields, written one by one below a line with their names."""

    def __init__(self, out: TextIO, fields: Sequence[str]) -> None:
        self._writer = csv.writer(out, lineterminator="\n")
        self._fields = tuple(fields)
        self._writer.writerow(self._fields)

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write them as they come: nothing is kept."""
        self._writer.writerows([safe(row[field]) for field in self._fields] for row in rows)
