"""Units and goods to come as records tell them: read by both ways in, and never a reason to lose a level."""

from __future__ import annotations

from typing import Any

import pytest

from archsyncd.domain.feed import Fulfilment, Level, Movement, Record, Reject, ReturnReceived
from archsyncd.wire.r247_records import read_clean, read_record

LEVEL = {"id": "1", "seq": "7", "type": "stock.level", "sku": "A", "location": "WH1"}


def both(fields: dict[str, Any]) -> Record | Reject:
    """What the exact reader says; the fast one says the same, or leaves it to the exact one."""
    exact = read_record(fields, b"")
    fast = read_clean([fields])
    assert fast is None or fast == [exact]
    return exact


def level(**more: Any) -> Level:
    found = both(LEVEL | more)
    assert isinstance(found, Level), found
    return found


def test_a_unit_is_read_as_it_was_told() -> None:
    """Pieces and cartons alike; what it counts is not the reader's business."""
    assert level(onHand=3, uom="EA").unit == "EA"
    assert level(onHand=3, uom="CTN").unit == "CTN"
    assert level(onHand=3).unit is None


@pytest.mark.parametrize("unit", ["", 12, "x" * 33, "a\nb", ["EA"]])
def test_what_is_no_unit_sets_the_record_aside(unit: object) -> None:
    """A unit that cannot be read may be any."""
    assert isinstance(both(LEVEL | {"onHand": 3, "uom": unit}), Reject)


def test_decimal_texts_are_kept_beside_figures_where_a_unit_is_told() -> None:
    """They are no numbers yet, and a figure that was not told stays so."""
    told = level(onHand="2.5", available=2, uom="KG")
    assert (told.on_hand, told.available, told.decimals) == (None, 2, (("onHand", "2.5"),))
    assert level(onHand="12", uom="CTN").decimals == (("onHand", "12"),)


@pytest.mark.parametrize("figure", ["2.5", "12", "1e3", "", "NaN", 2.5, True])
def test_f120_without_a_unit_a_text_is_no_quantity(figure: object) -> None:
    """Whatever it looks like."""
    assert isinstance(both(LEVEL | {"onHand": figure}), Reject)


@pytest.mark.parametrize("figure", ["1e3", "", "NaN", "2,5", "٣", "1_0", True, 2.5, "9" * 30])
def test_f120_with_a_unit_only_plain_decimals_are_quantities(figure: object) -> None:
    """A float is none: its digits are lost already."""
    assert isinstance(both(LEVEL | {"onHand": figure, "uom": "KG"}), Reject)


def test_movements_and_lines_tell_units_as_well() -> None:
    """Balances too."""
    moved = both(
        {
            "id": "1",
            "seq": "7",
            "type": "stock.movement",
            "sku": "A",
            "location": "W",
            "state": "onHand",
            "uom": "KG",
        }
        | {"delta": "-0.5", "balanceAfter": {"onHand": 3, "available": "2.5"}}
    )
    assert isinstance(moved, Movement)
    assert (moved.delta, moved.balance_on_hand, moved.balance_available) == (0, 3, None)
    assert dict(moved.decimals) == {"delta": "-0.5", "available": "2.5"}
    lines = [{"sku": "A", "quantity": 2, "uom": "CTN"}]
    order = {"id": "1", "seq": "7", "orderId": "o"}
    sent = both(order | {"type": "fulfilment", "fulfilmentId": "F", "status": "shipped", "lines": lines})
    assert isinstance(sent, Fulfilment)
    assert sent.lines[0].unit == "CTN"
    back = both(
        order
        | {"type": "return.received", "returnId": "R", "lines": [lines[0] | {"disposition": "sellable"}]}
    )
    assert isinstance(back, ReturnReceived)
    assert back.lines[0].unit == "CTN"


@pytest.mark.parametrize(
    ("future", "expected"),
    [
        (None, None),
        ([], ""),
        ([{"quantity": 5, "expectedAt": "2026-12-01"}], "2026-12-01T00:00:00.000Z"),
        ([{"quantity": 5, "expectedAt": "2026-12-01T09:30:00.5+01:00"}], "2026-12-01T08:30:00.500Z"),
        ([{"quantity": 0, "expectedAt": "2026-11-01"}, {"quantity": -2, "expectedAt": "2026-11-02"}], ""),
        (
            [
                {"quantity": 5, "expectedAt": "2027-01-01"},
                {"quantity": 1, "expectedAt": "2026-12-05T00:00:00Z"},
            ],
            "2026-12-05T00:00:00.000Z",
        ),
    ],
)
def test_the_earliest_goods_to_come_are_read(future: object, expected: str | None) -> None:
    """None of nothing and of a debt; told to be nothing is another thing than not told."""
    assert level(onHand=3, future=future).expected == expected


@pytest.mark.parametrize(
    "future",
    [
        "soon", {}, [1], [{}], [{"quantity": "5", "expectedAt": "2026-12-01"}], [{"quantity": 5, "expectedAt": "2026-02-30"}],
        [{"quantity": 5, "expectedAt": 7}], [{"quantity": True, "expectedAt": "2026-12-01"}], [{}] * 10_001,
        [{"quantity": 5, "expectedAt": "0001-01-01T00:00:00+23:59"}],
        [{"quantity": 5, "expectedAt": "9999-12-31T23:59:59-05:00"}],
    ],
)  # fmt: skip
def test_goods_to_come_that_cannot_be_read_lose_no_level(future: object) -> None:
    """The level counts, and of what is to come nothing was told."""
    assert level(onHand=3, future=future).expected is None
