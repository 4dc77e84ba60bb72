"""What long work shows on a terminal, and what a spreadsheet is given."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as some

from archsyncd.operator.progress import Progress
from archsyncd.operator.sheets import Sheet, safe


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_once_a_percent_and_taken_away_at_the_end() -> None:
    """A million steps cost a hundred lines at most, and nothing of them is left."""
    err = Terminal()
    bar = Progress(err, 10_000, "key")
    for done in range(10_001):
        bar.to(done)
    drawn = err.getvalue().split("\r\x1b[K")
    assert len(drawn) == 102
    assert drawn[51] == "[############            ]  50 %  5,000 of 10,000 keys"
    bar.end()
    bar.end()
    assert err.getvalue().endswith("10,000 of 10,000 keys\r\x1b[K")


def test_progress_without_a_total_counts() -> None:
    """Where nobody knows how many there are, it says how many there were."""
    err = Terminal()
    bar = Progress(err, None, "case")
    for done in (10, 50, 500, 560, 1_000):
        bar.to(done)
    assert [line for line in err.getvalue().split("\r\x1b[K") if line] == [
        "10 cases",
        "500 cases",
        "1,000 cases",
    ]


def test_progress_shows_nothing_where_nobody_looks() -> None:
    """A pipe gets no control characters."""
    err = io.StringIO()
    bar = Progress(err, 10, "key")
    bar.to(5)
    bar.end()
    assert err.getvalue() == ""


@example("=1+1")
@example("  @SUM(A1)")
@example("\tx")
@given(some.text())
def test_no_cell_of_text_begins_as_a_formula(text: str) -> None:
    """Whatever came from outside, the spreadsheet shows it; and it can be read back whole."""
    told = str(safe(text))
    assert not told.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert told.removeprefix("'") == text.replace("\x00", "\\x00") or told == text


def test_numbers_stay_numbers() -> None:
    """A change of −3 is a figure, not a formula."""
    out = io.StringIO()
    Sheet(out, ("sku", "change", "overdue", "note")).write(
        [
            {"sku": "=1+1", "change": -3, "overdue": True, "note": None},
            {"sku": "A,\n1", "change": 4, "overdue": False, "note": "-x"},
        ]
    )
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [
        ["sku", "change", "overdue", "note"],
        ["'=1+1", "-3", "yes", ""],
        ["A,\n1", "4", "no", "'-x"],
    ]
