"""What the daemon says of itself, asked over its control socket; knows neither simulators nor screen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsyncd.operator.protocol import ANSWER_LIMIT_BYTES, request_line

ASK_SECONDS = 2.0
DECREASES = ("decreases near zero", "decreases")


@dataclass(frozen=True, slots=True)
class Reading:
    """One status. `waiting`: class name to (keys, seconds the oldest waits); `exceptions`: kind to open cases.

    `records` were read from the feed since the database was made, so a restart does not set it back.
    """

    sentence: str
    records: int
    writes: bool
    limit_per_second: float
    waiting: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    exceptions: Mapping[str, int] = field(default_factory=dict)

    @property
    def oldest_decrease_seconds(self) -> float | None:
        """How long the oldest decrease has been waiting; None when none waits."""
        return self._oldest(decreases=True)

    @property
    def oldest_increase_seconds(self) -> float | None:
        """The same of increases."""
        return self._oldest(decreases=False)

    def _oldest(self, *, decreases: bool) -> float | None:
        ages = [age for name, (_, age) in self.waiting.items() if (name in DECREASES) is decreases]
        return max(ages, default=None)


def reading(status: Mapping[str, Any]) -> Reading | None:
    """Read the data of a `status` answer; None when the store could not be asked."""
    if "feeds" not in status:
        return None
    return Reading(
        sentence=status["sentence"],
        records=sum(feed["read"] for feed in status["feeds"]),
        writes=status["writes"],
        limit_per_second=status["requests"]["limit_per_second"],
        waiting={each["name"]: (each["keys"], each["oldest_seconds"] or 0.0) for each in status["waiting"]},
        exceptions={each["kind"]: each["cases"] for each in status["exceptions"]},
    )


async def ask(control: Path) -> Reading | None:
    """The daemon's status; None when it does not answer."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            return reading(await _answer(control, "status"))
    except (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError):
        return None


async def ask_subjects(control: Path) -> frozenset[str] | None:
    """What the daemon's open exceptions are about; None when it does not answer."""
    subjects: set[str] = set()
    after: int | None = 0
    try:
        async with asyncio.timeout(ASK_SECONDS):
            while after is not None:
                page = await _answer(control, "exceptions.list", after=after)
                subjects |= {row["subject"] for row in page["rows"]}
                after = page["next"]
    except (OSError, EOFError, TimeoutError, ValueError, KeyError, asyncio.LimitOverrunError):
        return None
    return frozenset(subjects)


async def _answer(control: Path, verb: str, **arguments: Any) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(str(control), limit=ANSWER_LIMIT_BYTES)
    try:
        writer.write(request_line(verb, arguments))
        told = json.loads(await reader.readuntil(b"\n"))
    finally:
        writer.close()
    data = told.get("data")
    return data if told.get("ok") and isinstance(data, dict) else {}
