"""Orders on their way to Archean: what is sent, and what a refusal means."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from archsyncd.domain.handover import PlacedLine
from archsyncd.domain.kit_orders import split
from archsyncd.domain.kits import Kit
from archsyncd.domain.whole_order import LineDetail, Price, WholeOrder
from archsyncd.simulators.r247.desk import read_order
from archsyncd.wire.r247_answers import Problem
from archsyncd.wire.r247_orders import cancellation_body, objection, order_body
from tests.domain.nouns import line, order

BOUGHT = WholeOrder(
    replace(order(line(2), line(1, "B", "n2")), number="CT-1"),
    "2026-11-27T10:00:00.000Z",
    "EUR",
    details={"n1": LineDetail("n1", None, Price(1999, 2))},
    ship_to={"country": "DE"},
    shipping_method="DHL",
)


def test_the_body_is_what_the_contract_says() -> None:
    """Read by the other side as strictly as it can be; the same order gives the same bytes."""
    lines = [
        PlacedLine(each, each.sku or "", "WH1" if each.sku == "A" else None) for each in BOUGHT.order.lines
    ]
    body = order_body(BOUGHT, lines)
    assert body == order_body(BOUGHT, lines)
    asked = read_order(BOUGHT.order.id, body.encode())
    assert [(each.line_ref, each.sku, each.quantity, each.location) for each in asked.lines] == [
        ("n1", "A", 2, "WH1"),
        ("n2", "B", 1, None),
    ]
    told = orjson.loads(body)
    assert told["lines"][0]["unitPrice"] == {"centAmount": 1999, "fractionDigits": 2}
    assert (told["orderNumber"], told["shipTo"], told["shippingMethod"]) == ("CT-1", {"country": "DE"}, "DHL")


def kitted() -> list[PlacedLine]:
    """The first line taken apart, into one X and three Y each."""
    sold = BOUGHT.order.lines[0]
    parts = split(sold, Kit("A", (("X", 1), ("Y", 3))))
    return [PlacedLine(part, part.sku or "", "WH1", sold) for part in parts]


def test_a_kits_components_name_it_and_carry_no_price_of_their_own() -> None:
    """The price stands once for the kit, on each of its lines; other lines are as they always were."""
    other = BOUGHT.order.lines[1]
    body = order_body(BOUGHT, [*kitted(), PlacedLine(other, other.sku or "", None)])
    asked = read_order(BOUGHT.order.id, body.encode())
    assert [(each.line_ref, each.sku, each.quantity) for each in asked.lines] == [
        ("n1+X", "X", 2),
        ("n1+Y", "Y", 6),
        ("n2", "B", 1),
    ]
    first, second, third = orjson.loads(body)["lines"]
    price = {"centAmount": 1999, "fractionDigits": 2}
    assert first["kit"] == second["kit"] == {"lineId": "n1", "sku": "A", "quantity": 2, "unitPrice": price}
    assert first["unitPrice"] is second["unitPrice"] is None
    assert "kit" not in third


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [
        (409, "different_content", ("different_content", True)),
        (409, "", ("status 409", False)),
        (422, "unknown_sku", ("unknown_sku", False)),
        (400, "bad_field", ("bad_field", False)),
        (500, "", None),
        (401, "", None),
        (404, "", None),
    ],
)
def test_only_what_is_about_the_order_itself_is_an_objection(
    status: int, code: str, means: tuple[str, bool] | None
) -> None:
    """Anything else leaves open what became of it."""
    found = objection(status, Problem(code))
    assert (None if found is None else (found.code, found.different)) == means


def test_a_reason_is_cut_to_a_reasonable_length() -> None:
    """A wish to cancel needs no novel."""
    assert len(cancellation_body("x" * 10_000)["reason"]) == 200


def test_f148_an_objection_that_quotes_the_receiver_is_blotted_out() -> None:
    """A source may repeat what it was sent: what names a person goes into no list and no journal."""
    receiver = {"firstName": "Ada", "lastName": "Lovelace", "streetName": "Main Street", "country": "DE"}
    body = orjson.dumps({"shipTo": receiver | {"email": "ada@example.com"}}).decode()
    detail = "no route to LOVELACE, Ada, Main Street 1, DE (ada@example.com) for SKU A"
    found = objection(422, Problem("invalid_address", detail), body)
    assert found is not None
    assert found.code == "invalid_address"
    assert found.detail == "no route to …, …, … 1, DE (…) for SKU A"
