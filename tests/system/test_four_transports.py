"""The four transports are one: whichever carries it, the same flash sale ends in the same books."""

from __future__ import annotations

import functools

import pytest

from tests.support.virtual_time import run_virtual
from tests.system.carriers import TRANSPORTS
from tests.system.flash_sale import ELSEWHERE, LAST, UNKNOWN, Outcome, sale


@functools.cache
def ended(transport: str) -> Outcome:
    """The sale's outcome; each is run once."""
    return run_virtual(sale(transport))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_f094_f095_f104_f106_the_same_flash_sale_through_each_ends_in_the_same_digest(
    transport: str,
) -> None:
    """Published quantities, the ledger's file and the exceptions, after the same records; and nothing was oversold."""
    found, first = ended(transport), ended("pull")
    assert found.told == first.told
    assert found.passed_over > 0, "nothing came twice or late"
    assert found.beside(first) == {}
    assert found.digest == first.digest
    assert (found.beyond, found.oversold, found.hidden) == ([], 0, 0)


def test_the_books_are_those_of_the_warehouse() -> None:
    """What all four agree on is true: levels are what lies there, offers what may be sold, exceptions those of the script."""
    found = ended("pull")
    assert [row for row in found.books["levels"] if row[0] != ELSEWHERE] == found.holdings
    available = {sku: figure for _, sku, _, figure in found.holdings if sku != UNKNOWN}
    assert dict(found.books["published"]) == available
    exceptions = [(kind, subject or code) for kind, subject, code in found.books["exceptions"]]
    assert exceptions == [
        ("invalid_record", "control_character"),
        ("invalid_record", "unknown_type"),
        ("location_unmapped", ELSEWHERE),
        ("sku_not_found", UNKNOWN),
    ]
    assert found.books["waiting"] == []


def test_a_record_that_is_lost_for_good_is_seen_in_the_digest() -> None:
    """The control: one call never arrives, the last about its key, and just that key's books differ."""
    found, whole = run_virtual(sale("push", loses=True)), ended("push")
    assert found.told == whole.told
    assert found.digest != whole.digest
    beside = found.beside(whole)
    assert beside.keys() == {"levels", "outbox", "published"}
    assert {LAST[1]} == {
        row[1] for rows in (beside["levels"], beside["outbox"]) for side in rows for row in side
    }
