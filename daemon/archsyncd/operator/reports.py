"""The verbs about reports: gathers figures, has them judged, notes that a report was told. Decides nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.reporting import (
    DAY_MS,
    WEEK_MS,
    CasePeriod,
    FinancePlace,
    FinanceRow,
    ReportKind,
)
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import FencedOff, StoreFull
from archsyncd.operator.backups import newest_backup_ms
from archsyncd.operator.checks import Figures, Need, items_of, tidying, unused_places
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import NUMBER_LIMIT, Arguments
from archsyncd.operator.status import StatusDesk

PAGE_MOST = 500
PLACES_TOLD = 100


class ReportDesk:
    """Answers the `report` verbs."""

    def __init__(self, daemon: Daemon, status: StatusDesk) -> None:
        self._daemon = daemon
        self._status = status

    async def daily(self, arguments: Arguments) -> dict[str, Any]:
        """What a person checks each day, worst first."""
        arguments.finish()
        figures = await self._figures(DAY_MS)
        told = await self._told(ReportKind.DAILY, figures, DAY_MS)
        return told | {"owners": self._owners(figures)}

    async def weekly(self, arguments: Arguments) -> dict[str, Any]:
        """The same over 7 days, compared with the 7 days before, and what is left lying."""
        arguments.finish()
        figures = await self._figures(WEEK_MS)
        settings = self._daemon.settings
        mapped = [name for name, place in settings.locations.items() if not place.ignore]
        uses = await self._daemon.store.reporting.places()
        unused = unused_places(mapped, uses, figures.now_ms - WEEK_MS)
        told = await self._told(ReportKind.WEEKLY, figures, WEEK_MS)
        return told | {
            "owners": self._owners(figures),
            "kinds": [self._kind(each, figures) for each in figures.periods if _matters(each)],
            "tidy": [item.told() for item in tidying(figures, unused[:PLACES_TOLD], settings.rollout.stage)],
        }

    async def finance(self, arguments: Arguments) -> dict[str, Any]:
        """A page of the orders that finance asks about: `rows`, and `next` to go on after (None: no more)."""
        place = FinancePlace(
            arguments.whole("part", 0, PLACES_TOLD, 0),
            arguments.whole("since", -1, NUMBER_LIMIT, -1),
            arguments.text("feed", default=""),
            arguments.text("kind", default=""),
            arguments.text("name", limit=1_000, default=""),
        )
        limit = arguments.whole("limit", 1, PAGE_MOST, PAGE_MOST)
        arguments.finish()
        found, following = await self._daemon.store.reporting.finance(place, limit)
        rows, cut = fitting(self._order(row) for row in found)
        if cut:
            following = found[len(rows) - 1].place
        if following is None:
            await self._note(ReportKind.FINANCE)
        return {"rows": rows, "next": None if following is None else _place(following)}

    async def _figures(self, time_ms: int) -> Figures:
        daemon, settings = self._daemon, self._daemon.settings
        now_ms = daemon.clock.wall_ms()
        limits = {kind.value: settings.owner(kind).escalate_minutes * 60_000 for kind in CaseKind}
        backup_ms = await asyncio.to_thread(newest_backup_ms, settings.daemon.state_dir)
        return Figures(
            await self._status.status(),
            await daemon.store.reporting.cases(limits, now_ms - time_ms),
            {kind.value: settings.owner(kind).team for kind in CaseKind},
            settings.owner("").team,
            now_ms,
            None if backup_ms is None else max(now_ms - backup_ms, 0) / 1000,
        )

    async def _told(self, kind: ReportKind, figures: Figures, time_ms: int) -> dict[str, Any]:
        items = items_of(figures)
        made = await self._daemon.store.reporting.made()
        status = figures.status
        return {
            "report": kind.value,
            "project": status["project"],
            "at": rfc3339(figures.now_ms),
            "from": rfc3339(figures.now_ms - time_ms),
            "previous": rfc3339(made[kind]) if kind in made else None,
            "act": any(item.need is Need.ACT for item in items),
            "verdict": status["verdict"],
            "sentence": status["sentence"],
            "items": [item.told() for item in items],
            "noted": await self._note(kind),
        }

    async def _note(self, kind: ReportKind) -> bool:
        """Remember that it was told; a host that may not write tells it all the same."""
        with contextlib.suppress(FencedOff, StoreFull):
            await self._daemon.store.reporting.note_made(kind)
            return True
        return False

    def _kind(self, each: CasePeriod, figures: Figures) -> dict[str, Any]:
        return {
            "kind": each.kind,
            "owner": figures.owner(each.kind),
            "open": each.open,
            "new": each.new,
            "overdue": each.overdue,
            "oldest_seconds": _seconds(figures, each.oldest_ms),
            "opened": each.opened,
            "opened_before": each.opened_before,
            "resolved": each.resolved,
            "dismissed": each.dismissed,
            "closed_before": each.closed_before,
        }

    def _owners(self, figures: Figures) -> list[dict[str, Any]]:
        """Each team that has or had cases, the slowest first: by what is overdue, then by how long its cases stay open."""
        teams: dict[str, list[CasePeriod]] = {}
        for each in figures.periods:
            if _matters(each):
                teams.setdefault(figures.owner(each.kind), []).append(each)
        rows = [_team(figures, owner, kinds) for owner, kinds in teams.items()]
        return sorted(
            rows, key=lambda row: (-row["overdue"], -(row["handling_seconds"] or 0.0), row["owner"])
        )

    def _order(self, row: FinanceRow) -> dict[str, Any]:
        now_ms = self._daemon.clock.wall_ms()
        return {
            "section": row.section.value,
            "order": row.order_id,
            "number": row.number,
            "source_order": row.source_order,
            "dispatch": row.dispatch,
            "state": row.state,
            "since": rfc3339(row.place.since_ms),
            "age_seconds": round(max(now_ms - row.place.since_ms, 0) / 1000, 1),
            "reason": row.reason,
        }


def _team(figures: Figures, owner: str, kinds: Sequence[CasePeriod]) -> dict[str, Any]:
    closed = sum(each.closed for each in kinds)
    handling_ms = sum(each.handling_ms for each in kinds)
    since = [each.oldest_ms for each in kinds if each.oldest_ms is not None]
    return {
        "owner": owner,
        "open": sum(each.open for each in kinds),
        "new": sum(each.new for each in kinds),
        "overdue": sum(each.overdue for each in kinds),
        "oldest_seconds": _seconds(figures, min(since, default=None)),
        "closed": closed,
        "handling_seconds": round(handling_ms / closed / 1000, 1) if closed else None,
    }


def _matters(each: CasePeriod) -> bool:
    return bool(each.open or each.opened or each.opened_before or each.closed or each.closed_before)


def _seconds(figures: Figures, since_ms: int | None) -> float | None:
    return None if since_ms is None else round(max(figures.now_ms - since_ms, 0) / 1000, 1)


def _place(place: FinancePlace) -> Mapping[str, Any]:
    return {
        "part": place.part,
        "since": place.since_ms,
        "feed": place.feed,
        "kind": place.kind,
        "name": place.name,
    }
