"""Orders to Archean (r247/1, section 9)."""

from typing import Any

import pytest

from archsyncd.simulators.r247 import Reflection
from tests.simulators.r247.houses import ORDER_ID, House, order_body

ORDER = f"/v1/orders/{ORDER_ID}"


def desk(**settings: Any) -> House:
    return House(**settings).stock(X=10, Y=10)


async def test_an_order_is_accepted_with_number_and_position() -> None:
    """201 with the house's own number and the place in the feed where the import stands."""
    house = desk()
    answer = await house.ask("PUT", ORDER, order_body())
    (accepted,) = await house.records("order.accepted")
    assert answer.status == 201
    assert answer.json() == {
        "status": "accepted",
        "sourceOrder": "SO-991",
        "position": {"epoch": "2026-05-01a", "seq": accepted["seq"]},
    }
    assert (accepted["orderId"], accepted["orderNumber"]) == (ORDER_ID, "CT-10045")
    assert house.warehouse.available("X", "WH1") == 8


async def test_a_repeat_with_the_same_body_changes_nothing() -> None:
    """200 with the same answer; one order, one allocation, no new record."""
    house = desk()
    first = await house.ask("PUT", ORDER, order_body())
    told = len(await house.records())
    again = await house.ask("PUT", ORDER, dict(reversed(order_body().items())))
    assert (again.status, again.json()) == (200, first.json())
    assert len(await house.records()) == told
    assert house.warehouse.available("X", "WH1") == 8


async def test_other_content_under_the_same_id_is_refused() -> None:
    """409 `different_content`, and the first order stays."""
    house = desk()
    await house.ask("PUT", ORDER, order_body())
    answer = await house.ask("PUT", ORDER, order_body(notes="call first"))
    assert (answer.status, answer.json()["code"]) == (409, "different_content")
    assert house.warehouse.available("X", "WH1") == 8


@pytest.mark.parametrize(
    ("change", "code"), [({"sku": "Q"}, "unknown_sku"), ({"location": "NOWHERE"}, "unknown_location")]
)
async def test_an_order_the_house_cannot_take_stays_whole(change: dict[str, str], code: str) -> None:
    """422 with the bad lines; nothing of the order is taken and it is not known afterwards."""
    house = desk()
    good = {"lineId": "l2", "sku": "Y", "quantity": 1, "location": "WH1"}
    bad = {"lineId": "l1", "sku": "X", "quantity": 1, "location": "WH1"} | change
    answer = await house.ask("PUT", ORDER, order_body(lines=[good, bad]))
    assert (answer.status, answer.json()["code"]) == (422, code)
    assert [line["lineId"] for line in answer.json()["lines"]] == ["l1"]
    assert (await house.ask("GET", ORDER)).status == 404
    assert house.warehouse.available("Y", "WH1") == 10
    assert await house.records() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (order_body(extra=1), "unknown_field"),
        (order_body(schema="r247/2"), "bad_field"),
        (order_body(orderId="another"), "id_mismatch"),
        (order_body(lines=[]), "bad_field"),
        (order_body(createdAt="yesterday"), "bad_field"),
        (order_body(createdAt="2026-07-01T10:00:00"), "bad_field"),
        (order_body(version="3"), "bad_field"),
        (order_body(version=True), "bad_field"),
        (order_body(lines=[{"lineId": "l1", "sku": "X", "quantity": 0}]), "bad_field"),
        (order_body(lines=[{"lineId": "l1", "sku": "X", "quantity": 1.0}]), "bad_field"),
        (order_body(lines=[{"lineId": "l1", "sku": "X"}]), "missing_field"),
        (order_body(lines=[{"lineId": "l1", "sku": "X", "quantity": 1, "price": 1}]), "unknown_field"),
        (order_body(lines=[{"lineId": "l", "sku": "X", "quantity": 1}] * 2), "bad_field"),
        (order_body(lines=["l1"]), "malformed"),
        ({"schema": "r247/1"}, "missing_field"),
        (b'{"schema":"r247/1","schema":"r247/1"}', "malformed"),
        (b'{"version":NaN}', "malformed"),
        (b"[" * 100_000, "malformed"),
    ],
)
async def test_bodies_are_read_strictly(body: Any, code: str) -> None:
    """400 with a code for anything that is not the body of the contract; nothing is taken."""
    house = desk()
    answer = await house.ask("PUT", ORDER, body)
    assert (answer.status, answer.json()["code"]) == (400, code)
    assert house.warehouse.book.orders == {}


async def test_a_body_beyond_one_mib_is_refused() -> None:
    """413 before anything is parsed."""
    answer = await desk().ask("PUT", ORDER, b'{"notes":"' + b"x" * 1024 * 1024 + b'"}')
    assert (answer.status, answer.json()["code"]) == (413, "too_large")


async def test_the_number_is_optional() -> None:
    """An order without number is taken, and records name it by id alone."""
    house = desk()
    body = order_body()
    del body["orderNumber"]
    assert (await house.ask("PUT", ORDER, body)).status == 201
    assert "orderNumber" not in (await house.records("order.accepted"))[0]


async def test_f139_a_large_order_is_taken_whole() -> None:
    """Ten thousand lines are an order like any other; one more is too many."""
    house = House().stock(X=100_000)
    lines = [{"lineId": f"l{number}", "sku": "X", "quantity": 1} for number in range(10_000)]
    assert (await house.ask("PUT", ORDER, order_body(lines=lines))).status == 201
    assert house.warehouse.available("X", "WH1") == 90_000
    more = order_body("another", lines=[*lines, {"lineId": "last", "sku": "X", "quantity": 1}])
    assert (await house.ask("PUT", "/v1/orders/another", more)).status == 400


async def test_an_order_may_be_accepted_later() -> None:
    """202 `received` first; the acceptance follows as a record, and the look-up tells it."""
    house = desk(acceptance="later", acceptance_seconds=(2.0, 2.0))
    answer = await house.ask("PUT", ORDER, order_body())
    assert (answer.status, answer.json()) == (202, {"status": "received"})
    assert house.warehouse.available("X", "WH1") == 10
    assert (await house.ask("GET", ORDER)).json() == {"status": "received"}
    house.clock.advance(2)
    house.simulator.tick()
    (accepted,) = await house.records("order.accepted")
    assert (await house.ask("GET", ORDER)).json()["position"]["seq"] == accepted["seq"]


async def test_an_order_cancelled_before_its_acceptance_never_left() -> None:
    """`order.cancelled` says that it was not imported, and no acceptance follows."""
    house = desk(acceptance="later", acceptance_seconds=(2.0, 2.0))
    await house.ask("PUT", ORDER, order_body())
    answer = await house.ask("POST", f"{ORDER}/cancellation", {"reason": "shopper"})
    house.clock.advance(5)
    house.simulator.tick()
    assert (answer.status, answer.json()["status"]) == (200, "cancelled")
    (cancelled,) = await house.records()
    assert (cancelled["type"], cancelled["imported"]) == ("order.cancelled", False)


@pytest.mark.parametrize("reference", [ORDER_ID, "CT-10045"])
async def test_an_order_is_looked_up_by_id_or_number(reference: str) -> None:
    """The look-up gives the PUT's answer, position included."""
    house = desk()
    said = (await house.ask("PUT", ORDER, order_body())).json()
    answer = await house.ask("GET", f"/v1/orders/{reference}")
    assert (answer.status, answer.json()) == (200, said)


async def test_an_unknown_order_is_404() -> None:
    """A look-up or cancellation of what is not there is 404 `unknown_order`."""
    house = desk()
    answers = [
        await house.ask("GET", ORDER),
        await house.ask("POST", f"{ORDER}/cancellation", {"reason": "shopper"}),
    ]
    assert {(answer.status, answer.json()["code"]) for answer in answers} == {(404, "unknown_order")}


async def test_a_cancellation_is_idempotent() -> None:
    """200 `cancelled` both times; the stock comes back once."""
    house = desk()
    await house.ask("PUT", ORDER, order_body())
    for _ in range(2):
        answer = await house.ask("POST", f"{ORDER}/cancellation", {"reason": "shopper"})
        assert (answer.status, answer.json()["status"]) == (200, "cancelled")
    assert house.warehouse.available("X", "WH1") == 10
    assert len(await house.records("order.cancelled")) == 1


async def test_what_has_been_dispatched_is_not_cancelled() -> None:
    """409 `already_shipped`."""
    house = desk()
    await house.ask("PUT", ORDER, order_body())
    house.warehouse.dispatch.ship(ORDER_ID)
    answer = await house.ask("POST", f"{ORDER}/cancellation", {"reason": "shopper"})
    assert (answer.status, answer.json()["code"]) == (409, "already_shipped")


def acknowledgement(**changes: Any) -> dict[str, Any]:
    said = {"orderId": ORDER_ID, "deliveryKey": "F-1", "shipmentState": "Shipped"}
    return said | {"at": "2026-07-25T17:30:00Z"} | changes


async def test_a_dispatch_is_acknowledged_once_and_moves_nothing() -> None:
    """204 however often; figures and records stay as they are."""
    house = desk()
    await house.ask("PUT", ORDER, order_body())
    house.warehouse.dispatch.ship(ORDER_ID)
    told = len(await house.records())
    for at in ("2026-07-25T17:30:00Z", "2026-07-25T17:31:00Z"):
        answer = await house.ask("POST", "/v1/fulfilments/F-1/acknowledgement", acknowledgement(at=at))
        assert (answer.status, answer.body) == (204, b"")
    assert len(await house.records()) == told
    _, fulfilment = house.warehouse.dispatch.fulfilments["F-1"]
    assert fulfilment.acknowledgement == acknowledgement()


@pytest.mark.parametrize(
    ("fulfilment", "body", "status", "code"),
    [
        ("F-9", acknowledgement(), 404, "unknown_fulfilment"),
        ("F-1", acknowledgement(orderId="another"), 409, "different_content"),
        ("F-1", acknowledgement(at="noon"), 400, "bad_field"),
        ("F-1", {"orderId": ORDER_ID}, 400, "missing_field"),
        ("F-2", acknowledgement(orderId="open"), 409, "not_shipped"),
    ],
)
async def test_a_wrong_acknowledgement_is_refused(
    fulfilment: str, body: dict[str, Any], status: int, code: str
) -> None:
    """The house holds an acknowledgement against its own books."""
    house = desk()
    house.warehouse.dispatch.ship(house.imported(("X", 1)))
    house.warehouse.dispatch.progress(house.imported(("X", 1), order_id="open"), "picking")
    answer = await house.ask("POST", f"/v1/fulfilments/{fulfilment}/acknowledgement", body)
    assert (answer.status, answer.json()["code"]) == (status, code)


async def test_an_order_the_importer_brought_is_a_repeat_when_handed_over() -> None:
    """An order that is known already makes no second one: 200."""
    house = desk()
    house.imported(("X", 2))
    answer = await house.ask("PUT", ORDER, order_body())
    assert (answer.status, answer.json()["status"]) == (200, "accepted")
    assert house.warehouse.available("X", "WH1") == 8


async def test_o1_a_source_without_idempotency_makes_a_second_order() -> None:
    """Switched off, a repeat allocates again: what `duplicate_protection = "none"` guards against."""
    house = desk(idempotent=False, offers_lookup=False, reflection=Reflection.NONE)
    for _ in range(2):
        assert (await house.ask("PUT", ORDER, order_body())).status == 201
    assert house.warehouse.available("X", "WH1") == 6
    assert len(house.warehouse.book.duplicates) == 1
    assert (await house.ask("GET", ORDER)).json()["code"] == "not_offered"


async def test_a_source_may_take_no_orders_at_all() -> None:
    """Then every order route is 404 `not_offered`."""
    answer = await desk(offers_orders=False).ask("PUT", ORDER, order_body())
    assert (answer.status, answer.json()["code"]) == (404, "not_offered")
