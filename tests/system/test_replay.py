"""Reading a feed once more: nothing newer is lowered, nothing is left out, and where it cannot be it is said plainly."""

from __future__ import annotations

from typing import Any

import pytest

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.times import rfc3339
from archsyncd.operator.protocol import Refusal
from tests.process.site import CHANNEL, LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import Running, inside

STOCK = {"A": 10, "B": 20}


async def levels(running: Running) -> dict[str, int]:
    """What is kept of each SKU."""
    found = {}
    for sku in STOCK:
        story = await running.app.store.report.story(sku)
        found[sku] = story.rows[0].f
    return found


async def moved(site: Site, running: Running) -> str:
    """Some sales one after another; the cursor that stood before them."""
    site.open(STOCK)
    await site.until_stock(STOCK)
    site.house.warehouse.store_sale("B", LOCATION, 1)
    await site.until_stock({"B": 19})
    place = (await running.app.store.feeds.state("main")).checkpoint
    assert place is not None
    for left in (9, 8, 7):
        site.house.warehouse.store_sale("A", LOCATION, 1)
        await site.until_stock({"A": left})
    return place


@virtual
async def test_records_that_are_read_again_change_nothing() -> None:
    """Every record from an earlier cursor comes again: no level falls back, nothing is written, and what follows counts."""
    async with inside(seed=610) as (site, house), house.daemon() as running:
        place = await moved(site, running)
        before = await running.app.store.report.digest()
        lines = len(site.shop.stock_lines("A", CHANNEL))
        read = running.app.shared.counters["records"]
        answer = await ask(running, "replay", feed="main", place=place)
        assert answer["done"]
        await site.clock.sleep(5)
        assert running.app.shared.counters["records"] >= read + 3
        assert await running.app.store.report.digest() == before
        assert len(site.shop.stock_lines("A", CHANNEL)) == lines
        assert (await running.app.store.feeds.state("main")).seq == site.house.log.head_seq
        site.house.warehouse.receipt("A", LOCATION, 5)
        await site.until_stock({"A": 12})


@virtual
async def test_a_time_leads_to_where_the_feed_stood_then() -> None:
    """Places are remembered every few minutes; before the first one the answer says from when on."""
    async with inside(seed=611) as (site, house), house.daemon() as running:
        site.open(STOCK)
        await site.until_stock(STOCK)
        await site.clock.sleep(301)
        site.house.warehouse.store_sale("B", LOCATION, 1)
        await site.until_stock({"B": 19})
        began = rfc3339(running.app.clock.wall_ms())
        await site.clock.sleep(400)
        site.house.warehouse.store_sale("B", LOCATION, 2)
        await site.until_stock({"B": 17})
        with pytest.raises(Refusal, match="earliest place"):
            await ask(running, "replay", feed="main", place="5d")
        answer = await ask(running, "replay", feed="main", place=began)
        assert "from where it stood at" in answer["says"]
        await site.clock.sleep(5)
        assert await levels(running) == {"A": 10, "B": 17}


@virtual
async def test_a_place_that_lies_ahead_is_refused_and_nothing_is_left_out() -> None:
    """A cursor beyond what was read would skip records: it is refused, and the feed reads on where it stood."""
    async with inside(seed=612) as (site, house), house.daemon() as running:
        await moved(site, running)
        await ask(running, "pause", what="feed", name="main")
        await site.clock.sleep(30)
        site.house.warehouse.store_sale("A", LOCATION, 1)
        ahead = site.house.log.cursor(site.house.log.head_seq)
        site.house.warehouse.store_sale("B", LOCATION, 1)
        with pytest.raises(Refusal, match="is paused"):
            await ask(running, "replay", feed="main", place=ahead)
        running.app.shared.paused_feeds.clear()
        with pytest.raises(Refusal, match=r"not read just now|not read again"):
            await ask(running, "replay", feed="main", place=ahead)
        await site.until_stock({"A": 6, "B": 18})


@pytest.mark.parametrize("place", ["nonsense", "x" * 3_000])
@virtual
async def test_a_place_that_the_source_does_not_know_changes_nothing(place: str) -> None:
    """No full is taken for a mistyped cursor; the answer names what is there instead."""
    async with inside(seed=613) as (site, house), house.daemon() as running:
        await moved(site, running)
        fulls = running.app.shared.counters["snapshots"]
        with pytest.raises(Refusal, match="snapshot request main"):
            await ask(running, "replay", feed="main", place=place)
        await site.clock.sleep(30)
        assert running.app.shared.counters["snapshots"] == fulls
        site.house.warehouse.receipt("A", LOCATION, 1)
        await site.until_stock({"A": 8})


@virtual
async def test_one_sku_is_read_singly() -> None:
    """A level that never reached us is asked for and merged; one that is known stays as it is."""
    async with inside(seed=614) as (site, house), house.daemon() as running:
        await moved(site, running)
        answer = await ask(running, "replay", feed="main", sku="A")
        assert not answer["done"]
        assert "1 were known" in answer["says"]
        await running.app.store.feeds.told_skus(LOCATION, "", 10)
        nothing = await ask(running, "replay", feed="main", sku="NEVER")
        assert "0 levels" in nothing["says"]
        key = StockKey(CHANNEL, "A")
        assert (await running.app.store.outbox.rows([key]))[key].f == 7


@virtual
async def test_a_full_is_taken_when_a_person_asks_for_one() -> None:
    """It is judged and applied as any other, and the feed reads on behind it."""
    async with inside(seed=615) as (site, house), house.daemon() as running:
        await moved(site, running)
        fulls = running.app.shared.counters["snapshots"]
        assert (await ask(running, "snapshot.request", feed="main"))["done"]
        await site.clock.sleep(10)
        assert running.app.shared.counters["snapshots"] == fulls + 1
        site.house.warehouse.receipt("A", LOCATION, 1)
        await site.until_stock({"A": 8})
        with pytest.raises(Refusal, match="no feed 'other'"):
            await ask(running, "snapshot.request", feed="other")


@virtual
async def test_no_full_is_taken_of_a_paused_feed() -> None:
    """Whoever paused it wants nothing read: the request is refused and nothing is due afterwards either."""
    async with inside(seed=615) as (site, house), house.daemon() as running:
        await moved(site, running)
        fulls = running.app.shared.counters["snapshots"]
        await ask(running, "pause", what="feed", name="main")
        await site.clock.sleep(60)
        site.house.warehouse.receipt("A", LOCATION, 5)
        with pytest.raises(Refusal, match="resume feed main"):
            await ask(running, "snapshot.request", feed="main")
        await site.clock.sleep(60)
        assert running.app.shared.counters["snapshots"] == fulls
        assert (await levels(running))["A"] == 7


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("replay", {"place": "6h"}), ("replay", {"sku": "A"}), ("snapshot.request", {})],
)
@virtual
async def test_a_directory_says_what_it_cannot_and_what_is_there_instead(
    verb: str, arguments: dict[str, Any]
) -> None:
    """Files are read once: no verb pretends otherwise."""
    async with inside(seed=616) as (site, house):
        site.open(STOCK)
        feed = f'[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "{house.place("drop")}"'
        async with house.daemon(feed=feed) as running:
            with pytest.raises(Refusal, match="Have Archean write a full"):
                await ask(running, verb, feed="main", **arguments)
