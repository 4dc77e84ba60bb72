"""`GET /v1/changes` and `POST /v1/ack`: pages, long polls and NDJSON streams of the log (r247/1, section 2)."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from archsyncd.simulators.r247.config import Clock, R247Config
from archsyncd.simulators.r247.exchange import (
    JSON,
    NDJSON,
    Answer,
    Asked,
    Problem,
    names,
    number,
    parameters,
    parse,
)
from archsyncd.simulators.r247.faults import Fault, FaultKind
from archsyncd.simulators.r247.log import CursorRefused, FeedLog, LogRecord, Slice

RECORD_TYPES = frozenset(
    {
        "stock.level",
        "stock.movement",
        "stock.removed",
        "order.accepted",
        "order.rejected",
        "order.cancelled",
        "fulfilment",
        "return.received",
        "feed.heartbeat",
    }
)
CONSUMERS_LIMIT = 100
# With these an answer does not arrive, or not so that anybody could read it.
SPOILT = frozenset({FaultKind.DROP_AFTER, FaultKind.CUT_BODY, FaultKind.GARBAGE, FaultKind.FOREIGN_NEXT})


class BrokenStream(Exception):
    """The connection is to be broken here, in the middle of a line."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader asked for: after which seq, how many, how long to wait, what to let pass."""

    seq: int
    limit: int
    wait: int
    at_head: bool
    types: frozenset[str] | None
    locations: frozenset[str] | None


class ChangeFeed:
    """Serves the log. `next` is always present; only what stands before it has been sent."""

    def __init__(self, config: R247Config, log: FeedLog, clock: Clock, chance: random.Random) -> None:
        self._config = config
        self._log = log
        self._clock = clock
        self._chance = chance
        self.acknowledged: dict[str, str] = {}

    async def changes(self, asked: Asked, faults: Sequence[Fault]) -> Answer:
        """Answer with a page, or with a stream when the reader accepts NDJSON. Raises Problem 400, 410."""
        reading = self._reading(asked)
        kinds = {fault.kind for fault in faults}
        if NDJSON in asked.headers.get("accept", ""):
            lines = self._lines(reading, half_line=FaultKind.HALF_LINE in kinds)
            return Answer(200, headers={"content-type": NDJSON}, stream=lines)
        if reading.wait and not reading.at_head:
            await self._wait_for_records(reading)
        found = self._log.after(reading.seq, reading.limit, reading.types, reading.locations)
        if reading.at_head:
            found = Slice((), self._log.shown_head, more=False)
        through = reading.seq if FaultKind.REPEAT in kinds else found.through
        records = self._spoil(found.records, faults)
        if not kinds & SPOILT:
            self._log.mark_served(found.through)
        return self._page(records, through, more=found.more)

    def acknowledge(self, asked: Asked) -> Answer:
        """Book how far a consumer is: cumulative and idempotent. Raises Problem 400, 410."""
        parameters(asked, ())
        said = parse(asked.body, {"consumer": str, "cursor": str}, ("consumer", "cursor"))
        consumer, seq = said["consumer"], self._seq_of(said["cursor"])
        known = self.acknowledged.get(consumer)
        if known is None and len(self.acknowledged) >= CONSUMERS_LIMIT:
            raise Problem(429, "too_many_consumers", f"at most {CONSUMERS_LIMIT} consumers")
        if known is None or self._is_behind(known, seq):
            self.acknowledged[consumer] = said["cursor"]
        return Answer(204)

    def _is_behind(self, cursor: str, seq: int) -> bool:
        try:
            return self._log.seq_of(cursor) < seq
        except CursorRefused:
            return True

    def _reading(self, asked: Asked) -> Reading:
        found = parameters(asked, ("cursor", "limit", "wait", "types", "locations"))
        limit = number(found, "limit", self._config.page_limit, 1, self._config.page_limit_maximum)
        wait = number(found, "wait", 0, 0, int(self._config.wait_maximum_seconds))
        types, locations = names(found, "types"), names(found, "locations")
        _known(types, RECORD_TYPES, "types")
        _known(locations, self._config.locations, "locations")
        cursor = found.get("cursor")
        if cursor is None:
            return Reading(self._log.before_oldest, limit, wait, False, types, locations)
        if cursor == "now":
            return Reading(self._log.shown_head, limit, wait, True, types, locations)
        return Reading(self._seq_of(cursor), limit, wait, False, types, locations)

    def _seq_of(self, cursor: str) -> int:
        try:
            return self._log.seq_of(cursor)
        except CursorRefused as refusal:
            raise Problem(refusal.status, refusal.code, refusal.detail) from refusal

    async def _wait_for_records(self, reading: Reading) -> None:
        epoch, until = self._log.epoch, self._clock.now() + reading.wait
        while not self._log.after(reading.seq, 1, reading.types, reading.locations).records:
            left = until - self._clock.now()
            if left <= 0:
                return
            await self._log_or_time(left)
            if self._log.epoch != epoch:
                raise Problem(410, "epoch_changed", f"the feed is at epoch {self._log.epoch}")

    async def _log_or_time(self, seconds: float) -> None:
        waits = {
            asyncio.ensure_future(self._log.changed()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _page(self, records: Sequence[LogRecord], through: int, *, more: bool) -> Answer:
        before = {"schema": "r247/1", "feed": self._config.feed, "epoch": self._log.epoch}
        after = {"next": self._log.cursor(through), "more": more}
        after |= {"head": self._log.head(), "oldest": self._log.oldest()}
        # Records are joined as bytes: a wrong one must arrive as wrong as it was written.
        items = b",".join(record.body for record in records)
        body = orjson.dumps(before)[:-1] + b',"items":[' + items + b"]," + orjson.dumps(after)[1:]
        return Answer(200, body, {"content-type": JSON})

    def _spoil(self, records: Sequence[LogRecord], faults: Sequence[Fault]) -> list[LogRecord]:
        spoilt = list(records)
        for fault in faults:
            if fault.kind is FaultKind.DUPLICATE:
                spoilt = [record for record in spoilt for _ in range(2)]
            elif fault.kind is FaultKind.REORDER:
                self._chance.shuffle(spoilt)
            elif fault.kind is FaultKind.GAP:
                middle = max(0, (len(spoilt) - fault.records) // 2)
                del spoilt[middle : middle + fault.records]
            elif fault.kind is FaultKind.LATE:
                since = self._log.now_ms() - int(fault.seconds * 1000)
                spoilt = [record for record in spoilt[:-1] if record.at_ms < since] + spoilt[-1:]
        return spoilt

    async def _lines(self, reading: Reading, *, half_line: bool) -> AsyncIterator[bytes]:
        seq, epoch, until = reading.seq, self._log.epoch, self._clock.now() + self._config.stream_seconds
        yield self._cursor_line(seq)
        told = self._clock.now()
        while self._log.epoch == epoch:
            found = self._log.after(seq, self._config.cursor_line_records, reading.types, reading.locations)
            if half_line and found.records:
                yield found.records[0].body[: len(found.records[0].body) // 2]
                raise BrokenStream
            if found.records or self._clock.now() - told >= self._config.cursor_line_seconds:
                seq, told = found.through, self._clock.now()
                yield b"".join(record.body + b"\n" for record in found.records) + self._cursor_line(seq)
                self._log.mark_served(seq)
            if found.more:
                continue
            if reading.wait == 0 or self._clock.now() >= until:
                return
            await self._log_or_time(self._config.keep_alive_seconds)
            yield b"\n"

    def _cursor_line(self, seq: int) -> bytes:
        line: dict[str, Any] = {"type": "feed.cursor", "next": self._log.cursor(seq)}
        line |= {"schema": "r247/1", "feed": self._config.feed, "epoch": self._log.epoch}
        return orjson.dumps(line | {"head": self._log.head(), "oldest": self._log.oldest()}) + b"\n"


def _known(asked: frozenset[str] | None, known: Collection[str], name: str) -> None:
    unknown = sorted((asked or frozenset()) - set(known))
    if unknown:
        raise Problem(400, "bad_parameter", f"{name!r}: {unknown[0]!r} is not known here")
