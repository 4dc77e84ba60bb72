"""The history of keys in the real daemon: it adds up after a day's work, and old days are folded beside it."""

from __future__ import annotations

import asyncio
import sqlite3

from archsyncd.domain.history import DAY_MS, Kind
from archsyncd.domain.inventory import StockKey
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.inside import inside

KEY = StockKey(CHANNEL, "A")


@virtual
async def test_the_daemon_folds_what_is_old_and_its_sums_stay() -> None:
    """Created and changed by the real loops; rows made 40 days old are one row a day after the next start."""
    async with inside(seed=95) as (site, house):
        async with house.daemon() as daemon:
            site.open({"A": 10})
            await site.until_stock({"A": 10})
            before = await daemon.app.store.history.after(KEY, 0, 100)
            assert (before.adds_up, before.changes[-1].x_after) == (True, 10)
        with sqlite3.connect(house.database()) as database:
            old = (daemon.app.clock.wall_ms() - 40 * DAY_MS, CHANNEL, "A")
            database.execute("UPDATE key_history SET at_ms = ? WHERE channel = ? AND sku = ?", old)
            database.execute(
                "INSERT INTO key_history SELECT channel, sku, n + 1000 * v.column1, at_ms, kind, v.column2, x_after + "
                "max(v.column2, 0), f, refl, ntrk, known, '', '', 1 FROM key_history CROSS JOIN (VALUES (1, 2), (2, -2)) AS v"
            )
        async with house.daemon() as daemon:
            async with asyncio.timeout(600):
                while len(found := (await daemon.app.store.history.after(KEY, 0, 100)).changes) > 1:
                    await daemon.app.clock.sleep(1)
            assert (found[0].kind, found[0].x_after) == (Kind.DAY, 10)
            assert (await daemon.app.store.history.newest(KEY, 5)).adds_up
            config = house.place() / "config.toml"
            config.write_text(
                "[daemon]\nhistory_rows = 12_345\n" + config.read_text().replace("[daemon]\n", "")
            )
            await daemon.app.reload()
            assert daemon.app.history.most_rows == 12_345
