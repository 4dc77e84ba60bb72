"""A source that calls the whole daemon: stock moves by its calls, and nothing is taken that is not stored."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.times import rfc3339
from archsyncd.operator.protocol import Refusal
from archsyncd.simulators.r247 import Answer, Asked, Fault, FaultKind
from tests.adapters.feeds.calling import NEXT_SECRET, PATH, SECRET, batch, level, standard
from tests.process.harness import PULL
from tests.process.site import LOCATION, Site
from tests.support.virtual_time import virtual
from tests.system.circling import ask
from tests.system.inside import House, Running, inside

SETTLED_SECONDS = 240.0


class Caller:
    """The source's other half, which calls."""

    def __init__(self, site: Site, house: House, name: str = "one") -> None:
        self._clock = house.clock
        self._site = site
        self._numbers = 0
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        (house.place(name) / "credentials" / "feed-calls").write_text(SECRET)

    def feeds(self, more: str = "") -> str:
        """The tables of a pull feed and of the one that is called."""
        calls = (
            f'[[feed]]\nname = "calls"\ntransport = "push"\nlisten = "127.0.0.1:{self.port}"\nsnapshot_from = "main"\n'
            f"interval_seconds = 30\n{more}\n"
        )
        return PULL.format(house_url=self._site.house_url, feed_more="") + calls

    async def call(self, body: bytes, message_id: str = "", secret: str = SECRET) -> tuple[int, Any]:
        self._numbers += 1
        name = message_id or f"m{self._numbers}"
        headers = standard(name, str(self._clock.wall_ms() // 1000), body, secret)
        patience = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None)
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.post(f"http://127.0.0.1:{self.port}{PATH}", data=body, headers=headers) as answer,
        ):
            text = await answer.text()
            return answer.status, json.loads(text)

    async def call_until_taken(self, body: bytes, message_id: str) -> tuple[int, Any]:
        """As a sender does: again while it is told to come later."""
        for _ in range(10):
            answer = await self.call(body, message_id)
            if answer[0] != 503:
                return answer
            await self._clock.sleep(5)
        raise AssertionError(f"never taken: {answer}")

    def level(self, seq: int, sku: str, pieces: int, **more: Any) -> bytes:
        """A level as it stands now."""
        now = rfc3339(self._clock.wall_ms())
        return batch(level(seq, sku, pieces, available=pieces, asOf=now, location=LOCATION, **more))


@asynccontextmanager
async def calling(seed: int, more: str = "") -> AsyncIterator[tuple[Site, House, Caller, Running]]:
    """A daemon that reads one half of the source and is called by the other; its shop is in step."""
    async with inside(seed=seed) as (site, house):
        # Others stand still, so that no guard takes two changes for most of the house.
        site.open({"A": 10, "B": 6} | {f"S{number}": 5 for number in range(4)})
        caller = Caller(site, house)
        async with house.daemon(feed=caller.feeds(more)) as daemon:
            await site.until_stock({"A": 10, "B": 6})
            yield site, house, caller, daemon


@virtual
async def test_a_call_moves_the_shop_s_stock() -> None:
    """Down at once, and up again; the pull feed stands still meanwhile."""
    async with calling(300) as (site, _, caller, daemon):
        daemon.app.shared.paused_feeds.add("main")
        await site.clock.sleep(10)
        assert await caller.call(caller.level(1, "A", 4)) == (202, {"status": "stored", "items": 1})
        await site.until_stock({"A": 4, "B": 6})
        await site.clock.sleep(2)
        assert (await caller.call(caller.level(2, "A", 9)))[0] == 202
        await site.until_stock({"A": 9, "B": 6}, SETTLED_SECONDS)


@virtual
async def test_f115_a_call_is_known_again_after_a_restart() -> None:
    """The daemon died after its commit, and the answer was lost."""
    async with inside(seed=301) as (site, house):
        site.open({"A": 10, "B": 6})
        caller = Caller(site, house)
        async with house.daemon(feed=caller.feeds()):
            await site.until_stock({"A": 10})
            assert (await caller.call(caller.level(1, "A", 4), "same"))[0] == 202
        async with house.daemon():
            again = await caller.call_until_taken(caller.level(1, "A", 4), "same")
            assert again == (200, {"status": "duplicate"})
            assert (await caller.call(caller.level(2, "A", 3), "other"))[0] == 202
            await site.until_stock({"A": 3})


@virtual
async def test_f096_a_movement_without_its_balance_is_read_at_the_partner() -> None:
    """No figure is added up; the pull source is asked for this one key, and its case closes."""
    async with calling(302) as (site, _, caller, daemon):
        daemon.app.shared.paused_feeds.add("main")
        await site.clock.sleep(10)
        site.house.warehouse.store_sale("A", LOCATION, 3)
        move = {"id": "v1", "type": "stock.movement", "seq": "5", "sku": "A", "location": LOCATION}
        assert (await caller.call(batch(move | {"delta": -3, "state": "available"})))[0] == 202
        await site.until_stock({"A": 7, "B": 6})
        await daemon.until_case(CaseKind.NEEDS_RESYNC, open_=False)


@virtual
async def test_a_thin_call_has_the_partner_asked_for_what_it_names() -> None:
    """It says no figure, and needs none."""
    async with calling(303, 'fetch = true\nsku_path = "/changed/*/sku"\n') as (site, _, caller, daemon):
        daemon.app.shared.paused_feeds.add("main")
        await site.clock.sleep(10)
        site.house.warehouse.store_sale("A", LOCATION, 3)
        site.house.warehouse.receipt("B", LOCATION, 2)
        body = json.dumps({"changed": [{"sku": "A"}, {"sku": "B"}]}).encode()
        assert await caller.call(body) == (202, {"status": "stored", "items": 2})
        await site.until_stock({"A": 7, "B": 8}, SETTLED_SECONDS)
        assert await daemon.cases(CaseKind.NEEDS_RESYNC) == []


@virtual
async def test_f115_a_disk_without_room_takes_no_call() -> None:
    """503, again and again; with room the same call is stored."""
    async with calling(304) as (site, _, caller, daemon):
        daemon.app.store._session.free_space_floor_bytes = 2**62
        body = caller.level(1, "A", 4)
        for _ in range(3):
            assert (await caller.call(body, "m"))[0] == 503
            await site.clock.sleep(3)
        daemon.app.store._session.free_space_floor_bytes = 0
        await site.clock.sleep(10)
        assert (await caller.call(body, "m"))[0] == 202
        await site.until_stock({"A": 4})


@virtual
async def test_a_copied_database_takes_no_call() -> None:
    """The daemon stands aside: the one that writes is to be called."""
    async with inside(seed=305) as (site, house):
        site.open({"A": 10})
        caller = Caller(site, house)
        async with house.daemon(feed=caller.feeds()):
            await site.until_stock({"A": 10})
        async with house.daemon(host="b", ready=False):
            await site.clock.sleep(5)
            status, told = await caller.call(caller.level(1, "A", 4))
            assert (status, told["code"]) == (503, "not_reading")


@virtual
async def test_f117_calls_that_are_signed_with_another_secret_are_told_to_people() -> None:
    """Nothing comes in: the status says whose secret to compare, and the silence becomes a case."""
    async with calling(306) as (site, _, caller, daemon):
        assert (await caller.call(caller.level(1, "A", 4), secret=NEXT_SECRET))[0] == 401
        assert "feed-calls" in daemon.app.shared.notes["calls calls"]
        case = await daemon.until_case(CaseKind.STALE_FEED, seconds=300)
        assert case is not None
        assert case.scope == "calls"
        assert (await caller.call(caller.level(1, "A", 4)))[0] == 202
        assert "calls calls" not in daemon.app.shared.notes
        await daemon.until_case(CaseKind.STALE_FEED, open_=False)
        await site.until_stock({"A": 4})


@virtual
async def test_f118_a_source_that_falls_silent_is_told_and_a_heartbeat_is_enough() -> None:
    """The daemon's own looks at an empty inbox are no sign of life."""
    async with calling(307) as (site, _, caller, daemon):
        for number in range(1, 12):
            beat = {"id": f"h{number}", "type": "feed.heartbeat", "seq": str(number), "at": rfc3339(0)}
            assert (await caller.call(batch(beat)))[0] == 202
            await site.clock.sleep(25)
        assert await daemon.cases(CaseKind.STALE_FEED) == []
        await daemon.until_case(CaseKind.STALE_FEED, seconds=300)


@virtual
async def test_f096_f097_what_calls_lost_is_found_in_the_partner_s_next_full() -> None:
    """A call that never arrived leaves no gap that could be seen; the full, taken later, has what it said."""
    async with calling(308) as (site, _, caller, daemon):
        daemon.app.shared.paused_feeds.add("main")
        await site.clock.sleep(10)
        assert (await caller.call(caller.level(1, "A", 4)))[0] == 202
        await site.until_stock({"A": 4})
        for sku, pieces in (("A", 2), ("B", 1)):
            site.house.warehouse.room.recount(sku, LOCATION, pieces)
        await site.clock.sleep(10)
        assert (site.stock("A"), site.stock("B")) == (4, 6)
        await daemon.app.store.feeds.needs_snapshot("main", "cursor_expired")
        daemon.app.shared.paused_feeds.discard("main")
        daemon.app.tails["main"].wake()
        await site.until_stock({"A": 2, "B": 1})


@virtual
async def test_f094_f110_old_records_in_a_new_call_change_nothing() -> None:
    """Their ids and positions are known, whatever the message is called and whenever it was sent; nor does a restart forget."""
    async with calling(314) as (site, _, caller, daemon):
        daemon.app.shared.paused_feeds.add("main")
        await site.clock.sleep(10)
        old, new = caller.level(1, "A", 9), caller.level(2, "A", 4)
        for body in (old, new):
            assert (await caller.call(body))[0] == 202
        await site.until_stock({"A": 4})
        for body in (old, new, old):
            assert (await caller.call(body))[0] == 202
        await site.stays(lambda: site.stock("A") == 4, "an old level came back", 20)
        assert (await daemon.app.store.feeds.state("calls")).stale_total == 3
        assert await daemon.app.store.cases.listed() == []


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.MISCOUNT, FaultKind.EMPTY])
@virtual
async def test_f100_f102_a_broken_full_of_the_partner_is_not_used_and_calls_go_on(kind: FaultKind) -> None:
    """A new epoch of calls asks for it: what does not add up is refused and asked for again, what is empty is held."""
    async with calling(315) as (site, _, caller, daemon):
        assert (await caller.call(caller.level(1, "A", 4)))[0] == 202
        await site.until_stock({"A": 4})
        site.house.script.add(Fault(kind, endpoint="snapshots"))
        now = rfc3339(daemon.app.clock.wall_ms())
        assert (await caller.call(batch(level(1, "A", 3, available=3, asOf=now), epoch="e2")))[0] == 202
        held = kind is FaultKind.EMPTY
        await daemon.until_case(CaseKind.HELD_SNAPSHOT if held else CaseKind.INVALID_RECORD)
        assert (site.stock("B"), site.stock("S1")) == (6, 5)
        now = rfc3339(daemon.app.clock.wall_ms())
        assert (await caller.call(batch(level(2, "B", 2, available=2, asOf=now), epoch="e2")))[0] == 202
        await site.until_stock({"B": 2})
        if not held:
            await daemon.until_case(CaseKind.INVALID_RECORD, open_=False, seconds=300)


@virtual
async def test_f101_what_the_partner_s_full_lacks_stays_as_calls_told_it() -> None:
    """Absent is not zero, whoever tells of the key."""
    async with calling(316) as (site, _, caller, daemon):
        assert (await caller.call(caller.level(1, "B", 4)))[0] == 202
        await site.until_stock({"B": 4})
        site.house.script.add(Fault(FaultKind.LACKS_KEYS, endpoint="snapshots", skus=("B",)))
        site.house.warehouse.store_sale("A", LOCATION, 1)
        taken = daemon.app.shared.counters["snapshots"]
        assert (await ask(daemon, "snapshot.request", feed="main"))["done"]
        await site.until(lambda: daemon.app.shared.counters["snapshots"] > taken, "a full of the partner")
        await site.until_stock({"A": 9})
        await site.stays(lambda: site.stock("B") == 4, "a key was emptied for its absence", 20)


@virtual
async def test_two_daemons_cannot_both_be_called_at_one_address() -> None:
    """The second says that nothing listens for its feed, and does all else."""
    async with inside(seed=309) as (site, house):
        site.open({"A": 10})
        caller = Caller(site, house)
        taken = socket.create_server(("127.0.0.1", caller.port))
        try:
            async with house.daemon(feed=caller.feeds()) as daemon:
                await site.until_stock({"A": 10})
                assert "cannot be listened at" in (daemon.app.tails["calls"].fault or "")
        finally:
            taken.close()


@virtual
async def test_f014_a_stop_answers_who_waits_and_ends_in_time() -> None:
    """What was answered with success is stored; whoever else waited was told to come again, or cut off."""
    async with inside(seed=310) as (site, house):
        site.open({"A": 10})
        caller = Caller(site, house)
        async with house.daemon(feed=caller.feeds(), quiet=False) as daemon:
            await site.until_stock({"A": 10})
            calls = [
                asyncio.create_task(caller.call(caller.level(n, "A", 10 - n), f"s{n}")) for n in range(1, 9)
            ]
            await site.clock.sleep(0.01)
            daemon.app.stop()
            answers = await asyncio.gather(*calls, return_exceptions=True)
            for one in answers:
                assert isinstance(one, aiohttp.ClientError) or (
                    isinstance(one, tuple) and one[0] in {202, 503}
                )
            await daemon.task
        stored = {f"s{n}" for n, one in enumerate(answers, 1) if isinstance(one, tuple) and one[0] == 202}
        with sqlite3.connect(house.database()) as file:
            assert stored <= {row[0] for row in file.execute("SELECT id FROM delivery")}


@virtual
async def test_what_a_caller_cannot_be_asked_for_is_refused_with_whom_to_ask() -> None:
    """Neither records nor fulls nor single SKUs come from a source that calls; the feed beside it has them."""
    async with calling(311) as (site, _, caller, daemon):
        asked = (
            ("replay", {"feed": "calls", "sku": "A"}),
            ("replay", {"feed": "calls", "place": "1h"}),
            ("snapshot.request", {"feed": "calls"}),
        )
        for verb, words in asked:
            with pytest.raises(Refusal, match="snapshot request main"):
                await ask(daemon, verb, **words)
        assert (await caller.call(caller.level(1, "A", 4)))[0] == 202
        await site.until_stock({"A": 4})


@virtual
async def test_a_new_epoch_of_calls_has_the_partner_take_a_full() -> None:
    """The source was restored: what it told before may not hold."""
    async with calling(312) as (site, _, caller, daemon):
        taken = daemon.app.shared.counters["snapshots"]
        assert (await caller.call(caller.level(1, "A", 4)))[0] == 202
        await site.clock.sleep(20)
        assert daemon.app.shared.counters["snapshots"] == taken
        now = rfc3339(daemon.app.clock.wall_ms())
        assert (await caller.call(batch(level(1, "A", 3, available=3, asOf=now), epoch="e2")))[0] == 202
        await site.until(lambda: daemon.app.shared.counters["snapshots"] > taken, "a full of the partner")


@virtual
async def test_f115_a_partner_that_hangs_keeps_no_caller_waiting() -> None:
    """What must be read there waits; calls are stored and answered, and once it answers again all of it is read."""
    async with calling(313) as (site, _, caller, daemon):
        daemon.app.shared.paused_feeds.add("main")
        await site.clock.sleep(10)
        hangs, hung = True, 0

        async def hang(asked: Asked) -> Answer | None:
            nonlocal hung
            if hangs and asked.path.startswith("/v1/stock/"):
                hung += 1
                await site.clock.sleep(3600)
            return None

        site.house.before = hang
        site.house.warehouse.store_sale("A", LOCATION, 3)
        move = {"type": "stock.movement", "location": LOCATION, "delta": -1, "state": "available"}
        skus = ["A", "B", "S0", "S1", "S2", "S3"]
        for number in range(1, 31):
            began = site.clock.now()
            items = [
                {**move, "id": f"{sku}{number}", "seq": str(10 * number + place), "sku": sku}
                for place, sku in enumerate(skus)
            ]
            told = batch(*items)
            assert (await caller.call(told))[0] == 202
            assert site.clock.now() - began < 5
            await site.clock.sleep(1)
        assert "silent for" in daemon.app.shared.notes["resync calls"]
        assert 1 <= hung <= 4
        hangs = False
        await site.until_stock({"A": 7}, SETTLED_SECONDS)
        await daemon.until_case(CaseKind.NEEDS_RESYNC, open_=False)
