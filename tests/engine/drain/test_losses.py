"""What is in flight is never forgotten while the process runs: a settlement that fails, a pump that is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from archsyncd.domain.inventory import StockKey, Throttled
from archsyncd.domain.rules import SettleRules
from archsyncd.domain.settlement import Settled
from archsyncd.engine.store import Outbox
from tests.engine.drain.rig import rig
from tests.support.virtual_time import virtual


class FailingOutbox:
    """An outbox that cannot book once."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.lost: list[Settled] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def settle(self, settled: Sequence[Settled], rules: SettleRules) -> None:
        if not self.lost:
            self.lost.extend(settled)
            raise RuntimeError("nobody expected this")
        await self._outbox.settle(settled, rules)


@virtual
async def test_f020_a_drain_that_is_started_again_finds_what_it_had_in_flight(tmp_path: Path) -> None:
    """Results that were lost with the failure are sought at the entries; no key waits for a restart of the process."""
    async with rig(tmp_path) as at:
        await at.adopt(dict.fromkeys("ABC", 9))
        failing = FailingOutbox(at.store.outbox)
        at.use(failing)
        await at.tell(dict.fromkeys("ABC", 5))
        with pytest.raises(RuntimeError):
            await at.drain.run()
        assert failing.lost
        async with at.draining():
            await asyncio.sleep(1)
            doubts = {row.key: row.op_id for row in await at.store.outbox.in_doubt(10)}
            assert {item.key: item.op_id for item in failing.lost}.items() <= doubts.items()
            assert at.shared.doubt.is_set()
        rows = await at.store.outbox.rows([StockKey("web", sku) for sku in "ABC"])
        assert all(row.op_id is None or row.in_doubt for row in rows.values())


@virtual
async def test_f020_what_came_back_to_a_run_that_failed_stops_no_later_one(tmp_path: Path) -> None:
    """Turned away just when booking failed: the next run neither waits for these nor stands still."""
    async with rig(tmp_path) as at:
        await at.adopt(dict.fromkeys("ABCDEFGH", 9))
        at.use(FailingOutbox(at.store.outbox))
        answered = 0

        def answer(_write: object) -> Throttled | None:
            nonlocal answered
            answered += 1
            at.till.latency_seconds = 0.01 if answered == 1 else 0.5
            return Throttled(429, "") if 1 < answered <= 8 else None

        at.till.answer = answer
        at.till.latency_seconds = 0.01
        await at.tell(dict.fromkeys("ABCDEFGH", 5))
        with pytest.raises(RuntimeError):
            await at.drain.run()
        async with at.draining():
            await at.adopt({"Z": 9})
            await at.tell({"Z": 1})
            await asyncio.sleep(10)
        row = (await at.store.outbox.rows([StockKey("web", "Z")]))[StockKey("web", "Z")]
        assert row.x_applied == 1


@virtual
async def test_f015_one_that_is_cut_off_waits_for_no_answer(tmp_path: Path) -> None:
    """A second signal before the first one had any effect: what is in flight is in doubt, and the end comes at once."""
    async with rig(tmp_path) as at:
        await at.adopt({"A": 9})
        at.till.latency_seconds = 30.0
        await at.tell({"A": 5})
        running = asyncio.create_task(at.drain.run())
        await asyncio.sleep(1)
        began = at.clock.monotonic()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert at.clock.monotonic() - began < 1
        key = StockKey("web", "A")
        assert (await at.store.outbox.rows([key]))[key].in_doubt
