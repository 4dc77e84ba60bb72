"""The watchdog and the feeds: a source without news, a slow one and a large file are waited for by right (D6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection

import pytest

from archsyncd.adapters.clock import SteadyClock
from archsyncd.app import TAIL_LIMIT_SECONDS
from archsyncd.domain.feed import Batch, KeyReading, OrderLookup, Outcome, SnapshotDue
from archsyncd.engine.ports import SnapshotSource
from archsyncd.engine.shared import Shared
from archsyncd.engine.supervise import Pump, Watch
from archsyncd.engine.tail import Tail
from tests.adapters.feeds.dropping import Drop, level
from tests.process.harness import DROP
from tests.support.virtual_time import VirtualClock, virtual
from tests.system.inside import Running, inside


async def never_late(daemon: Running, seconds: float) -> None:
    """Every pump progresses or waits by right, for so long."""
    clock = daemon.app.clock
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        assert daemon.app.watch.late() == ()
        await clock.sleep(1.0)


@virtual
async def test_f019_a_directory_without_news_is_waited_for_by_right() -> None:
    """A nightly file leaves the directory empty all day long, and the next one is taken."""
    async with inside(seed=201) as (site, house):
        root = house.place() / "drop"
        root.mkdir()
        site.open({"A": 5})
        async with house.daemon(feed=DROP.format(drop=root)) as daemon:
            drop = Drop(root)
            await never_late(daemon, 900)
            drop.put(level("A", 5, available=5), kind="full")
            await site.until_stock({"A": 5})
            await never_late(daemon, 900)


@virtual
async def test_f019_a_snapshot_that_takes_its_source_long_is_waited_for_and_loaded() -> None:
    """It says "running" for a quarter of an hour; asking again from the start would never end."""
    async with inside(seed=202, house={"snapshot_seconds": 900.0}) as (site, house):
        site.open({"A": 5})
        async with house.daemon() as daemon:
            await never_late(daemon, 1000)
            await site.until_stock({"A": 5})
            assert daemon.app.shared.counters["snapshots"] == 1


@pytest.mark.parametrize("wait_seconds", [300])
@virtual
async def test_f019_a_long_poll_of_a_quiet_source_is_waited_for(wait_seconds: int) -> None:
    """The longest wait that the configuration allows is no standstill."""
    quiet = {"heartbeat_seconds": 10_000.0, "wait_maximum_seconds": 300.0}
    async with inside(seed=203, house=quiet) as (site, house):
        site.open({"A": 5})
        house.write()
        config = house.place() / "config.toml"
        config.write_text(config.read_text().replace("wait_seconds = 5", f"wait_seconds = {wait_seconds}"))
        async with house.daemon() as daemon:
            await never_late(daemon, 1200)


class Hung:
    """A feed that neither tells anything nor beats."""

    name = "main"
    offers_lookup = False
    step_seconds = 30.0

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        del after
        await asyncio.Event().wait()
        yield SnapshotDue  # type: ignore[misc]

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:
        pass

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:
        del locations
        return None

    async def read_key(self, sku: str) -> KeyReading | None:
        del sku
        return None

    async def look_up_order(self, reference: str) -> OrderLookup | None:
        del reference
        return None

    async def close(self) -> None:
        pass


@virtual
async def test_f019_a_feed_that_hangs_is_noticed() -> None:
    """No other part's progress stands for it."""
    async with inside(seed=204) as (site, house):
        site.open({"A": 5})
        async with house.daemon() as daemon:
            clock = SteadyClock(VirtualClock())
            watch = Watch(clock)
            hung = Hung()
            tail = Tail(
                hung,
                daemon.app.store,
                Shared(clock),
                daemon.app.tails["main"].options,
                lambda: 0.5,
                watch.beater("feed"),
            )
            watch.expect(Pump("feed", tail.run, TAIL_LIMIT_SECONDS + hung.step_seconds))
            reading = asyncio.create_task(tail.run())
            await clock.sleep(TAIL_LIMIT_SECONDS + hung.step_seconds - 1)
            assert watch.alive()
            await clock.sleep(2)
            assert watch.late() == ("feed",)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
