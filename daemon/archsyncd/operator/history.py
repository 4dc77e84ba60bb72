"""The history of a SKU's keys as answers: the sum that is checked, rows in words, orders and cases among them. Pure looks."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

from archsyncd.domain.history import Change, Kind, Mark, Timeline
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.times import rfc3339
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import EXIT_ACT, NUMBER_LIMIT, Arguments, Refusal

NEWEST_ROWS = 12
NEWEST_MOST = 200
PAGE_ROWS = 250
SAYS = {
    Kind.OPENING: "opening",
    Kind.DAY: "sum of the day",
    Kind.CREATE: "entry created",
    Kind.INCREMENT: "written",
    Kind.SET: "quantity set",
    Kind.LANDED_LATE: "an earlier write landed late",
    Kind.BASED: "base taken from the entry",
    Kind.ADOPTED: "our own value found on the entry",
    Kind.FOREIGN: "somebody else wrote the entry: base taken anew",
    Kind.RETAKEN: "taken from the entry as it stands",
    Kind.LEARNT_LATE: "an order learnt after the entry was read",
    Kind.PROVEN: "base proven by a clean read",
    Kind.BOUNDED: "base bounded by a read with orders around it",
    Kind.DRIFT: "drift corrected by a clean read: somebody else changed the entry",
    Kind.UNBASED: "the entry is looked at anew",
    Kind.GONE: "the entry is gone",
}


class HistoryDesk:
    """Answers `history`, and tells `sku` its timelines."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def newest(self, sku: str, limit: int) -> list[dict[str, Any]]:
        """By channel the timeline's sum and its newest rows, so many of them at most."""
        history = self._daemon.store.history
        told = []
        for channel in await history.channels(sku):
            timeline = await history.newest(StockKey(channel, sku), limit)
            whole = len(timeline.changes) == timeline.rows
            since_ms = 0 if whole or not timeline.changes else timeline.changes[0].at_ms
            rows = [row for _, row in _merged(timeline, since_ms, None)][-limit:] if limit else []
            more = sum(row["n"] is not None for row in rows) < timeline.rows
            told.append({**_sum_of(timeline), "rows": rows, "more": more})
        return told

    async def page(self, arguments: Arguments) -> dict[str, Any]:
        """A page of a SKU's history, the oldest rows first and channel by channel; `keys` of those that begin in it."""
        sku = arguments.text("sku")
        wanted = arguments.text("channel", default="")
        at = arguments.text("at", default="")
        after = arguments.whole("after", 0, NUMBER_LIMIT, 0)
        since_ms = arguments.whole("since_ms", 0, NUMBER_LIMIT, 0)
        arguments.finish()
        channels = await self._channels(sku, wanted)
        channel = at or channels[0]
        if channel not in channels:
            raise Refusal(f"There is no key of {sku!r} in channel {channel!r} any more.", EXIT_ACT)
        timeline = await self._daemon.store.history.after(StockKey(channel, sku), after, PAGE_ROWS)
        ended = len(timeline.changes) < PAGE_ROWS
        until_ms = None if ended else timeline.changes[-1].at_ms
        found = _merged(timeline, since_ms, until_ms)
        rows, cut = fitting({"channel": channel, **row} for _, row in found)
        if cut:
            # What is left out begins behind a row: that is where the next page goes on.
            while len(rows) > 1 and rows[-1]["n"] is None:
                rows.pop()
        keys = [] if after or since_ms else [_sum_of(timeline)]
        if cut or not ended:
            last = max((row["n"] for row in rows if row["n"]), default=after)
            reached_ms = max(since_ms, found[len(rows) - 1][0])
            place: dict[str, Any] | None = {"at": channel, "after": last, "since_ms": reached_ms}
        else:
            following = channels[channels.index(channel) + 1 :]
            place = {"at": following[0], "after": 0, "since_ms": 0} if following else None
        return {"sku": sku, "keys": keys, "rows": rows, "next": place}

    async def _channels(self, sku: str, wanted: str) -> Sequence[str]:
        channels = await self._daemon.store.history.channels(sku)
        if not channels:
            raise Refusal(
                f"Nothing is known of the SKU {sku!r}: archsyncctl sku {sku!r} tells what it may be.",
                EXIT_ACT,
            )
        if wanted and wanted not in channels:
            raise Refusal(
                f"There is no key of {sku!r} in channel {wanted!r}; there is {', '.join(channels[:20])}.",
                EXIT_ACT,
            )
        return [wanted] if wanted else channels


def _merged(timeline: Timeline, since_ms: int, until_ms: int | None) -> list[tuple[int, dict[str, Any]]]:
    """Rows and what happened between them, the oldest first, each with its time; a row before what happened in its instant."""
    marks = (
        mark
        for mark in timeline.marks
        if mark.at_ms >= since_ms and (until_ms is None or mark.at_ms < until_ms)
    )
    return list(
        heapq.merge(
            ((change.at_ms, _row(change)) for change in timeline.changes if change.n),
            ((mark.at_ms, _mark(mark)) for mark in marks),
            key=lambda each: each[0],
        )
    )


def _row(change: Change) -> dict[str, Any]:
    return {
        "n": change.n,
        "at": rfc3339(change.at_ms),
        "kind": change.kind.value,
        "delta": change.delta,
        "after": change.x_after,
        "says": SAYS[change.kind],
        "op": change.op_id or None,
        "who": change.who or None,
        "count": change.count,
        "f": change.f,
        "reflected": change.refl,
        "untracked": change.ntrk,
        "known": change.known,
    }


def _mark(mark: Mark) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("n", "delta", "after", "op", "who", "count", "f", "reflected", "untracked", "known")
    )
    return {**nothing, "at": rfc3339(mark.at_ms), "kind": mark.kind, "says": mark.says}


def _sum_of(timeline: Timeline) -> dict[str, Any]:
    opening = timeline.opening
    total = timeline.opened_with + timeline.deltas
    return {
        "channel": timeline.key.channel,
        "opening": timeline.opened_with,
        "opening_to": rfc3339(opening.at_ms) if opening and opening.at_ms else None,
        "changes": timeline.rows,
        "deltas": timeline.deltas,
        "sum": total,
        "current": timeline.current,
        "adds_up": timeline.adds_up,
        "drifts": timeline.drift_count,
        "newest_drifts": [_row(change) for change in timeline.drifts],
    }
