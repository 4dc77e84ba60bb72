"""What Archean advises of goods, in the store, as the loop that books it sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace

from archsyncd.adapters.sqlite import advising, handing
from archsyncd.adapters.sqlite.cases import open_case, resolve_case
from archsyncd.adapters.sqlite.handed_kits import kits_of_orders
from archsyncd.adapters.sqlite.learning import doubt_bases, learn_orders
from archsyncd.adapters.sqlite.recompute import recompute
from archsyncd.adapters.sqlite.scope import Scope
from archsyncd.adapters.sqlite.session import Session
from archsyncd.domain.advice import CANCELLED, Advice, AdviceKind, AdviceStage
from archsyncd.domain.booking import Finding
from archsyncd.domain.cases import CaseKind, NewCase
from archsyncd.domain.handover import Stage, may_move, moved
from archsyncd.domain.inventory import Order
from archsyncd.domain.kit_orders import kits_ordered
from archsyncd.domain.kits import Kit
from archsyncd.domain.order import count_lines
from archsyncd.domain.returning import BACK_IN_STOCK, FATES
from archsyncd.domain.rules import LearnRules

KEEP_MS = 120 * 24 * 3600 * 1000
TIDY_ROWS = 2_000
SHORT_PICKS_SHOWN = 5
STALLED_LIMIT = 1_000


class AdviceStore:
    """Advices. Whatever is not as it was read any more is left alone: it is met again as it is now."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def due(self, limit: int) -> list[Advice]:
        """Advices about which something is to be done now, the oldest first."""
        rows = await self._session.rows("advice_due", (self._session.clock.wall_ms(), limit))
        return [advising.advice_of(row) for row in rows]

    async def of_order(self, order_id: str) -> list[Advice]:
        """Everything advised of an order, the oldest first."""
        async with self._session.read() as tx:
            return await advising.of_order(self._session.scope(tx), order_id)

    async def kits_of(self, order: Order, rules: LearnRules) -> Mapping[str, Kit]:
        """By line id, the kits that an order was handed over with; of lines that were not, as the rules are now."""
        async with self._session.read() as tx:
            return await _kits_of(self._session.scope(tx), order, rules)

    async def unbooked_since(self, limit: int) -> list[int]:
        """When Archean told the oldest of the dispatches that are not booked (UTC milliseconds)."""
        return [int(row[0]) for row in await self._session.rows("advice_unbooked_since", (limit,))]

    async def wake(self, stage: AdviceStage, limit: int, feed: str = "") -> int:
        """Have some of those in this stage (of one feed) that were put off be due now, those tried least first; how many."""
        wanted = {"stage": stage, "limit": limit, "feed": feed}

        async def step(scope: Scope) -> int:
            return await scope.tx.run("advice_wake", wanted | {"now": scope.now_ms})

        return await self._session.write(step)

    async def counts(self) -> Mapping[tuple[AdviceKind, AdviceStage], tuple[int, int]]:
        """How many advices wait or are held, by stage, and since when the first of them is (UTC milliseconds)."""
        rows = await self._session.rows("advice_counts")
        return {(AdviceKind(row[0]), AdviceStage(row[1])): (row[2], row[3]) for row in rows}

    async def booked(
        self,
        advice: Advice,
        order: Order,
        rules: LearnRules,
        findings: Sequence[Finding],
        stands: Stage | None,
        delivery_key: str | None,
        booked_at: str,
    ) -> None:
        """Commercetools has booked it. `order`: as it is after that; `stands`: how far it has come by its deliveries.

        `delivery_key` is None where there was nothing to deliver. The order's new version is learnt in the same transaction.
        """

        async def step(scope: Scope, before: Advice) -> None:
            acknowledges = before.is_shipped and delivery_key is not None and not before.acknowledged
            stage = AdviceStage.BOOKED if acknowledges else _after_booking(before)
            after = replace(
                before,
                stage=stage,
                delivery_key=delivery_key or before.delivery_key,
                shipment_state=order.shipment_state,
                booked_at=booked_at if acknowledges else before.booked_at,
                since_ms=scope.now_ms,
                reason="",
                attempts=0,
                due_ms=scope.now_ms if acknowledges else None,
            )
            await advising.put(scope, after)
            if acknowledges:
                scope.lags.append(("booked", scope.now_ms - before.told_ms))
            await learn_orders(scope, [order], rules)
            await scope.tx.run("handover_unclaim", (order.id,))
            back = {line.sku for line in before.returned if FATES[line.disposition] == BACK_IN_STOCK}
            if back:
                kits = (await _kits_of(scope, order, rules)).values()
                back |= {kit.sku for kit in kits if any(sku in back for sku, _ in kit.components)}
                await _doubt(scope, order, rules, back)
            await _goes_on(scope, after, "it is booked now")
            await self._findings(scope, after, findings, "it is booked now")
            await _move(scope, after, stands)

        await self._step(advice, step)

    async def hold(self, advice: Advice, findings: Sequence[Finding]) -> None:
        """It cannot be booked as it is: it waits for a person, or for a newer record."""

        async def step(scope: Scope, before: Advice) -> None:
            reason = findings[0].reason if findings else "it cannot be booked"
            held = replace(
                before,
                stage=AdviceStage.HELD,
                reason=reason,
                since_ms=scope.now_ms,
                due_ms=None,
            )
            await advising.put(scope, held)
            await self._open(scope, held, findings)
            if before.order_id is not None and before.stage is not AdviceStage.HELD:
                await handing.note(scope, before.order_id, reason)

        await self._step(advice, step)

    async def _findings(self, scope: Scope, advice: Advice, findings: Sequence[Finding], note: str) -> None:
        found = {finding.kind for finding in findings}
        for kind in advising.ADVICE_CASES:
            if kind not in found:
                await resolve_case(scope.tx, kind, advising.SCOPE, advice.name, note, scope.now_ms)
        if advice.order_id is not None:
            # What is told of the order's kits by this one is told of all of them.
            for each in await advising.of_order(scope, advice.order_id):
                if each.kind is advice.kind and each.name != advice.name:
                    kind = CaseKind.KIT_INCOMPLETE
                    await resolve_case(scope.tx, kind, advising.SCOPE, each.name, note, scope.now_ms)
        await self._open(scope, advice, findings)

    async def _open(self, scope: Scope, advice: Advice, findings: Sequence[Finding]) -> None:
        carried = await handing.get(scope, advice.order_id) if findings and advice.order_id else None
        for finding in findings:
            # That the systems disagree is about the order, whichever of its dispatches shows it.
            of_order = finding.kind is CaseKind.STATUS_CONFLICT and carried is not None
            case = NewCase(
                finding.kind,
                advising.SCOPE,
                carried.name if of_order and carried is not None else advice.name,
                finding.reason,
                code=finding.code,
                order=advice.reference,
            )
            await open_case(scope.tx, case, scope.now_ms)

    async def close_shorts(self, advice: Advice) -> None:
        """What is short of it will never be shipped: the ledger counts it as gone, and the order may be whole without it."""

        async def step(scope: Scope, before: Advice) -> None:
            if before.short_closed or not before.shorts or before.order_id is None:
                return
            closed = replace(before, short_closed=True)
            await advising.put(scope, closed)
            await recompute(scope, await advising.book_shorts(scope, closed))
            pieces = sum(line.short_quantity for line in before.shorts)
            await handing.note(scope, before.order_id, f"{pieces} pieces of {before.name} are closed short")
            await _resolve_short(scope, closed, "the missing pieces are closed")

        await self._step(advice, step)

    async def tell_shorts(self, advice: Advice, name: str) -> None:
        """Somebody must decide what becomes of pieces that the warehouse did not find. `name`: what people call the order."""

        async def step(scope: Scope, before: Advice) -> None:
            missing = ", ".join(
                f"{line.short_quantity} of {line.sku}" for line in before.shorts[:SHORT_PICKS_SHOWN]
            )
            reason = f"Archean did not find {missing} for order {name} ({before.name})"
            case = NewCase(CaseKind.SHORT_PICK, advising.SCOPE, before.name, reason, order=name)
            await open_case(scope.tx, case, scope.now_ms)

        await self._step(advice, step)

    async def shorts_settled(self, advice: Advice) -> None:
        """Nothing is short of it any more."""
        await self._step(
            advice, lambda scope, before: _resolve_short(scope, before, "nothing is short any more")
        )

    async def acknowledged(self, advice: Advice) -> None:
        """Archean knows that it is booked: with the last one of a shipped order the circle is closed."""

        async def step(scope: Scope, before: Advice) -> None:
            done = replace(
                before,
                stage=AdviceStage.DONE,
                acknowledged=True,
                since_ms=scope.now_ms,
                reason="",
                attempts=0,
                due_ms=None,
            )
            await advising.put(scope, done)
            note = "Archean knows of the booking now"
            await _goes_on(scope, done, note)
            mismatch = CaseKind.FULFILMENT_MISMATCH
            await resolve_case(scope.tx, mismatch, advising.SCOPE, before.name, note, scope.now_ms)
            if before.order_id is not None:
                await handing.note(scope, before.order_id, f"Archean knows that {before.name} is booked")
                await _close(scope, before.order_id)

        await self._step(advice, step)

    async def park(self, advice: Advice, again_ms: int | None, told: str | None) -> None:
        """Its order is still not known. `told`: why a person must look at it, None as long as that may be so by right."""

        async def step(scope: Scope, before: Advice) -> None:
            await advising.put(scope, replace(before, due_ms=again_ms, attempts=before.attempts + 1))
            if told is not None:
                case = NewCase(
                    CaseKind.FULFILMENT_UNKNOWN_ORDER,
                    advising.SCOPE,
                    before.name,
                    told,
                    order=before.reference,
                )
                await open_case(scope.tx, case, scope.now_ms)

        await self._step(advice, step)

    async def put_off(self, advice: Advice, reason: str, again_ms: int) -> None:
        """Nobody answered, or the order changed meanwhile: the same is tried again later."""

        async def step(scope: Scope, before: Advice) -> None:
            await advising.put(
                scope, replace(before, reason=reason, due_ms=again_ms, attempts=before.attempts + 1)
            )

        await self._step(advice, step)

    async def tell_stalled(self, before_ms: int) -> None:
        """Tell of what has waited since before that to be booked, or to be taken notice of."""

        async def step(scope: Scope) -> None:
            for row in await scope.tx.rows("advice_stalled", (before_ms, STALLED_LIMIT)):
                advice = advising.advice_of(row)
                if advice.stage is AdviceStage.DUE:
                    what = "is not booked in commercetools yet"
                else:
                    what = "is booked in commercetools, and Archean has not taken notice of it"
                why = f" ({advice.reason})" if advice.reason else ""
                reason = f"the {advice.kind} {advice.name} of order {advice.reference} {what}{why}; it is tried again"
                case = NewCase(
                    CaseKind.STALLED_ORDERS, advising.SCOPE, advice.name, reason, order=advice.reference
                )
                await open_case(scope.tx, case, scope.now_ms)

        await self._session.write(step)

    async def again(self, name: str) -> bool:
        """A person has what is held tried again; False when nothing of that name is."""

        async def step(scope: Scope) -> bool:
            found = False
            for row in await scope.tx.rows("advice_held", (name,)):
                advice = advising.advice_of(row)
                due = replace(
                    advice, stage=AdviceStage.DUE, due_ms=scope.now_ms, since_ms=scope.now_ms, attempts=0
                )
                await advising.put(scope, due)
                found = True
            return found

        return await self._session.write(step)

    async def dismiss(self, name: str, note: str) -> bool:
        """A person has settled by hand what is held, or says that what is parked is not ours; False when neither is."""

        async def step(scope: Scope) -> bool:
            found = False
            for row in await scope.tx.rows("advice_unsettled", (name,)):
                advice = advising.advice_of(row)
                stage = AdviceStage.VOID if advice.stage is AdviceStage.PARKED else AdviceStage.DONE
                settled = replace(advice, stage=stage, reason=note, due_ms=None, since_ms=scope.now_ms)
                await advising.put(scope, settled)
                if advice.order_id is not None:
                    await handing.note(scope, advice.order_id, f"a person settled {name} by hand: {note}")
                    await _close(scope, advice.order_id)
                found = True
            return found

        return await self._session.write(step)

    async def close_short_by_name(self, name: str) -> bool:
        """A person closes what is short of an advice; False when nothing is."""

        async def step(scope: Scope) -> bool:
            found = False
            for row in await scope.tx.rows("advice_short", (name,)):
                advice = advising.advice_of(row)
                if advice.short_closed or not advice.shorts or advice.order_id is None:
                    continue
                found = True
                closed = replace(
                    advice, short_closed=True, stage=AdviceStage.DUE, due_ms=scope.now_ms, attempts=0
                )
                await advising.put(scope, closed)
                await recompute(scope, await advising.book_shorts(scope, closed))
                await handing.note(scope, advice.order_id, f"a person closed what is short of {name}")
            return found

        return await self._session.write(step)

    async def tidy(self) -> bool:
        """Drop some of what was finished long ago; whether more of it is left."""
        dropped = await self._session.write(
            lambda scope: scope.tx.run("advice_purge", (scope.now_ms - KEEP_MS, TIDY_ROWS))
        )
        return dropped == TIDY_ROWS

    async def _step(self, advice: Advice, step: Callable[[Scope, Advice], Awaitable[None]]) -> None:
        """Take a step with an advice that stands where it was read; else it is met again as it is now."""

        async def body(scope: Scope) -> None:
            before = await advising.get(scope, advice.feed, advice.kind, advice.name)
            if before is None or (before.stage, before.position) != (advice.stage, advice.position):
                return
            await step(scope, before)

        await self._session.write(body)


async def _kits_of(scope: Scope, order: Order, rules: LearnRules) -> dict[str, Kit]:
    kits = kits_ordered(order, rules.channel_keys, scope.policies)
    handed = await kits_of_orders(scope, (order.id,))
    skus = {line.line_id: line.sku for line in order.lines}
    return kits | {name: Kit(skus.get(name) or "", made_of) for (_, name), made_of in handed.items()}


async def _goes_on(scope: Scope, advice: Advice, note: str) -> None:
    """It waits no longer."""
    await resolve_case(scope.tx, CaseKind.STALLED_ORDERS, advising.SCOPE, advice.name, note, scope.now_ms)


async def _doubt(scope: Scope, order: Order, rules: LearnRules, skus: Collection[str]) -> None:
    """Whether goods that are back in stock move an entry is commercetools' secret: its base is read anew.

    The keys are the order's own, as its lines may have been folded long ago.
    """
    lines, _ = count_lines(order, rules.channel_keys, scope.policies, {})
    await doubt_bases(scope, {line.key for line in lines if line.key.sku in skus})


def _after_booking(advice: Advice) -> AdviceStage:
    """A fulfilment that is not shipped yet goes on in the warehouse."""
    if advice.status == CANCELLED:
        return AdviceStage.VOID
    return AdviceStage.DONE if advice.kind is AdviceKind.RETURN or advice.is_shipped else AdviceStage.OPEN


async def _resolve_short(scope: Scope, advice: Advice, note: str) -> None:
    await resolve_case(scope.tx, CaseKind.SHORT_PICK, advising.SCOPE, advice.name, note, scope.now_ms)


async def _move(scope: Scope, advice: Advice, stands: Stage | None) -> None:
    """The order comes as far as its deliveries say."""
    assert advice.order_id is not None
    before = await handing.get(scope, advice.order_id)
    if before is None:
        return
    booked = f"{advice.kind} {advice.name} is booked in commercetools"
    if stands is not None and stands is not before.stage and may_move(before.stage, stands):
        due_ms = scope.now_ms if before.cancel else before.due_ms
        await handing.put(scope, before, moved(before, stands, scope.now_ms, due_ms=due_ms), booked)
    else:
        await handing.note(scope, advice.order_id, booked)
    if advice.is_shipped:
        note = "Archean's dispatch is booked"
        conflict = CaseKind.STATUS_CONFLICT
        await resolve_case(
            scope.tx, conflict, handing.SCOPE, before.name, note, scope.now_ms, handing.SHIPPED_HERE
        )
    await _close(scope, advice.order_id)


async def _close(scope: Scope, order_id: str) -> None:
    before = await handing.get(scope, order_id)
    if before is None or before.stage is not Stage.SHIPPED:
        return
    owed = (AdviceStage.DUE, AdviceStage.BOOKED, AdviceStage.HELD)
    if any(each.stage in owed for each in await advising.of_order(scope, order_id)):
        return
    # Archean's number may still have to be noted on it.
    after = moved(before, Stage.CLOSED, scope.now_ms, due_ms=None if before.noted else before.due_ms)
    await handing.put(scope, before, after, "shipped, booked, and known to Archean")
    await handing.close_cases(scope, before, "the order is closed")
