"""One process of the daemon in virtual time that carries orders over and dispatches back, beside what `Host` does.

Whatever it commits is counted, so that it can be killed right after any of it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.assembly import carrying_of, dispatch_options, hand_over_options, placement_of
from archsyncd.domain.handover import Carried
from archsyncd.engine.dispatching import Dispatching
from archsyncd.engine.handing_over import HandOver
from archsyncd.engine.noting import Noting
from archsyncd.engine.orders import Orders
from archsyncd.engine.ports import Commercetools, Feed, OrderDesk
from archsyncd.engine.store import Store
from tests.system.host import Around, Bent, Host
from tests.system.inside import House
from tests.system.truth import FEED, hold

# What only reads.
READS = frozenset(
    {
        "accepted_by",
        "concerned",
        "counts",
        "cursor",
        "due",
        "feeds_of",
        "known_orders",
        "listed",
        "locations",
        "lookups_due",
        "of_order",
        "refresh_due",
        "resyncs",
        "sources_of",
        "state",
        "states",
        "story",
        "unbooked_since",
        "unproven_lines",
        "untaken",
        "untaken_since",
    }
)


class Committing:
    """A part of the store; `told` after each call that may have written."""

    def __init__(self, part: object, told: Callable[[], None]) -> None:
        self._part = part
        self._told = told

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name in READS or not inspect.iscoroutinefunction(found):
            return found

        async def call(*args: Any, **named: Any) -> Any:
            done = await found(*args, **named)
            self._told()
            return done

        return call


class OrderHost(Host):
    """A daemon in mode hand-over."""

    remembers = False

    def __init__(
        self, house: House, bent: Bent, name: str, directory: Path, committed: Callable[[Host], None]
    ) -> None:
        super().__init__(house, bent, name, directory)
        self._committed = committed

    def watched(self, store: SqliteStore) -> Store:
        """The store that carries orders, with an eye on what it begins to send (O5) and on each commit."""
        store.carry(carrying_of(self.settings))
        kept = super().watched(store)
        handovers = store.handovers

        async def ready(carried: Carried, *written: Any) -> Carried | None:
            found = self.look("SELECT cancel FROM handover WHERE order_id = ?", carried.order_id)
            sending = await handovers.ready(carried, *written)
            known = bool(found and found[0]["cancel"])
            hold("O5", sending is None or not known, f"{carried.name} is sent, and known to be cancelled")
            return sending

        def tell() -> None:
            self._committed(self)

        parts = {
            "handovers": Committing(Around(handovers, ready=ready), tell),
            "advices": Committing(store.advices, tell),
            "orders": Committing(store.orders, tell),
            "feeds": Committing(store.feeds, tell),
        }
        return cast("Store", Around(kept, **parts))

    def carriers(
        self, store: Store, client: Commercetools, feed: Feed, orders: Orders
    ) -> Sequence[HandOver | Dispatching | Noting]:
        """Hand-over and booking, as the application puts them together."""
        settings, shared, chance = self.settings, self.shared, self.world.chance
        desk = cast("OrderDesk", cast("Any", feed).desk)
        placing = lambda: placement_of(settings, shared.channel_keys, self.opened.rules.policies)  # noqa: E731
        options = hand_over_options(settings)
        return (
            HandOver(store, client, feed, desk, self.limiter, shared, options, placing, chance, lambda: None),
            Dispatching(
                store,
                client,
                {FEED: desk},
                self.limiter,
                shared,
                dispatch_options(settings),
                orders.learn_rules,
                chance,
                lambda: None,
            ),
            Noting(store, client, self.limiter, shared, settings.orders.sync_channel, chance, lambda: None),
        )
