"""Carrying dispatches and returns back to commercetools, and the word of it to Archean, which closes the circle.

Only what Archean has shipped is booked, each fulfilment as one delivery under its own key, so that a lost answer is repeated
and finds itself. What does not fit the order is held for a person; the rest goes on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archsyncd.domain.advice import READY_STATUSES, Advice, AdviceKind, AdviceStage
from archsyncd.domain.booking import (
    Beside,
    Booking,
    Dispatch,
    Finding,
    book,
    book_progress,
    closed_pieces,
    has_delivery,
    stands,
    strange_deliveries,
)
from archsyncd.domain.cases import CaseKind
from archsyncd.domain.handover import BookedDispatch, Hand, Objection, Taken
from archsyncd.domain.inventory import Conflict, Failure, Missing, Refused, TooLarge
from archsyncd.domain.kits import Kit
from archsyncd.domain.order import goods_of
from archsyncd.domain.packing import wire_key
from archsyncd.domain.retry import delay
from archsyncd.domain.returning import OtherReturns, book_return, has_items
from archsyncd.domain.rules import LearnRules
from archsyncd.domain.same_goods import as_ordered, strange_skus
from archsyncd.domain.silence import Way
from archsyncd.domain.times import rfc3339
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.advices import Advices
from archsyncd.engine.gate import Gate
from archsyncd.engine.limiter import Limiter, Priority, Quiesced
from archsyncd.engine.ports import Commercetools, FeedFault, OrderDesk, StoreFull
from archsyncd.engine.shared import Shared, describe, wait_for
from archsyncd.engine.store import Store
from archsyncd.engine.together import together
from archsyncd.engine.whole_reader import WholeReader

ADVICES_PER_ROUND = 100
ADVICES_AT_ONCE = 12
IDLE_SECONDS = 1.0
CONFLICT_AGAIN_MS = 500
BACKOFF_BASE_SECONDS = 2.0
BACKOFF_LIMIT_SECONDS = 300.0
LOOK_AFTER_SECONDS = 15.0
OWED_LIMIT_SECONDS = 60.0
TIDY_SECONDS = 3600.0
WAKE_LIMIT = 100_000
# What never gets an answer, among others that do, is not tried each time that another one is answered.
WAKE_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class DispatchOptions:
    """How dispatches are booked.

    A dispatch is told of when its order is not known after `unknown_seconds`, and when it is not booked, or not acknowledged,
    after `stalled_seconds`. `short_closes`: pieces that the warehouse did not find are closed at once, else somebody decides.
    `ready_state`: picked and packed goods are told of. `not_goods`: patterns of SKUs that no warehouse ships.
    """

    unknown_seconds: float
    stalled_seconds: float
    short_closes: bool = False
    ready_state: bool = False
    not_goods: tuple[str, ...] = ()


async def _as_they_are(skus: Collection[str]) -> Mapping[str, str]:
    return {sku: sku for sku in skus}


class Dispatching:
    """Books what Archean advises, one order at a time, and acknowledges what is booked."""

    def __init__(
        self,
        store: Store,
        client: Commercetools,
        desks: Mapping[str, OrderDesk],
        limiter: Limiter,
        shared: Shared,
        options: DispatchOptions,
        learn_rules: Callable[[], LearnRules],
        chance: Callable[[], float],
        beat: Callable[[], None],
        may_write: Callable[[], bool] = lambda: True,
        goods: Callable[[Collection[str]], Awaitable[Mapping[str, str]]] = _as_they_are,
    ) -> None:
        """`desks`: by feed, where a booking is acknowledged. `may_write`: whether anything may be written at all.

        `goods`: what Archean calls the goods of commercetools' SKUs, of those that were given up too.
        """
        self._store = store
        self._client = client
        self._desks = desks
        self._limiter = limiter
        self._shared = shared
        self.options = options
        self._learn_rules = learn_rules
        self._chance = chance
        self._beat = beat
        self._may_write = may_write
        self._goods_of = goods
        self._reader = WholeReader(client, limiter, Priority.BOOKING, beat)
        self._read: dict[str, WholeOrder] = {}
        self._bookings = {name: Gate(shared.clock, chance) for name in desks}
        self._dispatches = Gate(shared.clock, chance)
        shared.gates |= {(Way.BOOKINGS, name): gate for name, gate in self._bookings.items()}
        shared.gates[Way.DISPATCHES, ""] = self._dispatches
        self._opened = False
        self._woken_at = float("-inf")
        self._tidied_at = float("-inf")
        self._looked_at = float("-inf")

    @property
    def _kept(self) -> Advices:
        return self._store.advices

    async def run(self) -> None:
        """Book and acknowledge until the limiter lets nothing more begin."""
        for gate in (self._dispatches, *self._bookings.values()):
            gate.withdrawn()  # what tried it when the loop ended tells nothing any more
        self._opened = True  # whoever was put off by a run before this one is not left to wait on
        try:
            while not self._shared.stopping:
                self._beat()
                try:
                    busy = await self.work_some()
                    await self._look_after()
                except StoreFull:
                    busy = 0
                await wait_for(self._shared.booking, 0 if busy >= ADVICES_PER_ROUND else IDLE_SECONDS)
        except Quiesced:
            pass

    async def work_some(self) -> int:
        """Do what is due about a bounded number of advices, the oldest first; about how many.

        Two advices of one order follow each other: each changes the order's version.
        """
        if not self._may_write() or not self._shared.may_increase():
            return 0  # without the lease for certain, somebody else may be booking them
        await self._probe()
        due = await self._kept.due(ADVICES_PER_ROUND)
        booking = {each.order_id: 0 for each in due if each.order_id and each.stage is AdviceStage.DUE}
        self._read = await self._reader.several(booking)
        waiting = list(due)
        while waiting:
            taken: dict[str, Advice] = {}
            waiting = [
                advice
                for advice in waiting
                if taken.setdefault(advice.order_id or advice.name, advice) is not advice
            ]
            await together((self._step(advice) for advice in taken.values()), ADVICES_AT_ONCE)
        if self._opened and self._shared.clock.monotonic() >= self._woken_at + WAKE_EVERY_SECONDS:
            # That somebody answers again is news to all that waited for it.
            self._opened, self._woken_at = False, self._shared.clock.monotonic()
            for stage in (AdviceStage.DUE, AdviceStage.BOOKED):
                await self._kept.wake(stage, WAKE_LIMIT)
            return ADVICES_PER_ROUND
        return len(due)

    async def _probe(self) -> None:
        """Have one advice try each way on which nobody answers, when that is due."""
        if self._dispatches.probe_due:
            await self._kept.wake(AdviceStage.DUE, 1)
        for name, gate in self._bookings.items():
            if gate.probe_due:
                await self._kept.wake(AdviceStage.BOOKED, 1, name)

    async def _look_after(self) -> None:
        """Now and then: what waits for too long, and what was finished long ago."""
        now = self._shared.clock.monotonic()
        if now - self._looked_at < LOOK_AFTER_SECONDS:
            return
        self._looked_at = now
        limit_ms = int(self.options.stalled_seconds * 1000)
        await self._kept.tell_stalled(self._shared.clock.wall_ms() - limit_ms)
        if now - self._tidied_at >= TIDY_SECONDS and not await self._kept.tidy():
            self._tidied_at = now

    def _step(self, advice: Advice) -> Coroutine[Any, Any, None]:
        self._beat()
        match advice.stage:
            case AdviceStage.PARKED:
                return self._park(advice)
            case AdviceStage.BOOKED:
                return self._acknowledge(advice)
            case _:
                return self._book(advice)

    async def _park(self, advice: Advice) -> None:
        """The sweep finds every order in the end, and what waits for it then goes on; one that it does not find is nobody's."""
        due_ms = advice.since_ms + int(self.options.unknown_seconds * 1000)
        if self._shared.clock.wall_ms() < due_ms:
            await self._kept.park(advice, due_ms, None)
            return
        told = (
            f"the {advice.kind} {advice.name} of Archean is about order {advice.reference}, which commercetools has not "
            f"shown for {self.options.unknown_seconds / 60:g} minutes: nothing is booked until it appears"
        )
        await self._kept.park(advice, None, told)

    async def _book(self, advice: Advice) -> None:
        gate = self._dispatches
        if not gate.passes():
            await self._put_off(advice, f"commercetools books nothing now ({gate.fault})")
            return
        try:
            await self._book_now(advice)
        finally:
            gate.withdrawn()

    async def _book_now(self, advice: Advice) -> None:
        order_id = advice.order_id
        assert order_id is not None
        # What a list showed may be behind: it is taken where it fits, as a booking under an old version takes no effect.
        listed = self._read.pop(order_id, None)
        if listed is not None and await self._booked(advice, self._goods(listed), sure=False):
            return
        found = await self._reader.one(order_id)
        if isinstance(found, Missing):
            what = f"the {advice.kind} {advice.name} cannot be booked"
            reason = f"{what}: its order {advice.reference} was deleted in commercetools"
            await self._kept.hold(advice, (Finding(CaseKind.FULFILMENT_MISMATCH, "order_deleted", reason),))
        elif isinstance(found, WholeOrder):
            await self._booked(advice, self._goods(found), sure=True)
        else:
            await self._unbooked(advice, f"commercetools does not show the order ({describe(found)})")

    async def _booked(self, advice: Advice, whole: WholeOrder, *, sure: bool) -> bool:
        """Book it on the order as it was read; False when that may have been behind (not `sure`) and does not fit."""
        closing = self.options.short_closes and bool(advice.shorts) and not advice.short_closed
        if closing:
            await self._kept.close_shorts(advice)
            advice = replace(advice, short_closed=True)
        others = await self._kept.of_order(whole.order.id)
        told, *rest = await self._as_ordered(whole, [advice, *others])
        kits = await self._kept.kits_of(whole.order, self._learn_rules())
        closed = _closed(whole, told, rest, kits)
        booking = self._booking(whole, told, rest, closed, kits)
        if advice.is_shipped and not booking.refused and await self._is_anothers(whole, advice, others):
            booking = Booking((), (_anothers(whole, advice),), whole.order.shipment_state, refused=True)
        if booking.refused or (booking.findings and not sure):
            if sure:
                await self._kept.hold(advice, booking.findings)
            return sure
        if booking.actions:
            done = await self._ask(whole, booking)
            if isinstance(done, Conflict):
                if sure:
                    again_ms = self._shared.clock.wall_ms() + CONFLICT_AGAIN_MS
                    await self._kept.put_off(advice, "the order changed meanwhile", again_ms)
                return sure
            if isinstance(done, Refused | TooLarge | Missing):
                what = f"commercetools does not take the {advice.kind} {advice.name} of order {whole.name}"
                refused = Finding(CaseKind.FULFILMENT_MISMATCH, "refused", f"{what}: {describe(done)}")
                await self._kept.hold(advice, (*booking.findings, refused))
                return True
            if not isinstance(done, WholeOrder):
                await self._unbooked(
                    advice, f"commercetools does not say whether it is booked ({describe(done)})"
                )
                return True
            whole = self._goods(done)
            self._shared.count("booked")
        await self._settle(advice, whole, booking, closed)
        return True

    async def _ask(self, whole: WholeOrder, booking: Booking) -> WholeOrder | Failure:
        done = await self._limiter.call(
            Priority.BOOKING,
            1.0,
            lambda: self._client.book_dispatch(whole.order.id, whole.order.version, booking.actions),
        )
        if isinstance(done, WholeOrder | Conflict | Refused | TooLarge | Missing):
            self._opened |= self._dispatches.answered()
        return done

    def _goods(self, order: WholeOrder) -> WholeOrder:
        return replace(order, order=goods_of(order.order, self.options.not_goods))

    async def _as_ordered(self, whole: WholeOrder, advices: Sequence[Advice]) -> Sequence[Advice]:
        """What was told in other SKUs than the order has for the same goods, in the order's."""
        strange = strange_skus(whole, advices)
        if not strange:
            return advices
        goods = await self._goods_of({*strange, *(line.sku for line in whole.order.lines if line.sku)})
        return [as_ordered(whole, each, goods) for each in advices]

    async def _is_anothers(self, whole: WholeOrder, advice: Advice, others: Sequence[Advice]) -> bool:
        """Whether another system may have booked it under a key of its own, before it was ours to book."""
        if has_delivery(whole, advice.name) or not strange_deliveries(whole, [each.name for each in others]):
            return False
        story = await self._store.handovers.story(whole.order.id)
        return story is not None and story.carried.foreign_hand is Hand.ANOTHER_SYSTEM

    def _booking(
        self,
        whole: WholeOrder,
        advice: Advice,
        others: Sequence[Advice],
        closed: Mapping[str, int],
        kits: Mapping[str, Kit],
    ) -> Booking:
        if advice.kind is AdviceKind.RETURN:
            booked = {each.name: each.returned for each in _booked_before(whole, advice, others)}
            return book_return(whole, advice.name, advice.returned, OtherReturns(kits, booked))
        if advice.is_shipped:
            dispatch = Dispatch(advice.name, advice.shares, advice.parcels)
            return book(whole, dispatch, closed, _beside(whole, advice, others, kits))
        if has_delivery(whole, advice.name):
            reason = (
                f"Archean has taken the dispatch {advice.name} of order {whole.name} back (it is {advice.status} now), and its "
                "delivery stands in commercetools: remove it there if nothing was sent"
            )
            finding = Finding(CaseKind.FULFILMENT_MISMATCH, "taken_back", reason)
            return Booking((), (finding,), whole.order.shipment_state, refused=True)
        ready = self.options.ready_state and advice.status in READY_STATUSES
        return book_progress(whole, closed, ready=ready, beside=_beside(whole, advice, others, kits))

    async def _settle(
        self, advice: Advice, whole: WholeOrder, booking: Booking, closed: Mapping[str, int]
    ) -> None:
        delivered = advice.is_shipped and any(line.quantity for line in advice.shares)
        await self._kept.booked(
            advice,
            whole.order,
            self._learn_rules(),
            booking.findings,
            stands(whole, closed),
            wire_key(advice.name) if delivered else None,
            rfc3339(self._shared.server_now_ms()),
        )
        self._shared.booking.set()  # Archean is told of it next
        if advice.kind is AdviceKind.FULFILMENT:
            kept = await self._again(advice)
            if kept is not None and kept.shorts and not kept.short_closed:
                await self._kept.tell_shorts(kept, whole.name)
            elif kept is not None:
                await self._kept.shorts_settled(kept)

    async def _again(self, advice: Advice) -> Advice | None:
        """The advice as it is now, if no newer record has replaced it."""
        assert advice.order_id is not None
        for each in await self._kept.of_order(advice.order_id):
            if (each.feed, each.kind, each.name, each.position) == (
                advice.feed,
                advice.kind,
                advice.name,
                advice.position,
            ):
                return each
        return None

    async def _acknowledge(self, advice: Advice) -> None:
        desk = self._desks.get(advice.feed)
        if desk is None or advice.order_id is None:
            await self._kept.acknowledged(advice)
            return
        told = BookedDispatch(
            advice.name,
            advice.order_id,
            advice.delivery_key or "",
            advice.shipment_state or "",
            advice.booked_at or rfc3339(self._shared.server_now_ms()),
        )
        gate = self._bookings[advice.feed]
        if not gate.passes():
            await self._put_off(advice, f"Archean takes the word of no booking now ({gate.fault})")
            return
        try:
            answer = await desk.acknowledge_dispatch(told)
        except FeedFault as fault:
            gate.failed(advice.name, fault)
            await self._put_off(advice, f"Archean does not take the word of the booking ({fault.reason})")
            return
        finally:
            gate.withdrawn()
        self._opened |= gate.answered()
        if isinstance(answer, Objection):
            reason = (
                f"Archean objects to the booking of its dispatch {advice.name} of order {advice.reference} ({answer.code}"
                "): the delivery stands in commercetools"
            )
            finding = Finding(CaseKind.FULFILMENT_MISMATCH, "not_acknowledged", reason)
            await self._kept.hold(advice, (finding,))
        elif answer is Taken.PENDING:
            seconds = min(desk.again_seconds * (1 + advice.attempts), OWED_LIMIT_SECONDS)
            again_ms = self._shared.clock.wall_ms() + int(seconds * 1000)
            await self._kept.put_off(advice, "Archean was told of the booking", again_ms)
        else:
            await self._kept.acknowledged(advice)

    async def _unbooked(self, advice: Advice, reason: str) -> None:
        self._dispatches.refused(advice.name, reason)
        await self._put_off(advice, reason)

    async def _put_off(self, advice: Advice, reason: str) -> None:
        seconds = delay(
            advice.attempts,
            self._chance(),
            base_seconds=BACKOFF_BASE_SECONDS,
            limit_seconds=BACKOFF_LIMIT_SECONDS,
        )
        await self._kept.put_off(advice, reason, self._shared.clock.wall_ms() + int(seconds * 1000))


def _booked_before(whole: WholeOrder, advice: Advice, others: Sequence[Advice]) -> list[Advice]:
    """The other dispatches of an order that stand in commercetools, of a return the other returns."""
    return [
        each
        for each in others
        if each.kind is advice.kind
        and each.name != advice.name
        and (each.is_shipped or each.kind is AdviceKind.RETURN)
        and (
            each.stage in {AdviceStage.BOOKED, AdviceStage.DONE}
            or each.delivery_key is not None
            or (each.is_shipped and has_delivery(whole, each.name))
            or has_items(whole, each.name)
        )
    ]


def _beside(whole: WholeOrder, advice: Advice, others: Sequence[Advice], kits: Mapping[str, Kit]) -> Beside:
    if not kits:
        return Beside()
    booked = _booked_before(whole, advice, others)
    return Beside(kits, tuple(Dispatch(each.name, each.shares) for each in booked))


def _closed(
    whole: WholeOrder, advice: Advice, others: Sequence[Advice], kits: Mapping[str, Kit]
) -> Mapping[str, int]:
    """Pieces of the order that will never be shipped, by line."""
    closing = [each for each in others if each.short_closed and each.name != advice.name]
    if advice.short_closed:
        closing.append(advice)
    shorts = [line for each in closing for line in each.shorts]
    if not shorts:
        return {}
    beside = _beside(whole, advice, others, kits)
    if not advice.is_shipped:
        return closed_pieces(whole, shorts, (), beside)
    dispatch = Dispatch(advice.name, advice.shares, advice.parcels)
    planned = book(whole, dispatch, {}, beside).actions
    return closed_pieces(whole, shorts, planned, replace(beside, others=(*beside.others, dispatch)))


def _anothers(whole: WholeOrder, advice: Advice) -> Finding:
    reason = (
        f"the dispatch {advice.name} of order {whole.name} is not booked: another system has booked deliveries of this order "
        "under keys of its own, and this may be one of them; book it by hand if it is not, and dismiss the case"
    )
    return Finding(CaseKind.FULFILMENT_MISMATCH, "another_system", reason)
