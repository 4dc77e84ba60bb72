"""The charts' geometry: whatever the figures are, lines stay inside, gaps stay gaps, and scales begin at zero."""

from __future__ import annotations

import math
import re
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsyncd.domain.times import rfc3339
from archsyncd.operator.page.charts import (
    BOTTOM,
    HEIGHT,
    LABEL_HALF,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Series,
    Span,
    bars,
    ceiling,
    drawn,
    hours,
)
from archsyncd.operator.page.screens import stepped

HOUR_MS = 3_600_000
SPAN = Span(0, 6 * HOUR_MS, 60_000)
VALUES = st.one_of(st.none(), st.floats(0, 1e12), st.integers(0, 10**9))


def places(path: str) -> list[list[tuple[float, float]]]:
    """A path's runs as points."""
    runs = []
    for run in path.split("M")[1:]:
        first, _, steps = run.partition("l")
        pairs = re.findall(r"(-?[\d.]+(?:e[-+]\d+)?) ?(-?[\d.]+(?:e[-+]\d+)?)", f"{first} {steps}")
        runs.append(
            list(
                accumulate(((float(x), float(y)) for x, y in pairs), lambda a, b: (a[0] + b[0], a[1] + b[1]))
            )
        )
    return runs


@given(values=st.lists(VALUES, max_size=60))
def test_every_point_lies_inside_the_drawing(values: list[float | None]) -> None:
    """Also of figures that are huge, or nothing at all."""
    points = [(number * 60_000, value) for number, value in enumerate(values)]
    drawing = drawn((Series("a", "a", points),), SPAN)
    (line,) = drawing.lines
    for x, y in [*line.dots, *(place for run in places(line.path) for place in run)]:
        assert LEFT - 0.01 <= x <= WIDTH - RIGHT + 0.01
        assert TOP - 0.01 <= y <= HEIGHT - BOTTOM + 0.01
    assert "nan" not in line.path


@given(value=st.floats(0, 1e15))
def test_the_scale_ends_at_a_round_number_above_the_greatest(value: float) -> None:
    """1, 2 or 5 times a power of ten, and not far above it."""
    top = ceiling(value)
    assert top >= value * (1 - 1e-9)
    assert top <= max(1.0, value * 2.5 * (1 + 1e-9))
    assert round(top / 10 ** math.floor(math.log10(top) + 1e-9), 6) in {1, 2, 5, 10}


def test_time_without_figures_stays_empty() -> None:
    """A line does not run over a pause of the daemon, nor over a minute in which nothing was known."""
    points = [
        (0, 1.0),
        (60_000, 2.0),
        (600_000, 3.0),
        (660_000, 1.0),
        (720_000, None),
        (780_000, 1.0),
        (840_000, 2.0),
    ]
    (line,) = drawn((Series("a", "a", points),), SPAN).lines
    assert [len(run) for run in places(line.path)] == [2, 2, 2]


def test_a_lonely_figure_is_a_dot() -> None:
    """A line of one point would not be seen."""
    (line,) = drawn((Series("a", "a", [(60_000, 4.0)]),), SPAN).lines
    assert (line.path, len(line.dots)) == ("", 1)


def test_a_level_stretch_costs_two_points() -> None:
    """Its ends, so that a quiet day is a short path."""
    points = [(number * 60_000, 5.0) for number in range(300)]
    (line,) = drawn((Series("a", "a", points),), SPAN).lines
    assert [len(run) for run in places(line.path)] == [2]


def test_greater_figures_lie_higher_and_zero_on_the_ground() -> None:
    """Two lines share one scale."""
    drawing = drawn(
        (Series("a", "a", [(0, 0.0), (60_000, 10.0)]), Series("b", "b", [(0, 5.0), (60_000, 5.1)])), SPAN
    )
    (ground, peak), (middle, _) = places(drawing.lines[0].path)[0], places(drawing.lines[1].path)[0]
    assert ground[1] == pytest.approx(HEIGHT - BOTTOM)
    assert peak[1] < middle[1] < ground[1]
    assert [tick.value for tick in drawing.ticks] == [0, drawing.top / 2, drawing.top]


@given(states=st.lists(st.sampled_from(("healthy", "degraded", "critical")), min_size=1, max_size=50))
def test_stretches_of_a_state_follow_each_other_and_do_not_overlap(states: list[str]) -> None:
    """Each as long as it lasted; neighbours differ."""
    found = bars([(number * 60_000, state) for number, state in enumerate(states)], Span(0, HOUR_MS, 60_000))
    assert all(later.x >= sooner.x + sooner.width - 0.6 for sooner, later in pairwise(found))
    assert all(sooner.state != later.state for sooner, later in pairwise(found))


@given(now_ms=st.integers(0, 2**45), span=st.sampled_from((1, 6, 24)))
def test_hours_are_full_ones_and_their_labels_do_not_touch(now_ms: int, span: int) -> None:
    """At most seven of them, within the drawing."""
    found = hours(Span(now_ms, now_ms + span * HOUR_MS, 60_000))
    assert 2 <= len(found) <= 7
    assert all(at_ms % 900_000 == 0 and LEFT <= x <= WIDTH - RIGHT for x, at_ms in found)
    assert all(x <= WIDTH - LABEL_HALF for x, _ in found)
    assert all(later - sooner > 70 for (sooner, _), (later, _) in pairwise(found))


@given(
    falls=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=60),
    waited=st.lists(st.one_of(st.none(), st.integers(0, 999)), min_size=60, max_size=60),
)
def test_no_peak_of_a_chart_is_missing_in_the_table(
    falls: list[tuple[int, int]], waited: list[int | None]
) -> None:
    """However many minutes there are: six steps over the whole time, and the worst of all is the worst of one of them."""
    rows = [sampled(minute, near, rest, waited[minute]) for minute, (near, rest) in enumerate(falls)]
    table = list(stepped(rows, Span(0, HOUR_MS, 60_000)))
    assert len(table) == -(-len(rows) // 10)
    assert max(row["falling"] for row in table) == max(sum(pair) for pair in falls)
    ages = [age for age in waited[: len(falls)] if age is not None]
    assert max((row["age"] for row in table if row["age"] is not None), default=None) == max(
        ages, default=None
    )
    assert ("critical" in {row["verdict"] for row in table}) == (len(rows) > CRITICAL_MINUTE)
    assert [row["at"] for row in table] == [rfc3339(step * 600_000) for step in range(len(table))]


CRITICAL_MINUTE = 7


def sampled(minute: int, near: int, rest: int, waited: int | None) -> dict[str, object]:
    """A row of the verb `samples`, shortened."""
    verdict = "critical" if minute == CRITICAL_MINUTE else "healthy"
    waits = {"near_zero": near, "decreases": rest, "from_zero": 0, "increases": 0}
    return {"at": rfc3339(minute * 60_000), "verdict": verdict, "age": waited, **waits}
