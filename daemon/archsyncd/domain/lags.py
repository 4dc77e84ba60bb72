"""How long things took of late: the newest of each name, and where half and nearly all of them lie. Pure."""

from __future__ import annotations

from collections import deque
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

    def of(self, name: str) -> Lag | None:
        """What the newest say; None where nothing was measured since the start."""
        kept = sorted(self._kept.get(name, ()))
        if not kept:
            return None
        return Lag(len(kept), kept[len(kept) // 2], kept[min(len(kept) * 99 // 100, len(kept) - 1)])
