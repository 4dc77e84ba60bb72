"""One look at the running daemon: the figures that a verdict rests on, and the verdict. Changes nothing, tells nobody.

Whoever tells how the daemon is (the status, systemd's line, the page, probes, metrics) takes it from the same look.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from archsyncd.assembly import quiet_of
from archsyncd.config import EXCEPTION_KINDS, FeedSettings, Settings
from archsyncd.domain.cases import TEXTS, CaseKind, Severity
from archsyncd.domain.data_health import (
    MEBIBYTE,
    HealthLimits,
    LocationHealth,
    Wrong,
    best_of,
    quiet_limit,
)
from archsyncd.domain.health import Facts, FeedHealth, OpenCases, Verdict, judge
from archsyncd.domain.mutes import Mute, root_of
from archsyncd.domain.priority import DueClass
from archsyncd.domain.report import Backlog, FeedState, KeyCounts, Room
from archsyncd.domain.reporting import ReportKind
from archsyncd.engine.alerts import CaseFigures
from archsyncd.engine.ports import StoreBroken
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.gauges import Kept
from archsyncd.operator.silences import silences

ORDERS_SLACK_SECONDS = 300.0
STATUS_KEEP_SECONDS = 0.9
COUNTS_KEEP_SECONDS = 5.0
# For a line a second that tells how many keys there are a count will do for a thousand times what it took, within bounds.
ROUGH_SHARE = 1_000
ROUGH_KEEP_SECONDS = 300.0
SAMPLE_SECONDS = 0.9
SATURATION_SAMPLES = 300
SATURATION_LEAST_SAMPLES = 60
_DECREASES = (DueClass.DECREASE_NEAR_ZERO, DueClass.DECREASE)
# What orders come to when a place is not mapped, or nobody takes them: told after what it follows from.
_SYMPTOMS = frozenset({CaseKind.ORDER_UNMAPPED_LINE, CaseKind.STALLED_ORDERS, CaseKind.UNPROVEN_REFLECTION})
_DRIFTING = (CaseKind.DRIFT, CaseKind.FOREIGN_WRITER)


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: the facts with their verdict, and the figures that are told beside it."""

    verdict: Verdict
    facts: Facts
    backlog: Backlog
    keys: KeyCounts
    parked: Mapping[str, int]
    states: Mapping[str, FeedState]
    untracked: tuple[int, int]
    room: Room


class Saturation:
    """In what share of the last five minutes requests were scarce, by a sample a second."""

    def __init__(self) -> None:
        self._samples: deque[bool] = deque(maxlen=SATURATION_SAMPLES)
        self._last_at = float("-inf")

    def sample(self, at: float, *, scarce: bool) -> None:
        """Note at a monotonic time whether requests are scarce; more often than once a second adds nothing."""
        if at >= self._last_at + SAMPLE_SECONDS:
            self._last_at = at
            self._samples.append(scarce)

    @property
    def share(self) -> float | None:
        """The share of 1; None within the first minute."""
        if len(self._samples) < SATURATION_LEAST_SAMPLES:
            return None
        return sum(self._samples) / len(self._samples)


class Lookout:
    """Looks at one daemon; what is dear to count is counted rarely."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        clock, report = daemon.clock, daemon.store.report
        self.saturation = Saturation()
        self._keys = Kept(clock, report.key_counts, COUNTS_KEEP_SECONDS)
        self._parked = Kept(clock, report.parked, COUNTS_KEEP_SECONDS)
        self._untracked = Kept(clock, daemon.store.health.untracked, COUNTS_KEEP_SECONDS)
        self._suspected = Kept(clock, daemon.store.reconciles.suspected, COUNTS_KEEP_SECONDS)
        self._reports = Kept(clock, daemon.store.reporting.made, COUNTS_KEEP_SECONDS)
        self._silences = Kept(clock, lambda: silences(daemon), COUNTS_KEEP_SECONDS)
        self._backlog = Kept(clock, report.backlog, STATUS_KEEP_SECONDS)
        self._rough = Kept(clock, lambda: self._look(rough=True), STATUS_KEEP_SECONDS, cost_share=0)

    def tick(self) -> None:
        """Note whether requests are scarce; once a second."""
        limiter = self._daemon.limiter
        scarce = limiter.state().waiting > 0 or not limiter.ample(1.0)
        self.saturation.sample(self._daemon.clock.monotonic(), scarce=scarce)

    async def rough(self) -> Look:
        """For a line a second: as `look`; where counting keys is dear, some minutes ago will do. Raises StoreBroken."""
        return await self._rough.get()

    async def look(self) -> Look:
        """Look now. Raises StoreBroken."""
        return await self._look(rough=False)

    async def _look(self, *, rough: bool) -> Look:
        self.tick()
        daemon, store = self._daemon, self._daemon.store
        if store.broken is not None:
            raise StoreBroken(store.broken)
        states = {state.name: state for state in await store.feeds.states()}
        backlog = await self._backlog.get()
        old_seconds = min(ROUGH_SHARE * self._keys.cost_seconds, ROUGH_KEEP_SECONDS) if rough else 0.0
        keys = await self._keys.get(old_seconds)
        parked = await self._parked.get()
        mutes = await store.mutes.holding()
        cases = await self._scoped(
            self._cases(
                await store.cases.counts(), await self._apart(mutes), await store.alerts.case_figures()
            )
        )
        room = store.health.room()
        locations = self._locations(await store.health.told())
        # Cases fold when there are very many; what is suspected by the key is counted whole.
        cases_of_drift = sum(each.cases for each in cases if each.kind in _DRIFTING)
        drifting = max(cases_of_drift, await self._suspected.get())
        wrong = Wrong(keys.total, parked.get(CaseKind.SKU_NOT_FOUND, 0), drifting)
        feeds = tuple(self._feed(feed, states.get(feed.name)) for feed in daemon.settings.feeds)
        facts = replace(
            self._facts(feeds, locations, backlog, cases, wrong, room),
            mutes=mutes,
            silences=await self._silences.get(),
            unreported_seconds=await self._unreported(),
        )
        return Look(judge(facts), facts, backlog, keys, parked, states, await self._untracked.get(), room)

    def _facts(
        self,
        feeds: tuple[FeedHealth, ...],
        locations: tuple[LocationHealth, ...],
        backlog: Backlog,
        cases: tuple[OpenCases, ...],
        wrong: Wrong,
        room: Room,
    ) -> Facts:
        daemon, settings, shared = self._daemon, self._daemon.settings, self._daemon.shared
        state = daemon.limiter.state()
        refused = state.retry_at_monotonic is not None and math.isinf(state.retry_at_monotonic)
        writes, planning = daemon.drain.options.writes, settings.rollout.stage == "plan"
        return Facts(
            refused=state.blocked_reason if refused else None,
            blocked=state.blocked_reason,
            marker=shared.notes.get("marker"),
            feeds=feeds,
            idle=None if planning or writes else daemon.tenure_text,
            copied=shared.notes.get("host"),
            may_increase=shared.may_increase(),
            tenure=daemon.tenure_text,
            oldest_decrease_seconds=self.oldest_decrease_seconds(backlog) if writes else None,
            in_doubt=backlog.doubts[0],
            oldest_doubt_seconds=self.age_seconds(backlog.doubts[1]) if writes else None,
            unlooked=backlog.unlooked,
            orders_behind_seconds=self.orders_behind_seconds(),
            orders_limit_seconds=settings.orders.settle_seconds + ORDERS_SLACK_SECONDS,
            orders_off=settings.orders.mode == "off",
            tracked=settings.commercetools.inventory_mode == "tracked",
            uptime_seconds=daemon.clock.monotonic() - daemon.started_monotonic,
            cases=cases,
            paused_channels=tuple(sorted(shared.paused_channels)),
            locations=locations,
            wrong=wrong,
            saturated=self.saturation.share,
            doubt=daemon.store.doubt,
            free_bytes=room.free_bytes,
            floor_bytes=room.floor_bytes,
            limits=limits_of(settings),
        )

    def age_seconds(self, at_ms: int | None) -> float | None:
        """How long ago a time of the store is."""
        return None if at_ms is None else round(max(self._daemon.clock.wall_ms() - at_ms, 0) / 1000, 1)

    def oldest_decrease_seconds(self, backlog: Backlog) -> float | None:
        """How long the oldest decrease has waited, None when none waits."""
        found = [backlog.classes[due_class][1] for due_class in _DECREASES if due_class in backlog.classes]
        return self.age_seconds(min(found)) if found else None

    def orders_behind_seconds(self) -> float | None:
        """How far behind commercetools' clock orders are known completely, None while they are not."""
        shared = self._daemon.shared
        if not shared.orders_complete_ms:
            return None
        return round(max(shared.server_now_ms() - shared.orders_complete_ms, 0) / 1000, 1)

    def _feed(self, feed: FeedSettings, state: FeedState | None) -> FeedHealth:
        daemon, tail = self._daemon, self._daemon.tails.get(feed.name)
        return FeedHealth(
            feed.name,
            daemon.freshness.verdicts.get(feed.name, "fresh"),
            self.age_seconds(state.sign_ms) if state else None,
            float(feed.interval_seconds),
            tail.fault if tail else None,
            feed.name in daemon.shared.paused_feeds,
            state.snapshot_due if state else None,
            daemon.suspecting.stuck_seconds(feed.name),
            quiet_of(feed).ends_ms(daemon.clock.wall_ms()),
        )

    def _locations(self, told: Mapping[str, Mapping[str, int]]) -> tuple[LocationHealth, ...]:
        """Every location that is sold. Before a level of it was told, those feeds answer for it that may tell one."""
        policies, settings = self._daemon.store.rules.policies, self._daemon.settings
        intervals, limits = self._daemon.freshness.intervals, limits_of(settings)
        found = []
        for name, places in policies.by_location.items():
            heard = {feed: at_ms for feed, at_ms in told.get(name, {}).items() if feed in intervals}
            feeds = tuple(heard) or tuple(
                feed for feed in intervals if name in (settings.locations_of_feed(feed) or (name,))
            )
            verdict = best_of(self._daemon.freshness.verdicts.get(feed, "fresh") for feed in feeds)
            limit = quiet_limit(limits, min((intervals[feed] for feed in feeds), default=0.0))
            limit += self._rested_seconds(heard)
            age = self.age_seconds(max(heard.values())) if heard else None
            withheld = name in policies.withheld
            found.append(
                LocationHealth(
                    name,
                    ", ".join(each.channel for each in places),
                    feeds,
                    verdict,
                    bool(told.get(name)),
                    age,
                    limit,
                    withheld,
                )
            )
        return tuple(found)

    def _rested_seconds(self, heard: Mapping[str, int]) -> float:
        """How much of the time since a location was told of last was quiet hours of the feed that did."""
        feed = max(heard, key=lambda name: heard[name], default=None)
        if feed is None:
            return 0.0
        hours = quiet_of(self._daemon.settings.feed(feed))
        return hours.within_ms(heard[feed], self._daemon.clock.wall_ms()) / 1000

    async def _unreported(self) -> float | None:
        """Since when no daily report was told; a new database has none, and is given the time."""
        if not self._daemon.settings.reports.expect_daily:
            return None
        told_ms = (await self._reports.get()).get(ReportKind.DAILY, self._daemon.store.ledger.created_ms)
        return self.age_seconds(told_ms)

    async def _apart(self, mutes: Sequence[Mute]) -> dict[str, tuple[tuple[str, int, float], ...]]:
        """By kind of exception: its subjects that are muted by themselves, how many cases each has, and their oldest's age."""
        subjects: dict[str, list[str]] = {}
        for mute in mutes:
            for kind in EXCEPTION_KINDS if mute.subject else ():
                if root_of(kind) == root_of(mute.code):
                    subjects.setdefault(kind, []).append(mute.subject)
        found = {}
        for kind, names in subjects.items():
            figures = await self._daemon.store.alerts.subject_figures(kind, names)
            found[kind] = tuple(
                (name, each.rows, self.age_seconds(each.oldest_ms) or 0.0) for name, each in figures.items()
            )
        return found

    def _cases(
        self,
        counts: Mapping[str, tuple[int, int, int]],
        apart: Mapping[str, tuple[tuple[str, int, float], ...]],
        figures: Mapping[str, CaseFigures],
    ) -> tuple[OpenCases, ...]:
        found: list[OpenCases] = []
        for kind, (cases, occurrences, first_ms) in counts.items():
            owner, text = self._daemon.settings.owner(kind), TEXTS[CaseKind(kind)]
            oldest_seconds = self.age_seconds(first_ms) or 0.0
            limit_seconds = owner.escalate_minutes * 60.0
            severity, step = text.severity.value, text.next_step
            found.append(
                OpenCases(
                    kind,
                    severity,
                    owner.team,
                    cases,
                    occurrences,
                    oldest_seconds,
                    limit_seconds,
                    step,
                    apart.get(kind, ()),
                    figures[kind].count - figures[kind].rows if kind in figures else 0,
                )
            )
        return tuple(_worst_first(found))

    async def _scoped(self, cases: Sequence[OpenCases]) -> tuple[OpenCases, ...]:
        """Where some subjects are muted by themselves: the age of the oldest case of the rest."""
        found = []
        for each in cases:
            if not each.apart:
                found.append(each)
                continue
            names = [subject for subject, _, _ in each.apart]
            rest = await self._daemon.store.alerts.scope(each.kind, names, within=False)
            found.append(replace(each, rest_seconds=self.age_seconds(rest.oldest_ms or None) or 0.0))
        return tuple(found)


def _worst_first(cases: Sequence[OpenCases]) -> list[OpenCases]:
    """The worst first; of equal ones what may follow from others last."""
    worst = list(Severity)
    return sorted(
        cases,
        key=lambda each: (
            worst.index(Severity(each.severity)),
            each.kind in _SYMPTOMS,
            -each.oldest_seconds,
        ),
    )


def limits_of(settings: Settings) -> HealthLimits:
    """The limits of [health]."""
    health = settings.health
    return HealthLimits(
        decrease_late_seconds=float(health.decrease_late_seconds),
        decrease_critical_seconds=float(health.decrease_critical_seconds),
        orders_late_seconds=float(health.orders_late_seconds),
        orders_critical_seconds=float(health.orders_critical_seconds),
        quiet_seconds=health.quiet_minutes * 60.0,
        unknown_percent=float(health.unknown_skus_percent),
        drift_percent=float(health.drift_percent),
        saturated_percent=float(health.saturated_percent),
        free_bytes=health.free_mebibytes * MEBIBYTE,
    )
