"""Hours of the week in which no news is expected: a little language, and how much of a stretch of time they are. Reads no clock.

    Mon-Fri 20:00-06:00      on each of these days from then on, to the next such hour: the nights after Mon to Fri
    Sun 00:00-24:00          one whole day
    Sat 12:00-Mon 06:00      from one moment of the week to another

Hours are the wall clock's in a time zone. Where clocks are put forward an hour that does not exist is not waited for; where
they are put back an hour that comes twice is quiet both times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES: Final = 24 * 60
WEEK_MINUTES: Final = 7 * DAY_MINUTES
GRAMMAR: Final = 'hours such as "Mon-Fri 20:00-06:00" or "Sat 12:00-Mon 06:00" (Mon Tue Wed Thu Fri Sat Sun, 00:00 to 24:00)'
LOOKED_BACK: Final = timedelta(days=70)
_DAY: Final = f"({'|'.join(DAYS)})"
_CLOCK: Final = r"([01]\d|2[0-3]):([0-5]\d)"
_END: Final = r"([01]\d|2[0-3]|24):([0-5]\d)"
_DAILY: Final = re.compile(rf"{_DAY}(?:-{_DAY})? {_CLOCK}-{_END}", re.ASCII)
_WEEKLY: Final = re.compile(rf"{_DAY} {_CLOCK}-{_DAY} {_END}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Hours as they were written, and each as the minute of the week it begins at (Mon 00:00 is 0) and its minutes."""

    text: str
    parts: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return self.text


def read_span(text: str) -> Span | None:
    """The hours that a text of the language means; None for any other text."""
    daily = _DAILY.fullmatch(text)
    if daily is not None:
        first, last, *clock = daily.groups()
        start, end = _minute(clock[0], clock[1]), _minute(clock[2], clock[3])
        if start is None or end is None or start == end:
            return None
        length = (end - start) % DAY_MINUTES or DAY_MINUTES
        begin = DAYS.index(first)
        days = (DAYS.index(last or first) - begin) % 7 + 1
        return Span(text, tuple((((begin + day) % 7) * DAY_MINUTES + start, length) for day in range(days)))
    weekly = _WEEKLY.fullmatch(text)
    if weekly is None:
        return None
    from_day, h1, m1, to_day, h2, m2 = weekly.groups()
    start, end = _minute(h1, m1), _minute(h2, m2)
    if start is None or end is None:
        return None
    begins = DAYS.index(from_day) * DAY_MINUTES + start
    length = (DAYS.index(to_day) * DAY_MINUTES + end - begins) % WEEK_MINUTES
    return Span(text, ((begins, length),)) if length else None


def _minute(hours: str, minutes: str) -> int | None:
    found = int(hours) * 60 + int(minutes)
    return found if found <= DAY_MINUTES else None


def cover_the_week(spans: tuple[Span, ...]) -> bool:
    """Whether these hours leave none of the week."""
    covered = set[int]()
    for begins, length in (part for span in spans for part in span.parts):
        covered.update((begins + minute) % WEEK_MINUTES for minute in range(length))
    return len(covered) == WEEK_MINUTES


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of the week in a time zone. Times are UTC milliseconds."""

    spans: tuple[Span, ...] = ()
    zone: tzinfo = UTC

    def holds(self, at_ms: int) -> bool:
        """Whether no news is expected at this moment."""
        return self.ends_ms(at_ms) is not None

    def ends_ms(self, at_ms: int) -> int | None:
        """When the quiet hours that it is now end; None where it is none."""
        if not self.spans:
            return None
        # What begins when another one ends goes on; a week of both sides is as far as that can go.
        return next(
            (
                end
                for start, end in self._windows(at_ms, at_ms + WEEK_MINUTES * 60_000)
                if start <= at_ms < end
            ),
            None,
        )

    def within_ms(self, from_ms: int, to_ms: int) -> int:
        """How much of a stretch of time is quiet; of a very long one, of its last seventy days."""
        if not self.spans or to_ms <= from_ms:
            return 0
        from_ms = max(from_ms, to_ms - int(LOOKED_BACK.total_seconds() * 1000))
        found = ((max(start, from_ms), min(end, to_ms)) for start, end in self._windows(from_ms, to_ms))
        return sum(end - start for start, end in found if end > start)

    def _windows(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        """Quiet stretches that touch a stretch of time, in order and joined where they touch each other."""
        current: tuple[int, int] | None = None
        for start, end in sorted(self._parts(from_ms, to_ms)):
            if current is None:
                current = start, end
            elif start <= current[1]:
                current = current[0], max(current[1], end)
            else:
                yield current
                current = start, end
        if current is not None:
            yield current

    def _parts(self, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
        first = datetime.fromtimestamp(from_ms / 1000, self.zone).date() - timedelta(days=8)
        last = datetime.fromtimestamp(to_ms / 1000, self.zone).date() + timedelta(days=1)
        for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
            for begins, length in (part for span in self.spans for part in span.parts):
                if begins // DAY_MINUTES == day.weekday():
                    minute = begins % DAY_MINUTES
                    start, end = self._utc_ms(day, minute, 0), self._utc_ms(day, minute + length, 1)
                    if start < end:
                        yield start, end

    def _utc_ms(self, day: date, minute: int, fold: int) -> int:
        local = datetime.combine(day, time()) + timedelta(minutes=minute)
        return round(local.replace(tzinfo=self.zone, fold=fold).timestamp() * 1000)
