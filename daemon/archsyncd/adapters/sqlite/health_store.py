"""What health asks the store: when locations were told, which keys owe more than they have. Changes no stock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.recompute import kept_levels
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kit_lines import shelf_places, shelf_skus
from archsyncd.domain.kits import kits_made_of
from archsyncd.domain.oversell import Owed, there
from archsyncd.domain.report import Room


class HealthStore:
    """Looks of health, each bounded."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def begin(self, now_ms: int) -> None:
        """Locations that were told before this was noted count as told now; those that are not sold any more are forgotten."""

        async def step(scope: Scope) -> None:
            sold = scope.policies.by_location
            await scope.tx.run("locations_forget", (array(sorted(sold)),))
            noted = {row[0] for row in await scope.tx.rows("locations_told")}
            for row in await scope.tx.rows("level_locations"):
                if row[0] in sold and row[0] not in noted:
                    feeds = await scope.tx.rows("feeds_of_location", (row[0],))
                    await scope.tx.run_many("location_known", [(row[0], feed[0], now_ms) for feed in feeds])

        await self._session.write(step)

    async def told(self) -> Mapping[str, Mapping[str, int]]:
        """By location, when each feed last told a level of it, in UTC milliseconds."""
        found: dict[str, dict[str, int]] = {}
        for location, feed, told_ms in await self._session.rows("locations_told"):
            found.setdefault(location, {})[feed] = told_ms
        return found

    async def beyond(self, after: StockKey | None, limit: int) -> tuple[Sequence[Owed], StockKey | None]:
        """Keys whose entry should stand below nothing, after a key: where more may be ordered than is there.

        And the key to go on after, None at the end.
        """
        start = after or StockKey("", "")
        async with self._session.read() as tx:
            wanted = {"channel": start.channel, "sku": start.sku, "limit": limit}
            rows = await tx.rows("outbox_beyond", wanted)
            found = await self._weighed(tx, rows)
        return found, StockKey(rows[-1][0], rows[-1][1]) if len(rows) == limit else None

    async def untold(self, keys: Collection[StockKey]) -> frozenset[StockKey]:
        """Those of these SKUs of which no level was ever told at a location of the channel."""
        async with self._session.read() as tx:
            scope = self._session.scope(tx)
            places = {
                key: [(name, key.sku) for name in channel.locations]
                for key in keys
                if (channel := scope.policies.channels.get(key.channel)) is not None
            }
            told = await kept_levels(scope, {place for each in places.values() for place in each})
        return frozenset(key for key in keys if told.keys().isdisjoint(places.get(key, ())))

    async def owed(self, keys: Collection[StockKey]) -> Mapping[StockKey, Owed]:
        """What these keys owe and have; one that is not sold any more is not named."""
        async with self._session.read() as tx:
            found = await self._weighed(tx, await tx.rows("outbox_owed", (pairs(keys),)))
        return {each.key: each for each in found}

    async def _weighed(self, tx: Transaction, rows: Sequence[Row]) -> list[Owed]:
        scope = self._session.scope(tx)
        channels, kits = scope.policies.channels, scope.policies.kits
        owed = {StockKey(row[0], row[1]): int(row[2]) for row in rows if row[0] in channels}
        levels = await kept_levels(scope, set(shelf_places(owed, scope.policies)))
        found = []
        for key, ordered in owed.items():
            policy = channels[key.channel]
            pieces = {
                sku: there(policy, [level for (_, name), level in levels.items() if name == sku])
                for sku in shelf_skus(key, scope.policies)
            }
            kit = kits.kit(key.channel, key.sku) if kits else None
            found.append(Owed(key, ordered, pieces[key.sku] if kit is None else kits_made_of(kit, pieces)))
        return found

    async def untracked(self) -> tuple[int, int]:
        """Open lines that commercetools does not count itself, and their pieces."""
        row = await self._session.row("lines_untracked")
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def room(self) -> Room:
        """The database's size and the room that is left for it."""
        return self._session.measure()
