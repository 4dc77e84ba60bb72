"""The verbs about reconciliation: begin a run, show one, stop it, let held raises go on. Compares nothing itself."""

from __future__ import annotations

from typing import Any

from archsyncd.domain.counting import counted
from archsyncd.domain.reconciling import UNLISTED, Found, Mode, Run, RunFinding, RunState, Wanted
from archsyncd.domain.times import rfc3339
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import NUMBER_LIMIT, Arguments, Refusal

PAGE_ROWS = 500
STOPPED = "an operator stopped it"


class ReconcileDesk:
    """Answers `reconcile`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def begin(self, arguments: Arguments) -> dict[str, Any]:
        """Begin a run; it goes on by itself."""
        mode = Mode(arguments.choice("mode", tuple(Mode)))
        channel = arguments.text("channel", limit=256, default="")
        sku = arguments.text("sku", default="")
        arguments.finish()
        channels = self._daemon.store.rules.policies.channels
        if channel and channel not in channels:
            raise Refusal(
                f"There is no channel {channel!r}; there is {', '.join(sorted(channels)[:20]) or 'none'}."
            )
        if mode is Mode.APPLY and not self._daemon.drain.options.writes:
            raise Refusal(
                f"Nothing is written by this host now ({self._daemon.tenure_text}), so nothing would be corrected; "
                "--dry-run compares all the same."
            )
        run = await self._daemon.store.reconciles.begin(Wanted(mode, "operator", channel, sku))
        if run is None:
            under_way = await self._daemon.store.reconciles.current()
            number = f"run {under_way.id}" if under_way else "another run"
            raise Refusal(
                f"There is {number} under way; archsyncctl reconcile --show tells how far it is, --stop ends it."
            )
        return await self._told(run, [], None)

    async def show(self, arguments: Arguments) -> dict[str, Any]:
        """A run with a page of what it found: `rows`, and `next` to go on from (None: no more)."""
        number = arguments.whole("run", 0, NUMBER_LIMIT, 0)
        after = arguments.whole("after", 0, NUMBER_LIMIT, 0)
        arguments.finish()
        run = await self._daemon.store.reconciles.run(number or None)
        if run is None:
            what = f"There is no run {number} any more" if number else "There was no run yet"
            raise Refusal(f"{what}; archsyncctl reconcile --dry-run makes one.")
        found = await self._daemon.store.reconciles.findings(run.id, after, PAGE_ROWS)
        rows, cut = fitting([_row(each) for each in found])
        more = cut or len(found) == PAGE_ROWS
        place = {"run": run.id, "after": found[len(rows) - 1].number} if more else None
        return await self._told(run, rows, place)

    async def _told(
        self, run: Run, rows: list[dict[str, Any]], place: dict[str, Any] | None
    ) -> dict[str, Any]:
        held = await self._daemon.store.reconciles.held()
        return brief(run, held) | {
            "reason": run.reason,
            "planned": run.planned,
            "agreeing": run.counted(Found.AGREES),
            "listed": run.counted(*(set(Found) - UNLISTED)),
            "totals": [
                {"channel": channel, "found": found.value, "keys": keys, "pieces": pieces}
                for (channel, found), (keys, pieces) in sorted(run.totals.items())
            ],
            "rows": rows,
            "next": place,
        }

    async def stop(self, arguments: Arguments) -> dict[str, Any]:
        """End the run under way; what it has planned is corrected all the same."""
        arguments.finish()
        run = await self._daemon.store.reconciles.current()
        if run is None or await self._daemon.store.reconciles.end(run, RunState.STOPPED, STOPPED) is None:
            return {"done": False, "says": "No run is under way."}
        return {"done": True, "says": f"Run {run.id} is stopped; what it has found so far stands."}

    async def allow(self, arguments: Arguments) -> dict[str, Any]:
        """Let what is held be raised."""
        arguments.finish()
        keys = await self._daemon.store.reconciles.allow_raises()
        if not keys:
            return {"done": False, "says": "No raise is held."}
        self._daemon.shared.bases.set()
        return {
            "done": True,
            "says": f"{counted(keys, 'key')} will be raised once read again; later ones count anew.",
        }


async def reconciled(daemon: Daemon) -> dict[str, Any] | None:
    """The newest run in figures, for the status."""
    run = await daemon.store.reconciles.run()
    return None if run is None else brief(run, await daemon.store.reconciles.held())


def brief(run: Run, held: int) -> dict[str, Any]:
    """A run as the status tells it."""
    return {
        "run": run.id,
        "mode": run.wanted.mode.value,
        "cause": run.wanted.cause,
        "channel": run.wanted.channel,
        "sku": run.wanted.sku,
        "state": run.state.value,
        "began": rfc3339(run.began_ms),
        "ended": None if run.ended_ms is None else rfc3339(run.ended_ms),
        "entries": run.entries,
        "keys": run.keys,
        "differing": run.differing,
        "undecided": run.undecided,
        "held_raises": held,
    }


def _row(finding: RunFinding) -> dict[str, Any]:
    change = None
    if finding.shown is not None and finding.expected is not None:
        change = finding.expected - finding.shown
    return {
        "found": finding.found.value,
        "channel": finding.channel,
        "sku": finding.sku,
        "entry": finding.entry_id,
        "shown": finding.shown,
        "expected": finding.expected,
        "change": change,
        "says": finding.says,
    }
