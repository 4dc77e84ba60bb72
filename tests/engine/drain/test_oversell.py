"""The order of the drain against first-in-first-out: one trade, one rate, the real drain and store in both."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from archsyncd.domain.feed import Batch, Level
from archsyncd.domain.inventory import EntryWrite, LineMode, Order, OrderLine, StockKey, WriteAnswer
from archsyncd.domain.outbox import Lease
from archsyncd.domain.rules import DrainLimits, LearnRules, SettleRules
from archsyncd.domain.settlement import PutBack, Settled
from archsyncd.engine.store import Outbox
from tests.bench.stock import AS_OF, EPOCH, FEED
from tests.engine.drain.rig import Rig, rig
from tests.support.virtual_time import virtual

SECONDS = 150
SKUS = [f"S{number:02d}" for number in range(40)]
LEARN = LearnRules({"id-web": "web"}, 0, 0, 10**9, 10**9, restores_on_cancel=False)
SETTLE = SettleRules(0, 0, 0)


class InOrder:
    """The outbox drained first in, first out: of all that is due, what waits longest is kept and the rest put back."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def lease(self, limits: DrainLimits, limit: int) -> list[Lease]:
        leases = await self._outbox.lease(limits, 2 * len(SKUS))
        since = {
            key: row.since_ms or 0 for key, row in (await self.rows(lease.key for lease in leases)).items()
        }
        leases.sort(key=lambda lease: since[lease.key])
        back = [Settled(lease.key, lease.operation.op_id, PutBack()) for lease in leases[limit:]]
        await self._outbox.settle(back, SETTLE)
        return leases[:limit]

    async def rows(self, keys: Iterable[StockKey]) -> Any:
        return await self._outbox.rows(keys)


@dataclass(slots=True)
class Trade:
    """Pieces on the shelf, pieces promised to shoppers, and what commercetools offers; chance is drawn beforehand."""

    at: Rig
    shelf: dict[str, int]
    offered: dict[str, int]
    promised: dict[str, int]
    told: dict[str, int]
    orders: list[Order] = field(default_factory=list)
    included: dict[str, list[str]] = field(default_factory=dict)
    sold: int = 0
    oversold: int = 0

    def take(self, write: EntryWrite) -> WriteAnswer | None:
        """Commercetools takes a write."""
        self.offered[write.key.sku] += write.quantity
        return None

    def act(self, wish: str, sku: str) -> None:
        """A shopper, a customer in the store, or a delivery."""
        free = self.shelf[sku] - self.promised[sku]
        if wish == "delivery":
            self.shelf[sku] += 6
        elif wish == "store" and free > 0:
            self.shelf[sku] -= 1
        elif wish == "shopper" and self.offered[sku] > 0:
            self.offered[sku] -= 1
            self.promised[sku] += 1
            self.sold += 1
            self.oversold += free <= 0
            line = OrderLine("n1", sku, 1, "id-web", LineMode.RESERVE_ON_ORDER)
            order = Order(f"o{self.sold}", 1, None, self.at.clock.wall_ms(), "Open", None, (line,))
            self.orders.append(order)
            self.included.setdefault(sku, []).append(order.id)

    async def second(self, wishes: Sequence[tuple[str, str]]) -> None:
        """Everything of one second, told at its end: orders first, then figures that exclude them."""
        for wish, sku in wishes:
            self.act(wish, sku)
        if self.orders:
            await self.at.store.orders.learn(self.orders, LEARN)
            self.orders = []
        levels = []
        for sku in SKUS:
            figure = self.shelf[sku] - self.promised[sku]
            if figure != self.told[sku]:
                self.told[sku] = figure
                self.at.seq += 1
                new = tuple(self.included.pop(sku, ()))
                name = f"l{self.at.seq}"
                levels.append(Level(name, self.at.seq, sku, "web", None, figure, AS_OF, orders_included=new))
        if levels:
            await self.at.store.feeds.record(Batch(FEED, EPOCH, tuple(levels), (), str(self.at.seq)))
            self.at.shared.work.set()


def wishes(chance: random.Random) -> list[list[tuple[str, str]]]:
    """What is wanted in each second: more changes than can be written, a few SKUs in great demand."""
    kinds = ["shopper"] * 4 + ["store"] * 2 + ["delivery"]
    weights = [1 / (1 + place) for place in range(len(SKUS))]
    return [
        [(chance.choice(kinds), chance.choices(SKUS, weights)[0]) for _ in range(7)] for _ in range(SECONDS)
    ]


async def oversold(directory: Path, seed: int, *, in_order: bool) -> int:
    """Units sold that were not there, over one trade."""
    chance = random.Random(seed)
    shelf = {sku: chance.randint(3, 12) for sku in SKUS}
    async with rig(directory, rate=0.5, burst=1, places=4) as at:
        await at.adopt(shelf)
        trade = Trade(at, dict(shelf), dict(shelf), dict.fromkeys(SKUS, 0), dict(shelf))
        at.till.answer = trade.take
        if in_order:
            at.use(InOrder(at.store.outbox))
        async with at.draining():
            for second in wishes(chance):
                await trade.second(second)
                await at.clock.sleep(1)
    return trade.oversold


@pytest.mark.parametrize("seed", [1, 2])
@virtual
async def test_s7_fewer_units_are_oversold_than_first_in_first_out_at_the_same_rate(
    tmp_path: Path, seed: int
) -> None:
    """The same shoppers, store sales and deliveries, the same scarce requests: only the order differs."""
    plain = await oversold(tmp_path / "in-order", seed, in_order=True)
    ours = await oversold(tmp_path / "ours", seed, in_order=False)
    assert ours < plain
