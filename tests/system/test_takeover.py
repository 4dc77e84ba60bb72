"""Lost state, restored copies and take-over, in virtual time: nothing is oversold and nothing stays hidden."""

from __future__ import annotations

import asyncio

from archsyncd.simulators.trade import Trade, TradeConfig
from tests.process.site import Site, assert_right, in_step
from tests.support.virtual_time import virtual
from tests.system.inside import House, inside

DAY = TradeConfig(
    seconds=240,
    keys=20,
    hot_keys=3,
    shoppers=4,
    orders_per_second=0.5,
    store_sales_per_second=0.15,
    throttled_requests=4,
)


async def play(trade: Trade) -> None:
    async for _ in trade.run():
        pass


async def ends_right(site: Site, trade: Trade) -> None:
    await trade.settle()
    assert_right(await in_step(site, trade, 240))


@virtual
async def test_a_day_of_trade_ends_in_step() -> None:
    """An ordinary day, as the measure of the others."""
    async with inside(seed=3) as (site, house), house.daemon():
        trade = site.trade(DAY, 3)
        await trade.open()
        await play(trade)
        await ends_right(site, trade)


@virtual
async def test_f034_a_lost_database_is_rebuilt_from_commercetools_while_trade_goes_on() -> None:
    """The file is deleted in the middle of the day, and orders come in before, while and after."""
    async with inside(seed=4) as (site, house):
        trade = site.trade(DAY, 4)
        await trade.open()
        day = asyncio.create_task(play(trade))
        async with house.daemon():
            await site.clock.sleep(70)
        lose(house)
        await site.clock.sleep(5)
        async with house.daemon():
            await day
            await ends_right(site, trade)


def lose(house: House, name: str = "one") -> None:
    for path in house.database(name).parent.glob("archsyncd.db*"):
        path.unlink()
