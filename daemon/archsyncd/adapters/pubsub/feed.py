"""The feed of one subscription: what is pulled is held, its deadline put off, until it is durable here. Decides nothing.

Nothing is given back because it cannot be stored just now: a subscription with a dead-letter policy counts that as an
attempt, and a full disk would use up all of them within a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import Final

from archsyncd.adapters.pubsub.gathering import Gathering
from archsyncd.adapters.pubsub.options import PubsubOptions
from archsyncd.adapters.pubsub.place import Place
from archsyncd.adapters.pubsub.subscription import Subscription
from archsyncd.domain.feed import Batch, KeyReading, OrderLookup, Outcome, SnapshotDue
from archsyncd.engine.ports import Clock, FeedFault, SnapshotSource
from archsyncd.wire.pubsub import Delivered
from archsyncd.wire.r247_messages import Message, read_message

ASIDE_BYTES: Final = 256 * 1024
OWED_LIMIT: Final = 10_000
CLOSE_SECONDS: Final = 3.0


@dataclass(slots=True)
class Held:
    """A message that was delivered and is not durable here. Times are monotonic seconds; `until`: put off till then."""

    delivered: Delivered
    since: float
    again_at: float


class PubsubFeed:
    """A `Feed` over a Pub/Sub subscription, read by one task."""

    def __init__(
        self, options: PubsubOptions, subscription: Subscription, clock: Clock, beat: Callable[[], None]
    ) -> None:
        """`beat` is called with every step of the reading."""
        self._options = options
        self._subscription = subscription
        self._clock = clock
        self._beat = beat
        self._held: dict[str, Held] = {}
        self._untold: deque[str] = deque()
        self._told: dict[str, list[str]] = {}
        self._owed: list[str] = []
        self._keeper: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The feed's name in the configuration."""
        return self._options.name

    @property
    def step_seconds(self) -> float:
        """The longest that one request may take by right."""
        return self._options.step_seconds

    @property
    def offers_lookup(self) -> bool:
        """A queue answers no questions."""
        return False

    @property
    def subscription(self) -> Subscription:
        """The subscription, to ask what it is."""
        return self._subscription

    async def batches(self, after: str | None) -> AsyncIterator[Batch | SnapshotDue | SnapshotSource]:
        """Yield what is delivered, for ever; first of all what an earlier reading has left undone.

        While nothing comes an empty Batch at the same checkpoint is told: Pub/Sub answers, which says nothing of the source.
        """
        place = Place.of(after)
        self._untold, self._told = deque(self._held), {}
        while True:
            self._beat()
            began = self._clock.monotonic()
            if not self._untold:
                await self._pull()
            if not self._untold:
                yield Batch(
                    self.name,
                    place.epoch or "",
                    (),
                    (),
                    place.checkpoint,
                    ordered=False,
                    void=place.epoch is None,
                )
                await self._pause_since(began)
                continue
            gathering = await self._gather(place)
            place, batch = self._batch_of(gathering)
            yield batch

    def _batch_of(self, gathering: Gathering) -> tuple[Place, Batch]:
        batch = gathering.batch(self.name, more=bool(self._untold))
        self._told[batch.checkpoint] = gathering.ack_ids
        return gathering.place, batch

    async def _pull(self) -> None:
        delivered = await self._subscription.pull()
        now = self._clock.monotonic()
        for one in delivered:
            self._held[one.ack_id] = Held(one, now, now + self._options.first_extension_seconds)
            self._untold.append(one.ack_id)
        if self._held and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep())

    async def _gather(self, place: Place) -> Gathering:
        gathering = Gathering(place)
        while self._untold and gathering.size < self._options.batch_records:
            held = self._held.get(self._untold[0])
            if held is not None:
                message = await self._read(held.delivered)
                if not gathering.take(held.delivered, message):
                    break
                self._beat()
            self._untold.popleft()
        return gathering

    async def _read(self, delivered: Delivered) -> Message:
        if len(delivered.data or b"") < ASIDE_BYTES:
            return read_message(delivered.data, delivered.attributes)
        return await asyncio.to_thread(read_message, delivered.data, delivered.attributes)

    async def _pause_since(self, began: float) -> None:
        left = self._options.pause_seconds - (self._clock.monotonic() - began)
        if left > 0:
            await self._clock.sleep(left)

    async def _keep(self) -> None:
        """Put off the deadline of what is held, for as long as anything is; what is held too long is given back."""
        while self._held:
            await self._clock.sleep(self._options.first_extension_seconds)
            now = self._clock.monotonic()
            old = [name for name, held in self._held.items() if now - held.since > self._options.hold_seconds]
            due = [name for name, held in self._held.items() if now >= held.again_at and name not in set(old)]
            with contextlib.suppress(FeedFault):
                if old:
                    self._forget(old)
                    await self._subscription.put_off(old, 0)
                if due:
                    await self._subscription.put_off(due, self._options.deadline_seconds)
                    for name in due:
                        if name in self._held:
                            self._held[name].again_at = now + self._options.extension_seconds

    def _forget(self, ack_ids: Collection[str]) -> None:
        for name in ack_ids:
            self._held.pop(name, None)

    async def acknowledge(self, checkpoint: str, outcome: Outcome) -> None:  # noqa: ARG002 - only that it is durable counts
        """Acknowledge the messages of the batch that ends at this checkpoint. Raises FeedFault; it is tried again later."""
        ack_ids = self._told.pop(checkpoint, [])
        self._forget(ack_ids)
        self._owed = [*self._owed, *ack_ids][-OWED_LIMIT:]
        if self._owed:
            await self._subscription.acknowledge(self._owed)
            self._owed = []

    async def take_snapshot(self, locations: Collection[str]) -> SnapshotSource | None:  # noqa: ARG002
        """None: nobody listens at the other end. A snapshot comes in parts, or from the feed named by snapshot_from."""
        return None

    async def read_key(self, sku: str) -> KeyReading | None:  # noqa: ARG002
        """None: a queue answers no questions."""
        return None

    async def look_up_order(self, reference: str) -> OrderLookup | None:  # noqa: ARG002
        """Raise FeedFault: a queue knows of no order, which must not be taken for the source's word."""
        raise FeedFault(f"{self._options.subscription} answers no questions", answered=True)

    def trust(self, tls: ssl.SSLContext) -> None:
        """Verify certificates with this from now on; connections in use keep theirs."""
        self._subscription.caller.trust(tls)

    async def close(self) -> None:
        """Give back what is held, so that it is delivered at once to whoever reads next, and release connections."""
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
