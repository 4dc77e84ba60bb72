"""A shop and a warehouse in memory around the real store, where several keys sell the same pieces. Judges itself.

The shop takes an order's units at once and tells of it late; the warehouse imports it, tells of the import and then of each
level. Writes may take effect without an answer. Nothing is lost on the shelves, so no order may ever be short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archsyncd.adapters.sqlite.store import SqliteStore
from archsyncd.domain.feed import Record
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import Kit, Kits
from archsyncd.domain.outbox import Lease
from archsyncd.domain.rules import DrainLimits, Rules, SettleRules
from archsyncd.domain.settlement import Booked, Doubted, Settled, Settlement
from archsyncd.domain.stock import LocationPolicy
from tests.adapters.sqlite.shelf import CONFIRM_MS, Shelf, open_sqlite
from tests.domain.nouns import accepted, channel, key, level, line, order, place, rules

WEB, SHOP, KIT, A, B = key(), key(channel="shop"), key("KIT"), key(), key("B")
EVER = 2**60
# By key, the pieces that one of it takes off each shelf.
Takes = Mapping[StockKey, Mapping[str, int]]


@dataclass(frozen=True)
class Site:
    """Which keys there are, what each takes, and the rules by which they are offered, at first and later."""

    rules: Rules
    takes: Takes
    later: tuple[Rules, ...] = ()


def _channels(web: int, shop: int) -> Rules:
    places = (LocationPolicy("WH1", "web", share=web), LocationPolicy("WH1", "shop", share=shop))
    return rules(channel(places[0]), channel(places[1], name="shop"))


def _kit(percent: int) -> Rules:
    kit = Kit("KIT", (("A", 1), ("B", 2)), percent)
    return rules(channel(place("WH1")), kits=Kits({"KIT": kit}))


SHARED = Site(
    _channels(50, 50),
    {WEB: {"A": 1}, SHOP: {"A": 1}},
    (rules(channel(place("WH1"))), rules(channel(place("WH1", "shop"), name="shop")), _channels(80, 20)),
)
KITTED = Site(
    _kit(50),
    {KIT: {"A": 1, "B": 2}, A: {"A": 1}, B: {"B": 1}},
    (rules(channel(place("WH1"))), _kit(100), _kit(10)),
)


@dataclass
class Bought:
    """An order as the world has it."""

    name: str
    key: StockKey
    pieces: int
    created_ms: int
    listed: bool = False
    imported: bool = False


@dataclass
class Market:
    """The world. `hasty`: orders are believed to be known whatever was learnt, which is wrong."""

    site: Site
    directory: Path
    hasty: bool = False
    stock: dict[StockKey, int] = field(default_factory=dict)
    pieces: dict[str, int] = field(default_factory=dict)
    versions: dict[StockKey, int] = field(default_factory=dict)
    bought: list[Bought] = field(default_factory=list)
    unread: list[Record] = field(default_factory=list)
    in_flight: list[Lease] = field(default_factory=list)
    complete_ms: int = 0
    seq: int = 0
    shelf: Shelf = field(init=False)

    async def opens(self, pieces: Mapping[str, int]) -> None:
        """Goods on the shelves, and entries that show each key's part of them."""
        self.shelf = await Shelf.open(open_sqlite, self.directory, self.site.rules)
        await self.shelf.store.use_rules(self.site.rules)
        for sku, count in pieces.items():
            self.pieces[sku] = count
            self._tell_level(sku)
        await self.reads(len(self.unread))
        for at in self.site.takes:
            self.stock[at] = (await self.shelf.row(at)).f
            self.versions[at] = 1
            await self.shelf.based(self.stock[at], at, name=f"E-{at.channel}-{at.sku}")

    async def closes(self) -> None:
        await self.shelf.close()

    def _tell_level(self, sku: str) -> None:
        self.seq += 1
        self.unread.append(level(self.seq, self.pieces[sku], sku=sku))

    def sells(self, at: StockKey, pieces: int) -> None:
        """A shopper takes what the entry shows."""
        if self.stock[at] < pieces:
            return
        self.stock[at] -= pieces
        self.bought.append(Bought(f"o{len(self.bought)}", at, pieces, self.shelf.clock.now_ms))
        self.judge()

    async def rearranges(self, pick: int, *, restart: bool) -> None:
        """The configuration gives pieces other hands, and perhaps the process ends in between."""
        choices = (self.site.rules, *self.site.later)
        use = choices[pick % len(choices)]
        if restart:
            await self.shelf.store.begin_rules(use)
            await self.shelf.again(use)
            # What was sent before is in doubt now; it has arrived all the same, or does so before it is looked at.
            for lease in self.in_flight:
                self.stock[lease.key] += lease.operation.delta
                self.versions[lease.key] += 1
            self.in_flight = []
            self.judge()
        await self.shelf.store.use_rules(use)
        for each in self.bought:
            each.listed = False

    async def learns(self) -> None:
        """All orders are listed, those that are known too where they may count otherwise by now."""
        for each in self.bought:
            if not each.listed:
                each.listed = True
                at = f"id-{each.key.channel}"
                told = order(
                    line(each.pieces, each.key.sku, at=at), name=each.name, created_ms=each.created_ms
                )
                await self.shelf.learn(told)
        self.complete_ms = self.shelf.clock.now_ms

    def imports(self) -> None:
        """The warehouse takes the oldest order that it has not, learnt by us or not; each level is told by itself."""
        for each in self.bought:
            if each.imported:
                continue
            each.imported = True
            self.seq += 1
            self.unread.append(accepted(self.seq, each.name))
            for sku, count in self.site.takes[each.key].items():
                self.pieces[sku] -= count * each.pieces
                self._tell_level(sku)
            return

    def receives(self, sku: str, pieces: int) -> None:
        """Goods arrive."""
        if sku in self.pieces:
            self.pieces[sku] += pieces
            self._tell_level(sku)

    async def reads(self, records: int) -> None:
        """The next records are merged."""
        some, self.unread = self.unread[:records], self.unread[records:]
        if some:
            await self.shelf.read(*some)

    async def leases(self, limit: int) -> None:
        """Intents become durable; nothing has arrived yet."""
        complete_ms = EVER if self.hasty else self.complete_ms
        self.in_flight += await self.shelf.store.outbox.lease(
            DrainLimits(orders_complete_ms=complete_ms), limit
        )

    async def arrives(self, pick: int, *, answered: bool) -> None:
        """One request takes effect, in any order; without an answer its entry is read later."""
        if not self.in_flight:
            return
        lease = self.in_flight.pop(pick % len(self.in_flight))
        self.stock[lease.key] += lease.operation.delta
        self.versions[lease.key] += 1
        await self._settle(lease, self._booked(lease) if answered else Doubted(0))
        self.judge()

    async def resolves(self) -> None:
        """Entries of operations in doubt are read: their markers say that they took effect."""
        for row in await self.shelf.store.outbox.in_doubt(10):
            operation = row.operation
            assert operation is not None
            entry_id = row.entry_id or ""
            settled = Settled(row.key, operation.op_id, Booked(entry_id, self.versions[row.key]))
            await self.shelf.store.outbox.settle([settled], self._rules())

    def _booked(self, lease: Lease) -> Settlement:
        return Booked(lease.entry_id or "", self.versions[lease.key])

    async def _settle(self, lease: Lease, settlement: Settlement) -> None:
        settled = Settled(lease.key, lease.operation.op_id, settlement)
        await self.shelf.store.outbox.settle([settled], self._rules())

    def _rules(self) -> SettleRules:
        now_ms = self.shelf.clock.now_ms
        return SettleRules(0, CONFIRM_MS, self.complete_ms, server_now_ms=now_ms)

    def passes(self, seconds: float) -> None:
        self.shelf.clock.pass_by(seconds)

    def judge(self) -> None:
        """S2 over all keys of a shelf: whatever was sold and is not taken from it yet is there."""
        for sku, there in self.pieces.items():
            owed = sum(
                each.pieces * self.site.takes[each.key].get(sku, 0)
                for each in self.bought
                if not each.imported
            )
            assert owed <= there, f"S2: {owed} pieces of {sku} are sold, and {there} are there"

    async def _forgets(self) -> None:
        assert isinstance(self.shelf.store, SqliteStore)
        await self.shelf.store.forget_past(self.complete_ms)

    async def comes_to_rest(self) -> None:
        """Everything is told and every write arrives: each entry shows its key's part (S1), and nothing waits for ever."""
        while any(not each.imported for each in self.bought):
            self.imports()
        for _ in range(40):
            await self.learns()
            await self.reads(len(self.unread))
            while self.in_flight:
                await self.arrives(0, answered=True)
            await self.resolves()
            self.passes(6)
            await self._forgets()
            await self.leases(10)
        assert not self.in_flight, "something is written for ever"
        for at, shown in self.stock.items():
            row = await self.shelf.row(at)
            assert shown == row.f == row.x_target - row.known, f"S1: {at} shows {shown}, its part is {row.f}"


# With these steps a hasty daemon sells a piece twice: the fall of the one lands on what was sold there meanwhile.
async def hasty_scene(market: Market) -> None:
    """An order takes more than half; its import moves pieces from the other key, which are sold before they are gone."""
    await market.opens({"A": 8})
    market.sells(WEB, 4)
    await market.learns()
    market.imports()
    await market.reads(2)
    await market.leases(5)
    market.sells(SHOP, 4)
    await market.arrives(0, answered=True)
    market.passes(3)
    await market.leases(5)
    if market.in_flight:
        await market.arrives(0, answered=True)
    market.sells(WEB, 2)
