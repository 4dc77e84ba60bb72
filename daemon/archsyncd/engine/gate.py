"""A way on which a system answers us or does not: shut while it does not, tried by one call now and then, open again at once.

Knows neither what is carried on it nor any protocol.
"""

from __future__ import annotations

from collections.abc import Callable

from archsyncd.domain.retry import steady_delay
from archsyncd.engine.ports import Clock, FeedFault

# One thing alone that gets no answer says nothing about the way.
SHUT_AFTER = 3
PROBE_BASE_SECONDS = 2.0
PROBE_LIMIT_SECONDS = 15.0
_NEVER = float("inf")


class Gate:
    """Open until several things in a row got no answer; then one call after another tries it, ever more rarely.

    `fault`: what the last call came to, "" where it was answered. `answered_ms`: when one was answered last (UTC milliseconds,
    0: not since the start).
    """

    def __init__(self, clock: Clock, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._chance = chance
        self.fault = ""
        self.answered_ms = 0
        self._unanswered: set[str] = set()
        self._probes = 0
        self._probe_at = _NEVER

    @property
    def shut(self) -> bool:
        """Whether nobody answers."""
        return len(self._unanswered) >= SHUT_AFTER

    @property
    def probe_due(self) -> bool:
        """Whether one call may try it now."""
        return self.shut and self._clock.monotonic() >= self._probe_at

    def passes(self) -> bool:
        """Whether a call may be made. Who may must tell what came of it: `answered`, `failed` or `withdrawn`."""
        if not self.shut:
            return True
        if not self.probe_due:
            return False
        self._probe_at = _NEVER
        return True

    def answered(self) -> bool:
        """A call was answered; whether it was shut until now."""
        was_shut = self.shut
        self.fault, self.answered_ms = "", self._clock.wall_ms()
        self._unanswered.clear()
        self._probes, self._probe_at = 0, _NEVER
        return was_shut

    def failed(self, name: str, fault: FeedFault) -> None:
        """A call about something got no answer, or one that is of no use for that thing alone."""
        self.refused(name, fault.reason, fault.retry_after_seconds or 0.0, alone=fault.answered)

    def refused(self, name: str, reason: str, asked_seconds: float = 0.0, *, alone: bool = False) -> None:
        """A call about something came to nothing. `asked_seconds`: how long we were asked to wait; `alone`: only this thing's."""
        self.fault = reason
        if not alone and not self.shut:
            self._unanswered.add(name)
        self._next_probe(asked_seconds)

    def withdrawn(self) -> None:
        """The call was not made after all, or told nothing. Nothing is changed where its outcome was told."""
        if self._probe_at == _NEVER:
            self._next_probe(0.0)

    def _next_probe(self, asked_seconds: float) -> None:
        if not self.shut:
            return
        wait_seconds = steady_delay(
            self._probes, self._chance(), base_seconds=PROBE_BASE_SECONDS, limit_seconds=PROBE_LIMIT_SECONDS
        )
        self._probes += 1
        asked_seconds = min(asked_seconds, 4 * PROBE_LIMIT_SECONDS)
        self._probe_at = self._clock.monotonic() + max(wait_seconds, asked_seconds)
