"""Reading a feed once more: nothing newer is lowered, nothing is left out, and where it cannot be it is said plainly."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from archsyncd.domain.inventory import StockKey
from archsyncd.domain.times import rfc3339
from archsyncd.engine.again import FAULTS, Again
from archsyncd.engine.ports import Feed, FeedFault
from archsyncd.engine.replaying import Replay
from archsyncd.operator.commands import Commands
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


class Behind:
    """The running feed as a source tells it that is slow with what is old: so long for a page, or a fault instead."""

    def __init__(
        self, running: Running, faults: int = 0, seconds: float = 300.0, *, breaks: bool = False
    ) -> None:
        self.name = "main"
        self._running = running
        self._faults = faults
        self._seconds = seconds
        self._breaks = breaks
        self.asked = 0

    async def batches(self, after: str) -> AsyncIterator[object]:
        self.asked += 1
        async with contextlib.aclosing(self._running.app.feeds[0].batches(after)) as events:  # type: ignore[type-var]
            async for event in events:
                if self._faults and self.asked > 1:
                    self._faults -= 1
                    raise FeedFault("GET /v1/changes: 503")
                await self._running.app.clock.sleep(self._seconds)
                yield event
                if self._breaks and self.asked == 1:
                    raise FeedFault("GET /v1/changes: 503")


def again_of(running: Running, feed: object) -> Again:
    return Again(cast("Feed", feed), running.app.store, running.app.shared, lambda: 0.5)


async def ended(site: Site, again: Again, within_seconds: int) -> None:
    """Wait until the replay is over."""
    for _ in range(0, within_seconds, 5):
        if not again.under_way:
            return
        await site.clock.sleep(5)
    raise AssertionError(f"it goes on after {within_seconds} s")


@virtual
async def test_what_is_new_waits_for_no_replay() -> None:
    """Old records come slowly, and a sale meanwhile counts at once; nothing is told as stuck, no place lies behind."""
    async with inside(seed=617) as (site, house), house.daemon() as running:
        place = await moved(site, running)
        for _ in range(1_200):
            site.house.warehouse.receipt("B", LOCATION, 1)
        await site.until_stock({"B": 1_219})
        await site.clock.sleep(120)
        replay, again = Replay(place), again_of(running, Behind(running))
        again.begin(replay, lambda: None)
        assert await replay.answered == ""
        told = set()
        for left in (6, 5, 4):
            began = running.app.clock.monotonic()
            site.house.warehouse.store_sale("A", LOCATION, 1)
            await site.until_stock({"A": left})
            assert running.app.clock.monotonic() - began < 60
            state = await running.app.store.feeds.state("main")
            assert (state.seq, state.checkpoint) == (
                site.house.log.head_seq,
                site.house.log.cursor(state.seq),
            )
            await site.clock.sleep(240)
            status = await Commands(running.app).answer("status", {})
            told |= {reason["code"] for reason in status["reasons"]}
            assert again.under_way == ("replay main" in status["notes"])
            noted = await running.app.store.feeds.place_before("main", running.app.clock.wall_ms())
            assert noted is not None
            assert noted.checkpoint > place
        assert "feed_stuck" not in told
        await ended(site, again, 1_800)
        assert "replay main" not in running.app.shared.notes
        assert await levels(running) == {"A": 4, "B": 1_219}


@virtual
async def test_a_replay_says_how_far_it_is_and_why_it_ended_early() -> None:
    """A pause of the feed ends it; the note says so and stays."""
    async with inside(seed=618) as (site, house), house.daemon() as running:
        place = await moved(site, running)
        for _ in range(1_200):
            site.house.warehouse.receipt("B", LOCATION, 1)
        await site.until_stock({"B": 1_219})
        replay, again = Replay(place), again_of(running, Behind(running))
        head = site.house.log.head_seq
        again.begin(replay, lambda: None)
        assert await replay.answered == ""
        await site.clock.sleep(10)
        told, _, known = running.app.shared.notes["replay main"].rpartition(" of ")
        assert told.startswith("records are read again: ")
        # A heartbeat may have come since the note was made.
        assert head <= int(known.replace(",", "")) <= site.house.log.head_seq
        second = Replay(place)
        again.begin(second, lambda: None)
        assert "already" in await second.answered
        await ask(running, "pause", what="feed", name="main")
        await ended(site, again, 900)
        assert "ended before its end: the feed was paused" in running.app.shared.notes["replay main"]


@virtual
async def test_a_fault_of_the_source_interrupts_a_replay_and_too_many_end_it() -> None:
    """It goes on where it stood; what is unforeseen is raised where the tail is watched over."""
    async with inside(seed=619) as (site, house), house.daemon() as running:
        place = await moved(site, running)
        for _ in range(1_200):
            site.house.warehouse.receipt("B", LOCATION, 1)
        await site.until_stock({"B": 1_219})
        for faults, note in ((3, False), (1_000, True)):
            behind = Behind(running, faults, breaks=True, seconds=1.0)
            replay, again = Replay(place), again_of(running, behind)
            again.begin(replay, lambda: None)
            await ended(site, again, 400)
            assert ("503" in running.app.shared.notes.get("replay main", "")) == note
            assert behind.asked == (5 if faults == 3 else 1 + FAULTS)
        woken: list[bool] = []
        broken = again_of(running, object())
        broken.begin(Replay(place), lambda: woken.append(True))
        await site.clock.sleep(1)
        assert woken
        with pytest.raises(AttributeError):
            broken.check()
        broken.check()


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
