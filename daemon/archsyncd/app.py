"""The composition root: settings to running parts, in the order of start and stop. A plain object, usable in tests.

Start: lock, database place, store, control socket, READY; then the lease; then the pumps. While the rollout only plans there
is no lease, and nothing is written to commercetools; a reload that goes beyond planning takes it then. A database that was
made on another host touches nothing at all. Stop: intake first, then what is in flight, then the lease, the connections and
the file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial

from archsyncd import __version__
from archsyncd.adapters import host_lock
from archsyncd.adapters.clock import SteadyClock
from archsyncd.adapters.commercetools.client import HttpCommercetools
from archsyncd.adapters.journal import say
from archsyncd.adapters.sqlite.audit_file import AuditFile
from archsyncd.adapters.sqlite.store import DATABASE_NAME, SqliteStore
from archsyncd.adapters.webhook import PushFeed
from archsyncd.alerts import Alerting
from archsyncd.announce import Announcer, status_line
from archsyncd.assembly import (
    base_options,
    carrying_of,
    channel_rests,
    drain_options,
    guards_of,
    hands_over,
    intervals_of,
    order_options,
    proving_options,
    reconcile_options,
    renaming_permission,
    rests,
    tail_options,
)
from archsyncd.beside import changed_beside, contents_beside
from archsyncd.carriers import Carriers, carriers
from archsyncd.config import ConfigurationFaults, Settings, changes, in_force
from archsyncd.connections import (
    commercetools_client,
    drops_of,
    feed_of,
    gives_fulls,
    notices_of,
    reads_keys,
    renew_trust,
    source_of,
)
from archsyncd.domain.events import Event
from archsyncd.domain.fatal import EXIT_CONFIGURATION, EXIT_STORE, Fatal
from archsyncd.domain.rules import Rules, policies_of_text
from archsyncd.engine.alerts import Way
from archsyncd.engine.auditing import Auditing
from archsyncd.engine.bases import Bases
from archsyncd.engine.deliveries import Deliveries
from archsyncd.engine.drain import Drain
from archsyncd.engine.handing_over import HandOver
from archsyncd.engine.history import HistoryKeeper
from archsyncd.engine.kit_watch import KitWatch
from archsyncd.engine.limiter import Limiter
from archsyncd.engine.marker_types import MarkerTypes
from archsyncd.engine.named_feed import NamedFeed
from archsyncd.engine.naming import Naming, Terms
from archsyncd.engine.noticing import Noticing
from archsyncd.engine.orders import HAND_OVER, Orders
from archsyncd.engine.ports import Feed, FencedOff, StoreBroken, StoreFull
from archsyncd.engine.proving import Proving
from archsyncd.engine.reckoning import Reckoning
from archsyncd.engine.reconcile import Reconcile
from archsyncd.engine.renaming import Reloaded, Renaming, RenamingRefused
from archsyncd.engine.resolve import Resolver
from archsyncd.engine.shared import Shared
from archsyncd.engine.supervise import (
    Pump,
    Restart,
    Supervisor,
    Watch,
    ask_for_time,
    feed_watchdog,
    measure_lag,
)
from archsyncd.engine.suspecting import Suspecting
from archsyncd.engine.tail import Freshness, Keeper, Tail
from archsyncd.engine.tenure import LeaseNews
from archsyncd.engine.withholding import Withholding
from archsyncd.holding import Holding
from archsyncd.opening import another_project, damaged, opened, project_of, stated_rules, stated_terms
from archsyncd.operator.status import StatusDesk
from archsyncd.receiving import Tls, receiving, renew_certificates
from archsyncd.world import World

STATUS_SECONDS = 1.0
LAG_NOTED_SECONDS = 2.0
FINISH_SECONDS = 30.0
COPIED = (
    "the database was made on another host, so this one touches nothing: no feed is read, no lease taken, no stock written. If "
    "this host takes over for good, stop the service and run `archsyncd adopt`; else stop it here"
)
TAIL_LIMIT_SECONDS = 120.0
# Where the configuration states the rules of quantities, which may be held.
RULE_PATHS = ("locations.", "channels.", "the content of channels.")
LOGGER = logging.getLogger("archsyncd")


def _pump_of(feed: str) -> str:
    return f"feed {feed}"


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
        self.naming = Naming(Terms())
        self.feeds: Sequence[Feed] = [
            NamedFeed(
                feed_of(each, world, self.watch.beater(_pump_of(each.name)), lambda: self.store.feeds),
                self.naming,
            )
            for each in settings.feeds
        ]
        self._notices = notices_of(settings, world)
        self.announcer = Announcer(
            LOGGER, self.shared, self.limiter, lambda kind: self.settings.owner(kind.value).team
        )
        self.tails: dict[str, Tail] = {}
        self.store: SqliteStore
        self.drain: Drain
        self.deliveries: Deliveries
        self.bases: Bases
        self.reconcile: Reconcile
        self.orders: Orders
        self.freshness: Freshness
        self.keeper: Keeper
        self.suspecting: Suspecting
        self.kit_watch: KitWatch
        self.desk: StatusDesk
        self.history: HistoryKeeper
        self.auditing: Auditing
        self.ready = asyncio.Event()
        self.reckoning: Reckoning
        self.renaming: Renaming
        self.renamed: Reloaded
        self.withholding: Withholding
        self.holding: Holding
        self.carriers: Carriers | None = None
        self.alerting: Alerting
        self.certificates: Sequence[Tls] = ()
        self._begun = asyncio.Event()
        self._ended = False
        self._files = contents_beside(settings)
        self._supervisor = Supervisor(
            world.clock,
            world.chance,
            self.watch,
            quiesce=self._quiesce,
            tell=self._restarted,
            finish_seconds=FINISH_SECONDS,
        )

    @property
    def hand_over(self) -> HandOver | None:
        """What carries orders to Archean, None where another system does."""
        return None if self.carriers is None else self.carriers.hand_over

    @property
    def alert_ways(self) -> Mapping[str, Way]:
        """The ways that alerts take, by name."""
        return self.alerting.ways

    @property
    def tenure_text(self) -> str:
        """The lease's state in one line."""
        return self.holding.text

    async def run(self) -> None:
        """Start, work until stopped, stop."""
        rules = stated_rules(self.settings)
        self.naming.use(stated_terms(self.settings))
        state_dir = self.settings.daemon.state_dir
        lock = host_lock.take(state_dir, self.world.pid)
        try:
            place = host_lock.check_database_place(state_dir / DATABASE_NAME)
            for warning in place.warnings:
                say(LOGGER, Event.PLACE_DOUBTFUL, warning)
            # Checking and migrating a large file may take longer than a start is given.
            async with self._beside(ask_for_time(self.clock, self.world.notifier.extend)):
                self.store = await self._open(rules)
            self._file = host_lock.identity(state_dir / DATABASE_NAME)
            try:
                await self._run_with_store(rules)
            finally:
                async with self._beside(ask_for_time(self.clock, self.world.notifier.extend)):
                    for feed in self.feeds:
                        await feed.close()
                    if self._notices is not None:
                        await self._notices.close()
                    await self.client.close()
                    await self.store.close()
        finally:
            self._ended = True
            self._begun.set()
            lock.release()

    async def _open(self, rules: Rules) -> SqliteStore:
        store = await opened(self.settings, self.world, rules)
        wanted, found = project_of(self.settings), store.ledger.project
        if found != wanted:
            await store.close()
            raise Fatal(EXIT_CONFIGURATION, another_project(self.settings, found, wanted))
        store.listen(self.announcer.case)
        return store

    async def _run_with_store(self, rules: Rules) -> None:
        self._build(rules)
        self._begun.set()
        notifier = self.world.notifier
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._beside(measure_lag(self.watch, self.clock)))
            if notifier.watchdog_seconds is not None:
                feeding = feed_watchdog(self.watch, self.clock, notifier.watchdog_seconds, notifier.watchdog)
                await stack.enter_async_context(self._beside(feeding))
            self.certificates = await stack.enter_async_context(self._receiving())
            if self.world.control:
                await stack.enter_async_context(self.world.control(self))
            notifier.ready("started")
            say(
                LOGGER,
                Event.STARTED,
                f"archsyncd {__version__}: the store is open",
            )
            if hands_over(self.settings) and not self.settings.orders.sync_channel:
                told = "orders.sync_channel is not set: Archean's numbers are not noted on orders, which go all the same"
                say(LOGGER, Event.OTHER, told)
            if self.store.ledger.host == self.world.host_id:
                await self._work()
            else:
                await self._stand_aside()

    def _receiving(self) -> contextlib.AbstractAsyncContextManager[Sequence[Tls]]:
        called = [
            (settings, feed)
            for settings, feed in zip(self.settings.feeds, map(source_of, self.feeds), strict=True)
            if isinstance(feed, PushFeed)
        ]
        return receiving(called, self.shared, self.world.secret, self.world.sockets)

    @contextlib.asynccontextmanager
    async def _beside(self, endless: Coroutine[None, None, None]) -> AsyncIterator[None]:
        """Have something done for as long as the block runs."""
        task = asyncio.create_task(endless)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _build(self, rules: Rules) -> None:
        self._build_writers()
        self._build_readers()
        self._build_judges(rules)
        self._build_carriers()
        self.desk = StatusDesk(self)
        self.alerting = Alerting(self, self.world, self.watch.beater)

    def _build_writers(self) -> None:
        settings, shared, beater = self.settings, self.shared, self.watch.beater
        options = replace(drain_options(settings, self.store.ledger.id, 0), writes=False)
        self.drain = Drain(self.store, self.client, self.limiter, shared, options, beater("drain"))
        self.holding = holding = Holding(
            self.world,
            lambda: self.settings,
            self.store,
            self.client,
            self.limiter,
            shared,
            self.drain,
            beater("lease"),
            self._lease_news,
        )
        shared.may_increase = lambda: holding.lease is None or holding.lease.may_increase()
        shared.late_until = lambda: None if holding.lease is None else holding.lease.predecessor_gone_at
        shared.orders_needed = settings.orders.mode != "off"
        types = MarkerTypes(
            self.client,
            self.limiter,
            shared,
            tracked=options.tracked,
            writes=lambda: self.drain.options.writes,
        )
        self.resolver = Resolver(
            self.store,
            self.client,
            self.limiter,
            shared,
            self.drain,
            types,
            self.world.chance,
            beater("resolve"),
        )
        self.deliveries = Deliveries(
            self.store.deliveries,
            self.client,
            self.limiter,
            shared,
            lambda: self.drain.options.writes,
            lambda: self.drain.batch_now,
            beater("deliveries"),
        )
        self.drain.riders = self.deliveries
        shared.listed = self.deliveries.compare
        self.bases = Bases(
            self.store,
            self.client,
            self.limiter,
            shared,
            self.drain,
            base_options(settings),
            types,
            beater("bases"),
        )
        self.reconcile = Reconcile(
            self.store,
            self.client,
            self.limiter,
            shared,
            self.drain,
            reconcile_options(settings),
            beater("reconcile"),
            self.announcer.reconciled,
        )

    def _build_readers(self) -> None:
        settings, shared, beater = self.settings, self.shared, self.watch.beater
        self.orders = Orders(
            self.store,
            self.client,
            self.limiter,
            shared,
            order_options(settings),
            beater("orders"),
            lambda: not self.holding.planning,
        )
        self.proving = Proving(
            self.store, self.feeds, self.orders, shared, proving_options(settings), beater("proving")
        )
        for feed in self.feeds:
            options_of_feed = tail_options(settings, feed.name)
            self.tails[feed.name] = Tail(
                feed,
                self.store,
                shared,
                options_of_feed,
                self.world.chance,
                beater(_pump_of(feed.name)),
                None if reads_keys(feed) else self._partner_of(feed),
                None if gives_fulls(feed) else self._partner_of(feed),
            )
        for feed in self.feeds:
            partner = None if gives_fulls(feed) else self._partner_of(feed)
            if partner is not None:
                self.tails[feed.name].wake_beside = self.tails[partner.name].wake

    def _partner_of(self, feed: Feed) -> Feed | None:
        """The feed that is asked in this one's place; None where there is none."""
        partner = self.settings.feed(feed.name).snapshot_from
        return next((other for other in self.feeds if other.name == partner), None)

    def _build_judges(self, rules: Rules) -> None:
        settings, shared, beater = self.settings, self.shared, self.watch.beater
        self.freshness = Freshness(
            self.store,
            shared,
            intervals_of(settings),
            beater("freshness"),
            lambda feed: rests(self.settings, feed, self.clock.wall_ms()),
        )
        withheld = (
            policies_of_text(self.store.ledger.in_force).withheld
            if self.store.ledger.in_force
            else frozenset()
        )
        self.withholding = Withholding(
            self.store, shared, self.freshness, settings.health.fail_closed_minutes, withheld
        )
        self.reckoning = Reckoning(
            self.store, shared, rules, guards_of(settings), beater("rules"), self.withholding.look
        )
        self.naming.book = self.store.names
        self.renaming = Renaming(self.store, self.store.names, self.naming, beater("names"))
        self.renamed = Reloaded(self.renaming, shared, self._wake_tails, beater("names"))
        self.keeper = Keeper(self.store, shared, tuple(self.tails), settings.guards.absent, beater("keeper"))
        self.keeper.receipts = drops_of(self.feeds)
        for name, drop in drops_of(self.feeds).items():
            self.tails[name].receipts = drop
            drop.waits = partial(shared.note, f"beginning of {name}")
        self.suspecting = Suspecting(
            self.store,
            shared,
            float(settings.health.oversell_seconds),
            beater("suspecting"),
            lambda channel: channel_rests(self.settings, channel, self.clock.wall_ms()),
        )
        self.kit_watch = KitWatch(self.store, shared, beater("kits"))
        self.history = HistoryKeeper(self.store, shared, settings.daemon.history_rows, beater("history"))
        self.auditing = Auditing(
            self.store,
            self.client,
            self.limiter,
            shared,
            AuditFile(settings.daemon.state_dir),
            self.world.chance,
            beater("audit"),
        )

    def _build_carriers(self) -> None:
        """What carries orders to Archean and dispatches back, where no other system does."""
        self.store.carry(carrying_of(self.settings))
        if not hands_over(self.settings):
            return
        self.carriers = carriers(
            lambda: self.settings,
            self.store,
            self.client,
            self.feeds,
            self.limiter,
            self.shared,
            lambda: self.store.rules.policies,
            self.orders.learn_rules,
            self.world.chance,
            self.watch.beater,
            lambda: not self.holding.planning,
            self.naming.archean_of,
        )

    async def _stand_aside(self) -> None:
        """The database is a copy whose original may be at work: only say so, and answer operators, until stopped."""
        self.shared.notes["host"] = COPIED
        self.holding.text = "not taken: the database was made on another host"
        async with self._beside(self.alerting.standing_by.run()):
            await self._supervisor.run([Pump("status", self._tell_status)])

    async def _work(self) -> None:
        """Hold the store, under the lease unless the rollout only plans, and run the pumps until stopped."""
        if not self.holding.planning:
            # Meanwhile the loops of alerts, which keep what they tell, cannot run.
            async with self._beside(self.alerting.standing_by.run()):
                holds = await self.holding.begin_to_write()
            if holds:
                await self.alerting.standing_by.hand_over()
            elif self.shared.stopping:
                return
        if self.holding.lease is None:
            await self.holding.only_plan()
        await self.store.mend_times()
        if not hands_over(self.settings):
            await self.store.handovers.put_down(HAND_OVER)
        await self.reckoning.begin()
        await self._check_names(self.naming.terms, self.settings)
        await self.renaming.put_in_force(self.naming.terms)
        await self._deliver(self.settings)
        self.ready.set()
        try:
            await self._supervisor.run(self._pumps())
        except Fatal as fatal:
            if isinstance(fatal.__cause__, FencedOff) and fatal.__cause__.newer is not None:
                with contextlib.suppress(StoreFull, StoreBroken):
                    await self.store.saw_tenure(fatal.__cause__.newer)
            raise
        finally:
            await self.holding.let_go()

    async def _check_names(self, terms: Terms, settings: Settings) -> None:
        """Raise Fatal for aliases that a person must allow first."""
        try:
            await self.renaming.check(terms, renaming_permission(settings))
        except RenamingRefused as refused:
            raise Fatal(EXIT_CONFIGURATION, str(refused)) from refused

    async def _deliver(self, settings: Settings) -> None:
        """Show expected deliveries in the channels that want them."""
        channels = frozenset(name for name, each in settings.channels.items() if each.expected_delivery)
        self.deliveries.on = bool(channels)
        await self.store.deliveries.use(channels)

    def _wake_tails(self) -> None:
        for tail in self.tails.values():
            tail.wake()

    def _pumps(self) -> list[Pump]:
        held_back = lambda: self.limiter.held_back  # noqa: E731 - one word for six pumps
        asking_seconds = TAIL_LIMIT_SECONDS + max((feed.step_seconds for feed in self.feeds), default=0.0)
        pumps = [
            Pump("lease", self.holding.run, excused=held_back),
            Pump("rules", self.reckoning.run),
            Pump("names", self.renamed.run),
            Pump("drain", self.drain.run, excused=held_back),
            Pump("resolve", self.resolver.run, excused=held_back),
            # It takes what the others leave of the requests, which may be nothing for long.
            Pump("deliveries", self.deliveries.run, excused=lambda: True),
            Pump("bases", self.bases.run, excused=held_back),
            Pump("reconcile", self.reconcile.run, excused=held_back),
            Pump("proving", self.proving.run, limit_seconds=asking_seconds, excused=held_back),
            Pump("freshness", self.freshness.run),
            Pump("keeper", self.keeper.run),
            Pump("suspecting", self.suspecting.run),
            Pump("kits", self.kit_watch.run),
            Pump("history", self.history.run),
            Pump("status", self._tell_status),
            Pump("verify", self._verify, excused=lambda: True),
            # It takes what the others leave of the requests, which may be nothing for long.
            Pump("audit", self.auditing.run, excused=lambda: True),
        ]
        if self.settings.orders.mode != "off":
            pumps.append(Pump("orders", self.orders.run, excused=held_back))
        if self._notices is not None:
            noticing = Noticing(
                self._notices,
                self.orders,
                self.shared,
                self.settings.commercetools.project_key,
                self.world.chance,
                self.watch.beater("notices"),
            )
            limit_seconds = TAIL_LIMIT_SECONDS + self._notices.step_seconds
            pumps.append(Pump("notices", noticing.run, limit_seconds, excused=held_back))
        if self.carriers is not None:
            pumps += self.carriers.pumps(asking_seconds, held_back)
        pumps += self.alerting.pumps()
        pumps += [
            Pump(
                _pump_of(feed.name),
                self.tails[feed.name].run,
                TAIL_LIMIT_SECONDS + feed.step_seconds,
                alone=True,
            )
            for feed in self.feeds
        ]
        return pumps

    async def _verify(self) -> None:
        try:
            await self.store.verify(self.shared.stop)
        except StoreBroken as error:
            raise damaged(error) from error
        await self.shared.stop.wait()

    async def _tell_status(self) -> None:
        while not self.shared.stopping:
            self.watch.beat("status")
            self.world.tick()
            self._note_lag()
            self.announcer.look()
            self._look_at_file()
            look = await self.desk.lookout.rough()
            throttled = self.limiter.state().retry_at_monotonic is not None
            line = status_line(look, self.shared.notes, self.clock.wall_ms(), throttled=throttled)
            self.world.notifier.status(
                f"planning, nothing is written: {line}" if self.holding.planning else line
            )
            await self.shared.rest(STATUS_SECONDS)

    def _note_lag(self) -> None:
        lag_seconds = self.loop_lag_seconds
        if lag_seconds < LAG_NOTED_SECONDS:
            self.shared.notes.pop("loop", None)
        elif "loop" not in self.shared.notes:
            self.shared.notes["loop"] = (
                f"the process stood still for {lag_seconds:.1f} s and goes on: look for a lack of processor time or memory "
                "on this host"
            )

    @property
    def loop_lag_seconds(self) -> float:
        """How long the event loop stood still at the worst, within the last minute or so."""
        return self.watch.loop_lag_seconds

    def _look_at_file(self) -> None:
        path = self.settings.daemon.state_dir / DATABASE_NAME
        if not host_lock.still_there(path, self._file):
            raise Fatal(
                EXIT_STORE,
                f"{path} was moved, replaced or removed while the daemon runs: what it writes is lost to the next start. "
                "Put the right file in place and start again",
            )
        doubt = self.store.doubt
        if doubt is None:
            self.shared.notes.pop("store", None)
        else:
            self.shared.notes["store"] = doubt

    def _lease_news(self, news: LeaseNews) -> None:
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
        self.holding.put_down.set()
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
            reloadable, restart = changes(self.settings, fresh)
            # What needs a restart stays as it is, in the rules too.
            kept = in_force(self.settings, fresh)
            rules, terms = stated_rules(kept), stated_terms(kept)
            await self._check_names(terms, kept)
            renew_trust(self.client, self.feeds, self.settings.feeds)
            renew_certificates(self.certificates)
            await self._put_in_force(kept, rules)
            if self.ready.is_set():
                await self.renamed.put_in_force(terms)
            else:
                self.naming.use(terms)
        except (ConfigurationFaults, Fatal) as fault:
            say(LOGGER, Event.CONFIGURATION_REFUSED, f"the configuration before stays in force: {fault}")
            raise
        finally:
            self.world.notifier.ready("running")
        read, unread = self._look_beside(kept)
        reloadable += [f"the content of {key}" for key in read]
        restart += [f"the content of {key}" for key in unread]
        held = bool(self.reckoning.held)
        what = (
            ", ".join(path for path in reloadable if not (held and path.startswith(RULE_PATHS)))
            or "nothing new"
        )
        later = (
            "; the changes of [locations] and [channels] are held, see archsyncctl exceptions list"
            if held
            else ""
        )
        later += f"; a restart is needed for {', '.join(restart)}" if restart else ""
        say(LOGGER, Event.RELOADED, f"in force now: {what}{later}")
        return restart

    def _look_beside(self, kept: Settings) -> tuple[list[str], list[str]]:
        """Files whose content is in force from now on, and those whose content waits for a restart."""
        now = contents_beside(kept)
        read, unread = changed_beside(self._files, now)
        self._files = {**now, **{key: self._files[key] for key in unread}}
        return read, unread

    async def _put_in_force(self, kept: Settings, rules: Rules) -> None:
        self.settings = kept
        LOGGER.setLevel(kept.daemon.log_level.upper())
        project = kept.commercetools
        self.limiter.retune(float(project.requests_per_second), float(project.burst), project.max_in_flight)
        self.holding.direct(self.drain.options.fence)
        if self.holding.planning:
            self.holding.put_down.set()
        self.bases.options = base_options(kept)
        self.reconcile.options = reconcile_options(kept)
        self.orders.options = order_options(kept)
        self.proving.options = proving_options(kept)
        self.keeper.absent = kept.guards.absent
        self.history.most_rows = kept.daemon.history_rows
        self.store.carry(carrying_of(kept))
        if self.carriers is not None:
            self.carriers.put_in_force(kept)
        for name, tail in self.tails.items():
            tail.options = tail_options(kept, name)
        self.freshness.intervals = intervals_of(kept)
        self.reckoning.wanted, self.reckoning.guards = rules, guards_of(kept)
        self.alerting.put_in_force(kept)
        self.withholding.minutes = kept.health.fail_closed_minutes
        self.suspecting.after_seconds = float(kept.health.oversell_seconds)
        if self.ready.is_set():
            # Without room for it now the pump that keeps the rules goes on trying.
            await self.reckoning.put_in_force()
            with contextlib.suppress(StoreFull):
                await self._deliver(kept)
            if self.carriers is not None:
                with contextlib.suppress(StoreFull):
                    await self.store.handovers.look_again()
                self.shared.handing.set()
        self.shared.work.set()
        self.shared.bases.set()
