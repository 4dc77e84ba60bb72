"""The daemon's parts against both simulators: a search over what may happen, and controls that show what it would find."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from archsyncd.simulators.commercetools import FaultKind
from archsyncd.simulators.commercetools.config import RetryAfter
from archsyncd.simulators.commercetools.faults import LATE
from archsyncd.simulators.r247 import Fault, Reflection
from archsyncd.simulators.r247 import FaultKind as FeedFault
from tests.support.virtual_time import run_virtual
from tests.system import controls
from tests.system.host import Bent
from tests.system.plant import LATE_SECONDS, Plant
from tests.system.searching import Search, plays, searched
from tests.system.truth import LOCATIONS, SKUS

PLACES = tuple(LOCATIONS)
WRITES = ("inventory.update", "inventory.create", "graphql")
FATES = (
    FaultKind.CONFLICT,
    FaultKind.THROTTLED,
    FaultKind.LOST_ANSWER,
    FaultKind.SERVER_ERROR,
    FaultKind.SERVER_ERROR_APPLIED,
    FaultKind.LOST_ANSWER_APPLIED_LATE,
    FaultKind.SERVER_ERROR_APPLIED_LATE,
)
SPOILT = (FeedFault.DUPLICATE, FeedFault.REORDER, FeedFault.DROP_AFTER, FeedFault.CUT_BODY, FeedFault.GARBAGE)
SNAPSHOTS = (FeedFault.EMPTY, FeedFault.LACKS_KEYS, FeedFault.TRUNCATED, FeedFault.MISCOUNT)
POISONS = ("nan", "1e400", "3.7", "null", "text", "above_int64", "no_figure", "duplicate_names")
ACTS = ("ship", "ship a piece", "fewer", "recall", "parcels", "restore")
EXAMPLES = 18
HOSTS = 7
REFLECTIONS = (Reflection.ALL, Reflection.ACCEPTED_ONLY, Reflection.ORDERS_INCLUDED, Reflection.POSITION_ONLY)
# How orders are proven, and the location that sells on hand. Beside one that sells available a proof must say where.
SITES = (
    *((reflection, "") for reflection in REFLECTIONS),
    *((reflection, "WH2") for reflection in REFLECTIONS),
    (Reflection.ALL, "WH3"),
    (Reflection.ACCEPTED_ONLY, "WH3"),
)

skus = st.sampled_from(SKUS)
places = st.sampled_from(PLACES)
line = st.tuples(skus, places, st.integers(1, 3))
lines = st.lists(line, min_size=1, max_size=3, unique_by=lambda one: one[:2])
kinds = st.sampled_from(FATES)
seconds = st.sampled_from([0.05, 0.3, 1.0, 3.0, 8.0, 20.0])


class Life(Search[Plant]):
    """Shoppers, a warehouse, people who edit, and a daemon that is killed, robbed of its database and rivalled."""

    bent = Bent()

    @property
    def spare(self) -> bool:
        """Whether another process may start: they cost most of the time, and many of them find no more than some."""
        return self.plant is not None and len(self.plant.hosts) < HOSTS

    @initialize(
        stock=st.lists(st.integers(0, 9), min_size=9, max_size=9),
        sort=st.sampled_from(SITES),
        sampled=st.booleans(),
        warm=st.booleans(),
        seed=st.integers(0, 99),
    )
    def opens(
        self, stock: list[int], sort: tuple[Reflection, str], *, sampled: bool, warm: bool, seed: int
    ) -> None:
        keys = [(sku, place) for sku in SKUS for place in PLACES]
        reflection, on_hand = sort
        self.plant = Plant(self.bent, reflection, sampled=sampled, seed=seed, on_hand=on_hand)
        self.run(self.plant.open(dict(zip(keys, stock, strict=True))))
        self.run(self.plant.passes(30.0 if warm else 0.5))

    @rule(bought=lines, tracked=st.integers(0, 5), wait=st.sampled_from([None, 0.0, 0.5, 2.0, 9.0]))
    def sells(self, bought: list[tuple[str, str, int]], tracked: int, wait: float | None) -> None:
        self.happens(lambda: self.world.sells(bought, tracked=tracked > 0, seconds=wait), 0.05)

    @rule(sku=skus, place=places, pieces=st.sampled_from([-3, -1, 1, 2, 5]), wait=seconds)
    def moves(self, sku: str, place: str, pieces: int, wait: float) -> None:
        self.happens(lambda: self.world.moves(sku, place, pieces), min(wait, 1.0))

    @rule(wait=seconds)
    def passes(self, wait: float) -> None:
        self.run(self.world.passes(wait))

    @rule(pick=st.integers(0, 9), change=st.sampled_from([-2, -1, 1, 2]))
    def edits(self, pick: int, change: int) -> None:
        self.happens(lambda: self.world.edits(pick, change), 0.3)

    @rule(pick=st.integers(0, 9))
    def cancels(self, pick: int) -> None:
        self.happens(lambda: self.world.cancels(pick), 0.3)

    @rule(pick=st.integers(0, 9), whole=st.booleans())
    def ships(self, pick: int, *, whole: bool) -> None:
        self.happens(lambda: self.world.ships(pick, whole=whole), 0.3)

    @rule(bought=lines, acts=st.lists(st.sampled_from(ACTS), min_size=1, max_size=4), wait=seconds)
    def handles(self, bought: list[tuple[str, str, int]], acts: list[str], wait: float) -> None:
        """An order as the house sees it: imported at once, shipped, put right, and perhaps forgotten."""
        self.run(self._handled(bought, acts, wait))

    async def _handled(self, bought: list[tuple[str, str, int]], acts: list[str], wait: float) -> None:
        world = self.world
        world.sells(bought, tracked=True, seconds=0.0)
        await world.passes(wait)
        for act in acts:
            if act.startswith("ship"):
                world.ships(-1, whole=act == "ship")
            elif act == "restore":
                world.comes_back(1, 1)
            else:
                world.corrects(-1, act)
            await world.passes(min(wait, 3.0))

    @rule(pick=st.integers(0, 9), what=st.sampled_from(["fewer", "recall", "parcels"]))
    def corrects(self, pick: int, what: str) -> None:
        self.happens(lambda: self.world.corrects(pick, what), 0.3)

    @rule(forgets=st.integers(0, 2), first_seq=st.sampled_from([1, 1000]), wait=seconds)
    def comes_back(self, forgets: int, first_seq: int, wait: float) -> None:
        """The source is restored under a new epoch."""
        self.happens(lambda: self.world.comes_back(forgets, first_seq), wait)

    @rule()
    def is_told_again(self) -> None:
        self.happens(self.world.is_told_again, 1.0)

    @precondition(lambda self: self.plant is not None and self.plant.sampled)
    @rule(
        what=st.sampled_from(["quantity", "marker", "touch"]),
        sku=skus,
        place=places,
        pieces=st.integers(-2, 2),
    )
    def meddles(self, what: str, sku: str, place: str, pieces: int) -> None:
        self.happens(lambda: self.world.meddles(what, sku, LOCATIONS[place], pieces), 0.3)

    @rule(
        route=st.sampled_from(WRITES), kind=kinds, count=st.integers(1, 3), late=st.floats(0.5, LATE_SECONDS)
    )
    def goes_wrong(self, route: str, kind: FaultKind, count: int, late: float) -> None:
        details: dict[str, Any] = {"seconds": late} if kind in LATE else {}
        if kind is FaultKind.THROTTLED:
            details = {"retry_after": RetryAfter.SECONDS, "seconds": 1}
        self.world.fails(route, kind, count, **details)

    @rule(kind=st.sampled_from(SPOILT), times=st.integers(1, 3))
    def feed_goes_wrong(self, kind: FeedFault, times: int) -> None:
        self.world.site.house.script.add(Fault(kind, times=times))

    @rule(kind=st.sampled_from(SNAPSHOTS))
    def snapshot_goes_wrong(self, kind: FeedFault) -> None:
        self.happens(lambda: self.world.loses_records(kind), 1.0)

    @rule(kind=st.sampled_from(POISONS), sku=skus, place=places)
    def poisons(self, kind: str, sku: str, place: str) -> None:
        self.happens(lambda: self.world.poisons(kind, sku, place), 0.3)

    @precondition(lambda self: self.spare)
    @rule(requests=st.integers(0, 6), before=st.booleans(), pause=st.sampled_from([0.0, 0.5, 7.0]))
    def is_killed(self, requests: int, pause: float, *, before: bool) -> None:
        self.run(self._killed(requests, before=before, pause=pause))

    async def _killed(self, requests: int, *, before: bool, pause: float) -> None:
        world = self.world
        image = await (world.dies_around(requests, before=before) if requests else world.dies())
        await world.restarts(image, pause, known=True)
        await world.passes(0.05)

    @precondition(lambda self: self.spare)
    @rule(old=st.integers(-1, 5), pause=st.sampled_from([0.0, 7.0]))
    def loses_its_database(self, old: int, pause: float) -> None:
        """Lost, or put back from an old copy."""
        self.run(self._lost(old, pause))

    async def _lost(self, old: int, pause: float) -> None:
        world = self.world
        await world.dies()
        known = world.images[:-1]
        await world.restarts(known[old % len(known)] if known and old >= 0 else None, pause, known=False)
        await world.passes(0.05)

    @precondition(lambda self: self.spare)
    @rule(wait=seconds)
    def is_rivalled(self, wait: float) -> None:
        """A second ledger writes beside it."""
        self.run(self._rivalled(wait))

    async def _rivalled(self, wait: float) -> None:
        await self.world.rivalled()
        await self.world.passes(wait)


@pytest.mark.timeout(1_200)
def test_s_f_d_whatever_happens_the_real_parts_keep_the_ledgers_promises() -> None:
    """S1 to S15, F1 to F4, F6, D1, D2: searched by Hypothesis; a failure names its invariant and the steps to it."""
    searched(Life, count=EXAMPLES, steps=25)


Scene = Callable[[Plant], Awaitable[None]]


async def an_order_that_nobody_imports_and_a_delivery(world: Plant) -> None:
    world.sells([("A", "WH1", 2)], tracked=True, seconds=None)
    world.moves("A", "WH1", 1)
    await world.passes(5)


async def a_lost_answer(world: Plant) -> None:
    world.fails("inventory.update", FaultKind.LOST_ANSWER)
    world.moves("A", "WH1", 1)
    await world.passes(5)


async def a_kill_between_two_records(world: Plant) -> None:
    world.moves("A", "WH1", -1)
    image = await world.dies_around(1, before=True)
    await world.restarts(image, 0.5, known=True)
    world.moves("B", "WH1", -1)
    await world.passes(5)


async def a_ledger_that_counted_fewer_orders_and_a_lost_database(world: Plant) -> None:
    world.sells([("A", "WH1", 2)], tracked=True, seconds=0.5)
    await world.passes(15)
    await world.dies()
    done = {"action": "changeOrderState", "orderState": "Complete"}
    world.site.shop.update_order(world.truth.sold[0].id, done)
    await world.restarts(None, 1.0, known=False, states=True)
    await world.passes(60)
    world.moves("A", "WH1", 1)
    await world.passes(20)
    await world.dies()
    await world.restarts(None, 1.0, known=False)
    await world.passes(20)


async def an_order_that_the_entry_shows_before_the_list_does(world: Plant) -> None:
    lags = {"stock_lag_seconds": 0.0, "message_lag_seconds": 8.0, "order_list_lag_seconds": 8.0}
    world.site.shop.configure(**lags)
    await world.dies()
    world.sells([("A", "WH1", 2), ("B", "WH1", 2)], tracked=True, seconds=None)
    await world.restarts(None, 0.1, known=False)
    await world.passes(20)


async def a_request_of_the_dead_that_lands_late(world: Plant) -> None:
    world.fails("inventory.update", FaultKind.SERVER_ERROR_APPLIED_LATE, seconds=LATE_SECONDS)
    world.moves("A", "WH1", 2)
    await world.passes(0.3)
    await world.dies()
    world.moves("A", "WH1", -2)
    await world.restarts(None, 0.1, known=False)
    await world.passes(20)


async def an_accepted_order_where_on_hand_is_sold(world: Plant) -> None:
    world.sells([("A", "WH2", 2)], tracked=True, seconds=0.5)
    await world.passes(15)


async def a_dispatch_of_which_less_has_left(world: Plant) -> None:
    world.sells([("A", "WH2", 2)], tracked=True, seconds=0.5)
    await world.passes(15)
    world.ships(0, whole=True)
    await world.passes(5)
    nothing_is_written(world)
    world.corrects(0, "fewer")
    await world.passes(1)


async def a_dispatch_that_is_recalled(world: Plant) -> None:
    world.sells([("A", "WH2", 2)], tracked=True, seconds=0.5)
    await world.passes(15)
    world.ships(0, whole=False)
    await world.passes(5)
    world.corrects(0, "recall")
    await world.passes(5)


async def a_restored_source_that_forgot_an_import(world: Plant) -> None:
    world.sells([("A", "WH1", 2)], tracked=True, seconds=0.5)
    await world.passes(15)
    nothing_is_written(world)
    world.comes_back(1, 1)
    await world.passes(2)


def nothing_is_written(world: Plant) -> None:
    """What is believed wrongly does not come as far as an entry, where S2 would find it."""
    for route in WRITES:
        world.fails(route, FaultKind.SERVER_ERROR, 100)


CONTROLS: tuple[tuple[Callable[[], Bent], Scene, tuple[str, ...]], ...] = (
    (controls.absolute_push, an_order_that_nobody_imports_and_a_delivery, ("S2",)),
    (controls.blind_retry, a_lost_answer, ("S5",)),
    (controls.early_acknowledgement, a_kill_between_two_records, ("F6",)),
    (
        controls.foreign_adoption,
        a_ledger_that_counted_fewer_orders_and_a_lost_database,
        ("S2", "S4"),
    ),
    (controls.unproven_raise, an_order_that_the_entry_shows_before_the_list_does, ("S2",)),
    (controls.accepted_for_shipped, an_accepted_order_where_on_hand_is_sold, ("S2",)),
    (controls.first_word_of_a_dispatch, a_dispatch_of_which_less_has_left, ("S12",)),
    (controls.first_word_of_a_dispatch, a_dispatch_that_is_recalled, ("S2",)),
    (controls.proofs_of_an_older_epoch, a_restored_source_that_forgot_an_import, ("S12",)),
    (controls.no_confirm_read, a_request_of_the_dead_that_lands_late, ("S2",)),
)


def played(bent: Bent, scene: Scene) -> str:
    """Play a scene with these parts; the name of what was violated, empty when nothing was."""
    world = Plant(bent, Reflection.ALL, sampled=False, seed=1, on_hand="WH2")

    async def opens() -> None:
        await world.open({(sku, place): 5 for sku in SKUS for place in PLACES})
        await world.passes(5)

    return run_virtual(plays(world, opens(), scene))


@pytest.mark.parametrize(
    ("bend", "scene", "names"),
    CONTROLS,
    ids=[f"{bend.__name__}-{scene.__name__}" for bend, scene, _ in CONTROLS],
)
def test_each_rule_that_is_left_out_is_missed_by_its_name(
    bend: Callable[[], Bent], scene: Scene, names: tuple[str, ...]
) -> None:
    """The same scene with the right parts and with one wrong one: nothing is violated, and what the wrong one breaks."""
    assert played(Bent(), scene) == ""
    assert played(bend(), scene) in names
