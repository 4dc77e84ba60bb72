"""What people's reports ask of the store, as a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from archsyncd.domain.reporting import CasePeriod, FinancePlace, FinanceRow, PlaceUse, ReportKind


class Reporting(Protocol):
    """Figures over a time. All but `note_made` change nothing."""

    async def made(self) -> Mapping[ReportKind, int]:
        """When a report of each kind was last told (UTC milliseconds)."""
        ...

    async def note_made(self, kind: ReportKind) -> None:
        """A report was told now."""
        ...

    async def cases(self, limits_ms: Mapping[str, int], since_ms: int) -> Sequence[CasePeriod]:
        """Cases of each kind since then, and within as long a time before. `limits_ms`: when a kind's case is overdue."""
        ...

    async def places(self) -> Mapping[str, PlaceUse]:
        """Every location that has a level. Counts every level: not for each second."""
        ...

    async def backlog(self, now_ms: int) -> Mapping[int, tuple[tuple[int, ...], int]]:
        """Waiting keys by class: counted by the steps of AGE_STEPS_SECONDS, and since when (UTC milliseconds) one waits."""
        ...

    async def finance(
        self, after: FinancePlace, limit: int
    ) -> tuple[Sequence[FinanceRow], FinancePlace | None]:
        """Up to `limit` of the orders that finance asks about, and the place to go on after; None: these were the last."""
        ...
