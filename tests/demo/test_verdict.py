"""The verdict's arithmetic: what makes it good, what makes it bad, and how it is told."""

from dataclasses import replace
from typing import Any

import pytest

from archsyncd.demo.orders import OrderFigures
from archsyncd.demo.verdict import Memorable, Outcome, seen, unfinished
from archsyncd.domain.lags import Lag

ORDERS = OrderFigures(
    placed=450,
    handed_over=430,
    shipped=420,
    booked=420,
    dispatches=500,
    deliveries=500,
    in_parts=80,
    short=4,
    returned=20,
    cancelled_before=20,
    cancelled_after=6,
    in_exceptions=4,
    handing_over=Lag(430, 900, 3_200),
    booking=Lag(500, 800, 4_000),
)
GOOD = Outcome(
    records=2_000,
    requests=500,
    throttled=20,
    writes=300,
    changes=1_200,
    keys=402,
    keys_in_step=402,
    oversold_units=0,
    unavoidable_units=3,
    hidden_units=0,
    excess_units=0,
    duplicate_orders=0,
    served=450,
    refused=150,
    restarts=1,
    kills=1,
    exit_status=0,
    orders=ORDERS,
    exceptions_seen=frozenset({"invalid_record", "sku_not_found"}),
)
MOMENTS = Memorable(401, 1.25, 26, 1_206, 0, 1, 5, 9, 2.0, 1.5, 9.0, 8.0)


def test_a_good_day_is_good() -> None:
    """Everything in step, nothing oversold or hidden: ok, and the required fields stand in the object."""
    said = GOOD.as_json()
    assert said["ok"] is True
    assert said["faults"] == []
    wanted = {
        "records": 2_000,
        "requests": 500,
        "requests_per_change": 0.25,
        "keys": 402,
        "keys_in_step": 402,
        "oversold_units": 0,
        "hidden_units": 0,
        "restarts": 1,
        "orders": 450,
        "handed_over": 430,
        "duplicates": 0,
        "deliveries": 500,
        "shipped_too_early": 0,
        "orders_in_exceptions": 4,
    }
    assert said.items() >= wanted.items()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"oversold_units": 1}, "1 piece oversold"),
        ({"hidden_units": 2}, "2 pieces hidden from sale"),
        ({"excess_units": 2}, "2 pieces offered and not there"),
        ({"keys_in_step": 401}, "1 key not in step"),
        ({"duplicate_orders": 1}, "1 order twice in the warehouse"),
        ({"orders": replace(ORDERS, duplicates=2)}, "2 orders twice in the warehouse"),
        (
            {"orders": replace(ORDERS, shipped_too_early=1)},
            "1 order called shipped before the goods had left",
        ),
        (
            {"orders": replace(ORDERS, unexplained=("CT-1007: not in the warehouse",))},
            "no exception says why order CT-1007: not in the warehouse",
        ),
        ({"orders": replace(ORDERS, handed_over=0)}, "no order went the whole circle"),
        ({"orders": replace(ORDERS, deliveries=0)}, "no order went the whole circle"),
        ({"restarts": 2}, "the daemon ended by itself 1 time"),
        ({"restarts": 0, "kills": 0}, "the daemon was killed 0 times and not once"),
        ({"throttled": 0}, "commercetools never answered 429"),
        ({"exceptions_open": None}, "the daemon did not tell of its exceptions at the end"),
        ({"exceptions_open": {"invalid_record": 1}}, "the exception invalid_record is still open"),
        ({"exit_status": 75}, "the daemon's exit status was 75"),
        ({"exceptions_seen": frozenset({"sku_not_found"})}, "no exception invalid_record was opened"),
        ({"exceptions_open": {"sku_not_found": 1}}, "the exception sku_not_found is still open"),
        ({"served": 0}, "nothing was traded"),
        ({"keys": 0, "keys_in_step": 0}, "nothing was traded"),
    ],
)
def test_each_fault_alone_makes_the_verdict_bad(change: dict[str, Any], sentence: str) -> None:
    """One thing wrong is enough, and the verdict says which."""
    bad = replace(GOOD, **change)
    assert not bad.ok
    assert bad.faults == (sentence,)
    assert f"  - {sentence}" in bad.lines()
    assert bad.as_json()["ok"] is False


def test_of_many_unexplained_orders_the_first_are_named() -> None:
    """A verdict that goes over pages is read by nobody."""
    names = tuple(f"CT-{1001 + number}: not in the warehouse" for number in range(12))
    faults = replace(GOOD, orders=replace(ORDERS, unexplained=names)).faults
    assert len(faults) == 6
    assert faults[-1] == "no exception says why 7 more orders went astray"


def test_the_orders_are_told_in_a_few_lines() -> None:
    """Placed, handed over, booked, both lags, and what must be nought."""
    text = "\n".join(replace(GOOD, exceptions_open={"short_pick": 4}).lines())
    for figure in (
        "orders placed                 450   20 cancelled before the hand-over, 6 after it",
        "orders handed over            430   half within 0.9 s, 99 % within 3.2 s",
        "orders made twice               0",
        "dispatches booked             500   half within 0.8 s, 99 % within 4.0 s of the goods' leaving",
        "shipped too early               0",
        "orders in exceptions            4   4 short_pick: a person's to decide",
    ):
        assert figure in text


def test_without_a_verdict_the_same_fields_are_told() -> None:
    """Whoever reads the object finds every field, and null where nothing is known."""
    said = unfinished("no room", {"records": 5})
    assert said.keys() == GOOD.as_json().keys()
    assert (said["ok"], said["faults"], said["records"], said["oversold_units"]) == (
        False,
        ["no room"],
        5,
        None,
    )


def test_pieces_that_no_daemon_could_save_are_told_and_not_held_against_it() -> None:
    """What a store sold a moment before is shown beside the oversold pieces."""
    line = next(line for line in GOOD.lines() if "oversold pieces" in line)
    assert "3 pieces sold online just after a store sold them" in line
    assert GOOD.ok


def test_without_changes_there_is_no_ratio() -> None:
    """Nothing is divided by zero."""
    idle = replace(GOOD, changes=0)
    assert idle.requests_per_change is None
    assert idle.as_json()["requests_per_change"] is None
    assert any("stock writes per change" in line for line in idle.lines())


def test_what_was_seen_fits_ten_lines() -> None:
    """The summary is short, and tells the figures of this day."""
    told = seen(GOOD, MOMENTS)
    assert len(told) <= 10
    text = "\n".join(told)
    assert "401 stock entries created in 1.2 s with 26 write requests" in text
    assert "450 orders served, 150 refused" in text
    assert "not one write for it" in text
    assert "kill -9 in the middle of a write and of handing over 5 orders; writing again after 2.0 s" in text
    assert "1 operation in doubt, settled by the markers" in text
    assert (
        "430 orders carried to Archean, 420 shipped: 80 in parts, 4 with a piece not found, 20 with" in text
    )
    assert "9 answers about orders lost" in text
    assert "decreases waited 1.5 s at most, increases 9.0 s" in text
    assert "8 s after the product appeared" in text


def test_what_did_not_come_about_is_not_told() -> None:
    """No time is invented for an exception that did not close, nor a recovery that was not measured."""
    nothing = replace(
        MOMENTS, unknown_sku_seconds=None, recovery_seconds=None, empty_writes=2, orders_under_way=0
    )
    text = "\n".join(seen(GOOD, nothing))
    assert "product appeared" not in text
    assert "writing again" not in text
    assert "handing over" not in text
    assert "2 writes for it" in text
