"""Figures over time as the geometry of small drawings: scales, paths with gaps, ticks. Pure; knows no HTML and no verb."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

# Units of which a pixel holds about two: whole numbers are places enough, and short to write.
WIDTH, HEIGHT = 640, 192
# Half of a label of the level axis: one that stood nearer to an edge would be cut off.
LABEL_HALF = 30
LEFT, RIGHT, TOP, BOTTOM = 68, 8, 16, 32
_STEPS = (1, 2, 5, 10)
Point: TypeAlias = tuple[int, float | None]
Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Series:
    """One line. `style`: the class that draws it; points are (UTC milliseconds, value or None), oldest first."""

    name: str
    style: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a drawing covers (UTC milliseconds), and how far apart two points of one line may be."""

    from_ms: int
    to_ms: int
    step_ms: int

    def x(self, at_ms: int) -> int:
        """Where a moment lies."""
        share = (at_ms - self.from_ms) / max(self.to_ms - self.from_ms, 1)
        return round(LEFT + min(max(share, 0), 1) * (WIDTH - LEFT - RIGHT))


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on the axis and where it lies."""

    at: int
    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """A path as SVG writes it, with single points as dots (x, y)."""

    name: str
    style: str
    path: str
    dots: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Lines and the ticks of the upright axis; `top` is its greatest value."""

    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    top: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of one state: where it begins, and how wide it is."""

    x: int
    width: int
    state: str


def drawn(series: Sequence[Series], span: Span) -> Drawing:
    """Draw lines on one scale from zero; None and missing points leave gaps."""
    values = [value for each in series for _, value in each.points if value is not None]
    top = ceiling(max(values, default=0.0))
    ticks = tuple(Tick(_y(value, top), value) for value in (0.0, top / 2, top))
    return Drawing(tuple(_line(each, span, top) for each in series), ticks, top)


def ceiling(value: float) -> float:
    """The next round number, 1, 2 or 5 times a power of ten, at least 1."""
    if not math.isfinite(value) or value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in _STEPS if step * power >= value * (1 - 1e-9))


def runs(points: Sequence[Point], span: Span) -> Iterator[list[tuple[int, float]]]:
    """Points that hang together, as (x, value): a None, or more than a step and a half without one, ends a run."""
    run: list[tuple[int, float]] = []
    before: int | None = None
    for at_ms, value in points:
        apart = before is not None and at_ms - before > 1.5 * span.step_ms
        if run and (value is None or apart):
            yield run
            run = []
        if value is not None:
            run.append((span.x(at_ms), value))
        before = at_ms
    if run:
        yield run


def _line(series: Series, span: Span, top: float) -> Line:
    parts: list[str] = []
    dots: list[Place] = []
    for run in runs(series.points, span):
        if len(run) == 1:
            dots.append((run[0][0], _y(run[0][1], top)))
            continue
        places = _thinned([(x, _y(value, top)) for x, value in run])
        parts.append(_path(places))
    return Line(series.name, series.style, "".join(parts), tuple(dots))


def _path(places: list[Place]) -> str:
    """Points as steps from the one before, which are shorter to write than places."""
    (x, y), *_ = places
    steps = [f"{at - before} {up - down}" for (before, down), (at, up) in pairwise(places)]
    return f"M{x} {y}l{' '.join(steps)}".replace(" -", "-")


def _thinned(places: list[Place]) -> list[Place]:
    """Without the middle ones of a straight stretch: they would cost bytes and draw nothing."""
    kept = places[:1]
    for place, after in pairwise(places[1:]):
        (x, y), (at, up) = kept[-1], place
        if x == at or (at - x) * (after[1] - up) != (after[0] - at) * (up - y):
            kept.append(place)
    return [*kept, places[-1]]


def _y(value: float, top: float) -> int:
    share = min(max(value / top, 0.0), 1.0)
    return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM))


def bars(points: Sequence[tuple[int, str]], span: Span) -> tuple[Bar, ...]:
    """States over time as stretches, each as long as it lasted; nothing where nothing is known."""
    found: list[Bar] = []
    for at_ms, state in points:
        x, end = span.x(at_ms), span.x(min(at_ms + span.step_ms, span.to_ms))
        last = found[-1] if found else None
        if last is not None and last.state == state and last.x + last.width == x:
            found[-1] = Bar(last.x, end - last.x, state)
        else:
            found.append(Bar(x, max(end - x, 1), state))
    return tuple(found)


def hours(span: Span, labels: int = 4) -> tuple[tuple[int, int], ...]:
    """Full hours on the level axis, (x, UTC milliseconds): so many that their labels do not touch."""
    whole = 3_600_000
    count = max((span.to_ms - span.from_ms) // whole, 1)
    step = next(each for each in (1, 2, 3, 6, 12, 24) if count // each <= labels) * whole
    if count == 1:
        step = 900_000
    first = -(-span.from_ms // step) * step
    return tuple(
        (min(span.x(at_ms), WIDTH - LABEL_HALF), at_ms) for at_ms in range(first, span.to_ms + 1, step)
    )
