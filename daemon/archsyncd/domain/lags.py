"""How long things took of late: the newest of each name, and where half and nearly all of them lie. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Lag:
    """How long something took, in milliseconds: half of the newest `count` no longer than `p50_ms`, 99 % than `p99_ms`."""

    count: int
    p50_ms: int
    p99_ms: int


class Lags:
    """The newest measurements by name, a bounded number of each."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[int]] = {}

    def note(self, name: str, lag_ms: int) -> None:
        """Something took so long. Clocks of two systems may disagree: nothing took less than no time."""
        self._kept.setdefault(name, deque(maxlen=KEPT)).append(max(lag_ms, 0))

    def of(self, name: str, waiting_ms: Collection[int] = ()) -> Lag | None:
        """What the newest say; None where nothing was measured since the start, and nothing waits.

        `waiting_ms`: how long those have waited that are not through yet. One counts as soon as it has waited for longer than
        half of the others took: who has only just come says nothing yet.
        """
        kept = sorted(self._kept.get(name, ()))
        half_ms = kept[len(kept) // 2] if kept else 0
        kept = sorted([*kept, *(each for each in waiting_ms if each > half_ms)])
        if not kept:
            return None
        return Lag(len(kept), kept[len(kept) // 2], kept[min(len(kept) * 99 // 100, len(kept) - 1)])
