"""One look at a foreign source: each of its lists is asked for once, and what its first page is understood to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from archsyncd.adapters.r247_pull.foreign.changes import DAY_MS
from archsyncd.adapters.r247_pull.foreign.lists import Lists, Sheet
from archsyncd.adapters.r247_pull.foreign.snapshot import read_levels
from archsyncd.adapters.r247_pull.refusal import OK
from archsyncd.domain.feed import Level, Reject
from archsyncd.wire.foreign.overlap import row_time_ms
from archsyncd.wire.foreign.section import CURSOR, OVERLAP, Listing, Requests
from archsyncd.wire.foreign.source import Source

SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Looked:
    """What one list said. `told`: the call and its status; `goes_on`: the value to go on with, None: it tells none.

    `newest_ms` and `date_ms`: the newest time of its records, and the source's own clock, UTC milliseconds. `capped`: more
    rows follow a page that is taken for the last, as it holds fewer than were asked for.
    """

    where: str
    told: str
    records: int
    levels: Sequence[Level]
    others: Mapping[str, int]
    rejects: Sequence[Reject]
    goes_on: str | None
    newest_ms: int | None
    date_ms: int | None
    capped: bool = False


async def look(source: Source, lists: Lists, now_ms: int, places: Sequence[str]) -> list[Looked]:
    """Ask for the first page of each list that can be asked for without a SKU. Raises FeedFault."""
    requests = source.requests
    found = []
    for listing in _lists(requests):
        values = dict(lists.values(listing, **_known(requests, listing, now_ms, places)))
        if listing.pages.by in {"number", "offset"}:
            values["page"] = str(listing.pages.first)
        sheet = await lists.read(listing, await lists.ask(listing, values))
        capped = await _is_capped(lists, listing, values, sheet)
        found.append(replace(_looked(source, lists, listing, sheet), capped=capped))
    return found


async def _is_capped(lists: Lists, listing: Listing, values: Mapping[str, str], sheet: Sheet) -> bool:
    """Whether a page that is taken for the last, as it is short, is followed by another one all the same."""
    pages = listing.pages
    if (
        pages.by not in {"number", "offset"}
        or pages.until != "short"
        or not 0 < sheet.count < int(values["limit"])
    ):
        return False
    page = pages.first + (1 if pages.by == "number" else sheet.count)
    answer = await lists.ask(listing, {**values, "page": str(page)})
    # Beyond the end a source may answer with an error; that is an end as well.
    return answer.status == OK and (await lists.read(listing, answer)).count > 0


def _lists(requests: Requests) -> Iterator[Listing]:
    yield requests.changes
    if requests.head is not None:
        yield requests.head
    if requests.snapshot is not None:
        yield requests.snapshot


def _known(requests: Requests, listing: Listing, now_ms: int, places: Sequence[str]) -> dict[str, str]:
    known = {"location": places[0]} if places else {}
    if requests.mode == OVERLAP:
        times = requests.times
        known |= {"since": times.write(max(now_ms - DAY_MS, 0)), "until": times.write(now_ms + DAY_MS)}
    if requests.mode == CURSOR and listing is requests.changes and requests.start:
        known["cursor"] = requests.start
    return known


def _looked(source: Source, lists: Lists, listing: Listing, sheet: Sheet) -> Looked:
    requests = source.requests
    follow = listing.cursor or (
        requests.next if listing.where in {"request", "request.head"} else listing.pages.next
    )
    levels, rejects = read_levels(
        source.shape_of(listing),
        [item for item in sheet.items if item.faults or item.value.get("type") in (None, "stock.level")],
        "look",
        0,
        own_seq=False,
    )
    others: dict[str, int] = {}
    for item in sheet.items:
        kind = item.value.get("type")
        if not item.faults and kind not in (None, "stock.level"):
            others[str(kind)] = others.get(str(kind), 0) + 1
    times = [at_ms for at_ms in map(row_time_ms, sheet.items) if at_ms is not None]
    return Looked(
        listing.where,
        sheet.answer.told,
        sheet.count,
        levels,
        others,
        rejects,
        None if follow is None else lists.following(sheet, follow),
        max(times, default=None),
        sheet.date_ms,
    )
