"""Orders carried by the daemon's parts against both simulators: a search over what may happen, and controls for it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from archsyncd.simulators.commercetools import FaultKind
from archsyncd.simulators.r247 import FaultKind as HouseFault
from archsyncd.simulators.r247 import OrderStatus, Reflection
from tests.support.virtual_time import run_virtual
from tests.system import order_controls as controls
from tests.system.ground import Moment
from tests.system.host import Bent
from tests.system.order_faults import (
    HOUSE_FAULTS,
    PAGE_FAULTS,
    READ_FAULTS,
    READS,
    SHOP_FAULTS,
    WRITES,
    details_of,
)
from tests.system.order_plant import Manner, OrderPlant
from tests.system.order_truth import LOCATIONS, SKUS, STRANGE, UNMAPPED
from tests.system.searching import Search, plays, searched

F = TypeVar("F")
REFLECTIONS = (Reflection.ALL, Reflection.ACCEPTED_ONLY, Reflection.ORDERS_INCLUDED, Reflection.POSITION_ONLY)
EXAMPLES = 16
STEPS = 40

skus = st.sampled_from(SKUS)
places = st.sampled_from(tuple(LOCATIONS))
line = st.tuples(skus, places, st.integers(1, 4))
lines = st.lists(line, min_size=1, max_size=3)
picks = st.integers(0, 9)
waits = st.sampled_from([0.05, 0.3, 1.0, 3.0])


class Life(Search[OrderPlant]):
    """Shoppers, people at their desks, a warehouse, a daemon that is killed, and faults on both sides."""

    bent = Bent()

    def happens_to(
        self, found: Sequence[F], pick: int, act: Callable[[F], object], wait: float = 0.1
    ) -> None:
        """Something happens to one of these, if there is any."""
        self.happens(lambda: act(found[pick % len(found)]) if found else None, wait)

    @initialize(
        protection=st.sampled_from(["key", "key", "lookup", "lookup", "none"]),
        reflection=st.sampled_from(REFLECTIONS),
        later=st.booleans(),
        closes=st.booleans(),
        ready_state=st.booleans(),
        noted=st.booleans(),
        lag=st.sampled_from([0.5, 1.0, 6.0]),
        duplicates=st.sampled_from([0.0, 0.3]),
        seed=st.integers(0, 99),
    )
    def opens(
        self,
        protection: str,
        reflection: Reflection,
        lag: float,
        duplicates: float,
        seed: int,
        *,
        later: bool,
        closes: bool,
        ready_state: bool,
        noted: bool,
    ) -> None:
        if protection == "none":
            reflection = Reflection.ALL  # a source that answers no look-up proves by its records, or never
        manner = Manner(protection, later, closes, ready_state, noted, reflection, lag, duplicates)
        self.plant = OrderPlant(self.bent, manner, seed=seed)
        self.run(self.plant.open({(sku, place): 12 for sku in SKUS for place in LOCATIONS}))

    @rule(
        bought=lines, unpaid=st.integers(0, 3), numbered=st.booleans(), tracked=st.integers(0, 5), wait=waits
    )
    def sells(
        self, bought: list[tuple[str, str, int]], unpaid: int, tracked: int, wait: float, *, numbered: bool
    ) -> None:
        sell = functools.partial(
            self.world.sells, bought, paid=unpaid > 0, numbered=numbered, tracked=tracked > 0
        )
        self.happens(sell, wait)

    @rule(sku=skus, place=places, wait=waits)
    def sells_many(self, sku: str, place: str, wait: float) -> None:
        """Two lines of one SKU, and more orders at once."""

        def sell() -> None:
            self.world.sells([(sku, place, 2), (sku, place, 1)])
            self.world.sells([(sku, place, 1)], numbered=False)
            self.world.sells([(sku, place, 1)])

        self.happens(sell, wait)

    @rule(sku=skus, place=places, what=st.sampled_from(["unmapped", "strange"]))
    def sells_what_cannot_go(self, sku: str, place: str, what: str) -> None:
        bad = (sku, UNMAPPED, 1) if what == "unmapped" else (STRANGE, place, 1)
        self.happens(lambda: self.world.sells([(sku, place, 1), bad], tracked=False), 1.0)

    @rule(wait=st.sampled_from([0.3, 1.0, 5.0, 20.0]))
    def passes(self, wait: float) -> None:
        self.run(self.world.passes(wait))

    @rule(pick=picks)
    def pays(self, pick: int) -> None:
        self.happens_to(self.world.unpaid(), pick, self.world.pays)

    @rule(pick=picks, wait=waits)
    def cancels(self, pick: int, wait: float) -> None:
        self.happens_to(self.world.living(), pick, self.world.cancels, wait)

    @rule(pick=picks, change=st.sampled_from([-2, -1, 1, 2]))
    def edits(self, pick: int, change: int) -> None:
        self.happens_to(self.world.unmoved(), pick, lambda placed: self.world.edits(placed, change))

    @rule(pick=picks, what=st.sampled_from(["delete", "mark", "touch", "touch"]))
    def meddles(self, pick: int, what: str) -> None:
        acts = {"delete": self.world.deletes, "mark": self.world.marks_shipped, "touch": self.world.touches}
        self.happens_to(self.world.living(), pick, acts[what])

    @rule(pick=picks, what=st.sampled_from(["close", "retry", "book"]))
    def person_acts(self, pick: int, what: str) -> None:
        world = self.world
        found, act = {
            "close": (world.fulfilments_told(), world.person_closes),
            "retry": (world.orders_held(), world.person_retries),
            "book": (world.advices_held(), world.person_books_again),
        }[what]
        if found:
            self.run(act(found[pick % len(found)]))

    @rule(sku=skus, place=places, pieces=st.sampled_from([-2, -1, 2, 5]))
    def moves(self, sku: str, place: str, pieces: int) -> None:
        self.happens(lambda: self.world.moves(sku, place, pieces))

    @rule(pick=picks, status=st.sampled_from(["allocated", "picking", "picked", "packed"]))
    def works(self, pick: int, status: str) -> None:
        self.happens_to(self.world.open_orders(), pick, lambda order: self.world.works(order, status))

    @rule(pick=picks, whole=st.booleans(), wait=waits)
    def ships(self, pick: int, wait: float, *, whole: bool) -> None:
        ship = functools.partial(self.world.ships, whole=whole)
        self.happens_to(self.world.open_orders(), pick, ship, wait)

    @rule(pick=picks)
    def shorts(self, pick: int) -> None:
        self.happens_to(self.world.open_orders(), pick, self.world.shorts)

    @rule(pick=picks, what=st.sampled_from(["reject", "cancel"]))
    def refuses(self, pick: int, what: str) -> None:
        if what == "reject":
            self.happens_to(self.world.held(OrderStatus.RECEIVED), pick, self.world.rejects)
        else:
            self.happens_to(self.world.unshipped(), pick, self.world.cancels_there)

    @rule(pick=picks, disposition=st.sampled_from(["sellable", "damaged", "quarantine", "scrap"]))
    def takes_back(self, pick: int, disposition: str) -> None:
        self.happens_to(
            self.world.returnable(), pick, lambda found: self.world.takes_back(*found, disposition)
        )

    @rule(pick=picks, disposition=st.sampled_from(["sellable", "scrap"]))
    def decides_return(self, pick: int, disposition: str) -> None:
        self.happens_to(
            self.world.in_quarantine(), pick, lambda name: self.world.decides_return(name, disposition)
        )

    @rule(pick=picks)
    def restates(self, pick: int) -> None:
        found = list(self.world.site.house.warehouse.dispatch.fulfilments.values())
        self.happens_to(found, pick, lambda one: self.world.restates(*one))

    @rule(sku=skus, place=places, ahead=st.sampled_from([0.0, 3.0]))
    def ships_early(self, sku: str, place: str, ahead: float) -> None:
        self.run(self._ships_early(sku, place, ahead))

    async def _ships_early(self, sku: str, place: str, ahead: float) -> None:
        if self.world.manner.protection == "key":
            # Elsewhere nothing could keep two ways into the warehouse from making two orders.
            self.world.ships_at_once(sku, place)
            await self.world.passes(0.5)
            return
        number = self.world.ships_early(sku, place)
        await self.world.passes(ahead)
        self.world.sells([(sku, place, 1)], number=number)
        await self.world.passes(0.5)

    @rule(route=st.sampled_from(WRITES), kind=st.sampled_from(SHOP_FAULTS), late=st.floats(0.5, 6.0))
    def shop_fails(self, route: str, kind: FaultKind, late: float) -> None:
        self.world.shop_fails(route, kind, 1, **details_of(kind, late))

    @rule(route=st.sampled_from(READS), kind=st.sampled_from(READ_FAULTS), count=st.integers(1, 3))
    def reading_fails(self, route: str, kind: FaultKind, count: int) -> None:
        self.world.shop_fails(route, kind, count)

    @rule(
        endpoint=st.sampled_from(["orders", "orders", "fulfilments"]),
        kind=st.sampled_from(HOUSE_FAULTS),
        times=st.integers(1, 3),
    )
    def house_fails(self, endpoint: str, kind: HouseFault, times: int) -> None:
        self.world.house_fails(endpoint, kind, times)

    @rule(kind=st.sampled_from(PAGE_FAULTS), times=st.integers(1, 4))
    def feed_fails(self, kind: HouseFault, times: int) -> None:
        self.world.house_fails("changes", kind, times)

    @rule(seconds=st.sampled_from([0.5, 4.0, 20.0]))
    def lands_late(self, seconds: float) -> None:
        self.world.order_lands_late(seconds)

    @rule(
        moment=st.sampled_from(["asked", "answered", "committed"]),
        count=st.integers(1, 8),
        pause=st.sampled_from([0.0, 0.5, 7.0]),
    )
    def is_killed(self, moment: Moment, count: int, pause: float) -> None:
        self.run(self.world.is_killed(moment, count, pause))

    @rule(
        bought=lines,
        moment=st.sampled_from(["asked", "answered", "committed"]),
        count=st.integers(1, 8),
        ships=st.booleans(),
    )
    def is_killed_at_work(
        self, bought: list[tuple[str, str, int]], moment: Moment, count: int, *, ships: bool
    ) -> None:
        """There is something to do, and it dies in the middle of it."""

        async def step() -> None:
            self.world.sells(bought)
            found = self.world.open_orders() if ships else []
            if found:
                self.world.ships(found[count % len(found)], whole=True)
            await self.world.is_killed(moment, count, 0.0)
            await self.world.passes(0.5)

        self.run(step())


@pytest.mark.timeout(1_200)
def test_o_p_whatever_happens_orders_are_carried_whole_once_and_truly() -> None:
    """O1 to O7, P1 to P6: searched by Hypothesis; a failure names its invariant and the steps to it."""
    searched(Life, count=EXAMPLES, steps=STEPS)


Scene = Callable[[OrderPlant], Awaitable[None]]


async def an_answer_that_is_lost(world: OrderPlant) -> None:
    world.house_fails("orders", HouseFault.DROP_AFTER)
    world.sells([("A", "WH1", 1)])
    await world.passes(20)


async def an_order_of_two_lines(world: OrderPlant) -> None:
    world.sells([("A", "WH1", 1), ("B", "WH1", 2)])
    await world.passes(10)


async def a_cancellation_of_an_order_that_waits(world: OrderPlant) -> None:
    world.sells([("A", "WH1", 1)], paid=False)
    await world.passes(5)
    placed = world.living()[0]
    world.cancels(placed)
    paid = {"action": "changePaymentState", "paymentState": "Paid"}
    world.site.shop.update_order(placed.id, paid)
    await world.passes(10)


async def a_dispatch_whose_booking_is_not_answered(world: OrderPlant) -> None:
    world.sells([("A", "WH1", 4)])
    await world.passes(5)
    world.shop_fails("orders.update", FaultKind.LOST_ANSWER)
    world.ships(world.open_orders()[0], whole=False)
    await world.passes(20)


async def a_return_whose_booking_is_not_answered(world: OrderPlant) -> None:
    world.sells([("A", "WH1", 4)])
    await world.passes(5)
    world.ships(world.open_orders()[0], whole=True)
    await world.passes(10)
    world.shop_fails("orders.update", FaultKind.LOST_ANSWER)
    world.takes_back(*world.returnable()[0], "sellable")
    await world.passes(20)


async def goods_that_are_packed(world: OrderPlant) -> None:
    world.sells([("A", "WH1", 1)])
    await world.passes(5)
    world.works(world.open_orders()[0], "packed")
    await world.passes(10)


CONTROLS: tuple[tuple[Callable[[], Bent], Scene, str], ...] = (
    (controls.sends_again_without_a_look, an_answer_that_is_lost, "O1"),
    (controls.forgets_the_intent, an_order_of_two_lines, "O2"),
    (controls.sends_what_it_can, an_order_of_two_lines, "O4"),
    (controls.never_hears_of_a_cancellation, a_cancellation_of_an_order_that_waits, "O5"),
    (controls.takes_packed_for_shipped, goods_that_are_packed, "P1"),
    (controls.books_without_a_key, a_dispatch_whose_booking_is_not_answered, "P2"),
    (controls.returns_without_a_key, a_return_whose_booking_is_not_answered, "P6"),
    (controls.acknowledges_before_booking, a_dispatch_whose_booking_is_not_answered, "D1"),
)


def played(bent: Bent, scene: Scene) -> str:
    """Play a scene with these parts; the name of what was violated, empty when nothing was."""
    # No record tells of an acceptance here: a doubt is settled by asking, or not at all.
    manner = Manner("lookup", noted=False, reflection=Reflection.POSITION_ONLY)
    world = OrderPlant(bent, manner, seed=1)
    opens = world.open({(sku, place): 12 for sku in SKUS for place in LOCATIONS})
    return run_virtual(plays(world, opens, scene))


@pytest.mark.parametrize(("bend", "scene", "name"), CONTROLS, ids=[bend.__name__ for bend, _, _ in CONTROLS])
def test_each_rule_about_orders_that_is_left_out_is_missed_by_its_name(
    bend: Callable[[], Bent], scene: Scene, name: str
) -> None:
    """The same scene with the right parts and with one wrong one: nothing is violated, and what the wrong one breaks."""
    assert played(Bent(), scene) == ""
    assert played(bend(), scene) == name
