"""Names and units of SKUs in the store, and the levels of a name that was given up. Decides no alias."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archsyncd.adapters.sqlite.as_ordered import names_as_ordered
from archsyncd.adapters.sqlite.cases import open_cases, resolve_case
from archsyncd.adapters.sqlite.connection import Row
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.session import Session
from archsyncd.adapters.sqlite.snapshots import decide, listed
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import StockKey

SNAPSHOTS_LOOKED_AT = 200


class NameStore:
    """What Archean's SKUs were called and in which units they were told."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(self, names: Mapping[str, str], certain: Collection[str] = ()) -> Mapping[str, str]:
        """Archean's SKUs by commercetools' SKU that they would be: whose each is from now on, the first one's.

        `certain`: names that a line gives, whoever was met with them first.
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

    async def named_at(self, location: str, after: str, limit: int) -> Sequence[tuple[str, str, bool]]:
        """SKUs of a location after one of them: ours, Archean's, and whether its level tells any figure."""
        async with self._session.read() as tx:
            rows: Sequence[Row] = await tx.rows("level_names", (location, after, limit))
        return [(row[0], row[1], bool(row[2])) for row in rows]

    async def succeed(self, successors: Mapping[str, str], terms: str) -> None:
        """The goods of these names (ours) are called otherwise by these terms: what is ordered of them counts there now."""

        async def step(scope: Scope) -> None:
            await recompute(scope, await names_as_ordered(scope, successors, terms))

        await self._session.write(step)

    async def retire(self, location: str, names: Mapping[str, str]) -> None:
        """Give up names at a location (ours to Archean's): their levels tell nothing any more, what they owe stays.

        As with a removal their positions stay, so that what was proven at them stays proven.
        """

        async def step(scope: Scope) -> None:
            await scope.tx.run_many("names_keep", list(names.items()))
            await scope.tx.run("names_retire", (array(names),))
            await scope.tx.run("levels_retire", (location, array(names)))
            channels = sorted(scope.policies.channels_of(location))
            await recompute(scope, [StockKey(channel, sku) for channel in channels for sku in names])
            feeds = [row[0] for row in await scope.tx.rows("feeds")]
            note = "its SKU has another name now"
            for sku in names:
                for feed in feeds:
                    await resolve_case(
                        scope.tx, CaseKind.HELD_LEVEL, feed, f"{sku} at {location}", note, scope.now_ms
                    )

        await self._session.write(step)

    async def put_in_force(self, fingerprint: str, *, renamed: bool) -> None:
        """Names are made by these aliases from now on. `renamed`: some were given up, so held fulls name goods as before."""

        async def step(scope: Scope) -> None:
            await scope.tx.run("aliases_put", (fingerprint,))
            note = "the aliases of SKUs have changed"
            for row in await scope.tx.rows("cases", _open(CaseKind.SKU_COLLISION)):
                await resolve_case(scope.tx, CaseKind.SKU_COLLISION, row[2], row[3], note, scope.now_ms)
            for snapshot in await listed(scope, SNAPSHOTS_LOOKED_AT) if renamed else ():
                if snapshot.state == "held":
                    await decide(scope, snapshot, note, approve=False)

        await self._session.write(step)


def _open(kind: CaseKind) -> Mapping[str, object]:
    return {"state": "open", "kind": kind.value, "subject": "", "after": 0, "limit": 5_000}


def _changed(feed: str, sku: str, before: str, unit: str) -> NewCase:
    reason = (
        f"feed {feed} tells Archean's {sku} in {unit} now, in {before} before: its figures are counted in {unit} by the factor "
        "of [units]; look whether Archean means it"
    )
    return NewCase(CaseKind.UNIT_CHANGED, feed, sku, reason, code=unit)
