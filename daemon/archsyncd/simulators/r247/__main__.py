"""Runs a simulated source as a process of its own: `python -m archsyncd.simulators.r247 --port 8081`."""

import argparse
import asyncio
import random
import signal
import sys

from archsyncd.simulators.commercetools.clock import SystemClock
from archsyncd.simulators.r247 import Auth, Movements, R247Config, R247Simulator, Reflection, serve


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="r247-simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--feed", default="main")
    parser.add_argument(
        "--location", action="append", metavar="NAME[=CHANNEL]", help="repeatable; WH1 if absent"
    )
    parser.add_argument("--reflection", choices=[style.value for style in Reflection], default="all")
    parser.add_argument("--movements", choices=[style.value for style in Movements], default="none")
    parser.add_argument("--auth", choices=[mode.value for mode in Auth], default="none")
    parser.add_argument("--credential", default="", help="token, key, or user:password")
    parser.add_argument("--heartbeat-seconds", type=float, default=15.0)
    parser.add_argument("--import-seconds", type=float, nargs=2, default=(1.0, 10.0), metavar=("FROM", "TO"))
    parser.add_argument("--floor-seconds", type=float, nargs=2, metavar=("FROM", "TO"))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _config(options: argparse.Namespace) -> R247Config:
    named = [name.partition("=") for name in options.location or ["WH1"]]
    floor = options.floor_seconds
    return R247Config(
        feed=options.feed,
        locations=tuple(location for location, _, _ in named),
        channels={location: channel for location, _, channel in named if channel},
        reflection=Reflection(options.reflection),
        movements=Movements(options.movements),
        auth=Auth(options.auth),
        credential=options.credential,
        heartbeat_seconds=options.heartbeat_seconds,
        import_seconds=(options.import_seconds[0], options.import_seconds[1]),
        floor_seconds=None if floor is None else (floor[0], floor[1]),
    )


async def _run(options: argparse.Namespace) -> None:
    simulator = R247Simulator(_config(options), SystemClock(), random.Random(options.seed))
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(simulator, options.host, options.port) as url:
        sys.stdout.write(url + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM; the base URL is the first line of standard output."""
    asyncio.run(_run(_arguments()))


if __name__ == "__main__":
    main()
