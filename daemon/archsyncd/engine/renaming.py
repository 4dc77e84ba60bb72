"""Names and units that change: what was told in those before is drawn down or told anew, and never mixed with what is.

A slip in a file of aliases is as dangerous as an empty full: beyond a limit nothing changes until a person allows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

from archsyncd.domain.aliases import Aliases
from archsyncd.domain.units import Units
from archsyncd.engine.naming import NameBook, Naming, Terms
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

STEP_SKUS = 2_000
DIGEST_CHARACTERS = 12
AGAIN_SECONDS = 1.0
NOTE = "names"

# A SKU of ours, Archean's, whether its level tells any figure, and the unit that it was told in last (None: pieces).
NamedLevel: TypeAlias = tuple[str, str, bool, str | None]


class RenamingBook(NameBook, Protocol):
    """The names that levels are kept under."""

    async def in_force(self) -> str | None:
        """The fingerprint of the terms by which levels were named; None where there is no level yet.

        One of no terms while they are being changed, whatever becomes of the process.
        """
        ...

    async def units_in_force(self) -> Units | None:
        """The units by which levels were counted before they began to change; None where that is not known."""
        ...

    async def begin_change(self) -> None:
        """No terms are in force from now on, so that nothing translated is stored, and nothing of before waits any longer."""
        ...

    async def succeed(self, successors: Mapping[str, str], terms: str) -> None:
        """The goods of these names are called otherwise by these terms. Safe to repeat."""
        ...

    async def named_at(self, location: str, after: str, limit: int) -> Sequence[NamedLevel]:
        """Levels of a location after a SKU of ours."""
        ...

    async def retire(
        self, location: str, names: Mapping[str, str], recounted: Mapping[str, Fraction]
    ) -> None:
        """Give up names at a location (ours to Archean's); `recounted`: SKUs told in a unit that comes to so much of it now."""
        ...

    async def put_in_force(self, fingerprint: str, units: Units, *, told_anew: bool) -> None:
        """Names and units are those of this fingerprint from now on; `told_anew`: every source is asked for all it has."""
        ...


class RenamingRefused(Exception):
    """The aliases would give up more names than may be without a person's word; nothing has changed."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Up to how many percent of the levels may change their names, and the digest of the aliases that may beyond."""

    most_percent: int
    accepted: str = ""


class Renaming:
    """Compares the names that levels are kept under with those that the aliases make."""

    def __init__(self, store: Store, book: RenamingBook, naming: Naming, beat: Callable[[], None]) -> None:
        self._store = store
        self._book = book
        self._naming = naming
        self._beat = beat
        self._changing = asyncio.Lock()
        self.unfinished = False

    async def check(self, terms: Terms, permission: Permission) -> None:
        """Raise RenamingRefused where a person must allow these aliases first. Changes nothing."""
        if await self._book.in_force() in (None, terms.fingerprint):
            return
        told = given_up = 0
        for location in await self._store.feeds.locations():
            after = ""
            while rows := await self._page(location, after):
                after = rows[-1][0]
                stated = [row for row in rows if row[2]]
                told += len(stated)
                given_up += len(list(_given_up(stated, terms.aliases)))
        digest = terms.aliases.fingerprint()[:DIGEST_CHARACTERS] or "none"
        if given_up * 100 > told * permission.most_percent and permission.accepted != digest:
            raise RenamingRefused(
                f"the aliases would give other names to {given_up:,} of {told:,} levels, which is more than "
                f"guards.maximum_to_zero_percent = {permission.most_percent}: what is on sale under the names before would go to "
                f'nothing. Nothing was changed; if that is meant, set accept = "{digest}" under [aliases] and reload'
            )

    async def put_in_force(self, terms: Terms) -> bool:
        """Translate by these terms from now on; whether levels must be told anew, which every source is asked for.

        Safe to repeat after a crash, by whatever terms then: it is done once these are noted. `unfinished` tells that it is not;
        until then nothing that is translated is stored. Raises StoreFull.
        """
        async with self._changing:
            self._naming.use(terms)
            return await self._change(terms)

    async def finish(self) -> bool:
        """Put in force by what is translated since, where that is unfinished; as `put_in_force`."""
        async with self._changing:
            return await self._change(self._naming.terms)

    async def _change(self, terms: Terms) -> bool:
        before = await self._book.in_force()
        self.unfinished = before != terms.fingerprint
        if not self.unfinished:
            return False
        if before is not None:
            await self._book.begin_change()
            await self._retire(terms)
        await self._book.put_in_force(terms.fingerprint, terms.units, told_anew=before is not None)
        self.unfinished = False
        return before is not None

    async def _retire(self, terms: Terms) -> None:
        before, aliases = await self._book.units_in_force(), terms.aliases.fingerprint()
        for location in await self._store.feeds.locations():
            after = ""
            while rows := await self._page(location, after):
                after = rows[-1][0]
                names = dict(_given_up(rows, terms.aliases))
                recounted = dict(_recounted(rows, terms.units, before))
                if names:
                    called = ((sku, terms.aliases.named(archean)) for sku, archean in names.items())
                    successors = {sku: name for sku, name in called if isinstance(name, str)}
                    await self._book.succeed(successors, aliases)
                if names or recounted:
                    await self._book.retire(location, names, recounted)

    async def _page(self, location: str, after: str) -> Sequence[NamedLevel]:
        self._beat()
        return await self._book.named_at(location, after, STEP_SKUS)


class Reloaded:
    """Puts terms in force while everything runs, and goes on trying where there is no room for it."""

    def __init__(
        self, renaming: Renaming, shared: Shared, wake: Callable[[], None], beat: Callable[[], None]
    ) -> None:
        """`wake` has every source asked anew at once, also where a batch is on its way."""
        self._renaming = renaming
        self._shared = shared
        self._wake = wake
        self._beat = beat

    async def run(self) -> None:
        """Look from time to time whether a change was left undone."""
        while not self._shared.stopping:
            self._beat()
            if self._renaming.unfinished:
                await self._try(self._renaming.finish())
            await self._shared.rest(AGAIN_SECONDS)

    async def put_in_force(self, terms: Terms) -> None:
        """Translate by these terms from now on; without room for what that changes, as soon as there is."""
        await self._try(self._renaming.put_in_force(terms))

    async def _try(self, change: Awaitable[bool]) -> None:
        try:
            told_anew = await change
        except StoreFull as full:
            self._shared.notes[NOTE] = (
                f"other names or units of SKUs are not in force yet ({full}): nothing is taken from the sources until there is "
                "room for the change, which is tried again"
            )
            return
        self._shared.notes.pop(NOTE, None)
        if told_anew:
            self._wake()


def _given_up(rows: Sequence[NamedLevel], aliases: Aliases) -> Iterator[tuple[str, str]]:
    for sku, archean, _, _ in rows:
        if aliases.named(archean) != sku:
            yield sku, archean


def _recounted(
    rows: Sequence[NamedLevel], units: Units, before: Units | None
) -> Iterator[tuple[str, Fraction]]:
    if units == before:
        return
    for sku, archean, _, unit in rows:
        ratio = Fraction(1) if before is None else units.recount(before, archean, unit)
        if ratio is not None:
            yield sku, ratio
