"""Translates between the sources' terms and ours: SKUs and units. Decides no alias, and knows no feed.

What was called how is remembered in the store, so that two SKUs that rules would make one are noticed, and what goes out finds
its way back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from archsyncd.domain.aliases import Aliases, Collision, Named
from archsyncd.domain.feed import Level, Record, Reject
from archsyncd.domain.handover import PlacedLine
from archsyncd.domain.translating import in_our_names, in_our_units, plain, skus_of, stock_unit
from archsyncd.domain.units import Units

REMEMBERED_NAMES = 20_000
Name = TypeVar("Name", str, tuple[str, str])


class NameBook(Protocol):
    """What Archean's SKUs were called and in which units they were told, kept in the store."""

    async def claim(
        self, names: Mapping[str, str], certain: Collection[str] = (), terms: str | None = None
    ) -> Mapping[str, str]:
        """Archean's SKUs by commercetools' SKU that they would be: whose each is from now on, the first one's.

        `certain`: names that a line gives, whoever was met with them first. Raises OtherTerms where those of this fingerprint
        are not in force: a name is whose it was until its goods were given another one.
        """
        ...

    async def owners(self, skus: Collection[str]) -> Mapping[str, str]:
        """Archean's SKUs of commercetools' SKUs, as far as any was called otherwise.

        Of a name that was given up the last one, unless Archean tells of a SKU of that very name since.
        """
        ...

    async def units(
        self, feed: str, told: Mapping[str, str], pieces: Collection[str], ours: Mapping[str, str]
    ) -> Mapping[str, str]:
        """In which unit each of Archean's SKUs was told by a feed before, where that is known; note those of `told` ("": none).

        `pieces`: those that are told in pieces, which are noted only where another unit was told. `ours`: our names of them.
        """
        ...

    async def tells_units(self, feed: str) -> bool:
        """Whether any SKU of a feed was ever told in a unit."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How the sources' terms become ours."""

    aliases: Aliases = field(default_factory=Aliases)
    units: Units = field(default_factory=Units)
    fingerprint: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """`fingerprint`: the same for the same terms in every process, "" where sources are taken by their word."""
        told = (self.aliases.fingerprint(), self.units.fingerprint())
        object.__setattr__(self, "fingerprint", "/".join(told) if any(told) else "")


class Naming:
    """Translates for all feeds. `terms` may be replaced at any time; `book` is given once the store is open."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.book: NameBook
        self._claimed: dict[str, str] = {}
        self._told: dict[tuple[str, str], str] = {}
        self._telling: set[str] = set()
        self._silent: set[str] = set()

    @property
    def terms(self) -> Terms:
        """What is in force."""
        return self._terms

    def use(self, terms: Terms) -> None:
        """Put other terms in force for whatever is translated from now on."""
        self._terms = terms
        self._claimed.clear()

    async def levels(self, feed: str, levels: Sequence[Level]) -> tuple[tuple[Level, ...], list[Reject]]:
        """As `records`; a level in our terms is a level."""
        found, rejects = await self.records(feed, levels)
        return tuple(record for record in found if isinstance(record, Level)), rejects

    async def records(self, feed: str, records: Sequence[Record]) -> tuple[Sequence[Record], list[Reject]]:
        """Records in our terms, and those that must not be used. Read again where the terms change meanwhile."""
        while True:
            terms = self._terms
            found, rejects = await self._in_pieces(feed, records, terms)
            named, collided = await self._called(found, terms)
            if terms is self._terms:
                return named, [*self.rejects(rejects), *collided]

    async def _in_pieces(
        self, feed: str, records: Sequence[Record], terms: Terms
    ) -> tuple[Sequence[Record], list[Reject]]:
        units = terms.units
        if all(plain(record, units) for record in records) and not await self._tells_units(feed):
            return records, []
        told = dict(filter(None, map(stock_unit, records)))
        before = await self._units_before(feed, told, terms)
        return _parted(in_our_units(record, units, before) for record in records)

    async def _tells_units(self, feed: str) -> bool:
        if feed not in self._telling and feed not in self._silent:
            (self._telling if await self.book.tells_units(feed) else self._silent).add(feed)
        return feed in self._telling

    async def _units_before(self, feed: str, told: Mapping[str, str], terms: Terms) -> Mapping[str, str]:
        """In which unit each was told before. What comes in pieces is noted only where another unit was told before."""
        fresh = {sku: unit for sku, unit in told.items() if self._told.get((feed, sku)) != unit}
        before = {sku: self._told[feed, sku] for sku in told if (feed, sku) in self._told}
        if not fresh:
            return before
        named = {sku: terms.aliases.named(sku) for sku in fresh}
        ours = {sku: name for sku, name in named.items() if isinstance(name, str)}
        pieces = {sku for sku, unit in fresh.items() if terms.units.plain(unit or None)}
        found = await self.book.units(feed, fresh, pieces, ours)
        if len(pieces) < len(fresh):
            self._silent.discard(feed)
            self._telling.add(feed)
        _remember(self._told, {(feed, sku): unit for sku, unit in fresh.items() if sku not in pieces})
        return {**before, **found}

    async def _called(self, records: Sequence[Record], terms: Terms) -> tuple[Sequence[Record], list[Reject]]:
        if not terms.aliases.active:
            return records, []
        names = await self._names({sku for record in records for sku in skus_of(record)}, terms)
        return _parted(in_our_names(record, names) for record in records)

    async def _names(self, skus: Collection[str], terms: Terms) -> Mapping[str, Named]:
        """What each is called. A name that rules made is the first one's that was met with it."""
        aliases = terms.aliases
        found: dict[str, Named] = {}
        claims: dict[str, str] = {}
        for archean in sorted(skus):
            named = aliases.named(archean)
            found[archean] = named
            if isinstance(named, Collision) or self._claimed.get(named) == archean:
                continue
            # What nobody renames cannot be another's: only what rules may make is claimed under its own name.
            if named != archean or aliases.rules:
                claims.setdefault(named, archean)
        certain = claims.keys() & aliases.owners.keys()
        owners = dict(await self.book.claim(claims, certain, terms.fingerprint)) if claims else {}
        _remember(self._claimed, owners)
        for archean, named in found.items():
            owner = self._claimed.get(named, archean) if isinstance(named, str) else archean
            if owner != archean and isinstance(named, str):
                found[archean] = Collision(named, owner)
        return found

    def ours(self, skus: Sequence[str]) -> tuple[str, ...]:
        """Our names of SKUs that were only named; one that collides keeps its own, and collides again when it is read."""
        aliases = self._terms.aliases
        if not aliases.active:
            return tuple(skus)
        named = ((sku, aliases.named(sku)) for sku in skus)
        return tuple(name if isinstance(name, str) else sku for sku, name in named)

    async def archean_of(self, skus: Collection[str]) -> Mapping[str, str]:
        """What the source calls commercetools' SKUs."""
        aliases = self._terms.aliases
        found = {sku: owner for sku in skus if (owner := aliases.owners.get(sku)) is not None}
        open_ = [sku for sku in skus if sku not in found]
        # Orders for a name that was given up still are orders for the goods that it named.
        kept = await self.book.owners(open_) if open_ else {}
        return {sku: sku for sku in skus} | dict(kept) | found

    async def archean_lines(self, lines: Sequence[PlacedLine]) -> Sequence[PlacedLine]:
        """Lines of an order as the source calls their SKUs."""
        names = await self.archean_of({line.sku for line in lines})
        return [line if names[line.sku] == line.sku else replace(line, sku=names[line.sku]) for line in lines]

    def rejects(self, rejects: Iterable[Reject]) -> tuple[Reject, ...]:
        """What could not be read, under our names as far as that is certain."""
        aliases = self._terms.aliases
        if not aliases.active:
            return tuple(rejects)
        found = []
        for each in rejects:
            named = None if each.sku is None else aliases.named(each.sku)
            if isinstance(named, str) and self._claimed.get(named, each.sku) == each.sku:
                found.append(replace(each, sku=named))
            else:
                found.append(each)
        return tuple(found)


def _remember(memory: dict[Name, str], fresh: Mapping[Name, str]) -> None:
    """Keep a bounded number; what is forgotten is asked of the store again."""
    if len(memory) + len(fresh) > REMEMBERED_NAMES:
        memory.clear()
    memory.update(fresh)


def _parted(found: Iterable[Record | Reject]) -> tuple[list[Record], list[Reject]]:
    records: list[Record] = []
    rejects: list[Reject] = []
    for each in found:
        if isinstance(each, Reject):
            rejects.append(each)
        else:
            records.append(each)
    return records, rejects
