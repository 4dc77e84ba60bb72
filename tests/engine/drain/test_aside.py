"""What else is written of an entry: quantities wait for a moment, carry it along, and are never refused for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from archsyncd.domain.inventory import EntryWrite, Refused, StockKey, WriteAnswer
from tests.engine.drain.rig import rig
from tests.support.virtual_time import virtual

A, DATE = StockKey("web", "A"), "2026-12-01T00:00:00.000Z"


class OneRider:
    """Has one date for A until it was written or refused."""

    def __init__(self) -> None:
        self.left = {A: DATE}
        self.told: list[str] = []

    async def riding(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        return {key: date for key, date in self.left.items() if key in keys}

    def rode(self, key: StockKey, expected: str) -> None:
        self.told.append(f"rode {expected}")
        del self.left[key]

    def refused(self, key: StockKey) -> None:
        self.told.append("refused")
        del self.left[key]


@virtual
async def test_a_decrease_waits_for_another_write_of_its_entry_and_for_two_seconds_at_most(
    tmp_path: Path,
) -> None:
    """One write of an entry at a time; other keys go on, and one that hangs holds nobody for long."""
    async with rig(tmp_path) as at:
        await at.adopt(dict.fromkeys("ABC", 9))
        at.shared.set_aside([A, StockKey("web", "B")], 2.0)
        began = at.clock.monotonic()
        await at.tell(dict.fromkeys("ABC", 5))
        async with at.draining():
            await at.until(lambda: at.till.skus == ["C"], "the other key goes")
            at.shared.take_back([A])
            await at.until(lambda: at.till.skus == ["C", "A"], "it goes once that is done", 1)
            await at.until(lambda: at.till.skus == ["C", "A", "B"], "nor does it wait for ever")
        assert 2.0 <= at.till.sent[-1].at - began < 2.5


@virtual
async def test_a_write_carries_what_rides_with_it_once(tmp_path: Path) -> None:
    """The next one carries nothing."""
    async with rig(tmp_path) as at:
        writes: list[EntryWrite] = []
        at.till.answer = writes.append
        await at.adopt({"A": 9})
        at.drain.riders = rider = OneRider()
        async with at.draining():
            await at.tell({"A": 5})
            await at.until(lambda: len(at.till.sent) == 1, "it is written")
            await at.tell({"A": 4})
            await at.until(lambda: len(at.till.sent) == 2, "so is the next")
        assert [write.delivery for write in writes] == [DATE, None]
        assert rider.told == [f"rode {DATE}"]


@virtual
async def test_a_quantity_that_is_refused_with_what_it_carried_goes_again_without(tmp_path: Path) -> None:
    """Perhaps it was refused for that: stock is never parked for a date."""
    async with rig(tmp_path) as at:

        def answer(write: EntryWrite) -> WriteAnswer | None:
            return Refused("InvalidField", "no such date") if write.delivery else None

        at.till.answer = answer
        await at.adopt({"A": 9})
        at.drain.riders = rider = OneRider()
        await at.tell({"A": 5})
        async with at.draining():
            await at.until(lambda: at.till.skus == ["A"], "it is written")
        assert rider.told == ["refused"]
        (row,) = (await at.store.outbox.rows([A])).values()
        assert row.parked is None
