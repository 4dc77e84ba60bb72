"""The order desk of a foreign source, as its profile describes it: orders, wishes to cancel, dispatches. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from archsyncd.adapters.r247_pull.caller import Answer
from archsyncd.adapters.r247_pull.desk import ASK_AGAIN_SECONDS
from archsyncd.adapters.r247_pull.foreign.lists import Lists
from archsyncd.adapters.r247_pull.refusal import refusal
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import BookedDispatch, CancelAnswer, Objection, PlacedLine, Taken
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.foreign.asking import Ask, Filled
from archsyncd.wire.foreign.orders import Orders, Said, Step, code_of, look_up_of, objection_of, said_by
from archsyncd.wire.foreign.shapes import persons_in, render
from archsyncd.wire.foreign.source import Source
from archsyncd.wire.profile.paths import as_text
from archsyncd.wire.r247_orders import acknowledgement_body, blotted, cancellation_body, order_body
from archsyncd.wire.r247_values import Misread, Unreadable

_NONE_OFFERED = "the profile describes no such request"


class ForeignDesk:
    """An `OrderDesk` over requests of the source's own."""

    def __init__(self, source: Source, lists: Lists) -> None:
        self._source = source
        self._lists = lists

    @property
    def again_seconds(self) -> float:
        """How soon an order that was only received is looked up again."""
        return ASK_AGAIN_SECONDS

    @property
    def _orders(self) -> Orders:
        orders = self._source.requests.orders
        if orders is None:
            raise FeedFault(
                "the profile does not describe how this source takes orders (request.orders)", answered=True
            )
        return orders

    async def answer(self, order_id: str, body: str) -> OrderLookup | Objection | None:  # noqa: ARG002 - asked by look-up
        """Return None: a source that answers calls is asked by looking the order up."""
        return None

    def body(self, order: WholeOrder, lines: Sequence[PlacedLine]) -> str:
        """What the source is told of an order, in its own names."""
        orders = self._source.requests.orders
        told = order_body(order, lines)
        if orders is None or orders.place.body is None:
            return told
        return _written(render(orders.place.body, orjson.loads(told)))

    async def hand_over(self, order_id: str, body: str) -> OrderLookup | Objection:
        """Give an order to the source. Raises FeedFault: unless it says `unreached`, the source may have the order."""
        orders = self._orders
        step = orders.place
        answer = await self._send(step.ask, {"order": order_id}, body)
        if answer.status in {*step.done, *step.received}:
            found = self._taken(orders, step, answer)
        elif answer.status in step.refused:
            found = objection_of(step, self._refused(orders, answer))
        else:
            raise refusal(answer)
        return self._scrubbed(step, found, body) if isinstance(found, Objection) else found

    def _taken(self, orders: Orders, step: Step, answer: Answer) -> OrderLookup | Objection:
        try:
            value = self._value(orders, answer)
            said = said_by(orders.answer, value)
            if said.status == "rejected":
                return objection_of(step, said)
            if not said.status and answer.status in step.received:
                return OrderLookup("received")
            return look_up_of(orders.answer, said, value)
        except Unreadable as fault:
            # It was taken, and how cannot be read: in doubt.
            raise FeedFault(f"{answer.told}: {fault.reason}") from None

    def _value(self, orders: Orders, answer: Answer) -> Callable[[str], Any]:
        """What gives the values of an answer; where the profile asks for none, its form does not matter."""
        reading = orders.answer
        if not (reading.status or reading.code or reading.source_order or reading.epoch):
            return lambda path: None  # noqa: ARG005 - nothing is asked for
        return self._source.document(answer.body)

    def _refused(self, orders: Orders, answer: Answer) -> Said:
        try:
            return code_of(orders.answer, self._source.document(answer.body))
        except Unreadable:
            return Said("", f"status {answer.status}")

    def _scrubbed(self, step: Step, found: Objection, body: str) -> Objection:
        """An objection without what names the order's receiver: a source may quote it."""
        named = persons_in(step.body, orjson.loads(body)) if step.body is not None else ()
        return Objection(found.code, blotted(found.detail, named), found.different)

    async def look_up(self, reference: str) -> OrderLookup | None:
        """Ask for an order. None only when the source itself says that it does not know it. Raises FeedFault."""
        orders = self._orders
        step = orders.look_up
        if step is None:
            raise FeedFault(f"orders cannot be looked up: {_NONE_OFFERED}", answered=True)
        answer = await self._send(step.ask, {"order": reference})
        if self._is_unknown(orders, step, answer):
            return None
        if answer.status not in step.done:
            fault = refusal(answer)
            fault.answered = answer.status in step.unknown_status
            raise fault
        try:
            value = self._source.document(answer.body)
            return look_up_of(orders.answer, said_by(orders.answer, value), value)
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}", answered=True) from None

    def _is_unknown(self, orders: Orders, step: Step, answer: Answer) -> bool:
        if answer.status not in step.unknown_status:
            return False
        try:
            value = self._source.document(answer.body)
            if step.unknown_without:
                return as_text(value(step.unknown_without)) is None
        except (Misread, Unreadable):
            return False
        return code_of(orders.answer, value).code in step.unknown_codes

    async def ask_to_cancel(self, order_id: str, reason: str) -> CancelAnswer:
        """Ask to cancel an order; asking again changes nothing. Raises FeedFault."""
        orders = self._orders
        step = orders.cancel
        if step is None:
            told = f"orders cannot be cancelled through us: {_NONE_OFFERED}; cancel it in Archean"
            raise FeedFault(told, answered=True)
        wish = {"orderId": order_id, **cancellation_body(reason)}
        answer = await self._send(step.ask, {"order": order_id}, _shaped(step, wish))
        said = self._refused(orders, answer) if answer.body else Said()
        if said.code and said.code in step.shipped:
            return CancelAnswer.ALREADY_SHIPPED
        if said.code and said.code in step.unknown_codes:
            return CancelAnswer.UNKNOWN_THERE
        if answer.status in step.done:
            return self._cancelled(orders, answer)
        raise refusal(answer)

    def _cancelled(self, orders: Orders, answer: Answer) -> CancelAnswer:
        if not orders.answer.status or not answer.body:
            return CancelAnswer.CANCELLED
        try:
            said = said_by(orders.answer, self._source.document(answer.body))
        except Unreadable as fault:
            raise FeedFault(f"{answer.told}: {fault.reason}") from None
        return CancelAnswer.CANCELLED if said.status == "cancelled" else CancelAnswer.PENDING

    async def acknowledge_dispatch(self, booked: BookedDispatch) -> Taken | Objection:
        """Tell that the storefront has booked a dispatch, where the source wants to know. Raises FeedFault."""
        orders = self._orders
        step = orders.shipped
        if step is None:
            return Taken.TAKEN
        told = {"fulfilmentId": booked.fulfilment_id, **acknowledgement_body(booked)}
        known = {"order": booked.order_id, "fulfilment": booked.fulfilment_id}
        answer = await self._send(step.ask, known, _shaped(step, told))
        if answer.status in step.done:
            return Taken.TAKEN
        said = self._refused(orders, answer)
        if answer.status in step.refused or (said.code and said.code in step.unknown_codes):
            return objection_of(step, said)
        raise refusal(answer)

    async def _send(self, ask: Ask, known: Mapping[str, str], body: str | None = None) -> Answer:
        try:
            filled = ask.fill(known)
        except ValueError as fault:
            raise FeedFault(f"the request cannot be made: {fault}", unreached=True) from None
        return await self._lists.call(Filled(filled.method, filled.path, filled.query, filled.headers, body))


def _shaped(step: Step, told: Mapping[str, Any]) -> str | None:
    return None if step.body is None else _written(render(step.body, told))


def _written(tree: Any) -> str:
    return orjson.dumps(tree).decode()
