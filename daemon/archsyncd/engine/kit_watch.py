"""Looks for kits with a component that Archean never told of: such a kit is not offered, and nobody would notice.

A source tells of its SKUs one after the other, so a kit is told of only when it stays so. Knows nothing of orders and of stock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.stock import Policies
from archsyncd.engine.ports import StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

LOOK_SECONDS = 10.0
# A snapshot of many SKUs takes its time.
SETTLE_SECONDS = 300.0
LOOK_ALL_SECONDS = 300.0
# Components looked for in one query, kits remembered as incomplete (what is beyond that is told once others are complete),
# cases read in one go, and components named in a sentence.
COMPONENTS = 2_000
REMEMBERED = 5_000
CASES = 200
COMPONENTS_TOLD = 5


class KitWatch:
    """Kits that are not offered for want of a component's level: a case for each and channel, closed once all are told.

    `settle_seconds`: how long a component must be unknown.
    """

    def __init__(
        self, store: Store, shared: Shared, beat: Callable[[], None], settle_seconds: float = SETTLE_SECONDS
    ) -> None:
        self.settle_seconds = settle_seconds
        self._store = store
        self._shared = shared
        self._beat = beat
        # By which rules, and for what channels of which anything was told, all kits were looked at last, and when.
        self._looked: tuple[Policies, frozenset[str]] | None = None
        self._looked_at = 0.0
        self._more = False
        # By channel and kit: components that were never told, since when that is so, and what the open case says.
        self._untold: dict[StockKey, tuple[str, ...]] = {}
        self._since: dict[StockKey, float] = {}
        self._told: dict[StockKey, tuple[str, ...]] | None = None

    async def run(self) -> None:
        """Look again every ten seconds."""
        while not self._shared.stopping:
            self._beat()
            with contextlib.suppress(StoreFull):
                await self.look()
            await self._shared.rest(LOOK_SECONDS)

    async def look(self) -> None:
        """Look at all kits when the rules are others, or other channels are told of, else at those that were incomplete."""
        if self._told is None:
            self._told = dict.fromkeys(await self._open_cases(), ())
        policies, now = self._store.rules.policies, self._shared.clock.monotonic()
        told = frozenset(await self._store.feeds.locations())
        # Where nothing at all was told of a channel's locations, it is the feed that somebody must look after.
        channels = frozenset(
            name for name, each in policies.channels.items() if not told.isdisjoint(each.locations)
        )
        changed = self._looked is None or self._looked[0] is not policies or self._looked[1] != channels
        if changed or (self._more and now - self._looked_at >= LOOK_ALL_SECONDS):
            self._looked, self._looked_at = (policies, channels), now
            untold, self._more = await self._look_for(_components(policies, channels))
        else:
            untold, _ = await self._look_for(self._untold)
        self._untold = untold
        self._since = {key: self._since.get(key, now) for key in untold}
        await self._tell(policies, now)

    async def _look_for(
        self, wanted: Mapping[StockKey, tuple[str, ...]]
    ) -> tuple[dict[StockKey, tuple[str, ...]], bool]:
        """Of these components of kits, those of which no level was told where the kit is sold; whether there are more kits."""
        found: dict[StockKey, tuple[str, ...]] = {}
        more = False
        for page in _pages(wanted):
            self._beat()
            parts = {StockKey(key.channel, sku) for key in page for sku in wanted[key]}
            untold = await self._store.health.untold(parts)
            for key in page:
                missing = tuple(sku for sku in wanted[key] if StockKey(key.channel, sku) in untold)
                if missing and len(found) < REMEMBERED:
                    found[key] = missing
                elif missing:
                    more = True
        return found, more

    async def _open_cases(self) -> list[StockKey]:
        """What an earlier run has told."""
        found: list[StockKey] = []
        after = 0
        kind = CaseKind.KIT_COMPONENT_UNTOLD.value
        while cases := await self._store.cases.listed(kind=kind, after=after, limit=CASES):
            found += [StockKey(case.scope, case.subject) for case in cases]
            after = cases[-1].id
        return found

    async def _tell(self, policies: Policies, now: float) -> None:
        assert self._told is not None
        # What is beyond those that are remembered may be incomplete still.
        for key in [key for key in self._told if key not in self._untold and not self._more]:
            kit = policies.kits.kit(key.channel, key.sku) if policies.kits else None
            note = "every component was told" if kit is not None else "it is no kit there any more"
            await self._store.cases.resolve(CaseKind.KIT_COMPONENT_UNTOLD, key.channel, key.sku, note)
            del self._told[key]
        for key, missing in self._untold.items():
            settled = key in self._told or now - self._since[key] >= self.settle_seconds
            if settled and self._told.get(key) != missing:
                await self._store.cases.open(_case(key, missing))
                self._told[key] = missing


def _components(policies: Policies, channels: frozenset[str]) -> dict[StockKey, tuple[str, ...]]:
    """By channel and kit, the SKUs that it is made of."""
    return {
        StockKey(name, kit.sku): tuple(sku for sku, _ in kit.components)
        for name in sorted(channels)
        for kit in policies.kits.by_sku.values()
        if kit.sold_in(name)
    }


def _pages(wanted: Mapping[StockKey, tuple[str, ...]]) -> Iterator[list[StockKey]]:
    """Kits with some thousand components together."""
    page: list[StockKey] = []
    components = 0
    for key, parts in wanted.items():
        page.append(key)
        components += len(parts)
        if components >= COMPONENTS:
            yield page
            page, components = [], 0
    if page:
        yield page


def _case(key: StockKey, missing: tuple[str, ...]) -> NewCase:
    more = f" and {len(missing) - COMPONENTS_TOLD} more" if len(missing) > COMPONENTS_TOLD else ""
    reason = (
        f"the kit {key.sku} is not offered in channel {key.channel}: Archean has never told a level of "
        f"{', '.join(missing[:COMPONENTS_TOLD])}{more} at a location of that channel"
    )
    return NewCase(CaseKind.KIT_COMPONENT_UNTOLD, key.channel, key.sku, reason)
