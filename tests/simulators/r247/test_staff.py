"""Those who act by themselves: late imports, floor work, and the clock that moves them."""

from archsyncd.simulators.r247 import OrderStatus
from tests.simulators.r247.houses import ORDER_ID, House, order_body


def later(house: House, seconds: float) -> None:
    house.clock.advance(seconds)
    house.simulator.tick()


async def test_an_order_is_imported_after_its_delay() -> None:
    """Until then the house does not know it; afterwards it is accepted like any other."""
    house = House().stock(X=5)
    house.simulator.importer.tell(house.order(("X", 2)), 10)
    later(house, 9)
    assert (await house.ask("GET", f"/v1/orders/{ORDER_ID}")).status == 404
    assert house.simulator.importer.waiting == 1
    later(house, 1)
    assert (await house.ask("GET", f"/v1/orders/{ORDER_ID}")).json()["status"] == "accepted"
    assert house.simulator.importer.waiting == 0


def test_delays_are_drawn_between_their_bounds() -> None:
    """Every import falls between the configured bounds, and not all at once."""
    house = House(import_seconds=(10.0, 20.0)).stock(X=500)
    for number in range(50):
        house.simulator.importer.tell(house.order(("X", 1), order_id=f"o{number}", number=None))
    counts = []
    for seconds in (9.9, 5, 5.2):
        later(house, seconds)
        counts.append(len(house.warehouse.book.orders))
    assert counts[0] == 0
    assert 0 < counts[1] < 50
    assert counts[2] == 50


def test_an_order_is_imported_once_however_often_it_is_told() -> None:
    """Telling again, before or after the import, changes nothing."""
    house = House().stock(X=5)
    for _ in range(2):
        house.simulator.importer.tell(house.order(("X", 1)), 1)
        house.simulator.importer.tell(house.order(("X", 1)), 2)
        later(house, 5)
    assert house.warehouse.available("X", "WH1") == 4


def test_an_order_handed_over_meanwhile_is_not_imported_twice() -> None:
    """The house knows the order when the importer comes."""
    house = House().stock(X=5)
    house.simulator.importer.tell(house.order(("X", 1)), 5)
    house.imported(("X", 1))
    later(house, 5)
    assert house.warehouse.available("X", "WH1") == 4


async def test_an_order_cancelled_before_its_import_is_told_as_never_left() -> None:
    """The record says `imported: false`, and no import follows."""
    house = House().stock(X=5)
    house.simulator.importer.tell(house.order(("X", 1)), 5)
    house.simulator.importer.cancel(ORDER_ID)
    later(house, 10)
    (told,) = await house.records("order.cancelled")
    assert (told["orderId"], told["imported"]) == (ORDER_ID, False)
    assert house.warehouse.available("X", "WH1") == 5


def test_an_order_the_house_cannot_take_is_remembered() -> None:
    """An import that fails leaves its reason."""
    house = House().stock(X=5)
    house.simulator.importer.tell(house.order(("Q", 1)), 1)
    later(house, 1)
    assert house.simulator.importer.refused == [(ORDER_ID, "unknown_sku")]


async def test_the_floor_works_by_itself() -> None:
    """With floor work switched on, an accepted order is picked, packed and shipped step by step."""
    house = House(floor_seconds=(1.0, 1.0)).stock(X=5)
    house.imported(("X", 2))
    for _ in range(4):
        later(house, 1)
    told = [record["status"] for record in await house.records("fulfilment")]
    assert told == ["picking", "picked", "packed", "shipped"]
    assert house.warehouse.room.holding("X", "WH1").on_hand == 3


async def test_the_floor_stops_when_the_order_is_cancelled() -> None:
    """Nothing is shipped after a cancellation."""
    house = House(floor_seconds=(1.0, 1.0)).stock(X=5)
    house.imported(("X", 2))
    later(house, 1)
    house.warehouse.dispatch.cancel(ORDER_ID)
    for _ in range(4):
        later(house, 1)
    told = [record["status"] for record in await house.records("fulfilment")]
    assert told == ["picking", "cancelled"]
    assert house.warehouse.room.holding("X", "WH1").on_hand == 5


async def test_the_floor_ships_in_parts() -> None:
    """A line or a piece leaves first, the rest with the next lorry; what cannot be divided leaves whole."""
    house = House(floor_seconds=(1.0, 1.0), floor_parts=1.0).stock(X=9, Y=9)
    house.imported(("X", 2), ("Y", 2))
    for _ in range(8):
        later(house, 1)
    sent = [
        [(line["sku"], line["quantity"]) for line in record["lines"]]
        for record in await house.records("fulfilment")
        if record["status"] == "shipped"
    ]
    assert sent == [[("X", 2)], [("Y", 1)], [("Y", 1)]]


async def test_the_floor_misses_a_piece_now_and_then() -> None:
    """It is told as short, the rest is shipped, and the journal holds both for a judge."""
    house = House(floor_seconds=(1.0, 1.0), floor_shorts=1.0).stock(X=9)
    house.imported(("X", 2))
    for _ in range(5):
        later(house, 1)
    told = [record["status"] for record in await house.records("fulfilment")]
    assert told == ["picking", "picked", "short", "packed", "shipped"]
    journal = [(one.fulfilment_id, one.shipped, one.short) for one in house.warehouse.dispatch.journal]
    assert journal == [("F-1", 0, 1), ("F-1", 1, 0)]


async def test_a_share_of_the_orders_is_accepted_later() -> None:
    """The others at once: both answers come, and after the delay all are accepted."""
    house = House(acceptance="later", later_share=0.5, acceptance_seconds=(1.0, 1.0)).stock(X=90)
    answers = set()
    for number in range(20):
        body = order_body(order_id=f"o{number}", orderNumber=f"CT-{number}")
        answers.add((await house.ask("PUT", f"/v1/orders/o{number}", body)).status)
    assert answers == {201, 202}
    later(house, 1)
    assert {order.status for order in house.warehouse.book.orders.values()} == {OrderStatus.ACCEPTED}
