"""RFC 3339 times as UTC milliseconds. Pure: what the time is now is nobody's business here."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_ms(text: str) -> int | None:
    """UTC milliseconds since 1970 of an RFC 3339 time with offset; None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return int(moment.timestamp() * 1000)


def rfc3339(at_ms: int) -> str:
    """The UTC time as RFC 3339 with milliseconds, the form commercetools uses."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"
