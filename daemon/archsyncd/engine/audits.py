"""Where an audit keeps what it compares and what it finds, as its loop sees that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from archsyncd.domain.audit import AuditSummary, Finding


class AuditBook(Protocol):
    """One audit under way and the last one that was finished. Writing may raise StoreFull, and nothing of it counts then."""

    async def begin(self) -> None:
        """Begin anew; what was begun before and not concluded is dropped."""
        ...

    async def sold(self, skus: Sequence[str], channel: str = "") -> None:
        """SKUs of published products, or (with `channel`) of the entries of one channel."""
        ...

    async def sent(self, skus: Sequence[str], location: str) -> None:
        """SKUs that Archean has told of at a location."""
        ...

    async def found(self, findings: Iterable[Finding]) -> None:
        """Keep findings, a bounded number of each kind; all are counted."""
        ...

    async def index(self) -> tuple[int, int]:
        """Everything was taken in: make it ready to be compared. How many SKUs are sold, and how many were sent."""
        ...

    async def compare(self, after: str | None, limit: int, *, sold: bool) -> tuple[str | None, int]:
        """Keep what the next SKUs of one side come to: the place to go on from (None: done) and how many were found."""
        ...

    async def conclude(self, summary: AuditSummary) -> AuditSummary:
        """This one is the last audit from now on, durably; the summary with its counts."""
        ...

    async def abandon(self) -> None:
        """Drop what is under way."""
        ...

    async def last(self) -> AuditSummary | None:
        """The last audit that was finished. Raises AuditLost."""
        ...

    async def findings(self, started_ms: int, after: int, limit: int) -> list[tuple[int, Finding]]:
        """Findings of the last audit after a number. Raises AuditLost, also when another audit is the last by now."""
        ...
