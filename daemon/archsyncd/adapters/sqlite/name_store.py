"""Names and units of SKUs in the store, and the levels of a name that was given up. Decides no alias."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

from archsyncd.adapters.sqlite.as_ordered import names_as_ordered
from archsyncd.adapters.sqlite.cases import open_cases
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.recompute import kept_levels, recompute
from archsyncd.adapters.sqlite.scope import Scope, array, require_terms
from archsyncd.adapters.sqlite.session import Session
from archsyncd.adapters.sqlite.terms import begin_change, close_all
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import SnapshotCause
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.units import Units, lowered, units_of_text


class NameStore:
    """What Archean's SKUs were called and in which units they were told."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(
        self, names: Mapping[str, str], certain: Collection[str] = (), terms: str | None = None
    ) -> Mapping[str, str]:
        """Archean's SKUs by commercetools' SKU that they would be: whose each is from now on, the first one's.

        `certain`: names that a line gives, whoever was met with them first. Raises OtherTerms where those of this fingerprint
        are not in force.
        """
        async with self._session.read() as tx:
            known = {
                sku: archean
                for sku, archean, retired in await tx.rows("names_of", (array(names),))
                if not retired
            }
        fresh = [(sku, archean) for sku, archean in names.items() if sku not in known]
        given = [(names[sku], sku) for sku in certain if known.get(sku, names[sku]) != names[sku]]
        if not fresh and not given:
            return known

        async def step(scope: Scope) -> dict[str, str]:
            await require_terms(scope, terms, "a record")
            await scope.tx.run_many("names_claim", fresh)
            await scope.tx.run_many("names_give", given)
            return {row[0]: row[1] for row in await scope.tx.rows("names_of", (array(names),))}

        return await self._session.write(step)

    async def owners(self, skus: Collection[str]) -> Mapping[str, str]:
        """Archean's SKUs of commercetools' SKUs, as far as any was called otherwise.

        Of a name that was given up the last one, unless Archean tells of a SKU of that very name since.
        """
        async with self._session.read() as tx:
            rows = await tx.rows("names_of", (array(skus),))
            given_up = array(row[0] for row in rows if row[2])
            places = await tx.rows("level_locations") if given_up != "[]" else []
            told = {
                row[0] for place in places for row in await tx.rows("levels_telling", (place[0], given_up))
            }
        return {row[0]: row[1] for row in rows if not row[2] or row[0] not in told}

    async def called(self, archean: str) -> str:
        """What an Archean SKU is called in commercetools, "" where it was not met under an alias."""
        async with self._session.read() as tx:
            row = await tx.row("name_called", (archean,))
        return "" if row is None else str(row[0])

    async def units(
        self, feed: str, told: Mapping[str, str], pieces: Collection[str], ours: Mapping[str, str]
    ) -> Mapping[str, str]:
        """In which unit each of Archean's SKUs was told by a feed before, where that is known; note those of `told` ("": none).

        `pieces`: those that are told in pieces, which are noted only where another unit was told. `ours`: our names of them.
        One that was told before without having been noted was told in pieces.
        """
        async with self._session.read() as tx:
            before: dict[str, str] = dict(await tx.rows("units_of", (feed, array(told))))
            fresh = {sku: unit for sku, unit in told.items() if unit and before.get(sku, unit) != unit}
            first = {sku: unit for sku, unit in told.items() if sku not in before and sku not in pieces}
            kept = {
                row[0]
                for place in await tx.rows("level_locations")
                for row in await tx.rows(
                    "levels_told_by", (place[0], feed, array(ours.get(sku, sku) for sku in first))
                )
            }
        if fresh or first:
            cases = [_changed(feed, sku, before[sku], unit) for sku, unit in fresh.items()]
            cases += [
                _changed(feed, sku, "pieces", unit) for sku, unit in first.items() if ours.get(sku) in kept
            ]

            async def step(scope: Scope) -> None:
                await scope.tx.run_many("unit_put", [(feed, *each) for each in (fresh | first).items()])
                await open_cases(scope.tx, cases, scope.now_ms)

            await self._session.write(step)
        return before

    async def tells_units(self, feed: str) -> bool:
        """Whether any SKU of a feed was ever told in a unit."""
        async with self._session.read() as tx:
            return await tx.row("units_any", (feed,)) is not None

    async def in_force(self) -> str | None:
        """The fingerprint of the aliases by which levels were named; None where there is no level yet."""
        async with self._session.read() as tx:
            row = await tx.row("aliases_fingerprint")
            if row is None and await tx.row("levels_any") is None:
                return None
        return "" if row is None else str(row[0])

    async def units_in_force(self) -> Units | None:
        """The units by which levels were counted before they began to change; None where that is not known."""
        row = await self._session.row("units_text")
        return units_of_text(row[0]) if row is not None and row[0] else None

    async def begin_change(self) -> None:
        """No terms are in force from now on, so that nothing translated is stored, and nothing of before waits any longer."""
        await self._session.write(begin_change)

    async def named_at(
        self, location: str, after: str, limit: int
    ) -> Sequence[tuple[str, str, bool, str | None]]:
        """Levels after a SKU: ours, Archean's, whether it tells any figure, and the unit it was told in last (None: pieces)."""
        rows: Sequence[Row] = await self._session.rows("level_names", (location, after, limit))
        return [(row[0], row[1], bool(row[2]), row[3]) for row in rows]

    async def succeed(self, successors: Mapping[str, str], terms: str) -> None:
        """The goods of these names (ours) are called otherwise by these terms: what is ordered of them counts there now."""

        async def step(scope: Scope) -> None:
            await recompute(scope, await names_as_ordered(scope, successors, terms))

        await self._session.write(step)

    async def retire(
        self, location: str, names: Mapping[str, str], recounted: Mapping[str, Fraction]
    ) -> None:
        """Give up names at a location (ours to Archean's): their levels tell nothing any more, what they owe stays.

        As with a removal their positions stay, so that what was proven at them stays proven. `recounted`: SKUs told in a unit
        that comes to so much of it now, 1 where it is more: what is too much goes at once, and the rest is told by a full or a
        reading; nothing is added to it until then.
        """

        async def step(scope: Scope) -> None:
            await _recount(scope, location, recounted)
            await scope.tx.run_many("names_keep", list(names.items()))
            await scope.tx.run("names_retire", (array(names),))
            await scope.tx.run("levels_retire", (location, array(names)))
            # Its goods are told under their new name; nobody answers for this one any more.
            await scope.tx.run("resyncs_retire", (location, array(names)))
            await close_all(scope, CaseKind.NEEDS_RESYNC, {f"{sku} at {location}" for sku in names})
            channels = sorted(scope.policies.channels_of(location))
            await recompute(
                scope, [StockKey(channel, sku) for channel in channels for sku in {**names, **recounted}]
            )

        await self._session.write(step)

    async def put_in_force(self, fingerprint: str, units: Units, *, told_anew: bool) -> None:
        """Names and units are those of this fingerprint from now on; `told_anew`: every source is asked for all it has."""

        async def step(scope: Scope) -> None:
            await scope.tx.run("aliases_put", (fingerprint, units.text()))
            await close_all(scope, CaseKind.SKU_COLLISION)
            if told_anew:
                await scope.tx.run("feeds_tell_anew", (SnapshotCause.ALIASES_CHANGED,))

        await self._session.write(step)


async def _recount(scope: Scope, location: str, ratios: Mapping[str, Fraction]) -> None:
    """Lower what counts for less by now. A level that lapsed before may be lowered already: a crash repeats this."""
    kept = await kept_levels(scope, [(location, sku) for sku in ratios])
    fresh = [level for level in kept.values() if not level.lapsed]
    figures = [
        [
            None if told is None else lowered(told, ratios[level.sku])
            for told in (level.on_hand, level.available)
        ]
        for level in fresh
    ]
    rows = [(*told, location, level.sku) for told, level in zip(figures, fresh, strict=True)]
    await scope.tx.run_many("level_recount", rows)


def _changed(feed: str, sku: str, before: str, unit: str) -> NewCase:
    reason = (
        f"feed {feed} tells Archean's {sku} in {unit} now, in {before} before: its figures are counted in {unit} by the factor "
        "of [units]; look whether Archean means it"
    )
    return NewCase(CaseKind.UNIT_CHANGED, feed, sku, reason, code=unit)
