"""The verdict's arithmetic: what makes it good, what makes it bad, and how it is told."""

from dataclasses import replace
from typing import Any

import pytest

from archsyncd.demo.verdict import Memorable, Outcome, seen, unfinished

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
    exceptions_seen=frozenset({"invalid_record", "sku_not_found"}),
)
MOMENTS = Memorable(401, 1.25, 26, 1_206, 0, 1, 2.0, 1.5, 9.0, 8.0)


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
    assert any("requests per changed key" in line for line in idle.lines())


def test_what_was_seen_fits_ten_lines() -> None:
    """The summary is short, and tells the figures of this day."""
    told = seen(GOOD, MOMENTS)
    assert len(told) <= 10
    text = "\n".join(told)
    assert "401 stock entries created in 1.2 s with 26 write requests" in text
    assert "450 orders served, 150 refused" in text
    assert "not one write for it" in text
    assert "1 operation in doubt, settled by the markers" in text
    assert "decreases waited 1.5 s at most, increases 9.0 s" in text
    assert "8 s after the product appeared" in text


def test_what_did_not_come_about_is_not_told() -> None:
    """No time is invented for an exception that did not close, nor a recovery that was not measured."""
    nothing = replace(MOMENTS, unknown_sku_seconds=None, recovery_seconds=None, empty_writes=2)
    text = "\n".join(seen(GOOD, nothing))
    assert "product appeared" not in text
    assert "writing again" not in text
    assert "2 writes for it" in text
