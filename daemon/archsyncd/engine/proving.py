"""Proving: asking Archean about orders whose pieces nothing has proven to have left its figures, and folding the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.order import GONE_ORDER_STATES
from archsyncd.domain.report import LookupDue
from archsyncd.engine.limiter import Quiesced
from archsyncd.engine.orders import Orders
from archsyncd.engine.ports import Feed, FeedFault, StoreFull
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store

LOOKUPS_PER_ROUND = 50
REFRESH_PER_ROUND = 200
ASK_AGAIN_BASE_MS = 30_000
ASK_AGAIN_LIMIT_MS = 600_000
FOLD_AGE_MS = 900_000
TIDY_EVERY_SECONDS = 300.0
CLOSED_KEEP_MS = 2 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class ProvingOptions:
    """Limits of waiting. `settle_seconds`: from when Archean's "unknown" counts for a cancelled order.

    `linearizable`: feeds whose single-key read shows everything that was accepted before it began.
    """

    unproven_minutes: float
    settle_seconds: float
    poll_seconds: float
    refresh_after_seconds: float
    linearizable: frozenset[str]


class Proving:
    """Seeks proofs for open lines, and folds orders that are done."""

    def __init__(
        self,
        store: Store,
        feeds: Sequence[Feed],
        orders: Orders,
        shared: Shared,
        options: ProvingOptions,
        beat: Callable[[], None],
    ) -> None:
        self._store = store
        self._feeds = feeds
        self._orders = orders
        self._shared = shared
        self.options = options
        self._beat = beat
        self._tidied_at = shared.clock.monotonic()

    async def run(self) -> None:
        """Ask, refresh and fold until the limiter lets nothing more begin."""
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    busy = await self.prove_some()
                    busy += await self.refresh_some()
                    await self._tidy()
                except (StoreFull, FeedFault):
                    busy = 0
                await self._shared.rest(0 if busy >= LOOKUPS_PER_ROUND else self.options.poll_seconds)
        except Quiesced:
            pass

    async def prove_some(self) -> int:
        """Ask about a bounded number of orders; how many."""
        due = await self._store.orders.lookups_due(LOOKUPS_PER_ROUND)
        unproven = await self._store.orders.unproven_lines([order.order_id for order in due])
        for order in due:
            self._beat()
            keys = unproven.get(order.order_id, ())
            if keys:
                await self._ask(order, keys)
            else:
                await self._store.orders.next_lookup(order.order_id, None)
                await self._close_case(order)
        return len(due)

    async def _ask(self, order: LookupDue, keys: Sequence[StockKey]) -> None:
        waited = self._shared.clock.wall_ms() - order.learned_ms
        pause = min(max(waited, ASK_AGAIN_BASE_MS), ASK_AGAIN_LIMIT_MS)
        await self._store.orders.next_lookup(order.order_id, self._shared.clock.wall_ms() + pause)
        for feed in self._feeds:
            if feed.offers_lookup:
                await self._ask_feed(feed, order, keys)
        left = await self._store.orders.unproven_lines([order.order_id])
        if not left.get(order.order_id):
            await self._store.orders.next_lookup(order.order_id, None)
            await self._close_case(order)
        elif waited > self.options.unproven_minutes * 60_000:
            await self._open_case(order, waited)
        self._shared.work.set()

    async def _ask_feed(self, feed: Feed, order: LookupDue, keys: Sequence[StockKey]) -> None:
        found: OrderLookup | None = None
        try:
            for reference in (order.order_id, order.number):
                if reference and found is None:
                    self._beat()
                    found = await feed.look_up_order(reference)
            if found is None:
                await self._unknown_there(order)
                return
            await self._store.orders.book_order_lookup(order.order_id, feed.name, found)
            left = await self._store.orders.unproven_lines([order.order_id])
            if (
                found.status == "accepted"
                and left.get(order.order_id)
                and feed.name in self.options.linearizable
            ):
                await self._read_fresh(feed, order, keys)
        except FeedFault as fault:
            self._shared.notes["proving"] = f"feed {feed.name} does not answer about orders: {fault.reason}"
        else:
            self._shared.notes.pop("proving", None)

    async def _unknown_there(self, order: LookupDue) -> None:
        """Archean does not know it: of an order that is gone, once imports have had their time, it never will."""
        age = self._shared.server_now_ms() - order.created_ms
        if order.order_state in GONE_ORDER_STATES and age > self.options.settle_seconds * 1000:
            await self._store.orders.release(order.order_id)

    async def _read_fresh(self, feed: Feed, order: LookupDue, keys: Sequence[StockKey]) -> None:
        """A read begun after the acceptance is known excludes the order: merged as levels, booked as a proof."""
        for sku in sorted({key.sku for key in keys}):
            self._beat()
            reading = await feed.read_key(sku)
            if reading is not None:
                await self._store.feeds.record_reading(reading)
                await self._store.orders.book_fresh_read(order.order_id, reading)

    async def _open_case(self, order: LookupDue, waited_ms: int) -> None:
        name = order.number or order.order_id
        reason = (
            f"order {name} is {waited_ms // 60_000} minutes old to us and nothing proves that Archean's figures exclude "
            "its pieces; they are held back from sale until then"
        )
        await self._store.cases.open(NewCase(CaseKind.UNPROVEN_REFLECTION, "orders", name, reason))

    async def _close_case(self, order: LookupDue) -> None:
        name = order.number or order.order_id
        await self._store.cases.resolve(CaseKind.UNPROVEN_REFLECTION, "orders", name, "it is proven now")

    async def refresh_some(self) -> int:
        """Read open orders again that were not read for long, and fold those that are done; how many were looked at."""
        ids = await self._store.orders.refresh_due(REFRESH_PER_ROUND)
        if not ids:
            return 0
        found = await self._orders.reader.fetch(ids)
        if found is None:
            return 0
        await self._store.orders.learn(found.orders, self._orders.learn_rules())
        for order_id in sorted(found.missing):
            await self._store.orders.forget(order_id)
        now_ms = self._shared.server_now_ms()
        young = {order.id for order in found.orders if now_ms - order.created_at_ms <= FOLD_AGE_MS}
        again = self._shared.clock.wall_ms() + int(self.options.refresh_after_seconds * 1000)
        folded = await self._store.orders.fold([each for each in ids if each not in young], again)
        self._shared.count("folded", folded)
        return len(ids)

    async def _tidy(self) -> None:
        now = self._shared.clock.monotonic()
        if now - self._tidied_at >= TIDY_EVERY_SECONDS:
            self._tidied_at = now
            await self._store.orders.tidy(self._shared.orders_complete_ms - CLOSED_KEEP_MS)
