"""What is shown while the day goes on, and what was remarkable about it; plain values, knows no terminal."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from archsyncd.demo.orders import OrderFigures
from archsyncd.demo.watching import DECREASES, Reading

RATE_SECONDS = 2.0
NOTES_SHOWN = 8
DEMO, DAEMON = "demo", "archsyncd"
_LOG_LINE = re.compile(r"\d\d:\d\d:\d\d (\w+) +(.*)")
_LOG_FIELDS = re.compile(r"( [a-z]+=\S+)+$")
_DULL = ("filesystem", "sync_channel")


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened at `at_seconds` of the demo, told by the demo or by the daemon's log."""

    at_seconds: float
    who: str
    text: str


@dataclass(slots=True)
class Meter:
    """How fast a total rises, over the last two seconds."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, at_seconds: float, total: int) -> None:
        """Take a sample."""
        self.samples.append((at_seconds, total))
        while len(self.samples) > 2 and self.samples[1][0] <= at_seconds - RATE_SECONDS:  # noqa: PLR2004 - a rate needs two
            self.samples.popleft()

    @property
    def per_second(self) -> float:
        """The rate now."""
        if not self.samples:
            return 0.0
        (begin, first), (end, last) = self.samples[0], self.samples[-1]
        return max(0.0, (last - first) / (end - begin)) if end > begin else 0.0


@dataclass(slots=True)
class Board:
    """The state of the show. `reading` is None while the daemon does not answer, `running` whether its process exists."""

    day_seconds: float
    log: str
    phase: str = "opening"
    day_at_seconds: float = 0.0
    at_seconds: float = 0.0
    running: bool = False
    reading: Reading | None = None
    records: int = 0
    requests: int = 0
    throttled: int = 0
    trade: Mapping[str, int] = field(default_factory=dict)
    orders: OrderFigures = field(default_factory=OrderFigures)
    restarts: int = 0
    records_meter: Meter = field(default_factory=Meter)
    requests_meter: Meter = field(default_factory=Meter)
    notes: deque[Note] = field(default_factory=lambda: deque(maxlen=NOTES_SHOWN))
    oldest_decrease_seconds: float = 0.0
    oldest_increase_seconds: float = 0.0
    exceptions_seen: set[str] = field(default_factory=set)

    def sent(self, at_seconds: float, requests: int, throttled: int) -> None:
        """Take commercetools' counters."""
        self.at_seconds, self.requests, self.throttled = at_seconds, requests, throttled
        self.requests_meter.note(at_seconds, requests)

    def read(self, reading: Reading | None) -> None:
        """Take the daemon's status."""
        self.reading = reading
        if reading is None:
            return
        self.records = max(self.records, reading.records)
        self.records_meter.note(self.at_seconds, self.records)
        self.exceptions_seen |= reading.exceptions.keys()

    def remember_waiting(self) -> None:
        """Let the present ages count among the longest."""
        if self.reading is not None:
            decrease, increase = self.reading.oldest_decrease_seconds, self.reading.oldest_increase_seconds
            self.oldest_decrease_seconds = max(self.oldest_decrease_seconds, decrease or 0.0)
            self.oldest_increase_seconds = max(self.oldest_increase_seconds, increase or 0.0)

    @property
    def served(self) -> int:
        """Orders that shoppers placed."""
        return self.trade.get("ordered", 0)

    @property
    def refused(self) -> int:
        """Orders that commercetools refused, for want of stock."""
        return self.trade.get("refused", 0)

    def daemon(self) -> str:
        """What the daemon says, or why it says nothing."""
        again = f" (started again {self.restarts}×)" if self.restarts else ""
        if not self.running:
            return f"does not run{again}"
        return ("starts" if self.reading is None else self.reading.sentence) + again

    def waiting(self) -> str:
        """Waiting keys by class, decreases first."""
        if self.reading is None:
            return "?"
        told = [f"{keys} {name}" for name, (keys, _) in self.reading.waiting.items() if keys]
        return " · ".join(told) or "nothing"

    def waiting_shortly(self) -> str:
        """The same as two numbers."""
        if self.reading is None:
            return "?"
        sums = {True: 0, False: 0}
        for name, (keys, _) in self.reading.waiting.items():
            sums[name in DECREASES] += keys
        return f"{sums[True]} down, {sums[False]} up"

    def oldest_decrease(self) -> str:
        """Age of the oldest waiting decrease."""
        oldest = None if self.reading is None else self.reading.oldest_decrease_seconds
        return "–" if oldest is None else f"{oldest:.1f} s"

    def exceptions(self) -> str:
        """Open exceptions by kind."""
        return "?" if self.reading is None else by_kind(self.reading.exceptions) or "none"

    def carried(self) -> str:
        """How far orders have come."""
        orders = self.orders
        given = f"{orders.placed:,} placed   {orders.handed_over:,} with Archean"
        return f"{given}   {orders.shipped:,} shipped   {orders.booked:,} booked"


def by_kind(cases: Mapping[str, int]) -> str:
    """Exceptions by kind; "" for none."""
    return " · ".join(f"{number} {kind}" for kind, number in cases.items())


def from_log(line: str) -> str | None:
    """The message of a line of the daemon's log; None when it is none or not worth showing."""
    found = _LOG_LINE.match(line)
    if found is None or found[1] == "debug" or any(word in found[2] for word in _DULL):
        return None
    return _LOG_FIELDS.sub("", found[2])
