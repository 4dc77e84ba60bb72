"""Reloads at awkward moments: before the daemon is built, and while it stands by."""

from __future__ import annotations

import asyncio

import pytest
import trustme

from archsyncd.app import App
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.fatal import Fatal
from archsyncd.domain.inventory import Project
from archsyncd.simulators.r247 import Auth
from tests.process.site import CHANNEL
from tests.support.virtual_time import virtual
from tests.system.inside import House, Notes, Running, inside, stop

LEASE = 30


def buffered(house: House, name: str, buffer: int) -> None:
    locations = f'WH1 = {{ channel = "{CHANNEL}", buffer = {buffer} }}'
    house.write(name, lease_seconds=LEASE, locations=locations)


def buffer_of(daemon: Running) -> int:
    return daemon.app.store.rules.policies.by_location["WH1"][0].buffer


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


def rewrite(house: House, before: str, after: str) -> None:
    config = house.place() / "config.toml"
    text = config.read_text()
    assert before in text
    config.write_text(text.replace(before, after))


@virtual
async def test_a_reload_puts_into_force_what_it_says_and_keeps_the_rest() -> None:
    """Keys of a feed that it tells as in force are; those that need a restart stay as they were, and are told each time."""
    async with inside(seed=92) as (site, house), house.daemon() as daemon:
        site.open({"A": 10})
        await site.until_stock({"A": 10})
        app = daemon.app
        rewrite(
            house, "interval_seconds = 15", 'interval_seconds = 40\nlinearizable = false\nlocations = ["WH1"]'
        )
        assert await app.reload() == []
        assert app.freshness.intervals == {"main": 40.0}
        assert app.tails["main"].options.interval_seconds == 40.0
        assert app.proving.options.linearizable == frozenset()
        rewrite(house, "wait_seconds = 5", "wait_seconds = 9\npage_limit = 7\nrequest_timeout_seconds = 8")
        rewrite(
            house,
            "[commercetools]",
            "[commercetools]\nconnect_timeout_seconds = 9\nrequest_timeout_seconds = 70",
        )
        for _ in range(2):
            assert sorted(await app.reload()) == [
                "commercetools.connect_timeout_seconds",
                "commercetools.request_timeout_seconds",
                "feed.main.page_limit",
                "feed.main.request_timeout_seconds",
                "feed.main.wait_seconds",
            ]
            assert app.settings.feed("main").wait_seconds == 5
            assert app.settings.feed("main").interval_seconds == 40


@virtual
async def test_more_requests_in_flight_find_connections_after_a_reload() -> None:
    """The pool has room for as many as a reload can allow, or they would wait for a place and be Unreached."""
    async with inside(seed=93, shop={"latency_seconds": 6.0}) as (_, house):
        house.write(commercetools="max_in_flight = 1")
        async with house.daemon() as daemon:
            rewrite(house, "max_in_flight = 1", "max_in_flight = 64")
            assert await daemon.app.reload() == []
            found = await asyncio.gather(*(daemon.app.client.project() for _ in range(64)))
            assert {type(answer) for answer in found} == {Project}


@virtual
async def test_f060_a_reload_with_an_unusable_bundle_changes_nothing() -> None:
    """Refused as a whole and told: neither the rules nor any trust of it is in force, and the next one is."""
    async with inside(seed=94) as (site, house):
        bundles = {name: house.place() / f"{name}.pem" for name in ("shop", "feed")}
        for bundle in bundles.values():
            trustme.CA().cert_pem.write_to_path(bundle)
        house.write(
            commercetools=f'ca_file = "{bundles["shop"]}"', feed_more=f'ca_file = "{bundles["feed"]}"'
        )
        async with house.daemon() as daemon:
            site.open({"A": 10})
            await site.until_stock({"A": 10})
            rewrite(house, f'channel = "{CHANNEL}"', f'channel = "{CHANNEL}", buffer = 4')
            rewrite(house, "interval_seconds = 15", "interval_seconds = 40")
            before = daemon.app.settings
            for name, bundle in bundles.items():
                kept = bundle.read_text()
                bundle.write_text("no certificate")
                with pytest.raises(Fatal, match=f"{name}.pem"):
                    await daemon.app.reload()
                bundle.write_text(kept)
                assert daemon.app.settings is before
                assert buffer_of(daemon) == 0
                assert daemon.app.freshness.intervals == {"main": 15.0}
                assert house.journal.line("the configuration before stays in force") is not None
            assert await daemon.app.reload() == []
            await site.until_stock({"A": 6})


@virtual
async def test_f067_a_credential_that_goes_missing_stops_no_pump() -> None:
    """A feed without its file is told and waited out: stock of what is known is written on, and reading goes on later."""
    async with inside(seed=95, house={"auth": Auth.BEARER, "credential": "token"}) as (site, house):
        secret = house.place() / "credentials" / "feed-main"
        secret.write_text("token")
        site.open({"A": 10})
        house.write()
        rewrite(house, 'auth = "none"', 'auth = "bearer"')
        async with house.daemon() as daemon:
            await site.until_stock({"A": 10})
            secret.unlink()
            case = await daemon.until_case(CaseKind.STALE_FEED)
            assert case is not None
            assert "the credential feed-main cannot be read" in case.reason
            await daemon.app.clock.sleep(600)
            site.house.warehouse.receipt("A", "WH1", 2)
            secret.write_text("token")
            await site.until_stock({"A": 12}, 120)
            await daemon.until_case(CaseKind.STALE_FEED, open_=False)
