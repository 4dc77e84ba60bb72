"""New epochs: a source that comes back with older books (r247/1, section 1, rule 5)."""

from tests.simulators.r247.houses import ORDER_ID, House


async def test_a_restore_brings_the_older_books_back_under_a_new_epoch() -> None:
    """Stock, orders and fulfilments are those of the backup; the log begins anew and empty."""
    house = House().stock(X=10)
    house.imported(("X", 1), order_id="kept")
    backup = house.warehouse.backup()
    house.warehouse.dispatch.ship("kept")
    house.imported(("X", 2), order_id="forgotten")
    house.warehouse.store_sale("X", "WH1", 3)
    house.warehouse.restore(backup, "2026-07-26b")
    holding = house.warehouse.room.holding("X", "WH1")
    assert (holding.on_hand, holding.available) == (10, 9)
    assert set(house.warehouse.book.orders) == {"kept"}
    assert house.warehouse.dispatch.fulfilments == {}
    page = await house.page()
    assert (page["epoch"], page["items"], page["head"]["seq"]) == ("2026-07-26b", [], "0")


async def test_a_restored_house_goes_on_working() -> None:
    """After a restore the parts still belong together: orders can be shipped and are told in the new epoch."""
    house = House().stock(X=10)
    house.imported(("X", 4), order_id="a")
    house.warehouse.restore(house.warehouse.backup(), "b", first_seq=1000)
    house.warehouse.dispatch.ship("a")
    fulfilment, level = await house.records()
    assert (fulfilment["type"], fulfilment["seq"]) == ("fulfilment", "1000")
    assert (level["onHand"], level["available"]) == (6, 6)


def test_a_backup_is_not_changed_by_what_follows() -> None:
    """The same backup can be restored twice."""
    house = House().stock(X=10)
    house.imported(("X", 1), order_id="a")
    backup = house.warehouse.backup()
    for epoch in ("b", "c"):
        house.warehouse.restore(backup, epoch)
        house.warehouse.dispatch.ship("a")
        assert house.warehouse.room.holding("X", "WH1").on_hand == 9


async def test_numbers_of_fulfilments_are_never_given_twice() -> None:
    """A restore forgets the fulfilment, not that its number was used."""
    house = House().stock(X=10)
    house.imported(("X", 2), order_id="a")
    backup = house.warehouse.backup()
    first = house.warehouse.dispatch.ship("a")[0].id
    house.warehouse.restore(backup, "b")
    assert house.warehouse.dispatch.ship("a")[0].id != first


async def test_a_surviving_order_is_proven_from_the_start_of_the_epoch() -> None:
    """The look-up after a restore names the new epoch and a position before its first record."""
    house = House().stock(X=10)
    house.imported(("X", 1))
    house.warehouse.restore(house.warehouse.backup(), "b")
    said = (await house.ask("GET", f"/v1/orders/{ORDER_ID}")).json()
    assert said["position"] == {"epoch": "b", "seq": "0"}


async def test_imports_may_be_forgotten_alone() -> None:
    """Only the named orders vanish: available rises again, sales stay, and the look-up is 404."""
    house = House().stock(X=10)
    house.imported(("X", 1), order_id="a")
    house.imported(("X", 2), order_id="b")
    house.warehouse.store_sale("X", "WH1", 3)
    house.warehouse.forget_imports(["b"], "epoch-2")
    assert house.warehouse.available("X", "WH1") == 6
    assert (await house.ask("GET", "/v1/orders/b")).status == 404
    levels = (await house.ask("GET", "/v1/stock")).json()
    assert (levels["epoch"], levels["items"][0]["ordersIncluded"]) == ("epoch-2", ["a"])


async def test_forgotten_orders_are_imported_again_when_told_again() -> None:
    """The importer finds by itself which of the orders it was told are missing."""
    house = House(import_seconds=(1.0, 1.0)).stock(X=10)
    house.simulator.importer.tell(house.order(("X", 2)))
    house.clock.advance(1)
    house.simulator.tick()
    house.warehouse.forget_imports([ORDER_ID], "b")
    assert house.simulator.importer.tell_again() == 1
    house.clock.advance(1)
    house.simulator.tick()
    assert house.warehouse.available("X", "WH1") == 8
    assert house.simulator.importer.tell_again() == 0


async def test_a_forgotten_order_that_is_cancelled_is_not_imported_again() -> None:
    """The restored house never had it: a record says so, and nobody tells it of the order any more."""
    house = House(import_seconds=(1.0, 1.0)).stock(X=10)
    house.simulator.importer.tell(house.order(("X", 2)))
    house.clock.advance(1)
    house.simulator.tick()
    house.warehouse.forget_imports([ORDER_ID], "b")
    house.simulator.importer.cancel(ORDER_ID)
    (cancelled,) = await house.records()
    assert (cancelled["type"], cancelled["imported"]) == ("order.cancelled", False)
    assert house.simulator.importer.tell_again() == 0


async def test_a_restored_source_may_tell_again_what_it_holds() -> None:
    """Orders are announced and dispatches restated in the new epoch, each before a level of its keys; no figure moves."""
    house = House().stock(X=10, Y=10)
    house.imported(("X", 2), order_id="a")
    house.imported(("X", 1), ("Y", 1), order_id="b")
    (sent,) = house.warehouse.dispatch.ship("a")
    house.warehouse.restore(house.warehouse.backup(), "b")
    house.warehouse.tell_again()
    told = [
        (one["type"], one.get("orderId"), one.get("fulfilmentId"), one.get("onHand"))
        for one in await house.records()
    ]
    assert told == [
        ("order.accepted", "a", None, None),
        ("order.accepted", "b", None, None),
        ("fulfilment", "a", sent.id, None),
        ("stock.level", None, None, 8),
        ("stock.level", None, None, 10),
    ]
    assert house.warehouse.available("X", "WH1") == 7
