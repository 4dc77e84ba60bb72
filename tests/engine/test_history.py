"""The history's keeper: in small steps over a day, faster only where rows do not fit, and it says when it keeps less."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from archsyncd.domain.history import STEPS, Folding
from archsyncd.engine.history import (
    BETWEEN_PASSES_SECONDS,
    LEAST_REST_SECONDS,
    MOST_REST_SECONDS,
    NOTE,
    STEP_ROWS,
    HistoryKeeper,
)
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from tests.support.virtual_time import VirtualClock, virtual


class Told:
    """A store whose foldings are told beforehand; None: there is no room."""

    def __init__(self, foldings: Iterable[Folding | None]) -> None:
        self.foldings = list(foldings)
        self.asked: list[tuple[int, int]] = []

    @property
    def history(self) -> Told:
        return self

    async def fold(self, most_rows: int, step_rows: int) -> Folding:
        self.asked.append((most_rows, step_rows))
        folding = self.foldings.pop(0)
        if folding is None:
            raise StoreFull("no room")
        return folding


def keeper(*foldings: Folding | None, most_rows: int = 100_000) -> tuple[HistoryKeeper, Told, Shared]:
    store, shared = Told(foldings), Shared(VirtualClock())
    return HistoryKeeper(cast("Store", cast("Any", store)), shared, most_rows, lambda: None), store, shared


@virtual
async def test_a_pass_is_spread_over_a_day_and_followed_by_a_rest() -> None:
    """Many rows leave short rests, few leave long ones; after the last step nothing is asked for an hour."""
    keeping, store, shared = keeper(
        Folding(20_000_000, 0, ended=False),
        Folding(500, 0, ended=True),
        Folding(500, 0, ended=True),
        most_rows=10**9,
    )
    assert 2 < await keeping.step() < 3
    assert await keeping.step() == MOST_REST_SECONDS
    assert await keeping.step() == MOST_REST_SECONDS
    assert store.asked == [(10**9, STEP_ROWS)] * 2
    await shared.clock.sleep(BETWEEN_PASSES_SECONDS)
    await keeping.step()
    assert len(store.asked) == 3
    assert NOTE not in shared.notes


@virtual
async def test_rows_that_do_not_fit_are_folded_at_once_and_told_of() -> None:
    """The note says how much is kept now and which key allows more; it goes when all is kept again."""
    keeping, _, shared = keeper(
        Folding(100_001, 0, ended=False),
        Folding(100_001, 2, ended=True),
        Folding(60_000, 2, ended=False),
        Folding(60_000, 0, ended=True),
    )
    assert [await keeping.step() for _ in range(2)] == [LEAST_REST_SECONDS] * 2
    assert "100,001 rows, and daemon.history_rows allows 100,000" in shared.notes[NOTE]
    assert "older than 1 days is kept as daily sums" in shared.notes[NOTE]
    await keeping.step()
    assert "60,000 rows" in shared.notes[NOTE]
    await keeping.step()
    assert NOTE not in shared.notes


@virtual
async def test_more_keys_than_rows_allowed_do_not_keep_it_busy_for_ever() -> None:
    """Once a whole pass by the last step did not do, the next ones are made at leisure, until the rows fit and do not again."""
    last = len(STEPS) - 1
    under_way, ended = Folding(20_000_000, last, ended=False), Folding(20_000_000, last, ended=True)
    fits = Folding(50_000, last, ended=False)
    keeping, store, shared = keeper(ended, under_way, ended, under_way, ended, fits, under_way)
    assert [await keeping.step() for _ in range(2)] == [LEAST_REST_SECONDS] * 2
    assert 2 < await keeping.step() < 3
    assert await keeping.step() == MOST_REST_SECONDS
    await shared.clock.sleep(BETWEEN_PASSES_SECONDS)
    assert len(store.asked) == 3
    for _ in range(2):
        assert 2 < await keeping.step() < 3
    await shared.clock.sleep(BETWEEN_PASSES_SECONDS)
    assert await keeping.step() == MOST_REST_SECONDS
    assert await keeping.step() == LEAST_REST_SECONDS


@virtual
async def test_a_full_disk_is_waited_for() -> None:
    """Folding is put off; what it would have made room for is not worth failing for."""
    keeping, _, _ = keeper(None, Folding(10, 0, ended=True))
    assert await keeping.step() == MOST_REST_SECONDS
    await keeping.step()
