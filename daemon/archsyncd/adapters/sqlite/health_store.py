"""What health asks the store: when locations were told, which keys owe more than they have. Changes no stock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from archsyncd.adapters.sqlite.connection import Row, Transaction
from archsyncd.adapters.sqlite.recompute import kept_levels
from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.inventory import StockKey
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

    async def owed(self, keys: Collection[StockKey]) -> Mapping[StockKey, Owed]:
        """What these keys owe and have; one that is not sold any more is not named."""
        async with self._session.read() as tx:
            found = await self._weighed(tx, await tx.rows("outbox_owed", (pairs(keys),)))
        return {each.key: each for each in found}

    async def _weighed(self, tx: Transaction, rows: Sequence[Row]) -> list[Owed]:
        scope = self._session.scope(tx)
        channels = scope.policies.channels
        owed = {StockKey(row[0], row[1]): int(row[2]) for row in rows if row[0] in channels}
        places = {(name, key.sku) for key in owed for name in channels[key.channel].locations}
        levels = await kept_levels(scope, places)
        found = []
        for key, ordered in owed.items():
            policy = channels[key.channel]
            own = [level for name in policy.locations if (level := levels.get((name, key.sku))) is not None]
            found.append(Owed(key, ordered, there(policy, own)))
        return found

    async def untracked(self) -> tuple[int, int]:
        """Open lines that commercetools does not count itself, and their pieces."""
        row = await self._session.row("lines_untracked")
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def room(self) -> Room:
        """The database's size and the room that is left for it."""
        return self._session.measure()
