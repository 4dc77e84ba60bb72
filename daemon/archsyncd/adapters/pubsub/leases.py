"""Deliveries that are held until what they say is durable: their deadlines are put off meanwhile. Knows no content."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from archsyncd.adapters.pubsub.options import PubsubOptions
from archsyncd.adapters.pubsub.subscription import NamesRefused, Subscription
from archsyncd.engine.ports import Clock, FeedFault
from archsyncd.wire.pubsub import Delivered

OWED_LIMIT: Final = 10_000
CLOSE_SECONDS: Final = 3.0


@dataclass(slots=True)
class Held:
    """A delivery, since when it is held and when its deadline is put off next, in monotonic seconds."""

    delivered: Delivered
    since: float
    again_at: float


class Leases:
    """What was pulled from one subscription and is not durable here.

    Nothing is given back because it cannot be stored just now: a subscription with a dead-letter policy counts that as an
    attempt, and a full disk would use up all of them within a minute. It is given back when it was held for too long, and at
    the end.
    """

    def __init__(self, options: PubsubOptions, subscription: Subscription, clock: Clock) -> None:
        self._options = options
        self._subscription = subscription
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._owed: list[str] = []
        self._keeper: asyncio.Task[None] | None = None

    @property
    def names(self) -> Sequence[str]:
        """The deliveries that are held, in the order in which they came."""
        return list(self._held)

    def get(self, ack_id: str) -> Delivered | None:
        """A delivery that is held."""
        held = self._held.get(ack_id)
        return None if held is None else held.delivered

    async def pull(self) -> list[Delivered]:
        """Pull, and hold what came. Raises FeedFault."""
        delivered = await self._subscription.pull()
        now = self._clock.monotonic()
        for one in delivered:
            self._held[one.ack_id] = Held(one, now, now + self._options.first_extension_seconds)
        if self._held and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep())
        return delivered

    async def acknowledge(self, ack_ids: Collection[str]) -> None:
        """These are durable. Raises FeedFault; the next acknowledgement makes up for one that failed.

        Names that were refused are not told again: what they stand for is delivered again, and counts once.
        """
        self._forget(ack_ids)
        self._owed = [*self._owed, *ack_ids][-OWED_LIMIT:]
        if self._owed:
            owed, self._owed = self._owed, []
            try:
                await self._subscription.acknowledge(owed)
            except NamesRefused:
                raise
            except BaseException:
                self._owed = [*owed, *self._owed][-OWED_LIMIT:]
                raise

    async def _keep(self) -> None:
        """Put off deadlines for as long as anything is held."""
        while self._held:
            await self._clock.sleep(self._options.first_extension_seconds)
            now = self._clock.monotonic()
            old = [name for name, held in self._held.items() if now - held.since > self._options.hold_seconds]
            self._forget(old)
            due = [name for name, held in self._held.items() if now >= held.again_at]
            with contextlib.suppress(FeedFault):
                if old:
                    await self._subscription.put_off(old, 0)
                if due:
                    await self._subscription.put_off(due, self._options.deadline_seconds)
                    for name in due:
                        if name in self._held:
                            self._held[name].again_at = now + self._options.extension_seconds

    def _forget(self, ack_ids: Collection[str]) -> None:
        for name in ack_ids:
            self._held.pop(name, None)

    async def close(self) -> None:
        """Give back what is held, so that it is delivered at once to whoever reads next."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        held, owed = list(self._held), self._owed
        self._held, self._owed = {}, []
        with contextlib.suppress(FeedFault, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if owed:
                    await self._subscription.acknowledge(owed)
                if held:
                    await self._subscription.put_off(held, 0)
        await self._subscription.close()
