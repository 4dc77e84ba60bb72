"""Expected deliveries in the store: what levels told, what entries should show, what was written. Changes no quantity."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from archsyncd.adapters.sqlite.scope import Scope, array, pairs
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.delivery import DueDelivery
from archsyncd.domain.inventory import StockKey

STEP_SKUS = 2_000


async def note_expected(scope: Scope, told: Mapping[tuple[str, str], str]) -> None:
    """Keep what levels at (location, SKU) told of expected goods ("": nothing), and what entries should show by it."""
    changed: list[tuple[str, str]] = []
    kept: dict[str, str]
    for location in sorted({place for place, _ in told}):
        skus = [sku for place, sku in told if place == location]
        kept = dict(await scope.tx.rows("expected_of", (array([location]), array(skus))))
        changed += [(location, sku) for sku in skus if kept.get(sku, "") != told[location, sku]]
    if not changed:
        return
    there = [(*place, told[place]) for place in changed if told[place]]
    await scope.tx.run_many("expected_put", there)
    await scope.tx.run_many("expected_drop", [place for place in changed if not told[place]])
    policies = scope.policies
    keys = {StockKey(channel, sku) for place, sku in changed for channel in policies.channels_of(place)}
    await _want(scope, keys)


async def _want(scope: Scope, keys: Iterable[StockKey]) -> None:
    """What entries should show: across a channel's locations the earliest; nothing where nothing is expected any more."""
    by_channel: dict[str, list[str]] = {}
    found: dict[str, str]
    for key in keys:
        if key.channel in scope.delivering:
            by_channel.setdefault(key.channel, []).append(key.sku)
    for channel, skus in by_channel.items():
        places = array(sorted(scope.policies.channels[channel].locations))
        found = dict(await scope.tx.rows("expected_of", (places, array(skus))))
        await scope.tx.run_many(
            "expected_delivery_want", [(channel, sku, found[sku]) for sku in skus if sku in found]
        )
        gone = [(channel, sku) for sku in skus if sku not in found]
        await scope.tx.run_many("expected_delivery_clear", gone)
        await scope.tx.run_many("expected_delivery_gone", gone)


class DeliveryStore:
    """What entries should show of expected goods."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def use(self, channels: frozenset[str]) -> None:
        """Show expected deliveries in these channels from now on; what was written in others stays and is forgotten."""
        self._session.delivering = channels
        await self._session.write(
            lambda scope: scope.tx.run("expected_delivery_forget", (array(sorted(channels)),))
        )
        policies = self._session.rules.policies
        for channel in sorted(channels & policies.channels.keys()):
            for place in policies.channels[channel].locations:
                await self._look_over(channel, "expected_after", place)
            await self._look_over(channel, "deliveries_after", channel)

    async def _look_over(self, channel: str, query: str, of: str) -> None:
        after = ""
        while True:
            async with self._session.read() as tx:
                skus = [row[0] for row in await tx.rows(query, (of, after, STEP_SKUS))]
            if not skus:
                return
            keys = [StockKey(channel, sku) for sku in skus]
            await self._session.write(lambda scope, keys=keys: _want(scope, keys))  # type: ignore[misc]
            after = skus[-1]

    async def due(self, paused: Collection[str], limit: int) -> Sequence[DueDelivery]:
        """What a write of its own is due for: keys of which nothing else is due or in flight."""
        async with self._session.read() as tx:
            now_ms = self._session.clock.wall_ms()
            rows = await tx.rows("deliveries_due", (now_ms, array(sorted(paused)), limit))
        return [DueDelivery(StockKey(row[0], row[1]), row[2] or "", row[3], row[4]) for row in rows]

    async def riding(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        """What writes of these keys' quantities may carry: what their entries should show and, as far as we know, do not."""
        async with self._session.read() as tx:
            if await tx.row("deliveries_any") is None:
                return {}
            rows = await tx.rows("deliveries_among", (pairs(keys),))
        return {StockKey(row[0], row[1]): row[2] or "" for row in rows}

    async def settled(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        """What entries of these keys show by our last write ("": nothing), where nothing newer is to be shown."""
        async with self._session.read() as tx:
            rows = await tx.rows("deliveries_settled", (pairs(keys),))
        return {StockKey(row[0], row[1]): row[2] or "" for row in rows}

    async def written(self, shown: Mapping[StockKey, str], again_ms: int) -> None:
        """Entries show this by our writes ("": nothing). The next write of its own goes after `again_ms`, of each."""
        now_ms = self._session.clock.wall_ms()

        async def step(scope: Scope) -> None:
            rows = [(*_names(key), told or None, now_ms + again_ms) for key, told in shown.items()]
            await scope.tx.run_many("expected_delivery_written", rows)
            await scope.tx.run_many(
                "expected_delivery_gone", [_names(key) for key, told in shown.items() if not told]
            )

        await self._session.write(step)

    async def versions(self, known: Iterable[tuple[StockKey, str, int]]) -> None:
        """Versions of entries as our writes left them, where no operation is in flight."""
        rows = [(*_names(key), entry_id, version) for key, entry_id, version in known]
        await self._session.write(lambda scope: scope.tx.run_many("expected_delivery_version", rows))

    async def put_off(self, keys: Iterable[StockKey], again_ms: int) -> None:
        """Try again after so long."""
        at_ms = self._session.clock.wall_ms() + again_ms
        rows = [(*_names(key), at_ms) for key in keys]
        await self._session.write(lambda scope: scope.tx.run_many("expected_delivery_off", rows))

    async def of(self, sku: str) -> Mapping[str, tuple[str | None, str | None]]:
        """By channel, what the entry should show and what we wrote last."""
        async with self._session.read() as tx:
            return {row[0]: (row[1], row[2]) for row in await tx.rows("deliveries_of", (sku,))}


def _names(key: StockKey) -> tuple[str, str]:
    return key.channel, key.sku
