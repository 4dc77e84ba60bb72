"""`python -m tests.bench [name…] [--json] [--quick]`: the figures of this machine, as ratios to its own floor."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import uvloop

from tests.bench import (
    audit,
    daemon,
    drain,
    history,
    ingest,
    orders,
    reconcile,
    staleness,
    status,
    transports,
)
from tests.bench.figures import Figure, as_json, as_table
from tests.bench.sizes import FULL, QUICK, Sizes

Measurement = Callable[[Sizes, Path], Awaitable[list[Figure]]]
MEASUREMENTS: Mapping[str, Measurement] = {
    "ingest": ingest.measure,
    "transports": transports.measure,
    "drain": drain.measure,
    "staleness": staleness.measure,
    "orders": orders.measure,
    "reconcile": reconcile.measure,
    "history": history.measure,
    "daemon": daemon.measure,
    "status": status.measure,
    "audit": audit.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Measure what is named, or everything, and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "name", nargs="*", choices=[*MEASUREMENTS, []], help=f"any of {', '.join(MEASUREMENTS)}"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing"
    )
    parser.add_argument("--scratch", type=Path, help="directory for databases (default: a temporary one)")
    given = parser.parse_args(arguments)
    sizes = QUICK if given.quick else FULL
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="archsyncd-bench-", dir=given.scratch) as directory:
        for name in given.name or MEASUREMENTS:
            sys.stderr.write(f"{name} …\n")
            place = Path(directory) / name
            place.mkdir()
            figures += _run(MEASUREMENTS[name], sizes, place)
    print(as_json(figures) if given.json else as_table(figures))
    return 0


def _run(measurement: Measurement, sizes: Sizes, place: Path) -> list[Figure]:
    async def measured() -> list[Figure]:
        return await measurement(sizes, place)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measured())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
