"""The store: one SQLite file and its parts, opened, held under a tenure, and closed together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from archsyncd.adapters.sqlite.advice_store import AdviceStore
from archsyncd.adapters.sqlite.alert_store import ActionStore, AlertStore, MuteStore
from archsyncd.adapters.sqlite.as_ordered import kits_as_ordered
from archsyncd.adapters.sqlite.case_store import CaseStore
from archsyncd.adapters.sqlite.cases import resolve_case
from archsyncd.adapters.sqlite.codec import outbox_rows, put_outbox_rows
from archsyncd.adapters.sqlite.connection import CHECK_FIRST_BYTES, Row, Transaction, open_database
from archsyncd.adapters.sqlite.delivery_store import DeliveryStore
from archsyncd.adapters.sqlite.feed_store import FeedStore
from archsyncd.adapters.sqlite.handed_kits import tell_apart
from archsyncd.adapters.sqlite.handover_store import HandoverStore
from archsyncd.adapters.sqlite.health_store import HealthStore
from archsyncd.adapters.sqlite.history import keep_unbasing
from archsyncd.adapters.sqlite.history_store import HistoryStore
from archsyncd.adapters.sqlite.learning import EFFECT_LAG_MS, doubt_bases, recount_orders
from archsyncd.adapters.sqlite.mending import mend
from archsyncd.adapters.sqlite.moving import move_lines
from archsyncd.adapters.sqlite.name_store import NameStore
from archsyncd.adapters.sqlite.order_store import OrderStore
from archsyncd.adapters.sqlite.outbox_store import OutboxStore
from archsyncd.adapters.sqlite.parts_store import PartsStore
from archsyncd.adapters.sqlite.recompute import assess_keys, recompute
from archsyncd.adapters.sqlite.reconcile_store import ReconcileStore
from archsyncd.adapters.sqlite.report_store import ReportStore
from archsyncd.adapters.sqlite.reporting import ReportingStore
from archsyncd.adapters.sqlite.sample_store import SampleStore
from archsyncd.adapters.sqlite.scope import Scope, pairs
from archsyncd.adapters.sqlite.session import Session
from archsyncd.adapters.sqlite.snapshot_store import SnapshotStore
from archsyncd.adapters.sqlite.yielding import past_settled
from archsyncd.domain.cases import CaseKind, CaseNews
from archsyncd.domain.guard import RuleFigures
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.lags import Lags
from archsyncd.domain.outbox import LATE_LANDING_MS, freed
from archsyncd.domain.pools import is_pooled
from archsyncd.domain.report import (
    LedgerState,
)
from archsyncd.domain.rules import (
    LET_GO,
    ROLLOUT,
    Carrying,
    Rules,
    past_text,
    policies_of_text,
    policies_text,
    with_past,
)
from archsyncd.domain.stock import LocationPolicy, Policies
from archsyncd.domain.tenure import PLANNING, Tenure
from archsyncd.engine.ports import Clock, FencedOff, StoreBroken, StoreFull, StoreTracked

DATABASE_NAME = "archsyncd.db"
RECOMPUTE_KEYS = 2_000
# Each with up to fifty components, in every channel.
RECOMPUTE_KITS = 100
# Orders are read again at this pace at least; a base may be proven only after all of them were.
RECOUNT_MS_AN_ORDER = 10


class SqliteStore:
    """One SQLite file. Any method may raise StoreFull (nothing stored), StoreBroken (restart) or FencedOff (stop)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.feeds = FeedStore(session)
        self.snapshots = SnapshotStore(session)
        self.parts = PartsStore(session)
        self.outbox = OutboxStore(session)
        self.orders = OrderStore(session)
        self.advices = AdviceStore(session)
        self.handovers = HandoverStore(session)
        self.reconciles = ReconcileStore(session)
        self.cases = CaseStore(session)
        self.alerts = AlertStore(session)
        self.mutes = MuteStore(session)
        self.actions = ActionStore(session)
        self.report = ReportStore(session)
        self.samples = SampleStore(session)
        self.health = HealthStore(session)
        self.history = HistoryStore(session)
        self.names = NameStore(session)
        self.deliveries = DeliveryStore(session)
        self.reporting = ReportingStore(session)

    @property
    def ledger(self) -> LedgerState:
        """The lineage of this file."""
        return self._session.ledger

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self._session.rules

    def carry(self, carrying: Carrying | None) -> None:
        """Carry orders to Archean and their dispatches back by these rules from now on; None: another system does."""
        self._session.carrying = carrying

    @property
    def lags(self) -> Lags:
        """How long orders and dispatches took of late."""
        return self._session.lags

    def listen(self, tell: Callable[[CaseNews], None]) -> None:
        """Have exceptions told as they open and close, once they are durable."""
        self._session.tell = tell

    @property
    def broken(self) -> str | None:
        """Why the store cannot be used any more."""
        return self._session.database.broken

    @property
    def doubt(self) -> str | None:
        """What is wrong with the file though it works still."""
        return self._session.doubt()

    async def take_tenure(self, tenure: Tenure) -> int:
        """Hold the store under this tenure; how many operations are in doubt. Raises FencedOff for a newer fence.

        Fences between the last one of this file and this one are tenures that the file knows nothing of: another host's, or
        ours before the file was put back from a backup. Then every entry is read once more, when no request of theirs can
        land any more. What was looked at while planning is looked at anew, as if it had never been: others wrote meanwhile.
        """
        now_ms = self._session.clock.wall_ms()
        settled_ms = now_ms + LATE_LANDING_MS

        async def body(tx: Transaction) -> int:
            before = await tx.row("tenure")
            if before is not None and before[0] == PLANNING:
                await keep_unbasing(tx, now_ms)
                await tx.run("outbox_unbase_all")
            elif before is not None and (tenure.fence > before[2] + 1 or before[1] != tenure.ledger):
                await tx.run("outbox_check_all", (settled_ms,))
            if not await tx.run("tenure_set", (tenure.name, tenure.ledger, tenure.fence)):
                raise FencedOff(f"the store has seen a newer fence than {tenure.fence}")
            await tx.run("outbox_all_in_doubt")
            row = await tx.row("outbox_doubts")
            return int(row[0]) if row else 0

        # Transactions run in the order in which they are begun: those before this one had the tenure before, all later ones
        # have this.
        held, self._session.tenure = self._session.tenure, tenure
        try:
            return await self._session.database.write(body)
        except BaseException:
            self._session.tenure = held
            raise

    async def saw_tenure(self, newer: Tenure) -> None:
        """Remember a newer tenure: this one may write nothing any more, and the next begins above it."""
        await self._session.database.write(
            lambda tx: tx.run("tenure_set", (newer.name, newer.ledger, newer.fence))
        )

    async def fence(self) -> int:
        """The highest fence this store was held under or has seen."""
        row = await self._session.row("tenure")
        return int(row[2]) if row else 0

    async def use_rules(self, rules: Rules, beat: Callable[[], None] = lambda: None) -> int:
        """Put new rules in force and recompute every key, a bounded number at a time; how many targets changed."""
        before = self._session.ledger.mapping
        await self.begin_rules(rules)
        # Kits first, each with its components: a component must not rise while what was kept of it is on show still.
        changed = await self._recompute_kits(beat)
        for location in await self.feeds.locations():
            changed += await self._recompute_location(location, beat)
        in_force = self._session.rules
        if before and not in_force.counts_as(before):
            await self._recount(in_force.newly_mapped(before), beat)
        await self._roll_out(beat)
        await self._note_rules(
            rules.fingerprint(), in_force.mapping_after(before), policies_text(rules.policies)
        )
        return changed

    async def begin_rules(self, rules: Rules) -> None:
        """What is merged from now on is reckoned by these rules; `use_rules` does so with all the rest.

        Until that is done the targets are of no rules: a crash must not leave some of them under the name of others.
        """
        before = self._session.rules.policies
        coming = rules.retiring(self._session.ledger.mapping).remembering(before)

        async def first(scope: Scope) -> None:
            # With the name of the rules: a process that ends now goes on by these, and must know what was sold by those before.
            await _note_past(scope, coming.policies)
            await move_lines(scope, before, coming.policies)
            await kits_as_ordered(scope, before, coming.policies)
            await tell_apart(scope, coming.policies.kits, also=True)

        await self._note_rules("", self._session.ledger.mapping, policies_text(rules.policies), first)
        self._session.rules = coming
        # A transaction may have begun by the rules before while these were noted: whoever looks next must see what it wrote.
        await self._session.write(_forget_pools)

    async def forget_past(self, orders_complete_ms: int, beat: Callable[[], None] = lambda: None) -> bool:
        """Forget what was sold where by earlier rules once all of that is settled; whether there is nothing left to wait for.

        `orders_complete_ms`: orders are known completely up to then, by commercetools' clock.
        """
        policies = self._session.rules.policies
        if not policies.past and not policies.past_kits:
            return True
        if not self._session.ledger.rules:
            return False  # not every key is reckoned by the rules in force yet
        sold = {
            channel for name, each in policies.past.items() for channel in each - policies.channels_of(name)
        }
        kits = [StockKey(channel, sku) for sku in policies.past_kits.by_sku for channel in policies.channels]
        for start in range(0, len(kits), RECOMPUTE_KEYS):
            if not await self._settled(kits[start : start + RECOMPUTE_KEYS], orders_complete_ms, beat):
                return False
        for channel in sorted(sold):
            after = ""
            while rows := await self._outbox_page(channel, after):
                after = rows[-1][1]
                keys = [StockKey(channel, row[1]) for row in rows]
                if not await self._settled(keys, orders_complete_ms, beat):
                    return False

        async def step(scope: Scope) -> None:
            await scope.tx.run("pool_past_drop")

        await self._session.write(step)
        if self._session.rules.policies is policies:
            self._session.rules = self._session.rules.forgetting()
        return True

    async def _settled(
        self, keys: Sequence[StockKey], orders_complete_ms: int, beat: Callable[[], None]
    ) -> bool:
        beat()
        return await self._session.write(lambda scope: past_settled(scope, keys, orders_complete_ms))

    async def _note_rules(
        self,
        fingerprint: str,
        mapping: str,
        in_force: str,
        more: Callable[[Scope], Awaitable[None]] | None = None,
    ) -> None:
        noted = (fingerprint, mapping, in_force)

        async def step(scope: Scope) -> None:
            await scope.tx.run("ledger_policies", noted)
            if more is not None:
                await more(scope)

        await self._session.write(step)
        self._session.ledger = replace(
            self._session.ledger, rules=fingerprint, mapping=mapping, in_force=in_force
        )

    async def assess_rules(self, rules: Rules, beat: Callable[[], None] = lambda: None) -> RuleFigures | None:
        """What other policies would do to every key; None when there are none before them. Nothing is changed."""
        ledger = self._session.ledger
        if not ledger.in_force:
            return None
        wanted = replace(rules, policies=replace(rules.policies, withheld=frozenset()))
        before = replace(policies_of_text(ledger.in_force), withheld=frozenset())
        if before == wanted.policies:
            return None  # to withhold a location, or to offer it again, is no change of the rules
        policies = wanted.retiring(ledger.mapping).policies
        figures = RuleFigures()
        for channel in sorted({*policies.channels, *self._session.rules.policies.channels}):
            after = ""
            while rows := await self._outbox_page(channel, after):
                after = rows[-1][1]
                beat()
                if channel not in policies.channels:
                    figures = figures.plus(RuleFigures(let_go={channel: len(rows)}))
                    continue
                look = partial(assess_keys, policies, channel, [row[1] for row in rows])
                figures = figures.plus(await self._session.look(look))
        for name, places in policies.by_location.items():
            if name not in self._session.rules.policies.by_location:
                above = partial(_above_maximum, places[0], policies.judging[name].maximum)
                figures = figures.plus(RuleFigures(above_maximum=await self._session.look(above)))
        return figures

    async def _recount(self, channels: Sequence[str], beat: Callable[[], None]) -> None:
        """Lines may count in other keys by a new mapping. Bases of channels that had none rest on orders counted elsewhere."""
        orders = await self._session.write(recount_orders)
        wait_ms = EFFECT_LAG_MS + orders * RECOUNT_MS_AN_ORDER
        for channel in channels:
            after = ""
            while rows := await self._outbox_page(channel, after):
                keys = [StockKey(channel, row[1]) for row in rows]
                await self._session.write(lambda scope, keys=keys: doubt_bases(scope, keys, wait_ms))  # type: ignore[misc]
                after = rows[-1][1]
                beat()

    async def mend_times(self) -> None:
        """Bring back times that an earlier, wrong clock put out of reach (fault 42)."""
        created_ms = await self._session.write(mend)
        self._session.ledger = replace(self._session.ledger, created_ms=created_ms)

    async def move(self, *, project: str, host: str) -> None:
        """This file belongs to this project, by its present address, and to this host from now on."""
        await self._session.database.write(lambda tx: tx.run("ledger_move", (project, host)))
        self._session.ledger = replace(self._session.ledger, project=project, host=host)

    async def _recompute_location(self, location: str, beat: Callable[[], None]) -> int:
        """Reckon all keys that a location feeds, or fed before it was mapped elsewhere or not at all."""
        policies = self._session.rules.policies
        own = sorted(policies.channels_of(location))
        others = [name for name in policies.channels if name not in own]
        changed, after = 0, ""
        while True:
            rows = await self._session.rows("levels_after", (location, after, RECOMPUTE_KEYS))
            if not rows:
                break
            keys = [StockKey(name, row[1]) for row in rows for name in own]
            past = [StockKey(name, row[1]) for row in rows for name in others]

            async def step(scope: Scope, keys: list[StockKey] = keys, past: list[StockKey] = past) -> int:
                return await recompute(scope, [*keys, *await outbox_rows(scope, past)])

            changed += await self._session.write(step)
            after = rows[-1][1]
            beat()
        note = "the location is mapped now" if own else "the location is ignored now"
        if own or location in policies.ignored:
            await self._session.write(lambda scope: self._mapped(scope, location, note))
        return changed

    async def _recompute_kits(self, beat: Callable[[], None]) -> int:
        """Reckon all keys that are kits, or were, with their components; no location leads to what was a kit long ago."""
        policies, changed = self._session.rules.policies, 0
        skus = sorted(policies.kits.by_sku.keys() | policies.past_kits.by_sku.keys())
        for start in range(0, len(skus), RECOMPUTE_KITS):
            kits = [
                StockKey(name, sku)
                for sku in skus[start : start + RECOMPUTE_KITS]
                for name in policies.channels
            ]
            changed += await self._session.write(partial(_recompute_kits, kits))
            beat()
        after = StockKey("", "")
        while True:
            async with self._session.read() as tx:
                rows = await tx.rows("kits_after", (after.channel, after.sku, RECOMPUTE_KEYS))
            if not rows:
                return changed
            keys = [StockKey(row[0], row[1]) for row in rows]
            after = keys[-1]
            others = [key for key in keys if key.sku not in policies.kits.by_sku]
            if others:
                changed += await self._session.write(partial(_recompute_kits, others))
            beat()

    async def _mapped(self, scope: Scope, location: str, note: str) -> None:
        for row in await scope.tx.rows("feeds"):
            await resolve_case(
                scope.tx,
                CaseKind.LOCATION_UNMAPPED,
                row[0],
                location,
                note,
                scope.now_ms,
            )

    async def _roll_out(self, beat: Callable[[], None]) -> None:
        """Rollout or mapping changed: park what may not be written any more, free what may be now."""
        for (channel,) in await self._session.rows("outbox_channels"):
            after = ""
            while rows := await self._outbox_page(channel, after):
                keys = [StockKey(channel, row[1]) for row in rows]
                await self._session.write(lambda scope, keys=keys: self._roll_out_keys(scope, keys))  # type: ignore[misc]
                after = rows[-1][1]
                beat()

    async def _outbox_page(self, channel: str, after: str) -> list[Row]:
        return await self._session.rows("outbox_after", (channel, after, RECOMPUTE_KEYS))

    async def _roll_out_keys(self, scope: Scope, keys: Sequence[StockKey]) -> None:
        changed = []
        for row in (await outbox_rows(scope, keys)).values():
            if scope.rules.parks(row.key) is not None:
                # One in flight comes in and is parked like any other: being written parks it.
                changed.append(row)
            elif row.parked in {ROLLOUT, LET_GO}:
                changed.append(freed(row, scope.now_ms))
        await put_outbox_rows(scope, changed)

    async def verify(self, stop: asyncio.Event) -> None:
        """Check the pages of a file that was too large for that at the opening. Raises StoreBroken when they are damaged."""
        await self._session.database.verify(stop)

    async def backup(self, target: Path) -> None:
        """Copy the committed state into a new file."""
        await self._session.database.backup(target)

    async def close(self) -> None:
        """Let running transactions end and close the file, in order as far as that is known."""
        database = self._session.database
        if database.checked:
            with contextlib.suppress(StoreFull, StoreBroken):
                await database.write(lambda tx: tx.run("ledger_close"))
        await database.close()


async def _forget_pools(scope: Scope) -> None:
    """Who waits for whom is reckoned anew by every set of rules, and which kits are what they were handed over as.

    What keys owe is so too, key by key: forgotten before that, it would be offered by others meanwhile. Only of keys that share
    nothing by these rules nobody would hear again.
    """
    owing = [StockKey(row[0], row[1]) for row in await scope.tx.rows("debts_all")]
    alone = [
        key
        for key in owing
        if key.channel not in scope.policies.channels or not is_pooled(key, scope.policies, past=True)
    ]
    await scope.tx.run("debts_drop", (pairs(alone),))
    await scope.tx.run("waits_clear")
    await tell_apart(scope, scope.policies.kits)


async def _note_past(scope: Scope, policies: Policies) -> None:
    told = past_text(policies)
    if told is None:
        await scope.tx.run("pool_past_drop")
    else:
        await scope.tx.run("pool_past_put", told)


async def _recompute_kits(keys: Sequence[StockKey], scope: Scope) -> int:
    kits, past = scope.policies.kits, scope.policies.past_kits
    together = dict.fromkeys(keys)
    for key in keys:
        for each in (kits, past):
            kit = each.kit(key.channel, key.sku)
            if kit is not None:
                together.update(dict.fromkeys(StockKey(key.channel, sku) for sku, _ in kit.components))
    changed = await recompute(scope, together)
    for key in keys:
        if kits.kit(key.channel, key.sku) is None:
            await scope.tx.run("kit_drop", (key.channel, key.sku))
    return changed


async def _above_maximum(location: LocationPolicy, maximum: int, tx: Transaction) -> int:
    wanted = {"location": location.location, "sells": location.sellable.value, "maximum": maximum}
    row = await tx.row("levels_above", wanted)
    return int(row[0]) if row else 0


async def _begin_mode(tx: Transaction, state: LedgerState, now_ms: int, *, tracked: bool) -> None:
    """Refuse a mode that the file's figures deny; where it is another one than before, every entry is looked at anew.

    Pieces that commercetools took from its entries count as reflected for good: an absolute figure would put them back on sale.
    An entry that was written untracked bears no marker, and shows orders that were counted as if it did not.
    """
    if not state.in_force or policies_of_text(state.in_force).tracked is tracked:
        return
    if not tracked and await tx.row("tracked_any") is not None:
        raise StoreTracked("orders are counted that commercetools took from its entries")
    await keep_unbasing(tx, now_ms)
    await tx.run("outbox_unbase_all")


async def open_store(
    directory: Path,
    clock: Clock,
    rules: Rules,
    *,
    project: str,
    host: str,
    new_ledger_id: str,
    check_first_bytes: int = CHECK_FIRST_BYTES,
) -> SqliteStore:
    """Open or create the store in a directory. Raises StoreBroken, StoreNewer, StoreTracked.

    `project` and `host` are pinned at first: a copy of the file that finds itself elsewhere is told by `ledger`. Whether orders
    are tracked goes by `rules` from the first moment on, as the writes do; it is refused where the file's figures deny it.
    """
    database = await open_database(directory / DATABASE_NAME, check_first_bytes=check_first_bytes)
    now_ms = clock.wall_ms()

    async def body(tx: Transaction) -> tuple[LedgerState, tuple[str, str] | None]:
        if await tx.row("ledger") is None:
            await tx.run("ledger_insert", (new_ledger_id, project, host, now_ms))
        await tx.row("ledger_run")
        row = await tx.row("ledger")
        if row is None:
            raise FencedOff("the ledger row is gone")
        past = await tx.row("pool_past")
        state = LedgerState(row[0], row[1], row[2], row[3], row[4], row[6], row[7], row[8])
        await _begin_mode(tx, state, now_ms, tracked=rules.policies.tracked)
        return state, None if past is None else (past[0], past[1])

    try:
        state, past = await database.write(body)
    except BaseException:
        await database.close()
        raise
    if state.in_force:
        # Whatever is wanted now: until that is judged, quantities go by the rules they were made by.
        in_force = policies_of_text(state.in_force)
        rules = replace(rules, policies=replace(in_force, tracked=rules.policies.tracked))
    rules = rules.retiring(state.mapping)
    if past is not None:
        rules = replace(rules, policies=with_past(rules.policies, *past))
    return SqliteStore(Session(database, clock, rules, state))
