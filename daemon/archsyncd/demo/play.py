"""One demo, from the empty stage to the verdict told; decides nothing of the day itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

import orjson

from archsyncd.demo.process import DaemonProcess, command
from archsyncd.demo.screen import Screen
from archsyncd.demo.show import Show, ShowFailed
from archsyncd.demo.stage import stage
from archsyncd.demo.verdict import Outcome, seen, unfinished
from archsyncd.demo.workspace import Workspace, workspace

LOG_TAIL = 15
INTERRUPTED = "it was stopped before its end"


class Ending:
    """The one object that a demo ends with, on its last line, however it ends. Without a stream nothing is written."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._told = False

    def fail(self, fault: str, known: Mapping[str, Any] | None = None) -> None:
        """Write why there is no verdict."""
        self.tell(unfinished(fault, known))

    def tell(self, said: Mapping[str, Any]) -> None:
        """Write it, unless it was written."""
        if self._stream is not None and not self._told:
            self._stream.write(orjson.dumps(said).decode() + "\n")
            self._stream.flush()
        self._told = True


async def play(
    seconds: int,
    seed: int,
    screen: Screen,
    ending: Ending,
    launch: Callable[[Workspace], list[str]] = command,
    parent: Path | None = None,
) -> int:
    """Play a day in a directory below `parent` and tell its verdict; 0 when it is good, 1 when not."""
    async with stage(seed) as staged:
        with workspace(staged, parent) as place:
            daemon = DaemonProcess(place, launch)
            screen.say(
                [f"The daemon runs as a process of its own; its log, while the demo lasts: {place.log}"]
            )
            show = Show(staged, place, daemon, screen, seconds, seed)
            try:
                outcome, failure = await _shown(show)
            except asyncio.CancelledError:
                ending.fail(INTERRUPTED, show.known())
                raise
            finally:
                await daemon.kill()
            return _told(show, outcome, failure, place, screen, ending)


async def _shown(show: Show) -> tuple[Outcome | None, str]:
    """The outcome, or why there is none."""
    failure = ""
    try:
        return await show.run(), failure
    except* ShowFailed as failed:
        failure = str(failed.exceptions[0])
    return None, failure


def _told(
    show: Show,
    outcome: Outcome | None,
    failure: str,
    place: Workspace,
    screen: Screen,
    ending: Ending,
) -> int:
    screen.end()
    if outcome is None:
        screen.say(["", f"The demo failed: {failure}.", *_last_lines(place)])
    else:
        screen.say(["", *outcome.lines(), "", *seen(outcome, show.moments)])
    good = outcome is not None and outcome.ok
    if not good:
        screen.say(["", f"The daemon's log was kept: {place.keep_log()}"])
    if outcome is None:
        ending.fail(failure, show.known())
    else:
        ending.tell(outcome.as_json())
    return 0 if good else 1


def _last_lines(place: Workspace) -> list[str]:
    with contextlib.suppress(OSError):
        return place.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL:]
    return []
