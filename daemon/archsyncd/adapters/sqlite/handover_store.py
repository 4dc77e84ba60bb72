"""The hand-over of orders in the store, as its loop sees it: what is due, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from archsyncd.adapters.sqlite import advising, handing
from archsyncd.adapters.sqlite.cases import open_case
from archsyncd.adapters.sqlite.handed_kits import write_down
from archsyncd.adapters.sqlite.lines import lines_as_handed_over, open_lines, release_order
from archsyncd.adapters.sqlite.order_store import book_answer
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope, array
from archsyncd.adapters.sqlite.session import Session
from archsyncd.adapters.sqlite.statements import Statement, book_statement
from archsyncd.domain.advice import AdviceStage
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.concerned import Concerned
from archsyncd.domain.feed import OrderLookup, Position
from archsyncd.domain.handover import (
    UNSENT,
    CancelAnswer,
    Carried,
    Flaw,
    Hand,
    ImpossibleMove,
    Objection,
    OrderStory,
    Stage,
    moved,
)
from archsyncd.domain.inventory import StockKey
from archsyncd.domain.kits import NO_KITS, Kit
from archsyncd.domain.silence import Untaken

T = TypeVar("T")

KEEP_CLOSED_MS = 120 * 24 * 3600 * 1000
TIDY_ROWS = 2_000
STALLED_LIMIT = 1_000
CLAIMS_LIMIT = 100


class HandoverStore:
    """Orders on their way. Whatever is not as it was read any more is left alone."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def due(self, limit: int) -> list[Carried]:
        """Orders about which something is to be done now, the oldest first."""
        return handing.rows_of(
            await self._session.rows("handover_due", (self._session.clock.wall_ms(), limit))
        )

    async def to_note(self, limit: int) -> list[Carried]:
        """Orders that Archean has and whose number there is to be noted on them now, the oldest first."""
        return handing.rows_of(
            await self._session.rows("handover_to_note", (self._session.clock.wall_ms(), limit))
        )

    async def listed(self, stage: Stage, limit: int) -> list[Carried]:
        """Orders in a state, those first that have been in it longest."""
        return handing.rows_of(await self._session.rows("handover_list", (stage, limit)))

    async def counts(self) -> Mapping[Stage, tuple[int, int]]:
        """How many orders are in each state that is not the end, and since when the first is in it (UTC milliseconds)."""
        rows = await self._session.rows("handover_counts")
        return {Stage(row[0]): (row[1], row[2]) for row in rows}

    async def story(self, reference: str) -> OrderStory | None:
        """An order by its id or number, and what became of it; None when it is not ours to carry."""
        async with self._session.read() as tx:
            found = await tx.row("handover_find", (reference,))
            if found is None:
                return None
            row = await tx.row("handover_get", (found[0],))
            events = await tx.rows("events", (found[0],))
        if row is None:
            return None
        told = tuple((at_ms, Stage(stage), note) for at_ms, stage, note in events)
        return OrderStory(replace(handing.carried_of(row), body=None), told)

    async def concerned(self, names: Collection[str]) -> Mapping[str, Concerned]:
        """By name, the order whose id or number it is, else that of the dispatch or return which is called so."""
        found: dict[str, Concerned] = {}
        for name, order_id, told, stage, advice in await self._session.rows(
            "orders_concerned", (array(sorted(names)),)
        ):
            its = None if advice is None else AdviceStage(advice)
            found.setdefault(name, Concerned(order_id, told, Stage(stage), its))
        return found

    async def wait(self, carried: Carried, reason: str, version: int, again_ms: int) -> None:
        """The order may not go yet."""
        await self._move(carried, Stage.WAITING, reason, again_ms, version=version)

    async def hold(self, carried: Carried, flaw: Flaw, version: int) -> None:
        """The order cannot go whole: it waits for a person, or for its cause to go away."""

        async def step(scope: Scope, before: Carried) -> None:
            after = replace(moved(before, Stage.HELD, scope.now_ms, flaw.reason), version=version, body=None)
            await handing.put(scope, before, after)
            case = NewCase(flaw.kind, handing.SCOPE, before.name, flaw.reason)
            await open_case(scope.tx, case, scope.now_ms)

        await self._step(carried, step, fresh=True)

    async def not_ours(self, carried: Carried, reason: str) -> None:
        """Nothing of the order is for a warehouse."""
        await self._move(carried, Stage.DISMISSED, reason, None, version=carried.version)

    async def ready(
        self, carried: Carried, body: str, lines: str, version: int, kits: Mapping[str, Kit] = NO_KITS
    ) -> Carried | None:
        """Write down what will be sent; durable before the first byte. None when the order has changed meanwhile."""

        async def step(scope: Scope, before: Carried) -> Carried | None:
            made = await _made(scope, before, body, lines, version, kits)
            if made is None:
                return None
            sending = moved(made, Stage.SENDING, scope.now_ms)
            # How often it was tried in vain sets the pace until it arrives.
            sending = replace(sending, sent=made.sent + 1, attempts=before.attempts, edited=False)
            await handing.put(scope, made, sending, f"sending {sending.sent} begins")
            await handing.close_cases(scope, sending, "the order can go now", keep=CaseKind.STALLED_ORDERS)
            return sending

        return await self._step(carried, step, fresh=True)

    async def prepared(
        self,
        carried: Carried,
        body: str,
        lines: str,
        version: int,
        reason: str,
        again_ms: int,
        kits: Mapping[str, Kit] = NO_KITS,
    ) -> None:
        """Write down what will be sent, and that it is not sent now."""

        async def step(scope: Scope, before: Carried) -> None:
            made = await _made(scope, before, body, lines, version, kits)
            if made is None:
                return
            waiting = replace(made, reason=reason, due_ms=again_ms, attempts=before.attempts + 1)
            await handing.put(scope, made, waiting)
            await handing.close_cases(scope, waiting, "the order can go now", keep=CaseKind.STALLED_ORDERS)

        await self._step(carried, step, fresh=True)

    async def untaken_since(self, limit: int) -> list[int]:
        """When the oldest orders were placed that may go and are not with Archean for certain (UTC milliseconds)."""
        return [int(row[0]) for row in await self._session.rows("handover_untaken_since", (limit,))]

    async def wake(self, stages: Collection[Stage], limit: int) -> int:
        """Have some of the orders in these states that were put off be due now, those tried least first; how many."""
        wanted = {"stages": array(sorted(stages)), "limit": limit}

        async def step(scope: Scope) -> int:
            return await scope.tx.run("handover_wake", wanted | {"now": scope.now_ms})

        return await self._session.write(step)

    async def untaken(self) -> Untaken:
        """What is to be handed over and is not with Archean for certain."""
        row = await self._session.row("handover_untaken_now")
        return Untaken(*row) if row else Untaken()

    async def cancelled_unsent(self, carried: Carried, reason: str) -> None:
        """Nothing was ever sent of an order that commercetools has cancelled: its pieces are released with that."""

        async def step(scope: Scope, before: Carried) -> None:
            if before.sent:
                raise ImpossibleMove(before.name, before.stage, Stage.CANCELLED)
            after = replace(moved(before, Stage.CANCELLED, scope.now_ms, reason), cancel=True)
            await handing.put(scope, before, after)
            await handing.close_cases(scope, before, "the order is cancelled")
            await recompute(scope, await release_order(scope, before.order_id))

        await self._step(carried, step)

    async def answered(self, carried: Carried, feed: str, found: OrderLookup, again_ms: int) -> None:
        """Archean says how it stands with the order: the ledger learns it in the same transaction."""

        async def step(scope: Scope, before: Carried) -> None:
            if found.status == "received":
                after = moved(
                    before, Stage.RECEIVED, scope.now_ms, "Archean has it and decides later", again_ms
                )
                await handing.put(scope, before, after)
            else:
                await recompute(scope, await book_answer(scope, before.order_id, feed, found))

        await self._step(carried, step)

    async def refused(self, carried: Carried, feed: str, objection: Objection) -> None:
        """Archean does not take the order as it is."""

        async def step(scope: Scope, before: Carried) -> None:
            why = f"{objection.code}: {objection.detail}" if objection.detail else objection.code
            if objection.different:
                why = "it has another order under the same id; nothing is sent again"
            statement = Statement("refused", feed, Position(0, 0), "", why)
            await recompute(scope, await book_statement(scope, before.order_id, statement))

        await self._step(carried, step)

    async def doubted(self, carried: Carried, reason: str, again_ms: int | None) -> None:
        """Whether Archean has the order is unknown. `again_ms`: when it is asked; None: a person must say."""

        async def step(scope: Scope, before: Carried) -> None:
            then = Stage.IN_DOUBT
            after = replace(moved(before, then, scope.now_ms, reason, again_ms), attempts=before.attempts + 1)
            await handing.put(scope, before, after)
            if again_ms is None:
                told = (
                    f"whether Archean has order {before.name} is unknown ({reason}), and it offers neither a look-up nor "
                    "protection against a second one: nothing is sent again until somebody says"
                )
                case = NewCase(CaseKind.ORDER_IN_DOUBT, handing.SCOPE, before.name, told)
                await open_case(scope.tx, case, scope.now_ms)

        await self._step(carried, step)

    async def unsent(self, carried: Carried, reason: str, again_ms: int) -> None:
        """Archean does not have the order, so it may be sent (again)."""

        async def step(scope: Scope, before: Carried) -> None:
            after = replace(
                moved(before, Stage.READY, scope.now_ms, reason, again_ms), attempts=before.attempts + 1
            )
            if before.edited:
                # It changed meanwhile, and what was written down is of an order that was another one.
                after = replace(after, body=None, edited=False)
            await handing.put(scope, before, after)

        await self._step(carried, step)

    async def noted(self, carried: Carried, reason: str) -> None:
        """Archean's number stands on the order in commercetools, or need not."""

        async def step(scope: Scope, before: Carried) -> None:
            # What was cancelled meanwhile is the next thing to do.
            due_ms = scope.now_ms if before.cancel else None
            after = replace(before, noted=True, reason=reason, due_ms=due_ms, attempts=0)
            await handing.put(scope, before, after)

        await self._step(carried, step)

    async def cancelling(self, carried: Carried) -> Carried | None:
        """Archean is about to be asked to cancel the order."""

        async def step(scope: Scope, before: Carried) -> Carried:
            after = moved(before, Stage.CANCELLING, scope.now_ms, due_ms=scope.now_ms)
            await handing.put(scope, before, after, "commercetools has cancelled it: Archean is asked to")
            return after

        return await self._step(carried, step)

    async def cancel_answered(self, carried: Carried, feed: str, answer: CancelAnswer) -> None:
        """What Archean says to the wish to cancel; stock is released by its word alone."""

        async def step(scope: Scope, before: Carried) -> None:
            if answer is CancelAnswer.ALREADY_SHIPPED:
                told = "Archean has shipped from it already"
                if before.stage is Stage.CANCELLING:
                    after = moved(before, Stage.ACCEPTED, scope.now_ms, told)
                else:
                    after = replace(before, reason=told, due_ms=None)
                await handing.put(scope, before, replace(after, noted=True))
                reason = (
                    f"order {before.name} was cancelled in commercetools, but Archean has shipped from it already: nothing is "
                    "given back by itself; have the goods returned, or set the order right"
                )
                case = NewCase(
                    CaseKind.STATUS_CONFLICT, handing.SCOPE, before.name, reason, code="already_shipped"
                )
                await open_case(scope.tx, case, scope.now_ms)
                return
            statement = Statement("released", feed, Position(0, 0), "", answer.value)
            await recompute(scope, await book_statement(scope, before.order_id, statement))

        await self._step(carried, step)

    async def put_off(self, carried: Carried, reason: str, again_ms: int | None) -> None:
        """Nobody answered: the same is tried again later; None: there is nothing to do."""

        async def step(scope: Scope, before: Carried) -> None:
            after = replace(before, reason=reason, due_ms=again_ms, attempts=before.attempts + 1)
            await handing.put(scope, before, after)

        await self._step(carried, step)

    async def again(self, reference: str, note: str) -> bool:
        """A person has an order tried again that was held or in doubt; False when it is neither."""

        async def step(scope: Scope) -> bool:
            found = await scope.tx.row("handover_find", (reference,))
            before = None if found is None else await handing.get(scope, found[0])
            if before is None or before.stage not in {Stage.HELD, Stage.IN_DOUBT}:
                return False
            # Judged anew from what commercetools says now; what Archean may have already goes as it was.
            then = Stage.READY if before.stage is Stage.IN_DOUBT else Stage.WAITING
            # It is ours now by a person's word, whoever may have brought it.
            after = replace(moved(before, then, scope.now_ms, note, scope.now_ms), foreign_hand=Hand.OURS)
            await handing.put(scope, before, after, f"a person had it tried again: {note}")
            return True

        return await self._session.write(step)

    async def forgotten(self, carried: Carried, note: str) -> bool:
        """Archean had the order and does not know it any more: it is judged and sent anew. False when that cannot be so.

        It cannot where Archean has told of its acceptance in its present epoch, or of anything dispatched for it.
        """

        async def step(scope: Scope) -> bool:
            before = await handing.get(scope, carried.order_id)
            if before is None or before.cancel:
                return False
            # Somebody else may have had it sent, and answered, meanwhile: sent as often and as long in this state it must be.
            if (before.stage, before.sent, before.since_ms) != (
                carried.stage,
                carried.sent,
                carried.since_ms,
            ):
                return False
            heads = await scope.tx.rows("heads_by_id", (array([carried.order_id]),))
            accepted = any(row[6] is not None for row in heads)
            if accepted or await advising.of_order(scope, carried.order_id):
                return False
            held = moved(before, Stage.HELD, scope.now_ms, note)
            waiting = moved(held, Stage.WAITING, scope.now_ms, note, scope.now_ms)
            after = replace(waiting, foreign_hand=Hand.OURS, source_order=None, noted=False)
            await handing.put(scope, before, after, note)
            return True

        return await self._session.write(step)

    async def dismiss(self, reference: str, note: str) -> bool:
        """A person says that an order is not to be handed over by us; False when it is on its way already."""

        async def step(scope: Scope) -> bool:
            found = await scope.tx.row("handover_find", (reference,))
            before = None if found is None else await handing.get(scope, found[0])
            if before is None or before.stage not in UNSENT | {Stage.HELD, Stage.IN_DOUBT}:
                return False
            await handing.put(scope, before, moved(before, Stage.DISMISSED, scope.now_ms, note))
            return True

        return await self._session.write(step)

    async def as_it_is(self, reference: str) -> bool:
        """A person says that Archean has an order as it is now, edited after the hand-over; whether that frees any piece."""

        async def step(scope: Scope) -> bool:
            found = await scope.tx.row("handover_find", (reference,))
            freed = set() if found is None else await lines_as_handed_over(scope, found[0])
            await recompute(scope, freed)
            return bool(freed)

        return await self._session.write(step)

    async def recover(self) -> int:
        """After a start: what was being sent may have arrived. How many orders are in doubt by that.

        Orders that are known and that nobody carries are from when another system did: from now on it is us.
        """

        async def step(scope: Scope) -> int:
            await scope.tx.run("handover_adopt", (scope.now_ms,))
            # This file may be an old copy: what it takes for unsent may have been sent.
            await scope.tx.run("handover_of_before")
            await scope.tx.run("handover_look_again", (scope.now_ms,))
            count = 0
            for (order_id,) in await scope.tx.rows("handover_all_in_doubt"):
                before = await handing.get(scope, order_id)
                if before is None:
                    continue
                reason = "the process ended while it was being sent"
                await handing.put(
                    scope, before, moved(before, Stage.IN_DOUBT, scope.now_ms, reason, scope.now_ms)
                )
                count += 1
            return count

        return await self._session.write(step)

    async def put_down(self, began: str) -> None:
        """Another system hands over now: what was not sent is its own, and a later beginning is a new one.

        `began`: the name of the time at which ours began.
        """

        async def step(scope: Scope) -> None:
            await scope.tx.run("handover_put_down")
            await scope.tx.run("handover_forget_begin", (began,))

        await self._session.write(step)

    async def ours_now(self, carried: Carried) -> Carried | None:
        """Archean does not know it, and nobody else can have it on its way: it is ours to send."""

        async def step(scope: Scope, before: Carried) -> Carried:
            after = replace(before, foreign_hand=Hand.OURS)
            await handing.put(scope, before, after)
            return after

        return await self._step(carried, step)

    async def tell_stalled(self, before_ms: int, waiting_before_ms: int) -> None:
        """Tell of orders that were not handed over within their limit; of those that wait by right after a longer one."""
        async with self._session.read() as tx:
            late = await tx.rows("handover_stalled", (before_ms, STALLED_LIMIT))
            late += await tx.rows("handover_waiting_long", (waiting_before_ms, STALLED_LIMIT))
        if not late:
            return

        async def step(scope: Scope) -> None:
            for order_id, number, stage, reason in late:
                name = number or order_id
                told = (
                    f"order {name} is not with Archean yet: it is {stage}{f' ({reason})' if reason else ''}"
                )
                case = NewCase(CaseKind.STALLED_ORDERS, handing.SCOPE, name, told)
                await open_case(scope.tx, case, scope.now_ms)

        await self._session.write(step)

    async def check_claims(self, before_ms: int) -> int:
        """Look at orders that somebody marked as shipped before that; how many. Without a dispatch nothing is confirmed."""
        due = await self._session.rows("handover_claims", (before_ms, CLAIMS_LIMIT))

        async def step(scope: Scope) -> None:
            for (order_id,) in due:
                before = await handing.get(scope, order_id)
                await scope.tx.run("handover_unclaim", (order_id,))
                if before is None or any(
                    each.is_shipped for each in await advising.of_order(scope, order_id)
                ):
                    continue
                reason = (
                    f"order {before.name} was marked as shipped in commercetools, but Archean has told of no dispatch: nothing "
                    "is confirmed to Archean, and the goods are still counted as being there"
                )
                case = NewCase(
                    CaseKind.STATUS_CONFLICT, handing.SCOPE, before.name, reason, code=handing.SHIPPED_HERE
                )
                await open_case(scope.tx, case, scope.now_ms)
                await handing.note(scope, order_id, reason)

        if due:
            await self._session.write(step)
        return len(due)

    async def look_again(self) -> None:
        """The rules may be others: orders that wait or are held, and were never sent, are judged anew."""
        await self._session.write(lambda scope: scope.tx.run("handover_look_again", (scope.now_ms,)))

    async def tidy(self) -> bool:
        """Drop some of the orders that were closed long ago; whether more of them are left."""

        async def step(scope: Scope) -> int:
            dropped = await scope.tx.run("handover_purge", (scope.now_ms - KEEP_CLOSED_MS, TIDY_ROWS))
            if dropped:
                await scope.tx.run("kits_forget")
            return dropped

        return await self._session.write(step) == TIDY_ROWS

    async def _move(
        self, carried: Carried, then: Stage, reason: str, again_ms: int | None, *, version: int
    ) -> None:
        async def step(scope: Scope, before: Carried) -> None:
            after = replace(moved(before, then, scope.now_ms, reason, again_ms), version=version)
            await handing.put(scope, before, after)

        await self._step(carried, step, fresh=True)

    async def _step(
        self, carried: Carried, step: Callable[[Scope, Carried], Awaitable[T]], *, fresh: bool = False
    ) -> T | None:
        """Take a step with an order that stands where it was read; else None: it is met again as it is now.

        `fresh`: nor may it have changed in commercetools since. A step that the table of states does not know is told, and
        stops nobody but this order.
        """

        async def body(scope: Scope) -> T | None:
            before = await handing.get(scope, carried.order_id)
            if before is None or (before.stage, before.sent) != (carried.stage, carried.sent):
                return None
            if fresh and (before.version > carried.version or before.cancel != carried.cancel):
                return None
            return await step(scope, before)

        try:
            return await self._session.write(body)
        except ImpossibleMove as fault:
            what = str(fault)
            await self._session.write(lambda scope: _impossible(scope, carried, what))
            return None


async def _made(
    scope: Scope, before: Carried, body: str, lines: str, version: int, kits: Mapping[str, Kit]
) -> Carried | None:
    """The order with what is to be sent of it written down; None where that is of an order that was another one.

    What its kits are made of is written down with it, so that whatever Archean says of its components is understood as it was
    sent, by whatever rules later.
    """
    if before.stage is Stage.READY and before.body is not None:
        return before
    if not body or before.version > version:
        return None
    made = replace(moved(before, Stage.READY, scope.now_ms, due_ms=scope.now_ms), version=version)
    made = replace(made, body=body, lines=lines, attempts=before.attempts)
    await handing.put(scope, before, made, "it may be handed over, and is whole")
    touched = await _touched(scope, before.order_id)
    await write_down(scope, before.order_id, kits)
    if kits:
        touched |= await _touched(scope, before.order_id)
    await recompute(scope, touched | await lines_as_handed_over(scope, before.order_id))
    return made


async def _touched(scope: Scope, order_id: str) -> set[StockKey]:
    """The keys of the order's kits as they were handed over, and of their components."""
    lines = (await open_lines(scope, (order_id,))).get(order_id, ())
    return {key for line in lines if line.made_of for key in line.touches}


async def _impossible(scope: Scope, carried: Carried, what: str) -> None:
    before = await handing.get(scope, carried.order_id)
    if before is None:
        return
    await handing.put(scope, before, replace(before, due_ms=None, reason=what))
    case = NewCase(
        CaseKind.STATUS_CONFLICT,
        handing.SCOPE,
        before.name,
        f"{what}: look at both systems",
        code="impossible",
    )
    await open_case(scope.tx, case, scope.now_ms)
