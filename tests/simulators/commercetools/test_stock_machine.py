"""The stock rules under arbitrary interleavings of shoppers, writers, people and time."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from archsyncd.simulators.commercetools import ApiError
from archsyncd.simulators.commercetools.records import Actor
from tests.simulators.commercetools.caller import Caller
from tests.support.examples import examples

WRITER = Actor("archsyncd", "archsyncd@host")
SKUS = st.sampled_from(["A", "B"])
UNITS = st.integers(1, 4)


class StockMachine(RuleBasedStateMachine):
    """Two entries, an independent count of what they must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = Caller(restores_stock_on=frozenset({"cancel"}))
        self.simulator = self.caller.simulator
        self.expected = {"A": 5, "B": 0}
        for sku, units in self.expected.items():
            self.simulator.add_entry(sku, None, units)
        self.read = {sku: self.simulator.entry_document(sku) for sku in self.expected}
        self.open: list[tuple[str, str, int]] = []

    @rule(sku=SKUS, units=UNITS, reserving=st.booleans())
    def order(self, sku: str, units: int, reserving: bool) -> None:
        """A reserving order is admitted if and only if the true stock suffices."""
        if reserving and self.expected[sku] < units:
            with pytest.raises(ApiError, match="OutOfStock"):
                self.caller.order((sku, units), mode="ReserveOnOrder")
            return
        order_id = self.caller.order((sku, units), mode="ReserveOnOrder" if reserving else "TrackOnly")
        self.expected[sku] -= units
        self.open.append((order_id, sku, units))

    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        """A cancellation gives the units back."""
        if self.open:
            order_id, sku, units = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
            self.simulator.cancel_order(order_id)
            self.expected[sku] += units

    @rule(sku=SKUS)
    def look(self, sku: str) -> None:
        """Remember an entry as read."""
        self.read[sku] = self.simulator.entry_document(sku)

    @rule(sku=SKUS, units=UNITS, sign=st.sampled_from(["add", "remove"]))
    def increment(self, sku: str, units: int, sign: str) -> None:
        """A write from the version last read lands or conflicts, and lands only if that version is current."""
        current = self.simulator.entry_document(sku)["version"]
        request = {
            "version": self.read[sku]["version"],
            "actions": [{"action": f"{sign}Quantity", "quantity": units}],
        }
        inventory = self.simulator.project.inventory
        entry = inventory.by_id(self.read[sku]["id"])
        if request["version"] != current:
            with pytest.raises(ApiError, match="ConcurrentModification") as refusal:
                inventory.update(entry, request, WRITER)
            assert refusal.value.extra == {"currentVersion": current}
            return
        inventory.update(entry, request, WRITER)
        self.expected[sku] += units if sign == "add" else -units

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.caller.clock.advance(seconds)

    @invariant()
    def true_stock_is_exact(self) -> None:
        """S = S0 + writes − orders + restored units, and the journal adds up to it."""
        for sku, expected in self.expected.items():
            assert self.simulator.true_stock(sku) == expected
            lines = self.simulator.stock_lines(sku)
            assert sum(line.delta for line in lines) == expected
            assert lines[-1].stock_after == expected

    @invariant()
    def versions_never_fall(self) -> None:
        """A version read later is never lower."""
        for sku, earlier in self.read.items():
            assert self.simulator.entry_document(sku)["version"] >= earlier["version"]

    def teardown(self) -> None:
        """After the lag readers see the truth."""
        self.caller.clock.advance(10)
        for sku, expected in self.expected.items():
            document = self.simulator.entry_document(sku)
            assert document["quantityOnStock"] == document["availableQuantity"] == expected


StockMachine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
TestStock = StockMachine.TestCase
