"""Four ways from one warehouse's log to a daemon, each with the disorder that belongs to it. Knows neither shop nor ledger.

Whatever a carrier does to records, a source may do by the contract: tell them again, let them overtake each other, keep some
back for a while. None is lost, unless a control has `Stream.lose` do so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from archsyncd.simulators.r247 import Answer, Asked, Fault, FaultKind
from archsyncd.simulators.r247.drop import DropFault, DropStyle, DropWriter
from archsyncd.simulators.r247.exchange import JSON
from archsyncd.simulators.r247.log import CursorRefused, LogRecord
from tests.process.harness import PULL
from tests.process.site import LOCATION, Site
from tests.system.inside import House
from tests.system.queueing import Publisher, publishing
from tests.system.test_push import Caller

STEP_SECONDS = 0.25
# How long a record is kept back at most, and how long the partner's list waits, which tells nothing.
LATE_SECONDS = 1.5
# The source is quiet for a while after it was restored; by then it has told of its new epoch.
OLD_SECONDS = 12.0
WAIT_SECONDS = 5.0
TAKEN = frozenset({200, 202})
DROP = '[[feed]]\nname = "main"\ntransport = "drop"\ndirectory = "{0}"\ninterval_seconds = 15\n'
PUSH = """
[[feed]]
name = "main"
transport = "push"
listen = "127.0.0.1:{port}"
snapshot_from = "partner"
interval_seconds = 15
"""


class Told(NamedTuple):
    """A record, and the epoch in which it was told."""

    epoch: str
    record: LogRecord


class Stream:
    """What the warehouse tells, over epochs, for carriers that are given it."""

    def __init__(self, site: Site) -> None:
        self.told: list[Told] = []
        self._log = site.house.log
        self._warehouse = site.house.warehouse
        self._lost: set[int] = set()
        self._taken = 0
        self._through = 0

    def look(self) -> None:
        """Write down what is new."""
        found = self._log.after(self._through, 1_000_000, None, None)
        self._through = found.through
        self.told += [Told(self._log.epoch, record) for record in found.records]

    def lose(self, seq: int) -> None:
        """No carrier is given the record that was told a moment ago under this number."""
        self.look()
        found = [place for place, one in enumerate(self.told) if one.record.seq == seq]
        assert found[-1] >= self._taken, "it was given away already"
        self._lost.add(found[-1])

    def take(self) -> list[Told]:
        """What is new since the last call."""
        self.look()
        first, self._taken = self._taken, len(self.told)
        self._log.mark_served(self._log.head_seq)
        return [one for place, one in enumerate(self.told[first:], first) if place not in self._lost]

    def restore(self, epoch: str) -> None:
        """The source comes back with the same books under another epoch."""
        self.look()
        self._warehouse.restore(self._warehouse.backup(), epoch)
        self._through = 0


class Carrier(Protocol):
    """A way to the daemon. `disorder`: records may come twice and overtake each other, else as they were told."""

    disorder: bool

    @property
    def tables(self) -> str:
        """The [[feed]] tables; the one that carries is "main"."""
        ...

    async def run(self) -> None:
        """Carry for ever."""
        ...

    async def restored(self) -> None:
        """The epoch has changed: what such a source does then."""
        ...


class Pulled:
    """The source's own list over HTTP: pages with records twice and in any order, and pages that come again."""

    def __init__(self, site: Site, stream: Stream, chance: random.Random) -> None:
        self.disorder = True
        self._site = site
        self._stream = stream
        self._chance = chance

    @property
    def tables(self) -> str:
        return PULL.format(house_url=self._site.house_url, feed_more="")

    async def run(self) -> None:
        kinds = (FaultKind.DUPLICATE, FaultKind.REORDER, FaultKind.REPEAT)
        script = self._site.house.script
        while True:
            self._stream.look()
            if self.disorder and not script.waiting:
                script.add(Fault(self._chance.choice(kinds)))
            await self._site.clock.sleep(STEP_SECONDS)

    async def restored(self) -> None:
        """Its list answers the old place with 410 by itself."""


class Given:
    """What carriers share that are given the records: they look for new ones, and keep some of them back."""

    def __init__(self, site: Site, stream: Stream, chance: random.Random) -> None:
        self.disorder = True
        self._site = site
        self._stream = stream
        self._chance = chance

    async def run(self) -> None:
        while True:
            fresh = self._stream.take()
            if fresh:
                await self._carry(fresh)
            await self._site.clock.sleep(STEP_SECONDS)

    async def _carry(self, fresh: Sequence[Told]) -> None:
        raise NotImplementedError

    def _late(self) -> float:
        """How long something is kept back."""
        late = self.disorder and self._chance.random() < 0.3
        return self._chance.uniform(0.2, LATE_SECONDS) if late else 0.0

    def _groups(self, fresh: Sequence[Told], most: int) -> list[tuple[str, list[LogRecord]]]:
        """Cut into messages of one epoch each, of which some come twice; shuffled while there is disorder."""
        found: list[tuple[str, list[LogRecord]]] = []
        for epoch, run in groupby(fresh, key=lambda one: one.epoch):
            records = [one.record for one in run]
            while records:
                count = self._chance.randint(1, most)
                found.append((epoch, records[:count]))
                records = records[count:]
        if self.disorder:
            found += [one for one in found if self._chance.random() < 0.2]
            self._chance.shuffle(found)
        return found


class Dropped(Given):
    """Files: some appear after their successors, some lie about their time, some are dropped again."""

    def __init__(self, site: Site, stream: Stream, chance: random.Random, directory: Path) -> None:
        super().__init__(site, stream, chance)
        self._directory = directory
        self._writer = DropWriter(directory, DropStyle(), "main", site.house.log)

    @property
    def tables(self) -> str:
        return DROP.format(self._directory)

    async def run(self) -> None:
        await self._full()
        await super().run()

    async def _full(self) -> None:
        answer = await self._site.house.handle(Asked("GET", "/v1/stock", (("limit", "10000"),)))
        items = [orjson.dumps(one) for one in json.loads(answer.body)["items"]]
        self._writer.write("full", items, [LOCATION])

    async def _carry(self, fresh: Sequence[Told]) -> None:
        for kind, run in groupby(fresh, key=lambda one: _kind_of(one.record)):
            records = [one.record.body for one in run]
            late = self._late()
            fault = DropFault.WITHHELD if late else DropFault.OLD_MTIME if self.disorder else None
            file = self._writer.write(kind, records, fault=fault)
            if late:
                asyncio.get_running_loop().call_later(late, self._writer.release)
            elif self.disorder and self._chance.random() < 0.3:
                self._writer.again(file, renumbered=self._chance.random() < 0.5)

    async def restored(self) -> None:
        """It writes a full of the new epoch, and somebody drops a file of the old one once more."""
        old = self._writer.written[-3]
        self._writer.release()
        await self._full()
        self._writer.again(old)


class Published(Given):
    """Messages in a queue: in any order, some of them late, some twice, and some acknowledgements are lost."""

    def __init__(self, site: Site, stream: Stream, chance: random.Random, queue: Publisher) -> None:
        super().__init__(site, stream, chance)
        self._queue = queue
        queue.inside.switches.shuffle = queue.inside.switches.twice = True
        queue.inside.switches.lose_acknowledgements = 3

    @property
    def tables(self) -> str:
        return partner(self._site) + self._queue.table('snapshot_from = "partner"').replace(
            '"queue"', '"main"'
        )

    async def _carry(self, fresh: Sequence[Told]) -> None:
        loop = asyncio.get_running_loop()
        for epoch, records in self._groups(fresh, 5):
            loop.call_later(self._late(), self._say, epoch, records)

    def _say(self, epoch: str, records: Sequence[LogRecord]) -> None:
        alone = len(records) == 1 and self._chance.random() < 0.5
        self._queue.say(records[0].body if alone else b'{"items":[' + _joined(records) + b"]}", epoch=epoch)

    async def restored(self) -> None:
        """Messages of the old epoch are delivered once more, behind those of the new one."""
        for old in self._stream.told[-8:-4]:
            asyncio.get_running_loop().call_later(OLD_SECONDS, self._say, old.epoch, [old.record])


class Called(Given):
    """Signed calls, several at once: some of them late, some twice, and some records in two of them."""

    def __init__(self, site: Site, stream: Stream, chance: random.Random, caller: Caller) -> None:
        super().__init__(site, stream, chance)
        self._caller = caller
        self._calls = asyncio.TaskGroup()
        self._numbers = 0

    @property
    def tables(self) -> str:
        return partner(self._site) + PUSH.format(port=self._caller.port)

    async def run(self) -> None:
        async with self._calls:
            await super().run()

    async def _carry(self, fresh: Sequence[Told]) -> None:
        for epoch, records in self._groups(fresh, 20):
            self._numbers += 1
            name = f"m{self._numbers}"
            for _ in range(2 if self.disorder and self._chance.random() < 0.2 else 1):
                self._send(name, epoch, records, self._late())

    def _send(self, name: str, epoch: str, records: Sequence[LogRecord], late: float) -> None:
        self._calls.create_task(self._call(name, epoch, records, late))

    async def _call(self, name: str, epoch: str, records: Sequence[LogRecord], late: float) -> None:
        await self._site.clock.sleep(late)
        head = {"schema": "r247/1", "feed": self._site.house.config.feed, "epoch": epoch}
        data = orjson.dumps(head)[:-1] + b',"items":[' + _joined(records) + b"]}"
        body = b'{"type":"stock.batch","timestamp":"2026-01-01T00:00:00Z","data":' + data + b"}"
        status, told = await self._caller.call_until_taken(body, name)
        assert status in TAKEN, (status, told)

    async def restored(self) -> None:
        """A call of the old epoch comes behind those of the new one."""
        old = self._stream.told[-8:-4]
        self._send("late", old[0].epoch, [one.record for one in old], OLD_SECONDS)


def partner(site: Site) -> str:
    """The table of a source that is asked for full pictures and single keys, and whose own list of changes tells nothing."""
    house = site.house

    async def without_changes(asked: Asked) -> Answer | None:
        if asked.path.rpartition("/")[2] != "changes":
            return None
        cursor = dict(asked.query).get("cursor", "now")
        with contextlib.suppress(CursorRefused):
            seq = house.log.head_seq if cursor == "now" else house.log.seq_of(cursor)
            await site.clock.sleep(WAIT_SECONDS)
            page: dict[str, object] = {
                "schema": "r247/1",
                "feed": house.config.feed,
                "epoch": house.log.epoch,
                "items": [],
            }
            page |= {"next": house.log.cursor(seq), "more": False, "head": house.log.head()}
            return Answer(200, orjson.dumps(page), {"content-type": JSON})
        return None

    house.before = without_changes
    return PULL.format(house_url=site.house_url, feed_more="").replace('"main"', '"partner"')


def _joined(records: Iterable[LogRecord]) -> bytes:
    """As bytes: a wrong record must arrive as wrong as it was written."""
    return b",".join(record.body for record in records)


def _kind_of(record: LogRecord) -> str:
    family = record.type.partition(".")[0]
    return {"order": "order", "fulfilment": "fulfilment", "return": "return"}.get(family, "delta")


@asynccontextmanager
async def _pulled(site: Site, _house: House, stream: Stream, chance: random.Random) -> AsyncIterator[Carrier]:
    yield Pulled(site, stream, chance)


@asynccontextmanager
async def _dropped(site: Site, house: House, stream: Stream, chance: random.Random) -> AsyncIterator[Carrier]:
    yield Dropped(site, stream, chance, house.directory / "files")


@asynccontextmanager
async def _published(
    site: Site, _house: House, stream: Stream, chance: random.Random
) -> AsyncIterator[Carrier]:
    async with publishing(site, live=False) as queue:
        yield Published(site, stream, chance, queue)


@asynccontextmanager
async def _called(site: Site, house: House, stream: Stream, chance: random.Random) -> AsyncIterator[Carrier]:
    caller = Caller(site, house)
    (house.place() / "credentials" / "feed-calls").rename(house.place() / "credentials" / "feed-main")
    yield Called(site, stream, chance, caller)


Opening = Callable[[Site, House, Stream, random.Random], AbstractAsyncContextManager[Carrier]]
TRANSPORTS: dict[str, Opening] = {
    "pull": _pulled,
    "drop": _dropped,
    "pubsub": _published,
    "push": _called,
}
