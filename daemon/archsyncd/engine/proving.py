"""Proving: asking Archean about orders whose pieces nothing has proven to have left its figures, and folding the rest."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

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

LOOKUPS_PER_ROUND = 200
LOOKUPS_AT_ONCE = 8
FAULTS_IN_A_ROW = 3
REFRESH_PER_ROUND = 200
ASK_AGAIN_BASE_MS = 30_000
ASK_AGAIN_LIMIT_MS = 600_000
FOLD_AGE_MS = 900_000
TIDY_EVERY_SECONDS = 300.0
CLOSED_KEEP_MS = 2 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class ProvingOptions:
    """Limits of waiting. `settle_seconds`: from when Archean's "unknown" counts for a cancelled order.

    `linearizable`: feeds whose single-key read shows everything that was accepted before it began. `reflected_before_ms`:
    the site's statement that older orders are in Archean's figures. `beside`: feeds that cannot be asked, and the feed of the
    same source that can speak for each.
    """

    unproven_minutes: float
    settle_seconds: float
    poll_seconds: float
    refresh_after_seconds: float
    linearizable: frozenset[str]
    reflected_before_ms: int
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the sources that answered say of an order; None: it is not known there."""

    order: LookupDue
    told: Mapping[str, OrderLookup | None]

    def not_known_to(self) -> frozenset[str]:
        return frozenset(feed for feed, found in self.told.items() if found is None)


def _asked_next(order: LookupDue, now_ms: int) -> int:
    return now_ms + min(max(now_ms - order.sought_ms, ASK_AGAIN_BASE_MS), ASK_AGAIN_LIMIT_MS)


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
        if not due:
            return 0
        now_ms, ids = self._shared.clock.wall_ms(), [each.order_id for each in due]
        await self._store.orders.next_lookups({each.order_id: _asked_next(each, now_ms) for each in due})
        unproven = await self._store.orders.unproven_lines(ids)
        open_ones = [each for each in due if each.order_id in unproven]
        stated_ms = self.options.reflected_before_ms
        stated = [each.order_id for each in open_ones if each.created_ms < stated_ms]
        if stated:
            await self._store.orders.settle_as_stated(stated)
        await self._ask([each for each in open_ones if each.created_ms >= stated_ms])
        proven = await self._store.orders.settle_lookups(ids)
        for order in due:
            waited = now_ms - order.sought_ms
            if order.order_id not in proven and waited > self.options.unproven_minutes * 60_000:
                await self._open_case(order, waited)
        self._shared.work.set()
        return len(due)

    async def _ask(self, orders: Sequence[LookupDue]) -> None:
        """Ask every source about these orders and book what they say, and what can be concluded from it."""
        if not orders:
            return
        answers: list[_Answers] = []
        faults: Counter[str] = Counter()
        for start in range(0, len(orders), LOOKUPS_AT_ONCE):
            self._beat()
            some = orders[start : start + LOOKUPS_AT_ONCE]
            answers += await asyncio.gather(*(self._answers(order, faults) for order in some))
        await self._store.orders.book_order_lookups(
            [
                (each.order.order_id, feed, found)
                for each in answers
                for feed, found in each.told.items()
                if found is not None
            ]
        )
        left = await self._store.orders.unproven_lines([order.order_id for order in orders])
        doubtful = [each for each in answers if each.order.order_id in left]
        for each in doubtful:
            await self._unknown_to(each.order, each.not_known_to())
        for feed in self._feeds:
            if feed.offers_lookup and feed.name in self.options.linearizable:
                await self._read_fresh(feed, doubtful, left)

    async def _answers(self, order: LookupDue, faults: Counter[str]) -> _Answers:
        """What each source says of an order. One that failed several times in a row is not waited for again this round."""
        told: dict[str, OrderLookup | None] = {}
        for feed in self._feeds:
            if not feed.offers_lookup or faults[feed.name] >= FAULTS_IN_A_ROW:
                continue
            try:
                self._beat()
                found = await feed.look_up_order(order.order_id)
                if found is None and order.number:
                    self._beat()
                    found = await feed.look_up_order(order.number)
            except FeedFault as fault:
                faults[feed.name] += not fault.answered
                self._note(feed, f"does not answer about orders: {fault.reason}")
            else:
                told[feed.name] = found
                faults[feed.name] = 0
                self._shared.notes.pop(f"proving {feed.name}", None)
        return _Answers(order, told)

    def _note(self, feed: Feed, text: str) -> None:
        self._shared.notes[f"proving {feed.name}"] = f"feed {feed.name} {text}"

    async def _unknown_to(self, order: LookupDue, feeds: frozenset[str]) -> None:
        """Archean does not know it: of an order that is gone, once imports have had their time, it never will.

        Only when everyone says so whose levels count where the order does. A source that is down or cannot be asked may
        have taken it; while a location's levels are nobody's yet they may turn out to be any source's.
        """
        age_ms = self._shared.server_now_ms() - order.created_ms
        if order.order_state not in GONE_ORDER_STATES or age_ms <= self.options.settle_seconds * 1000:
            return
        asked = [feed.name for feed in self._feeds if feed.offers_lookup]
        if not asked or not feeds.issuperset(asked):
            return
        beside = self.options.beside
        everyone = {beside.get(feed.name, feed.name) for feed in self._feeds} <= set(asked)
        sources = {beside.get(name, name) for name in await self._store.orders.sources_of(order.order_id)}
        if sources <= feeds | ({""} if everyone else set()):
            await self._store.orders.release(order.order_id)

    async def _read_fresh(
        self, feed: Feed, doubtful: Sequence[_Answers], keys: Mapping[str, Sequence[StockKey]]
    ) -> None:
        """Where reads show all that was accepted before they begin, read the keys of what this source has accepted.

        That is known from the look-up, or from a record before it.
        """
        wanted: dict[str, dict[str, bool]] = {}
        for each in doubtful:
            order, found = each.order, each.told.get(feed.name)
            whole = found is not None and found.status == "accepted"
            recorded = not whole and order.accepted_ms is not None
            if whole or (recorded and feed.name in await self._store.orders.accepted_by(order.order_id)):
                for key in keys[order.order_id]:
                    wanted.setdefault(key.sku, {})[order.order_id] = whole
        faults = 0
        for sku, orders in sorted(wanted.items()):
            if faults >= FAULTS_IN_A_ROW:
                return
            self._beat()
            try:
                reading = await feed.read_key(sku)
            except FeedFault as fault:
                faults += 1
                self._note(feed, f"does not show {sku}: {fault.reason}")
                continue
            faults = 0
            if reading is not None:
                await self._store.feeds.record_reading(reading)
                await self._store.orders.book_fresh_read(orders, reading)

    async def _open_case(self, order: LookupDue, waited_ms: int) -> None:
        name = order.number or order.order_id
        reason = (
            f"for {waited_ms // 60_000} minutes nothing has proven that Archean's figures exclude the pieces of order "
            f"{name}; they are held back from sale until it is told, or until orders.reflected_before covers the order"
        )
        await self._store.cases.open(NewCase(CaseKind.UNPROVEN_REFLECTION, "orders", name, reason))

    async def refresh_some(self) -> int:
        """Read open orders again that were not read for long, and fold those that are done; how many were looked at."""
        ids = await self._store.orders.refresh_due(REFRESH_PER_ROUND)
        if not ids:
            return 0
        found = await self._orders.reader.fetch(ids, self._beat)
        if found is None:
            return 0
        await self._store.orders.learn(found.orders, self._orders.learn_rules())
        for order_id in sorted(found.missing):
            await self._store.orders.forget(order_id)
        now_ms = self._shared.server_now_ms()
        young = {order.id for order in found.orders if now_ms - order.created_at_ms <= FOLD_AGE_MS}
        again = self._shared.clock.wall_ms() + int(self.options.refresh_after_seconds * 1000)
        # One that is unchanged is not written by learning: left due, it would be read again and again without a pause.
        folded = await self._store.orders.fold(ids, again, young)
        self._shared.count("folded", folded)
        return len(ids)

    async def _tidy(self) -> None:
        now = self._shared.clock.monotonic()
        if now - self._tidied_at >= TIDY_EVERY_SECONDS:
            self._tidied_at = now
            await self._store.orders.tidy(self._shared.orders_complete_ms - CLOSED_KEEP_MS)
