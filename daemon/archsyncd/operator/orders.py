"""The verbs about orders: one order's story with both sides' states, and the orders in a state. Decides nothing."""

from __future__ import annotations

from typing import Any

from archsyncd.domain.advice import Advice
from archsyncd.domain.handover import Carried, OrderStory, Stage
from archsyncd.domain.times import rfc3339
from archsyncd.engine.handing_over import Sides
from archsyncd.operator.daemon import Daemon
from archsyncd.operator.exceptions import briefs
from archsyncd.operator.paging import fitting
from archsyncd.operator.protocol import Arguments, Refusal

LIST_LIMIT = 100
LIST_MOST = 500
CASES_LIMIT = 20
LAGS_MOST = 1_000
STAGES = ("", *(stage.value for stage in Stage))
# What becomes of an order by itself, and what a person can do.
NEXT_STEPS = {
    Stage.LEARNED: "Nothing: it is looked at within seconds.",
    Stage.WAITING: "Nothing: it goes by itself when that changes in commercetools.",
    Stage.READY: "Nothing: it is sent as soon as Archean can be reached.",
    Stage.SENDING: "Nothing: the answer decides, and a lost one is asked for.",
    Stage.IN_DOUBT: "Nothing: Archean is asked whether it has it, and its answer decides.",
    Stage.RECEIVED: "Nothing, unless it lasts: Archean has it and has not decided on it.",
    Stage.ACCEPTED: "Nothing: Archean has it, and its dispatch is waited for.",
    Stage.CANCELLING: "Nothing: Archean is asked to cancel it, and its word decides.",
    Stage.CANCELLED: "Nothing: it is over.",
    Stage.PART_SHIPPED: "Nothing: the rest is waited for.",
    Stage.SHIPPED: "Nothing: the booking is told to Archean until it takes notice.",
    Stage.CLOSED: "Nothing: it is over.",
    Stage.CLOSED_SHORT: "Refund what was not shipped, if nobody has.",
    Stage.HELD: "Do what its exception says, then: archsyncctl exceptions retry ID",
    Stage.DISMISSED: "Nothing: it is not handed over from here.",
}


# Where Archean can neither be asked nor told again, nothing is due by itself.
_A_PERSON_MUST_SAY = (
    "Look in Archean whether it has the order, then: archsyncctl exceptions retry ID, or dismiss ID"
)


def _next_step(carried: Carried) -> str:
    if carried.stage is Stage.IN_DOUBT and carried.due_ms is None:
        return _A_PERSON_MUST_SAY
    return NEXT_STEPS[carried.stage]


class OrderVerbs:
    """Answers `order` and `orders.list`."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    async def order(self, arguments: Arguments) -> dict[str, Any]:
        """One order by number or id, or by that of a dispatch or return of it.

        Where it stands, both sides' states, dispatches, history, cases, the next step.
        """
        reference = arguments.text("reference")
        arguments.finish()
        daemon = self._daemon
        story = await daemon.store.handovers.story(reference)
        if story is None and (meant := (await daemon.store.handovers.concerned([reference])).get(reference)):
            story = await daemon.store.handovers.story(meant.order_id)
        if story is None:
            raise await self._unknown(reference)
        carried = story.carried
        advices = await daemon.store.advices.of_order(carried.order_id)
        sides = None if daemon.hand_over is None else await daemon.hand_over.sides(carried)
        cases = {}
        for subject in (carried.name, *(advice.name for advice in advices)):
            for case in await daemon.store.cases.listed(subject=subject, limit=CASES_LIMIT):
                cases[case.id] = case
        told, _ = fitting(briefs(daemon, sorted(cases.values(), key=lambda case: case.id)))
        return self._told(story, advices, sides) | {"cases": told}

    async def _unknown(self, reference: str) -> Refusal:
        if await self._daemon.store.orders.known_orders([reference]):
            how = (
                "another system hands orders over"
                if self._daemon.hand_over is None
                else "another system brought it"
            )
            return Refusal(f"Order {reference!r} is counted, but not carried from here: {how}.")
        near = reference.strip()
        if near != reference and await self._daemon.store.handovers.story(near) is not None:
            told = f"Nothing is known of an order {reference!r}. Did you mean {near!r}?"
            return Refusal(told, near=near)
        return Refusal(
            f"Nothing is known of an order {reference!r}: it is older than what is kept, or commercetools has not shown it. "
            "Numbers are compared exactly."
        )

    def _told(self, story: OrderStory, advices: list[Advice], sides: Sides | None) -> dict[str, Any]:
        carried = story.carried
        return {
            **self._brief(carried),
            "sent": carried.sent,
            "cancelled": carried.cancel,
            "noted": carried.noted,
            "next": _next_step(carried),
            "commercetools": None if sides is None else _ours(sides),
            "archean": None if sides is None else _theirs(sides),
            "dispatches": [self._advice(each) for each in advices],
            "history": [
                {"at": rfc3339(at_ms), "state": stage.value, "says": note}
                for at_ms, stage, note in story.events
            ],
        }

    def _brief(self, carried: Carried) -> dict[str, Any]:
        age_ms = max(self._daemon.clock.wall_ms() - carried.since_ms, 0)
        return {
            "order": carried.order_id,
            "number": carried.number,
            "state": carried.stage.value,
            "since": rfc3339(carried.since_ms),
            "age_seconds": round(age_ms / 1000, 1),
            "reason": carried.reason,
            "created": rfc3339(carried.created_ms),
            "source_order": carried.source_order,
        }

    def _advice(self, advice: Advice) -> dict[str, Any]:
        return {
            "kind": advice.kind.value,
            "id": advice.name,
            "status": advice.status,
            "stage": advice.stage.value,
            "since": rfc3339(advice.since_ms),
            "reason": advice.reason,
            "delivery": advice.delivery_key,
            "acknowledged": advice.acknowledged,
            "lines": [
                {"sku": line.sku, "quantity": line.quantity, "short": getattr(line, "short_quantity", 0)}
                for line in advice.lines[:LIST_LIMIT]
            ],
            "tracking": [parcel.tracking for parcel in advice.parcels[:LIST_LIMIT] if parcel.tracking],
        }

    async def listed(self, arguments: Arguments) -> dict[str, Any]:
        """Orders in a state, those first that have been in it longest; without a state how many are under way."""
        stage = arguments.choice("state", STAGES, "")
        limit = arguments.whole("limit", 1, LIST_MOST, LIST_LIMIT)
        arguments.finish()
        states = await order_states(self._daemon)
        if not stage:
            return {"rows": [], "more": False, "states": states}
        found = await self._daemon.store.handovers.listed(Stage(stage), limit + 1)
        rows, cut = fitting([self._brief(carried) for carried in found[:limit]])
        return {"rows": rows, "more": cut or len(found) > limit, "states": states}


async def order_states(daemon: Daemon) -> list[dict[str, Any]]:
    """How many orders are in each state that is not the end, and for how long the first of them."""
    now_ms = daemon.clock.wall_ms()
    counts = await daemon.store.handovers.counts()
    return [
        {
            "state": stage.value,
            "orders": counts[stage][0],
            "oldest_seconds": round(max(now_ms - counts[stage][1], 0) / 1000, 1),
        }
        for stage in Stage
        if stage in counts
    ]


async def carrying(daemon: Daemon) -> dict[str, Any] | None:
    """The status of the hand-over: orders by state, dispatches and returns that wait, and how long both took of late.

    Who still waits counts with the time that is gone.
    """
    if daemon.hand_over is None:
        return None
    now_ms = daemon.clock.wall_ms()
    waiting = []
    for (kind, stage), (count, since_ms) in sorted((await daemon.store.advices.counts()).items()):
        seconds = round(max(now_ms - since_ms, 0) / 1000, 1)
        waiting.append({"kind": kind, "stage": stage, "count": count, "oldest_seconds": seconds})
    lags = {}
    under_way = {
        "handed_over": await daemon.store.handovers.untaken_since(LAGS_MOST),
        "booked": await daemon.store.advices.unbooked_since(LAGS_MOST),
    }
    for name, since in under_way.items():
        lag = daemon.store.lags.of(name, [now_ms - at_ms for at_ms in since])
        lags[name] = (
            None
            if lag is None
            else {
                "count": lag.count,
                "p50_seconds": round(lag.p50_ms / 1000, 2),
                "p99_seconds": round(lag.p99_ms / 1000, 2),
            }
        )
    return {"states": await order_states(daemon), "dispatches": waiting, "lags": lags}


def _ours(sides: Sides) -> dict[str, Any] | None:
    order = sides.order
    if order is None:
        return None
    delivered: dict[str, int] = {}
    for delivery in order.deliveries:
        for line_id, pieces in delivery.pieces.items():
            delivered[line_id] = delivered.get(line_id, 0) + pieces
    return {
        "order_state": order.order.order_state,
        "payment_state": order.payment_state,
        "shipment_state": order.order.shipment_state,
        "version": order.order.version,
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "delivered": delivered.get(line.line_id, 0)}
            for line in order.order.lines[:LIST_LIMIT]
        ],
        "deliveries": [delivery.key for delivery in order.deliveries],
        "returns": [
            {"id": item.key, "quantity": item.quantity, "state": item.state}
            for item in order.returns[:LIST_LIMIT]
        ],
    }


def _theirs(sides: Sides) -> dict[str, Any] | None:
    if sides.source_silent:
        return None
    found = sides.source
    if found is None:
        return {"status": "unknown", "source_order": None}
    return {"status": found.status, "source_order": found.source_order}
