"""Reports how locations fill channels, for a person to look over before going live. Asks no system."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from archsyncd.config.settings import Settings
from archsyncd.config.sources import ANSWERING
from archsyncd.domain.feed import Figure


class Weight(StrEnum):
    """How much a note matters: a fact, something to look at, or something that cannot stay so."""

    FACT = "fact"
    LOOK = "look"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class MappingNote:
    """One sentence about a location or channel. `subject` is its key in the file."""

    weight: Weight
    subject: str
    says: str


def mapping_report(settings: Settings) -> tuple[MappingNote, ...]:
    """Every channel with the locations that fill it, then what is ignored, odd or missing; in the file's order."""
    return (*_channels(settings), *_locations(settings), *_feeds(settings), *_whole(settings))


def _channels(settings: Settings) -> Iterator[MappingNote]:
    filled = dict.fromkeys(name for place in settings.locations.values() for name in place.channels)
    for channel in dict.fromkeys([*filled, *settings.channels]):
        subject = f"channels.{channel}"
        names = settings.locations_of(channel)
        if not names:
            yield MappingNote(
                Weight.WRONG, subject, "no location fills this channel; nothing is published on it"
            )
            continue
        yield MappingNote(Weight.FACT, subject, _sum_sentence(settings, channel, names))
        yield from _shared(settings, subject, channel, names)


def _sum_sentence(settings: Settings, channel: str, names: tuple[str, ...]) -> str:
    parts = []
    for name in names:
        place = settings.locations[name]
        less = f" less {place.buffer}" if place.buffer else ""
        part = f"{place.shares[channel]} % of " if channel in place.shares else ""
        parts.append(f"{part}{place.sellable.value} of {name}{less}")
    rules = settings.channel(channel)
    share = f", {rules.percentage} % of it" if rules.percentage != 100 else ""  # noqa: PLR2004  # all of it
    safety = f", less {rules.safety_stock} kept back" if rules.safety_stock else ""
    return f"sells {' plus '.join(parts)}{share}{safety}"


def _shared(settings: Settings, subject: str, channel: str, names: tuple[str, ...]) -> Iterator[MappingNote]:
    rules = settings.channel(channel)
    if rules.percentage == 0:
        yield MappingNote(Weight.LOOK, subject, "percentage is 0: nothing in stock is ever offered here")
    if len(names) == 1:
        return
    if rules.order_location is None:
        told = f"{', '.join(names)} share this channel, and order_location names none of them"
        yield MappingNote(Weight.WRONG, subject, told)
    else:
        where = rules.order_location or "the location that Archean chooses"
        yield MappingNote(Weight.FACT, subject, f"{len(names)} locations share it; its orders go to {where}")
    if len({settings.locations[name].sellable for name in names}) > 1:
        told = "its locations sell different figures; orders are proven by acceptance at one and by dispatch at the other"
        yield MappingNote(Weight.LOOK, subject, told)


def _locations(settings: Settings) -> Iterator[MappingNote]:
    folded: dict[str, str] = {}
    for name, place in settings.locations.items():
        subject = f"locations.{name}"
        twin = folded.setdefault(name.casefold(), name)
        if twin != name:
            told = f"differs from {twin} in upper and lower case only; names are compared exactly"
            yield MappingNote(Weight.LOOK, subject, told)
        if place.ignore:
            yield MappingNote(
                Weight.FACT, subject, "is ignored: its records change nothing and raise no exception"
            )
        elif not place.channels:
            yield MappingNote(Weight.WRONG, subject, "fills no channel and is not ignored")
        elif place.sellable is Figure.ON_HAND:
            told = "sells onHand: an order is taken off when its dispatch is told, not when it is accepted"
            yield MappingNote(Weight.LOOK, subject, told)


def _feeds(settings: Settings) -> Iterator[MappingNote]:
    # One that stands beside another feed has no full batches that could leave anything out.
    full = [feed.name for feed in settings.feeds if feed.transport in ANSWERING]
    if len(full) == 1:
        return
    told_of = {name: settings.locations_of_feed(name) for name in full}
    for name, locations in told_of.items():
        subject = f"feed.{name}.locations"
        if locations:
            yield MappingNote(Weight.FACT, subject, f"it tells of {', '.join(locations)}")
        else:
            told = "is not stated beside other feeds: what its full batches leave out cannot be noticed"
            yield MappingNote(Weight.LOOK, subject, told)
    if all(told_of.values()):
        untold = [
            name
            for name, place in settings.locations.items()
            if not place.ignore and not any(name in locations for locations in told_of.values())
        ]
        for name in untold:
            yield MappingNote(Weight.WRONG, f"locations.{name}", "is named by no feed: nothing tells of it")


def _whole(settings: Settings) -> Iterator[MappingNote]:
    if not any(not place.ignore for place in settings.locations.values()):
        yield MappingNote(
            Weight.WRONG, "locations", "no location fills a channel; every record becomes an exception"
        )
    if not settings.orders.default_location:
        told = "is not set: an order line without a supply channel becomes an exception"
        yield MappingNote(Weight.FACT, "orders.default_location", told)
