"""Many orders through the daemon's parts, with faults on both sides and kills, in virtual time; ends with a summary.

    python -m tests.system.order_campaign [--orders 10000] [--seed 7] [--protection key|lookup]

About a tenth of the orders are paid late, cancelled, edited, deleted, marked or not to be fulfilled; the warehouse ships whole
or in parts, picks short, cancels, takes goods back. Whatever must hold (O and P of the stock ledger) is asked after every step;
at the end every order must be in a final state or explained by a case. The exit status is 1 when anything was violated.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archsyncd.adapters.sqlite.store import DATABASE_NAME
from archsyncd.simulators.r247 import Reflection, Refused
from archsyncd.simulators.r247.held import SourceOrder
from tests.support.virtual_time import run_virtual
from tests.system.ground import Moment
from tests.system.host import Bent
from tests.system.order_faults import fail
from tests.system.order_plant import Manner, OrderPlant
from tests.system.order_truth import LOCATIONS, STRANGE, UNMAPPED, Placed
from tests.system.truth import Violation

ORDERS = 10_000
SEED = 7
SKUS = tuple(f"S{number:03}" for number in range(300))
STOCK_PIECES = 60
LEAST_PIECES = 20
AT_ONCE = 5
STEP_SECONDS = (0.2, 1.4)
FAULT_CHANCE = 0.3
ORDERS_PER_KILL = 60
MOMENTS: tuple[Moment, ...] = ("asked", "answered", "committed")
REPORTS = 10
# Not more often than after so many, in a short campaign either: to count all objects takes a while.
REPORT_ORDERS = 25
REST_SECONDS = 6_000.0
ROUNDS = 4
DISPOSITIONS = ("sellable", "damaged", "quarantine", "scrap")
FINAL = frozenset({"cancelled", "closed", "closed_short", "dismissed"})
MEBIBYTE = 1024 * 1024
Write = Callable[[str], object]


@dataclass(slots=True)
class Course:
    """What has come of a campaign so far."""

    placed: int = 0
    faults: int = 0
    kills: int = 0
    began: float = field(default_factory=time.perf_counter)
    memory: list[tuple[int, float, int]] = field(default_factory=list)


class Campaign:
    """One site, one shop, one daemon after another, and so many orders."""

    def __init__(self, orders: int, seed: int, protection: str, write: Write) -> None:
        self._orders = orders
        self._write = write
        self._chance = chance = random.Random(seed)
        self.manner = Manner(
            protection,
            later=chance.random() < 0.5,
            closes=chance.random() < 0.5,
            ready_state=chance.random() < 0.5,
            reflection=chance.choice((Reflection.ALL, Reflection.ACCEPTED_ONLY, Reflection.ORDERS_INCLUDED)),
            lag_seconds=3.0,
            duplicates=0.05,
            latency_seconds=0.01,
        )
        self.world = OrderPlant(Bent(), self.manner, seed=seed)
        self.course = Course()

    async def run(self) -> int:
        """Play it to its end; the exit status."""
        self._write(f"{self._orders} orders, {self.manner}\n")
        try:
            await self.world.open({(sku, place): STOCK_PIECES for sku in SKUS for place in LOCATIONS})
            self.world.site.house.warehouse.book.listeners.append(self._imported)
            while self.course.placed < self._orders:
                await self._step()
            await self._finish()
        except Violation as found:
            self._write(f"violated: {found}\n")
            return 1
        else:
            return self._sum_up()
        finally:
            await self.world.close()

    # What happens

    async def _step(self) -> None:
        chance, course = self._chance, self.course
        for _ in range(min(chance.randint(1, AT_ONCE), self._orders - course.placed)):
            before = course.placed
            self._sell()
            if course.placed > before and course.placed % max(self._orders // REPORTS, REPORT_ORDERS) == 0:
                self._weigh()
        if chance.random() < FAULT_CHANCE:
            fail(self.world, chance)
            course.faults += 1
        if course.placed // ORDERS_PER_KILL > course.kills:
            course.kills += 1
            pause = chance.choice((0.0, 0.0, 0.5, 5.0, 30.0))
            await self.world.is_killed(chance.choice(MOMENTS), chance.randint(1, 30), pause)
        await self.world.passes(chance.uniform(*STEP_SECONDS))

    def _sell(self) -> None:
        chance, world = self._chance, self.world
        lines = [
            (chance.choice(SKUS), chance.choice(tuple(LOCATIONS)), chance.randint(1, 3))
            for _ in range(chance.choice((1, 1, 2, 3)))
        ]
        for sku, place, _ in lines:
            if world.site.house.warehouse.available(sku, place) < LEAST_PIECES:
                world.moves(sku, place, STOCK_PIECES)
        fate, number = chance.random(), None
        if fate < 0.01:
            lines.append((SKUS[0], UNMAPPED, 1) if fate < 0.005 else (STRANGE, "WH1", 1))
        elif fate < 0.02:
            if self.manner.protection == "key":
                world.ships_at_once(lines[0][0], lines[0][1])
            else:
                number = world.ships_early(lines[0][0], lines[0][1])
                lines = [(lines[0][0], lines[0][1], 1)]
        paid, tracked = chance.random() > 0.1, fate >= 0.01 and chance.random() > 0.05
        placed = world.sells(lines, paid=paid, numbered=chance.random() > 0.2, tracked=tracked, number=number)
        if placed is None:
            return
        self.course.placed += 1
        if not paid and chance.random() > 0.1:
            self._later(60.0, lambda: self._if_living(placed, world.pays))
        self._meddle(placed)

    def _meddle(self, placed: Placed) -> None:
        fate, world = self._chance.random(), self.world
        if fate < 0.04:
            self._later(40.0, lambda: self._if_living(placed, world.cancels))
        elif fate < 0.05:
            self._later(20.0, lambda: self._if_living(placed, world.deletes))
        elif fate < 0.06:
            self._later(1.0, lambda: self._if_living(placed, lambda one: world.edits(one, 1)))
        elif fate < 0.07:
            self._later(40.0, lambda: self._if_living(placed, world.marks_shipped))
        elif fate < 0.1:
            self._later(40.0, lambda: self._if_living(placed, world.touches))

    def _later(self, most_seconds: float, act: Callable[[], object]) -> None:
        self.world.site.house.agenda.add(self._chance.uniform(0.0, most_seconds), lambda: _do(act))

    def _if_living(self, placed: Placed, act: Callable[[Placed], object]) -> None:
        if placed.gone_ms is None:
            act(placed)

    def _imported(self, order: SourceOrder) -> None:
        """The warehouse has taken an order in: what becomes of it there."""
        fate, world = self._chance.random(), self.world
        if fate < 0.02:
            return  # nobody gets to it before the end
        if fate < 0.03:
            self._in_turn(order, [lambda: world.cancels_there(order)])
            return
        steps: list[Callable[[], object]] = [
            lambda status=status: world.works(order, status)  # type: ignore[misc]
            for status in ("allocated", "picked", "packed")
            if self._chance.random() < 0.5
        ]
        if fate < 0.15:
            steps.append(lambda: world.ships(order, whole=False))
        elif fate < 0.2:
            steps.append(lambda: world.shorts(order))
        steps.append(lambda: world.ships(order, whole=True))
        if fate > 0.95:
            steps.append(lambda: world.restates(order, next(iter(order.fulfilments.values()))))
        elif fate > 0.9:
            steps.append(lambda: self._return(order))
        self._in_turn(order, steps)

    def _in_turn(self, order: SourceOrder, steps: Sequence[Callable[[], object]]) -> None:
        """Do these one after the other, as far as the order lets it."""

        def act() -> None:
            try:
                steps[0]()
            except (Refused, StopIteration):
                return  # cancelled meanwhile, or nothing is open any more
            if steps[1:]:
                self._in_turn(order, steps[1:])

        self._later(20.0, act)

    def _return(self, order: SourceOrder) -> None:
        line = next(line for line in order.lines if line.shipped)
        self.world.takes_back(order, line, self._chance.choice(DISPOSITIONS))

    # The end

    async def _finish(self) -> None:
        """Everything is paid, and what can be shipped is; people work through what is left to them."""
        world = self.world
        world.calm()
        await world.passes(120)
        for _ in range(ROUNDS):
            for placed in world.unpaid():
                world.pays(placed)
            short = self._short()
            for name in world.fulfilments_told():
                if name in short:
                    await world.person_closes(name)
            for order_id in world.orders_held():
                await world.person_retries(order_id)
            for order in world.open_orders():
                world.ships(order, whole=True)
            await world.passes(120)
        await world.comes_to_rest(REST_SECONDS, look_seconds=60.0)
        self._weigh()

    def _short(self) -> set[str]:
        fulfilments = self.world.site.house.warehouse.dispatch.fulfilments.items()
        return {name for name, (_, one) in fulfilments if any(short for _, _, short, _ in one.lines)}

    def _weigh(self) -> None:
        """How much memory there is in use by now, by everything and by the daemon's own objects."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        resident = pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE
        gc.collect()
        own = sum(_is_daemons(type(each).__module__) for each in gc.get_objects())
        course = self.course
        course.memory.append((course.placed, resident, own))
        database = (self.world.host.directory / DATABASE_NAME).stat().st_size / MEBIBYTE
        spent = time.perf_counter() - course.began
        self._write(
            f"{course.placed:6} placed, {course.kills:4} kills, {course.faults:5} faults, {spent:5.0f} s; "
            f"{resident:5.0f} MiB resident, {own:6} objects of the daemon's, file {database:5.1f} MiB\n"
        )

    def _sum_up(self) -> int:
        world, course, truth = self.world, self.course, self.world.truth
        rows = world.host.look("SELECT order_id, number, stage FROM handover")
        cases = world.host.look(
            "SELECT subject, kind, code FROM exception_case WHERE state IN ('open', 'waiting')"
        )
        named = {row["subject"] for row in cases}
        advices = {
            row["order_id"]
            for row in world.host.look("SELECT name, order_id FROM advice")
            if row["name"] in named
        }
        stages = Counter(row["stage"] for row in rows)
        open_ = [row for row in rows if row["stage"] not in FINAL]
        bare = [
            row["order_id"]
            for row in open_
            if not {row["number"], row["order_id"]} & named and row["order_id"] not in advices
        ]
        known = {row["order_id"] for row in rows}
        book = world.site.house.warehouse.book
        lost = [
            placed.id for placed in truth.placed.values() if placed.id not in known and placed.gone_ms is None
        ]
        early = world.rest.called_shipped_early()
        figures = {
            "orders placed": len(truth.placed),
            "in the warehouse": len(book.orders),
            "shipped there": sum(order.shipped_any for order in book.orders.values()),
            "final": sum(stages[stage] for stage in FINAL),
            "open, explained by a case": len(open_) - len(bare),
            "open without a case": len(bare),
            "duplicates": len(book.duplicates),
            "lost": len(lost),
            "called shipped too early": len(early),
            "kills": course.kills,
            "faults": course.faults,
            "requests to commercetools": sum(world.site.shop.journal.requests.values()),
            "virtual minutes": round(world.clock.monotonic() / 60),
            "seconds": round(time.perf_counter() - course.began),
        }
        for name, figure in figures.items():
            self._write(f"{name:28} {figure:10,}\n")
        asked = Counter(world.site.house.requests)
        self._write(f"requests to the warehouse: {dict(asked.most_common())}\n")
        self._write(f"states: {dict(stages.most_common())}\n")
        kinds = Counter(f"{row['kind']} {row['code']}".strip() for row in cases)
        self._write(f"open cases: {dict(kinds.most_common())}\n")
        wrong = bool(bare or lost or early or book.duplicates)
        self._write("wrong\n" if wrong else "every order is in a final state or explained\n")
        return int(wrong)


def _do(act: Callable[[], object]) -> None:
    act()


def _is_daemons(module: object) -> bool:
    return isinstance(module, str) and module.startswith("archsyncd.") and "simulators" not in module


def main(words: Sequence[str]) -> int:
    """Run a campaign; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.order_campaign")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--protection", choices=("key", "lookup"), default="lookup")
    chosen = parser.parse_args(words)

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    return run_virtual(Campaign(chosen.orders, chosen.seed, chosen.protection, write).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
