"""The order desk of one source over HTTP: orders, wishes to cancel, dispatches that were booked. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from archsyncd.adapters.r247_pull.caller import Answer, Call, Caller
from archsyncd.adapters.r247_pull.refusal import ACCEPTED, NOT_FOUND, OK, refusal
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import BookedDispatch, CancelAnswer, Objection, PlacedLine, Taken
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.ports import FeedFault
from archsyncd.wire.commercetools.exchange import path_segment
from archsyncd.wire.r247_answers import read_order_answer, read_problem
from archsyncd.wire.r247_orders import acknowledgement_body, cancellation_body, objection, order_body
from archsyncd.wire.r247_values import Unreadable

# A record of the feed tells sooner; the question is for those who tell none.
ASK_AGAIN_SECONDS = 30.0
_CREATED = 201
_NO_CONTENT = 204
_CONFLICT = 409
_ALREADY_SHIPPED = "already_shipped"
_UNKNOWN_ORDER = "unknown_order"


class PullDesk:
    """An `OrderDesk` over `r247/1`, section 9."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @property
    def again_seconds(self) -> float:
        """How soon an order that was only received is looked up again."""
        return ASK_AGAIN_SECONDS

    async def answer(self, order_id: str, body: str) -> OrderLookup | Objection | None:  # noqa: ARG002 - asked by look-up
        """Return None: a source that answers calls is asked by looking the order up."""
        return None

    def body(self, order: WholeOrder, lines: Sequence[PlacedLine]) -> str:
        """What the source is told of an order."""
        return order_body(order, lines)

    async def hand_over(self, order_id: str, body: str) -> OrderLookup | Objection:
        """PUT an order under its id. Raises FeedFault: unless it says `unreached`, Archean may have the order."""
        answer = await self._caller.ask(Call("PUT", f"/v1/orders/{path_segment(order_id)}", body=body))
        if answer.status in {OK, _CREATED, ACCEPTED}:
            return _read(answer)
        found = objection(answer.status, read_problem(answer.body), body)
        if found is None:
            raise refusal(answer)
        return found

    async def ask_to_cancel(self, order_id: str, reason: str) -> CancelAnswer:
        """Ask to cancel an order; asking again changes nothing. Raises FeedFault."""
        path = f"/v1/orders/{path_segment(order_id)}/cancellation"
        answer = await self._caller.ask(Call("POST", path, body=cancellation_body(reason)))
        if answer.status == OK:
            return CancelAnswer.CANCELLED
        code = read_problem(answer.body).code
        if answer.status == _CONFLICT and code == _ALREADY_SHIPPED:
            return CancelAnswer.ALREADY_SHIPPED
        if answer.status == NOT_FOUND and code == _UNKNOWN_ORDER:
            return CancelAnswer.UNKNOWN_THERE
        raise refusal(answer)

    async def acknowledge_dispatch(self, booked: BookedDispatch) -> Taken | Objection:
        """Tell that the storefront has booked a dispatch; repeated until it is taken. Raises FeedFault."""
        path = f"/v1/fulfilments/{path_segment(booked.fulfilment_id)}/acknowledgement"
        answer = await self._caller.ask(Call("POST", path, body=acknowledgement_body(booked)))
        if answer.status in {OK, ACCEPTED, _NO_CONTENT}:
            return Taken.TAKEN
        problem = read_problem(answer.body)
        if answer.status == NOT_FOUND and problem.code == "unknown_fulfilment":
            return Objection(problem.code, problem.detail)
        found = objection(answer.status, problem)
        if found is None:
            raise refusal(answer)
        return found


def _read(answer: Answer) -> OrderLookup:
    try:
        return read_order_answer(answer.body)
    except Unreadable as fault:
        # It was taken, and how cannot be read: in doubt.
        raise FeedFault(f"{answer.told}: {fault.reason}") from None
