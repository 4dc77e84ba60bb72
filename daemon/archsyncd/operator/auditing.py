"""The verbs about the audit of identifiers: begin one, see how far it is, read the last result in pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from archsyncd.domain.audit import AuditSummary, Finding
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import AuditLost
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import NUMBER_LIMIT, Arguments, Refusal

ROWS_PAGE = 1_000
# An answer about progress comes when there is some, and after so long without.
LOOK_SECONDS = 5.0
RUN_ANEW = "Run `archsyncctl audit` without --last to make one."


class AuditDesk:
    """Answers the `audit` verbs."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def start(self, arguments: Arguments) -> dict[str, Any]:
        """Begin an audit, or join the one under way."""
        arguments.finish()
        auditing = self._daemon.auditing
        if not auditing.at_work:
            raise Refusal(
                "The daemon does not work yet or any more, so it audits nothing; see `archsyncctl status`."
            )
        fresh = auditing.start()
        says = "An audit begins." if fresh else "An audit is under way already."
        return {"done": fresh, "says": says, **asdict(auditing.progress)}

    async def look(self, arguments: Arguments) -> dict[str, Any]:
        """How far it is, once that has changed."""
        seen = arguments.whole("seen", -1, NUMBER_LIMIT, -1)
        arguments.finish()
        return asdict(await self._daemon.auditing.look(seen, LOOK_SECONDS))

    async def rows(self, arguments: Arguments) -> dict[str, Any]:
        """A page of the last result with its figures. `run` names the result, so that no page comes from another one."""
        after = arguments.whole("after", 0, NUMBER_LIMIT, 0)
        run = arguments.whole("run", 0, NUMBER_LIMIT, 0)
        arguments.finish()
        book = self._daemon.auditing.book
        try:
            last = await book.last()
            if last is None:
                raise Refusal(f"No audit was made yet. {RUN_ANEW}")
            if run not in (0, last.started_ms):
                raise Refusal("A newer audit has taken the place of the one that was being read; ask again.")
            found = await book.findings(last.started_ms, after, ROWS_PAGE)
        except AuditLost as lost:
            raise Refusal(f"The last audit cannot be read ({lost}). {RUN_ANEW}") from lost
        rows, cut = fitting([{"number": number, **_row(finding)} for number, finding in found])
        more = cut or len(found) == ROWS_PAGE
        place = {"after": rows[-1]["number"], "run": last.started_ms} if more else None
        return {"rows": rows, "next": place, **_summary(last)}


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "name": finding.name,
        "place": finding.place,
        "near": finding.near or None,
        "differs": list(finding.differs),
        "says": finding.says,
    }


def _summary(last: AuditSummary) -> dict[str, Any]:
    return {
        "totals": dict(last.counts),
        "sold": last.sold,
        "sent": last.sent,
        "without_sku": last.nameless,
        "requests": last.requests,
        "kept": last.kept,
        "at": rfc3339(last.started_ms),
        "seconds": round(max(last.ended_ms - last.started_ms, 0) / 1000, 1),
    }
