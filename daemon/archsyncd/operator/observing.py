"""What the lookout of alerts sees: the causes of the one verdict, with owner, examples and the next step. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from archsyncd.config import EXCEPTION_KINDS
from archsyncd.domain.alerting import EXAMPLES_MOST, Cause, Observation
from archsyncd.domain.cases import TEXTS, CaseKind
from archsyncd.domain.explained import REASONS, told
from archsyncd.domain.mutes import Mute, figures_of
from archsyncd.domain.reasons import Reason
from archsyncd.domain.unjudged import unjudged
from archsyncd.engine.alerting import Seen
from archsyncd.operator.daemon import Daemon

# Causes that belong to the owner of a kind of exception; all others belong to the default owner.
OWNED_AS = dict.fromkeys(("feed_late", "feed_stale", "feed_fault", "snapshot_due"), "stale_feed")
_COMMAND = "archsyncctl "


class Observer:
    """Looks at the daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def observe(self, causes: Mapping[tuple[str, str], Cause]) -> Seen:
        """Everything that is wrong now, the muted too. `causes`: what was told of each."""
        await self._daemon.desk.status()
        verdict = self._daemon.desk.verdict
        ended = {mute.code: _ended(mute, why) for mute, why in verdict.outgrown}
        apart: dict[str, list[str]] = {}
        for reason in (*verdict.reasons, *(reason for reason, _ in verdict.muted)):
            if reason.subject:
                apart.setdefault(reason.code, []).append(reason.subject)
        observed = []
        for reason in verdict.reasons:
            made = self._observation(reason, ended.get(reason.code, ""))
            if reason.code in EXCEPTION_KINDS:
                made = await self._cases(made, causes, apart.get(reason.code, ()))
            observed.append(made)
        observed += [self._observation(reason, "", muted=True) for reason, _ in verdict.muted]
        unknown = unjudged(self._daemon.desk.facts, self._daemon.freshness.unheard())
        return Seen(observed, verdict.outgrown, _covered(verdict.muted), unknown)

    def _observation(self, reason: Reason, remark: str, *, muted: bool = False) -> Observation:
        settings, kind = self._daemon.settings, OWNED_AS.get(reason.code, reason.code)
        owner = settings.owner(kind)
        return Observation(
            owner.team,
            reason.code,
            reason.subject,
            int(reason.level),
            reason.count,
            reason.says,
            reason.next_step,
            _look(reason),
            settings.escalates_to(kind),
            owner.escalate_minutes * 60.0,
            muted=muted,
            remark=remark,
        )

    async def _cases(
        self, made: Observation, causes: Mapping[tuple[str, str], Cause], apart: Collection[str]
    ) -> Observation:
        """`apart`: subjects of the kind that are muted by themselves. One of them has its own cases, the kind all others."""
        alerts, kind, within = self._daemon.store.alerts, made.code, bool(made.subject)
        subjects = (made.subject,) if within else apart
        figures = await alerts.scope(kind, subjects, within=within)
        cause = causes.get(made.key)
        limit_ms = self._daemon.clock.wall_ms() - int(made.escalate_seconds * 1000)
        after_ms = cause.escalated_ms if cause else 0
        overdue = await alerts.overdue(kind, limit_ms, after_ms, subjects, within=within)
        return Observation(
            made.owner,
            kind,
            made.subject,
            made.level,
            made.count,
            f"{made.count:,} open {kind}{f' of {made.subject}' if within else ''}",
            TEXTS[CaseKind(kind)].next_step,
            f"{_COMMAND}exceptions list --kind {kind}",
            made.escalate_to,
            made.escalate_seconds,
            figures.newest,
            await alerts.examples(kind, EXAMPLES_MOST, subjects, within=within),
            overdue,
            remark=made.remark,
        )


def _covered(muted: Iterable[tuple[Reason, Mute]]) -> list[tuple[Mute, int, int]]:
    """Each mute with all that it covers: how bad, how much."""
    found: dict[Mute, list[Reason]] = {}
    for reason, mute in muted:
        found.setdefault(mute, []).append(reason)
    return [(mute, *figures_of(reasons)) for mute, reasons in found.items()]


def _look(reason: Reason) -> str:
    """The command that shows more of a cause."""
    found = REASONS[reason.code].look if reason.code in REASONS else ()
    names = {"FEED": reason.subject, "CHANNEL": reason.subject} if reason.subject else {}
    return told(found[0], names) if found else f"{_COMMAND}status"


def _ended(mute: Mute, why: str) -> str:
    return f"the mute by {mute.by} has ended: {why}"
