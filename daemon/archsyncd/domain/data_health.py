"""Health of the data itself: silent locations, keys that are wrong in numbers, scarce requests, room. Pure; asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from archsyncd.domain.reasons import Level, Reason, because
from archsyncd.domain.times import age

# A first snapshot and a restart take a while: until then nothing is missed.
FIRST_LEVELS_SECONDS = 300.0
QUIET_FACTOR = 5
NAMED = 3
MEBIBYTE = 1 << 20
# A share of hardly any keys says nothing.
SHARE_LEAST_KEYS = 20
_PERCENT = 100
_BEST_FIRST = ("fresh", "late", "stale")


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """From when on something is unhealthy: the keys of [health], in seconds, percent and bytes. 0 where it is never told."""

    decrease_late_seconds: float = 60.0
    decrease_critical_seconds: float = 300.0
    orders_late_seconds: float = 120.0
    orders_critical_seconds: float = 600.0
    quiet_seconds: float = 86_400.0
    unknown_percent: float = 5.0
    drift_percent: float = 1.0
    saturated_percent: float = 90.0
    free_bytes: int = 512 * MEBIBYTE


@dataclass(frozen=True, slots=True)
class LocationHealth:
    """A location that is sold. `verdict`: the best of its feeds', as heartbeats are told by feed and not by location.

    `heard`: whether a level of it was ever told; `told_seconds`: how long ago the last one was, None where that is not known.
    `quiet_limit_seconds`: from when on that is too long, infinite where it never is.
    """

    name: str
    channel: str
    feeds: tuple[str, ...]
    verdict: str
    heard: bool
    told_seconds: float | None
    quiet_limit_seconds: float
    withheld: bool = False

    @property
    def quiet(self) -> bool:
        """Whether its feeds live and it was told of nothing for too long."""
        return (
            self.verdict == "fresh"
            and self.told_seconds is not None
            and self.told_seconds > self.quiet_limit_seconds
        )

    @property
    def state(self) -> str:
        """One word for tables and metrics: unheard, quiet, or the verdict of its feeds."""
        return "quiet" if self.quiet else self.verdict if self.heard else "unheard"


@dataclass(frozen=True, slots=True)
class Wrong:
    """Keys that are wrong, and of how many: `unknown` have no product in commercetools, `drifting` were changed by others."""

    keys: int = 0
    unknown: int = 0
    drifting: int = 0


def best_of(verdicts: Iterable[str]) -> str:
    """A location is as fresh as the freshest feed that tells of it; late where nobody does."""
    return min(verdicts, key=_BEST_FIRST.index, default="late")


def quiet_limit(limits: HealthLimits, interval_seconds: float) -> float:
    """After how long without a level a location is quiet: never before its feed could tell five times."""
    return (
        max(limits.quiet_seconds, QUIET_FACTOR * interval_seconds) if limits.quiet_seconds else float("inf")
    )


def share(part: int, whole: int) -> float:
    """A part as a share of 1."""
    return part / whole if whole else 0.0


def location_reasons(locations: Iterable[LocationHealth], uptime_seconds: float) -> Iterator[Reason]:
    """What is the matter with locations; what a stale feed explains is left to the feed."""
    locations = tuple(locations)
    withheld = [each for each in locations if each.withheld]
    if withheld:
        says = f"{_named(withheld)}: nothing is offered from there until a feed of it is heard of again"
        yield because(Level.CRITICAL, "withheld", says, count=len(withheld))
    unheard = [each for each in locations if not each.heard and each.verdict == "fresh"]
    if unheard and uptime_seconds > FIRST_LEVELS_SECONDS:
        says = f"{_named(unheard)}: no level was ever told, though the feed lives"
        yield because(Level.DEGRADED, "location_unheard", says, count=len(unheard))
    quiet = [each for each in locations if each.quiet]
    if quiet:
        longest = max(each.told_seconds or 0.0 for each in quiet)
        says = f"{_named(quiet)}: no level was told for {age(longest)}, though the feed gives signs of life"
        yield because(Level.DEGRADED, "location_quiet", says, count=len(quiet))


def _named(locations: list[LocationHealth]) -> str:
    names = ", ".join(each.name for each in locations[:NAMED])
    rest = len(locations) - NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return f"{'location' if len(locations) == 1 else 'locations'} {names}{more}"


def room_reasons(free_bytes: int | None, floor_bytes: int, limits: HealthLimits) -> Iterator[Reason]:
    """Whether the database has room. `floor_bytes`: below it intake stands still."""
    if free_bytes is None or free_bytes >= max(limits.free_bytes, floor_bytes):
        return
    says = f"only {free_bytes // MEBIBYTE:,} MiB are free for the database"
    if free_bytes < floor_bytes:
        yield because(Level.CRITICAL, "disk_full", f"{says}: nothing more is read from Archean")
    else:
        yield because(Level.DEGRADED, "disk_low", says)


def share_reasons(wrong: Wrong, limits: HealthLimits) -> Iterator[Reason]:
    """Single keys that are wrong have a case each; so many of them are another matter."""
    if _beyond(wrong.unknown, wrong.keys, limits.unknown_percent):
        told = f"{wrong.unknown:,} of {wrong.keys:,} keys ({_percent(wrong.unknown, wrong.keys)})"
        says = f"{told} have no product in commercetools"
        yield because(Level.CRITICAL, "unknown_skus", says, count=wrong.unknown)
    if _beyond(wrong.drifting, wrong.keys, limits.drift_percent):
        says = f"{wrong.drifting:,} of {wrong.keys:,} keys ({_percent(wrong.drifting, wrong.keys)}) were changed by others"
        yield because(Level.CRITICAL, "drifting", says, count=wrong.drifting)


def _beyond(part: int, whole: int, percent: float) -> bool:
    return bool(percent) and whole >= SHARE_LEAST_KEYS and part * _PERCENT > percent * whole


def _percent(part: int, whole: int) -> str:
    return f"{_PERCENT * share(part, whole):.1f} %"


def saturation_reasons(saturated: float | None, limits: HealthLimits) -> Iterator[Reason]:
    """`saturated`: the share of the last minutes in which requests were scarce, None while that is not known."""
    if saturated is None or not limits.saturated_percent:
        return
    if saturated * _PERCENT >= limits.saturated_percent:
        says = f"requests to commercetools were scarce for {_PERCENT * saturated:.0f} % of the last minutes"
        yield because(Level.DEGRADED, "requests_saturated", says)
