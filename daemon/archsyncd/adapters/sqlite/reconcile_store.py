"""Reconciliation in the store: runs as they go, what they found, and raises that wait for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from archsyncd.adapters.sqlite import raising, reconciling
from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.reconciling import END, Found, Listing, Mode, Run, RunFinding, RunState, Wanted

RUNS_KEPT = 60
FINDINGS_KEPT_OF_RUNS = 10
CLOSED_AT_ONCE = 200


class ReconcileStore:
    """Runs over the inventory. One at a time, kept across restarts, the newest with what they found."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def begin(self, wanted: Wanted) -> Run | None:
        """Begin a run; None while another one is under way."""

        async def step(scope: Scope) -> Run | None:
            asked = (wanted.mode.value, wanted.cause, wanted.channel, wanted.sku, scope.now_ms)
            if not await scope.tx.run("reconcile_begin", asked):
                return None
            await scope.tx.run("reconcile_runs_purge", (RUNS_KEPT,))
            await scope.tx.run("reconcile_findings_purge", (FINDINGS_KEPT_OF_RUNS,))
            row = await scope.tx.row("reconcile_current")
            return None if row is None else _run(row)

        return await self._session.write(step)

    async def current(self) -> Run | None:
        """The run under way, without its totals."""
        row = await self._session.row("reconcile_current")
        return None if row is None else _run(row)

    async def judge(
        self, run: Run, page: Listing, lag_ms: int, beat: Callable[[], None] = lambda: None
    ) -> int | None:
        """Compare a page with the ledger, slice by slice; for how many keys a read was planned. `beat` is called after each.

        None where the page does not follow the run's place, or the run is over.
        """
        planned, place = 0, page.after
        upto = page.last if page.full else END
        while place < upto:

            async def step(scope: Scope, after: str = place) -> tuple[int, str] | None:
                kept = await scope.tx.row("reconcile_place", (run.id,))
                if kept is None or kept[0] != after:
                    return None
                return await reconciling.judge_slice(scope, run, page, after, lag_ms)

            judged = await self._session.write(step)
            if judged is None:
                return None
            some, place = judged
            planned += some
            beat()
        return planned

    async def end(self, run: Run, state: RunState, reason: str = "") -> Run | None:
        """End a run and close the cases whose cause it did not meet again; None when it had ended already."""
        if state is RunState.DONE and run.wanted.whole and run.wanted.mode is Mode.APPLY:

            async def close(scope: Scope) -> int:
                # One that a person has stopped meanwhile has not seen everything.
                if await scope.tx.row("reconcile_place", (run.id,)) is None:
                    return 0
                return await reconciling.close_unseen(scope, run.began_ms, CLOSED_AT_ONCE)

            while await self._session.write(close):
                pass

        async def step(scope: Scope) -> int:
            return await scope.tx.run("reconcile_end", (state.value, reason[:500], scope.now_ms, run.id))

        return await self.run(run.id) if await self._session.write(step) else None

    async def run(self, run_id: int | None = None) -> Run | None:
        """One run with its totals, the newest without an id."""

        async def look(tx: Transaction) -> Run | None:
            row = await (
                tx.row("reconcile_newest", ("",)) if run_id is None else tx.row("reconcile_run", (run_id,))
            )
            if row is None:
                return None
            totals = reconciling.totals_of(await tx.rows("reconcile_totals", (row[0],)))
            return replace(_run(row), totals=totals)

        return await self._session.look(look)

    async def newest(self, cause: str) -> Run | None:
        """The newest run of a cause, without its totals."""
        row = await self._session.row("reconcile_newest", (cause,))
        return None if row is None else _run(row)

    async def findings(self, run_id: int, after: int, limit: int) -> Sequence[RunFinding]:
        """What a run found, in the order of their numbers, after one."""
        rows = await self._session.rows("reconcile_findings", (run_id, after, limit))
        return [RunFinding(row[0], Found(row[1]), *row[2:]) for row in rows]

    async def suspected(self) -> int:
        """How many keys show what our writes do not explain, or were written by another program, until that is settled."""
        row = await self._session.row("suspicion_count")
        return int(row[0]) if row else 0

    async def held(self) -> int:
        """How many keys show too few and are not raised until a person allows."""
        row = await self._session.row("held_count")
        return int(row[0]) if row else 0

    async def allow_raises(self) -> int:
        """Let what is held be raised, as a person says; how many keys."""
        allowed = 0
        while some := await self._session.write(raising.allow_some):
            allowed += some
        return allowed


def _run(row: Row) -> Run:
    """A run of the queries `reconcile_current`, `reconcile_run` and `reconcile_newest`."""
    number, mode, cause, channel, sku, state, began_ms, *rest = row
    wanted = Wanted(Mode(mode), cause, channel, sku)
    return Run(number, wanted, RunState(state), began_ms, *rest)
