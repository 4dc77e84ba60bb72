"""Samples in the store: one a minute, a day of them. Knows nothing of what they mean."""

from __future__ import annotations

from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.samples import KEPT_MS, Sample, minute


class SampleStore:
    """What the charts are drawn from."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def note(self, sample: Sample) -> None:
        """Keep the sample of a minute, and no others than those of the day before it."""

        async def step(scope: Scope) -> None:
            at_ms = minute(sample.at_ms)
            await scope.tx.run("sample_trim", {"from_ms": at_ms - KEPT_MS, "to_ms": at_ms})
            figures = (sample.near_zero, sample.decreases, sample.from_zero, sample.increases)
            rates = (sample.requests, sample.limit)
            row = (at_ms, sample.verdict, *figures, sample.oldest_decrease_ms, *rates)
            await scope.tx.run("sample_put", (*row, sample.cases, sample.behind_ms))

        await self._session.write(step)

    async def between(self, from_ms: int, to_ms: int, step_ms: int, limit: int) -> list[Sample]:
        """The worst figures of each step that has any, oldest first; requests are the mean."""
        wanted = {"from_ms": from_ms, "to_ms": to_ms, "step_ms": step_ms, "limit": limit}
        return [Sample(*row) for row in await self._session.rows("samples", wanted)]
