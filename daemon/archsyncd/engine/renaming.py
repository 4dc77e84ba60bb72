"""Aliases that change: names that were given up are drawn down to what they owe, and the sources are asked anew.

A slip in a file of aliases is as dangerous as an empty full: beyond a limit nothing changes until a person allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from archsyncd.domain.aliases import Aliases
from archsyncd.domain.feed import SnapshotCause
from archsyncd.engine.naming import NameBook, Naming, Terms
from archsyncd.engine.store import Store

STEP_SKUS = 2_000
DIGEST_CHARACTERS = 12


class RenamingBook(NameBook, Protocol):
    """The names that levels are kept under."""

    async def in_force(self) -> str | None:
        """The fingerprint of the terms by which levels were named; None where there is no level yet."""
        ...

    async def named_at(self, location: str, after: str, limit: int) -> Sequence[tuple[str, str, bool]]:
        """SKUs of a location after one of them: ours, Archean's, and whether its level tells any figure."""
        ...

    async def succeed(self, successors: Mapping[str, str], terms: str) -> None:
        """The goods of these names are called otherwise by these terms. Safe to repeat."""
        ...

    async def retire(self, location: str, names: Mapping[str, str]) -> None:
        """Give up names at a location (ours to Archean's)."""
        ...

    async def put_in_force(self, fingerprint: str, *, renamed: bool) -> None:
        """Names are made by these terms from now on."""
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

    async def check(self, terms: Terms, permission: Permission) -> None:
        """Raise RenamingRefused where a person must allow these aliases first. Changes nothing."""
        if await self._book.in_force() in (None, terms.fingerprint()):
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

        Safe to repeat after a crash: it is done once the terms are noted.
        """
        self._naming.use(terms)
        before, fingerprint = await self._book.in_force(), terms.fingerprint()
        if before == fingerprint:
            return False
        given_up = await self._retire(terms.aliases)
        if before is not None:
            for state in await self._store.feeds.states():
                await self._store.feeds.needs_snapshot(state.name, SnapshotCause.ALIASES_CHANGED)
        await self._book.put_in_force(fingerprint, renamed=given_up > 0)
        return before is not None

    async def _retire(self, aliases: Aliases) -> int:
        given_up = 0
        for location in await self._store.feeds.locations():
            after = ""
            while rows := await self._page(location, after):
                after = rows[-1][0]
                names = dict(_given_up(rows, aliases))
                if names:
                    called = ((sku, aliases.named(archean)) for sku, archean in names.items())
                    successors = {sku: name for sku, name in called if isinstance(name, str)}
                    await self._book.succeed(successors, aliases.fingerprint())
                    await self._book.retire(location, names)
                given_up += len(names)
        return given_up

    async def _page(self, location: str, after: str) -> Sequence[tuple[str, str, bool]]:
        self._beat()
        return await self._book.named_at(location, after, STEP_SKUS)


def _given_up(rows: Sequence[tuple[str, str, bool]], aliases: Aliases) -> Iterator[tuple[str, str]]:
    for sku, archean, _ in rows:
        if aliases.named(archean) != sku:
            yield sku, archean
