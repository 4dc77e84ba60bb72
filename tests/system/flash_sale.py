"""One flash sale, the same to the record whoever carries it, and what it came to: the books of a run and their digest.

The warehouse and the shoppers act by the clock and by one seeded chance, never by what the daemon has done. Only the two rushes
ask for more than there is, on SKUs whose stock stands still meanwhile, so that who gets a piece is no question of latency.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from archsyncd.simulators.commercetools.errors import ApiError
from archsyncd.simulators.commercetools.exchange import Reply, Request
from archsyncd.simulators.r247 import Commitment, Judge
from archsyncd.simulators.r247.stockroom import Change, JournalEntry
from tests.process.site import CHANNEL, LOCATION, Site
from tests.system.carriers import TRANSPORTS, Carrier, Stream, Told
from tests.system.inside import House, Running, inside

SEED = 7_247
STILL = {f"S{number}": 8 for number in range(10)}
BUSY = ("B", "C", "D")
STOCK = {"HOT": 10, "B": 60, "C": 40, "D": 30, "E": 12, "M": 20, "P": 9} | STILL
# Archean keeps it, and commercetools has no product of it.
UNKNOWN = "GHOST"
LAST = ("S7", "S8", "S9")
# A carrier keeps a record back for 1.5 s and writes each 0.25 s, a directory is looked at each second; then the drain's own.
DRAIN_SECONDS = 6.0
ELSEWHERE = "WH9"
Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What a sale came to.

    `books`: rows by the book that they are from. `told`: the records. `holdings`: what the warehouse itself says. `beyond`:
    offers that it could not keep at their time; `oversold` and `hidden`: pieces by the judge, over all. `passed_over`: what the
    daemon was told again or too late.
    """

    books: Mapping[str, list[Row]]
    told: list[str]
    holdings: list[Row]
    beyond: list[str]
    oversold: int
    hidden: int
    passed_over: int

    @property
    def digest(self) -> str:
        """One name for all of the books."""
        return hashlib.sha256(json.dumps(self.books, sort_keys=True).encode()).hexdigest()

    def beside(self, other: Outcome) -> dict[str, tuple[list[Row], list[Row]]]:
        """What stands in one and not in the other, by book."""
        found = {
            name: (
                [row for row in rows if row not in other.books[name]],
                [row for row in other.books[name] if row not in rows],
            )
            for name, rows in self.books.items()
        }
        return {name: rows for name, rows in found.items() if any(rows)}


class Sale:
    """The script, and a watch over what is offered meanwhile."""

    def __init__(self, site: Site, stream: Stream, carrier: Carrier) -> None:
        self.site = site
        self.stream = stream
        self.carrier = carrier
        self.chance = random.Random(SEED)
        self.orders: dict[str, Commitment] = {}
        self.refused = 0
        self.beyond: list[str] = []
        self._began = site.clock.now()
        site.watcher.after = self._watch

    async def _watch(self, request: Request, _reply: Reply) -> None:
        """S2, whenever something was written: no more is for sale than the warehouse had, less what is promised."""
        if request.method != "POST":
            return
        now_ms = self.site.house.log.now_ms()
        judge = Judge(self.site.house.warehouse, drain_seconds=DRAIN_SECONDS)
        room = judge.headroom(list(self.orders.values()), now_ms)
        for sku in STOCK:
            offered, may_be = self.site.stock(sku) or 0, room.get((sku, CHANNEL), 0)
            if offered > max(may_be, 0):
                self.beyond.append(f"{offered} of {sku} for sale, {may_be} may be")

    async def at(self, seconds: float) -> None:
        """Wait until so long after the beginning."""
        await self.site.clock.sleep(self._began + seconds - self.site.clock.now())

    def buys(self, sku: str, pieces: int) -> None:
        """A shopper orders, and another system tells the warehouse; or goes away, where commercetools has not so many."""
        number = f"CT-{len(self.orders) + self.refused + 1}"
        try:
            order_id = self.site.order(sku, pieces, number=number, import_seconds=1.2)
        except ApiError:
            self.refused += 1
        else:
            now_ms = self.site.house.log.now_ms()
            self.orders[order_id] = Commitment(order_id, now_ms, sku, CHANNEL, pieces)

    async def runs(self, *, loses: bool) -> None:
        """The whole day."""
        house, warehouse = self.site.house, self.site.house.warehouse
        await self.at(12)
        await self._trade(20)
        house.poison("unknown_fields", "P", LOCATION)
        house.poison("1e400", "P", LOCATION)
        house.poison("sku_newline", "P", LOCATION)
        warehouse.store_sale("E", LOCATION, 9)
        await self.at(28)
        await self._rush("HOT", 20)
        await self._rush("E", 6)
        self._ships_and_cancels()
        house.flood(20)
        warehouse.store_sale("B", LOCATION, 5)
        self.buys("B", 2)
        await self.at(40)
        # A difference has nothing to stand on where a list is served in any order.
        self.carrier.disorder = False
        await self.at(50)
        self._moves()
        await self.at(56)
        self.stream.restore("2026-11-27b")
        await self.carrier.restored()
        await self.at(64)
        self.carrier.disorder = True
        await self._trade(20)
        house.poison("unknown_type", "P", LOCATION)
        house.poison("3.7", "P", LOCATION)
        house.log.append(
            "stock.level",
            {"sku": "S0", "location": ELSEWHERE, "onHand": 3, "available": 3},
            location=LOCATION,
        )
        await self.at(82)
        self.carrier.disorder = False
        await self.at(87)
        # What could not be read is made up for by a level; where single keys can be read that has been done meanwhile.
        house.warehouse.room.recount("P", LOCATION, STOCK["P"])
        await self.at(90)
        warehouse.heartbeat()
        seqs = [warehouse.receipt(sku, LOCATION, 1) for sku in LAST]
        if loses:
            self.stream.lose(seqs[1])
        for seconds in (98, 106):
            await self.at(seconds)
            warehouse.heartbeat()

    async def _trade(self, steps: int) -> None:
        """Goods come and go for many reasons, in the store and online."""
        warehouse = self.site.house.warehouse
        acts: tuple[Callable[[str], object], ...] = (
            lambda sku: warehouse.store_sale(sku, LOCATION, self.chance.randint(1, 2)),
            lambda sku: warehouse.receipt(sku, LOCATION, self.chance.randint(1, 4)),
            lambda sku: warehouse.quarantine(sku, LOCATION, 1),
            lambda sku: self.buys(sku, self.chance.randint(1, 2)),
            lambda sku: self.buys(sku, 1),
        )
        for _ in range(steps):
            self.chance.choice(acts)(self.chance.choice(BUSY))
            await self.site.clock.sleep(0.4)

    async def _rush(self, sku: str, more: int) -> None:
        """Everybody wants one, and some go away without; elsewhere trade goes on."""
        there = self.site.house.warehouse.available(sku, LOCATION)
        before = self.refused
        for shopper in range(there + more):
            self.buys(sku, 1)
            if not shopper % 5:
                self.site.house.warehouse.receipt("D", LOCATION, 1)
            await self.site.clock.sleep(0.1)
        went_away = self.refused - before
        assert went_away == more, f"{went_away} of {there + more} went away without {sku}"

    def _ships_and_cancels(self) -> None:
        """Of the first orders one leaves the house, and one is cancelled on both sides."""
        leaves, ends = list(self.orders)[:2]
        self.site.house.warehouse.dispatch.ship(leaves)
        self.site.shop.cancel_order(ends)
        self.site.ask_house("cancellations", {"reference": ends})

    def _moves(self) -> None:
        """Pieces are set aside: told as a difference alone; others with the balance after it."""
        for sku, balance in (("M", False), ("S1", True)):
            house = self.site.house
            change = Change(sku, LOCATION, unavailable=2)
            house.warehouse.room.alter(change)
            holding = house.warehouse.room.holding(sku, LOCATION)
            fields: dict[str, Any] = {"sku": sku, "location": LOCATION, "delta": -2, "state": "available"}
            if balance:
                fields["balanceAfter"] = {"onHand": holding.on_hand, "available": holding.available}
            holding.last_seq = seq = house.log.append("stock.movement", fields, location=LOCATION)
            at, caused = (house.log.now_ms(), house.log.epoch_ordinal), ("adjustment", None)
            house.warehouse.room.journal.append(JournalEntry(*at, seq, sku, LOCATION, -2, 0, *caused))


async def sale(transport: str, *, loses: bool = False) -> Outcome:
    """Run it through one transport. `loses`: one record, the last about its key, reaches nobody."""
    house_settings = {"heartbeat_seconds": 1e9, "tick_seconds": 0.2}
    async with inside(seed=61, house=house_settings) as (site, house):
        site.open(STOCK)
        site.house.warehouse.seed(UNKNOWN, LOCATION, 7)
        stream = Stream(site)
        async with TRANSPORTS[transport](site, house, stream, random.Random(SEED + 1)) as carrier:
            carrying = asyncio.create_task(carrier.run())
            try:
                async with house.daemon(feed=carrier.tables) as daemon:
                    day = Sale(site, stream, carrier)
                    await day.runs(loses=loses)
                    return await _outcome(site, house, daemon, day)
            finally:
                carrying.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await carrying


async def _outcome(site: Site, house: House, daemon: Running, day: Sale) -> Outcome:
    site.shop.settle()
    day.stream.look()
    offered = {(sku, CHANNEL): site.stock(sku) for sku in STOCK}
    published = {pool: stock for pool, stock in offered.items() if stock is not None}
    warehouse = site.house.warehouse
    verdict = Judge(warehouse, drain_seconds=DRAIN_SECONDS).verdict(list(day.orders.values()), published)
    pools = [pool for pool in verdict.pools if pool.sku in STOCK]
    state = await daemon.app.store.feeds.state("main")
    names = {order_id: str(site.shop.order(order_id)["orderNumber"]) for order_id in day.orders}
    holdings = sorted(
        (place, sku, held.on_hand, held.available) for (sku, place), held in warehouse.room.holdings.items()
    )
    return Outcome(
        books={"published": sorted((sku, stock) for (sku, _), stock in published.items()), **_ledger(house)},
        told=[_plain(one, names) for one in day.stream.told],
        holdings=holdings,
        beyond=day.beyond,
        oversold=sum(pool.oversold_total for pool in pools) + verdict.duplicate_orders,
        hidden=sum(pool.hidden + pool.excess for pool in pools),
        passed_over=state.stale_total + _files_again(house),
    )


def _files_again(house: House) -> int:
    """Files whose receipt says that they were known, or older than what is known."""
    receipts = [json.loads(path.read_bytes()) for path in house.directory.glob("files/receipts/*")]
    return sum(one["status"] == "duplicate" or one["stale"] > 0 for one in receipts)


# What a record of no key is called, by its file or its id, and whether a later full of its own feed made up for it.
_NO_KEY = "code IN ('unknown_type', 'control_character')"
QUESTIONS = {
    "levels": "SELECT location, sku, on_hand, available FROM level",
    "outbox": "SELECT channel, sku, f, refl, ntrk, known, closed, x_target, x_applied, base, op_id IS NULL FROM outbox",
    "orders": "SELECT number, order_state, final, released, refused, source_order FROM order_head",
    "exceptions": f"SELECT kind, iif({_NO_KEY}, '', subject), code FROM exception_case "
    f"WHERE state IN ('open', 'waiting') OR {_NO_KEY}",
    "waiting": "SELECT sku, location FROM resync",
}


def _ledger(house: House) -> dict[str, list[Row]]:
    """What is committed to the file, less positions, times and the names of feeds, which are a transport's own."""
    with contextlib.closing(sqlite3.connect(f"file:{house.database()}?mode=ro", uri=True)) as file:
        return {
            name: sorted(file.execute(question).fetchall(), key=repr) for name, question in QUESTIONS.items()
        }


OWN = re.compile(r'"(occurredAt|asOf|at|lineRef)":"[^"]*",?')


def _plain(told: Told, names: Mapping[str, str]) -> str:
    """A record less its times and the shop's own ids: the same in every run."""
    text = OWN.sub("", told.record.body.decode())
    for order_id, number in names.items():
        text = text.replace(order_id, number)
    return f"{told.epoch} {text}"
