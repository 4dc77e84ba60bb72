"""The status of one moment: gathered from the running parts, judged, told as plain values. Changes nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from archsyncd.config import FeedSettings
from archsyncd.domain.cases import TEXTS, CaseKind, Severity
from archsyncd.domain.priority import DueClass
from archsyncd.domain.report import Backlog, FeedState
from archsyncd.domain.reporting import ReportKind
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import StoreBroken
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.gauges import Kept, Meter
from archsyncd.operator.orders import carrying
from archsyncd.operator.verdict import Facts, FeedHealth, OpenCases, Verdict, judge

CLASS_NAMES = {
    DueClass.DECREASE_NEAR_ZERO: "decreases near zero",
    DueClass.DECREASE: "decreases",
    DueClass.INCREASE_FROM_ZERO: "increases from zero",
    DueClass.INCREASE: "increases",
}
ORDERS_SLACK_SECONDS = 300.0
STATUS_KEEP_SECONDS = 0.9
COUNTS_KEEP_SECONDS = 5.0
_DECREASES = (DueClass.DECREASE_NEAR_ZERO, DueClass.DECREASE)


class StatusDesk:
    """Answers `status`; what is dear to count is counted rarely, and several watchers share one look."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        clock, report = daemon.clock, daemon.store.report
        self.meter = Meter()
        self._keys = Kept(clock, report.key_counts, COUNTS_KEEP_SECONDS)
        self._parked = Kept(clock, report.parked, COUNTS_KEEP_SECONDS)
        self._orders = Kept(clock, report.order_counts, COUNTS_KEEP_SECONDS)
        self._carrying = Kept(clock, lambda: carrying(daemon), COUNTS_KEEP_SECONDS)
        self._reports = Kept(clock, daemon.store.reporting.made, COUNTS_KEEP_SECONDS)
        self._backlog = Kept(clock, report.backlog, STATUS_KEEP_SECONDS)
        self._status = Kept(clock, self._gather, STATUS_KEEP_SECONDS, cost_share=0)

    def tick(self) -> None:
        """Note how many requests were made; once a second."""
        state = self._daemon.limiter.state()
        self.meter.sample(self._daemon.clock.monotonic(), state.requests_total)

    async def status(self) -> dict[str, Any]:
        """The status object; its fields are documented in `fields`."""
        return await self._status.get()

    async def _gather(self) -> dict[str, Any]:
        try:
            return await self._whole()
        except StoreBroken as broken:
            return self._told(judge(Facts(store_broken=self._daemon.store.broken or str(broken))), {})

    async def _whole(self) -> dict[str, Any]:
        self.tick()
        if self._daemon.store.broken is not None:
            raise StoreBroken(self._daemon.store.broken)
        daemon, store = self._daemon, self._daemon.store
        states = {state.name: state for state in await store.feeds.states()}
        backlog = await self._backlog.get()
        keys, off = await self._keys.get()
        open_orders, oldest_order = await self._orders.get()
        cases = self._cases(await store.cases.counts())
        feeds = [self._feed(feed, states.get(feed.name)) for feed in daemon.settings.feeds]
        facts = replace(self._facts(feeds, backlog, cases), unreported_seconds=await self._unreported())
        verdict = judge(facts)
        orders = self._order_figures() | {
            "open": open_orders,
            "oldest_open": None if oldest_order is None else rfc3339(oldest_order),
        }
        return self._told(
            verdict,
            {
                "feeds": [self._feed_told(feed, states.get(feed.name)) for feed in feeds],
                "waiting": self._waiting(backlog),
                "oldest_decrease_seconds": self._oldest_decrease(backlog),
                "in_doubt": {"keys": backlog.doubts[0], "oldest_seconds": self._age(backlog.doubts[1])},
                "unlooked": backlog.unlooked,
                "parked": dict(await self._parked.get()),
                "orders": orders,
                "hand_over": await self._carrying.get(),
                "keys": {"total": keys, "out_of_step": off},
                "exceptions": [_cases_told(each) for each in cases],
            },
        )

    def _told(self, verdict: Verdict, rest: dict[str, Any]) -> dict[str, Any]:
        daemon, settings = self._daemon, self._daemon.settings
        now = daemon.clock.monotonic()
        return {
            "verdict": verdict.level.word,
            "sentence": verdict.sentence,
            "exit": int(verdict.level),
            "reasons": [
                {
                    "level": reason.level.word,
                    "code": reason.code,
                    "says": reason.says,
                    "next": reason.next_step,
                }
                for reason in verdict.reasons
            ],
            "version": daemon.version,
            "project": settings.commercetools.project_key,
            "ledger": daemon.store.ledger.id,
            "at": rfc3339(daemon.clock.wall_ms()),
            "uptime_seconds": round(now - daemon.started_monotonic, 1),
            "loop_lag_seconds": round(daemon.loop_lag_seconds, 2),
            "inventory_mode": settings.commercetools.inventory_mode,
            "rollout": settings.rollout.stage,
            "writes": daemon.drain.options.writes,
            "increase_bound_seconds": round(daemon.drain.bound_seconds, 1),
            "tenure": daemon.tenure_text,
            "requests": self._requests(now),
            "paused": {
                "channels": sorted(daemon.shared.paused_channels),
                "feeds": sorted(daemon.shared.paused_feeds),
            },
            "notes": dict(daemon.shared.notes) | self._window_note(),
            "counters": dict(daemon.shared.counters),
            **rest,
        }

    @property
    def _planning(self) -> bool:
        return self._daemon.settings.rollout.stage == "plan"

    def _window_note(self) -> dict[str, str]:
        settings = self._daemon.settings
        if settings.commercetools.inventory_mode == "tracked":
            return {}
        window = settings.orders.poll_seconds
        text = f"untracked: until an order is learnt (about {window} s) its pieces may be sold a second time"
        return {"window": text}

    def _requests(self, now: float) -> dict[str, Any]:
        state, project = self._daemon.limiter.state(), self._daemon.settings.commercetools
        retry_at = state.retry_at_monotonic
        held = None if retry_at is None or math.isinf(retry_at) else round(max(retry_at - now, 0.0), 1)
        return {
            "per_second": round(self.meter.per_second, 1),
            "limit_per_second": round(state.rate_now, 1),
            "configured_per_second": project.requests_per_second,
            "in_flight": state.in_flight,
            "in_flight_limit": state.in_flight_limit,
            "waiting": state.waiting,
            "blocked": state.blocked_reason,
            "held_back_seconds": held,
            "total": state.requests_total,
            "throttled": state.throttled_total,
            "write_batch": self._daemon.drain.batch_now,
        }

    def _facts(self, feeds: list[FeedHealth], backlog: Backlog, cases: list[OpenCases]) -> Facts:
        daemon, settings = self._daemon, self._daemon.settings
        state = daemon.limiter.state()
        refused = state.retry_at_monotonic is not None and math.isinf(state.retry_at_monotonic)
        behind = self._order_figures()["behind_seconds"]
        return Facts(
            refused=state.blocked_reason if refused else None,
            blocked=state.blocked_reason,
            marker=daemon.shared.notes.get("marker"),
            feeds=tuple(feeds),
            idle=None if self._planning or daemon.drain.options.writes else daemon.tenure_text,
            copied=daemon.shared.notes.get("host"),
            may_increase=daemon.shared.may_increase(),
            tenure=daemon.tenure_text,
            oldest_decrease_seconds=self._oldest_decrease(backlog) if daemon.drain.options.writes else None,
            in_doubt=backlog.doubts[0],
            oldest_doubt_seconds=self._age(backlog.doubts[1]) if daemon.drain.options.writes else None,
            unlooked=backlog.unlooked,
            orders_behind_seconds=behind,
            orders_limit_seconds=settings.orders.settle_seconds + ORDERS_SLACK_SECONDS,
            orders_off=settings.orders.mode == "off",
            tracked=settings.commercetools.inventory_mode == "tracked",
            uptime_seconds=daemon.clock.monotonic() - daemon.started_monotonic,
            cases=tuple(cases),
            paused_channels=tuple(sorted(daemon.shared.paused_channels)),
        )

    async def _unreported(self) -> float | None:
        """Since when no daily report was told; a new database has none, and is given the time."""
        if not self._daemon.settings.reports.expect_daily:
            return None
        told_ms = (await self._reports.get()).get(ReportKind.DAILY, self._daemon.store.ledger.created_ms)
        return self._age(told_ms)

    def _order_figures(self) -> dict[str, Any]:
        shared = self._daemon.shared
        complete = shared.orders_complete_ms
        if not complete:
            return {"complete_to": None, "behind_seconds": None}
        behind = max(shared.server_now_ms() - complete, 0) / 1000
        return {"complete_to": rfc3339(complete), "behind_seconds": round(behind, 1)}

    def _age(self, at_ms: int | None) -> float | None:
        return None if at_ms is None else round(max(self._daemon.clock.wall_ms() - at_ms, 0) / 1000, 1)

    def _feed(self, feed: FeedSettings, state: FeedState | None) -> FeedHealth:
        daemon, tail = self._daemon, self._daemon.tails.get(feed.name)
        return FeedHealth(
            feed.name,
            daemon.freshness.verdicts.get(feed.name, "fresh"),
            self._age(state.sign_ms) if state else None,
            float(feed.interval_seconds),
            tail.fault if tail else None,
            feed.name in daemon.shared.paused_feeds,
            state.snapshot_due if state else None,
        )

    def _feed_told(self, feed: FeedHealth, state: FeedState | None) -> dict[str, Any]:
        settings = self._daemon.settings
        told: dict[str, Any] = {
            "name": feed.name,
            "transport": settings.feed(feed.name).transport,
            "verdict": feed.verdict,
            "age_seconds": feed.age_seconds,
            "interval_seconds": feed.interval_seconds,
            "fault": feed.fault,
            "paused": feed.paused,
            "snapshot_due": feed.snapshot_due,
        }
        if state is None:
            return told | {"epoch": None, "seq": None, "behind": None, "read": 0, "applied": 0, "rejected": 0}
        behind = None if state.head_seq is None else max(state.head_seq - state.seq, 0)
        return told | {
            "epoch": state.epoch,
            "seq": state.seq,
            "behind": behind,
            "read": state.read_total,
            "applied": state.applied_total,
            "rejected": state.rejected_total,
        }

    def _waiting(self, backlog: Backlog) -> list[dict[str, Any]]:
        return [
            {
                "class": int(due_class),
                "name": name,
                "keys": backlog.classes[due_class][0],
                "oldest_seconds": self._age(backlog.classes[due_class][1]),
            }
            for due_class, name in CLASS_NAMES.items()
            if due_class in backlog.classes
        ]

    def _oldest_decrease(self, backlog: Backlog) -> float | None:
        found = [backlog.classes[due_class][1] for due_class in _DECREASES if due_class in backlog.classes]
        return self._age(min(found)) if found else None

    def _cases(self, counts: Any) -> list[OpenCases]:
        found = []
        for kind, (cases, occurrences, first_ms) in counts.items():
            owner, text = self._daemon.settings.owner(kind), TEXTS[CaseKind(kind)]
            found.append(
                OpenCases(
                    kind,
                    text.severity.value,
                    owner.team,
                    cases,
                    occurrences,
                    self._age(first_ms) or 0.0,
                    owner.escalate_minutes * 60.0,
                    text.next_step,
                )
            )
        worst = list(Severity)
        return sorted(found, key=lambda each: (worst.index(Severity(each.severity)), -each.oldest_seconds))


def _cases_told(cases: OpenCases) -> dict[str, Any]:
    return {
        "kind": cases.kind,
        "severity": cases.severity,
        "owner": cases.owner,
        "cases": cases.cases,
        "occurrences": cases.occurrences,
        "oldest_seconds": cases.oldest_seconds,
        "overdue": cases.overdue,
        "next": cases.next_step,
    }
