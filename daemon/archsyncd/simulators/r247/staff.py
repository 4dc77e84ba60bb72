"""Those who act by themselves: the importer of orders, the late acceptance, the pickers; knows no transport."""

import heapq
import random
from collections.abc import Callable
from itertools import count

from archsyncd.simulators.r247.config import Clock, R247Config
from archsyncd.simulators.r247.held import AskedOrder, HeldLine, OrderStatus, SourceOrder
from archsyncd.simulators.r247.stockroom import Refused
from archsyncd.simulators.r247.warehouse import Warehouse

FLOOR_STEPS = ("picking", "picked", "packed", "shipped")
REFUSALS_KEPT = 1000


class Agenda:
    """What is due when; done in order of time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def __len__(self) -> int:
        return len(self._due)

    def add(self, seconds: float, act: Callable[[], None]) -> None:
        """Do `act` at the first `run` after so many seconds."""
        heapq.heappush(self._due, (self._clock.now() + seconds, next(self._order), act))

    def run(self) -> int:
        """Do what is due; return how many acts."""
        done = 0
        while self._due and self._due[0][0] <= self._clock.now():
            heapq.heappop(self._due)[2]()
            done += 1
        return done


class OrderImporter:
    """Another system that imports commercetools orders by itself, each after a drawn delay (`[orders] observe`).

    Somebody tells it of an order when commercetools accepted it; the daemon learns of the import only by the feed or by
    look-up.
    """

    def __init__(
        self, config: R247Config, warehouse: Warehouse, agenda: Agenda, chance: random.Random
    ) -> None:
        self._config = config
        self._warehouse = warehouse
        self._agenda = agenda
        self._chance = chance
        self._waiting: dict[str, AskedOrder] = {}
        self._told: dict[str, AskedOrder] = {}
        self.refused: list[tuple[str, str]] = []

    @property
    def waiting(self) -> int:
        """How many orders are told and not imported."""
        return len(self._waiting)

    def tell(self, asked: AskedOrder, seconds: float | None = None) -> None:
        """Tell of an order; it is imported after `seconds`, or a drawn delay. Telling twice changes nothing."""
        if asked.order_id in self._waiting or asked.order_id in self._warehouse.book.orders:
            return
        self._told[asked.order_id] = self._waiting[asked.order_id] = asked
        self._warehouse.book.awaited[asked.order_id] = asked.created_ms
        delay = self._chance.uniform(*self._config.import_seconds) if seconds is None else seconds
        self._agenda.add(delay, lambda: self._import(asked.order_id))

    def tell_again(self) -> int:
        """Tell of every order that a restored source forgot; return how many."""
        known = self._warehouse.book.orders
        forgotten = [asked for order_id, asked in self._told.items() if order_id not in known]
        for asked in forgotten:
            self.tell(asked)
        return len(forgotten)

    def cancel(self, reference: str) -> None:
        """Cancel in the warehouse, or before the import, be it one that was forgotten: a record says that it never left."""
        asked = self._waiting.pop(reference, None)
        if asked is None and self._warehouse.book.find(reference) is None:
            asked = self._told.get(reference)
        if asked is None:
            self._warehouse.dispatch.cancel(reference)
            return
        self._told.pop(reference, None)
        self._warehouse.book.awaited.pop(reference, None)
        self._warehouse.cancel_unseen(asked.order_id, asked.order_number)

    def _import(self, order_id: str) -> None:
        asked = self._waiting.pop(order_id, None)
        if asked is None:
            return
        self._warehouse.book.awaited.pop(order_id, None)
        try:
            self._warehouse.book.take(asked)
        except Refused as refusal:
            self.refused = [*self.refused, (order_id, refusal.code)][-REFUSALS_KEPT:]


class Acceptance:
    """Accepts, after a drawn delay, orders that the desk has only received."""

    def __init__(
        self, config: R247Config, warehouse: Warehouse, agenda: Agenda, chance: random.Random
    ) -> None:
        self._config = config
        self._warehouse = warehouse
        self._agenda = agenda
        self._chance = chance

    def later(self, order: SourceOrder) -> bool:
        """Accept it after the configured delay, unless it was cancelled, rejected or forgotten by then.

        False for the share that is to be accepted at once.
        """
        if not _drawn(self._chance, self._config.later_share):
            return False

        def accept() -> None:
            known = self._warehouse.book.orders.get(order.asked.order_id) is order or order.duplicate
            if known and order.status is OrderStatus.RECEIVED:
                self._warehouse.book.accept(order)

        self._agenda.add(self._chance.uniform(*self._config.acceptance_seconds), accept)
        return True


class Floor:
    """The people who pick, pack and ship what was accepted, one step after a drawn delay each."""

    def __init__(
        self,
        config: R247Config,
        bounds: tuple[float, float],
        warehouse: Warehouse,
        agenda: Agenda,
        chance: random.Random,
    ) -> None:
        """`bounds`: how long a step takes at least and at most."""
        self._config = config
        self._bounds = bounds
        self._warehouse = warehouse
        self._agenda = agenda
        self._chance = chance

    def begin(self, order: SourceOrder) -> None:
        """Start working on an order."""
        self._next(order.asked.order_id, 0)

    def _next(self, reference: str, step: int) -> None:
        if step < len(FLOOR_STEPS):
            self._agenda.add(self._chance.uniform(*self._bounds), lambda: self._do(reference, step))

    def _do(self, reference: str, step: int) -> None:
        dispatch = self._warehouse.dispatch
        try:
            if FLOOR_STEPS[step] == "shipped":
                part = self._part(reference)
                dispatch.ship(reference, part)
                step -= part is not None  # what is left follows with the next lorry
            else:
                dispatch.progress(reference, FLOOR_STEPS[step])
                if FLOOR_STEPS[step] == "picked":
                    self._miss(reference)
        except Refused:
            return  # cancelled, forgotten or closed short meanwhile
        self._next(reference, step + 1)

    def _part(self, reference: str) -> dict[str, int] | None:
        """What leaves first of an order that is sent in parts: a line, or one piece of its only line; None: all of it."""
        lines = self._open_lines(reference)
        if sum(line.open for line in lines) <= 1 or not _drawn(self._chance, self._config.floor_parts):
            return None
        return {lines[0].line_ref: 1 if len(lines) == 1 else lines[0].open}

    def _miss(self, reference: str) -> None:
        """Now and then one piece of several does not lie where it should."""
        lines = self._open_lines(reference)
        if sum(line.open for line in lines) > 1 and _drawn(self._chance, self._config.floor_shorts):
            self._warehouse.dispatch.short(reference, lines[0].line_ref, 1)

    def _open_lines(self, reference: str) -> list[HeldLine]:
        return [line for line in self._warehouse.book.get(reference).lines if line.open]


def _drawn(chance: random.Random, share: float) -> bool:
    """Draw with that share; what is certain uses up no chance."""
    return share >= 1.0 or (share > 0.0 and chance.random() < share)
