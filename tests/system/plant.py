"""A site with the daemon's own parts in virtual time, and a judge that knows the truth on both sides.

The parts are the real ones: store, client, limiter, drain, resolver, bases, orders, proving, feed and tail. A process dies
here as a killed one does: its files stay as they are at that instant, nothing it has not sent yet arrives any more. What
must hold by the stock ledger (S, F and D) is asked after every step and around every request; `Violation.name` says which.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archsyncd.domain.times import rfc3339
from archsyncd.simulators.commercetools import ApiError, FaultKind, OrderLine
from archsyncd.simulators.commercetools.exchange import Reply, Request
from archsyncd.simulators.commercetools.faults import LATE
from archsyncd.simulators.r247 import Fault, OrderStatus, Reflection
from archsyncd.simulators.r247 import FaultKind as FeedFault
from tests.system.ground import Ground
from tests.system.host import CONFIRM_SECONDS, Bent, Host, Image
from tests.system.truth import CHANNELS, DRAIN_SECONDS, LOCATIONS, SKUS, Sold, Truth, hold

# The longest that a lost request is under way here.
LATE_SECONDS = 6.0
# A new process knows the channels and the newest orders by then, and one with a new database its entries.
START_SECONDS = 2.0
TAKE_OVER_SECONDS = 6.0
# Fences are counted by the second where nobody keeps a lease, and no file remembers the one before.
FENCE_SECONDS = 1.1
REST_SECONDS = 400.0
# Whatever an importer was told is in the warehouse by then.
IMPORT_SECONDS = 10.0


class Plant(Ground):
    """The world: one site, one daemon after another, and the books that the judge keeps."""

    def __init__(
        self, bent: Bent, reflection: Reflection, *, sampled: bool, seed: int, on_hand: str = ""
    ) -> None:
        """`on_hand`: the location that sells by that figure, "" for none."""
        super().__init__(seed)
        self.bent = bent
        self.on_hand = on_hand
        self.forgetful = False
        self.reflection = reflection
        self.sampled = sampled
        self.late_at = float("-inf")
        self._late_hits = 0
        self.images: list[Image] = []

    async def open(self, pieces: Mapping[tuple[str, str], int]) -> None:
        """Both simulators, goods on the shelves, and the first daemon."""
        shop = {"latency_seconds": 0.03, "message_lag_seconds": 1.0, "stock_lag_seconds": 4.0}
        house = {
            "locations": tuple(LOCATIONS),
            "channels": LOCATIONS,
            "reflection": self.reflection,
            "tick_seconds": 0.25,
            "heartbeat_seconds": 5.0,
        }
        await self.serve(shop, house, SKUS, CHANNELS)
        for (sku, location), count in pieces.items():
            self.site.house.warehouse.seed(sku, location, count)
        self.truth = Truth(self.site, dict(pieces), self._seed, self.on_hand)
        self.site.watcher.before = self._before
        self.site.watcher.after = self._after
        await self.start(None)

    # Processes

    def build(self, name: str, directory: Path) -> Host:
        """The stock path alone."""
        return Host(self.house, self.bent, name, directory)

    async def start(self, image: Image | None, orders: str = "") -> None:
        """A process on the files of a dead one, or on none at all. `orders`: what its configuration says of them."""
        figures = {place: "onHand" if place == self.on_hand else "available" for place in LOCATIONS}
        locations = "\n".join(
            f'{place} = {{ channel = "{key}", sellable = "{figures[place]}" }}'
            for place, key in LOCATIONS.items()
        )
        await self.launch(
            image,
            locations=locations,
            more='[channels."warehouse-1"]\norder_location = ""',
            orders=orders,
            reconcile=f"sample_keys_per_minute = {100 if self.sampled else 0}",
        )

    async def dies(self) -> Image:
        """Kill -9, now; what its files are then."""
        image = await super().dies()
        self.images.append(image)
        return image

    async def restarts(
        self, image: Image | None, pause_seconds: float, *, known: bool, states: bool = False
    ) -> None:
        """After a death: up again on these files. `known`: they are the last ones, nothing was lost.

        `states`: the site says that every order until now is in the warehouse's figures.
        """
        began_ms = self.now_ms
        self.forgetful |= not known
        if image is not None and not known:
            # An older file has read less: what is to be lost would be lost with corrections that the last one had read.
            self.site.house.script.clear()
        if not known and self.clock.monotonic() - self.late_at < 2 * LATE_SECONDS:
            # What the dead one sent may land on an entry that the new one has read: found by the confirm read.
            self._excuse()
        await asyncio.sleep(pause_seconds if known else max(pause_seconds, FENCE_SECONDS))
        orders = f'reflected_before = "{rfc3339(self.now_ms)}"' if states else ""
        self.truth.stated |= {sold.id for sold in self.truth.sold} if states else set()
        await self.start(image, orders)
        more = START_SECONDS if known else TAKE_OVER_SECONDS
        self.truth.outages.append((began_ms, self.now_ms + int(more * 1000)))

    async def dies_around(self, requests: int, *, before: bool, seconds: float = 8.0) -> Image:
        """Kill it around one of its next requests to commercetools, or when there is none."""
        return await self.dies_at("asked" if before else "answered", requests, seconds)

    async def rivalled(self) -> None:
        """Another process with a ledger of its own begins to write beside this one; whoever is fenced off ends."""
        await asyncio.sleep(FENCE_SECONDS)
        began_ms = self.now_ms
        self._excuse()
        self.forgetful = True
        await self.start(None)
        self.truth.outages.append((began_ms, self.now_ms + int(TAKE_OVER_SECONDS * 1000)))

    def _excuse(self) -> None:
        seconds = CONFIRM_SECONDS + 2 * DRAIN_SECONDS + LATE_SECONDS
        self.truth.excused_until_ms = self.now_ms + int(seconds * 1000)

    # What happens in the world

    def fails(self, route: str, kind: FaultKind, count: int = 1, **details: Any) -> None:
        """The next writes to commercetools go wrong."""
        self.site.shop.faults.add(route, kind, count=count, **details)

    async def passes(self, seconds: float) -> None:
        """Time goes by; everything is judged afterwards."""
        await asyncio.sleep(seconds)
        self.check()
        for host in self.hosts:
            if host.fenced and not host.dead:
                await host.end()

    def sells(self, lines: Sequence[tuple[str, str, int]], *, tracked: bool, seconds: float | None) -> None:
        """A shopper orders lines (SKU, location, pieces); the house is told and imports it after so long, None: later."""
        wanted = [OrderLine(sku, pieces, LOCATIONS[location]) for sku, location, pieces in lines]
        try:
            order_id = self.site.shop.place_order(wanted, mode="ReserveOnOrder" if tracked else "None")
        except ApiError:
            return
        items = self.site.shop.order(order_id)["lineItems"]
        kept = [(item["id"], *line) for item, line in zip(items, lines, strict=True)]
        sold = Sold(order_id, tracked, self.now_ms, kept)
        self.truth.sold.append(sold)
        if seconds is not None:
            self.tells_house(sold, seconds)

    def tells_house(self, sold: Sold, seconds: float) -> None:
        """The importer hears of an order as it is now."""
        sold.told = True
        lines = [
            {"lineRef": line, "sku": sku, "quantity": pieces, "location": location}
            for line, sku, location, pieces in sold.lines
            if pieces
        ]
        created = self.site.shop.order(sold.id)["createdAt"]
        body = {"orderId": sold.id, "createdAt": created, "lines": lines, "delay_seconds": seconds}
        self.site.ask_house("orders", body)

    def edits(self, pick: int, change: int) -> None:
        """An Order Edit on an order that the house has not heard of: its first line grows or shrinks."""
        found = [sold for sold in self.truth.sold if not sold.told and sold.cancelled_ms is None]
        if not found:
            return
        sold = found[pick % len(found)]
        line, sku, location, pieces = sold.lines[0]
        change = max(change, 1 - pieces)
        if not change:
            return
        try:
            self.site.shop.edit_order(sold.id, {line: pieces + change})
        except ApiError:
            return
        self.truth.edited.add((sku, LOCATIONS[location]))
        sold.lines[0] = (line, sku, location, pieces + change)
        if change > 0:
            sold.grown.append((self.now_ms, sku, location, change))
        else:
            # What had grown before and is cut again ends with the cut; the rest of it as well.
            sold.cuts.append((self.now_ms, sku, location, -change))

    def cancels(self, pick: int) -> None:
        """A person cancels an order; the house hears of it when it had heard of the order."""
        found = [sold for sold in self.truth.sold if sold.cancelled_ms is None]
        if not found:
            return
        sold = found[pick % len(found)]
        self.site.shop.cancel_order(sold.id)
        sold.cancelled_ms = self.now_ms
        if sold.told:
            self.site.ask_house("cancellations", {"reference": sold.id}, may_refuse=True)

    def moves(self, sku: str, location: str, pieces: int) -> None:
        """A receipt, or a sale over the counter where so much lies there."""
        act = "receipts" if pieces > 0 else "store-sales"
        body = {"sku": sku, "location": location, "quantity": abs(pieces)}
        self.site.ask_house(act, body, may_refuse=True)

    def ships(self, pick: int, *, whole: bool) -> None:
        """The warehouse dispatches what is open of an order, or a piece of it."""
        book = self.site.house.warehouse.book.orders
        found = [
            order
            for order in book.values()
            if order.status is OrderStatus.ACCEPTED and any(line.open for line in order.lines)
        ]
        if not found:
            return
        order = found[pick % len(found)]
        line = next(line for line in order.lines if line.open)
        more = {} if whole else {"quantities": {line.line_ref: 1}}
        self.site.ask_house("shipments", {"reference": order.asked.order_id} | more)

    def corrects(self, pick: int, what: str) -> None:
        """A dispatch was booked wrongly: `fewer` pieces have left, nothing has (`recall`), or in other `parcels`.

        Without any one is made.
        """
        dispatch = self.site.house.warehouse.dispatch
        found = [one for _, one in dispatch.fulfilments.values() if one.status == "shipped"]
        if not found:
            self.ships(pick, whole=True)
            return
        sent = found[pick % len(found)]
        told = {line.line_ref: (line, pieces) for line, pieces, *_ in sent.lines if pieces}
        if what == "parcels":
            parcel = {"parcelId": f"P-{pick}", "trackingNumber": str(pick), "lines": []}
            self.site.ask_house("restatements", {"fulfilment_id": sent.id, "parcels": [parcel]})
            return
        line_ref, (line, pieces) = next(iter(told.items()))
        if what == "fewer" and sum(count for _, count in told.values()) > 1:
            self.truth.takes_back(line.sku, line.location, 1)
            asked = {"fulfilment_id": sent.id, "quantities": {line_ref: pieces - 1}}
            self.site.ask_house("restatements", asked)
            return
        for held, count in told.values():
            self.truth.takes_back(held.sku, held.location, count)
        self.site.ask_house("recalls", {"fulfilment_id": sent.id})

    def comes_back(self, forgets: int, first_seq: int) -> None:
        """The source was restored: a new epoch, without as many of its newest imports of what has not left."""
        house = self.site.house.warehouse
        kept = [
            order_id
            for order_id, order in house.book.orders.items()
            if order.status is OrderStatus.ACCEPTED and not order.shipped_any
        ]
        self.forgetful = True
        self.truth.epoch_ends()
        name = f"epoch {house.log.epoch_ordinal + 1}"
        house.forget_imports(kept[len(kept) - min(forgets, len(kept)) :], name, first_seq)
        self.truth.epoch_begins()

    def is_told_again(self) -> None:
        """The importer misses what the restored source has forgotten, but for what was cancelled meanwhile."""
        for sold in self.truth.sold:
            if sold.cancelled_ms is not None and sold.id not in self.site.house.warehouse.book.orders:
                self.site.ask_house("cancellations", {"reference": sold.id}, may_refuse=True)
        self.site.house.importer.tell_again()

    def loses_records(self, kind: FeedFault) -> None:
        """The source does not keep what follows the cursor, and its snapshot is not what it should be."""
        self.forgetful = True
        self.truth.loses_records()
        self.truth.lacking |= kind is FeedFault.LACKS_KEYS
        script = self.site.house.script
        script.add(Fault(FeedFault.EXPIRED), Fault(kind, endpoint="snapshots", skus=("A",)))

    def poisons(self, kind: str, sku: str, location: str) -> None:
        """An unreadable record stands in the feed."""
        seq = self.site.house.poison(kind, sku, location)
        self.truth.poisons.add((self.site.house.log.epoch_ordinal, seq))

    def meddles(self, what: str, sku: str, channel: str, pieces: int) -> None:
        """A person edits an entry by hand."""
        if not self.site.shop.has_entry(sku, channel):
            return
        if what == "marker":
            self.site.shop.clear_marker(sku, channel)
        elif what == "touch":
            self.site.shop.touch_entry(sku, channel)
        else:
            self.truth.tainted.add((sku, channel))
            quantity = max(0, self.site.shop.true_stock(sku, channel) + pieces)
            self.site.shop.update_entry(sku, channel, {"action": "changeQuantity", "quantity": quantity})

    # Around every request

    async def _before(self, request: Request) -> None:
        host = self.sender(request)
        if host is None:
            return
        await self.holds_back(host, "asked")
        self.truth.asked(host, request)

    async def _after(self, request: Request, _reply: Reply) -> None:
        host = self.sender(request)
        if host is None:
            return
        late = sum(rule.hits for rule in self.site.shop.faults.rules.values() if rule.fault.kind in LATE)
        if late != self._late_hits:
            self._late_hits, self.late_at = late, self.clock.monotonic()
        self.passes_by("answered", host)
        if request.method == "POST":
            self.truth.answered(self.host)

    def check(self) -> None:
        """Everything that must hold at any moment."""
        for host in self.hosts:
            if not host.dead:
                host.check_pumps()
        self.truth.check(self.host)

    # At rest

    async def comes_to_rest(self) -> None:
        """Faults stop, everything sold is imported: then S1, and nothing replayed or reordered changes the state (F3, F4)."""
        self.site.shop.faults.clear()
        self.site.house.script.clear()
        for host in self.hosts[:-1]:
            if not host.dead:
                await host.end()
        for sold in self.truth.sold:
            if not sold.told and sold.cancelled_ms is None:
                self.tells_house(sold, 0.0)
        self.is_told_again()
        await asyncio.sleep(IMPORT_SECONDS)
        if self.forgetful and (self.on_hand or self.reflection is Reflection.ACCEPTED_ONLY):
            # No question brings a dispatch back, nor an acceptance that has no position: such a line stays unproven until the
            # source tells of it again (stock ledger, "When is a line reflected?").
            self.site.house.warehouse.tell_again()
        self.site.house.flood(1)
        held: set[str] = set()
        end = self.clock.monotonic() + REST_SECONDS
        while (wrong := self.truth.off(self.host)) and self.clock.monotonic() < end:
            # What a held snapshot stands for is told anew; a person could approve it as well.
            new = {row["id"] for row in self.host.look("SELECT id FROM snapshot WHERE state = 'held'")} - held
            if new:
                held |= new
                self.site.house.flood(1)
            await asyncio.sleep(2)
            self.check()
        hold("S1", not wrong, f"{wrong} ({self.reflection})")
        # Nothing may move any more, late requests included.
        await asyncio.sleep(2 * LATE_SECONDS)
        self.check()
        hold("S1", not self.truth.off(self.host), f"it moved again: {self.truth.off(self.host)}")
        await self.truth.check_replay(self.host)
