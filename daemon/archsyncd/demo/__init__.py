"""The demo: a day's trade through the real daemon against both simulators, and its verdict; knows no production setting.

The exit status is 0 when the verdict is good, 1 when it is not, 64 for a wrong number, 130 after Ctrl-C.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

EXIT_OK = 0
EXIT_USAGE = 64
EXIT_INTERRUPTED = 130
DAY_SECONDS = 40
LEAST_SECONDS, MOST_SECONDS = 10, 3600


def main(*, seconds: int | None, seed: int, as_json: bool, serve: bool) -> int:
    """Run the demo, or only its simulators (`serve`); the exit status. `seconds` None: a day of the usual length.

    With `as_json` the last line of standard output is one object however a demo ends that has begun (its fields:
    `verdict.Outcome.as_json`, null where unknown) and everything else goes to standard error.
    """
    if serve and (as_json or seconds is not None):
        return _refused("with --serve no day is played: --seconds and --json mean nothing there")
    if seconds is not None and not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        return _refused(f"a day lasts {LEAST_SECONDS} to {MOST_SECONDS} seconds")
    # Imported here, so that a wrong number is told at once.
    from archsyncd.demo import play, screen, serving  # noqa: PLC0415

    if serve:
        status = _run(serving.serve(seed, sys.stdout))
        return EXIT_OK if status is None else status
    ending = play.Ending(sys.stdout if as_json else None)
    status = None
    try:
        with screen.screen(sys.stderr if as_json else sys.stdout) as shown:
            status = _run(play.play(seconds or DAY_SECONDS, seed, shown, ending))
    except Exception as error:
        ending.fail(f"{type(error).__name__}: {error}")
        raise
    if status is None:
        ending.fail(play.INTERRUPTED)
        sys.stderr.write("Stopped: the daemon is ended, its directory removed.\n")
        return EXIT_INTERRUPTED
    return status


def _refused(reason: str) -> int:
    sys.stderr.write(f"archsyncd demo: {reason}\n")
    return EXIT_USAGE


def _run(work: Coroutine[Any, Any, int]) -> int | None:
    import uvloop  # noqa: PLC0415 - as above

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_signal(work))


async def _until_signal(work: Coroutine[Any, Any, int]) -> int | None:
    """Run to the end, or until the first SIGINT, SIGTERM or SIGHUP (None); further ones do not disturb the clearing up."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    asked: list[signal.Signals] = []

    def leave(number: signal.Signals) -> None:
        if not asked:
            task.cancel()
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, leave, number)
    try:
        return await task
    except asyncio.CancelledError:
        return None
