"""CSV files of the drop (`r247/1`, section 3): header and rows to the fields of a record. Knows no directory.

UTF-8, RFC 4180 quoting, header required, canonical column names; an empty cell is "not stated". What a CSV cannot
write as JSON does is converted by column: integers, flags, and order references separated by spaces.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from archsyncd.domain.units import is_decimal
from archsyncd.wire.r247_values import Literal, Misread, Unreadable

DELIMITERS: Final = frozenset({",", ";", "\t"})
COLUMNS_LIMIT: Final = 256
_INTEGERS: Final = frozenset({"onHand", "available", "delta"})
_FLAGS: Final = frozenset({"imported"})
_LISTS: Final = frozenset({"ordersIncluded"})
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d{0,18})", re.ASCII)
_WORTH: Final[Mapping[str, bool]] = {"true": True, "false": False}


class Table:
    """The rows of one file. `columns` is its header; raises Unreadable when that is unusable."""

    def __init__(self, lines: Iterable[str], delimiter: str) -> None:
        if delimiter not in DELIMITERS:
            raise ValueError(f"delimiter: {delimiter!r}")
        self._rows = csv.reader(lines, delimiter=delimiter, strict=True)
        self.columns = self._header()

    def _header(self) -> tuple[str, ...]:
        try:
            columns = tuple(column.strip() for column in next(self._rows, []))
        except csv.Error as fault:
            raise Unreadable(f"the header is no CSV: {fault}") from None
        if not columns or len(columns) > COLUMNS_LIMIT or "" in columns:
            raise Unreadable("a header that names every column is needed")
        if len(set(columns)) != len(columns):
            raise Unreadable("the header names a column twice")
        return columns

    def check_levels(self) -> None:
        """Refuse a header that no level can come from. Raises Unreadable."""
        missing = {"sku", "location"} - set(self.columns)
        if missing:
            raise Unreadable(f"the header lacks {', '.join(sorted(missing))}")
        if not {"onHand", "available", "delta"} & set(self.columns):
            raise Unreadable("the header names no quantity")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are not blank, with the line each ends on.

        Raises Unreadable at broken quoting: where that row ends cannot be known.
        """
        try:
            for row in self._rows:
                if row:
                    yield self._rows.line_num, row
        except csv.Error as fault:
            raise Unreadable(f"line {self._rows.line_num} is no CSV: {fault}") from None

    def fields(self, row: list[str]) -> dict[str, Any] | Misread:
        """Name a row's cells, or complain that it has not as many as the header."""
        if len(row) != len(self.columns):
            return Misread("wrong_columns", f"has {len(row)} cells under {len(self.columns)} columns")
        return {column: _value(column, cell) for column, cell in zip(self.columns, row, strict=True) if cell}


def _value(column: str, cell: str) -> Any:
    if column in _INTEGERS:
        if _INTEGER.fullmatch(cell):
            return int(cell)
        # A decimal counts where the row tells a unit; it is a text, as it is in JSON.
        return cell if is_decimal(cell) else Literal(cell)
    if column in _FLAGS:
        return _WORTH.get(cell, cell)
    if column in _LISTS:
        return cell.split(" ")
    return cell
