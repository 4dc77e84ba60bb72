"""The verdict: from the figures of one moment to healthy, degraded or critical, with the causes. Pure; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archsyncd.domain.data_health import (
    HealthLimits,
    LocationHealth,
    Wrong,
    location_reasons,
    room_reasons,
    saturation_reasons,
    share_reasons,
)
from archsyncd.domain.mutes import Mute, covering, told_already
from archsyncd.domain.reasons import Level, Reason, because
from archsyncd.domain.silence import Silence, Way, silence_reasons
from archsyncd.domain.times import age

__all__ = ["Facts", "FeedHealth", "Level", "OpenCases", "Reason", "Verdict", "because", "judge"]

FIRST_ORDERS_SECONDS = 300.0
REPORT_MISSED_SECONDS = 36 * 3600.0
STUCK_FACTOR = 5
_NOTHING_WRONG = Wrong()
_SHIPPED = HealthLimits()


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """A feed now. `verdict`: fresh, late (2 intervals without a sign of life) or stale (5). `fault`: why it stands.

    `stuck_seconds`: for how long it has told of newer records and given none, None while it does not. `quiet_until_ms`: no news
    is expected until then (UTC milliseconds), None where it is.
    """

    name: str
    verdict: str
    age_seconds: float | None
    interval_seconds: float
    fault: str | None = None
    paused: bool = False
    snapshot_due: str | None = None
    stuck_seconds: float | None = None
    quiet_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OpenCases:
    """Open exceptions of one kind. `escalate_seconds`: how long its owner may leave one open.

    `apart`: how many of them are about a subject that is muted by itself, and the age of the oldest of these; `rest_seconds`: the
    age of the oldest of the others, None where nothing is apart. `folded`: how many more the folded ones stand for.
    """

    kind: str
    severity: str
    owner: str
    cases: int
    occurrences: int
    oldest_seconds: float
    escalate_seconds: float
    next_step: str
    apart: tuple[tuple[str, int, float], ...] = ()
    folded: int = 0
    rest_seconds: float | None = None

    @property
    def overdue(self) -> bool:
        """Whether the oldest one that is not muted by itself has waited longer than its owner's limit."""
        waited = self.oldest_seconds if self.rest_seconds is None else self.rest_seconds
        return waited > self.escalate_seconds


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on. Durations in seconds.

    `refused`: commercetools refuses our credential; `blocked`: it does not answer. `marker`: why it cannot be set.
    `idle`: why nothing is written yet though it should be; `copied`: the database belongs to another host.
    `in_doubt`: writes whose outcome is not known; `unlooked`: keys whose entry was not looked at yet.
    `orders_behind_seconds` None: orders are not known completely yet. `tracked`: commercetools moves stock itself.
    `doubt`: what is wrong with the database's file; `free_bytes`: room for it, `floor_bytes`: below it nothing is read.
    `unreported_seconds`: since the last daily report was told, None where none is expected.
    `saturated`: the share of the last minutes in which requests were scarce, None while that is not known.
    `mutes`: those whose end has not come. `silences`: what nobody takes though it waits.
    """

    store_broken: str | None = None
    refused: str | None = None
    blocked: str | None = None
    marker: str | None = None
    feeds: tuple[FeedHealth, ...] = ()
    idle: str | None = None
    copied: str | None = None
    may_increase: bool = True
    tenure: str = ""
    oldest_decrease_seconds: float | None = None
    in_doubt: int = 0
    oldest_doubt_seconds: float | None = None
    unlooked: int = 0
    orders_behind_seconds: float | None = 0.0
    orders_limit_seconds: float = 360.0
    orders_off: bool = False
    tracked: bool = True
    uptime_seconds: float = 0.0
    cases: tuple[OpenCases, ...] = ()
    paused_channels: tuple[str, ...] = ()
    locations: tuple[LocationHealth, ...] = ()
    wrong: Wrong = _NOTHING_WRONG
    saturated: float | None = None
    doubt: str | None = None
    free_bytes: int | None = None
    floor_bytes: int = 0
    limits: HealthLimits = _SHIPPED
    mutes: tuple[Mute, ...] = ()
    silences: tuple[Silence, ...] = ()
    unreported_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst level and all causes, worst first and root causes before what follows from them.

    `muted`: causes that do not count, and the mute of each. `outgrown`: mutes that hold no more, and why.
    """

    level: Level
    reasons: tuple[Reason, ...]
    unlooked: int = 0
    muted: tuple[tuple[Reason, Mute], ...] = ()
    outgrown: tuple[tuple[Mute, str], ...] = ()

    @property
    def sentence(self) -> str:
        """The verdict and its root cause on one line."""
        muted = f" ({len(self.muted)} muted)" if self.muted else ""
        if not self.reasons and self.unlooked:
            return f"healthy: keys that are new here are being looked up in commercetools{muted}"
        if not self.reasons:
            return f"healthy: everything that was told is published{muted}"
        more = len(self.reasons) - 1
        rest = f" (and {more} more)" if more else ""
        return f"{self.level.word}: {self.reasons[0].says}{rest}"


def judge(facts: Facts) -> Verdict:
    """Give the verdict on these facts."""
    found = sorted(_reasons(facts), key=lambda reason: -reason.level)
    covered = [(reason, covering(facts.mutes, reason.code, reason.subject)) for reason in found]
    outgrown = _outgrown(covered)
    heard = [reason for reason, mute in covered if mute is None or mute in outgrown]
    muted = [(reason, mute) for reason, mute in covered if mute is not None and mute not in outgrown]
    level = max((reason.level for reason in heard), default=Level.HEALTHY)
    return Verdict(level, tuple(heard), facts.unlooked, tuple(muted), tuple(outgrown.items()))


def _outgrown(covered: Sequence[tuple[Reason, Mute | None]]) -> dict[Mute, str]:
    """Mutes that hold no more, and why: one of their causes has grown, or they cover one more."""
    found: dict[Mute, str] = {}
    for mute in dict.fromkeys(mute for _, mute in covered if mute is not None):
        own = [reason for reason, its in covered if its == mute]
        grown = (mute.outgrown(int(reason.level), reason.count) for reason in own)
        why = next((each for each in grown if each), "") or mute.joined(own)
        if why:
            found[mute] = why
    return found


def _reasons(facts: Facts) -> Iterator[Reason]:
    """All causes, roots first: sorting by level keeps this order."""
    if facts.store_broken is not None:
        says = f"the database cannot be used any more: {facts.store_broken}"
        yield because(Level.CRITICAL, "store_broken", says)
        return
    yield from room_reasons(facts.free_bytes, facts.floor_bytes, facts.limits)
    if facts.doubt is not None:
        yield because(Level.DEGRADED, "store_doubt", facts.doubt)
    yield from _platform(facts)
    for feed in facts.feeds:
        yield from _feed(feed)
    yield from location_reasons(facts.locations, facts.uptime_seconds)
    yield from _lease(facts)
    yield from _orders(facts)
    unwritten = facts.blocked is not None or facts.refused is not None
    heard = (each for each in facts.silences if not (unwritten and each.way is Way.DISPATCHES))
    yield from silence_reasons(heard, facts.limits)
    yield from _decreases(facts)
    yield from _doubts(facts)
    if facts.blocked is None:
        yield from saturation_reasons(facts.saturated, facts.limits)
    yield from share_reasons(facts.wrong, facts.limits)
    for cases in facts.cases:
        told = told_already(cases.kind, _stale(facts))
        yield from _cases(cases, told)
        yield from _apart(cases, told)
    for channel in facts.paused_channels:
        says = f"writing to channel {channel} was paused by a person"
        yield because(Level.DEGRADED, "channel_paused", says, channel, CHANNEL=channel)
    if facts.unreported_seconds is not None and facts.unreported_seconds > REPORT_MISSED_SECONDS:
        says = f"nobody has read the daily report for {age(facts.unreported_seconds)}"
        yield because(Level.DEGRADED, "report_missed", says)


def _platform(facts: Facts) -> Iterator[Reason]:
    if facts.refused is not None:
        yield because(Level.CRITICAL, "credential_refused", facts.refused)
    elif facts.blocked is not None:
        # What follows from it is never worse than it is: the root stands first.
        late = facts.limits.decrease_late_seconds
        waits = any(
            each is not None and each > late
            for each in (facts.oldest_decrease_seconds, facts.oldest_doubt_seconds)
        )
        level = Level.CRITICAL if waits else Level.DEGRADED
        yield because(level, "commercetools_unreachable", facts.blocked)
    if facts.marker is not None:
        yield because(Level.CRITICAL, "marker_type", facts.marker)


def _feed(feed: FeedHealth) -> Iterator[Reason]:
    if feed.paused:
        says = f"feed {feed.name} was paused by a person"
        yield because(Level.DEGRADED, "feed_paused", says, feed.name, FEED=feed.name)
    quiet = (
        "no sign of life yet" if feed.age_seconds is None else f"no sign of life for {age(feed.age_seconds)}"
    )
    says = f"feed {feed.name}: {quiet} (expected every {age(feed.interval_seconds)})"
    says += f": {feed.fault}" if feed.fault else ""
    if feed.verdict == "stale":
        yield because(Level.CRITICAL, "feed_stale", says, feed.name)
    elif feed.verdict == "late":
        yield because(Level.DEGRADED, "feed_late", says, feed.name)
    elif feed.fault and not feed.paused:
        yield because(Level.DEGRADED, "feed_fault", f"feed {feed.name}: {feed.fault}", feed.name)
    elif feed.stuck_seconds is not None and feed.stuck_seconds > STUCK_FACTOR * feed.interval_seconds:
        says = (
            f"feed {feed.name} has told of newer records for {age(feed.stuck_seconds)} and gives none of them"
        )
        yield because(Level.DEGRADED, "feed_stuck", says, feed.name)
    elif feed.snapshot_due:
        says = f"feed {feed.name} waits for a snapshot ({feed.snapshot_due})"
        yield because(Level.DEGRADED, "snapshot_due", says, feed.name)


def _lease(facts: Facts) -> Iterator[Reason]:
    if facts.copied is not None:
        yield because(Level.CRITICAL, "copied", facts.copied)
    elif facts.idle is not None:
        yield because(Level.DEGRADED, "idle", f"nothing is written here: {facts.idle}")
    elif not facts.may_increase:
        yield because(Level.DEGRADED, "lease", f"increases are held back: {facts.tenure}")


def _orders(facts: Facts) -> Iterator[Reason]:
    if facts.orders_off:
        return
    behind, level = facts.orders_behind_seconds, Level.DEGRADED if facts.tracked else Level.CRITICAL
    if behind is None:
        if facts.uptime_seconds > FIRST_ORDERS_SECONDS:
            says = "orders are not known completely yet; stock is lowered, and not raised where that matters"
            yield because(level, "orders_unknown", says)
    elif behind > facts.orders_limit_seconds:
        says = (
            f"the order list stands {age(behind)} behind (at most {age(facts.orders_limit_seconds)} expected)"
        )
        yield because(level, "orders_behind", says)


def _decreases(facts: Facts) -> Iterator[Reason]:
    waited = facts.oldest_decrease_seconds
    if waited is None or waited <= facts.limits.decrease_late_seconds:
        return
    level = Level.CRITICAL if waited > facts.limits.decrease_critical_seconds else Level.DEGRADED
    says = f"a decrease has waited {age(waited)} to be written: too much may be on sale"
    yield because(level, "decrease_waits", says)


def _doubts(facts: Facts) -> Iterator[Reason]:
    waited = facts.oldest_doubt_seconds
    if waited is None or waited <= facts.limits.decrease_late_seconds:
        return
    level = Level.CRITICAL if waited > facts.limits.decrease_critical_seconds else Level.DEGRADED
    writes = "a write" if facts.in_doubt == 1 else f"{facts.in_doubt} writes"
    says = f"for {age(waited)} nobody knows what became of {writes}: nothing more is sent for a key until its entry was read"
    yield because(level, "in_doubt", says, count=facts.in_doubt)


def _stale(facts: Facts) -> frozenset[tuple[str, str]]:
    """The causes of this look, by code and subject, that have a case as well."""
    return frozenset(("feed_stale", feed.name) for feed in facts.feeds if feed.verdict == "stale")


def _cases(cases: OpenCases, told: frozenset[str]) -> Iterator[Reason]:
    """Cases of a kind, without those of subjects that a cause of the same thing has told already."""
    apart = {subject for subject, _, _ in cases.apart}
    count = cases.cases - sum(number for _, number, _ in cases.apart) - len(told - apart)
    if count > 0:
        count += cases.folded
        late = ", overdue" if cases.overdue else ""
        says = f"{count} open {cases.kind} (owner {cases.owner}{late})"
        step = f"archsyncctl exceptions list --kind {cases.kind}"
        yield Reason(_level_of(cases), cases.kind, says, step, count=count)


def _apart(cases: OpenCases, told: frozenset[str]) -> Iterator[Reason]:
    for subject, count, _ in cases.apart:
        if subject in told:
            continue
        says = f"{count} open {cases.kind} of {subject} (owner {cases.owner})"
        step = f"archsyncctl exceptions list --kind {cases.kind}"
        yield Reason(_level_of(cases), cases.kind, says, step, subject, count)


def _level_of(cases: OpenCases) -> Level:
    return Level.CRITICAL if cases.severity == "critical" else Level.DEGRADED
