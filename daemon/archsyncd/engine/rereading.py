"""When every open order is read again, because something was told that could not be read. Pure; asks nobody."""

from __future__ import annotations

from dataclasses import dataclass

EVERY_SECONDS = 600.0


@dataclass(slots=True)
class Rereading:
    """Times in monotonic seconds. `settle_seconds`: for so long the lists may still show orders as they were before.

    Messages that cannot be read may come in any number: their orders are read again together, and only so often.
    """

    settle_seconds: float
    _due_at: float | None = None
    _told_at: float = float("-inf")
    _done_at: float = float("-inf")

    def tell(self, now: float) -> None:
        """Something was told that could not be read."""
        self._told_at = now
        if self._due_at is None:
            self._due_at = max(now + self.settle_seconds, self._done_at + EVERY_SECONDS)

    def due(self, now: float) -> bool:
        """Whether to read the orders again now."""
        return self._due_at is not None and now >= self._due_at

    def done(self, now: float) -> None:
        """They are being read again. What was told a moment ago may not show yet: that takes one more time."""
        self._done_at = now
        late = self._told_at + self.settle_seconds > now
        self._due_at = now + EVERY_SECONDS if late else None
