"""RFC 3339 times as UTC milliseconds. Pure: what the time is now is nobody's business here."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# fromisoformat alone reads more than RFC 3339: week dates, times without seconds, offsets with seconds.
_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def utc_ms(text: str) -> int | None:
    """UTC milliseconds since 1970 of an RFC 3339 time with offset; None when it is not one."""
    if _RFC3339.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return (moment - _EPOCH) // _MILLISECOND


def rfc3339(at_ms: int) -> str:
    """The UTC time as RFC 3339 with milliseconds, the form commercetools uses."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


def age(seconds: float | None) -> str:
    """A duration in at most two units."""
    if seconds is None:
        return "-"
    if seconds < 10:  # noqa: PLR2004 - below, tenths are worth telling
        return f"{seconds:.1f} s"
    if seconds < _MINUTE * 2:
        return f"{seconds:.0f} s"
    if seconds < _HOUR * 2:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY * 2:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} d"
