"""Pieces that change hands by the configuration: what was ordered before is counted by whoever offers them now."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsyncd.engine.ports import StoreTracked
from tests.adapters.sqlite.shelf import Shelf, open_sqlite
from tests.adapters.sqlite.test_pools import WEB, opened
from tests.domain.nouns import accepted, level, line, order, rules, share, shipped

# The mode


async def test_a_file_that_folded_tracked_orders_is_not_opened_untracked(tmp_path: Path) -> None:
    """Every piece that was ever sold is in its figures; it opens as before where the mode is set back."""
    shelf = await opened(tmp_path, rules())
    await shelf.store.use_rules(rules())
    await shelf.read(level(1, 100))
    await shelf.based(100, WEB, name="E-web")
    await shelf.learn(order(line(60)))
    await shelf.read(accepted(2), shipped(3, share(60, "WH1")), level(4, 40))
    await shelf.learn(order(line(60), version=2, state="Complete", shipment="Shipped"))
    assert await shelf.store.orders.fold(["o1"], 0)
    await shelf.close()
    with pytest.raises(StoreTracked):
        await Shelf.open(open_sqlite, tmp_path, rules(tracked=False))
    again = await opened(tmp_path, rules())
    row = await again.row()
    assert (row.closed, row.x_target - row.known) == (60, 40)
    await again.close()


async def test_another_mode_looks_at_every_entry_anew(tmp_path: Path) -> None:
    """No marker says what an absolute figure left on the entry, and the entry may have no type of ours."""
    shelf = await opened(tmp_path, rules(tracked=False))
    await shelf.store.use_rules(rules(tracked=False))
    await shelf.read(level(1, 10))
    await shelf.based(10, WEB, name="E-web")
    await shelf.again(rules())
    assert (await shelf.row()).base == "unknown"
    assert shelf.store.rules.policies.tracked
    await shelf.close()
