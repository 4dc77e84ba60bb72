"""How values are written into HTML: ages, times, figures, text from outside. Knows no screen; asks nobody."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from markupsafe import Markup, escape

from archsyncd.domain.times import utc_ms
from archsyncd.operator.tables import age, shown

STEP_BYTES = 1024
SMALL_SHARE, LARGE_SHARE = 0.001, 0.1


def finished(value: Any) -> Any:
    """What a template writes: text without anything that a reader would not see; markup of ours as it is."""
    if value is None:
        return "–"
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return value if value.isprintable() else shown(value)


def apart(value: Any) -> Markup:
    """Text from outside, whose direction must not turn what stands around it."""
    return Markup("<bdi>{}</bdi>").format("–" if value is None else shown(str(value)))


def figure(value: float | None) -> str:
    """A number with thousands set apart; an en dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.1f}"
    return f"{int(value):,}"


def signed(value: int) -> str:
    """A difference with its sign."""
    return f"{value:+,}".replace("-", "−")


def spoken(value: str) -> str:
    """A state's or a kind's word as people read it."""
    return value.replace("_", " ")


def opened(value: str) -> str:
    """A sentence with its first letter large."""
    return value[:1].upper() + value[1:]


def told(value: str) -> Markup:
    """A sentence in which commands stand between backticks."""
    parts = [shown(part) for part in str(value).split("`")]
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def lasting(seconds: float | None) -> str:
    """A duration; an en dash where there is none."""
    return "–" if seconds is None else age(seconds)


def moment(value: str | None) -> Markup:
    """A time in UTC as people read it, with the exact one for machines."""
    at_ms = utc_ms(value) if value else None
    if value is None or at_ms is None:
        return escape("–" if value is None else shown(value))
    told = datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%d %b %Y %H:%M:%S UTC")
    return Markup('<time datetime="{}">{}</time>').format(value, told)


def clock(at_ms: int) -> str:
    """Hours and minutes, UTC."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%H:%M")


def lines(value: str) -> Markup:
    """What was received, its lines kept, everything else printable."""
    return Markup("\n").join(shown(line) for line in value.split("\n"))


def percent(share: float) -> str:
    """A share of 1 in percent, with tenths where they matter."""
    if 0 < share < SMALL_SHARE:
        return "under 0.1 %"
    return f"{100 * share:.{0 if share == 0 or share >= LARGE_SHARE else 1}f} %"


def size(count_bytes: int | None) -> str:
    """A number of bytes in the unit that suits it; an en dash where there is none."""
    if count_bytes is None:
        return "–"
    value, unit = float(count_bytes), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < STEP_BYTES:
            break
        value, unit = value / STEP_BYTES, larger
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= STEP_BYTES / 10 else f"{value:.1f} {unit}"


def quoted(value: str) -> str:
    """A word of a command, as a shell takes it."""
    return shlex.quote(value)


def part(value: Any) -> str:
    """A value as part of an address."""
    return quote(str(value), safe="")
