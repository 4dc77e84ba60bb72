"""One measured figure beside its floor, and how figures are shown. Measures nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

BELOW_FLOOR = "≥"
ABOVE_FLOOR = "≤"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one run. `floor` is the bare machine's figure in the same run and unit, None where there is none.

    `aim` bounds the ratio to the floor, or the value itself where there is no floor: `≥` from below, `≤` from above.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    sign: str = ""
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a share of the floor."""
        return None if not self.floor else self.value / self.floor

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        judged = self.value if self.floor is None else self.ratio
        if self.aim is None or judged is None:
            return None
        return judged >= self.aim if self.sign == BELOW_FLOOR else judged <= self.aim


def as_json(figures: Iterable[Figure]) -> str:
    """All figures as one JSON array."""
    return json.dumps(
        [
            {
                "name": figure.name,
                "value": figure.value,
                "unit": figure.unit,
                "floor": figure.floor,
                "ratio": figure.ratio,
                "aim": f"{figure.sign} {figure.aim:g}" if figure.aim is not None else None,
                "met": figure.met,
            }
            for figure in figures
        ],
        indent=1,
    )


def as_table(figures: Iterable[Figure]) -> str:
    """All figures as a table for a terminal."""
    head = ("figure", "value", "unit", "floor", "ratio", "aim", "met")
    rows = [head, *(_cells(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in {0, 2} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(figure: Figure) -> tuple[str, ...]:
    aim = "" if figure.aim is None else f"{figure.sign} {figure.aim:.3g}"
    met = "" if figure.met is None else "yes" if figure.met else "no"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3f}"
    return (
        figure.name,
        _number(figure.value),
        figure.unit,
        "" if figure.floor is None else _number(figure.floor),
        ratio,
        aim,
        met,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
