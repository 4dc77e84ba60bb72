"""The feed of one source over HTTP: long-polled pages or an NDJSON stream, look-ups, snapshots. Decides nothing."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from contextlib import aclosing

from archsyncd.adapters.r247_pull.caller import NDJSON, Answer, Call, Caller, Stream
from archsyncd.adapters.r247_pull.desk import PullDesk
from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.adapters.r247_pull.refusal import NOT_FOUND, NOT_OFFERED, OK, refusal, snapshot_due
from archsyncd.adapters.r247_pull.rounds import Rounds
from archsyncd.adapters.r247_pull.session import Sessions
from archsyncd.adapters.r247_pull.snapshot import READ_ASIDE_BYTES, PullSnapshot, stock_page
from archsyncd.adapters.r247_pull.stream import StreamReader
from archsyncd.domain.feed import Batch, KeyReading, OrderLookup, Outcome, SnapshotCause, SnapshotDue
from archsyncd.engine.ports import Clock, FeedFault, SnapshotSource
from archsyncd.wire.commercetools.exchange import path_segment
from archsyncd.wire.r247 import Page, read_page
from archsyncd.wire.r247_answers import (
    StockPage,
    read_locations,
    read_order_answer,
    read_problem,
    read_snapshot_answer,
)
from archsyncd.wire.r247_values import Unreadable

# A gateway that does not know the way says 404 as well; only the order desk's own word means "no such order".
_NO_WORD_ABOUT_THE_ORDER = frozenset({"", "not_offered", "not_found"})


def new_correlation_id() -> str:
    """Return a fresh id for one request, to find it again in the source's logs."""
    return secrets.token_hex(8)


class PullFeed:
    """A `Feed` over `r247/1` pull. One instance is read by one task; look-ups may run beside it."""

    def __init__(
        self,
        options: PullOptions,
        credential: Callable[[], str],
        clock: Clock,
        sessions: Sessions,
        beat: Callable[[], None],
        correlation: Callable[[], str] = new_correlation_id,
    ) -> None:
        """`beat` is called with every step of the reading; look-ups, which others make as well, leave it alone."""
        self._options = options
        self._clock = clock
        self._beat = beat
        self._sessions = sessions
        self._caller = Caller(options, credential, sessions, correlation)
        self._source_feed = options.source_feed
        self.desk = PullDesk(self._caller)

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self._options.name

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right."""
        return self._options.step_seconds

    @property
    def offers_lookup(self) -> bool:
        """Whether this source was said to answer look-ups."""
        return self._options.offers_lookup

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what follows the cursor. Without one a snapshot is due first: a source keeps a limited history."""
        if after is None:
            yield SnapshotDue(SnapshotCause.START, "nothing was read from this source yet")
            return
        read = self._streamed if self._options.stream else self._polled
        async with aclosing(read(after)) as reading:
            async for one in reading:
                yield one

    async def _polled(self, cursor: str) -> AsyncGenerator[Batch | SnapshotDue, None]:
        """Page by page. While more is ready, the next page is read before the one in hand is committed."""
        rounds = Rounds()
        ahead: asyncio.Task[Page | SnapshotDue] | None = None
        try:
            while True:
                self._beat()
                began = self._clock.monotonic()
                page = await (ahead or self._page_after(cursor))
                ahead = None
                if isinstance(page, SnapshotDue):
                    yield page
                    return
                stands = page.next == cursor
                if page.more and (stands or rounds.repeats(page.next)):
                    raise FeedFault("GET /v1/changes: its cursors lead in a circle")
                cursor = page.next
                if page.more:
                    ahead = asyncio.create_task(self._page_after(cursor))
                else:
                    rounds = Rounds()
                yield _batch(self.name, page)
                if stands or not (page.more or page.records or page.rejects):
                    # A source that does not wait with its answer must not be asked again at once.
                    await self._pause_since(began)
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _page_after(self, cursor: str) -> Page | SnapshotDue:
        answer = await self._caller.ask(self._changes(cursor, self._options.wait_seconds))
        return snapshot_due(answer) or await self._page(answer)

    async def _pause_since(self, began: float) -> None:
        left = self._options.pause_seconds - (self._clock.monotonic() - began)
        if left > 0:
            await self._clock.sleep(left)

    async def _streamed(self, cursor: str) -> AsyncGenerator[Batch | SnapshotDue, None]:
        while True:
            self._beat()
            began = self._clock.monotonic()
            async with self._caller.stream(
                self._changes(cursor, self._options.wait_seconds, accept=NDJSON)
            ) as stream:
                if not isinstance(stream, Stream):
                    due = snapshot_due(stream)
                    if due is None:
                        raise refusal(stream)
                    yield due
                    return
                reader = StreamReader(self._options, self._check_feed)
                while self._clock.monotonic() - began < self._options.stream_seconds:
                    self._beat()
                    data = await stream.read()
                    for batch in reader.take(data):
                        cursor = batch.checkpoint
                        yield batch
                    if not data:
                        break
            await self._pause_since(began)

    def _changes(self, cursor: str, wait_seconds: int, accept: str = "application/json") -> Call:
        options = self._options
        query = [("cursor", cursor), ("limit", str(options.page_limit)), ("wait", str(wait_seconds))]
        query += [("types", ",".join(options.types))] if options.types else []
        query += [("locations", ",".join(options.locations))] if options.locations else []
        return Call("GET", "/v1/changes", tuple(query), accept=accept, wait_seconds=wait_seconds)

    async def _page(self, answer: Answer) -> Page:
        if answer.status != OK:
            raise refusal(answer)
        try:
            if len(answer.body) < READ_ASIDE_BYTES:
                page = read_page(answer.body)
            else:
                page = await asyncio.to_thread(read_page, answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None
        self._check_feed(page.feed)
        return page

    def _check_feed(self, feed: str) -> None:
        """Refuse positions of another feed: they cannot be compared with ours. Raises FeedFault."""
        if self._source_feed is None:
            self._source_feed = feed
        elif feed != self._source_feed:
            raise FeedFault(f"another feed answers: {feed!r} instead of {self._source_feed!r}")

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:  # noqa: ARG002 - a pull source is not told
        """Tell a queueing source what is durable here (`POST /v1/ack`). Raises FeedFault; it may be told later."""
        if self._options.consumer is None:
            return
        body = {"consumer": self._options.consumer, "cursor": checkpoint}
        answer = await self._caller.ask(Call("POST", "/v1/ack", body=body))
        if answer.status not in {OK, 202, 204}:
            raise refusal(answer)

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource:
        """Ask for a snapshot; where none can be ordered the stock is listed. Raises FeedFault.

        The head of the feed is read before anything is asked for: what happens meanwhile must be read afterwards.
        """
        cursor_before = await self._head_cursor()
        self._beat()
        wanted = sorted(locations)
        body = {"locations": wanted or None, "skus": None}
        answer = await self._caller.ask(Call("POST", "/v1/snapshots", body=body))
        if answer.status in NOT_OFFERED:
            return self._snapshot("/v1/stock", wanted, cursor_before)
        if answer.status not in {OK, 201, 202}:
            raise refusal(answer)
        try:
            snapshot_id = read_snapshot_answer(answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None
        return self._snapshot(f"/v1/snapshots/{path_segment(snapshot_id)}", wanted, cursor_before)

    def _snapshot(self, path: str, locations: list[str], cursor_before: str | None) -> PullSnapshot:
        return PullSnapshot(
            self._caller, self._options, self._clock, self._beat, path, locations, cursor_before
        )

    async def _head_cursor(self) -> str | None:
        query = (("cursor", "now"), ("limit", "1"), ("wait", "0"))
        answer = await self._caller.ask(Call("GET", "/v1/changes", query))
        if snapshot_due(answer) is not None:
            return None  # it does not know `now`; then the snapshot itself must tell
        return (await self._page(answer)).next

    async def read_key(self, sku: str) -> KeyReading | None:
        """Read one SKU at all locations. None when the source offers no such read. Raises FeedFault."""
        answer = await self._caller.ask(Call("GET", f"/v1/stock/{path_segment(sku)}"))
        if answer.status in NOT_OFFERED:
            return None
        page = await stock_page(answer)
        whole = isinstance(page, StockPage) and page.complete and page.next_page is None
        if not isinstance(page, StockPage) or not whole:
            raise FeedFault(f"{answer.told}: only a part of the SKU's levels")
        if any(level.sku != sku for level in page.items):
            raise FeedFault(f"{answer.told}: levels of another SKU")
        if page.records not in (None, len(page.items) + len(page.rejects)):
            raise FeedFault(f"{answer.told}: not as many levels as it counts")
        return KeyReading(self.name, page.epoch, page.seq_at, page.items, page.rejects)

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        """Ask for an order. None only when the source itself says that it does not know it. Raises FeedFault."""
        answer = await self._caller.ask(Call("GET", f"/v1/orders/{path_segment(reference)}"))
        if answer.status == NOT_FOUND:
            if read_problem(answer.body).code in _NO_WORD_ABOUT_THE_ORDER:
                raise FeedFault(f"{answer.told}: says nothing of the order without a code", answered=True)
            return None
        if answer.status != OK:
            raise refusal(answer)
        try:
            return read_order_answer(answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None

    async def locations(self) -> tuple[str, ...]:
        """List the source's locations, to check the configured mapping. Raises FeedFault."""
        answer = await self._caller.ask(Call("GET", "/v1/locations"))
        if answer.status != OK:
            raise refusal(answer)
        try:
            return read_locations(answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None

    def trust(self, tls: ssl.SSLContext) -> None:
        """Verify the source's certificate with this from now on; connections in use keep theirs."""
        self._sessions.trust(tls)

    async def close(self) -> None:
        """Release connections."""
        await self._caller.close()


def _batch(name: str, page: Page) -> Batch:
    head = page.head
    return Batch(
        feed=name,
        epoch=page.epoch,
        records=page.records,
        rejects=page.rejects,
        checkpoint=page.next,
        more=page.more,
        head_seq=None if head is None else head.seq,
        head_at=None if head is None else head.at,
    )
