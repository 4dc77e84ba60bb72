"""Who goes first when requests are scarce, how long the others wait at most, and that no token is spent on nothing."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest

from archsyncd.domain.inventory import EntryWrite, Throttled, WriteAnswer
from archsyncd.domain.outbox import Lease
from archsyncd.domain.rules import DrainLimits
from archsyncd.engine.limiter import Priority, Quiesced
from archsyncd.engine.store import Outbox
from tests.engine.drain.rig import Rig, rig
from tests.support.virtual_time import virtual

BUSY = Throttled(429, "TooManyRequests", 60.0)


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:04d}" for number in range(count)]


async def selling(at: Rig, skus: list[str], pieces: int, together: int) -> None:
    """Sell one piece of so many SKUs each second, faster than they can be written."""
    figures = dict.fromkeys(skus, pieces)
    for start in itertools.count(step=together):
        sold = [skus[(start + place) % len(skus)] for place in range(together)]
        figures |= {sku: figures[sku] - 1 for sku in sold}
        await at.tell({sku: figures[sku] for sku in sold})
        await asyncio.sleep(1)


@pytest.mark.parametrize(("batch", "cost"), [(1, 1), (20, 1), (20, 3)])
@virtual
async def test_s7_an_increase_is_sent_within_the_reported_bound_under_a_stream_of_decreases(
    tmp_path: Path, batch: int, cost: int
) -> None:
    """Singly as in batches: every fourth key that goes out may be an increase that has waited its time."""
    sold, raised = names("sold", 200), names("raised", 16)
    async with rig(tmp_path, rate=2, burst=3, places=4, batch=batch, batch_cost=cost) as at:
        await at.adopt(dict.fromkeys(sold, 100_000) | dict.fromkeys(raised, 100))
        storm = asyncio.create_task(selling(at, sold, 100_000, 3 * batch))
        async with at.draining():
            await at.clock.sleep(10)
            await at.tell(dict.fromkeys(raised, 150))
            told, promised = at.clock.monotonic(), 0.0
            while not set(raised) <= set(at.till.skus):
                promised = max(promised, at.drain.bound_seconds)
                assert at.clock.monotonic() - told <= promised
                await at.clock.sleep(0.5)
        storm.cancel()
    first = min(one.at for one in at.till.sent if one.sku in raised)
    assert first - told > 25, "increases went before decreases that were due"


@virtual
async def test_s7_an_increase_is_sent_within_the_reported_bound_under_a_storm_of_look_ups(
    tmp_path: Path,
) -> None:
    """Look-ups go before increases, as at a first start with many keys; not before one that has waited its time."""
    raised = names("raised", 20)
    async with rig(tmp_path, rate=1, burst=1, places=8) as at:
        await at.adopt(dict.fromkeys(raised, 100))

        async def look_up() -> None:
            while True:
                async with await at.limiter.permit(Priority.LOOKUP):
                    at.limiter.report("found")

        storm = [asyncio.create_task(look_up()) for _ in range(4)]
        async with at.draining():
            await at.tell(dict.fromkeys(raised, 150))
            told, promised = at.clock.monotonic(), 0.0
            while not set(raised) <= set(at.till.skus):
                promised = max(promised, at.drain.bound_seconds)
                assert at.clock.monotonic() - told <= promised
                await at.clock.sleep(0.5)
        results = await asyncio.gather(*storm, return_exceptions=True)
        assert all(isinstance(one, Quiesced) for one in results)


@pytest.mark.parametrize("batch", [1, 20])
@virtual
async def test_s7_what_was_made_ready_ahead_does_not_go_before_a_decrease_that_came_meanwhile(
    tmp_path: Path, batch: int
) -> None:
    """A pause finds many increases ready to be sent: after it the decrease that is due goes first."""
    raised = names("raised", 150 * batch)
    async with rig(tmp_path, rate=2_000, burst=2_000, places=4, batch=batch) as at:
        await at.adopt(dict.fromkeys(raised, 100) | {"sold": 100})

        def turned_away(_write: EntryWrite) -> WriteAnswer | None:
            return BUSY if len(at.till.requests) == 9 else None

        at.till.answer = turned_away
        if batch > 1:
            at.till.whole = lambda writes: BUSY if turned_away(writes[0]) else None
        async with at.draining():
            await at.tell(dict.fromkeys(raised, 150))
            await at.until(lambda: at.limiter.paused, "the pause")
            before = len(at.till.sent)
            assert before < 100 * batch
            await at.clock.sleep(30)
            assert len(at.till.sent) == before
            await at.tell({"sold": 90})
            await at.until(lambda: len(at.till.sent) == len(raised) + 1, "everything sent")
        after = [one for one in at.till.sent if one.at > at.till.sent[before - 1].at + 1]
        assert "sold" in [one.sku for one in after if one.wave == after[0].wave]
        assert not at.limiter.state().in_flight


class PausingOutbox:
    """An outbox during whose commit somebody else's request is told to wait."""

    def __init__(self, at: Rig) -> None:
        self._outbox: Outbox = at.store.outbox
        self._at = at
        self.paused_at = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def lease(self, limits: DrainLimits, limit: int) -> list[Lease]:
        leases = await self._outbox.lease(limits, limit)
        if not self.paused_at:
            self.paused_at = self._at.clock.monotonic()
            self._at.limiter.report(BUSY)
        return leases


@virtual
async def test_f076_nothing_is_sent_in_a_pause_that_began_while_the_intents_were_stored(
    tmp_path: Path,
) -> None:
    """R2: a permit got before does not count any more; the keys go back and out after the pause."""
    async with rig(tmp_path) as at:
        await at.adopt(dict.fromkeys(names("S", 10), 100))
        pausing = PausingOutbox(at)
        at.use(pausing)
        async with at.draining():
            await at.tell(dict.fromkeys(names("S", 10), 90))
            await at.until(lambda: len(at.till.sent) == 10, "everything sent")
        assert min(at.till.requests) >= pausing.paused_at + 60


@pytest.mark.parametrize("batch", [1, 20])
@virtual
async def test_a_backlog_that_may_not_be_sent_costs_no_tokens(tmp_path: Path, batch: int) -> None:
    """A paused channel's keys and increases within their interval: the status counts requests that are made, no others."""
    paused, paced = names("paused", 100), names("paced", 60)
    async with rig(tmp_path, rate=5, burst=40, batch=batch, interval_seconds=600) as at:
        await at.adopt(dict.fromkeys(paused, 100), "shop")
        await at.adopt(dict.fromkeys([*paced, "sold"], 10_000))
        at.shared.paused_channels.add("shop")
        await at.tell(dict.fromkeys(paused, 90), "shop")
        async with at.draining():
            await at.tell(dict.fromkeys(paced, 10_100))
            await at.until(lambda: len(at.till.sent) == 60, "the first increases")
            await at.tell(dict.fromkeys(paced, 10_200))
            for pieces in range(20):
                await at.tell({"sold": 9_000 - pieces})
                await at.clock.sleep(1)
                assert at.till.sent[-1].sku == "sold"
            assert at.limiter.state().requests_total == len(at.till.requests)
            await at.clock.sleep(10)
            assert at.limiter.ample(39)


@virtual
async def test_a_batch_takes_what_it_costs_from_the_bucket(tmp_path: Path) -> None:
    """Three tokens a batch: a third as many batches, and each counts as one request."""
    skus = names("S", 600)
    async with rig(tmp_path, rate=3, burst=3, batch=20, batch_cost=3) as at:
        await at.adopt(dict.fromkeys(skus, 100))
        await at.tell(dict.fromkeys(skus, 90))
        async with at.draining():
            await at.until(lambda: len(at.till.sent) == 600, "everything sent")
        assert set(at.till.batches) == {20}
        for first, later in zip(at.till.requests, at.till.requests[10:], strict=False):
            assert 9 <= later - first <= 11
        assert at.limiter.state().requests_total == len(at.till.requests) == 30
