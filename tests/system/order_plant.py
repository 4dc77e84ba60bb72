"""A site whose orders the daemon carries, in virtual time: shoppers, people, a warehouse, and everything that goes wrong.

The parts are the real ones, hand-over and dispatching among them; a process dies as a killed one does. What must hold (O and
P of the stock ledger) is asked after every step and around every request; `Violation.name` says which.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsyncd.simulators.commercetools import ApiError, FaultKind, OrderLine
from archsyncd.simulators.commercetools.exchange import Reply, Request
from archsyncd.simulators.r247 import (
    Answer,
    Asked,
    AskedLine,
    AskedOrder,
    Fault,
    OrderStatus,
    R247Simulator,
    Reflection,
    Refused,
)
from archsyncd.simulators.r247 import FaultKind as HouseFault
from archsyncd.simulators.r247.dispatch import fulfilment_fields
from archsyncd.simulators.r247.held import Fulfilment, HeldLine, SourceOrder
from archsyncd.simulators.r247.log import stamp
from tests.system.ground import Ground, Moment
from tests.system.host import Bent, Host, Image
from tests.system.order_host import OrderHost
from tests.system.order_rest import Rest
from tests.system.order_truth import (
    LOCATIONS,
    PLACES,
    STRANGE,
    UNMAPPED,
    Advised,
    OrderTruth,
    Placed,
)
from tests.system.truth import hold

START_SECONDS = 2.0
OPEN_SECONDS = 120.0
REST_SECONDS = 3_000.0
QUIET_SECONDS = 30.0
QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Manner:
    """What a site is like. `protection`: what keeps it from making an order twice; `later`: it decides some time after.

    `closes`: pieces that are not found are closed by rule. `lag_seconds`: how late lists and messages of the shop may be.
    """

    protection: str = "key"
    later: bool = False
    closes: bool = False
    ready_state: bool = False
    noted: bool = True
    reflection: Reflection = Reflection.ALL
    lag_seconds: float = 1.0
    duplicates: float = 0.0
    latency_seconds: float = 0.03


class OrderPlant(Ground):
    """The world."""

    def __init__(self, bent: Bent, manner: Manner, *, seed: int) -> None:
        super().__init__(seed)
        self.bent = bent
        self.manner = manner
        self.buried: set[str] = set()
        self._numbers = 0
        self._parcels = 0
        self._late: list[float] = []
        self._landing: set[asyncio.Task[Answer]] = set()
        self._returned: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._back: Counter[str] = Counter()

    async def open(self, pieces: Mapping[tuple[str, str], int]) -> None:
        """Both simulators, goods on the shelves, and the first daemon; the shop opens when it has entries."""
        manner = self.manner
        shop = {
            "latency_seconds": manner.latency_seconds,
            "message_lag_seconds": manner.lag_seconds,
            "order_list_lag_seconds": manner.lag_seconds,
            "message_duplicates": manner.duplicates,
            "stock_lag_seconds": 4.0,
        }
        house = {
            "locations": tuple(LOCATIONS),
            "channels": LOCATIONS,
            "reflection": manner.reflection,
            "acceptance": "later" if manner.later else "at-once",
            "idempotent": manner.protection == "key",
            "offers_lookup": manner.protection != "none",
            "tick_seconds": 0.25,
            "heartbeat_seconds": 5.0,
        }
        skus = tuple(dict.fromkeys(sku for sku, _ in pieces))
        await self.serve(shop, house, (*skus, STRANGE), (*PLACES, UNMAPPED))
        self.site.shop.add_channel("archean", roles=["OrderExport"])
        for (sku, place), count in pieces.items():
            self.site.house.warehouse.seed(sku, place, count)
        self.truth = OrderTruth(self.site, skus, closes=manner.closes)
        self.rest = Rest(self.truth)
        self.site.watcher.before = self._before
        self.site.watcher.after = self._after
        self.site.house.before = self._house_before
        self.site.house.after = self._house_after
        await self.start(None)
        for (sku, place), count in pieces.items():
            channel = LOCATIONS[place]
            holds = lambda sku=sku, channel=channel, count=count: self.site.stock(sku, channel) == count  # noqa: E731
            await self.site.until(holds, f"{count} of {sku} for sale", OPEN_SECONDS)

    # Processes

    def build(self, name: str, directory: Path) -> Host:
        """A process in mode hand-over."""
        return OrderHost(
            self.house, self.bent, name, directory, lambda host: self.passes_by("committed", host)
        )

    async def start(self, image: Image | None) -> None:
        """A process on the files of a dead one, or on none at all."""
        manner = self.manner
        short = "close" if manner.closes else "hold"
        ready = str(manner.ready_state).lower()
        orders = f'mode = "hand-over"\nduplicate_protection = "{manner.protection}"\nstalled_minutes = 5\n'
        await self.launch(
            image,
            locations="\n".join(f'{place} = {{ channel = "{key}" }}' for place, key in LOCATIONS.items()),
            orders=orders + ('sync_channel = "archean"' if manner.noted else ""),
            more=f'[fulfilment]\nshort = "{short}"\nready_state = {ready}\nunknown_minutes = 1',
        )

    async def dies(self) -> Image:
        """Kill -9, now; of what it was only its name is kept, and its files are the next one's."""
        host = self.host
        image = await super().dies()
        self.buried.add(host.name)
        self.hosts.remove(host)
        shutil.rmtree(host.directory)
        return image

    async def restarts(self, image: Image, pause_seconds: float) -> None:
        """Up again on the files of the dead one."""
        began_ms = self.now_ms
        await asyncio.sleep(pause_seconds)
        await self.start(image)
        self.truth.outages.append((began_ms, self.now_ms + int(START_SECONDS * 1000)))

    async def is_killed(self, moment: Moment, count: int, pause_seconds: float) -> None:
        """Killed at one of its next such moments, and up again."""
        await self.restarts(await self.dies_at(moment, count), pause_seconds)

    # Around every request

    async def _before(self, request: Request) -> None:
        host = self.sender(request)
        if host is not None:
            await self.holds_back(host, "asked")
        elif self.sender_name(request) in self.buried:
            await self.never()

    async def _after(self, request: Request, _reply: Reply) -> None:
        host = self.sender(request)
        if host is not None:
            self.passes_by("answered", host)
            if request.method == "POST" and "/orders/" in request.path:
                self.truth.order_changed(request.path.rpartition("/")[2])

    async def _house_before(self, asked: Asked) -> Answer | None:
        if not self.hosts:
            await self.never()
        await self.holds_back(self.host, "asked")
        self.truth.house_asked(self.host, asked)
        if self._late and asked.method == "PUT":
            self._land(asked, self._late.pop(0))
            return Answer(503, cut_after=0)
        return None

    async def _house_after(self, _asked: Asked, _answer: Answer) -> None:
        if self.hosts:
            self.passes_by("answered", self.host)

    def _land(self, asked: Asked, seconds: float) -> None:
        """An order whose connection broke is taken in some time later all the same."""
        self.truth.excused.add(asked.parts[2])

        async def land() -> Answer:
            await asyncio.sleep(seconds)
            return await R247Simulator.handle(self.site.house, asked)

        task = asyncio.create_task(land())
        self._landing.add(task)
        task.add_done_callback(self._landing.discard)

    # What happens in the shop

    def sells(
        self,
        lines: Sequence[tuple[str, str, int]],
        *,
        paid: bool = True,
        numbered: bool = True,
        tracked: bool = True,
        number: str | None = None,
    ) -> Placed | None:
        """A shopper orders lines (SKU, place or channel, pieces); None when the shop refuses."""
        wanted = [OrderLine(sku, pieces, LOCATIONS.get(place, place)) for sku, place, pieces in lines]
        if number is None and numbered:
            number = self.next_number()
        purchase: dict[str, Any] = {"payment_state": "Paid" if paid else "Pending", "order_number": number}
        try:
            order_id = self.site.shop.place_order(
                wanted, mode="ReserveOnOrder" if tracked else "None", **purchase
            )
        except ApiError:
            return None
        return self.truth.order_placed(order_id, payable=paid)

    def next_number(self) -> str:
        """An order number that nobody has had yet."""
        self._numbers += 1
        return f"CT-{self._numbers}"

    def living(self) -> list[Placed]:
        """Orders that nobody has cancelled or deleted."""
        return [placed for placed in self.truth.placed.values() if placed.gone_ms is None]

    def unpaid(self) -> list[Placed]:
        """Orders whose payment nobody has confirmed."""
        return [each for each in self.living() if not each.payable]

    def unmoved(self) -> list[Placed]:
        """Orders of which nothing has left."""
        return [each for each in self.living() if not self._moved(each)]

    def pays(self, placed: Placed) -> None:
        """A payment is confirmed."""
        placed.payable = True
        self.site.shop.update_order(placed.id, {"action": "changePaymentState", "paymentState": "Paid"})

    def cancels(self, placed: Placed) -> None:
        """Somebody cancels an order in the shop."""
        self.site.shop.cancel_order(placed.id)
        self.truth.order_gone(placed.id, deleted=False)

    def deletes(self, placed: Placed) -> None:
        """Somebody deletes an order."""
        self.site.shop.delete_order(placed.id)
        self.truth.order_gone(placed.id, deleted=True)

    def edits(self, placed: Placed, change: int) -> None:
        """An Order Edit: the first line grows or shrinks, if the shop lets it."""
        line_id, (_, _, pieces) = next(iter(placed.lines.items()))
        try:
            self.site.shop.edit_order(placed.id, {line_id: max(pieces + change, 1)})
        except ApiError:
            return
        self.truth.order_edited(placed.id)

    def marks_shipped(self, placed: Placed) -> None:
        """Somebody sets an order to Shipped, whatever the warehouse did."""
        self.truth.shipped_by_hand(placed.id)
        shipped = {"action": "changeShipmentState", "shipmentState": "Shipped"}
        self.site.shop.update_order(placed.id, shipped)

    def touches(self, placed: Placed) -> None:
        """Somebody changes something of an order that is nobody's business here: its version goes up."""
        info = {"channel": {"typeId": "channel", "key": "archean"}, "externalId": f"X-{self._numbers}"}
        self.site.shop.update_order(placed.id, {"action": "updateSyncInfo", **info})

    # What happens in the warehouse

    def held(self, *statuses: OrderStatus) -> list[SourceOrder]:
        """Orders in the warehouse's books."""
        orders = self.site.house.warehouse.book.orders.values()
        return [order for order in orders if order.status in statuses]

    def open_orders(self) -> list[SourceOrder]:
        """Orders of which pieces are still to be shipped."""
        return [one for one in self.held(OrderStatus.ACCEPTED) if any(line.open for line in one.lines)]

    def unshipped(self) -> list[SourceOrder]:
        """Orders that the warehouse could still cancel."""
        return [one for one in self.held(OrderStatus.ACCEPTED) if not one.shipped_any]

    def returnable(self) -> list[tuple[SourceOrder, HeldLine]]:
        """Lines of which pieces were shipped and have not come back."""
        found = [(order, line) for order in self.held(OrderStatus.ACCEPTED) for line in order.lines]
        return [(order, line) for order, line in found if line.shipped > self._back[order.asked.order_id]]

    def in_quarantine(self) -> list[str]:
        """Returns whose fate is open."""
        return [name for name, (_, lines) in self._returned.items() if lines[0]["disposition"] == QUARANTINE]

    def _moved(self, placed: Placed) -> bool:
        order = self.site.house.warehouse.book.orders.get(placed.id)
        return order is not None and order.shipped_any

    def moves(self, sku: str, place: str, pieces: int) -> None:
        """A receipt, or a sale over the counter where so much lies there."""
        act = "receipts" if pieces > 0 else "store-sales"
        body = {"sku": sku, "location": place, "quantity": abs(pieces)}
        self.site.ask_house(act, body, may_refuse=True)

    def rejects(self, order: SourceOrder) -> None:
        """The warehouse turns an order down that it has only received."""
        self.site.house.warehouse.book.reject(order.asked.order_id, "no_space")

    def cancels_there(self, order: SourceOrder) -> None:
        """The warehouse cancels by itself what has not left."""
        self.site.house.warehouse.dispatch.cancel(order.asked.order_id)

    def works(self, order: SourceOrder, status: str) -> None:
        """Allocated, picking, picked, packed."""
        self.site.house.warehouse.dispatch.progress(order.asked.order_id, status)

    def ships(self, order: SourceOrder, *, whole: bool) -> None:
        """All that is open leaves, or one piece of it."""
        line = next(line for line in order.lines if line.open)
        part = None if whole else {line.line_ref: 1}
        self.site.house.warehouse.dispatch.ship(order.asked.order_id, part)

    def shorts(self, order: SourceOrder) -> None:
        """A piece is not where it should be; the rest of the fulfilment leaves, if there is any."""
        line = next(line for line in order.lines if line.open)
        self.site.house.warehouse.dispatch.short(order.asked.order_id, line.line_ref, 1)
        try:
            self.site.house.warehouse.dispatch.ship(order.asked.order_id, location=line.location)
        except Refused:
            return

    def takes_back(self, order: SourceOrder, line: HeldLine, disposition: str) -> None:
        """A piece that was shipped comes back."""
        lines = [{"sku": line.sku, "quantity": 1, "disposition": disposition, "lineRef": line.line_ref}]
        self.site.house.warehouse.dispatch.receive_return(order.asked.order_id, line.location, lines)
        name = f"R-{len(self.truth.returns) + 1}"
        self.truth.returns[name] = Advised(order.asked.order_id, Counter({line.sku: 1}))
        self._back[order.asked.order_id] += 1
        self._returned[name] = (line.location, lines)

    def decides_return(self, name: str, disposition: str) -> None:
        """What becomes of a return in quarantine is told."""
        place, lines = self._returned[name]
        decided = [{**line, "disposition": disposition} for line in lines]
        self._returned[name] = (place, decided)
        order_id = self.truth.returns[name].order
        fields = {"returnId": name, "orderId": order_id, "location": place, "lines": decided}
        self.site.house.log.append("return.received", fields, location=place)

    def restates(self, order: SourceOrder, fulfilment: Fulfilment) -> None:
        """The warehouse tells a fulfilment again; a shipped one with new tracking."""
        if fulfilment.parcels:
            self._parcels += 1
            fulfilment.parcels[0]["trackingNumber"] = f"99{self._parcels:08}"
        fields = order.names | fulfilment_fields(fulfilment, stamp(self.site.house.log.now_ms()))
        self.site.house.log.append("fulfilment", fields, location=fulfilment.location)

    def ships_at_once(self, sku: str, place: str) -> None:
        """Somebody enters a new order in the warehouse by hand, and it leaves before the daemon has seen it."""
        placed = self.sells([(sku, place, 1)])
        if placed is None:
            return
        self.truth.entered.add(placed.id)
        lines = tuple(AskedLine(line_id, *what) for line_id, what in _asked(placed))
        self.site.house.warehouse.book.take(AskedOrder(placed.id, placed.number, placed.at_ms, lines))
        self.site.house.warehouse.dispatch.ship(placed.id)

    def ships_early(self, sku: str, place: str) -> str:
        """A dispatch is told of whose order nobody has seen; the number it names."""
        number, name = self.next_number(), f"E-{self._numbers}"
        fields = {
            "orderNumber": number,
            "fulfilmentId": name,
            "status": "shipped",
            "location": place,
            "lines": [{"sku": sku, "quantity": 1}],
        }
        self.truth.told_early(name, Advised(number, Counter({sku: 1})))
        self.site.house.log.append("fulfilment", fields, location=place)
        return number

    # What goes wrong

    def shop_fails(self, route: str, kind: FaultKind, count: int = 1, **details: Any) -> None:
        """The next requests to commercetools go wrong."""
        self.site.shop.faults.add(route, kind, count=count, **details)

    def house_fails(self, endpoint: str, kind: HouseFault, times: int = 1) -> None:
        """The next requests to the warehouse go wrong."""
        self.site.house.script.add(Fault(kind, endpoint=endpoint, times=times))

    def order_lands_late(self, seconds: float) -> None:
        """The next order that is sent breaks off, and is taken in some time later."""
        self._late.append(seconds)

    # What people do about cases

    async def person_closes(self, name: str) -> None:
        """Somebody says that what is missing of a fulfilment will never be shipped."""
        self.truth.closed.add(name)
        await self.host.opened.advices.close_short_by_name(name)

    async def person_retries(self, order_id: str) -> None:
        """Somebody has an order tried again, unless that could make a second one of it."""
        rows = self.host.look("SELECT sent FROM handover WHERE order_id = ?", order_id)
        if rows and (not rows[0]["sent"] or self.manner.protection == "key"):
            await self.host.opened.handovers.again(order_id, "looked at")

    async def person_books_again(self, name: str) -> None:
        """Somebody has a dispatch or a return tried again."""
        await self.host.opened.advices.again(name)

    def fulfilments_told(self) -> list[str]:
        """Fulfilments of known orders."""
        return self._listed("SELECT name FROM advice WHERE kind = 'fulfilment' AND order_id IS NOT NULL")

    def orders_held(self) -> list[str]:
        """Orders that wait for a person."""
        return self._listed("SELECT order_id FROM handover WHERE stage IN ('held', 'in_doubt')")

    def advices_held(self) -> list[str]:
        """Dispatches and returns that wait for a person."""
        return self._listed("SELECT name FROM advice WHERE stage = 'held'")

    def _listed(self, question: str) -> list[str]:
        return sorted(row[0] for row in self.host.look(question))

    # Time

    async def passes(self, seconds: float) -> None:
        """Time goes by; everything is judged afterwards."""
        await asyncio.sleep(seconds)
        self.check()

    def check(self) -> None:
        """Everything that must hold at any moment."""
        if not self.host.dead:
            self.host.check_pumps()
        self.truth.check(self.host)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self.site.shop.faults.clear()
        self.site.house.script.clear()
        self._late.clear()

    async def comes_to_rest(self, seconds: float = REST_SECONDS, *, look_seconds: float = 5.0) -> None:
        """Faults stop and everything is settled or told of: O7, P5, P6, S1; then nothing moves any more."""
        self.calm()
        end, still_since = self.clock.monotonic() + seconds, None
        while still_since is None or self.clock.monotonic() - still_since < QUIET_SECONDS:
            wrong = self.rest.off(self.host)
            if wrong:
                still_since = None
                self._settled(wrong if self.clock.monotonic() >= end else ())
            elif still_since is None:
                still_since = self.clock.monotonic()
            await self.passes(look_seconds)
        if not self.truth.excused:
            hold("S2", not self.rest.oversold(), f"{self.rest.oversold()} pieces were sold twice")

    def _settled(self, wrong: Sequence[tuple[str, str]]) -> None:
        for name, what in wrong:
            hold(name, holds=False, what=f"{what} ({len(wrong)} in all; {self.manner})")


def _asked(placed: Placed) -> list[tuple[str, tuple[str, int, str]]]:
    return [(line_id, (sku, pieces, place)) for line_id, (sku, place, pieces) in placed.lines.items()]
