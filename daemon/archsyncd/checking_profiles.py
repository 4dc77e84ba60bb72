"""What a look at a source through its profile showed, as notes for whoever connects it. Asks nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from archsyncd.adapters.r247_pull.foreign.looking import SHOWN, Looked
from archsyncd.config import FeedSettings, MappingNote, Settings, Weight
from archsyncd.config.asking import load_source
from archsyncd.domain.feed import Level, Reject
from archsyncd.domain.times import age, rfc3339
from archsyncd.wire.foreign.section import OVERLAP, PAGE, Requests

# Sources write times to the minute at worst; anything beyond is a time zone, or a clock that is wrong.
APART_MS: Final = 120_000
_LISTS: Final = {"request": "changes", "request.head": "head", "request.snapshot": "snapshot"}


def looks_up_orders(feed: FeedSettings) -> bool:
    """Whether a feed's source can be asked about an order."""
    if feed.transport != "pull" or feed.profile is None:
        return feed.transport == "pull"
    orders = load_source(feed.profile).requests.orders
    return orders is not None and orders.look_up is not None


def request_notes(settings: Settings) -> tuple[MappingNote, ...]:
    """How each source is asked by its profile, and what that way cannot notice; for a configuration without faults."""
    return tuple(
        note
        for feed in settings.feeds
        if feed.transport == "pull" and feed.profile is not None
        for note in _ways(f"feed.{feed.name}.profile", load_source(feed.profile).requests, feed)
    )


def _ways(subject: str, requests: Requests, feed: FeedSettings) -> Iterator[MappingNote]:
    every = age(requests.every_ms / 1000)
    full = requests.snapshot
    if requests.mode == PAGE:
        told = f"the whole stock is read every {every}; between two readings nothing is known"
        yield MappingNote(Weight.FACT, subject, told)
        if requests.changes.pages.total is None:
            told = (
                "the list does not say how many rows it has (until total): one that moves to a page that was read already is "
                "missed until the next reading"
            )
            yield MappingNote(Weight.LOOK, subject, told)
        return
    fulls = (
        f"in the fulls of {feed.snapshot_from}"
        if full is None
        else f"when the whole stock is read, every {age(full.every_ms / 1000)}"
        if full.every_ms
        else "when somebody asks for the whole stock (archsyncctl snapshot request), as request.snapshot.every is not stated"
    )
    weight = Weight.FACT if full is not None and full.every_ms else Weight.LOOK
    if requests.mode == OVERLAP:
        overlap = age(requests.overlap_ms / 1000)
        told = (
            f"changes are read by their time every {every}: a deletion, and what shows more than {overlap} after its time, is "
            f"noticed {fulls}"
        )
    else:
        told = f"changes are read by cursor every {every}: a deletion that the list does not tell is noticed {fulls}"
    yield MappingNote(weight, subject, told)


def understood(subject: str, looks: Sequence[Looked], settings: Settings) -> Iterator[MappingNote]:
    """Say what was understood of each list, with its first records."""
    for each in looks:
        yield from _list(f"{subject} {_LISTS.get(each.where, each.where)}", each)
    places = {level.location for each in looks for level in each.levels}
    for name in sorted(places - set(settings.locations))[: SHOWN * SHOWN]:
        says = "is told by this source and not mapped: each of its records becomes part of an exception"
        yield MappingNote(Weight.LOOK, f"locations.{name}", says)


def _list(subject: str, each: Looked) -> Iterator[MappingNote]:
    told = [f"{len(each.levels)} levels", *(f"{count} {kind}" for kind, count in sorted(each.others.items()))]
    rest = f"; it goes on with {each.goes_on[:60]!r}" if each.goes_on is not None else ""
    says = f"{each.told}: {each.records} records, understood as {', '.join(told)}{rest}"
    yield MappingNote(Weight.FACT if each.records else Weight.LOOK, subject, says)
    for level in each.levels[:SHOWN]:
        yield MappingNote(Weight.FACT, subject, _level(level))
    for reject in each.rejects[:SHOWN]:
        yield MappingNote(Weight.WRONG, subject, _reject(reject))
    if len(each.rejects) > SHOWN:
        yield MappingNote(Weight.WRONG, subject, f"and {len(each.rejects) - SHOWN} more that cannot be read")
    if each.capped:
        says = (
            f"gives {each.records} rows a page although more were asked for, so that the first page would be taken for the last "
            f"(until short) and the rest be lost: state pages.limit {each.records}, or until total"
        )
        yield MappingNote(Weight.WRONG, subject, says)
    yield from _clock(subject, each)


def _clock(subject: str, each: Looked) -> Iterator[MappingNote]:
    if each.newest_ms is None or each.date_ms is None or each.newest_ms <= each.date_ms + APART_MS:
        return
    ahead = age((each.newest_ms - each.date_ms) / 1000)
    says = (
        f"its newest time is {rfc3339(each.newest_ms)}, {ahead} ahead of the source's own clock: is the zone (tz) of its times "
        "the one that the profile says?"
    )
    yield MappingNote(Weight.WRONG, subject, says)


def _level(level: Level) -> str:
    figures = [
        f"{name} {figure}"
        for name, figure in (("onHand", level.on_hand), ("available", level.available))
        if figure is not None
    ]
    taken = f", as of {level.as_of}" if level.as_of else ""
    return f"reads {level.sku} at {level.location}: {', '.join(figures)}{taken}"


def _reject(reject: Reject) -> str:
    value = f" (it is {reject.value})" if reject.value else ""
    where = f" at {reject.path}" if reject.path else ""
    return f"cannot read record {reject.line}: {reject.reason}{where}{value}"
