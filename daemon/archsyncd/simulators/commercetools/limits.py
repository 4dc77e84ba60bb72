"""Request limits of the simulated platform: a token bucket and a ceiling on requests in flight."""

from archsyncd.simulators.commercetools.clock import Clock, http_date
from archsyncd.simulators.commercetools.config import RetryAfter


class Bucket:
    """Tokens that refill with time, up to the burst."""

    def __init__(self, clock: Clock, per_second: float, burst: int) -> None:
        self._clock = clock
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at = clock.now()

    def take(self) -> bool:
        """Take a token if there is one."""
        now = self._clock.now()
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._per_second)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def retry_after(form: RetryAfter, seconds: int, now: float) -> dict[str, str]:
    """Return the Retry-After header in one of its forms (RFC 9110, section 10.2.3)."""
    if form is RetryAfter.SECONDS:
        return {"Retry-After": str(seconds)}
    if form is RetryAfter.DATE:
        return {"Retry-After": http_date(int(now) + seconds)}
    return {}
