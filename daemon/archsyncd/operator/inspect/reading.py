"""What a profile reads from a sample, record by record, with every fault. Reads no file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.domain.feed import Level, Record, Reject
from archsyncd.domain.times import utc_ms
from archsyncd.wire.profile.contract import Mapped
from archsyncd.wire.profile.profile import Profile
from archsyncd.wire.r247_values import show

FAULTS_KEPT: Final = 1_000


@dataclass(slots=True)
class Reading:
    """`rows`: the first records as r247/1 has them; `faults`: the first of what could not be read; the rest is counted.

    `ahead`: records whose figures were taken at times still to come, and by how much at the most.
    """

    records: int = 0
    passed_over: int = 0
    understood: int = 0
    rejected: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    ahead: int = 0
    ahead_seconds: float = 0.0


def read_sample(
    profile: Profile, data: bytes, limit: int, parts: dict[str, str], now_ms: int | None = None
) -> Reading:
    """Read a sample whole. `now_ms`: the time of this reading, in UTC milliseconds; None: the clock's. Raises Unreadable."""
    now = int(time.time() * 1000) if now_ms is None else now_ms
    answer = profile.read(data, parts)
    reading = Reading(records=len(answer.items), passed_over=answer.passed_over)
    for item in answer.items:
        _placed(item)
        found: list[Record | Reject] = [profile.record(item)]
        if isinstance(found[0], Reject):
            reading.rejected += 1
            _note(reading, found[0], item)
            continue
        reading.understood += 1
        _look_ahead(reading, found[0], now)
        if len(reading.rows) < limit:
            reading.rows.append({"line": item.line, "record": item.value})
    return reading


def _placed(item: Mapped) -> None:
    """Give what the transport gives: a place and an id, where the profile tells none."""
    item.value.setdefault("seq", str(item.line))
    item.value.setdefault("id", f"line-{item.line}")


def _look_ahead(reading: Reading, record: Record | Reject, now_ms: int) -> None:
    if isinstance(record, Level) and record.as_of is not None:
        ahead = ((utc_ms(record.as_of) or 0) - now_ms) / 1000
        reading.ahead += ahead > 0
        reading.ahead_seconds = max(reading.ahead_seconds, ahead)


def _note(reading: Reading, rejected: Reject, item: Mapped) -> None:
    """Tell every fault of a record, where it has more than the first."""
    told = [(one.code, one.reason, one.path, show(one.value)) for one in item.faults]
    told = told or [(rejected.code, rejected.reason, rejected.path, rejected.value)]
    for code, reason, path, value in told:
        if len(reading.faults) < FAULTS_KEPT:
            reading.faults.append(
                {
                    "line": item.line,
                    "code": code,
                    "says": reason,
                    "path": path,
                    "value": value,
                    "sku": rejected.sku,
                }
            )
