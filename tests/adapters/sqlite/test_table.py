"""The table of f and refl through the store: the same rows as on paper, and those with another channel's location."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.domain.inventory import Order
from archsyncd.domain.rules import Rules
from tests.adapters.sqlite.conftest import STORES
from tests.adapters.sqlite.shelf import Shelf, entry
from tests.domain.table import ELSEWHERE, TABLE, Row


@pytest.mark.parametrize("name", list(STORES))
@pytest.mark.parametrize("row", [*TABLE, *ELSEWHERE], ids=str)
async def test_f095_the_table_holds_through_the_store(row: Row, name: str, tmp_path: Path) -> None:
    """Levels, orders and proofs come in by batches, and the outbox shows the figures reckoned by hand."""
    shelf = await Shelf.open(STORES[name], tmp_path, Rules(row.policies))
    try:
        for step in row.story:
            if isinstance(step, Order):
                await shelf.learn(step)
                continue
            await shelf.read(*step.records, feed=step.feed, epoch=step.epoch)
            for at, born_ms in row.entry_born_ms.items():
                await shelf.store.outbox.book_lookups(
                    [entry(0, at, born_ms=born_ms)], (), (), shelf.settle_rules
                )
        found = {at: await shelf.figures(at) for at in row.expected}
        assert found == {at: row.figures(at) for at in row.expected}
    finally:
        await shelf.close()


@pytest.mark.parametrize("row", [*TABLE, *ELSEWHERE], ids=str)
async def test_f094_told_once_more_the_table_stays_as_it_is(row: Row, tmp_path: Path) -> None:
    """F3: the whole story again, batch by batch in its order, leaves the digest unchanged."""
    shelf = await Shelf.open(STORES["sqlite"], tmp_path, Rules(row.policies))
    try:
        digests = []
        for _ in range(2):
            for step in row.story:
                if isinstance(step, Order):
                    await shelf.learn(step)
                else:
                    await shelf.read(*step.records, feed=step.feed, epoch=step.epoch)
                    for at, born_ms in row.entry_born_ms.items():
                        found = entry(0, at, born_ms=born_ms)
                        await shelf.store.outbox.book_lookups([found], (), (), shelf.settle_rules)
            digests.append(await shelf.store.report.digest())
        assert digests[0] == digests[1]
    finally:
        await shelf.close()
