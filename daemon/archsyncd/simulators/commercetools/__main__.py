"""Runs a simulated project as a process of its own: `python -m archsyncd.simulators.commercetools --port 8080`."""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys

from archsyncd.simulators.commercetools import (
    ApiClient,
    CommercetoolsSimulator,
    SimulatorConfig,
    SystemClock,
    serve,
)

SECRET = "ARCHSYNCD_SIMULATOR_SECRET"  # noqa: S105 - the name of a variable, so that no argument carries it


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="commercetools-simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--project-key", default="demo")
    parser.add_argument("--client-id", default="archsyncd")
    parser.add_argument("--stock-lag-seconds", type=float, default=10.0)
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-journal", action="store_true", help="keep no lines per effect (benchmarks)")
    return parser.parse_args()


async def _run(options: argparse.Namespace) -> None:
    config = SimulatorConfig(
        project_key=options.project_key,
        clients=(ApiClient(options.client_id, os.environ.get(SECRET, "simulator-secret")),),
        stock_lag_seconds=options.stock_lag_seconds,
        latency_seconds=options.latency_seconds,
        journal=not options.no_journal,
        inventory_messages=not options.no_journal,
    )
    simulator = CommercetoolsSimulator(config, SystemClock(), random.Random(options.seed))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(simulator, options.host, options.port) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM; the base URL is the first line of standard output."""
    runner = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - optional here

        runner = uvloop.run
    runner(_run(_arguments()))


if __name__ == "__main__":
    main()
