"""A source over HTTP that is read by a profile, held against what its way of asking needs. Asks with the daemon's own lists.

Every request is one that the profile describes; orders are never asked for. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from archsyncd.adapters.r247_pull.caller import Answer, Call
from archsyncd.adapters.r247_pull.foreign.changes import DAY_MS
from archsyncd.adapters.r247_pull.foreign.lists import Lists, Sheet
from archsyncd.adapters.r247_pull.options import PullOptions
from archsyncd.adapters.r247_pull.refusal import NOT_OFFERED
from archsyncd.conformance.asking import OK, REFUSED, Asker, NoMore, Source, Useless
from archsyncd.conformance.dialects import asked_rules, promised_by_requests
from archsyncd.conformance.findings import Evidence, Notebook, Report, number
from archsyncd.conformance.pull import SKEW_SECONDS, Wishes
from archsyncd.conformance.records import RecordBook, shown
from archsyncd.conformance.rows import Key, Told, alike, compare, key_of, typed
from archsyncd.domain.feed import Reject
from archsyncd.domain.times import rfc3339
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.foreign.overlap import checked, row_time_ms
from archsyncd.wire.foreign.section import CURSOR, OVERLAP, PAGE, Listing
from archsyncd.wire.foreign.source import Source as Dialect
from archsyncd.wire.profile.contract import Mapped

# Times are written to the minute at worst; beyond that it is a zone, or a clock that is wrong.
AHEAD_MS: Final = 120_000


async def verify_foreign(
    source: Source, named: str, wishes: Wishes, clock: Clock, dialect: Dialect, options: PullOptions
) -> Report:
    """Ask everything that the profile describes. Never raises for what the source does wrong."""
    notebook = Notebook()
    asker = Asker(
        source, clock, notebook, requests_limit=wishes.requests_limit, seconds_limit=wishes.seconds_limit
    )
    promised_by_requests(dialect.profile, dialect.requests, notebook)
    questions = Questions(asker, clock, notebook, wishes, dialect, options)
    why = await questions.all()
    otherwise = why if asker.answered else f"the source gave no usable answer: {why}"
    findings = notebook.findings(asked_rules(dialect.profile, dialect.requests), otherwise)
    return Report(named, findings, asker.requests, asker.seconds, reached=asker.answered > 0)


class _Watched:
    """Calls within the limits of an Asker, for the daemon's own lists."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self.last: Call | None = None

    async def ask(self, call: Call) -> Answer:
        """Ask. Raises Useless, NoMore."""
        self.last = self.last or call
        reply = await self._asker.sent(call)
        told = f"{reply.asked} {reply.status}"
        return Answer(
            reply.status, reply.body, told, reply.content_type, reply.retry_after, reply.date, reply.headers
        )


class Questions:
    """The questions to one source."""

    def __init__(
        self,
        asker: Asker,
        clock: Clock,
        notebook: Notebook,
        wishes: Wishes,
        dialect: Dialect,
        options: PullOptions,
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._notebook = notebook
        self._wishes = wishes
        self._dialect = dialect
        self._requests = dialect.requests
        self._options = options
        self._calls = _Watched(asker)
        self._lists = Lists(self._calls, options, dialect, lambda: None)
        self._book = RecordBook(notebook)
        self._changes = Told()
        self._cursor: str | None = None
        self._newest: tuple[int, Key] | None = None

    async def all(self) -> str:
        """Ask; why what was not asked was not."""
        why = "what it rests on could not be asked"
        steps: Sequence[Callable[[], Awaitable[None]]] = (
            self._follow,
            self._stock,
            self._since,
            self._old_cursor,
            self._without_credential,
        )
        for step in steps:
            try:
                await step()
            except (Useless, FeedFault) as useless:
                why = useless.reason if isinstance(useless, FeedFault) else str(useless)
                if isinstance(useless, FeedFault):
                    self._notebook.fails("lists_readable", why, Evidence(why))
                if not self._asker.answered:
                    break
            except NoMore as no_more:
                why = str(no_more)
                break
        self._book.judge()
        self._besides()
        return why

    # What every list shows

    def _values(self, listing: Listing, **known: str) -> Mapping[str, str]:
        return self._lists.values(listing, **{**self._place(listing), **known})

    def _place(self, listing: Listing) -> dict[str, str]:
        """The first location, where lists are asked for one by one."""
        where = self._options.locations
        return {"location": where[0]} if "location" in listing.ask.names and where else {}

    def _take(self, told: Told, listing: Listing, sheet: Sheet) -> None:
        """Take in one page."""
        self._notebook.holds("lists_readable", "each list was read by the profile")
        told.asked, told.count = sheet.answer.told, told.count + sheet.count
        timed = self._requests.mode == OVERLAP and listing is self._requests.changes
        found = [checked(item) for item in sheet.items] if timed else list(sheet.items)
        items, rejects = [item for item in found if not item.faults], list(self._rejects(listing, found))
        values = [typed(item.value) for item in items]
        self._book.look(told.asked, values, [shown(one) for one in values], rejects)
        for item, value in zip(items, values, strict=True):
            if str(value.get("type", "")).startswith("stock."):
                told.rows[key_of(value)] = value
            self._time(item, sheet, value)

    def _rejects(self, listing: Listing, items: Iterable[Mapped]) -> Iterable[Reject]:
        shape = self._dialect.shape_of(listing)
        for item in items:
            value = {**typed(item.value), "id": item.value.get("id") or "verify", "seq": "1"}
            found = shape.record(replace(item, value=value))
            if isinstance(found, Reject):
                yield found

    def _time(self, item: Mapped, sheet: Sheet, value: Mapping[str, Any]) -> None:
        at_ms = row_time_ms(item)
        if at_ms is None or sheet.date_ms is None:
            return
        if self._newest is None or at_ms > self._newest[0]:
            self._newest = (at_ms, key_of(value))
        ahead = at_ms - sheet.date_ms
        says = f"a time is {ahead / 1000:.0f} s ahead of the source's own clock"
        held = "no time was ahead of the source's own clock"
        seen = Evidence(sheet.answer.told, f"{rfc3339(at_ms)}: {shown(dict(value))}")
        self._notebook.judge("times_fit", ahead <= AHEAD_MS, held, says, seen)
        skew = abs(sheet.date_ms - self._clock.wall_ms()) / 1000
        says = f"the source's clock and this machine's are {skew:.0f} s apart"
        self._notebook.judge("clock_skew", skew <= SKEW_SECONDS, says, says, Evidence(sheet.answer.told))

    async def _pages(self, listing: Listing, **known: str) -> Told:
        """Read a list, page by page, as far as it is asked for. Raises Useless, NoMore."""
        told, pages, place = Told(), 0, self._place(listing)
        try:
            async with aclosing(self._lists.pages(listing, **known, **place)) as sheets:
                async for sheet in sheets:
                    self._take(told, listing, sheet)
                    pages += 1
                    if pages >= self._wishes.pages_most:
                        told.whole = False
                        break
        except FeedFault as fault:
            rule = "lists_readable" if told.count == 0 else "pages_whole"
            self._notebook.fails(rule, fault.reason, Evidence(told.asked or listing.where, fault.reason))
            told.whole = False
            return told
        await self._short(listing, told, **known, **place)
        return told

    async def _short(self, listing: Listing, told: Told, **known: str) -> None:
        """Whether something follows a list that was taken for ended as its last page was short."""
        pages = listing.pages
        if not told.whole or told.count == 0:
            return
        if pages.by in {"number", "offset"} and pages.until == "short":
            limit = int(self._values(listing)["limit"])
            page = pages.first + (told.count // limit + 1 if pages.by == "number" else told.count)
            values = self._values(listing, **{**known, "page": str(page)})
            answer = await self._lists.ask(listing, values)
            beyond = (await self._lists.read(listing, answer)).count if answer.status == OK else 0
            says = f"{number(beyond, 'row')} behind a page that is shorter than the {limit} asked for"
            self._notebook.judge(
                "pages_whole", not beyond, "nothing followed the last page", says, Evidence(answer.told)
            )
        else:
            self._notebook.holds("pages_whole", f"{number(told.count, 'row')}, read to the end")

    # By cursor

    async def _follow(self) -> None:
        if self._requests.mode != CURSOR:
            return
        listing, follow = self._requests.changes, self._requests.next
        assert follow is not None
        cursor, first = self._requests.start, None
        for _ in range(self._wishes.pages_most):
            sheet = await self._change(cursor)
            self._take(self._changes, listing, sheet)
            first = first or (cursor, sheet)
            found = self._lists.following(sheet, follow)
            if sheet.count and (found is None or found == cursor):
                # A list that ends may be asked for the same page again until something is added to it.
                self._changes.whole = sheet.count < int(self._values(listing)["limit"])
                says = f"{number(sheet.count, 'record')} and no way on behind them"
                self._notebook.judge("goes_on", self._changes.whole, says, says, Evidence(sheet.answer.told))
                break
            if found is None or found == cursor:
                break
            cursor = found
            self._notebook.holds("goes_on", "each page said how to go on")
        else:
            self._changes.whole = False
        self._cursor = cursor
        await self._repeated(*first)  # type: ignore[misc]

    async def _change(self, cursor: str | None) -> Sheet:
        listing, follow = self._requests.changes, self._requests.next
        link = (
            cursor
            if cursor and follow is not None and follow.link and cursor != self._requests.start
            else None
        )
        known = {"cursor": cursor} if cursor and link is None else {}
        return await self._lists.read(
            listing, await self._lists.ask(listing, self._values(listing, **known), link)
        )

    async def _repeated(self, cursor: str | None, first: Sheet) -> None:
        again = await self._change(cursor)
        told, now = ([item.payload for item in sheet.items] for sheet in (first, again))
        kept = now[: len(told)] == told
        says = (
            f"the first page told {number(len(told), 'record')}, and other ones when it was asked for again"
        )
        held = f"{number(len(told), 'record')} told twice alike"
        self._notebook.judge("list_repeatable", kept, held, says, Evidence(again.answer.told))

    async def _old_cursor(self) -> None:
        if self._requests.mode != CURSOR:
            return
        if not self._wishes.old_cursor:
            why = "nobody can make an expired cursor; give one that is older than what is kept with --old-cursor"
            self._notebook.unasked("cursor_expires", why)
            return
        listing = self._requests.changes
        answer = await self._lists.ask(listing, self._values(listing, cursor=self._wishes.old_cursor))
        says = f"an old cursor is answered with {answer.status}"
        well = self._lists.due(answer) is not None
        self._notebook.judge("cursor_expires", well, says, says, Evidence(answer.told))

    # By time

    async def _since(self) -> None:
        """Whether the source understands the time that it is asked with."""
        if self._requests.mode != OVERLAP:
            return
        listing, times, now_ms = self._requests.changes, self._requests.times, self._clock.wall_ms()
        tomorrow = {"since": times.write(now_ms + DAY_MS), "until": times.write(now_ms + 2 * DAY_MS)}
        later = await self._pages(listing, **tomorrow)
        says = f"{number(later.count, 'row')} listed as changed since tomorrow"
        self._notebook.judge("since_honoured", not later.count, says, says, Evidence(later.asked))
        if self._newest is None:
            self._notebook.unasked("since_finds", "no row told its time")
            return
        at_ms, key = self._newest
        since_ms = max(at_ms - self._requests.overlap_ms, 1)
        known = {"since": times.write(since_ms), "until": times.write(now_ms + DAY_MS)}
        found = await self._pages(listing, **known)
        says = (
            f"{key[0]} at {key[1]}, of {rfc3339(at_ms)}, {'was' if key in found.rows else 'was not'} listed"
        )
        if key in found.rows or found.whole:
            self._notebook.judge("since_finds", key in found.rows, says, says, Evidence(found.asked))
        self._changes = found
        compare(self._notebook, self._full, found)

    # The whole stock, and single SKUs

    _full: Told | None = None

    async def _stock(self) -> None:
        requests = self._requests
        listing = requests.changes if requests.mode == PAGE else requests.snapshot
        if listing is None:
            self._notebook.promise(
                "stock_readable", False, "the profile does not say how it is asked for (request.snapshot)"
            )
            self._notebook.unasked("single_agrees", "this profile reads no whole stock to hold them against")
            return
        self._full = full = await self._pages(listing)
        well = full.count > 0
        says = f"{number(full.count, 'row')} of stock"
        self._notebook.judge("stock_readable", well, says, says, Evidence(full.asked))
        alone = await self._singles(full)
        moved = await self._moved() if requests.mode == CURSOR else Told()
        if requests.mode == CURSOR:
            still = {key: row for key, row in self._changes.rows.items() if key not in moved.rows}
            compare(self._notebook, full, replace(self._changes, rows=still, whole=moved.whole))
        if requests.key is not None:
            still = {key: row for key, row in alone.items() if key not in moved.rows}
            told = requests.mode == CURSOR and moved.whole
            alike(self._notebook, "single_agrees", full.rows, still, requests.key.where, told=told)

    async def _moved(self) -> Told:
        """What changed while the stock was read, so that it may show either figure. Raises Useless, NoMore, FeedFault."""
        follow, cursor, told = self._requests.next, self._cursor, Told(whole=False)
        assert follow is not None
        for _ in range(self._wishes.pages_most if self._changes.whole else 0):
            sheet = await self._change(cursor)
            self._take(told, self._requests.changes, sheet)
            found = self._lists.following(sheet, follow)
            if not sheet.count or found is None or found == cursor:
                told.whole = True
                break
            cursor = found
        return told

    async def _singles(self, full: Told) -> dict[Key, Mapping[str, Any]]:
        """Some SKUs, read alone."""
        listing, alone = self._requests.key, dict[Key, Mapping[str, Any]]()
        if listing is None:
            return alone
        for sku, _ in list(full.rows)[: self._wishes.singles]:
            answer = await self._lists.ask(listing, self._values(listing, sku=sku))
            if answer.status in NOT_OFFERED:
                says = f"{sku} is in the whole stock, and alone it is answered with {answer.status}"
                self._notebook.fails("single_agrees", says, Evidence(answer.told))
                return alone
            told = Told()
            self._take(told, listing, await self._lists.read(listing, answer))
            strange = [key for key in told.rows if key[0] != sku]
            if strange or not told.rows:
                says = f"asked for {sku} it tells of {strange[0][0] if strange else 'nothing'}"
                self._notebook.fails("single_agrees", says, Evidence(answer.told))
            alone |= {key: row for key, row in told.rows.items() if key in full.rows}
        return alone

    # Manners

    async def _without_credential(self) -> None:
        if not self._wishes.has_credential or self._calls.last is None:
            self._notebook.unasked("auth_required", "no credential was given to leave out; see --credential")
            return
        reply = await self._asker.once(self._calls.last, credential=False)
        says = f"a request without the credential is answered with {reply.status}"
        if reply.status == OK or reply.status in REFUSED:
            seen = reply.evidence(str(reply.status))
            self._notebook.judge("auth_required", reply.status in REFUSED, says, says, seen)

    def _besides(self) -> None:
        if self._newest is None:
            for name in ("times_fit", "clock_skew"):
                self._notebook.unasked(name, "no record tells a time beside the source's own clock (Date)")
