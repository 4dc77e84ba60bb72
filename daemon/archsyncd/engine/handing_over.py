"""Handing orders over to Archean: each order whole, once in effect, and cancelled there when it is cancelled here.

Nothing is sent that was not written down before. An answer that was lost leaves the order in doubt: Archean is asked, or,
where our id keeps it from making a second order, told again. Without either a person decides.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from archsyncd.domain.cases import CaseKind
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import (
    CancelAnswer,
    Carried,
    EligibleRule,
    Flaw,
    Hand,
    Objection,
    PlacedLine,
    Placement,
    Stage,
    asked_for,
    judge_unsent,
)
from archsyncd.domain.inventory import Missing
from archsyncd.domain.kits import NO_KITS, Kit
from archsyncd.domain.order import GONE_ORDER_STATES, goods_of, says_shipped
from archsyncd.domain.retry import order_delay_ms
from archsyncd.domain.silence import Way
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.gate import Gate
from archsyncd.engine.handovers import Handovers
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.ports import Commercetools, Feed, FeedFault, OrderDesk, StoreFull
from archsyncd.engine.shared import Shared, describe, wait_for
from archsyncd.engine.store import Store
from archsyncd.engine.together import together
from archsyncd.engine.whole_reader import WholeReader

T = TypeVar("T")

ORDERS_PER_ROUND = 100
ORDERS_AT_ONCE = 12
WAKE_LIMIT = 100_000
# Orders that never get an answer, among others that do, are not tried each time that another one is answered.
WAKE_EVERY_SECONDS = 10.0
IDLE_SECONDS = 1.0
WAITING_AGAIN_MS = 600_000
WAITING_LIMIT_MS = 24 * 3600 * 1000
LOOK_AFTER_SECONDS = 15.0
TIDY_SECONDS = 3600.0
# A source that looks orders up but does not know our ids may still be taking in what it was sent.
LOOKUP_SETTLE_MS = 60_000
SIDES_SECONDS = 3.0
OWED_LIMIT_SECONDS = 60.0
CANCEL_REASON = "cancelled in commercetools"
KEY, LOOKUP, NONE = "key", "lookup", "none"
# By the way that nobody answers on: the states of orders of which one may try it.
_PROBES = {
    Way.ORDERS: (Stage.READY, Stage.IN_DOUBT, Stage.LEARNED, Stage.WAITING, Stage.HELD),
    Way.LOOKUPS: (Stage.IN_DOUBT, Stage.RECEIVED, Stage.LEARNED, Stage.WAITING, Stage.HELD),
    Way.CANCELLATIONS: (Stage.CANCELLING, Stage.HELD, Stage.READY),
}
_PUT_OFF = tuple(dict.fromkeys(stage for stages in _PROBES.values() for stage in stages))


@dataclass(frozen=True, slots=True)
class HandOverOptions:
    """How orders are handed over. `protection`: what keeps the source from making an order twice (key, lookup, none).

    `stalled_seconds`: an order that is not with Archean by then is told of. `settle_seconds`: how long Archean's word of a
    dispatch may take that commercetools speaks of. `not_goods`: patterns of SKUs that no warehouse ships.
    """

    rule: EligibleRule
    protection: str
    stalled_seconds: float
    settle_seconds: float = 60.0
    not_goods: tuple[str, ...] = ()


def _is_judged(carried: Carried) -> bool:
    """Whether the next step looks at the order in commercetools."""
    unsent = carried.stage in {Stage.LEARNED, Stage.WAITING, Stage.HELD} or (
        carried.stage is Stage.READY and carried.body is None
    )
    return unsent and not carried.cancel


@dataclass(frozen=True, slots=True)
class Sides:
    """An order as commercetools shows it now (None: it did not, or has no such order), and as Archean says it stands.

    `source_silent`: Archean was not asked, or did not answer; else None means that it does not know the order.
    """

    order: WholeOrder | None
    source: OrderLookup | None
    source_silent: bool


async def _as_they_are(lines: Sequence[PlacedLine]) -> Sequence[PlacedLine]:
    return lines


class HandOver:
    """Carries orders from the moment they are learnt until Archean has them, and its wish to cancel after that."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        feed: Feed,
        desk: OrderDesk,
        limiter: Limiter,
        shared: Shared,
        options: HandOverOptions,
        placement: Callable[[], Placement],
        chance: Callable[[], float],
        beat: Callable[[], None],
        may_write: Callable[[], bool] = lambda: True,
        archean_lines: Callable[[Sequence[PlacedLine]], Awaitable[Sequence[PlacedLine]]] = _as_they_are,
    ) -> None:
        """`may_write`: whether anything may be written at all; the lease is asked besides.

        `archean_lines`: puts the source's names for SKUs into lines.
        """
        self._store = store
        self._client = client
        self._feed = feed
        self._desk = desk
        self._limiter = limiter
        self._shared = shared
        self.options = options
        self._placement = placement
        self._chance = chance
        self._beat = beat
        self._may_write = may_write
        self._archean_lines = archean_lines
        self._reader = WholeReader(client, limiter, Priority.ORDERS, beat)
        self._gates = {way: Gate(shared.clock, chance) for way in _PROBES}
        shared.gates |= {(way, feed.name): gate for way, gate in self._gates.items()}
        self._opened = False
        self._woken_at = float("-inf")
        self._unsettled = True
        self._began_ms = shared.clock.wall_ms()
        self._looked_at = float("-inf")
        self._tidied_at = float("-inf")

    @property
    def _kept(self) -> Handovers:
        return self._store.handovers

    async def run(self) -> None:
        """Carry on until the limiter lets nothing more begin."""
        self._unsettled = True
        for gate in self._gates.values():
            gate.withdrawn()  # what tried it when the loop ended tells nothing any more
        self._opened = True  # whoever was put off by a run before this one is not left to wait on
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    busy = await self.work_some()
                    await self._look_after()
                except StoreFull:
                    busy, self._unsettled = 0, True
                await wait_for(self._shared.handing, 0 if busy >= ORDERS_PER_ROUND else IDLE_SECONDS)
        except Quiesced:
            pass

    async def work_some(self) -> int:
        """Do what is due about a bounded number of orders, the oldest first; about how many."""
        if not self._may_write() or not self._shared.may_increase():
            self._unsettled = True
            return 0  # without the lease for certain, somebody else may be handing them over
        self._beat()
        if self._unsettled:
            # What is being sent by the book, and by nobody, may have arrived.
            await self._kept.recover()
            self._unsettled = False
        for way, gate in self._gates.items():
            if gate.probe_due:
                await self._kept.wake(_PROBES[way], 1)
        due = await self._kept.due(ORDERS_PER_ROUND)
        read = await self._reader.several({each.order_id: each.version for each in due if _is_judged(each)})
        await together((self._step(carried, read.get(carried.order_id)) for carried in due), ORDERS_AT_ONCE)
        if due:
            self._shared.work.set()
        if self._opened and self._shared.clock.monotonic() >= self._woken_at + WAKE_EVERY_SECONDS:
            # Whoever waited is not left to wait on: that Archean answers is news to all of them.
            self._opened, self._woken_at = False, self._shared.clock.monotonic()
            await self._kept.wake(_PUT_OFF, WAKE_LIMIT)
            return ORDERS_PER_ROUND
        return len(due)

    async def _look_after(self) -> None:
        """Now and then: who waits too long, who is said to be shipped without a dispatch, what was closed long ago."""
        now = self._shared.clock.monotonic()
        if now - self._looked_at < LOOK_AFTER_SECONDS:
            return
        self._looked_at = now
        server_ms = self._shared.server_now_ms()
        stalled_ms = server_ms - int(self.options.stalled_seconds * 1000)
        await self._kept.tell_stalled(stalled_ms, server_ms - WAITING_LIMIT_MS)
        await self._kept.check_claims(self._now_ms() - int(self.options.settle_seconds * 1000))
        if now - self._tidied_at >= TIDY_SECONDS and not await self._kept.tidy():
            self._tidied_at = now

    def _step(self, carried: Carried, read: WholeOrder | None) -> Coroutine[Any, Any, None]:
        self._beat()
        match carried.stage:
            case Stage.READY | Stage.HELD if carried.cancel:
                return self._drop(carried, "it was cancelled in commercetools")
            case Stage.LEARNED | Stage.WAITING | Stage.HELD:
                return self._judge(carried, read)
            case Stage.READY:
                return self._judge(carried, read) if carried.body is None else self._send(carried)
            case Stage.IN_DOUBT:
                return self._resolve(carried)
            case Stage.RECEIVED:
                return self._cancel(carried) if carried.cancel else self._ask_again(carried)
            case Stage.CANCELLING:
                return self._ask_to_cancel(carried)
            case Stage.ACCEPTED if carried.cancel:
                return self._cancel(carried)
            case Stage.PART_SHIPPED | Stage.SHIPPED if carried.cancel:
                # Nobody can take back what has left.
                return self._kept.cancel_answered(carried, self._feed.name, CancelAnswer.ALREADY_SHIPPED)
            case _:
                return self._kept.put_off(carried, carried.reason, None)

    async def _judge(self, carried: Carried, read: WholeOrder | None) -> None:
        """May it go, and whole? What was placed before this hand-over began may be with Archean already."""
        whole = read or await self._reader.one(carried.order_id)
        if isinstance(whole, Missing):
            await self._drop(carried, "it was deleted in commercetools")
            return
        if not isinstance(whole, WholeOrder):
            await self._put_off(carried, f"commercetools does not show it ({describe(whole)})")
            return
        if whole.order.order_state in GONE_ORDER_STATES:
            await self._drop(carried, "it was cancelled in commercetools before anything was sent")
            return
        goods = replace(whole, order=goods_of(whole.order, self.options.not_goods))
        verdict = judge_unsent(goods, self.options.rule, self._placement())
        # A run before this one sent only what may go: what may not, and has not left, is not asked for at every start.
        sendable = verdict.stage is Stage.READY or says_shipped(goods.order)
        if carried.foreign_hand is Hand.ANOTHER_SYSTEM or (carried.foreign_hand and sendable):
            ours = await self._ours(carried, whole)
            if ours is None:
                return
            carried = ours
        whole, version = goods, whole.order.version
        if verdict.stage is Stage.WAITING:
            await self._kept.wait(carried, verdict.reason, version, self._now_ms() + WAITING_AGAIN_MS)
        elif verdict.stage is Stage.DISMISSED:
            await self._kept.not_ours(carried, verdict.reason)
        elif verdict.flaw is not None:
            await self._kept.hold(carried, verdict.flaw, version)
        else:
            lines = await self._archean_lines(verdict.lines)
            body, asked = self._desk.body(whole, lines), asked_for(whole.order)
            await self._send(carried, body, asked, version, verdict.kits)

    async def _drop(self, carried: Carried, why: str) -> None:
        """It is not wanted any more. Where something was sent once, Archean has the last word on whether it has it."""
        settled_ms = carried.since_ms + LOOKUP_SETTLE_MS
        if carried.sent and self._now_ms() < settled_ms:
            # Archean's not knowing it counts once nothing of it can be on its way.
            await self._kept.put_off(
                carried, "cancelled; Archean is asked once nothing can arrive any more", settled_ms
            )
        elif carried.sent or carried.foreign_hand:
            await self._ask_to_cancel(carried)
        else:
            await self._kept.cancelled_unsent(carried, why)

    async def _ours(self, carried: Carried, whole: WholeOrder) -> Carried | None:
        """Ask Archean whether it has an order that somebody may have brought before; the order, once it is ours to send.

        Unknown there it may still be on another system's way, so a person decides. Another run of ours has nothing on its way
        any more a minute after this one began.
        """
        earlier = carried.foreign_hand is Hand.ANOTHER_RUN
        if not self._feed.offers_lookup or self.options.protection == NONE:
            if earlier:
                return await self._kept.ours_now(carried)
            await self._doubt(carried, whole, "and Archean cannot be asked")
            return None
        settled_ms = self._began_ms + LOOKUP_SETTLE_MS
        if earlier and self.options.protection == LOOKUP and self._now_ms() < settled_ms:
            # Its not knowing the order would prove nothing yet: one that is started again and again asks nobody in vain.
            await self._kept.put_off(carried, "an earlier run may have sent it", settled_ms)
            return None
        try:
            found = await self._look_up(carried)
            if found is None and carried.number:
                found = await self._feed.look_up_order(carried.number)
        except FeedFault as fault:
            await self._put_off(carried, f"Archean does not say whether it has it ({fault.reason})")
            return None
        if found is not None:
            await self._answered(carried, found)
            return None
        if not earlier:
            await self._doubt(carried, whole, "and Archean does not know it")
            return None
        return await self._kept.ours_now(carried)

    async def _doubt(self, carried: Carried, whole: WholeOrder, why: str) -> None:
        reason = (
            f"order {carried.name} was placed before orders were handed over from here, {why}: it may still be on another way, "
            "so it is handed over only by a person's word"
        )
        await self._kept.hold(carried, Flaw(CaseKind.ORDER_IN_DOUBT, reason), whole.order.version)

    async def _send(
        self,
        carried: Carried,
        body: str = "",
        lines: str = "",
        version: int = 0,
        kits: Mapping[str, Kit] = NO_KITS,
    ) -> None:
        gate = self._gates[Way.ORDERS]
        if not gate.passes():
            # It is written down as it is to go, and goes when another order was answered.
            why = f"Archean takes no orders now ({gate.fault})"
            await self._kept.prepared(carried, body, lines, version, why, self._again_ms(carried), kits)
            return
        try:
            sending = await self._kept.ready(carried, body, lines, version, kits)
            if sending is not None and sending.body is not None:
                await self._sent(gate, sending, sending.body)
        finally:
            gate.withdrawn()

    async def _sent(self, gate: Gate, sending: Carried, body: str) -> None:
        try:
            answer = await self._desk.hand_over(sending.order_id, body)
        except FeedFault as fault:
            gate.failed(sending.order_id, fault)
            self._note_fault(fault)
            await self._unanswered(sending, fault)
            return
        self._opened |= gate.answered()
        self._shared.notes.pop(self._note_name, None)
        if isinstance(answer, Objection):
            await self._kept.refused(sending, self._feed.name, answer)
        else:
            await self._answered(sending, answer)

    async def _unanswered(self, sending: Carried, fault: FeedFault) -> None:
        if fault.unreached:
            await self._kept.unsent(
                sending, f"Archean was not reached ({fault.reason})", self._again_ms(sending, fault)
            )
        elif self.options.protection == NONE:
            await self._kept.doubted(sending, f"its answer was lost: {fault.reason}", None)
        else:
            await self._kept.doubted(
                sending, f"its answer was lost: {fault.reason}", self._again_ms(sending, fault)
            )

    async def _answered(self, carried: Carried, found: OrderLookup) -> None:
        await self._kept.answered(carried, self._feed.name, found, self._owed_ms(carried))

    def _owed_ms(self, carried: Carried) -> int:
        """When an answer that Archean owes is looked for again: ever later, so that who waits longest is not in the way."""
        seconds = min(self._desk.again_seconds * (1 + carried.attempts), OWED_LIMIT_SECONDS)
        return self._now_ms() + int(seconds * 1000)

    async def _resolve(self, carried: Carried) -> None:
        """Ask whether Archean has it; where it cannot be asked, our id makes a repeat harmless, or a person decides."""
        if self.options.protection == NONE:
            await self._kept.doubted(carried, carried.reason, None)
            return
        if not self._feed.offers_lookup:
            await self._kept.unsent(carried, "told again under the same id", self._now_ms())
            return
        try:
            found = await self._look_up(carried)
        except FeedFault as fault:
            await self._put_off(carried, f"Archean does not say whether it has it ({fault.reason})")
            return
        settled_ms = carried.since_ms + LOOKUP_SETTLE_MS
        if found is not None:
            await self._answered(carried, found)
        elif (carried.cancel or self.options.protection == LOOKUP) and self._now_ms() < settled_ms:
            await self._kept.put_off(carried, "Archean does not have it yet", settled_ms)
        else:
            await self._kept.unsent(carried, "Archean does not have it", self._now_ms())

    async def _ask_again(self, carried: Carried) -> None:
        """It was received and is to be decided on: a record tells, an answer that came since, or one to this question."""
        try:
            found = await self._desk.answer(carried.order_id, carried.body or "")
            if found is None and self._feed.offers_lookup:
                found = await self._look_up(carried)
        except FeedFault as fault:
            await self._put_off(carried, f"Archean does not say how it stands ({fault.reason})")
            return
        if isinstance(found, Objection):
            await self._kept.refused(carried, self._feed.name, found)
        elif found is None or found.status == "received":
            await self._kept.put_off(carried, carried.reason, self._owed_ms(carried))
        else:
            await self._answered(carried, found)

    async def _look_up(self, carried: Carried) -> OrderLookup | None:
        return await self._asked(Way.LOOKUPS, carried, lambda: self._feed.look_up_order(carried.order_id))

    async def _asked(self, way: Way, carried: Carried, call: Callable[[], Awaitable[T]]) -> T:
        """Ask Archean something about an order. Raises FeedFault, at once while nobody answers to such questions."""
        gate = self._gates[way]
        if not gate.passes():
            raise FeedFault(gate.fault)
        try:
            answer = await call()
        except FeedFault as fault:
            gate.failed(carried.order_id, fault)
            raise
        finally:
            gate.withdrawn()
        self._opened |= gate.answered()
        return answer

    async def _cancel(self, carried: Carried) -> None:
        cancelling = await self._kept.cancelling(carried)
        if cancelling is not None:
            await self._ask_to_cancel(cancelling)

    async def _ask_to_cancel(self, carried: Carried) -> None:
        try:
            answer = await self._asked(
                Way.CANCELLATIONS, carried, lambda: self._desk.ask_to_cancel(carried.order_id, CANCEL_REASON)
            )
        except FeedFault as fault:
            await self._put_off(carried, f"Archean does not answer to the cancellation ({fault.reason})")
            return
        if answer is CancelAnswer.PENDING:
            await self._kept.put_off(carried, "Archean was asked to cancel it", self._owed_ms(carried))
            return
        await self._kept.cancel_answered(carried, self._feed.name, answer)

    async def sides(self, carried: Carried) -> Sides:
        """Ask both systems for an order, for a person who waits: not for longer than that person would."""
        order: WholeOrder | None = None
        found: OrderLookup | None = None
        silent = True
        with contextlib.suppress(TimeoutError, Quiesced):
            async with asyncio.timeout(SIDES_SECONDS):
                answer = await self._reader.one(carried.order_id)
                order = answer if isinstance(answer, WholeOrder) else None
        if self._feed.offers_lookup:
            with contextlib.suppress(TimeoutError, FeedFault):
                async with asyncio.timeout(SIDES_SECONDS):
                    found = await self._feed.look_up_order(carried.order_id)
                    silent = False
        return Sides(order, found, silent)

    async def send_anew(self, reference: str) -> str | None:
        """Have an order sent again that Archean had and has forgotten, as a restored backup does; None, or why it is not.

        Only Archean's own word counts for that: as long as it may have the order, a second one would be another order.
        """
        story = await self._kept.story(reference)
        if story is None or story.carried.stage not in {Stage.RECEIVED, Stage.ACCEPTED}:
            return f"order {reference} is not one that Archean has had from here and not shipped yet"
        carried = story.carried
        if not self._feed.offers_lookup:
            return f"Archean cannot be asked for order {carried.name}, so it may have it still"
        try:
            async with asyncio.timeout(SIDES_SECONDS):
                found = await self._feed.look_up_order(carried.order_id)
                if found is None and carried.number:
                    found = await self._feed.look_up_order(carried.number)
        except (TimeoutError, FeedFault) as fault:
            return f"Archean does not say now whether it has order {carried.name} ({fault or 'no answer in time'})"
        if found is not None:
            return f"Archean has order {carried.name}"
        if not await self._kept.forgotten(
            carried, "Archean does not know it any more: a person had it sent again"
        ):
            return f"order {carried.name} was cancelled, or Archean has told of it since: ask there what became of it"
        self._shared.handing.set()
        return None

    @property
    def _note_name(self) -> str:
        return f"hand-over {self._feed.name}"

    def _note_fault(self, fault: FeedFault) -> None:
        self._shared.notes[self._note_name] = (
            f"orders cannot be handed over to {self._feed.name} ({fault.reason}); they wait, and are tried again"
        )

    async def _put_off(self, carried: Carried, reason: str) -> None:
        await self._kept.put_off(carried, reason, self._again_ms(carried))

    def _again_ms(self, carried: Carried, fault: FeedFault | None = None) -> int:
        asked_seconds = 0.0 if fault is None else fault.retry_after_seconds or 0.0
        return self._now_ms() + order_delay_ms(carried.attempts, self._chance(), asked_seconds)

    def _now_ms(self) -> int:
        return self._shared.clock.wall_ms()
