"""Kinds of values for hours in which no news is expected: spans of the week, time zones. Knows no key."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from archsyncd.config.faults import nearest, quoted
from archsyncd.config.kinds import Kind
from archsyncd.domain.quiet import DAYS, GRAMMAR, Span, read_span


@dataclass(frozen=True, slots=True)
class Hours(Kind):
    """A span of the week."""

    def _phrase(self) -> str:
        return GRAMMAR

    def _read(self, value: object) -> Span:
        found = read_span(value) if isinstance(value, str) else None
        if found is None:
            raise self.refusal(_meant(value) if isinstance(value, str) else None)
        return found


def _meant(text: str) -> str | None:
    """The usual slips: days in small letters or written out, hours of one digit, blanks around the dash."""
    joined = text.strip().replace(" - ", "-").replace("–", "-")
    words = [_clock(part) for part in joined.replace("-", " - ").split()]
    days = {day.casefold(): day for day in DAYS}
    plain = " ".join(days.get(word[:3].casefold(), word) if word[:1].isalpha() else word for word in words)
    plain = plain.replace(" - ", "-")
    return quoted(plain) if read_span(plain) else None


def _clock(word: str) -> str:
    hours, colon, minutes = word.partition(":")
    return f"{hours.zfill(2)}:{minutes}" if colon and hours.isdigit() else word


@dataclass(frozen=True, slots=True)
class TimeZone(Kind):
    """The name of a time zone; "" is not stated."""

    def _phrase(self) -> str:
        return 'a time zone of this host, such as "Europe/London" or "UTC"'

    def _read(self, value: object) -> str:
        if value == "":
            return ""
        if not isinstance(value, str) or not value.isprintable():
            raise self.refusal()
        try:
            zone_of(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            near = nearest(
                value, ("Europe/London", "Europe/Berlin", "Europe/Paris", "America/New_York", "UTC")
            )
            raise self.refusal(quoted(near) if near else None) from None
        return value


def zone_of(name: str) -> tzinfo:
    """The time zone of a name that `TimeZone` accepts."""
    return ZoneInfo(name) if name and name != "UTC" else UTC
