"""How old decreases become when requests are scarce, against first-in-first-out at the very same send times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from archsyncd.domain.feed import Batch, Level
from archsyncd.domain.inventory import EntryWrite, Failure, WriteAnswer, Written
from archsyncd.engine.drain import Drain, DrainOptions
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.ports import Commercetools
from archsyncd.engine.shared import Shared
from tests.bench.drain import WRITE_BATCH
from tests.bench.figures import ABOVE_FLOOR, Figure
from tests.bench.sizes import Sizes
from tests.bench.stock import AS_OF, EPOCH, FEED, LEDGER, LOCATION, adopt, opened, skus
from tests.support.virtual_time import VirtualClock, run_virtual

AIM = 0.2
REQUESTS_PER_SECOND = 20.0
LATENCY_SECONDS = 0.05
STOCK = 30
# A morning's delivery: most keys are raised, one in so many was sold meanwhile.
ONE_DECREASE_IN = 6


@dataclass(slots=True)
class Answering:
    """Stands where commercetools stands: takes every write after its latency, and notes when it had taken it."""

    clock: VirtualClock
    taken: dict[str, float] = field(default_factory=dict)

    async def write(self, write: EntryWrite) -> WriteAnswer:
        await self.clock.sleep(LATENCY_SECONDS)
        self.taken[write.key.sku] = self.clock.monotonic()
        return Written(write.entry_id or "", (write.version or 0) + 1, 0)

    async def write_many(self, writes: Sequence[EntryWrite]) -> tuple[WriteAnswer, ...] | Failure:
        await self.clock.sleep(LATENCY_SECONDS)
        for write in writes:
            self.taken[write.key.sku] = self.clock.monotonic()
        return tuple(Written(write.entry_id or "", (write.version or 0) + 1, 0) for write in writes)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What was told at one moment: SKUs in the order told, with their new figures."""

    told: Mapping[str, int]

    @property
    def decreases(self) -> list[str]:
        """The SKUs that fell."""
        return [sku for sku, figure in self.told.items() if figure < STOCK]

    @property
    def increases(self) -> list[str]:
        """The SKUs that rose."""
        return [sku for sku, figure in self.told.items() if figure > STOCK]


async def measure(sizes: Sizes, scratch: Path) -> list[Figure]:
    """In batches, as the daemon writes a backlog, and singly."""
    figures: list[Figure] = []
    for mode, size in (("batches", WRITE_BATCH), ("single writes", 1)):
        place = scratch / f"staleness-{size}"
        ages = _simulated(sizes.waiting_changes, size, place)
        # A loop in virtual time cannot run inside another loop, so it has a thread of its own.
        waiting, ours = await asyncio.to_thread(run_virtual, ages)
        in_order = dict(zip(waiting.told, sorted(ours.values()), strict=True))
        for percent in (50, 99):
            mine, plain = (_percentile(ages, waiting.decreases, percent) for ages in (ours, in_order))
            name = f"p{percent} staleness of decreases, {mode}"
            figures.append(Figure(name, mine, "s", plain, ABOVE_FLOOR, AIM))
        mine, plain = (_percentile(ages, waiting.increases, 99) for ages in (ours, in_order))
        figures.append(Figure(f"p99 staleness of increases, {mode}", mine, "s", plain))
    return figures


def _waiting(count: int) -> Waiting:
    chance = random.Random(count)
    told: dict[str, int] = {}
    for sku in skus(count):
        falls = chance.randrange(ONE_DECREASE_IN) == 0
        told[sku] = chance.randrange(STOCK) if falls else chance.randrange(STOCK + 1, 4 * STOCK)
    return Waiting(told)


def _levels(figures: Mapping[str, int], first_seq: int) -> tuple[Level, ...]:
    return tuple(
        Level(f"level-{seq}", seq, sku, LOCATION, None, figure, AS_OF)
        for seq, (sku, figure) in enumerate(figures.items(), first_seq)
    )


async def _simulated(count: int, size: int, place: Path) -> tuple[Waiting, dict[str, float]]:
    """The real drain, store and limiter in virtual time; each SKU's age when its write was taken."""
    clock = VirtualClock()
    waiting = _waiting(count)
    async with opened(place, clock) as store:
        await store.feeds.record(Batch(FEED, EPOCH, _levels(dict.fromkeys(waiting.told, STOCK), 1), (), "0"))
        await adopt(store, list(waiting.told))
        await store.feeds.record(Batch(FEED, EPOCH, _levels(waiting.told, count + 1), (), "1"))
        began = clock.monotonic()
        shared = Shared(clock)
        limiter = Limiter(REQUESTS_PER_SECOND, REQUESTS_PER_SECOND, 16, clock, lambda: 0.5)
        options = DrainOptions(size, 1.0, 2.0, 1.0, tracked=True, writes=True, ledger=LEDGER, fence=1)
        project = Answering(clock)
        drain = Drain(store, cast("Commercetools", project), limiter, shared, options, lambda: None)
        running = asyncio.create_task(drain.run())
        while len(project.taken) < count and not running.done():
            await clock.sleep(1.0)
        shared.begin_stop()
        await running
    return waiting, {sku: at - began for sku, at in project.taken.items()}


def _percentile(ages: Mapping[str, float], names: Sequence[str], percent: int) -> float:
    ordered = sorted(ages[sku] for sku in names)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
