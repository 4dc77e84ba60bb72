"""The whole stock of a foreign source, read page by page as its profile describes. Holds one page at a time."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing

from archsyncd.adapters.r247_pull.foreign.lists import Lists, Sheet
from archsyncd.domain.feed import (
    Level,
    Outcome,
    Reject,
    SnapshotEnd,
    SnapshotHead,
    SnapshotPage,
    SnapshotStatus,
)
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.foreign.places import Stand, place
from archsyncd.wire.foreign.section import Listing
from archsyncd.wire.foreign.source import Source
from archsyncd.wire.profile.contract import Mapped, MappingProfile
from archsyncd.wire.r247 import sort_read
from archsyncd.wire.r247_records import read_item
from archsyncd.wire.r247_values import reject

REMOVED = "stock.removed"


def read_levels(
    shape: MappingProfile, items: Iterable[Mapped], named: str, seq_at: int, *, own_seq: bool
) -> tuple[list[Level], list[Reject]]:
    """Read items as levels at a position. `own_seq`: theirs counts where they state it.

    What is no longer kept at a place is left out, as the source might have left it out itself.
    """
    found: list[Level | Reject] = []
    for item in items:
        if item.faults:
            found.append(reject(item.faults[0], item.value, item.payload, item.line))
        elif item.value.get("type") != REMOVED:
            value = (
                item.value if own_seq else {name: one for name, one in item.value.items() if name != "seq"}
            )
            read = read_item(value, item.payload, lambda fields: _id(named, fields), seq_at)
            found.append(shape.told(read, item) if isinstance(read, Reject) else read)
    levels, rejects = sort_read(found)
    return levels, rejects


def _id(named: str, fields: object) -> str:
    about = fields if isinstance(fields, dict) else {}
    key = f"{named}/{about.get('sku')}/{about.get('location')}"
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class ForeignSnapshot:
    """A `SnapshotSource` over a listing. `stand`: where reading goes on behind it, unless the listing itself tells.

    `told` is given the checkpoint behind it, as soon as that is known.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        listing: Listing,
        lists: Lists,
        stand: Stand,
        locations: Sequence[str],
        told: Callable[[str], None],
    ) -> None:
        self._name = name
        self._source = source
        self._listing = listing
        self._lists = lists
        self._stand = stand
        self._locations = tuple(locations)
        self._told = told
        self._by_place = "location" in listing.ask.names
        self._sheets = self._read()
        self._first: Sheet | None = None

    async def _read(self) -> AsyncIterator[Sheet]:
        places = self._locations if self._by_place else ("",)
        for name in places:
            known = {"location": name} if self._by_place else {}
            async with aclosing(self._lists.pages(self._listing, **known)) as pages:
                async for sheet in pages:
                    yield sheet

    async def head(self) -> SnapshotHead:
        """Read the first page. Raises FeedFault."""
        self._first = await anext(self._sheets)
        if self._listing.cursor is not None:
            self._stand.cursor = self._lists.following(self._first, self._listing.cursor) or ""
            self._stand.link = self._listing.cursor.link
            if not self._stand.cursor:
                raise FeedFault(f"{self._first.answer.told}: does not tell where to go on behind it")
        checkpoint = self._stand.encode()
        self._told(checkpoint)
        return SnapshotHead(
            feed=self._name,
            epoch=self._stand.epoch,
            snapshot_id=f"{self._stand.epoch}-{self._stand.round}",
            seq_at=self._seq_at(),
            cursor=checkpoint,
            as_of=None,
            locations=self._locations,
        )

    def _seq_at(self) -> int:
        assert self._first is not None
        if self._listing.seq_at is not None and self._source.requests.positions == "source":
            return self._first.number(self._listing.seq_at)
        return place(self._stand.round, 0)

    async def pages(self) -> AsyncIterator[SnapshotPage]:
        """Yield page after page. Raises FeedFault."""
        sheet = self._first
        while sheet is not None:
            yield self._page(sheet)
            sheet = await anext(self._sheets, None)

    def _page(self, sheet: Sheet) -> SnapshotPage:
        shape = self._source.shape_of(self._listing)
        own = self._source.requests.positions == "source"
        named = f"{self._stand.epoch}/{self._stand.round}"
        levels, rejects = read_levels(shape, sheet.items, named, self._seq_at(), own_seq=own)
        return SnapshotPage(tuple(levels), tuple(rejects))

    def end(self) -> SnapshotEnd:
        """Say that it is complete: a list that was cut off, or moved while it was read, is a FeedFault before."""
        return SnapshotEnd(complete=True)

    async def finish(self, status: SnapshotStatus, outcome: Outcome, reasons: Sequence[str]) -> None:
        """Do nothing: over HTTP a source is not told."""
