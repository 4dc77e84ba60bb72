"""Foreign warehouses that tell what moved, to a queue and by calls, beside a file each night: through the whole daemon.

What their messages cannot guarantee is played too: what was never told shows in the next file.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from archsyncd.domain.cases import CaseKind
from archsyncd.simulators.pubsub import Broker, serve
from archsyncd.simulators.pubsub.broker import Subscription as Inside
from tests.adapters.feeds.dropping import Drop
from tests.adapters.feeds.subscribing import NAME, TOPIC, encoded
from tests.dialects.houses import written
from tests.dialects.tellers import SITE, counted, tally, tally_profile, ticker, ticker_profile
from tests.dialects.test_daemon import LOCAL, NIGHTLY, ON_HAND, file_at, opened
from tests.process.site import Site
from tests.support.virtual_time import virtual
from tests.system.inside import House, inside
from tests.system.queueing import QUEUE
from tests.system.test_push import Caller

FULLS = LOCAL | {"fields": {**LOCAL["fields"], "asOf": {"part": "time"}}}
BESIDE = 'snapshot_from = "nightly"\nprofile = "site.json"'
CALLS = """
[[feed]]
name = "calls"
transport = "push"
listen = "127.0.0.1:{port}"
interval_seconds = 86400
{more}
"""


def nightly(place: House, profile: dict[str, Any]) -> tuple[Drop, str]:
    """The directory of nightly files and its table; the profile of what is told between them is written too."""
    root = place.place() / "drop"
    root.mkdir(exist_ok=True)
    (place.place() / "nightly.json").write_bytes(written(FULLS))
    (place.place() / "site.json").write_bytes(written(profile))
    return Drop(root, feed="nightly"), NIGHTLY.format(root=root)


class Publisher:
    """Publishes a tally's events."""

    def __init__(self, site: Site, broker: Broker) -> None:
        self._site = site
        self._broker = broker
        self.inside: Inside = broker.subscribe(NAME, TOPIC)

    def say(self, *events: dict[str, Any]) -> None:
        self.say_bytes(tally(*events))

    def say_bytes(self, data: bytes) -> None:
        self._broker.publish(TOPIC, encoded(data), SITE)

    async def all_taken(self) -> None:
        """Nothing is left in the queue, whatever became of it here."""
        await self._site.until(
            lambda: not self.inside.out and not self.inside.backlog, "every message is acknowledged"
        )


@asynccontextmanager
async def queueing(seed: int) -> AsyncIterator[tuple[Site, House, Publisher, Drop, str]]:
    """A shop in step with last night's file, and a queue that tells what has moved since."""
    async with inside(seed=seed) as (site, place):
        opened(site)
        broker = Broker(site.clock, random.Random(seed))
        broker.pull_seconds = 5.0
        async with serve(broker) as url:
            publisher = Publisher(site, broker)
            drop, table = nightly(place, tally_profile())
            tables = QUEUE.format(name=NAME, address=url.removeprefix("http://"), more=BESIDE) + table
            yield site, place, publisher, drop, tables


@virtual
async def test_f095_f114_a_queue_in_foreign_words_keeps_the_shop_in_step() -> None:
    """Twice and in any order, across a restart; of one second the figure that was sent later counts."""
    async with queueing(311) as (site, place, queue, drop, tables):
        queue.inside.switches.twice = queue.inside.switches.shuffle = True
        async with place.daemon(feed=tables, locations=ON_HAND):
            file_at(drop, place.clock.wall_ms(), "A;5\nB;7\nC;3\n")
            await site.until_stock({"A": 5, "B": 7, "C": 3})
            await site.clock.sleep(120)
            now = place.clock.wall_ms()
            queue.say(counted("A", 4, now), {"kind": "text", "art": "A"})
            await site.until_stock({"A": 4})
            queue.say(counted("A", 9, now - 60_000), counted("B", 6, now))
            await site.until_stock({"B": 6})
            await site.clock.sleep(1)
            queue.say(counted("B", 2, now))
            await site.until_stock({"A": 4, "B": 2})
        queue.say(counted("C", 1, place.clock.wall_ms()))
        async with place.daemon(feed=tables, locations=ON_HAND):
            await site.until_stock({"A": 4, "B": 2, "C": 1})
            await queue.all_taken()
            await site.stays(lambda: site.stock("A") == 4, "an older figure came back", 30)


@virtual
async def test_f096_f104_what_a_foreign_queue_tells_wrongly_or_not_at_all() -> None:
    """A spoilt record and a spoilt message are cases and acknowledged; a bare movement waits; the next file heals."""
    async with (
        queueing(312) as (site, place, queue, drop, tables),
        place.daemon(feed=tables, locations=ON_HAND) as daemon,
    ):
        file_at(drop, place.clock.wall_ms(), "A;5\nB;7\nC;3\n")
        await site.until_stock({"A": 5, "B": 7, "C": 3})
        await site.clock.sleep(120)
        now = place.clock.wall_ms()
        queue.say(counted("A", "vier", now), counted("B", 6, now))
        queue.say_bytes(b"<html>")
        await site.until_stock({"B": 6})
        found = {case.code: case for case in await daemon.cases(CaseKind.INVALID_RECORD)}
        assert set(found) == {"unreadable", "not_an_integer"}
        assert "site.json:" in found["not_an_integer"].reason
        assert "onHand" in found["not_an_integer"].reason
        assert '/pieces (it is "vier")' in found["not_an_integer"].reason
        await queue.all_taken()
        assert site.stock("A") == 5
        queue.say({"kind": "diff", "art": "C", "diff": -1, **_at(counted("C", 0, now))})
        await daemon.until_case(CaseKind.NEEDS_RESYNC)
        assert site.stock("C") == 3
        await site.clock.sleep(120)
        # Nobody told of A by a message that can be read, and nobody of Z0 at all.
        file_at(drop, place.clock.wall_ms(), "A;4\nB;6\nC;2\n")
        await site.until_stock({"A": 4, "B": 6, "C": 2})
        await daemon.until_case(CaseKind.NEEDS_RESYNC, open_=False)


def _at(event: dict[str, Any]) -> dict[str, Any]:
    return {"at": event["at"]}


@virtual
async def test_f095_f115_calls_in_foreign_words_keep_the_shop_in_step() -> None:
    """A call that is sent again is known; one that was late changes nothing; what no profile reads is kept for a person."""
    async with inside(seed=313) as (site, place):
        opened(site)
        caller = Caller(site, place)
        drop, table = nightly(place, ticker_profile())
        tables = CALLS.format(port=caller.port, more=BESIDE) + table
        async with place.daemon(feed=tables, locations=ON_HAND) as daemon:
            file_at(drop, place.clock.wall_ms(), "A;5\nB;7\n")
            await site.until_stock({"A": 5, "B": 7})
            await site.clock.sleep(120)
            now = place.clock.wall_ms()
            newest = ticker(("A", 4, now), ("B", 6, now))
            assert await caller.call(newest, "c2") == (202, {"status": "stored", "items": 2})
            assert await caller.call(newest, "c2") == (200, {"status": "duplicate"})
            assert (await caller.call(ticker(("A", 9, now - 30_000)), "c1"))[0] == 202
            await site.until_stock({"A": 4, "B": 6})
            assert (await caller.call(newest, "c3", secret="another-secret-16"))[0] == 401
            assert await caller.call(json.dumps({"hello": 1}).encode(), "c4") == (
                202,
                {"status": "stored", "items": 1},
            )
            case = await daemon.until_case(CaseKind.INVALID_RECORD)
            assert case is not None
            assert "site.json: " in case.reason
            await site.stays(lambda: site.stock("A") == 4, "an older figure came back", 30)
        async with place.daemon(feed=tables, locations=ON_HAND):
            await site.clock.sleep(10)
            assert (await caller.call_until_taken(newest, "c2"))[0] == 200
            await site.clock.sleep(120)
            # What no call has told shows in the next file.
            file_at(drop, place.clock.wall_ms(), "A;4\nB;5\n")
            await site.until_stock({"A": 4, "B": 5})
