"""The network between the daemon and commercetools breaks in the middle of exchanges: one effect each, never two."""

from __future__ import annotations

import random

import pytest

from tests.chaos import ChaosProxy, Fate, Kind
from tests.process.site import CHANNEL, LOCATION
from tests.support.virtual_time import virtual
from tests.system.inside import inside

STOCK = {"A": 60, "B": 60, "C": 60}
KINDS = (
    Kind.DROP_ANSWER,
    Kind.RESET_ANSWER,
    Kind.CLOSE_ANSWER,
    Kind.RESET_REQUEST,
    Kind.STALL_ANSWER,
    Kind.STALL_REQUEST,
    Kind.SLICE,
    Kind.DUPLICATE_LATE,
)


@pytest.mark.parametrize("kind", KINDS)
@virtual
async def test_f006_f051_f053_f056_exchanges_that_break_have_one_effect(kind: Kind) -> None:
    """Every second exchange for a while meets the fate; requests kept back arrive once more when all is done."""
    async with inside(seed=110) as (site, house):
        port = int(site.shop_url.rpartition(":")[2])
        chance = random.Random(110)
        async with ChaosProxy("127.0.0.1", port) as proxy:
            site.shop_url = f"http://127.0.0.1:{proxy.port}"
            async with house.daemon(commercetools="request_timeout_seconds = 10"):
                site.open(STOCK)
                await site.until_stock(STOCK)
                for step in range(10):
                    for _ in range(3):
                        fate = Fate(kind, after_bytes=chance.randint(1, 200), slice_bytes=7)
                        proxy.script.extend((fate, Fate(Kind.PASS)))
                    site.house.warehouse.receipt("A", LOCATION, 1)
                    site.house.warehouse.store_sale("B", LOCATION, 1)
                    site.order("C", 1, import_seconds=2.0 if step % 2 else None)
                    await site.clock.sleep(4)
                proxy.script.clear()
                wanted = {"A": 70, "B": 50, "C": 50}
                await site.until_stock(wanted, 300)
                await proxy.repeat_late()
                await site.clock.sleep(100)
                await site.until_stock(wanted, 1)
                deltas = [line.delta for line in site.shop.stock_lines("A", CHANNEL)]
                assert sum(deltas) == 70
                assert proxy.struck.is_set() or kind is Kind.SLICE
