"""What the lookout of alerts sees: the causes of the one verdict, with owner, examples and the next step. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from archsyncd.config import EXCEPTION_KINDS
from archsyncd.domain.alerting import EXAMPLES_MOST, Cause, Observation
from archsyncd.domain.cases import TEXTS, CaseKind
from archsyncd.domain.explained import REASONS, told
from archsyncd.domain.mutes import Mute
from archsyncd.domain.reasons import Reason
from archsyncd.engine.alerting import Seen
from archsyncd.engine.alerts import CaseFigures
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
        figures = await self._daemon.store.alerts.case_figures()
        ended = {mute.code: _ended(mute, why) for mute, why in verdict.outgrown}
        observed = [
            await self._observation(reason, figures, causes, ended.get(reason.code, ""))
            for reason in verdict.reasons
        ]
        observed += [
            await self._observation(reason, figures, causes, "", muted=True) for reason, _ in verdict.muted
        ]
        covered = [(mute, int(reason.level), reason.count) for reason, mute in verdict.muted]
        return Seen(observed, verdict.outgrown, covered)

    async def _observation(
        self,
        reason: Reason,
        figures: Mapping[str, CaseFigures],
        causes: Mapping[tuple[str, str], Cause],
        remark: str,
        *,
        muted: bool = False,
    ) -> Observation:
        settings, kind = self._daemon.settings, OWNED_AS.get(reason.code, reason.code)
        owner = settings.owner(kind)
        made = Observation(
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
        if reason.code in EXCEPTION_KINDS and not muted:
            return await self._cases(made, figures.get(reason.code), causes)
        return made

    async def _cases(
        self,
        made: Observation,
        figures: CaseFigures | None,
        causes: Mapping[tuple[str, str], Cause],
    ) -> Observation:
        alerts, kind = self._daemon.store.alerts, made.code
        cause = causes.get(made.key)
        limit_ms = self._daemon.clock.wall_ms() - int(made.escalate_seconds * 1000)
        overdue = await alerts.overdue(kind, limit_ms, cause.escalated_ms if cause else 0)
        # What is folded into one case counts as many.
        count = made.count + (figures.count - figures.rows if figures else 0)
        return Observation(
            made.owner,
            kind,
            made.subject,
            made.level,
            count,
            f"{count:,} open {kind}",
            TEXTS[CaseKind(kind)].next_step,
            f"{_COMMAND}exceptions list --kind {kind}",
            made.escalate_to,
            made.escalate_seconds,
            figures.newest if figures else 0,
            await alerts.examples(kind, EXAMPLES_MOST),
            overdue,
            remark=made.remark,
        )


def _look(reason: Reason) -> str:
    """The command that shows more of a cause."""
    found = REASONS[reason.code].look if reason.code in REASONS else ()
    names = {"FEED": reason.subject, "CHANNEL": reason.subject} if reason.subject else {}
    return told(found[0], names) if found else f"{_COMMAND}status"


def _ended(mute: Mute, why: str) -> str:
    return f"the mute by {mute.by} has ended: {why}"
