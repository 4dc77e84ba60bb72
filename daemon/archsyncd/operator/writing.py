"""Answers as text and as JSON on an output. Knows no verb."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from archsyncd.operator.tables import shown


def shown_lines(text: str) -> str:
    """Text of several lines with nothing in them that a terminal would obey."""
    return "\n".join(shown(line) for line in text.split("\n"))


def write_json(out: TextIO, value: Any) -> None:
    """One value on one line."""
    out.write(json.dumps(value, ensure_ascii=False) + "\n")


def stream_json(
    out: TextIO, rows: Iterable[Mapping[str, Any]], rest: Callable[[], Mapping[str, Any]]
) -> None:
    """One JSON object, written row by row: there may be more rows than memory should hold. `rest`: its other fields."""
    out.write('{"rows": [')
    out.writelines(
        (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False) for number, row in enumerate(rows)
    )
    out.write("\n]")
    out.writelines(
        f", {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in rest().items()
    )
    out.write("}\n")
