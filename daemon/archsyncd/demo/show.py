"""The show: opens the stage, lets a day of trade and its incidents happen, and asks the judge. Decides no stock."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

from archsyncd.demo.board import DAEMON, DEMO, Board, Note, from_log
from archsyncd.demo.process import DaemonProcess
from archsyncd.demo.screen import Screen
from archsyncd.demo.stage import Stage, day
from archsyncd.demo.verdict import BAD_RECORD, UNKNOWN_SKU, Memorable, Outcome
from archsyncd.demo.watching import ask, ask_subjects
from archsyncd.demo.workspace import Workspace
from archsyncd.simulators.trade import Trade, TradeEvent

DRAW_SECONDS = 0.25
STATUS_SECONDS = 0.5
OPEN_SECONDS = 30.0
CLOSE_SECONDS = 60.0
RESTART_SECONDS = 1.0  # a service manager waits a moment, too
WRITE_SECONDS = 3.0
POLL_SECONDS = 0.002
# A fall of stock has so long to arrive before a sale counts as oversold: the stage itself is in its way for 3 s of overload
# and for a restart, and the daemon keeps its distance for a while after that.
DRAIN_SECONDS = 10.0
NEW_SKU = "NEW-00001"
NEW_PIECES = 24
ODD_SKU = "ODD-00001"
ODD_PIECES = 12
LORRY_KEYS = 60
BIG_LORRY_KEYS = 300
LORRY_PIECES = 10
OVERLOAD_SECONDS = 3.0
OVERLOAD_PER_SECOND = 2.0
RELIEVED_BURST = 100
POISON_KIND = "1e400"
LOST_ANSWERS = 3
HELD_UP_ORDERS, KILLED_ORDERS = 6, 3
HELD_UP_SECONDS = 1.0
OPENED = re.compile(r"exception \d+ (\w+): ")
CLOSED = re.compile(r"exception \d+ (\w+) .*: closed, ")
IN_DOUBT = re.compile(r"operations in doubt: (\d+)")
PHASES = {
    "morning": "the shop opens: orders come in commercetools, sales in the stores; archsyncd carries the orders to Archean",
    "delivery": "a lorry unloads: the stock of many keys rises",
    "recount": "the warehouse recounts everything and tells it again, though nothing has changed",
    "flash sale": "flash sale: nearly everybody wants the same eight SKUs",
    "afternoon": "the rush is over; some customers send goods back",
    "closing": "the shop closes; the warehouse ships its last orders",
}


class ShowFailed(Exception):
    """The demo cannot go on; the text says why."""


class Show:
    """One day on one stage."""

    def __init__(
        self, staged: Stage, place: Workspace, daemon: DaemonProcess, screen: Screen, seconds: int, seed: int
    ) -> None:
        self.board = Board(float(seconds), str(place.log))
        self.kills = 0
        self._stage, self._place, self._daemon, self._screen = staged, place, daemon, screen
        self._chance = random.Random(f"incidents {seed}")
        config = day(float(seconds))
        self._trade = Trade(config, staged.ask_shop, staged.ask_house, staged.clock, random.Random(seed))
        self._home = min(config.locations)
        self._traded = [(sku, location) for sku in config.skus for location in config.locations]
        self._opening_keys = len(self._traded) + 1  # the odd one is told wrongly later
        self._began = asyncio.get_running_loop().time()
        self._opening_seconds, self._opening_writes = 0.0, 0
        self._in_doubt: int | None = None
        self._orders_under_way = 0
        self._recovery_seconds: float | None = None
        self._appeared_at: float | None = None
        self._closed_at: float | None = None
        self._pressed = False

    async def run(self) -> Outcome:
        """Play the day to its verdict. Raises ShowFailed, in a group."""
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._draw()), group.create_task(self._listen())]
            await self._open()
            incidents = group.create_task(self._incidents())
            async for event in self._trade.run():
                await self._follow(event)
            await incidents
            await self._settle()
            for task in watching:
                task.cancel()
        return await self._outcome()

    @property
    def moments(self) -> Memorable:
        """What was remarkable."""
        waited = None
        if self._appeared_at is not None and self._closed_at is not None:
            waited = self._closed_at - self._appeared_at
        return Memorable(
            opening_keys=self._opening_keys,
            opening_seconds=self._opening_seconds,
            opening_writes=self._opening_writes,
            recounted=self.board.trade.get("recounted", 0),
            empty_writes=self._stage.shop.empty_changes,
            in_doubt=self._in_doubt,
            orders_under_way=self._orders_under_way,
            answers_lost=self._stage.answers_lost,
            recovery_seconds=self._recovery_seconds,
            oldest_decrease_seconds=self.board.oldest_decrease_seconds,
            oldest_increase_seconds=self.board.oldest_increase_seconds,
            unknown_sku_seconds=waited,
        )

    def known(self) -> dict[str, Any]:
        """The figures of a demo that did not come to its end."""
        board, shop = self.board, self._stage.shop
        return {
            "records": board.records,
            "requests": shop.requests,
            "throttled": shop.throttled,
            "writes": shop.writes,
            "changes": shop.changes,
            "served": board.served,
            "refused": board.refused,
            "restarts": max(0, self._daemon.starts - 1),
            "kills": self.kills,
            "exit_status": self._daemon.ended,
            "exceptions_seen": sorted(board.exceptions_seen),
            **self._stage.orders(None).as_json(),
        }

    # -- watching ---------------------------------------------------------------------------------

    async def _draw(self) -> None:
        while True:
            self._look()
            self._screen.draw(self.board)
            if self._daemon.ended is not None and self._daemon.starts > self.kills:
                raise ShowFailed(f"the daemon ended by itself with status {self._daemon.ended}")
            await asyncio.sleep(DRAW_SECONDS)

    async def _listen(self) -> None:
        while True:
            reading = await ask(self._place.control)
            self.board.read(reading)
            self.board.orders = self._stage.orders(None)
            if self._pressed:
                self.board.remember_waiting()
            await asyncio.sleep(STATUS_SECONDS)

    def _look(self) -> None:
        shop = self._stage.shop
        self.board.running = self._daemon.starts > 0 and self._daemon.ended is None
        self.board.sent(self._now(), shop.requests, shop.throttled)
        for line in self._daemon.news():
            text = from_log(line)
            if text is None:
                continue
            self._heed(text)
            self._tell(text, DAEMON)

    def _heed(self, text: str) -> None:
        """Take from the log what a look every half second can miss."""
        opened, closed = OPENED.match(text), CLOSED.match(text)
        if opened is not None:
            self.board.exceptions_seen.add(opened[1])
        if closed is not None and closed[1] == UNKNOWN_SKU:
            self._closed_at = self._now()
        doubt = IN_DOUBT.search(text)
        if doubt is not None and self.kills:
            self._in_doubt = int(doubt[1])

    async def _follow(self, event: TradeEvent) -> None:
        board = self.board
        board.phase, board.day_at_seconds, board.trade = event.phase, event.at_seconds, event.counters
        if event.begins and event.phase in PHASES:
            self._tell(PHASES[event.phase])

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _tell(self, text: str, who: str = DEMO) -> None:
        note = Note(self._now(), who, text)
        self.board.notes.append(note)
        self._screen.note(note)

    async def _until(
        self, holds: Callable[[], bool], seconds: float, poll_seconds: float = DRAW_SECONDS
    ) -> bool:
        end = self._now() + seconds
        while not holds():
            if self._now() >= end:
                return False
            await asyncio.sleep(poll_seconds)
        return True

    # -- the day ----------------------------------------------------------------------------------

    async def _open(self) -> None:
        await self._trade.open()
        extra = ((NEW_SKU, NEW_PIECES), (ODD_SKU, ODD_PIECES))
        stock = [{"sku": sku, "location": self._home, "onHand": pieces} for sku, pieces in extra]
        await self._stage.act("seed", stock=stock)
        await self._stage.ask_shop("POST", "products", {"skus": [ODD_SKU]})
        self._tell(f"{self._opening_keys} keys have stock in Archean; commercetools has no entry yet")
        self._tell(f"Archean also has {NEW_SKU}, which nobody has created in commercetools")
        began = self._now()
        await self._daemon.start()
        if not await self._until(lambda: self._stage.entries >= self._opening_keys, OPEN_SECONDS, 0.02):
            raise ShowFailed(
                f"{self._stage.entries} of {self._opening_keys} entries within {OPEN_SECONDS:g} s of the start"
            )
        self._opening_seconds, self._opening_writes = self._now() - began, self._stage.shop.writes
        self._tell(f"{self._stage.entries} entries exist, after {self._opening_writes} write requests")

    async def _incidents(self) -> None:
        began, seconds = self._now(), self.board.day_seconds
        plan: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (0.20, self._poison),
            (0.26, self._publish),
            (0.33, self._lose),
            (0.41, self._kill),
            # After the daemon is back, however long that takes: an overload that it sleeps through shows nothing.
            (0.50, self._press),
        ]
        for part, happen in plan:
            await asyncio.sleep(max(0.0, began + part * seconds - self._now()))
            await happen()

    async def _poison(self) -> None:
        self._tell(f"Archean sends an unreadable record: {POISON_KIND} pieces of {ODD_SKU}")
        await self._stage.act("poison", sku=ODD_SKU, location=self._home, kind=POISON_KIND)

    async def _publish(self) -> None:
        self._tell(f"somebody creates the product {NEW_SKU} in commercetools")
        self._appeared_at = self._now()
        await self._stage.ask_shop("POST", "products", {"skus": [NEW_SKU]})

    async def _lose(self) -> None:
        self._tell(
            f"{LOST_ANSWERS} answers each are lost: to a hand-over, to a booked dispatch, to the word that it is booked"
        )
        for endpoint in ("orders", "fulfilments"):
            await self._stage.act("faults", kind="drop_after", endpoint=endpoint, times=LOST_ANSWERS)
        fault = {"route": "orders.update", "kind": "lost_answer", "count": LOST_ANSWERS}
        await self._stage.ask_shop("POST", "faults", fault)

    async def _lorry(self, keys: int) -> None:
        for sku, location in self._chance.sample(self._traded, keys):
            await self._stage.act("receipts", sku=sku, location=location, quantity=LORRY_PIECES)

    async def _kill(self) -> None:
        shop, house = self._stage.shop, self._stage.house
        # Archean takes its time with some orders, so that the kill falls into the middle of handing them over, too.
        await self._stage.act(
            "faults", kind="slow", endpoint="orders", times=HELD_UP_ORDERS, seconds=HELD_UP_SECONDS
        )
        await self._lorry(LORRY_KEYS)
        await self._until(
            lambda: shop.writes_under_way > 0 and house.orders_under_way >= KILLED_ORDERS,
            WRITE_SECONDS,
            POLL_SECONDS,
        )
        self._orders_under_way = house.orders_under_way
        self.kills += 1
        await self._daemon.kill()
        killed_at = self._now()
        self.board.read(None)
        self._tell(f"kill -9, in the middle of a write and of handing over {self._orders_under_way} orders")
        await asyncio.sleep(RESTART_SECONDS)
        self.board.restarts += 1
        await self._daemon.start()
        if not await self._until(lambda: self.board.reading is not None and self.board.reading.writes, 15.0):
            raise ShowFailed("the daemon does not write again after it was killed")
        self._recovery_seconds = self._now() - killed_at

    async def _press(self) -> None:
        self._tell(
            f"commercetools is overloaded: {OVERLOAD_PER_SECOND:g} requests/s for {OVERLOAD_SECONDS:g} s, 429 to all others"
        )
        self._tell(f"and at the same moment a big lorry unloads: {BIG_LORRY_KEYS} keys may be raised")
        self._pressed = True
        # Hardly any burst, so that it bites at once and not only after a bucket of saved tokens is empty.
        await self._limit(OVERLOAD_PER_SECOND, 1)
        await self._lorry(BIG_LORRY_KEYS)
        await asyncio.sleep(OVERLOAD_SECONDS)
        await self._limit(None, RELIEVED_BURST)

    async def _limit(self, per_second: float | None, burst: int) -> None:
        await self._stage.ask_shop("POST", "settings", {"requests_per_second": per_second, "burst": burst})

    async def _settle(self) -> None:
        self.board.phase = "settling"
        end = self._now() + CLOSE_SECONDS
        await self._trade.settle(CLOSE_SECONDS)
        while not await self._at_rest():
            if self._now() >= end:
                return
            await asyncio.sleep(STATUS_SECONDS)

    async def _at_rest(self) -> bool:
        reading = self.board.reading
        if reading is None or any(keys for keys, _ in reading.waiting.values()):
            return False
        orders = self._stage.orders(await ask_subjects(self._place.control))
        if self._stage.at_work or orders.unexplained or orders.deliveries != orders.dispatches:
            return False
        said = await self._trade.verdict(DRAIN_SECONDS)
        return not off(said) and not {UNKNOWN_SKU, BAD_RECORD} & reading.exceptions.keys()

    async def _outcome(self) -> Outcome:
        board, shop = self.board, self._stage.shop
        open_cases = None if board.reading is None else dict(board.reading.exceptions)
        subjects = await ask_subjects(self._place.control)
        status = await self._daemon.stop()
        self._look()
        said = await self._trade.verdict(DRAIN_SECONDS)
        keys = len(self._stage.house.warehouse.room.holdings)
        board.phase, board.orders = "closed", self._stage.orders(subjects)
        self._screen.draw(board)
        return Outcome(
            records=board.records,
            requests=shop.requests,
            throttled=shop.throttled,
            writes=shop.writes,
            changes=shop.changes,
            keys=keys,
            keys_in_step=keys - off(said),
            oversold_units=said["oversold_beyond_physics"],
            unavoidable_units=max(0, said["oversold_total"] - said["oversold_beyond_physics"]),
            hidden_units=said["hidden_units"],
            excess_units=said["excess_units"],
            duplicate_orders=said["duplicate_orders"],
            served=board.served,
            refused=board.refused,
            restarts=self._daemon.starts - 1,
            kills=self.kills,
            exit_status=status,
            orders=board.orders,
            exceptions_seen=frozenset(board.exceptions_seen),
            exceptions_open=open_cases,
        )


def off(said: dict[str, Any]) -> int:
    """How many keys the judge found not in step."""
    return sum(bool(pool["hidden"] or pool["excess"]) for pool in said["pools"])
