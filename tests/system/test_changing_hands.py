"""Pieces that change hands by the configuration, and the mode in which orders are counted, with the daemon as a whole."""

from __future__ import annotations

import pytest

from archsyncd.domain.fatal import EXIT_CONFIGURATION, Fatal
from tests.process.site import CHANNEL, LOCATION
from tests.support.virtual_time import virtual
from tests.system.inside import inside

UNTRACKED = 'inventory_mode = "untracked"'


@virtual
async def test_a_database_that_counted_tracked_orders_is_not_written_absolutely() -> None:
    """Every order that was imported since would be on sale again; nothing is written, and the message says what to do."""
    async with inside(seed=931) as (site, house):
        site.open({"A": 100, "B": 4})
        async with house.daemon():
            await site.until_stock({"A": 100, "B": 4})
            assert site.order("A", 30, import_seconds=1.0)
            assert site.order("A", 7, import_seconds=None)
            await site.until(lambda: site.house.warehouse.available("A", LOCATION) == 70, "an import")
            await site.clock.sleep(60)
            assert site.stock("A") == 63
        with pytest.raises(Fatal) as ended:
            async with house.daemon(quiet=False, commercetools=UNTRACKED):
                pass
        assert ended.value.code == EXIT_CONFIGURATION
        assert "move the file aside" in ended.value.sentence
        assert site.stock("A") == 63
        house.database().rename(house.database().with_suffix(".aside"))
        async with house.daemon(commercetools=UNTRACKED):
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.until_stock({"A": 64}, 300)
            await site.stays(lambda: site.stock("A") == 64, "an order was given back", 120)


@virtual
async def test_a_database_that_never_counted_a_tracked_order_changes_its_mode() -> None:
    """Untracked to begin with, tracked for good: what was ordered meanwhile is taken off once."""
    async with inside(seed=932) as (site, house):
        site.open({"A": 100})
        async with house.daemon():
            await site.until_stock({"A": 100})
        async with house.daemon(commercetools=UNTRACKED):
            site.house.warehouse.receipt("A", LOCATION, 2)
            await site.until_stock({"A": 102}, 120)
        site.order("A", 30, import_seconds=None)
        house.write()
        async with house.daemon() as daemon:
            await site.until_stock({"A": 72}, 300)
            assert daemon.app.store.rules.policies.tracked
            site.house.warehouse.receipt("A", LOCATION, 1)
            await site.until_stock({"A": 73}, 300)


@virtual
async def test_the_mode_of_the_figures_is_that_of_the_writes_while_other_rules_are_held() -> None:
    """A start with another mode and rules that wait for a person: both go by the mode that is configured."""
    async with inside(seed=933) as (site, house):
        site.open({f"S{number:02}": 10 for number in range(20)})
        async with house.daemon(commercetools=UNTRACKED):
            await site.until_stock({"S00": 10, "S19": 10})
        house.write(more=f"[channels.{CHANNEL}]\nsafety_stock = 50")
        async with house.daemon() as daemon:
            await site.until(lambda: bool(daemon.app.reckoning.held), "held rules")
            assert daemon.app.store.rules.policies.tracked
            assert daemon.app.drain.options.tracked
            assert site.order("S00", 3, import_seconds=None)
            site.house.warehouse.receipt("S00", LOCATION, 1)
            await site.until_stock({"S00": 8}, 300)
