"""One snapshot read over HTTP, page by page (r247/1, section 2, "Snapshot"). Holds one page at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from archsyncd.adapters.r247_pull.caller import Answer, Call, Caller
from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.adapters.r247_pull.refusal import ACCEPTED, OK, refusal
from archsyncd.adapters.r247_pull.rounds import Rounds
from archsyncd.domain.feed import Outcome, SnapshotEnd, SnapshotHead, SnapshotPage, SnapshotStatus
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.commercetools.exchange import retry_after_seconds
from archsyncd.wire.r247_answers import SnapshotPending, StockPage, read_stock_page
from archsyncd.wire.r247_values import Unreadable

EMPTY_PAGES_LIMIT: Final = 100
REST_SECONDS: Final = 10.0
READ_ASIDE_BYTES: Final = 256 * 1024


async def stock_page(answer: Answer) -> StockPage | SnapshotPending:
    """Read a page of stock from an answer. Raises FeedFault when it is none."""
    if answer.status not in {OK, ACCEPTED}:
        raise refusal(answer)
    try:
        if len(answer.body) < READ_ASIDE_BYTES:
            return read_stock_page(answer.body)
        return await asyncio.to_thread(read_stock_page, answer.body)
    except Unreadable as fault:
        raise FeedFault(f"{answer.told}: {fault.reason}") from None


class PullSnapshot:
    """A `SnapshotSource` over the pages behind `path`.

    `cursor_before` is the feed's head as it was before the snapshot was asked for: where to go on when the snapshot
    itself does not say.
    """

    def __init__(
        self,
        caller: Caller,
        options: PullOptions,
        clock: Clock,
        beat: Callable[[], None],
        path: str,
        locations: Sequence[str],
        cursor_before: str | None,
    ) -> None:
        self._caller = caller
        self._options = options
        self._clock = clock
        self._beat = beat
        self._path = path
        self._locations = tuple(locations)
        self._cursor_before = cursor_before
        self._first: StockPage | None = None
        self._last: StockPage | None = None

    async def head(self) -> SnapshotHead:
        """Read the first page, waiting until the source is ready. Raises FeedFault."""
        first = await self._first_page()
        cursor = first.cursor or self._cursor_before
        if cursor is None:
            raise FeedFault(f"{self._path}: neither the snapshot nor the feed tells where to go on after it")
        return SnapshotHead(
            feed=self._options.name,
            epoch=first.epoch,
            snapshot_id=first.snapshot_id or f"stock-{first.seq_at}",
            seq_at=first.seq_at,
            cursor=cursor,
            as_of=first.as_of,
            locations=self._locations,
            keeps_place=True,
        )

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        """Yield page after page. Raises FeedFault when one is missing or belongs to something else."""
        page, rounds, items, empty = await self._first_page(), Rounds(), 0, 0
        while True:
            items += len(page.items) + len(page.rejects)
            empty = 0 if page.items or page.rejects else empty + 1
            yield SnapshotPage(page.items, page.rejects)
            if page.next_page is None:
                self._last = page
                return
            if page.complete:
                raise FeedFault(f"{self._path}: complete, and yet another page follows")
            if rounds.repeats(page.next_page) or empty > EMPTY_PAGES_LIMIT:
                raise FeedFault(f"{self._path}: its pages lead in a circle")
            if items > self._options.snapshot_items_limit:
                raise FeedFault(f"{self._path}: more than {self._options.snapshot_items_limit} items")
            page = await self._page(page.next_page)

    def end(self) -> SnapshotEnd:
        """Tell the trailer; what was cut off, or has no count, is not complete."""
        last = self._last
        if last is None or last.records is None:
            return SnapshotEnd(complete=False)
        return SnapshotEnd(last.complete, last.records, last.sum_on_hand)

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Do nothing: over HTTP a source is not told."""

    async def _first_page(self) -> StockPage:
        deadline = self._clock.monotonic() + self._options.snapshot_wait_seconds
        while self._first is None:
            answer = await self._ask(None)
            found = await stock_page(answer)
            if isinstance(found, StockPage):
                self._first = found
                break
            told = retry_after_seconds(answer.retry_after, answer.date)
            pause = max(self._options.snapshot_poll_seconds, told or 0.0)
            if self._clock.monotonic() + pause > deadline:
                raise FeedFault(f"{self._path}: not ready within {self._options.snapshot_wait_seconds:g} s")
            await self._rest(pause)
        return self._first

    async def _rest(self, seconds: float) -> None:
        """Wait as long as the source asks for, which is no standstill."""
        while seconds > 0:
            self._beat()
            await self._clock.sleep(min(seconds, REST_SECONDS))
            seconds -= REST_SECONDS

    async def _page(self, token: str) -> StockPage:
        answer = await self._ask(token)
        page, first = await stock_page(answer), await self._first_page()
        if isinstance(page, SnapshotPending):
            raise FeedFault(f"{answer.told}: pending again after its first page")
        if (page.snapshot_id, page.epoch, page.feed) != (first.snapshot_id, first.epoch, first.feed):
            raise FeedFault(f"{answer.told}: a page of another snapshot")
        # A list without an id may be read while stock moves; a snapshot stands still.
        moved = page.seq_at != first.seq_at if first.snapshot_id else page.seq_at < first.seq_at
        if moved:
            raise FeedFault(f"{answer.told}: a page of another moment")
        return page

    async def _ask(self, token: str | None) -> Answer:
        self._beat()
        query = [("limit", str(self._options.snapshot_page_limit))]
        if token is not None:
            query.insert(0, ("page", token))
        return await self._caller.ask(Call("GET", self._path, tuple(query)))
