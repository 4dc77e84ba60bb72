"""A process that drives the real store and tells on its output what it was promised; run to be killed.

    python -m tests.adapters.sqlite.child DIRECTORY BATCHES

Batch n gives every SKU the level n at position n, and every order line after it. A line of output is one promise: it is
written only once the store's own promise has returned.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from archsyncd.domain.feed import Batch
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.ports import StoreBroken, StoreFull
from tests.adapters.sqlite.shelf import QUIET, HandClock, entry, open_sqlite
from tests.domain.nouns import key, learn_rules, level, line, order, rules

SKUS = tuple(f"S{number}" for number in range(5))
EXIT_FULL, EXIT_BROKEN = 75, 74


def tell(text: str) -> None:
    """Promise on the output, unbuffered."""
    os.write(1, f"{text}\n".encode())


async def work(directory: Path, batches: int) -> int:
    """Open, go on from where the store stands, and promise batch by batch."""
    store = await open_sqlite(directory, HandClock(), rules())
    try:
        tell("open")
        await store.take_tenure(Tenure("host", store.ledger.run, store.ledger.id))
        start = (await store.feeds.state("main")).seq
        for number in range(start + 1, start + batches + 1):
            levels = tuple(level(number, number, sku=sku) for sku in SKUS)
            await store.feeds.record(Batch("main", "e1", levels, (), f"c{number}"))
            tell(f"batch {number}")
            await store.orders.learn([order(line(1, "S0"), name=f"o{number}")], learn_rules())
            tell(f"order {number}")
        await store.outbox.book_lookups([entry(0, key(sku), name=f"E{sku}") for sku in SKUS], (), (), QUIET)
        tell("done")
    except StoreFull:
        return EXIT_FULL
    except StoreBroken:
        return EXIT_BROKEN
    finally:
        await store.close()
    return 0


if __name__ == "__main__":
    try:
        status = asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))
    except StoreBroken as error:
        tell(f"broken {error}")
        status = EXIT_BROKEN
    sys.exit(status)
