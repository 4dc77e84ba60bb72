"""What happens in the house, and what the feed says of it (r247/1, section 1)."""

import pytest

from archsyncd.simulators.r247 import Movements, Reflection, Refused
from tests.simulators.r247.houses import House


async def test_a_store_sale_lowers_on_hand_and_available() -> None:
    """A sale over the counter is told as a level with both figures lowered."""
    house = House().stock(X=10)
    house.warehouse.store_sale("X", "WH1", 3)
    (level,) = await house.records()
    assert (level["type"], level["onHand"], level["available"]) == ("stock.level", 7, 7)


def test_a_store_cannot_sell_what_does_not_lie_there() -> None:
    """A sale beyond on hand is refused and changes nothing."""
    house = House().stock(X=1)
    with pytest.raises(Refused, match="more than lies there"):
        house.warehouse.store_sale("X", "WH1", 2)
    assert house.warehouse.available("X", "WH1") == 1


async def test_an_import_allocates() -> None:
    """An imported order lowers available and leaves on hand."""
    house = House().stock(X=10)
    house.imported(("X", 4))
    level = (await house.records("stock.level"))[-1]
    assert (level["onHand"], level["allocated"], level["available"]) == (10, 4, 6)


async def test_an_acceptance_stands_before_every_level_it_touches() -> None:
    """`order.accepted` has a smaller seq than the levels, and each of them excludes the whole order."""
    house = House().stock(X=10, Y=5)
    house.warehouse.book.take(house.order(("X", 1), ("Y", 2), ("X", 3)))
    accepted, *levels = await house.records()
    assert accepted["type"] == "order.accepted"
    assert {level["sku"]: level["available"] for level in levels} == {"X": 6, "Y": 3}
    assert len(levels) == 2
    assert all(int(level["seq"]) > int(accepted["seq"]) for level in levels)


async def test_f119_an_order_beyond_the_stock_makes_available_negative() -> None:
    """An oversold order is imported; available falls below zero and is told so."""
    house = House().stock(X=1)
    house.imported(("X", 3))
    assert (await house.records("stock.level"))[-1]["available"] == -2


@pytest.mark.parametrize(
    ("style", "included", "through", "announced", "position"),
    [
        (Reflection.ORDERS_INCLUDED, True, False, False, False),
        (Reflection.ORDERS_THROUGH, False, True, False, False),
        (Reflection.ACCEPTED_ONLY, False, False, True, False),
        (Reflection.POSITION_ONLY, False, False, False, True),
        (Reflection.NONE, False, False, False, False),
        (Reflection.ALL, True, False, True, True),
    ],
)
async def test_a_style_offers_its_proofs_and_no_other(
    style: Reflection, included: bool, through: bool, announced: bool, position: bool
) -> None:
    """Which proofs of reflection a source offers follows from its configuration alone."""
    house = House(reflection=style).stock(X=5)
    order = house.warehouse.book.take(house.order(("X", 1)))
    level = (await house.records("stock.level"))[-1]
    assert ("ordersIncluded" in level) is included
    assert ("ordersThrough" in level) is through
    assert bool(await house.records("order.accepted")) is announced
    assert ("position" in house.simulator.desk.describe(order)) is position


async def test_a_position_is_never_above_a_level_that_shows_the_order() -> None:
    """The position told for an import is at or before its first level, and after every level without it."""
    house = House(reflection=Reflection.POSITION_ONLY).stock(X=5, Y=5)
    before = house.warehouse.receipt("X", "WH1", 1)
    order = house.warehouse.book.take(house.order(("X", 1), ("Y", 1)))
    assert order.position is not None
    told = [int(level["seq"]) for level in await house.records("stock.level")]
    assert before < order.position[1] <= min(told[1:])


async def test_orders_through_waits_for_orders_that_are_known_and_not_imported() -> None:
    """`ordersThrough` never passes the creation of an order that the importer still holds back."""
    house = House(reflection=Reflection.ORDERS_THROUGH).stock(X=9)
    early = house.order(("X", 1), order_id="early", number=None)
    house.clock.advance(10)
    late = house.order(("X", 1), order_id="late", number=None)
    house.simulator.importer.tell(early, 100)
    house.warehouse.book.take(late)
    held_back = (await house.records("stock.level"))[-1]["ordersThrough"]
    house.clock.advance(100)
    house.simulator.tick()
    passed = (await house.records("stock.level"))[-1]["ordersThrough"]
    assert held_back == "2026-07-25T17:19:59.999Z"
    assert passed == "2026-07-25T17:20:10.000Z"


async def test_a_level_lists_the_orders_it_accounts_for() -> None:
    """`ordersIncluded` holds an imported order, also after its dispatch, and drops a cancelled one."""
    house = House().stock(X=9)
    kept, cancelled = house.imported(("X", 1), order_id="a"), house.imported(("X", 1), order_id="b")
    house.warehouse.dispatch.ship(kept)
    house.warehouse.dispatch.cancel(cancelled)
    assert (await house.records("stock.level"))[-1]["ordersIncluded"] == ["a"]


async def test_dispatch_restates_the_whole_fulfilment_and_lowers_on_hand() -> None:
    """Each step repeats the fulfilment whole; on hand falls with `shipped`, after its record."""
    house = House().stock(X=10)
    order = house.imported(("X", 4))
    for status in ("allocated", "picking", "picked", "packed"):
        house.warehouse.dispatch.progress(order, status)
    house.warehouse.dispatch.ship(order)
    records = await house.records()
    fulfilments = [record for record in records if record["type"] == "fulfilment"]
    assert [one["status"] for one in fulfilments] == ["allocated", "picking", "picked", "packed", "shipped"]
    assert {one["fulfilmentId"] for one in fulfilments} == {"F-1"}
    assert all(one["lines"][0] == {**one["lines"][0], "lineRef": "l1", "quantity": 4} for one in fulfilments)
    assert fulfilments[-1]["parcels"][0]["lines"] == [{"sku": "X", "quantity": 4}]
    assert records[-2] == fulfilments[-1]
    assert (records[-1]["onHand"], records[-1]["available"], records[-1]["picked"]) == (6, 6, 0)


async def test_goods_that_are_picked_are_counted_as_picked() -> None:
    """`picked` rises with the picking and leaves available alone."""
    house = House().stock(X=10)
    house.warehouse.dispatch.progress(house.imported(("X", 4)), "picked")
    level = (await house.records("stock.level"))[-1]
    assert (level["picked"], level["available"], level["onHand"]) == (4, 6, 10)


async def test_a_partial_dispatch_leaves_the_rest_to_another_fulfilment() -> None:
    """Two dispatches of one order are two fulfilments whose quantities add up to the order."""
    house = House().stock(X=10)
    order = house.imported(("X", 5))
    house.warehouse.dispatch.ship(order, {"l1": 2})
    house.warehouse.dispatch.ship(order)
    told = [(one["fulfilmentId"], one["lines"][0]["quantity"]) for one in await house.records("fulfilment")]
    assert told == [("F-1", 2), ("F-2", 3)]
    assert (await house.records("stock.level"))[-1]["onHand"] == 5


def test_more_than_is_open_is_never_shipped() -> None:
    """A dispatch beyond the open pieces is refused as a whole."""
    house = House().stock(X=10)
    order = house.imported(("X", 2))
    with pytest.raises(Refused, match="not so many open"):
        house.warehouse.dispatch.ship(order, {"l1": 3})
    assert house.warehouse.room.holding("X", "WH1").on_hand == 10


async def test_a_corrected_dispatch_restates_the_whole_fulfilment_and_puts_pieces_back() -> None:
    """Fewer pieces left than was booked: the record says so first, then a level shows them on the shelf, still allocated."""
    house = House().stock(X=10, Y=10)
    order = house.imported(("X", 4), ("Y", 1))
    (sent,) = house.warehouse.dispatch.ship(order)
    house.warehouse.dispatch.restate(sent.id, {"l1": 1})
    told, level = (await house.records())[-2:]
    assert (told["fulfilmentId"], told["status"]) == (sent.id, "shipped")
    assert [(line["lineRef"], line["quantity"]) for line in told["lines"]] == [("l1", 1), ("l2", 1)]
    assert told["parcels"][0]["lines"] == [{"sku": "X", "quantity": 1}, {"sku": "Y", "quantity": 1}]
    assert (level["sku"], level["onHand"], level["available"], level["allocated"]) == ("X", 9, 6, 3)


async def test_a_line_of_which_nothing_left_is_not_in_the_restated_fulfilment() -> None:
    """The record states the fulfilment whole: what it does not name has not left."""
    house = House().stock(X=10, Y=10)
    (sent,) = house.warehouse.dispatch.ship(house.imported(("X", 4), ("Y", 1)))
    house.warehouse.dispatch.restate(sent.id, {"l1": 0})
    told = (await house.records("fulfilment"))[-1]
    assert [(line["lineRef"], line["quantity"]) for line in told["lines"]] == [("l2", 1)]
    assert house.warehouse.room.holding("X", "WH1").on_hand == 10


@pytest.mark.parametrize("parcels", [None, [{"parcelId": "P-9", "trackingNumber": "7", "lines": []}]])
async def test_a_dispatch_told_again_moves_no_figure(parcels: list[dict[str, object]] | None) -> None:
    """The same pieces in the same or other parcels: one record, and no level after it."""
    house = House().stock(X=10)
    (sent,) = house.warehouse.dispatch.ship(house.imported(("X", 4)))
    before = await house.records()
    house.warehouse.dispatch.restate(sent.id, parcels=parcels)
    (told,) = (await house.records())[len(before) :]
    assert told["lines"][0]["quantity"] == 4
    assert told["parcels"] == (before[-2]["parcels"] if parcels is None else parcels)


async def test_a_recalled_dispatch_is_cancelled_and_its_pieces_are_open_again() -> None:
    """Nothing of it left: on hand rises again, and the order can be shipped anew, or cancelled."""
    house = House().stock(X=10)
    order = house.imported(("X", 4))
    (sent,) = house.warehouse.dispatch.ship(order)
    house.warehouse.dispatch.recall(sent.id)
    told, level = (await house.records())[-2:]
    assert (told["fulfilmentId"], told["status"], told["parcels"]) == (sent.id, "cancelled", [])
    assert (level["onHand"], level["available"], level["allocated"]) == (10, 6, 4)
    (again,) = house.warehouse.dispatch.ship(order, {"l1": 3})
    assert again.id != sent.id
    house.warehouse.dispatch.recall(again.id)
    house.warehouse.dispatch.cancel(order)
    assert house.warehouse.available("X", "WH1") == 10


@pytest.mark.parametrize(
    ("quantities", "code"),
    [
        ({"l1": 5}, "bad_quantity"),
        ({"l1": -1}, "bad_quantity"),
        ({"l9": 0}, "bad_quantity"),
        ({"l1": 0}, "nothing_left"),
    ],
)
def test_a_correction_takes_back_what_left_and_nothing_else(quantities: dict[str, int], code: str) -> None:
    """More pieces than were told, or lines of another dispatch, are refused; a dispatch of nothing is a recalled one."""
    house = House().stock(X=10)
    (sent,) = house.warehouse.dispatch.ship(house.imported(("X", 4)))
    with pytest.raises(Refused) as refused:
        house.warehouse.dispatch.restate(sent.id, quantities)
    assert refused.value.code == code
    assert house.warehouse.room.holding("X", "WH1").on_hand == 6


def test_only_a_dispatch_can_be_corrected() -> None:
    """What was never shipped, or was recalled, is neither restated nor recalled."""
    house = House().stock(X=10)
    order = house.imported(("X", 4))
    (packed,) = house.warehouse.dispatch.progress(order, "packed")
    for act in (house.warehouse.dispatch.restate, house.warehouse.dispatch.recall):
        with pytest.raises(Refused, match="nobody has dispatched"):
            act(packed.id)
        with pytest.raises(Refused, match="no fulfilment"):
            act("F-9")


async def test_f155_a_short_pick_is_told_with_what_is_missing() -> None:
    """A short line keeps available, lowers on hand, and stays in the fulfilment that is shipped later."""
    house = House().stock(X=10)
    order = house.imported(("X", 5))
    house.warehouse.dispatch.short(order, "l1", 2)
    house.warehouse.dispatch.ship(order)
    short, shipped = await house.records("fulfilment")
    assert (short["status"], short["lines"][0]["quantity"], short["lines"][0]["shortQuantity"]) == (
        "short",
        3,
        2,
    )
    assert (shipped["fulfilmentId"], shipped["lines"][0]["shortQuantity"]) == (short["fulfilmentId"], 2)
    holding = house.warehouse.room.holding("X", "WH1")
    assert (holding.on_hand, holding.allocated, holding.available) == (5, 0, 5)


async def test_a_cancelled_order_gives_its_allocation_back_by_levels() -> None:
    """A cancellation says that the order was imported; the level after it shows the stock again."""
    house = House().stock(X=5)
    house.warehouse.dispatch.cancel(house.imported(("X", 2)))
    cancelled, level = (await house.records())[-2:]
    assert (cancelled["type"], cancelled["imported"]) == ("order.cancelled", True)
    assert level["available"] == 5


def test_what_has_left_cannot_be_cancelled() -> None:
    """A cancellation after the dispatch is refused."""
    house = House().stock(X=5)
    order = house.imported(("X", 2))
    house.warehouse.dispatch.ship(order)
    with pytest.raises(Refused, match="left the house"):
        house.warehouse.dispatch.cancel(order)


async def test_f136_a_received_order_may_be_rejected_later() -> None:
    """A rejection is a record with its code and moves no figure."""
    house = House().stock(X=5)
    house.warehouse.book.receive(house.order(("X", 2)))
    house.warehouse.book.reject("CT-1", "invalid_address")
    (rejected,) = await house.records()
    assert (rejected["type"], rejected["code"]) == ("order.rejected", "invalid_address")
    assert house.warehouse.available("X", "WH1") == 5


@pytest.mark.parametrize(
    ("disposition", "on_hand", "available"),
    [("sellable", 6, 6), ("damaged", 6, 5), ("quarantine", 6, 5), ("scrap", 5, 5)],
)
async def test_f157_a_return_becomes_available_only_when_it_is_sellable(
    disposition: str, on_hand: int, available: int
) -> None:
    """The disposition decides whether a returned piece may be sold; the stock moves by levels."""
    house = House().stock(X=5)
    line = {"sku": "X", "quantity": 1, "disposition": disposition}
    house.warehouse.dispatch.receive_return("CT-9", "WH1", [line])
    (told,) = await house.records("return.received")
    holding = house.warehouse.room.holding("X", "WH1")
    assert (told["returnId"], told["orderNumber"], told["lines"]) == ("R-1", "CT-9", [line])
    assert (holding.on_hand, holding.available) == (on_hand, available)


async def test_a_recount_is_told_even_without_a_difference() -> None:
    """A recount writes a level for every holding it counts."""
    house = House().stock(X=5)
    house.warehouse.room.recount("X", "WH1", 5)
    house.warehouse.room.recount("X", "WH1", 4)
    assert [level["onHand"] for level in await house.records("stock.level")] == [5, 4]


async def test_a_transfer_moves_goods_between_locations() -> None:
    """A transfer lowers one location and raises the other."""
    house = House(locations=("WH1", "WH2")).stock(X=5)
    house.warehouse.transfer("X", "WH1", "WH2", 2)
    told = [(level["location"], level["onHand"]) for level in await house.records("stock.level")]
    assert told == [("WH1", 3), ("WH2", 2)]


async def test_movements_can_state_the_balance_after_them() -> None:
    """A movement with balance tells delta and both figures after it."""
    house = House(movements=Movements.BALANCE).stock(X=5)
    house.warehouse.store_sale("X", "WH1", 2)
    on_hand, available = await house.records()
    assert [on_hand["state"], available["state"]] == ["onHand", "available"]
    assert on_hand["delta"] == available["delta"] == -2
    assert on_hand["balanceAfter"] == {"onHand": 3, "available": 3}


async def test_bare_movements_state_no_balance() -> None:
    """A bare movement has a delta and nothing else, so that a reader needs a baseline."""
    house = House(movements=Movements.BARE, figures=("onHand",)).stock(X=5)
    house.warehouse.receipt("X", "WH1", 2)
    (movement,) = await house.records()
    assert (movement["type"], movement["delta"], movement["reason"]) == ("stock.movement", 2, "receipt")
    assert "balanceAfter" not in movement


async def test_an_import_is_followed_by_a_level_even_where_movements_are_told() -> None:
    """The promise of `order.accepted` holds in every style."""
    house = House(movements=Movements.BARE).stock(X=5)
    house.imported(("X", 1))
    kinds = [record["type"] for record in await house.records()]
    assert kinds == ["order.accepted", "stock.movement", "stock.level"]


async def test_a_removed_sku_leaves_a_tombstone() -> None:
    """Removing a SKU writes `stock.removed` and takes it out of the snapshot."""
    house = House().stock(X=5)
    house.warehouse.room.remove("X", "WH1")
    assert [record["type"] for record in await house.records()] == ["stock.removed"]
    assert (await house.ask("GET", "/v1/stock")).json()["items"] == []


async def test_f126_an_order_for_an_unknown_place_or_sku_is_refused_whole() -> None:
    """One bad line refuses the order, names every bad line, and nothing is allocated."""
    house = House().stock(X=5)
    with pytest.raises(Refused) as refused:
        house.warehouse.book.take(house.order(("X", 1), ("Q", 1), ("R", 1)))
    assert refused.value.code == "unknown_sku"
    assert [line["lineId"] for line in refused.value.lines] == ["l2", "l3"]
    assert await house.records() == []


def test_without_a_location_the_house_chooses_the_fullest() -> None:
    """A line without a location is allocated where most is available."""
    house = House(locations=("WH1", "WH2")).stock(X=1)
    house.warehouse.seed("X", "WH2", 9)
    house.imported(("X", 2))
    assert (house.warehouse.available("X", "WH1"), house.warehouse.available("X", "WH2")) == (1, 7)
