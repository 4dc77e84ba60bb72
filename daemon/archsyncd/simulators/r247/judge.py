"""The judge: were more pieces sold than the house holds, and is stock hidden? It must not know how a daemon works.

Pieces are counted per pool, that is per SKU and supply channel (all locations of one channel together).

- W(t): the pool's true figure, which is available, or on hand at the locations that sell by it. U(t): pieces of accepted
  tracked orders that this figure does not exclude yet: not imported, or where on hand is sold, not shipped.
  O(t): pieces of all accepted orders not released. An order that was imported is released when the warehouse cancels
  it, one that never was when commercetools or the warehouse cancels it; a rejected order is not.
- X(t): W(t) with the effect of these orders undone (allocation, cancellation, dispatch). It moves only for reasons
  commercetools does not know: store sales, breakage, receipts, recounts, returns. So X − O = W − U at all times.
- Shortage(t) = max(0, O − X): pieces promised and not there. `oversold_total` adds up every rise of the shortage,
  whether a sale or a fall of X caused it; `oversold_at_rest` is the shortage at the end.
- Physics: a fall of X needs time to reach commercetools. A state of X stays excusable until `drain_seconds` after the
  record that superseded it was first sent to a reader (for ever when it never was). Time in which nobody could act, told
  as `outages`, does not count: the rest of it is what a daemon had for the work. B(t) is the largest X that is
  current or excusable at t: no daemon can publish more without an error of its own. `oversold_beyond_physics` adds up
  the rise of max(0, O − B) at every accepted order. It is 0 for a daemon that is right.
- At rest the published quantity should be f(W) − U: `hidden_units` adds up what is missing per pool, `excess_units`
  what is too much.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from archsyncd.simulators.r247.held import OrderStatus
from archsyncd.simulators.r247.stockroom import JournalEntry
from archsyncd.simulators.r247.warehouse import Warehouse

Pool = tuple[str, str]
Outage = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Commitment:
    """A tracked order line that commercetools accepted at `at_ms` (UTC) and, perhaps, cancelled later."""

    order_id: str
    at_ms: int
    sku: str
    channel: str
    quantity: int
    released_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PoolVerdict:
    """What the judge found in one pool, in pieces; `published` and the two after it only when it was told."""

    sku: str
    channel: str
    available: int
    unimported: int
    oversold_total: int
    oversold_beyond_physics: int
    oversold_at_rest: int
    published: int | None = None
    hidden: int = 0
    excess: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sums over all pools. `duplicate_orders` counts warehouse orders beyond one per commercetools order."""

    pools: tuple[PoolVerdict, ...]
    duplicate_orders: int

    @property
    def oversold_total(self) -> int:
        """Pieces that became promised without being there, whoever is to blame."""
        return sum(pool.oversold_total for pool in self.pools)

    @property
    def oversold_beyond_physics(self) -> int:
        """Pieces sold that a right daemon would not have offered."""
        return sum(pool.oversold_beyond_physics for pool in self.pools)

    @property
    def oversold_at_rest(self) -> int:
        """Pieces promised and not there at the end."""
        return sum(pool.oversold_at_rest for pool in self.pools)

    @property
    def unimported_units(self) -> int:
        """Pieces of accepted orders that the warehouse has not imported."""
        return sum(pool.unimported for pool in self.pools)

    @property
    def hidden_units(self) -> int:
        """Pieces that could be sold and are not offered."""
        return sum(pool.hidden for pool in self.pools)

    @property
    def excess_units(self) -> int:
        """Pieces offered that are not there."""
        return sum(pool.excess for pool in self.pools)


class _Event(NamedTuple):
    """A step of one pool; at one instant rises come first, then falls, then releases, then orders."""

    at_ms: int
    rank: int
    quantity: int
    excusable_until_ms: int | None


_RISE, _FALL, _RELEASE, _ORDER = range(4)


class Judge:
    """Weighs what commercetools accepted against what the warehouse really had.

    `outages`: when no daemon could act, as pairs of UTC milliseconds (from, to); they may overlap. `on_hand`: locations that
    sell by that figure.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        *,
        drain_seconds: float = 5.0,
        outages: Sequence[Outage] = (),
        on_hand: Collection[str] = (),
    ) -> None:
        self._warehouse = warehouse
        self._drain_ms = int(drain_seconds * 1000)
        self._outages = sorted(outages)
        self._on_hand = frozenset(on_hand)

    def verdict(
        self,
        commitments: Iterable[Commitment],
        published: Mapping[Pool, int] | None = None,
        sellable: Callable[[Pool, int], int] = lambda _, available: available,
    ) -> Verdict:
        """Judge the whole history. `published` is quantityOnStock by (SKU, channel); `sellable` is f per pool."""
        counted = [self._released(commitment) for commitment in commitments]
        events = self._events(counted)
        available, unimported = self._available(), self.unimported(counted)
        pools = []
        for pool in sorted(events.keys() | available.keys() | unimported.keys()):
            total, beyond, rest = self._weigh(sorted(events.get(pool, [])))
            held, waiting = available.get(pool, 0), unimported.get(pool, 0)
            offered = None if published is None else published.get(pool, 0)
            drift = 0 if offered is None else sellable(pool, held) - waiting - offered
            drifts = (max(0, drift), max(0, -drift))
            pools.append(PoolVerdict(*pool, held, waiting, total, beyond, rest, offered, *drifts))
        return Verdict(tuple(pools), len(self._warehouse.book.duplicates))

    def unimported(self, commitments: Iterable[Commitment]) -> dict[Pool, int]:
        """Pieces accepted, not released and not yet out of the figure that is sold by, by pool."""
        waiting: dict[Pool, int] = defaultdict(int)
        imported: set[tuple[str, Pool]] = set()
        for commitment in map(self._released, commitments):
            if commitment.released_ms is not None:
                continue
            pool = (commitment.sku, commitment.channel)
            order = self._warehouse.book.orders.get(commitment.order_id)
            if order is None or order.status is not OrderStatus.ACCEPTED:
                waiting[pool] += commitment.quantity
            else:
                imported.add((commitment.order_id, pool))
        for order_id, pool in imported:
            waiting[pool] += self._on_the_shelf(order_id, pool)
        return dict(waiting)

    def _on_the_shelf(self, order_id: str, pool: Pool) -> int:
        """Pieces of an imported order that on hand, where it is sold by, still counts."""
        sku, channel = pool
        return sum(
            line.open
            for line in self._warehouse.book.orders[order_id].lines
            if line.sku == sku
            and line.location in self._on_hand
            and self._warehouse.config.channel_of(line.location) == channel
        )

    def headroom(self, commitments: Iterable[Commitment], now_ms: int) -> dict[Pool, int]:
        """The most that may be for sale in each pool at this moment: B − O."""
        found = {}
        for pool, events in self._events([self._released(commitment) for commitment in commitments]).items():
            supply = promised = 0
            excusable = []
            for event in sorted(events):
                if event.rank in {_RISE, _FALL}:
                    if event.excusable_until_ms is None or event.excusable_until_ms >= now_ms:
                        excusable.append(supply)
                    supply += event.quantity
                else:
                    promised += event.quantity
            found[pool] = max([supply, *excusable]) - promised
        return found

    def _released(self, commitment: Commitment) -> Commitment:
        """Set when the pieces were free again, which the warehouse knows better than commercetools."""
        order = self._warehouse.book.orders.get(commitment.order_id)
        if order is None or order.status in {OrderStatus.RECEIVED, OrderStatus.REJECTED}:
            return commitment
        if order.status is OrderStatus.ACCEPTED:
            return replace(commitment, released_ms=None)
        ends = [order.ended_ms] if order.imported else [order.ended_ms, commitment.released_ms]
        return replace(commitment, released_ms=min(end for end in ends if end is not None))

    def _available(self) -> dict[Pool, int]:
        found: dict[Pool, int] = defaultdict(int)
        for (sku, location), holding in self._warehouse.room.holdings.items():
            figure = holding.on_hand if location in self._on_hand else holding.available
            found[sku, self._warehouse.config.channel_of(location)] += figure
        return dict(found)

    def _events(self, commitments: list[Commitment]) -> dict[Pool, list[_Event]]:
        events: dict[Pool, list[_Event]] = defaultdict(list)
        ours = {commitment.order_id for commitment in commitments}
        for entry in self._warehouse.room.journal:
            moved = entry.on_hand if entry.location in self._on_hand else entry.available
            if moved and entry.order_id not in ours:
                pool = (entry.sku, self._warehouse.config.channel_of(entry.location))
                rank = _RISE if moved > 0 else _FALL
                until_ms = self._excusable_until_ms(entry)
                events[pool].append(_Event(entry.at_ms, rank, moved, until_ms))
        for commitment in commitments:
            steps = events[commitment.sku, commitment.channel]
            steps.append(_Event(commitment.at_ms, _ORDER, commitment.quantity, None))
            if commitment.released_ms is not None:
                # Clocks of two systems may disagree: nothing is released before it was promised.
                released_ms = max(commitment.released_ms, commitment.at_ms + 1)
                steps.append(_Event(released_ms, _RELEASE, -commitment.quantity, None))
        return events

    def _excusable_until_ms(self, entry: JournalEntry) -> int | None:
        served_ms = self._warehouse.log.served_at_ms(entry.epoch_ordinal, entry.seq)
        return None if served_ms is None else self._drained_ms(max(served_ms, entry.at_ms))

    def _drained_ms(self, from_ms: int) -> int:
        """When a daemon told of something at that time has had `drain_seconds` in which it could act."""
        until_ms = from_ms + self._drain_ms
        for begin_ms, end_ms in self._outages:
            if begin_ms > until_ms:
                break
            lost_from_ms = max(begin_ms, from_ms)
            if end_ms > lost_from_ms:
                until_ms += end_ms - lost_from_ms
                from_ms = end_ms
        return until_ms

    def _weigh(self, events: list[_Event]) -> tuple[int, int, int]:
        """Walk through one pool's steps; return (oversold in all, beyond physics, at rest)."""
        supply = promised = total = beyond = 0
        excusable: list[tuple[int | None, int]] = []
        for event in events:
            shortage = max(0, promised - supply)
            if event.rank in {_RISE, _FALL}:
                excusable.append((event.excusable_until_ms, supply))
                supply += event.quantity
            else:
                excusable = [
                    (until, held) for until, held in excusable if until is None or until >= event.at_ms
                ]
                bound = max([supply, *(held for _, held in excusable)])
                if event.rank == _ORDER:
                    beyond += max(0, promised + event.quantity - bound) - max(0, promised - bound)
                promised += event.quantity
            total += max(0, max(0, promised - supply) - shortage)
        return total, beyond, max(0, promised - supply)
