"""One demo, from the empty stage to the verdict told; decides nothing of the day itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import orjson

from archsyncd.demo.process import DaemonProcess, command
from archsyncd.demo.screen import Screen
from archsyncd.demo.show import Show, ShowFailed
from archsyncd.demo.stage import stage
from archsyncd.demo.verdict import Outcome, seen
from archsyncd.demo.workspace import Workspace, workspace

LOG_TAIL = 15


async def play(
    seconds: int,
    seed: int,
    screen: Screen,
    json_to: TextIO | None,
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
            failure, outcome = "", None
            try:
                outcome = await show.run()
            except* ShowFailed as failed:
                failure = str(failed.exceptions[0])
            finally:
                await daemon.kill()
            return _told(show, outcome, failure, place, screen, json_to)


def _told(
    show: Show,
    outcome: Outcome | None,
    failure: str,
    place: Workspace,
    screen: Screen,
    json_to: TextIO | None,
) -> int:
    screen.end()
    if outcome is None:
        screen.say(["", f"The demo failed: {failure}.", *_last_lines(place)])
    else:
        screen.say(["", *outcome.lines(), "", *seen(outcome, show.moments)])
    good = outcome is not None and outcome.ok
    if not good:
        screen.say(["", f"The daemon's log was kept: {place.keep_log()}"])
    if json_to is not None:
        said = {"ok": False, "faults": [failure]} if outcome is None else outcome.as_json()
        json_to.write(orjson.dumps(said).decode() + "\n")
        json_to.flush()
    return 0 if good else 1


def _last_lines(place: Workspace) -> list[str]:
    with contextlib.suppress(OSError):
        return place.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL:]
    return []
