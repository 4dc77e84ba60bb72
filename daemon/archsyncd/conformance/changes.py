"""Reading a feed of changes forwards, again, and at its head: what the pages show (r247/1, section 2). Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.conformance.asking import OK, Asker, Query, Reply, Useless
from archsyncd.conformance.findings import Evidence, Notebook, number
from archsyncd.conformance.records import RecordBook, shown
from archsyncd.engine.ports import Clock
from archsyncd.wire.r247 import Page, read_page
from archsyncd.wire.r247_answers import read_problem
from archsyncd.wire.r247_json import decode_list_document
from archsyncd.wire.r247_values import SEQ_LIMIT_DIGITS, Unreadable

CHANGES: Final = "/v1/changes"
BAD_REQUEST, GONE = 400, 410
RECORDS_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Pages:
    """How much is read: so many records a page, so many pages at most."""

    limit: int
    most: int


@dataclass(slots=True)
class Walk:
    """What one reading told: each record by its seq, the cursors met, and whether it reached the head."""

    records: dict[int, Any] = field(default_factory=dict)
    next: str | None = None
    first_page: Page | None = None
    last_page: Page | None = None
    at_head: bool = False
    broken: bool = False

    @property
    def newest(self) -> int | None:
        """The largest seq that it told."""
        return max(self.records, default=None)


@dataclass(frozen=True, slots=True)
class Answered:
    """A page, its records as JSON values, and the reply that it came in."""

    page: Page
    items: list[Any]
    reply: Reply


class Reader:
    """Reads pages of changes and takes down what each of them shows beside its records."""

    def __init__(self, asker: Asker, clock: Clock, notebook: Notebook, book: RecordBook) -> None:
        self._asker = asker
        self._clock = clock
        self._notebook = notebook
        self._book = book
        self._feed: tuple[str, str] | None = None
        # The newest page, the reply that it came in, and when that was by our own clock.
        self.newest: tuple[Page, Reply, int] | None = None

    @property
    def epoch(self) -> str:
        """The epoch that the first page told; empty before."""
        return "" if self._feed is None else self._feed[1]

    async def page(self, cursor: str | None, limit: int, *, wait: int | None = None) -> Answered | None:
        """Read one page; None when it cannot be used, which is taken down. Raises Useless, NoMore."""
        query: Query = () if cursor is None else (("cursor", cursor),)
        query = (*query, ("limit", str(limit)), *(() if wait is None else (("wait", str(wait)),)))
        reply = await self._asker.get(CHANGES, query, wait_seconds=float(wait or 0))
        if reply.status != OK:
            self._refused(reply, cursor)
            return None
        if cursor is not None:
            self._notebook.holds("next_followed", "every `next` was taken as a cursor")
        self._notebook.holds("retention", "no cursor that was just handed out had expired")
        return self._read(reply)

    def _refused(self, reply: Reply, cursor: str | None) -> None:
        code = read_problem(reply.body).code
        if reply.status == GONE and code == "epoch_changed":
            says = "the source says that its epoch changed while it was read"
            self._notebook.fails("epoch_constant", says, reply.evidence())
        elif reply.status == GONE:
            said = "a cursor that was just handed out" if cursor else "reading from the oldest record"
            self._notebook.fails("retention", f"{said} is refused as expired", reply.evidence())
        elif cursor is None:
            says = f"reading from the oldest record is answered with {reply.status}"
            self._notebook.fails("page_readable", says, reply.evidence())
        else:
            name = "cursor_now" if cursor == "now" else "next_followed"
            self._notebook.fails(name, f"the cursor is refused with {reply.status} {code}", reply.evidence())

    def _read(self, reply: Reply) -> Answered | None:
        try:
            page = read_page(reply.body)
            items = [item.value for item in decode_list_document(reply.body, "items")[1]]
        except Unreadable as fault:
            self._unreadable(reply, fault)
            return None
        self._notebook.holds("page_readable", "every page could be read")
        self._notebook.holds("next_always", "every page had a `next`")
        self._same_feed(page, reply)
        self._marks(page, reply)
        self._book.look(reply.asked, items, [_place(page, item) for item in items], page.rejects)
        self.newest = (page, reply, self._clock.wall_ms())
        return Answered(page, items, reply)

    def _unreadable(self, reply: Reply, fault: Unreadable) -> None:
        try:
            members: Mapping[str, Any] = decode_list_document(reply.body, "items")[0]
        except Unreadable:
            members = {"next": ""}
        name = "page_readable" if "next" in members and members["next"] is not None else "next_always"
        self._notebook.fails(name, fault.reason, reply.evidence())

    def _same_feed(self, page: Page, reply: Reply) -> None:
        told = (page.feed, page.epoch)
        first = self._feed = self._feed or told
        says = f"feed {page.feed}, epoch {page.epoch}"
        changed = f"feed and epoch were {', '.join(first)} and are {', '.join(told)} now"
        self._notebook.judge("epoch_constant", told == first, says, changed, reply.evidence())

    def _marks(self, page: Page, reply: Reply) -> None:
        last = max((record.seq for record in page.records), default=0)
        if page.head is None or page.oldest is None:
            lacking = "`head`" if page.head is None else "`oldest`"
            self._notebook.fails(
                "marks_told", f"a page tells no {lacking} that can be read", reply.evidence()
            )
        elif page.head.seq < last:
            says = f"a page holds seq {last}, beyond the head {page.head.seq}"
            self._notebook.fails("marks_told", says, reply.evidence())
        else:
            self._notebook.holds("marks_told", f"head {page.head.seq}, oldest {page.oldest.seq}")

    async def walk(self, cursor: str | None, pages: Pages) -> Walk:
        """Read on from a cursor until the head or until so many pages were read. Raises NoMore."""
        walk = Walk(next=cursor)
        newest = -1
        for _ in range(pages.most):
            asked_with = walk.next
            try:
                found = await self.page(asked_with, pages.limit)
            except Useless:
                found = None
            if found is None:
                walk.broken = True
                break
            newest = self._order(found, newest, walk)
            walk.next = found.page.next
            walk.first_page, walk.last_page = walk.first_page or found.page, found.page
            if found.items and found.page.next == asked_with:
                says = "a page's `next` is the cursor that it was asked with, though it holds records"
                self._notebook.fails("next_moves", says, found.reply.evidence())
                walk.broken = True
                break
            self._notebook.holds("next_moves", "each `next` led behind the records of its page")
            if not found.page.more:
                walk.at_head = True
            # A source that gives more than it is asked for must not fill the memory.
            if walk.at_head or len(walk.records) > RECORDS_MOST:
                break
            if not found.items:
                self._notebook.fails(
                    "more_told", "a page without records says that more wait", found.reply.evidence()
                )
        return walk

    def _order(self, found: Answered, newest: int, walk: Walk) -> int:
        """Hold the records of one page against those before; the largest seq so far."""
        here: set[int] = set()
        # A record that cannot be read is told under its own rule.
        readable = {record.seq for record in found.page.records}
        for item in found.items:
            seq = _seq(item)
            if seq is None or seq not in readable:
                continue
            again = seq in walk.records and seq not in here and walk.records[seq] == item
            evidence = Evidence(found.reply.asked, f"seq {seq} after {newest}: {shown(item)}")
            if seq in walk.records and not again:
                self._notebook.fails("seq_unique", f"seq {seq} is told more than once", evidence)
            elif seq < newest and not again:
                self._notebook.fails("ascending_seq", f"seq {seq} comes after {newest}", evidence)
            here.add(seq)
            newest = max(newest, seq)
            walk.records[seq] = item
        if here:
            self._notebook.holds("ascending_seq", f"records came in ascending seq, up to {newest}")
            self._notebook.holds("seq_unique", "no seq was told twice")
        return newest

    async def check_more(self, walk: Walk, limit: int) -> None:
        """Where the last page said that nothing waits although the head is further: whether something waited."""
        last = walk.last_page
        if last is None or not walk.at_head:
            return
        if last.head is not None and last.head.seq > (walk.newest or 0) and walk.records:
            found = await self.page(walk.next, limit)
            waiting = [] if found is None else [one for one in map(_seq, found.items) if one is not None]
            if found is not None and waiting and min(waiting) <= last.head.seq:
                says = f"`more` was false, and seq {min(waiting)} waited"
                self._notebook.fails("more_told", says, found.reply.evidence())
        self._notebook.holds("more_told", "`more` was false where the head was reached")

    def compare(self, first: Walk, second: Walk, asked: str) -> None:
        """Hold a second reading of the same range against the first."""
        low = max(_oldest(first), _oldest(second))
        if not (first.records or second.records):
            self._nothing_kept(first, asked)
            return
        # Only what both readings passed is compared; one that came to the head passed all that the first was told.
        ends = (first.newest or 0, second.newest or 0)
        high = ends[0] if second.at_head and not second.broken else min(ends)
        told = {seq for seq in first.records if low <= seq <= high}
        again = {seq for seq in second.records if low <= seq <= high}
        changed = [seq for seq in told & again if first.records[seq] != second.records[seq]]
        self._judge_repeat(first, second, told, again, changed, asked)

    def _nothing_kept(self, walk: Walk, asked: str) -> None:
        page = walk.last_page
        if page is not None and page.head is not None and _oldest(walk) < page.head.seq:
            says = f"oldest is {_oldest(walk)}, head is {page.head.seq}, and no record is told"
            self._notebook.fails("repeatable_reads", says, Evidence(asked))
        for name in ("repeatable_reads", "tail_stable"):
            self._notebook.unasked(name, "the feed keeps no record")

    def _judge_repeat(
        self, first: Walk, second: Walk, told: set[int], again: set[int], changed: list[int], asked: str
    ) -> None:
        gone, come = sorted(told - again), sorted(again - told)
        if gone:
            says = f"{len(gone)} of {number(len(told), 'record')} not told when their range is read again"
            says = f"{says}, the first is seq {gone[0]}"
            self._notebook.fails("repeatable_reads", says, Evidence(asked, shown(first.records[gone[0]])))
        elif changed:
            both = f"{shown(first.records[changed[0]])[:140]} / {shown(second.records[changed[0]])[:140]}"
            self._notebook.fails(
                "repeatable_reads", f"seq {changed[0]} says something else", Evidence(asked, both)
            )
        else:
            self._notebook.holds("repeatable_reads", f"{number(len(told), 'record')} told twice alike")
        if come and not gone:
            says = f"seq {come[0]} appeared behind records that were told before it"
            self._notebook.fails("tail_stable", says, Evidence(asked, shown(second.records[come[0]])))
        elif not come:
            self._notebook.holds("tail_stable", "no record appeared behind one that was told before")


def _oldest(walk: Walk) -> int:
    page = walk.last_page
    return page.oldest.seq if page is not None and page.oldest is not None else 0


def _seq(item: Any) -> int | None:
    seq = item.get("seq") if isinstance(item, dict) else None
    if isinstance(seq, str) and seq.isascii() and seq.isdigit() and len(seq) <= SEQ_LIMIT_DIGITS:
        return int(seq)
    return None


def _place(page: Page, item: Any) -> str:
    return f"{page.epoch}/{_seq(item)}"
