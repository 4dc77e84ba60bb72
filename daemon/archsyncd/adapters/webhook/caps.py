"""How much is looked at: calls a second over all, and refused calls of one address. Counts what it is told; reads no clock."""

from __future__ import annotations

MINUTE_SECONDS = 60.0
ADDRESSES = 1_024


class Rate:
    """A bucket of `burst` places that fills at `per_second`."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._left = self._burst
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Take a place at `now` (monotonic seconds); False: there is none."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Refusals:
    """Refused calls by address within the last minute or so, of a bounded number of addresses."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, tuple[float, int]] = {}

    def note(self, address: str, now: float) -> None:
        """Another call from there was refused."""
        began, count = self._counts.pop(address, (now, 0))
        if now - began >= MINUTE_SECONDS:
            began, count = now, 0
        while len(self._counts) >= ADDRESSES:
            del self._counts[next(iter(self._counts))]
        self._counts[address] = (began, count + 1)

    def beyond(self, address: str, now: float) -> bool:
        """Whether nothing from there is looked at for now."""
        began, count = self._counts.get(address, (now, 0))
        return count >= self._most and now - began < MINUTE_SECONDS
