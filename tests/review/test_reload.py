"""Reloads at awkward moments: before the daemon is built, and while it stands by."""

from __future__ import annotations

import asyncio

from archsyncd.app import App
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.inside import House, Notes, Running, inside, stop

LEASE = 30


def buffered(house: House, name: str, buffer: int) -> None:
    locations = f'WH1 = {{ channel = "{CHANNEL}", buffer = {buffer} }}'
    house.write(name, lease_seconds=LEASE, locations=locations)


def buffer_of(daemon: Running) -> int:
    return daemon.app.store.rules.policies.by_location["WH1"].buffer


@virtual
async def test_a_reload_while_standing_by_is_in_force_when_the_lease_comes() -> None:
    """It was told to be in force; a standby may wait for days, and then write by the rules of its start."""
    async with inside(seed=90) as (site, house):
        house.write("one", lease_seconds=LEASE)
        house.write("two", lease_seconds=LEASE)
        async with (
            house.daemon("one", quiet=False) as first,
            house.daemon("two", host="b", ready=False) as second,
        ):
            site.open({"A": 10})
            await site.until_stock({"A": 10})
            assert not second.app.ready.is_set()
            buffered(house, "two", 4)
            await second.app.reload()
            await stop(first)
            await asyncio.wait_for(second.app.ready.wait(), 400)
            assert buffer_of(second) == 4
            await site.until_stock({"A": 6}, 400)


@virtual
async def test_f015_a_reload_during_the_start_waits_until_there_is_something_to_reload() -> None:
    """SIGHUP may come as soon as the process runs; the database's check alone may take a while."""
    async with inside(seed=91) as (_, house):
        house.write("one")
        notes = Notes()
        app = App(house.settings("one"), house.world("one", notes, "a"))
        running = asyncio.create_task(app.run())
        reload = asyncio.create_task(app.reload())
        assert await reload == []
        app.stop()
        await running
        assert await app.reload() == []
