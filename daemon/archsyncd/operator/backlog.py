"""The verb `backlog`: what waits to be written, by class and age, and when it will be done. Decides nothing."""

from __future__ import annotations

from typing import Any

from archsyncd.domain.report import AGE_STEPS_SECONDS
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.lately import Lately
from archsyncd.operator.protocol import Arguments
from archsyncd.operator.status import CLASS_NAMES

Row = dict[str, Any]


class BacklogDesk:
    """Answers `backlog`, at once also with a million keys waiting: these were counted lately then."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._counted = Lately(daemon.clock, self._count)

    def tick(self) -> None:
        """Have the figures ready; once a second."""
        self._counted.warm()

    async def close(self) -> None:
        """Count no more."""
        await self._counted.close()

    async def backlog(self, arguments: Arguments) -> dict[str, Any]:
        """Waiting keys by class and age, and for how long at the rate of now."""
        arguments.finish()
        counted = await self._counted.get()
        daemon = self._daemon
        rate = max(daemon.limiter.state().rate_now * daemon.drain.batch_now, 0.01)
        rows, before = [], 0
        for row in counted["rows"]:
            before += row["keys"]
            rows.append(row | {"done_in_seconds": round(before / rate, 1) if row["keys"] else None})
        age_ms = max(daemon.clock.wall_ms() - counted["at_ms"], 0)
        return {
            "rows": rows,
            "age_steps_seconds": list(AGE_STEPS_SECONDS),
            "parked": counted["parked"],
            "keys_per_second_at_most": round(rate, 1),
            "age_seconds": round(age_ms / 1000, 1),
        }

    async def _count(self) -> dict[str, Any]:
        store, now_ms = self._daemon.store, self._daemon.clock.wall_ms()
        found = await store.reporting.backlog(now_ms)
        parked = await store.report.parked()
        rows = []
        for due_class, name in CLASS_NAMES.items():
            ages, since_ms = found.get(due_class, ((0,) * (len(AGE_STEPS_SECONDS) + 1), now_ms))
            keys = sum(ages)
            oldest = round(max(now_ms - since_ms, 0) / 1000, 1) if keys else None
            row = {
                "class": int(due_class),
                "name": name,
                "keys": keys,
                "oldest_seconds": oldest,
                "ages": list(ages),
            }
            rows.append(row)
        return {"rows": rows, "parked": dict(parked), "at_ms": now_ms}
