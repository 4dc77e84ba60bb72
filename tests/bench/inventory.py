"""`python -m tests.bench.inventory COUNT`: a simulated project with so many entries in one channel, served until it is ended."""

from __future__ import annotations

import asyncio
import random
import sys

import uvloop

from archsyncd.simulators.commercetools import (
    ApiClient,
    CommercetoolsSimulator,
    SimulatorConfig,
    SystemClock,
    serve,
)
from tests.bench.stock import CHANNEL, skus

PIECES = 10
CLIENT, SECRET = "archsyncd", "simulator-secret"


async def main(count: int) -> None:
    """Serve; the address is the first line that is written."""
    config = SimulatorConfig(clients=(ApiClient(CLIENT, SECRET),), journal=False, inventory_messages=False)
    simulator = CommercetoolsSimulator(config, SystemClock(), random.Random(1))
    simulator.add_channel(CHANNEL)
    for sku in skus(count):
        simulator.add_entry(sku, CHANNEL, PIECES)
    async with serve(simulator, "127.0.0.1", 0) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
