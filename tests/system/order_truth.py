"""What is true of orders on both sides of the daemon, and what must hold (orders.md; O and P of the stock ledger).

`OrderTruth.check` holds at any moment and looks only at what has changed. It knows the daemon's file and both simulators, and
keeps a ledger of its own of what was ordered, handed over, shipped and taken back.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from archsyncd.domain.packing import wire_key
from archsyncd.simulators.commercetools import ApiError
from archsyncd.simulators.r247 import Asked
from archsyncd.simulators.r247.held import SourceOrder
from tests.process.site import Site
from tests.system.truth import Violation, hold

SKUS = ("A", "B", "C")
# A product of the shop that the warehouse does not keep.
STRANGE = "Z"
LOCATIONS = {"WH1": "warehouse-1", "WH2": "warehouse-2"}
# A channel of the shop that no location is mapped to.
UNMAPPED = "elsewhere"
PLACES = {channel: place for place, channel in LOCATIONS.items()}
GONE = frozenset({"Cancelled", "Deleted"})
RANKS = {"Ready": 1, "Partial": 2, "Shipped": 3, "Delivered": 4}
SHOWN = 5


class Looked(Protocol):
    """The daemon that works now, as far as it can be looked at."""

    dead: bool

    def look(self, question: str, *values: object) -> list[Any]:
        """Ask its file."""
        ...


@dataclass(slots=True)
class Placed:
    """An order as the world has it. `states`: from which version on it asked for these lines, by id: (SKU, place, pieces).

    `most`: the most pieces that each line ever had. `by_hand`: somebody else than the daemon has set its shipment state.
    """

    id: str
    number: str | None
    at_ms: int
    tracked: bool
    payable: bool
    states: list[tuple[int, dict[str, tuple[str, str, int]]]]
    most: dict[str, int]
    gone_ms: int | None = None
    by_hand: bool = False
    edited: bool = False
    rank: int = 0

    @property
    def name(self) -> str:
        """What the daemon's cases call it."""
        return self.number or self.id

    @property
    def lines(self) -> dict[str, tuple[str, str, int]]:
        """What it asks for now."""
        return self.states[-1][1]

    @property
    def may_go(self) -> bool:
        """Whether the warehouse is to have it."""
        lines = self.lines.values()
        placed = all(place in LOCATIONS and sku != STRANGE for sku, place, _ in lines)
        return self.payable and placed and self.gone_ms is None


@dataclass(slots=True)
class Advised:
    """A fulfilment or a return that nothing but a record tells of. `order`: the order's id or number."""

    order: str
    pieces: Counter[str]


class OrderTruth:
    """The books of one world, which trades these SKUs. `closes`: pieces that were not found are closed by rule."""

    def __init__(self, site: Site, skus: Sequence[str], *, closes: bool) -> None:
        self.site = site
        self.skus = skus
        self._closes = closes
        self.placed: dict[str, Placed] = {}
        self.by_number: dict[str, str] = {}
        self.early: dict[str, Advised] = {}
        self._early_by_order: dict[str, list[str]] = {}
        self.returns: dict[str, Advised] = {}
        # Fulfilments whose missing pieces a person has closed.
        self.closed: set[str] = set()
        self.outages: list[tuple[int, int]] = []
        self.sent: set[str] = set()
        # Orders that somebody entered in the warehouse by hand.
        self.entered: set[str] = set()
        self.called_off: set[str] = set()
        # Orders about which the warehouse learnt something later than anybody could know.
        self.excused: set[str] = set()
        self._unknown: dict[str, int] = {}
        self._seen_events = 0
        self._seen_orders = 0
        self._found: list[Violation] = []

    @property
    def _now_ms(self) -> int:
        return int(self.site.clock.now() * 1000)

    # What the world does

    def order_placed(self, order_id: str, *, payable: bool) -> Placed:
        """A shopper has ordered."""
        document = self.site.shop.order(order_id)
        lines = _lines(document, self._channels())
        tracked = all(line["inventoryMode"] != "None" for line in document["lineItems"])
        at_ms = self._now_ms
        placed = Placed(
            order_id,
            document.get("orderNumber"),
            at_ms,
            tracked,
            payable,
            [(document["version"], lines)],
            {line_id: pieces for line_id, (_, _, pieces) in lines.items()},
        )
        self.placed[order_id] = placed
        self._unknown[order_id] = at_ms
        if placed.number is not None:
            self.by_number[placed.number] = order_id
        return placed

    def order_edited(self, order_id: str) -> None:
        """An Order Edit was applied."""
        placed, document = self.placed[order_id], self.site.shop.order(order_id)
        lines = _lines(document, self._channels())
        placed.states.append((document["version"], lines))
        placed.edited = True
        for line_id, (_, _, pieces) in lines.items():
            placed.most[line_id] = max(placed.most.get(line_id, 0), pieces)

    def order_gone(self, order_id: str, *, deleted: bool) -> None:
        """Somebody has cancelled or deleted an order."""
        placed = self.placed[order_id]
        if placed.gone_ms is None:
            placed.gone_ms = self._now_ms
        if deleted:
            # Who never saw it need not know it.
            self._unknown.pop(order_id, None)

    def shipped_by_hand(self, order_id: str) -> None:
        """Somebody has set the shipment state."""
        self.placed[order_id].by_hand = True

    def order_changed(self, order_id: str) -> None:
        """The daemon has asked for a change of an order; what is violated is kept for the next check."""
        if order_id in self.placed:
            with self._kept():
                self._check_order(self.placed[order_id])

    def _channels(self) -> dict[str, str]:
        ids = self.site.shop.project.channels
        return {ids.id_of(channel) or "": channel for channel in (*PLACES, UNMAPPED)}

    def told_early(self, name: str, early: Advised) -> None:
        """A record tells of a dispatch that the warehouse's books do not know."""
        self.early[name] = early
        self._early_by_order.setdefault(early.order, []).append(name)

    def early_of(self, placed: Placed) -> list[str]:
        """Dispatches of an order that are told of by records alone."""
        return [
            name for key in (placed.id, placed.number) for name in self._early_by_order.get(key or "", ())
        ]

    # What the daemon asks of the warehouse

    def house_asked(self, host: Looked, asked: Asked) -> None:
        """A request is about to reach the warehouse; what is violated is kept for the next check."""
        with self._kept():
            match (asked.method, *asked.parts[1:]):
                case ("PUT", "orders", order_id):
                    self._check_intent(host, order_id)
                case ("POST", "orders", order_id, "cancellation"):
                    self._check_calling_off(host, order_id)
                case ("POST", "fulfilments", name, "acknowledgement"):
                    self._check_booked(host, name, json.loads(asked.body))

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Violation as found:
            self._found.append(found)

    def _check_intent(self, host: Looked, order_id: str) -> None:
        """O2, O5: the intent is durable before the first byte, and nothing is created after it was called off."""
        rows = host.look("SELECT stage, sent FROM handover WHERE order_id = ?", order_id)
        # Its record may be faster than the second sending of it.
        meant = bool(rows) and rows[0]["sent"] >= 1
        there = order_id in self.site.house.warehouse.book.orders
        hold("O2", meant and (there or rows[0]["stage"] == "sending"), f"{order_id} is sent: {_shown(rows)}")
        hold("O5", order_id not in self.called_off, f"{order_id} is sent after it was called off")
        self.sent.add(order_id)

    def _check_calling_off(self, host: Looked, order_id: str) -> None:
        """O5: what was never sent is not called off either, but for what an earlier run may have sent."""
        question = "SELECT stage, sent, sent OR foreign_hand AS ours FROM handover WHERE order_id = ?"
        rows = host.look(question, order_id)
        there = order_id in self.entered or bool(self.early_of(self.placed[order_id]))
        hold("O5", there or (rows and rows[0]["ours"]), f"{order_id} is called off: {_shown(rows)}")
        self.called_off.add(order_id)

    def _check_booked(self, host: Looked, name: str, said: Mapping[str, Any]) -> None:
        """D1: what the warehouse is told to be booked is durable here and stands there."""
        rows = host.look("SELECT stage FROM advice WHERE name = ?", name)
        hold("D1", rows and rows[0]["stage"] == "booked", f"{name} is called booked: {_shown(rows)}")
        with contextlib.suppress(ApiError):
            document = self.site.shop.order(said["orderId"])
            keys = {delivery.get("key") for delivery in deliveries(document)}
            hold("D1", said["deliveryKey"] in keys, f"{name} is called booked, there is {keys}")

    # At any moment

    def check(self, host: Looked) -> None:
        """Everything that must hold at any moment, of what has changed since."""
        self.site.shop.settle()
        with self._kept():
            self._check_warehouse()
        events = self.site.shop.journal.orders
        changed = {event.order_id for event in events[self._seen_events :]}
        self._seen_events = len(events)
        with self._kept():
            for order_id in changed & self.placed.keys():
                self._check_order(self.placed[order_id])
        if not host.dead:
            with self._kept():
                self._check_known(host)
        if self._found:
            raise self._found[0]

    def _check_warehouse(self) -> None:
        """O1: never two; O3, O4: the same lines, all of them."""
        book = self.site.house.warehouse.book
        names = [order.asked.order_id for order in book.duplicates]
        hold("O1", not names, f"the warehouse has a second order of {names}")
        fresh = list(islice(reversed(book.orders.values()), len(book.orders) - self._seen_orders))
        self._seen_orders = len(book.orders)
        for order in fresh:
            self._check_whole(order)

    def _check_whole(self, order: SourceOrder) -> None:
        placed = self.placed.get(order.asked.order_id)
        hold("O2", placed is not None, f"the warehouse has {order.asked.order_id}, which nobody placed")
        assert placed is not None
        if placed.id in self.entered:
            return
        hold("O2", placed.id in self.sent, f"the warehouse has {placed.id}, which was never sent")
        version = json.loads(order.asked.content)["version"]
        wanted = [lines for since, lines in placed.states if since <= version][-1]
        asked = Counter((line.line_ref, line.sku, line.location, line.quantity) for line in order.asked.lines)
        whole = Counter((line_id, *line) for line_id, line in wanted.items())
        hold("O4", not asked < whole, f"of {placed.id} only a part was sent: {asked}, {whole} is wanted")
        hold("O3", asked == whole, f"of {placed.id} {asked} was sent, {whole} is wanted")

    def _check_known(self, host: Looked) -> None:
        """O6: whatever is older than the daemon says it knows completely, it knows."""
        rows = host.look("SELECT complete_ms FROM order_cursor WHERE name = 'sweep'")
        through = rows[0]["complete_ms"] if rows else 0
        for order_id, at_ms in [pair for pair in self._unknown.items() if pair[1] < through]:
            question = "SELECT 1 FROM order_head WHERE order_id = ?1 UNION SELECT 1 FROM order_closed WHERE order_id = ?1"
            hold(
                "O6", host.look(question, order_id), f"{order_id} of {at_ms} is not known, {through} is said"
            )
            del self._unknown[order_id]

    def _check_order(self, placed: Placed) -> None:
        try:
            document = self.site.shop.order(placed.id)
        except ApiError:
            return
        booked = deliveries(document)
        shipped = self.shipped(placed)
        keys = [delivery.get("key") or "" for delivery in booked]
        told = Counter(keys)
        hold("P2", all(told[key] == 1 for key in told), f"{placed.id} has the deliveries {keys}")
        hold(
            "P2",
            set(keys) <= self._fulfilments(placed),
            f"{placed.id} has the deliveries {keys}, named by nobody",
        )
        strange = [key for key in keys if key not in shipped]
        hold("P1", not strange, f"{placed.id} has the deliveries {strange}; shipped was {sorted(shipped)}")
        by_line: Counter[str] = Counter()
        for delivery in booked:
            pieces: Counter[str] = Counter()
            for item in delivery["items"]:
                by_line[item["id"]] += item["quantity"]
                pieces[_sku_of(document, item["id"])] += item["quantity"]
            more = pieces - shipped[delivery["key"]]
            hold("P1", not more, f"{placed.id}: {dict(more)} beyond what left by {delivery['key']}")
        for line_id, pieces_there in by_line.items():
            most = placed.most.get(line_id, 0)
            hold(
                "P3",
                pieces_there <= most,
                f"{placed.id}: {pieces_there} of {line_id} delivered, {most} ordered",
            )
        self._check_state(placed, document, by_line)
        self._check_returns(placed, document)

    def _check_state(self, placed: Placed, document: Mapping[str, Any], by_line: Mapping[str, int]) -> None:
        """P1: Shipped means all of it, but for what is closed; P4: nothing goes backwards."""
        state = document.get("shipmentState")
        rank = RANKS.get(state or "", 0)
        if placed.by_hand:
            placed.rank = max(rank, placed.rank)
            return
        hold("P4", rank >= placed.rank, f"{placed.id} went back to {state}")
        fresh, placed.rank = rank > placed.rank, rank
        if state == "Shipped" and fresh:
            missing: Counter[str] = Counter()
            for line in document["lineItems"]:
                missing[line["variant"]["sku"]] += line["quantity"] - by_line.get(line["id"], 0)
            open_ = +missing - self.closed_pieces(placed)
            hold("P1", not open_, f"{placed.id} is called shipped without {dict(open_)}")

    def _check_returns(self, placed: Placed, document: Mapping[str, Any]) -> None:
        """P6: each piece that came back is booked once."""
        for name, pieces in returned(document).items():
            told = self.returns.get(name)
            hold("P6", told is not None, f"{placed.id} has a return {name} that nobody told of")
            assert told is not None
            more = pieces - told.pieces
            hold("P6", not more, f"{placed.id}: {dict(more)} more than came back by {name}")

    def _fulfilments(self, placed: Placed) -> set[str]:
        """The keys under which deliveries of an order may stand, shipped or not."""
        order = self.site.house.warehouse.book.orders.get(placed.id)
        own = {wire_key(name) for name in order.fulfilments} if order else set()
        return own | self.shipped(placed).keys()

    def shipped(self, placed: Placed) -> dict[str, Counter[str]]:
        """Pieces by SKU that have left for an order, by the delivery that may tell of it."""
        found: dict[str, Counter[str]] = {}
        order = self.site.house.warehouse.book.orders.get(placed.id)
        for name, fulfilment in order.fulfilments.items() if order else ():
            if fulfilment.status == "shipped":
                pieces: Counter[str] = Counter()
                for line, count, *_ in fulfilment.lines:
                    pieces[line.sku] += count
                found[wire_key(name)] = pieces
        for name in self.early_of(placed):
            found[wire_key(name)] = self.early[name].pieces
        return found

    def closed_pieces(self, placed: Placed) -> Counter[str]:
        """Pieces by SKU that will never be shipped, by rule or by somebody's word."""
        closed: Counter[str] = Counter()
        order = self.site.house.warehouse.book.orders.get(placed.id)
        for name, fulfilment in order.fulfilments.items() if order else ():
            if self._closes or name in self.closed:
                for line, _, short, _ in fulfilment.lines:
                    closed[line.sku] += short
        return closed


def _lines(document: Mapping[str, Any], channels: Mapping[str, str]) -> dict[str, tuple[str, str, int]]:
    found = {}
    for line in document["lineItems"]:
        channel = channels.get(line.get("supplyChannel", {}).get("id", ""), "")
        found[line["id"]] = (line["variant"]["sku"], PLACES.get(channel, channel), line["quantity"])
    return found


def deliveries(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The deliveries that stand on an order."""
    found: list[dict[str, Any]] = document.get("shippingInfo", {}).get("deliveries", [])
    return found


def _sku_of(document: Mapping[str, Any], line_id: str) -> str:
    skus = [line["variant"]["sku"] for line in document["lineItems"] if line["id"] == line_id]
    return skus[0] if skus else ""


def returned(document: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Pieces by SKU that are booked as returned, by return."""
    found: dict[str, Counter[str]] = {}
    for info in document["returnInfo"]:
        for item in info["items"]:
            name = (item.get("key") or "").partition("__")[0]
            found.setdefault(name, Counter())[_sku_of(document, item["lineItemId"])] += item["quantity"]
    return found


def _shown(rows: list[Any]) -> str:
    return str([tuple(row) for row in rows[:SHOWN]])
