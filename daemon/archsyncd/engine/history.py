"""Keeps the history of keys within its bounds: folds old rows to days, drops the oldest, sooner where they do not fit."""

from __future__ import annotations

from collections.abc import Callable

from archsyncd.domain.history import STEPS, Folding
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

NOTE = "history"
STEP_ROWS = 500
# A pass is spread over a day, but for what does not fit: that is folded with hardly a pause.
PASS_SECONDS = 86_400.0
LEAST_REST_SECONDS, MOST_REST_SECONDS = 0.05, 10.0
BETWEEN_PASSES_SECONDS = 3_600.0


class HistoryKeeper:
    """Folds a little at a time, in the background. `most_rows`: what all rows of all keys are to come to at most."""

    def __init__(self, store: Store, shared: Shared, most_rows: int, beat: Callable[[], None]) -> None:
        self._store = store
        self._shared = shared
        self.most_rows = most_rows
        self._beat = beat
        self._next_pass = 0.0
        self._step = -1
        self._helpless = False

    async def run(self) -> None:
        """Go over all keys again and again until the stop."""
        while not self._shared.stopping:
            self._beat()
            await self._shared.rest(await self.step())

    async def step(self) -> float:
        """Fold the next rows, unless nothing is to be done; for how many seconds to rest then."""
        now = self._shared.clock.monotonic()
        if now < self._next_pass:
            return min(MOST_REST_SECONDS, self._next_pass - now)
        try:
            folding = await self._store.history.fold(self.most_rows, STEP_ROWS)
        except StoreFull:
            return MOST_REST_SECONDS
        self._tell(folding)
        if self._hurries(folding):
            return LEAST_REST_SECONDS
        if folding.ended:
            self._next_pass = now + BETWEEN_PASSES_SECONDS
        return min(
            MOST_REST_SECONDS, max(LEAST_REST_SECONDS, PASS_SECONDS * STEP_ROWS / max(folding.rows, 1))
        )

    def _hurries(self, folding: Folding) -> bool:
        """Whether to go on at once; not once a pass by the last step did not do, as hardly more can be folded than comes."""
        by, self._step = self._step, folding.step
        if folding.rows <= self.most_rows:
            self._helpless = False
        elif folding.ended and by == folding.step == len(STEPS) - 1:
            self._helpless = True
        return folding.rows > self.most_rows and not self._helpless

    def _tell(self, folding: Folding) -> None:
        if not folding.step and folding.rows <= self.most_rows:
            self._shared.notes.pop(NOTE, None)
            return
        keeping = STEPS[folding.step]
        days = "of all days" if keeping.fold_days < 0 else f"older than {keeping.fold_days} days"
        self._shared.notes[NOTE] = (
            f"the history of keys has {folding.rows:,} rows, and daemon.history_rows allows {self.most_rows:,}: what is {days} "
            f"is kept as daily sums, what is older than {keeping.keep_days} days as the opening; allow more rows to keep more"
        )
