"""Changes that a source lists by their time: what is news among what was read before. Pure; knows no clock and no source.

Every round asks for what changed since the newest time seen, less an overlap, because times lie: two changes share one, and a
change becomes visible later than its time says. So most of a round was read before. Of each key only its newest row counts,
and it is news where it differs from the one that was news before, whatever its time; of other records each is news once.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from archsyncd.wire.profile.contract import Mapped
from archsyncd.wire.r247_values import Misread, checked_instant, to_ms

# A row whose time cannot be read is shown again for nobody knows how long; in the night with 25 hours for one of them.
UNTIMED_KEPT_MS: Final = 3 * 3_600_000
ROUND_LIMIT: Final = 50_000
REMEMBERED_LIMIT: Final = 1_000
TIME_FIELDS: Final = ("asOf", "occurredAt", "at")
_ENTRY: Final = struct.Struct(">6s8sI")
_UNPLACED: Final = ("id", "seq")


class TooMany(Exception):
    """A round holds more news than can be told apart; a full picture is due."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was told of one key, or one record: its content and time (UTC milliseconds)."""

    content: bytes
    at_ms: int


@dataclass(slots=True)
class Memory:
    """What was told and may be read again. `lossy`: some of it is not known any more."""

    known: dict[bytes, Known] = field(default_factory=dict)
    lossy: bool = False

    def forget_before(self, since_ms: int) -> None:
        """Forget what no round can show again."""
        self.known = {key: one for key, one in self.known.items() if one.at_ms >= since_ms}

    def encode(self, since_ms: int) -> tuple[str, bool]:
        """Write the newest entries, bounded, and whether some were left out."""
        newest = heapq.nsmallest(
            REMEMBERED_LIMIT, self.known.items(), key=lambda entry: (-entry[1].at_ms, entry[0])
        )
        packed = b"".join(
            _ENTRY.pack(key, one.content, min(max(one.at_ms - since_ms, 0), 2**32 - 1)) for key, one in newest
        )
        return base64.b64encode(packed).decode(), len(self.known) > REMEMBERED_LIMIT

    @classmethod
    def decode(cls, text: str, since_ms: int, *, lossy: bool) -> Memory:
        """Read what `encode` wrote. Raises ValueError."""
        packed = base64.b64decode(text, validate=True)
        if len(packed) % _ENTRY.size or len(packed) > REMEMBERED_LIMIT * _ENTRY.size:
            raise ValueError("no whole entries")
        known = {
            key: Known(content, since_ms + later_ms) for key, content, later_ms in _ENTRY.iter_unpack(packed)
        }
        return cls(known, lossy)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a round: `key` names what it is about, `content` what it says."""

    key: bytes
    known: Known
    item: Mapped
    arrived: int


class Round:
    """Gathers the rows of one round, over all of its pages."""

    def __init__(self, memory: Memory, since_ms: int) -> None:
        self._memory = memory
        self._since_ms = since_ms
        self._states: dict[bytes, Row] = {}
        self._others: dict[bytes, Row] = {}
        self._arrived = 0
        self.newest_ms: int | None = None

    def take_all(self, items: Iterable[Mapped]) -> None:
        """Take rows in the order in which they are listed. Raises TooMany."""
        for item in items:
            self.take(item)

    def take(self, item: Mapped) -> None:
        """Take a row. Raises TooMany."""
        self._arrived += 1
        read = self._row(checked(item))
        if read is None:
            return
        if not read.item.faults and _is_state(read.item.value):
            before = self._states.get(read.key)
            # Times that are equal say nothing: the one that was listed later stands.
            if before is None or read.known.at_ms >= before.known.at_ms:
                self._states[read.key] = read
        else:
            self._others.setdefault(read.key + read.known.content, read)
        if len(self._states) + len(self._others) > ROUND_LIMIT:
            raise TooMany

    def _row(self, item: Mapped) -> Row | None:
        at_ms = row_time_ms(item)
        if at_ms is not None:
            if at_ms < self._since_ms:
                return None  # more than was asked for: a form of time that is coarse, or a source that is generous
            self.newest_ms = at_ms if self.newest_ms is None else max(self.newest_ms, at_ms)
        about = _about(item)
        content = _digest(_content(item))[:8]
        if at_ms is None:
            at_ms = (self.newest_ms or self._since_ms) + UNTIMED_KEPT_MS
        return Row(_digest(about)[:6], Known(content, at_ms), item, self._arrived)

    def news(self) -> Iterator[Row]:
        """What was not told yet: stock in the order of its time, then what tells of orders.

        Orders last: a level that was read in the same round need not exclude an order that the round says was accepted.
        """
        yield from self._new(self._states)
        yield from self._new(self._others)

    def _new(self, rows: Mapping[bytes, Row]) -> Iterator[Row]:
        for row in sorted(rows.values(), key=lambda one: (one.known.at_ms, one.arrived)):
            before = self._memory.known.get(row.key)
            if before is None or before.content != row.known.content:
                yield row

    def remember_all(self) -> None:
        """Take everything as told: a full picture that is read from now on holds it already."""
        for row in (*self._states.values(), *self._others.values()):
            self._memory.known[row.key] = row.known

    def remember(self, row: Row) -> None:
        """A row is being told."""
        self._memory.known[row.key] = row.known


def row_time_ms(item: Mapped) -> int | None:
    """When a row says that it was changed, UTC milliseconds; None where it does not say so readably."""
    for name in TIME_FIELDS:
        written = item.value.get(name)
        if isinstance(written, str):
            try:
                return to_ms(checked_instant(written, name))
            except Misread:
                return None
    return None


def checked(item: Mapped) -> Mapped:
    """Set aside what a list by times cannot tell: rows without a time, and movements whose order nobody knows."""
    if item.faults:
        return item
    value = item.value
    if value.get("type") == "stock.movement" and not value.get("balanceAfter"):
        reason = "a list by times does not tell in which order movements happened; only one that states balanceAfter can be used"
        return replace(item, faults=(Misread("bare_movement", reason, "/balanceAfter"),))
    if row_time_ms(item) is None:
        reason = "states no time at which it was changed, by which this list is read"
        return replace(item, faults=(Misread("missing", reason, "/asOf"),))
    if value.get("asOf") is None and value.get("type") == "stock.level":
        # Figures of another feed can be told from these by their time alone.
        return replace(item, value={**value, "asOf": value.get("occurredAt")})
    return item


def _is_state(value: Mapping[str, Any]) -> bool:
    return str(value.get("type", "")).startswith("stock.")


def _about(item: Mapped) -> Any:
    value = item.value
    if item.faults:
        return ["fault", item.faults[0].code, item.payload.decode("utf-8", "replace")]
    if _is_state(value):
        return ["stock", value.get("sku"), value.get("location")]
    own = value.get("fulfilmentId") or value.get("returnId") or value.get("id")
    return [value.get("type"), own or _said(value)]


def _content(item: Mapped) -> Any:
    return item.payload.decode("utf-8", "replace") if item.faults else _said(item.value)


def _said(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in value.items() if name not in _UNPLACED}


def _digest(value: Any) -> bytes:
    # Not orjson: half a character may stand in a text that came as it liked.
    return hashlib.sha256(json.dumps(value, default=str, sort_keys=True).encode()).digest()
