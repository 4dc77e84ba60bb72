"""The order desk of one source over files: orders, wishes to cancel, dispatches that were booked. Decides nothing.

`orders/out` is the source's: it takes files away when it has read them, or leaves them. Answers in `orders/ack` stay where
they are: the store commits after they were read, and an answer that is gone could not be read again after a crash. The
source removes them when it likes. The one exception is a refusal that was told and is asked about again: it is withdrawn
before the same is told anew, because the same name is answered in the same place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from archsyncd.adapters.r247_drop.directory import reason_of
from archsyncd.adapters.r247_drop.order_files import ACK, OrderFiles
from archsyncd.domain.feed import OrderLookup
from archsyncd.domain.handover import BookedDispatch, CancelAnswer, Objection, PlacedLine, Taken
from archsyncd.domain.whole_order import WholeOrder
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.r247_order_files import (
    ACK_ENDING,
    RECEIVED,
    cancellation_file,
    dispatch_file,
    is_order_file,
    order_file,
    read_cancellation_ack,
    read_dispatch_ack,
    read_order_ack,
)
from archsyncd.wire.r247_orders import acknowledgement_body, cancellation_body, order_body, scrubbed
from archsyncd.wire.r247_values import Unreadable

T = TypeVar("T")
ASK_AGAIN_SECONDS: Final = 2.0
# A source may take a file away long before it answers: it must not find it anew with every question.
TELL_AGAIN_SECONDS: Final = 600.0
REMEMBERED: Final = 10_000


class DropDesk:
    """An `OrderDesk` over `r247/1`, section 9, in files."""

    def __init__(self, files: OrderFiles, clock: Clock) -> None:
        self._files = files
        self._clock = clock
        self._told_at: dict[str, float] = {}
        self._refusals: dict[str, None] = {}

    @property
    def again_seconds(self) -> float:
        """How soon an answer is looked for again: that costs no more than looking."""
        return ASK_AGAIN_SECONDS

    def body(self, order: WholeOrder, lines: Sequence[PlacedLine]) -> str:
        """What the source is told of an order."""
        return order_body(order, lines)

    async def hand_over(self, order_id: str, body: str) -> OrderLookup | Objection:
        """Write an order under its id and version; a repeat changes nothing, and brings the answer once it is there.

        Raises FeedFault: unless it says `unreached`, the source may have the file.
        """
        try:
            name = order_file(order_id, body)
        except Unreadable as fault:
            raise FeedFault(fault.reason, unreached=True) from None
        answer, anew = await self._heard(name, read_order_ack)
        if answer is not None:
            return scrubbed(answer, body) if isinstance(answer, Objection) else answer
        data = body.encode()
        if anew or not await self._blocking(lambda: self._files.settled_as(name, data), unreached=False):
            await self._put(name, data)
        return OrderLookup(RECEIVED)

    async def answer(self, order_id: str, body: str) -> OrderLookup | Objection | None:
        """What lies there as the answer to an order; None: nothing, or nobody knows what was sent. Raises FeedFault."""
        if not body:
            return None
        try:
            name = order_file(order_id, body)
        except Unreadable as fault:
            raise FeedFault(fault.reason) from None
        answer = self._noted(name, await self._read(name, read_order_ack))
        return scrubbed(answer, body) if isinstance(answer, Objection) else answer

    async def ask_to_cancel(self, order_id: str, reason: str) -> CancelAnswer:
        """Write the wish to cancel, and read its answer. Raises FeedFault.

        It is held back while the order itself lies there unanswered: a source that met the wish first would not know the
        order, say so, and take it in afterwards.
        """
        name = cancellation_file(order_id)
        answer = await self._read(name, read_cancellation_ack)
        if answer is not None:
            return answer
        if await self._is_due(name):
            waits = await self._blocking(
                lambda: self._files.holds_unanswered(lambda found: is_order_file(found, order_id))
            )
            if not waits:
                await self._tell(name, cancellation_body(reason))
        return CancelAnswer.PENDING

    async def acknowledge_dispatch(self, booked: BookedDispatch) -> Taken | Objection:
        """Tell that the storefront has booked a dispatch, and read the answer. Raises FeedFault."""
        name = dispatch_file(booked.fulfilment_id)
        answer, anew = await self._heard(name, read_dispatch_ack)
        if answer is not None:
            return answer
        if anew or await self._is_due(name):
            await self._tell(name, acknowledgement_body(booked))
        return Taken.PENDING

    async def _read(self, name: str, read: Callable[[bytes], T]) -> T | None:
        """The answer to a file. Raises FeedFault for one that cannot be read: it stands in the way of nothing else."""
        try:
            data = await self._blocking(lambda: self._files.answer(name))
            return None if data is None else read(data)
        except Unreadable as fault:
            raise FeedFault(f"{ACK}/{name}{ACK_ENDING}: {fault.reason}", answered=True) from None

    async def _heard(self, name: str, read: Callable[[bytes], T]) -> tuple[T | None, bool]:
        """The answer, and whether the same is to be told anew, which is so once its refusal was told and withdrawn.

        That another order stands under the id is no refusal of this kind: it stays so.
        """
        answer = await self._read(name, read)
        if isinstance(answer, Objection) and name in self._refusals and not answer.different:
            await self._blocking(lambda: self._files.withdraw(name))
            return None, True
        return self._noted(name, answer), name in self._refusals

    def _noted(self, name: str, answer: T) -> T:
        """Remember a refusal as told. Lost with a restart: then it is told once more before anything is sent anew."""
        if isinstance(answer, Objection):
            self._refusals[name] = None
            _bound(self._refusals)
        return answer

    async def _is_due(self, name: str) -> bool:
        if self._clock.monotonic() < self._told_at.get(name, float("-inf")) + TELL_AGAIN_SECONDS:
            return False
        return not await self._blocking(lambda: self._files.lies_there(name))

    async def _tell(self, name: str, tree: Mapping[str, Any]) -> None:
        await self._put(name, orjson.dumps(tree))
        self._told_at[name] = self._clock.monotonic()
        _bound(self._told_at)

    async def _put(self, name: str, data: bytes) -> None:
        """Put a file where the source finds it. Raises FeedFault, `unreached` until the file may have its name."""
        await self._blocking(lambda: self._files.stage(name, data))
        await self._blocking(lambda: self._files.publish(name), unreached=False)
        self._refusals.pop(name, None)

    async def _blocking(self, act: Callable[[], T], *, unreached: bool = True) -> T:
        """Do file work in a thread. Raises FeedFault for what the system refuses, in the same words as the feed."""
        try:
            return await asyncio.to_thread(act)
        except OSError as fault:
            raise FeedFault(f"{self._files.path}: {reason_of(fault)}", unreached=unreached) from None


def _bound(table: dict[str, Any]) -> None:
    while len(table) > REMEMBERED:
        del table[next(iter(table))]
