"""The composition root: settings to running parts, in the order of start and stop. A plain object, usable in tests.

Start: lock, database place, store, control socket, READY; then the lease; then the pumps. Stop: intake first, then what is
in flight, then the lease, the connections and the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from archsyncd import __version__
from archsyncd.adapters import host_lock
from archsyncd.adapters.clock import SteadyClock
from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.adapters.journal import say
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore, open_store
from archsyncd.adapters.systemd import Notifier
from archsyncd.announce import Announcer, status_line
from archsyncd.assembly import (
    RolloutFault,
    base_options,
    drain_options,
    intervals_of,
    order_options,
    proving_options,
    rules_of,
    tail_options,
)
from archsyncd.config import ConfigurationFaults, Settings, changes, in_force
from archsyncd.connections import commercetools_client, feed_of, renew_trust
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_FENCED_OFF, EXIT_RESTART, EXIT_STORE, Fatal
from archsyncd.domain.rules import Rules
from archsyncd.domain.tenure import Tenure
from archsyncd.engine.bases import Bases
from archsyncd.engine.drain import Drain
from archsyncd.engine.limiter import Limiter, Quiesced
from archsyncd.engine.orders import Orders
from archsyncd.engine.ports import Clock, Feed, FencedOff, StoreBroken, StoreFull, StoreNewer
from archsyncd.engine.proving import Proving
from archsyncd.engine.resolve import Resolver
from archsyncd.engine.shared import Shared
from archsyncd.engine.supervise import Pump, Restart, Supervisor, Watch, feed_watchdog
from archsyncd.engine.tail import Freshness, Keeper, Tail
from archsyncd.engine.tenure import Claim, Lease, LeaseNews

STATUS_SECONDS = 1.0
FINISH_SECONDS = 30.0
RELEASE_SECONDS = 5.0
TAIL_LIMIT_SECONDS = 120.0
LOGGER = logging.getLogger("archsyncd")


def _nothing() -> None:
    pass


def _pump_of(feed: str) -> str:
    return f"feed {feed}"


@dataclass(frozen=True, slots=True)
class World:
    """What the process stands in: time, chance, secrets, names. Tests pass their own.

    `secret(name)` gives a credential's text; `new_id()` a fresh random id; `reload()` reads the configuration again.
    `tick` is called every second; `control` serves operators while the daemon runs.
    """

    clock: Clock
    chance: Callable[[], float]
    secret: Callable[[str], str]
    new_id: Callable[[], str]
    host_id: str
    host_name: str
    pid: int
    notifier: Notifier
    reload: Callable[[], Settings]
    tick: Callable[[], None] = _nothing
    control: Callable[[App], contextlib.AbstractAsyncContextManager[object]] | None = None


class App:
    """The daemon. `run` returns when it was stopped and raises Fatal when it must end with a status of its own."""

    def __init__(self, settings: Settings, world: World) -> None:
        world = replace(world, clock=SteadyClock(world.clock))
        self.settings = settings
        self.world = world
        self.clock = world.clock
        self.version = __version__
        self.started_monotonic = world.clock.monotonic()
        self.shared = Shared(world.clock)
        project = settings.commercetools
        self.limiter = Limiter(
            float(project.requests_per_second),
            float(project.burst),
            project.max_in_flight,
            world.clock,
            world.chance,
        )
        self.client: HttpCommercetools = commercetools_client(settings, world, self.limiter)
        self.watch = Watch(world.clock)
        self.feeds: Sequence[Feed] = [
            feed_of(each, world, self.watch.beater(_pump_of(each.name))) for each in settings.feeds
        ]
        self.announcer = Announcer(LOGGER, self.shared, self.limiter)
        self.tenure_text = "not taken yet"
        self.tails: dict[str, Tail] = {}
        self.store: SqliteStore
        self.drain: Drain
        self.bases: Bases
        self.orders: Orders
        self.freshness: Freshness
        self.keeper: Keeper
        self.ready = asyncio.Event()
        self._rules_wanted: Rules
        self._reckoning = asyncio.Lock()
        self._begun = asyncio.Event()
        self._ended = False
        self._supervisor = Supervisor(
            world.clock,
            world.chance,
            self.watch,
            quiesce=self._quiesce,
            tell=self._restarted,
            finish_seconds=FINISH_SECONDS,
        )

    async def run(self) -> None:
        """Start, work until stopped, stop."""
        self._rules_wanted = rules = self._rules(self.settings)
        state_dir = self.settings.daemon.state_dir
        lock = host_lock.take(state_dir, self.world.pid)
        try:
            place = host_lock.check_database_place(state_dir / DATABASE_NAME)
            for warning in place.warnings:
                say(LOGGER, Event.PLACE_DOUBTFUL, warning)
            self.store = await self._open(state_dir, rules)
            self._file = host_lock.identity(state_dir / DATABASE_NAME)
            try:
                await self._run_with_store()
            finally:
                for feed in self.feeds:
                    await feed.close()
                await self.client.close()
                await self.store.close()
        finally:
            self._ended = True
            self._begun.set()
            lock.release()

    def _rules(self, settings: Settings) -> Rules:
        try:
            return rules_of(settings)
        except RolloutFault as fault:
            raise Fatal(EXIT_CONFIGURATION, str(fault)) from fault

    async def _open(self, state_dir: Path, rules: Rules) -> SqliteStore:
        project = f"{self.settings.commercetools.project_key} at {self.settings.commercetools.api_address}"
        try:
            store = await open_store(
                state_dir,
                self.clock,
                rules,
                project=project,
                host=self.world.host_id,
                new_ledger_id=self.world.new_id(),
            )
        except StoreNewer as error:
            raise Fatal(EXIT_STORE, str(error)) from error
        except StoreFull as error:
            # Room or the other process's lock may be back at the next start.
            raise Fatal(EXIT_RESTART, str(error)) from error
        except StoreBroken as error:
            raise Fatal(
                EXIT_STORE,
                f"{error}. Look at the disk first; then move the file aside and start again: stock is taken over anew "
                "from the markers in commercetools and a snapshot, and nothing is raised before it is proven",
            ) from error
        if store.ledger.project != project:
            await store.close()
            raise Fatal(
                EXIT_CONFIGURATION,
                f"{state_dir / DATABASE_NAME} belongs to the project {store.ledger.project}, the configuration names "
                f"{project}: give each project its own state_dir",
            )
        store.listen(self.announcer.case)
        return store

    async def _run_with_store(self) -> None:
        copied = self.store.ledger.host != self.world.host_id
        if copied:
            self.shared.notes["host"] = (
                "the database was made on another host, so nothing is written: if this host takes over for good, "
                "stop the service and run `archsyncd adopt`"
            )
        self._build(writes=not copied)
        self._begun.set()
        watchdog = self._start_watchdog()
        try:
            async with self.world.control(self) if self.world.control else contextlib.nullcontext():
                self.world.notifier.ready("started; the lease is being taken")
                say(
                    LOGGER,
                    Event.STARTED,
                    f"archsyncd {__version__}: the store is open",
                )
                await self._work()
        finally:
            if watchdog is not None:
                watchdog.cancel()
                await asyncio.gather(watchdog, return_exceptions=True)

    def _start_watchdog(self) -> asyncio.Task[None] | None:
        interval = self.world.notifier.watchdog_seconds
        if interval is None:
            return None
        return asyncio.create_task(
            feed_watchdog(self.watch, self.clock, interval, self.world.notifier.watchdog), name="watchdog"
        )

    def _build(self, *, writes: bool) -> None:
        settings, shared, chance = self.settings, self.shared, self.world.chance
        beater = self.watch.beater
        options = replace(drain_options(settings, self.store.ledger.id, 0), writes=False)
        self.drain = Drain(self.store, self.client, self.limiter, shared, options, beater("drain"))
        self._writes = writes
        self.resolver = Resolver(
            self.store, self.client, self.limiter, shared, self.drain, chance, beater("resolve")
        )
        self.bases = Bases(
            self.store, self.client, self.limiter, shared, self.drain, base_options(settings), beater("bases")
        )
        self.orders = Orders(
            self.store, self.client, self.limiter, shared, order_options(settings), beater("orders")
        )
        self.proving = Proving(
            self.store, self.feeds, self.orders, shared, proving_options(settings), beater("proving")
        )
        for feed in self.feeds:
            options_of_feed = tail_options(settings, feed.name)
            self.tails[feed.name] = Tail(
                feed, self.store, shared, options_of_feed, chance, beater(_pump_of(feed.name))
            )
        self.freshness = Freshness(self.store, shared, intervals_of(settings), beater("freshness"))
        self.keeper = Keeper(self.store, shared, settings.guards.absent, beater("keeper"))

    async def _work(self) -> None:
        """Take the lease, hold the store under it, and run the pumps until stopped."""
        lease = Lease(
            self.client, self.limiter, self.clock, self.world.chance, await self._claim(), self._lease_news
        )
        self.shared.may_increase = lease.may_increase
        self.shared.late_until = lambda: lease.predecessor_gone_at
        tenure = await self._acquire(lease)
        if tenure is None:
            return
        try:
            doubts = await self.store.take_tenure(tenure)
        except FencedOff as error:
            raise Fatal(EXIT_FENCED_OFF, str(error)) from error
        if doubts:
            say(
                LOGGER,
                Event.STARTED,
                f"{doubts} operations in doubt: their entries are read before anything else",
            )
        await self.store.mend_times()
        if self.store.ledger.rules != self._rules_wanted.fingerprint():
            await self.store.begin_rules(self._rules_wanted)
        self.tenure_text = f"held with fence {tenure.fence} by {tenure.name}"
        self.drain.options = replace(
            drain_options(self.settings, self.store.ledger.id, tenure.fence),
            writes=self._writes and self.settings.rollout.stage != "plan",
        )
        self.ready.set()
        pumps = self._pumps(lease)
        try:
            await self._supervisor.run(pumps)
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(RELEASE_SECONDS):
                    await lease.release()

    async def _acquire(self, lease: Lease) -> Tenure | None:
        """Wait for the lease, or for the stop: as a standby that may be long, and a call under way must not hold it up."""
        acquiring = asyncio.ensure_future(lease.acquire())
        stopped = asyncio.ensure_future(self.shared.stop.wait())
        try:
            await asyncio.wait({acquiring, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return acquiring.result() if acquiring.done() else None
        except Quiesced:
            return None
        finally:
            acquiring.cancel()
            stopped.cancel()
            await asyncio.gather(acquiring, stopped, return_exceptions=True)

    async def _claim(self) -> Claim:
        holder = f"{self.world.host_name}:{self.world.pid}:{self.world.new_id()}"
        seconds = float(self.settings.lease.seconds)
        fence = await self.store.fence()
        if seconds <= 0:
            # Without a lease service nothing else counts the tenures. Counting by the clock keeps the fence rising even
            # when an old copy of the database is put back.
            fence = max(fence + 1, self.clock.wall_ms() // 1000)
        return Claim(self.store.ledger.id, holder, seconds, fence)

    def _pumps(self, lease: Lease) -> list[Pump]:
        held_back = lambda: self.limiter.held_back  # noqa: E731 - one word for six pumps
        asking_seconds = TAIL_LIMIT_SECONDS + max((feed.step_seconds for feed in self.feeds), default=0.0)
        pumps = [
            Pump("lease", partial(self._keep_lease, lease), excused=held_back),
            Pump("rules", self._reckon),
            Pump("drain", self.drain.run, excused=held_back),
            Pump("resolve", self.resolver.run, excused=held_back),
            Pump("bases", self.bases.run, excused=held_back),
            Pump("proving", self.proving.run, limit_seconds=asking_seconds, excused=held_back),
            Pump("freshness", self.freshness.run),
            Pump("keeper", self.keeper.run),
            Pump("status", self._tell_status),
        ]
        if self.settings.orders.mode != "off":
            pumps.append(Pump("orders", self.orders.run, excused=held_back))
        pumps += [
            Pump(_pump_of(feed.name), self.tails[feed.name].run, TAIL_LIMIT_SECONDS + feed.step_seconds)
            for feed in self.feeds
        ]
        return pumps

    async def _keep_lease(self, lease: Lease) -> None:
        await lease.keep(self.shared.stop, self.watch.beater("lease"))
        await self.shared.stop.wait()

    async def _reckon(self) -> None:
        """Targets reckoned by other rules than those wanted are reckoned anew, beside everything else."""
        while not self.shared.stopping:
            self.watch.beat("rules")
            await self._put_rules_in_force()
            await self.shared.rest(STATUS_SECONDS)

    async def _put_rules_in_force(self) -> None:
        async with self._reckoning:
            if self.store.ledger.rules != self._rules_wanted.fingerprint():
                await self.store.use_rules(self._rules_wanted, self.watch.beater("rules"))

    async def _tell_status(self) -> None:
        while not self.shared.stopping:
            self.watch.beat("status")
            self.world.tick()
            self.announcer.look()
            self._look_at_file()
            backlog = await self.store.report.backlog()
            cases = await self.store.cases.counts()
            self.world.notifier.status(status_line(self, backlog, cases))
            await self.shared.rest(STATUS_SECONDS)

    def _look_at_file(self) -> None:
        path = self.settings.daemon.state_dir / DATABASE_NAME
        if not host_lock.still_there(path, self._file):
            raise Fatal(
                EXIT_STORE,
                f"{path} was moved, replaced or removed while the daemon runs: what it writes is lost to the next start. "
                "Put the right file in place and start again",
            )

    def _lease_news(self, news: LeaseNews) -> None:
        self.tenure_text = news.sentence
        self.announcer.lease(news)
        self.world.notifier.status(news.sentence)

    def _restarted(self, restart: Restart) -> None:
        self.announcer.restart(restart)

    def stop(self) -> None:
        """Begin the stop; a second call leaves at once."""
        if not self._supervisor.stopping:
            self.world.notifier.stopping("stopping: what is in flight comes in")
            say(LOGGER, Event.STOPPING, "stopping: nothing new begins, what is in flight comes in")
        self._supervisor.stop()

    def _quiesce(self) -> None:
        self.shared.begin_stop()
        self.limiter.quiesce()
        for tail in self.tails.values():
            tail.stop()

    async def reload(self) -> list[str]:
        """Read the configuration again and put what can be into force; the paths that need a restart.

        Raises ConfigurationFaults or Fatal, and nothing has changed then.
        """
        await self._begun.wait()
        if self._supervisor.stopping or self._ended:
            return []
        self.world.notifier.reloading(self.clock.monotonic())
        try:
            fresh = self.world.reload()
            rules = self._rules(fresh)
            reloadable, restart = changes(self.settings, fresh)
            renew_trust(self.client, self.feeds, self.settings.feeds)
            await self._put_in_force(in_force(self.settings, fresh), rules)
        except (ConfigurationFaults, Fatal) as fault:
            say(LOGGER, Event.CONFIGURATION_REFUSED, f"the configuration before stays in force: {fault}")
            raise
        finally:
            self.world.notifier.ready("running")
        what = ", ".join(reloadable) or "nothing new"
        later = f"; a restart is needed for {', '.join(restart)}" if restart else ""
        say(LOGGER, Event.RELOADED, f"in force now: {what}{later}")
        return restart

    async def _put_in_force(self, kept: Settings, rules: Rules) -> None:
        self.settings = kept
        LOGGER.setLevel(kept.daemon.log_level.upper())
        project = kept.commercetools
        self.limiter.retune(float(project.requests_per_second), float(project.burst), project.max_in_flight)
        options = drain_options(kept, self.store.ledger.id, self.drain.options.fence)
        self.drain.options = replace(options, writes=options.writes and self._writes and self.ready.is_set())
        self.bases.options = base_options(kept)
        self.orders.options = order_options(kept)
        self.proving.options = proving_options(kept)
        self.keeper.absent = kept.guards.absent
        for name, tail in self.tails.items():
            tail.options = tail_options(kept, name)
        self.freshness.intervals = intervals_of(kept)
        self._rules_wanted = rules
        if self.ready.is_set():
            # Without room for it now the pump that keeps the rules goes on trying.
            with contextlib.suppress(StoreFull):
                await self._put_rules_in_force()
        self.shared.work.set()
        self.shared.bases.set()


async def adopt(settings: Settings, world: World) -> str:
    """Let the database in the state directory belong to this host. Raises Fatal."""
    state_dir = settings.daemon.state_dir
    lock = host_lock.take(state_dir, world.pid)
    try:
        store = await open_store(
            state_dir,
            world.clock,
            rules_of(settings),
            project="",
            host=world.host_id,
            new_ledger_id=world.new_id(),
        )
        try:
            await store.move_to_host(world.host_id)
            return f"the database of {store.ledger.project or 'a new project'} belongs to this host now"
        finally:
            await store.close()
    finally:
        lock.release()
