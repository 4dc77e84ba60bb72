"""How a moment is written into a request: by a pattern of the source's own, in its zone. Reads no clock.

Only the writing is here; what a source answers is read by the profile's formats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = timedelta(minutes=15)
_TOKENS: Final = {
    "yyyy": "%Y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
    "SSS": "",
}
_PIECE: Final = re.compile(r"yyyy|MM|dd|HH|mm|ss|SSS|'([^']*)'|[^A-Za-z']")
RFC3339: Final = "rfc3339"
EPOCH_SECONDS: Final = "epoch-seconds"
EPOCH_MILLIS: Final = "epoch-milliseconds"


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How moments are written. `pieces`: tokens and literal texts, empty for the named forms."""

    name: str = RFC3339
    pieces: tuple[str, ...] = ()
    zone: ZoneInfo | None = None

    def write(self, moment_ms: int) -> str:
        """Write a moment (UTC milliseconds), rounded down to what the form can say.

        A local time that comes twice that night is written as the first moment of the hour that comes twice: whatever the
        source takes it for, it then leaves nothing out.
        """
        if self.name == EPOCH_SECONDS:
            return str(moment_ms // 1000)
        if self.name == EPOCH_MILLIS:
            return str(moment_ms)
        moment = _EPOCH + timedelta(milliseconds=moment_ms)
        if self.name == RFC3339:
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment_ms % 1000:03}Z"
        local = _before_the_repeated(moment.astimezone(self.zone or UTC))
        return "".join(_piece(piece, local) for piece in self.pieces)


def parse_time_form(text: str, zone: str | None) -> TimeForm:
    """Read `rfc3339`, `epoch-seconds`, `epoch-milliseconds` or a pattern such as `dd/MM/yyyy HH:mm`. Raises ValueError."""
    if text in {RFC3339, EPOCH_SECONDS, EPOCH_MILLIS}:
        if zone is not None:
            raise ValueError(f"{text} says its zone by itself; tz may not stand beside it")
        return TimeForm(text)
    if zone is None:
        raise ValueError("a pattern needs tz beside it, such as Europe/London")
    try:
        where = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{zone} is no time zone that this machine knows") from None
    pieces: list[str] = []
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None:
            raise ValueError(
                f'cannot be read from "{text[at : at + 8]}" on: yyyy MM dd HH mm ss SSS may stand, and text in single quotes'
            )
        pieces.append("'" + found.group(1) if found.group(1) is not None else found.group())
        at = found.end()
    missing = [token for token in ("yyyy", "MM", "dd") if token not in pieces]
    if missing:
        raise ValueError(f"must say the day: {', '.join(missing)} is missing")
    return TimeForm(text, tuple(pieces), where)


def _piece(piece: str, local: datetime) -> str:
    if piece == "SSS":
        return f"{local.microsecond // 1000:03}"
    if piece == "yyyy":
        return f"{local.year:04}"
    if piece in _TOKENS:
        return local.strftime(_TOKENS[piece])
    return piece.removeprefix("'") if len(piece) > 1 or piece != "'" else ""


def _before_the_repeated(local: datetime) -> datetime:
    """The moment itself, or the first one of the repeated hour that it lies in; never later."""
    if not _comes_twice(local):
        return local
    plain = local.replace(tzinfo=None, fold=0)
    floor = plain.replace(minute=plain.minute - plain.minute % 15, second=0, microsecond=0)
    while _comes_twice((floor - _STEP).replace(tzinfo=local.tzinfo)):
        floor -= _STEP
    return floor.replace(tzinfo=local.tzinfo)


def _comes_twice(local: datetime) -> bool:
    first, second = local.replace(fold=0).utcoffset(), local.replace(fold=1).utcoffset()
    # In spring the hour that is left out has two offsets as well, the other way round.
    return first is not None and second is not None and first > second


def parse_duration_ms(text: object) -> int:
    """Read `90s`, `15m`, `12h` or `2d` as milliseconds. Raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})(s|m|h|d)", text, re.ASCII) if isinstance(text, str) else None
    if found is None:
        raise ValueError("must be a time such as 90s, 15m, 12h or 2d")
    return int(found.group(1)) * {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[found.group(2)]
