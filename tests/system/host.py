"""One process of the daemon in virtual time: its own parts, put together as the application does, and killed without a word."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from archsyncd.adapters.clock import SteadyClock
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore, open_store
from archsyncd.assembly import (
    base_options,
    drain_options,
    order_options,
    proving_options,
    rules_of,
    tail_options,
)
from archsyncd.connections import commercetools_client, feed_of
from archsyncd.domain.feed import Batch, Outcome
from archsyncd.domain.outbox import Lease
from archsyncd.domain.priority import DueClass
from archsyncd.domain.rules import DrainLimits
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.bases import Bases
from archsyncd.engine.dispatching import Dispatching
from archsyncd.engine.drain import Drain
from archsyncd.engine.handing_over import HandOver
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.noting import Noting
from archsyncd.engine.orders import Orders
from archsyncd.engine.ports import Commercetools, Feed, FencedOff
from archsyncd.engine.proving import Proving
from archsyncd.engine.resolve import Resolver
from archsyncd.engine.shared import Shared
from archsyncd.engine.store import Store
from archsyncd.engine.tail import Tail
from tests.system.inside import House, Notes
from tests.system.truth import FEED, Violation, hold

# Nothing is under way for longer here; commercetools' own limit is a minute.
CONFIRM_SECONDS = 15.0
POLL_SECONDS = 3.0
READ_AGAIN = 50
Image: TypeAlias = dict[str, bytes]


class Around:
    """A part with some of its methods replaced; everything else is the part's own."""

    def __init__(self, part: object, **methods: object) -> None:
        self._part = part
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods[name] if name in self._methods else getattr(self._part, name)


@dataclass(frozen=True, slots=True)
class Bent:
    """What stands in the place of a right part; by default the right parts themselves."""

    store: Callable[[Store, Commercetools], Store] = lambda store, _: store
    client: Callable[[Commercetools, Store], Commercetools] = lambda client, _: client
    feed: Callable[[Feed], Feed] = lambda feed: feed
    confirm_seconds: float = CONFIRM_SECONDS


class Host:
    """One process of the daemon: its parts, and its pumps as tasks. `remembers`: what it was told is kept to be told again."""

    remembers = True

    def __init__(self, house: House, bent: Bent, name: str, directory: Path) -> None:
        self.bent = bent
        self.name = name
        self.directory = directory
        self.world = house.world(name, Notes(), name)
        self.settings = house.settings(name)
        self.batches: list[Batch] = []
        self.first: dict[str, float] = {}
        self.fenced = False
        self.dead = False
        self.tasks: list[asyncio.Task[None]] = []
        self._look: sqlite3.Connection | None = None

    async def start(self) -> None:
        """Open the store under a new fence and set the pumps going."""
        bent, settings, world = self.bent, self.settings, self.world
        clock = SteadyClock(world.clock)
        rules = rules_of(settings)
        self.opened = store = await open_store(
            self.directory, clock, rules, project="demo", host="one", new_ledger_id=world.new_id()
        )
        self.ledger = store.ledger.id
        self.shared = shared = Shared(clock)
        project = settings.commercetools
        rate, burst = float(project.requests_per_second), float(project.burst)
        self.limiter = limiter = Limiter(rate, burst, project.max_in_flight, clock, world.chance)
        self.client = commercetools_client(settings, world, limiter)
        self.feed = feed_of(settings.feeds[0], world, _beat)
        watched = self.watched(store)
        client = bent.client(self.client, watched)
        kept = bent.store(watched, client)
        feed = bent.feed(self._recorded(self.feed))
        fence = max(await store.fence() + 1, clock.wall_ms() // 1000)
        await store.take_tenure(Tenure(self.name, fence, self.ledger))
        await store.mend_times()
        if store.ledger.rules != rules.fingerprint():
            await store.use_rules(rules)
        options = replace(drain_options(settings, self.ledger, fence), confirm_seconds=bent.confirm_seconds)
        drain = Drain(kept, client, limiter, shared, options, _beat)
        shared.orders_needed = settings.orders.mode != "off"
        types = MarkerTypes(
            client, limiter, shared, tracked=drain.options.tracked, writes=lambda: drain.options.writes
        )
        resolver = Resolver(kept, client, limiter, shared, drain, types, world.chance, _beat)
        bases = Bases(kept, client, limiter, shared, drain, base_options(settings), types, _beat)
        asking = replace(order_options(settings), poll_seconds=POLL_SECONDS, lookup_after_seconds=5.0)
        orders = Orders(kept, client, limiter, shared, asking, _beat)
        proving = Proving(kept, [feed], orders, shared, proving_options(settings), _beat)
        tail = Tail(feed, kept, shared, tail_options(settings, FEED), world.chance, _beat)
        for part in (
            tail,
            orders,
            bases,
            drain,
            resolver,
            proving,
            *self.carriers(kept, client, feed, orders),
        ):
            name = f"{self.name} {type(part).__name__}"
            self.tasks.append(asyncio.create_task(part.run(), name=name))

    def carriers(
        self, _store: Store, _client: Commercetools, _feed: Feed, _orders: Orders
    ) -> Sequence[HandOver | Dispatching | Noting]:
        """What carries orders over and dispatches back: nothing here, another system does."""
        return ()

    def watched(self, store: SqliteStore) -> Store:
        """The store with an eye on what is leased."""

        async def lease(limits: DrainLimits, limit: int) -> list[Lease]:
            before = await store.feeds.state(FEED)
            taken = await store.outbox.lease(limits, limit)
            raised = [lease for lease in taken if lease.increases and lease.operation.op_id]
            if raised:
                await self._check_raises(store, raised, limits, before.seq)
            return taken

        return cast("Store", Around(store, outbox=Around(store.outbox, lease=lease)))

    async def _check_raises(
        self, store: SqliteStore, raised: Sequence[Lease], limits: DrainLimits, seq: int
    ) -> None:
        """S7: no increase is taken while a decrease is due. S11: none on a base that nothing proves."""
        rows = await store.outbox.rows([lease.key for lease in raised])
        for lease in raised:
            row = rows[lease.key]
            # What a new entry is created with is not more than nothing, where its base is provisional.
            hold(
                "S11",
                row.base.value in ("proven", "bounded") or lease.operation.x_after <= 0,
                f"{lease.key} is raised on a base that is {row.base}",
            )
        left = await store.outbox.most_urgent(limits)
        if (await store.feeds.state(FEED)).seq == seq:
            overdue = [rows[lease.key].since_ms or 0 for lease in raised]
            patient = min(overdue) > limits.overdue_before_ms
            hold("S7", left is None or left > DueClass.DECREASE or not patient, "an increase went first")

    def _recorded(self, feed: Feed) -> Feed:
        """The feed as its source sees it: everything it told, and acknowledgements held against the file (F6)."""

        async def batches(after: str | None) -> AsyncIterator[object]:
            async for event in feed.batches(after):
                if isinstance(event, Batch):
                    self.batches += [event] if self.remembers else []
                    seqs = [one.seq for one in event.records] + [one.seq for one in event.rejects if one.seq]
                    known = self.first.get(event.epoch, float("inf"))
                    self.first[event.epoch] = min(known, *seqs, known)
                yield event

        async def acknowledge(checkpoint: str, outcome: Outcome) -> None:
            stored = self.look("SELECT checkpoint FROM feed WHERE name = ?", FEED)
            hold("F6", [checkpoint] == [row[0] for row in stored], "acknowledged before the commit")
            await feed.acknowledge(checkpoint, outcome)

        return cast("Feed", Around(feed, batches=batches, acknowledge=acknowledge))

    def look(self, question: str, *values: object) -> list[Any]:
        """Ask the file by a connection of its own: it sees what is committed and nothing else."""
        if self._look is None:
            self._look = sqlite3.connect(f"file:{self.directory / DATABASE_NAME}?mode=ro", uri=True)
            self._look.row_factory = sqlite3.Row
        return self._look.execute(question, values).fetchall()

    def check_pumps(self) -> None:
        """No pump ended by itself; a newer fence may end all of them."""
        for task in self.tasks:
            if task.done() and not task.cancelled():
                error = task.exception()
                if isinstance(error, FencedOff):
                    self.fenced = True
                elif isinstance(error, Violation):
                    raise error
                elif not self.fenced:
                    raise Violation("D", f"{task.get_name()} ended: {error!r}")

    def image(self) -> Image:
        """The files of this instant, as a killed process leaves them."""
        names = (f"{DATABASE_NAME}-wal", DATABASE_NAME)

        def read() -> Image:
            paths = [self.directory / name for name in names]
            return {path.name: path.read_bytes() for path in paths if path.exists()}

        found = read()
        for _ in range(READ_AGAIN):
            # Another thread may be writing: only what reads the same twice is of one instant.
            again = read()
            if again == found:
                return found
            found = again
        raise AssertionError("the files never stood still")

    async def end(self) -> None:
        """Nothing it does has an effect any more; what it holds in this process is given back."""
        self.dead = True
        # Its connections first, or else its parts would wait for answers that nobody gives.
        await self.client.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self._look is not None:
            self._look.close()
            self._look = None
        await self.client.close()
        await self.feed.close()
        await self.opened.close()


def _beat() -> None:
    pass
