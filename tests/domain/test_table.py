"""f, refl and N on paper, against the table of the stock ledger."""

from __future__ import annotations

import pytest

from archsyncd.domain.inventory import Order
from tests.domain.paper import PaperLedger
from tests.domain.table import TABLE, Row


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_f095_the_table_holds_on_paper(row: Row) -> None:
    """Every row's figures follow from the definitions, position by position."""
    ledger = PaperLedger(row.policies, dict(row.entry_born_ms))
    for step in row.story:
        if isinstance(step, Order):
            ledger.learn(step)
        else:
            ledger.read(step.feed, step.epoch, step.records)
    assert {at: ledger.figures(at) for at in row.expected} == {at: row.figures(at) for at in row.expected}
