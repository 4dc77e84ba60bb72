"""The verdict: from the figures of one moment to healthy, degraded or critical, with the causes. Pure; asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from archsyncd.operator.tables import age

DECREASE_LATE_SECONDS = 60.0
DECREASE_CRITICAL_SECONDS = 300.0
FIRST_ORDERS_SECONDS = 300.0
REPORT_MISSED_SECONDS = 36 * 3600.0


class Level(IntEnum):
    """How bad it is; the value is the exit status of `archsyncctl status --check`."""

    HEALTHY = 0
    DEGRADED = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        """The word that people and programs read."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """A feed now. `verdict`: fresh, late (2 intervals without a sign of life) or stale (5). `fault`: why it stands."""

    name: str
    verdict: str
    age_seconds: float | None
    interval_seconds: float
    fault: str | None = None
    paused: bool = False
    snapshot_due: str | None = None


@dataclass(frozen=True, slots=True)
class OpenCases:
    """Open exceptions of one kind. `escalate_seconds`: how long its owner may leave one open."""

    kind: str
    severity: str
    owner: str
    cases: int
    occurrences: int
    oldest_seconds: float
    escalate_seconds: float
    next_step: str

    @property
    def overdue(self) -> bool:
        """Whether the oldest one has waited longer than its owner's limit."""
        return self.oldest_seconds > self.escalate_seconds


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on. Durations in seconds.

    `refused`: commercetools refuses our credential; `blocked`: it does not answer. `marker`: why it cannot be set.
    `idle`: why nothing is written yet though it should be; `copied`: the database belongs to another host.
    `in_doubt`: writes whose outcome is not known; `unlooked`: keys whose entry was not looked at yet.
    `unreported_seconds`: since the last daily report was told, None where none is expected.
    `orders_behind_seconds` None: orders are not known completely yet. `tracked`: commercetools moves stock itself.
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
    unreported_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause: how bad, a stable code, what is the matter, and the next step."""

    level: Level
    code: str
    says: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst level and all causes, worst first and root causes before what follows from them."""

    level: Level
    reasons: tuple[Reason, ...]
    unlooked: int = 0

    @property
    def sentence(self) -> str:
        """The verdict and its root cause on one line."""
        if not self.reasons and self.unlooked:
            return "healthy: keys that are new here are being looked up in commercetools"
        if not self.reasons:
            return "healthy: everything that was told is published"
        more = len(self.reasons) - 1
        rest = f" (and {more} more)" if more else ""
        return f"{self.level.word}: {self.reasons[0].says}{rest}"


def judge(facts: Facts) -> Verdict:
    """Give the verdict on these facts."""
    reasons = sorted(_reasons(facts), key=lambda reason: -reason.level)
    level = max((reason.level for reason in reasons), default=Level.HEALTHY)
    return Verdict(level, tuple(reasons), facts.unlooked)


def _reasons(facts: Facts) -> Iterator[Reason]:
    """All causes, roots first: sorting by level keeps this order."""
    if facts.store_broken is not None:
        says = f"the database cannot be used any more: {facts.store_broken}"
        yield Reason(
            Level.CRITICAL, "store_broken", says, "Restart archsyncd; if it comes back, restore a backup."
        )
        return
    yield from _platform(facts)
    for feed in facts.feeds:
        yield from _feed(feed)
    yield from _lease(facts)
    yield from _orders(facts)
    yield from _decreases(facts)
    yield from _doubts(facts)
    for cases in facts.cases:
        yield from _cases(cases)
    for channel in facts.paused_channels:
        says = f"writing to channel {channel} was paused by a person"
        yield Reason(Level.DEGRADED, "channel_paused", says, f"archsyncctl resume channel {channel}")
    if facts.unreported_seconds is not None and facts.unreported_seconds > REPORT_MISSED_SECONDS:
        says = f"nobody has read the daily report for {age(facts.unreported_seconds)}"
        yield Reason(Level.DEGRADED, "report_missed", says, "archsyncctl report daily")


def _platform(facts: Facts) -> Iterator[Reason]:
    if facts.refused is not None:
        step = "Give the service a valid credential and restart it; archsyncd check-config --online tells the rest."
        yield Reason(Level.CRITICAL, "credential_refused", facts.refused, step)
    elif facts.blocked is not None:
        waits = (
            facts.oldest_decrease_seconds is not None
            and facts.oldest_decrease_seconds > DECREASE_LATE_SECONDS
        )
        level = Level.CRITICAL if waits else Level.DEGRADED
        step = "Nothing is lost and it goes on by itself; look at status.commercetools.com and at this host's network."
        yield Reason(level, "commercetools_unreachable", facts.blocked, step)
    if facts.marker is not None:
        step = "Give the API client the scope manage_types, or create the type as the README says."
        yield Reason(Level.CRITICAL, "marker_type", facts.marker, step)


def _feed(feed: FeedHealth) -> Iterator[Reason]:
    if feed.paused:
        says = f"feed {feed.name} was paused by a person"
        yield Reason(Level.DEGRADED, "feed_paused", says, f"archsyncctl resume feed {feed.name}")
    quiet = (
        "no sign of life yet" if feed.age_seconds is None else f"no sign of life for {age(feed.age_seconds)}"
    )
    says = f"feed {feed.name}: {quiet} (expected every {age(feed.interval_seconds)})"
    says += f": {feed.fault}" if feed.fault else ""
    step = "Check the Archean side and the network; published stock grows old meanwhile."
    if feed.verdict == "stale":
        yield Reason(Level.CRITICAL, "feed_stale", says, step)
    elif feed.verdict == "late":
        yield Reason(Level.DEGRADED, "feed_late", says, step)
    elif feed.fault and not feed.paused:
        yield Reason(Level.DEGRADED, "feed_fault", f"feed {feed.name}: {feed.fault}", step)
    elif feed.snapshot_due:
        says = f"feed {feed.name} waits for a snapshot ({feed.snapshot_due})"
        yield Reason(
            Level.DEGRADED, "snapshot_due", says, "Nothing, unless it lasts: then have Archean send a full."
        )


def _lease(facts: Facts) -> Iterator[Reason]:
    if facts.copied is not None:
        step = "Run archsyncd adopt if this host takes over for good; else stop the service here."
        yield Reason(Level.CRITICAL, "copied", facts.copied, step)
    elif facts.idle is not None:
        step = "Nothing, unless it lasts: then check which host holds the lease."
        yield Reason(Level.DEGRADED, "idle", f"nothing is written here: {facts.idle}", step)
    elif not facts.may_increase:
        says = f"increases are held back: {facts.tenure}"
        yield Reason(
            Level.DEGRADED, "lease", says, "Nothing, unless it lasts: then check that only one host writes."
        )


def _orders(facts: Facts) -> Iterator[Reason]:
    if facts.orders_off:
        return
    behind, level = facts.orders_behind_seconds, Level.DEGRADED if facts.tracked else Level.CRITICAL
    if behind is None:
        if facts.uptime_seconds > FIRST_ORDERS_SECONDS:
            says = "orders are not known completely yet; stock is lowered, and not raised where that matters"
            yield Reason(
                level, "orders_unknown", says, "Wait for the first sweep; see the journal if it does not end."
            )
    elif behind > facts.orders_limit_seconds:
        says = (
            f"the order list stands {age(behind)} behind (at most {age(facts.orders_limit_seconds)} expected)"
        )
        yield Reason(
            level, "orders_behind", says, "See the journal for commercetools' answers to order queries."
        )


def _decreases(facts: Facts) -> Iterator[Reason]:
    waited = facts.oldest_decrease_seconds
    if waited is None or waited <= DECREASE_LATE_SECONDS:
        return
    level = Level.CRITICAL if waited > DECREASE_CRITICAL_SECONDS else Level.DEGRADED
    says = f"a decrease has waited {age(waited)} to be written: too much may be on sale"
    yield Reason(
        level,
        "decrease_waits",
        says,
        "archsyncctl backlog shows what waits; check requests against their limit.",
    )


def _doubts(facts: Facts) -> Iterator[Reason]:
    waited = facts.oldest_doubt_seconds
    if waited is None or waited <= DECREASE_LATE_SECONDS:
        return
    level = Level.CRITICAL if waited > DECREASE_CRITICAL_SECONDS else Level.DEGRADED
    writes = "a write" if facts.in_doubt == 1 else f"{facts.in_doubt} writes"
    says = f"for {age(waited)} nobody knows what became of {writes}: nothing more is sent for a key until its entry was read"
    step = "See the notes of archsyncctl status and the journal for commercetools' answers to reads of inventory."
    yield Reason(level, "in_doubt", says, step)


def _cases(cases: OpenCases) -> Iterator[Reason]:
    level = Level.CRITICAL if cases.severity == "critical" else Level.DEGRADED
    late = ", overdue" if cases.overdue else ""
    says = f"{cases.cases} open {cases.kind} (owner {cases.owner}{late})"
    yield Reason(level, cases.kind, says, f"archsyncctl exceptions list --kind {cases.kind}")
