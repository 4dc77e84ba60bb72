"""The status of one moment: gathered from the running parts, judged, told as plain values. Changes nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.data_health import LocationHealth, share
from archsyncd.domain.health import Facts, FeedHealth, OpenCases, Verdict, judge
from archsyncd.domain.mutes import Mute
from archsyncd.domain.priority import DueClass
from archsyncd.domain.reasons import Level, Reason
from archsyncd.domain.report import Backlog, FeedState
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import StoreBroken
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.gauges import Kept, Meter
from archsyncd.operator.looking import COUNTS_KEEP_SECONDS, STATUS_KEEP_SECONDS, Look, Lookout
from archsyncd.operator.orders import carrying
from archsyncd.operator.pool_story import shared_kits_note
from archsyncd.operator.reconciling import reconciled
from archsyncd.operator.silences import untaken_seconds

CLASS_NAMES = {
    DueClass.DECREASE_NEAR_ZERO: "decreases near zero",
    DueClass.DECREASE: "decreases",
    DueClass.INCREASE_FROM_ZERO: "increases from zero",
    DueClass.INCREASE: "increases",
}
LOCATIONS_TOLD = 100


class StatusDesk:
    """Answers `status`; what is dear to count is counted rarely, and several watchers share one look."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        clock, report = daemon.clock, daemon.store.report
        self.meter = Meter()
        self.lookout = Lookout(daemon)
        self.verdict = Verdict(Level.HEALTHY, ())
        self.facts = Facts()
        self._orders = Kept(clock, report.order_counts, COUNTS_KEEP_SECONDS)
        self._carrying = Kept(clock, lambda: carrying(daemon), COUNTS_KEEP_SECONDS)
        self._reconciled = Kept(clock, lambda: reconciled(daemon), STATUS_KEEP_SECONDS)
        self._status = Kept(clock, self._gather, STATUS_KEEP_SECONDS, cost_share=0)

    def tick(self) -> None:
        """Note how many requests were made; once a second."""
        state = self._daemon.limiter.state()
        self.meter.sample(self._daemon.clock.monotonic(), state.requests_total)
        self.lookout.tick()

    def forget(self) -> None:
        """Look anew when it is asked for next."""
        self._status.forget()

    async def status(self) -> dict[str, Any]:
        """The status object; its fields are documented in `fields`."""
        return await self._status.get()

    async def _gather(self) -> dict[str, Any]:
        try:
            return await self._whole()
        except StoreBroken as broken:
            self.verdict = judge(Facts(store_broken=self._daemon.store.broken or str(broken)))
            return self._told(self.verdict, {})

    async def _whole(self) -> dict[str, Any]:
        self.tick()
        look = await self.lookout.look()
        self.verdict, self.facts = look.verdict, look.facts
        daemon, facts, backlog = self._daemon, look.facts, look.backlog
        open_orders, oldest_order = await self._orders.get()
        orders = self._order_figures() | {
            "open": open_orders,
            "oldest_open": None if oldest_order is None else rfc3339(oldest_order),
        }
        keys = look.keys
        return self._told(
            look.verdict,
            {
                "feeds": [self._feed_told(feed, look.states.get(feed.name)) for feed in facts.feeds],
                "locations": [
                    _location_told(each) for each in _worst_first(facts.locations)[:LOCATIONS_TOLD]
                ],
                "waiting": self._waiting(backlog),
                "oldest_decrease_seconds": self.lookout.oldest_decrease_seconds(backlog),
                "in_doubt": {
                    "keys": backlog.doubts[0],
                    "oldest_seconds": self.lookout.age_seconds(backlog.doubts[1]),
                },
                "unlooked": backlog.unlooked,
                "parked": dict(look.parked),
                "orders": orders,
                "hand_over": await self._carrying.get(),
                "keys": {
                    "total": keys.total,
                    "out_of_step": keys.out_of_step,
                    "to_write": keys.to_write,
                    "to_read": keys.to_read,
                },
                "data": _data_told(look, daemon.store.doubt),
                "exceptions": [_cases_told(each) for each in facts.cases],
                "reconcile": await self._reconciled.get(),
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
                    "subject": reason.subject,
                    "says": reason.says,
                    "next": reason.next_step,
                }
                for reason in verdict.reasons
            ],
            "muted": [_muted_told(reason, mute) for reason, mute in verdict.muted],
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
            "notes": dict(daemon.shared.notes) | self._window_note() | shared_kits_note(daemon),
            "counters": dict(daemon.shared.counters),
            **rest,
        }

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

    def _order_figures(self) -> dict[str, Any]:
        complete = self._daemon.shared.orders_complete_ms
        to = rfc3339(complete) if complete else None
        return {"complete_to": to, "behind_seconds": self.lookout.orders_behind_seconds()}

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
            "quiet_until": None if feed.quiet_until_ms is None else rfc3339(feed.quiet_until_ms),
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
                "oldest_seconds": self.lookout.age_seconds(backlog.classes[due_class][1]),
            }
            for due_class, name in CLASS_NAMES.items()
            if due_class in backlog.classes
        ]


def _muted_told(reason: Reason, mute: Mute) -> dict[str, Any]:
    return {
        "level": reason.level.word,
        "code": reason.code,
        "subject": reason.subject,
        "says": reason.says,
        "kind": mute.kind.value,
        "until": rfc3339(mute.until_ms),
        "by": mute.by,
        "reason": mute.reason,
        "mute": {"code": mute.code, "subject": mute.subject},
    }


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


def _location_told(location: LocationHealth) -> dict[str, Any]:
    return {
        "name": location.name,
        "channel": location.channel,
        "state": location.state,
        "feeds": list(location.feeds),
        "told_seconds": location.told_seconds,
        "withheld": location.withheld,
    }


def _worst_first(locations: Sequence[LocationHealth]) -> list[LocationHealth]:
    worst = ("stale", "unheard", "quiet", "late", "fresh")
    return sorted(locations, key=lambda each: (not each.withheld, worst.index(each.state)))


def _data_told(look: Look, doubt: str | None) -> dict[str, Any]:
    facts = look.facts
    counts = {each.kind: each.cases for each in facts.cases}
    told = [each.told_seconds for each in facts.locations if each.told_seconds is not None]
    return {
        "locations": dict(Counter(each.state for each in _worst_first(facts.locations))),
        "withheld": sum(each.withheld for each in facts.locations),
        "oldest_level_seconds": max(told, default=None),
        "suspected_oversells": counts.get(CaseKind.SUSPECTED_OVERSELL, 0),
        "unknown_skus": facts.wrong.unknown,
        "unknown_share": round(share(facts.wrong.unknown, facts.wrong.keys), 4),
        "drifting": facts.wrong.drifting,
        "stalled": counts.get(CaseKind.STALLED_ORDERS, 0),
        "untaken_seconds": untaken_seconds(facts.silences),
        "untracked_lines": look.untracked[0],
        "untracked_pieces": look.untracked[1],
        "saturated_share": None if facts.saturated is None else round(facts.saturated, 2),
        "database_bytes": look.room.database_bytes,
        "log_bytes": look.room.log_bytes,
        "free_bytes": look.room.free_bytes,
        "doubt": doubt,
    }
