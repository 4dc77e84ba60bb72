"""Batches and what is answered for their parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.domain.inventory import Failure, StockKey, Throttled, TooLarge, Unknown
from tests.engine.drain.rig import rig
from tests.support.virtual_time import virtual


@pytest.mark.parametrize(
    "failure",
    [
        Unknown("answer 200 SomethingNew m", 200),
        TooLarge("QueryTimedOut", "m"),
        Throttled(200, "OverCapacity"),
        Throttled(429, "TooManyRequests"),
    ],
    ids=lambda one: one.__class__.__name__,
)
@virtual
async def test_f081_what_is_no_verdict_on_a_key_parks_none(tmp_path: Path, failure: Failure) -> None:
    """Inside a batch as outside: the decrease is sent again, or its entry read first."""
    async with rig(tmp_path, rate=2, burst=1, batch=20) as at:
        await at.adopt(dict.fromkeys("ABCDEF", 100))
        await at.tell(dict.fromkeys("ABCDEF", 90))
        at.till.answer = lambda write: (
            failure if write.key.sku == "C" and len(at.till.requests) == 1 else None
        )
        async with at.draining():
            await at.until(lambda: len(at.till.sent) >= 5, "the others")
            await at.clock.sleep(5)
            row = (await at.store.outbox.rows([StockKey("web", "C")]))[StockKey("web", "C")]
        assert row.parked is None
        assert row.in_doubt or at.till.sent[-1].sku == "C"
        assert at.limiter.state().throttled_total == isinstance(failure, Throttled)
        assert await at.store.cases.listed() == []
