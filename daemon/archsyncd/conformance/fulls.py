"""The whole stock and single SKUs: whether they are whole, of one moment, and agree with the feed (r247/1, section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.adapters.r247_pull.caller import Call
from archsyncd.conformance.asking import OK, Asker, Query, Reply
from archsyncd.conformance.changes import Walk
from archsyncd.conformance.findings import Evidence, Notebook, number
from archsyncd.conformance.records import RecordBook, shown
from archsyncd.domain.feed import Level
from archsyncd.engine.ports import Clock
from archsyncd.wire.commercetools.exchange import path_segment
from archsyncd.wire.r247_answers import SnapshotPending, StockPage, read_snapshot_answer, read_stock_page
from archsyncd.wire.r247_json import decode_list_document
from archsyncd.wire.r247_values import Unreadable

SNAPSHOTS: Final = "/v1/snapshots"
STOCK: Final = "/v1/stock"
PAGE_LIMIT: Final = 2_000
RECORDS_MOST: Final = 500_000
POLL_SECONDS: Final = 2.0
NOT_OFFERED: Final = frozenset({404, 405, 501})
ACCEPTED: Final = 202
NOT_FOUND: Final = 404
NAMED: Final = 3

Key = tuple[str, str]


@dataclass(slots=True)
class Full:
    """The stock as it was read. `whole`: the trailer came; `ended`: no further page was offered."""

    levels: dict[Key, Level] = field(default_factory=dict)
    records: int = 0
    own_seq: dict[Key, bool] = field(default_factory=dict)
    first: StockPage | None = None
    last: StockPage | None = None
    ended: bool = False
    asked: str = ""


class Fulls:
    """Reads the stock whole, then some SKUs alone."""

    def __init__(
        self, asker: Asker, clock: Clock, notebook: Notebook, book: RecordBook, pages_most: int
    ) -> None:
        self._asker = asker
        self._clock = clock
        self._pages_most = pages_most
        self._notebook = notebook
        self._book = book

    async def read(self, *, by_wish: bool, locations: Sequence[str] = ()) -> Full | None:
        """Read the stock; `by_wish` makes the source take a snapshot. None where nothing can be read. Raises Useless, NoMore."""
        if by_wish:
            path = await self._wish(locations)
            if path is None:
                return None
            return await self._pages(path)
        reply = await self._asker.get(STOCK, (("limit", str(PAGE_LIMIT)),))
        if reply.status in NOT_OFFERED:
            why = f"GET /v1/stock is not offered ({reply.status}); with --snapshot a snapshot is asked for, which makes it work"
            self._notebook.unasked("snapshot_offered", why)
            return None
        return await self._pages(STOCK, reply)

    async def _wish(self, locations: Sequence[str]) -> str | None:
        body: Mapping[str, Any] = {"locations": list(locations) or None, "skus": None}
        reply = await self._asker.sent(Call("POST", SNAPSHOTS, body=body))
        if reply.status != ACCEPTED:
            says = f"POST /v1/snapshots is answered with {reply.status}"
            self._notebook.fails("snapshot_offered", says, reply.evidence())
            return None
        try:
            return f"{SNAPSHOTS}/{path_segment(read_snapshot_answer(reply.body))}"
        except Unreadable as fault:
            self._notebook.fails("snapshot_readable", fault.reason, reply.evidence())
            return None

    async def _pages(self, path: str, begun: Reply | None = None) -> Full | None:
        full, page, reply = Full(), None, begun
        for _ in range(self._pages_most):
            if reply is None:
                more: Query = () if page is None else (("page", page),)
                reply = await self._asker.get(path, (*more, ("limit", str(PAGE_LIMIT))))
            found = self._page(reply)
            if found is None:
                return None
            if isinstance(found, SnapshotPending):
                await self._clock.sleep(POLL_SECONDS)
            else:
                self._notebook.holds("snapshot_offered", "the whole stock can be read")
                self._take(full, found, reply)
                if found.complete and found.next_page is not None:
                    says = 'a page says "complete":true and offers a next one'
                    self._notebook.fails("snapshot_complete", says, reply.evidence())
                    return full
                if found.next_page is None or found.next_page == page:
                    full.ended = True
                    return full
                page = found.next_page
            reply = None
            if full.records > RECORDS_MOST:
                break
        for name in (
            "snapshot_complete",
            "snapshot_count",
            "snapshot_sum",
            "snapshot_covers",
            "snapshot_agrees",
        ):
            why = f"only its first {number(full.records, 'record')} were read; --limit allows for more"
            self._notebook.unasked(name, why)
        return full

    def _page(self, reply: Reply) -> StockPage | SnapshotPending | None:
        if reply.status not in {OK, ACCEPTED}:
            says = f"a page of the stock is answered with {reply.status}"
            self._notebook.fails("snapshot_offered", says, reply.evidence())
            return None
        try:
            return read_stock_page(reply.body)
        except Unreadable as fault:
            self._notebook.fails("snapshot_readable", fault.reason, reply.evidence())
            return None

    def _take(self, full: Full, page: StockPage, reply: Reply) -> None:
        self._notebook.holds("snapshot_readable", "every page could be read")
        items = [item.value for item in decode_list_document(reply.body, "items")[1]]
        self._book.look(reply.asked, items, [None] * len(items), page.rejects)
        full.records += len(page.items) + len(page.rejects)
        stated = {_key(item) for item in items if isinstance(item, dict) and item.get("seq") is not None}
        for level in page.items:
            key = (level.sku, level.location)
            full.levels[key] = level
            full.own_seq[key] = key in stated
        full.asked = reply.asked
        first = full.first = full.first or page
        same = (page.epoch, page.seq_at) == (first.epoch, first.seq_at)
        says = f"pages are of {first.epoch}/{first.seq_at} and of {page.epoch}/{page.seq_at}"
        self._notebook.judge(
            "snapshot_one_moment", same, "all pages are of one moment", says, reply.evidence()
        )
        full.last = page

    def judge(self, full: Full) -> None:
        """Say what only all pages together show."""
        last = full.last
        if last is None or not full.ended:
            return
        seen = Evidence(
            full.asked,
            f"complete {last.complete}, check.records {last.records}, sumOnHand {last.sum_on_hand}",
        )
        if not last.complete:
            self._notebook.fails("snapshot_complete", 'the last page does not say "complete":true', seen)
            return
        self._notebook.holds(
            "snapshot_complete", f"{number(full.records, 'record')}, ended by the trailer", seen
        )
        counted = f"check.records is {last.records}, {full.records} were told"
        if last.records is None:
            counted = "the last page has no check.records"
        self._notebook.judge("snapshot_count", last.records == full.records, counted, counted, seen)
        self._sum(full, last, seen)

    def _sum(self, full: Full, last: StockPage, seen: Evidence) -> None:
        if last.sum_on_hand is None:
            self._notebook.unasked("snapshot_sum", "the trailer tells no sum, which it need not")
            return
        total = sum(level.on_hand or 0 for level in full.levels.values())
        says = f"check.sumOnHand is {last.sum_on_hand}, the sum is {total}"
        self._notebook.judge("snapshot_sum", last.sum_on_hand == total, says, says, seen)

    def against_feed(self, full: Full, walks: Sequence[Walk]) -> None:
        """Hold the stock against what the feed told before it."""
        first = full.first
        # A full that broke off lacks keys for that reason; it is told already.
        if first is None or full.last is None or not full.ended or not full.last.complete:
            return
        newest = _newest_levels(walks, first.seq_at)
        missing = sorted(
            key for key, item in newest.items() if item["type"] != "stock.removed" and key not in full.levels
        )
        named = ", ".join(f"{sku} at {location}" for sku, location in missing[:NAMED])
        covers = f"{number(len(newest), 'key')} of the feed found in it"
        lacks = (
            f"{len(missing)} of {number(len(newest), 'key')} that the feed told of not found in it: {named}"
        )
        if newest:
            self._notebook.judge("snapshot_covers", not missing, covers, lacks, Evidence(full.asked, named))
        else:
            self._notebook.unasked("snapshot_covers", "the feed told of no key before the snapshot")
        self._agreement(full, newest, whole=_known_through(walks) >= first.seq_at)

    def _agreement(self, full: Full, newest: Mapping[Key, Mapping[str, Any]], *, whole: bool) -> None:
        """`whole`: the feed was read up to the moment of the stock; where it was not, a figure may have changed since."""
        compared = 0
        for key, item in newest.items():
            level = full.levels.get(key)
            if level is None or item["type"] != "stock.level":
                continue
            if level.seq != int(item["seq"]) if full.own_seq[key] else not whole:
                continue
            compared += 1
            if not _alike(level, item):
                says = (
                    f"{key[0]} at {key[1]}: the feed and the snapshot show other figures at seq {item['seq']}"
                )
                pair = (
                    f"feed {shown(item)[:180]}; snapshot onHand {level.on_hand}, available {level.available}"
                )
                self._notebook.fails("snapshot_agrees", says, Evidence(full.asked, pair))
        if compared:
            self._notebook.holds("snapshot_agrees", f"{number(compared, 'key')} alike in both")
        else:
            self._notebook.unasked("snapshot_agrees", "no key has a level at the same seq in both")

    async def single(self, full: Full, most: int) -> None:
        """Read some SKUs alone and hold them against the stock. Raises Useless, NoMore."""
        read = 0
        for (sku, location), level in list(full.levels.items())[:most]:
            path = f"{STOCK}/{path_segment(sku)}"
            reply = await self._asker.get(path, (("location", location),))
            if reply.status in {405, 501}:
                self._notebook.fails(
                    "single_key", f"a single SKU cannot be read ({reply.status})", reply.evidence()
                )
                return
            found = self._alone(reply, (sku, location))
            if found is None:
                continue
            read += 1
            # Where an item states no place of its own, `seq` is that of its answer: it may have changed in between.
            newer = found.seq > level.seq
            if not newer and (found.on_hand, found.available) != (level.on_hand, level.available):
                says = f"{sku} at {location} shows onHand {found.on_hand}, available {found.available}"
                says += f" alone, and {level.on_hand}, {level.available} in the snapshot"
                self._notebook.fails("single_key", says, reply.evidence())
        if read:
            self._notebook.holds("single_key", f"{number(read, 'SKU')} alone as in the snapshot, or newer")

    def _alone(self, reply: Reply, key: Key) -> Level | None:
        if reply.status != OK:
            says = f"{key[0]} is in the snapshot, and alone it is answered with {reply.status}"
            self._notebook.fails("single_key", says, reply.evidence())
            return None
        try:
            page = read_stock_page(reply.body)
        except Unreadable as fault:
            self._notebook.fails("single_key", fault.reason, reply.evidence())
            return None
        if isinstance(page, SnapshotPending):
            self._notebook.fails("single_key", "a single SKU is answered with a wait", reply.evidence())
            return None
        for level in page.items:
            if (level.sku, level.location) == key:
                return level
        self._notebook.fails(
            "single_key", f"{key[0]} is in the snapshot and is not told alone", reply.evidence()
        )
        return None


def _known_through(walks: Sequence[Walk]) -> int:
    """The last `seq` up to which everything that was told is known; 0 where the first reading did not come to the head."""
    if not walks or not walks[0].at_head:
        return 0
    pages = [walk.last_page for walk in walks if walk.at_head and walk.last_page is not None]
    heads = (page.head.seq for page in pages if page.head is not None)
    return max((*heads, *(walk.newest or 0 for walk in walks)), default=0)


def _newest_levels(walks: Sequence[Walk], seq_at: int) -> dict[Key, Mapping[str, Any]]:
    """The newest record of each key up to a place in the feed."""
    told: dict[int, Any] = {}
    for walk in walks:
        told |= walk.records
    newest: dict[Key, Mapping[str, Any]] = {}
    for seq in sorted(told):
        item = told[seq]
        kind = item.get("type")
        if seq <= seq_at and kind in {"stock.level", "stock.movement", "stock.removed"}:
            newest[_key(item)] = item
    return newest


def _key(item: Mapping[str, Any]) -> Key:
    return str(item.get("sku")), str(item.get("location"))


def _alike(level: Level, item: Mapping[str, Any]) -> bool:
    figures = ((level.on_hand, item.get("onHand")), (level.available, item.get("available")))
    return all(one == other for one, other in figures if one is not None and other is not None)
