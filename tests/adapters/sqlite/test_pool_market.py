"""The real store where keys sell the same pieces: a search over what may happen, and a control that shows it can fail."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.adapters.sqlite.pool_market import KITTED, SHARED, Market, Site, hasty_scene
from tests.adapters.sqlite.test_trade import scratch
from tests.support.examples import examples

T = TypeVar("T")


class Trading(RuleBasedStateMachine):
    """Shoppers, a warehouse and a daemon whose writes arrive in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.room = scratch()
        self.market: Market | None = None

    @property
    def world(self) -> Market:
        assert self.market is not None
        return self.market

    def run(self, step: Awaitable[T]) -> T:
        async def taken() -> T:
            return await step

        return self.runner.run(taken())

    @initialize(site=st.sampled_from([SHARED, KITTED]), a=st.integers(0, 16), b=st.integers(4, 24))
    def opens(self, site: Site, a: int, b: int) -> None:
        self.market = Market(site, self.room)
        self.run(self.world.opens({"A": a} if site is SHARED else {"A": a, "B": b}))

    @rule(pick=st.integers(0, 2), pieces=st.integers(1, 6))
    def sells(self, pick: int, pieces: int) -> None:
        keys = list(self.world.site.takes)
        self.world.sells(keys[pick % len(keys)], pieces)

    @rule(pick=st.integers(0, 2))
    def sells_out(self, pick: int) -> None:
        """Somebody takes all that one entry shows."""
        keys = list(self.world.site.takes)
        at = keys[pick % len(keys)]
        self.world.sells(at, max(self.world.stock[at], 1))

    @rule(pick=st.integers(0, 2), pieces=st.integers(1, 6))
    def trades(self, pick: int, pieces: int) -> None:
        """An order goes all the way to the warehouse, and what it says of it is read."""
        self.sells(pick, pieces)
        self.learns()
        self.world.imports()
        self.reads(9)

    @rule(
        limit=st.integers(1, 3), last=st.booleans(), rush=st.booleans(), seconds=st.sampled_from([0.5, 6.0])
    )
    def writes(self, limit: int, seconds: float, *, last: bool, rush: bool) -> None:
        """What is due is written and answered, the last first perhaps, while shoppers take whatever is shown."""
        self.run(self.world.leases(limit))
        while self.world.in_flight:
            self.run(self.world.arrives(-1 if last else 0, answered=True))
            for at in self.world.site.takes if rush else ():
                self.world.sells(at, max(self.world.stock[at], 1))
        self.world.passes(seconds)

    @rule()
    def learns(self) -> None:
        self.run(self.world.learns())

    @rule()
    def imports(self) -> None:
        self.world.imports()

    @rule(sku=st.sampled_from(["A", "B"]), pieces=st.integers(1, 6))
    def receives(self, sku: str, pieces: int) -> None:
        self.world.receives(sku, pieces)

    @rule(records=st.integers(1, 5))
    def reads(self, records: int) -> None:
        self.run(self.world.reads(records))

    @rule(limit=st.integers(1, 5))
    def leases(self, limit: int) -> None:
        self.run(self.world.leases(limit))

    @rule(pick=st.integers(0, 4), answered=st.booleans())
    def arrives(self, pick: int, *, answered: bool) -> None:
        """One request takes effect; where it is not answered, nobody knows."""
        self.run(self.world.arrives(pick, answered=answered))

    @rule()
    def resolves(self) -> None:
        self.run(self.world.resolves())

    @rule(seconds=st.sampled_from([0.5, 3.0, 6.0]))
    def passes(self, seconds: float) -> None:
        self.world.passes(seconds)

    def teardown(self) -> None:
        try:
            if self.market is not None:
                self.run(self.market.comes_to_rest())
        finally:
            if self.market is not None:
                self.run(self.market.closes())
            self.runner.close()
            shutil.rmtree(self.room)


class Rearranging(Trading):
    """The same, where the configuration gives the pieces to other keys in between, and back."""

    @rule(pick=st.integers(0, 3), restart=st.booleans())
    def rearranges(self, pick: int, *, restart: bool) -> None:
        self.run(self.world.rearranges(pick, restart=restart))


@pytest.mark.timeout(300)
def test_s1_s2_pieces_that_change_hands_are_sold_once_and_never_hidden() -> None:
    """Shares that are given up, locations mapped elsewhere, kits that end: at any moment of trade, across restarts."""
    run_state_machine_as_test(
        Rearranging,
        settings=settings(
            max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.timeout(300)
def test_s1_s2_no_piece_is_sold_twice_and_none_is_hidden() -> None:
    """Two channels of one location, and a kit with its components: searched by Hypothesis."""
    run_state_machine_as_test(
        Trading,
        settings=settings(
            max_examples=examples(80),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("hasty", [False, True], ids=["right", "hasty"])
async def test_a_daemon_that_does_not_wait_for_orders_sells_a_piece_twice(
    tmp_path: Path, *, hasty: bool
) -> None:
    """The same scene with the right store and with one that takes the orders for known."""
    market = Market(SHARED, tmp_path, hasty=hasty)
    try:
        if hasty:
            with pytest.raises(AssertionError, match="S2"):
                await hasty_scene(market)
        else:
            await hasty_scene(market)
            await market.comes_to_rest()
    finally:
        await market.closes()
