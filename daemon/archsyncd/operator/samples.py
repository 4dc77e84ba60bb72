"""Notes the status once a minute, and answers the verb `samples` from what was noted. Draws nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from archsyncd.domain.priority import DueClass
from archsyncd.domain.reasons import Level
from archsyncd.domain.samples import EVERY_MS, KEPT_MS, Sample
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import FencedOff, StoreBroken, StoreFull
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import Arguments

HOURS_MOST = KEPT_MS // 3_600_000
HOURS = 6
ROWS_MOST = 120
_LOG = logging.getLogger("archsyncd.operator")


class Recorder:
    """Makes samples of the status; remembers how many requests there were at the one before."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._before: tuple[float, int] | None = None

    async def run(self) -> None:
        """Note a sample a minute, until cancelled. What cannot be written leaves a gap and nothing else."""
        while True:
            try:
                await self.note()
            except (StoreFull, StoreBroken, FencedOff) as error:
                _LOG.debug("no sample was noted: %s", error)
            except Exception:  # noqa: BLE001 - charts must not end what they draw
                _LOG.exception("no sample could be noted")
            await self._daemon.clock.sleep(EVERY_MS / 1000)

    async def note(self) -> None:
        """Note one. Raises what the store raises."""
        status = await self._daemon.desk.status()
        requests = self._rate(status["requests"]["total"])
        await self._daemon.store.samples.note(sample_of(status, self._daemon.clock.wall_ms(), requests))

    def _rate(self, total: int) -> float | None:
        now, before = self._daemon.clock.monotonic(), self._before
        self._before = (now, total)
        if before is None or now <= before[0]:
            return None
        return round((total - before[1]) / (now - before[0]), 2)


def sample_of(status: Mapping[str, Any], at_ms: int, requests: float | None) -> Sample:
    """The status as a sample. One without figures, of a store that is broken, has its verdict alone."""
    waiting = {row["class"]: row["keys"] for row in status.get("waiting", ())}
    return Sample(
        at_ms,
        Level[status["verdict"].upper()],
        waiting.get(DueClass.DECREASE_NEAR_ZERO, 0),
        waiting.get(DueClass.DECREASE, 0),
        waiting.get(DueClass.INCREASE_FROM_ZERO, 0),
        waiting.get(DueClass.INCREASE, 0),
        _ms(status.get("oldest_decrease_seconds")),
        requests,
        status["requests"]["limit_per_second"],
        sum(row["cases"] for row in status.get("exceptions", ())),
        _ms(status.get("orders", {}).get("behind_seconds")),
    )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


class SampleDesk:
    """Answers `samples`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def listed(self, arguments: Arguments) -> dict[str, Any]:
        """The figures of the last hours; of many minutes the worst of each step, so that an answer has 121 rows at most."""
        hours = arguments.whole("hours", 1, HOURS_MOST, HOURS)
        arguments.finish()
        now_ms, span_ms = self._daemon.clock.wall_ms(), hours * 3_600_000
        step_ms = max(EVERY_MS, -(-span_ms // ROWS_MOST // EVERY_MS) * EVERY_MS)
        found = await self._daemon.store.samples.between(now_ms - span_ms, now_ms, step_ms, ROWS_MOST + 2)
        rows, _ = fitting([_told(sample) for sample in found])
        return {
            "from": rfc3339(now_ms - span_ms),
            "to": rfc3339(now_ms),
            "step_seconds": step_ms // 1000,
            "rows": rows,
        }


def _told(sample: Sample) -> dict[str, Any]:
    return {
        "at": rfc3339(sample.at_ms),
        "verdict": Level(sample.verdict).word,
        "near_zero": sample.near_zero,
        "decreases": sample.decreases,
        "from_zero": sample.from_zero,
        "increases": sample.increases,
        "oldest_decrease_seconds": _seconds(sample.oldest_decrease_ms),
        "requests_per_second": None if sample.requests is None else round(sample.requests, 2),
        "limit_per_second": sample.limit,
        "exceptions": sample.cases,
        "orders_behind_seconds": _seconds(sample.behind_ms),
    }


def _seconds(value_ms: int | None) -> float | None:
    return None if value_ms is None else round(value_ms / 1000, 1)


@contextlib.asynccontextmanager
async def recording(daemon: Daemon) -> AsyncIterator[None]:
    """Note samples for as long as the context lasts."""
    task = asyncio.create_task(Recorder(daemon).run(), name="samples")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
