"""The `request` section of a profile: how a foreign source is asked for changes, for its whole stock, for one SKU.

Judged as a whole: what a way of asking cannot promise, it must be given by another one. Asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from archsyncd.wire.foreign.asking import Ask, read_ask
from archsyncd.wire.foreign.following import Next, parse_next
from archsyncd.wire.foreign.orders import Orders, read_orders
from archsyncd.wire.foreign.reading import Faults, Places, Section
from archsyncd.wire.foreign.times import TimeForm, parse_duration_ms, parse_time_form

CURSOR: Final = "cursor"
PAGE: Final = "page"
OVERLAP: Final = "time-overlap"
MODES: Final = (CURSOR, PAGE, OVERLAP)
_LIST_NAMES: Final = ("page", "limit", "location")
_DAY_MS: Final = 86_400_000
# What a list by times cannot tell, deletions first of all, the whole stock tells once a day.
_FULL_EVERY_MS: Final = {CURSOR: 0, OVERLAP: _DAY_MS}


@dataclass(frozen=True, slots=True)
class Pages:
    """How one list is cut into pages. `by`: `one` (it is not), `number`, `offset`, `next`.

    `first`: the first page's number or offset. `until`: the last page is the first `empty` one, the first `short` one, or the
    one at which as many records were read as `total` says.
    """

    by: str = "one"
    first: int = 1
    until: str = "empty"
    total: str | None = None
    limit: int | None = None
    next: Next | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One list that can be asked for. `shape`: what its records look like where they differ from the profile's.

    `every_ms`: of the whole stock, how often it is asked for beside the changes; 0: when it is needed only.
    """

    ask: Ask
    pages: Pages = Pages()
    shape: Mapping[str, Any] | None = None
    cursor: Next | None = None
    seq_at: str | None = None
    where: str = "request"
    every_ms: int = 0


@dataclass(frozen=True, slots=True)
class Requests:
    """Everything a profile says about asking. `positions`: `arrival` (numbers of our own) or `source` (its `seq`)."""

    mode: str
    changes: Listing
    next: Next | None = None
    start: str | None = None
    more: str | None = None
    head: Listing | None = None
    snapshot: Listing | None = None
    key: Listing | None = None
    orders: Orders | None = None
    times: TimeForm = field(default_factory=TimeForm)
    overlap_ms: int = 0
    every_ms: int = 15_000
    positions: str = "arrival"
    accept: str = ""
    expired: tuple[int, ...] = (410,)

    @property
    def needs_partner(self) -> bool:
        """Whether another feed must give full pictures: this one can never see them."""
        return self.mode != PAGE and self.snapshot is None

    @property
    def by_location(self) -> bool:
        """Whether a list is asked for location by location, so that these must be known."""
        listings = (self.changes, self.head, self.snapshot, self.key)
        return any("location" in each.ask.names for each in listings if each is not None)


def read_requests(value: Mapping[str, Any], places: Places) -> Requests:
    """Read the section. Raises ProfileFaults with everything that is wrong with it."""
    faults = Faults(places)
    section = Section(value, ("request",), faults)
    found = _read(section)
    section.done()
    _judge(section, found)
    faults.raise_any()
    return found


def _read(section: Section) -> Requests:
    if not section.has("mode"):
        section.fault("mode", f"is required: {', '.join(MODES)}")
    mode = section.choice("mode", MODES, CURSOR)
    names = {CURSOR: ("cursor", "limit", "location"), PAGE: _LIST_NAMES}.get(
        mode, ("since", "until", *_LIST_NAMES)
    )
    ask = read_ask(section, names)
    shape = section.raw("shape")
    if shape is not None:
        section.fault(
            "shape", "belongs to snapshot, head or key; the profile itself says what changes look like"
        )
    pages = Pages() if mode == CURSOR else _pages(section)
    seen = Listing(ask, pages)
    return Requests(
        mode=mode,
        changes=seen,
        next=parse_next(section, "next") if mode == CURSOR else None,
        start=section.text("start", _start, None) if mode == CURSOR else None,
        more=section.text("more", _document_path, None) if mode == CURSOR else None,
        head=_listing(section, "head", ("limit", "location"), ask) if mode == CURSOR else None,
        snapshot=None
        if mode == PAGE
        else _listing(section, "snapshot", _LIST_NAMES, None, default_ms=_FULL_EVERY_MS[mode]),
        key=_listing(section, "key", ("sku", *_LIST_NAMES), None),
        orders=_orders(section),
        times=_times(section) if mode == OVERLAP else TimeForm(),
        overlap_ms=_overlap(section) if mode == OVERLAP else 0,
        every_ms=_duration(section, "every", 900_000 if mode == PAGE else 15_000),
        positions=section.choice("positions", ("arrival", "source"), "arrival"),
        accept=section.text("accept", _media_types, ""),
        expired=section.numbers("expired", 400, 499, (410,)),
    )


def _orders(section: Section) -> Orders | None:
    inner = section.inner("orders")
    return None if inner is None else read_orders(inner)


def _listing(
    section: Section, name: str, names: tuple[str, ...], base: Ask | None, default_ms: int = 0
) -> Listing | None:
    inner = section.inner(name)
    if inner is None:
        return None
    ask = read_ask(inner, names, base)
    shape = inner.raw("shape")
    if shape is not None and not isinstance(shape, dict):
        inner.fault("shape", "must be an object with records, fields and the like", shape)
        shape = None
    pages = Pages() if name == "head" else _pages(inner)
    found = Listing(
        ask,
        pages,
        shape,
        cursor=parse_next(inner, "cursor") if name != "key" else None,
        seq_at=inner.text("seqAt", _document_path, None),
        where=f"request.{name}",
        every_ms=_duration(inner, "every", default_ms) if name == "snapshot" else 0,
    )
    inner.done()
    return found


def _pages(section: Section) -> Pages:
    inner = section.inner("pages")
    if inner is None:
        return Pages()
    if not inner.has("by"):
        inner.fault("by", "is required: number, offset or next")
    by = inner.choice("by", ("number", "offset", "next"), "number")
    first = inner.whole("first", 0, 1_000_000, 0 if by == "offset" else 1)
    until = inner.choice("until", ("empty", "short", "total"), "empty")
    total = inner.text("total", _document_path, None)
    limit = inner.whole("limit", 1, 10_000, 0) or None
    follows = parse_next(inner, "next")
    if (by == "next") != (follows is not None):
        says = "is required by pages.by next" if by == "next" else "belongs to pages.by next"
        inner.fault("next", says)
    if (until == "total") != (total is not None):
        says = "is required by until total: where the answer says how many there are"
        inner.fault("total", says if until == "total" else "belongs to until total")
    inner.done()
    return Pages(by, first, until, total, limit, follows)


def _times(section: Section) -> TimeForm:
    inner = section.inner("since")
    if inner is None:
        return TimeForm()
    zone = inner.text("tz", str, None)
    form = inner.text("format", lambda text: parse_time_form(text, zone), TimeForm())
    inner.done()
    return form


def _overlap(section: Section) -> int:
    if not section.has("overlap"):
        section.fault(
            "overlap", "is required by mode time-overlap: how late a change may become visible, such as 120s"
        )
    return _duration(section, "overlap", 120_000)


def _duration(section: Section, name: str, default: int) -> int:
    value = section.raw(name)
    if value is None:
        return default
    try:
        found = parse_duration_ms(value)
        if found > _DAY_MS:
            raise ValueError("must be at most 24h")
    except ValueError as error:
        section.fault(name, str(error), value)
        return default
    return found


def _document_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError('must be a path from the top of the answer, beginning with "/"')
    return text


def _start(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("must be the cursor that a reader without one begins with")
    return text


def _media_types(text: str) -> str:
    if not text.isascii() or not text.isprintable() or not text:
        raise ValueError("must be what the Accept header says, such as application/xml")
    return text


def _judge(section: Section, found: Requests) -> None:
    """Rules over several members; each says what it would cost."""
    names = found.changes.ask.names
    if found.mode == CURSOR:
        _judge_cursor(section, found, names)
    elif found.mode == OVERLAP and "since" not in names and section.sound("query"):
        section.fault("query", "must ask for changes {since} a time, or every round would read all there is")
    if found.mode == PAGE and found.changes.pages.by == "one" and not section.has("pages"):
        section.fault("pages", "is required by mode page: how the list is cut into pages")
    for listing in (found.changes, found.snapshot, found.key):
        if listing is not None:
            _judge_pages(section, listing)
    if found.key is not None and "sku" not in found.key.ask.names:
        section.fault("key", "must ask for one {sku}")
    if found.positions == "source" and found.mode != CURSOR:
        section.fault(
            "positions", "source needs mode cursor: only a list in the order of seq has positions", "source"
        )
    elif found.positions == "source":
        _judge_positions(section, found)


def _judge_cursor(section: Section, found: Requests, names: frozenset[str]) -> None:
    if found.next is None and not section.has("next"):
        section.fault("next", "is required by mode cursor: where the answer says how to go on")
    follows = found.next is not None and found.next.link
    if "cursor" not in names and not follows and section.sound("query"):
        section.fault("query", "must ask for what follows {cursor}, or every round would read the same")
    if found.snapshot is None and found.start is None and not section.has("snapshot"):
        told = "is required without snapshot: the cursor with which a new reader begins"
        section.fault("start", told)
    if found.snapshot is not None and found.snapshot.cursor is None and found.head is None:
        told = (
            "must tell where reading goes on behind the snapshot: cursor within it, or head beside it. Read from the start, "
            "old changes would be applied over newer stock"
        )
        section.fault("snapshot", told)


def _judge_pages(section: Section, listing: Listing) -> None:
    pages, names = listing.pages, listing.ask.names
    if pages.by in {"number", "offset"} and "page" not in names:
        told = f"{listing.where} is read page by page and must ask for {{page}}"
        section.fault("query", told)
    if pages.by == "next" and pages.next is not None and not pages.next.link and "page" not in names:
        section.fault("query", f"{listing.where} must ask for the next {{page}}, or follow a link")
    if pages.until == "short" and "limit" not in names and pages.limit is None:
        section.fault("pages", "until short needs the size of a page: ask for {limit}, or state pages.limit")


def _judge_positions(section: Section, found: Requests) -> None:
    for name, listing in (("snapshot", found.snapshot), ("key", found.key)):
        if listing is not None and listing.seq_at is None:
            told = "must say at which position it stands (seqAt), as positions are the source's own"
            section.fault(name, told)
