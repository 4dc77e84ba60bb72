"""What people's reports ask of the store. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from archsyncd.adapters.sqlite.connection import Transaction
from archsyncd.adapters.sqlite.scope import array
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.advice import SHIPPED, AdviceKind, AdviceStage
from archsyncd.domain.report import AGE_STEPS_SECONDS
from archsyncd.domain.reporting import (
    DAY_MS,
    CasePeriod,
    FinancePlace,
    FinanceRow,
    FinanceSection,
    PlaceUse,
    ReportKind,
)

# A cancellation that Archean has carried out, or that a person has settled, is told for so long.
SETTLED_KEEP_MS = 31 * DAY_MS
Part: TypeAlias = tuple[FinanceSection, str, Mapping[str, str]]


def _advices(section: FinanceSection, kind: AdviceKind, stage: AdviceStage, status: str = "") -> Part:
    return section, "finance_advices", {"of_kind": kind, "stage": stage, "status": status}


_S, _A = FinanceSection, AdviceStage
# One query a part; a page may end in one and the next begin in another.
PARTS: tuple[Part, ...] = (
    (_S.UNFULFILLABLE, "finance_held", {}),
    (_S.UNFULFILLABLE, "finance_short", {}),
    *(
        _advices(_S.SHIPPED_NOT_BOOKED, AdviceKind.FULFILMENT, stage, SHIPPED)
        for stage in (_A.HELD, _A.PARKED, _A.DUE)
    ),
    _advices(_S.BOOKED_NOT_ACKNOWLEDGED, AdviceKind.FULFILMENT, _A.BOOKED),
    *(
        _advices(_S.OPEN_RETURN, AdviceKind.RETURN, stage)
        for stage in (_A.HELD, _A.PARKED, _A.DUE, _A.BOOKED)
    ),
    (_S.CANCELLED_AFTER_HANDOVER, "finance_cancelled", {}),
)


class ReportingStore:
    """Figures over a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def made(self) -> Mapping[ReportKind, int]:
        """When a report of each kind was last told (UTC milliseconds)."""
        return {ReportKind(row[0]): row[1] for row in await self._session.rows("report_made")}

    async def note_made(self, kind: ReportKind) -> None:
        """A report was told now."""
        await self._session.write(lambda scope: scope.tx.run("report_make", (kind, scope.now_ms)))

    async def cases(self, limits_ms: Mapping[str, int], since_ms: int) -> Sequence[CasePeriod]:
        """Cases of each kind since then, and within as long a time before. `limits_ms`: when a kind's case is overdue."""
        now_ms = self._session.clock.wall_ms()
        wanted = {
            "limits": array(limits_ms.items()),
            "since": since_ms,
            "before": since_ms - (now_ms - since_ms),
            "now": now_ms,
        }
        return [CasePeriod(*row) for row in await self._session.rows("report_cases", wanted)]

    async def places(self) -> Mapping[str, PlaceUse]:
        """Every location that has a level. Counts every level: not for each second."""
        return {row[0]: PlaceUse(*row) for row in await self._session.rows("report_places")}

    async def backlog(self, now_ms: int) -> Mapping[int, tuple[tuple[int, ...], int]]:
        """Waiting keys by class: counted by the steps of AGE_STEPS_SECONDS, the last beyond them all; and since when one waits.

        Counts every one of them: not for each second.
        """
        bounds = [now_ms - step * 1000 for step in AGE_STEPS_SECONDS]
        rows = await self._session.rows("report_backlog", bounds)
        return {
            due_class: (tuple(more - less for more, less in pairwise((*older, 0))), since_ms)
            for due_class, since_ms, *older in rows
        }

    async def finance(
        self, after: FinancePlace, limit: int
    ) -> tuple[Sequence[FinanceRow], FinancePlace | None]:
        """Up to `limit` of the orders that finance asks about, and the place to go on after; None: these were the last."""
        found: list[FinanceRow] = []
        place = after
        settled_ms = self._session.clock.wall_ms() - SETTLED_KEEP_MS
        async with self._session.read() as tx:
            while place.part < len(PARTS):
                rows = await _part(tx, place, limit - len(found), settled_ms)
                found += rows
                if len(found) >= limit:
                    return found, found[-1].place
                place = FinancePlace(place.part + 1)
        return found, None


async def _part(tx: Transaction, place: FinancePlace, limit: int, settled_ms: int) -> list[FinanceRow]:
    section, query, fixed = PARTS[place.part]
    wanted: dict[str, Any] = {
        "since": place.since_ms,
        "feed": place.feed,
        "kind": place.kind,
        "name": place.name,
        "settled": settled_ms,
        "limit": limit,
        **fixed,
    }
    rows = await tx.rows(query, wanted)
    return [FinanceRow(section, FinancePlace(place.part, *row[:4]), *row[4:]) for row in rows]
