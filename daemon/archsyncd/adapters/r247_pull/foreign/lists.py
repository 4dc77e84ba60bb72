"""Lists of a foreign source, page by page, each answer read by its profile. Knows no position and no mode."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from archsyncd.adapters.r247_pull.caller import Answer, Call
from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.adapters.r247_pull.refusal import OK, refusal
from archsyncd.adapters.r247_pull.rounds import Rounds
from archsyncd.adapters.r247_pull.snapshot import EMPTY_PAGES_LIMIT, READ_ASIDE_BYTES
from archsyncd.domain.feed import SnapshotCause, SnapshotDue
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.commercetools.exchange import server_ms
from archsyncd.wire.foreign.asking import Filled
from archsyncd.wire.foreign.following import Next, own_link, value_or_none
from archsyncd.wire.foreign.places import READINGS_FROM
from archsyncd.wire.foreign.section import Listing
from archsyncd.wire.foreign.source import Source
from archsyncd.wire.profile.contract import Mapped
from archsyncd.wire.r247_values import Literal, Unreadable

T = TypeVar("T")
PAGES_LIMIT: Final = 1_000_000
_ACCEPTS: Final = {"xml": "application/xml", "csv": "text/csv", "ndjson": "application/x-ndjson"}
_NO_CONTENT: Final = 204


@dataclass(frozen=True, slots=True)
class Sheet:
    """One answer. `count`: its records, those that the profile passes over included. `date_ms`: the source's own clock."""

    items: tuple[Mapped, ...]
    count: int
    value: Callable[[str], Any]
    answer: Answer
    date_ms: int | None

    def told(self, path: str) -> Any:
        """The value at a path of the answer. Raises Unreadable."""
        return value_or_none(self.value, path)

    def following(self, follow: Next, base: str) -> str | None:
        """The value with which to go on, or a link that leads below `base`. Raises FeedFault."""
        last = self.items[-1].value if self.items else None

        def find() -> str | None:
            found = follow.find(self.told, self.answer.headers.get, last)
            if found is not None and follow.link:
                own_link(found, base)
            return found

        return _sound(self.answer, find)

    def number(self, path: str) -> int:
        """The whole number at a path of the answer. Raises FeedFault."""
        found = _sound(self.answer, lambda: self.told(path))
        text = found.text if isinstance(found, Literal) else str(found)
        if isinstance(found, bool) or not (text.isascii() and text.isdigit() and len(text) < 19):  # noqa: PLR2004 - within int64
            raise FeedFault(f"{self.answer.told}: {path} is no whole number")
        return int(text)


def _sound(answer: Answer, read: Callable[[], T]) -> T:
    try:
        return read()
    except Unreadable as fault:
        raise FeedFault(f"{answer.told}: {fault.reason}") from None


class Asks(Protocol):
    """Whoever makes the calls."""

    async def ask(self, call: Call) -> Answer:
        """Call and read the whole answer, whatever its status. Raises FeedFault."""
        ...


class Lists:
    """Asks for lists. Everything that goes wrong is a FeedFault."""

    def __init__(self, caller: Asks, options: PullOptions, source: Source, beat: Callable[[], None]) -> None:
        self._caller = caller
        self._options = options
        self._source = source
        self._beat = beat
        self._accept = source.requests.accept or _ACCEPTS.get(source.profile.form, "application/json")

    def values(self, listing: Listing, **known: str) -> Mapping[str, str]:
        """What can be filled in: how many are asked for, and what is known."""
        return {"limit": str(listing.pages.limit or self._options.page_limit), **known}

    async def call(self, filled: Filled) -> Answer:
        """Send one request, whatever its answer."""
        body = filled.body
        call = Call(filled.method, filled.path, filled.query, body, self._accept, headers=filled.headers)
        return await self._caller.ask(call)

    async def ask(self, listing: Listing, values: Mapping[str, str], link: str | None = None) -> Answer:
        """Ask for one page, by its template or, where the source told one, by a link."""
        try:
            filled = listing.ask.fill(values)
            if link is not None:
                place = own_link(link, self._options.base)
                filled = Filled("GET", place.path, place.query, filled.headers)
        except ValueError as fault:
            raise FeedFault(f"{listing.where}: {fault}") from None
        except Unreadable as fault:
            raise FeedFault(f"{listing.where}: {fault.reason}") from None
        return await self.call(filled)

    async def read(self, listing: Listing, answer: Answer) -> Sheet:
        """Read one page from its answer."""
        if answer.status == _NO_CONTENT:
            return Sheet((), 0, lambda path: None, answer, server_ms(answer.date))  # noqa: ARG005 - nothing is told
        if answer.status != OK:
            raise refusal(answer)
        shape = self._source.shape_of(listing)
        try:
            if len(answer.body) < READ_ASIDE_BYTES:
                read = shape.read(answer.body)
            else:
                read = await asyncio.to_thread(shape.read, answer.body)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None
        count = len(read.items) + read.passed_over
        if count >= READINGS_FROM:
            raise FeedFault(f"{answer.told}: more than {READINGS_FROM - 1} records at once")
        return Sheet(read.items, count, read.value, answer, server_ms(answer.date))

    def due(self, answer: Answer) -> SnapshotDue | None:
        """Whether the source says that our cursor leads nowhere any more."""
        if answer.status not in self._source.requests.expired:
            return None
        return SnapshotDue(SnapshotCause.CURSOR_EXPIRED, answer.told)

    def following(self, sheet: Sheet, follow: Next) -> str | None:
        """The value with which to go on behind a page, or a link that leads below the feed's url. Raises FeedFault."""
        return sheet.following(follow, self._options.base)

    async def pages(self, listing: Listing, **known: str) -> AsyncGenerator[Sheet, None]:
        """Yield a list to its end. Raises FeedFault where it is cut off, never ends or leads in a circle."""
        paging = _Paging(listing, int(self.values(listing)["limit"]), self._options.base)
        while True:
            self._beat()
            values = self.values(listing, **known, **paging.known())
            sheet = await self.read(listing, await self.ask(listing, values, paging.link))
            ended = paging.passed(sheet)
            if paging.seen > self._options.snapshot_items_limit:
                raise FeedFault(f"{listing.where}: more than {self._options.snapshot_items_limit} records")
            yield sheet
            if ended:
                return


class _Paging:
    """Where reading a list stands, and whether it has ended."""

    def __init__(self, listing: Listing, limit: int, base: str) -> None:
        self._base = base
        self._pages = listing.pages
        self._limit = limit
        self._limited = "limit" in listing.ask.names or listing.pages.limit is not None
        self._where = listing.where
        self._rounds = Rounds()
        self._token: str | None = None
        self._page = 0
        self._empty = 0
        self._before = b""
        self._total: int | None = None
        self.seen = 0
        self.link: str | None = None

    def known(self) -> Mapping[str, str]:
        """What there is to be filled in for the next page."""
        pages = self._pages
        if pages.by == "number":
            return {"page": str(pages.first + self._page)}
        if pages.by == "offset":
            return {"page": str(pages.first + self.seen)}
        return {} if self._token is None else {"page": self._token}

    def passed(self, sheet: Sheet) -> bool:
        """Take a page; whether it was the last. Raises FeedFault."""
        self._page += 1
        self.seen += sheet.count
        if self._pages.by == "one":
            return self._alone(sheet)
        if self._page > PAGES_LIMIT:
            raise FeedFault(f"{self._where}: more than {PAGES_LIMIT} pages")
        if self._pages.by == "next":
            return self._followed(sheet)
        return self._counted(sheet)

    def _alone(self, sheet: Sheet) -> bool:
        # A source that cuts its answers and nobody knows how: what is missing would never be asked for.
        if self._limited and sheet.count >= self._limit > 1:
            raise FeedFault(
                f"{sheet.answer.told}: holds {sheet.count} records, exactly as many as were asked for, and the profile does "
                f"not say how the rest is read ({self._where}.pages)"
            )
        return True

    def _followed(self, sheet: Sheet) -> bool:
        follow = self._pages.next
        assert follow is not None
        token = sheet.following(follow, self._base)
        if token is None:
            return True
        self._empty = 0 if sheet.count else self._empty + 1
        if self._rounds.repeats(token) or self._empty > EMPTY_PAGES_LIMIT:
            raise FeedFault(f"{self._where}: its pages lead in a circle")
        self.link, self._token = (token, None) if follow.link else (None, token)
        return False

    def _counted(self, sheet: Sheet) -> bool:
        digest = hashlib.sha256(sheet.answer.body).digest()
        if sheet.count and digest == self._before:
            raise FeedFault(
                f"{sheet.answer.told}: says what the page before it says; does it know the page it is asked for?"
            )
        self._before = digest
        if self._pages.total is not None:
            total = sheet.number(self._pages.total)
            if self._total not in (None, total):
                # Rows have moved from page to page: one may have been read twice and another one never.
                raise FeedFault(
                    f"{sheet.answer.told}: of {total} records, and of {self._total} a page before: it moved"
                )
            self._total = total
            if self.seen < total and not sheet.count:
                raise FeedFault(f"{sheet.answer.told}: its pages end at {self.seen} of {total} records")
            return self.seen >= total
        if self._pages.until == "short":
            return sheet.count < self._limit
        return not sheet.count
