"""What changed at a foreign source, as batches: by cursor, by time with an overlap, or as its whole stock again and again.

Each way yields what may be committed and the checkpoint behind it; whoever reads decides what becomes of it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from itertools import count, dropwhile
from typing import TypeVar

from archsyncd.adapters.r247_pull.foreign.lists import Lists, Sheet
from archsyncd.adapters.r247_pull.foreign.snapshot import ForeignSnapshot
from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.adapters.r247_pull.rounds import Rounds
from archsyncd.domain.feed import Batch, Record, Reject, SnapshotCause, SnapshotDue
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import Clock, FeedFault, SnapshotSource
from archsyncd.wire.foreign.overlap import Round, Row, TooMany
from archsyncd.wire.foreign.places import IDS_LIMIT, NOTED_EVERY_ROUNDS, Numbers, Stand, place
from archsyncd.wire.foreign.section import CURSOR, OVERLAP, Listing
from archsyncd.wire.foreign.source import Source
from archsyncd.wire.profile.contract import Mapped
from archsyncd.wire.r247 import placed, sort_read
from archsyncd.wire.r247_values import CURSOR_LIMIT_CHARACTERS

DAY_MS = 86_400_000
REST_SECONDS = 10.0
ASIDE_RECORDS = 500
T = TypeVar("T")
_ID_BYTES = 16
_TOO_MANY = "more changes at once than can be told apart"


class Changes:
    """Reads on from a stand, for ever. `locations`: those that are asked for one by one where the profile says so."""

    def __init__(
        self,
        source: Source,
        lists: Lists,
        numbers: Numbers,
        options: PullOptions,
        clock: Clock,
        beat: Callable[[], None],
        told: Callable[[str], None],
    ) -> None:
        """`told` is given every checkpoint that is handed out."""
        self._told = told
        self._source = source
        self._requests = source.requests
        self._lists = lists
        self._numbers = numbers
        self._options = options
        self._clock = clock
        self._beat = beat

    def after(self, stand: Stand) -> AsyncGenerator[Batch | SnapshotDue | SnapshotSource, None]:
        """Everything behind a stand."""
        if stand.mode == CURSOR:
            return self._by_cursor(stand)
        return self._by_time(stand) if stand.mode == OVERLAP else self._as_a_whole(stand)

    async def _rest_since(self, began: float) -> None:
        """Wait until it is time to ask again, which is no standstill."""
        until = began + self._requests.every_ms / 1000
        while (left := until - self._clock.monotonic()) > 0:
            self._beat()
            await self._clock.sleep(min(left, REST_SECONDS))

    def _kept(self, batch: Batch, before: str) -> None:
        """What was handed out is durable, as more is asked for."""
        if batch.checkpoint != before:
            self._numbers.kept()

    def _fulls(self, stand: Stand) -> Iterator[SnapshotSource]:
        """The whole stock, where the profile wants it from time to time and that time has come."""
        listing, now_ms = self._requests.snapshot, self._clock.wall_ms()
        if listing is not None and listing.every_ms and not 0 <= now_ms - stand.full_ms < listing.every_ms:
            stand.round, stand.full_ms = self._numbers.next_round(stand.round), now_ms
            yield self.whole(listing, replace(stand), self._options.locations)

    def _notes(self, stand: Stand, number: int) -> bool:
        """Whether a round without news moves the checkpoint all the same: rounds are counted by it.

        Readings of a single SKU stand among the rounds, so a process that offers them makes its first round durable.
        """
        first = self._requests.key is not None and not self._numbers.durable
        return first or number - stand.round >= NOTED_EVERY_ROUNDS

    def _batch(
        self, stand: Stand, records: Sequence[Record], rejects: Sequence[Reject], *, more: bool
    ) -> Batch:
        checkpoint = stand.encode()
        self._told(checkpoint)
        return Batch(
            feed=self._options.name,
            epoch=stand.epoch,
            records=tuple(records),
            rejects=tuple(rejects),
            checkpoint=checkpoint,
            more=more,
            head_at=rfc3339(stand.newest_ms) if stand.newest_ms else None,
        )

    # By cursor

    async def _by_cursor(self, stand: Stand) -> AsyncGenerator[Batch | SnapshotDue | SnapshotSource, None]:
        rounds = Rounds()
        while True:
            self._beat()
            began, number = self._clock.monotonic(), self._numbers.next_round(stand.round)
            news = await self._news(stand)
            if isinstance(news, SnapshotDue):
                yield news
                return
            sheet, items = news
            before, more = stand.encode(), self._advance(stand, sheet)
            if more and rounds.repeats(stand.cursor):
                raise FeedFault(f"{sheet.answer.told}: its cursors lead in a circle")
            records, rejects = await _aside(len(items), partial(self._read, items, number))
            if items or self._notes(stand, number):
                stand.round = number
            batch = self._batch(stand, records, rejects, more=more)
            yield batch
            self._kept(batch, before)
            if not more:
                rounds = Rounds()
                for full in self._fulls(stand):
                    yield full
                await self._rest_since(began)

    async def _news(self, stand: Stand) -> tuple[Sheet, Sequence[Mapped]] | SnapshotDue:
        """A page and what of it was not told yet; a snapshot that is due where reading cannot go on."""
        sheet = await self._page(stand)
        while isinstance(sheet, SnapshotDue):
            if self._requests.snapshot is not None:
                return sheet
            self._begin_anew(stand, sheet)
            sheet = await self._page(stand)
        items = self._untold(stand, sheet)
        if items is not None:
            return sheet, items
        return SnapshotDue(
            SnapshotCause.GAP, f"{sheet.answer.told}: what was read before stands there no more"
        )

    async def _page(self, stand: Stand) -> Sheet | SnapshotDue:
        listing, cursor = self._requests.changes, stand.cursor
        known = {"cursor": cursor} if cursor and not stand.link else {}
        values = self._lists.values(listing, **known, **self._only_place(listing))
        answer = await self._lists.ask(listing, values, cursor if stand.link else None)
        return self._lists.due(answer) or await self._lists.read(listing, answer)

    def _begin_anew(self, stand: Stand, due: SnapshotDue) -> None:
        """Go back to the start, as no snapshot can be asked for: another feed gives the full picture. Raises FeedFault."""
        start = self._requests.start or ""
        if stand.cursor == start:
            raise FeedFault(
                f"{due.detail}: it does not know the cursor either with which a new reader begins"
            )
        stand.cursor, stand.told, stand.digest, stand.ids, stand.link = start, 0, "", (), False

    def _only_place(self, listing: Listing) -> dict[str, str]:
        return {"location": self._options.locations[0]} if "location" in listing.ask.names else {}

    def _untold(self, stand: Stand, sheet: Sheet) -> Sequence[Mapped] | None:
        """What of a page was not told yet; None where a page that was told in part reads differently now.

        A list that ends is asked for the same page again until something is added to it.
        """
        if not stand.told:
            # A source may tell the last record before its cursor once more.
            return (
                list(dropwhile(lambda item: _id(item) in stand.ids, sheet.items))
                if stand.ids
                else sheet.items
            )
        if len(sheet.items) < stand.told or _digest(sheet.items[: stand.told]) != stand.digest:
            return None if self._requests.snapshot is not None else sheet.items
        return sheet.items[stand.told :]

    def _advance(self, stand: Stand, sheet: Sheet) -> bool:
        """Move the cursor behind a page; whether more is ready."""
        follow, more = self._requests.next, self._requests.more
        assert follow is not None
        cursor = self._lists.following(sheet, follow)
        moved = cursor is not None and cursor != stand.cursor
        if moved and cursor is not None:
            if len(cursor) > CURSOR_LIMIT_CHARACTERS:
                raise FeedFault(
                    f"{sheet.answer.told}: its cursor has more than {CURSOR_LIMIT_CHARACTERS} characters"
                )
            stand.cursor, stand.told, stand.digest, stand.link = cursor, 0, "", follow.link
            ids = [_id(item) for item in sheet.items[-IDS_LIMIT:]]
            stand.ids = tuple(filter(None, ids)) or stand.ids
        elif self._requests.positions == "arrival":
            stand.told, stand.digest = len(sheet.items), _digest(sheet.items) if sheet.items else ""
        if more is not None:
            return _is_true(sheet, more) and moved
        limit = int(self._lists.values(self._requests.changes)["limit"])
        # A link is told by many even where nothing lies behind it yet.
        return moved and sheet.count > 0 and (follow.link or sheet.count >= limit)

    def _read(self, items: Iterable[Mapped], number: int) -> tuple[list[Record], list[Reject]]:
        numbered = zip(items, count(), strict=False)
        if self._requests.positions == "source":
            return sort_read(placed([self._record(item) for item, _ in numbered], None))
        return sort_read([self._record(item, place(number, index)) for item, index in numbered])

    def _record(self, item: Mapped, seq: int | None = None) -> Record | Reject:
        """Read one item at a position; its id is made of what it says where the source gives none."""
        value = dict(item.value)
        if seq is not None:
            value["seq"] = str(seq)
        if value.get("id") is None:
            value["id"] = hashlib.sha256(
                repr(sorted(item.value.items())).encode("utf-8", "replace")
            ).hexdigest()
        found = self._source.profile.record(replace(item, value=value))
        return found if not isinstance(found, Reject) or seq is None else replace(found, seq=seq)

    # By time

    async def _by_time(self, stand: Stand) -> AsyncGenerator[Batch | SnapshotDue | SnapshotSource, None]:
        while True:
            self._beat()
            began, number = self._clock.monotonic(), self._numbers.next_round(stand.round)
            try:
                gathered, now_ms = await self.gather(stand)
            except TooMany:
                if self._requests.snapshot is None:
                    raise FeedFault(f"{_TOO_MANY}; a full of another feed must come first") from None
                yield SnapshotDue(SnapshotCause.GAP, f"{_TOO_MANY}; the whole stock is read")
                return
            async with aclosing(self._parts(stand, gathered, now_ms, number)) as parts:
                async for batch in parts:
                    yield batch
            for full in self._fulls(stand):
                yield full
            await self._rest_since(began)

    async def _parts(
        self, stand: Stand, gathered: Round, now_ms: int, number: int
    ) -> AsyncGenerator[Batch, None]:
        """What of a round is news, in parts; one without records where nothing is."""
        before = stand.encode()
        rows = list(gathered.news())
        indexes = count()
        for chunk, last in _chunks(rows, self._options.page_limit):
            read = await _aside(len(chunk), partial(self._told_of, chunk, number, indexes))
            # From here to the batch nothing waits: what is remembered as told is told.
            if last:
                self.pass_by(stand, gathered, now_ms)
            for row in chunk:
                gathered.remember(row)
            if rows or self._notes(stand, number):
                stand.round = number
            batch = self._batch(stand, *sort_read(read), more=not last)
            yield batch
            self._kept(batch, before)

    def _told_of(self, rows: Sequence[Row], number: int, indexes: Iterator[int]) -> list[Record | Reject]:
        return [self._record(row.item, place(number, next(indexes))) for row in rows]

    async def gather(self, stand: Stand) -> tuple[Round, int]:
        """Read all that changed since; the rows, and the source's own clock (ours where it tells none), UTC milliseconds.

        Raises FeedFault, TooMany.
        """
        listing, times = self._requests.changes, self._requests.times
        now_ms = self._clock.wall_ms()
        known = {"since": times.write(stand.since_ms), "until": times.write(now_ms + DAY_MS)}
        gathered = Round(stand.memory, stand.since_ms)
        dates: list[int] = []
        for name in self._options.locations if "location" in listing.ask.names else ("",):
            where = {"location": name} if name else {}
            async with aclosing(self._lists.pages(listing, **known, **where)) as sheets:
                async for sheet in sheets:
                    dates += [] if sheet.date_ms is None else [sheet.date_ms]
                    await _aside(len(sheet.items), partial(gathered.take_all, sheet.items))
        return gathered, min(dates, default=now_ms)

    def pass_by(self, stand: Stand, gathered: Round, now_ms: int) -> None:
        """Move on behind a round, never beyond the source's own clock: what follows has a time before that.

        A slip of the keyboard would lead there, a clock of ours that is ahead, or one of the source's that was set back.
        """
        stand.newest_ms = min(max(stand.newest_ms, gathered.newest_ms or 0), now_ms)
        stand.memory.forget_before(stand.since_ms)

    # As a whole

    async def _as_a_whole(self, stand: Stand) -> AsyncGenerator[SnapshotSource, None]:
        while True:
            began = self._clock.monotonic()
            stand.round = self._numbers.next_round(stand.round)
            yield self.whole(self._requests.changes, replace(stand), self._options.locations)
            self._numbers.kept()
            await self._rest_since(began)

    def whole(self, listing: Listing, stand: Stand, locations: Sequence[str]) -> ForeignSnapshot:
        """The whole stock as a listing shows it, behind which reading goes on from the stand."""
        name, told = self._options.name, self._told
        return ForeignSnapshot(name, self._source, listing, self._lists, stand, locations, told)


async def _aside(records: int, work: Callable[[], T]) -> T:
    """Do what takes long in a thread: nothing else of the program stands still meanwhile."""
    return work() if records < ASIDE_RECORDS else await asyncio.to_thread(work)


def _chunks(rows: Sequence[Row], size: int) -> Iterable[tuple[Sequence[Row], bool]]:
    """Cut into parts, each with whether it is the last; one empty part where there is nothing."""
    if not rows:
        yield (), True
    for start in range(0, len(rows), size):
        yield rows[start : start + size], start + size >= len(rows)


def _id(item: Mapped) -> str:
    """A record with an id of its own, as it was told; "" where it has none.

    What it says belongs to it: an id that a profile takes from the wrong field must not swallow a change.
    """
    own = item.value.get("id")
    if not isinstance(own, str):
        return ""
    return hashlib.sha256(own.encode("utf-8", "replace") + b"\n" + item.payload).hexdigest()[:_ID_BYTES]


def _digest(items: Iterable[Mapped]) -> str:
    told = hashlib.sha256()
    for item in items:
        told.update(hashlib.sha256(item.payload).digest())
    return told.hexdigest()[: 2 * _ID_BYTES]


def _is_true(sheet: Sheet, path: str) -> bool:
    found = sheet.told(path)
    return (
        found is True
        or (isinstance(found, str) and found.strip().lower() in {"true", "1", "y", "yes"})
        or found == 1
    )
