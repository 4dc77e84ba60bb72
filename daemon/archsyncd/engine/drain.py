"""The drain: outbox to commercetools, decreases first, every operation durable before its first byte.

One request carries one key while requests are plentiful, and up to a batch of keys when more are due than may be sent.
What is leased while requests are plentiful goes back as soon as they are scarce: then what goes out next is decided anew.
What is not certain is not decided here: it stays in flight, in doubt, and the resolver reads the entry.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.inventory import (
    Conflict,
    EntryWrite,
    Exists,
    Failure,
    Forbidden,
    Marker,
    Missing,
    Refused,
    StockKey,
    Throttled,
    TooLarge,
    Unauthorised,
    Unknown,
    Unreached,
    WriteAnswer,
    WriteKind,
    Written,
)
from archsyncd.domain.outbox import Lease
from archsyncd.domain.priority import (
    INCREASE_BOUND_SECONDS,
    DueClass,
    Sustained,
    increase_bound_seconds,
    overdue_seconds,
)
from archsyncd.domain.rules import DrainLimits, SettleRules
from archsyncd.domain.settlement import Booked, Doubted, Parked, PutBack, Settled, Settlement, Vanished
from archsyncd.engine.limiter import Limiter, Permit, Priority, Quiesced
from archsyncd.engine.ports import Commercetools, StoreFull
from archsyncd.engine.shared import Shared, wait_for
from archsyncd.engine.store import Store

IDLE_SECONDS = 0.5
SETTLE_LIMIT = 2_000
UNKNOWN_READ_DELAY_MS = 500
UNREACHED_DELAY_MS = 1_000
FORBIDDEN_DELAY_MS = 60_000
KEY_TAKEN_READ_DELAY_MS = 15_000
BATCH_PROBE_SECONDS = 600.0
MEASURE_SECONDS = 2.0
SMOOTHING = 0.1
SHORTEST_SECONDS = 0.001
# Made ready beyond the permits at hand while requests are plentiful: a commit costs as much for one key as for many.
AHEAD_KEYS = 128
AHEAD_SECONDS = 0.05
ASIDE_DELAY_MS = 200
_TOO_MANY_REQUESTS = 429
# Where no orders are read none is waited for.
_NO_ORDERS_MS = 2**60
_IN_PARTS = Unreached("the batch was too large")
_SINGLY = Unreached("the batch was refused")


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """How the drain writes. `batch_token_cost`: what one GraphQL batch takes from the bucket."""

    write_batch: int
    batch_token_cost: float
    increase_interval_seconds: float
    confirm_seconds: float
    tracked: bool
    writes: bool
    ledger: str
    fence: int


class Riders(Protocol):
    """What rides with writes of quantities; it is theirs what becomes of it."""

    async def riding(self, keys: Collection[StockKey]) -> Mapping[StockKey, str]:
        """What writes of these keys' quantities carry as well (`EntryWrite.delivery`)."""
        ...

    def rode(self, key: StockKey, expected: str) -> None:
        """A write that carried it took effect."""
        ...

    def refused(self, key: StockKey) -> None:
        """A write that carried it was refused, perhaps for it; it may not be carried again."""
        ...


class Drain:
    """Leases what is due, sends it, and books what came of it."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        limiter: Limiter,
        shared: Shared,
        options: DrainOptions,
        beat: Callable[[], None],
    ) -> None:
        self.options = options
        self._store = store
        self._client = client
        self._limiter = limiter
        self._shared = shared
        self._beat = beat
        self._results: asyncio.Queue[Settled] = asyncio.Queue()
        self._sending: set[asyncio.Task[None]] = set()
        self._keys_ahead = 0
        self._room = asyncio.Event()
        # Operations of creates that met their derived key taken, with the correlation id; the resolver takes them out.
        self.key_taken: dict[str, str] = {}
        self.riders: Riders | None = None
        # By operation, what its write carries besides the quantity.
        self._riding: dict[str, str] = {}
        self.batch_now = options.write_batch
        self._batch_again_at = 0.0
        self._bound_seconds = INCREASE_BOUND_SECONDS
        self._measured_at = -MEASURE_SECONDS
        self._sustained = Sustained()
        self._request_seconds = 0.1
        self._coming_back = 0

    @property
    def bound_seconds(self) -> float:
        """How long an increase that becomes due now may wait at most, a pause that is asked for included."""
        held_until = self._limiter.state().retry_at_monotonic
        if held_until is None or math.isinf(held_until):
            return self._bound_seconds
        return self._bound_seconds + max(0.0, held_until - self._shared.clock.monotonic())

    async def run(self) -> None:
        """Lease and send until the limiter lets nothing more begin, then let what is in flight come in.

        Leases that an earlier run lost with its failure are nobody's now: their entries are read.
        """
        # What came back to an earlier run that failed is nobody's either.
        self._results, self._coming_back = asyncio.Queue(), 0
        self._riding.clear()
        if await self._store.outbox.doubt_leased():
            self._shared.doubt.set()
        settler = asyncio.create_task(self._settle_all(), name="settle")
        try:
            await self._lease_and_send(settler)
        except Quiesced:
            pass
        except asyncio.CancelledError:
            # Cut off before it could come in by itself: what is in flight is left in doubt, and nobody waits for it.
            for task in self._sending:
                task.cancel()
            raise
        finally:
            if self._sending:
                await asyncio.wait(self._sending)
            await self._drained(settler)

    async def _drained(self, settler: asyncio.Task[None]) -> None:
        if not settler.done():
            await self._results.join()
            settler.cancel()
        await asyncio.gather(settler, return_exceptions=True)

    async def _lease_and_send(self, settler: asyncio.Task[None]) -> None:
        while not self._shared.stopping:
            self._beat()
            if settler.done():
                settler.result()
            if self._coming_back or self._enough_ahead():
                await wait_for(self._room, AHEAD_SECONDS)
                continue
            await self._measure_bound()
            urgent = await self._store.outbox.most_urgent(self._limits()) if self.options.writes else None
            if urgent is None:
                await wait_for(self._shared.work, IDLE_SECONDS)
                continue
            priority = _priority(urgent)
            first = await self._limiter.permit(priority)
            try:
                await self._send_round(first, priority)
            except StoreFull:
                await self._shared.clock.sleep(IDLE_SECONDS)

    def _limits(self, overdue_keys: int = 0) -> DrainLimits:
        now = self._shared.clock.wall_ms()
        return DrainLimits(
            increases=self._shared.may_increase() and self._orders_suffice(),
            paused=tuple(sorted(self._shared.paused_channels)),
            overdue_before_ms=now - int(overdue_seconds(self._bound_seconds) * 1000),
            overdue_keys=overdue_keys,
            absolute=not self.options.tracked,
            orders_complete_ms=self._shared.orders_complete_ms
            if self._shared.orders_needed
            else _NO_ORDERS_MS,
        )

    def _orders_suffice(self) -> bool:
        """Untracked, a figure that is written rests on the orders known: after a start nothing is raised before they are."""
        shared = self._shared
        return self.options.tracked or shared.orders_known or not shared.orders_needed

    async def _send_round(self, first: Permit, priority: Priority) -> None:
        """One permit is held: take what further ones can be had at once, lease for all of them, and send."""
        permits = [first]
        try:
            size = await self._take_permits(permits, priority)
            ahead = self._ahead(size)
            leases = await self._lease((len(permits) + ahead) * size)
        except BaseException:
            # A place that is not given back is lost for good, and soon nothing would be sent at all.
            for permit in permits:
                permit.release()
            raise
        groups = _shared_out(leases, len(permits), size)
        # A pause may have been asked for while the intents were stored: no request may begin in it.
        sent = 0 if self._limiter.paused else len(permits)
        for permit, group in zip(permits[:sent], groups[:sent], strict=False):
            self._start(self._send(permit, group))
        for permit in permits[min(sent, len(groups)) :]:
            permit.release()
        for group in groups[sent:]:
            self._keys_ahead += len(group)
            self._start(self._send_ahead(group))
        if not leases:
            await wait_for(self._shared.work, IDLE_SECONDS)

    async def _take_permits(self, permits: list[Permit], priority: Priority) -> int:
        """Take further permits for what is due now; how many keys each request may carry."""
        batch = self._batch_size()
        state = self._limiter.state()
        due = await self._store.outbox.due_count(self._limits(), state.in_flight_limit * batch)
        free = state.in_flight_limit - state.in_flight
        if batch == 1 or (due - 1 <= free and self._limiter.ample(due - 1)):
            batch = 1
        cost = self._cost(batch)
        if cost > 1:
            await self._limiter.top_up(cost - 1)
        permits += self._limiter.try_permits(min(due - 1, free), priority, cost)
        return batch

    def _cost(self, keys: int) -> float:
        return self.options.batch_token_cost if keys > 1 else 1.0

    async def _lease(self, keys: int) -> list[Lease]:
        limits = self._limits(self._sustained.places(keys))
        leases = await self._store.outbox.lease(limits, keys)
        self._sustained = self._sustained.after(len(leases))
        if self.riders is not None:
            await self._take_along(leases, self.riders)
        return [lease for lease in leases if not self._left_alone(lease)]

    async def _take_along(self, leases: Sequence[Lease], riders: Riders) -> None:
        riding = await riders.riding([lease.key for lease in leases])
        self._riding |= {lease.operation.op_id: riding[lease.key] for lease in leases if lease.key in riding}

    def _left_alone(self, lease: Lease) -> bool:
        """One whose entry is being written otherwise goes back for a moment: one write of an entry at a time."""
        aside = self._shared.is_aside(lease.key)
        if aside:
            self._settle_later(lease, PutBack(ASIDE_DELAY_MS))
        return aside

    def _ahead(self, size: int) -> int:
        """How many requests are made ready that have no permit yet, so that one commit serves many of them.

        Only while requests are plentiful: where tokens are scarce, what is leased last must still be what is due first.
        """
        ahead = max(0, AHEAD_KEYS - self._keys_ahead) // size
        tokens = (self._limiter.state().in_flight_limit + ahead) * self._cost(size)
        return ahead if ahead and self._limiter.ample(tokens) else 0

    def _enough_ahead(self) -> bool:
        """Whether to let some of what is made ready go out before more is; never once requests are scarce."""
        return self._keys_ahead > AHEAD_KEYS // 2 and self._limiter.ample(AHEAD_KEYS)

    async def _measure_bound(self) -> None:
        now = self._shared.clock.monotonic()
        if now - self._measured_at < MEASURE_SECONDS:
            return
        self._measured_at = now
        increases = await self._store.outbox.increases_waiting(self._shared.paused_channels)
        state, batch = self._limiter.state(), self._batch_size()
        requests_per_second = min(
            state.rate_now / self._cost(batch), state.in_flight_limit / self._request_seconds
        )
        self._bound_seconds = increase_bound_seconds(
            increases, requests_per_second * batch, self.options.increase_interval_seconds
        )

    def _batch_size(self) -> int:
        if self.batch_now < self.options.write_batch:
            now = self._shared.clock.monotonic()
            if now >= self._batch_again_at:
                self._batch_again_at = now + BATCH_PROBE_SECONDS
                self.batch_now = min(self.options.write_batch, max(2, self.batch_now * 2))
        return min(self.batch_now, self.options.write_batch)

    def _start(self, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(sending)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, permit: Permit, group: Sequence[Lease]) -> None:
        began = self._shared.clock.monotonic()
        await (self._send_one(permit, group[0]) if len(group) == 1 else self._send_batch(permit, group))
        took = self._shared.clock.monotonic() - began
        self._request_seconds += (max(took, SHORTEST_SECONDS) - self._request_seconds) * SMOOTHING

    async def _send_ahead(self, group: Sequence[Lease]) -> None:
        """Send what was made ready once there is a place for it.

        Once requests are scarce, or at the stop, it goes back: nothing was sent, and others may be more urgent by now.
        """
        permit = None
        try:
            permit = await self._limiter.prompt_permit(_urgency(group), self._cost(len(group)))
        except Quiesced:
            pass
        finally:
            self._keys_ahead -= len(group)
            self._room.set()
            if permit is None:
                for lease in group:
                    self._settle_later(lease, PutBack())
        if permit is None:
            return
        # Batches may have been found too large meanwhile.
        size = self._batch_size()
        for lease in group[size:]:
            self._settle_later(lease, PutBack())
        await self._send(permit, group[:size])

    def _write(self, lease: Lease) -> EntryWrite:
        marker = None
        if self.options.tracked:
            marker = Marker(
                ledger=self.options.ledger,
                op_id=lease.operation.op_id,
                x=lease.operation.x_after,
                seq=lease.operation.op_id,
                fence=self.options.fence,
            )
        return EntryWrite(
            lease.kind,
            lease.key,
            lease.quantity,
            marker,
            lease.entry_id,
            lease.version,
            needs_type=lease.needs_type and self.options.tracked,
            delivery=self._riding.get(lease.operation.op_id),
        )

    async def _send_one(self, permit: Permit, lease: Lease) -> None:
        async with permit:
            answer: WriteAnswer = Unknown("cancelled while in flight")
            try:
                answer = await self._client.write(self._write(lease))
                self._limiter.report(answer)
            finally:
                self._book(lease, answer)

    async def _send_batch(self, permit: Permit, group: Sequence[Lease]) -> None:
        async with permit:
            answers: tuple[WriteAnswer, ...] | Failure = Unknown("cancelled while in flight")
            try:
                answers = await self._client.write_many([self._write(lease) for lease in group])
                self._limiter.report(answers)
            finally:
                if not isinstance(answers, tuple):
                    answers = self._whole_batch(answers, len(group))
                for lease, answer in zip(group, answers, strict=True):
                    self._book(lease, self._within_batch(answer, len(group)))

    def _within_batch(self, answer: WriteAnswer, size: int) -> WriteAnswer:
        """One entry's answer: too much at once is the batch's fault, never the key's, and may have come half-way."""
        if not isinstance(answer, TooLarge):
            return answer
        self._halve(size)
        return Unknown(f"{answer.code}: {answer.message}")

    def _halve(self, size: int) -> None:
        # Others of the old size may still be under way: none of them makes it larger again.
        self.batch_now = max(1, min(self.batch_now, size // 2))
        self._batch_again_at = self._shared.clock.monotonic() + BATCH_PROBE_SECONDS

    def _whole_batch(self, failure: Failure, size: int) -> tuple[WriteAnswer, ...]:
        """A batch that failed as a whole: smaller next time, or singly where GraphQL is refused altogether."""
        match failure:
            case TooLarge():
                self._halve(size)
                failure = _IN_PARTS
            case Refused(code=code, message=message) | Forbidden(scope=code, message=message):
                self._halve(1)
                self._shared.notes["graphql"] = f"batches are refused ({code}: {message}); writing singly"
                failure = _SINGLY
            case _:
                pass
        return (failure,) * size

    def _book(self, lease: Lease, answer: WriteAnswer) -> None:
        if isinstance(answer, Conflict | Exists):
            self._shared.count("conflicts")
        settlement = self._settlement(lease, answer)
        carried = self._riding.get(lease.operation.op_id)
        if carried is not None and self.riders is not None:
            if isinstance(answer, Written):
                self.riders.rode(lease.key, carried)
            elif isinstance(answer, Refused):
                # Perhaps for what it carried: the quantity goes once more, alone.
                self.riders.refused(lease.key)
                settlement = PutBack()
        self._settle_later(lease, settlement)

    def _settle_later(self, lease: Lease, settlement: Settlement) -> None:
        # What is due again at once is waited for before anything else is leased: it may be what is due first.
        self._riding.pop(lease.operation.op_id, None)
        self._coming_back += settlement == PutBack()
        self._results.put_nowait(Settled(lease.key, lease.operation.op_id, settlement))

    def _settlement(self, lease: Lease, answer: WriteAnswer) -> Settlement:
        match answer:
            case Written(entry_id=entry_id, version=version, created_at_ms=created):
                return Booked(entry_id, version, created)
            case Exists(field="key"):
                # Ours, as a lost answer left it, or another's: told apart by a read that the platform's lag cannot hide from.
                self.key_taken[lease.operation.op_id] = answer.correlation
                return Doubted(KEY_TAKEN_READ_DELAY_MS)
            case Conflict() | Exists():
                return Doubted()
            case Missing():
                return Vanished() if lease.kind is not WriteKind.CREATE else Doubted()
            case Throttled(status=status):
                # Only 429 is certain to have stopped the request before it had any effect.
                return PutBack() if status == _TOO_MANY_REQUESTS else Doubted(UNKNOWN_READ_DELAY_MS)
            case Unreached():
                # Nobody is there: without a pause each key would be leased and put back as fast as the disk allows.
                return PutBack(0 if answer in {_IN_PARTS, _SINGLY} else UNREACHED_DELAY_MS)
            case Unknown():
                return Doubted(UNKNOWN_READ_DELAY_MS)
            case Unauthorised() | Forbidden():
                return PutBack(FORBIDDEN_DELAY_MS)
            case TooLarge(code=code, message=message) | Refused(code=code, message=message):
                reason = (
                    f"commercetools refuses the stock of {lease.key.sku} in {lease.key.channel} "
                    f"({code}: {message}); nothing more is sent for it until the case is closed"
                )
                return Parked(CaseKind.STOCK_UPDATE_FAILED, code, reason, answer.correlation)

    async def _settle_all(self) -> None:
        while True:
            settled = [await self._results.get()]
            while len(settled) < SETTLE_LIMIT and not self._results.empty():
                settled.append(self._results.get_nowait())
            try:
                await self._settle(settled)
            finally:
                # Booked or lost with this failure: nobody may wait for them at the stop.
                for _ in settled:
                    self._results.task_done()

    async def _settle(self, settled: Sequence[Settled]) -> None:
        while True:
            try:
                await self._store.outbox.settle(settled, self.settle_rules())
                break
            except StoreFull:
                # What is in flight stays so on disk; it is booked as soon as there is room.
                await self._shared.clock.sleep(1.0)
        self._shared.count("settled", len(settled))
        self._coming_back -= sum(item.settlement == PutBack() for item in settled)
        self._room.set()
        if any(isinstance(item.settlement, Doubted) for item in settled):
            self._shared.doubt.set()
        if any(isinstance(item.settlement, Vanished) for item in settled):
            self._shared.bases.set()
        self._shared.work.set()

    def settle_rules(self) -> SettleRules:
        """What settling needs to know now."""
        until = self._shared.late_until()
        late_seconds = 0.0 if until is None else max(0.0, until - self._shared.clock.monotonic())
        return SettleRules(
            int(self.options.increase_interval_seconds * 1000),
            int(max(self.options.confirm_seconds, late_seconds) * 1000),
            self._shared.orders_complete_ms,
            self._shared.tenure_since_ms,
            int(late_seconds * 1000),
            self._shared.server_now_ms(),
        )


def _shared_out(leases: Sequence[Lease], requests: int, size: int) -> list[Sequence[Lease]]:
    """Share leases out over so many requests evenly, or over more where one carries `size` keys at most."""
    count = max(min(requests, len(leases)), -(-len(leases) // size))
    bounds = [len(leases) * place // count for place in range(count + 1)] if count else []
    return [leases[start:end] for start, end in pairwise(bounds)]


def _urgency(group: Sequence[Lease]) -> Priority:
    return Priority.INCREASE if all(lease.increases for lease in group) else Priority.DECREASE


def _priority(due_class: DueClass) -> Priority:
    return Priority.DECREASE if due_class <= DueClass.DECREASE else Priority.INCREASE
