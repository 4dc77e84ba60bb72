"""The store as whoever compares the whole inventory sees it: runs, what they found, and raises that wait for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from archsyncd.domain.reconciling import Listing, Run, RunFinding, RunState, Wanted


class Reconciles(Protocol):
    """Runs; each step may raise StoreFull, StoreBroken or FencedOff."""

    async def begin(self, wanted: Wanted) -> Run | None:
        """Begin a run; None while another one is under way."""
        ...

    async def current(self) -> Run | None:
        """The run under way, without its totals."""
        ...

    async def judge(
        self, run: Run, page: Listing, lag_ms: int, beat: Callable[[], None] = lambda: None
    ) -> int | None:
        """Compare a page with the ledger, part by part, each moving the run's place; for how many keys a read was planned.

        The orders must be complete beyond the page's read by the lag. None where the page does not follow the run's place, or
        the run is not under way any more: the rest of it was left alone.
        """
        ...

    async def end(self, run: Run, state: RunState, reason: str = "") -> Run | None:
        """End a run and close the cases whose cause it did not meet again; None when it had ended already."""
        ...

    async def run(self, run_id: int | None = None) -> Run | None:
        """One run with its totals, the newest without an id."""
        ...

    async def newest(self, cause: str) -> Run | None:
        """The newest run of a cause, without its totals."""
        ...

    async def findings(self, run_id: int, after: int, limit: int) -> Sequence[RunFinding]:
        """What a run found, in the order of their numbers, after one."""
        ...

    async def suspected(self) -> int:
        """How many keys show what our writes do not explain, or were written by another program, until that is settled."""
        ...

    async def held(self) -> int:
        """How many keys show too few and are not raised until a person allows."""
        ...

    async def allow_raises(self) -> int:
        """Let what is held be raised, as a person says; how many keys."""
        ...
