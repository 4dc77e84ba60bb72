"""The circle of orders, judged from both journals: what is right, what is too early, what is twice."""

import random
from typing import Any

from archsyncd.simulators.circle import Circle, Fate, order_named, trace
from archsyncd.simulators.commercetools import CommercetoolsSimulator, HandClock, SimulatorConfig
from archsyncd.simulators.r247 import AskedLine, AskedOrder, OrderStatus, R247Config, R247Simulator

KEY = "F-1"


class Pair:
    """Both simulators on one clock, and somebody who does by hand what a daemon does."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.shop = CommercetoolsSimulator(SimulatorConfig(), self.clock, random.Random(1))
        house = R247Config(channels={"WH1": "wh-1"}, idempotent=False)
        self.house = R247Simulator(house, self.clock, random.Random(2)).warehouse
        self.shop.add_channel("wh-1")
        for sku in ("A", "B"):
            self.shop.add_entry(sku, "wh-1", 50)
            self.house.seed(sku, "WH1", 50)

    def buys(self, number: str = "CT-1001", pieces: int = 2) -> str:
        self.clock.advance(1)
        return self.shop.place_order([("A", pieces, "wh-1")], order_number=number)

    def hand_over(self, order_id: str) -> None:
        self.clock.advance(1)
        order = self.shop.order(order_id)
        lines = tuple(AskedLine(line["id"], "A", line["quantity"], "WH1") for line in order["lineItems"])
        asked = AskedOrder(order_id, order["orderNumber"], 0, lines)
        self.house.book.accept(self.house.book.receive(asked))

    def ship(self, order_id: str, pieces: int | None = None) -> None:
        self.clock.advance(1)
        quantities = None if pieces is None else {self.line(order_id): pieces}
        self.house.dispatch.ship(order_id, quantities)

    def line(self, order_id: str) -> str:
        found: str = self.shop.order(order_id)["lineItems"][0]["id"]
        return found

    def book(self, order_id: str, pieces: int, state: str = "Shipped", key: str = KEY) -> None:
        self.clock.advance(1)
        items = [{"id": self.line(order_id), "quantity": pieces}]
        delivery = {"action": "addDelivery", "deliveryKey": key, "items": items}
        self.shop.update_order(order_id, delivery, {"action": "changeShipmentState", "shipmentState": state})

    def acknowledge(self, order_id: str, key: str = KEY) -> None:
        told: dict[str, Any] = {"orderId": order_id, "deliveryKey": key, "shipmentState": "Shipped", "at": ""}
        self.house.dispatch.acknowledge(key, told)

    @property
    def circle(self) -> Circle:
        return trace(self.shop, self.house)

    @property
    def fate(self) -> Fate:
        (fate,) = self.circle.fates
        return fate


def test_an_order_that_went_the_whole_circle_has_no_flaw() -> None:
    """Every step of it is seen, with how long both ways took."""
    pair = Pair()
    order_id = pair.buys()
    assert pair.fate.flaws == ("not in the warehouse",)
    pair.hand_over(order_id)
    assert pair.fate.flaws == ("2 of 2 pieces have not left the warehouse",)
    pair.ship(order_id)
    assert pair.fate.gone
    assert not pair.fate.booked
    pair.book(order_id, 2)
    assert pair.fate.flaws == (f"the warehouse was not told that its dispatch {KEY} is booked",)
    pair.acknowledge(order_id)
    fate = pair.fate
    assert (fate.name, fate.flaws, fate.booked, fate.too_early) == ("CT-1001", (), True, False)
    assert (fate.handed_over_ms, fate.booked_ms) == (1000, (1000,))
    assert pair.circle.duplicates == 0


def test_shipped_before_the_goods_have_left_is_too_early_for_ever() -> None:
    """The state alone is enough, and that the goods leave afterwards does not heal it."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.shop.update_order(order_id, {"action": "changeShipmentState", "shipmentState": "Shipped"})
    pair.ship(order_id)
    assert pair.fate.too_early


def test_a_delivery_of_more_than_has_left_is_too_early() -> None:
    """Half of the order has left, all of it is called delivered."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.ship(order_id, 1)
    pair.book(order_id, 2, "Partial")
    assert pair.fate.too_early


def test_shipped_with_a_part_on_its_way_is_too_early() -> None:
    """A right delivery of one piece does not make the order shipped."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.ship(order_id, 1)
    pair.book(order_id, 1)
    assert pair.fate.too_early


def test_what_was_not_found_is_waited_for_by_nobody() -> None:
    """Closed short the order is shipped, and that is not too early; until then it wants an explanation."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.house.dispatch.short(order_id, pair.line(order_id), 1)
    pair.ship(order_id)
    pair.book(order_id, 1, "Partial")
    pair.acknowledge(order_id)
    assert pair.fate.flaws == ("1 of 2 pieces not found, its shipment state is Partial",)
    assert pair.circle.unexplained({"CT-1001"}) == []
    assert pair.circle.unexplained(()) == ["CT-1001: 1 of 2 pieces not found, its shipment state is Partial"]
    pair.shop.update_order(order_id, {"action": "changeShipmentState", "shipmentState": "Shipped"})
    fate = pair.fate
    assert (fate.flaws, fate.too_early, fate.short) == ((), False, 1)


def test_a_second_warehouse_order_is_a_duplicate_under_whatever_id() -> None:
    """Told twice under its id, and a third time under another one with the same number."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.hand_over(order_id)
    lines = (AskedLine("l1", "A", 2, "WH1"),)
    pair.house.book.receive(AskedOrder("another-id", "CT-1001", 0, lines))
    assert pair.circle.duplicates == 2


def test_a_cancelled_order_belongs_nowhere() -> None:
    """It is right where the warehouse never had it or has cancelled it, and wrong where it would still ship it."""
    pair = Pair()
    never, later = pair.buys("CT-1001"), pair.buys("CT-1002")
    pair.hand_over(later)
    for order_id in (never, later):
        pair.shop.cancel_order(order_id)
    assert [fate.flaws for fate in pair.circle.fates] == [
        (),
        ("cancelled in commercetools, accepted in the warehouse",),
    ]
    pair.house.dispatch.cancel(later)
    assert [(fate.status, fate.flaws) for fate in pair.circle.fates] == [
        (None, ()),
        (OrderStatus.CANCELLED, ()),
    ]


def test_goods_that_came_back_are_to_be_told() -> None:
    """A return of the warehouse wants a return item in commercetools."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.ship(order_id)
    pair.book(order_id, 2)
    pair.acknowledge(order_id)
    pair.house.dispatch.receive_return(
        order_id, "WH1", [{"sku": "A", "quantity": 1, "disposition": "damaged"}]
    )
    assert pair.fate.flaws == ("1 pieces came back, commercetools was told of 0",)
    item = {"quantity": 1, "lineItemId": pair.line(order_id), "shipmentState": "Returned"}
    pair.shop.update_order(order_id, {"action": "addReturnInfo", "items": [item]})
    fate = pair.fate
    assert (fate.flaws, fate.returned) == ((), 1)


def test_an_exceptions_subject_names_its_order() -> None:
    """The order itself, a line of it, its dispatch or its return."""
    pair = Pair()
    order_id = pair.buys()
    pair.hand_over(order_id)
    pair.ship(order_id)
    pair.house.dispatch.receive_return(
        order_id, "WH1", [{"sku": "A", "quantity": 1, "disposition": "damaged"}]
    )
    for subject in ("CT-1001", order_id, "CT-1001/line", KEY, "R-1"):
        assert order_named(subject, pair.house) == "CT-1001"
    assert order_named("SKU-1", pair.house) == "SKU-1"
